//! The provisioning domains of the host with all that is known of them, as values. The fields of
//! the JSON are described in docs/mif.md and are not renamed.

use std::io;
use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use mif_host::config::Environment;
use mif_host::inventory::{self, Flag, Inventory};
use mif_host::network::Network;
use mif_policy::{
    AddressSelection, Dns as Written, Interface as Known, Need, Policy, Pvd, PvdId, RuleId,
    Unusable, domains,
};
use serde::Serialize;

use super::announced::{View, views};
use crate::words;

/// What the host has.
#[derive(Debug, Serialize)]
pub(crate) struct Domains {
    pub(crate) pvds: Vec<Domain>,
    /// What cannot be read, or is not believed.
    pub(crate) warnings: Vec<String>,
}

/// One provisioning domain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Domain {
    pub(crate) name: String,
    pub(crate) defined_by: Author,
    /// The file that defines it.
    pub(crate) defined_in: Option<String>,
    /// The name of the interface.
    pub(crate) interface: String,
    /// `None` while there is no such interface.
    pub(crate) link: Option<Link>,
    pub(crate) ipv4: Usable,
    pub(crate) ipv6: Usable,
    pub(crate) addresses: Vec<Address>,
    pub(crate) gateways: Vec<IpAddr>,
    pub(crate) routes: Vec<Route>,
    /// Source addresses that the file allows; none is any.
    pub(crate) sources: Vec<IpAddr>,
    pub(crate) mark: Option<u32>,
    pub(crate) dns: Dns,
    /// What networks on this interface announced of themselves, as far as it was heard and holds.
    pub(crate) announced: Vec<View>,
}

/// Who says that there is such a domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Author {
    /// The user's `pvds.toml`.
    User,
    /// The one of the host's administrator.
    Administrator,
    /// Nobody: each interface is one.
    Interface,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Link {
    pub(crate) index: u32,
    pub(crate) kind: String,
    pub(crate) up: bool,
    pub(crate) carrier: bool,
    pub(crate) mtu: u32,
}

/// Whether flows of a family can use it, as libmif.so decides.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Usable {
    pub(crate) usable: bool,
    pub(crate) reason: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Address {
    pub(crate) ip: IpAddr,
    pub(crate) prefix_length: u8,
    pub(crate) peer: Option<IpAddr>,
    pub(crate) scope: String,
    pub(crate) flags: Vec<&'static str>,
    /// Seconds; null is forever.
    pub(crate) valid_seconds: Option<u64>,
    pub(crate) preferred_seconds: Option<u64>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Route {
    pub(crate) destination: String,
    pub(crate) gateway: Option<IpAddr>,
    pub(crate) preferred_source: Option<IpAddr>,
    pub(crate) table: u32,
    pub(crate) metric: u32,
    /// Who made it, as ip-route(8) says it.
    pub(crate) protocol: String,
    pub(crate) mtu: Option<u32>,
    pub(crate) expires_seconds: Option<u64>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Dns {
    /// As a policy writes them; a link-local one with its scope.
    pub(crate) servers: Vec<String>,
    pub(crate) search: Vec<String>,
    /// Names that the servers may be asked; none is all.
    pub(crate) zones: Vec<String>,
    pub(crate) trusted: bool,
    /// Whose word the servers are: an agent, or `pvds.toml`.
    pub(crate) agent: Option<String>,
    pub(crate) files: Vec<String>,
}

impl Domains {
    /// All domains as they are now: those of the user, of the administrator, and the interfaces.
    ///
    /// # Errors
    /// The kernel does not tell.
    pub(crate) fn read(environment: &Environment) -> io::Result<Self> {
        let inventory = inventory::read()?;
        let mut warnings = Vec::new();
        let mut found: Vec<(Pvd, Author, Option<String>)> = Vec::new();
        for folder in environment.folders() {
            let author = if folder == environment.system {
                Author::Administrator
            } else {
                Author::User
            };
            let path = folder.join("pvds.toml");
            match written(environment, &path) {
                Ok(pvds) => {
                    let place = Some(path.display().to_string());
                    let pvds = pvds.into_iter().map(|pvd| (pvd, author, place.clone()));
                    found.extend(pvds);
                }
                Err(why) => warnings.push(why),
            }
        }
        for interface in &inventory.interfaces {
            let Ok(name) = interface.name.parse() else {
                continue;
            };
            if interface.kind != "loopback" {
                found.push((implicit(name), Author::Interface, None));
            }
            let trouble = interface.dns.trouble.iter();
            warnings.extend(trouble.map(|one| format!("{}: {}", one.file.display(), one.why)));
        }
        let usable = usable(found.iter().map(|(pvd, ..)| pvd));
        let mut pvds: Vec<Domain> = Vec::new();
        for ((pvd, author, place), usable) in found.iter().zip(usable) {
            // A name is the user's before the administrator's, and the interface's last.
            if pvds.iter().all(|other| *other.name != *pvd.name) {
                pvds.push(domain(pvd, (*author, place.clone()), usable, &inventory));
            }
        }
        Ok(Self { pvds, warnings })
    }
}

/// The domains of a `pvds.toml`; none if there is no such file.
fn written(environment: &Environment, path: &Path) -> Result<Vec<Pvd>, String> {
    match environment.text(path) {
        Ok(Some(text)) => domains(&text).map_err(|faults| faults.to_string()),
        Ok(None) => Ok(Vec::new()),
        Err(why) => Err(why.to_string()),
    }
}

fn implicit(name: mif_policy::InterfaceName) -> Pvd {
    Pvd {
        name: name.as_str().into(),
        interface: Known::Named(name),
        sources: Vec::new(),
        mark: None,
        dns: Written::default(),
        addrsel: AddressSelection::default(),
    }
}

/// Whether flows of IPv4 and IPv6 can use each domain, by the library's own decision.
fn usable<'d>(pvds: impl Iterator<Item = &'d Pvd>) -> Vec<[Usable; 2]> {
    let policy = Policy {
        pvds: pvds.cloned().collect(),
        ..Policy::refusing()
    };
    let host = mif_host::Host::new(&policy);
    let of = |id: u16, need| match policy.route(PvdId(id), RuleId(0), need, &host) {
        Ok(_) => Usable {
            usable: true,
            reason: None,
        },
        Err(why) => Usable {
            usable: false,
            reason: Some(reason(why, need)),
        },
    };
    let ids = (0..).take(policy.pvds.len());
    ids.map(|id| [of(id, Need::V4), of(id, Need::V6)]).collect()
}

fn reason(why: Unusable, need: Need) -> String {
    let family = if need == Need::V4 { "IPv4" } else { "IPv6" };
    match why {
        Unusable::NoAddress => format!("no usable {family} address"),
        Unusable::NoSourceOfFamily => format!("no {family} address among its sources"),
        why => why.to_string(),
    }
}

fn domain(
    pvd: &Pvd,
    (defined_by, defined_in): (Author, Option<String>),
    [ipv4, ipv6]: [Usable; 2],
    inventory: &Inventory,
) -> Domain {
    let interface = match pvd.interface {
        Known::Named(name) => name.as_str().to_owned(),
        Known::OfSource => String::new(),
    };
    let found = inventory.named(&interface);
    let learned = found.map(|interface| &interface.dns);
    Domain {
        name: pvd.name.to_string(),
        dns: dns(&pvd.dns, learned, defined_in.as_deref()),
        defined_by,
        defined_in,
        link: found.map(|interface| Link {
            index: interface.index,
            kind: interface.kind.clone(),
            up: interface.up,
            carrier: interface.carrier,
            mtu: interface.mtu,
        }),
        ipv4,
        ipv6,
        addresses: found.map_or(Vec::new(), |found| {
            found.addresses.iter().map(address).collect()
        }),
        gateways: found.map_or(Vec::new(), |found| found.gateways.clone()),
        routes: found.map_or(Vec::new(), |found| {
            let of = |route: &&inventory::Route| route.interface == Some(found.index);
            inventory.routes.iter().filter(of).map(route).collect()
        }),
        sources: pvd.sources.clone(),
        mark: pvd.mark,
        announced: found.map_or(Vec::new(), announced),
        interface,
    }
}

fn announced(interface: &inventory::Interface) -> Vec<View> {
    let found = mif_host::network::announced(interface.index, &interface.name, Path::new("/"));
    found.map_or(Vec::new(), |(_, announced)| views(&announced))
}

fn seconds(time: Option<Duration>) -> Option<u64> {
    time.map(|time| time.as_secs())
}

fn address(address: &inventory::Address) -> Address {
    Address {
        ip: address.ip,
        prefix_length: address.length,
        peer: address.peer,
        scope: address.scope.clone(),
        flags: address.flags.iter().map(|&flag| flag_name(flag)).collect(),
        valid_seconds: seconds(address.valid),
        preferred_seconds: seconds(address.preferred),
    }
}

fn flag_name(flag: Flag) -> &'static str {
    match flag {
        Flag::Tentative => "tentative",
        Flag::Optimistic => "optimistic",
        Flag::DadFailed => "dadfailed",
        Flag::Deprecated => "deprecated",
        Flag::Temporary => "temporary",
        Flag::Secondary => "secondary",
        Flag::Permanent => "permanent",
    }
}

fn route(route: &inventory::Route) -> Route {
    let default = route.is_default().then(|| "default".to_owned());
    Route {
        destination: default.unwrap_or_else(|| route.destination.to_string()),
        gateway: route.gateway,
        preferred_source: route.preferred_source,
        table: route.table,
        metric: route.metric,
        protocol: route.protocol.clone(),
        mtu: route.mtu,
        expires_seconds: seconds(route.expires),
    }
}

/// What the file says, and what it leaves open as the host learned it.
fn dns(written: &Written, learned: Option<&Network>, file: Option<&str>) -> Dns {
    fn texts<T: ToString>(list: &[T]) -> Vec<String> {
        list.iter().map(ToString::to_string).collect()
    }
    let mut dns = Dns {
        trusted: written.trusted,
        ..Dns::default()
    };
    if let Some(learned) = learned.filter(|_| written.servers.is_empty()) {
        dns.servers = learned.servers.iter().map(words::server).collect();
        dns.search = texts(&learned.search);
        // What a network claims counts only where the file trusts it (RFC 6731 4.5).
        if written.trusted {
            dns.zones = texts(&learned.zones);
        }
        if let Some(source) = &learned.source {
            dns.agent = Some(source.agent.to_string());
            dns.files = source
                .files
                .iter()
                .map(|file| file.display().to_string())
                .collect();
        }
    } else {
        dns.servers = texts(&written.servers);
        dns.agent = Some("pvds.toml".to_owned()).filter(|_| !written.servers.is_empty());
        dns.files = file.map(str::to_owned).into_iter().collect();
    }
    if !written.search.is_empty() {
        dns.search = texts(&written.search);
    }
    if !written.zones.is_empty() {
        dns.zones = texts(&written.zones);
    }
    dns
}
