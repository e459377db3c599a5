//! One flow and a view of the host in, one [`Verdict`] out.
//!
//! Nothing here allocates, so that the answer can be asked for in a signal handler, and nothing
//! here guesses: whatever is not known makes a provisioning domain unusable, and the end of a
//! list of unusable ones is a refusal.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use crate::model::{Choice, Explicit, Families, Interface, Policy, PvdId, Rule, RuleId, Use};

/// What a policy needs to know of the host, now.
pub trait Host {
    /// The index of the interface that has `address`, if the host has it.
    fn owner(&self, address: IpAddr) -> Option<u32>;

    /// The interface of a provisioning domain of the policy that is being asked.
    ///
    /// # Errors
    /// Why it can carry nothing now.
    fn link(&self, pvd: PvdId) -> Result<Link, Unusable>;
}

/// An interface that is up and has its carrier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// Its index, as in `if_nametoindex(3)`.
    pub index: u32,
    /// It has an IPv4 address.
    pub v4: bool,
    /// It has an IPv6 address wider than the link.
    pub v6: bool,
    /// It has an IPv6 link-local address.
    pub v6_link_local: bool,
}

/// Why a provisioning domain cannot be used now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unusable {
    /// There is no such interface.
    Missing,
    /// It is administratively down.
    Down,
    /// It is up without a carrier.
    NoCarrier,
    /// It has no usable address of the flow's family.
    NoAddress,
    /// The interface does not have the source address that the policy names.
    NoSource,
    /// The policy names source addresses, but none of the flow's family.
    NoSourceOfFamily,
    /// The kernel did not tell.
    Unknown,
}

/// Transport protocol of a flow, as the socket's type tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// Connection-oriented: TCP, and what is like it (MPTCP, SCTP).
    Tcp,
    /// Datagrams: UDP, and unprivileged ICMP echo.
    Udp,
    /// Raw sockets and what comes.
    Other,
}

/// A flow that is about to begin.
#[derive(Clone, Copy, Debug)]
pub struct Flow<'a> {
    /// Where to. A v4-mapped destination is handed in as the IPv4 one.
    pub destination: SocketAddr,
    /// By which transport.
    pub protocol: Protocol,
    /// The rules with a name that a look-up matched, when the destination came from it.
    pub named: &'a [RuleId],
}

/// What is to happen with a flow, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict<'p> {
    /// Leave the call alone.
    Pass(Pass),
    /// Put the socket on this network first.
    Route(Route<'p>),
    /// Fail the call; nothing is sent.
    Refuse(Refusal),
}

/// Why mif leaves a flow alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pass {
    /// Loopback, or an address of this host.
    Local,
    /// A link-local destination with a scope id: it has named its interface.
    Scoped,
    /// The rule says `system`.
    System(RuleId),
    /// The application bound or pinned the socket itself, and the policy respects that.
    Respected,
}

/// A network, ready to be put on a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route<'p> {
    /// The provisioning domain.
    pub pvd: PvdId,
    /// Its name, for people.
    pub name: &'p str,
    /// Its interface, if it is known by name.
    pub interface: Interface,
    /// The interface's index now.
    pub index: u32,
    /// The source address that the policy wants; `None` leaves it to the kernel.
    pub source: Option<IpAddr>,
    /// `SO_MARK`, if the policy wants one.
    pub mark: Option<u32>,
    /// The rule that chose it.
    pub rule: RuleId,
}

/// Why a flow is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The rule says `none`.
    Chosen(RuleId),
    /// No entry of the rule's list is usable now; the first one's reason.
    Exhausted(RuleId, Unusable),
    /// The policy's `family` excludes it.
    Family,
    /// `local = false`, and no network leads to loopback.
    LocalForbidden(RuleId),
    /// The application bound or pinned the socket outside the chosen network.
    Elsewhere(RuleId),
    /// The kernel did not permit the mark that the provisioning domain wants.
    Mark(RuleId),
    /// The socket could not be given the source address that the policy names.
    Source(RuleId),
    /// The kernel, or mif itself, did what was not expected.
    Internal,
}

/// Which addresses an interface must have for a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// An IPv4 one.
    V4,
    /// An IPv6 one that reaches beyond the link.
    V6,
    /// An IPv6 one; link-local suffices.
    V6Link,
    /// Any: a wildcard listener, a look-up.
    Any,
}

/// Where the application itself put a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    /// Bound to this address.
    To(IpAddr),
    /// Pinned to the interface with this index.
    On(u32),
}

impl Need {
    /// What a flow to `destination` needs.
    #[must_use]
    pub fn of(destination: IpAddr) -> Self {
        match destination {
            IpAddr::V4(_) => Self::V4,
            IpAddr::V6(ip) if is_link_scoped(IpAddr::V6(ip)) => Self::V6Link,
            IpAddr::V6(_) => Self::V6,
        }
    }
}

impl Policy {
    /// The verdict on a flow: exemptions first, then the first rule that matches.
    #[must_use]
    pub fn decide<'p>(&'p self, flow: &Flow<'_>, host: &impl Host) -> Verdict<'p> {
        match self.exempts(flow.destination, host) {
            Some(pass) => Verdict::Pass(pass),
            None => self.decide_by_rule(flow, host),
        }
    }

    /// Why no rule applies to a destination, if none does. The transport protocol does not count,
    /// so that a caller need not find it out for exempt destinations.
    #[must_use]
    pub fn exempts(&self, destination: SocketAddr, host: &impl Host) -> Option<Pass> {
        let ip = destination.ip();
        if self.local && is_local(ip, host) {
            return Some(Pass::Local);
        }
        let scoped = matches!(destination, SocketAddr::V6(v6) if v6.scope_id() != 0);
        (scoped && is_link_scoped(ip)).then_some(Pass::Scoped)
    }

    /// The verdict on a flow to a destination that is not exempt.
    #[must_use]
    pub fn decide_by_rule<'p>(&'p self, flow: &Flow<'_>, host: &impl Host) -> Verdict<'p> {
        let ip = flow.destination.ip();
        if !self.families.allow(ip) {
            return Verdict::Refuse(Refusal::Family);
        }
        let rule = self.rule_for(flow);
        match self.choose(rule, Need::of(ip), host) {
            // A device-bound packet to loopback would be put on the wire.
            Verdict::Route(_) if !self.local && is_local(ip, host) => {
                Verdict::Refuse(Refusal::LocalForbidden(rule))
            }
            verdict => verdict,
        }
    }

    /// Whether some rule goes by name, so that addresses of look-ups have to be remembered.
    #[must_use]
    pub fn asks_names(&self) -> bool {
        self.rules.iter().any(|rule| !rule.names.is_empty())
    }

    /// The first rule that matches a flow.
    #[must_use]
    pub fn rule_for(&self, flow: &Flow<'_>) -> RuleId {
        let found = self.ids().find(|&(id, rule)| rule.matches(id, flow));
        found.map_or(self.last_rule(), |(id, _)| id)
    }

    /// The rule that decides how `name` is looked up: the first with a pattern for it, or with no
    /// condition at all. Ports and protocols are not known yet and do not count.
    #[must_use]
    pub fn rule_for_name(&self, name: &str) -> RuleId {
        let found = self.ids().find(|(_, rule)| {
            rule.names_match(name)
                || (rule.has_no_destination() && rule.ports.is_empty() && rule.protocol.is_none())
        });
        found.map_or(self.last_rule(), |(id, _)| id)
    }

    /// The rules with a pattern for `name`, in order.
    pub fn rules_naming<'s>(&'s self, name: &'s str) -> impl Iterator<Item = RuleId> + 's {
        self.ids()
            .filter(|(_, rule)| rule.names_match(name))
            .map(|(id, _)| id)
    }

    /// The first usable network of a rule.
    #[must_use]
    pub fn choose<'p>(&'p self, rule: RuleId, need: Need, host: &impl Host) -> Verdict<'p> {
        self.first_usable(&self.rule(rule).choices, rule, need, host)
    }

    /// The network that a wildcard listener is reachable on.
    #[must_use]
    pub fn choose_listen<'p>(&'p self, host: &impl Host) -> Verdict<'p> {
        let last = self.last_rule();
        let choices = self.listen.as_ref().unwrap_or(&self.rule(last).choices);
        self.first_usable(choices, last, Need::Any, host)
    }

    fn first_usable<'p>(
        &'p self,
        choices: &Use,
        rule: RuleId,
        need: Need,
        host: &impl Host,
    ) -> Verdict<'p> {
        let mut first = None;
        for choice in &choices.0 {
            match *choice {
                Choice::System => return Verdict::Pass(Pass::System(rule)),
                Choice::None => return Verdict::Refuse(Refusal::Chosen(rule)),
                Choice::Pvd(id) => match self.route(id, rule, need, host) {
                    Ok(route) => return Verdict::Route(route),
                    Err(why) => first = first.or(Some(why)),
                },
            }
        }
        Verdict::Refuse(Refusal::Exhausted(rule, first.unwrap_or(Unusable::Unknown)))
    }

    /// One provisioning domain as a route.
    ///
    /// # Errors
    /// Why it is not usable now for flows with this need.
    pub fn route<'p>(
        &'p self,
        id: PvdId,
        rule: RuleId,
        need: Need,
        host: &impl Host,
    ) -> Result<Route<'p>, Unusable> {
        let pvd = self.pvd(id);
        let link = host.link(id)?;
        let has_address = match need {
            Need::V4 => link.v4,
            Need::V6 => link.v6,
            Need::V6Link => link.v6 || link.v6_link_local,
            Need::Any => link.v4 || link.v6 || link.v6_link_local,
        };
        if !has_address {
            return Err(Unusable::NoAddress);
        }
        Ok(Route {
            pvd: id,
            name: &pvd.name,
            interface: pvd.interface,
            index: link.index,
            source: source_for(&pvd.sources, need, link.index, host)?,
            mark: pvd.mark,
            rule,
        })
    }

    /// What holds for a socket that the application itself put somewhere, when the policy chose
    /// `route`: `None` where both agree, and the socket is left where it is.
    #[must_use]
    pub fn disagreement(
        &self,
        bound: Bound,
        route: &Route<'_>,
        host: &impl Host,
    ) -> Option<Explicit> {
        let agrees = match bound {
            Bound::On(index) => index == route.index,
            Bound::To(ip) => is_multicast(ip) || self.lies_in(ip, route, host),
        };
        (!agrees).then_some(self.explicit)
    }

    /// Whether binding to `ip` is a choice within the networks that this policy names anywhere:
    /// at `bind` the destination, and so the rule, is not known yet.
    #[must_use]
    pub fn permits_bind(&self, ip: IpAddr, host: &impl Host) -> bool {
        if is_multicast(ip) || (self.local && is_loopback(ip)) || ip_is_broadcast(ip) {
            return true;
        }
        let lists = self
            .rules
            .iter()
            .map(|rule| &rule.choices)
            .chain(&self.listen);
        lists.flat_map(|list| &list.0).any(|choice| match *choice {
            Choice::System => true,
            Choice::None => false,
            Choice::Pvd(id) => self
                .route(id, self.last_rule(), Need::of(ip), host)
                .is_ok_and(|route| self.lies_in(ip, &route, host)),
        })
    }

    fn lies_in(&self, ip: IpAddr, route: &Route<'_>, host: &impl Host) -> bool {
        let sources = &self.pvd(route.pvd).sources;
        if sources.is_empty() {
            host.owner(ip) == Some(route.index)
        } else {
            sources.contains(&ip)
        }
    }

    fn ids(&self) -> impl Iterator<Item = (RuleId, &Rule)> {
        (0..).map(RuleId).zip(&self.rules)
    }
}

impl Rule {
    fn matches(&self, id: RuleId, flow: &Flow<'_>) -> bool {
        let port = flow.destination.port();
        let ip = flow.destination.ip();
        self.protocol.is_none_or(|wanted| wanted == flow.protocol)
            && (self.ports.is_empty() || self.ports.iter().any(|range| range.contains(&port)))
            && (self.has_no_destination()
                || self.prefixes.iter().any(|prefix| prefix.contains(ip))
                || (!self.names.is_empty() && flow.named.contains(&id)))
    }

    fn has_no_destination(&self) -> bool {
        self.prefixes.is_empty() && self.names.is_empty()
    }

    fn names_match(&self, name: &str) -> bool {
        self.names.iter().any(|pattern| pattern.matches(name))
    }
}

impl Families {
    /// Whether an address of this family may be used.
    #[must_use]
    pub fn allow(self, ip: IpAddr) -> bool {
        match self {
            Self::Any => true,
            Self::V4 => ip.is_ipv4(),
            Self::V6 => ip.is_ipv6(),
        }
    }
}

fn source_for(
    sources: &[IpAddr],
    need: Need,
    index: u32,
    host: &impl Host,
) -> Result<Option<IpAddr>, Unusable> {
    /// Addresses of services are often put on loopback, and belong to every interface then.
    const LOOPBACK: u32 = 1;
    if sources.is_empty() || need == Need::Any {
        return Ok(None);
    }
    let mut seen = Unusable::NoSourceOfFamily;
    for &source in sources
        .iter()
        .filter(|source| source.is_ipv4() == (need == Need::V4))
    {
        if host
            .owner(source)
            .is_some_and(|owner| owner == index || owner == LOOPBACK)
        {
            return Ok(Some(source));
        }
        seen = Unusable::NoSource;
    }
    Err(seen)
}

/// Loopback, or an address of the host itself.
fn is_local(ip: IpAddr, host: &impl Host) -> bool {
    is_loopback(ip) || host.owner(ip).is_some()
}

/// `127.0.0.0/8` and `::1`, and the unspecified address, which Linux takes for loopback in `connect`.
fn is_loopback(ip: IpAddr) -> bool {
    ip.is_loopback() || ip.is_unspecified()
}

fn is_multicast(ip: IpAddr) -> bool {
    ip.is_multicast()
}

fn ip_is_broadcast(ip: IpAddr) -> bool {
    matches!(ip, IpAddr::V4(v4) if v4.is_broadcast())
}

/// `fe80::/10`, and multicast of interface or link scope: only with an interface do these mean
/// anything (RFC 4007).
fn is_link_scoped(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(_) => false,
        IpAddr::V6(v6) => {
            v6.is_unicast_link_local() || (v6.is_multicast() && v6.octets()[1] & 0xf <= 2)
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Other => "raw",
        })
    }
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Missing => "no such interface",
            Self::Down => "interface is down",
            Self::NoCarrier => "no carrier",
            Self::NoAddress => "no address of this family",
            Self::NoSource => "the interface does not have the policy's source address",
            Self::NoSourceOfFamily => "no source address of this family in the policy",
            Self::Unknown => "state unknown",
        })
    }
}
