//! Who is asked for which name, by tables: a policy, a name, the domains in order and what is at
//! their end; and where flows go to addresses that were looked up.
//!
//! Every interface of these tests is up, but those whose names begin with `down`, and every network
//! gave the server 10.1.0.53, but `deaf0`.

#[path = "common/text.rs"]
mod text;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use mif_policy::{
    Dns, Flow, Gave, Host, Interface, Link, Origin, Pass, Policy, Protocol, PvdId, Refusal,
    Resolver, Server, Unusable, Verdict, Why,
};
use text::policy;

struct Lab<'p>(&'p Policy);

impl Host for Lab<'_> {
    fn owner(&self, _: IpAddr) -> Option<u32> {
        None
    }

    fn is_resolver(&self, _: IpAddr) -> bool {
        false
    }

    fn network(&self, pvd: PvdId) -> Option<Arc<Dns>> {
        let server: SocketAddr = "10.1.0.53:53".parse().unwrap();
        (&*self.0.pvd(pvd).name != "deaf0").then(|| {
            Arc::new(Dns {
                servers: vec![server.into()],
                ..Dns::default()
            })
        })
    }

    fn gave(&self, _: PvdId, _: &dyn Fn(&Server) -> bool) -> Gave {
        Gave::Unknown
    }

    fn link(&self, pvd: PvdId) -> Result<Link, Unusable> {
        match self.0.pvd(pvd).interface {
            Interface::Named(name) if name.as_str().starts_with("down") => Err(Unusable::Down),
            _ => Ok(Link {
                index: 10 + u32::from(pvd.0),
                v4: true,
                v6: true,
                v6_link_local: true,
            }),
        }
    }
}

/// `work (corp.example), lte, then system`.
fn asked(policy: &Policy, name: &str) -> String {
    let found = policy.resolvers(name, &Lab(policy));
    let word = |resolver: &Resolver<'_>| match &resolver.why {
        Why::Name => format!("{} by name", resolver.route.name),
        Why::Zone(zone) => format!("{} ({zone})", resolver.route.name),
        Why::List => resolver.route.name.to_owned(),
    };
    let mut words: Vec<String> = found.domains.iter().map(word).collect();
    words.push(match found.end {
        Verdict::Pass(Pass::System(_)) => "then system".to_owned(),
        Verdict::Refuse(Refusal::Chosen(_)) => "then none".to_owned(),
        Verdict::Refuse(Refusal::Exhausted(_, why)) => format!("then {why:?}"),
        other => panic!("{other:?}"),
    });
    words.join(", ")
}

#[track_caller]
fn check(text: &str, rows: &[(&str, &str)]) {
    let policy = policy(text);
    for (name, expected) in rows {
        assert_eq!(asked(&policy, name), *expected, "{name} under\n{text}");
    }
}

const WORK: &str = r#"
    [pvd.work]
    interface = "tun0"
    dns = { servers = "10.8.0.53", zones = ["corp.example", "8.10.in-addr.arpa"], search = "corp.example" }
"#;

/// Split DNS: the application prefers `lte`, and a rule makes `work` known to it.
#[test]
fn the_narrowest_zone_wins_and_without_one_the_list_decides() {
    let split = format!("use = 'lte'\n[[rule]]\nto = '10.0.0.0/8'\nuse = 'work'\n{WORK}");
    check(
        &split,
        &[
            ("who.test", "lte, then Unknown"),
            ("git.corp.example", "work (corp.example), lte, then Unknown"),
            ("Corp.Example.", "work (corp.example), lte, then Unknown"),
            ("xcorp.example", "lte, then Unknown"),
            (
                "7.0.8.10.in-addr.arpa",
                "work (8.10.in-addr.arpa), lte, then Unknown",
            ),
            // A name of one label is the list's: other networks' search lists do not speak of it.
            ("git", "lte, then Unknown"),
        ],
    );
    // What is down is not asked, and is no refusal: only a rule by name makes one.
    check(
        &split.replace("tun0", "down0"),
        &[("git.corp.example", "lte, then Unknown")],
    );
    check(
        &split
            .replace("'10.0.0.0/8'", "['10.0.0.0/8', '*.corp.example']")
            .replace("tun0", "down0"),
        &[
            ("git.corp.example", "then Down"),
            ("who.test", "lte, then Unknown"),
        ],
    );
    let narrower = r#"
        use = ["a", "system"]
        [[rule]]
        port = 22
        use = ["b", "c"]
        [pvd.a]
        interface = "eth0"
        dns = { servers = "192.0.2.1", zones = [".", "example"] }
        [pvd.b]
        interface = "eth1"
        dns = { servers = "192.0.2.2", zones = ["corp.example", "lab.test"] }
        [pvd.c]
        interface = "eth2"
        dns = { servers = "192.0.2.3", zones = ["eng.corp.example", "lab.test"] }
    "#;
    check(
        narrower,
        &[
            (
                "a.eng.corp.example",
                "c (eng.corp.example), b (corp.example), a (example), then system",
            ),
            (
                "www.corp.example",
                "b (corp.example), a (example), then system",
            ),
            ("www.example", "a (example), then system"),
            // Of equal zones the policy's order decides.
            (
                "host.lab.test",
                "b (lab.test), c (lab.test), a, then system",
            ),
            ("who.test", "a, then system"),
        ],
    );
}

#[test]
fn a_domain_is_not_asked_for_names_outside_its_zones() {
    let list = format!("use = ['work', 'lte', 'system']\n{WORK}");
    check(
        &list,
        &[
            ("who.test", "lte, then system"),
            ("git.corp.example", "work (corp.example), lte, then system"),
            // Its search list makes a name of its zone of this one.
            ("git", "work, lte, then system"),
            ("git.", "lte, then system"),
        ],
    );
    let only = format!("use = 'work'\n{WORK}");
    check(
        &only,
        &[
            ("git.corp.example", "work (corp.example), then Unknown"),
            ("git", "work, then Unknown"),
            // Nobody else is there, so it may be meant below the search list.
            ("git.eng", "work, then Unknown"),
            ("who.test.", "then ForeignName"),
        ],
    );
    check(
        &format!(
            "use = 'lte'\n[[rule]]\nto = ['*.test', '*.corp.example']\nuse = ['work', 'vpn']\n{WORK}"
        ),
        &[
            ("who.test.", "vpn by name, then ForeignName"),
            (
                "git.corp.example",
                "work by name, vpn by name, then Unknown",
            ),
        ],
    );
}

#[test]
fn zones_open_nothing_that_the_policy_closes() {
    check(
        &format!("use = 'none'\n[[rule]]\nto = '10.0.0.0/8'\nuse = 'work'\n{WORK}"),
        &[("git.corp.example", "then none")],
    );
    // A network that only listens, and one that nobody knows servers of, claim nothing.
    check(
        &format!("use = 'lte'\nlisten = 'work'\n{WORK}"),
        &[("git.corp.example", "lte, then Unknown")],
    );
    check(
        "use = 'lte'\n[[rule]]\nport = 22\nuse = 'deaf0'\n\
         [pvd.deaf0]\ninterface = 'tun0'\ndns = { zones = 'corp.example' }",
        &[("git.corp.example", "lte, then Unknown")],
    );
    // A rule without conditions stands for `use`.
    check(
        &format!("use = 'lte'\n[[rule]]\nport = 22\nuse = 'work'\n[[rule]]\nuse = 'vpn'\n{WORK}"),
        &[
            ("git.corp.example", "work (corp.example), vpn, then Unknown"),
            ("who.test", "vpn, then Unknown"),
        ],
    );
}

#[test]
fn servers_of_the_application_replace_those_that_zones_speak_of() {
    let own = format!(
        "use = ['work', 'lte']\ndns = {{ servers = '192.0.2.53' }}\n\
         [[rule]]\nport = 22\nuse = 'vpn'\n{WORK}\n[pvd.vpn]\ninterface = 'tun1'\n\
         dns = {{ servers = '10.9.0.53', zones = 'vpn.example' }}"
    );
    let policy = policy(&own);
    for (name, first, server) in [
        ("who.test", "work", "192.0.2.53:53"),
        ("git.corp.example", "work", "192.0.2.53:53"),
        ("a.vpn.example", "vpn", "10.9.0.53:53"),
    ] {
        let found = policy.resolvers(name, &Lab(&policy));
        assert_eq!(found.first().unwrap().route.name, first, "{name}");
        assert_eq!(
            found.servers(),
            [Server::from(server.parse::<SocketAddr>().unwrap())],
            "{name}"
        );
    }
}

/// The four rows of RFC 6731 section 4.1: A is trusted, B is not. In a policy the place in `use`
/// is the preference as a default server: what stands behind another has the lower one.
#[test]
fn trust_is_as_the_table_of_rfc_6731() {
    for (row, list, zone_of, default, specific) in [
        (1, "'a', 'b'", "", "a, b", "a, b"),
        (2, "'a', 'b'", "b", "a, b", "a, b (corp.example)"),
        (3, "'b', 'a'", "", "b, a", "b, a"),
        (4, "'b', 'a'", "a", "b, a", "a (corp.example), b"),
    ] {
        let zones = |name| {
            if zone_of == name {
                "['.', 'corp.example']"
            } else {
                "'.'"
            }
        };
        let policy = policy(&format!(
            "use = [{list}]\n[pvd.a]\ninterface = 'eth0'\n\
             dns = {{ servers = '192.0.2.1', trusted = true, zones = {} }}\n\
             [pvd.b]\ninterface = 'eth1'\ndns = {{ servers = '192.0.2.2', zones = {} }}",
            zones("a"),
            zones("b")
        ));
        let end = ", then Unknown";
        assert_eq!(
            asked(&policy, "who.test"),
            format!("{default}{end}"),
            "row {row}"
        );
        let name = "git.corp.example";
        assert_eq!(
            asked(&policy, name),
            format!("{specific}{end}"),
            "row {row}"
        );
    }
}

#[test]
fn trust_counts_among_zones_too() {
    let text = |a: bool, b: bool| {
        format!(
            "use = 'lte'\n[[rule]]\nport = 22\nuse = ['a', 'b']\n\
             [pvd.a]\ninterface = 'eth0'\n\
             dns = {{ servers = '192.0.2.1', zones = 'corp.example', trusted = {a} }}\n\
             [pvd.b]\ninterface = 'eth1'\n\
             dns = {{ servers = '192.0.2.2', zones = 'eng.corp.example', trusted = {b} }}"
        )
    };
    let name = "x.eng.corp.example";
    for (a, b, expected) in [
        (
            false,
            false,
            "b (eng.corp.example), a (corp.example), lte, then Unknown",
        ),
        (
            true,
            true,
            "b (eng.corp.example), a (corp.example), lte, then Unknown",
        ),
        (
            true,
            false,
            "a (corp.example), b (eng.corp.example), lte, then Unknown",
        ),
        (
            false,
            true,
            "b (eng.corp.example), a (corp.example), lte, then Unknown",
        ),
    ] {
        check(&text(a, b), &[(name, expected)]);
    }
}

fn flow(policy: &Policy, to: &str, origin: Option<(&str, bool)>) -> String {
    let id = |name: &str| {
        let ids = (0..).map(PvdId).zip(&policy.pvds);
        ids.into_iter()
            .find(|(_, pvd)| *pvd.name == *name)
            .unwrap()
            .0
    };
    let flow = Flow {
        destination: to.parse().unwrap(),
        protocol: Protocol::Tcp,
        named: &[],
        origin: origin.map(|(name, by_zone)| Origin {
            pvd: id(name),
            by_zone,
        }),
    };
    match policy.decide(&flow, &Lab(policy)) {
        Verdict::Route(route) => route.name.to_owned(),
        Verdict::Pass(Pass::System(_)) => "system".to_owned(),
        Verdict::Refuse(Refusal::Origin(_, pvd, why)) => {
            format!("{why:?}: {}", policy.pvd(pvd).name)
        }
        Verdict::Refuse(Refusal::Chosen(_)) => "none".to_owned(),
        other => format!("{other:?}"),
    }
}

#[test]
fn flows_go_by_the_domain_that_their_address_was_looked_up_on() {
    let text = r#"
        use = ["a", "b", "system"]
        [[rule]]
        port = 25
        use = "none"
        [[rule]]
        port = 22
        use = ["work", "b"]
    "#;
    let (any, smtp, ssh) = ("192.0.2.7:443", "192.0.2.7:25", "192.0.2.7:22");
    let up = policy(text);
    let down = policy(
        &text
            .replace("\"a\"", "\"down0\"")
            .replace("\"work\"", "\"down1\""),
    );
    for (policy, to, origin, expected) in [
        // Never looked up: as the rules say.
        (&up, any, None, "a"),
        (&down, any, None, "b"),
        // The list has the domain: by that, or not at all.
        (&up, any, Some(("b", false)), "b"),
        (&up, any, Some(("a", false)), "a"),
        (&down, any, Some(("down0", false)), "Down: down0"),
        (&up, ssh, Some(("b", false)), "b"),
        // The user's word for other flows stands.
        (&up, smtp, Some(("b", false)), "none"),
        (&up, smtp, Some(("work", true)), "none"),
        (&up, ssh, Some(("a", false)), "work"),
        (&up, ssh, Some(("a", true)), "work"),
        (&up, any, Some(("work", false)), "a"),
        // A zone chose it where the policy leaves the choice to zones.
        (&up, any, Some(("work", true)), "work"),
        (&down, any, Some(("down1", true)), "Down: down1"),
    ] {
        assert_eq!(flow(policy, to, origin), expected, "{to} {origin:?}");
    }
}

#[test]
fn it_matters_where_an_address_was_looked_up_only_if_there_is_a_choice() {
    for (text, several) in [
        ("", false),
        ("use = 'a'", false),
        ("use = ['a', 'none']", false),
        ("use = 'a'\n[[rule]]\nport = 22\nuse = 'a'", false),
        ("use = ['a', 'system']", true),
        ("use = 'a'\n[[rule]]\nport = 22\nuse = 'b'", true),
        ("use = 'a'\nlisten = 'b'", false),
    ] {
        let policy = policy(text);
        assert_eq!(policy.has_several_networks(), several, "{text}");
    }
}

/// Who is asked for the name of an address; with the domain that a look-up got it from.
#[test]
fn the_name_of_an_address_is_asked_of_the_domain_that_leads_to_it() {
    let text = format!(
        "use = ['lte', 'wifi']\n[pvd.lte]\ninterface = 'wwan0'\ndns = {{ servers = '10.1.0.1' }}\n\
         [pvd.wifi]\ninterface = 'wlan0'\ndns = {{ servers = '10.2.0.1' }}\n\
         [[rule]]\nto = ['10.9.0.0/16', '*.2.0.192.in-addr.arpa']\nport = 22\nuse = 'wifi'\n\
         [[rule]]\nto = '*.corp.test'\nuse = 'work'\n{WORK}"
    );
    let policy = policy(&text);
    let id = |name: &str| {
        let at = policy
            .pvds
            .iter()
            .position(|pvd| &*pvd.name == name)
            .unwrap();
        PvdId(u16::try_from(at).unwrap())
    };
    let corp = policy.rules_naming("a.corp.test");
    for (ip, reverse_name, named, origin, expected) in [
        (
            "203.0.113.1",
            "1.113.0.203.in-addr.arpa",
            false,
            None,
            "lte",
        ),
        ("10.9.0.1", "1.0.9.10.in-addr.arpa", false, None, "wifi"),
        ("192.0.2.1", "1.2.0.192.in-addr.arpa", false, None, "wifi"),
        ("10.8.0.1", "1.0.8.10.in-addr.arpa", false, None, "work"),
        ("10.8.0.1", "1.0.8.10.in-addr.arpa", true, None, "work"),
        // Where it was looked up, if that one may be asked for its name.
        (
            "203.0.113.1",
            "1.113.0.203.in-addr.arpa",
            false,
            Some("wifi"),
            "wifi",
        ),
        (
            "203.0.113.1",
            "1.113.0.203.in-addr.arpa",
            false,
            Some("work"),
            "lte",
        ),
    ] {
        let ip: IpAddr = ip.parse().unwrap();
        let named = if named { &corp[..] } else { &[] };
        let origin = origin.map(|name| Origin {
            pvd: id(name),
            by_zone: false,
        });
        let found = policy.resolvers_of_address(ip, reverse_name, named, origin, &Lab(&policy));
        let first = found.first().map(|first| first.route.name);
        assert_eq!(first, Some(expected), "{ip} {origin:?}");
    }
}
