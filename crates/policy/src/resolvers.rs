//! Which network's servers are asked for a name (RFC 6731, RFC 7556 5.2.1).
//!
//! A rule by name binds the name to its list. Otherwise the narrowest zone wins among the usable
//! domains that the rules name, and without one the list of the rule decides, usually `use`. What
//! trust does to that is the table of RFC 6731 section 4.1, where `use` is the order of default
//! servers. Answers of several domains are never mixed: the first is asked, and those behind it
//! are who would be if it were not usable. docs/policy.md has the same in the user's words.

use std::fmt;
use std::net::IpAddr;

use crate::addrsel::{AddressSelection, Prefer, Row};
use crate::known::Known;
use crate::model::{Choice, Policy, PvdId, RuleId};
use crate::names::Zone;
use crate::server::Server;
use crate::verdict::{Host, Need, Origin, Pass, Refusal, Route, Unusable, Verdict};

/// Who may be asked for a name, the first first.
#[derive(Debug)]
pub struct Resolvers<'p> {
    /// The rule that decides on the look-up.
    pub rule: RuleId,
    /// The usable domains that may be asked.
    pub domains: Vec<Resolver<'p>>,
    /// The entries of the rule's list that are passed over.
    pub passed_over: Vec<(PvdId, Unusable)>,
    /// What holds where there is none: `system`, or a refusal.
    pub end: Verdict<'p>,
    /// What is said where no domain is asked.
    own: Known<'p>,
    policy: &'p Policy,
}

/// A provisioning domain that may be asked, and what for.
#[derive(Clone, Debug)]
pub struct Resolver<'p> {
    /// The domain, ready to be put on a socket.
    pub route: Route<'p>,
    /// Why it is asked.
    pub why: Why,
    /// Its servers, search list and zones. Of domains behind the first only what the policy
    /// itself says may be there: nobody looks into those of a network that is not asked.
    pub known: Known<'p>,
}

/// Why a domain is asked for a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
    /// A rule binds the name.
    Name,
    /// This zone of the domain holds the name.
    Zone(Zone),
    /// It is in the list of the rule.
    List,
}

impl Policy {
    /// Who may be asked for `name`, as the application wrote it.
    #[must_use]
    pub fn resolvers<'p>(&'p self, name: &str, host: &impl Host) -> Resolvers<'p> {
        self.resolvers_by(self.rule_for_name(name), name, host)
    }

    /// Who may be asked for the names of an address, of which `reverse_name` is the name below
    /// `in-addr.arpa` or `ip6.arpa`. Where a look-up returned the address, `named` are the rules
    /// for its name, and `origin` says whose servers told it.
    #[must_use]
    pub fn resolvers_of_address<'p>(
        &'p self,
        ip: IpAddr,
        reverse_name: &str,
        named: &[RuleId],
        origin: Option<Origin>,
        host: &impl Host,
    ) -> Resolvers<'p> {
        let rule = self.rule_for_address(ip, reverse_name, named);
        let mut found = self.resolvers_by(rule, reverse_name, host);
        if let Some(origin) = origin.filter(|&origin| self.binds(origin, rule)) {
            let (name, by_search) = (reverse_name, false);
            let bound = self
                .route(origin.pvd, rule, Need::Any, host)
                .and_then(|route| found.of_list(&Asked { name, by_search }, route, Some(host)));
            // Private addresses are others in another network, and so are their names.
            if let Ok(resolver) = bound {
                found.domains.insert(0, resolver);
            }
        }
        found
    }

    fn resolvers_by<'p>(&'p self, rule: RuleId, name: &str, host: &impl Host) -> Resolvers<'p> {
        let mut found = Resolvers {
            rule,
            domains: Vec::new(),
            passed_over: Vec::new(),
            end: Verdict::Refuse(Refusal::Exhausted(rule, Unusable::Unknown)),
            own: Known::of_rule(self, rule),
            policy: self,
        };
        let host_name = Asked {
            name,
            by_search: !name.contains('.'),
        };
        let is_general = self.rule(rule).is_general();
        // Zones open nothing that the rule closes.
        let has_zones = is_general && self.rule(rule).choices.0.first() != Some(&Choice::None);
        let zones = if has_zones {
            found.of_zones(name, host)
        } else {
            Vec::new()
        };
        found.add_list(&host_name, zones.is_empty(), host);
        if has_zones {
            found.domains.extend(zones);
            found.order();
        }
        if found.domains.is_empty()
            && matches!(found.end, Verdict::Refuse(Refusal::Exhausted(..)))
            && !host_name.by_search
        {
            // A name with dots that nobody may be asked as it is may be the beginning of one.
            found.passed_over.clear();
            let by_search = true;
            found.add_list(&Asked { name, by_search }, true, host);
        }
        found
    }
}

impl<'p> Resolvers<'p> {
    /// The domain that is asked.
    #[must_use]
    pub fn first(&self) -> Option<&Resolver<'p>> {
        self.domains.first()
    }

    /// The verdict on the look-up.
    #[must_use]
    pub fn verdict(&self) -> Verdict<'p> {
        self.first()
            .map_or(self.end, |first| Verdict::Route(first.route))
    }

    /// The servers to ask; none where they are not known.
    #[must_use]
    pub fn servers(&self) -> &[Server] {
        self.known().servers()
    }

    /// The search list.
    #[must_use]
    pub fn search(&self) -> &[Box<str>] {
        self.known().search()
    }

    /// Names that the servers may be asked; none at all means all.
    #[must_use]
    pub fn zones(&self) -> &[Zone] {
        self.known().zones()
    }

    /// Whether the domain that is asked may be asked for this very name, whatever the search list makes
    /// of it.
    #[must_use]
    pub fn may_be_asked(&self, name: &str) -> bool {
        let zones = self.zones();
        zones.is_empty() || zones.iter().any(|zone| zone.holds(name))
    }

    /// Servers, search list and zones of the domain that is asked.
    #[must_use]
    pub fn known(&self) -> &Known<'p> {
        self.first().map_or(&self.own, |first| &first.known)
    }

    /// Rows of the address selection table: the application's, else the domain's.
    #[must_use]
    pub fn table(&self) -> &'p [Row] {
        let mut said = self.selections().map(|said| &said.table[..]);
        said.find(|table| !table.is_empty()).unwrap_or(&[])
    }

    /// The family whose addresses come first: the application's word, else the domain's.
    #[must_use]
    pub fn prefer(&self) -> Option<Prefer> {
        self.selections().find_map(|said| said.prefer)
    }

    fn selections(&self) -> impl Iterator<Item = &'p AddressSelection> {
        let first = self.first().map(|first| first.route.pvd);
        let pvd = first.map(|pvd| &self.policy.pvd(pvd).addrsel);
        [&self.policy.addrsel].into_iter().chain(pvd)
    }

    /// What flows to the addresses found are bound to.
    #[must_use]
    pub fn origin(&self) -> Option<Origin> {
        self.first().map(|first| Origin {
            pvd: first.route.pvd,
            by_zone: matches!(first.why, Why::Zone(_)),
        })
    }

    /// The usable domains of the rule's list that may be asked, and what is at its end. With `first`,
    /// the first of them will be asked.
    fn add_list(&mut self, asked: &Asked<'_>, first: bool, host: &impl Host) {
        let policy = self.policy;
        for choice in &policy.rule(self.rule).choices.0 {
            let id = match *choice {
                Choice::System => {
                    self.end = Verdict::Pass(Pass::System(self.rule));
                    return;
                }
                Choice::None => {
                    self.end = Verdict::Refuse(Refusal::Chosen(self.rule));
                    return;
                }
                Choice::Pvd(id) => id,
            };
            // The zones of a trusted one may take the name from the others.
            let matters = (first && self.domains.is_empty()) || policy.pvd(id).dns.trusted;
            let found = policy
                .route(id, self.rule, Need::Any, host)
                .and_then(|route| self.of_list(asked, route, matters.then_some(host)));
            match found {
                Ok(resolver) => self.domains.push(resolver),
                Err(why) => self.passed_over.push((id, why)),
            }
        }
        let first = self.passed_over.first();
        let why = first.map_or(Unusable::Unknown, |&(_, why)| why);
        self.end = Verdict::Refuse(Refusal::Exhausted(self.rule, why));
    }

    /// A domain of the list. With a host, its network is asked for servers if the policy has none,
    /// and there have to be some.
    fn of_list(
        &self,
        asked: &Asked<'_>,
        route: Route<'p>,
        host: Option<&impl Host>,
    ) -> Result<Resolver<'p>, Unusable> {
        let known = match host {
            Some(host) => Known::of(self.policy, self.rule, route.pvd, host),
            None => Known::said_of(self.policy, self.rule, route.pvd),
        };
        if !asked.is_of(known.zones(), known.search()) {
            return Err(Unusable::ForeignName);
        }
        if host.is_some() && known.servers().is_empty() {
            return Err(Unusable::NoServers);
        }
        let is_general = self.policy.rule(self.rule).is_general();
        let why = match narrowest(known.zones(), asked.name) {
            _ if !is_general => Why::Name,
            Some(zone) => Why::Zone(zone.clone()),
            None => Why::List,
        };
        Ok(Resolver { route, why, known })
    }

    /// The usable domains of other rules, with a zone that holds the name and servers to ask.
    fn of_zones(&self, name: &str, host: &impl Host) -> Vec<Resolver<'p>> {
        let policy = self.policy;
        let listed = &policy.rule(self.rule).choices.0;
        let mut found = Vec::new();
        for choice in policy.rules.choices() {
            let Choice::Pvd(id) = *choice else { continue };
            if listed.contains(choice) {
                continue;
            }
            let dns = &policy.pvd(id).dns;
            let may_hold = narrowest(&dns.zones, name).is_some()
                || (dns.zones.is_empty() && dns.servers.is_empty() && dns.trusted);
            if !may_hold {
                continue;
            }
            let Ok(route) = policy.route(id, self.rule, Need::Any, host) else {
                continue;
            };
            // The application's own servers are not this domain's.
            let known = Known::of_pvd(policy, id, host);
            if let Some(zone) = narrowest(known.zones(), name)
                && !known.servers().is_empty()
            {
                let why = Why::Zone(zone.clone());
                found.push(Resolver { route, why, known });
            }
        }
        found
    }

    /// Zones before the list, the narrowest first; but no zone of a domain that is not trusted
    /// takes a name from a trusted one that would be asked by the list.
    fn order(&mut self) {
        let first = self.domains.first();
        let shield = first.filter(|first| first.known.is_trusted() && first.why == Why::List);
        let shield = shield.map(|first| first.route.pvd);
        self.domains.sort_by_key(|resolver| match &resolver.why {
            Why::Zone(zone) if resolver.known.is_trusted() => (0, usize::MAX - zone.length()),
            Why::List if Some(resolver.route.pvd) == shield => (1, 0),
            Why::Zone(zone) => (2, usize::MAX - zone.length()),
            Why::Name | Why::List => (3, 0),
        });
    }
}

/// A name in a line of the log, with the zone that its servers were chosen by.
#[derive(Clone, Copy, Debug)]
pub struct Looked<'a>(pub &'a str, pub &'a Resolvers<'a>);

impl fmt::Display for Looked<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)?;
        match self.1.first().map(|first| &first.why) {
            Some(Why::Zone(zone)) => write!(f, " (zone {zone})"),
            _ => Ok(()),
        }
    }
}

/// A name as the application wrote it.
struct Asked<'n> {
    name: &'n str,
    /// What counts is what the search list makes of it.
    by_search: bool,
}

impl Asked<'_> {
    fn is_of(&self, zones: &[Zone], search: &[Box<str>]) -> bool {
        let holds = |name: &str| zones.iter().any(|zone| zone.holds(name));
        let below = |suffix| holds(&format!("{}.{suffix}", self.name));
        let by_search = self.by_search && !self.name.ends_with('.');
        zones.is_empty() || holds(self.name) || (by_search && search.iter().any(below))
    }
}

/// The longest of the zones that hold the name, `.` not counted.
fn narrowest<'z>(zones: &'z [Zone], name: &str) -> Option<&'z Zone> {
    let holding = zones
        .iter()
        .filter(|zone| !zone.is_all() && zone.holds(name));
    holding.max_by_key(|zone| zone.length())
}
