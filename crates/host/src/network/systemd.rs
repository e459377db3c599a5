//! What systemd-networkd and systemd-resolved keep of a link, as lines of `KEY=VALUE`
//! (networkd-state-file.c, resolved-link.c). Both run under accounts of their own, which own their
//! folders below `/run/systemd`.
//!
//! networkd's `leases` beside it have what DHCP gave; what the administrator lets through of that
//! (`UseDNS=`, `UseDomains=`) is in the link's own file.

use super::files::Files;
use super::said::Said;
use super::{Found, Link};

pub(super) fn of_networkd(files: &mut Files<'_>, link: &Link<'_>) -> Option<Found> {
    let name = format!("links/{}", link.index);
    let (file, text) = files.text_in("run/systemd/netif", &name)?;
    Some(Found::new(files, file, networkd(&text, link)))
}

pub(super) fn of_resolved(files: &mut Files<'_>, link: &Link<'_>) -> Option<Found> {
    let name = format!("netif/{}", link.index);
    let (file, text) = files.text_in("run/systemd/resolve", &name)?;
    Some(Found::new(files, file, resolved(&text, link)))
}

pub(super) fn networkd(text: &str, link: &Link<'_>) -> Said {
    let mut said = Said::default();
    said.add_servers(words(text, "DNS="), link);
    said.add_search(words(text, "DOMAINS="));
    said.add_zones(words(text, "ROUTE_DOMAINS="));
    only_its_domains(&mut said, value(text, "DNS_DEFAULT_ROUTE="));
    said
}

pub(super) fn resolved(text: &str, link: &Link<'_>) -> Said {
    let mut said = Said::default();
    said.add_servers(words(text, "SERVERS="), link);
    let domains = || words(text, "DOMAINS=");
    said.add_search(domains().filter(|word| !word.starts_with('~')));
    said.add_zones(domains().filter_map(|word| word.strip_prefix('~')));
    only_its_domains(&mut said, value(text, "DEFAULT_ROUTE="));
    said
}

/// A link with domains for routing only is not asked for other names, unless it is told to be
/// (systemd.network(5), `DNSDefaultRoute=`); but for those of its search list it is.
fn only_its_domains(said: &mut Said, default_route: Option<&str>) {
    if said.zones.is_empty() {
        return;
    }
    if default_route == Some("yes") {
        said.add_zones(["."]);
    } else {
        let search: Vec<String> = said.search.iter().map(ToString::to_string).collect();
        said.add_zones(search.iter().map(|suffix| &**suffix));
    }
}

fn words<'t>(text: &'t str, key: &str) -> impl Iterator<Item = &'t str> + use<'t> {
    value(text, key).unwrap_or("").split_ascii_whitespace()
}

fn value<'t>(text: &'t str, key: &str) -> Option<&'t str> {
    text.lines().find_map(|line| line.strip_prefix(key))
}
