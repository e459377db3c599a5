//! Names: `getaddrinfo` and the `gethostbyname` family, asked of the servers of the network that
//! the policy picks for the name.
//!
//! Names that mif does not resolve itself are libc's, with the caller's own arguments: numeric
//! ones, `localhost`, `.local`, and those of a network without known servers.

use std::ffi::{CStr, c_char, c_int};
use std::fmt;
use std::net::IpAddr;

use libc::{addrinfo, hostent, size_t};
use mif_policy::{Need, Origin, Pass, Refusal, Resolvers, RuleId, Unusable, Verdict, Why};
use mif_resolve::order::Selection;
use mif_resolve::{Answer, Ask, Failure, Patience, Plan, Way};

use crate::addrinfo as list;
use crate::guard::unless_panic;
use crate::hooks::real;
use crate::hostent::{self as host_entry, HostBuffer, fill};
use crate::init::{Active, active};
use crate::learned::Known;
use crate::log::{Level, Log};
use crate::sockaddr::is_plausible;

/// `netdb.h`.
const HOST_NOT_FOUND: c_int = 1;
const TRY_AGAIN: c_int = 2;
const NO_RECOVERY: c_int = 3;
const NO_DATA: c_int = 4;

/// # Safety
/// As getaddrinfo(3).
pub(crate) unsafe fn getaddrinfo(
    node: *const c_char,
    service: *const c_char,
    hints: *const addrinfo,
    res: *mut *mut addrinfo,
) -> c_int {
    if let Some(active) = active() {
        // SAFETY: the caller's own arguments.
        let answer = unsafe { addresses(active, node, service, hints, res) };
        if let Some(code) = answer {
            return code;
        }
    }
    // SAFETY: the caller's own arguments.
    unsafe { real::getaddrinfo(node, service, hints, res) }
}

/// What mif has to say to a `getaddrinfo`; `None` leaves it to libc.
///
/// # Safety
/// As getaddrinfo(3).
#[inline(never)]
unsafe fn addresses(
    active: &'static Active,
    node: *const c_char,
    service: *const c_char,
    hints: *const addrinfo,
    res: *mut *mut addrinfo,
) -> Option<c_int> {
    // SAFETY: the caller's contract for `node`.
    let name = unsafe { name_of(node) }?;
    // SAFETY: the caller's contract for the other arguments.
    let request = unsafe { list::Request::new(service, hints) }?;
    // What libc would say to a numeric name is what it says to flags, family and service, before
    // anyone is asked.
    if let Err(code) = request.check() {
        return Some(code);
    }
    let ask = || resolve(active, "getaddrinfo", name, request.ask());
    match unless_panic(Names::Failed(Failure::Fail), ask) {
        Names::Libc => {
            // SAFETY: the caller's own arguments.
            let code = unsafe { real::getaddrinfo(node, service, hints, res) };
            if code == 0 && active.policy.learns_addresses() {
                // SAFETY: libc has just written here.
                let found = unsafe { *res };
                // SAFETY: libc has just made this list.
                let addresses = unsafe { list::addresses(found) };
                unless_panic((), || remember(active, name, &addresses, None));
            }
            Some(code)
        }
        Names::Failed(failure) => Some(list::error(failure)),
        // SAFETY: the caller vouches for `res`.
        Names::Found(answer) => Some(unsafe { request.answer(&answer, res) }),
    }
}

/// # Safety
/// As gethostbyname(3).
pub(crate) unsafe fn gethostbyname(name: *const c_char) -> *mut hostent {
    // SAFETY: the caller's contract.
    match unsafe { host_by_name("gethostbyname", name, libc::AF_INET) } {
        None => {
            // SAFETY: the caller's own arguments.
            let host = unsafe { real::gethostbyname(name) };
            // SAFETY: the caller's contract, and libc's answer.
            unsafe { learn(name, host) };
            host
        }
        Some(answer) => static_host(answer, libc::AF_INET),
    }
}

/// # Safety
/// As gethostbyname2(3).
pub(crate) unsafe fn gethostbyname2(name: *const c_char, family: c_int) -> *mut hostent {
    // SAFETY: the caller's contract.
    match unsafe { host_by_name("gethostbyname2", name, family) } {
        None => {
            // SAFETY: the caller's own arguments.
            let host = unsafe { real::gethostbyname2(name, family) };
            // SAFETY: the caller's contract, and libc's answer.
            unsafe { learn(name, host) };
            host
        }
        Some(answer) => static_host(answer, family),
    }
}

/// # Safety
/// As `gethostbyname_r(3)`.
pub(crate) unsafe fn gethostbyname_r(
    name: *const c_char,
    ret: *mut hostent,
    buf: *mut c_char,
    size: size_t,
    result: *mut *mut hostent,
    h_errno: *mut c_int,
) -> c_int {
    // SAFETY: the caller's contract.
    match unsafe { host_by_name("gethostbyname_r", name, libc::AF_INET) } {
        None => {
            // SAFETY: the caller's own arguments.
            let code = unsafe { real::gethostbyname_r(name, ret, buf, size, result, h_errno) };
            // SAFETY: libc has just written here.
            let host = unsafe { *result };
            // SAFETY: the caller's contract, and libc's answer.
            unsafe { learn(name, host) };
            code
        }
        Some(answer) => {
            // SAFETY: the caller's contract for the buffers.
            unsafe { fill(answer, libc::AF_INET, ret, buf, size, result, h_errno) }
        }
    }
}

/// # Safety
/// As `gethostbyname2_r(3)`.
pub(crate) unsafe fn gethostbyname2_r(
    name: *const c_char,
    family: c_int,
    ret: *mut hostent,
    buf: *mut c_char,
    size: size_t,
    result: *mut *mut hostent,
    h_errno: *mut c_int,
) -> c_int {
    // SAFETY: the caller's contract.
    match unsafe { host_by_name("gethostbyname2_r", name, family) } {
        None => {
            // SAFETY: the caller's own arguments.
            let code =
                unsafe { real::gethostbyname2_r(name, family, ret, buf, size, result, h_errno) };
            // SAFETY: libc has just written here.
            let host = unsafe { *result };
            // SAFETY: the caller's contract, and libc's answer.
            unsafe { learn(name, host) };
            code
        }
        Some(answer) => {
            // SAFETY: the caller's contract for the buffers.
            unsafe { fill(answer, family, ret, buf, size, result, h_errno) }
        }
    }
}

/// The answer of the functions that return static memory; they are not thread-safe, here as in
/// libc.
fn static_host(answer: Result<Answer, c_int>, family: c_int) -> *mut hostent {
    static BUFFER: HostBuffer = HostBuffer::new();
    BUFFER.fill(answer, family)
}

/// What mif has to say to a `gethostbyname`: an answer or an `h_errno`; `None` leaves it to libc.
///
/// # Safety
/// `name` must be null, invalid for every process, or a C string.
unsafe fn host_by_name(
    call: &str,
    name: *const c_char,
    family: c_int,
) -> Option<Result<Answer, c_int>> {
    let ask = match family {
        libc::AF_INET => Ask::V4,
        libc::AF_INET6 => Ask::V6,
        _ => return None,
    };
    let active = active()?;
    // SAFETY: the caller's contract.
    let name = unsafe { name_of(name) }?;
    match unless_panic(Names::Failed(Failure::Fail), || {
        resolve(active, call, name, ask)
    }) {
        Names::Libc => None,
        Names::Found(answer) => Some(Ok(answer)),
        Names::Failed(failure) => Some(Err(match failure {
            Failure::NoName => HOST_NOT_FOUND,
            Failure::NoData => NO_DATA,
            Failure::Again => TRY_AGAIN,
            Failure::Fail => NO_RECOVERY,
        })),
    }
}

/// Remembers what libc itself said about a name: flows to it obey the rules for the name too.
///
/// # Safety
/// `name` must be null, invalid for every process, or a C string; `host` null or an answer of libc.
unsafe fn learn(name: *const c_char, host: *const hostent) {
    let Some(active) = active().filter(|active| active.policy.learns_addresses()) else {
        return;
    };
    // SAFETY: the caller's contract.
    if let Some(name) = unsafe { name_of(name) }
        && !host.is_null()
    {
        // SAFETY: the caller's contract.
        let addresses = unsafe { host_entry::addresses(host) };
        unless_panic((), || remember(active, name, &addresses, None));
    }
}

/// The name, unless it is libc's in any case.
///
/// # Safety
/// `name` must be null, invalid for every process, or a C string that stays for `'n`.
unsafe fn name_of<'n>(name: *const c_char) -> Option<&'n str> {
    if !is_plausible(name) {
        return None;
    }
    // SAFETY: the caller's contract.
    let name = unsafe { CStr::from_ptr(name) };
    // What is not UTF-8 is no host name; libc will say so.
    name.to_str().ok().filter(|name| !is_libcs(name))
}

/// Names that are not asked of any network: numeric ones, the local host's, and those that
/// multicast DNS answers.
fn is_libcs(name: &str) -> bool {
    let bare = name.strip_suffix('.').unwrap_or(name);
    let last = bare.rsplit('.').next().unwrap_or(bare);
    // inet_aton(3) takes 1 to 4 numbers, decimal, octal or hexadecimal. No top-level domain begins
    // with a digit, so nothing else does.
    let numeric = last.starts_with(|first: char| first.is_ascii_digit()) || name.contains(':');
    bare.is_empty()
        || numeric
        || last.eq_ignore_ascii_case("localhost")
        || (last.len() < bare.len() && last.eq_ignore_ascii_case("local"))
}

/// What became of a look-up.
enum Names {
    /// libc is to resolve it.
    Libc,
    Found(Answer),
    Failed(Failure),
}

fn resolve(active: &Active, call: &str, name: &str, ask: Ask) -> Names {
    if let Some(answer) = from_hosts_file(name, ask) {
        remember(active, name, &answer.addresses, None);
        return Names::Found(answer);
    }
    let resolvers = active.policy.resolvers(name, &active.view());
    let (verdict, servers) = (resolvers.verdict(), resolvers.servers());
    Log::decision(active, call, &Looked(name, &resolvers), &verdict);
    match verdict {
        Verdict::Refuse(Refusal::Exhausted(_, Unusable::ForeignName)) => {
            return Names::Failed(Failure::Fail);
        }
        Verdict::Refuse(Refusal::Exhausted(..)) => return Names::Failed(Failure::Again),
        Verdict::Refuse(_) => return Names::Failed(Failure::Fail),
        Verdict::Route(_) | Verdict::Pass(_) if servers.is_empty() => {
            if matches!(verdict, Verdict::Route(_)) {
                active.log.line(
                    Level::Decisions,
                    format_args!(
                        "{call} {name}: no DNS servers known, so the host's resolver is asked"
                    ),
                );
            }
            return Names::Libc;
        }
        Verdict::Route(_) | Verdict::Pass(_) => {}
    }
    let way = |ip: IpAddr| way(active, &verdict, ip);
    let plan = Plan {
        servers,
        search: resolvers.search(),
        zones: resolvers.zones(),
        way: &way,
        families: active.policy.families,
        ask,
        selection: Selection {
            table: resolvers.table(),
            prefer: resolvers.prefer(),
        },
        patience: Patience::default(),
    };
    match mif_resolve::lookup(name, &plan) {
        Ok(answer) => {
            remember(active, name, &answer.addresses, resolvers.origin());
            Names::Found(answer)
        }
        Err(failure) => {
            active.log.line(
                Level::Decisions,
                format_args!("{call} {name}: no answer ({failure:?}) from {servers:?}"),
            );
            Names::Failed(failure)
        }
    }
}

/// A name in a line of the log, with the zone that it was chosen by.
struct Looked<'a>(&'a str, &'a Resolvers<'a>);

impl fmt::Display for Looked<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)?;
        match self.1.first().map(|first| first.why) {
            Some(Why::Zone(zone)) => write!(f, " (zone {zone})"),
            _ => Ok(()),
        }
    }
}

/// How an address is reached within the network that was chosen for a look-up.
fn way<'p>(active: &'p Active, verdict: &Verdict<'p>, ip: IpAddr) -> Way<'p> {
    let (policy, host) = (&active.policy, &active.view());
    match verdict {
        Verdict::Pass(Pass::System(_)) => Way::Host,
        _ if mif_policy::Host::owner(host, ip).is_some() => Way::Host,
        Verdict::Route(route) => policy
            .route(route.pvd, route.rule, Need::of(ip), host)
            .map_or(Way::Closed, Way::Route),
        _ => Way::Closed,
    }
}

/// `/etc/hosts` goes before any server. It is answered here and not by libc, which asks its own
/// servers for a family that the file does not have.
fn from_hosts_file(name: &str, ask: Ask) -> Option<Answer> {
    let text = std::fs::read("/etc/hosts").ok()?;
    mif_resolve::hosts::lookup(&String::from_utf8_lossy(&text), name, ask)
}

/// Remembers what flows to the addresses found have to be told: the rules that speak of the name,
/// and where there is a choice of networks, the one whose servers answered.
fn remember(active: &Active, name: &str, addresses: &[IpAddr], origin: Option<Origin>) {
    let policy = &active.policy;
    let origin = origin.filter(|_| policy.has_several_networks());
    let rules: Vec<RuleId> = policy.rules_naming(name).collect();
    for &address in addresses {
        let known = Known {
            rules: &rules,
            origin,
        };
        active
            .learned
            .remember(mif_socket::canonical(address), known);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numeric_and_local_names_are_libcs() {
        for name in [
            "127.0.0.1",
            "127.1",
            "0x7f.1",
            "017700000001",
            "::1",
            "fe80::1%eth0",
        ] {
            assert!(is_libcs(name), "{name}");
        }
        for name in [
            "",
            ".",
            "localhost",
            "LOCALHOST.",
            "a.localhost",
            "printer.local",
        ] {
            assert!(is_libcs(name), "{name}");
        }
        for name in [
            "who.test",
            "1.example",
            "local",
            "3com.com",
            "a.localhost.example",
        ] {
            assert!(!is_libcs(name), "{name}");
        }
    }
}
