//! Many rules are found by tables; a reader of the list finds the same ones.

#[path = "common/numbers.rs"]
mod numbers;

use std::net::IpAddr;

use mif_policy::{
    Choice, Flow, NamePattern, Place, Policy, Prefix, Protocol, Rule, RuleId, Rules, Use,
};
use numbers::Numbers;

impl Numbers {
    /// Few different bits, so that prefixes lie in each other and addresses in them.
    fn ip(&mut self) -> IpAddr {
        let bits = self.below::<u32>(16) << 28 | self.below::<u32>(4) << 7 | self.below::<u32>(2);
        match self.below::<u32>(2) {
            0 => IpAddr::V4(bits.into()),
            _ => IpAddr::V6((u128::from(bits) << 96 | self.below::<u128>(3)).into()),
        }
    }

    fn name(&mut self) -> String {
        let labels = ["a", "B", "corp", "example"];
        let count = 1 + self.below::<u32>(3);
        let mut label = || labels[self.below::<usize>(4)];
        (0..count).map(|_| label()).collect::<Vec<_>>().join(".")
    }

    fn rule(&mut self) -> Rule {
        let prefixes = (0..self.below::<u32>(4)).map(|_| {
            let ip = self.ip();
            let longest = if ip.is_ipv4() { 33 } else { 129 };
            Prefix::new(ip, self.below(longest)).unwrap()
        });
        let prefixes = prefixes.collect();
        let names = (0..self.below::<u32>(3)).map(|_| {
            let name = self.name().to_ascii_lowercase().into();
            match self.below::<u32>(2) {
                0 => NamePattern::Exact(name),
                _ => NamePattern::Below(name),
            }
        });
        Rule {
            prefixes,
            names: names.collect(),
            ports: (0..self.below::<u32>(2))
                .map(|_| 1..=self.below(3))
                .collect(),
            protocol: [None, None, Some(Protocol::Tcp)][self.below::<usize>(3)],
            choices: Use(Box::new([Choice::None])),
            place: Place::Default,
        }
    }
}

fn ids(rules: &[Rule]) -> impl Iterator<Item = (RuleId, &Rule)> {
    (0..).map(RuleId).zip(rules)
}

#[test]
fn the_tables_find_what_a_reader_of_the_list_finds() {
    let mut numbers = Numbers(0x6d69_6600);
    for _ in 0..400 {
        let mut all: Vec<Rule> = (0..numbers.below::<u32>(30))
            .map(|_| numbers.rule())
            .collect();
        all.push(Rule {
            prefixes: Vec::new(),
            names: Vec::new(),
            ports: Vec::new(),
            protocol: None,
            ..numbers.rule()
        });
        let policy = Policy {
            rules: Rules::new(all.clone()),
            ..Policy::refusing()
        };
        for _ in 0..50 {
            let (ip, name) = (numbers.ip(), numbers.name());
            let named: Vec<_> = (0..numbers.below::<u32>(3))
                .map(|_| RuleId(numbers.below(u32::try_from(all.len()).unwrap())))
                .collect();
            let flow = Flow {
                destination: (ip, numbers.below::<u16>(4)).into(),
                protocol: [Protocol::Tcp, Protocol::Udp][numbers.below::<usize>(2)],
                named: &named,
                origin: None,
            };
            let in_prefix = |rule: &Rule| rule.prefixes.iter().any(|prefix| prefix.contains(ip));
            let by_name = |id, rule: &Rule| !rule.names.is_empty() && named.contains(&id);
            let anywhere = |rule: &Rule| rule.prefixes.is_empty() && rule.names.is_empty();
            let general =
                |rule: &Rule| anywhere(rule) && rule.ports.is_empty() && rule.protocol.is_none();
            let fits = |rule: &Rule| {
                let port = flow.destination.port();
                rule.protocol.is_none_or(|wanted| wanted == flow.protocol)
                    && (rule.ports.is_empty() || rule.ports.iter().any(|p| p.contains(&port)))
            };
            let speaks_of = |rule: &Rule| rule.names.iter().any(|p| p.matches(&name));

            let first = |fits: &dyn Fn(RuleId, &Rule) -> bool| {
                let found = ids(&all).find(|(id, rule)| fits(*id, rule));
                found.map(|(id, _)| id).unwrap()
            };
            let of_flow = first(&|id, rule| {
                fits(rule) && (anywhere(rule) || in_prefix(rule) || by_name(id, rule))
            });
            let of_name = first(&|_, rule| speaks_of(rule) || general(rule));
            let of_address = first(&|id, rule| {
                speaks_of(rule) || in_prefix(rule) || by_name(id, rule) || general(rule)
            });
            let naming: Vec<_> = ids(&all)
                .filter(|(_, rule)| speaks_of(rule))
                .map(|(id, _)| id)
                .collect();
            assert_eq!(
                (of_flow, of_name, of_address, naming),
                (
                    policy.rule_for(&flow),
                    policy.rule_for_name(&name),
                    policy.rule_for_address(ip, &name, &named),
                    policy.rules_naming(&name),
                ),
                "{flow:?} {name} {all:#?}"
            );
        }
    }
}
