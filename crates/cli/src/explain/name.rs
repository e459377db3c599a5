//! The look-up of a name: whose servers would be asked, what they say if they are to be asked, and
//! where flows to the answers go.

use std::fmt::Write;
use std::fs;
use std::net::{IpAddr, ToSocketAddrs};

use mif_policy::{Need, Refusal, Resolver, Resolvers, RuleId, Server, Unusable, Verdict, Why};
use mif_resolve::{Ask, InTheClear, Plan, Way, hosts};

use super::Explainer;
use super::told::{Answer, Outcome, Skipped, Told};

impl Explainer<'_> {
    /// Tells of the look-up of a name; really asks for it if `resolve` is set.
    pub(super) fn name(&self, told: &mut Told, name: &str, port: u16, resolve: bool) {
        if name.trim_end_matches('.').rsplit('.').next() == Some("localhost") {
            told.verdict = Outcome::Pass;
            told.reason = Some("this name means loopback (RFC 6761)");
            return;
        }
        let resolvers = self.policy.resolvers(name, &self.host);
        let verdict = resolvers.verdict();
        told.rule = Some(self.rule(resolvers.rule));
        self.decided(told, &verdict);
        if let Verdict::Refuse(refusal) = verdict {
            told.error = Some(error(refusal));
        }
        let by_zone = match resolvers.first().map(|first| &first.why) {
            Some(Why::Zone(zone)) => Some(zone.to_string()),
            _ => None,
        };
        if by_zone.is_none() {
            let skipped = resolvers.passed_over.iter().map(|&(pvd, why)| Skipped {
                pvd: self.policy.pvd(pvd).name.to_string(),
                reason: self.unusable(pvd, why, Need::Any),
            });
            told.skipped = skipped.collect();
        }
        if !matches!(verdict, Verdict::Refuse(_)) {
            self.servers_of(told, name, &resolvers, by_zone);
            if resolve {
                told.answer = Some(self.ask(name, &resolvers));
            }
        }
        told.flows = Some(self.flows(name, port, &resolvers));
    }

    fn servers_of(
        &self,
        told: &mut Told,
        name: &str,
        resolvers: &Resolvers<'_>,
        zone: Option<String>,
    ) {
        let verdict = resolvers.verdict();
        let route = match &verdict {
            Verdict::Route(route) => Some(route),
            _ => None,
        };
        let mut dns = self.dns(resolvers.known(), route);
        dns.zone = zone;
        if !dns.servers.is_empty() && of_hosts_file(name).is_some() {
            dns.by = Some("hosts");
        }
        let by = dns.by;
        told.dns = Some(dns);
        if let (Some(route), None) = (route, by) {
            for server in resolvers.servers() {
                let query = self.query(server.address, Some(route));
                told.warnings.extend(self.warning_of_way(query));
            }
        }
    }

    /// What the program would get.
    fn ask(&self, name: &str, resolvers: &Resolvers<'_>) -> Answer {
        let found = if resolvers.servers().is_empty() {
            let found = (name, 0).to_socket_addrs();
            found.map_err(|why| why.to_string()).map(|found| {
                let mut addresses: Vec<IpAddr> = Vec::new();
                for address in found.map(|found| found.ip()) {
                    if !addresses.contains(&address) {
                        addresses.push(address);
                    }
                }
                (None, addresses)
            })
        } else if let Some(answer) = of_hosts_file(name) {
            Ok((Some(answer.canonical), answer.addresses))
        } else if !resolvers.servers().iter().all(Server::is_plain) {
            let run = "mif-run … getent ahosts";
            Err(format!(
                "not asked: mif itself speaks no TLS; {run} {name} does"
            ))
        } else {
            let verdict = resolvers.verdict();
            let way = |ip| Way::within(&verdict, ip, self.policy, &self.host);
            let plan = Plan::of(resolvers, self.policy.families, &way, &InTheClear);
            let found = mif_resolve::lookup(name, &plan);
            found
                .map(|answer| (Some(answer.canonical), answer.addresses))
                .map_err(|why| why.to_string())
        };
        match found {
            Ok((canonical, addresses)) => Answer {
                canonical,
                addresses,
                error: None,
            },
            Err(error) => Answer {
                canonical: None,
                addresses: Vec::new(),
                error: Some(error),
            },
        }
    }

    fn flows(&self, name: &str, port: u16, resolvers: &Resolvers<'_>) -> String {
        let flows = self.rule_for_answers(name, port);
        let bound = |first: &&Resolver<'_>| {
            let origin = resolvers.origin();
            matches!(first.why, Why::Zone(_))
                && origin.is_some_and(|origin| self.policy.binds(origin, flows))
        };
        let mut text = if let Some(first) = resolvers.first().filter(bound) {
            format!("by `{}`, where they were looked up", first.route.name)
        } else if flows == resolvers.rule {
            "by the same rule".to_owned()
        } else {
            format!("by the rule {}", self.rule(flows))
        };
        let before: Vec<String> = self
            .rules()
            .take_while(|(other, _)| *other != flows)
            .filter(|(_, rule)| !rule.prefixes.is_empty() && self.fits(rule, port))
            .map(|(_, rule)| self.place(rule.place))
            .collect();
        if !before.is_empty() {
            let rules = before.join(", ");
            let _ = write!(text, ", unless an address lies in a prefix of {rules}");
        }
        text
    }

    /// The rule for flows to addresses that a look-up of `name` returned, as far as prefixes do
    /// not decide first.
    fn rule_for_answers(&self, name: &str, port: u16) -> RuleId {
        let named = self.policy.rules_naming(name);
        let fits = |id: &RuleId, rule: &mif_policy::Rule| {
            self.fits(rule, port)
                && (named.contains(id) || (rule.prefixes.is_empty() && rule.names.is_empty()))
        };
        let found = self.rules().find(|(id, rule)| fits(id, rule));
        found.map_or(self.policy.last_rule(), |(id, _)| id)
    }

    fn fits(&self, rule: &mif_policy::Rule, port: u16) -> bool {
        rule.protocol.is_none_or(|wanted| wanted == self.protocol)
            && (rule.ports.is_empty() || rule.ports.iter().any(|range| range.contains(&port)))
    }
}

/// What libmif.so answers without asking anybody.
fn of_hosts_file(name: &str) -> Option<mif_resolve::Answer> {
    let text = fs::read("/etc/hosts").ok()?;
    hosts::lookup(&String::from_utf8_lossy(&text), name, Ask::Both)
}

/// What `getaddrinfo` returns.
fn error(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::Exhausted(_, Unusable::ForeignName) => "EAI_FAIL",
        Refusal::Exhausted(..) => "EAI_AGAIN",
        _ => "EAI_FAIL",
    }
}
