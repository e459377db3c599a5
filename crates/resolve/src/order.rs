//! RFC 6724, section 6: in which order the addresses of a name are tried.
//!
//! Pure: whoever knows the host says which source address each destination would get. Rule 7
//! (native transport) is not here: Linux does not tell whether an address is reached by a tunnel.

use std::cmp::Reverse;
use std::net::{IpAddr, Ipv6Addr};

pub use mif_policy::Row;
use mif_policy::{Prefer, Resolvers};

/// A destination with what is known of the way to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The address.
    pub destination: IpAddr,
    /// The source address that packets to it get; `None` if it cannot be reached.
    pub source: Option<IpAddr>,
    /// The source address is deprecated (RFC 4862); rule 3.
    pub deprecated: bool,
    /// What the source address is to Mobile IPv6; rule 4.
    pub mobility: Mobility,
}

/// What an address is to Mobile IPv6 (RFC 6275), the least preferred first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mobility {
    /// A care-of address only.
    CareOf,
    /// A home address, or the address of a host that knows nothing of Mobile IPv6.
    #[default]
    Home,
    /// Both at once: the host is at home.
    AtHome,
}

impl Candidate {
    /// A candidate whose source address has nothing special.
    #[must_use]
    pub fn new(destination: IpAddr, source: Option<IpAddr>) -> Self {
        Self {
            destination,
            source,
            deprecated: false,
            mobility: Mobility::default(),
        }
    }
}

/// The default policy table of RFC 6724 section 2.1.
pub const DEFAULT_TABLE: [Row; 9] = [
    Row::new(Ipv6Addr::LOCALHOST, 128, 50, 0),
    Row::new(Ipv6Addr::UNSPECIFIED, 0, 40, 1),
    Row::new(Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, 0, 0), 96, 35, 4),
    Row::new(Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16, 30, 2),
    Row::new(Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 32, 5, 5),
    Row::new(Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0), 7, 3, 13),
    Row::new(Ipv6Addr::UNSPECIFIED, 96, 1, 3),
    Row::new(Ipv6Addr::new(0xfec0, 0, 0, 0, 0, 0, 0, 0), 10, 1, 11),
    Row::new(Ipv6Addr::new(0x3ffe, 0, 0, 0, 0, 0, 0, 0), 16, 1, 12),
];

/// Best first, by the default policy table. Candidates that no rule tells apart stay in the order
/// they had (rule 10), which is the server's.
pub fn sort(candidates: &mut [Candidate]) {
    sort_by(candidates, &DEFAULT_TABLE);
}

/// The same by a policy table of the caller's, whose order does not matter: the longest prefix
/// that matches counts. What no row matches has precedence and label 0.
pub fn sort_by(candidates: &mut [Candidate], table: &[Row]) {
    candidates.sort_by_cached_key(|candidate| key(candidate, table, None));
}

/// What a policy says about the order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Selection<'a> {
    /// Rows beside those of the default table; one of the same prefix takes its place.
    pub table: &'a [Row],
    /// The family that goes first in place of the precedences, and only there: an address whose
    /// source does not fit is no better for its family.
    pub prefer: Option<Prefer>,
}

impl<'a> Selection<'a> {
    /// What a policy says of the addresses that the servers it chose return.
    #[must_use]
    pub fn of(resolvers: &Resolvers<'a>) -> Self {
        Self {
            table: resolvers.table(),
            prefer: resolvers.prefer(),
        }
    }

    /// Best first, as [`sort`] but for what the policy says.
    pub fn sort(&self, candidates: &mut [Candidate]) {
        if self.table.is_empty() {
            candidates.sort_by_cached_key(|one| key(one, &DEFAULT_TABLE, self.prefer));
            return;
        }
        let replaced = |row: &&Row| !self.table.iter().any(|own| own.is_of_the_prefix_of(row));
        let defaults = DEFAULT_TABLE.iter().filter(replaced);
        let table: Vec<Row> = self.table.iter().chain(defaults).copied().collect();
        candidates.sort_by_cached_key(|candidate| key(candidate, &table, self.prefer));
    }
}

/// The rules in order; the smaller is the better in each.
type Key = (
    bool,
    bool,
    bool,
    Reverse<Mobility>,
    bool,
    bool,
    Reverse<u8>,
    u8,
    Reverse<u32>,
);

fn key(candidate: &Candidate, table: &[Row], prefer: Option<Prefer>) -> Key {
    let destination = mapped(candidate.destination);
    let source = candidate.source.map(mapped);
    let row = row_of(destination, table);
    let scope = scope_of(destination);
    (
        source.is_none(),
        source.is_none_or(|source| scope_of(source) != scope),
        candidate.deprecated,
        Reverse(candidate.mobility),
        source.is_none_or(|source| row_of(source, table).label != row.label),
        prefer.is_some_and(|family| (family == Prefer::V4) != is_v4(destination)),
        Reverse(row.precedence),
        scope,
        Reverse(source.map_or(0, |source| common_prefix(source, destination))),
    )
}

fn mapped(ip: IpAddr) -> Ipv6Addr {
    match ip {
        IpAddr::V4(v4) => v4.to_ipv6_mapped(),
        IpAddr::V6(v6) => v6,
    }
}

fn is_v4(mapped: Ipv6Addr) -> bool {
    mapped.to_ipv4_mapped().is_some()
}

fn row_of(ip: Ipv6Addr, table: &[Row]) -> Row {
    let matches = |row: &&Row| {
        let differing = u128::from(ip) ^ u128::from(row.prefix);
        differing.leading_zeros() >= u32::from(row.length)
    };
    let longest = table.iter().filter(matches).max_by_key(|row| row.length);
    longest
        .copied()
        .unwrap_or(Row::new(Ipv6Addr::UNSPECIFIED, 0, 0, 0))
}

const LINK_LOCAL: u8 = 2;
const SITE_LOCAL: u8 = 5;
const GLOBAL: u8 = 14;

/// The scope of an address as multicast scopes count it, RFC 6724 sections 3.1 and 3.2.
fn scope_of(ip: Ipv6Addr) -> u8 {
    if let Some(v4) = ip.to_ipv4_mapped() {
        return if v4.is_loopback() || v4.is_link_local() {
            LINK_LOCAL
        } else {
            GLOBAL
        };
    }
    if ip.is_multicast() {
        return ip.octets()[1] & 0xf;
    }
    if ip.is_loopback() || ip.is_unicast_link_local() {
        LINK_LOCAL
    } else if ip.segments()[0] & 0xffc0 == 0xfec0 {
        SITE_LOCAL
    } else {
        GLOBAL
    }
}

/// Rule 9, at most to the 64 bits in front of the interface identifier. Among IPv4 addresses,
/// which are the same that far, it says nothing: it would undo the rotation by which servers share
/// their load, and what is on the same link cannot be told without the source's prefix length.
fn common_prefix(source: Ipv6Addr, destination: Ipv6Addr) -> u32 {
    let differing = u128::from(source) ^ u128::from(destination);
    differing.leading_zeros().min(64)
}
