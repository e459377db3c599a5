//! A [`Route`] onto a socket: which kernel mechanism steers which kind of socket, as one typed
//! function per option.
//!
//! Every call here is a raw system call. Inside `libmif.so` the C functions of the same name are
//! mif's own hooks, which would judge mif's own calls; and errno, which belongs to the
//! application, stays as it was. There is no state and no allocation: the kernel is the table of
//! sockets.
#![allow(
    clippy::inline_always,
    reason = "a system call is prepared in ten instructions, and handed on in as many again"
)]

pub mod cmsg;
mod descriptor;
pub mod icmp6;
mod option;

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::os::fd::BorrowedFd;

use mif_policy::{Interface, PreferSource, Route};
use rustix::io::{Errno, Result};
use rustix::net::{AddressFamily, SocketType};

pub use descriptor::Descriptor;
pub use option::{
    Name, address_preferences, bind_to_index, bound_index, multicast_index,
    set_address_preferences, set_mark, set_unicast_index, unicast_index,
};

/// How the kernel steers a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// By its device: TCP, MPTCP, SCTP, which ignore everything else.
    Stream,
    /// By `IP_UNICAST_IF`, which can be changed, or where [`needs_device`] says so by a device,
    /// which [`release`] takes away: UDP, ICMP echo, raw.
    Datagram,
}

/// The kind of a socket, and `None` of one that is neither (`SOCK_SEQPACKET` counts as a stream).
///
/// # Errors
/// Those of `getsockopt(2)`: not a socket, not open.
#[inline(always)]
pub fn kind(fd: BorrowedFd<'_>) -> Result<(Kind, SocketType)> {
    let socket_type = option::socket_type(fd)?;
    let kind = match socket_type {
        SocketType::DGRAM | SocketType::RAW => Kind::Datagram,
        _ => Kind::Stream,
    };
    Ok((kind, socket_type))
}

/// Whether the kernel refuses every IP address on this descriptor: it is not open, no socket, or one
/// of a family that has other addresses. (Some families besides IP's own take IP addresses.)
#[must_use]
pub fn takes_no_ip(fd: BorrowedFd<'_>) -> bool {
    match rustix::net::sockopt::socket_domain(fd) {
        Ok(family) => [AddressFamily::UNIX, AddressFamily::NETLINK].contains(&family),
        Err(errno) => [Errno::BADF, Errno::NOTSOCK].contains(&errno),
    }
}

/// What the kernel did not do, and why; then nothing may be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// `SO_MARK`: `EPERM` without `CAP_NET_ADMIN` and `CAP_NET_RAW`.
    Mark(Errno),
    /// The interface: `ENODEV` or `EADDRNOTAVAIL` where it is gone, `EPERM` where a stream is
    /// pinned already, `EINVAL` where a datagram socket is.
    Interface(Errno),
    /// The source address: `EADDRNOTAVAIL` where it is gone, `EINVAL` where the socket is bound.
    Source(Errno),
}

/// Puts a socket on a network, before it is connected to `destination` (in the form the socket's
/// family wants: a v4-mapped one stands for IPv4 on an `AF_INET6` socket).
///
/// # Errors
/// The kernel's.
pub fn put(
    fd: BorrowedFd<'_>,
    kind: Kind,
    destination: SocketAddr,
    route: &Route<'_>,
) -> core::result::Result<(), Fault> {
    if let Some(mark) = route.mark {
        set_mark(fd, mark).map_err(Fault::Mark)?;
    }
    if kind == Kind::Stream || needs_device(destination) {
        pin(fd, route)
    } else {
        match set_unicast_index(fd, true, route.index) {
            // Beside a device it cannot be set, and need not be.
            Err(Errno::INVAL) if bound_index(fd) == Ok(route.index) => Ok(()),
            result => result,
        }
    }
    .map_err(Fault::Interface)?;
    let Some(source) = route.source else {
        prefer_source(fd, route);
        return Ok(());
    };
    bind_source(fd, kind, destination, source).map_err(Fault::Source)
}

/// Has the kernel prefer the kind of source address that the route says, for whatever the socket
/// sends from now on without an address of its own. It is a preference: a socket that cannot be
/// told of it (MPTCP) goes without.
#[inline]
pub fn prefer_source(fd: BorrowedFd<'_>, route: &Route<'_>) {
    if let Some(kind) = route.prefer_source {
        let flags = match kind {
            PreferSource::Temporary => option::PREFER_TEMPORARY,
            PreferSource::Public => option::PREFER_PUBLIC,
        };
        let _ = set_address_preferences(fd, flags);
    }
}

/// Whether a socket has been told which kind of source address to prefer.
#[must_use]
pub fn prefers_source(fd: BorrowedFd<'_>) -> bool {
    let kinds = option::PREFER_TEMPORARY | option::PREFER_PUBLIC;
    address_preferences(fd).is_ok_and(|flags| flags & kinds != 0)
}

/// Whether only a device holds a datagram socket that is connected to `destination` on its network.
///
/// From a source address, which `connect` brings, IPv6 takes `IPV6_UNICAST_IF` for a wish: the next
/// change of any route would move the flow to the best default. Multicast of IPv4 does not heed
/// `IP_UNICAST_IF` at all.
#[must_use]
pub fn needs_device(destination: SocketAddr) -> bool {
    !is_v4(destination) || canonical(destination.ip()).is_multicast()
}

/// Binds a socket to the route's device. Without privileges this works once for each socket; one
/// that has this device already is left as it is.
///
/// # Errors
/// `EPERM` where the socket has another device, `ENODEV` where the device is gone.
pub fn pin(fd: BorrowedFd<'_>, route: &Route<'_>) -> Result<()> {
    pin_to(fd, route.interface, route.index)
}

/// The same for an interface and the index that it has now.
///
/// # Errors
/// As [`pin`].
#[inline(always)]
pub fn pin_to(fd: BorrowedFd<'_>, interface: &Interface, index: u32) -> Result<()> {
    let result = match interface {
        Interface::Named(name) => option::bind_to_device(fd, name),
        Interface::OfSource => bind_to_index(fd, index),
    };
    match result {
        Err(Errno::PERM) if has_device(fd, index) => Ok(()),
        result => result,
    }
}

#[cold]
fn has_device(fd: BorrowedFd<'_>, index: u32) -> bool {
    bound_index(fd) == Ok(index)
}

/// Binds a socket that is going to be connected to its source. Port 0 is left to `connect`, so that ports
/// are shared between destinations.
///
/// # Errors
/// The kernel's.
pub fn bind(fd: BorrowedFd<'_>, kind: Kind, source: SocketAddr) -> Result<()> {
    if kind == Kind::Stream && source.port() == 0 {
        option::set_bind_address_no_port(fd)?;
    }
    rustix::net::bind(fd, &source)
}

/// Binds to a source address with the port left to `connect`, so that ports are shared between
/// destinations. A socket that has this address already is left as it is.
fn bind_source(
    fd: BorrowedFd<'_>,
    kind: Kind,
    destination: SocketAddr,
    source: IpAddr,
) -> Result<()> {
    let address = match (source, destination) {
        (IpAddr::V4(v4), SocketAddr::V6(_)) => IpAddr::V6(v4.to_ipv6_mapped()),
        (source, _) => source,
    };
    match bind(fd, kind, SocketAddr::new(address, 0)) {
        Err(Errno::INVAL) if local_address(fd).is_some_and(|ip| canonical(ip.ip()) == source) => {
            Ok(())
        }
        result => result,
    }
}

/// The address that an IP socket is bound to, `None` for a socket of another family or for no
/// socket at all. Unbound is the unspecified address with port 0.
#[must_use]
pub fn local_address(fd: BorrowedFd<'_>) -> Option<SocketAddr> {
    Name::of(fd).ok()?.address()
}

/// Whether a socket is connected to some peer.
#[must_use]
pub fn is_connected(fd: BorrowedFd<'_>) -> bool {
    rustix::net::getpeername(fd).is_ok_and(|peer| peer.is_some())
}

/// Dissolves the association of a datagram socket (`connect` with `AF_UNSPEC`), and with it the
/// source address that the association brought and the device. An address that was bound stays.
///
/// # Errors
/// Those of `connect(2)`.
pub fn release(fd: BorrowedFd<'_>) -> Result<()> {
    rustix::net::connect_unspec(fd)
}

/// Whether packets to this destination are IPv4 packets.
#[must_use]
pub fn is_v4(destination: SocketAddr) -> bool {
    canonical(destination.ip()).is_ipv4()
}

/// The IPv4 address of a v4-mapped one; any other as it is.
#[must_use]
pub fn canonical(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V6(v6) => v6.to_ipv4_mapped().map_or(ip, IpAddr::V4),
        IpAddr::V4(_) => ip,
    }
}

/// The wildcard address of the same family.
#[must_use]
pub fn wildcard_like(address: SocketAddr) -> SocketAddr {
    let ip = match address {
        SocketAddr::V4(_) => IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED),
        SocketAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    };
    SocketAddr::new(ip, address.port())
}
