//! What this host has now, as a policy needs to know it: the interfaces of its provisioning
//! domains and the host's own addresses.
//!
//! The kernel is asked anew when an answer is a second old or has been refused, and never
//! otherwise, so that a call in steady state costs no system call. All that is kept are atomic
//! words allocated once: nothing here locks, allocates or keeps a file descriptor open, and a
//! caller that was interrupted half-way, or a child of `vfork`, leaves nothing that another one
//! would wait for. Only [`config`] and [`Host::new`] read files, once, at the start; and
//! look-ups, through `network` of the trait [`mif_policy::Host`], those that tell the name servers of
//! an interface ([`network`]).

mod addresses;
pub mod announced;
pub mod bell;
pub mod config;
mod dated;
pub mod defined;
pub mod domains;
#[cfg(feature = "inventory")]
pub mod inventory;
mod names;
mod netlink;
pub mod network;
mod resolv_conf;
mod standing;
mod trust;

pub use dated::Dated;
pub use netlink::give_up;
pub use standing::Standing;

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use mif_policy::{Dns, Gave, Interface, InterfaceName, Link, Policy, PvdId, Server, Unusable};
use once_cell::race::OnceBox;
use rustix::io::Errno;

pub use crate::trust::Distrust;

use crate::addresses::Addresses;
use crate::names::Names;
use crate::netlink::{Device, Netlink};
use crate::standing::Answer;

/// How old an answer of the kernel may be, in milliseconds.
const FRESH: u64 = 1000;
/// The moment 0 of the callers' clock: 0 itself stands for "never read", and is stale at every moment.
const EPOCH: u64 = 2 * FRESH;

/// The host as one policy sees it.
#[derive(Debug)]
pub struct Host {
    links: Box<[Slot]>,
    addresses: Addresses,
    /// What the host's own configuration asks for names; read once, when something else than it
    /// is to be asked.
    resolvers: OnceBox<Box<[IpAddr]>>,
    /// What the policy says of flows of IPv6 and of IPv4, as long as that follows from what is here.
    answers: [Answer; 2],
    /// Some thread has gone to another network namespace, so that nothing said to one call holds for
    /// the next.
    moved: AtomicBool,
}

/// One provisioning domain's interface.
#[derive(Debug)]
struct Slot {
    interface: Interface,
    /// The first source address, which names the interface where nothing else does.
    source: Option<IpAddr>,
    /// [`pack`]ed.
    state: AtomicU64,
    /// The moment when `state` was read, 0 for never.
    read_at: AtomicU64,
    names: Names,
}

impl Host {
    /// The host for a policy: nothing is asked of the kernel yet. The host's own resolvers are read
    /// if the policy names others.
    #[must_use]
    pub fn new(policy: &Policy) -> Self {
        let slot = |pvd: &mif_policy::Pvd| Slot {
            interface: pvd.interface,
            source: pvd.sources.first().copied(),
            state: AtomicU64::new(0),
            read_at: AtomicU64::new(0),
            names: Names::default(),
        };
        let host = Self {
            links: policy.pvds.iter().map(slot).collect(),
            addresses: Addresses::new(),
            resolvers: OnceBox::new(),
            answers: Default::default(),
            moved: AtomicBool::new(false),
        };
        if policy.names_servers() {
            host.read_resolvers();
        }
        host
    }

    /// Forgets what was read: after the kernel has refused an index or a name.
    pub fn forget(&self) {
        for answer in &self.answers {
            answer.forget();
        }
        self.addresses.forget();
        for slot in &self.links {
            slot.read_at.store(0, Ordering::Release);
        }
    }

    /// From now on every call asks the kernel: namespaces are a matter of threads, and what one has
    /// by a name or an index is another's in the next.
    pub fn leaves_its_namespace(&self) {
        self.moved.store(true, Ordering::Relaxed);
    }

    /// Whether an address is certainly none of the host's own, by the reading that
    /// [`Dated::since`] tells the age of.
    #[must_use]
    #[inline]
    pub fn is_foreign(&self, address: IpAddr) -> bool {
        self.addresses.is_foreign(address)
    }

    /// The resolvers that the host itself is configured with, in their order, and where
    /// systemd-resolved would listen.
    #[must_use]
    pub fn resolvers(&self) -> &[IpAddr] {
        self.read_resolvers()
    }

    /// Whether an interface of this index belongs to one of the policy's provisioning domains.
    #[must_use]
    pub fn has_index(&self, index: u32) -> bool {
        self.links.iter().any(|slot| {
            unpack(slot.state.load(Ordering::Acquire)).is_ok_and(|link| link.index == index)
        })
    }
}

impl Host {
    /// The host as it is known at a moment of a clock that never goes back, in milliseconds.
    #[must_use]
    #[inline]
    pub fn at(&self, milliseconds: u64) -> View<'_> {
        let now = if self.moved.load(Ordering::Relaxed) {
            moment_of_its_own()
        } else {
            milliseconds.wrapping_add(EPOCH)
        };
        View { host: self, now }
    }
}

/// A moment at which everything that was read before, or is being read for another call, is old.
#[cold]
fn moment_of_its_own() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1 << 63);
    NEXT.fetch_add(2 * FRESH, Ordering::Relaxed)
}

/// A [`Host`] at one moment: answers that are older than a second are asked for again.
#[derive(Clone, Copy, Debug)]
pub struct View<'h> {
    host: &'h Host,
    now: u64,
}

impl View<'_> {
    /// Asks the kernel once more about all interfaces, before [`give_up`] forbids it.
    pub fn look_once_more(&self) {
        for slot in &self.host.links {
            let _ = self.host.read_into(slot, self.now);
        }
    }

    /// A word that stands for the addresses the host has: it changes when one comes, goes, moves
    /// to another interface or becomes usable. 0 where they are not known.
    #[must_use]
    pub fn addresses(&self) -> u64 {
        self.host.addresses.fingerprint(self.now)
    }
}

impl mif_policy::Host for View<'_> {
    #[inline]
    fn owner(&self, address: IpAddr) -> Option<u32> {
        self.host.addresses.owner(address, self.now)
    }

    #[inline]
    fn link(&self, pvd: PvdId) -> Result<Link, Unusable> {
        let slot = self
            .host
            .links
            .get(usize::from(pvd.0))
            .ok_or(Unusable::Unknown)?;
        if self.now.wrapping_sub(slot.read_at.load(Ordering::Acquire)) < FRESH {
            return unpack(slot.state.load(Ordering::Acquire));
        }
        self.host.read_into(slot, self.now)
    }

    fn is_resolver(&self, address: IpAddr) -> bool {
        let resolvers = self.host.resolvers.get();
        resolvers.is_some_and(|resolvers| resolvers.contains(&address))
    }

    fn network(&self, pvd: PvdId) -> Option<Arc<Dns>> {
        let index = self.link(pvd).ok()?.index;
        let slot = self.host.links.get(usize::from(pvd.0))?;
        self.host.read_resolvers();
        let name = match slot.interface {
            Interface::Named(name) => name.as_str().to_owned(),
            Interface::OfSource => Netlink::open().ok()?.name_of(index).ok()?,
        };
        let has = |ip| self.owner(ip) == Some(index);
        let interface = names::Interface {
            link: network::Link {
                index,
                name: &name,
                has: &has,
            },
            addresses: self.addresses(),
        };
        slot.names.read(&interface, self.now)
    }

    fn gave(&self, pvd: PvdId, is_meant: &dyn Fn(&Server) -> bool) -> Gave {
        let slot = self.host.links.get(usize::from(pvd.0));
        slot.map_or(Gave::Unknown, |slot| slot.names.gave(is_meant))
    }
}

/// For a caller that asks for a moment only: the first answer stands.
impl mif_policy::Host for Host {
    fn owner(&self, address: IpAddr) -> Option<u32> {
        self.at(0).owner(address)
    }

    fn link(&self, pvd: PvdId) -> Result<Link, Unusable> {
        self.at(0).link(pvd)
    }

    fn is_resolver(&self, address: IpAddr) -> bool {
        self.at(0).is_resolver(address)
    }

    fn network(&self, pvd: PvdId) -> Option<Arc<Dns>> {
        self.at(0).network(pvd)
    }

    fn gave(&self, pvd: PvdId, is_meant: &dyn Fn(&Server) -> bool) -> Gave {
        self.at(0).gave(pvd, is_meant)
    }
}

impl Host {
    #[cold]
    fn read_into(&self, slot: &Slot, now: u64) -> Result<Link, Unusable> {
        let link = match Netlink::open() {
            Ok(netlink) => self.read(&netlink, slot, now),
            // Out of descriptors, or in a sandbox. What the process knew stands: a socket goes to
            // an interface that it names, and the kernel refuses one that is gone.
            Err(_) if !self.moved.load(Ordering::Relaxed) => {
                unpack(slot.state.load(Ordering::Acquire))
            }
            Err(_) => Err(Unusable::Unknown),
        };
        slot.state.store(pack(link), Ordering::Release);
        slot.read_at.store(now, Ordering::Release);
        link
    }

    fn read_resolvers(&self) -> &[IpAddr] {
        self.resolvers
            .get_or_init(|| Box::new(resolv_conf::resolvers()))
    }

    fn read(&self, netlink: &Netlink, slot: &Slot, now: u64) -> Result<Link, Unusable> {
        let device = match slot.interface {
            Interface::Named(name) => device(netlink.device(&name))?,
            Interface::OfSource => {
                let source = slot.source.ok_or(Unusable::NoSource)?;
                let index = self
                    .addresses
                    .owner(source, now)
                    .ok_or(Unusable::NoSource)?;
                device(netlink.device_at(index))?
            }
        };
        let mut link = Link {
            index: device.index,
            v4: false,
            v6: false,
            v6_link_local: false,
        };
        let mut note = |address: netlink::Address| {
            if address.index != device.index || !address.preferred {
                return;
            }
            match address.ip {
                IpAddr::V4(_) => link.v4 = true,
                IpAddr::V6(ip) if ip.is_unicast_link_local() => link.v6_link_local = true,
                IpAddr::V6(_) => link.v6 = true,
            }
        };
        self.addresses
            .read(netlink, now, &mut note)
            .map_err(|_| Unusable::Unknown)?;
        Ok(link)
    }
}

fn device(found: Result<Device, Errno>) -> Result<Device, Unusable> {
    match found {
        Ok(device) if !device.up => Err(Unusable::Down),
        Ok(device) if !device.running => Err(Unusable::NoCarrier),
        Ok(device) => Ok(device),
        Err(Errno::NODEV) => Err(Unusable::Missing),
        Err(_) => Err(Unusable::Unknown),
    }
}

/// The interface of this name as it is now, asked of the kernel at once.
///
/// # Errors
/// Why it can carry nothing.
pub fn inspect(name: InterfaceName) -> Result<u32, Unusable> {
    let netlink = Netlink::open().map_err(|_| Unusable::Unknown)?;
    device(netlink.device(&name)).map(|device| device.index)
}

/// A link, or why there is none, in one word: index, family bits, reason.
fn pack(link: Result<Link, Unusable>) -> u64 {
    match link {
        Ok(link) => {
            u64::from(link.index)
                | u64::from(link.v4) << 32
                | u64::from(link.v6) << 33
                | u64::from(link.v6_link_local) << 34
                | 1 << 40
        }
        Err(Unusable::Missing) => 2 << 40,
        Err(Unusable::Down) => 3 << 40,
        Err(Unusable::NoCarrier) => 4 << 40,
        Err(Unusable::NoSource) => 5 << 40,
        Err(_) => 0,
    }
}

#[inline]
fn unpack(state: u64) -> Result<Link, Unusable> {
    if state >> 40 != 1 {
        return Err(reason(state));
    }
    #[allow(clippy::cast_possible_truncation)] // The low 32 bits are the index.
    Ok(Link {
        index: state as u32,
        v4: state >> 32 & 1 != 0,
        v6: state >> 33 & 1 != 0,
        v6_link_local: state >> 34 & 1 != 0,
    })
}

#[cold]
fn reason(state: u64) -> Unusable {
    match state >> 40 {
        2 => Unusable::Missing,
        3 => Unusable::Down,
        4 => Unusable::NoCarrier,
        5 => Unusable::NoSource,
        _ => Unusable::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_survives_its_packing() {
        for link in [
            Ok(Link {
                index: u32::MAX,
                v4: true,
                v6: false,
                v6_link_local: true,
            }),
            Ok(Link {
                index: 1,
                v4: false,
                v6: true,
                v6_link_local: false,
            }),
            Err(Unusable::Missing),
            Err(Unusable::Down),
            Err(Unusable::NoCarrier),
            Err(Unusable::NoSource),
            Err(Unusable::Unknown),
        ] {
            assert_eq!(unpack(pack(link)), link);
        }
    }
}
