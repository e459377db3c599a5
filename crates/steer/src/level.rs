//! How much is said of what was decided (`MIF_LOG`), in both ways into mif.

use mif_policy::{Pass, Policy, Verdict};

/// How much is said; each says what those before it say, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Nothing.
    Off,
    /// What programs could not be started: the default, since an application tells nobody why.
    Programs,
    /// What was refused.
    Refused,
    /// Every decision of a rule.
    Decisions,
    /// What is exempt too.
    Debug,
}

impl Level {
    /// The level of a value of `MIF_LOG`; what is none is the default.
    #[must_use]
    pub fn chosen(choice: Option<&[u8]>) -> Self {
        match choice {
            Some(b"off") => Self::Off,
            Some(b"refused") => Self::Refused,
            Some(b"decisions") => Self::Decisions,
            Some(b"debug") => Self::Debug,
            _ => Self::Programs,
        }
    }

    /// The level that is needed for a decision to be said.
    #[must_use]
    #[inline]
    pub fn of(verdict: &Verdict<'_>) -> Self {
        match verdict {
            Verdict::Refuse(_) => Self::Refused,
            Verdict::Pass(Pass::Local | Pass::Scoped) => Self::Debug,
            Verdict::Pass(_) | Verdict::Route(_) => Self::Decisions,
        }
    }
}

/// What is said where a program makes a ring of `io_uring`, whose calls nobody is asked about.
#[must_use]
pub fn said_of_ring(policy: &Policy) -> (Level, &'static str) {
    if policy.io_uring {
        let said =
            "io_uring_setup: allowed, and what it sends leaves by any network (reach.io_uring)";
        (Level::Decisions, said)
    } else {
        (Level::Refused, "io_uring_setup: refused (reach.io_uring)")
    }
}
