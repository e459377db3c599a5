//! Decisions in words, for the log: the same whichever way a call was caught.

use std::fmt;

use crate::model::{Choice, Interface, Policy, RuleId};
use crate::verdict::{Pass, Refusal, Unusable, Verdict};

impl Policy {
    /// A decision in words: network, interface, rule and outcome. `faulty` says that this policy
    /// only stands for one with a fault.
    #[must_use]
    pub fn outcome<'a>(
        &'a self,
        verdict: &'a Verdict<'a>,
        faulty: bool,
    ) -> impl fmt::Display + use<'a> {
        Outcome {
            policy: self,
            verdict,
            faulty,
        }
    }
}

struct Outcome<'a> {
    policy: &'a Policy,
    verdict: &'a Verdict<'a>,
    faulty: bool,
}

impl fmt::Display for Outcome<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let policy = self.policy;
        match self.verdict {
            Verdict::Pass(Pass::Local) => f.write_str("local, not touched"),
            Verdict::Pass(Pass::Scoped) => f.write_str("its scope id names the interface"),
            Verdict::Pass(Pass::Respected) => f.write_str("the application's own choice stands"),
            Verdict::Pass(Pass::System(rule)) => write!(f, "system, by {}", by(policy, *rule)),
            Verdict::Route(route) => {
                write!(f, "{}", route.name)?;
                match route.interface {
                    Interface::Named(name) => write!(f, " (interface {name}")?,
                    Interface::OfSource => {
                        write!(f, " (interface index {}", route.index)?;
                    }
                }
                if let Some(source) = route.source {
                    write!(f, ", source {source}")?;
                }
                write!(f, "), by {}", by(policy, route.rule))
            }
            Verdict::Refuse(refusal) => {
                f.write_str("refused: ")?;
                self.refusal(f, *refusal)
            }
        }
    }
}

impl Outcome<'_> {
    fn refusal(&self, f: &mut fmt::Formatter<'_>, refusal: Refusal) -> fmt::Result {
        let policy = self.policy;
        match refusal {
            Refusal::Internal => f.write_str("the kernel would not put the socket on the network"),
            Refusal::Mark(rule) => write!(
                f,
                "SO_MARK needs CAP_NET_ADMIN or CAP_NET_RAW, and {} wants a mark",
                by(policy, rule)
            ),
            Refusal::Source(rule) => {
                write!(
                    f,
                    "the socket cannot take the source address of {}",
                    by(policy, rule)
                )
            }
            Refusal::Family => f.write_str("the policy's family excludes it"),
            Refusal::Chosen(_) if self.faulty => f.write_str("the policy has a fault"),
            Refusal::Chosen(rule) => write!(f, "none, by {}", by(policy, rule)),
            Refusal::LocalForbidden(rule) => {
                write!(
                    f,
                    "local = false, and no network of {} leads to it",
                    by(policy, rule)
                )
            }
            Refusal::Resolver(rule) => write!(
                f,
                "a DNS server that is not the network's (dns.guard), by {}",
                by(policy, rule)
            ),
            Refusal::Origin(rule, pvd, why) => write!(
                f,
                "it was looked up on {}, and {why}, by {}",
                policy.pvd(pvd).name,
                by(policy, rule)
            ),
            Refusal::Elsewhere(rule) => write!(
                f,
                "the application put the socket on another network than {}",
                by(policy, rule)
            ),
            Refusal::Exhausted(rule, why) => {
                write!(
                    f,
                    "{}{why}, by {}",
                    first_name(policy, rule, why),
                    by(policy, rule)
                )
            }
        }
    }
}

/// The name that the reason is about: the first network of the rule.
fn first_name(policy: &Policy, rule: RuleId, why: Unusable) -> impl fmt::Display + use<'_> {
    let first = policy.rule(rule).choices.0.first();
    let name = match first {
        Some(Choice::Pvd(id)) if why != Unusable::Unknown || policy.pvds.len() == 1 => {
            &*policy.pvd(*id).name
        }
        _ => "",
    };
    fmt::from_fn(move |f| {
        if name.is_empty() {
            Ok(())
        } else {
            write!(f, "{name}: ")
        }
    })
}

fn by(policy: &Policy, rule: RuleId) -> impl fmt::Display + use<'_> {
    policy.place(policy.rule(rule).place)
}
