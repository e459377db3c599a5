//! Calls in the steady state, where one answer of the policy stands for many of them: it goes with the
//! network that it names, and gives way to whatever makes a flow another one. Asserted at the far end.

use mif_lab::{Lab, Running, eventually};

const WHO: &str = "203.0.113.10";
const WHO6: &str = "2001:db8:ff::10";
const WAN1: &str = "10.2.0.2";
const WAN1_6: &str = "2001:db8:2::2";
const VPN0: &str = "10.3.0.2";
const REFUSED: &str = "ENETUNREACH";

/// A running probe `steady`, which goes to an address in every way when it is asked.
struct Client(Running);

impl Client {
    /// One that has gone to a destination by a network often enough to do so without a question.
    fn in_steady_state(lab: &Lab, options: &[&str], to: &str, by: &str) -> Self {
        let probe = lab.command(lab.probe("steady")).mif(options);
        let probe = probe.stdin_open().spawn();
        let mut client = Self(probe);
        for _ in 0..3 {
            assert_eq!(client.ask(to), all(to, by));
        }
        client
    }

    /// What it says to a line.
    fn ask(&mut self, line: &str) -> String {
        self.0.ask(line).trim().to_owned()
    }

    fn comes_to(&mut self, to: &str, outcome: &str) {
        let expected = all(to, outcome);
        eventually(&expected, || self.ask(to) == expected);
    }
}

/// The same outcome of every way.
fn all(to: &str, outcome: &str) -> String {
    let ways = ["stream", "sendto", "sendmsg", "sendmmsg", "datagram"];
    let ways = if to.contains(':') { &ways[..4] } else { &ways };
    let told: Vec<_> = ways.iter().map(|way| format!("{way} {outcome}")).collect();
    told.join(" ")
}

#[test]
fn an_interface_that_goes_down_and_up_is_noticed() {
    for (to, by) in [(WHO, WAN1), (WHO6, WAN1_6)] {
        let lab = Lab::new();
        let mut client = Client::in_steady_state(&lab, &["-i", "wan1"], to, by);
        lab.link_down("wan1");
        client.comes_to(to, REFUSED);
        lab.link_up("wan1");
        client.comes_to(to, by);
        assert_eq!([lab.packets("ra"), lab.packets("rv")], [0, 0]);
    }
}

#[test]
fn an_address_that_goes_is_noticed() {
    for (to, by) in [(WHO, WAN1), (WHO6, WAN1_6)] {
        let lab = Lab::new();
        let mut client = Client::in_steady_state(&lab, &["-i", "wan1"], to, by);
        lab.host_ip("-4 address flush dev wan1");
        lab.host_ip("-6 address flush dev wan1");
        client.comes_to(to, REFUSED);
        assert_eq!([lab.packets("ra"), lab.packets("rv")], [0, 0]);
    }
}

#[test]
fn an_interface_that_comes_back_under_another_index_is_used_at_once() {
    for (to, by) in [(WHO, WAN1), (WHO6, WAN1_6)] {
        let lab = Lab::new();
        let mut client = Client::in_steady_state(&lab, &["-i", "wan1"], to, by);
        lab.host_ip("link delete wan1");
        lab.make_wan1();
        assert_eq!(client.ask(to), all(to, by));
        assert_eq!([lab.packets("ra"), lab.packets("rv")], [0, 0]);
    }
}

#[test]
fn a_list_goes_on_with_its_next_entry_and_comes_back() {
    let lab = Lab::new();
    let options = ["-i", "wan1", "-i", "vpn0"];
    let mut client = Client::in_steady_state(&lab, &options, WHO, WAN1);
    lab.link_down("wan1");
    client.comes_to(WHO, VPN0);
    lab.link_up("wan1");
    client.comes_to(WHO, WAN1);
    assert_eq!(lab.packets("ra"), 0);
}

#[test]
fn an_address_that_becomes_the_hosts_own_is_left_alone() {
    let lab = Lab::new();
    let mut client = Client::in_steady_state(&lab, &["-i", "wan1"], WHO, WAN1);
    lab.host_ip("address add 203.0.113.10/32 dev lo");
    // Nobody listens there, which the kernel tells to sockets that are connected.
    let local =
        "stream ECONNREFUSED sendto EAGAIN sendmsg EAGAIN sendmmsg EAGAIN datagram ECONNREFUSED";
    eventually("it is local", || client.ask(WHO) == local);
    let before = lab.packets("rb");
    assert_eq!(client.ask(WHO), local);
    assert_eq!(lab.packets("rb"), before);
}

#[test]
fn what_a_look_up_tells_of_an_address_counts_from_then_on() {
    let lab = Lab::new();
    let policy = lab.write(
        "names.toml",
        "use = \"vpn0\"\n[pvd.work]\ninterface = \"wan1\"\n[pvd.work.dns]\nservers = \"10.2.0.1\"\n\
         [[rule]]\nto = \"*.corp.test\"\nuse = \"work\"\n",
    );
    let options = ["-p", policy.to_str().unwrap()];
    let mut client = Client::in_steady_state(&lab, &options, "203.0.113.30", VPN0);
    assert_eq!(client.ask("look host.corp.test"), "looked up: 0");
    assert_eq!(client.ask("203.0.113.30"), all("203.0.113.30", WAN1));
    for _ in 0..3 {
        assert_eq!(client.ask(WHO), all(WHO, VPN0), "nobody looked it up");
    }
    assert_eq!(lab.packets("ra"), 0);
}

#[test]
fn an_answer_stands_too_for_what_was_looked_up_on_its_network() {
    let lab = Lab::new();
    let policy = lab.write(
        "list.toml",
        "use = [\"work\", \"other\"]\n\
         [pvd.work]\ninterface = \"wan1\"\n[pvd.work.dns]\nservers = \"10.2.0.1\"\n\
         [pvd.other]\ninterface = \"vpn0\"\n[pvd.other.dns]\nservers = \"10.3.0.1\"\n",
    );
    let options = ["-p", policy.to_str().unwrap()];
    let mut client = Client::in_steady_state(&lab, &options, WHO, WAN1);
    assert_eq!(client.ask("look who.test"), "looked up: 0");
    for to in [WHO, "203.0.113.30"] {
        assert_eq!(client.ask(to), all(to, WAN1));
    }
    lab.link_down("wan1");
    client.comes_to("203.0.113.30", VPN0);
    // That was looked up on the network which is not there.
    client.comes_to(WHO, REFUSED);
    assert_eq!(lab.packets("ra"), 0);
}

#[test]
fn what_the_application_chooses_for_a_socket_still_counts() {
    let lab = Lab::new();
    for (choice, sent) in [
        ("bind(('10.1.0.2', 0))", "EADDRNOTAVAIL"),
        (
            "setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b'wan0')",
            REFUSED,
        ),
        ("setsockopt(socket.IPPROTO_IP, 50, index)", REFUSED),
    ] {
        let script = format!(
            r#"
import errno, socket
index = socket.if_nametoindex("wan0").to_bytes(4, "big")
def sends(choose):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as made:
        made.settimeout(2)
        try:
            choose(made)
            made.sendto(b"?", ("{WHO}", 7001))
            return made.recv(99).decode()
        except OSError as error:
            return errno.errorcode[error.errno]
for _ in range(3):
    print(sends(lambda made: None))
print(sends(lambda made: made.{choice}))
"#
        );
        let python = lab.command("python3").args(["-c", &script]).root();
        let out = python.mif(&["-i", "wan1"]).run();
        assert_eq!(
            out.ok().lines().collect::<Vec<_>>(),
            [WAN1, WAN1, WAN1, sent],
            "{choice}"
        );
    }
    assert_eq!([lab.packets("ra"), lab.packets("rv")], [0, 0]);
}
