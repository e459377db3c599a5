//! What the file says of fetches before, and when the next one may be (RFC 8801 4.1).
//!
//! Every run of the tool knows from the file what the runs before it have done, so that the limits
//! hold for all of them together.

use std::net::Ipv6Addr;

use mif_announce::{Explicit, information};
use mif_host::announced::{Announced, Domain};

/// Seconds between two fetches for one domain, and in which [`MOST`] are made on one network: 10, and
/// the part of the first one that was over when it was written down.
const SPAN: u64 = 11;
const MOST: usize = 5;
/// So many failures end all fetches on a network.
pub(super) const MOST_FAILURES: u32 = 10;

/// What has been fetched on this network since it was attached to.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Limits {
    /// Seconds since 1970 of the last fetches.
    tried: Vec<u64>,
    pub(super) failures: u32,
}

/// What the file says of the fetches for one domain.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Past {
    pub(super) sequence: u16,
    /// When it was fetched last, 0 for never.
    pub(super) at: u64,
    /// When it is fetched anew.
    pub(super) refresh: u64,
    /// When it is fetched because of another sequence number.
    pub(super) due: Option<u64>,
    pub(super) failed: Option<String>,
    /// What it says of prefixes.
    pub(super) prefixes: Vec<(Ipv6Addr, u8)>,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// What is known holds.
    Keep,
    /// To be fetched, but not before this moment.
    Fetch(u64),
    /// It has failed, and is not tried again.
    Failed,
}

impl Limits {
    pub(super) fn of(known: Option<&Announced>) -> Self {
        let lines = known.map_or(&[][..], |known| &known.more);
        let tried = value(lines, "TRIED").unwrap_or("");
        Self {
            tried: tried.split(' ').filter_map(|at| at.parse().ok()).collect(),
            failures: value(lines, "FAILURES")
                .and_then(|n| n.parse().ok())
                .unwrap_or(0),
        }
    }

    pub(super) fn lines(&self) -> Vec<(String, String)> {
        let tried: Vec<String> = self.tried.iter().map(ToString::to_string).collect();
        let lines = [
            ("TRIED", tried.join(" ")),
            ("FAILURES", self.failures.to_string()),
        ];
        lines.map(|(key, value)| (key.to_owned(), value)).into()
    }

    /// The moment from which one more fetch is allowed; `None` for never.
    pub(super) fn free(&self, now: u64) -> Option<u64> {
        let before = self.tried.iter().rev().nth(MOST - 1);
        let free = before.map_or(now, |at| now.max(at + SPAN));
        (self.failures < MOST_FAILURES).then_some(free)
    }

    pub(super) fn count(&mut self, now: u64) {
        self.tried.retain(|at| at + SPAN > now);
        self.tried.push(now);
    }
}

impl Past {
    pub(super) fn of(domain: &Domain) -> Self {
        let line = |key| value(&domain.more, key);
        let number = |text: Option<&str>| text.and_then(|text| text.parse::<u64>().ok());
        let prefixes = line("PREFIXES").unwrap_or("");
        let mut fetched = line("FETCHED").unwrap_or("").split(' ');
        Self {
            sequence: number(fetched.next())
                .and_then(|n| n.try_into().ok())
                .unwrap_or(0),
            at: number(fetched.next()).unwrap_or(0),
            refresh: number(fetched.next()).unwrap_or(0),
            due: number(line("DUE")),
            failed: line("FAILED").map(str::to_owned),
            prefixes: prefixes
                .split(' ')
                .filter_map(information::prefix)
                .collect(),
        }
    }

    pub(super) fn lines(&self) -> Vec<(String, String)> {
        let fetched = format!("{} {} {}", self.sequence, self.at, self.refresh);
        let prefixes = self
            .prefixes
            .iter()
            .map(|(ip, length)| format!("{ip}/{length}"));
        let prefixes = prefixes.collect::<Vec<_>>().join(" ");
        let lines = [
            ("FETCHED", Some(fetched).filter(|_| self.at > 0)),
            ("DUE", self.due.map(|due| due.to_string())),
            ("FAILED", self.failed.clone()),
            ("PREFIXES", Some(prefixes).filter(|text| !text.is_empty())),
        ];
        let lines = lines.into_iter();
        lines
            .filter_map(|(key, value)| Some((key.to_owned(), value?)))
            .collect()
    }

    /// What is to be done; `random` is anything.
    pub(super) fn step(&mut self, explicit: &Explicit, holds: bool, now: u64, random: u64) -> Step {
        if self.failed.is_some() {
            return Step::Failed;
        }
        let apart = now.max(self.at + SPAN);
        let is_first = self.at == 0;
        if !holds {
            return Step::Fetch(if is_first { now } else { apart });
        }
        if is_newer(explicit.sequence, self.sequence) {
            let longest = 1 << (10 + u64::from(explicit.delay));
            let due = *self.due.get_or_insert(now + (random % longest) / 1000);
            return Step::Fetch(due.max(apart));
        }
        if now >= self.refresh {
            return Step::Fetch(apart);
        }
        Step::Keep
    }
}

/// RFC 1982 3.2.
fn is_newer(sequence: u16, than: u16) -> bool {
    (1..0x8000).contains(&sequence.wrapping_sub(than))
}

fn value<'l>(lines: &'l [(String, String)], key: &str) -> Option<&'l str> {
    let found = lines.iter().find(|(known, _)| known == key);
    found.map(|(_, value)| &**value)
}

#[cfg(test)]
mod tests {
    use mif_announce::Name;

    use super::*;

    fn explicit(sequence: u16) -> Explicit {
        Explicit {
            id: Name::new("corp.example").unwrap(),
            has_information: true,
            has_legacy: false,
            delay: 2,
            sequence,
        }
    }

    fn past(sequence: u16) -> Past {
        Past {
            sequence,
            at: 1000,
            refresh: 2000,
            ..Past::default()
        }
    }

    #[test]
    fn it_is_fetched_when_it_is_due() {
        assert_eq!(
            Past::default().step(&explicit(7), false, 1000, 0),
            Step::Fetch(1000)
        );
        assert_eq!(past(7).step(&explicit(7), true, 1500, 0), Step::Keep);
        assert_eq!(past(7).step(&explicit(7), true, 2000, 0), Step::Fetch(2000));
        // Not within 10 seconds.
        assert_eq!(
            past(7).step(&explicit(7), false, 1003, 0),
            Step::Fetch(1011)
        );
        // An older number is no news.
        assert_eq!(past(7).step(&explicit(6), true, 1500, 0), Step::Keep);
        assert_eq!(
            past(0xffff).step(&explicit(1), true, 1500, 0),
            Step::Fetch(1500)
        );
        let failed = Some("HTTP status 404".to_owned());
        let mut failed = Past { failed, ..past(7) };
        assert_eq!(failed.step(&explicit(8), false, 1500, 0), Step::Failed);
    }

    #[test]
    fn news_are_fetched_after_a_random_delay_that_is_kept() {
        let mut news = past(7);
        // 2^(10 + 2) ms are the longest.
        assert_eq!(
            news.step(&explicit(8), true, 1500, 4095 + 4096),
            Step::Fetch(1504)
        );
        assert_eq!(news.step(&explicit(8), true, 1502, 0), Step::Fetch(1504));
        let domain = Domain {
            more: news.lines(),
            ..Domain::default()
        };
        assert_eq!(Past::of(&domain), news);
    }

    #[test]
    fn five_are_fetched_in_ten_seconds_and_none_after_ten_failures() {
        let mut limits = Limits::default();
        for now in 1000..1005 {
            assert_eq!(limits.free(now), Some(now));
            limits.count(now);
        }
        assert_eq!(limits.free(1005), Some(1011));
        let announced = Announced {
            more: limits.lines(),
            ..Announced::default()
        };
        assert_eq!(Limits::of(Some(&announced)), limits);
        limits.count(1011);
        assert_eq!(limits.free(1011), Some(1012));
        limits.failures = MOST_FAILURES;
        assert_eq!(limits.free(9999), None);
    }
}
