//! What becomes of one socket in one call: the policy's verdict, and what it takes to carry it out on a
//! socket that the application may have bound or pinned itself, and that may have been put on another
//! network before. Both ways into mif are here the same: the hooks of libmif.so, and the supervisor.
//!
//! [`Connection`] is for sockets that are about to be connected, [`Datagram`] for datagrams with a
//! destination, [`Binding`] for `bind` and `listen`. What is known of the socket's past they ask a
//! [`Subject`]; everything else of the kernel. Nothing here allocates or keeps anything.
#![forbid(unsafe_code)]
#![allow(
    clippy::inline_always,
    reason = "each step hands a route of a hundred bytes to the next"
)]

mod binding;
mod connection;
mod datagram;
mod device;
mod level;

pub use binding::{Binding, Judgement};
pub use connection::{Connection, Known, Steering, bound_ip, protocol};
pub use datagram::{Datagram, Network, Plan, Said};
pub use device::{DEVICE, is_outside};
pub use level::{Level, said_of_ring};

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::os::fd::BorrowedFd;

use mif_policy::{Flow, Host, Pass, Policy, Protocol, Route, RuleId, Verdict};
use mif_socket::Kind;

/// An IP address in the form the application gave it, and in the form rules are written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Given {
    /// As given: a v4-mapped IPv6 address says that the socket is an `AF_INET6` one.
    pub address: SocketAddr,
    /// The IPv4 address where `address` is a v4-mapped one, else the same.
    pub meant: SocketAddr,
}

impl Given {
    /// An address in both forms.
    #[must_use]
    pub fn new(address: SocketAddr) -> Self {
        let ip = mif_socket::canonical(address.ip());
        let meant = if ip == address.ip() {
            address
        } else {
            SocketAddr::new(ip, address.port())
        };
        Self { address, meant }
    }

    /// The address that the bytes of a `sockaddr` are; `None` for whatever is not one of IP (too short,
    /// another family), which the kernel is to judge.
    #[must_use]
    #[inline]
    pub fn of_bytes(bytes: &[u8]) -> Option<Self> {
        let port = |bytes: &[u8]| Some(u16::from_be_bytes(*bytes.get(2..)?.first_chunk()?));
        match u16::from_ne_bytes(*bytes.first_chunk()?).into() {
            libc::AF_INET if bytes.len() >= size_of::<libc::sockaddr_in>() => {
                let ip = Ipv4Addr::from_octets(*bytes.get(4..)?.first_chunk()?);
                let address = SocketAddr::V4(SocketAddrV4::new(ip, port(bytes)?));
                Some(Self {
                    address,
                    meant: address,
                })
            }
            libc::AF_INET6 => {
                // The kernel takes an address without the scope id too (SIN6_LEN_RFC2133, 24 bytes).
                let ip = Ipv6Addr::from_octets(*bytes.get(8..)?.first_chunk()?);
                let scope_id = bytes.get(24..)?.first_chunk();
                let scope_id = scope_id.map_or(0, |&scope_id| u32::from_ne_bytes(scope_id));
                let port = port(bytes)?;
                let address = SocketAddr::V6(SocketAddrV6::new(ip, port, 0, scope_id));
                let meant = match ip.to_ipv4_mapped() {
                    Some(v4) => SocketAddr::V4(SocketAddrV4::new(v4, port)),
                    None => address,
                };
                Some(Self { address, meant })
            }
            _ => None,
        }
    }

    /// Whether IPv4 carries it.
    #[must_use]
    pub fn is_v4(&self) -> bool {
        self.meant.is_ipv4()
    }
}

/// A socket in a call, with what is known of its past, its process and the host.
///
/// What the answers say is *may be*: where it is not known, they make the kernel be asked, or a call be
/// refused.
pub trait Subject: Sized {
    /// The host as this call sees it.
    type Host: Host;

    /// The policy in force.
    fn policy(&self) -> &Policy;

    /// The host.
    fn host(&self) -> &Self::Host;

    /// The socket.
    fn socket(&self) -> BorrowedFd<'_>;

    /// The kernel does not know what the host was said to have: it is to be asked anew.
    fn forget(&self);

    /// A flow of the application's, with what its look-ups told of the destination.
    fn flow(&self, destination: SocketAddr, protocol: Protocol) -> Flow<'_>;

    /// What was decided about a destination, or an address of its own, is said to people.
    fn say(&self, about: SocketAddr, verdict: &Verdict<'_>);

    /// The same of a flow that is routed.
    #[inline]
    fn say_routed(&self, about: SocketAddr, route: &Route<'_>) {
        self.say(about, &Verdict::Route(*route));
    }

    /// The same call under the policy that this one is a choice of the application's within, if it is.
    fn within(&self) -> Option<Self>;

    /// The device that the socket is bound to, by whomever.
    fn device(&self) -> Option<u32>;

    /// The device that mif bound this datagram socket to; `None` where it may have been the application.
    fn own_device(&self) -> Option<u32>;

    /// Whether mif may have bound this datagram socket to the device of this index, or to any.
    fn may_be_own_device(&self, index: Option<u32>) -> bool;

    /// Whether mif bound this stream to the device that it is on, where a flow is to be left alone.
    fn is_own_stream(&self, pass: Pass) -> bool;

    /// Whether mif may have set `IP_UNICAST_IF` (`v4`), or `IPV6_UNICAST_IF`, to this index.
    fn is_own_unicast(&self, v4: bool, index: u32) -> bool;

    /// Whether mif may have set one of them on this socket.
    fn may_have_own_unicast(&self) -> bool;

    /// Whether the application may have set one of them, or `*_MULTICAST_IF`.
    fn may_be_pinned(&self) -> bool;

    /// Whether the application may have bound this stream to an address.
    fn may_be_bound(&self) -> bool;

    /// Whether this datagram socket may have an address that a datagram of IPv4 (`v4`), or IPv6, would be
    /// sent from.
    fn may_have_source(&self, v4: bool) -> bool;

    /// Whether the application has said for this socket which kind of source address it prefers.
    fn prefers_source(&self) -> bool;

    /// Takes note of what is done with the socket.
    fn note(&self, what: Done);
}

/// What is done with a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Done {
    /// The application binds it to an address of its own.
    Bound,
    /// It has been put on a network to be connected: by this device, or if not `by_device` by
    /// `IP_UNICAST_IF`.
    Put {
        /// What it is.
        kind: Kind,
        /// By its device.
        by_device: bool,
        /// The index.
        index: u32,
        /// With a kind of source address to prefer.
        prefers: bool,
    },
    /// It is about to be bound to a device, which holds its datagrams.
    WillBeHeld,
    /// It has been bound to this device, which holds its datagrams.
    Held(u32),
    /// It listens on this device, to which it is bound.
    Listens {
        /// The index.
        index: u32,
        /// By mif, not by the application.
        by_us: bool,
    },
    /// It has been told which kind of source address to prefer.
    Prefers,
    /// What mif put on it before is gone.
    Left,
}

/// Takes back what the policy says of the kind of source address where the application has said it
/// for this socket.
#[inline]
fn leave_preference(subject: &impl Subject, route: &mut Route<'_>) {
    if route.prefer_source.is_some() && subject.prefers_source() {
        route.prefer_source = None;
    }
}

/// Whether a datagram socket that mif pinned as a listener to `index` may send by it although
/// `rule` would choose another network: answers go back by the network that the request came by
/// (RFC 7556 5.2.3.1), unless a rule of its own speaks for the destination.
fn is_reply_by_listener(subject: &impl Subject, index: u32, rule: RuleId) -> bool {
    subject.may_be_own_device(Some(index))
        && rule == subject.policy().last_rule()
        && matches!(
            subject.policy().choose_listen(subject.host()),
            Verdict::Route(listen) if listen.index == index
        )
}

/// `*_UNICAST_IF` of this socket where mif may have set it; 0 for none.
fn own_unicast(subject: &impl Subject, v4: bool) -> u32 {
    if !subject.may_have_own_unicast() {
        return 0;
    }
    let index = mif_socket::unicast_index(subject.socket(), v4).unwrap_or(0);
    if index != 0 && subject.is_own_unicast(v4, index) {
        index
    } else {
        0
    }
}
