//! Why the kernel takes a source address.
//!
//! The address is the kernel's own answer. For IPv6 the rules of RFC 6724 section 5 are gone
//! through as Linux does (`ipv6_dev_get_saddr`), and a reason is given only where they lead to
//! that address.

use std::fs;
use std::net::{IpAddr, Ipv6Addr};

use mif_host::inventory::{Address, Flag, Inventory, Labels, Query, Way};
use mif_policy::Prefix;

use super::told::{Chooser, Source};

/// The source address of packets that go this way, and why; `None` where the kernel has none.
pub(super) fn of(
    query: &Query,
    way: &Way,
    inventory: &Inventory,
    labels: &Labels,
) -> Option<Source> {
    let by_kernel = |address, (rfc6724_rule, reason): (Option<u8>, Option<String>)| Source {
        address,
        chosen_by: Chooser::Kernel,
        rfc6724_rule,
        reason,
    };
    match (query.source, way.source?) {
        (Some(address), _) => Some(of_policy(address)),
        (None, address) if is_of_route(address, way, inventory) => Some(by_kernel(
            address,
            (None, Some("the route's own, `src`".to_owned())),
        )),
        (None, IpAddr::V4(address)) => {
            let reason = v4(address.into(), query.destination, way, inventory);
            Some(by_kernel(address.into(), (None, reason)))
        }
        (None, IpAddr::V6(address)) => {
            let IpAddr::V6(destination) = query.destination else {
                return Some(by_kernel(address.into(), (None, None)));
            };
            let selection = Selection {
                destination,
                interface: way.interface.unwrap_or(0),
                prefers_temporary: prefers_temporary(way, inventory),
                labels,
            };
            let found = selection.decide(inventory);
            let reason = found.filter(|found| found.address == address);
            let reason = reason.map(|found| (found.rule, Some(found.why)));
            Some(by_kernel(address.into(), reason.unwrap_or_default()))
        }
    }
}

/// One that the policy names.
pub(super) fn of_policy(address: IpAddr) -> Source {
    Source {
        address,
        chosen_by: Chooser::Policy,
        rfc6724_rule: None,
        reason: None,
    }
}

fn is_of_route(address: IpAddr, way: &Way, inventory: &Inventory) -> bool {
    let Some((prefix, length, table)) = way.route else {
        return false;
    };
    let destination = Prefix::new(prefix, length);
    inventory.routes.iter().any(|route| {
        Some(route.destination) == destination
            && route.table == table
            && route.interface == way.interface
            && route.preferred_source == Some(address)
            // The kernel writes one into the routes of its own, which says nothing of the choice.
            && route.protocol != "kernel"
    })
}

/// IPv4 has no RFC 6724 in the kernel (`inet_select_addr`).
fn v4(address: IpAddr, destination: IpAddr, way: &Way, inventory: &Inventory) -> Option<String> {
    let interface = inventory.at(way.interface?)?;
    let name = &interface.name;
    let Some(own) = interface.addresses.iter().find(|own| own.ip == address) else {
        return Some(format!(
            "an address of another interface, for {name} has none"
        ));
    };
    let hop = way.gateway.unwrap_or(destination);
    let on_link = Prefix::new(own.ip, own.length).is_some_and(|prefix| prefix.contains(hop));
    Some(if on_link {
        format!("the first of {name} in the next hop's prefix")
    } else {
        format!("the first of {name}")
    })
}

fn prefers_temporary(way: &Way, inventory: &Inventory) -> bool {
    let name = way.interface.and_then(|index| inventory.at(index));
    let name = name.map_or("all", |interface| &interface.name);
    let text = fs::read_to_string(format!("/proc/sys/net/ipv6/conf/{name}/use_tempaddr"));
    text.is_ok_and(|text| text.trim().parse::<i32>().is_ok_and(|value| value >= 2))
}

/// What counts in the choice of an IPv6 source address.
struct Selection<'l> {
    destination: Ipv6Addr,
    /// Index of the interface that the packets leave by.
    interface: u32,
    prefers_temporary: bool,
    labels: &'l Labels,
}

#[derive(Debug, PartialEq, Eq)]
struct Decided {
    address: Ipv6Addr,
    rule: Option<u8>,
    why: String,
}

struct Candidate<'a> {
    ip: Ipv6Addr,
    of: &'a Address,
    interface: u32,
}

/// A rule's number, what it compares (the larger is the better), and its words.
type Rule<'s> = (u8, &'s dyn Fn(&Candidate<'_>) -> i32, &'static str);

impl Selection<'_> {
    fn decide(&self, inventory: &Inventory) -> Option<Decided> {
        let mut left = self.candidates(inventory);
        if let [only] = &left[..] {
            return Some(Decided {
                address: only.ip,
                rule: None,
                why: "there is no other".to_owned(),
            });
        }
        let rules: [Rule<'_>; 7] = [
            (
                1,
                &|one| i32::from(one.ip == self.destination),
                "the destination's own address",
            ),
            (
                2,
                &|one| self.scope_fits(one.ip),
                "its scope fits the destination",
            ),
            (
                3,
                &|one| i32::from(!one.of.is(Flag::Deprecated)),
                "others are deprecated",
            ),
            (
                5,
                &|one| i32::from(one.interface == self.interface),
                "it is of the outgoing interface",
            ),
            (
                6,
                &|one| i32::from(self.label_fits(one)),
                "its label is the destination's",
            ),
            (
                7,
                &|one| i32::from(self.privacy_fits(one)),
                self.privacy_words(),
            ),
            (
                8,
                &|one| self.common(one),
                "it has the longest prefix in common with the destination",
            ),
        ];
        for (rule, value, why) in rules {
            let best = left.iter().map(value).max()?;
            left.retain(|one| value(one) == best);
            if let [last] = &left[..] {
                return Some(Decided {
                    address: last.ip,
                    rule: Some(rule),
                    why: why.to_owned(),
                });
            }
        }
        let first = left.first()?;
        Some(Decided {
            address: first.ip,
            rule: None,
            why: "the first of several that RFC 6724 has no preference among".to_owned(),
        })
    }

    fn candidates<'i>(&self, inventory: &'i Inventory) -> Vec<Candidate<'i>> {
        let within_link =
            self.destination.is_multicast() || self.destination.is_unicast_link_local();
        let mut found = Vec::new();
        for interface in inventory.interfaces.iter().filter(|one| one.up) {
            if within_link && interface.index != self.interface {
                continue;
            }
            for of in &interface.addresses {
                let IpAddr::V6(ip) = of.ip else { continue };
                let settled = !of.is(Flag::Tentative) || of.is(Flag::Optimistic);
                if settled && !of.is(Flag::DadFailed) {
                    let interface = interface.index;
                    found.push(Candidate { ip, of, interface });
                }
            }
        }
        found
    }

    /// Rule 2: the smallest scope that reaches the destination, else the largest.
    fn scope_fits(&self, ip: Ipv6Addr) -> i32 {
        let (own, wanted) = (scope(ip), scope(self.destination));
        if own >= wanted { -own } else { own - 128 }
    }

    fn label_fits(&self, one: &Candidate<'_>) -> bool {
        let destination = self.labels.of(self.destination, self.interface);
        self.labels.of(one.ip, one.interface) == destination
    }

    fn privacy_fits(&self, one: &Candidate<'_>) -> bool {
        one.of.is(Flag::Temporary) == self.prefers_temporary
    }

    fn privacy_words(&self) -> &'static str {
        if self.prefers_temporary {
            "it is temporary (use_tempaddr)"
        } else {
            "others are temporary (use_tempaddr)"
        }
    }

    /// Bits in common with the destination, of the prefix only.
    fn common(&self, one: &Candidate<'_>) -> i32 {
        let same = (u128::from(one.ip) ^ u128::from(self.destination)).leading_zeros();
        same.min(one.of.length.into()).cast_signed()
    }
}

/// The scope of RFC 4291 section 2.7; of unicast addresses as RFC 6724 section 3.1 has it.
fn scope(ip: Ipv6Addr) -> i32 {
    const LINK: i32 = 2;
    const SITE: i32 = 5;
    const GLOBAL: i32 = 14;
    match ip.segments()[0] {
        first if ip.is_multicast() => i32::from(first & 0xf),
        _ if ip.is_unicast_link_local() || ip.is_loopback() => LINK,
        first if first & 0xffc0 == 0xfec0 => SITE,
        _ => GLOBAL,
    }
}
