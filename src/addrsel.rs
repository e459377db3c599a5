//! Two functions of RFC 5014 that glibc does not have: which source address selection takes, and
//! what kind of address one is. No other definition follows them, so they are no hooks.

use std::ffi::{c_int, c_short};
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd};

use libc::{sockaddr, sockaddr_in6, socklen_t};
use mif_socket::{Descriptor, canonical};
use rustix::io::{Errno, Result};
use rustix::net::{SocketAddrAny, SocketFlags, SocketType};

use crate::bind::bind;
use crate::connect::{borrow, connect, fail};
use crate::guard::uncancelled;
use crate::sockaddr::read;

/// `linux/in6.h`: each with the one that says the opposite.
const TMP: u32 = 0x1;
const PUBLIC: u32 = 0x2;
const COA: u32 = 0x4;
const CGA: u32 = 0x8;
const PUBTMP_DEFAULT: u32 = 0x100;
const HOME: u32 = 0x400;
const NONCGA: u32 = 0x800;
const CONTRADICTIONS: [u32; 5] = [
    TMP | PUBLIC,
    TMP | PUBTMP_DEFAULT,
    PUBLIC | PUBTMP_DEFAULT,
    COA | HOME,
    CGA | NONCGA,
];

/// RFC 5014 section 6: binds a socket to the source address that packets to `addr` would get, by the
/// policy's network and by the socket's own `IPV6_ADDR_PREFERENCES`. Nothing is sent.
///
/// # Safety
/// `addr` as for connect(2).
#[cfg_attr(not(test), unsafe(no_mangle))]
pub(crate) unsafe extern "C-unwind" fn bind2addrsel(
    fd: c_int,
    addr: *const sockaddr,
    len: socklen_t,
) -> c_int {
    let source = uncancelled(Err(Errno::INVAL), || {
        let probe = probe_like(fd)?;
        // By the hooks, this and the last, so that the policy has its say in both.
        // SAFETY: the caller's own address.
        let code = unsafe { connect(probe.as_fd().as_raw_fd(), addr, len) };
        let source = mif_socket::local_address(probe.as_fd()).filter(|_| code == 0);
        Ok(source)
    });
    let mut source = match source {
        Ok(Some(source)) => source,
        // The errno is that of connect(2).
        Ok(None) => return -1,
        Err(errno) => return fail(errno),
    };
    source.set_port(0);
    let source = SocketAddrAny::from(source);
    // SAFETY: an address of ours with its length.
    unsafe { bind(fd, source.as_ptr().cast(), source.addr_len()) }
}

/// A datagram socket of the same family, device and preferences.
fn probe_like(fd: c_int) -> Result<Descriptor> {
    let fd = borrow(fd).ok_or(Errno::BADF)?;
    let family = rustix::net::sockopt::socket_domain(fd)?;
    let flags = SocketFlags::CLOEXEC;
    let probe = rustix::net::socket_with(family, SocketType::DGRAM, flags, None)?;
    let probe = Descriptor::from(probe);
    let device = mif_socket::bound_index(fd)?;
    if device != 0 {
        mif_socket::bind_to_index(probe.as_fd(), device)?;
    }
    if family == rustix::net::AddressFamily::INET6 {
        let preferences = mif_socket::address_preferences(fd)?;
        mif_socket::set_address_preferences(probe.as_fd(), preferences)?;
    }
    Ok(probe)
}

/// RFC 5014 section 13: 1 if an address of this host is as the flags want it, 0 if it is not, -1 if
/// it is none (`EADDRNOTAVAIL`) or if the flags contradict each other (`EINVAL`). Linux has no
/// care-of addresses and does not tell cryptographically generated ones.
///
/// # Safety
/// `addr` must be null, invalid for every process, or readable.
#[cfg_attr(not(test), unsafe(no_mangle))]
pub(crate) unsafe extern "C-unwind" fn inet6_is_srcaddr(
    addr: *const sockaddr_in6,
    flags: u32,
) -> c_short {
    let contradicts = |both: &u32| flags & both == *both;
    let length = socklen_t::try_from(size_of::<sockaddr_in6>()).unwrap_or(0);
    // SAFETY: the caller's contract.
    let given = unsafe { read(addr.cast(), length) };
    let Some(SocketAddr::V6(given)) = given.map(|given| given.address) else {
        fail(Errno::INVAL);
        return -1;
    };
    if CONTRADICTIONS.iter().any(contradicts) {
        fail(Errno::INVAL);
        return -1;
    }
    let scope_id = given.scope_id();
    match uncancelled(None, || is_temporary(*given.ip(), scope_id)) {
        None => {
            fail(Errno::ADDRNOTAVAIL);
            -1
        }
        Some(temporary) => {
            let unwanted = if temporary { PUBLIC } else { TMP } | COA | CGA;
            c_short::from(flags & unwanted == 0)
        }
    }
}

/// Whether an address of this host is a temporary one; `None` if it is none of this host.
fn is_temporary(ip: Ipv6Addr, scope_id: u32) -> Option<bool> {
    if let v4 @ IpAddr::V4(_) = canonical(IpAddr::V6(ip)) {
        // What can be bound is the host's own.
        return std::net::UdpSocket::bind((v4, 0)).ok().map(|_| false);
    }
    let text = std::fs::read_to_string("/proc/net/if_inet6").ok()?;
    text.lines().find_map(|line| listed(line, ip, scope_id))
}

/// A line of `/proc/net/if_inet6`: address, index, length of the prefix, scope, flags and name, the
/// numbers in hexadecimal.
fn listed(line: &str, ip: Ipv6Addr, scope_id: u32) -> Option<bool> {
    const IFA_F_TEMPORARY: u32 = 1;
    let mut words = line.split_ascii_whitespace();
    let address = u128::from_str_radix(words.next()?, 16).ok()?;
    let index = u32::from_str_radix(words.next()?, 16).ok()?;
    let flags = u32::from_str_radix(words.nth(2)?, 16).ok()?;
    let is_it = Ipv6Addr::from(address) == ip && (scope_id == 0 || scope_id == index);
    is_it.then_some(flags & IFA_F_TEMPORARY != 0)
}
