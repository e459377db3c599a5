//! The name servers of one interface, as the host's own configuration agents left them in files
//! that are there to be read.
//!
//! The agents are asked in a fixed order ([`Agent`] has it), and the first that names servers has
//! the word alone: its servers, search list and domains are one network's, never a mix with what
//! others say. What a file contains is never taken for the name of an interface or of another
//! file. A file counts only if nobody but root, the user and the agent can have written it; a
//! lease, only while it lasts and the interface has its address.

mod announced;
mod dhclient;
mod files;
mod network_manager;
mod resolv_conf;
mod said;
mod systemd;
#[cfg(test)]
mod tests;

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use mif_policy::{Dns, Prefix, Zone};

use self::files::Files;
use self::said::Said;
use crate::announced::Announced;

/// What an interface's network gave for names: a consistent set, from one agent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Network {
    /// Recursive resolvers in the order they are asked, each with its port (53 where the agent does
    /// not say). A link-local one has the interface's index as its scope id.
    pub servers: Vec<SocketAddr>,
    /// Suffixes for names with few dots, in lower case without the trailing dot.
    pub search: Vec<Box<str>>,
    /// Domains that the agent routes to these servers; `.` is all names, and so is none at all.
    pub zones: Vec<Zone>,
    /// Whose word it is; `None` where nobody named servers of this interface.
    pub source: Option<Source>,
    /// Files that were not believed, or not understood.
    pub trouble: Vec<Trouble>,
}

/// Who said it, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The agent.
    pub agent: Agent,
    /// Its files.
    pub files: Vec<PathBuf>,
}

/// A program that configures networks, in the order they are asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Agent {
    /// systemd-networkd(8): `/run/systemd/netif/links/INDEX`.
    Networkd,
    /// systemd-resolved(8), told over D-Bus: `/run/systemd/resolve/netif/INDEX`.
    Resolved,
    /// `NetworkManager(8)`: `/run/NetworkManager/devices/INDEX`.
    NetworkManager,
    /// resolvconf(8), Debian's (`/run/resolvconf/interface/NAME.*`) or openresolv's
    /// (`/run/resolvconf/interfaces/NAME*`). What is registered there has been through the
    /// administrator's hands, so it stands before the leases.
    Resolvconf,
    /// dhcpcd(8): `/run/dhcpcd/hook-state/resolv.conf/NAME.*`.
    Dhcpcd,
    /// dhclient(8) of ISC DHCP: leases below `/var/lib/dhcp` and `/var/lib/dhclient`.
    Dhclient,
    /// The network's router advertisements, where `mif pvd discover` has heard them
    /// ([`crate::announced`]). DHCP stands before them (RFC 8106 5.3.1).
    Announced,
    /// The host's one resolv.conf(5): of the only interface with a default route.
    ResolvConf,
}

/// Why a file, or a part of it, does not count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// The file.
    pub file: PathBuf,
    /// The reason, in words.
    pub why: String,
}

/// What the host knows of an interface, now. `has` tells whether the interface has an address: the
/// lease of another one is not its own. Files are looked for below `root`, which is `/` but in
/// tests.
#[must_use]
pub fn of(index: u32, name: &str, has: &dyn Fn(IpAddr) -> bool, root: &Path) -> Network {
    Reading::at(&Link { index, name, has }, root, SystemTime::now()).network
}

/// What was heard on the network that an interface is on, if something was (`mif pvd discover`), and
/// where that is written. Files are looked for below `root`, as in [`of`].
#[must_use]
pub fn announced(index: u32, name: &str, root: &Path) -> Option<(PathBuf, Announced)> {
    let has = &|_| true;
    let mut files = Files::new(root, SystemTime::now());
    announced::heard(&mut files, &Link { index, name, has })
}

/// The prefixes and names of the explicit domain that the network of an interface announces by this
/// identifier, if it does.
pub(crate) fn explicit(
    index: u32,
    name: &str,
    id: &str,
    root: &Path,
) -> Option<(Vec<Prefix>, Dns)> {
    let link = Link {
        index,
        name,
        has: &|_| true,
    };
    let mut files = Files::new(root, SystemTime::now());
    let (prefixes, said) = announced::explicit(&mut files, &link, id)?;
    Some((prefixes, said.into()))
}

/// Reads any bytes as the file of each agent: for fuzzing. True where one of them names servers.
#[doc(hidden)]
#[must_use]
pub fn read_any_file(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return false;
    };
    let link = Link {
        index: 3,
        name: "wan1",
        has: &|_| true,
    };
    let now = SystemTime::UNIX_EPOCH;
    let all = [
        systemd::networkd(text, &link),
        systemd::resolved(text, &link),
        network_manager::device(text, &link, now).0,
        resolv_conf::fragment(text, &link),
        dhclient::newest(text, &link, now).said,
        announced::any(text, &link),
    ];
    all.iter().any(|said| !said.servers.is_empty())
}

/// An interface that files are read for.
pub(crate) struct Link<'a> {
    pub(crate) index: u32,
    pub(crate) name: &'a str,
    pub(crate) has: &'a dyn Fn(IpAddr) -> bool,
}

/// A [`Network`], and how long it holds.
pub(crate) struct Reading {
    pub(crate) network: Network,
    seen: Vec<files::Seen>,
    /// When the lease ends.
    pub(crate) until: Option<SystemTime>,
}

/// What one agent says of an interface.
struct Found {
    said: Said,
    files: Vec<PathBuf>,
    until: Option<SystemTime>,
}

impl Reading {
    /// Reads what holds at `now`.
    pub(crate) fn at(link: &Link<'_>, root: &Path, now: SystemTime) -> Self {
        type Ask = fn(&mut Files<'_>, &Link<'_>) -> Option<Found>;
        const AGENTS: [(Agent, Ask); 8] = [
            (Agent::Networkd, systemd::of_networkd),
            (Agent::Resolved, systemd::of_resolved),
            (Agent::NetworkManager, network_manager::of),
            (Agent::Resolvconf, resolv_conf::of_resolvconf),
            (Agent::Dhcpcd, resolv_conf::of_dhcpcd),
            (Agent::Dhclient, dhclient::of),
            (Agent::Announced, announced::of),
            (Agent::ResolvConf, resolv_conf::of_host),
        ];
        let mut files = Files::new(root, now);
        let found = AGENTS.iter().find_map(|&(agent, ask)| {
            let found = ask(&mut files, link)?;
            (!found.said.servers.is_empty()).then_some((agent, found))
        });
        let (seen, trouble) = files.finish();
        let mut network = Network {
            trouble,
            ..Network::default()
        };
        let mut until = None;
        if let Some((agent, found)) = found {
            until = found.until;
            network.servers = found.said.servers;
            network.search = found.said.search;
            network.zones = found.said.zones;
            network.source = Some(Source {
                agent,
                files: found.files,
            });
        }
        Self {
            network,
            seen,
            until,
        }
    }

    /// Whether the files are those that were read, and the lease has not ended.
    pub(crate) fn is_current(&self) -> bool {
        let lasts = self.until.is_none_or(|until| SystemTime::now() < until);
        lasts && self.seen.iter().all(files::Seen::is_unchanged)
    }
}

impl Found {
    /// What a file says; what is wrong with it is told.
    fn new(files: &mut Files<'_>, file: PathBuf, mut said: Said) -> Self {
        for fault in said.faults.drain(..) {
            files.distrust(&file, fault);
        }
        Self {
            said,
            files: vec![file],
            until: None,
        }
    }

    /// Adds what another file of the same agent says.
    fn merge(&mut self, other: Self) {
        if !other.said.servers.is_empty() {
            self.files.extend(other.files);
        }
        self.said.merge(other.said);
        self.until = match (self.until, other.until) {
            (Some(one), Some(another)) => Some(one.min(another)),
            (one, another) => one.or(another),
        };
    }
}

impl std::fmt::Display for Agent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Networkd => "systemd-networkd",
            Self::Resolved => "systemd-resolved",
            Self::NetworkManager => "NetworkManager",
            Self::Resolvconf => "resolvconf",
            Self::Dhcpcd => "dhcpcd",
            Self::Dhclient => "dhclient",
            Self::Announced => "the network",
            Self::ResolvConf => "resolv.conf",
        })
    }
}
