//! `bind` and `listen`: where the application may be reached, and which addresses it may choose.

use std::net::{IpAddr, SocketAddr};

use mif_policy::{Bound, Explicit, Pass, Refusal, Route, Unusable, Verdict};
use mif_socket::Kind;

use crate::{Done, Subject};

/// What is to happen with a socket that gets an address or begins to listen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// The call goes on.
    Proceed,
    /// The call fails with `EADDRNOTAVAIL`.
    Refuse,
    /// Bind to the wildcard address instead.
    Wildcard,
}

/// A socket that gets an address, or begins to listen at the one it has.
#[derive(Debug)]
pub struct Binding<'a, S> {
    subject: &'a S,
    /// In the form rules are written in.
    address: SocketAddr,
}

impl<'a, S: Subject> Binding<'a, S> {
    /// A socket and its address.
    pub fn new(subject: &'a S, address: SocketAddr) -> Self {
        Self { subject, address }
    }

    /// An address at `bind`.
    #[must_use]
    pub fn judge(&self) -> Judgement {
        let (subject, ip) = (self.subject, self.address.ip());
        if ip.is_unspecified() {
            // A stream may be a client yet; `listen` tells. A datagram socket with a port of its
            // own listens from now on.
            let is_datagram =
                || matches!(mif_socket::kind(subject.socket()), Ok((Kind::Datagram, _)));
            return if self.address.port() != 0 && is_datagram() {
                self.open()
            } else {
                Judgement::Proceed
            };
        }
        subject.note(Done::Bound);
        let policy = subject.policy();
        if policy.permits_bind(ip, subject.host()) {
            return Judgement::Proceed;
        }
        if let Some(within) = subject.within() {
            return Binding::new(&within, self.address).judge();
        }
        match policy.explicit {
            Explicit::Respect => {
                self.say(&Verdict::Pass(Pass::Respected));
                Judgement::Proceed
            }
            Explicit::Override => Judgement::Wildcard,
            Explicit::Refuse => self.refuse(Refusal::Elsewhere(policy.last_rule())),
        }
    }

    /// A listener is opened on the network that `listen` chooses.
    #[must_use]
    pub fn open(&self) -> Judgement {
        let policy = self.subject.policy();
        let ip = self.address.ip();
        if policy.local && ip.is_loopback() {
            return Judgement::Proceed;
        }
        match policy.choose_listen(self.subject.host()) {
            Verdict::Route(route) => self.pin(ip, route),
            verdict @ Verdict::Pass(_) => {
                self.say(&verdict);
                Judgement::Proceed
            }
            Verdict::Refuse(refusal) => self.refuse(refusal),
        }
    }

    fn pin(&self, ip: IpAddr, mut route: Route<'a>) -> Judgement {
        let (subject, policy) = (self.subject, self.subject.policy());
        let there = match mif_socket::bound_index(subject.socket()) {
            Ok(0) => (!ip.is_unspecified()).then_some(Bound::To(ip)),
            Ok(index) => Some(Bound::On(index)),
            // The kernel will say what is wrong with it.
            Err(_) => return Judgement::Proceed,
        };
        if let Some(bound) = there
            && let Some(chosen) = policy.chosen_listen(bound, subject.host())
        {
            route = chosen;
        }
        let disagreement =
            there.and_then(|bound| policy.disagreement(bound, &route, subject.host()));
        if disagreement.is_some()
            && let Some(within) = subject.within()
        {
            return Binding::new(&within, self.address).open();
        }
        let has_device = matches!(there, Some(Bound::On(_)));
        match disagreement {
            None if has_device => {}
            None => {
                if mif_socket::pin(subject.socket(), &route).is_err() {
                    subject.forget();
                    return self.refuse(Refusal::Exhausted(policy.last_rule(), Unusable::Unknown));
                }
            }
            Some(Explicit::Respect) => {
                self.say(&Verdict::Pass(Pass::Respected));
                return Judgement::Proceed;
            }
            Some(Explicit::Refuse | Explicit::Override) => {
                return self.refuse(Refusal::Elsewhere(policy.last_rule()));
            }
        }
        subject.note(Done::Listens {
            index: route.index,
            by_us: !has_device,
        });
        self.say(&Verdict::Route(route));
        Judgement::Proceed
    }

    fn refuse(&self, refusal: Refusal) -> Judgement {
        if mif_socket::takes_no_ip(self.subject.socket()) {
            return Judgement::Proceed;
        }
        self.say(&Verdict::Refuse(refusal));
        Judgement::Refuse
    }

    fn say(&self, verdict: &Verdict<'_>) {
        self.subject.say(self.address, verdict);
    }
}
