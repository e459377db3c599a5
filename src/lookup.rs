//! Names: `getaddrinfo` and the `gethostbyname` family, asked of the servers of the network that
//! the policy picks for the name.
//!
//! Names that mif does not resolve itself are libc's, with the caller's own arguments: numeric
//! and special ones (`nss.rs`), and those that the policy leaves to `system`.

use std::ffi::{CStr, c_char, c_int};
use std::os::fd::BorrowedFd;

use libc::{addrinfo, hostent, size_t};
use mif_resolve::{Answer, Ask};

use crate::addrinfo as list;
use crate::flags;
use crate::guard::has_memory;
use crate::hooks::real;
use crate::hostent::{self as host_entry, HostBuffer, Place};
use crate::init::{Active, active};
use crate::memory::is_plausible;
use crate::network::host_error;
use crate::nss;
use crate::numeric;
use crate::resolution::{self, Names, remember, resolve, resolve_until};

/// # Safety
/// As getaddrinfo(3).
pub(crate) unsafe fn getaddrinfo(
    node: *const c_char,
    service: *const c_char,
    hints: *const addrinfo,
    res: *mut *mut addrinfo,
) -> c_int {
    // SAFETY: the caller's own node.
    let is_name = !flags::any(flags::NAMES_ARE_LIBCS) && !unsafe { numeric::ends_as_one(node) };
    if is_name
        && let Some(active) = active()
        // SAFETY: the caller's own arguments.
        && let Some(code) = unsafe { addresses(active, node, service, hints, res, None) }
    {
        return code;
    }
    // SAFETY: the caller's own arguments.
    let code = unsafe { real::getaddrinfo(node, service, hints, res) };
    if is_name && code == 0 {
        // SAFETY: the caller's own arguments, with libc's answer.
        unsafe { learn_list(node, service, hints, res) };
    }
    code
}

/// The same on a network that the caller has chosen; nothing is found once `stop` can be read.
///
/// # Safety
/// As getaddrinfo(3).
pub(crate) unsafe fn getaddrinfo_on(
    active: &Active,
    node: *const c_char,
    service: *const c_char,
    hints: *const addrinfo,
    res: *mut *mut addrinfo,
    stop: Option<BorrowedFd<'_>>,
) -> c_int {
    // SAFETY: the caller's contract.
    match unsafe { addresses(active, node, service, hints, res, stop) } {
        Some(code) => code,
        // SAFETY: the caller's contract.
        None => unsafe { real::getaddrinfo(node, service, hints, res) },
    }
}

/// What mif has to say to a `getaddrinfo`; `None` leaves it to libc.
///
/// # Safety
/// As getaddrinfo(3).
#[inline(never)]
unsafe fn addresses(
    active: &Active,
    node: *const c_char,
    service: *const c_char,
    hints: *const addrinfo,
    res: *mut *mut addrinfo,
    stop: Option<BorrowedFd<'_>>,
) -> Option<c_int> {
    // SAFETY: the caller's contract for `node`.
    let text = unsafe { text_of(node) }?;
    // SAFETY: the caller's contract for the other arguments.
    let request = unsafe { list::Request::new(service, hints) }?;
    let name = match request.name(text) {
        Ok(name) => name,
        Err(code) => return resolution::is_steered(active, "").then_some(code),
    };
    if !nss::is_name(&name) {
        return None;
    }
    // What libc would say to a numeric name is what it says to flags, family and service, before
    // anyone is asked.
    if let Err(code) = request.check() {
        return Some(code);
    }
    let (ask, addrconfig) = (request.ask(), request.addrconfig());
    match resolve_until(active, "getaddrinfo", &name, ask, addrconfig, stop) {
        Names::Libc => None,
        Names::Failed(failure) => Some(list::error(failure)),
        // SAFETY: the caller vouches for `res`.
        Names::Found(answer) => Some(unsafe { request.answer(&answer, res) }),
    }
}

/// # Safety
/// As gethostbyname(3).
pub(crate) unsafe fn gethostbyname(name: *const c_char) -> *mut hostent {
    // SAFETY: the caller's contract.
    if let Some(host) = unsafe { static_host("gethostbyname", name, libc::AF_INET) } {
        return host;
    }
    // SAFETY: the caller's own arguments.
    let host = unsafe { real::gethostbyname(name) };
    // SAFETY: the caller's contract, and libc's answer.
    unsafe { learn(name, host) };
    host
}

/// # Safety
/// As gethostbyname2(3).
pub(crate) unsafe fn gethostbyname2(name: *const c_char, family: c_int) -> *mut hostent {
    // SAFETY: the caller's contract.
    if let Some(host) = unsafe { static_host("gethostbyname2", name, family) } {
        return host;
    }
    // SAFETY: the caller's own arguments.
    let host = unsafe { real::gethostbyname2(name, family) };
    // SAFETY: the caller's contract, and libc's answer.
    unsafe { learn(name, host) };
    host
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
    let place = Place::new(ret, buf, size, result, h_errno);
    // SAFETY: the caller's contract.
    if let Some(code) = unsafe { host_at("gethostbyname_r", name, libc::AF_INET, &place) } {
        return code;
    }
    // SAFETY: the caller's own arguments.
    let code = unsafe { real::gethostbyname_r(name, ret, buf, size, result, h_errno) };
    // SAFETY: libc has just written here.
    let host = unsafe { *result };
    // SAFETY: the caller's contract, and libc's answer.
    unsafe { learn(name, host) };
    code
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
    let place = Place::new(ret, buf, size, result, h_errno);
    // SAFETY: the caller's contract.
    if let Some(code) = unsafe { host_at("gethostbyname2_r", name, family, &place) } {
        return code;
    }
    // SAFETY: the caller's own arguments.
    let code = unsafe { real::gethostbyname2_r(name, family, ret, buf, size, result, h_errno) };
    // SAFETY: libc has just written here.
    let host = unsafe { *result };
    // SAFETY: the caller's contract, and libc's answer.
    unsafe { learn(name, host) };
    code
}

/// The answer of the functions that return static memory; they are not thread-safe, here as in
/// libc. `None` leaves it to libc.
///
/// # Safety
/// As gethostbyname2(3).
unsafe fn static_host(call: &str, name: *const c_char, family: c_int) -> Option<*mut hostent> {
    static BUFFER: HostBuffer = HostBuffer::new();
    // SAFETY: the caller's contract.
    let answer = unsafe { host_by_name(call, name, family) }?;
    Some(BUFFER.fill(answer, family))
}

/// The answer of the functions that fill memory of the caller's. `None` leaves it to libc.
///
/// # Safety
/// As `gethostbyname2_r(3)`.
unsafe fn host_at(call: &str, name: *const c_char, family: c_int, place: &Place) -> Option<c_int> {
    // SAFETY: the caller's contract.
    let answer = unsafe { host_by_name(call, name, family) }?;
    // SAFETY: the caller's contract for its memory.
    Some(unsafe { place.fill(answer, family) })
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
    match request.name(name) {
        Ok(name) => nss::is_name(&name) && resolution::is_steered(active, &name),
        Err(_) => resolution::is_steered(active, ""),
    }
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
    match resolve(active, call, name, ask, None) {
        Names::Libc => None,
        Names::Found(answer) => Some(Ok(answer)),
        Names::Failed(failure) => Some(Err(host_error(failure))),
    }
}

/// Remembers what libc itself said about a name: flows to it obey the rules for the name too.
///
/// # Safety
/// As getaddrinfo(3), which has succeeded.
#[inline(never)]
unsafe fn learn_list(
    node: *const c_char,
    service: *const c_char,
    hints: *const addrinfo,
    res: *mut *mut addrinfo,
) {
    let Some(active) = learner() else { return };
    // SAFETY: the caller's contract.
    let request = unsafe { list::Request::new(service, hints) };
    if let Some(request) = request
        // SAFETY: the caller's contract.
        && let Some(name) = unsafe { text_of(node) }
        && let Ok(name) = request.name(name)
        && nss::is_name(&name)
    {
        // SAFETY: libc has just written here.
        let found = unsafe { *res };
        // SAFETY: libc has just made this list.
        let addresses = unsafe { list::addresses(found) };
        remember(active, &name, &addresses, None);
    }
}

/// The same for an answer of the other functions.
///
/// # Safety
/// `name` must be null, invalid for every process, or a C string; `host` null or an answer of libc.
unsafe fn learn(name: *const c_char, host: *const hostent) {
    if let Some(active) = learner()
        && !host.is_null()
        // SAFETY: the caller's contract.
        && let Some(name) = unsafe { name_of(name) }
    {
        // SAFETY: the caller's contract.
        let addresses = unsafe { host_entry::addresses(host) };
        remember(active, name, &addresses, None);
    }
}

fn learner() -> Option<&'static Active> {
    active().filter(|active| active.policy.learns_addresses() && has_memory())
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
