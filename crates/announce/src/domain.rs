//! The provisioning domains of one link, from all the advertisements that were heard there.

use std::net::Ipv6Addr;

use crate::advertisement::{Advertisement, Explicit, Header};
use crate::octets::Fault;
use crate::option::{Item, Lifetime};

/// One domain as its routers announce it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Domain {
    /// Its name and flags, as they were heard last. Without it the domain is the implicit one of
    /// the only router.
    pub explicit: Option<Explicit>,
    /// Link-local addresses of those who announce it, with what they say of themselves.
    pub routers: Vec<(Ipv6Addr, Header)>,
    /// What holds in it. Lists of servers and suffixes are taken apart: each has one.
    pub items: Vec<Item>,
    /// Parts that were left out, each once.
    pub left_out: Vec<Fault>,
}

/// Adds what `router` said to the domains of its link. What was heard before about the same object
/// is replaced, and a prefix or a server goes over to the domain that named it last (RFC 8801 3.4).
pub fn merge(domains: &mut Vec<Domain>, router: Ipv6Addr, said: Advertisement) {
    let items: Vec<Item> = said.items.into_iter().flat_map(apart).collect();
    for domain in &mut *domains {
        let is_theirs = |item: &Item| items.iter().any(|new| is_same(item, new) && moves(new));
        domain.items.retain(|item| !is_theirs(item));
    }
    let is_it = |domain: &Domain| match (&domain.explicit, &said.explicit) {
        (Some(known), Some(named)) => known.id == named.id,
        (None, None) => domain.routers.iter().any(|(known, _)| *known == router),
        _ => false,
    };
    let place = domains.iter().position(is_it).unwrap_or_else(|| {
        domains.push(Domain {
            explicit: None,
            routers: Vec::new(),
            items: Vec::new(),
            left_out: Vec::new(),
        });
        domains.len() - 1
    });
    let domain = &mut domains[place];
    domain.explicit = said.explicit;
    domain.routers.retain(|(known, _)| *known != router);
    domain.routers.push((router, said.header));
    for item in items {
        domain.items.retain(|known| !is_same(known, &item));
        if lifetime(&item) != Some(Lifetime(0)) {
            domain.items.push(item);
        }
    }
    for fault in said.left_out {
        if !domain.left_out.contains(&fault) {
            domain.left_out.push(fault);
        }
    }
}

fn apart(item: Item) -> Vec<Item> {
    match item {
        Item::DnsServers {
            lifetime,
            addresses,
        } => {
            let one = |ip| Item::DnsServers {
                lifetime,
                addresses: vec![ip],
            };
            addresses.into_iter().map(one).collect()
        }
        Item::Search { lifetime, suffixes } => {
            let one = |name| Item::Search {
                lifetime,
                suffixes: vec![name],
            };
            suffixes.into_iter().map(one).collect()
        }
        other => vec![other],
    }
}

/// Whether an object has only one domain.
fn moves(item: &Item) -> bool {
    matches!(item, Item::Prefix { .. } | Item::DnsServers { .. })
}

/// Whether two say something of the same object.
fn is_same(one: &Item, other: &Item) -> bool {
    match (one, other) {
        (
            Item::Prefix { prefix, length, .. },
            Item::Prefix {
                prefix: p,
                length: l,
                ..
            },
        )
        | (
            Item::Route { prefix, length, .. },
            Item::Route {
                prefix: p,
                length: l,
                ..
            },
        )
        | (
            Item::Nat64 { prefix, length, .. },
            Item::Nat64 {
                prefix: p,
                length: l,
                ..
            },
        ) => (prefix, length) == (p, l),
        (Item::DnsServers { addresses, .. }, Item::DnsServers { addresses: a, .. }) => {
            addresses == a
        }
        (Item::Search { suffixes, .. }, Item::Search { suffixes: s, .. }) => suffixes == s,
        (Item::EncryptedDns(one), Item::EncryptedDns(other)) => {
            (&one.name, &one.addresses) == (&other.name, &other.addresses)
        }
        (Item::Mtu(_), Item::Mtu(_)) | (Item::CaptivePortal(_), Item::CaptivePortal(_)) => true,
        _ => false,
    }
}

/// How long an object holds; `None` for one that does not say.
#[must_use]
pub fn lifetime(item: &Item) -> Option<Lifetime> {
    match item {
        Item::Prefix { valid, .. } => Some(*valid),
        Item::Route { lifetime, .. }
        | Item::DnsServers { lifetime, .. }
        | Item::Search { lifetime, .. }
        | Item::Nat64 { lifetime, .. } => Some(*lifetime),
        Item::EncryptedDns(dns) => Some(dns.lifetime),
        Item::Mtu(_) | Item::CaptivePortal(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Name, Preference};

    const ONE: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1);
    const TWO: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 2);

    fn said(id: Option<(&str, u16)>, items: Vec<Item>) -> Advertisement {
        Advertisement {
            header: Header {
                hop_limit: None,
                managed: false,
                other: false,
                preference: Preference::Medium,
                router_lifetime: 1800,
            },
            explicit: id.map(|(id, sequence)| Explicit {
                id: Name::new(id).unwrap(),
                has_information: false,
                has_legacy: false,
                delay: 0,
                sequence,
            }),
            items,
            left_out: Vec::new(),
        }
    }

    fn servers(lifetime: u32, ends: &[u16]) -> Item {
        Item::DnsServers {
            lifetime: Lifetime(lifetime),
            addresses: ends.iter().map(|&end| address(end)).collect(),
        }
    }

    fn address(end: u16) -> Ipv6Addr {
        Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, end)
    }

    #[test]
    fn a_domain_is_known_by_its_name_or_by_its_router() {
        let mut domains = Vec::new();
        merge(&mut domains, ONE, said(None, vec![]));
        merge(&mut domains, TWO, said(None, vec![]));
        merge(
            &mut domains,
            ONE,
            said(Some(("a.example", 1)), vec![servers(9, &[1])]),
        );
        merge(&mut domains, ONE, said(Some(("b.example", 1)), vec![]));
        merge(
            &mut domains,
            TWO,
            said(Some(("A.example", 2)), vec![servers(9, &[2])]),
        );
        merge(&mut domains, ONE, said(None, vec![Item::Mtu(1400)]));
        assert_eq!(domains.len(), 4);
        let routers = |n: usize| {
            domains[n]
                .routers
                .iter()
                .map(|(ip, _)| *ip)
                .collect::<Vec<_>>()
        };
        assert_eq!([routers(0), routers(1), routers(3)], [[ONE], [TWO], [ONE]]);
        assert_eq!(routers(2), [ONE, TWO]);
        assert_eq!(domains[0].items, [Item::Mtu(1400)]);
        assert_eq!(domains[2].items, [servers(9, &[1]), servers(9, &[2])]);
        assert_eq!(domains[2].explicit.as_ref().unwrap().sequence, 2);
    }

    #[test]
    fn what_is_said_last_counts_and_a_lifetime_of_0_takes_back() {
        let mut domains = Vec::new();
        merge(&mut domains, ONE, said(None, vec![servers(9, &[1, 2, 3])]));
        merge(
            &mut domains,
            ONE,
            said(None, vec![servers(5, &[2]), servers(0, &[3])]),
        );
        assert_eq!(domains[0].items, [servers(9, &[1]), servers(5, &[2])]);
        // And it goes over to whoever named it last.
        merge(
            &mut domains,
            ONE,
            said(Some(("a.example", 1)), vec![servers(7, &[2])]),
        );
        assert_eq!(domains[0].items, [servers(9, &[1])]);
        assert_eq!(domains[1].items, [servers(7, &[2])]);
    }
}
