//! What `NetworkManager` keeps of a device: a key file with the options of its DHCP leases
//! (nm-config.c, `nm_config_device_state_write`). Servers of router advertisements and of the
//! connection's profile are not there.

use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use super::files::Files;
use super::said::Said;
use super::{Found, Link};

pub(super) fn of(files: &mut Files<'_>, link: &Link<'_>) -> Option<Found> {
    let path = format!("run/NetworkManager/devices/{}", link.index);
    let (file, text) = files.text(&path)?;
    let (said, until) = device(&text, link, files.now);
    Some(Found {
        until,
        ..Found::new(files, file, said)
    })
}

/// What the device's leases say, and when the first of those that count ends.
pub(super) fn device(text: &str, link: &Link<'_>, now: SystemTime) -> (Said, Option<SystemTime>) {
    let (mut said, mut until) = (Said::default(), None);
    for (group, address, servers, search) in [
        (
            "dhcp4",
            "ip_address",
            "domain_name_servers",
            &["domain_search", "domain_name"][..],
        ),
        (
            "dhcp6",
            "ip6_address",
            "dhcp6_name_servers",
            &["dhcp6_domain_search"][..],
        ),
    ] {
        let value = |key: &str| value(text, group, key);
        let end = value("expiry").and_then(|seconds| seconds.parse().ok());
        let end = end.and_then(|end| SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(end)));
        let has = |address: &str| {
            address
                .parse::<IpAddr>()
                .is_ok_and(|address| (link.has)(address))
        };
        if end.is_some_and(|end| end <= now) || !value(address).is_none_or(has) {
            continue;
        }
        let words = |key: &str| value(key).unwrap_or("").split_ascii_whitespace();
        said.add_servers(words(servers), link);
        said.add_search(search.iter().flat_map(|key| words(key)));
        until = match (until, end) {
            (Some(one), Some(other)) => Some(SystemTime::min(one, other)),
            (one, other) => one.or(other),
        };
    }
    (said, until)
}

/// The value of `GROUP.KEY` in the group's section.
fn value<'t>(text: &'t str, group: &str, key: &str) -> Option<&'t str> {
    let mut inside = false;
    text.lines().find_map(|line| {
        if let Some(section) = line.strip_prefix('[') {
            inside = section.trim_end().strip_suffix(']') == Some(group);
        }
        let (name, value) = line.split_once('=').filter(|_| inside)?;
        let option = name.trim().strip_prefix(group)?.strip_prefix('.')?;
        (option == key).then(|| value.trim())
    })
}
