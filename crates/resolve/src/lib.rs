//! Names for one provisioning domain, asked of that domain's servers only, over sockets that are
//! put on that domain (RFC 6731: an answer is used only in the domain it came from).
//!
//! [`lookup`] turns a name into the `search` list's candidates, asks each of the servers
//! (`exchange`), follows aliases, and orders the addresses (`probe`, [`order`]). [`reverse`] finds the
//! names of an address, and [`raw`] carries a message of the application's own. Sockets are
//! opened, used and closed within the call by raw system calls: nothing passes through the
//! `connect` and `sendto` symbols, which libmif.so itself interposes, and `errno` stays as it is.
//!
//! What may be kept of the answers is kept by a [`Cache`], if the caller has one.
//!
//! The crate deliberately lacks threads, an executor, state of its own between calls, a reader of
//! `/etc/hosts` or `resolv.conf` (the caller has the text), and a choice of its own where a
//! network is concerned: [`Plan::way`] says how each address is reached, and what it does not
//! open is not asked.
#![forbid(unsafe_code)]

mod cache;
mod codec;
mod exchange;
pub mod frame;
pub mod hosts;
pub mod idn;
pub mod order;
mod probe;
pub mod raw;
pub mod reply;
pub mod reverse;
mod search;
mod secure;
mod socket;
mod wire;

use std::fmt;
use std::net::IpAddr;
use std::os::fd::BorrowedFd;
use std::time::Duration;

use hickory_proto::rr::Name;
use mif_policy::{Families, Host, Need, Pass, Policy, Resolvers, Route, Server, Verdict, Zone};

use crate::exchange::{Exchange, Trouble};
use crate::order::Selection;
use crate::probe::arrange_by;
use crate::wire::{A, AAAA};

pub use cache::{Cache, Scope};
pub use probe::arrange;
pub use secure::{InTheClear, Secure};

/// Reads bytes as the reply to a question, and goes along its aliases: what a look-up, of a name or
/// of an address, does with anything that comes from the network. For fuzzing; the question is that of the reply itself, so
/// that mutants get past the comparison. True for a reply that made sense.
#[doc(hidden)]
#[must_use]
pub fn read_any_reply(bytes: &[u8]) -> bool {
    codec::read_any(bytes)
}

/// How the names of one provisioning domain are asked.
#[derive(Clone, Copy)]
pub struct Plan<'a> {
    /// Recursive resolvers, in the order they are asked.
    pub servers: &'a [Server],
    /// Who speaks to those that are not spoken to in the clear.
    pub secure: &'a dyn Secure,
    /// Suffixes for names without a dot, and for others that do not exist as they are.
    pub search: &'a [Box<str>],
    /// Names that the servers may be asked; none at all means all. What else the search list makes
    /// of a name is not asked.
    pub zones: &'a [Zone],
    /// How an address, a server's or an answer's, is reached. Loopback is not asked about: a
    /// device-bound socket would put the datagrams on the wire.
    pub way: &'a Ways<'a>,
    /// Which families the policy allows.
    pub families: Families,
    /// Which families the application wants.
    pub ask: Ask,
    /// What the policy says about the order of addresses.
    pub selection: Selection<'a>,
    /// How long to wait for answers.
    pub patience: Patience,
    /// A descriptor that can be read when the answer is not wanted any more.
    pub stop: Option<BorrowedFd<'a>>,
}

impl<'a> Plan<'a> {
    /// How questions are put to the servers that a policy chose for a name.
    #[must_use]
    pub fn of(
        resolvers: &'a Resolvers<'a>,
        families: Families,
        way: &'a Ways<'a>,
        secure: &'a dyn Secure,
    ) -> Self {
        Self {
            servers: resolvers.servers(),
            secure,
            search: resolvers.search(),
            zones: resolvers.zones(),
            way,
            families,
            ask: Ask::Both,
            selection: Selection::of(resolvers),
            patience: Patience::default(),
            stop: None,
        }
    }
}

/// How an address is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way<'a> {
    /// As the host's own routing has it: the sockets are left alone.
    Host,
    /// Over sockets that are put on this network first.
    Route(Route<'a>),
    /// Not at all.
    Closed,
}

impl<'p> Way<'p> {
    /// How an address is reached within the network that was chosen for a look-up.
    #[must_use]
    pub fn within(verdict: &Verdict<'p>, ip: IpAddr, policy: &'p Policy, host: &impl Host) -> Self {
        match verdict {
            Verdict::Pass(Pass::System(_)) => Self::Host,
            _ if host.owner(ip).is_some() => Self::Host,
            Verdict::Route(route) => policy
                .route(route.pvd, route.rule, Need::of(ip), host)
                .map_or(Self::Closed, Self::Route),
            _ => Self::Closed,
        }
    }
}

/// Tells how each address is reached.
pub type Ways<'a> = dyn Fn(IpAddr) -> Way<'a> + 'a;

/// Which addresses the application wants, as `ai_family` or `af` tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    /// IPv4 only.
    V4,
    /// IPv6 only.
    V6,
    /// Both.
    Both,
}

/// How long to wait, with the defaults of resolv.conf(5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// For each try at one server.
    pub timeout: Duration,
    /// Times that the list of servers is gone through.
    pub attempts: u32,
    /// For all of one [`lookup`].
    pub total: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(5),
            attempts: 2,
            total: Duration::from_mins(1),
        }
    }
}

/// What a name stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Answer {
    /// The name at the end of the aliases, without the trailing dot.
    pub canonical: String,
    /// Its addresses, at least one. From [`lookup`] they are in the order of RFC 6724.
    pub addresses: Vec<IpAddr>,
}

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The name does not exist (`EAI_NONAME`, `HOST_NOT_FOUND`).
    NoName,
    /// The name exists and has no address of the families asked for (`EAI_NODATA`, `NO_DATA`).
    NoData,
    /// No server gave an answer: unreachable, silent or unwilling (`EAI_AGAIN`, `TRY_AGAIN`).
    Again,
    /// It will not get better: no server to ask, no family left to ask for, or answers that make
    /// no sense (`EAI_FAIL`, `NO_RECOVERY`).
    Fail,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoName => "no such name",
            Self::NoData => "the name has no address of these families",
            Self::Again => "no server answered",
            Self::Fail => "there is nobody to ask, or the answer makes no sense",
        })
    }
}

/// Aliases are asked for anew this often before the name is given up.
const MAX_RESTARTS: usize = 8;

/// The addresses of `name`, which may have a trailing dot to keep it from the search list.
///
/// # Errors
/// See [`Failure`]. Where several candidates of the search list fail, the reason is chosen as
/// glibc does: that of the name as it is if that was tried first, else "no data" before "again"
/// before "no name".
pub fn lookup(name: &str, plan: &Plan<'_>) -> Result<Answer, Failure> {
    lookup_for(name, plan, &mut 0)
}

/// The same, with how many seconds what is said holds: that of everything it was concluded from,
/// and 0 where a server failed.
fn lookup_for(name: &str, plan: &Plan<'_>, ttl: &mut u32) -> Result<Answer, Failure> {
    *ttl = 0;
    let kinds = kinds(plan.ask, plan.families);
    if plan.servers.is_empty() || kinds.is_empty() {
        return Err(Failure::Fail);
    }
    let exchange = Exchange::new(*plan, kinds);
    let mut verdict = Failure::NoName;
    let mut shortest = u32::MAX;
    let as_is_first = search::as_is_first(name);
    let candidates = search::candidates(name, plan.search).filter(|name| may_be_asked(name, plan));
    for (tried, candidate) in candidates.enumerate() {
        let why = match resolve(&candidate, &exchange, &mut shortest) {
            Ok(mut answer) => {
                let socket = exchange.into_socket();
                arrange_by(socket, &mut answer.addresses, plan.way, &plan.selection);
                *ttl = shortest;
                return Ok(answer);
            }
            Err(Miss::NoName) => Failure::NoName,
            Err(Miss::NoData) => Failure::NoData,
            Err(Miss::Trouble(Trouble::Unwilling)) => {
                shortest = 0;
                Failure::Again
            }
            // Every further candidate would wait as long again.
            Err(Miss::Trouble(Trouble::Silent)) => return fail(ttl, Failure::Again),
            Err(Miss::Trouble(Trouble::Broken)) => return fail(ttl, Failure::Fail),
        };
        if tried == 0 || (!as_is_first && weight(why) > weight(verdict)) {
            verdict = why;
        }
        *ttl = shortest;
    }
    Err(verdict)
}

fn may_be_asked(name: &Name, plan: &Plan<'_>) -> bool {
    plan.zones.is_empty() || {
        let name = name.to_ascii();
        plan.zones.iter().any(|zone| zone.holds(&name))
    }
}

fn fail(ttl: &mut u32, why: Failure) -> Result<Answer, Failure> {
    *ttl = 0;
    Err(why)
}

/// Why one candidate has no address.
enum Miss {
    NoName,
    NoData,
    Trouble(Trouble),
}

/// One candidate, along its aliases to their end. `ttl` is shortened to what was concluded from.
fn resolve(candidate: &Name, exchange: &Exchange<'_>, ttl: &mut u32) -> Result<Answer, Miss> {
    let mut name = candidate.clone();
    for _ in 0..MAX_RESTARTS {
        let mut end = None;
        let mut addresses = Vec::new();
        let mut restart = None;
        let mut denied = u32::MAX;
        let replies = exchange.ask(&name).map_err(Miss::Trouble)?;
        if !exchange.is_whole(&replies) {
            // A family whose server failed may have addresses the next time.
            *ttl = 0;
        }
        for reply in &replies {
            *ttl = reply.ttl().min(*ttl);
            let Some((at, found)) = reply.follow(&name) else {
                return Err(Miss::Trouble(Trouble::Broken));
            };
            if found.is_empty() {
                if reply.is_final() || at == name {
                    denied = denied.min(reply.denial_ttl());
                } else {
                    restart = restart.or(Some(at));
                }
            } else {
                end.get_or_insert(at);
                addresses.extend(found);
            }
        }
        if end.is_some() && restart.is_some() {
            // The other family's end was not asked for.
            denied = 0;
        }
        *ttl = denied.min(*ttl);
        if let Some(end) = end {
            // What the application asked for it knows; what a server calls it has to be a host name,
            // since applications write it into logs and command lines.
            let canonical = match reverse::host_name(&end) {
                None if end != *candidate => return Err(Miss::Trouble(Trouble::Broken)),
                Some(canonical) => canonical,
                None => end.to_ascii().trim_end_matches('.').to_owned(),
            };
            return Ok(Answer {
                canonical,
                addresses,
            });
        }
        match restart {
            Some(target) => name = target,
            None if replies.iter().all(codec::Reply::says_no_name) => return Err(Miss::NoName),
            None => return Err(Miss::NoData),
        }
    }
    Err(Miss::Trouble(Trouble::Broken))
}

fn kinds(ask: Ask, families: Families) -> &'static [u16] {
    match (ask, families) {
        (Ask::Both, Families::Any) => &[A, AAAA],
        (Ask::V4 | Ask::Both, Families::V4) | (Ask::V4, Families::Any) => &[A],
        (Ask::V6 | Ask::Both, Families::V6) | (Ask::V6, Families::Any) => &[AAAA],
        (Ask::V4, Families::V6) | (Ask::V6, Families::V4) => &[],
    }
}

fn weight(why: Failure) -> u8 {
    match why {
        Failure::NoName => 0,
        Failure::Again => 1,
        Failure::NoData => 2,
        Failure::Fail => 3,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_families_that_both_sides_want_are_asked_for() {
        let (v4, v6): (&[_], &[_]) = (&[A], &[AAAA]);
        for (ask, families, wanted) in [
            (Ask::Both, Families::Any, &[A, AAAA][..]),
            (Ask::Both, Families::V4, v4),
            (Ask::Both, Families::V6, v6),
            (Ask::V4, Families::Any, v4),
            (Ask::V6, Families::Any, v6),
            (Ask::V4, Families::V6, &[]),
            (Ask::V6, Families::V4, &[]),
        ] {
            assert_eq!(kinds(ask, families), wanted, "{ask:?} {families:?}");
        }
    }
}
