//! Names: `getaddrinfo` and the `gethostbyname` family, asked of the servers of the network that
//! the policy picks for the name.
//!
//! Names that mif does not resolve itself are libc's, with the caller's own arguments: numeric
//! and special ones (`nss.rs`), and those of a network without known servers.

use std::ffi::{CStr, c_char, c_int};
use std::net::IpAddr;

use libc::{addrinfo, hostent, size_t};
use mif_policy::{Families, Need, Origin, RuleId, Verdict};
use mif_resolve::{Answer, Ask, Failure, Plan, Scope};

use crate::addrinfo as list;
use crate::flags;
use crate::guard::unless_panic;
use crate::hooks::real;
use crate::hostent::{self as host_entry, HostBuffer, fill};
use crate::init::{Active, active};
use crate::learned::Known;
use crate::log::Level;
use crate::network::{Otherwise, host_error, may_ask, plan, selection, way};
use crate::nss;
use crate::numeric;
use crate::sockaddr::is_plausible;

/// # Safety
/// As getaddrinfo(3).
pub(crate) unsafe fn getaddrinfo(
    node: *const c_char,
    service: *const c_char,
    hints: *const addrinfo,
    res: *mut *mut addrinfo,
) -> c_int {
    // SAFETY: the caller's own node.
    if !flags::any(flags::NAMES_ARE_LIBCS) && !unsafe { numeric::ends_as_one(node) } {
        // SAFETY: the caller's own arguments.
        let answer = unsafe { addresses(node, service, hints, res) };
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
    node: *const c_char,
    service: *const c_char,
    hints: *const addrinfo,
    res: *mut *mut addrinfo,
) -> Option<c_int> {
    let active = active()?;
    // SAFETY: the caller's contract for `node`.
    let text = unsafe { text_of(node) }?;
    // SAFETY: the caller's contract for the other arguments.
    let request = unsafe { list::Request::new(service, hints) }?;
    let name = match request.name(text) {
        Ok(name) => name,
        Err(code) if unless_panic(true, || has_servers(active, "")) => return Some(code),
        Err(_) => return None,
    };
    let name = &*name;
    if !nss::is_name(name) {
        return None;
    }
    // What libc would say to a numeric name is what it says to flags, family and service, before
    // anyone is asked.
    if let Err(code) = request.check() {
        return Some(code);
    }
    let ask = || {
        resolve(
            active,
            "getaddrinfo",
            name,
            request.ask(),
            request.addrconfig(),
        )
    };
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

/// Whether a `getaddrinfo` with these arguments is not libc's alone.
///
/// # Safety
/// As getaddrinfo(3).
pub(crate) unsafe fn is_steered(
    active: &Active,
    node: *const c_char,
    service: *const c_char,
    hints: *const addrinfo,
) -> bool {
    // SAFETY: the caller's contract.
    let name = unsafe { text_of(node) };
    // SAFETY: the caller's contract.
    let request = unsafe { list::Request::new(service, hints) };
    let (Some(name), Some(request)) = (name, request) else {
        return false;
    };
    unless_panic(true, || match request.name(name) {
        Ok(name) => {
            nss::is_name(&name) && !nss::services().has_name(&name) && has_servers(active, &name)
        }
        Err(_) => has_servers(active, ""),
    })
}

/// Whether a name is asked of a network's servers, or refused.
fn has_servers(active: &Active, name: &str) -> bool {
    let resolvers = active.policy.resolvers(name, &active.view());
    matches!(resolvers.verdict(), Verdict::Refuse(_)) || !resolvers.servers().is_empty()
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
    if flags::any(flags::NAMES_ARE_LIBCS) {
        return None;
    }
    let active = active()?;
    // SAFETY: the caller's contract.
    let name = unsafe { name_of(name) }?;
    match unless_panic(Names::Failed(Failure::Fail), || {
        resolve(active, call, name, ask, None)
    }) {
        Names::Libc => None,
        Names::Found(answer) => Some(Ok(answer)),
        Names::Failed(failure) => Some(Err(host_error(failure))),
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
    // SAFETY: the caller's contract.
    let name = unsafe { text_of(name) }?;
    // What is not UTF-8 is no host name; libc will say so.
    name.to_str().ok().filter(|name| nss::is_name(name))
}

/// # Safety
/// As [`name_of`].
unsafe fn text_of<'n>(name: *const c_char) -> Option<&'n CStr> {
    // SAFETY: the caller's contract.
    is_plausible(name).then(|| unsafe { CStr::from_ptr(name) })
}

/// What became of a look-up.
enum Names {
    /// libc is to resolve it.
    Libc,
    Found(Answer),
    Failed(Failure),
}

/// The addresses of a name. With `addrconfig`, the families that `ai_family` allows, those that
/// the network has no address of are not asked for (`AI_ADDRCONFIG`).
fn resolve(active: &Active, call: &str, name: &str, ask: Ask, addrconfig: Option<Ask>) -> Names {
    let services = nss::services();
    if services.has_name(name) {
        return Names::Libc;
    }
    let view = active.view();
    let resolvers = active.policy.resolvers(name, &view);
    let mut families = active.policy.families;
    if let Some(wanted) = addrconfig
        && let Verdict::Route(route) = resolvers.verdict()
    {
        let has = |need| {
            let route = active
                .policy
                .route(route.pvd, route.rule, need, &active.view());
            route.is_ok()
        };
        families = match (wanted, has(Need::V4), has(Need::V6)) {
            (Ask::V4, false, _) | (Ask::V6, _, false) => return Names::Failed(Failure::NoName),
            (Ask::Both, true, false) if families == Families::Any => Families::V4,
            (Ask::Both, false, true) if families == Families::Any => Families::V6,
            _ => families,
        };
    }
    let way = |ip: IpAddr| way(active, &resolvers.verdict(), ip);
    // libc reads the hosts file as well.
    let is_libcs =
        resolvers.servers().is_empty() && !matches!(resolvers.verdict(), Verdict::Refuse(_));
    if services.files
        && !is_libcs
        && let Some(mut answer) = active.hosts_file.lookup(name, ask)
    {
        mif_resolve::arrange(&mut answer.addresses, &way, &selection(&resolvers));
        remember(active, name, &answer.addresses, None);
        return Names::Found(answer);
    }
    match may_ask(active, call, name, &resolvers) {
        Ok(()) => {}
        Err(Otherwise::Libc) => return Names::Libc,
        Err(Otherwise::Failed(failure)) => return Names::Failed(failure),
    }
    let plan = Plan {
        families,
        ask,
        ..plan(active, &resolvers, &way)
    };
    let route = match resolvers.verdict() {
        Verdict::Route(route) => Some(route),
        _ => None,
    };
    let scope = Scope {
        pvd: route.map(|route| route.pvd),
        index: route.map_or(0, |route| route.index),
        addresses: view.addresses(),
    };
    match active.cache.lookup(name, &plan, scope) {
        Ok(answer) => {
            remember(active, name, &answer.addresses, resolvers.origin());
            Names::Found(answer)
        }
        Err(failure) => {
            active.log.line(
                Level::Decisions,
                format_args!(
                    "{call} {name}: no answer ({failure:?}) from {:?}",
                    plan.servers
                ),
            );
            Names::Failed(failure)
        }
    }
}

/// Remembers what flows to the addresses found have to be told: the rules that speak of the name,
/// and where there is a choice of networks, the one whose servers answered.
pub(crate) fn remember(active: &Active, name: &str, addresses: &[IpAddr], origin: Option<Origin>) {
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
