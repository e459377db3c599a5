//! The name servers of one interface, as the host's own configuration agents left them in files
//! that are there to be read.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use mif_policy::Zone;

/// What an interface's network gave for names: a consistent set, from one agent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Network {
    /// Recursive resolvers in the order they are asked, each with its port (53 where the agent does
    /// not say). A link-local one has the interface's index as its scope id.
    pub servers: Vec<SocketAddr>,
    /// Suffixes for names with few dots, without the trailing dot.
    pub search: Vec<String>,
    /// Domains that the agent routes to this interface's servers; `.` is all names.
    pub zones: Vec<Zone>,
    /// Whose word it is; `None` where nobody said anything of this interface.
    pub source: Option<Source>,
    /// Files that were not believed, or not understood.
    pub trouble: Vec<Trouble>,
}

/// Who said it, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The agent.
    pub agent: Agent,
    /// Its file.
    pub file: PathBuf,
}

/// A program that configures networks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Agent {
    /// systemd-networkd(8).
    Networkd,
    /// systemd-resolved(8).
    Resolved,
    /// NetworkManager(8).
    NetworkManager,
    /// dhclient(8) of ISC DHCP.
    Dhclient,
    /// dhcpcd(8).
    Dhcpcd,
    /// resolvconf(8), Debian's or openresolv's.
    Resolvconf,
    /// The host's one resolv.conf(5).
    ResolvConf,
}

/// Why a file does not count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// The file.
    pub file: PathBuf,
    /// The reason, in words.
    pub why: String,
}

/// What the host knows of the interface with this index and name. Files are looked for below
/// `root`, which is `/` but in tests.
#[must_use]
pub fn of(_index: u32, _name: &str, _root: &Path) -> Network {
    Network::default()
}
