//! What a host has at one moment, as far as programs are told of it.

use std::net::IpAddr;

use crate::Id;

/// All of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// The interfaces that are up, loopback excluded, in the order in which the host prefers them.
    pub interfaces: Vec<Interface>,
}

/// An interface that is up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// Its number.
    pub index: u32,
    /// Its name.
    pub name: Box<str>,
    /// What can be expected of it.
    pub stage: Stage,
    /// How often its carrier has come and gone: what is told by two snapshots that look alike.
    pub carrier_changes: [u32; 2],
    /// The provisioning domains on it; none unless it carries packets.
    pub domains: Vec<Domain>,
}

/// How far an interface that is up has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// It has been put up, and waits for its carrier.
    Rising,
    /// It carries packets.
    Carrying,
    /// It carried packets, and has lost its carrier.
    Lost,
}

/// A provisioning domain on one interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Domain {
    /// Which.
    pub id: Id,
    /// Its addresses, at least one.
    pub addresses: Vec<Address>,
    /// Its configuration.
    pub values: Vec<Value>,
}

/// An address of a domain, which flows can have now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Address {
    /// The address.
    pub ip: IpAddr,
    /// When it was made: one that has gone and come again has another.
    pub made: u64,
    /// It is not for new flows.
    pub deprecated: bool,
    /// The millisecond at which it ends, of any clock; `None` is never.
    pub valid_until: Option<u64>,
    /// The same for its use in new flows.
    pub preferred_until: Option<u64>,
}

/// One value of a domain's configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Value {
    /// Where it is from.
    pub element: Element,
    /// What it is.
    pub info: Info,
    /// The value in words.
    pub text: Box<str>,
}

/// Where configuration is from: `enum mif_element` of mif.h.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u32)]
pub enum Element {
    /// Router advertisements.
    Ra = 1,
    /// DHCP for IPv6.
    Dhcpv6,
    /// DHCP for IPv4.
    Dhcpv4,
    /// What somebody wrote, and what an agent does not tell the source of.
    Static,
    /// Additional information (RFC 8801).
    Pvd,
}

/// What a value is: `enum mif_info` of mif.h.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Info {
    /// A recursive resolver.
    DnsServers = 1,
    /// A suffix for short names.
    DnsSearch,
    /// A zone whose names belong to the domain.
    DnsZones,
    /// A default router.
    Gateways,
    /// A prefix that addresses are in.
    Prefixes,
    /// The longest packet.
    Mtu,
    /// The prefix of a NAT64 (RFC 8781).
    Pref64,
    /// The API of a captive portal (RFC 8910).
    CaptivePortal,
}

/// Clocks of lifetimes are read in seconds: ends that are nearer to each other are one.
const SAME: u64 = 2000;

impl Snapshot {
    /// The interface with this index.
    #[must_use]
    pub fn interface(&self, index: u32) -> Option<&Interface> {
        self.interfaces.iter().find(|one| one.index == index)
    }

    /// The domains of this identifier: one that a network announces may be on several interfaces.
    pub fn domains<'s>(&'s self, id: &'s Id) -> impl Iterator<Item = &'s Domain> {
        let all = self.interfaces.iter().flat_map(|one| &one.domains);
        all.filter(move |domain| domain.id == *id)
    }
}

impl Stage {
    /// The stage of an interface that is up, with or without its carrier, by what it was before.
    #[must_use]
    pub fn next(before: Option<Self>, has_carrier: bool) -> Self {
        match before {
            _ if has_carrier => Self::Carrying,
            None | Some(Self::Rising) => Self::Rising,
            Some(Self::Carrying | Self::Lost) => Self::Lost,
        }
    }
}

impl Interface {
    /// Whether it has carried packets ever since it was as `before`.
    pub(crate) fn goes_on(&self, before: &Self) -> bool {
        let same = self.index == before.index && self.name == before.name;
        let carrying = [self.stage, before.stage] == [Stage::Carrying; 2];
        same && carrying && self.carrier_changes == before.carrier_changes
    }
}

impl Domain {
    /// Whether it has been there ever since it was as `before`: some address has.
    pub(crate) fn goes_on(&self, before: &Self) -> bool {
        let stays = |one: &Address| before.addresses.iter().any(|old| one.is(old));
        self.id == before.id && self.addresses.iter().any(stays)
    }

    /// The sources that its configuration has, in the order of their numbers.
    #[must_use]
    pub fn elements(&self) -> Vec<Element> {
        let mut elements: Vec<Element> = self.values.iter().map(|value| value.element).collect();
        elements.sort_unstable();
        elements.dedup();
        elements
    }

    /// The values of one element.
    pub(crate) fn of(&self, element: Element) -> impl Iterator<Item = &Value> {
        let values = self.values.iter();
        values.filter(move |value| value.element == element)
    }
}

impl Address {
    /// Whether it is the same address, not one that was made anew.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        self.ip == other.ip && self.made == other.made
    }

    /// Whether nothing is to be told that `before` has not told.
    #[must_use]
    pub fn says_the_same(&self, before: &Self) -> bool {
        let same = |one: Option<u64>, other: Option<u64>| match (one, other) {
            (Some(one), Some(other)) => one.abs_diff(other) < SAME,
            (one, other) => one == other,
        };
        self.deprecated == before.deprecated
            && same(self.valid_until, before.valid_until)
            && (self.deprecated || same(self.preferred_until, before.preferred_until))
    }
}

impl Element {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Ra,
        Self::Dhcpv6,
        Self::Dhcpv4,
        Self::Static,
        Self::Pvd,
    ];

    /// The element of a number of C's.
    #[must_use]
    pub fn of_number(number: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|one| *one as u32 == number)
    }
}

impl Info {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::DnsServers,
        Self::DnsSearch,
        Self::DnsZones,
        Self::Gateways,
        Self::Prefixes,
        Self::Mtu,
        Self::Pref64,
        Self::CaptivePortal,
    ];

    /// The information of a number of C's.
    #[must_use]
    pub fn of_number(number: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|one| *one as u32 == number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stages_of_an_interface() {
        use Stage::{Carrying, Lost, Rising};
        for (before, has_carrier, wanted) in [
            (None, false, Rising),
            (None, true, Carrying),
            (Some(Rising), false, Rising),
            (Some(Rising), true, Carrying),
            (Some(Carrying), false, Lost),
            (Some(Lost), false, Lost),
            (Some(Lost), true, Carrying),
        ] {
            assert_eq!(Stage::next(before, has_carrier), wanted, "{before:?}");
        }
    }

    #[test]
    fn numbers_are_those_of_c() {
        assert_eq!(Element::of_number(5), Some(Element::Pvd));
        assert_eq!(Info::of_number(8), Some(Info::CaptivePortal));
        for none in [0, 9] {
            assert_eq!(Element::of_number(none), None);
            assert_eq!(Info::of_number(none), None);
        }
    }
}
