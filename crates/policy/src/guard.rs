//! The guard of names: a flow to a resolver of the host, where the policy has servers of its own
//! for the flow's network, is refused. It is for programs with a resolver of their own, whose
//! questions nothing else can lead to the right server.
//!
//! What a question says is not looked at, and a server that the application names itself is its
//! own choice, unless the policy is strict.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::known::Known;
use crate::model::{Guard, Policy, PvdId, RuleId};
use crate::server::Server;
use crate::verdict::{Flow, Gave, Host, Need, Refusal, Verdict};

/// The port of the DNS, by datagrams and by streams.
pub(crate) const DNS: u16 = 53;
/// That of DNS over TLS (RFC 7858) and over QUIC (RFC 9250).
const DNS_OVER_TLS: u16 = 853;

#[inline]
pub(crate) const fn is_port_of_names(port: u16) -> bool {
    matches!(port, DNS | DNS_OVER_TLS)
}

impl Policy {
    /// Whether [`Self::guard`] could refuse a flow to this destination: everybody else need not
    /// ask.
    #[must_use]
    #[inline]
    pub fn may_guard(&self, destination: SocketAddr) -> bool {
        is_port_of_names(destination.port()) && self.may_have_servers()
    }

    /// The refusal of a flow to a DNS server that is not the network's. It stands before the
    /// exemptions: the host's resolver is often on loopback.
    #[must_use]
    pub fn guard(&self, flow: &Flow<'_>, host: &impl Host) -> Option<Refusal> {
        if !self.may_guard(flow.destination) {
            return None;
        }
        let ip = meant(flow.destination.ip());
        let rule = self.rule_for(flow);
        let is_exempt = self.exempts(flow.destination, host).is_some();
        let verdict = if is_exempt {
            self.choose(rule, Need::Any, host)
        } else {
            // A flow that is refused has its reason already.
            match self.choose_for(flow, rule, host) {
                Verdict::Refuse(_) => return None,
                verdict => verdict,
            }
        };
        let pvd = self.answering(rule, &verdict);
        let said = match pvd {
            Some(pvd) => Known::said_of(self, rule, pvd),
            None => Known::of_rule(self, rule),
        };
        let is_guarded = match self.guard_of(pvd) {
            Guard::Off => false,
            Guard::Host => host.is_resolver(ip),
            Guard::Strict => true,
        };
        if !is_guarded {
            return None;
        }
        // What a network asks encrypted is not asked in the clear, by the same server or not.
        let its_own = |server: &Server| {
            server.address.ip() == ip
                && (server.address.port() == flow.destination.port()
                    || (server.is_plain() && matches!(server.address.port(), DNS | DNS_OVER_TLS)))
        };
        let gave = match (said.servers(), pvd) {
            ([], Some(pvd)) => host.gave(pvd, &its_own),
            ([], None) if matches!(verdict, Verdict::Refuse(Refusal::Exhausted(..))) => Gave::None,
            ([], None) => Gave::Unknown,
            (servers, _) if servers.iter().any(its_own) => Gave::It,
            _ => Gave::Others,
        };
        let refused = match gave {
            Gave::It | Gave::Unknown => false,
            Gave::Others => true,
            // Names are refused then, unless the rule ends in the host's own choice. A server that
            // is asked over the network itself is the application's choice.
            Gave::None => is_exempt && !self.rule(rule).choices.is_preference(),
        };
        refused.then_some(Refusal::Resolver(rule))
    }

    /// Whether the policy leaves it to applications to ask the host's own resolvers (`dns.guard`).
    #[must_use]
    pub fn leaves_resolvers(&self, host: &impl Host) -> bool {
        let rule = self.last_rule();
        let verdict = self.choose(rule, Need::Any, host);
        self.guard_of(self.answering(rule, &verdict)) == Guard::Off
    }

    /// What answers names for a rule now. While no network of its list is usable, it is what the
    /// first of them with servers says, so that nothing falls to the host's in between.
    #[must_use]
    pub fn names(&self, rule: RuleId, host: &impl Host) -> Known<'_> {
        match self.answering(rule, &self.choose(rule, Need::Any, host)) {
            Some(pvd) => Known::of(self, rule, pvd, host),
            None => Known::of_rule(self, rule),
        }
    }

    fn answering(&self, rule: RuleId, verdict: &Verdict<'_>) -> Option<PvdId> {
        match verdict {
            Verdict::Route(route) => Some(route.pvd),
            Verdict::Refuse(Refusal::Exhausted(..)) => self.first_with_servers(rule),
            Verdict::Pass(_) | Verdict::Refuse(_) => None,
        }
    }

    fn guard_of(&self, pvd: Option<PvdId>) -> Guard {
        let of_pvd = || self.pvd(pvd?).dns.guard;
        self.dns.guard.or_else(of_pvd).unwrap_or(Guard::Host)
    }
}

/// Linux takes the unspecified address for loopback.
fn meant(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    }
}
