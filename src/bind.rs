//! `bind` and `listen`: where the application may be reached, and which addresses it may choose.

use std::ffi::c_int;
use std::net::SocketAddr;
use std::os::fd::BorrowedFd;

use libc::{sockaddr, socklen_t};
use mif_steer::{Binding, Given, Judgement};
use rustix::io::Errno;

use crate::connect::{borrow, fail};
use crate::guard::unless_panic;
use crate::hooks::real;
use crate::init::active;
use crate::sockaddr as address;
use crate::subject::Subject;

/// # Safety
/// As bind(2).
pub(crate) unsafe fn bind(fd: c_int, addr: *const sockaddr, len: socklen_t) -> c_int {
    let Some(active) = active() else {
        // SAFETY: the caller's own arguments.
        return unsafe { real::bind(fd, addr, len) };
    };
    let addr = address::settled(addr, len);
    // SAFETY: settled.
    if let Some(given) = unsafe { address::read(addr, len) }
        && let Some(socket) = borrow(fd)
    {
        let judge = || {
            let subject = Subject::new(active, "bind", socket);
            Binding::new(&subject, given.meant).judge()
        };
        match unless_panic(Judgement::Refuse, judge) {
            Judgement::Proceed => {}
            Judgement::Refuse => return fail(Errno::ADDRNOTAVAIL),
            Judgement::Wildcard => return bind_wildcard(socket, given),
        }
    }
    // SAFETY: the caller's own arguments.
    unsafe { real::bind(fd, addr, len) }
}

/// # Safety
/// As listen(2).
pub(crate) unsafe fn listen(fd: c_int, backlog: c_int) -> c_int {
    if let Some(active) = active()
        && let Some(socket) = borrow(fd)
        // Neither a socket nor one of another family has an IP address.
        && let Some(address) = mif_socket::local_address(socket)
    {
        let address = SocketAddr::new(mif_socket::canonical(address.ip()), address.port());
        let judge = || {
            let subject = Subject::new(active, "listen", socket);
            Binding::new(&subject, address).open()
        };
        if unless_panic(Judgement::Refuse, judge) == Judgement::Refuse {
            return fail(Errno::ADDRNOTAVAIL);
        }
    }
    // SAFETY: the caller's own arguments.
    unsafe { real::listen(fd, backlog) }
}

/// Pins a datagram listener again: `connect` with `AF_UNSPEC` has taken its device away. A port that
/// is left after that is one the application bound.
pub(crate) fn listen_again(fd: c_int) {
    if let Some(active) = active()
        && let Some(socket) = borrow(fd)
        && let Some(address) = mif_socket::local_address(socket)
        && address.port() != 0
        && mif_socket::canonical(address.ip()).is_unspecified()
    {
        let judge = || {
            let subject = Subject::new(active, "connect", socket);
            Binding::new(&subject, address).judge()
        };
        let _ = unless_panic(Judgement::Refuse, judge);
    }
}

/// `explicit = "override"`: the port is the application's, the address is not.
fn bind_wildcard(fd: BorrowedFd<'_>, given: Given) -> c_int {
    match rustix::net::bind(fd, &mif_socket::wildcard_like(given.address)) {
        Ok(()) => 0,
        Err(errno) => fail(errno),
    }
}
