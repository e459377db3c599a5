//! C socket addresses to values and back.

use std::ffi::c_int;

use libc::{sockaddr, sockaddr_in, sockaddr_in6, sockaddr_storage, socklen_t};
use mif_steer::Given;

use crate::memory::{self, is_plausible};

/// A longer address is none, and refused by the kernel.
const LONGEST: usize = size_of::<sockaddr_storage>();
const LEN_V4: usize = size_of::<sockaddr_in>();
const LEN_V6: usize = size_of::<sockaddr_in6>();
/// The length before there were scope ids (`SIN6_LEN_RFC2133`), which the kernel takes too.
const LEN_V6_OLD: usize = LEN_V6 - 4;

/// The pointer to an address of a call, or one that nobody can read ([`memory::settled`]). The
/// kernel copies the whole length, and refuses or cuts a longer one.
#[inline]
pub(crate) fn settled(addr: *const sockaddr, len: socklen_t) -> *const sockaddr {
    memory::settled(addr, (len as usize).min(LONGEST))
}

/// Whether [`read`] has a chance: most calls that are none of ours are told apart here.
///
/// # Safety
/// As [`read`].
#[inline]
pub(crate) unsafe fn is_ip(addr: *const sockaddr, len: socklen_t) -> bool {
    if !is_plausible(addr) || !(size_of::<sockaddr_in>()..=LONGEST).contains(&(len as usize)) {
        return false;
    }
    // SAFETY: at least a sockaddr_in is readable, and the family is its first field.
    let family = unsafe { addr.cast::<libc::sa_family_t>().read_unaligned() };
    matches!(c_int::from(family), libc::AF_INET | libc::AF_INET6)
}

/// Whether this is the address of no family (`AF_UNSPEC`), which dissolves an association.
///
/// # Safety
/// As [`read`].
pub(crate) unsafe fn is_none(addr: *const sockaddr, len: socklen_t) -> bool {
    if !is_plausible(addr) || (len as usize) < size_of::<libc::sa_family_t>() {
        return false;
    }
    // SAFETY: the family is readable, and the first field.
    let family = unsafe { addr.cast::<libc::sa_family_t>().read_unaligned() };
    c_int::from(family) == libc::AF_UNSPEC
}

/// An IP socket address; `None` for whatever is not one (no pointer, too short, another family):
/// the kernel is to judge those.
///
/// # Safety
/// `addr` must be null, invalid for every process, or readable for `len` bytes, as what [`settled`]
/// returned is.
// Not inlined: taken apart and put together again, an address costs three times as much.
#[inline(never)]
pub(crate) unsafe fn read(addr: *const sockaddr, len: socklen_t) -> Option<Given> {
    let len = len as usize;
    if !is_plausible(addr) || !(size_of::<sockaddr_in>()..=LONGEST).contains(&len) {
        return None;
    }
    match len {
        ..LEN_V6_OLD => {
            // SAFETY: readable; read_unaligned asks nothing of alignment.
            Given::of_bytes(&unsafe { addr.cast::<[u8; LEN_V4]>().read_unaligned() })
        }
        LEN_V6_OLD..LEN_V6 => {
            // SAFETY: the same.
            Given::of_bytes(&unsafe { addr.cast::<[u8; LEN_V6_OLD]>().read_unaligned() })
        }
        _ => {
            // SAFETY: the same.
            Given::of_bytes(&unsafe { addr.cast::<[u8; LEN_V6]>().read_unaligned() })
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv6Addr;

    use super::*;

    fn read_bytes(bytes: &[u8]) -> Option<Given> {
        let len = u32::try_from(bytes.len()).unwrap();
        // SAFETY: the slice is readable for its own length.
        unsafe { read(bytes.as_ptr().cast(), len) }
    }

    fn v4() -> Vec<u8> {
        let mut bytes = vec![0; 16];
        bytes[..2].copy_from_slice(&2u16.to_ne_bytes());
        bytes[2..8].copy_from_slice(&[0, 80, 10, 2, 0, 1]);
        bytes
    }

    fn v6(ip: &str, scope: u32) -> Vec<u8> {
        let mut bytes = vec![0; 28];
        bytes[..2].copy_from_slice(&10u16.to_ne_bytes());
        bytes[2..4].copy_from_slice(&[1, 187]);
        bytes[8..24].copy_from_slice(&ip.parse::<Ipv6Addr>().unwrap().octets());
        bytes[24..].copy_from_slice(&scope.to_ne_bytes());
        bytes
    }

    #[test]
    fn addresses_are_read_as_they_are() {
        assert_eq!(read_bytes(&v4()).unwrap().meant.to_string(), "10.2.0.1:80");
        let mut long = v4();
        long.resize(128, 0);
        assert_eq!(read_bytes(&long), read_bytes(&v4()), "traceroute passes 28");
        assert_eq!(
            read_bytes(&v6("fe80::1", 3)).unwrap().meant.to_string(),
            "[fe80::1%3]:443"
        );
        assert_eq!(
            read_bytes(&v6("2001:db8::1", 0)[..24])
                .unwrap()
                .meant
                .to_string(),
            "[2001:db8::1]:443"
        );
    }

    #[test]
    fn mapped_addresses_mean_ipv4() {
        let given = read_bytes(&v6("::ffff:10.2.0.1", 0)).unwrap();
        assert_eq!(given.meant.to_string(), "10.2.0.1:443");
        assert!(given.address.is_ipv6() && given.is_v4());
    }

    #[test]
    fn whatever_is_no_ip_address_is_the_kernels() {
        assert_eq!(read_bytes(&v4()[..15]), None);
        let mut long = v4();
        long.resize(129, 0);
        assert_eq!(read_bytes(&long), None);
        assert_eq!(read_bytes(&v6("::1", 0)[..23]), None);
        let mut unix = v4();
        unix[0] = 1;
        assert_eq!(read_bytes(&unix), None);
        for pointer in [0usize, 1, 4095, usize::MAX, 1 << 63] {
            // SAFETY: these are null or invalid for every process.
            let given = unsafe { read(std::ptr::without_provenance(pointer), 16) };
            assert_eq!(given, None);
        }
    }
}
