//! A view of the host that notes how old its answers are, for a caller who keeps what follows from
//! them.

use std::cell::Cell;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use mif_policy::{Dns, Gave, Link, PvdId, Server, Unusable};

use crate::{EPOCH, FRESH, Host, View};

/// A [`View`] that notes when the kernel gave the answers that it hands on.
#[derive(Debug)]
pub struct Dated<'h> {
    view: View<'h>,
    /// When the oldest of them was read.
    oldest: Cell<u64>,
}

impl<'h> View<'h> {
    /// The same view, which notes how old its answers are.
    #[must_use]
    pub fn dated(&self) -> Dated<'h> {
        // `is_foreign` is asked of what is kept.
        let oldest = self.host.addresses.read_at();
        Dated {
            view: *self,
            oldest: Cell::new(oldest),
        }
    }
}

impl Dated<'_> {
    /// The moment that all answers until now hold at, in the milliseconds of [`crate::Host::at`]; they
    /// may be kept for a second from then. `None` where nothing may be kept: an answer was old or not
    /// the kernel's, or threads differ in what they have.
    #[must_use]
    pub fn since(&self) -> Option<u64> {
        let oldest = self.oldest.get();
        let may_be_kept = self.view.now.wrapping_sub(oldest) < FRESH
            && !self.view.host.moved.load(Ordering::Relaxed);
        oldest.checked_sub(EPOCH).filter(|_| may_be_kept)
    }

    pub(crate) fn host(&self) -> &Host {
        self.view.host
    }

    fn note(&self, read_at: u64) {
        self.oldest.set(self.oldest.get().min(read_at));
    }
}

impl mif_policy::Host for Dated<'_> {
    fn owner(&self, address: IpAddr) -> Option<u32> {
        self.view.owner(address)
    }

    fn link(&self, pvd: PvdId) -> Result<Link, Unusable> {
        // Looked at before the answer, which may be newer but not older than this.
        let slot = self.view.host.links.get(usize::from(pvd.0));
        self.note(slot.map_or(0, |slot| slot.read_at.load(Ordering::Acquire)));
        self.view.link(pvd)
    }

    fn is_resolver(&self, address: IpAddr) -> bool {
        self.view.is_resolver(address)
    }

    /// Kept by others, with rules of their own.
    fn network(&self, pvd: PvdId) -> Option<Arc<Dns>> {
        self.note(0);
        self.view.network(pvd)
    }

    /// The same.
    fn gave(&self, pvd: PvdId, is_meant: &dyn Fn(&Server) -> bool) -> Gave {
        self.note(0);
        self.view.gave(pvd, is_meant)
    }
}

#[cfg(test)]
mod tests {
    use mif_policy::{Host as _, Input, Policy, parse};

    use super::*;

    fn policy() -> Policy {
        let mut input = Input::default();
        input.options.interfaces = vec!["lo".into(), "none0".into()];
        parse(&input).unwrap()
    }

    #[test]
    fn the_oldest_answer_counts() {
        const NOW: u64 = 7 * FRESH;
        let host = Host::new(&policy());
        assert_eq!(host.at(NOW).dated().since(), None, "never read");
        // Only that of an interface which is there reads the addresses, too.
        let _ = host.at(NOW).link(PvdId(1));
        let _ = host.at(NOW + 10).link(PvdId(0));
        let late = host.at(NOW + 20);
        let since = |pvds: &[u16]| {
            let dated = late.dated();
            for &pvd in pvds {
                let _ = dated.link(PvdId(pvd));
            }
            dated.since()
        };
        assert_eq!(since(&[0, 1]), Some(NOW));
        assert_eq!(since(&[0]), Some(NOW + 10));
        let old = host.at(NOW + 10 + FRESH).dated();
        assert_eq!(old.since(), None, "the addresses are a second old");
        host.forget();
        assert_eq!(since(&[0]), None);
    }

    #[test]
    fn where_threads_differ_nothing_is_kept() {
        let host = Host::new(&policy());
        host.leaves_its_namespace();
        let _ = host.at(FRESH).link(PvdId(0));
        let dated = host.at(FRESH).dated();
        let _ = dated.link(PvdId(0));
        assert_eq!(dated.since(), None);
    }
}
