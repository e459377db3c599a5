//! Interfaces that go and come while a process runs: it never leaves by another network than the
//! policy's, and uses what is there again within about a second.

use mif_lab::{Lab, Running, eventually};

const WHO: &str = "203.0.113.10";
const WHO6: &str = "2001:db8:ff::10";
const WAN1: &str = "10.2.0.2";
const WAN1_6: &str = "2001:db8:2::2";

/// A running probe `connect`, which connects when it is asked.
struct Client(Running);

impl Client {
    fn start(lab: &Lab, options: &[&str]) -> Self {
        let probe = lab.command(lab.probe("connect")).mif(options);
        Self(probe.stdin_open().spawn())
    }

    fn ask(&mut self, to: &str) -> String {
        self.0.ask(&format!("{to} 7001"))
    }

    fn ask_both(&mut self) -> [String; 2] {
        [WHO, WHO6].map(|to| self.ask(to))
    }
}

#[test]
fn an_interface_comes_back_under_another_index() {
    let lab = Lab::new();
    let index = || {
        let link = lab.host_ip("-oneline link show dev wan1");
        link.split(':').next().unwrap().to_owned()
    };
    let first = index();
    let mut client = Client::start(&lab, &["-i", "wan1"]);
    assert_eq!(client.ask_both(), [WAN1, WAN1_6]);
    // What was read of it is not a second old when the process connects again.
    lab.host_ip("link delete wan1");
    lab.make_wan1();
    assert_ne!(index(), first);
    assert_eq!(client.ask_both(), [WAN1, WAN1_6]);

    lab.host_ip("link delete wan1");
    assert_eq!(client.ask_both(), ["ENETUNREACH"; 2]);
    lab.make_wan1();
    eventually("the interface is used again", || client.ask(WHO) == WAN1);
    assert_eq!(client.ask(WHO6), WAN1_6);
    assert_eq!([lab.packets("ra"), lab.packets("rv")], [0, 0]);
}

#[test]
fn a_list_goes_on_when_the_kernel_no_longer_knows_the_interface() {
    let lab = Lab::new();
    let mut client = Client::start(&lab, &["-i", "wan1", "-i", "vpn0"]);
    assert_eq!(client.ask_both(), [WAN1, WAN1_6]);
    lab.host_ip("link delete wan1");
    assert_eq!(client.ask_both(), ["10.3.0.2", "ENETUNREACH"]);
    lab.make_wan1();
    eventually("the better entry is used again", || client.ask(WHO) == WAN1);
    assert_eq!(lab.packets("ra"), 0);
}

#[test]
fn an_interface_goes_down_and_up() {
    let lab = Lab::new();
    let mut only = Client::start(&lab, &["-i", "wan1"]);
    let mut list = Client::start(&lab, &["-i", "wan1", "-i", "vpn0"]);
    assert_eq!([only.ask(WHO), list.ask(WHO)], [WAN1; 2]);
    lab.link_down("wan1");
    assert_eq!(only.ask_both(), ["ENETUNREACH"; 2]);
    eventually("the next entry is used", || list.ask(WHO) == "10.3.0.2");
    assert_eq!(only.ask_both(), ["ENETUNREACH"; 2]);
    lab.link_up("wan1");
    eventually("the interface is used again", || only.ask(WHO) == WAN1);
    eventually("the better entry is used again", || list.ask(WHO) == WAN1);
    assert_eq!(lab.packets("ra"), 0);
}

#[test]
fn an_interface_loses_its_address() {
    let lab = Lab::new();
    let mut client = Client::start(&lab, &["-i", "wan1"]);
    assert_eq!(client.ask_both(), [WAN1, WAN1_6]);
    lab.host_ip("-6 address flush dev wan1");
    eventually("it is refused", || client.ask(WHO6) == "ENETUNREACH");
    assert_eq!(client.ask(WHO), WAN1);
    lab.host_ip("address flush dev wan1");
    eventually("it is refused", || client.ask(WHO) == "ENETUNREACH");
    assert_eq!([lab.packets("ra"), lab.packets("rv")], [0, 0]);
}
