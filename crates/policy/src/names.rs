//! The small words of a policy: interface names, prefixes, patterns for domain names.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

/// The name of a network interface: 1 to 15 bytes, no `/`, no white space (`dev_valid_name` of
/// the kernel), kept NUL-padded as `SO_BINDTODEVICE` and `struct ifreq` want it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct InterfaceName([u8; 16]);

impl InterfaceName {
    /// The name as 16 bytes, NUL-padded; the last byte is always NUL.
    #[must_use]
    pub fn padded(&self) -> &[u8; 16] {
        &self.0
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        let end = self.0.iter().position(|&b| b == 0).unwrap_or(self.0.len());
        std::str::from_utf8(&self.0[..end]).unwrap_or("?")
    }
}

impl FromStr for InterfaceName {
    type Err = &'static str;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        if name.is_empty() {
            return Err("an interface name is not empty");
        }
        if name.len() > 15 {
            return Err("an interface name has at most 15 bytes");
        }
        if name == "." || name == ".." || name.contains(['/', ':', '\0']) {
            return Err("an interface name has no `/` and no `:`");
        }
        if name.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err("an interface name has no white space");
        }
        let mut padded = [0; 16];
        padded[..name.len()].copy_from_slice(name.as_bytes());
        Ok(Self(padded))
    }
}

impl fmt::Display for InterfaceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for InterfaceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

/// An address prefix in canonical form: the bits behind the length are zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Prefix {
    /// IPv4 prefixes live here as themselves, not as v4-mapped ones.
    network: IpAddr,
    length: u8,
}

impl Prefix {
    /// The prefix of `length` bits (0 to 32, or 0 to 128) that `address` lies in; `None` where the
    /// length is too large for the family.
    #[must_use]
    pub fn new(address: IpAddr, length: u8) -> Option<Self> {
        let network = match address {
            IpAddr::V4(v4) if length <= 32 => IpAddr::V4((u32::from(v4) & mask32(length)).into()),
            IpAddr::V6(v6) if length <= 128 => {
                IpAddr::V6((u128::from(v6) & mask128(length)).into())
            }
            _ => return None,
        };
        Some(Self { network, length })
    }

    /// Its first address.
    #[must_use]
    pub fn network(&self) -> IpAddr {
        self.network
    }

    /// Whether it is of IPv4.
    #[must_use]
    pub fn is_ipv4(&self) -> bool {
        self.network.is_ipv4()
    }

    /// The bits of it that count.
    #[must_use]
    pub fn length(&self) -> u8 {
        self.length
    }

    /// The prefix among IPv6's, an IPv4 one as a part of `::ffff:0:0/96`.
    pub(crate) fn mapped(&self) -> (Ipv6Addr, u8) {
        match self.network {
            IpAddr::V4(v4) => (v4.to_ipv6_mapped(), 96 + self.length),
            IpAddr::V6(v6) => (v6, self.length),
        }
    }

    /// Whether `address` lies in this prefix. Families never match each other: a caller with a
    /// v4-mapped address hands in the IPv4 one.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.network, address) {
            (IpAddr::V4(net), IpAddr::V4(ip)) => {
                (u32::from(net) ^ u32::from(ip)) & mask32(self.length) == 0
            }
            (IpAddr::V6(net), IpAddr::V6(ip)) => {
                (u128::from(net) ^ u128::from(ip)) & mask128(self.length) == 0
            }
            _ => false,
        }
    }
}

fn mask32(length: u8) -> u32 {
    u32::MAX.checked_shl(32 - u32::from(length)).unwrap_or(0)
}

fn mask128(length: u8) -> u128 {
    u128::MAX.checked_shl(128 - u32::from(length)).unwrap_or(0)
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.network, self.length)
    }
}

/// A domain name, or all names below one (`*.corp.example`, which is not `corp.example` itself).
/// Kept in lower case without the trailing dot.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum NamePattern {
    /// This name only.
    Exact(Box<str>),
    /// Every name that ends in `.` and this suffix.
    Below(Box<str>),
}

impl NamePattern {
    /// Whether `name` (any case, with or without the trailing dot) is meant.
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        let name = name.strip_suffix('.').unwrap_or(name);
        match self {
            Self::Exact(wanted) => name.eq_ignore_ascii_case(wanted),
            Self::Below(suffix) => {
                let Some(head) = name.len().checked_sub(suffix.len() + 1) else {
                    return false;
                };
                head > 0
                    && name.as_bytes()[head] == b'.'
                    && name.as_bytes()[head + 1..].eq_ignore_ascii_case(suffix.as_bytes())
            }
        }
    }
}

impl fmt::Display for NamePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(name) => f.write_str(name),
            Self::Below(suffix) => write!(f, "*.{suffix}"),
        }
    }
}

/// A part of the DNS: a domain with all names below it, or `.` for all names. Kept in lower case
/// without the trailing dot.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Zone(Box<str>);

impl Zone {
    /// The zone of a domain in lower case without a dot at either end; the empty one holds all.
    pub(crate) fn new(domain: Box<str>) -> Self {
        Self(domain)
    }

    /// Whether `name` (any case, with or without the trailing dot) is of this zone.
    #[must_use]
    pub fn holds(&self, name: &str) -> bool {
        let name = name.strip_suffix('.').unwrap_or(name).as_bytes();
        let zone = self.0.as_bytes();
        let Some(head) = name.len().checked_sub(zone.len()) else {
            return false;
        };
        let at_label = head == 0 || zone.is_empty() || name[head - 1] == b'.';
        at_label && name[head..].eq_ignore_ascii_case(zone)
    }

    /// Whether it holds all names.
    #[must_use]
    pub fn is_all(&self) -> bool {
        self.0.is_empty()
    }

    /// Of two zones that hold a name, the longer one is the narrower.
    pub(crate) fn length(&self) -> usize {
        self.0.len()
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_all() { "." } else { &self.0 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_hold_their_own_and_nothing_else() {
        for (address, length, inside, outside) in [
            ("10.0.0.0", 8, "10.255.0.1", "11.0.0.0"),
            ("0.0.0.0", 0, "255.255.255.255", "::1"),
            ("192.0.2.7", 32, "192.0.2.7", "192.0.2.8"),
            ("2001:db8:77::", 48, "2001:db8:77:ffff::1", "2001:db8:78::1"),
            ("::", 0, "ff02::1", "0.0.0.0"),
        ] {
            let prefix = Prefix::new(address.parse().unwrap(), length).unwrap();
            assert!(
                prefix.contains(inside.parse().unwrap()),
                "{prefix} has {inside}"
            );
            assert!(
                !prefix.contains(outside.parse().unwrap()),
                "{prefix} has not {outside}"
            );
        }
        assert!(Prefix::new("10.0.0.0".parse().unwrap(), 33).is_none());
    }

    #[test]
    fn a_wildcard_means_the_names_below() {
        let below = NamePattern::Below("corp.example".into());
        for name in ["a.corp.example", "A.B.Corp.EXAMPLE."] {
            assert!(below.matches(name), "{name}");
        }
        for name in [
            "corp.example",
            "xcorp.example",
            ".corp.example",
            "corp.example.org",
            "",
        ] {
            assert!(!below.matches(name), "{name}");
        }
        assert!(NamePattern::Exact("who.test".into()).matches("WHO.test."));
    }

    #[test]
    fn a_zone_holds_its_domain_and_what_is_below() {
        let zone = Zone::new("corp.example".into());
        for name in ["corp.example", "a.b.Corp.EXAMPLE."] {
            assert!(zone.holds(name), "{name}");
        }
        for name in ["xcorp.example", "example", "corp.example.org", "", "."] {
            assert!(!zone.holds(name), "{name}");
        }
        let all = Zone::new("".into());
        assert!(["a.example", "a", "."].iter().all(|name| all.holds(name)));
    }

    #[test]
    fn interface_names_are_the_kernels() {
        assert_eq!("wan0".parse::<InterfaceName>().unwrap().as_str(), "wan0");
        for bad in ["", "a name", "0123456789abcdef", "a/b", ".."] {
            assert!(bad.parse::<InterfaceName>().is_err(), "{bad:?}");
        }
    }
}
