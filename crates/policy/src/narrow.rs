//! A policy with the choice that a program makes for itself (RFC 7556 6.3): what the policy permits,
//! and within that what the program wants.

use crate::model::{Choice, Dns, Explicit, Policy, Pvd, PvdId, Use};
use crate::rules::Rules;

impl Policy {
    /// Whether a program may choose this domain by itself for some flow: a list names it, or leaves the
    /// choice to others.
    #[must_use]
    pub fn permits(&self, pvd: &Pvd) -> bool {
        let stands_for = self.standing_for(pvd);
        let lists = self.rules.iter().map(|rule| &rule.choices);
        lists
            .chain(&self.listen)
            .any(|list| self.leaves_open(list) || names(list, &stands_for))
    }

    /// This policy for a program, or a part of it, that wants to use `pvd`: alone, or with `prefer`
    /// before the others. Flows that may not go by it are refused, or with `prefer` go as before.
    /// `None` if it may not be used at all; else also which of the policy's domains it is.
    #[must_use]
    pub fn narrowed(&self, pvd: &Pvd, prefer: bool) -> Option<(Self, PvdId)> {
        if !self.permits(pvd) {
            return None;
        }
        let stands_for = self.standing_for(pvd);
        let mut pvds = self.pvds.clone();
        let known = pvds.iter().position(|one| one == pvd);
        let at = known.unwrap_or(pvds.len());
        if known.is_none() {
            pvds.push(pvd.clone());
        }
        let id = PvdId(u16::try_from(at).ok()?);
        let narrow = |list: &Use| {
            let permitted = self.leaves_open(list) || names(list, &stands_for);
            match (permitted, prefer) {
                (true, false) => Use(Box::new([Choice::Pvd(id)])),
                (false, false) => Use(Box::new([Choice::None])),
                (true, true) => {
                    let rest = list.0.iter().copied();
                    let rest = rest.filter(|&choice| choice != Choice::Pvd(id));
                    Use([Choice::Pvd(id)].into_iter().chain(rest).collect())
                }
                (false, true) => list.clone(),
            }
        };
        let mut rules = self.rules.to_vec();
        for rule in &mut rules {
            rule.choices = narrow(&rule.choices);
        }
        // The servers that were written for the networks of `use` are not those of another one.
        let is_of_use = names(&self.rule(self.last_rule()).choices, &stands_for);
        let dns = if is_of_use {
            self.dns.clone()
        } else {
            Dns {
                guard: self.dns.guard,
                ..Dns::default()
            }
        };
        let narrowed = Self {
            pvds,
            rules: Rules::new(rules),
            listen: self.listen.as_ref().map(narrow),
            explicit: self.explicit,
            local: self.local,
            interfaces: self.interfaces,
            io_uring: self.io_uring,
            children: self.children,
            families: self.families,
            dns,
            addrsel: self.addrsel.clone(),
            files: self.files.clone(),
        };
        Some((narrowed, id))
    }

    /// The domains of this policy whose permission is one for `pvd`: itself, and for one that is a part of
    /// what an interface offers, the interface's implicit one.
    fn standing_for(&self, pvd: &Pvd) -> Vec<PvdId> {
        let stands = |one: &&Pvd| {
            one.interface == pvd.interface && (one.name == pvd.name || one.is_implicit())
        };
        let ids = (0..).map(PvdId).zip(&self.pvds);
        ids.filter(|(_, one)| stands(one))
            .map(|(id, _)| id)
            .collect()
    }

    /// Whether a list leaves it to the program, or to the host, which network is taken.
    fn leaves_open(&self, list: &Use) -> bool {
        list.is_preference()
            || (self.explicit == Explicit::Respect && list.0.first() != Some(&Choice::None))
    }
}

fn names(list: &Use, pvds: &[PvdId]) -> bool {
    let named = |choice: &Choice| matches!(choice, Choice::Pvd(id) if pvds.contains(id));
    list.0.iter().any(named)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Input, Options, Text, parse};

    fn policy(app: &str) -> Policy {
        let pvds = r#"
            [pvd.work]
            interface = "tun0"
            source = "10.9.0.2"
            dns.servers = ["10.9.0.53"]
        "#;
        let text = |path: &str, text: &str| Text {
            path: path.into(),
            text: text.to_owned(),
        };
        let input = Input {
            pvds: vec![text("pvds.toml", pvds)],
            app: Some(text("app.toml", app)),
            options: Options::default(),
        };
        parse(&input).unwrap_or_else(|faults| panic!("{faults}"))
    }

    /// The lists of a policy, with the names of its domains.
    fn lists(policy: &Policy) -> String {
        let word = |choice: &Choice| match choice {
            Choice::Pvd(id) => policy.pvd(*id).name.to_string(),
            Choice::System => "system".to_owned(),
            Choice::None => "none".to_owned(),
        };
        let list = |list: &Use| list.0.iter().map(word).collect::<Vec<_>>().join(",");
        let rules = policy.rules.iter().map(|rule| list(&rule.choices));
        rules.collect::<Vec<_>>().join(" | ")
    }

    fn implicit(name: &str) -> Pvd {
        let defined = policy(&format!("use = \"{name}\""));
        defined.pvds[0].clone()
    }

    #[test]
    fn a_program_chooses_within_what_its_policy_permits() {
        let several = "use = [\"wan0\", \"wan1\"]\n[[rule]]\nto = \"10.0.0.0/8\"\nuse = \"work\"";
        for (app, chosen, wanted, preferred) in [
            ("use = \"wan0\"", "wan0", "wan0", "wan0"),
            ("use = \"wan0\"", "wan1", "", ""),
            ("use = [\"wan0\", \"wan1\"]", "wan1", "wan1", "wan1,wan0"),
            (
                "use = [\"wan0\", \"system\"]",
                "wan1",
                "wan1",
                "wan1,wan0,system",
            ),
            ("use = \"system\"", "wan1", "wan1", "wan1,system"),
            ("use = \"none\"", "wan1", "", ""),
            (several, "wan1", "none | wan1", "work | wan1,wan0"),
            (several, "work", "work | none", "work | wan0,wan1"),
            (
                "use = \"wan0\"\nexplicit = \"respect\"",
                "wan1",
                "wan1",
                "wan1,wan0",
            ),
            ("use = \"none\"\nexplicit = \"respect\"", "wan1", "", ""),
        ] {
            let before = policy(app);
            let narrowed = |prefer| {
                let narrowed = before.narrowed(&implicit(chosen), prefer);
                narrowed
                    .map(|(policy, _)| lists(&policy))
                    .unwrap_or_default()
            };
            assert_eq!(narrowed(false), wanted, "{chosen} of {app}");
            assert_eq!(narrowed(true), preferred, "{chosen} of {app}");
            assert_eq!(before.permits(&implicit(chosen)), !wanted.is_empty());
        }
    }

    #[test]
    fn a_part_of_an_interface_may_be_chosen_where_the_interface_may_and_no_further() {
        let part = Pvd {
            name: "cdn.example".into(),
            sources: vec!["10.2.0.9".parse().unwrap()],
            ..implicit("wan1")
        };
        assert!(policy("use = \"wan1\"").permits(&part));
        assert!(!policy("use = \"wan0\"").permits(&part));
        let tunnel = implicit("tun0");
        assert!(!policy("use = \"work\"").permits(&tunnel), "work is less");
    }

    #[test]
    fn the_servers_of_use_are_asked_on_the_networks_of_use_only() {
        let before =
            policy("use = \"wan0\"\nexplicit = \"respect\"\ndns.servers = [\"10.1.0.53\"]");
        let servers = |chosen| {
            let (narrowed, id) = before.narrowed(&implicit(chosen), false).unwrap();
            assert_eq!(*narrowed.pvd(id).name, *chosen);
            narrowed.dns.servers.len()
        };
        assert_eq!([servers("wan0"), servers("wan1")], [1, 0]);
    }
}
