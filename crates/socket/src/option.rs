//! Socket options that `rustix` has no function for, each with the C integers it takes. The system
//! calls are raw: libc's `syscall` goes through the hooks, and would write errno.
#![allow(unsafe_code)]

use std::ffi::c_int;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV6};
use std::os::fd::{AsRawFd, BorrowedFd};

use mif_policy::InterfaceName;
use rustix::io::{Errno, Result};
use rustix::net::SocketType;
use syscalls::{Sysno, syscall};

/// `SO_BINDTODEVICE` by name (socket(7)).
#[inline(always)]
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
    get(fd, libc::SOL_SOCKET, libc::SO_BINDTOIFINDEX)
}

/// `IP_UNICAST_IF` or `IPV6_UNICAST_IF` (ip(7)); 0 clears it.
///
/// # Errors
/// `EADDRNOTAVAIL` where there is no such index, `EINVAL` where the socket is bound to another
/// device.
#[inline(always)]
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
    get(fd, level, name).map(u32::from_be)
}

/// The interface that multicast leaves by: an index for IPv6, an address for IPv4, where the
/// kernel does not tell an index. `None` where neither is set.
///
/// # Errors
/// Those of `getsockopt(2)`.
pub fn multicast_index(fd: BorrowedFd<'_>, v4: bool) -> Result<(u32, Option<Ipv4Addr>)> {
    if v4 {
        let address = get(fd, libc::IPPROTO_IP, libc::IP_MULTICAST_IF)?;
        let address = Ipv4Addr::from(address.to_ne_bytes());
        Ok((0, (!address.is_unspecified()).then_some(address)))
    } else {
        let index = get(fd, libc::IPPROTO_IPV6, libc::IPV6_MULTICAST_IF)?;
        Ok((index, None))
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
    get(fd, libc::IPPROTO_IPV6, libc::IPV6_ADDR_PREFERENCES)
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

/// `SO_TYPE` (socket(7)).
#[inline(always)]
pub(crate) fn socket_type(fd: BorrowedFd<'_>) -> Result<SocketType> {
    get(fd, libc::SOL_SOCKET, libc::SO_TYPE).map(SocketType::from_raw)
}

/// The address that a socket is bound to, as the kernel wrote it: `struct sockaddr_in` or
/// `struct sockaddr_in6`, as far as they go, or of another family.
#[derive(Clone, Copy, Debug)]
#[repr(align(4))]
pub struct Name([u8; size_of::<libc::sockaddr_in6>()]);

impl Name {
    /// What getsockname(2) answers.
    ///
    /// # Errors
    /// Its own: not a socket, not open.
    #[inline(always)]
    pub fn of(fd: BorrowedFd<'_>) -> Result<Self> {
        let mut name = Self([0; _]);
        #[allow(clippy::cast_possible_truncation)] // It is 28.
        let mut length = size_of::<Self>() as libc::socklen_t;
        // SAFETY: `name` is writable for the bytes that `length` announces, and both outlive the call.
        let done = unsafe {
            syscall!(
                Sysno::getsockname,
                fd.as_raw_fd(),
                &raw mut name,
                &raw mut length
            )
        };
        done.map(|_| name).map_err(errno)
    }

    /// Whether it is IPv4's unspecified address.
    #[must_use]
    #[inline(always)]
    pub fn is_any_of_v4(&self) -> bool {
        let [f0, f1, _, _, ip @ ..] = self.0;
        c_int::from(u16::from_ne_bytes([f0, f1])) == libc::AF_INET && ip[..4] == [0; 4]
    }

    /// The address, `None` where it is none of IP.
    #[must_use]
    pub fn address(&self) -> Option<SocketAddr> {
        let [f0, f1, p0, p1, rest @ ..] = self.0;
        let port = u16::from_be_bytes([p0, p1]);
        match u16::from_ne_bytes([f0, f1]).into() {
            libc::AF_INET => {
                let [a, b, c, d, ..] = rest;
                Some((Ipv4Addr::new(a, b, c, d), port).into())
            }
            libc::AF_INET6 => {
                let [_, _, _, _, ip @ .., s0, s1, s2, s3] = rest;
                let scope_id = u32::from_ne_bytes([s0, s1, s2, s3]);
                Some(SocketAddrV6::new(ip.into(), port, 0, scope_id).into())
            }
            _ => None,
        }
    }
}

fn unicast_if(v4: bool) -> (c_int, c_int) {
    if v4 {
        (libc::IPPROTO_IP, libc::IP_UNICAST_IF)
    } else {
        (libc::IPPROTO_IPV6, libc::IPV6_UNICAST_IF)
    }
}

#[inline(always)]
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

/// An option of four bytes, as they lie in memory.
#[inline(always)]
fn get(fd: BorrowedFd<'_>, level: c_int, name: c_int) -> Result<u32> {
    let mut value = 0_u32;
    #[allow(clippy::cast_possible_truncation)] // It is 4.
    let mut length = size_of::<u32>() as libc::socklen_t;
    // SAFETY: `value` is writable for the bytes that `length` announces, and both outlive the call.
    let done = unsafe {
        syscall!(
            Sysno::getsockopt,
            fd.as_raw_fd(),
            level,
            name,
            &raw mut value,
            &raw mut length
        )
    };
    done.map(|_| value).map_err(errno)
}

pub(crate) fn errno(failure: syscalls::Errno) -> Errno {
    Errno::from_raw_os_error(failure.into_raw())
}
