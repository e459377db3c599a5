//! `mif explain`: what would happen with a flow, which line of the policy says so, and whether the
//! network that it chooses leads there.
//!
//! The verdict is the library's own ([`Policy::decide`] on [`mif_host::Host`]); what is added is
//! the route look-up, the kernel's reasons, and words. Nothing is sent but rtnetlink requests, and
//! questions to DNS servers if they are asked for.

mod name;
mod source;
mod told;
mod why;

use std::io;
use std::net::SocketAddr;

use mif_host::inventory::{self, Inventory, Labels, Query};
use mif_policy::{
    Children, Choice, Flow, Interface, Known, Need, Pass, Place, Policy, Protocol, PvdId, Refusal,
    Route, RuleId, Unusable, Verdict,
};

use crate::arguments::Explain;
use crate::destination::Destination;
use crate::program::{self, Trouble};
use crate::{Failure, output, policy, preflight, words};

use self::told::{Dns, NextHop, Outcome, Report, Skipped, Told};
use self::why::{pass, refusal};

/// Explains how a program would reach destinations.
///
/// # Errors
/// Status 78 for the policy, 2 for what is no destination, 1 if the kernel does not tell what
/// there is.
pub(crate) fn run(arguments: &Explain) -> Result<(), Failure> {
    let (policy, file) = policy::load(&arguments.program)?;
    let protocol = if arguments.udp {
        Protocol::Udp
    } else {
        Protocol::Tcp
    };
    let explainer = Explainer::new(&policy, protocol).map_err(|why| Failure {
        status: 1,
        message: format!("the kernel does not tell which interfaces there are: {why}"),
    })?;
    let parse = |text: &String| {
        let index = |name: &str| Some(explainer.inventory.named(name)?.index);
        Destination::parse(text, index).map_err(|why| Failure {
            status: 2,
            message: format!("destination `{text}`: {why}"),
        })
    };
    let destinations = arguments.destinations.iter().map(parse);
    let destinations = destinations.collect::<Result<Vec<_>, _>>()?;

    let mut report = Report {
        program: arguments.program.display().to_string(),
        path: None,
        interpreter: None,
        unreachable: None,
        supervised: None,
        policy: file.map(|file| file.display().to_string()),
        flows: Vec::new(),
    };
    if arguments.program != policy::ANY_PROGRAM {
        find_program(arguments, policy.children, &mut report)?;
    }
    let mut explainer = explainer;
    for destination in &destinations {
        let told = explainer.explain(destination, arguments.resolve);
        report.flows.push(told);
    }
    if arguments.output.json {
        output::json(&report);
    } else {
        output::text(&report.to_string());
    }
    Ok(())
}

fn find_program(
    arguments: &Explain,
    children: Children,
    report: &mut Report,
) -> Result<(), Failure> {
    // The tool itself is built for the same kind of process as the library.
    let library = arguments.library.clone();
    let library = library.unwrap_or_else(|| "/proc/self/exe".into());
    let target = preflight::target(&library)?;
    let found = program::find(std::slice::from_ref(&arguments.program), target, children);
    let found = match found.map_err(Trouble::supervisable) {
        Ok(program) => program,
        Err(Ok((program, barrier))) => {
            report.supervised = Some(barrier.to_string());
            program
        }
        Err(Err(trouble)) => {
            report.unreachable = Some(trouble.to_string());
            return Ok(());
        }
    };
    report.path = Some(found.path.display().to_string());
    report.interpreter = found.interpreter.map(|file| file.display().to_string());
    Ok(())
}

/// What is being explained, and with what knowledge.
struct Explainer<'p> {
    policy: &'p Policy,
    host: mif_host::Host,
    inventory: Inventory,
    labels: Labels,
    protocol: Protocol,
}

impl<'p> Explainer<'p> {
    fn new(policy: &'p Policy, protocol: Protocol) -> io::Result<Self> {
        Ok(Self {
            policy,
            host: mif_host::Host::new(policy),
            inventory: inventory::read()?,
            // A kernel without IPv6 has none.
            labels: inventory::labels().unwrap_or_default(),
            protocol,
        })
    }

    fn explain(&mut self, destination: &Destination, resolve: bool) -> Told {
        // What was found out for one destination is not known to a program that goes to another.
        self.host = mif_host::Host::new(self.policy);
        let (name, port) = match destination {
            Destination::Address(address) => (address.ip().to_string(), address.port()),
            Destination::Name(name, port) => (name.clone(), *port),
        };
        let mut told = Told {
            destination: name,
            port,
            protocol: self.protocol.to_string(),
            ..Told::default()
        };
        match destination {
            Destination::Address(address) => self.address(&mut told, *address),
            Destination::Name(name, port) => self.name(&mut told, name, *port, resolve),
        }
        told
    }

    fn address(&self, told: &mut Told, to: SocketAddr) {
        let flow = Flow {
            destination: to,
            protocol: self.protocol,
            named: &[],
            origin: None,
        };
        let verdict = self.policy.decide(&flow, &self.host);
        let rule = rule_of(&verdict);
        told.rule = rule.map(|rule| self.rule(rule));
        self.decided(told, &verdict);
        told.skipped = self.skipped(rule, Need::of(to.ip()));
        match verdict {
            Verdict::Route(route) => {
                self.way(told, self.query(to, Some(&route)));
                let known = self.policy.names_on(&route, &self.host);
                told.dns = Some(self.dns(&known, Some(&route)));
            }
            Verdict::Pass(Pass::System(_) | Pass::Scoped) => self.way(told, self.query(to, None)),
            Verdict::Pass(_) | Verdict::Refuse(_) => {}
        }
        if let Some(rule) = rule {
            let before = self.rules().take_while(|(id, _)| *id != rule);
            let named = before.filter(|(_, rule)| !rule.names.is_empty());
            told.unless = named.map(|(_, rule)| self.place(rule.place)).collect();
        }
    }

    fn decided(&self, told: &mut Told, verdict: &Verdict<'_>) {
        match verdict {
            Verdict::Pass(why) => {
                told.verdict = Outcome::Pass;
                told.reason = Some(pass(*why));
            }
            Verdict::Refuse(why) => {
                told.verdict = Outcome::Refuse;
                told.reason = Some(refusal(*why));
                told.error = Some("ENETUNREACH");
            }
            Verdict::Route(route) => {
                told.verdict = Outcome::Route;
                told.pvd = Some(route.name.to_owned());
                told.interface = Some(self.interface(route.index));
                told.mark = route.mark;
            }
        }
    }

    /// The entries of the rule's list that were passed over.
    fn skipped(&self, rule: Option<RuleId>, need: Need) -> Vec<Skipped> {
        let Some(rule) = rule else { return Vec::new() };
        let mut skipped = Vec::new();
        for choice in &self.policy.rule(rule).choices.0 {
            let Choice::Pvd(id) = *choice else { break };
            match self.policy.route(id, rule, need, &self.host) {
                Err(why) => skipped.push(Skipped {
                    pvd: self.policy.pvd(id).name.to_string(),
                    reason: self.unusable(id, why, need),
                }),
                Ok(_) => break,
            }
        }
        skipped
    }

    /// Why an entry of a list is not usable.
    fn unusable(&self, id: PvdId, why: Unusable, need: Need) -> String {
        let pvd = self.policy.pvd(id);
        let family = if need == Need::V4 { "IPv4" } else { "IPv6" };
        let text = match why {
            Unusable::NoAddress if need != Need::Any => format!("no usable address of {family}"),
            Unusable::NoSourceOfFamily if need != Need::Any => {
                format!("no source address of {family}")
            }
            why => why.to_string(),
        };
        match pvd.interface {
            Interface::Named(name) if name.as_str() != &*pvd.name => format!("{text} ({name})"),
            _ => text,
        }
    }

    fn query(&self, to: SocketAddr, route: Option<&Route<'_>>) -> Query {
        const TCP: u8 = 6;
        const UDP: u8 = 17;
        let scope = match to {
            SocketAddr::V6(v6) if v6.scope_id() != 0 => Some(v6.scope_id()),
            _ => None,
        };
        Query {
            destination: to.ip(),
            port: to.port(),
            protocol: match self.protocol {
                Protocol::Udp => UDP,
                _ => TCP,
            },
            interface: route.map(|route| route.index).or(scope),
            source: route.and_then(|route| route.source),
            mark: route.and_then(|route| route.mark),
        }
    }

    fn way(&self, told: &mut Told, query: Query) {
        if let Ok(Some(way)) = inventory::way(query) {
            if told.interface.is_none() {
                told.interface = way.interface.map(|index| self.interface(index));
            }
            told.source = source::of(&query, &way, &self.inventory, &self.labels);
            told.next_hop = Some(NextHop {
                gateway: way.gateway,
                route: way.route.map(|(prefix, length, _)| match length {
                    0 => "default".to_owned(),
                    length => format!("{prefix}/{length}"),
                }),
                table: way.route.map(|(_, _, table)| table),
            });
        } else if let Some(address) = query.source {
            told.source = Some(source::of_policy(address));
        }
        told.warnings.extend(self.warning_of_way(query));
    }

    /// What to say where packets would lead nowhere.
    fn warning_of_way(&self, query: Query) -> Option<String> {
        let to = query.destination;
        let by = query.interface.map(|index| self.interface(index).name);
        let on = by.as_ref().map(|name| format!(" on {name}"));
        let on = on.unwrap_or_default();
        match (inventory::way(query), by) {
            (Ok(Some(_)), _) => None,
            (Ok(None), Some(by)) if to.is_ipv4() => Some(format!(
                "no route to {to}{on}: the kernel would look for it on the link itself and send \
                 it to nobody; add one (ip route add default via ROUTER dev {by} metric 2000)"
            )),
            (Ok(None), _) => Some(format!(
                "no route to {to}{on}: the call fails with ENETUNREACH"
            )),
            (Err(why), _) => Some(format!("the route to {to}{on} refuses: {why}")),
        }
    }

    /// Who answers names, and whose word that is if it is not the policy's.
    fn dns(&self, known: &Known<'_>, route: Option<&Route<'_>>) -> Dns {
        let interface = route.and_then(|route| self.inventory.at(route.index));
        let source = interface.and_then(|interface| interface.dns.source.as_ref());
        Dns {
            servers: texts(known.servers()),
            search: texts(known.search()),
            zone: None,
            learned_by: source.filter(|_| known.is_learned()).map(words::source),
            by: match (known.servers(), route) {
                ([], None) => Some("libc"),
                _ => None,
            },
        }
    }

    /// Where a rule is, and its list.
    fn rule(&self, id: RuleId) -> told::Rule {
        let rule = self.policy.rule(id);
        let choices = rule.choices.0.iter().map(|choice| match *choice {
            Choice::Pvd(id) => self.policy.pvd(id).name.to_string(),
            Choice::System => "system".to_owned(),
            Choice::None => "none".to_owned(),
        });
        let mut told = told::Rule {
            file: None,
            line: None,
            option: None,
            choices: choices.collect(),
        };
        match rule.place {
            Place::File { file, line } => {
                let path = self.policy.files.get(usize::from(file));
                told.file = path.map(ToString::to_string);
                told.line = Some(line);
            }
            Place::Option(name) => told.option = Some(name),
            Place::Default => {}
        }
        told
    }

    fn place(&self, place: Place) -> String {
        self.policy.place(place).to_string()
    }

    fn rules(&self) -> impl Iterator<Item = (RuleId, &mif_policy::Rule)> {
        (0..).map(RuleId).zip(&self.policy.rules)
    }

    fn interface(&self, index: u32) -> told::Interface {
        let found = self.inventory.at(index);
        let name = found.map_or("?", |interface| &interface.name).to_owned();
        told::Interface { name, index }
    }
}

fn texts<T: ToString>(list: &[T]) -> Vec<String> {
    list.iter().map(ToString::to_string).collect()
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
