//! Which provisioning domains the host has now, with addresses and configuration: a
//! [`mif_domains::Snapshot`] for programs of the MIF API.
//!
//! There are three kinds. Each interface that is up, with its carrier and an address that reaches beyond
//! the link, is an implicit one (RFC 7556 2.2). A `[[pvd]]` of pvds.toml is one where its interface has
//! its address. And networks announce some (RFC 8801), which `mif pvd discover` has written down.
//! Whether a program may use one is the policy's to say.

mod dump;
mod values;

use std::net::IpAddr;
use std::path::Path;
use std::time::{Duration, SystemTime};

use mif_domains::{Domain, Id, Interface, Snapshot, Stage};
use mif_policy::{AddressSelection, Dns, Families, InterfaceName, Pvd};
use rustix::io::Errno;

use self::dump::{Address, Dump, Link};
use self::values::Known;
use crate::announced::{self, Announced};
use crate::network::{self, Reading};

/// `IFA_F_TENTATIVE | IFA_F_DADFAILED`.
const NOT_YET: u32 = 0x48;
const OPTIMISTIC: u32 = 0x04;
const DEPRECATED: u32 = 0x20;

/// What of the host a program is told.
#[derive(Debug)]
pub struct Wanted<'a, P> {
    /// The `[[pvd]]`s of all files, the first of a name counts.
    pub defined: &'a [Pvd],
    /// Whether the program may use a network.
    pub permits: P,
    /// Addresses of others are none that it could use.
    pub families: Families,
    /// It is not told of interfaces that it may not use.
    pub hides_interfaces: bool,
}

/// The host at one moment.
#[derive(Debug)]
pub struct Present {
    /// What there is.
    pub snapshot: Snapshot,
    /// When something ends of which the kernel does not tell: an agent's lease, say.
    pub until: Option<SystemTime>,
}

/// An address that the kernel said was taken away. One that was put back before anybody looked is told by
/// this, since the kernel's stamps are hundredths of a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gone(Address);

impl Gone {
    /// The body of an `RTM_DELADDR`.
    #[must_use]
    pub fn read(body: &[u8]) -> Option<Self> {
        dump::address(body).map(Self)
    }
}

/// The domain that an interface is by itself.
#[must_use]
pub fn implicit(name: InterfaceName) -> Pvd {
    Pvd {
        name: name.as_str().into(),
        interface: mif_policy::Interface::Named(name),
        sources: Vec::new(),
        mark: None,
        dns: Dns::default(),
        addrsel: AddressSelection::default(),
    }
}

/// Looks at the host. `before` is what was seen the last time, and `gone` what the kernel has told since
/// then; `milliseconds` are those of the clock that lifetimes are told by.
///
/// # Errors
/// The kernel does not tell.
pub fn read(
    before: &Snapshot,
    gone: &[Gone],
    milliseconds: u64,
    wanted: &Wanted<'_, impl Fn(&Pvd) -> bool>,
) -> Result<Present, Errno> {
    let dump = Dump::read()?;
    let now = SystemTime::now();
    let mut host = Looking {
        before,
        gone,
        milliseconds,
        wanted,
        dump: &dump,
        until: None,
        now,
    };
    let mut links: Vec<&Link> = dump.links.iter().collect();
    links.retain(|link| link.up && !link.loopback);
    links.sort_by_key(|link| (dump.metric(link.index), link.index));
    let interfaces = links.into_iter().filter_map(|link| host.interface(link));
    let interfaces = interfaces.collect();
    Ok(Present {
        snapshot: Snapshot { interfaces },
        until: host.until,
    })
}

impl Dump {
    /// The smallest of the metrics by which an interface is the default.
    fn metric(&self, index: u32) -> u64 {
        let routers = self.routers.iter().filter(|one| one.index == index);
        let metrics = routers.map(|one| u64::from(one.metric));
        metrics.min().unwrap_or(u64::MAX)
    }
}

struct Looking<'a, P> {
    before: &'a Snapshot,
    gone: &'a [Gone],
    milliseconds: u64,
    wanted: &'a Wanted<'a, P>,
    dump: &'a Dump,
    until: Option<SystemTime>,
    now: SystemTime,
}

impl<P: Fn(&Pvd) -> bool> Looking<'_, P> {
    fn interface(&mut self, link: &Link) -> Option<Interface> {
        let name: InterfaceName = link.name.parse().ok()?;
        let before = self.before.interface(link.index);
        let before = before.filter(|before| *before.name == *link.name);
        let stage = Stage::next(before.map(|before| before.stage), link.running);
        let domains = if stage == Stage::Carrying {
            self.domains(link, name)
        } else {
            Vec::new()
        };
        if self.wanted.hides_interfaces && domains.is_empty() && !self.may_be_used(name) {
            return None;
        }
        Some(Interface {
            index: link.index,
            name: link.name.as_str().into(),
            stage,
            carrier_changes: link.carrier_changes,
            domains,
        })
    }

    /// Whether the program may use something that this interface can have.
    fn may_be_used(&self, name: InterfaceName) -> bool {
        let on_it = |pvd: &&Pvd| pvd.interface == mif_policy::Interface::Named(name);
        let mut defined = self.wanted.defined.iter().filter(on_it);
        let permits = &self.wanted.permits;
        permits(&implicit(name)) || defined.any(permits)
    }

    /// The domains of an interface that carries packets.
    fn domains(&mut self, link: &Link, name: InterfaceName) -> Vec<Domain> {
        let addresses = self.addresses(link.index);
        let all: Vec<IpAddr> = addresses.iter().map(|address| address.ip).collect();
        let read_for = network::Link {
            index: link.index,
            name: &link.name,
            has: &|ip| all.contains(&ip),
        };
        let reading = Reading::at(&read_for, Path::new("/"), self.now);
        let announced = network::announced(link.index, &link.name, Path::new("/"));
        let announced = announced.map_or(Announced::default(), |(_, announced)| announced);
        let seconds = self.now.duration_since(SystemTime::UNIX_EPOCH);
        let seconds = seconds.map_or(0, |seconds| seconds.as_secs());
        let ends = announced.domains.iter().filter_map(|one| one.end(seconds));
        let ends = ends.map(|end| SystemTime::UNIX_EPOCH + Duration::from_secs(end));
        self.until = self
            .until
            .into_iter()
            .chain(reading.until)
            .chain(ends)
            .min();
        let known = Known {
            dump: self.dump,
            link,
            network: &reading.network,
            announced: &announced,
            now: seconds,
        };
        let mut domains = Vec::new();
        let mut add = |id, pvd: &Pvd, addresses: Vec<Address>, values: &dyn Fn(&[Address]) -> _| {
            if !addresses.is_empty() && (self.wanted.permits)(pvd) {
                let values = values(&addresses);
                let addresses = addresses.iter().map(|one| self.address(&id, link, one));
                domains.push(Domain {
                    addresses: addresses.collect(),
                    id,
                    values,
                });
            }
        };
        for pvd in self.defined_on(name, &addresses) {
            let mut own = addresses.clone();
            own.retain(|one| pvd.sources.is_empty() || pvd.sources.contains(&one.ip));
            let values = |own: &[Address]| known.of_defined(&pvd.dns, own);
            // Pvds.toml does not limit how long a name is.
            if let Ok(id) = Id::new(Id::UTF8, pvd.name.as_bytes()) {
                add(id, pvd, own, &values);
            }
        }
        let values = |own: &[Address]| known.of_interface(own);
        add(
            Id::Interface(name),
            &implicit(name),
            addresses.clone(),
            &values,
        );
        for domain in &announced.domains {
            let mut own = addresses.clone();
            own.retain(|one| domain.has(one.ip, seconds));
            let values = |_: &[Address]| known.of_announced(domain);
            if let Some(id) = domain.id.as_deref().and_then(Id::fqdn) {
                let sources = own.iter().map(|one| one.ip).collect();
                let pvd = Pvd {
                    name: id.name().into(),
                    sources,
                    ..implicit(name)
                };
                add(id, &pvd, own, &values);
            }
        }
        domains
    }

    /// Those `[[pvd]]`s that are on an interface; a name of several is the first one's.
    fn defined_on<'p>(
        &'p self,
        name: InterfaceName,
        addresses: &'p [Address],
    ) -> impl Iterator<Item = &'p Pvd> {
        let defined = self.wanted.defined;
        let is_first = |at: usize| {
            let mut others = defined[..at].iter();
            others.all(|other| other.name != defined[at].name)
        };
        let is_here = move |pvd: &Pvd| match pvd.interface {
            mif_policy::Interface::Named(own) => own == name,
            mif_policy::Interface::OfSource => {
                let first = pvd.sources.first();
                first.is_some_and(|first| addresses.iter().any(|one| one.ip == *first))
            }
        };
        let pvds = (0..).zip(defined);
        let pvds = pvds.filter(move |(at, pvd)| is_first(*at) && is_here(pvd));
        pvds.map(|(_, pvd)| pvd)
    }

    /// The addresses of an interface that flows can have, and that reach beyond the link.
    fn addresses(&self, index: u32) -> Vec<Address> {
        let is_usable = |one: &&Address| {
            let settled = one.flags & NOT_YET == 0 || one.flags & OPTIMISTIC != 0;
            let beyond = match one.ip {
                IpAddr::V4(ip) => !ip.is_link_local() && !ip.is_loopback(),
                IpAddr::V6(ip) => !ip.is_unicast_link_local() && !ip.is_loopback(),
            };
            one.index == index && settled && beyond && self.wanted.families.allow(one.ip)
        };
        self.dump
            .addresses
            .iter()
            .filter(is_usable)
            .copied()
            .collect()
    }

    fn address(&self, id: &Id, link: &Link, address: &Address) -> mif_domains::Address {
        let before = self.before.interface(link.index);
        let before = before.and_then(|one| one.domains.iter().find(|domain| domain.id == *id));
        let mut before = before.into_iter().flat_map(|domain| &domain.addresses);
        let before = before.find(|one| one.ip == address.ip);
        let until =
            |seconds| (seconds != u32::MAX).then(|| self.milliseconds + u64::from(seconds) * 1000);
        let [preferred, valid] = address.lifetimes.map(until);
        let now = mif_domains::Address {
            ip: address.ip,
            made: self.made(address, before),
            deprecated: address.flags & DEPRECATED != 0,
            valid_until: valid,
            preferred_until: preferred,
        };
        // What was told stands, or ends would drift, a second at each look.
        let same = before.filter(|before| now.is(before) && now.says_the_same(before));
        same.copied().unwrap_or(now)
    }

    /// The stamp of an address, and above it how often the kernel took it away within one.
    fn made(&self, address: &Address, before: Option<&mif_domains::Address>) -> u64 {
        const AGAIN: u64 = 1 << 32;
        let stamp = u64::from(address.made);
        let Some(before) = before.filter(|before| before.made % AGAIN == stamp) else {
            return stamp;
        };
        let is_it = |one: &&Gone| {
            let Gone(gone) = one;
            (gone.index, gone.ip, gone.made) == (address.index, address.ip, address.made)
        };
        before.made + AGAIN * self.gone.iter().filter(is_it).count() as u64
    }
}

impl announced::Domain {
    /// Whether an address is in one of its prefixes, while that holds.
    fn has(&self, ip: IpAddr, now: u64) -> bool {
        let mut prefixes = self.prefixes.iter().filter(|one| one.holds(now));
        prefixes.any(|one| one.value.contains(ip))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_was_taken_away_and_put_back_is_another_one() {
        let address = Address {
            index: 3,
            ip: [10, 2, 0, 2].into(),
            length: 24,
            flags: 0x80,
            lifetimes: [u32::MAX; 2],
            made: 77,
            author: 0,
        };
        let known = |made| mif_domains::Address {
            ip: address.ip,
            made,
            deprecated: false,
            valid_until: None,
            preferred_until: None,
        };
        let other = |index, made| {
            Gone(Address {
                index,
                made,
                ..address
            })
        };
        let again = 1 << 32;
        for (before, gone, wanted) in [
            (None, vec![], 77),
            (Some(77), vec![], 77),
            // It was put back within a hundredth of a second, once or twice.
            (Some(77), vec![Gone(address)], again + 77),
            (Some(77), vec![Gone(address); 2], 2 * again + 77),
            (Some(again + 77), vec![], again + 77),
            (Some(again + 77), vec![Gone(address)], 2 * again + 77),
            // What went was another one, or is known to be gone.
            (Some(77), vec![other(4, 77), other(3, 76)], 77),
            (Some(76), vec![other(3, 76)], 77),
            (None, vec![Gone(address)], 77),
        ] {
            let wanted_of_all = Wanted {
                defined: &[],
                permits: |_: &Pvd| true,
                families: Families::Any,
                hides_interfaces: false,
            };
            let looking = Looking {
                before: &Snapshot::default(),
                gone: &gone,
                milliseconds: 0,
                wanted: &wanted_of_all,
                dump: &Dump::default(),
                until: None,
                now: SystemTime::UNIX_EPOCH,
            };
            let before = before.map(known);
            let made = looking.made(&address, before.as_ref());
            assert_eq!(made, wanted, "{before:?} {gone:?}");
        }
    }
}
