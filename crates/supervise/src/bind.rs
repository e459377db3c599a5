//! `bind` and `listen`: where the program may be reached, and which addresses it may choose.

use std::net::{IpAddr, SocketAddr};

use mif_policy::{Bound, Explicit, Pass, Refusal, Route, Unusable, Verdict};
use mif_socket::Kind;

use crate::flow::Subject;

/// What is to happen with a socket that gets an address or begins to listen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Judgement {
    Proceed,
    Refuse,
    /// Bind to the wildcard address instead.
    Wildcard,
}

/// A socket that gets an address, or begins to listen at the one it has.
pub(crate) struct Binding<'a> {
    pub(crate) subject: Subject<'a>,
    pub(crate) address: SocketAddr,
}

impl Binding<'_> {
    /// An address at `bind`.
    pub(crate) fn judge(&self) -> Judgement {
        let ip = self.address.ip();
        if ip.is_unspecified() {
            // A stream may be a client yet; `listen` tells. A datagram socket with a port of its
            // own listens from now on.
            let is_datagram = matches!(self.subject.kind(), Some((Kind::Datagram, _)));
            return if self.address.port() != 0 && is_datagram {
                self.open()
            } else {
                Judgement::Proceed
            };
        }
        let policy = &self.subject.by.policy;
        if policy.permits_bind(ip, &self.subject.host) {
            return Judgement::Proceed;
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
    pub(crate) fn open(&self) -> Judgement {
        let policy = &self.subject.by.policy;
        let ip = self.address.ip();
        if policy.local && ip.is_loopback() {
            return Judgement::Proceed;
        }
        match policy.choose_listen(&self.subject.host) {
            Verdict::Route(route) => self.pin(ip, &route),
            verdict @ Verdict::Pass(_) => {
                self.say(&verdict);
                Judgement::Proceed
            }
            Verdict::Refuse(refusal) => self.refuse(refusal),
        }
    }

    fn pin(&self, ip: IpAddr, route: &Route<'_>) -> Judgement {
        let policy = &self.subject.by.policy;
        let there = match self.subject.device() {
            None => (!ip.is_unspecified()).then_some(Bound::To(ip)),
            Some(index) => Some(Bound::On(index)),
        };
        match there.and_then(|bound| policy.disagreement(bound, route, &self.subject.host)) {
            None if matches!(there, Some(Bound::On(_))) => {}
            None => {
                if mif_socket::pin(self.subject.socket, route).is_err() {
                    self.subject.by.host.forget();
                    return self.refuse(Refusal::Exhausted(policy.last_rule(), Unusable::Unknown));
                }
                self.subject.change_mark(|mark| mark.device = route.index);
            }
            Some(Explicit::Respect) => {
                self.say(&Verdict::Pass(Pass::Respected));
                return Judgement::Proceed;
            }
            Some(Explicit::Refuse | Explicit::Override) => {
                return self.refuse(Refusal::Elsewhere(policy.last_rule()));
            }
        }
        self.say(&Verdict::Route(*route));
        Judgement::Proceed
    }

    fn refuse(&self, refusal: Refusal) -> Judgement {
        self.say(&Verdict::Refuse(refusal));
        Judgement::Refuse
    }

    fn say(&self, verdict: &Verdict<'_>) {
        self.subject.say(self.address, verdict);
    }
}
