//! Why a flow is left alone or refused, in words.

use mif_policy::{Pass, Refusal};

/// Why a flow is left alone.
pub(super) fn pass(why: Pass) -> &'static str {
    match why {
        Pass::Local => "loopback, or an address of this host",
        Pass::Scoped => "the scope id names the interface",
        Pass::System(_) => "the rule says `system`",
        Pass::Respected => "the application bound it itself",
    }
}

/// Why a flow is refused.
pub(super) fn refusal(why: Refusal) -> &'static str {
    match why {
        Refusal::Chosen(_) => "the rule says `none`",
        Refusal::Exhausted(_, _) => "no network of the rule is usable now",
        Refusal::Resolver(_) => "`dns.guard`: a DNS server that is not the network's",
        Refusal::Family => "`family` excludes it",
        Refusal::LocalForbidden(_) => "`local = false`, and no network leads to loopback",
        // The rest depends on a socket, and here is none.
        _ => "the state of the host is not known",
    }
}
