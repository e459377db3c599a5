//! Which addresses came from look-ups of names that rules speak of.
//!
//! Written by look-ups, read by every call that begins a flow: a bounded table of atomic words
//! that readers never wait for. An address that finds no place is forgotten, and so is the oldest
//! in its row; its flow then goes by the rules without names.

use std::net::IpAddr;
use std::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, Ordering, fence};

use mif_policy::RuleId;

/// Rows, a power of two; an address has its row by its bits.
const ROWS: usize = 256;
/// Addresses in a row.
const ROW: usize = 8;

#[derive(Debug)]
pub(crate) struct Learned {
    /// Allocated by the first look-up of a name that a rule speaks of.
    rows: AtomicPtr<[Row; ROWS]>,
    /// Sets of rules, each kept for the life of the process: there are as many as a policy has
    /// ways for its patterns to overlap.
    sets: AtomicPtr<Set>,
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
    set: AtomicPtr<Set>,
}

#[derive(Debug)]
struct Set {
    rules: Box<[RuleId]>,
    next: *mut Set,
}

impl Learned {
    pub(crate) fn new() -> Self {
        Self {
            rows: AtomicPtr::default(),
            sets: AtomicPtr::default(),
        }
    }

    /// The rules by name that hold for an address, by the last look-up that returned it.
    pub(crate) fn rules_of(&self, ip: IpAddr) -> &[RuleId] {
        let rows = self.rows.load(Ordering::Acquire);
        if rows.is_null() {
            return &[];
        }
        let (high, low) = words(ip);
        // SAFETY: once published, the rows stay for the life of the process.
        let row = unsafe { &(&*rows)[row_of(high, low)] };
        row.entries
            .iter()
            .find_map(|entry| entry.read(high, low))
            .unwrap_or(&[])
    }

    /// Remembers that a look-up for which `rules` hold by name returned `ip`; no rules forget it.
    /// Allocates: for look-ups only.
    pub(crate) fn remember(&self, ip: IpAddr, rules: &[RuleId]) {
        if rules.is_empty() && self.rows.load(Ordering::Acquire).is_null() {
            return;
        }
        let set = if rules.is_empty() {
            std::ptr::null_mut()
        } else {
            self.intern(rules)
        };
        let (high, low) = words(ip);
        self.rows()[row_of(high, low)].store(high, low, set);
    }

    fn rows(&self) -> &[Row; ROWS] {
        let mut rows = self.rows.load(Ordering::Acquire);
        if rows.is_null() {
            let fresh = Box::into_raw(Box::new(std::array::from_fn(|_| Row::default())));
            let null = std::ptr::null_mut();
            let (order, failure) = (Ordering::AcqRel, Ordering::Acquire);
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

    fn intern(&self, rules: &[RuleId]) -> *mut Set {
        let mut head = self.sets.load(Ordering::Acquire);
        let mut at = head;
        while !at.is_null() {
            // SAFETY: sets are never freed once they are in the list.
            let set = unsafe { &*at };
            if *set.rules == *rules {
                return at;
            }
            at = set.next;
        }
        let fresh = Box::into_raw(Box::new(Set {
            rules: rules.into(),
            next: head,
        }));
        loop {
            let (order, failure) = (Ordering::AcqRel, Ordering::Acquire);
            match self.sets.compare_exchange(head, fresh, order, failure) {
                Ok(_) => return fresh,
                Err(other) => head = other,
            }
            // SAFETY: `fresh` is not in the list yet, so nobody else has it.
            unsafe { (*fresh).next = head };
        }
    }
}

impl Row {
    fn store(&self, high: u64, low: u64, set: *mut Set) {
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
            entry.set.store(set, Ordering::Relaxed);
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

    fn read(&self, high: u64, low: u64) -> Option<&[RuleId]> {
        let before = self.sequence.load(Ordering::Acquire);
        let set = self.set.load(Ordering::Acquire);
        if before & 1 != 0 || set.is_null() || !self.is(high, low) {
            return None;
        }
        fence(Ordering::Acquire);
        if self.sequence.load(Ordering::Relaxed) != before {
            return None;
        }
        // SAFETY: sets are never freed once they are in the list.
        Some(unsafe { &(*set).rules })
    }
}

fn row_of(high: u64, low: u64) -> usize {
    let mixed = (high ^ low.rotate_left(32)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed >> 56) as usize % ROWS
}

fn words(ip: IpAddr) -> (u64, u64) {
    let v6 = match ip {
        IpAddr::V4(v4) => v4.to_ipv6_mapped(),
        IpAddr::V6(v6) => v6,
    };
    let bits = u128::from(v6);
    #[allow(clippy::cast_possible_truncation)] // The low half.
    ((bits >> 64) as u64, bits as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_look_up_holds() {
        let learned = Learned::new();
        let ip = "203.0.113.30".parse().unwrap();
        assert!(learned.rules_of(ip).is_empty());
        learned.remember(ip, &[]);
        assert!(
            learned.rows.load(Ordering::Relaxed).is_null(),
            "nothing to remember costs nothing"
        );
        learned.remember(ip, &[RuleId(1), RuleId(4)]);
        assert_eq!(learned.rules_of(ip), [RuleId(1), RuleId(4)]);
        learned.remember(ip, &[RuleId(2)]);
        assert_eq!(learned.rules_of(ip), [RuleId(2)]);
        learned.remember(ip, &[]);
        assert!(learned.rules_of(ip).is_empty());
    }

    #[test]
    fn sets_are_kept_once() {
        let learned = Learned::new();
        let one = learned.intern(&[RuleId(1)]);
        assert_ne!(learned.intern(&[RuleId(2)]), one);
        assert_eq!(learned.intern(&[RuleId(1)]), one);
    }

    #[test]
    fn many_addresses_stay_apart() {
        let learned = Learned::new();
        for n in 0..1000u32 {
            learned.remember(IpAddr::V4(n.into()), &[RuleId(n)]);
        }
        let mut kept = 0;
        for n in 0..1000u32 {
            let rules = learned.rules_of(IpAddr::V4(n.into()));
            assert!(rules.is_empty() || rules == [RuleId(n)]);
            kept += usize::from(!rules.is_empty());
        }
        assert!(kept > 900, "{kept}");
    }
}
