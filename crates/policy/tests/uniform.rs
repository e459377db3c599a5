//! Where a policy is said to have one verdict for many destinations, `decide` has it for each.

#[path = "common/numbers.rs"]
mod numbers;
#[path = "common/text.rs"]
mod text;

use std::fmt::Debug;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use mif_policy::{
    Choice, Dns, Families, Flow, Gave, Host, Link, NamePattern, Origin, Place, Policy, Prefix,
    Protocol, PvdId, Rule, Rules, Server, Unusable, Use, Verdict, is_ordinary,
};
use numbers::Numbers;
use text::policy;

/// A host with these links and these addresses, which asks everybody for names.
#[derive(Debug)]
struct Odd<'h> {
    links: &'h [Result<Link, Unusable>],
    own: &'h [IpAddr],
}

impl Host for Odd<'_> {
    fn owner(&self, address: IpAddr) -> Option<u32> {
        let at = self.own.iter().position(|own| *own == address)?;
        u32::try_from(at + 2).ok()
    }

    fn link(&self, pvd: PvdId) -> Result<Link, Unusable> {
        self.links[usize::from(pvd.0)]
    }

    fn is_resolver(&self, _: IpAddr) -> bool {
        true
    }

    fn network(&self, _: PvdId) -> Option<Arc<Dns>> {
        None
    }

    fn gave(&self, _: PvdId, _: &dyn Fn(&Server) -> bool) -> Gave {
        Gave::None
    }
}

impl Numbers {
    fn one_in(&mut self, count: u32) -> bool {
        self.below::<u32>(count) == 0
    }

    fn of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below::<usize>(u32::try_from(all.len()).unwrap())]
    }

    /// Often one of those that mean something.
    fn ip(&mut self) -> IpAddr {
        let known = [
            "0.0.0.0",
            "0.1.2.3",
            "127.0.0.1",
            "127.9.9.9",
            "10.1.0.2",
            "128.0.0.1",
            "223.255.0.1",
            "224.0.0.1",
            "239.1.1.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:10.1.0.2",
            "fe80::1",
            "ff02::1",
            "ff0e::1",
            "fd00::1",
            "2001:db8:1::2",
        ];
        if self.one_in(2) {
            return self.of(&known).parse().unwrap();
        }
        let bits = self.below::<u32>(1 << 30) << 2 | self.below::<u32>(4);
        match self.below::<u32>(2) {
            0 => Ipv4Addr::from_bits(bits).into(),
            _ => Ipv6Addr::from_bits(u128::from(bits) << 96 | self.below::<u128>(4)).into(),
        }
    }

    fn rule(&mut self) -> Rule {
        let prefixes = (0..self.below::<u32>(6).saturating_sub(3)).map(|_| {
            let ip = self.ip();
            let longest = if ip.is_ipv4() { 33 } else { 129 };
            let length = if self.one_in(2) {
                0
            } else {
                self.below(longest)
            };
            Prefix::new(ip, length).unwrap()
        });
        Rule {
            prefixes: prefixes.collect(),
            names: (0..u32::from(self.one_in(4)))
                .map(|_| NamePattern::Below("example".into()))
                .collect(),
            ports: (0..u32::from(self.one_in(4)))
                .map(|_| 1..=self.below(1 << 16))
                .collect(),
            protocol: self.of(&[None, None, Some(Protocol::Tcp), Some(Protocol::Udp)]),
            choices: self.choices(),
            place: Place::Default,
        }
    }

    fn choices(&mut self) -> Use {
        let all = [
            Choice::Pvd(PvdId(0)),
            Choice::Pvd(PvdId(1)),
            Choice::Pvd(PvdId(2)),
            Choice::System,
            Choice::None,
        ];
        Use((0..=self.below::<u32>(3)).map(|_| self.of(&all)).collect())
    }

    fn policy(&mut self) -> Policy {
        let mut policy = policy(
            "use = [\"a\", \"b\", \"c\"]\n\
             [pvd.a]\ninterface = \"a\"\n\
             [pvd.b]\ninterface = \"b\"\nsource = [\"10.1.0.2\"]\n\
             [pvd.c]\ninterface = \"c\"\nmark = 7\naddrsel = { prefer-source = \"public\" }\n",
        );
        let mut rules: Vec<_> = (0..self.below::<u32>(4)).map(|_| self.rule()).collect();
        rules.push(Rule {
            choices: self.choices(),
            place: Place::Default,
            prefixes: Vec::new(),
            names: Vec::new(),
            ports: Vec::new(),
            protocol: None,
        });
        policy.rules = Rules::new(rules);
        policy.local = self.one_in(2);
        policy.families = self.of(&[Families::Any, Families::Any, Families::V4, Families::V6]);
        policy
    }

    fn link(&mut self, index: u32) -> Result<Link, Unusable> {
        if self.one_in(3) {
            return Err(Unusable::Down);
        }
        Ok(Link {
            index,
            v4: !self.one_in(3),
            v6: !self.one_in(3),
            v6_link_local: true,
        })
    }

    fn ordinary(&mut self, v4: bool, host: &Odd<'_>) -> SocketAddr {
        loop {
            let to = SocketAddr::new(self.ip(), self.of(&[53, 80, 443, 853, 7]));
            if to.is_ipv4() == v4 && is_ordinary(to) && host.owner(to.ip()).is_none() {
                return to;
            }
        }
    }
}

#[test]
fn one_verdict_is_that_of_every_destination() {
    let mut numbers = Numbers(0x2545_f491_4f6c_dd1d);
    let (mut uniform, mut routed) = (0, 0);
    for _ in 0..3000 {
        let policy = numbers.policy();
        let links = [2, 3, 4].map(|index| numbers.link(index));
        let own = ["10.1.0.2", "2001:db8:1::2"].map(|ip| ip.parse().unwrap());
        let own = &own[..numbers.below(3)];
        let host = Odd { links: &links, own };
        let v4 = numbers.one_in(2);
        if !policy.is_uniform(v4) {
            continue;
        }
        uniform += 1;
        let mut flow = Flow {
            destination: numbers.ordinary(v4, &host),
            protocol: Protocol::Tcp,
            named: &[],
            origin: None,
        };
        let verdict = policy.decide(&flow, &host);
        if let Verdict::Route(route) = &verdict {
            routed += 1;
            // What a look-up told, if it was on that very network.
            flow.origin = Some(Origin {
                pvd: route.pvd,
                by_zone: numbers.one_in(2),
            });
        }
        for _ in 0..20 {
            flow.destination = numbers.ordinary(v4, &host);
            flow.protocol = numbers.of(&[Protocol::Tcp, Protocol::Udp, Protocol::Other]);
            assert_eq!(
                policy.decide(&flow, &host),
                verdict,
                "{flow:?} {host:?} {policy:#?}"
            );
            flow.origin = flow.origin.filter(|_| numbers.one_in(2));
        }
    }
    assert!(uniform > 1000 && routed > 200, "{uniform} {routed}");
}

#[test]
fn ordinary_destinations_are_neither_exempt_nor_guarded() {
    let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15);
    let mut ordinary = 0;
    for _ in 0..20_000 {
        let policy = &policy("use = \"a\"\n");
        let host = Odd {
            links: &[Err(Unusable::Down)],
            own: &[],
        };
        let mut to = SocketAddr::new(numbers.ip(), numbers.of(&[53, 80, 853, 7]));
        if let SocketAddr::V6(to) = &mut to {
            to.set_scope_id(numbers.below(3));
        }
        if is_ordinary(to) {
            ordinary += 1;
            assert_eq!(policy.exempts(to, &host), None, "{to}");
            assert!(!policy.may_guard(to) && !to.ip().is_multicast(), "{to}");
        }
    }
    assert!(ordinary > 4000, "{ordinary}");
}

#[test]
fn what_everybody_writes_is_uniform() {
    let rule = |rule: &str| format!("rule = [{{ {rule}, use = \"b\" }}]\nuse = \"a\"");
    for (text, v4, v6) in [
        ("use = \"a\"".to_owned(), true, true),
        ("use = [\"a\", \"b\", \"system\"]".to_owned(), true, true),
        (rule("to = \"*.corp.example\""), true, true),
        (rule("to = \"10.0.0.0/8\""), false, true),
        (rule("to = \"0.0.0.0/0\""), true, true),
        (rule("to = [\"0.0.0.0/0\", \"2001:db8::/32\"]"), true, false),
        (rule("protocol = \"udp\""), false, false),
        (rule("port = 443"), false, false),
        (rule("to = \"0.0.0.0/0\", port = 443"), false, true),
    ] {
        let policy = policy(&text);
        assert_eq!(
            [true, false].map(|v4| policy.is_uniform(v4)),
            [v4, v6],
            "{text}"
        );
    }
    let usual = [
        "192.0.2.1:80",
        "128.0.0.1:443",
        "[2001:db8::1]:80",
        "[fd00::1]:443",
    ];
    assert!(usual.iter().all(|to| is_ordinary(to.parse().unwrap())));
}
