//! What was heard as it is kept: with the moments at which it ends in the place of lifetimes.

use std::net::IpAddr;

use mif_announce::{self as announce, EncryptedDns, Header, Item, Lifetime, Preference};
use mif_host::announced::{Announced, Domain, Timed};
use mif_policy::Prefix;

/// The domains that were heard, in their order, and behind them those that were known before and hold
/// still.
pub(super) fn join(heard: &[announce::Domain], known: Option<&Announced>, now: u64) -> Vec<Domain> {
    let mut domains: Vec<Domain> = heard.iter().map(|domain| domain_of(domain, now)).collect();
    for old in known.iter().flat_map(|known| &known.domains) {
        if !domains.iter().any(|new| is_same(new, old)) && holds(old, now) {
            domains.push(old.clone());
        }
    }
    domains
}

/// Whether two are one domain: by name, or by their routers.
pub(super) fn is_same(one: &Domain, other: &Domain) -> bool {
    let is_of = |router: &Timed<(_, _)>| {
        let mut routers = other.routers.iter();
        routers.any(|other| other.value.0 == router.value.0)
    };
    one.id == other.id && (one.id.is_some() || one.routers.iter().any(is_of))
}

fn holds(domain: &Domain, now: u64) -> bool {
    let is_router = |one: &Timed<(_, u8)>| one.value.1 > 0 && one.holds(now);
    let has_servers = domain.servers.iter().any(|one| one.holds(now));
    has_servers || domain.routers.iter().any(is_router)
}

fn domain_of(heard: &announce::Domain, now: u64) -> Domain {
    let mut domain = Domain::default();
    if let Some(explicit) = &heard.explicit {
        domain.id = Some(explicit.id.as_str().into());
        let flags = [("H", explicit.has_information), ("L", explicit.has_legacy)];
        let flags = flags.iter().filter(|(_, is_set)| *is_set);
        let flags: Vec<&str> = flags.map(|(flag, _)| *flag).collect();
        domain.more.push(("FLAGS".to_owned(), flags.join(" ")));
        domain
            .more
            .push(("SEQUENCE".to_owned(), explicit.sequence.to_string()));
    }
    for (ip, header) in &heard.routers {
        // What a router says that is none by default has no end of its own.
        let lifetime = Some(u64::from(header.router_lifetime)).filter(|&time| time > 0);
        domain.routers.push(Timed {
            value: (*ip, rank(*header)),
            until: lifetime.map(|time| now + time),
        });
    }
    for item in &heard.items {
        add(&mut domain, item, now);
    }
    domain
}

/// As [`Domain::routers`] has it.
fn rank(header: Header) -> u8 {
    match header.preference {
        _ if header.router_lifetime == 0 => 0,
        Preference::Low => 1,
        Preference::Medium => 2,
        Preference::High => 3,
    }
}

fn add(domain: &mut Domain, item: &Item, now: u64) {
    let until = announce::domain::lifetime(item)
        .and_then(Lifetime::seconds)
        .map(|seconds| now + u64::from(seconds));
    let mut more = |key: &str, value: String| domain.more.push((key.to_owned(), value));
    match item {
        Item::Prefix { prefix, length, .. } => {
            let prefix = Prefix::new(IpAddr::V6(*prefix), *length);
            let prefix = prefix.map(|value| Timed { value, until });
            domain.prefixes.extend(prefix);
        }
        Item::DnsServers { addresses, .. } => {
            let servers = addresses.iter().map(|&ip| Timed {
                value: IpAddr::V6(ip),
                until,
            });
            domain.servers.extend(servers);
        }
        Item::Search { suffixes, .. } => {
            let zones = suffixes
                .iter()
                .filter_map(|name| name.as_str().parse().ok());
            domain
                .search
                .extend(zones.map(|value| Timed { value, until }));
        }
        Item::Mtu(mtu) => more("MTU", mtu.to_string()),
        Item::Route {
            prefix,
            length,
            preference,
            ..
        } => {
            let preference = format!("{preference:?}").to_lowercase();
            more(
                "ROUTE",
                format!("{prefix}/{length} {preference} {}", end(until)),
            );
        }
        Item::Nat64 { prefix, length, .. } => {
            more("NAT64", format!("{prefix}/{length} {}", end(until)));
        }
        Item::CaptivePortal(uri) => more("PORTAL", uri.clone()),
        Item::EncryptedDns(dns) => more("ENCRYPTED", format!("{} {}", encrypted(dns), end(until))),
    }
}

/// Name, addresses, protocols, port and path in words.
fn encrypted(dns: &EncryptedDns) -> String {
    let mut words = vec![dns.name.to_string()];
    words.extend(dns.addresses.iter().map(ToString::to_string));
    words.extend(dns.protocols.iter().cloned());
    words.extend(dns.port.map(|port| format!("port {port}")));
    words.extend(dns.path.clone());
    words.join(" ")
}

fn end(until: Option<u64>) -> String {
    until.map_or("-".to_owned(), |until| until.to_string())
}
