//! Provisioning domains that a program can choose by itself, whether or not its policy names them:
//! those that `pvds.toml` defines, and those that networks announce (RFC 8801).

use std::fs;
use std::path::Path;

use mif_policy::{AddressSelection, Interface, InterfaceName, Pvd, domains};

use crate::announced::folder;
use crate::config::{Environment, LoadError};
use crate::netlink::Netlink;
use crate::network;

/// The domains that the `pvds.toml` files define, the user's names before the host's.
///
/// # Errors
/// A file cannot be read or believed, or has faults.
pub fn defined(environment: &Environment) -> Result<Vec<Pvd>, LoadError> {
    let mut found: Vec<Pvd> = Vec::new();
    for folder in environment.folders() {
        let Some(text) = environment.text(&folder.join("pvds.toml"))? else {
            continue;
        };
        for pvd in domains(&text).map_err(LoadError::Faults)? {
            if found.iter().all(|one| one.name != pvd.name) {
                found.push(pvd);
            }
        }
    }
    Ok(found)
}

/// The explicit domain that a network announces by this identifier, in lower case without the
/// trailing dot, as it is now: the interface that it was heard on, the host's addresses in its prefixes,
/// and its name servers. `None` where none is, or where the host has no address in it.
#[must_use]
pub fn announced(id: &str) -> Option<Pvd> {
    let user = rustix::process::geteuid().as_raw();
    let folders = [Some(user), None].map(|user| Path::new("/").join(folder(user)));
    let files = folders
        .iter()
        .filter_map(|folder| fs::read_dir(folder).ok());
    files.flatten().flatten().find_map(|file| {
        let interface = file.file_name().into_string().ok()?;
        announced_on(&interface, id)
    })
}

fn announced_on(interface: &str, id: &str) -> Option<Pvd> {
    let name: InterfaceName = interface.parse().ok()?;
    let netlink = Netlink::open().ok()?;
    let index = netlink.device(&name).ok()?.index;
    let (prefixes, dns) = network::explicit(index, interface, id, Path::new("/"))?;
    let mut sources = Vec::new();
    let mut note = |address: crate::netlink::Address| {
        let is_in_it = prefixes.iter().any(|prefix| prefix.contains(address.ip));
        if address.index == index && address.preferred && is_in_it {
            sources.push(address.ip);
        }
    };
    netlink.addresses(&mut note).ok()?;
    // Without one it would be all of the interface.
    sources.first()?;
    Some(Pvd {
        name: id.into(),
        interface: Interface::Named(name),
        sources,
        mark: None,
        dns,
        addrsel: AddressSelection::default(),
    })
}
