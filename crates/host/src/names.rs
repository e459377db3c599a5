//! What a provisioning domain's network gave for names, read when a look-up first wants it and
//! kept while the files, the interface and its addresses stay as they were.
//!
//! The lock is only ever tried: who finds it taken (a forked child may have inherited it so) reads
//! the files for itself.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use mif_policy::{Dns, Gave, Server};
use parking_lot::RwLock;

use crate::FRESH;
use crate::network::{Link, Network, Reading};

#[derive(Default)]
pub(crate) struct Names {
    kept: RwLock<Option<Kept>>,
    /// When the files were last looked at.
    checked_at: AtomicU64,
}

struct Kept {
    /// `None` where no server is known.
    dns: Option<Arc<Dns>>,
    reading: Reading,
    index: u32,
    addresses: u64,
}

/// The interface as it is now.
pub(crate) struct Interface<'a> {
    pub(crate) link: Link<'a>,
    /// A word that stands for the host's addresses, 0 for not known.
    pub(crate) addresses: u64,
}

impl Names {
    /// The servers and domains of the interface. The files are looked at if that is a second ago.
    pub(crate) fn read(&self, interface: &Interface<'_>, now: u64) -> Option<Arc<Dns>> {
        if let Some(kept) = self.kept.try_read()
            && let Some(kept) = &*kept
            && kept.is_of(interface)
        {
            let age = now.wrapping_sub(self.checked_at.load(Ordering::Acquire));
            if age < FRESH {
                return kept.dns.clone();
            }
            if kept.reading.is_current() {
                self.checked_at.store(now, Ordering::Release);
                return kept.dns.clone();
            }
        }
        let reading = Reading::at(&interface.link, Path::new("/"), SystemTime::now());
        let dns = dns(&reading.network).map(Arc::new);
        if let Some(mut kept) = self.kept.try_write() {
            *kept = Some(Kept {
                dns: dns.clone(),
                reading,
                index: interface.link.index,
                addresses: interface.addresses,
            });
            self.checked_at.store(now, Ordering::Release);
        }
        dns
    }

    /// What is known of a server without looking.
    pub(crate) fn gave(&self, is_meant: &dyn Fn(&Server) -> bool) -> Gave {
        let kept = self.kept.try_read();
        match kept.as_ref().and_then(|kept| kept.as_ref()) {
            None => Gave::Unknown,
            Some(Kept { dns: None, .. }) => Gave::None,
            Some(Kept { dns: Some(dns), .. }) if dns.servers.iter().any(is_meant) => Gave::It,
            Some(_) => Gave::Others,
        }
    }
}

impl Kept {
    fn is_of(&self, interface: &Interface<'_>) -> bool {
        let same = self.index == interface.link.index && self.addresses == interface.addresses;
        same && self.addresses != 0
    }
}

fn dns(network: &Network) -> Option<Dns> {
    (!network.servers.is_empty()).then(|| Dns {
        servers: network.servers.iter().copied().map(Server::from).collect(),
        search: network.search.clone(),
        zones: network.zones.clone(),
        ..Dns::default()
    })
}

impl fmt::Debug for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Names").finish_non_exhaustive()
    }
}
