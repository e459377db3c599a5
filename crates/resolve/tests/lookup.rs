//! Look-ups against servers that behave, and what becomes of names.
mod fake;

use std::net::IpAddr;

use fake::{Server, record};
use hickory_proto::op::ResponseCode;
use mif_policy::Families;
use mif_resolve::{Answer, Ask, Failure, Plan, lookup};

const ZONE: &[&str] = &[
    "alias.test. CNAME Other.test.",
    "other.test. CNAME who.test.",
    "four-alias.test. CNAME four.test.",
    "who.test. A 192.0.2.1",
    "who.test. AAAA 2001:db8::1",
    "four.test. A 192.0.2.4",
    "empty.test. TXT -",
    "host.corp.test. A 192.0.2.7",
    "a.host.corp.test. A 192.0.2.8",
    "short. A 192.0.2.9",
    "many.test. A 192.0.2.30",
    "many.test. A 192.0.2.31",
    "many.test. A 127.0.0.2",
];

/// Only loopback is reachable, so nothing depends on the host's routes.
fn plan<'a>(servers: &'a [mif_policy::Server], search: &'a [Box<str>]) -> Plan<'a> {
    Plan {
        search,
        ask: Ask::Both,
        ..fake::plan(servers)
    }
}

fn addresses(result: Result<Answer, Failure>) -> Vec<String> {
    result
        .unwrap()
        .addresses
        .iter()
        .map(IpAddr::to_string)
        .collect()
}

#[test]
fn both_families_are_asked_for_at_once_from_one_port() {
    let server = Server::with_zone(ZONE);
    let answer = lookup("who.test", &plan(&[server.address.into()], &[])).unwrap();
    assert_eq!(answer.canonical, "who.test");
    let mut found = answer.addresses;
    found.sort();
    assert_eq!(
        found,
        ["192.0.2.1", "2001:db8::1"].map(|ip| ip.parse::<IpAddr>().unwrap())
    );
    assert_eq!(server.texts(), ["who.test. A edns", "who.test. AAAA edns"]);
    let asked = server.asked();
    assert_eq!(asked[0].port, asked[1].port);
    assert_ne!(asked[0].query.metadata.id, asked[1].query.metadata.id);
    let edns = asked[0].query.edns.as_ref().unwrap();
    assert_eq!((edns.max_payload(), edns.version()), (1232, 0));
    assert!(asked[0].query.metadata.recursion_desired);
}

#[test]
fn one_family_alone_is_one_question() {
    let server = Server::with_zone(ZONE);
    let servers = [server.address.into()];
    let plan = plan(&servers, &[]);
    assert_eq!(
        addresses(lookup(
            "who.test",
            &Plan {
                ask: Ask::V6,
                ..plan
            }
        )),
        ["2001:db8::1"]
    );
    let v4 = Plan {
        families: Families::V4,
        ..plan
    };
    assert_eq!(addresses(lookup("who.test", &v4)), ["192.0.2.1"]);
    assert_eq!(server.texts(), ["who.test. AAAA edns", "who.test. A edns"]);
    let neither = Plan { ask: Ask::V6, ..v4 };
    assert_eq!(lookup("who.test", &neither), Err(Failure::Fail));
    assert_eq!(server.texts().len(), 2);
}

#[test]
fn names_that_are_not_and_names_without_addresses_differ() {
    let server = Server::with_zone(ZONE);
    let servers = [server.address.into()];
    let plan = plan(&servers, &[]);
    assert_eq!(lookup("nosuch.test", &plan), Err(Failure::NoName));
    assert_eq!(lookup("empty.test", &plan), Err(Failure::NoData));
    assert_eq!(
        lookup(
            "four.test",
            &Plan {
                ask: Ask::V6,
                ..plan
            }
        ),
        Err(Failure::NoData)
    );
    assert_eq!(addresses(lookup("four.test", &plan)), ["192.0.2.4"]);
    let asked = server.texts().len();
    assert_eq!(asked, 7, "each was asked once: {:?}", server.texts());
    for no_name in ["", "a..test", "-".repeat(64).as_str()] {
        assert_eq!(lookup(no_name, &plan), Err(Failure::NoName), "{no_name}");
    }
    assert_eq!(server.texts().len(), asked, "what is no name is not asked");
}

#[test]
fn aliases_are_followed_to_their_end() {
    let server = Server::with_zone(ZONE);
    let servers = [server.address.into()];
    let answer = lookup("alias.test", &plan(&servers, &[])).unwrap();
    assert_eq!(
        (answer.canonical.as_str(), answer.addresses.len()),
        ("who.test", 2)
    );
    let answer = lookup("four-alias.test", &plan(&servers, &[])).unwrap();
    assert_eq!(
        (answer.canonical.as_str(), answer.addresses.len()),
        ("four.test", 1)
    );
    assert_eq!(server.texts().len(), 4, "the whole chain is in the replies");
}

/// Servers that do not recurse give one link at a time.
fn one_link_at_a_time(zone: &'static [&'static str]) -> Server {
    Server::start(move |asked| {
        let own = |line: &&&str| {
            asked.query.queries[0].name().to_ascii() == line.split(' ').next().unwrap()
        };
        let own: Vec<_> = zone.iter().filter(own).copied().collect();
        asked.by_zone(&own)
    })
}

#[test]
fn aliases_are_followed_over_replies() {
    let server = one_link_at_a_time(&[
        "a.test. CNAME b.test.",
        "b.test. CNAME c.test.",
        "c.test. A 192.0.2.1",
    ]);
    let answer = lookup("a.test", &plan(&[server.address.into()], &[])).unwrap();
    assert_eq!(
        (answer.canonical.as_str(), answer.addresses.len()),
        ("c.test", 1)
    );
    assert_eq!(server.texts().len(), 6);
}

#[test]
fn loops_end() {
    let zone = &["a.test. CNAME b.test.", "b.test. CNAME a.test."];
    let server = one_link_at_a_time(zone);
    assert_eq!(
        lookup("a.test", &plan(&[server.address.into()], &[])),
        Err(Failure::Fail)
    );
    assert_eq!(server.texts().len(), 16, "8 times 2 questions");
    let server = Server::start(|asked| {
        let mut reply = asked.reply(ResponseCode::NoError);
        reply.add_answer(record("a.test.", "CNAME", "b.test."));
        reply.add_answer(record("b.test.", "CNAME", "a.test."));
        vec![reply.to_vec().unwrap()]
    });
    assert_eq!(
        lookup("a.test", &plan(&[server.address.into()], &[])),
        Err(Failure::Fail)
    );
    assert_eq!(server.texts().len(), 2);
}

#[test]
fn an_alias_whose_end_is_denied_is_not_asked_anew() {
    let server = Server::start(|asked| {
        let mut reply = asked.reply(ResponseCode::NoError);
        reply.add_answer(record("a.test.", "CNAME", "b.test."));
        reply.add_authority(record("test.", "SOA", "ns.test."));
        vec![reply.to_vec().unwrap()]
    });
    assert_eq!(
        lookup("a.test", &plan(&[server.address.into()], &[])),
        Err(Failure::NoData)
    );
    assert_eq!(server.texts().len(), 2);
}

#[test]
fn the_search_list_is_for_names_without_a_dot_first_and_for_others_last() {
    let search = ["lab.test".into(), "corp.test".into()];
    for (name, outcome, asked) in [
        (
            "host",
            Ok("host.corp.test"),
            &["host.lab.test.", "host.corp.test."][..],
        ),
        (
            "short",
            Ok("short"),
            &["short.lab.test.", "short.corp.test.", "short."],
        ),
        ("short.", Ok("short"), &["short."]),
        ("host.", Err(Failure::NoName), &["host."]),
        ("who.test", Ok("who.test"), &["who.test."]),
        (
            "a.host",
            Ok("a.host.corp.test"),
            &["a.host.", "a.host.lab.test.", "a.host.corp.test."],
        ),
        (
            "nosuch",
            Err(Failure::NoName),
            &["nosuch.lab.test.", "nosuch.corp.test.", "nosuch."],
        ),
    ] {
        let server = Server::with_zone(ZONE);
        let servers = [server.address.into()];
        let answer = lookup(
            name,
            &Plan {
                ask: Ask::V4,
                ..plan(&servers, &search)
            },
        );
        assert_eq!(
            answer
                .as_ref()
                .map(|a| a.canonical.as_str())
                .map_err(|e| *e),
            outcome,
            "{name}"
        );
        let wanted: Vec<_> = asked.iter().map(|name| format!("{name} A edns")).collect();
        assert_eq!(server.texts(), wanted, "{name}");
    }
}

#[test]
fn the_best_of_several_failures_is_told() {
    let search = ["lab.test".into(), "test".into()];
    let server = Server::with_zone(ZONE);
    let servers = [server.address.into()];
    assert_eq!(
        lookup("empty", &plan(&servers, &search)),
        Err(Failure::NoData)
    );
    let server = Server::start(|asked| {
        if asked.query.queries[0].name().to_ascii() == "x.lab.test." {
            asked.code(ResponseCode::ServFail)
        } else {
            asked.by_zone(&[])
        }
    });
    let servers = [server.address.into()];
    assert_eq!(lookup("x", &plan(&servers, &search)), Err(Failure::Again));
    let last = server.texts().pop().unwrap();
    assert!(
        last.starts_with("x. "),
        "a refusal does not end the list: {last}"
    );
}

#[test]
fn what_can_be_reached_comes_first() {
    let server = Server::with_zone(ZONE);
    let found = addresses(lookup("many.test", &plan(&[server.address.into()], &[])));
    assert_eq!(found, ["127.0.0.2", "192.0.2.30", "192.0.2.31"]);
}
