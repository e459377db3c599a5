//! Happy Eyeballs (RFC 8305) over provisioning domains and addresses: which attempt is begun when, and
//! when there is nothing left to try. Times are in milliseconds of a clock that never goes back.

use std::collections::VecDeque;
use std::net::SocketAddr;

/// An answer of a domain that is less preferred waits so long for those before it (RFC 8305 section 3,
/// Resolution Delay).
const RESOLUTION_DELAY: u64 = 50;
/// The next attempt is begun so long after the one before (section 5, Connection Attempt Delay).
const ATTEMPT_DELAY: u64 = 250;

/// A race to a name. Each domain is looked up by itself, and its addresses are tried within it.
#[derive(Debug)]
pub struct Race {
    /// In order of preference.
    domains: Vec<Domain>,
    running: usize,
    /// When the first answer with an address came.
    answered_at: Option<u64>,
    /// Before that the next attempt is not begun while another one runs.
    next_at: u64,
    has_begun: bool,
}

#[derive(Debug, Default)]
struct Domain {
    /// `None`: it is being asked.
    left: Option<VecDeque<SocketAddr>>,
    attempts: usize,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Begin an attempt to this address within the domain of this number.
    Begin(usize, SocketAddr),
    /// Wait for answers and attempts, and no longer than until this time.
    Wait(Option<u64>),
    /// Everything has been tried, in vain.
    End,
}

impl Race {
    /// A race over so many domains, which are being asked for the name.
    #[must_use]
    pub fn new(domains: usize) -> Self {
        Self {
            domains: (0..domains).map(|_| Domain::default()).collect(),
            running: 0,
            answered_at: None,
            next_at: 0,
            has_begun: false,
        }
    }

    /// A domain has answered; no address at all is an answer, too. The addresses are in the order of RFC
    /// 6724.
    pub fn answered(&mut self, domain: usize, addresses: &[SocketAddr], now: u64) {
        if let Some(domain) = self.domains.get_mut(domain) {
            domain.left = Some(by_turns(addresses));
            if !addresses.is_empty() {
                self.answered_at.get_or_insert(now);
            }
        }
    }

    /// An attempt has failed: the next one need not wait.
    pub fn failed(&mut self, now: u64) {
        self.running = self.running.saturating_sub(1);
        self.next_at = now;
    }

    /// What is to be done now. Ask again after each [`Step::Begin`].
    pub fn step(&mut self, now: u64) -> Step {
        let Some(domain) = self.next() else {
            let is_asked = |domain: &Domain| domain.left.is_none();
            return if self.running == 0 && !self.domains.iter().any(is_asked) {
                Step::End
            } else {
                Step::Wait(None)
            };
        };
        let wait_until = if self.has_begun {
            self.next_at
        } else {
            let better = &self.domains[..domain];
            let is_better_asked = better.iter().any(|domain| domain.left.is_none());
            let since = self.answered_at.unwrap_or(now);
            if is_better_asked {
                since + RESOLUTION_DELAY
            } else {
                now
            }
        };
        if now < wait_until {
            return Step::Wait(Some(wait_until));
        }
        let chosen = &mut self.domains[domain];
        let Some(address) = chosen.left.as_mut().and_then(VecDeque::pop_front) else {
            return Step::Wait(None);
        };
        chosen.attempts += 1;
        self.running += 1;
        self.has_begun = true;
        self.next_at = now + ATTEMPT_DELAY;
        Step::Begin(domain, address)
    }

    /// The domain of the next attempt: the first of those that were tried least. So a whole network that
    /// does not work costs one delay, however many addresses are tried on it.
    fn next(&self) -> Option<usize> {
        let has_some = |domain: &Domain| domain.left.as_ref().is_some_and(|left| !left.is_empty());
        let all = self.domains.iter().enumerate();
        let next = all.filter(|(_, domain)| has_some(domain));
        let next = next.min_by_key(|(_, domain)| domain.attempts);
        next.map(|(at, _)| at)
    }
}

/// The families by turns (section 4), the first one first.
fn by_turns(addresses: &[SocketAddr]) -> VecDeque<SocketAddr> {
    let first = addresses.first().is_some_and(SocketAddr::is_ipv4);
    let of = |v4: bool| addresses.iter().filter(move |one| one.is_ipv4() == v4);
    let (mut one, mut other) = (of(first), of(!first));
    let mut turns = VecDeque::with_capacity(addresses.len());
    while turns.len() < addresses.len() {
        turns.extend(one.next());
        turns.extend(other.next());
    }
    turns
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(list: &[&str]) -> Vec<SocketAddr> {
        let address = |text: &&str| format!("{text}:80").parse().unwrap();
        list.iter().map(address).collect()
    }

    const A6: &str = "[2001:db8:a::1]";
    const A4: &str = "192.0.2.1";
    const B6: &str = "[2001:db8:b::1]";
    const B4: &str = "198.51.100.1";

    /// What is begun as time goes by, until the end or for three seconds, if each attempt fails after
    /// `fails_after`.
    fn run(race: &mut Race, fails_after: Option<u64>) -> Vec<(u64, String)> {
        let mut begun = Vec::new();
        let mut fails = Vec::new();
        for now in 0..3000 {
            while fails.first() == Some(&now) {
                fails.remove(0);
                race.failed(now);
            }
            loop {
                match race.step(now) {
                    Step::Begin(domain, address) => {
                        begun.push((now, format!("{domain} {}", address.ip())));
                        fails.extend(fails_after.map(|after| now + after));
                    }
                    Step::Wait(_) => break,
                    Step::End => {
                        begun.push((now, "end".to_owned()));
                        return begun;
                    }
                }
            }
        }
        begun
    }

    fn told(begun: &[(u64, String)]) -> Vec<(u64, &str)> {
        begun.iter().map(|(at, what)| (*at, &**what)).collect()
    }

    #[test]
    fn domains_take_turns_and_within_each_the_families() {
        let mut race = Race::new(2);
        race.answered(0, &addresses(&[A6, A4]), 0);
        race.answered(1, &addresses(&[B6, B4]), 0);
        assert_eq!(
            told(&run(&mut race, None)),
            [
                (0, "0 2001:db8:a::1"),
                (250, "1 2001:db8:b::1"),
                (500, "0 192.0.2.1"),
                (750, "1 198.51.100.1"),
            ]
        );
    }

    #[test]
    fn after_a_failure_the_next_attempt_follows_at_once_and_then_comes_the_end() {
        let mut race = Race::new(2);
        race.answered(0, &addresses(&[A4]), 0);
        race.answered(1, &addresses(&[B4]), 0);
        assert_eq!(
            told(&run(&mut race, Some(10))),
            [(0, "0 192.0.2.1"), (10, "1 198.51.100.1"), (20, "end")]
        );
    }

    #[test]
    fn an_answer_waits_a_little_for_a_preferred_domain_and_no_longer() {
        let mut race = Race::new(2);
        race.answered(1, &addresses(&[B4]), 7);
        assert_eq!(race.step(7), Step::Wait(Some(57)));
        race.answered(0, &addresses(&[A4]), 20);
        assert!(matches!(race.step(20), Step::Begin(0, _)));

        let mut race = Race::new(2);
        race.answered(1, &addresses(&[B4]), 7);
        assert_eq!(race.step(56), Step::Wait(Some(57)));
        assert!(matches!(race.step(57), Step::Begin(1, _)));
        // One that comes late is tried all the same.
        race.answered(0, &addresses(&[A4]), 100);
        assert_eq!(race.step(100), Step::Wait(Some(307)));
        assert!(matches!(race.step(307), Step::Begin(0, _)));

        let mut race = Race::new(2);
        race.answered(0, &addresses(&[A4]), 7);
        assert!(matches!(race.step(7), Step::Begin(0, _)), "it is the best");
    }

    #[test]
    fn a_domain_without_an_address_is_not_waited_for() {
        let mut race = Race::new(2);
        race.answered(0, &[], 0);
        assert_eq!(race.step(0), Step::Wait(None));
        race.answered(1, &[], 5);
        assert_eq!(race.step(5), Step::End);
        assert_eq!(Race::new(0).step(0), Step::End);
    }
}
