//! What changed between two looks at the host, in the order in which it makes sense: a domain
//! stops being usable before its interface goes, and begins to be after its interface has come.
//! Lifetimes run down all the time and are no change.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use super::announced::View;
use super::domain::{Domain, Link};
use super::text::state;
use crate::output::{BAD, GOOD, styled};

/// One change.
#[derive(Debug, Serialize)]
pub(super) struct Change<'d> {
    pub(super) event: Kind,
    /// The name of the domain or of the interface.
    pub(super) name: &'d str,
    /// The fields of the domain that are others now.
    pub(super) changed: Vec<&'static str>,
    /// The domain as it is now, or was at the end.
    pub(super) pvd: Option<&'d Domain>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Kind {
    /// It is there at the beginning.
    PvdPresent,
    /// It is there no more.
    PvdRemoved,
    /// No flow can use it any more.
    PvdUnusable,
    InterfaceRemoved,
    InterfaceDown,
    InterfaceAdded,
    InterfaceUp,
    PvdAdded,
    PvdUsable,
    /// Something about it is new.
    PvdChanged,
}

/// All that is there, at the beginning.
pub(super) fn first(now: &[Domain]) -> Vec<Change<'_>> {
    let event = |domain| Change::of_pvd(Kind::PvdPresent, domain, Vec::new());
    now.iter().map(event).collect()
}

/// From one look to the next.
pub(super) fn between<'d>(before: &'d [Domain], now: &'d [Domain]) -> Vec<Change<'d>> {
    let mut changes = Vec::new();
    let find = |list: &'d [Domain], name: &str| list.iter().find(|one| one.name == name);
    for old in before {
        match find(now, &old.name) {
            None => changes.push(Change::of_pvd(Kind::PvdRemoved, old, Vec::new())),
            Some(new) if is_usable(old) && !is_usable(new) => {
                changes.push(Change::of_pvd(Kind::PvdUnusable, new, changed(old, new)));
            }
            Some(_) => {}
        }
    }
    let (old_links, new_links) = (links(before), links(now));
    for (name, old) in &old_links {
        match new_links.get(name) {
            None => changes.push(Change::of_interface(Kind::InterfaceRemoved, name)),
            Some(new) if runs(old) && !runs(new) => {
                changes.push(Change::of_interface(Kind::InterfaceDown, name));
            }
            Some(_) => {}
        }
    }
    for (name, new) in &new_links {
        match old_links.get(name) {
            None => changes.push(Change::of_interface(Kind::InterfaceAdded, name)),
            Some(old) if !runs(old) && runs(new) => {
                changes.push(Change::of_interface(Kind::InterfaceUp, name));
            }
            Some(_) => {}
        }
    }
    for new in now {
        let Some(old) = find(before, &new.name) else {
            changes.push(Change::of_pvd(Kind::PvdAdded, new, Vec::new()));
            continue;
        };
        let fields = changed(old, new);
        match (is_usable(old), is_usable(new)) {
            (false, true) => changes.push(Change::of_pvd(Kind::PvdUsable, new, fields)),
            (true, false) => {}
            _ if fields.is_empty() => {}
            _ => changes.push(Change::of_pvd(Kind::PvdChanged, new, fields)),
        }
    }
    changes
}

fn is_usable(domain: &Domain) -> bool {
    domain.ipv4.usable || domain.ipv6.usable
}

fn runs(link: &Link) -> bool {
    link.up && link.carrier
}

fn links(domains: &[Domain]) -> BTreeMap<&str, &Link> {
    let links = domains
        .iter()
        .filter_map(|one| Some((&*one.interface, one.link.as_ref()?)));
    links.collect()
}

/// The fields that differ, lifetimes aside.
fn changed(old: &Domain, new: &Domain) -> Vec<&'static str> {
    let (old, new) = (timeless(old), timeless(new));
    let differs = [
        (
            "defined_by",
            (old.defined_by, &old.defined_in) != (new.defined_by, &new.defined_in),
        ),
        ("interface", old.interface != new.interface),
        ("link", old.link != new.link),
        ("ipv4", old.ipv4 != new.ipv4),
        ("ipv6", old.ipv6 != new.ipv6),
        ("addresses", old.addresses != new.addresses),
        ("gateways", old.gateways != new.gateways),
        ("routes", old.routes != new.routes),
        ("sources", old.sources != new.sources),
        ("mark", old.mark != new.mark),
        ("dns", old.dns != new.dns),
        ("announced", old.announced != new.announced),
    ];
    let fields = differs.into_iter().filter(|(_, differs)| *differs);
    fields.map(|(field, _)| field).collect()
}

fn timeless(domain: &Domain) -> Domain {
    let mut domain = domain.clone();
    for address in &mut domain.addresses {
        address.valid_seconds = None;
        address.preferred_seconds = None;
    }
    for route in &mut domain.routes {
        route.expires_seconds = None;
    }
    domain.announced.iter_mut().for_each(View::forget_time);
    domain
}

impl<'d> Change<'d> {
    fn of_pvd(event: Kind, domain: &'d Domain, changed: Vec<&'static str>) -> Self {
        Self {
            event,
            name: &domain.name,
            changed,
            pvd: Some(domain),
        }
    }

    fn of_interface(event: Kind, name: &'d str) -> Self {
        Self {
            event,
            name,
            changed: Vec::new(),
            pvd: None,
        }
    }
}

impl fmt::Display for Change<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.event {
            Kind::PvdPresent => "pvd".to_owned(),
            Kind::PvdRemoved => styled(BAD, "pvd removed"),
            Kind::PvdUnusable => styled(BAD, "pvd unusable"),
            Kind::InterfaceRemoved => styled(BAD, "interface removed"),
            Kind::InterfaceDown => styled(BAD, "interface down"),
            Kind::InterfaceAdded => styled(GOOD, "interface added"),
            Kind::InterfaceUp => styled(GOOD, "interface up"),
            Kind::PvdAdded => styled(GOOD, "pvd added"),
            Kind::PvdUsable => styled(GOOD, "pvd usable"),
            Kind::PvdChanged => "pvd changed".to_owned(),
        };
        write!(f, "{what} {}", self.name)?;
        let Some(domain) = self.pvd.filter(|_| self.event != Kind::PvdRemoved) else {
            return Ok(());
        };
        write!(f, ": {}", state(domain))?;
        let is_first = matches!(
            self.event,
            Kind::PvdPresent | Kind::PvdAdded | Kind::PvdUsable
        );
        let is_new = |field| is_first || self.changed.contains(&field);
        let mut list = |field, title: &str, texts: Vec<String>| match texts.is_empty() {
            _ if !is_new(field) => Ok(()),
            true if is_first => Ok(()),
            true => write!(f, "; no {title}"),
            false => write!(f, "; {title} {}", texts.join(", ")),
        };
        let addresses = domain
            .addresses
            .iter()
            .map(|address| format!("{address:#}"));
        list("addresses", "addresses", addresses.collect())?;
        let gateways = domain.gateways.iter().map(ToString::to_string);
        list("gateways", "gateways", gateways.collect())?;
        list("dns", "DNS servers", domain.dns.servers.clone())?;
        list("dns", "search", domain.dns.search.clone())
    }
}
