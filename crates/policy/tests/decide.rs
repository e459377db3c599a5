//! What policies decide, by tables: a policy, a flow, the verdict in words.
//!
//! The host of these tests has `wan0` (index 2), `wan1` (3), `vpn0` (4, IPv4 only) and `ll0` (5,
//! link-local only) in order; `down0` is down, `bare0` (7) has no address, `dead0` no carrier.

#[path = "common/text.rs"]
mod text;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use mif_policy::{
    Bound, Dns, Explicit, Flow, Gave, Host, Interface, Link, Need, Pass, Policy, Protocol, PvdId,
    Refusal, Route, RuleId, Server, Unusable, Verdict,
};
use text::policy;

const OWNERS: [(&str, u32); 8] = [
    ("127.0.0.1", 1),
    ("10.1.0.2", 2),
    ("2001:db8:1::2", 2),
    ("10.2.0.2", 3),
    ("2001:db8:2::2", 3),
    ("fe80::3", 3),
    ("10.9.0.2", 4),
    ("fe80::5", 5),
];

struct Lab<'p>(&'p Policy);

impl Host for Lab<'_> {
    fn owner(&self, address: IpAddr) -> Option<u32> {
        OWNERS
            .iter()
            .find(|(owned, _)| owned.parse() == Ok(address))
            .map(|&(_, index)| index)
    }

    fn is_resolver(&self, address: IpAddr) -> bool {
        let resolvers = ["127.0.0.53", "127.0.0.1", "10.1.0.1", "2001:db8:1::1"];
        resolvers.iter().any(|one| one.parse() == Ok(address))
    }

    fn network(&self, _: PvdId) -> Option<Arc<Dns>> {
        None
    }

    /// What `wan1` gave has been read, `vpn0` gave nothing, and of the others nobody knows yet.
    fn gave(&self, pvd: PvdId, is_meant: &dyn Fn(&Server) -> bool) -> Gave {
        let server: SocketAddr = "10.2.0.1:53".parse().unwrap();
        match &*self.0.pvd(pvd).name {
            "wan1" if is_meant(&server.into()) => Gave::It,
            "wan1" => Gave::Others,
            "vpn0" => Gave::None,
            _ => Gave::Unknown,
        }
    }

    fn link(&self, pvd: PvdId) -> Result<Link, Unusable> {
        let pvd = self.0.pvd(pvd);
        let index = match pvd.interface {
            Interface::OfSource => self.owner(pvd.sources[0]).ok_or(Unusable::NoSource)?,
            Interface::Named(name) => match name.as_str() {
                "wan0" => 2,
                "wan1" => 3,
                "vpn0" => 4,
                "ll0" => 5,
                "bare0" => 7,
                "down0" => return Err(Unusable::Down),
                "dead0" => return Err(Unusable::NoCarrier),
                _ => return Err(Unusable::Missing),
            },
        };
        let v6 = matches!(index, 2 | 3);
        Ok(Link {
            index,
            v4: matches!(index, 2..=4),
            v6,
            v6_link_local: v6 || index == 5,
        })
    }
}

/// `tcp ADDRESS:PORT`, and behind it the rules whose names a look-up matched.
fn decide(policy: &Policy, flow: &str) -> String {
    let mut words = flow.split(' ');
    let protocol = match words.next().unwrap() {
        "tcp" => Protocol::Tcp,
        "udp" => Protocol::Udp,
        _ => Protocol::Other,
    };
    let destination: SocketAddr = words.next().unwrap().parse().unwrap();
    let named: Vec<RuleId> = words.map(|id| RuleId(id.parse().unwrap())).collect();
    told(policy.decide(
        &Flow {
            destination,
            protocol,
            named: &named,
            origin: None,
        },
        &Lab(policy),
    ))
}

fn told(verdict: Verdict<'_>) -> String {
    match verdict {
        Verdict::Pass(Pass::System(rule)) => format!("system by {}", rule.0),
        Verdict::Pass(pass) => format!("{pass:?}"),
        Verdict::Route(route) => {
            let source = route
                .source
                .map_or(String::new(), |source| format!(" from {source}"));
            let preferred = route
                .prefer_source
                .map_or(String::new(), |kind| format!(" preferring {kind:?}"));
            format!(
                "{}/{}{source}{preferred} by {}",
                route.name, route.index, route.rule.0
            )
        }
        Verdict::Refuse(Refusal::Chosen(rule)) => format!("none by {}", rule.0),
        Verdict::Refuse(Refusal::Exhausted(rule, why)) => format!("{why:?} by {}", rule.0),
        Verdict::Refuse(refusal) => format!("{refusal:?}"),
    }
}

const FAR: &str = "tcp 192.0.2.7:443";
const FAR6: &str = "tcp [2001:db8:f::7]:443";

fn check(rows: &[(&str, &str, &str)]) {
    for (text, flow, expected) in rows {
        assert_eq!(
            decide(&policy(text), flow),
            *expected,
            "{flow} under\n{text}"
        );
    }
}

/// The first rule that matches decides, and all of its conditions have to hold.
#[test]
fn rules() {
    let rules = r#"
        use = "wan0"
        [[rule]]
        to = ["10.0.0.0/8", "2001:db8:77::/48", "*.corp.example"]
        port = [22, "8000-8999"]
        protocol = "tcp"
        use = "wan1"
        [[rule]]
        to = "10.0.0.0/8"
        use = "vpn0"
        [[rule]]
        to = "who.test"
        use = "none"
        [[rule]]
        port = 53
        use = "system"
    "#;
    check(&[
        (rules, "tcp 10.20.0.1:22", "wan1/3 by 0"),
        (rules, "tcp 10.20.0.1:8999", "wan1/3 by 0"),
        (rules, "tcp 10.20.0.1:9000", "vpn0/4 by 1"),
        (rules, "tcp 10.20.0.1:8000", "wan1/3 by 0"),
        (rules, "tcp 10.20.0.1:7999", "vpn0/4 by 1"),
        (rules, "udp 10.20.0.1:22", "vpn0/4 by 1"),
        (rules, "raw 10.20.0.1:22", "vpn0/4 by 1"),
        (rules, "tcp [2001:db8:77::1]:22", "wan1/3 by 0"),
        (rules, "tcp [2001:db8:78::1]:22", "wan0/2 by 4"),
        (rules, "tcp 11.0.0.1:22", "wan0/2 by 4"),
        // A rule with names matches what a look-up under it returned, if the rest holds.
        (rules, "tcp 11.0.0.1:22 0", "wan1/3 by 0"),
        (rules, "tcp 11.0.0.1:443 0", "wan0/2 by 4"),
        (rules, "tcp 11.0.0.1:443 2", "none by 2"),
        (rules, "tcp 11.0.0.1:443 1 3", "wan0/2 by 4"),
        (rules, "udp 11.0.0.1:53", "system by 3"),
    ]);
}

/// Lists fall through in order, and their end is a refusal with the first one's reason.
#[test]
fn preferences() {
    check(&[
        (r#"use = ["wan1", "wan0"]"#, FAR, "wan1/3 by 0"),
        (
            r#"use = ["down0", "dead0", "gone0", "bare0", "wan1"]"#,
            FAR,
            "wan1/3 by 0",
        ),
        (r#"use = ["dead0", "system"]"#, FAR, "system by 0"),
        (r#"use = ["down0", "none"]"#, FAR, "none by 0"),
        (r#"use = ["down0", "gone0"]"#, FAR, "Down by 0"),
        (r#"use = "gone0""#, FAR, "Missing by 0"),
        (r#"use = "dead0""#, FAR, "NoCarrier by 0"),
        (r#"use = "bare0""#, FAR, "NoAddress by 0"),
        (r#"use = "vpn0""#, FAR, "vpn0/4 by 0"),
        (r#"use = "vpn0""#, FAR6, "NoAddress by 0"),
        (r#"use = ["vpn0", "wan1"]"#, FAR6, "wan1/3 by 0"),
        (r#"use = "system""#, FAR, "system by 0"),
        ("", FAR, "system by 0"),
        (r#"use = "none""#, FAR, "none by 0"),
    ]);
}

/// Sources are of the flow's family and on the host.
#[test]
fn sources() {
    let sources = r#"
        use = ["a", "b"]
        [pvd.a]
        interface = "wan0"
        source = ["2001:db8:1::9", "2001:db8:1::2"]
        [pvd.b]
        interface = "wan1"
        source = ["10.2.0.2", "10.2.0.3"]
    "#;
    check(&[
        (sources, FAR, "b/3 from 10.2.0.2 by 0"),
        (sources, FAR6, "a/2 from 2001:db8:1::2 by 0"),
        (
            &sources.replace(r#"["a", "b"]"#, r#""a""#),
            FAR,
            "NoSourceOfFamily by 0",
        ),
        (
            &sources.replace("10.2.0.2", "10.2.0.4"),
            FAR,
            "NoSourceOfFamily by 0",
        ),
        (
            &sources
                .replace("10.2.0.2", "10.2.0.4")
                .replace(r#"["a", "b"]"#, r#""b""#),
            FAR,
            "NoSource by 0",
        ),
    ]);
}

/// The application's word stands before the network's, and neither is for an address that is named.
#[test]
fn kinds_of_sources() {
    let said = r#"
        use = ["a", "b"]
        [addrsel]
        prefer-source = "temporary"
        [pvd.a]
        interface = "down0"
        [pvd.b]
        interface = "wan1"
        addrsel = { prefer-source = "public" }
    "#;
    let by_network = said.replace(r#"prefer-source = "temporary""#, "");
    let named = r#"interface = "wan1"
        source = "2001:db8:2::2""#;
    check(&[
        (said, FAR6, "b/3 preferring Temporary by 0"),
        (said, FAR, "b/3 by 0"),
        (&by_network, FAR6, "b/3 preferring Public by 0"),
        (&by_network.replace("down0", "wan0"), FAR6, "a/2 by 0"),
        (
            &said.replace(r#"interface = "wan1""#, named),
            FAR6,
            "b/3 from 2001:db8:2::2 by 0",
        ),
    ]);
}

/// Loopback and the host's own addresses.
#[test]
fn exemptions() {
    check(&[
        (r#"use = "none""#, "tcp 127.0.0.1:80", "Local"),
        (r#"use = "none""#, "udp [::1]:53", "Local"),
        (r#"use = "none""#, "tcp 127.1.2.3:80", "Local"),
        (r#"use = "none""#, "tcp 0.0.0.0:80", "Local"),
        (r#"use = "wan0""#, "tcp 10.2.0.2:80", "Local"),
        (r#"use = "wan0""#, "tcp [2001:db8:2::2]:80", "Local"),
        (
            "use = 'none'\nlocal = false",
            "tcp 127.0.0.1:80",
            "none by 0",
        ),
        (
            "use = 'system'\nlocal = false",
            "tcp 127.0.0.1:80",
            "system by 0",
        ),
        (
            "use = 'wan0'\nlocal = false",
            "tcp 127.0.0.1:80",
            "LocalForbidden(RuleId(0))",
        ),
        (
            "use = 'wan0'\nlocal = false",
            "tcp 10.1.0.2:80",
            "LocalForbidden(RuleId(0))",
        ),
        // A link-local destination with a scope id has named its interface.
        (r#"use = "none""#, "tcp [fe80::9%5]:80", "Scoped"),
        (r#"use = "none""#, "udp [ff02::fb%5]:5353", "Scoped"),
        (r#"use = "none""#, "tcp [fe80::9]:80", "none by 0"),
        (r#"use = "none""#, "tcp [2001:db8::9%5]:80", "none by 0"),
        (r#"use = "none""#, "udp [ff0e::1%5]:80", "none by 0"),
        (r#"use = "ll0""#, "tcp [fe80::9]:80", "ll0/5 by 0"),
        (r#"use = "ll0""#, FAR6, "NoAddress by 0"),
    ]);
}

/// `family` comes before every rule.
#[test]
fn families() {
    check(&[
        ("family = 'ipv4'", FAR, "system by 0"),
        ("family = 'ipv4'", FAR6, "Family"),
        ("family = 'ipv6'", FAR, "Family"),
        ("family = 'ipv6'", FAR6, "system by 0"),
        ("family = 'any'", FAR6, "system by 0"),
        ("family = 'ipv6'", "tcp 127.0.0.1:80", "Local"),
    ]);
}

#[test]
fn names_are_looked_up_by_their_rule() {
    let policy = policy(
        r#"
        use = "wan0"
        [[rule]]
        to = "10.0.0.0/8"
        use = "vpn0"
        [[rule]]
        to = "*.corp.example"
        port = 443
        use = "wan1"
        [[rule]]
        to = ["corp.example", "*.build.corp.example"]
        use = "vpn0"
        [[rule]]
        port = 22
        use = "none"
        "#,
    );
    for (name, decides, matching) in [
        ("www.corp.example", 1, vec![1]),
        ("WWW.Corp.Example.", 1, vec![1]),
        ("corp.example", 2, vec![2]),
        ("a.build.corp.example", 1, vec![1, 2]),
        ("xcorp.example", 4, vec![]),
        ("who.test", 4, vec![]),
    ] {
        assert_eq!(policy.rule_for_name(name).0, decides, "{name}");
        let found: Vec<u32> = policy.rules_naming(name).iter().map(|id| id.0).collect();
        assert_eq!(found, matching, "{name}");
    }
}

#[test]
fn a_rule_without_conditions_is_for_names_too() {
    let policy =
        policy("use = 'wan0'\n[[rule]]\nuse = 'wan1'\n[[rule]]\nto = 'a.test'\nuse = 'lo'");
    assert_eq!(policy.rule_for_name("a.test").0, 0);
}

#[test]
fn listeners() {
    for (text, expected) in [
        (r#"use = "wan0""#, "wan0/2 by 0"),
        ("use = 'wan0'\nlisten = 'wan1'", "wan1/3 by 0"),
        ("use = 'wan0'\nlisten = ['down0', 'll0']", "ll0/5 by 0"),
        ("use = 'wan0'\nlisten = 'system'", "system by 0"),
        ("use = 'wan0'\nlisten = 'none'", "none by 0"),
        ("use = 'wan0'\nlisten = 'bare0'", "NoAddress by 0"),
        ("use = 'down0'", "Down by 0"),
        // Rules are about destinations, and a listener has none.
        ("use = 'wan0'\n[[rule]]\nuse = 'wan1'", "wan0/2 by 1"),
        ("", "system by 0"),
    ] {
        let policy = policy(text);
        assert_eq!(
            told(policy.choose_listen(&Lab(&policy))),
            expected,
            "{text}"
        );
    }
}

#[test]
fn binds() {
    let rules = "use = 'wan0'\n[[rule]]\nto = 'private'\nuse = 'vpn0'";
    let source = "use = 'a'\npvd.a = { interface = 'wan0', source = '10.1.0.2' }";
    for (text, ip, permitted) in [
        (rules, "10.1.0.2", true),
        (rules, "2001:db8:1::2", true),
        (rules, "10.9.0.2", true),
        (rules, "10.2.0.2", false),
        (rules, "2001:db8:2::2", false),
        (rules, "192.0.2.1", false),
        (rules, "127.0.0.1", true),
        (rules, "::1", true),
        (rules, "239.1.2.3", true),
        (rules, "ff02::1", true),
        (rules, "255.255.255.255", true),
        ("use = 'wan0'\nlocal = false", "127.0.0.1", false),
        ("use = 'wan0'\nlisten = 'wan1'", "10.2.0.2", true),
        ("use = ['wan0', 'system']", "10.2.0.2", true),
        ("use = 'none'", "10.1.0.2", false),
        ("use = 'down0'", "10.1.0.2", false),
        (source, "10.1.0.2", true),
        (source, "2001:db8:1::2", false),
    ] {
        let policy = policy(text);
        let ip = ip.parse().unwrap();
        assert_eq!(
            policy.permits_bind(ip, &Lab(&policy)),
            permitted,
            "{ip} under\n{text}"
        );
    }
}

#[test]
fn where_the_application_put_the_socket() {
    let to = |ip: &str| Bound::To(ip.parse().unwrap());
    let sourced = "use = 'a'\npvd.a = { interface = 'wan1', source = '10.2.0.2' }";
    for (text, bound, expected) in [
        ("use = 'wan1'", to("10.2.0.2"), None),
        ("use = 'wan1'", to("fe80::3"), None),
        ("use = 'wan1'", Bound::On(3), None),
        ("use = 'wan1'", to("239.1.2.3"), None),
        ("use = 'wan1'", to("10.1.0.2"), Some(Explicit::Refuse)),
        ("use = 'wan1'", Bound::On(2), Some(Explicit::Refuse)),
        (
            "use = ['wan1', 'system']",
            to("10.1.0.2"),
            Some(Explicit::Respect),
        ),
        (
            "use = ['wan1', 'system']",
            Bound::On(2),
            Some(Explicit::Respect),
        ),
        (
            "use = 'wan1'\nexplicit = 'respect'",
            to("10.1.0.2"),
            Some(Explicit::Respect),
        ),
        (
            "use = 'wan1'\nexplicit = 'override'",
            to("10.1.0.2"),
            Some(Explicit::Override),
        ),
        (
            "use = ['wan1', 'system']\nexplicit = 'refuse'",
            Bound::On(2),
            Some(Explicit::Refuse),
        ),
        (sourced, to("10.2.0.2"), None),
        (sourced, to("10.2.0.3"), Some(Explicit::Refuse)),
        (sourced, Bound::On(3), None),
    ] {
        let policy = policy(text);
        let route = route(&policy);
        let found = policy.disagreement(bound, &route, &Lab(&policy));
        assert_eq!(found, expected, "{bound:?} under\n{text}");
    }
}

fn route(policy: &Policy) -> Route<'_> {
    match policy.choose(policy.last_rule(), Need::V4, &Lab(policy)) {
        Verdict::Route(route) => route,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_route_has_all_that_its_domain_says() {
    let policy = policy(
        r#"
        use = "lte"
        [pvd.lte]
        interface = "wan1"
        source = ["10.2.0.2", "2001:db8:2::2"]
        mark = 7
        "#,
    );
    let route = route(&policy);
    assert_eq!((route.name, route.index, route.mark), ("lte", 3, Some(7)));
    assert_eq!(route.source, Some("10.2.0.2".parse().unwrap()));
    assert_eq!(
        policy.place(policy.rule(route.rule).place).to_string(),
        "app.toml:2"
    );
}

/// The host's own resolvers are refused where the network has servers, in front of every exemption.
#[test]
fn the_guard_of_names() {
    const WAN1: &str = "use = \"wan1\"\n[pvd.wan1]\ninterface = \"wan1\"\n[pvd.wan1.dns]\n";
    let refused = "Resolver(RuleId(0))";
    let by_wan1 = "wan1/3 by 0";
    let server = format!("{WAN1}servers = \"10.2.0.1\"\n");
    let mut rows = vec![];
    let mut under = |text: &str, flows: &[(&'static str, &'static str)]| {
        rows.extend(
            flows
                .iter()
                .map(|&(flow, told)| (text.to_owned(), flow, told)),
        );
    };
    under(
        &server,
        &[
            ("udp 10.1.0.1:53", refused),
            ("tcp 10.1.0.1:53", refused),
            ("tcp 10.1.0.1:853", refused),
            ("udp [2001:db8:1::1]:53", refused),
            ("udp 127.0.0.53:53", refused),
            ("udp 0.0.0.0:53", refused),
            // Other ports of the same host, other servers, and the network's own.
            ("tcp 10.1.0.1:443", by_wan1),
            ("udp 10.3.0.1:53", by_wan1),
            ("udp 10.2.0.1:53", by_wan1),
            ("tcp 10.2.0.1:853", by_wan1),
            ("udp 127.0.0.7:53", "Local"),
            ("udp 10.1.0.2:53", "Local"),
        ],
    );
    under(
        &format!("{server}guard = \"strict\"\n"),
        &[
            ("udp 10.1.0.1:53", refused),
            ("udp 10.3.0.1:53", refused),
            ("udp 127.0.0.7:53", refused),
            ("udp 10.1.0.2:53", refused),
            ("udp 10.2.0.1:53", by_wan1),
            ("udp 10.3.0.1:54", by_wan1),
        ],
    );
    under(
        &format!("{server}guard = \"off\"\n"),
        &[("udp 10.1.0.1:53", by_wan1), ("udp 127.0.0.53:53", "Local")],
    );
    // The application's own word counts more than the network's.
    under(
        &format!("{server}guard = \"strict\"\n[dns]\nguard = \"off\"\n"),
        &[("udp 10.3.0.1:53", by_wan1), ("udp 127.0.0.53:53", "Local")],
    );
    // A local server of the network's own, beside one of the host's.
    under(
        &format!("{WAN1}servers = [\"127.0.0.1:5353\", \"127.0.0.53\"]\n"),
        &[
            ("udp 127.0.0.1:53", refused),
            ("udp 127.0.0.1:5353", "Local"),
            ("udp 127.0.0.53:53", "Local"),
        ],
    );
    under(
        &format!("{server}[[rule]]\nport = 53\nuse = \"vpn0\"\n"),
        &[
            ("udp 10.1.0.1:53", "vpn0/4 by 0"),
            ("udp 127.0.0.53:53", refused),
        ],
    );
    under(
        "[dns]\nservers = \"10.2.0.1\"\n",
        &[
            ("udp 10.1.0.1:53", refused),
            ("udp 10.2.0.1:53", "system by 0"),
        ],
    );
    // A network that is down has servers all the same, and a flow to it its own reason.
    under(
        "use = \"work\"\n[pvd.work]\ninterface = \"down0\"\n[pvd.work.dns]\nservers = \"10.2.0.1\"\n",
        &[
            ("udp 127.0.0.53:53", refused),
            ("udp 10.1.0.1:53", "Down by 0"),
        ],
    );
    for (text, flow, expected) in &rows {
        assert_eq!(
            decide(&policy(text), flow),
            *expected,
            "{flow} under\n{text}"
        );
    }
}

#[test]
fn the_guard_knows_what_a_network_gave() {
    let refused = "Resolver(RuleId(0))";
    let by_wan1 = "wan1/3 by 0";
    for (text, flow, expected) in [
        // Servers that it gave count as those that are written.
        ("use = \"wan1\"", "udp 10.1.0.1:53", refused),
        ("use = \"wan1\"", "udp 127.0.0.53:53", refused),
        ("use = \"wan1\"", "udp 10.2.0.1:53", by_wan1),
        ("use = \"wan1\"", "tcp 10.2.0.1:853", by_wan1),
        ("use = \"wan1\"", "udp 10.3.0.1:53", by_wan1),
        (
            "use = \"wan1\"\ndns.guard = \"strict\"",
            "udp 10.3.0.1:53",
            refused,
        ),
        (
            "use = \"wan1\"\ndns.guard = \"strict\"",
            "udp 10.2.0.1:53",
            by_wan1,
        ),
        // It gave none, so names are refused; but those of a preference are the host's to resolve, and
        // what is asked over the network itself is the application's choice.
        ("use = \"vpn0\"", "udp 10.1.0.1:53", "vpn0/4 by 0"),
        ("use = \"vpn0\"", "udp 127.0.0.53:53", refused),
        (
            "use = [\"vpn0\", \"system\"]",
            "udp 10.1.0.1:53",
            "vpn0/4 by 0",
        ),
        ("use = [\"vpn0\", \"system\"]", "udp 127.0.0.53:53", "Local"),
        // Nobody has looked yet.
        ("use = \"wan0\"", "udp 10.1.0.1:53", "wan0/2 by 0"),
        ("use = \"wan0\"", "udp 127.0.0.53:53", "Local"),
        // It cannot be used now.
        ("use = \"down0\"", "udp 127.0.0.53:53", refused),
        ("use = \"down0\"", "udp 10.1.0.1:53", "Down by 0"),
    ] {
        assert_eq!(
            decide(&policy(text), flow),
            expected,
            "{flow} under\n{text}"
        );
    }
}

#[test]
fn servers_for_general_names() {
    let names = |text: &str| {
        let policy = policy(text);
        let names = policy.names(policy.last_rule(), &Lab(&policy));
        format!("{:?} {:?}", names.servers(), names.search())
    };
    let pvds = "[pvd.down]\ninterface = \"down0\"\n[pvd.down.dns]\nservers = \"10.9.0.1\"\n\
                [pvd.work]\ninterface = \"wan1\"\n[pvd.work.dns]\nservers = \"10.2.0.1\"\nsearch = \"w.test\"\n";
    for (text, expected) in [
        ("use = \"work\"\n", "[10.2.0.1] [\"w.test\"]"),
        ("use = [\"down\", \"work\"]\n", "[10.2.0.1] [\"w.test\"]"),
        ("use = \"down\"\n", "[10.9.0.1] []"),
        ("use = [\"down\", \"system\"]\n", "[] []"),
        ("use = \"none\"\n", "[] []"),
        (
            "use = \"work\"\n[dns]\nsearch = \"a.test\"\n",
            "[10.2.0.1] [\"a.test\"]",
        ),
        (
            "use = \"work\"\n[dns]\nservers = \"10.3.0.1\"\n",
            "[10.3.0.1] [\"w.test\"]",
        ),
    ] {
        assert_eq!(names(&format!("{text}{pvds}")), expected, "{text}");
    }
}

#[test]
fn a_policy_leaves_names_alone_only_if_nothing_of_it_speaks_of_them() {
    let rest = "use = \"system\"\n[[rule]]\nto = \"192.0.2.0/24\"\nuse = \"wan0\"\n";
    for (text, leaves) in [
        (rest.to_owned(), true),
        (String::new(), true),
        (
            "use = [\"system\"]\n[pvd.wan0]\ninterface = \"wan0\"\n".to_owned(),
            true,
        ),
        ("use = \"wan0\"\n".to_owned(), false),
        ("use = [\"wan0\", \"system\"]\n".to_owned(), false),
        ("use = \"none\"\n".to_owned(), false),
        (
            format!("{rest}[[rule]]\nto = \"*.test\"\nuse = \"wan0\"\n"),
            false,
        ),
        (format!("{rest}[[rule]]\nuse = \"wan1\"\n"), false),
        (format!("{rest}[dns]\nservers = \"192.0.2.53\"\n"), false),
        (
            format!(
                "{rest}[pvd.wan0]\ninterface = \"wan0\"\n[pvd.wan0.dns]\nservers = \"192.0.2.53\"\n"
            ),
            false,
        ),
    ] {
        assert_eq!(policy(&text).leaves_names(), leaves, "{text}");
    }
}
