//! The policy's standing answer: what it said of a flow where it says the same of every other one to
//! an ordinary destination, for as long as what it knew of the host holds (`mif_host::Standing`).
//!
//! It is a copy of an answer and no way to come to one. Whatever is not as usual (an odd destination,
//! a socket that may have been put somewhere, a log that wants to hear of it) finds none here, and
//! the policy is asked.
#![allow(
    clippy::inline_always,
    reason = "of the price of a datagram, calls and what is handed to them were more than half"
)]

use std::ffi::c_int;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use libc::{sa_family_t, sockaddr_in, sockaddr_in6, socklen_t};
use mif_host::{Dated, Standing, View};
use mif_policy::{
    Flow, Interface, Origin, Policy, Protocol, Route, Verdict, is_ordinary, is_ordinary_v4,
    is_ordinary_v6,
};

use crate::init::Active;
use crate::log::Level;
use crate::{flags, memory, sockaddr};

/// What this process has done that makes every flow one to be asked about.
const QUESTIONS: u32 = flags::BOUND | flags::PINNED | flags::DEVICE | flags::MOVED;

/// What is seen of an address at a glance.
pub(crate) enum Glance {
    /// It is none of IP: the call passes.
    Passes,
    /// An answer stands for flows to it, of IPv4 (`true`) or IPv6, if it holds.
    Stands(bool),
    /// It has to be looked at.
    Ask,
}

/// Looks at an address of a call.
///
/// # Safety
/// As connect(2), for an address that may be bad.
#[inline(always)]
pub(crate) unsafe fn glance(
    active: &Active,
    addr: *const libc::sockaddr,
    len: socklen_t,
) -> Glance {
    match len as usize {
        LEN_V4 if memory::is_known_readable(addr, LEN_V4) => {
            // SAFETY: readable, and longer than this.
            let head = unsafe { addr.cast::<[u8; 8]>().read_unaligned() };
            let [f0, f1, p0, p1, ip @ ..] = head;
            let (ip, port) = (Ipv4Addr::from_octets(ip), u16::from_be_bytes([p0, p1]));
            match u16::from_ne_bytes([f0, f1]).into() {
                libc::AF_INET if !active.host.may_stand(true) => Glance::Ask,
                libc::AF_INET => stands(active, true, ip.into(), is_ordinary_v4(ip, port)),
                family => other(family),
            }
        }
        LEN_V6 if memory::is_known_readable(addr, LEN_V6) => {
            // SAFETY: readable, and longer than this.
            let head = unsafe { addr.cast::<[u8; 24]>().read_unaligned() };
            let [f0, f1, p0, p1, _, _, _, _, ip @ ..] = head;
            let (ip, port) = (Ipv6Addr::from_octets(ip), u16::from_be_bytes([p0, p1]));
            match u16::from_ne_bytes([f0, f1]).into() {
                libc::AF_INET6 if !active.host.may_stand(false) => Glance::Ask,
                libc::AF_INET6 => stands(active, false, ip.into(), is_ordinary_v6(ip, port)),
                family => other(family),
            }
        }
        len @ 2.. if memory::is_known_readable(addr, len) => {
            // SAFETY: readable, and the first field.
            other(unsafe { addr.cast::<sa_family_t>().read_unaligned() }.into())
        }
        _ => Glance::Ask,
    }
}

const LEN_V4: usize = size_of::<sockaddr_in>();
const LEN_V6: usize = size_of::<sockaddr_in6>();

#[inline(always)]
fn other(family: c_int) -> Glance {
    match family {
        libc::AF_INET | libc::AF_INET6 | libc::AF_UNSPEC => Glance::Ask,
        _ => Glance::Passes,
    }
}

/// Whether an answer stands for a destination, of IPv4 (`v4`) or IPv6.
#[inline(always)]
fn stands(active: &Active, v4: bool, ip: IpAddr, is_ordinary: bool) -> Glance {
    if is_ordinary && !flags::any(QUESTIONS) && active.host.is_foreign(ip) {
        Glance::Stands(v4)
    } else {
        Glance::Ask
    }
}

/// Whether a standing answer is for a destination of its family, too, by what look-ups told of that.
///
/// # Safety
/// `addr` as for [`sockaddr::read`].
#[inline(always)]
pub(crate) unsafe fn is_for(
    standing: Standing<'_>,
    active: &Active,
    addr: *const libc::sockaddr,
    len: socklen_t,
) -> bool {
    // SAFETY: the caller's contract.
    !flags::any(flags::LEARNED) || unsafe { is_for_looked_up(standing, active, addr, len) }
}

/// # Safety
/// As [`is_for`].
#[inline(never)]
unsafe fn is_for_looked_up(
    standing: Standing<'_>,
    active: &Active,
    addr: *const libc::sockaddr,
    len: socklen_t,
) -> bool {
    // SAFETY: the caller's contract.
    let Some(given) = (unsafe { sockaddr::read(addr, len) }) else {
        return false;
    };
    let known = active.learned.of(given.meant.ip());
    let is_there = |origin: Origin| standing.pvd() == Some(origin.pvd);
    known.rules.is_empty() && known.origin.is_none_or(is_there)
}

/// Where the policy has been asked about a destination: asks it once more for all like it, if the
/// last answer has become old.
#[inline]
pub(crate) fn renew(active: &Active, host: &View<'_>, destination: SocketAddr) {
    if is_ordinary(destination)
        && !flags::any(QUESTIONS)
        && host.has_outlived(destination.is_ipv4())
    {
        ask(active, host, destination);
    }
}

#[cold]
fn ask(active: &Active, host: &View<'_>, destination: SocketAddr) {
    let v4 = destination.is_ipv4();
    // Each decision is a line of the log there.
    let is_told = active.log.wants(Level::Decisions);
    let dated = host.dated();
    let stands = !is_told
        && active.policy.is_uniform(v4)
        && usual_route(&active.policy, destination, &dated)
            .is_some_and(|route| dated.stand(v4, route.pvd, route.index));
    if !stands {
        host.ask_for_now(v4);
    }
}

/// The route of a flow, if to be put on it takes a socket no more than a device or an index.
fn usual_route<'p>(
    policy: &'p Policy,
    destination: SocketAddr,
    host: &Dated<'_>,
) -> Option<Route<'p>> {
    let flow = Flow {
        destination,
        // Whichever: the policy says the same of all.
        protocol: Protocol::Udp,
        named: &[],
        origin: None,
    };
    match policy.decide(&flow, host) {
        Verdict::Route(
            route @ Route {
                source: None,
                prefer_source: None,
                mark: None,
                interface: Interface::Named(_),
                ..
            },
        ) => Some(route),
        _ => None,
    }
}
