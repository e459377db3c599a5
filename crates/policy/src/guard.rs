//! The guard of names: a flow to a resolver of the host, where the policy has servers of its own
//! for the flow's network, is refused. It is for programs with a resolver of their own, whose
//! questions nothing else can lead to the right server.
//!
//! What a question says is not looked at, and a server that the application names itself is its
//! own choice, unless the policy is strict.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::model::{Choice, Dns, Guard, Policy, RuleId};
use crate::server::Server;
use crate::verdict::{Flow, Host, Need, Refusal, Verdict};

/// The port of the DNS, by datagrams and by streams.
const DNS: u16 = 53;
/// That of DNS over TLS (RFC 7858) and over QUIC (RFC 9250).
const DNS_OVER_TLS: u16 = 853;

/// What answers names for the flows of a rule.
#[derive(Clone, Copy, Debug)]
pub struct Names<'p> {
    /// Empty where none is known, and then the host's resolver answers.
    pub servers: &'p [Server],
    /// The search list.
    pub search: &'p [Box<str>],
    /// Which servers other than these are refused.
    pub guard: Guard,
}

impl Policy {
    /// Whether some network of this policy has DNS servers.
    #[must_use]
    pub fn has_servers(&self) -> bool {
        self.servers().next().is_some()
    }

    /// Whether one of them wants TLS.
    #[must_use]
    pub fn has_encrypted_servers(&self) -> bool {
        self.servers().any(|server| !server.is_plain())
    }

    fn servers(&self) -> impl Iterator<Item = &Server> {
        let pvds = self.pvds.iter().map(|pvd| &pvd.dns);
        pvds.chain([&self.dns]).flat_map(|dns| &dns.servers)
    }

    /// Whether [`Self::guard`] could refuse a flow to this destination: everybody else need not
    /// ask.
    #[must_use]
    #[inline]
    pub fn may_guard(&self, destination: SocketAddr) -> bool {
        matches!(destination.port(), DNS | DNS_OVER_TLS) && self.has_servers()
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
        let names = match self.exempts(flow.destination, host) {
            Some(_) => self.names(rule, host),
            // A flow that is refused has its reason already.
            None => match self.choose_for(flow, rule, host) {
                Verdict::Refuse(_) => return None,
                verdict => self.names_by(rule, &verdict),
            },
        };
        let refused = match names.guard {
            Guard::Off => false,
            Guard::Host => host.is_resolver(ip),
            Guard::Strict => true,
        };
        // What a network asks encrypted is not asked in the clear, by the same server or not.
        let its_own = |server: &Server| {
            server.address.ip() == ip
                && (server.address.port() == flow.destination.port()
                    || (server.is_plain() && matches!(server.address.port(), DNS | DNS_OVER_TLS)))
        };
        (refused && !names.servers.is_empty() && !names.servers.iter().any(its_own))
            .then_some(Refusal::Resolver(rule))
    }

    /// What answers names for a rule now. While no network of its list is usable, it is what the
    /// first of them with servers says, so that nothing falls to the host's in between.
    #[must_use]
    pub fn names(&self, rule: RuleId, host: &impl Host) -> Names<'_> {
        self.names_by(rule, &self.choose(rule, Need::Any, host))
    }

    fn names_by(&self, rule: RuleId, verdict: &Verdict<'_>) -> Names<'_> {
        let pvd = match verdict {
            Verdict::Route(route) => Some(&self.pvd(route.pvd).dns),
            Verdict::Refuse(Refusal::Exhausted(..)) => self.first_with_servers(rule),
            Verdict::Pass(_) | Verdict::Refuse(_) => None,
        };
        let own = (rule == self.last_rule()).then_some(&self.dns);
        let both = || own.into_iter().chain(pvd);
        let servers = both()
            .map(|dns| &*dns.servers)
            .find(|list| !list.is_empty());
        let search = both().map(|dns| &*dns.search).find(|list| !list.is_empty());
        Names {
            servers: servers.unwrap_or(&[]),
            search: search.unwrap_or(&[]),
            guard: self
                .dns
                .guard
                .or(pvd.and_then(|dns| dns.guard))
                .unwrap_or(Guard::Host),
        }
    }

    fn first_with_servers(&self, rule: RuleId) -> Option<&Dns> {
        let pvds = self.rule(rule).choices.0.iter();
        pvds.filter_map(|choice| match *choice {
            Choice::Pvd(id) => Some(&self.pvd(id).dns),
            Choice::System | Choice::None => None,
        })
        .find(|dns| !dns.servers.is_empty())
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
