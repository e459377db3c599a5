//! What the network itself announced, where `mif pvd discover` has heard it.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use mif_policy::Prefix;

use super::files::Files;
use super::said::Said;
use super::{Found, Link};
use crate::announced::{self, Announced, Domain, Timed};

pub(super) fn of(files: &mut Files<'_>, link: &Link<'_>) -> Option<Found> {
    let (file, announced) = heard(files, link)?;
    let now = files.now.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    let now = now.as_secs();
    let domain = announced.main(now)?;
    let mut found = Found::new(files, file, said(domain, link, now));
    // Any end may make another domain the one that counts.
    let end = announced
        .domains
        .iter()
        .filter_map(|one| one.end(now))
        .min();
    found.until = end.map(|end| SystemTime::UNIX_EPOCH + Duration::from_secs(end));
    Some(found)
}

/// What was heard on the network that the interface is on: by the user, else by root.
pub(super) fn heard(files: &mut Files<'_>, link: &Link<'_>) -> Option<(PathBuf, Announced)> {
    let user = rustix::process::geteuid().as_raw();
    let changes = files.kernels(&announced::changes(link.name));
    let here = (link.index, announced::attachment(changes.as_deref()));
    [Some(user), None].into_iter().find_map(|user| {
        let (file, text) = files.text(&announced::path(user, link.name))?;
        match text.parse::<Announced>() {
            Ok(heard) => Some((file, heard)).filter(|(_, heard)| heard.place() == here),
            Err(why) => {
                files.distrust(&file, why);
                None
            }
        }
    })
}

/// The prefixes of the explicit domain with this identifier, as far as they hold, and its names.
pub(super) fn explicit(
    files: &mut Files<'_>,
    link: &Link<'_>,
    id: &str,
) -> Option<(Vec<Prefix>, Said)> {
    let (_, announced) = heard(files, link)?;
    let now = files.now.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    let now = now.as_secs();
    let is_it = |domain: &&Domain| domain.id.as_deref() == Some(id);
    let domain = announced.domains.iter().find(is_it)?;
    let prefixes = domain.prefixes.iter().filter(|one| one.holds(now));
    let prefixes = prefixes.map(|one| one.value).collect();
    Some((prefixes, said(domain, link, now)))
}

/// Any text as such a file: for fuzzing.
pub(super) fn any(text: &str, link: &Link<'_>) -> Said {
    let announced = text.parse::<Announced>().unwrap_or_default();
    let main = announced.main(0);
    main.map_or(Said::default(), |domain| said(domain, link, 0))
}

/// The names of a domain, as far as they hold.
fn said(domain: &Domain, link: &Link<'_>, now: u64) -> Said {
    let mut said = Said::default();
    let servers = words(&domain.servers, now);
    said.add_servers(servers.iter().map(|word| &**word), link);
    let search = words(&domain.search, now);
    said.add_search(search.iter().map(|word| &**word));
    let information = domain.information.as_ref().filter(|one| one.holds(now));
    if let Some(information) = information {
        said.zones.clone_from(&information.value.zones);
    }
    said
}

fn words<T: ToString>(list: &[Timed<T>], now: u64) -> Vec<String> {
    let list = list.iter().filter(|one| one.holds(now));
    list.map(|one| one.value.to_string()).collect()
}
