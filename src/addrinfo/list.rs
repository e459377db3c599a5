//! The list that a caller of getaddrinfo(3) gets: libc's own nodes, joined.

use std::ffi::{CString, c_int};
use std::net::IpAddr;
use std::ptr::null_mut;

use libc::addrinfo;

use super::Request;
use crate::hooks::real;

/// A list of libc's nodes, freed unless it is handed out.
pub(super) struct List {
    first: *mut addrinfo,
    last: *mut addrinfo,
}

impl List {
    pub(super) fn new() -> Self {
        Self {
            first: null_mut(),
            last: null_mut(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.first.is_null()
    }

    pub(super) fn append(&mut self, request: &Request, address: IpAddr) -> Result<(), c_int> {
        // libc reads the simplest text of the family, and the address is put in afterwards.
        let text = match address {
            IpAddr::V4(_) => c"0.0.0.0",
            IpAddr::V6(_) => c"::",
        };
        let hints = addrinfo {
            ai_family: libc::AF_UNSPEC,
            ..request.numeric
        };
        let mut found: *mut addrinfo = null_mut();
        // SAFETY: a C string, the caller's service, our hints and our place for the result.
        let code = unsafe {
            real::getaddrinfo(
                text.as_ptr(),
                request.service,
                &raw const hints,
                &raw mut found,
            )
        };
        if code != 0 {
            return Err(code);
        }
        if self.first.is_null() {
            self.first = found;
        } else {
            // SAFETY: `last` is the end of a list of ours.
            unsafe { (*self.last).ai_next = found };
        }
        self.last = found;
        loop {
            // SAFETY: `last` is a node of what libc has just made, for a text of this family.
            unsafe { put(self.last, address) };
            // SAFETY: `last` is a node of a list of ours.
            let next = unsafe { (*self.last).ai_next };
            if next.is_null() {
                return Ok(());
            }
            self.last = next;
        }
    }

    /// Gives the first node its canonical name; false where there is no memory.
    pub(super) fn name(&mut self, canonical: &str) -> bool {
        let Ok(canonical) = CString::new(canonical) else {
            return false;
        };
        // SAFETY: a C string; the copy is libc's memory, which freeaddrinfo frees.
        let copy = unsafe { libc::strdup(canonical.as_ptr()) };
        // SAFETY: the list is not empty, and its nodes have no name: AI_CANONNAME was not asked.
        unsafe { (*self.first).ai_canonname = copy };
        !copy.is_null()
    }

    pub(super) fn into_raw(mut self) -> *mut addrinfo {
        std::mem::replace(&mut self.first, null_mut())
    }
}

/// Writes an address into a node.
///
/// # Safety
/// The node must be libc's, of the address's family, and nobody else's.
#[allow(clippy::cast_ptr_alignment)] // libc lays the address out behind the node, aligned for it.
unsafe fn put(node: *mut addrinfo, address: IpAddr) {
    // SAFETY: the caller vouches for the node.
    let place = unsafe { (*node).ai_addr };
    match address {
        IpAddr::V4(v4) => {
            let place = place.cast::<libc::sockaddr_in>();
            // SAFETY: a node of this family has such an address.
            unsafe { (*place).sin_addr.s_addr = u32::from(v4).to_be() };
        }
        IpAddr::V6(v6) => {
            let place = place.cast::<libc::sockaddr_in6>();
            // SAFETY: as above.
            unsafe { (*place).sin6_addr.s6_addr = v6.octets() };
        }
    }
}

impl Drop for List {
    fn drop(&mut self) {
        if !self.first.is_null() {
            // SAFETY: libc made the nodes, and nobody else has them.
            unsafe { libc::freeaddrinfo(self.first) };
        }
    }
}
