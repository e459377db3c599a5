//! What look-ups told of addresses: which rules speak of the name, and whose servers answered
//! (RFC 7556 5.2.1: an address is of use in the provisioning domain that it came from).
//!
//! Written by look-ups, read by every call that begins a flow: a bounded table of atomic words
//! that readers never wait for. An address that finds no place is forgotten, and so is the oldest
//! in its row; its flow then goes by the rules without names, as if never looked up.

use std::net::IpAddr;
use std::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, Ordering, fence};

use mif_policy::{Origin, RuleId};

use crate::flags;

/// Rows, a power of two; an address has its row by its bits.
const ROWS: usize = 256;
/// Addresses in a row.
const ROW: usize = 8;

#[derive(Debug)]
pub(crate) struct Learned {
    /// Allocated by the first look-up with something to remember.
    rows: AtomicPtr<[Row; ROWS]>,
    /// What addresses have in common, each kept for the life of the process: there are at most as
    /// many as a policy has ways for its patterns to overlap, times its networks.
    facts: AtomicPtr<Fact>,
}

#[derive(Default)]
struct Row {
    entries: [Entry; ROW],
    next: AtomicU32,
}

#[derive(Default)]
struct Entry {
    /// Odd while the entry is being written.
    sequence: AtomicU32,
    high: AtomicU64,
    low: AtomicU64,
    fact: AtomicPtr<Fact>,
}

/// What is known of an address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Known<'a> {
    /// The rules by name that hold for it.
    pub(crate) rules: &'a [RuleId],
    /// Whose servers told it, if that matters.
    pub(crate) origin: Option<Origin>,
}

#[derive(Debug)]
struct Fact {
    rules: Box<[RuleId]>,
    origin: Option<Origin>,
    next: *mut Fact,
}

impl Fact {
    fn known(&self) -> Known<'_> {
        Known {
            rules: &self.rules,
            origin: self.origin,
        }
    }
}

impl Learned {
    pub(crate) fn new() -> Self {
        Self {
            rows: AtomicPtr::default(),
            facts: AtomicPtr::default(),
        }
    }

    /// What the last look-up that returned an address told of it.
    #[inline]
    pub(crate) fn of(&self, ip: IpAddr) -> Known<'_> {
        let rows = self.rows.load(Ordering::Acquire);
        if rows.is_null() {
            return Known::default();
        }
        // SAFETY: once published, the rows stay for the life of the process.
        Self::find(unsafe { &*rows }, ip)
    }

    fn find(rows: &[Row; ROWS], ip: IpAddr) -> Known<'_> {
        let (high, low) = words(ip);
        let row = &rows[row_of(high, low)];
        row.entries
            .iter()
            .find_map(|entry| entry.read(high, low))
            .unwrap_or_default()
    }

    /// Remembers what the look-up that returned `ip` told of it; nothing forgets it. Allocates:
    /// for look-ups only.
    pub(crate) fn remember(&self, ip: IpAddr, known: Known<'_>) {
        let is_nothing = known == Known::default();
        if is_nothing && self.rows.load(Ordering::Acquire).is_null() {
            return;
        }
        let fact = if is_nothing {
            std::ptr::null_mut()
        } else {
            self.intern(known)
        };
        let (high, low) = words(ip);
        self.rows()[row_of(high, low)].store(high, low, fact);
    }

    fn rows(&self) -> &[Row; ROWS] {
        let mut rows = self.rows.load(Ordering::Acquire);
        if rows.is_null() {
            let fresh = Box::into_raw(empty_rows());
            let null = std::ptr::null_mut();
            let (order, failure) = (Ordering::AcqRel, Ordering::Acquire);
            flags::raise(flags::LEARNED);
            match self.rows.compare_exchange(null, fresh, order, failure) {
                Ok(_) => rows = fresh,
                Err(published) => {
                    // SAFETY: `fresh` came from a Box just now and nobody else has seen it.
                    drop(unsafe { Box::from_raw(fresh) });
                    rows = published;
                }
            }
        }
        // SAFETY: once published, the rows stay for the life of the process.
        unsafe { &*rows }
    }

    fn intern(&self, known: Known<'_>) -> *mut Fact {
        let mut head = self.facts.load(Ordering::Acquire);
        let mut at = head;
        while !at.is_null() {
            // SAFETY: facts are never freed once they are in the list.
            let fact = unsafe { &*at };
            if fact.known() == known {
                return at;
            }
            at = fact.next;
        }
        let fresh = Box::into_raw(Box::new(Fact {
            rules: known.rules.into(),
            origin: known.origin,
            next: head,
        }));
        loop {
            let (order, failure) = (Ordering::AcqRel, Ordering::Acquire);
            match self.facts.compare_exchange(head, fresh, order, failure) {
                Ok(_) => return fresh,
                Err(other) => head = other,
            }
            // SAFETY: `fresh` is not in the list yet, so nobody else has it.
            unsafe { (*fresh).next = head };
        }
    }
}

impl Row {
    fn store(&self, high: u64, low: u64, fact: *mut Fact) {
        let same = self.entries.iter().find(|entry| entry.is(high, low));
        let oldest = || {
            let next = self.next.fetch_add(1, Ordering::Relaxed) as usize;
            &self.entries[next % ROW]
        };
        let entry = same.unwrap_or_else(oldest);
        let sequence = entry.sequence.load(Ordering::Relaxed);
        let (order, failure) = (Ordering::Acquire, Ordering::Relaxed);
        let ours = sequence & 1 == 0
            && entry
                .sequence
                .compare_exchange(sequence, sequence + 1, order, failure)
                .is_ok();
        if ours {
            fence(Ordering::Release);
            entry.high.store(high, Ordering::Relaxed);
            entry.low.store(low, Ordering::Relaxed);
            entry.fact.store(fact, Ordering::Relaxed);
            entry
                .sequence
                .store(sequence.wrapping_add(2), Ordering::Release);
        }
    }
}

impl Entry {
    fn is(&self, high: u64, low: u64) -> bool {
        self.low.load(Ordering::Relaxed) == low && self.high.load(Ordering::Relaxed) == high
    }

    fn read(&self, high: u64, low: u64) -> Option<Known<'_>> {
        let before = self.sequence.load(Ordering::Acquire);
        let fact = self.fact.load(Ordering::Acquire);
        if before & 1 != 0 || fact.is_null() || !self.is(high, low) {
            return None;
        }
        fence(Ordering::Acquire);
        if self.sequence.load(Ordering::Relaxed) != before {
            return None;
        }
        // SAFETY: facts are never freed once they are in the list.
        Some(unsafe { &*fact }.known())
    }
}

/// Made one by one in their place: all of them, 66 KiB, are more than the whole stack of some threads.
fn empty_rows() -> Box<[Row; ROWS]> {
    let rows: Box<[Row]> = (0..ROWS).map(|_| Row::default()).collect();
    rows.try_into()
        .unwrap_or_else(|_| unreachable!("there are as many as were asked for"))
}

fn row_of(high: u64, low: u64) -> usize {
    let mixed = (high ^ low.rotate_left(32)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed >> 56) as usize % ROWS
}

#[inline]
fn words(ip: IpAddr) -> (u64, u64) {
    // Written out: the compiler does not see through the sixteen bytes of the mapped form.
    let bits = match ip {
        IpAddr::V4(v4) => 0xffff_0000_0000 | u128::from(u32::from(v4)),
        IpAddr::V6(v6) => u128::from(v6),
    };
    #[allow(clippy::cast_possible_truncation)] // The low half.
    ((bits >> 64) as u64, bits as u64)
}

#[cfg(test)]
mod tests {
    use mif_policy::PvdId;

    use super::*;

    fn by_rules(rules: &[RuleId]) -> Known<'_> {
        Known {
            rules,
            origin: None,
        }
    }

    fn on(pvd: u16) -> Origin {
        Origin {
            pvd: PvdId(pvd),
            by_zone: false,
        }
    }

    #[test]
    fn the_last_look_up_holds() {
        let learned = Learned::new();
        let ip = "203.0.113.30".parse().unwrap();
        assert_eq!(learned.of(ip), Known::default());
        learned.remember(ip, Known::default());
        assert!(
            learned.rows.load(Ordering::Relaxed).is_null(),
            "nothing to remember costs nothing"
        );
        let rules = [RuleId(1), RuleId(4)];
        for known in [
            by_rules(&rules),
            by_rules(&rules[1..]),
            Known {
                rules: &rules,
                origin: Some(on(3)),
            },
            Known {
                rules: &[],
                origin: Some(on(0)),
            },
            Known::default(),
        ] {
            learned.remember(ip, known);
            assert_eq!(learned.of(ip), known);
        }
    }

    #[test]
    fn facts_are_kept_once() {
        let learned = Learned::new();
        let one = learned.intern(by_rules(&[RuleId(1)]));
        assert_ne!(learned.intern(by_rules(&[RuleId(2)])), one);
        let other = Known {
            origin: Some(on(1)),
            ..by_rules(&[RuleId(1)])
        };
        assert_ne!(learned.intern(other), one);
        assert_eq!(learned.intern(by_rules(&[RuleId(1)])), one);
    }

    #[test]
    fn many_addresses_stay_apart() {
        let learned = Learned::new();
        for n in 0..1000u32 {
            learned.remember(IpAddr::V4(n.into()), by_rules(&[RuleId(n)]));
        }
        let mut kept = 0;
        for n in 0..1000u32 {
            let rules = learned.of(IpAddr::V4(n.into())).rules;
            assert!(rules.is_empty() || rules == [RuleId(n)]);
            kept += usize::from(!rules.is_empty());
        }
        assert!(kept > 900, "{kept}");
    }
}
