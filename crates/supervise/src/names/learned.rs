//! What look-ups told of addresses, as in libmif.so: which rules speak of the name, and whose servers
//! answered. An address that is forgotten goes by the rules without names.

use std::net::IpAddr;

use mif_policy::{Origin, RuleId};

use crate::recent::Recent;

/// What is known of an address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Known {
    /// The rules by name that hold for it.
    pub(crate) rules: &'static [RuleId],
    /// Whose servers told it, if that matters.
    pub(crate) origin: Option<Origin>,
}

/// What is known of all.
#[derive(Debug, Default)]
pub(crate) struct Learned {
    known: Recent<IpAddr, Known>,
    /// Each kept for the life of the process: there are at most as many as a policy has ways for its
    /// patterns to overlap.
    rules: Vec<&'static [RuleId]>,
}

impl Learned {
    pub(crate) fn of(&self, ip: IpAddr) -> Known {
        self.known.get(&ip).copied().unwrap_or_default()
    }

    /// The last look-up of an address holds.
    pub(crate) fn remember(&mut self, ip: IpAddr, rules: &[RuleId], origin: Option<Origin>) {
        let known = self.rules.iter().find(|known| **known == rules).copied();
        let rules = known.unwrap_or_else(|| {
            let kept = Box::leak(rules.into());
            self.rules.push(kept);
            kept
        });
        let known = Known { rules, origin };
        if known == Known::default() {
            self.known.remove(&ip);
        } else {
            self.known.set(ip, known);
        }
    }
}

#[cfg(test)]
mod tests {
    use mif_policy::PvdId;

    use super::*;

    #[test]
    fn the_last_look_up_holds() {
        let mut learned = Learned::default();
        let ip = "203.0.113.30".parse().unwrap();
        assert_eq!(learned.of(ip), Known::default());
        let origin = Some(Origin {
            pvd: PvdId(3),
            by_zone: true,
        });
        for (rules, origin) in [
            (&[RuleId(1), RuleId(4)][..], None),
            (&[RuleId(4)], origin),
            (&[], origin),
            (&[RuleId(4)], None),
        ] {
            learned.remember(ip, rules, origin);
            assert_eq!(
                learned.of(ip),
                Known {
                    rules: rules.to_vec().leak(),
                    origin
                }
            );
        }
        assert_eq!(learned.rules.len(), 3, "each is kept once");
        learned.remember(ip, &[], None);
        assert_eq!(learned.of(ip), Known::default());
    }
}
