//! Which provisioning domains this program may use, as the host is now (RFC 7556 6.3).

use std::net::IpAddr;

use mif_domains::{Domain, Id, Snapshot};
use mif_host::config::Environment;
use mif_host::defined::defined;
use mif_host::domains::{Gone, Present, Wanted, read};
use mif_policy::{Choice, Families, Policy, Pvd};
use rustix::io::Errno;

use super::message::{F_V4, F_V6};
use super::scope;
use crate::clock;
use crate::init::governing;

/// The domains that have addresses of these families, in the order in which the policy prefers them.
///
/// # Errors
/// `EINVAL`: the flags. Otherwise the kernel does not tell.
pub(crate) fn visible(flags: u32) -> Result<Vec<Id>, Errno> {
    let families = families(flags)?;
    let host = host()?;
    let has = |domain: &&Domain| domain.addresses.iter().any(|one| families.allow(one.ip));
    let mut ids = Vec::new();
    for domain in ordered(&host).into_iter().filter(has) {
        if !ids.contains(&domain.id) {
            ids.push(domain.id.clone());
        }
    }
    Ok(ids)
}

/// The domain of packets with this address of the host on this interface. Of several, the one that the
/// policy prefers.
///
/// # Errors
/// `ENOENT`: there is none, or none that the policy lets the program use.
pub(super) fn of_packets(index: u32, address: Option<IpAddr>) -> Result<Id, Errno> {
    let mut host = host()?;
    host.interfaces.retain(|interface| interface.index == index);
    let has = |domain: &&&Domain| {
        address.is_none_or(|address| domain.addresses.iter().any(|one| one.ip == address))
    };
    let found = ordered(&host);
    let found = found.iter().find(has).ok_or(Errno::NOENT)?;
    Ok(found.id.clone())
}

/// The host as the program may see it, now.
///
/// # Errors
/// The kernel does not tell.
pub(super) fn host() -> Result<Snapshot, Errno> {
    look(&scope::environment(), &Snapshot::default(), &[]).map(|present| present.snapshot)
}

/// The same, with what was seen the last time and what the kernel has told since then.
///
/// # Errors
/// The kernel does not tell.
pub(super) fn look(
    environment: &Environment,
    before: &Snapshot,
    gone: &[Gone],
) -> Result<Present, Errno> {
    let policy = governing().map(|active| &active.policy);
    // Those of the policy are as it has them; what is wrong with a file is for `mif check` to say.
    let of_policy = policy.map_or(&[][..], |policy| &policy.pvds).iter();
    let mut all: Vec<Pvd> = of_policy
        .filter(|pvd| !pvd.is_implicit())
        .cloned()
        .collect();
    all.extend(defined(environment).unwrap_or_default());
    let wanted = Wanted {
        defined: &all,
        permits: |pvd: &Pvd| policy.is_none_or(|policy| policy.permits(pvd)),
        families: policy.map_or(Families::Any, |policy| policy.families),
        hides_interfaces: policy.is_some_and(Policy::hides_interfaces),
    };
    read(before, gone, clock::milliseconds(), &wanted)
}

/// The families that flags say; neither is both.
///
/// # Errors
/// `EINVAL`: there are other flags.
pub(super) fn families(flags: u32) -> Result<Families, Errno> {
    match flags {
        0 | 3 => Ok(Families::Any),
        F_V4 => Ok(Families::V4),
        F_V6 => Ok(Families::V6),
        _ => Err(Errno::INVAL),
    }
}

/// Those that the policy names come first, in its order; then as the host prefers their interfaces.
fn ordered(host: &Snapshot) -> Vec<&Domain> {
    let policy = governing().map(|active| &active.policy);
    let rank = |domain: &Domain| {
        let policy = policy?;
        let choices = &policy.rule(policy.last_rule()).choices.0;
        let is_it = |choice: &Choice| match choice {
            Choice::Pvd(id) => is_meant(policy.pvd(*id), &domain.id),
            Choice::System | Choice::None => false,
        };
        choices.iter().position(is_it)
    };
    let mut domains: Vec<&Domain> = host
        .interfaces
        .iter()
        .flat_map(|one| &one.domains)
        .collect();
    domains.sort_by_cached_key(|domain| rank(domain).unwrap_or(usize::MAX));
    domains
}

fn is_meant(pvd: &Pvd, id: &Id) -> bool {
    match id {
        Id::Interface(_) => pvd.is_implicit() && *pvd.name == *id.name(),
        Id::Utf8(_) => !pvd.is_implicit() && *pvd.name == *id.name(),
        Id::Fqdn(_) => false,
    }
}
