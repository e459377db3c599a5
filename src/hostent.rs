//! `struct hostent` in memory of the caller: the answer of the `gethostbyname` family.

use std::cell::UnsafeCell;
use std::ffi::{c_char, c_int};
use std::net::IpAddr;
use std::ptr::null_mut;

use libc::{hostent, size_t};
use mif_resolve::Answer;

/// `netdb.h`: see errno.
const NETDB_INTERNAL: c_int = -1;
const TRY_AGAIN: c_int = 2;
const WORD: usize = size_of::<usize>();
/// Room for one answer of the functions that return static memory.
const BYTES: usize = 8192;

/// What a `struct hostent` tells, but for the family.
pub(crate) struct Entry {
    /// The canonical name and the aliases; at least one.
    pub(crate) names: Vec<String>,
    pub(crate) addresses: Vec<IpAddr>,
}

impl From<Answer> for Entry {
    fn from(answer: Answer) -> Self {
        Self {
            names: vec![answer.canonical],
            addresses: answer.addresses,
        }
    }
}

/// Where a caller of a `_r` function wants its answer.
pub(crate) struct Place {
    ret: *mut hostent,
    buf: *mut c_char,
    size: size_t,
    result: *mut *mut hostent,
    h_errno: *mut c_int,
}

impl Place {
    /// The last arguments of the function.
    pub(crate) fn new(
        ret: *mut hostent,
        buf: *mut c_char,
        size: size_t,
        result: *mut *mut hostent,
        h_errno: *mut c_int,
    ) -> Self {
        Self {
            ret,
            buf,
            size,
            result,
            h_errno,
        }
    }

    /// Fills in an answer, or an `h_errno`, and returns what the function has to.
    ///
    /// # Safety
    /// The pointers as for `gethostbyname_r(3)`.
    pub(crate) unsafe fn fill(
        &self,
        answer: Result<impl Into<Entry>, c_int>,
        family: c_int,
    ) -> c_int {
        let (found, host_error, code) = match answer {
            Ok(answer) => {
                // SAFETY: the caller vouches for `size` bytes at `buf`.
                match unsafe { layout(&answer.into(), family, self.buf.cast(), self.size) } {
                    Some(host) => {
                        // SAFETY: the caller vouches for `ret`.
                        unsafe { self.ret.write(host) };
                        (self.ret, 0, 0)
                    }
                    // The caller comes again with a larger buffer.
                    None => (null_mut(), NETDB_INTERNAL, libc::ERANGE),
                }
            }
            Err(TRY_AGAIN) => (null_mut(), TRY_AGAIN, libc::EAGAIN),
            Err(host_error) => (null_mut(), host_error, 0),
        };
        // SAFETY: the caller vouches for `result`.
        unsafe { self.result.write(found) };
        if host_error != 0 {
            // SAFETY: the caller vouches for `h_errno`.
            unsafe { self.h_errno.write(host_error) };
        }
        code
    }
}

/// The addresses of an answer.
///
/// # Safety
/// `host` must be as `gethostbyname(3)` makes it.
pub(crate) unsafe fn addresses(host: *const hostent) -> Vec<IpAddr> {
    // SAFETY: the caller's contract.
    let host = unsafe { &*host };
    let mut found = Vec::new();
    let mut at = host.h_addr_list;
    loop {
        // SAFETY: the list ends in a null pointer, which has not been passed.
        let address = unsafe { *at };
        if address.is_null() {
            return found;
        }
        found.push(match host.h_addrtype {
            // SAFETY: an IPv4 address is 4 bytes.
            libc::AF_INET => IpAddr::from(unsafe { address.cast::<[u8; 4]>().read_unaligned() }),
            // SAFETY: the only other family has 16 bytes.
            _ => IpAddr::from(unsafe { address.cast::<[u8; 16]>().read_unaligned() }),
        });
        at = at.wrapping_add(1);
    }
}

/// The static memory of `gethostbyname`: one answer at a time for the whole process, as in libc.
pub(crate) struct HostBuffer {
    memory: UnsafeCell<Memory>,
}

#[repr(C, align(8))]
struct Memory {
    host: hostent,
    bytes: [u8; BYTES],
}

// SAFETY: gethostbyname(3) is documented as not thread-safe; callers serialise it, as for libc's.
unsafe impl Sync for HostBuffer {}

impl HostBuffer {
    pub(crate) const fn new() -> Self {
        let host = hostent {
            h_name: null_mut(),
            h_aliases: null_mut(),
            h_addrtype: 0,
            h_length: 0,
            h_addr_list: null_mut(),
        };
        Self {
            memory: UnsafeCell::new(Memory {
                host,
                bytes: [0; BYTES],
            }),
        }
    }

    /// The answer, or null with `h_errno` set.
    pub(crate) fn fill(
        &self,
        answer: Result<impl Into<Entry>, c_int>,
        family: c_int,
    ) -> *mut hostent {
        let memory = self.memory.get();
        let (mut result, mut host_error) = (null_mut(), 0);
        // SAFETY: only an address is taken.
        let ret = unsafe { &raw mut (*memory).host };
        // SAFETY: only an address is taken.
        let buf = unsafe { &raw mut (*memory).bytes };
        let place = Place::new(ret, buf.cast(), BYTES, &raw mut result, &raw mut host_error);
        // SAFETY: all lie in `memory` or here, and the buffer has the size that is said.
        unsafe { place.fill(answer, family) };
        if result.is_null() {
            set_h_errno(host_error);
        }
        result
    }
}

/// Sets `h_errno` of this thread.
pub(crate) fn set_h_errno(value: c_int) {
    // SAFETY: takes nothing and always returns this thread's h_errno.
    let slot = unsafe { __h_errno_location() };
    // SAFETY: the thread's h_errno is always writable.
    unsafe { *slot = value };
}

unsafe extern "C" {
    /// The place of `h_errno` (netdb.h).
    fn __h_errno_location() -> *mut c_int;
}

/// Lays an answer out in `size` bytes at `buf`: the pointers first, then addresses and names.
/// `None` where it does not fit.
///
/// # Safety
/// `buf` must be writable for `size` bytes.
unsafe fn layout(entry: &Entry, family: c_int, buf: *mut u8, size: usize) -> Option<hostent> {
    let of_family = |address: &IpAddr| match (family, address) {
        (libc::AF_INET, IpAddr::V4(v4)) => Some(v4.octets().to_vec()),
        (libc::AF_INET6, IpAddr::V6(v6)) => Some(v6.octets().to_vec()),
        _ => None,
    };
    let addresses: Vec<Vec<u8>> = entry.addresses.iter().filter_map(of_family).collect();
    let terminated = |name: &String| [name.as_bytes(), b"\0"].concat();
    let names: Vec<Vec<u8>> = entry.names.iter().map(terminated).collect();
    let (_, aliases) = names.split_first()?;
    let start = buf.align_offset(WORD);
    // Each list ends in a null pointer.
    let pointers = addresses.len() + 1 + aliases.len() + 1;
    let data = start.checked_add(pointers * WORD)?;
    let bytes = || addresses.iter().chain(&names);
    if bytes().map(Vec::len).sum::<usize>() > size.checked_sub(data)? {
        return None;
    }
    let mut places = Vec::with_capacity(addresses.len() + names.len());
    let mut at = data;
    for item in bytes() {
        let place = buf.wrapping_add(at);
        // SAFETY: all items together fit behind `data`, as was just found.
        unsafe { std::ptr::copy_nonoverlapping(item.as_ptr(), place, item.len()) };
        places.push(place.cast::<c_char>());
        at += item.len();
    }
    let (address_places, name_places) = places.split_at(addresses.len());
    #[allow(clippy::cast_ptr_alignment)] // `start` is what aligns it.
    let address_list = buf.wrapping_add(start).cast::<*mut c_char>();
    let alias_list = address_list.wrapping_add(addresses.len() + 1);
    for (list, items) in [
        (address_list, address_places),
        (alias_list, &name_places[1..]),
    ] {
        for (n, &item) in items.iter().chain([&null_mut()]).enumerate() {
            // SAFETY: one of the `pointers` words at the aligned start of the buffer.
            unsafe { list.wrapping_add(n).write(item) };
        }
    }
    Some(hostent {
        h_name: name_places[0],
        h_aliases: alias_list,
        h_addrtype: family,
        h_length: if family == libc::AF_INET { 4 } else { 16 },
        h_addr_list: address_list,
    })
}
