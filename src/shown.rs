//! Which interfaces the policy lets an application see. Asked of the kernel when a list is made, and
//! without allocating, because files are opened in signal handlers too.

use std::ffi::{CStr, c_char};

use mif_host::View;
use mif_policy::{Host, Interface, Policy};
use mif_socket::Descriptor;
use rustix::net::netdevice::{InlinedName, index_to_name_inlined};
use rustix::net::{AddressFamily, SocketFlags, SocketType};

use crate::guard::unless_panic;
use crate::init::{Active, active};
use crate::log::Level;

/// In every network namespace.
const LOOPBACK: u32 = 1;
/// A policy's provisioning domains, and loopback.
const MAX_SHOWN: usize = 65;

/// The interfaces that an application may see.
pub(crate) struct Shown {
    policy: &'static Policy,
    /// Loopback, and the domains' interfaces by the kernel's names for them, which are not always
    /// those that the policy has.
    names: [Option<InlinedName>; MAX_SHOWN],
}

impl Shown {
    /// What this process's policy shows; `None` where that is everything.
    #[inline]
    pub(crate) fn by_policy(call: &str) -> Option<Self> {
        let active = active()?;
        active
            .policy
            .hides_interfaces()
            .then(|| Self::find(active, call))
    }

    #[cold]
    #[inline(never)]
    fn find(active: &'static Active, call: &str) -> Self {
        active.log.line(
            Level::Decisions,
            format_args!("{call}: loopback and the policy's networks alone are shown"),
        );
        let mut shown = Self {
            policy: &active.policy,
            names: [const { None }; MAX_SHOWN],
        };
        // What is not known stays hidden.
        unless_panic((), || shown.find_names(&active.view()));
        shown
    }

    fn find_names(&mut self, host: &View<'_>) {
        let (family, kind) = (AddressFamily::UNIX, SocketType::DGRAM);
        let socket = rustix::net::socket_with(family, kind, SocketFlags::CLOEXEC, None);
        let Ok(socket) = socket.map(Descriptor::from) else {
            return;
        };
        let index = |id| {
            let pvd = self.policy.pvd(id);
            match (pvd.interface, pvd.sources.first()) {
                (Interface::OfSource, Some(&source)) => host.owner(source),
                _ => host.link(id).ok().map(|link| link.index),
            }
        };
        let indexes = [Some(LOOPBACK)]
            .into_iter()
            .chain(self.policy.shown().map(index));
        let names = indexes
            .flatten()
            .filter_map(|index| index_to_name_inlined(&socket, index).ok());
        for (place, name) in self.names.iter_mut().zip(names) {
            *place = Some(name);
        }
    }

    /// Whether the interface of this name is shown. Names of IPv4 addresses may have a label
    /// behind a colon (`eth0:1`).
    pub(crate) fn has(&self, name: &[u8]) -> bool {
        let name = name.split(|&letter| letter == b':').next().unwrap_or(name);
        let mut names = self.names.iter().flatten();
        names.any(|shown| shown.as_bytes() == name)
            || self
                .policy
                .shown()
                .any(|id| match self.policy.pvd(id).interface {
                    Interface::Named(written) => written.as_str().as_bytes() == name,
                    Interface::OfSource => false,
                })
    }

    /// # Safety
    /// `name` must be a C string.
    pub(crate) unsafe fn has_c(&self, name: *const c_char) -> bool {
        // SAFETY: the caller's contract.
        self.has(unsafe { CStr::from_ptr(name) }.to_bytes())
    }
}
