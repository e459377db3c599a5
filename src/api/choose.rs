//! Choosing a provisioning domain: for a socket, a thread, the process, a look-up (RFC 7556 5.2.3, 6.3).

use std::ffi::{c_char, c_int, c_uint};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::BorrowedFd;

use libc::addrinfo;
use mif_policy::{Bound, Need, Route};
use mif_socket::{Fault, Kind};
use rustix::io::Errno;
use rustix::net::AddressFamily;
use rustix::net::sockopt::socket_domain;

use super::id::CId;
use super::message::F_PREFER;
use super::scope;
use crate::connect::{borrow, fail};
use crate::guard::uncancelled;
use crate::init::Active;
use crate::{chosen, errno, flags, lookup, order};

/// The rest is in `mif.h`.
///
/// # Safety
/// `pvd` must be null or readable.
#[cfg_attr(not(test), unsafe(no_mangle))]
pub(crate) unsafe extern "C-unwind" fn mif_socket_pvd(
    fd: c_int,
    pvd: *const CId,
    flags: c_uint,
) -> c_int {
    // SAFETY: the caller's contract.
    let pvd = unsafe { pvd.as_ref() };
    done(|| {
        let active = choice(pvd.ok_or(Errno::INVAL)?, flags)?;
        let fd = borrow(fd).ok_or(Errno::BADF)?;
        let prefer = flags & F_PREFER != 0;
        match put(active, fd, prefer) {
            // Another network will do.
            Err(Errno::NETDOWN) if prefer => Ok(()),
            result => result,
        }
    })
}

/// The rest is in `mif.h`.
///
/// # Safety
/// `pvd` must be null or readable.
#[cfg_attr(not(test), unsafe(no_mangle))]
pub(crate) unsafe extern "C-unwind" fn mif_thread_pvd(pvd: *const CId, flags: c_uint) -> c_int {
    // SAFETY: the caller's contract.
    let pvd = unsafe { pvd.as_ref() };
    done(|| chosen::for_thread(pvd.map(|pvd| heeded(pvd, flags)).transpose()?))
}

/// The rest is in `mif.h`.
///
/// # Safety
/// `pvd` must be null or readable.
#[cfg_attr(not(test), unsafe(no_mangle))]
pub(crate) unsafe extern "C-unwind" fn mif_process_pvd(pvd: *const CId, flags: c_uint) -> c_int {
    // SAFETY: the caller's contract.
    let pvd = unsafe { pvd.as_ref() };
    done(|| {
        chosen::for_process(pvd.map(|pvd| heeded(pvd, flags)).transpose()?);
        Ok(())
    })
}

/// The rest is in `mif.h`.
///
/// # Safety
/// `pvd` must be null or readable; the others as for getaddrinfo(3).
#[cfg_attr(not(test), unsafe(no_mangle))]
pub(crate) unsafe extern "C-unwind" fn mif_getaddrinfo(
    pvd: *const CId,
    node: *const c_char,
    service: *const c_char,
    hints: *const addrinfo,
    result: *mut *mut addrinfo,
) -> c_int {
    // SAFETY: the caller's contract.
    let Some(pvd) = (unsafe { pvd.as_ref() }) else {
        // SAFETY: the caller's own arguments.
        return unsafe { lookup::getaddrinfo(node, service, hints, result) };
    };
    match uncancelled(Err(Errno::IO), || choice(pvd, 0)) {
        // SAFETY: the caller's own arguments.
        Ok(active) => unsafe { lookup::getaddrinfo_on(active, node, service, hints, result, None) },
        Err(why) => {
            fail(why);
            libc::EAI_SYSTEM
        }
    }
}

fn choice(pvd: &CId, flags: c_uint) -> Result<&'static Active, Errno> {
    if flags & !F_PREFER != 0 {
        return Err(Errno::INVAL);
    }
    scope::of(&pvd.id()?, flags & F_PREFER != 0)
}

/// A choice for calls that the program makes of libc, where these come here.
fn heeded(pvd: &CId, flags: c_uint) -> Result<&'static Active, Errno> {
    let ours: *const () = mif_thread_pvd as *const ();
    if !order::is_in_front(c"mif_thread_pvd", ours.cast()) {
        return Err(Errno::OPNOTSUPP);
    }
    choice(pvd, flags)
}

/// Puts a socket that is nowhere yet on the domain of a choice.
fn put(active: &Active, fd: BorrowedFd<'_>, prefer: bool) -> Result<(), Errno> {
    let v4 = match socket_domain(fd)? {
        AddressFamily::INET => true,
        AddressFamily::INET6 => false,
        _ => return Err(Errno::AFNOSUPPORT),
    };
    if mif_socket::is_connected(fd) {
        return Err(Errno::ISCONN);
    }
    let mut route = route(active, v4, prefer).ok_or(Errno::NETDOWN)?;
    let bound = mif_socket::local_address(fd).ok_or(Errno::NOTSOCK)?;
    let bound_to = mif_socket::canonical(bound.ip());
    if !bound_to.is_unspecified() {
        let (policy, host) = (&active.policy, active.view());
        if policy
            .disagreement(Bound::To(bound_to), &route, &host)
            .is_some()
        {
            return Err(Errno::ADDRNOTAVAIL);
        }
    }
    if bound.port() != 0 || !bound_to.is_unspecified() {
        // It has an address of the program's choice.
        route.source = None;
    }
    // As a stream, whatever it is: by its device, which holds for all that can become of it, and with its
    // port left open, so that the program can still bind it.
    let nowhere = SocketAddr::new(unspecified(v4), 0);
    mif_socket::put(fd, Kind::Stream, nowhere, &route).map_err(|fault| match fault {
        Fault::Interface(Errno::NODEV) => Errno::NETDOWN,
        Fault::Mark(why) | Fault::Interface(why) | Fault::Source(why) => why,
    })?;
    // What the program itself has done with a socket is asked of the kernel from now on.
    flags::raise(flags::PINNED | flags::BOUND);
    Ok(())
}

/// The domain's way for a socket of a family. One of IPv6 may be for IPv4; where the domain is but
/// preferred, it must not be kept there for the sake of that.
fn route(active: &Active, v4: bool, prefer: bool) -> Option<Route<'_>> {
    let needs: &[Need] = match (v4, prefer) {
        (true, _) => &[Need::V4],
        (false, true) => &[Need::V6],
        (false, false) => &[Need::V6, Need::Any],
    };
    let (policy, host) = (&active.policy, active.view());
    let id = active.choice?.pvd;
    let of = |&need| policy.route(id, policy.last_rule(), need, &host).ok();
    needs.iter().find_map(of)
}

fn unspecified(v4: bool) -> IpAddr {
    if v4 {
        Ipv4Addr::UNSPECIFIED.into()
    } else {
        Ipv6Addr::UNSPECIFIED.into()
    }
}

/// What a function of the API returns.
pub(super) fn done(act: impl FnOnce() -> Result<(), Errno>) -> c_int {
    match errno::keeping(|| uncancelled(Err(Errno::IO), act)) {
        Ok(()) => 0,
        Err(why) => fail(why),
    }
}
