//! The additional information of a domain: what is fetched, and what it is worth (RFC 8801 4).

use std::net::{IpAddr, SocketAddr, SocketAddrV6};
use std::thread::sleep;
use std::time::{Duration, SystemTime};

use mif_announce::{self as announce, Explicit, information};
use mif_host::announced::{Domain, Information, Timed};
use mif_host::inventory::{Address, Flag, Interface, Inventory};
use mif_policy::Server;

use super::https::{self, Way};
use super::past::{Limits, MOST_FAILURES, Past, Step};
use crate::doctor::patient::Patient;
use crate::pvd::domain::{self, Domains};

/// What is due later than this is left to another run.
const PATIENCE: Duration = Duration::from_secs(4);
/// The network that is fetched by.
pub(super) struct Fetcher<'a> {
    pub(super) inventory: &'a Inventory,
    pub(super) interface: &'a Interface,
    pub(super) domains: &'a Domains,
    pub(super) limits: Limits,
}

impl Fetcher<'_> {
    /// Gives the domain its additional information, if it has some: what is known of it already, or
    /// what is fetched now.
    ///
    /// # Errors
    /// In words, why it has none now.
    pub(super) fn inform(
        &mut self,
        domain: &mut Domain,
        heard: &announce::Domain,
        known: Option<&Domain>,
        now: u64,
    ) -> Result<(), String> {
        let explicit = match &heard.explicit {
            Some(explicit) if explicit.has_information => explicit,
            _ => return Ok(()),
        };
        let mut past = known.map(Past::of).unwrap_or_default();
        let kept = known.and_then(|known| known.information.clone());
        domain.information = kept.filter(|one| one.holds(now));
        let step = past.step(explicit, domain.information.is_some(), now, random());
        let result = match step {
            Step::Keep => Ok(()),
            Step::Failed => Err("not fetched again here after it has failed".to_owned()),
            Step::Fetch(at) => self.fetch(domain, explicit, &mut past, at),
        };
        if domain.information.is_some()
            && let Err(why) = information::covers(&past.prefixes, &heard.items)
        {
            domain.information = None;
            past.failed = Some(why.to_string());
        }
        domain.more.extend(past.lines());
        match (result, &past.failed) {
            (_, Some(why)) => Err(why.clone()),
            (result, None) => result,
        }
    }

    fn fetch(
        &mut self,
        domain: &mut Domain,
        explicit: &Explicit,
        past: &mut Past,
        at: u64,
    ) -> Result<(), String> {
        let now = super::now();
        let Some(free) = self.limits.free(now) else {
            return Err(format!(
                "not fetched after {MOST_FAILURES} failures on this network"
            ));
        };
        let wait = Duration::from_secs(at.max(free).saturating_sub(now));
        if wait > PATIENCE {
            return Err(format!("not fetched before {} s are over", wait.as_secs()));
        }
        let network = self.network(domain)?;
        let Some(patient) = Patient::new(&network, self.inventory) else {
            return Err("the interface is gone".to_owned());
        };
        let servers = self.servers(domain, now);
        if servers.is_empty() {
            return Err("not fetched without DNS servers of the domain's own".to_owned());
        }
        sleep(wait);
        let now = super::now();
        self.limits.count(now);
        let way = Way { patient, servers };
        let fetched = https::fetch(&way, explicit.id.as_str()).and_then(|text| {
            let read = announce::Information::read(&text, &explicit.id, SystemTime::now());
            read.map_err(|why| format!("what was fetched is of no use: {why}"))
        });
        *past = Past {
            sequence: explicit.sequence,
            at: now,
            ..Past::default()
        };
        match fetched {
            Ok(information) => keep(domain, past, &information),
            Err(why) => {
                self.limits.failures += 1;
                domain.information = None;
                past.failed = Some(why);
            }
        }
        Ok(())
    }

    /// The network with an address of the domain as its only source.
    fn network(&self, domain: &Domain) -> Result<domain::Domain, String> {
        let interface = self.interface;
        let mut all = self.domains.pvds.iter();
        let network = all.find(|one| one.name == interface.name && one.interface == interface.name);
        let mut network = network.cloned().ok_or("the interface is gone")?;
        if !domain.prefixes.is_empty() {
            let source = source(interface, domain);
            network.sources = vec![source.ok_or("not fetched without an address of the domain's")?];
        }
        Ok(network)
    }

    fn servers(&self, domain: &Domain, now: u64) -> Vec<Server> {
        let servers = domain.servers.iter().filter(|one| one.holds(now));
        let address = |ip| match ip {
            IpAddr::V6(ip) if ip.is_unicast_link_local() => {
                SocketAddrV6::new(ip, 53, 0, self.interface.index).into()
            }
            ip => SocketAddr::new(ip, 53),
        };
        servers
            .map(|one| Server::from(address(one.value)))
            .collect()
    }
}

/// An address in one of the domain's prefixes, a temporary one if there is one.
fn source(interface: &Interface, domain: &Domain) -> Option<IpAddr> {
    const UNUSABLE: [Flag; 3] = [Flag::Tentative, Flag::DadFailed, Flag::Deprecated];
    let is_of = |address: &&Address| {
        let has = |flag| address.flags.contains(flag);
        let mut prefixes = domain.prefixes.iter();
        prefixes.any(|one| one.value.contains(address.ip)) && !UNUSABLE.iter().any(has)
    };
    let addresses = interface.addresses.iter().filter(is_of);
    let best = addresses.max_by_key(|address| address.flags.contains(&Flag::Temporary))?;
    Some(best.ip)
}

fn keep(domain: &mut Domain, past: &mut Past, information: &announce::Information) {
    let end = information.expires.duration_since(SystemTime::UNIX_EPOCH);
    let end = end.map_or(0, |end| end.as_secs());
    // Anew at a random moment in the second half of the time that it holds.
    let half = end.saturating_sub(past.at) / 2;
    past.refresh = end - random() % half.max(1);
    past.prefixes.clone_from(&information.prefixes);
    let zones = information.dns_zones.iter();
    domain.information = Some(Timed {
        value: Information {
            no_internet: information.no_internet,
            zones: zones
                .filter_map(|zone| zone.as_str().parse().ok())
                .collect(),
        },
        until: Some(end),
    });
}

/// Any number; 0 where the kernel has none to give.
fn random() -> u64 {
    let mut octets = [0; 8];
    let _ = rustix::rand::getrandom(&mut octets[..], rustix::rand::GetRandomFlags::empty());
    u64::from_ne_bytes(octets)
}
