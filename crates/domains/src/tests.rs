//! Hosts and messages as words, so that a case is a row.

use mif_policy::Families;

use crate::{
    Address, Domain, Element, Id, Info, Interface, Message, Snapshot, Stage, Subscriptions, Value,
    changes, configuration,
};

/// Interfaces separated by `;`, each `NAME STAGE CHANGES`, then its domains, each behind a `|`: `NAME`,
/// then addresses as `IP#MADE~SECONDS`, and values as `ELEMENT=TEXT`. The index is the last digit.
fn host(text: &str) -> Snapshot {
    let interfaces = text.split(';').map(str::trim).filter(|one| !one.is_empty());
    Snapshot {
        interfaces: interfaces.map(interface).collect(),
    }
}

fn interface(text: &str) -> Interface {
    let mut parts = text.split('|');
    let words: Vec<&str> = parts.next().unwrap().split_whitespace().collect();
    let [name, stage, changes] = words[..] else {
        panic!("{text}")
    };
    let changes = changes.parse().unwrap();
    Interface {
        index: name[name.len() - 1..].parse().unwrap(),
        name: name.into(),
        stage: match stage {
            "rising" => Stage::Rising,
            "up" => Stage::Carrying,
            "lost" => Stage::Lost,
            _ => panic!("{stage}"),
        },
        carrier_changes: [changes, changes],
        domains: parts.map(|part| domain(part, name)).collect(),
    }
}

fn domain(text: &str, interface: &str) -> Domain {
    let mut words = text.split_whitespace();
    let name = words.next().unwrap();
    let mut domain = Domain {
        id: id(name, interface),
        addresses: Vec::new(),
        values: Vec::new(),
    };
    for word in words {
        if let Some((element, text)) = word.split_once('=') {
            domain.values.push(Value {
                element: match element {
                    "ra" => Element::Ra,
                    "dhcp6" => Element::Dhcpv6,
                    "dhcp4" => Element::Dhcpv4,
                    "static" => Element::Static,
                    _ => Element::Pvd,
                },
                info: Info::DnsServers,
                text: text.into(),
            });
        } else {
            let (word, valid) = word.split_once('~').unwrap_or((word, ""));
            let (ip, made) = word.split_once('#').unwrap_or((word, "1"));
            domain.addresses.push(Address {
                ip: ip.parse().unwrap(),
                made: made.parse().unwrap(),
                deprecated: valid.ends_with('d'),
                valid_until: valid
                    .trim_end_matches('d')
                    .parse()
                    .ok()
                    .map(|s: u64| s * 1000),
                preferred_until: None,
            });
        }
    }
    domain
}

fn id(name: &str, interface: &str) -> Id {
    if name == interface {
        Id::Interface(name.parse().unwrap())
    } else if name.contains('.') {
        Id::fqdn(name).unwrap()
    } else {
        Id::Utf8(name.into())
    }
}

fn words(messages: &[Message]) -> String {
    let word = |message: &Message| match message {
        Message::Interface { name, .. } => format!("+{name}"),
        Message::NoInterface { name, .. } => format!("-{name}"),
        Message::Pvd { index, id } => format!("+{id}@{index}"),
        Message::NoPvd { index, id } => format!("-{id}@{index}"),
        Message::Element { id, element } => format!("+{id}:{element:?}"),
        Message::NoElement { id, element } => format!("-{id}:{element:?}"),
        Message::Address { id, address } => format!("+{id}:{}", address.ip),
        Message::NoAddress { id, ip } => format!("-{id}:{ip}"),
        Message::Configuration { text, is_last, .. } if *is_last => format!("{text}."),
        Message::Configuration { text, .. } => text.to_string(),
        Message::NoConfiguration { .. } => "none".to_owned(),
        Message::GoingAway { index } => format!("away@{index}"),
        Message::GoingUp { index } => format!("up@{index}"),
    };
    messages.iter().map(word).collect::<Vec<_>>().join(" ")
}

const BOTH: &str = "wan0 up 1 | wan0 10.1.0.2; wan1 up 1 | wan1 10.2.0.2 2001:db8::2 dhcp4=a ra=b";
/// All that is on `wan1` of [`BOTH`], as it goes.
const GOES: &str = "-wan1:10.2.0.2 -wan1:2001:db8::2 -wan1:Ra -wan1:Dhcpv4 -wan1@1";
/// The same as it comes.
const COMES: &str = "+wan1@1 +wan1:Ra +wan1:Dhcpv4 +wan1:10.2.0.2 +wan1:2001:db8::2";

#[test]
fn what_changes_is_told_in_the_order_of_the_draft() {
    let with = |to: &str| BOTH.replace("wan1 up 1 | wan1 10.2.0.2 2001:db8::2 dhcp4=a ra=b", to);
    let whole = |changes| {
        with(&format!(
            "wan1 up {changes} | wan1 10.2.0.2 2001:db8::2 dhcp4=a ra=b"
        ))
    };
    let away = format!("away@1 {GOES} -wan1");
    let back = format!("up@1 +wan1 {COMES}");
    for (old, new, wanted) in [
        (BOTH.to_owned(), BOTH.to_owned(), String::new()),
        // An interface comes and goes.
        (BOTH.to_owned(), with(""), away.clone()),
        (BOTH.to_owned(), with("wan1 lost 2"), away.clone()),
        (
            BOTH.to_owned(),
            with("wan1 rising 2"),
            format!("{away} up@1"),
        ),
        (with(""), BOTH.to_owned(), back.clone()),
        (with("wan1 lost 1"), BOTH.to_owned(), back.clone()),
        (with(""), with("wan1 rising 0"), "up@1".to_owned()),
        (with("wan1 rising 0"), with("wan1 rising 0"), String::new()),
        (
            with("wan1 rising 0"),
            BOTH.to_owned(),
            format!("+wan1 {COMES}"),
        ),
        (with("wan1 rising 0"), with("wan1 up 1"), "+wan1".to_owned()),
        // Both between two looks.
        (BOTH.to_owned(), whole(2), format!("{away} {back}")),
        // A domain does.
        (BOTH.to_owned(), with("wan1 up 1"), GOES.to_owned()),
        (with("wan1 up 1"), BOTH.to_owned(), COMES.to_owned()),
        (
            BOTH.to_owned(),
            with("wan1 up 1 | wan1 10.2.0.2#2 2001:db8::2#2 dhcp4=a ra=b"),
            format!("{GOES} {COMES}"),
        ),
        // A part of one does.
        (
            BOTH.to_owned(),
            with("wan1 up 1 | wan1 10.2.0.2 dhcp4=a"),
            "-wan1:2001:db8::2 -wan1:Ra".to_owned(),
        ),
        (
            with("wan1 up 1 | wan1 10.2.0.2 dhcp4=a"),
            BOTH.to_owned(),
            "+wan1:Ra +wan1:2001:db8::2".to_owned(),
        ),
        (
            BOTH.to_owned(),
            with("wan1 up 1 | wan1 10.2.0.2#2 2001:db8::2 dhcp4=c ra=b"),
            "-wan1:10.2.0.2 +wan1:Dhcpv4 +wan1:10.2.0.2".to_owned(),
        ),
        // What goes is told before what comes, on whichever interface.
        (
            "wan0 up 1; wan1 up 1 | wan1 10.2.0.2".to_owned(),
            "wan0 up 1 | wan0 10.1.0.2".to_owned(),
            "away@1 -wan1:10.2.0.2 -wan1@1 -wan1 +wan0@0 +wan0:10.1.0.2".to_owned(),
        ),
        // A new name is another interface.
        (
            "wan1 up 1 | wan1 10.2.0.2".to_owned(),
            "lan1 up 1 | lan1 10.2.0.2".to_owned(),
            "away@1 -wan1:10.2.0.2 -wan1@1 -wan1 up@1 +lan1 +lan1@1 +lan1:10.2.0.2".to_owned(),
        ),
    ] {
        let told = changes(&host(&old), &host(&new));
        assert_eq!(words(&told), wanted, "{old} -> {new}");
    }
}

#[test]
fn an_address_is_told_again_when_its_lifetimes_are_others() {
    for (old, new, is_told) in [
        ("", "", false),
        ("~10", "~10", false),
        ("~10", "~11", false),
        ("~10", "~13", true),
        ("~10", "~7", true),
        ("~10", "", true),
        ("", "~10", true),
        ("~10", "~10d", true),
    ] {
        let host = |lifetime| host(&format!("wan1 up 1 | wan1 10.2.0.2#1{lifetime}"));
        let told = changes(&host(old), &host(new));
        let wanted = if is_told { "+wan1:10.2.0.2" } else { "" };
        assert_eq!(words(&told), wanted, "{old} -> {new}");
    }
}

#[test]
fn a_domain_may_be_on_several_interfaces() {
    let old = host("wan0 up 1 | a.example 10.1.0.2; wan1 up 1 | a.example 10.2.0.2");
    let new = host("wan0 up 1 | a.example 10.1.0.2; wan1 up 1");
    assert_eq!(
        words(&changes(&old, &new)),
        "-a.example:10.2.0.2 -a.example@1"
    );
    let mut subscriptions = Subscriptions::default();
    let id = Id::fqdn("A.Example").unwrap();
    let told = subscriptions.announce_addresses(&id, Families::Any, &old);
    assert_eq!(
        words(&told.unwrap()),
        "+a.example:10.1.0.2 +a.example:10.2.0.2"
    );
}

#[test]
fn a_program_hears_what_it_asked_for() {
    let (full, empty) = (host(BOTH), host("wan0 up 1 | wan0 10.1.0.2"));
    let wan1 = id("wan1", "wan1");
    let gone = changes(&full, &empty);
    let mut one = Subscriptions::default();
    assert_eq!(words(&one.told(&gone)), "");
    assert_eq!(words(&one.announce_interfaces(&full)), "+wan0 +wan1");
    assert_eq!(words(&one.told(&gone)), "away@1 -wan1");
    assert_eq!(words(&one.announce_domains(1, &full).unwrap()), "+wan1@1");
    assert_eq!(
        words(&one.announce_domains(0, &full).unwrap()),
        "+wan0@0 +wan1@1"
    );
    one.stop_interfaces();
    one.stop_domains(0);
    assert_eq!(words(&one.told(&gone)), "-wan1@1");
    // It went with its interface.
    assert_eq!(words(&one.told(&changes(&empty, &full))), "");
    let told = one.announce_addresses(&wan1, Families::V6, &full);
    assert_eq!(words(&told.unwrap()), "+wan1:2001:db8::2");
    let told = one.announce_elements(&wan1, &full);
    assert_eq!(words(&told.unwrap()), "+wan1:Ra +wan1:Dhcpv4");
    one.stop_elements(&wan1);
    assert_eq!(words(&one.told(&gone)), "-wan1:2001:db8::2");
    assert_eq!(
        words(&one.told(&changes(&empty, &full))),
        "+wan1:2001:db8::2"
    );
    one.stop_addresses(&wan1);
    assert_eq!(words(&one.told(&gone)), "");
    assert!(one.announce_domains(7, &full).is_err());
    assert!(one.announce_elements(&wan1, &empty).is_err());
    assert!(
        one.announce_addresses(&wan1, Families::Any, &empty)
            .is_err()
    );
}

#[test]
fn an_interface_that_waits_is_told_as_going_up() {
    let mut one = Subscriptions::default();
    let now = host("wan0 up 1; wan1 rising 0; wan2 lost 4");
    assert_eq!(words(&one.announce_interfaces(&now)), "+wan0 up@1 up@2");
    assert!(one.announce_domains(1, &now).unwrap().is_empty());
    let then = host("wan0 up 1; wan1 up 1 | wan1 10.2.0.2; wan2 lost 4");
    assert_eq!(words(&one.told(&changes(&now, &then))), "+wan1 +wan1@1");
}

#[test]
fn configuration_is_one_value_a_message_and_the_last_is_marked() {
    let now = host("wan1 up 1 | wan1 10.2.0.2 dhcp4=a dhcp4=b ra=c");
    let wan1 = id("wan1", "wan1");
    for (element, info, wanted) in [
        (None, Info::DnsServers, "a b c."),
        (Some(Element::Dhcpv4), Info::DnsServers, "a b."),
        (Some(Element::Static), Info::DnsServers, "none"),
        (None, Info::Mtu, "none"),
    ] {
        let told = configuration(&wan1, element, info, &now).unwrap();
        assert_eq!(words(&told), wanted);
    }
    assert!(configuration(&id("x", ""), None, Info::Mtu, &now).is_err());
}
