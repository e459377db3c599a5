//! Names of addresses: `getnameinfo` and `gethostbyaddr`, asked of the network that flows to the
//! address would take.
//!
//! Whatever is numeric is libc's, and so are addresses that the policy leaves to `system`.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::net::IpAddr;
use std::ptr::null_mut;

use libc::{hostent, size_t, sockaddr, socklen_t};
use mif_resolve::{Failure, idn, reverse};

use crate::addrinfo::{error, is_utf8};
use crate::guard::{has_memory, uncancelled};
use crate::hooks::real;
use crate::hostent::{Entry, HostBuffer, Place};
use crate::init::{Active, active};
use crate::log::Level;
use crate::memory::is_plausible;
use crate::network::{Otherwise, host_error, may_ask, plan, way};
use crate::nss;
use crate::sockaddr::read;

/// `netdb.h`.
const NI_NUMERICHOST: c_int = 1;
const NI_NOFQDN: c_int = 4;
const NI_NAMEREQD: c_int = 8;
const NI_IDN: c_int = 32;

/// Room for an address, a scope id included.
const NUMERIC: usize = 128;

/// # Safety
/// As getnameinfo(3).
pub(crate) unsafe fn getnameinfo(
    addr: *const sockaddr,
    len: socklen_t,
    host: *mut c_char,
    host_size: socklen_t,
    service: *mut c_char,
    service_size: socklen_t,
    flags: c_int,
) -> c_int {
    if !host.is_null()
        && host_size > 0
        && flags & NI_NUMERICHOST == 0
        && let Some(active) = active()
    {
        // SAFETY: the caller's contract.
        if let Some(answer) = unsafe { host_part(active, addr, len, flags) } {
            let (place, size) = (host.cast::<u8>(), host_size as usize);
            return match answer {
                Err(code) => code,
                Ok(name) if name.len() >= size => libc::EAI_OVERFLOW,
                Ok(name) => {
                    // SAFETY: the caller vouches for `size` bytes, and the name is shorter.
                    unsafe { std::ptr::copy_nonoverlapping(name.as_ptr(), place, name.len()) };
                    // SAFETY: the byte behind the name, which is one of them.
                    unsafe { place.wrapping_add(name.len()).write(0) };
                    if service.is_null() || service_size == 0 {
                        return 0;
                    }
                    let flags = flags & !NI_NAMEREQD;
                    // SAFETY: the caller's own arguments, without a host.
                    unsafe {
                        real::getnameinfo(addr, len, null_mut(), 0, service, service_size, flags)
                    }
                }
            };
        }
    }
    // SAFETY: the caller's own arguments.
    unsafe { real::getnameinfo(addr, len, host, host_size, service, service_size, flags) }
}

/// What `getnameinfo` has to say for the host: text or a code; `None` leaves the call to libc.
///
/// # Safety
/// As getnameinfo(3).
unsafe fn host_part(
    active: &Active,
    addr: *const sockaddr,
    len: socklen_t,
    flags: c_int,
) -> Option<Result<String, c_int>> {
    // SAFETY: the caller's contract.
    let given = unsafe { read(addr, len) }?;
    let mut numeric: [c_char; NUMERIC] = [0; NUMERIC];
    let (place, size) = (numeric.as_mut_ptr(), numeric.len());
    let all_numeric = (flags & !NI_NAMEREQD) | NI_NUMERICHOST;
    #[allow(clippy::cast_possible_truncation)] // A small constant.
    // libc judges flags and address before anybody is asked, and spells the address with its scope
    // id, should it have no name.
    // SAFETY: the caller's address, and a buffer of ours.
    let code = unsafe {
        real::getnameinfo(
            addr,
            len,
            place,
            size as socklen_t,
            null_mut(),
            0,
            all_numeric,
        )
    };
    if code != 0 {
        return Some(Err(code));
    }
    Some(match names_of(active, "getnameinfo", given.meant.ip())? {
        Ok(names) => Ok(spelled(&names[0], flags)),
        Err(failure @ Failure::Again) => Err(error(failure)),
        Err(_) if flags & NI_NAMEREQD != 0 => Err(libc::EAI_NONAME),
        Err(_) => {
            // SAFETY: libc has just written a C string here.
            let numeric = unsafe { CStr::from_ptr(place) };
            Ok(numeric.to_string_lossy().into_owned())
        }
    })
}

/// # Safety
/// As gethostbyaddr(3).
pub(crate) unsafe fn gethostbyaddr(
    addr: *const c_void,
    len: socklen_t,
    family: c_int,
) -> *mut hostent {
    // SAFETY: the caller's contract.
    if let Some(host) = unsafe { static_host(addr, len, family) } {
        return host;
    }
    // SAFETY: the caller's own arguments.
    unsafe { real::gethostbyaddr(addr, len, family) }
}

/// # Safety
/// As `gethostbyaddr_r(3)`.
#[allow(clippy::too_many_arguments)] // libc's.
pub(crate) unsafe fn gethostbyaddr_r(
    addr: *const c_void,
    len: socklen_t,
    family: c_int,
    ret: *mut hostent,
    buf: *mut c_char,
    size: size_t,
    result: *mut *mut hostent,
    h_errno: *mut c_int,
) -> c_int {
    let place = Place::new(ret, buf, size, result, h_errno);
    // SAFETY: the caller's contract.
    if let Some(code) = unsafe { host_at(addr, len, family, &place) } {
        return code;
    }
    // SAFETY: the caller's own arguments.
    unsafe { real::gethostbyaddr_r(addr, len, family, ret, buf, size, result, h_errno) }
}

/// # Safety
/// As gethostbyaddr(3).
unsafe fn static_host(addr: *const c_void, len: socklen_t, family: c_int) -> Option<*mut hostent> {
    static BUFFER: HostBuffer = HostBuffer::new();
    // SAFETY: the caller's contract.
    let (answer, family) = unsafe { host_by_address("gethostbyaddr", addr, len, family) }?;
    Some(BUFFER.fill(answer, family))
}

/// # Safety
/// As `gethostbyaddr_r(3)`.
unsafe fn host_at(
    addr: *const c_void,
    len: socklen_t,
    family: c_int,
    place: &Place,
) -> Option<c_int> {
    // SAFETY: the caller's contract.
    let (answer, family) = unsafe { host_by_address("gethostbyaddr_r", addr, len, family) }?;
    // SAFETY: the caller's contract for its memory.
    Some(unsafe { place.fill(answer, family) })
}

/// What mif has to say to a `gethostbyaddr`: an answer or an `h_errno`, and the family of the
/// answer; `None` leaves it to libc.
///
/// # Safety
/// `addr` must be null, invalid for every process, or readable for `len` bytes.
unsafe fn host_by_address(
    call: &str,
    addr: *const c_void,
    len: socklen_t,
    family: c_int,
) -> Option<(Result<Entry, c_int>, c_int)> {
    let active = active()?;
    if !is_plausible(addr) {
        return None;
    }
    let address = match (family, len) {
        // SAFETY: the caller vouches for 4 bytes.
        (libc::AF_INET, 4) => IpAddr::from(unsafe { addr.cast::<[u8; 4]>().read_unaligned() }),
        // SAFETY: the caller vouches for 16 bytes.
        (libc::AF_INET6, 16) => IpAddr::from(unsafe { addr.cast::<[u8; 16]>().read_unaligned() }),
        _ => return None,
    };
    // libc refuses it without asking anybody.
    if address.is_ipv6() && address.is_unspecified() {
        return None;
    }
    // A mapped address is IPv4, and libc answers so.
    let address = address.to_canonical();
    let family = match address {
        IpAddr::V4(_) => libc::AF_INET,
        IpAddr::V6(_) => libc::AF_INET6,
    };
    let answer = match names_of(active, call, address)? {
        Ok(names) => Ok(Entry {
            names,
            addresses: vec![address],
        }),
        Err(failure) => Err(host_error(failure)),
    };
    Some((answer, family))
}

/// The names of an address, the canonical one first; `None` leaves them to libc.
fn names_of(active: &Active, call: &str, ip: IpAddr) -> Option<Result<Vec<String>, Failure>> {
    if !has_memory() {
        return Some(Err(Failure::Again));
    }
    uncancelled(Some(Err(Failure::Fail)), || find(active, call, ip))
}

fn find(active: &Active, call: &str, ip: IpAddr) -> Option<Result<Vec<String>, Failure>> {
    let services = nss::services();
    if services.has_address(ip) {
        return None;
    }
    let known = active.learned.of(ip);
    let reverse_name = reverse::zone_name(ip);
    let resolvers = active.policy.resolvers_of_address(
        ip,
        &reverse_name,
        known.rules,
        known.origin,
        &active.view(),
    );
    if services.files
        && let Some(names) = active.hosts_file.names_of(ip)
    {
        return Some(Ok(names));
    }
    match may_ask(active, call, &ip.to_string(), &resolvers) {
        Ok(()) => {}
        Err(Otherwise::Libc) => return None,
        Err(Otherwise::Failed(failure)) => return Some(Err(failure)),
    }
    let verdict = resolvers.verdict();
    let way = |ip: IpAddr| way(active, &verdict, ip);
    let plan = plan(active, &resolvers, &way);
    let names = reverse::names(ip, &plan);
    if let Err(failure) = &names {
        active.log.line(
            Level::Decisions,
            format_args!(
                "{call} {ip}: no answer ({failure:?}) from {:?}",
                plan.servers
            ),
        );
    }
    Some(names)
}

/// A name as the flags of getnameinfo(3) want it.
fn spelled(name: &str, flags: c_int) -> String {
    let mut name = name.to_owned();
    if flags & NI_NOFQDN != 0 {
        let own = rustix::system::uname();
        let own = own.nodename().to_string_lossy();
        // The host's own domain is left out.
        if let Some((_, domain)) = own.split_once('.')
            && let Some((first, rest)) = name.split_once('.')
            && rest.eq_ignore_ascii_case(domain)
        {
            name = first.to_owned();
        }
    }
    if flags & NI_IDN != 0 && is_utf8() {
        name = idn::to_unicode(&name);
    }
    name
}
