//! The network that the policy picks for a look-up: whether its servers are asked, over which
//! sockets, and in which order addresses are wanted there. All that looks names up shares it.

use std::ffi::c_int;
use std::net::IpAddr;

use mif_policy::{Looked, Refusal, Resolvers, Unusable, Verdict};
use mif_resolve::order::Selection;
use mif_resolve::{Failure, Plan, Way, Ways};

use crate::init::Active;
use crate::log::Log;

/// `netdb.h`.
pub(crate) const HOST_NOT_FOUND: c_int = 1;
pub(crate) const TRY_AGAIN: c_int = 2;
pub(crate) const NO_RECOVERY: c_int = 3;
pub(crate) const NO_DATA: c_int = 4;

/// What is to be done with a look-up that is not put to a network's servers.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Otherwise {
    /// libc is to do it.
    Libc,
    /// The policy refuses it.
    Failed(Failure),
}

/// Whether the servers of the policy's choice are to be asked; what was decided is logged.
pub(crate) fn may_ask(
    active: &Active,
    call: &str,
    name: &str,
    resolvers: &Resolvers<'_>,
) -> Result<(), Otherwise> {
    let verdict = resolvers.verdict();
    Log::decision(active, call, &Looked(name, resolvers), &verdict);
    match verdict {
        Verdict::Refuse(Refusal::Exhausted(_, Unusable::ForeignName)) => {
            Err(Otherwise::Failed(Failure::Fail))
        }
        Verdict::Refuse(Refusal::Exhausted(..)) => Err(Otherwise::Failed(Failure::Again)),
        Verdict::Refuse(_) => Err(Otherwise::Failed(Failure::Fail)),
        // `system`, without servers of the policy's own.
        Verdict::Route(_) | Verdict::Pass(_) if resolvers.servers().is_empty() => {
            Err(Otherwise::Libc)
        }
        Verdict::Route(_) | Verdict::Pass(_) => Ok(()),
    }
}

/// How questions are put to the servers of the policy's choice.
pub(crate) fn plan<'a>(
    active: &'a Active,
    resolvers: &'a Resolvers<'_>,
    way: &'a Ways<'a>,
) -> Plan<'a> {
    Plan::of(resolvers, active.policy.families, way, active)
}

/// What the policy says about the order of addresses.
pub(crate) fn selection<'p>(resolvers: &Resolvers<'p>) -> Selection<'p> {
    Selection::of(resolvers)
}

/// How an address is reached within the network that was chosen for a look-up.
pub(crate) fn way<'p>(active: &'p Active, verdict: &Verdict<'p>, ip: IpAddr) -> Way<'p> {
    Way::within(verdict, ip, &active.policy, &active.view())
}

/// The `h_errno` of a failure.
pub(crate) fn host_error(failure: Failure) -> c_int {
    match failure {
        Failure::NoName => HOST_NOT_FOUND,
        Failure::NoData => NO_DATA,
        Failure::Again => TRY_AGAIN,
        Failure::Fail => NO_RECOVERY,
    }
}
