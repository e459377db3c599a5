//! The words of a decision: what is asked, what the host answers, and what comes out.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use crate::addrsel::PreferSource;
use crate::model::{Dns, Interface, PvdId, RuleId};
use crate::server::Server;

/// What a policy needs to know of the host, now.
pub trait Host {
    /// The index of the interface that has `address`, if the host has it.
    fn owner(&self, address: IpAddr) -> Option<u32>;

    /// The interface of a provisioning domain of the policy that is being asked.
    ///
    /// # Errors
    /// Why it can carry nothing now.
    fn link(&self, pvd: PvdId) -> Result<Link, Unusable>;

    /// Whether the host itself is configured to ask `address` for names.
    fn is_resolver(&self, address: IpAddr) -> bool;

    /// What a provisioning domain's network gave for names, as far as the host knows; `None` where
    /// it knows of no servers. Only asked where the policy names none itself.
    fn network(&self, pvd: PvdId) -> Option<Arc<Dns>>;

    /// Whether a provisioning domain's network gave a server that `is_meant`, as far as it has been
    /// asked for with [`Host::network`]: nothing is looked up.
    fn gave(&self, pvd: PvdId, is_meant: &dyn Fn(&Server) -> bool) -> Gave;
}

/// What a network is known to have given for names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gave {
    /// This server, perhaps among others.
    It,
    /// Others.
    Others,
    /// None at all.
    None,
    /// Nobody has asked yet, or the answer is being written.
    Unknown,
}

/// An interface that is up and has its carrier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// Its index, as in `if_nametoindex(3)`.
    pub index: u32,
    /// It has an IPv4 address.
    pub v4: bool,
    /// It has an IPv6 address wider than the link.
    pub v6: bool,
    /// It has an IPv6 link-local address.
    pub v6_link_local: bool,
}

/// Why a provisioning domain cannot be used now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unusable {
    /// There is no such interface.
    Missing,
    /// It is administratively down.
    Down,
    /// It is up without a carrier.
    NoCarrier,
    /// It has no usable address of the flow's family.
    NoAddress,
    /// The interface does not have the source address that the policy names.
    NoSource,
    /// The policy names source addresses, but none of the flow's family.
    NoSourceOfFamily,
    /// Its zones exclude the name.
    ForeignName,
    /// Nobody knows a DNS server of it, and names are to be looked up.
    NoServers,
    /// The kernel did not tell.
    Unknown,
}

/// Transport protocol of a flow, as the socket's type tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// Connection-oriented: TCP, and what is like it (MPTCP, SCTP).
    Tcp,
    /// Datagrams: UDP, and unprivileged ICMP echo.
    Udp,
    /// Raw sockets and what comes.
    Other,
}

/// A flow that is about to begin.
#[derive(Clone, Copy, Debug)]
pub struct Flow<'a> {
    /// Where to. A v4-mapped destination is handed in as the IPv4 one.
    pub destination: SocketAddr,
    /// By which transport.
    pub protocol: Protocol,
    /// The rules with a name that a look-up matched, when the destination came from it.
    pub named: &'a [RuleId],
    /// Where the destination was looked up, if it was.
    pub origin: Option<Origin>,
}

/// The provisioning domain whose servers told an address: there, and perhaps nowhere else, it is
/// the host that was meant (RFC 7556 5.2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The domain.
    pub pvd: PvdId,
    /// It was chosen by one of its zones, and need not be in the list of a rule.
    pub by_zone: bool,
}

/// What is to happen with a flow, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict<'p> {
    /// Leave the call alone.
    Pass(Pass),
    /// Put the socket on this network first.
    Route(Route<'p>),
    /// Fail the call; nothing is sent.
    Refuse(Refusal),
}

/// Why mif leaves a flow alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pass {
    /// Loopback, or an address of this host.
    Local,
    /// A link-local destination with a scope id: it has named its interface.
    Scoped,
    /// The rule says `system`.
    System(RuleId),
    /// The application bound or pinned the socket itself, and the policy respects that.
    Respected,
}

/// A network, ready to be put on a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route<'p> {
    /// The provisioning domain.
    pub pvd: PvdId,
    /// Its name, for people.
    pub name: &'p str,
    /// Its interface, if it is known by name.
    pub interface: &'p Interface,
    /// The interface's index now.
    pub index: u32,
    /// The source address that the policy wants; `None` leaves it to the kernel.
    pub source: Option<IpAddr>,
    /// The kind of address that the kernel is to prefer, if the policy says it: only for IPv6, and
    /// only where the choice is the kernel's.
    pub prefer_source: Option<PreferSource>,
    /// `SO_MARK`, if the policy wants one.
    pub mark: Option<u32>,
    /// The rule that chose it.
    pub rule: RuleId,
}

/// Why a flow is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The rule says `none`.
    Chosen(RuleId),
    /// No entry of the rule's list is usable now; the first one's reason.
    Exhausted(RuleId, Unusable),
    /// The address was looked up on this provisioning domain, which is not usable now.
    Origin(RuleId, PvdId, Unusable),
    /// The policy's `family` excludes it.
    Family,
    /// `local = false`, and no network leads to loopback.
    LocalForbidden(RuleId),
    /// It is a DNS server that the network does not have, and the policy's guard is against it.
    Resolver(RuleId),
    /// The application bound or pinned the socket outside the chosen network.
    Elsewhere(RuleId),
    /// The kernel did not permit the mark that the provisioning domain wants.
    Mark(RuleId),
    /// The socket could not be given the source address that the policy names.
    Source(RuleId),
    /// The kernel, or mif itself, did what was not expected.
    Internal,
}

/// Which addresses an interface must have for a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// An IPv4 one.
    V4,
    /// An IPv6 one that reaches beyond the link.
    V6,
    /// An IPv6 one; link-local suffices.
    V6Link,
    /// Any: a wildcard listener, a look-up.
    Any,
}

/// Where the application itself put a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    /// Bound to this address.
    To(IpAddr),
    /// Pinned to the interface with this index.
    On(u32),
}

impl Need {
    /// What a flow to `destination` needs.
    #[must_use]
    #[inline]
    pub fn of(destination: IpAddr) -> Self {
        match destination {
            IpAddr::V4(_) => Self::V4,
            IpAddr::V6(ip) if is_link_scoped(IpAddr::V6(ip)) => Self::V6Link,
            IpAddr::V6(_) => Self::V6,
        }
    }
}

/// `fe80::/10`, and multicast of interface or link scope: only with an interface do these mean
/// anything (RFC 4007).
pub(crate) fn is_link_scoped(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(_) => false,
        IpAddr::V6(v6) => {
            v6.is_unicast_link_local() || (v6.is_multicast() && v6.octets()[1] & 0xf <= 2)
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Other => "raw",
        })
    }
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Missing => "no such interface",
            Self::Down => "interface is down",
            Self::NoCarrier => "no carrier",
            Self::NoAddress => "no address of this family",
            Self::NoSource => "the interface does not have the policy's source address",
            Self::NoSourceOfFamily => "no source address of this family in the policy",
            Self::ForeignName => "its zones exclude the name",
            Self::NoServers => {
                "the host knows no DNS servers of it (name some with -d, or dns.servers in pvds.toml)"
            }
            Self::Unknown => "state unknown",
        })
    }
}
