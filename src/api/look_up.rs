//! A look-up of the API's own: getaddrinfo(3) within a domain, until its answer is not wanted any more.

use std::ffi::{CStr, c_int};
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::ptr;

use libc::addrinfo;
use mif_policy::Families;

use crate::addrinfo as answers;
use crate::init::Active;
use crate::lookup;

/// The addresses of a name for streams, with the service's port or 0, or an `EAI_*`. `flags` are those of
/// getaddrinfo(3); `stop` is readable once no answer is wanted.
pub(super) fn addresses(
    active: &Active,
    node: &CStr,
    service: Option<&CStr>,
    families: Families,
    flags: c_int,
    stop: &OwnedFd,
) -> Result<Vec<SocketAddr>, c_int> {
    // SAFETY: nothing in it may not be zero.
    let mut hints: addrinfo = unsafe { std::mem::zeroed() };
    hints.ai_socktype = libc::SOCK_STREAM;
    hints.ai_flags = flags;
    hints.ai_family = match families {
        Families::V4 => libc::AF_INET,
        Families::V6 => libc::AF_INET6,
        Families::Any => libc::AF_UNSPEC,
    };
    let mut found = ptr::null_mut();
    // SAFETY: C strings, hints and room of ours.
    let code = unsafe {
        lookup::getaddrinfo_on(
            active,
            node.as_ptr(),
            service.map_or(ptr::null(), CStr::as_ptr),
            &raw const hints,
            &raw mut found,
            Some(stop.as_fd()),
        )
    };
    if code != 0 {
        return Err(code);
    }
    // SAFETY: libc has just made this list.
    let addresses = unsafe { answers::sockets(found) };
    // SAFETY: it is not used any more.
    unsafe { libc::freeaddrinfo(found) };
    Ok(addresses)
}
