//! The messages of the MIF API (`mif.h`) about the host: one test for each section of the draft
//! (draft-ietf-mif-api-extension-05), in which a program asks, and is told what is so in the lab. Names and
//! connections are in `api_connect.rs`.

#[path = "support/api.rs"]
mod support;

use support::{Session, lab, says};

#[test]
fn section_3_2_7_1_announce_interfaces() {
    let lab = lab();
    lab.link_down("wan0");
    let mut session = Session::new(&lab, None);
    let now = session.asks(&["interfaces", "all"]);
    assert_eq!(
        now,
        ["INTERFACE wan1 called wan1", "INTERFACE vpn0 called vpn0"]
    );
    lab.link_up("wan0");
    let then = session.asks(&["until INTERFACE wan0"]);
    assert_eq!(then.last().unwrap(), "INTERFACE wan0 called wan0");
}

#[test]
fn section_3_2_7_2_stop_announcing_interfaces() {
    let lab = lab();
    let mut session = Session::new(&lab, None);
    session.asks(&["interfaces", "all", "no-interfaces", "pvds -", "all"]);
    lab.link_down("wan1");
    let told = session.asks(&["until NO_PVD", "until NO_PVD"]);
    assert_eq!(told, ["NO_PVD wan1 utf8:isp-b", "NO_PVD wan1 if:wan1"]);
    // What waited to be read is taken back as well.
    assert_eq!(
        session.asks(&["interfaces", "no-interfaces", "all"]),
        [""; 0]
    );
}

#[test]
fn section_3_2_7_3_interface_announcement() {
    let lab = lab();
    let mut session = Session::new(&lab, None);
    session.asks(&["interfaces", "all"]);
    lab.host_ip("link add new0 type veth peer name new1");
    lab.host_ip("link set new0 up");
    // It is up, and carries nothing while the other end is down.
    let told = session.asks(&["until INTERFACE_GOING_UP"]);
    assert_eq!(told, ["INTERFACE_GOING_UP new0"]);
    lab.host_ip("link set new1 up");
    let told = session.asks(&["until INTERFACE new0", "all"]);
    assert!(
        told.contains(&"INTERFACE new0 called new0".to_owned()),
        "{told:?}"
    );
}

#[test]
fn section_3_2_7_4_no_interface_announcement() {
    let lab = lab();
    let mut session = Session::new(&lab, None);
    let asked = [
        "interfaces",
        "pvds wan1",
        "elements if:wan1",
        "addresses if:wan1",
        "all",
    ];
    session.asks(&asked);
    lab.link_down("wan1");
    let told = session.asks(&["until NO_INTERFACE"]);
    assert_eq!(told[0], "INTERFACE_GOING_AWAY wan1");
    assert_eq!(told.last().unwrap(), "NO_INTERFACE wan1 called wan1");
    let pvd = place(&told, "NO_PVD wan1 if:wan1");
    for part in [
        "NO_ELEMENT if:wan1 static",
        "NO_ADDRESS if:wan1 10.2.0.2",
        "NO_ADDRESS if:wan1 2001:db8:2::2",
    ] {
        assert!(place(&told, part) < pvd, "{told:?}");
    }
    // The domains of this interface were asked for, and it is another one when it comes back; those of a
    // domain were, and it is the same.
    lab.link_up("wan1");
    let told = session.asks(&["until ADDRESS if:wan1 2001", "all"]);
    assert!(
        told.contains(&"INTERFACE wan1 called wan1".to_owned()),
        "{told:?}"
    );
    assert!(told.iter().all(|line| !line.starts_with("PVD")), "{told:?}");
}

#[test]
fn section_3_2_7_5_announce_provisioning_domains() {
    let lab = lab();
    let told = says(
        &lab,
        None,
        &["pvds wan1", "all", "pvds -", "all", "pvds lo"],
    );
    let wanted = [
        "PVD wan1 utf8:isp-b",
        "PVD wan1 if:wan1",
        "PVD wan0 utf8:isp-a",
        "PVD wan0 if:wan0",
        "PVD wan1 utf8:isp-b",
        "PVD wan1 if:wan1",
        "PVD vpn0 utf8:office",
        "PVD vpn0 if:vpn0",
        "ENOENT",
    ];
    assert_eq!(told, wanted);
}

#[test]
fn section_3_2_7_6_stop_announcing_provisioning_domains() {
    let lab = lab();
    let mut session = Session::new(&lab, None);
    session.asks(&[
        "pvds -",
        "pvds wan1",
        "all",
        "no-pvds wan1",
        "interfaces",
        "all",
    ]);
    lab.link_down("wan1");
    let told = session.asks(&["until NO_INTERFACE"]);
    assert!(
        told.contains(&"NO_PVD wan1 if:wan1".to_owned()),
        "all are wanted: {told:?}"
    );
    session.asks(&["no-pvds -"]);
    lab.link_down("wan0");
    let told = session.asks(&["until NO_INTERFACE"]);
    assert_eq!(
        told,
        ["INTERFACE_GOING_AWAY wan0", "NO_INTERFACE wan0 called wan0"]
    );
}

#[test]
fn section_3_2_7_7_provisioning_domain_announcement() {
    let lab = lab();
    lab.host_ip("address flush dev vpn0");
    let mut session = Session::new(&lab, None);
    let told = session.asks(&["pvds vpn0", "all"]);
    assert_eq!(told, [""; 0], "without an address there is none");
    lab.host_ip("address add 10.3.0.2/24 dev vpn0");
    let told = session.asks(&["until PVD", "until PVD"]);
    assert_eq!(told, ["PVD vpn0 utf8:office", "PVD vpn0 if:vpn0"]);
}

#[test]
fn section_3_2_7_8_no_provisioning_domain_announcement() {
    let lab = lab();
    let mut session = Session::new(&lab, None);
    session.asks(&["pvds -", "addresses utf8:office", "all"]);
    lab.host_ip("address flush dev vpn0");
    let told = session.asks(&["until NO_PVD", "until NO_PVD"]);
    let wanted = [
        "NO_ADDRESS utf8:office 10.3.0.2",
        "NO_PVD vpn0 utf8:office",
        "NO_PVD vpn0 if:vpn0",
    ];
    assert_eq!(told, wanted);
    // One that pvds.toml does not have any more goes as well.
    lab.pvds(&support::PVDS.replace("isp-b", "other"));
    let told = session.asks(&["until PVD"]);
    assert_eq!(told, ["NO_PVD wan1 utf8:isp-b", "PVD wan1 utf8:other"]);
}

#[test]
fn section_3_2_7_9_announce_configuration_elements() {
    let lab = lab();
    let steps = [
        "elements if:wan1",
        "all",
        "elements utf8:nothing",
        "elements fqdn:no.test",
    ];
    let told = says(&lab, None, &steps);
    assert_eq!(told, ["ELEMENT if:wan1 static", "ENOENT", "ENOENT"]);
}

#[test]
fn section_3_2_7_10_configuration_element_announcement() {
    let lab = lab();
    let mut session = Session::new(&lab, None);
    session.asks(&["elements if:wan1", "all"]);
    lab.host_ip("route add default via 10.2.0.99 dev wan1 metric 7 proto dhcp onlink");
    assert_eq!(session.asks(&["until ELEMENT"]), ["ELEMENT if:wan1 dhcpv4"]);
    // It changes.
    lab.host_ip("route add default via 10.2.0.98 dev wan1 metric 8 proto dhcp onlink");
    assert_eq!(session.asks(&["until ELEMENT"]), ["ELEMENT if:wan1 dhcpv4"]);
}

#[test]
fn section_3_2_7_11_no_configuration_element_announcement() {
    let lab = lab();
    lab.host_ip("route add default via 10.2.0.99 dev wan1 metric 7 proto dhcp onlink");
    let mut session = Session::new(&lab, None);
    let told = session.asks(&["elements if:wan1", "all"]);
    assert_eq!(told, ["ELEMENT if:wan1 dhcpv4", "ELEMENT if:wan1 static"]);
    lab.host_ip("route del default via 10.2.0.99 dev wan1 metric 7");
    assert_eq!(
        session.asks(&["until NO_ELEMENT"]),
        ["NO_ELEMENT if:wan1 dhcpv4"]
    );
}

#[test]
fn section_3_2_7_12_stop_announcing_configuration_elements() {
    let lab = lab();
    let mut session = Session::new(&lab, None);
    session.asks(&[
        "elements if:wan1",
        "all",
        "no-elements if:wan1",
        "addresses if:wan1",
        "all",
    ]);
    lab.host_ip("link set wan1 mtu 1400");
    lab.host_ip("address add 10.2.0.77/24 dev wan1");
    assert_eq!(
        session.asks(&["until ADDRESS"]),
        ["ADDRESS if:wan1 10.2.0.77 ever ever"]
    );
}

#[test]
fn section_3_2_7_13_announce_addresses() {
    let lab = lab();
    let (v4, v6) = (
        "ADDRESS if:wan1 10.2.0.2 ever ever",
        "ADDRESS if:wan1 2001:db8:2::2 ever ever",
    );
    let steps = [
        "addresses if:wan1 4",
        "all",
        "addresses if:wan1 6",
        "all",
        "addresses if:wan1",
        "all",
    ];
    assert_eq!(says(&lab, None, &steps), [v4, v6, v4, v6]);
}

#[test]
fn section_3_2_7_14_address_announcement() {
    let lab = lab();
    let mut session = Session::new(&lab, None);
    session.asks(&["addresses if:wan1", "all"]);
    let new = "2001:db8:2::7/64 dev wan1 nodad valid_lft";
    lab.host_ip(&format!("address add {new} 3000 preferred_lft 2000"));
    let told = session.asks(&["until ADDRESS"]);
    assert_eq!(told, ["ADDRESS if:wan1 2001:db8:2::7 3000 2000"]);
    // Other lifetimes, and it is not for new flows.
    lab.host_ip(&format!("address change {new} 1000 preferred_lft 500"));
    let told = session.asks(&["until ADDRESS"]);
    assert_eq!(told, ["ADDRESS if:wan1 2001:db8:2::7 1000 500"]);
    lab.host_ip(&format!("address change {new} 1000 preferred_lft 0"));
    let told = session.asks(&["until ADDRESS"]);
    assert_eq!(told, ["ADDRESS if:wan1 2001:db8:2::7 1000 0"]);
    // It ends by itself.
    lab.host_ip(&format!("address change {new} 1 preferred_lft 0"));
    let told = session.asks(&["until NO_ADDRESS"]);
    assert_eq!(told.last().unwrap(), "NO_ADDRESS if:wan1 2001:db8:2::7");
}

#[test]
fn section_3_2_7_15_stop_announcing_addresses() {
    let lab = lab();
    let mut session = Session::new(&lab, None);
    session.asks(&[
        "addresses if:wan1",
        "addresses if:wan0",
        "all",
        "no-addresses if:wan1",
    ]);
    lab.host_ip("address add 10.2.0.77/24 dev wan1");
    lab.host_ip("address add 10.1.0.77/24 dev wan0");
    assert_eq!(
        session.asks(&["until ADDRESS"]),
        ["ADDRESS if:wan0 10.1.0.77 ever ever"]
    );
}

#[test]
fn section_3_2_7_16_no_address_announcement() {
    let lab = lab();
    let mut session = Session::new(&lab, None);
    session.asks(&["addresses if:wan1", "all"]);
    lab.host_ip("address del 2001:db8:2::2/64 dev wan1");
    assert_eq!(
        session.asks(&["until NO_ADDRESS"]),
        ["NO_ADDRESS if:wan1 2001:db8:2::2"]
    );
    // Away and back within a hundredth of a second is told as both.
    let batch = lab.write(
        "batch",
        &"address del 10.2.0.2/24 dev wan1\naddress add 10.2.0.2/24 dev wan1\n".repeat(3),
    );
    lab.host_ip("address add 10.2.0.77/24 dev wan1");
    session.asks(&["until ADDRESS"]);
    lab.host_ip(&format!("-batch {}", batch.display()));
    let told = session.asks(&["until ADDRESS if:wan1 10.2.0.2"]);
    assert!(place(&told, "NO_ADDRESS if:wan1 10.2.0.2") < told.len() - 1);
}

#[test]
fn section_3_2_7_17_get_configuration_data() {
    let lab = lab();
    let told = says(
        &lab,
        None,
        &[
            "config if:wan1 gateways",
            "config utf8:isp-b servers",
            "config utf8:isp-b servers dhcpv4",
            "config if:wan1 prefixes static",
            "config if:vpn0 mtu",
            "config if:wan1 portal",
            "all",
            "config utf8:nothing mtu",
            "config if:wan1 nonsense",
        ],
    );
    let wanted = [
        "CONFIGURATION if:wan1 static gateways 10.2.0.1",
        "CONFIGURATION if:wan1 static gateways 2001:db8:2::1 last",
        "CONFIGURATION utf8:isp-b static servers 10.2.0.1 last",
        "NO_CONFIGURATION utf8:isp-b servers",
        "CONFIGURATION if:wan1 static prefixes 10.2.0.0/24",
        "CONFIGURATION if:wan1 static prefixes 2001:db8:2::/64 last",
        "CONFIGURATION if:vpn0 static mtu 1500 last",
        "NO_CONFIGURATION if:wan1 portal",
        "ENOENT",
        "EINVAL",
    ];
    assert_eq!(told, wanted);
}

#[test]
fn section_3_2_7_26_1_application_wants_to_connect() {
    let lab = lab();
    lab.link_down("wan1");
    let told = says(
        &lab,
        None,
        &["wants if:wan0", "wants if:wan1", "wants utf8:nothing"],
    );
    assert_eq!(told, ["ENETDOWN", "ENETDOWN"]);
}

#[test]
fn section_3_2_7_26_2_application_connection_is_idle() {
    assert_eq!(says(&lab(), None, &["idle 1", "all", "say fine"]), ["fine"]);
}

#[test]
fn section_3_2_7_26_3_application_connection_can_be_broken() {
    assert_eq!(
        says(&lab(), None, &["breakable 1", "all", "say fine"]),
        ["fine"]
    );
}

#[test]
fn section_3_2_7_26_4_interface_is_going_away() {
    let lab = lab();
    let mut session = Session::new(&lab, None);
    session.asks(&["interfaces", "pvds -", "all"]);
    // Away and back before anybody looks is told as both.
    let batch = lab.write("batch", "link set wan1 down\nlink set wan1 up\n");
    lab.host_ip(&format!("-batch {}", batch.display()));
    let told = session.asks(&["until PVD wan1 if:wan1"]);
    let wanted = [
        "INTERFACE_GOING_AWAY wan1",
        "NO_PVD wan1 utf8:isp-b",
        "NO_PVD wan1 if:wan1",
        "NO_INTERFACE wan1 called wan1",
        "INTERFACE_GOING_UP wan1",
        "INTERFACE wan1 called wan1",
        "PVD wan1 utf8:isp-b",
        "PVD wan1 if:wan1",
    ];
    assert_eq!(told, wanted);
}

#[test]
fn section_3_2_7_26_5_interface_is_going_up() {
    let lab = lab();
    lab.link_down("wan1");
    let mut session = Session::new(&lab, None);
    session.asks(&["interfaces", "pvds -", "all"]);
    lab.link_up("wan1");
    let told = session.asks(&["until PVD wan1 if:wan1"]);
    let going_up = place(&told, "INTERFACE_GOING_UP wan1");
    let up = place(&told, "INTERFACE wan1 called wan1");
    assert!(
        going_up < up && up < place(&told, "PVD wan1 if:wan1"),
        "{told:?}"
    );
}

#[track_caller]
fn place(told: &[String], line: &str) -> usize {
    let place = told.iter().position(|one| one == line);
    place.unwrap_or_else(|| panic!("no {line:?} in {told:?}"))
}
