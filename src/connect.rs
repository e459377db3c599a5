//! `connect`, and the same decision for the calls that connect by themselves.

use std::ffi::c_int;
use std::os::fd::BorrowedFd;

use libc::{sockaddr, socklen_t};
use rustix::io::Errno;

use mif_steer::Known;

use crate::at_once::{self, AtOnce};
use crate::hooks::{next, real};
use crate::init::{Active, active, known};
use crate::sockaddr as address;
use crate::standing::{self, Glance};
use crate::{bind, connection, errno, flags};

/// # Safety
/// As connect(2).
// All the rest is a jump away, with the arguments where they are: calls that are left alone need no
// room on the stack.
pub(crate) unsafe fn connect(fd: c_int, addr: *const sockaddr, len: socklen_t) -> c_int {
    let (Some(active), Some(next)) = (known(), next::connect::known()) else {
        // SAFETY: the caller's own arguments.
        return unsafe { ask(fd, addr, len) };
    };
    // SAFETY: the caller's own arguments.
    match unsafe { standing::glance(active, addr, len) } {
        // SAFETY: the caller's own arguments.
        Glance::Passes => unsafe { next(fd, addr, len) },
        // SAFETY: the caller's own arguments.
        Glance::Stands(v4) => unsafe { at_once(fd, addr, len, active, v4) },
        // SAFETY: the caller's own arguments.
        Glance::Ask => unsafe { judged(fd, addr, len, active, None) },
    }
}

/// Connects by the policy's standing answer for IPv4 (`v4`) or IPv6, if it holds.
///
/// # Safety
/// As connect(2).
#[inline(never)]
unsafe fn at_once(
    fd: c_int,
    addr: *const sockaddr,
    len: socklen_t,
    active: &'static Active,
    v4: bool,
) -> c_int {
    // SAFETY: seen at a glance, so it is readable.
    match unsafe { at_once::put(active, fd, addr, len, v4) } {
        // SAFETY: the caller's own arguments.
        AtOnce::Done => unsafe { real::connect(fd, addr, len) },
        // SAFETY: the caller's own arguments.
        AtOnce::Nothing => unsafe { judged(fd, addr, len, active, None) },
        // SAFETY: the caller's own arguments.
        AtOnce::Known(known) => unsafe { judged(fd, addr, len, active, Some(&known)) },
    }
}

/// Connects as the policy says, if there is one.
///
/// # Safety
/// As connect(2).
#[inline(never)]
unsafe fn ask(fd: c_int, addr: *const sockaddr, len: socklen_t) -> c_int {
    let Some(active) = active() else {
        // SAFETY: the caller's own arguments.
        return unsafe { real::connect(fd, addr, len) };
    };
    // SAFETY: the caller's own arguments.
    unsafe { judged(fd, addr, len, active, None) }
}

/// Connects as the policy says. What is `known` of the socket need not be asked.
///
/// # Safety
/// As connect(2).
#[inline(never)]
unsafe fn judged(
    fd: c_int,
    addr: *const sockaddr,
    len: socklen_t,
    active: &'static Active,
    known: Option<&Known>,
) -> c_int {
    let addr = address::settled(addr, len);
    // SAFETY: settled.
    if unsafe { may_open_a_listener(addr, len) } {
        // SAFETY: the caller's own arguments.
        return unsafe { dissolve(fd, addr, len) };
    }
    // SAFETY: settled.
    match unsafe { prepare(active, "connect", fd, addr, len, known) } {
        // SAFETY: the caller's own arguments.
        Ok(()) => unsafe { real::connect(fd, addr, len) },
        Err(errno) => fail(errno),
    }
}

/// # Safety
/// As connect(2).
pub(crate) unsafe fn alias(fd: c_int, addr: *const sockaddr, len: socklen_t) -> c_int {
    let Some(active) = active() else {
        // SAFETY: the caller's own arguments.
        return unsafe { real::__connect(fd, addr, len) };
    };
    let addr = address::settled(addr, len);
    // SAFETY: settled.
    if unsafe { may_open_a_listener(addr, len) } {
        // SAFETY: the caller's own arguments.
        return unsafe { dissolve(fd, addr, len) };
    }
    // SAFETY: settled.
    match unsafe { prepare(active, "connect", fd, addr, len, None) } {
        // SAFETY: the caller's own arguments.
        Ok(()) => unsafe { real::__connect(fd, addr, len) },
        Err(errno) => fail(errno),
    }
}

/// Whether a connect dissolves an association (`AF_UNSPEC`), which takes away the device that mif
/// may have pinned a datagram listener to.
///
/// # Safety
/// `addr` as for [`address::read`].
#[inline]
unsafe fn may_open_a_listener(addr: *const sockaddr, len: socklen_t) -> bool {
    // SAFETY: the caller's contract.
    flags::any(flags::DEVICE) && unsafe { address::is_none(addr, len) }
}

/// Dissolves an association, and puts a datagram listener back on its network.
///
/// # Safety
/// As connect(2).
#[cold]
unsafe fn dissolve(fd: c_int, addr: *const sockaddr, len: socklen_t) -> c_int {
    // SAFETY: the caller's own arguments.
    let done = unsafe { real::connect(fd, addr, len) };
    if done == 0 {
        bind::listen_again(fd);
    }
    done
}

/// Puts a socket on its network before it connects to `addr`; an error refuses the call.
///
/// # Safety
/// `addr` as for [`address::read`].
#[inline]
pub(crate) unsafe fn prepare(
    active: &'static Active,
    call: &'static str,
    fd: c_int,
    addr: *const sockaddr,
    len: socklen_t,
    known: Option<&Known>,
) -> Result<(), Errno> {
    // SAFETY: the caller's contract.
    if !unsafe { address::is_ip(addr, len) } {
        return Ok(());
    }
    // SAFETY: the caller's contract.
    match unsafe { address::read(addr, len) } {
        Some(given) => connection::steer(active, call, fd, &given, known),
        None => Ok(()),
    }
}

/// Fails a call with errno, as libc does.
pub(crate) fn fail(why: Errno) -> c_int {
    errno::set(why.raw_os_error());
    -1
}

/// A descriptor for asking the kernel about; negative ones are its to refuse.
pub(crate) fn borrow(fd: c_int) -> Option<BorrowedFd<'static>> {
    // SAFETY: the number is used in system calls during this call only, and one that is not open
    // is answered with EBADF.
    (fd >= 0).then(|| unsafe { BorrowedFd::borrow_raw(fd) })
}
