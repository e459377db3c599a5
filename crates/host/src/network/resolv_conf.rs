//! Parts of a resolv.conf(5) that agents register for an interface, and the host's own one.

use super::files::Files;
use super::said::Said;
use super::{Found, Link};

/// What programs append to an interface's name: interface-order(5), dhcpcd and openresolv. An
/// interface's name may have dots itself (`eth0.100`), so that any suffix will not do.
const SUFFIXES: [&str; 16] = [
    ".inet",
    ".inet6",
    ".dhclient",
    ".ip6.dhclient",
    ".dhcp",
    ".dhcp6",
    ".ra",
    ".dhcpcd",
    ".udhcpc",
    ".pump",
    ".ppp",
    ".pppd",
    ".openvpn",
    ".vpnc",
    ".wg",
    ".slaac",
];

pub(super) fn of_resolvconf(files: &mut Files<'_>, link: &Link<'_>) -> Option<Found> {
    let debians = registered(files, "run/resolvconf/interface", link);
    debians.or_else(|| registered(files, "run/resolvconf/interfaces", link))
}

pub(super) fn of_dhcpcd(files: &mut Files<'_>, link: &Link<'_>) -> Option<Found> {
    registered(files, "run/dhcpcd/hook-state/resolv.conf", link)
}

/// The resolv.conf of the host, if it can only be this interface's: there is no other with a
/// default route. Otherwise it is nobody's, because it does not say which network its servers are
/// of.
pub(super) fn of_host(files: &mut Files<'_>, link: &Link<'_>) -> Option<Found> {
    if default_interfaces(files) != [link.name] {
        return None;
    }
    let (file, text) = files.text("etc/resolv.conf")?;
    Some(Found::new(files, file, fragment(&text, link)))
}

/// All that is registered for an interface in a folder.
fn registered(files: &mut Files<'_>, folder: &str, link: &Link<'_>) -> Option<Found> {
    let mut found: Option<Found> = None;
    for name in files.names(folder) {
        if !is_of(&name, link.name) {
            continue;
        }
        let Some((file, text)) = files.text(&format!("{folder}/{name}")) else {
            continue;
        };
        let part = Found::new(files, file, fragment(&text, link));
        match &mut found {
            Some(found) => found.merge(part),
            None => found = Some(part),
        }
    }
    found.filter(|found| !found.said.servers.is_empty())
}

/// Whether a record is an interface's: `NAME`, `NAME.PROGRAM`, or `tun.NAME` (wg-quick(8)).
fn is_of(record: &str, name: &str) -> bool {
    record.strip_prefix("tun.") == Some(name)
        || record
            .strip_prefix(name)
            .is_some_and(|rest| rest.is_empty() || SUFFIXES.contains(&rest))
}

/// `nameserver`, `domain` and `search` lines; of the latter two, all count.
pub(super) fn fragment(text: &str, link: &Link<'_>) -> Said {
    let mut said = Said::default();
    for line in text.lines() {
        let mut words = line
            .split(['#', ';'])
            .take(1)
            .flat_map(str::split_ascii_whitespace);
        match words.next() {
            Some("nameserver") => said.add_servers(words.take(1), link),
            Some("domain" | "search") => said.add_search(words),
            _ => {}
        }
    }
    said
}

/// The names of the interfaces with a default route in the main table.
fn default_interfaces(files: &Files<'_>) -> Vec<String> {
    const V4: &str = "proc/net/route";
    const V6: &str = "proc/net/ipv6_route";
    let (v4, v6) = (files.kernels(V4), files.kernels(V6));
    let v4 = v4
        .iter()
        .flat_map(|text| text.lines())
        .filter_map(default_v4);
    let v6 = v6
        .iter()
        .flat_map(|text| text.lines())
        .filter_map(default_v6);
    let mut names: Vec<String> = v4.chain(v6).map(str::to_owned).collect();
    names.sort();
    names.dedup();
    names
}

/// `Iface Destination Gateway Flags RefCnt Use Metric Mask …`.
fn default_v4(line: &str) -> Option<&str> {
    let fields: Vec<&str> = line.split_ascii_whitespace().collect();
    let &[name, destination, _, flags, _, _, _, mask, ..] = &fields[..] else {
        return None;
    };
    (destination == "00000000" && mask == "00000000" && is_way(flags)).then_some(name)
}

/// Destination, length, source, length, next hop, metric, count, use, flags, interface.
fn default_v6(line: &str) -> Option<&str> {
    let fields: Vec<&str> = line.split_ascii_whitespace().collect();
    let &[_, length, .., flags, name] = &fields[..] else {
        return None;
    };
    (fields.len() == 10 && length == "00" && is_way(flags)).then_some(name)
}

/// `RTF_UP` without `RTF_REJECT`.
fn is_way(flags: &str) -> bool {
    u32::from_str_radix(flags, 16).is_ok_and(|flags| flags & 0x201 == 1)
}
