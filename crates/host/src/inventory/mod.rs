//! The full picture of the host at one moment, for people: interfaces with their addresses and
//! name servers, routes, and routing rules.
//!
//! The kernel is asked over rtnetlink(7) by the netlink crates, and the configuration agents'
//! files are read ([`crate::network`]). Nothing is kept or watched, and nothing here decides:
//! whether a provisioning domain is usable is [`crate::Host`]'s to say, for `mif` as for
//! libmif.so, which has none of this.

mod kernel;
mod labels;
mod netlink;
mod way;

use std::io;
use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use mif_policy::Prefix;

use crate::network::{self, Network};

pub use labels::{Labels, labels};
pub use netlink::set;
pub use way::{Query, Way, way};

/// What this network namespace has.
#[derive(Clone, Debug)]
pub struct Inventory {
    /// All interfaces, by ascending index, loopback too.
    pub interfaces: Vec<Interface>,
    /// All routes but those of the `local` table, in the kernel's order: IPv4 first.
    pub routes: Vec<Route>,
    /// What `ip rule` lists, by ascending priority, IPv4 first.
    pub rules: Vec<Rule>,
}

/// One network interface.
#[derive(Clone, Debug)]
pub struct Interface {
    /// Its number in this namespace, from 1; `if_nametoindex(3)`.
    pub index: u32,
    /// Its name, at most 15 bytes.
    pub name: String,
    /// What it is, in one lower-case word: the kernel's link kind (`veth`, `tun`, `wireguard`,
    /// `bridge`), else the device type (`wifi`, `wwan`), else the link layer (`ether`, `ppp`,
    /// `loopback`).
    pub kind: String,
    /// It is administratively up (`IFF_UP`).
    pub up: bool,
    /// It is operational (`IFF_RUNNING`): up, and with a carrier where that is known.
    pub carrier: bool,
    /// Longest packet in bytes.
    pub mtu: u32,
    /// Its addresses in the kernel's order: IPv4 first.
    pub addresses: Vec<Address>,
    /// The routers of the default routes by this interface, in any table; of each family the
    /// smallest metric first.
    pub gateways: Vec<IpAddr>,
    /// Its name servers and domains, as the host's configuration agents left them.
    pub dns: Network,
}

/// One address of an interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// The address itself.
    pub ip: IpAddr,
    /// Length of the on-link prefix in bits.
    pub length: u8,
    /// The other end of a point-to-point interface.
    pub peer: Option<IpAddr>,
    /// How far it means anything: `global`, `site`, `link`, `host`, or the kernel's number.
    pub scope: String,
    /// What is particular about it.
    pub flags: Vec<Flag>,
    /// How much longer it exists; `None` is forever.
    pub valid: Option<Duration>,
    /// How much longer it is preferred; `None` is forever, zero is deprecated.
    pub preferred: Option<Duration>,
}

/// What is particular about an address (`IFA_F_*`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flag {
    /// Duplicate address detection is not through; not to be used yet (RFC 4862).
    Tentative,
    /// To be used although it is tentative (RFC 4429).
    Optimistic,
    /// Another host has it.
    DadFailed,
    /// Not for new flows (RFC 4862).
    Deprecated,
    /// IPv6: changed from time to time for privacy (RFC 8981).
    Temporary,
    /// IPv4: not the first of its prefix on the interface.
    Secondary,
    /// It has no lifetime.
    Permanent,
}

/// One route by one next hop. A multipath route is one entry for each of its hops.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// Where it leads; of length 0 for a default route.
    pub destination: Prefix,
    /// IPv6: it counts for packets with such a source only.
    pub source: Option<Prefix>,
    /// Index of the interface; `None` for one that leads nowhere (`blackhole`, `unreachable`).
    pub interface: Option<u32>,
    /// The router; `None` where destinations are on the link.
    pub gateway: Option<IpAddr>,
    /// The source address that the kernel takes if the socket has none.
    pub preferred_source: Option<IpAddr>,
    /// The routing table; 254 is `main`.
    pub table: u32,
    /// The smaller one wins among routes of the same prefix and table.
    pub metric: u32,
    /// What is done with its packets.
    pub kind: RouteKind,
    /// Who made it, in the words of `ip route`: `kernel`, `ra`, `dhcp`, `static`, `boot`.
    pub protocol: String,
    /// Longest packet in bytes, if it is another than the interface's.
    pub mtu: Option<u32>,
    /// How much longer it exists; `None` is until somebody removes it.
    pub expires: Option<Duration>,
}

/// What a route does with packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RouteKind {
    /// Sends them on.
    Unicast,
    /// Drops them.
    Blackhole,
    /// Answers `EHOSTUNREACH`.
    Unreachable,
    /// Answers `EACCES`.
    Prohibit,
    /// Looks on in the next rule's table.
    Throw,
    /// Something else.
    Other,
}

/// One routing rule: which packets look in which table. What is `None` does not restrict it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Rules are gone through from the smallest on.
    pub priority: u32,
    /// It is one of IPv6's, else of IPv4's.
    pub v6: bool,
    /// It holds for packets that do *not* match.
    pub inverted: bool,
    /// Source addresses.
    pub from: Option<Prefix>,
    /// Destinations.
    pub to: Option<Prefix>,
    /// The interface that forwarded packets came by; `lo` is this host itself.
    pub input: Option<String>,
    /// The interface that the socket is bound to.
    pub output: Option<String>,
    /// `SO_MARK` and the mask that it is compared under.
    pub mark: Option<(u32, u32)>,
    /// What is done.
    pub action: RuleAction,
    /// There are conditions that are not told here (ports, users, realms).
    pub has_more: bool,
}

/// What a rule does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RuleAction {
    /// Looks in this table.
    Table(u32),
    /// Looks in the table of the VRF that the interface belongs to.
    Vrf,
    /// Goes on with the rule of this priority.
    Goto(u32),
    /// Drops the packets, or answers with an error.
    Refuse,
    /// Nothing.
    Nothing,
}

/// The host as it is now.
///
/// # Errors
/// The kernel does not tell. Files that cannot be believed are no error; each [`Network`] tells
/// of its own.
pub fn read() -> io::Result<Inventory> {
    read_at(Path::new("/"))
}

/// As [`read`], with the agents' files below `root`, for tests.
///
/// # Errors
/// As [`read`].
pub fn read_at(root: &Path) -> io::Result<Inventory> {
    let mut interfaces = kernel::interfaces()?;
    let routes = kernel::routes()?;
    for interface in &mut interfaces {
        interface.gateways = gateways(&routes, interface.index);
        let addresses = &interface.addresses;
        let has = |ip| addresses.iter().any(|address| address.ip == ip);
        interface.dns = network::of(interface.index, &interface.name, &has, root);
    }
    Ok(Inventory {
        interfaces,
        routes,
        rules: kernel::rules()?,
    })
}

impl Inventory {
    /// The interface of this name.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<&Interface> {
        self.interfaces
            .iter()
            .find(|interface| interface.name == name)
    }

    /// The interface with this index.
    #[must_use]
    pub fn at(&self, index: u32) -> Option<&Interface> {
        self.interfaces
            .iter()
            .find(|interface| interface.index == index)
    }
}

impl Address {
    /// Whether the address has this flag.
    #[must_use]
    pub fn is(&self, flag: Flag) -> bool {
        self.flags.contains(&flag)
    }

    /// Whether new flows may have it: neither being looked for duplicates of, nor a duplicate, nor
    /// deprecated.
    #[must_use]
    pub fn is_preferred(&self) -> bool {
        let settled = !self.is(Flag::Tentative) || self.is(Flag::Optimistic);
        settled && !self.is(Flag::DadFailed) && !self.is(Flag::Deprecated)
    }
}

impl Route {
    /// Whether it leads everywhere that no other route does.
    #[must_use]
    pub fn is_default(&self) -> bool {
        self.destination.length() == 0 && self.kind == RouteKind::Unicast
    }
}

fn gateways(routes: &[Route], index: u32) -> Vec<IpAddr> {
    let mut found: Vec<&Route> = routes
        .iter()
        .filter(|route| route.interface == Some(index) && route.is_default())
        .collect();
    found.sort_by_key(|route| (route.gateway.is_some_and(|ip| ip.is_ipv6()), route.metric));
    let mut gateways: Vec<IpAddr> = Vec::new();
    for gateway in found.into_iter().filter_map(|route| route.gateway) {
        if !gateways.contains(&gateway) {
            gateways.push(gateway);
        }
    }
    gateways
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_there_with_its_address() {
        let inventory = read().unwrap();
        let lo = inventory.named("lo").unwrap();
        assert_eq!(inventory.at(lo.index).unwrap().name, "lo");
        assert_eq!(lo.kind, "loopback");
        assert!(lo.up && lo.carrier && lo.gateways.is_empty());
        let address = lo.addresses.iter().find(|address| address.ip.is_ipv4());
        let address = address.unwrap();
        assert_eq!(address.ip, IpAddr::from([127, 0, 0, 1]));
        assert_eq!((address.length, &*address.scope), (8, "host"));
        assert!(address.is(Flag::Permanent) && address.is_preferred());
        assert_eq!((address.valid, address.preferred), (None, None));
        assert!(
            inventory
                .rules
                .iter()
                .any(|rule| rule.action == RuleAction::Table(254) && !rule.v6)
        );
    }
}
