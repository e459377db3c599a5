//! One flow and a view of the host in, one [`Verdict`] out.
//!
//! Nothing here allocates, so that the answer can be asked for in a signal handler, and nothing
//! here guesses: whatever is not known makes a provisioning domain unusable, and the end of a
//! list of unusable ones is a refusal.
#![allow(
    clippy::inline_always,
    reason = "each step hands a verdict of a hundred bytes to the next: half the price of a datagram"
)]

use std::net::{IpAddr, SocketAddr};

use crate::model::{Choice, Dns, Explicit, Families, Policy, PvdId, Rule, RuleId, Use};
use crate::verdict::{
    Bound, Flow, Host, Need, Origin, Pass, Refusal, Route, Unusable, Verdict, is_link_scoped,
};

impl Policy {
    /// The verdict on a flow: the guard of names, exemptions, then the first rule that matches.
    #[must_use]
    #[inline(always)]
    pub fn decide<'p>(&'p self, flow: &Flow<'_>, host: &impl Host) -> Verdict<'p> {
        if self.may_guard(flow.destination)
            && let Some(refusal) = self.guard(flow, host)
        {
            return Verdict::Refuse(refusal);
        }
        match self.exempts(flow.destination, host) {
            Some(pass) => Verdict::Pass(pass),
            None => self.decide_by_rule(flow, host),
        }
    }

    /// Why no rule applies to a destination, if none does. The transport protocol does not count,
    /// so that a caller need not find it out for exempt destinations.
    #[must_use]
    #[inline(always)]
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
    #[inline(always)]
    pub fn decide_by_rule<'p>(&'p self, flow: &Flow<'_>, host: &impl Host) -> Verdict<'p> {
        let ip = flow.destination.ip();
        if !self.families.allow(ip) {
            return Verdict::Refuse(Refusal::Family);
        }
        let rule = self.rule_for(flow);
        match self.choose_for(flow, rule, host) {
            // A device-bound packet to loopback would be put on the wire.
            Verdict::Route(_) if !self.local && is_local(ip, host) => {
                Verdict::Refuse(Refusal::LocalForbidden(rule))
            }
            verdict => verdict,
        }
    }

    /// The network of a flow that `rule` decides.
    #[inline(always)]
    pub(crate) fn choose_for<'p>(
        &'p self,
        flow: &Flow<'_>,
        rule: RuleId,
        host: &impl Host,
    ) -> Verdict<'p> {
        let need = Need::of(flow.destination.ip());
        match flow.origin {
            Some(origin) if self.binds(origin, rule) => {
                match self.route(origin.pvd, rule, need, host) {
                    Ok(route) => Verdict::Route(route),
                    Err(why) => Verdict::Refuse(Refusal::Origin(rule, origin.pvd, why)),
                }
            }
            _ => self.choose(rule, need, host),
        }
    }

    /// Whether a flow that `rule` decides goes by the domain that its destination was looked up on,
    /// or not at all: the rule names that domain, or leaves the choice to zones and one chose it.
    /// What a rule says of other networks is the user's own word, and stands.
    #[must_use]
    pub fn binds(&self, origin: Origin, rule: RuleId) -> bool {
        let rule = self.rule(rule);
        (origin.by_zone && rule.is_general()) || rule.choices.0.contains(&Choice::Pvd(origin.pvd))
    }

    /// Whether it matters for flows what look-ups told of their destinations.
    #[must_use]
    pub fn learns_addresses(&self) -> bool {
        self.has_rules_by_name() || self.has_several_networks()
    }

    pub(crate) fn has_rules_by_name(&self) -> bool {
        self.rules.iter().any(|rule| !rule.names.is_empty())
    }

    /// Whether flows of one process may go by different networks, so that it matters where an
    /// address was looked up.
    #[must_use]
    pub fn has_several_networks(&self) -> bool {
        let choices = self.rules.choices().iter();
        choices.filter(|&&choice| choice != Choice::None).count() > 1
    }

    /// Whether no look-up is ever this policy's: it names no servers, no rule by name, no network
    /// whose zones count, and sends names by the host's own routing. Rules by destination alone do not count.
    #[must_use]
    pub fn leaves_names(&self) -> bool {
        let says_nothing =
            |dns: &Dns| dns.servers.is_empty() && dns.zones.is_empty() && !dns.trusted;
        let mut all = self.pvds.iter().map(|pvd| &pvd.dns).chain([&self.dns]);
        !self.has_rules_by_name()
            && all.all(says_nothing)
            && self.rule(self.rule_for_name("")).choices.0.first() == Some(&Choice::System)
    }

    /// The first rule that matches a flow.
    #[must_use]
    #[inline(always)]
    pub fn rule_for(&self, flow: &Flow<'_>) -> RuleId {
        self.rules.first(flow)
    }

    /// The rule that decides how `name` is looked up: the first with a pattern for it, or with no
    /// condition at all. Ports and protocols are not known yet and do not count.
    #[must_use]
    pub fn rule_for_name(&self, name: &str) -> RuleId {
        self.rules.first_for_name(name)
    }

    /// The rule that decides whom the name of an address is asked of: the first that has the
    /// address, by prefix or by a look-up that returned it (`named`), or a pattern for
    /// `reverse_name` (below `in-addr.arpa`, `ip6.arpa`), or no condition at all.
    #[must_use]
    pub fn rule_for_address(&self, ip: IpAddr, reverse_name: &str, named: &[RuleId]) -> RuleId {
        self.rules.first_for_address(ip, reverse_name, named)
    }

    /// The rules with a pattern for `name`, in order.
    #[must_use]
    pub fn rules_naming(&self, name: &str) -> Vec<RuleId> {
        let mut rules: Vec<_> = self.rules.naming(name).collect();
        rules.sort_unstable();
        rules.dedup();
        rules
    }

    /// What a look-up of `name` tells of the addresses that it returned: the rules that speak of the
    /// name, and where there is a choice of networks, the one whose servers answered.
    #[must_use]
    pub fn told_by(&self, name: &str, origin: Option<Origin>) -> (Vec<RuleId>, Option<Origin>) {
        let origin = origin.filter(|_| self.has_several_networks());
        (self.rules_naming(name), origin)
    }

    /// The first usable network of a rule.
    #[must_use]
    #[inline(always)]
    pub fn choose<'p>(&'p self, rule: RuleId, need: Need, host: &impl Host) -> Verdict<'p> {
        self.first_usable(&self.rule(rule).choices, rule, need, host)
    }

    /// The network that a wildcard listener is reachable on.
    #[must_use]
    pub fn choose_listen<'p>(&'p self, host: &impl Host) -> Verdict<'p> {
        self.first_usable(self.listens(), self.last_rule(), Need::Any, host)
    }

    /// The networks of listeners.
    fn listens(&self) -> &Use {
        let general = &self.rule(self.last_rule()).choices;
        self.listen.as_ref().unwrap_or(general)
    }

    #[inline(always)]
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
    #[inline(always)]
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
        let source = source_for(&pvd.sources, need, link.index, host)?;
        let own = self.addrsel.prefer_source;
        let prefer_source = own
            .or(pvd.addrsel.prefer_source)
            .filter(|_| source.is_none() && need != Need::V4);
        Ok(Route {
            pvd: id,
            name: &pvd.name,
            interface: &pvd.interface,
            index: link.index,
            source,
            prefer_source,
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

    /// The domain of a rule's list that the application itself put a socket on, if it can be used: which
    /// of the networks that a list permits is taken may be the application's choice.
    #[must_use]
    pub fn chosen<'p>(
        &'p self,
        bound: Bound,
        rule: RuleId,
        need: Need,
        host: &impl Host,
    ) -> Option<Route<'p>> {
        self.chosen_of(&self.rule(rule).choices, bound, rule, need, host)
    }

    /// The same of a listener.
    #[must_use]
    pub fn chosen_listen<'p>(&'p self, bound: Bound, host: &impl Host) -> Option<Route<'p>> {
        self.chosen_of(self.listens(), bound, self.last_rule(), Need::Any, host)
    }

    fn chosen_of<'p>(
        &'p self,
        list: &Use,
        bound: Bound,
        rule: RuleId,
        need: Need,
        host: &impl Host,
    ) -> Option<Route<'p>> {
        let mut routes = list.0.iter().filter_map(|choice| match *choice {
            Choice::Pvd(id) => self.route(id, rule, need, host).ok(),
            Choice::System | Choice::None => None,
        });
        routes.find(|route| self.disagreement(bound, route, host).is_none())
    }

    /// Whether binding to `ip` is a choice within the networks that this policy names anywhere:
    /// at `bind` the destination, and so the rule, is not known yet.
    #[must_use]
    pub fn permits_bind(&self, ip: IpAddr, host: &impl Host) -> bool {
        if is_multicast(ip) || (self.local && is_loopback(ip)) || ip_is_broadcast(ip) {
            return true;
        }
        let listen = self.listen.iter().flat_map(|list| &list.0);
        let mut choices = self.rules.choices().iter().chain(listen);
        choices.any(|choice| match *choice {
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
}

impl Rule {
    /// Whether its ports and its protocol are those of a flow.
    #[inline]
    pub(crate) fn fits(&self, flow: &Flow<'_>) -> bool {
        let port = flow.destination.port();
        self.protocol.is_none_or(|wanted| wanted == flow.protocol)
            && (self.ports.is_empty() || self.ports.iter().any(|range| range.contains(&port)))
    }

    /// It has no condition at all.
    pub(crate) fn is_general(&self) -> bool {
        self.has_no_destination() && self.ports.is_empty() && self.protocol.is_none()
    }

    /// It holds for every destination.
    pub(crate) fn has_no_destination(&self) -> bool {
        self.prefixes.is_empty() && self.names.is_empty()
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

#[inline]
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
#[inline]
fn is_local(ip: IpAddr, host: &impl Host) -> bool {
    is_loopback(ip) || host.owner(ip).is_some()
}

/// `127.0.0.0/8` and `::1`, and the unspecified address, which Linux takes for loopback in `connect`.
#[inline]
fn is_loopback(ip: IpAddr) -> bool {
    ip.is_loopback() || ip.is_unspecified()
}

fn is_multicast(ip: IpAddr) -> bool {
    ip.is_multicast()
}

fn ip_is_broadcast(ip: IpAddr) -> bool {
    matches!(ip, IpAddr::V4(v4) if v4.is_broadcast())
}
