//! Socket options that `rustix` has no function for, each with the C integers it takes. The system
//! calls are raw: libc's `syscall` goes through the hooks, and would write errno.
#![allow(unsafe_code)]

use std::ffi::c_int;
use std::net::Ipv4Addr;
use std::os::fd::{AsRawFd, BorrowedFd};

use mif_policy::InterfaceName;
use rustix::io::{Errno, Result};
use syscalls::{Sysno, syscall};

/// `SO_BINDTODEVICE` by name (socket(7)).
pub(crate) fn bind_to_device(fd: BorrowedFd<'_>, name: &InterfaceName) -> Result<()> {
    set(fd, libc::SOL_SOCKET, libc::SO_BINDTODEVICE, name.padded())
}

/// `SO_BINDTOIFINDEX`, the same by index (Linux 5.0).
///
/// # Errors
/// `EPERM` where the socket has a device already, `ENODEV` where there is no such index.
pub fn bind_to_index(fd: BorrowedFd<'_>, index: u32) -> Result<()> {
    set(
        fd,
        libc::SOL_SOCKET,
        libc::SO_BINDTOIFINDEX,
        &index.to_ne_bytes(),
    )
}

/// The index of the device that a socket is bound to, 0 for none.
///
/// # Errors
/// Those of `getsockopt(2)`.
pub fn bound_index(fd: BorrowedFd<'_>) -> Result<u32> {
    get(fd, libc::SOL_SOCKET, libc::SO_BINDTOIFINDEX).map(u32::from_ne_bytes)
}

/// `IP_UNICAST_IF` or `IPV6_UNICAST_IF` (ip(7)); 0 clears it.
///
/// # Errors
/// `EADDRNOTAVAIL` where there is no such index, `EINVAL` where the socket is bound to another
/// device.
pub fn set_unicast_index(fd: BorrowedFd<'_>, v4: bool, index: u32) -> Result<()> {
    let (level, name) = unicast_if(v4);
    set(fd, level, name, &index.to_be_bytes())
}

/// What `IP_UNICAST_IF` or `IPV6_UNICAST_IF` says, 0 for nothing.
///
/// # Errors
/// Those of `getsockopt(2)`.
pub fn unicast_index(fd: BorrowedFd<'_>, v4: bool) -> Result<u32> {
    let (level, name) = unicast_if(v4);
    get(fd, level, name).map(u32::from_be_bytes)
}

/// The interface that multicast leaves by: an index for IPv6, an address for IPv4, where the
/// kernel does not tell an index. `None` where neither is set.
///
/// # Errors
/// Those of `getsockopt(2)`.
pub fn multicast_index(fd: BorrowedFd<'_>, v4: bool) -> Result<(u32, Option<Ipv4Addr>)> {
    if v4 {
        let address = Ipv4Addr::from(get::<4>(fd, libc::IPPROTO_IP, libc::IP_MULTICAST_IF)?);
        Ok((0, (!address.is_unspecified()).then_some(address)))
    } else {
        let index = get(fd, libc::IPPROTO_IPV6, libc::IPV6_MULTICAST_IF)?;
        Ok((u32::from_ne_bytes(index), None))
    }
}

/// `IPV6_PREFER_SRC_TMP` of linux/in6.h.
pub(crate) const PREFER_TEMPORARY: u32 = 1;
/// `IPV6_PREFER_SRC_PUBLIC` of linux/in6.h.
pub(crate) const PREFER_PUBLIC: u32 = 2;

/// `IPV6_ADDR_PREFERENCES`, RFC 5014: `IPV6_PREFER_SRC_*` of linux/in6.h.
///
/// # Errors
/// Those of `getsockopt(2)`.
pub fn address_preferences(fd: BorrowedFd<'_>) -> Result<u32> {
    get(fd, libc::IPPROTO_IPV6, libc::IPV6_ADDR_PREFERENCES).map(u32::from_ne_bytes)
}

/// Sets `IPV6_ADDR_PREFERENCES`.
///
/// # Errors
/// `EINVAL` where the flags contradict each other.
pub fn set_address_preferences(fd: BorrowedFd<'_>, flags: u32) -> Result<()> {
    let (level, name) = (libc::IPPROTO_IPV6, libc::IPV6_ADDR_PREFERENCES);
    set(fd, level, name, &flags.to_ne_bytes())
}

/// `SO_MARK` (socket(7)).
///
/// # Errors
/// `EPERM` without `CAP_NET_ADMIN` and `CAP_NET_RAW`.
pub fn set_mark(fd: BorrowedFd<'_>, mark: u32) -> Result<()> {
    set(fd, libc::SOL_SOCKET, libc::SO_MARK, &mark.to_ne_bytes())
}

/// `IP_BIND_ADDRESS_NO_PORT`, which serves both families (ip(7)).
pub(crate) fn set_bind_address_no_port(fd: BorrowedFd<'_>) -> Result<()> {
    set(
        fd,
        libc::IPPROTO_IP,
        libc::IP_BIND_ADDRESS_NO_PORT,
        &1i32.to_ne_bytes(),
    )
}

fn unicast_if(v4: bool) -> (c_int, c_int) {
    if v4 {
        (libc::IPPROTO_IP, libc::IP_UNICAST_IF)
    } else {
        (libc::IPPROTO_IPV6, libc::IPV6_UNICAST_IF)
    }
}

pub(crate) fn set<const N: usize>(
    fd: BorrowedFd<'_>,
    level: c_int,
    name: c_int,
    value: &[u8; N],
) -> Result<()> {
    // SAFETY: `value` is readable for the N bytes that the kernel is told of, and outlives the call.
    let done = unsafe {
        syscall!(
            Sysno::setsockopt,
            fd.as_raw_fd(),
            level,
            name,
            value.as_ptr(),
            N
        )
    };
    done.map(|_| ()).map_err(errno)
}

fn get<const N: usize>(fd: BorrowedFd<'_>, level: c_int, name: c_int) -> Result<[u8; N]> {
    let mut value = [0u8; N];
    #[allow(clippy::cast_possible_truncation)] // N is 4.
    let mut length = N as libc::socklen_t;
    // SAFETY: `value` is writable for the N bytes that `length` announces, and both outlive the call.
    let done = unsafe {
        syscall!(
            Sysno::getsockopt,
            fd.as_raw_fd(),
            level,
            name,
            value.as_mut_ptr(),
            &raw mut length
        )
    };
    done.map(|_| value).map_err(errno)
}

pub(crate) fn errno(failure: syscalls::Errno) -> Errno {
    Errno::from_raw_os_error(failure.into_raw())
}
