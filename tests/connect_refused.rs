//! `connect` where the chosen network cannot carry the flow: `ENETUNREACH` at once, and nothing
//! leaves by any other network, queries for names included.

use mif_lab::{Lab, eventually};

const WHO: &str = "203.0.113.10";
const WHO6: &str = "2001:db8:ff::10";
const WAN1: &str = "10.2.0.2";
const REFUSED: &str = "ENETUNREACH";

/// What the probe `connect` says of port 7001 of an IPv4 and an IPv6 destination, and of the IPv4
/// one on an `AF_INET6` socket.
#[track_caller]
fn connect(lab: &Lab, options: &[&str]) -> [String; 3] {
    let probe = lab.command(lab.probe("connect"));
    let probe = probe.args([WHO, "7001", WHO6, "7001", &format!("::ffff:{WHO}"), "7001"]);
    let out = probe.mif(options).run();
    let lines: Vec<String> = out.ok().lines().map(str::to_owned).collect();
    lines.try_into().expect("three answers")
}

/// A name is asked of a server that the policy names, of the host's own, and neither is reached.
#[track_caller]
fn names_are_refused(lab: &Lab, interface: &str) {
    for dns in [&["-d", "10.2.0.1"][..], &["-d", "2001:db8:2::1"], &[]] {
        let options = [&["-i", interface], dns].concat();
        let out = lab.mif(&options, &["curl", "-sS", "http://who.test/"]);
        assert_eq!(out.code, Some(6), "curl cannot resolve: {out}");
    }
}

#[track_caller]
fn nothing_left(lab: &Lab) {
    assert_eq!(lab.arrivals(), []);
    for router in ["ra", "rb", "rv"] {
        assert_eq!(lab.packets(router), 0, "packets at {router}");
        assert_eq!(lab.queries(router), [""; 0], "queries at {router}");
    }
}

#[test]
fn ipv6_on_an_ipv4_network() {
    let lab = Lab::new();
    let curl = ["curl", "-sS", "http://[2001:db8:ff::10]/"];
    let out = lab.mif(&["-i", "vpn0"], &curl);
    assert_eq!(out.code, Some(7), "curl cannot connect: {out}");
    nothing_left(&lab);
    assert_eq!(
        connect(&lab, &["-i", "vpn0"]),
        ["10.3.0.2", REFUSED, "10.3.0.2"]
    );
    assert_eq!([lab.packets("ra"), lab.packets("rb")], [0, 0]);
}

#[test]
fn a_missing_interface() {
    let lab = Lab::new();
    assert_eq!(connect(&lab, &["-i", "nosuch"]), [REFUSED; 3]);
    names_are_refused(&lab, "nosuch");
    lab.host_ip("link delete wan1");
    assert_eq!(connect(&lab, &["-i", "wan1"]), [REFUSED; 3]);
    nothing_left(&lab);
}

#[test]
fn an_interface_that_is_down() {
    let lab = Lab::new();
    lab.link_down("wan1");
    assert_eq!(connect(&lab, &["-i", "wan1"]), [REFUSED; 3]);
    assert_eq!(
        connect(&lab, &["-i", "wan1", "-s", "10.2.0.2"]),
        [REFUSED; 3]
    );
    assert_eq!(connect(&lab, &["-s", "10.2.0.2"]), [REFUSED; 3]);
    names_are_refused(&lab, "wan1");
    nothing_left(&lab);
    lab.link_up("wan1");
    assert_eq!(
        connect(&lab, &["-i", "wan1"]),
        ["10.2.0.2", "2001:db8:2::2", "10.2.0.2"]
    );
}

#[test]
fn an_interface_without_carrier() {
    let lab = Lab::new();
    lab.as_root_in("rb", &["ip", "link", "set", "host", "down"]);
    eventually("wan1 has lost its carrier", || {
        lab.host_ip("-brief link show dev wan1")
            .contains("NO-CARRIER")
    });
    assert_eq!(connect(&lab, &["-i", "wan1"]), [REFUSED; 3]);
    names_are_refused(&lab, "wan1");
    nothing_left(&lab);
}

#[test]
fn an_interface_without_an_ipv4_address() {
    let lab = Lab::new();
    lab.host_ip("address delete 10.2.0.2/24 dev wan1");
    assert_eq!(
        connect(&lab, &["-i", "wan1"]),
        [REFUSED, "2001:db8:2::2", REFUSED]
    );
    assert_eq!(connect(&lab, &["-s", "10.2.0.2"]), [REFUSED; 3]);
    assert_eq!(lab.peers(), ["2001:db8:2::2"]);
    assert_eq!([lab.packets("ra"), lab.packets("rv")], [0, 0]);
}

#[test]
fn an_interface_without_an_ipv6_address() {
    let lab = Lab::new();
    lab.host_ip("-6 address delete 2001:db8:2::2/64 dev wan1");
    assert_eq!(
        connect(&lab, &["-i", "wan1"]),
        ["10.2.0.2", REFUSED, "10.2.0.2"]
    );
    assert_eq!(lab.peers(), ["10.2.0.2"; 2]);
    assert_eq!([lab.packets("ra"), lab.packets("rv")], [0, 0]);
}

#[test]
fn a_source_that_the_interface_does_not_have() {
    let lab = Lab::new();
    for source in ["10.1.0.2", "10.2.0.99"] {
        assert_eq!(connect(&lab, &["-i", "wan1", "-s", source]), [REFUSED; 3]);
    }
    assert_eq!(connect(&lab, &["-s", "10.2.0.99"]), [REFUSED; 3]);
    nothing_left(&lab);
}

#[test]
fn a_list_falls_through_to_its_end() {
    let lab = Lab::new();
    let list = ["-i", "nosuch", "-i", "wan1", "-i", "vpn0"];
    assert_eq!(
        connect(&lab, &list),
        ["10.2.0.2", "2001:db8:2::2", "10.2.0.2"]
    );
    // Each family finds its own network.
    let list = ["-i", "vpn0", "-i", "wan1"];
    assert_eq!(
        connect(&lab, &list),
        ["10.3.0.2", "2001:db8:2::2", "10.3.0.2"]
    );
    assert_eq!(lab.packets("ra"), 0);

    lab.link_down("wan1");
    let [rb, rv] = ["rb", "rv"].map(|router| lab.packets(router));
    assert_eq!(
        connect(&lab, &["-i", "wan1", "-i", "vpn0"]),
        ["10.3.0.2", REFUSED, "10.3.0.2"]
    );
    assert!(lab.packets("rv") > rv);
    lab.link_down("vpn0");
    assert_eq!(connect(&lab, &["-i", "wan1", "-i", "vpn0"]), [REFUSED; 3]);
    assert_eq!([lab.packets("ra"), lab.packets("rb")], [0, rb]);
}

#[test]
fn a_network_whose_address_is_deprecated_is_passed_over_for_its_family() {
    let lab = Lab::new();
    let life = "preferred_lft 0 valid_lft 1000";
    lab.host_ip(&format!("address change 2001:db8:2::2/64 dev wan1 {life}"));
    assert_eq!(connect(&lab, &["-i", "wan1"]), [WAN1, REFUSED, WAN1]);
    let list = ["-i", "wan1", "-i", "wan0"];
    assert_eq!(connect(&lab, &list), [WAN1, "2001:db8:1::2", WAN1]);
    lab.host_ip(&format!("address change 10.2.0.2/24 dev wan1 {life}"));
    assert_eq!(connect(&lab, &["-i", "wan1"]), [REFUSED; 3]);
}

#[test]
fn only_system_lets_a_flow_go_elsewhere() {
    let lab = Lab::new();
    let policy = lab.write("prefer.toml", "use = [\"wan1\", \"system\"]\n");
    let options = ["-p", policy.to_str().unwrap()];
    assert_eq!(
        connect(&lab, &options),
        ["10.2.0.2", "2001:db8:2::2", "10.2.0.2"]
    );
    lab.link_down("wan1");
    assert_eq!(
        connect(&lab, &options),
        ["10.1.0.2", "2001:db8:1::2", "10.1.0.2"]
    );
    let before = lab.packets("ra");
    assert_eq!(connect(&lab, &["-i", "wan1"]), [REFUSED; 3]);
    assert_eq!(lab.packets("ra"), before);
}

#[test]
fn none_refuses_all_but_loopback() {
    let lab = Lab::new();
    assert_eq!(connect(&lab, &["-i", "none"]), [REFUSED; 3]);
    let local = lab
        .command(lab.probe("connect"))
        .args(["127.0.0.1", "9", "::1", "9"]);
    let out = local.mif(&["-i", "none"]).run();
    assert_eq!(out.ok(), "ECONNREFUSED\nECONNREFUSED");
    nothing_left(&lab);
}

#[test]
fn a_faulty_policy_lets_nothing_out() {
    let lab = Lab::new();
    lab.app_policy("connect", "use = \"wan1\"\nexpliict = \"refuse\"\n");
    let probe = || {
        lab.command(lab.probe("connect"))
            .args([WHO, "7001", WHO6, "7001"])
    };
    let out = probe().mif(&[]).run();
    assert_eq!(out.code, Some(78), "{out}");
    assert!(out.stderr.contains("did you mean `explicit`?"), "{out}");
    let out = probe().preload().run();
    assert_eq!(out.ok(), "ENETUNREACH\nENETUNREACH");
    assert!(out.stderr.contains("did you mean `explicit`?"), "{out}");
    nothing_left(&lab);

    let out = probe().preload().env("MIF_ON_ERROR", "pass").run();
    assert_eq!(out.ok(), "10.1.0.2\n2001:db8:1::2");
}
