//! Whether one verdict holds for many destinations, so that who asks often need ask once.
//!
//! Both halves are one-sided: where they say no, [`Policy::decide`] is asked, and nothing is lost
//! but time.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::guard::is_port_of_names;
use crate::model::{Policy, Rule};
use crate::names::Prefix;

impl Policy {
    /// Whether all flows of a family to [ordinary](is_ordinary_v4) destinations that the host does
    /// not have have one verdict, as long as the host is as it is: those, that is, of whose destination
    /// no look-up told more than that it is on the network of that verdict.
    #[must_use]
    pub fn is_uniform(&self, v4: bool) -> bool {
        let mut apply = self.rules.iter().filter(|rule| rule.may_hold(v4));
        apply.next().is_some_and(|first| {
            first.ports.is_empty() && first.protocol.is_none() && first.holds_everywhere(v4)
        })
    }
}

impl Rule {
    /// Whether it may hold for a flow of this family of whose destination no look-up told a name.
    fn may_hold(&self, v4: bool) -> bool {
        self.has_no_destination() || self.prefixes.iter().any(|prefix| prefix.is_ipv4() == v4)
    }

    /// Whether it holds for every destination of this family.
    fn holds_everywhere(&self, v4: bool) -> bool {
        let is_all = |prefix: &Prefix| prefix.is_ipv4() == v4 && prefix.length() == 0;
        self.has_no_destination() || self.prefixes.iter().any(is_all)
    }
}

/// [`is_ordinary_v4`] or [`is_ordinary_v6`], by the destination's family.
#[must_use]
#[inline]
pub fn is_ordinary(destination: SocketAddr) -> bool {
    match destination {
        SocketAddr::V4(to) => is_ordinary_v4(*to.ip(), to.port()),
        SocketAddr::V6(to) => is_ordinary_v6(*to.ip(), to.port()),
    }
}

/// Whether neither an exemption nor the guard of names can hold for a destination, unless the host
/// itself has the address: unicast, beyond this host, at no port of the DNS.
#[must_use]
#[inline]
pub const fn is_ordinary_v4(ip: Ipv4Addr, port: u16) -> bool {
    // "This network" and loopback; from 224 on multicast and what is reserved.
    let first = ip.octets()[0];
    first.wrapping_sub(1) < 223 && first != 127 && !is_port_of_names(port)
}

/// The same for IPv6. Loopback, the unspecified address and IPv4's in their mapped form are all
/// zero on top; link-local addresses and multicast say more than where to.
#[must_use]
#[inline]
pub const fn is_ordinary_v6(ip: Ipv6Addr, port: u16) -> bool {
    let top = ip.to_bits() >> 64;
    // Unique local and global unicast addresses are below `fe00::/8`.
    top != 0 && top >> 56 < 0xfe && !is_port_of_names(port)
}
