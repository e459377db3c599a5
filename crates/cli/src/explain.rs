//! `mif explain`: what would happen with a flow, which line of the policy says so, and whether the
//! network that it chooses leads there.
//!
//! The verdict is the library's own ([`Policy::decide`] on [`mif_host::Host`]); what is added is
//! the route look-up and words. Nothing is resolved and nothing is sent but rtnetlink requests.

use std::fmt::Write;
use std::io;
use std::net::SocketAddr;

use mif_host::inventory::{self, Inventory, Query};
use mif_host::network::Source;
use mif_policy::{
    Choice, Flow, Interface, Known, Need, Pass, Place, Policy, Protocol, Refusal, Resolver, Route,
    RuleId, Unusable, Verdict, Why,
};

use crate::destination::Destination;
use crate::words::{Block, next_hop, pass, refusal};

/// What is being explained, and with what knowledge.
pub(crate) struct Explainer<'p> {
    policy: &'p Policy,
    host: mif_host::Host,
    inventory: Inventory,
    protocol: Protocol,
}

impl<'p> Explainer<'p> {
    /// An explainer of flows of one protocol under a policy.
    ///
    /// # Errors
    /// The kernel's, when it does not tell which interfaces there are.
    pub(crate) fn new(policy: &'p Policy, protocol: Protocol) -> io::Result<Self> {
        let inventory = inventory::read()?;
        Ok(Self {
            policy,
            host: mif_host::Host::new(policy),
            inventory,
            protocol,
        })
    }

    /// The index of an interface.
    pub(crate) fn index(&self, name: &str) -> Option<u32> {
        let found = self.inventory.named(name);
        found.map(|interface| interface.index)
    }

    /// The explanation: some lines, the last one ended.
    pub(crate) fn explain(&self, destination: &Destination) -> String {
        let mut block = Block::new(&format!("{destination}, {}", self.protocol));
        match destination {
            Destination::Address(address) => self.address(&mut block, *address),
            Destination::Name(name, port) => self.name(&mut block, name, *port),
        }
        block.0
    }

    fn address(&self, block: &mut Block, to: SocketAddr) {
        let flow = Flow {
            destination: to,
            protocol: self.protocol,
            named: &[],
            origin: None,
        };
        let verdict = self.policy.decide(&flow, &self.host);
        if let Some(rule) = rule_of(&verdict) {
            block.line("rule", &self.rule(rule));
        }
        self.decided(block, &verdict, "ENETUNREACH");
        self.skipped(block, &verdict, Need::of(to.ip()));
        match verdict {
            Verdict::Route(route) => {
                self.way(block, self.query(to, Some(&route)));
                let known = self.policy.names_on(&route, &self.host);
                block.line("DNS", &self.servers(&known, Some(&route)));
            }
            Verdict::Pass(Pass::System(_) | Pass::Scoped) => {
                self.way(block, self.query(to, None));
            }
            Verdict::Pass(_) | Verdict::Refuse(_) => {}
        }
        let named: Vec<String> = self
            .rules()
            .take_while(|(id, _)| Some(*id) != rule_of(&verdict))
            .filter(|(_, rule)| !rule.names.is_empty())
            .map(|(_, rule)| self.place(rule.place))
            .collect();
        if !named.is_empty() && rule_of(&verdict).is_some() {
            let rules = named.join(", ");
            block.line(
                "unless",
                &format!("a look-up of a name in {rules} gave this address"),
            );
        }
    }

    fn name(&self, block: &mut Block, name: &str, port: u16) {
        if name.trim_end_matches('.').rsplit('.').next() == Some("localhost") {
            block.line(
                "look-up",
                "by libc, as without mif: this name means loopback (RFC 6761)",
            );
            return;
        }
        let resolvers = self.policy.resolvers(name, &self.host);
        let (id, verdict) = (resolvers.rule, resolvers.verdict());
        block.line("rule", &self.rule(id));
        self.decided(block, &verdict, "EAI_AGAIN");
        let chosen = resolvers.first().map(|first| &first.why);
        if let Some(Why::Zone(zone)) = chosen {
            block.line("zone", &zone.to_string());
        } else {
            for &(pvd, why) in &resolvers.passed_over {
                block.line("skipped", &self.unusable(pvd, why, Need::Any));
            }
        }
        match &verdict {
            Verdict::Route(route) => {
                block.line("DNS", &self.servers(resolvers.known(), Some(route)));
                for server in resolvers.servers() {
                    self.warn_of_way(block, self.query(server.address, Some(route)));
                }
            }
            Verdict::Pass(_) => block.line("DNS", &self.servers(resolvers.known(), None)),
            Verdict::Refuse(_) => {}
        }
        let flows = self.rule_for_answers(name, port);
        let bound = |first: &&Resolver<'_>| {
            let origin = resolvers.origin();
            matches!(first.why, Why::Zone(_))
                && origin.is_some_and(|origin| self.policy.binds(origin, flows))
        };
        let mut text = if let Some(first) = resolvers.first().filter(bound) {
            format!("by `{}`, where they were looked up", first.route.name)
        } else if flows == id {
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
            let _ = write!(
                text,
                ", unless an address lies in a prefix of {}",
                before.join(", ")
            );
        }
        block.line("flows", &format!("to the addresses found go {text}"));
    }

    /// The rule for flows to addresses that a look-up of `name` returned, as far as prefixes do
    /// not decide first.
    fn rule_for_answers(&self, name: &str, port: u16) -> RuleId {
        let named: Vec<RuleId> = self.policy.rules_naming(name).collect();
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

    fn decided(&self, block: &mut Block, verdict: &Verdict<'_>, error: &str) {
        match verdict {
            Verdict::Pass(why) => block.line("verdict", pass(*why)),
            Verdict::Refuse(why) => {
                let why = refusal(*why);
                block.line(
                    "verdict",
                    &format!("refused ({error}), nothing is sent: {why}"),
                );
            }
            Verdict::Route(route) => {
                block.line("verdict", &format!("by `{}`", route.name));
                let mut interface = self.interface(route.index);
                if let Some(mark) = route.mark {
                    let _ = write!(interface, ", mark {mark}");
                }
                block.line("interface", &interface);
            }
        }
    }

    /// The entries of the list that were passed over.
    fn skipped(&self, block: &mut Block, verdict: &Verdict<'_>, need: Need) {
        let Some(rule) = rule_of(verdict) else { return };
        for choice in &self.policy.rule(rule).choices.0 {
            let Choice::Pvd(id) = *choice else { break };
            match self.policy.route(id, rule, need, &self.host) {
                Err(why) => block.line("skipped", &self.unusable(id, why, need)),
                Ok(_) => break,
            }
        }
    }

    /// Why an entry of a list is not usable.
    fn unusable(&self, id: mif_policy::PvdId, why: Unusable, need: Need) -> String {
        let pvd = self.policy.pvd(id);
        let mut text = format!("`{}`: ", pvd.name);
        match (pvd.interface, why) {
            (_, Unusable::NoAddress | Unusable::NoSourceOfFamily) if need != Need::Any => {
                let family = if need == Need::V4 { "IPv4" } else { "IPv6" };
                let kind = if why == Unusable::NoAddress {
                    "usable"
                } else {
                    "source"
                };
                let _ = write!(text, "no {kind} address of {family}");
            }
            _ => {
                let _ = write!(text, "{why}");
            }
        }
        if let Interface::Named(name) = pvd.interface
            && name.as_str() != &*pvd.name
        {
            let _ = write!(text, " ({name})");
        }
        text
    }

    fn query(&self, to: SocketAddr, route: Option<&Route<'_>>) -> Query {
        let scope = match to {
            SocketAddr::V6(v6) if v6.scope_id() != 0 => Some(v6.scope_id()),
            _ => None,
        };
        Query {
            destination: to.ip(),
            port: to.port(),
            protocol: if self.protocol == Protocol::Udp {
                17
            } else {
                6
            },
            interface: route.map(|route| route.index).or(scope),
            source: route.and_then(|route| route.source),
            mark: route.and_then(|route| route.mark),
        }
    }

    fn way(&self, block: &mut Block, query: Query) {
        if let Ok(Some(way)) = inventory::way(query) {
            if query.interface.is_none()
                && let Some(index) = way.interface
            {
                block.line("interface", &self.interface(index));
            }
            match (query.source, way.source) {
                (Some(source), _) => block.line("source", &format!("{source} (the policy's)")),
                (None, Some(source)) => {
                    block.line("source", &format!("{source} (the kernel's choice)"));
                }
                (None, None) => {}
            }
            block.line("next hop", &next_hop(&way));
        } else if let Some(source) = query.source {
            block.line("source", &format!("{source} (the policy's)"));
        }
        self.warn_of_way(block, query);
    }

    /// Says so where packets would lead nowhere.
    fn warn_of_way(&self, block: &mut Block, query: Query) {
        let to = query.destination;
        let by = query.interface.map_or(String::new(), |index| {
            format!(" on {}", self.interface_name(index))
        });
        let text = match inventory::way(query) {
            Ok(Some(_)) => return,
            Ok(None) if to.is_ipv4() && query.interface.is_some() => format!(
                "no route to {to}{by}: the kernel would look for it on the link itself and send \
                 it to nobody; add one (ip route add default via ROUTER dev {} metric 2000)",
                &by[4..],
            ),
            Ok(None) => format!("no route to {to}{by}: the call fails with ENETUNREACH"),
            Err(why) => format!("the route to {to}{by} refuses: {why}"),
        };
        block.line("warning", &text);
    }

    /// The servers for names, and whose word they are if it is not the policy's.
    fn servers(&self, known: &Known<'_>, route: Option<&Route<'_>>) -> String {
        let servers: Vec<String> = known.servers().iter().map(ToString::to_string).collect();
        let servers = servers.join(", ");
        match route {
            None if servers.is_empty() => "libc's resolver".to_owned(),
            Some(route) if servers.is_empty() && self.is_preference(route) => {
                let name = route.name;
                format!("libc's resolver, for no server is known for `{name}`")
            }
            Some(_) if servers.is_empty() => format!("none: {}", Unusable::NoServers),
            Some(route) if known.is_learned() => {
                let interface = self.inventory.at(route.index);
                let source = interface.and_then(|interface| interface.dns.source.as_ref());
                servers + &source.map(of_source).unwrap_or_default()
            }
            _ => servers,
        }
    }

    fn is_preference(&self, route: &Route<'_>) -> bool {
        self.policy.rule(route.rule).choices.is_preference()
    }

    /// A rule in one line: where it is, and its list.
    fn rule(&self, id: RuleId) -> String {
        let rule = self.policy.rule(id);
        if rule.place == Place::Default {
            return "none: no `use` is written, so all is as if mif were not there".to_owned();
        }
        let choices: Vec<&str> = rule
            .choices
            .0
            .iter()
            .map(|choice| match *choice {
                Choice::Pvd(id) => &*self.policy.pvd(id).name,
                Choice::System => "system",
                Choice::None => "none",
            })
            .collect();
        format!("{} (use {})", self.place(rule.place), choices.join(", "))
    }

    fn place(&self, place: Place) -> String {
        self.policy.place(place).to_string()
    }

    fn rules(&self) -> impl Iterator<Item = (RuleId, &mif_policy::Rule)> {
        (0..).map(RuleId).zip(&self.policy.rules)
    }

    fn interface(&self, index: u32) -> String {
        format!("{} (index {index})", self.interface_name(index))
    }

    fn interface_name(&self, index: u32) -> &str {
        let found = self.inventory.at(index);
        found.map_or("?", |interface| &interface.name)
    }
}

/// ` (AGENT: FILE, FILE)`.
fn of_source(source: &Source) -> String {
    let files: Vec<String> = source
        .files
        .iter()
        .map(|file| file.display().to_string())
        .collect();
    format!(" ({}: {})", source.agent, files.join(", "))
}

fn rule_of(verdict: &Verdict<'_>) -> Option<RuleId> {
    match *verdict {
        Verdict::Route(route) => Some(route.rule),
        Verdict::Pass(Pass::System(rule))
        | Verdict::Refuse(
            Refusal::Chosen(rule)
            | Refusal::Exhausted(rule, _)
            | Refusal::LocalForbidden(rule)
            | Refusal::Resolver(rule),
        ) => Some(rule),
        Verdict::Pass(_) | Verdict::Refuse(_) => None,
    }
}
