//! One provisioning domain with what the checks ask about it.

use std::fs;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpStream, UdpSocket};
use std::os::fd::AsFd;
use std::time::Duration;

use mif_host::inventory::{self, Address, Interface, Inventory, Query, Way};
use mif_policy::{
    AddressSelection, Dns, Host as _, Interface as Known, Need, Policy, Prefix, Pvd, PvdId, Route,
    RuleId,
};
use mif_socket::{Fault, Kind};
use rustix::io::Errno;
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};

use crate::pvd::domain::Domain;

/// Stands for all that is far away: a DNS root server (a.root-servers.net). Nothing is sent there.
const FAR: [&str; 2] = ["198.41.0.4", "2001:503:ba3e::2:30"];

/// A domain whose interface is there.
pub(crate) struct Patient<'a> {
    pub(super) domain: &'a Domain,
    pub(super) interface: &'a Interface,
    pub(super) inventory: &'a Inventory,
    policy: Policy,
    host: mif_host::Host,
}

impl<'a> Patient<'a> {
    pub(crate) fn new(domain: &'a Domain, inventory: &'a Inventory) -> Option<Self> {
        let interface = inventory.named(&domain.interface)?;
        let pvd = Pvd {
            name: domain.name.as_str().into(),
            interface: Known::Named(interface.name.parse().ok()?),
            sources: domain.sources.clone(),
            mark: domain.mark,
            dns: Dns::default(),
            addrsel: AddressSelection::default(),
        };
        let policy = Policy {
            pvds: vec![pvd],
            ..Policy::refusing()
        };
        Some(Self {
            domain,
            interface,
            inventory,
            host: mif_host::Host::new(&policy),
            policy,
        })
    }

    /// As the library would put a flow to `ip` on this domain.
    pub(super) fn route(&self, ip: IpAddr) -> Option<Route<'_>> {
        let (pvd, rule) = (PvdId(0), RuleId(0));
        self.policy.route(pvd, rule, Need::of(ip), &self.host).ok()
    }

    /// Whether it is an address of the host's own.
    pub(crate) fn is_own(&self, ip: IpAddr) -> bool {
        ip.is_loopback() || self.host.owner(ip).is_some()
    }

    /// The addresses of a family that reach beyond the link.
    pub(super) fn addresses(&self, v6: bool) -> impl Iterator<Item = &'a Address> {
        let interface = self.interface;
        let all = interface.addresses.iter();
        all.filter(move |address| address.ip.is_ipv6() == v6 && reaches_beyond(address.ip))
    }

    /// Whether flows of a family can use it at all.
    pub(super) fn has(&self, v6: bool) -> bool {
        self.route(far(v6).ip()).is_some()
    }

    /// The way of a packet, bound to a device or from a source.
    pub(super) fn way(
        &self,
        to: IpAddr,
        interface: Option<u32>,
        source: Option<IpAddr>,
    ) -> io::Result<Option<Way>> {
        inventory::way(Query {
            destination: to,
            port: 53,
            protocol: 17,
            interface,
            source,
            mark: self.domain.mark,
        })
    }

    /// Connects a datagram socket to [`far`] as the library would; nothing is sent.
    pub(super) fn connect(&self, v6: bool) -> Result<(), Errno> {
        let wildcard = mif_socket::wildcard_like(SocketAddr::new(far(v6).ip(), 0));
        let socket = UdpSocket::bind(wildcard)
            .map_err(|why| Errno::from_io_error(&why).unwrap_or(Errno::IO))?;
        self.put(&socket, Kind::Datagram, far(v6))?;
        rustix::net::connect(&socket, &far(v6))
    }

    /// Puts a socket on this domain, as the library does before a connect.
    pub(crate) fn put(&self, socket: impl AsFd, kind: Kind, to: SocketAddr) -> Result<(), Errno> {
        let route = self.route(to.ip()).ok_or(Errno::NETUNREACH)?;
        mif_socket::put(socket.as_fd(), kind, to, &route).map_err(|fault| match fault {
            Fault::Mark(errno) | Fault::Interface(errno) | Fault::Source(errno) => errno,
        })
    }

    /// A connection on this domain, on which each wait ends in time.
    pub(crate) fn stream(&self, to: SocketAddr, patience: Duration) -> io::Result<TcpStream> {
        let family = if to.is_ipv4() {
            AddressFamily::INET
        } else {
            AddressFamily::INET6
        };
        let socket = socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
        for wait in [Timeout::Send, Timeout::Recv] {
            set_socket_timeout(&socket, wait, Some(patience))?;
        }
        if !self.is_own(to.ip()) {
            self.put(&socket, Kind::Stream, to)?;
        }
        rustix::net::connect(&socket, &to)?;
        Ok(TcpStream::from(socket))
    }

    /// Who is likely to be the router of this network, and whether that is a guess.
    pub(super) fn router(&self, v6: bool) -> Option<(IpAddr, bool)> {
        let is_router = |ip: &IpAddr| ip.is_ipv6() == v6;
        let routes = self.inventory.routes.iter();
        let known = routes
            .filter(|route| route.interface == Some(self.interface.index))
            .find_map(|route| route.gateway.filter(is_router));
        if let Some(known) = known {
            return Some((known, false));
        }
        let (prefix, first) = self.addresses(v6).find_map(|address| {
            let prefix = Prefix::new(address.ip, address.length)?;
            let first = first_of(address.ip, address.length)?;
            Some((prefix, Some(first).filter(|&first| first != address.ip)))
        })?;
        let on_link = |ip: &IpAddr| prefix.contains(*ip) && !self.is_own(*ip);
        let neighbour = self.neighbours().into_iter().find(on_link);
        let server = self.domain.dns.servers.iter();
        let server = server.filter_map(|text| text.parse().ok()).find(on_link);
        Some((neighbour.or(server).or(first)?, true))
    }

    /// IPv4 neighbours whose link-layer address is known.
    fn neighbours(&self) -> Vec<IpAddr> {
        let table = fs::read_to_string("/proc/net/arp").unwrap_or_default();
        let rows = table.lines().skip(1).filter_map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let [ip, _, _, mac, _, device] = words[..] else {
                return None;
            };
            let is_known = device == self.interface.name && mac != "00:00:00:00:00:00";
            ip.parse().ok().filter(|_| is_known)
        });
        rows.collect()
    }

    /// A kernel setting of this interface (`conf/NAME`) or another one, in `/proc/sys/net`.
    pub(super) fn setting(family: &str, whose: &str, name: &str) -> Option<i64> {
        let path = format!("/proc/sys/net/{family}/conf/{whose}/{name}");
        fs::read_to_string(path).ok()?.trim().parse().ok()
    }
}

/// A destination beyond every router.
pub(super) fn far(v6: bool) -> SocketAddr {
    let ip = FAR[usize::from(v6)].parse();
    SocketAddr::new(ip.unwrap_or(IpAddr::from([0; 4])), 53)
}

/// A word of a shell's, quoted if it has to be.
pub(crate) fn word(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@%+,=".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

/// `ip`, or what it is for IPv6.
pub(super) fn ip(v6: bool) -> &'static str {
    if v6 { "ip -6" } else { "ip" }
}

/// The family by name.
pub(super) fn family(v6: bool) -> &'static str {
    if v6 { "IPv6" } else { "IPv4" }
}

fn reaches_beyond(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => !v4.is_link_local() && !v4.is_loopback(),
        IpAddr::V6(v6) => !v6.is_unicast_link_local() && !v6.is_loopback(),
    }
}

/// The first address of the network that `ip` lies in, which most routers have.
fn first_of(ip: IpAddr, length: u8) -> Option<IpAddr> {
    match ip {
        IpAddr::V4(v4) if length < 31 => {
            let mask = u32::MAX.checked_shl(32 - u32::from(length)).unwrap_or(0);
            Some(IpAddr::from((u32::from(v4) & mask | 1).to_be_bytes()))
        }
        IpAddr::V6(v6) if length < 127 => {
            let mask = u128::MAX.checked_shl(128 - u32::from(length)).unwrap_or(0);
            Some(IpAddr::from((u128::from(v6) & mask | 1).to_be_bytes()))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn routers_have_the_first_address() {
        let first = |ip: &str, length| first_of(ip.parse().unwrap(), length);
        assert_eq!(first("10.2.0.130", 24), "10.2.0.1".parse().ok());
        assert_eq!(first("10.2.0.130", 25), "10.2.0.129".parse().ok());
        assert_eq!(first("10.2.0.130", 0), "0.0.0.1".parse().ok());
        assert_eq!(first("10.2.0.130", 32), None);
        assert_eq!(first("2001:db8:2::2", 64), "2001:db8:2::1".parse().ok());
        assert_eq!(first("2001:db8:2::2", 128), None);
    }

    #[test]
    fn words_are_quoted_for_a_shell() {
        assert_eq!(word("eth0.100"), "eth0.100");
        assert_eq!(word("a b"), "'a b'");
        assert_eq!(word("it's"), r"'it'\''s'");
        assert_eq!(word(""), "''");
    }
}
