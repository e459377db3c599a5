//! What counts of servers, search lists and zones where the network itself gave some: a policy, a
//! name, who is asked and with what.
//!
//! `lte` and `work` gave servers, `work` zones too, `deaf0` gave nothing; `down0` is down.

use std::cell::RefCell;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use mif_policy::{
    Dns, Gave, Host, Input, Interface, Link, Options, Policy, PvdId, Refusal, Server, Text,
    Unusable, Verdict, parse,
};

/// The networks, and who was asked what it gave.
struct Lab<'p>(&'p Policy, RefCell<Vec<String>>);

impl Host for Lab<'_> {
    fn owner(&self, _: IpAddr) -> Option<u32> {
        None
    }

    fn is_resolver(&self, _: IpAddr) -> bool {
        false
    }

    fn link(&self, pvd: PvdId) -> Result<Link, Unusable> {
        match self.0.pvd(pvd).interface {
            Interface::Named(name) if name.as_str() == "down0" => Err(Unusable::Down),
            _ => Ok(Link {
                index: 10 + u32::from(pvd.0),
                v4: true,
                v6: true,
                v6_link_local: true,
            }),
        }
    }

    fn network(&self, pvd: PvdId) -> Option<Arc<Dns>> {
        let name = match self.0.pvd(pvd).interface {
            Interface::Named(name) => name.to_string(),
            Interface::OfSource => unreachable!(),
        };
        let server: SocketAddr = match &*name {
            "lte" => "10.1.0.1:53".parse().unwrap(),
            "work" => "10.2.0.1:53".parse().unwrap(),
            _ => return None,
        };
        self.1.borrow_mut().push(name.clone());
        Some(Arc::new(Dns {
            servers: vec![server.into()],
            search: vec![format!("{name}.test").into()],
            zones: match &*name {
                "work" => vec!["corp.example".parse().unwrap()],
                _ => Vec::new(),
            },
            ..Dns::default()
        }))
    }

    fn gave(&self, _: PvdId, _: &dyn Fn(&Server) -> bool) -> Gave {
        Gave::Unknown
    }
}

fn policy(text: &str, pvds: &str, dns: &[&str]) -> Policy {
    let file = |path: &str, text: &str| Text {
        path: path.into(),
        text: text.into(),
    };
    let input = Input {
        pvds: vec![file("pvds.toml", pvds)],
        app: Some(file("app.toml", text)),
        options: Options {
            dns: dns.iter().map(ToString::to_string).collect(),
            ..Options::default()
        },
    };
    parse(&input).unwrap_or_else(|faults| panic!("{faults}"))
}

/// `NETWORK: servers | search | zones`, and after `;` the networks that were asked what they gave.
fn asked(policy: &Policy, name: &str) -> String {
    let lab = Lab(policy, RefCell::default());
    let found = policy.resolvers(name, &lab);
    let words = |all: &mut dyn Iterator<Item = String>| all.collect::<Vec<_>>().join(" ");
    let told = format!(
        "{} | {} | {}",
        words(&mut found.servers().iter().map(ToString::to_string)),
        found.search().join(" "),
        words(&mut found.zones().iter().map(ToString::to_string)),
    );
    let who = match found.verdict() {
        Verdict::Route(route) => route.name.to_owned(),
        Verdict::Refuse(Refusal::Exhausted(_, why)) => format!("{why:?}"),
        Verdict::Pass(_) => "system".to_owned(),
        refused @ Verdict::Refuse(_) => panic!("{refused:?}"),
    };
    let asked = lab.1.borrow().join(" ");
    format!("{who}: {told}; {asked}")
}

#[track_caller]
fn check(text: &str, pvds: &str, dns: &[&str], rows: &[(&str, &str)]) {
    let policy = policy(text, pvds, dns);
    for (name, expected) in rows {
        assert_eq!(
            asked(&policy, name),
            *expected,
            "{name} under\n{text}\n{pvds}"
        );
    }
}

#[test]
fn an_interface_alone_brings_its_networks_servers_and_search_list() {
    check(
        "use = 'lte'",
        "",
        &[],
        &[("who.test", "lte: 10.1.0.1 | lte.test | ; lte")],
    );
    check(
        "use = ['down0', 'lte']",
        "",
        &[],
        &[("who.test", "lte: 10.1.0.1 | lte.test | ; lte")],
    );
    // A domain of the files that says nothing of servers is as good as an interface.
    check(
        "use = 'mobile'",
        "[pvd.mobile]\ninterface = 'lte'",
        &[],
        &[("who.test", "mobile: 10.1.0.1 | lte.test | ; lte")],
    );
}

/// User before administrator before application before network.
#[test]
fn the_word_that_counts() {
    let pvds = |dns: &str| format!("[pvd.lte]\ninterface = 'lte'\ndns = {{ {dns} }}");
    let app = "use = 'lte'\n[dns]\n";
    // The policy's own servers take nothing from the network, which is not even asked.
    check(
        "use = 'lte'",
        &pvds("servers = '192.0.2.1'"),
        &[],
        &[("who.test", "lte: 192.0.2.1 |  | ; ")],
    );
    check(
        &format!("{app}servers = '192.0.2.2'"),
        &pvds("search = 'pvd.test'"),
        &[],
        &[("who.test", "lte: 192.0.2.2 | pvd.test | ; ")],
    );
    check(
        &format!("{app}servers = '192.0.2.2'\nsearch = 'app.test'"),
        &pvds("servers = '192.0.2.1', search = 'pvd.test'"),
        &["192.0.2.3"],
        &[("who.test", "lte: 192.0.2.3 | app.test | ; ")],
    );
    // Of the network's servers the search list and the zones may be another's word. (A name with dots
    // that nobody may be asked is tried again with the search list.)
    check(
        "use = 'lte'",
        &pvds("search = 'pvd.test', zones = 'test'"),
        &[],
        &[
            ("who.test", "lte: 10.1.0.1 | pvd.test | test; lte"),
            ("who.example.", "ForeignName:  |  | ; lte lte"),
        ],
    );
    check(
        &format!("{app}search = 'app.test'"),
        &pvds("search = 'pvd.test'"),
        &[],
        &[("who.test", "lte: 10.1.0.1 | app.test | ; lte")],
    );
}

#[test]
fn what_a_network_claims_of_zones_counts_only_if_it_is_trusted() {
    let split = "use = 'lte'\n[[rule]]\nport = 22\nuse = 'work'\n";
    let name = "git.corp.example";
    check(
        split,
        "",
        &[],
        &[(name, "lte: 10.1.0.1 | lte.test | ; lte")],
    );
    check(
        "use = 'work'",
        "",
        &[],
        &[("who.test", "work: 10.2.0.1 | work.test | ; work")],
    );
    let trusted = "[pvd.work]\ninterface = 'work'\ndns = { trusted = true }";
    check(
        split,
        trusted,
        &[],
        &[
            (name, "work: 10.2.0.1 | work.test | corp.example; work"),
            ("who.test", "lte: 10.1.0.1 | lte.test | ; work lte"),
        ],
    );
    check(
        "use = ['work', 'lte']",
        trusted,
        &[],
        &[("who.test", "lte: 10.1.0.1 | lte.test | ; work lte")],
    );
    // The administrator's own zones take the place of the network's.
    check(
        split,
        "[pvd.work]\ninterface = 'work'\ndns = { trusted = true, zones = 'lab.example' }",
        &[],
        &[
            (name, "lte: 10.1.0.1 | lte.test | ; lte"),
            (
                "a.lab.example",
                "work: 10.2.0.1 | work.test | lab.example; work",
            ),
        ],
    );
}

#[test]
fn a_network_without_servers_is_passed_over_and_the_end_of_a_requirement_is_a_refusal() {
    for (list, expected) in [
        ("'deaf0'", "NoServers:  |  | ; "),
        ("['down0', 'deaf0']", "Down:  |  | ; "),
        ("['deaf0', 'lte']", "lte: 10.1.0.1 | lte.test | ; lte"),
        ("['deaf0', 'system']", "system:  |  | ; "),
    ] {
        check(&format!("use = {list}"), "", &[], &[("who.test", expected)]);
    }
    check(
        "use = 'deaf0'",
        "",
        &["192.0.2.3"],
        &[("who.test", "deaf0: 192.0.2.3 |  | ; ")],
    );
}

#[test]
fn a_look_up_that_the_policys_own_servers_answer_asks_no_network() {
    let own = "[pvd.own]\ninterface = 'eth0'\ndns = { servers = '192.0.2.1', zones = ['.', 'corp.example'] }";
    check(
        "use = ['own', 'lte']",
        own,
        &[],
        &[("who.test", "own: 192.0.2.1 |  | . corp.example; ")],
    );
    // Nor where a zone takes the name before the list is come to.
    check(
        "use = 'lte'\n[[rule]]\nport = 22\nuse = 'own'\n",
        own,
        &[],
        &[
            ("git.corp.example", "own: 192.0.2.1 |  | . corp.example; "),
            ("who.test", "lte: 10.1.0.1 | lte.test | ; lte"),
        ],
    );
}
