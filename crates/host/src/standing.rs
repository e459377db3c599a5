//! Answers of a policy that stand for many flows, kept for as long as what they follow from may be.
//!
//! Threads write them without waiting for each other, and one that a signal interrupts, or that
//! `fork` copies half-way, may never be finished: the words of an answer tell whether they belong
//! together.

use std::sync::atomic::{AtomicU64, Ordering};

use mif_policy::PvdId;

use crate::{Dated, FRESH, Host, View};

const NANOSECONDS: u64 = 1_000_000;

/// How long an answer of the kernel may be kept, in nanoseconds.
const KEPT: u64 = FRESH * NANOSECONDS;

/// No answer stands for now: the policy has to be asked. No interface has this index.
const ASK: u32 = 0;

/// A network that all ordinary flows of a family take, or that they have none in common.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    /// The last nanosecond at which it holds.
    until: AtomicU64,
    /// The interface's index, and above it the lower half of `until`. Of two answers that is the same
    /// only if hours lie between them.
    index: AtomicU64,
    /// The provisioning domain's number from 1, and above it the same.
    pvd: AtomicU64,
}

/// An answer that is being read.
#[derive(Clone, Copy, Debug)]
pub struct Standing<'h> {
    answer: &'h Answer,
    until: u64,
}

impl Standing<'_> {
    /// Whether it holds at a moment of the clock of [`Host::at`], here in nanoseconds.
    #[must_use]
    #[inline]
    pub fn holds_at(&self, nanoseconds: u64) -> bool {
        self.until.wrapping_sub(nanoseconds) < KEPT
    }

    /// The index of the interface, if an answer stands.
    #[must_use]
    #[inline]
    pub fn index(&self) -> Option<u32> {
        self.read(&self.answer.index)
    }

    /// The provisioning domain, if an answer stands.
    #[must_use]
    #[inline]
    pub fn pvd(&self) -> Option<PvdId> {
        #[allow(clippy::cast_possible_truncation)] // It was written from one.
        self.read(&self.answer.pvd).map(|id| PvdId((id - 1) as u16))
    }

    #[inline]
    fn read(&self, word: &AtomicU64) -> Option<u32> {
        let word = word.load(Ordering::Relaxed);
        (upper(word) == lower(self.until) && lower(word) != ASK).then_some(lower(word))
    }
}

impl Host {
    /// The answer that stands for flows of a family, if one does.
    #[must_use]
    #[inline]
    pub fn standing(&self, v4: bool) -> Standing<'_> {
        let answer = self.answer(v4);
        let until = answer.until.load(Ordering::Acquire);
        Standing { answer, until }
    }

    /// Whether one does, or did until a moment ago: all that a host has of a policy that says something
    /// else of each flow.
    #[must_use]
    #[inline]
    pub fn may_stand(&self, v4: bool) -> bool {
        lower(self.answer(v4).index.load(Ordering::Relaxed)) != ASK
    }

    #[inline]
    pub(crate) fn answer(&self, v4: bool) -> &Answer {
        &self.answers[usize::from(v4)]
    }
}

impl View<'_> {
    /// Whether the answer for a family is old.
    #[must_use]
    #[inline]
    pub fn has_outlived(&self, v4: bool) -> bool {
        !self.host.standing(v4).holds_at(self.nanoseconds())
    }

    /// Until the host is asked again, no answer stands.
    pub fn ask_for_now(&self, v4: bool) {
        let until = self.nanoseconds() + KEPT - 1;
        self.host.answer(v4).write(until, ASK, ASK);
    }

    #[inline]
    fn nanoseconds(&self) -> u64 {
        self.now
            .wrapping_sub(crate::EPOCH)
            .wrapping_mul(NANOSECONDS)
    }
}

impl Dated<'_> {
    /// Keeps the network that follows from what this has told, for flows of a family. Returns whether
    /// it may be kept.
    pub fn stand(&self, v4: bool, pvd: PvdId, index: u32) -> bool {
        let Some(since) = self.since() else {
            return false;
        };
        let until = since * NANOSECONDS + KEPT - 1;
        self.host()
            .answer(v4)
            .write(until, index, u32::from(pvd.0) + 1);
        true
    }
}

impl Answer {
    pub(crate) fn forget(&self) {
        self.until.store(0, Ordering::Relaxed);
    }

    fn write(&self, until: u64, index: u32, pvd: u32) {
        let word = |value| until << 32 | u64::from(value);
        self.index.store(word(index), Ordering::Relaxed);
        self.pvd.store(word(pvd), Ordering::Relaxed);
        self.until.store(until, Ordering::Release);
    }
}

#[inline]
fn upper(word: u64) -> u32 {
    lower(word >> 32)
}

#[inline]
#[allow(clippy::cast_possible_truncation)] // That is what it is for.
fn lower(word: u64) -> u32 {
    word as u32
}

#[cfg(test)]
mod tests {
    use mif_policy::{Host as _, Input, parse};

    use super::*;

    const NOW: u64 = 9 * FRESH;
    const PVD: PvdId = PvdId(0);

    fn host() -> Host {
        let mut input = Input::default();
        input.options.interfaces = vec!["lo".into()];
        Host::new(&parse(&input).unwrap())
    }

    /// What stands at a moment.
    fn read(host: &Host, v4: bool, nanoseconds: u64) -> Option<(u32, PvdId)> {
        let standing = host.standing(v4);
        let held = standing.holds_at(nanoseconds);
        standing.index().zip(standing.pvd()).filter(|_| held)
    }

    fn stand(host: &Host, now: u64) -> bool {
        let dated = host.at(now).dated();
        let index = dated.link(PVD).map_or(0, |link| link.index);
        dated.stand(true, PVD, index)
    }

    #[test]
    fn an_answer_is_as_old_as_what_the_host_told() {
        let host = host();
        for early in [0, 1, NOW * NANOSECONDS] {
            assert_eq!(read(&host, true, early), None, "never written");
        }
        assert!(!stand(&host, NOW), "nothing had been read before");
        assert!(stand(&host, NOW + 100));
        let index = host.at(NOW).link(PVD).unwrap().index;
        let (first, last) = (NOW * NANOSECONDS, (NOW + FRESH) * NANOSECONDS - 1);
        for within in [first, first + KEPT / 2, last] {
            assert_eq!(read(&host, true, within), Some((index, PVD)));
        }
        assert_eq!(read(&host, true, last + 1), None);
        assert_eq!(read(&host, true, first - 1), None, "another clock");
        assert_eq!(read(&host, false, first), None, "another family");
        assert!(!host.at(NOW + FRESH - 1).has_outlived(true));
        assert!(host.at(NOW + FRESH).has_outlived(true));
    }

    #[test]
    fn an_answer_is_forgotten_with_what_it_follows_from() {
        let host = host();
        stand(&host, NOW);
        assert!(stand(&host, NOW));
        host.forget();
        assert_eq!(read(&host, true, NOW * NANOSECONDS), None);
        assert!(!stand(&host, NOW));
        host.leaves_its_namespace();
        assert!(!stand(&host, NOW + 1));
    }

    #[test]
    fn no_answer_is_one_too_for_a_while() {
        let host = host();
        host.answer(true).write(NOW * NANOSECONDS, 2, 1);
        assert!(host.may_stand(true) && !host.may_stand(false));
        host.at(NOW).ask_for_now(true);
        assert!(!host.may_stand(true));
        assert_eq!(read(&host, true, NOW * NANOSECONDS), None);
        assert!(!host.at(NOW).has_outlived(true));
        assert!(host.at(NOW + FRESH).has_outlived(true));
    }

    #[test]
    fn words_of_two_answers_are_none() {
        let host = host();
        let (until, later) = (NOW * NANOSECONDS, (NOW + 1) * NANOSECONDS);
        let answer = host.answer(false);
        answer.write(until, 2, 1);
        assert_eq!(read(&host, false, until), Some((2, PVD)));
        // Half of another one.
        answer.until.store(later, Ordering::Relaxed);
        assert_eq!(read(&host, false, until), None);
        answer.index.store(later << 32 | 3, Ordering::Relaxed);
        assert_eq!(host.standing(false).index(), Some(3));
        assert_eq!(host.standing(false).pvd(), None);
    }
}
