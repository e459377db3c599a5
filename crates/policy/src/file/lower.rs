//! The lowering from the written form to the meant one: names become provisioning domains,
//! options take the place of what they replace, defaults are filled in.

use std::net::IpAddr;

use super::read::Placed;
use super::report::{At, Report};
use super::spelling::did_you_mean;
use super::{Input, server, words, written};
use crate::addrsel::AddressSelection;
use crate::fault::{Wrong, quoted};
use crate::model::{
    Children, Choice, Dns, Explicit, Families, Interface, Interfaces, Place, Policy, Pvd, PvdId,
    Rule, Use,
};
use crate::rules::Rules;

/// The library keeps what it knows of each domain in a table of this size.
const MAX_PVDS: usize = 64;

const INTERFACE: At = At::Option("-i / MIF_INTERFACE");
const SOURCE: At = At::Option("-s / MIF_SOURCE");
const DNS: At = At::Option("-d / MIF_DNS");

/// The provisioning domains that the texts define.
pub(super) struct Names {
    /// Of several with the same name the first counts.
    pub(super) pvds: Vec<written::Pvd>,
    /// All texts could be read. Otherwise a name that is not found may be in the unread part.
    pub(super) complete: bool,
}

/// A policy in the making.
struct Lowering<'l, 't> {
    names: &'l Names,
    report: &'l mut Report<'t>,
    pvds: Vec<Pvd>,
    full: bool,
}

/// Makes the policy, which is of use only if `report` has no fault afterwards.
pub(super) fn lower(
    input: &Input,
    app: written::App,
    names: &Names,
    report: &mut Report<'_>,
) -> Policy {
    let mut lowering = Lowering {
        names,
        report,
        pvds: Vec::new(),
        full: false,
    };
    let rules = app.rules.into_iter();
    let mut rules: Vec<Rule> = rules.map(|rule| lowering.rule(rule)).collect();
    let last = lowering.last_rule(input, app.networks.as_ref());
    let default = if last.choices.is_preference() {
        Explicit::Respect
    } else {
        Explicit::Refuse
    };
    rules.push(last);
    let listen = app
        .listen
        .as_ref()
        .map(|listen| lowering.choices(&listen.value, None));
    let servers = lowering.each(&input.options.dns, DNS, server::server);
    let dns = match servers[..] {
        [] => app.dns,
        _ => Dns { servers, ..app.dns },
    };
    Policy {
        pvds: lowering.pvds,
        rules: Rules::new(rules),
        listen,
        explicit: app.explicit.unwrap_or(default),
        local: app.local.unwrap_or(true),
        interfaces: app.interfaces.unwrap_or(Interfaces::All),
        children: app.children.unwrap_or(Children::Follow),
        io_uring: app.reach.io_uring.unwrap_or(false),
        families: app.family.unwrap_or(Families::Any),
        dns,
        addrsel: app.addrsel,
        files: input
            .pvds
            .iter()
            .chain(&input.app)
            .map(|text| text.path.clone())
            .collect(),
    }
}

/// The domain as it is written; `None` for one with a fault.
pub(super) fn meant(written: &written::Pvd) -> Option<Pvd> {
    Some(Pvd {
        name: written.name.clone(),
        interface: Interface::Named(written.interface?),
        sources: written.sources.clone(),
        mark: written.mark,
        dns: written.dns.clone(),
        addrsel: written.addrsel.clone(),
    })
}

impl Lowering<'_, '_> {
    fn rule(&mut self, rule: written::Rule) -> Rule {
        let networks = rule
            .networks
            .as_ref()
            .map(|networks| networks.value.as_slice());
        Rule {
            prefixes: rule.to.prefixes,
            names: rule.to.names,
            ports: rule.ports,
            protocol: rule.protocol,
            choices: self.choices(networks.unwrap_or_default(), None),
            place: self.place(rule.at),
        }
    }

    /// `use`, or what the options put in its place.
    fn last_rule(&mut self, input: &Input, networks: Option<&Placed<written::Names>>) -> Rule {
        let options = &input.options;
        let sources = self.each(&options.sources, SOURCE, words::source);
        let named: written::Names = options
            .interfaces
            .iter()
            .map(|name| Placed {
                value: name.clone(),
                at: INTERFACE,
            })
            .collect();
        let (choices, place) = if !named.is_empty() {
            (self.choices(&named, Some(&sources)), Place::Option("-i"))
        } else if let Some(written) = networks {
            (
                self.choices(&written.value, Some(&sources)),
                self.place(written.at),
            )
        } else if let Some(&first) = sources.first() {
            (self.interface_of(first, &sources), Place::Option("-s"))
        } else if input.app.is_none() && !options.dns.is_empty() {
            (Use([Choice::System].into()), Place::Option("-d"))
        } else {
            (Use([Choice::System].into()), Place::Default)
        };
        let has_pvd = choices
            .0
            .iter()
            .any(|choice| matches!(choice, Choice::Pvd(_)));
        if !sources.is_empty() && !choices.0.is_empty() && !has_pvd {
            let expected = "expected a network in `use` or -i that has this source";
            self.report.fault(
                SOURCE,
                Wrong::new("there is no network to use it on", expected),
            );
        }
        Rule {
            prefixes: Vec::new(),
            names: Vec::new(),
            ports: Vec::new(),
            protocol: None,
            choices,
            place,
        }
    }

    /// A list of names as networks. `sources`, if there are any, take the place of the domains'
    /// own, for this list only.
    fn choices(&mut self, names: &[Placed<String>], sources: Option<&[IpAddr]>) -> Use {
        let mut choices = Vec::new();
        let mut end = None;
        for name in names {
            if let Some(end) = end {
                let message = format!("{} can never be reached", quoted(&name.value));
                let wrong = Wrong::new(message, format!("expected nothing behind `{end}`"));
                self.report.fault(name.at, wrong);
            }
            let choice = match name.value.as_str() {
                "system" => Some(Choice::System),
                "none" => Some(Choice::None),
                _ => self.pvd(name, sources).map(Choice::Pvd),
            };
            choices.extend(choice);
            end = end.or(match choice {
                Some(Choice::System) => Some("system"),
                Some(Choice::None) => Some("none"),
                _ => None,
            });
        }
        Use(choices.into())
    }

    /// The domain of this name: one that the texts define, else the implicit one of the interface.
    fn pvd(&mut self, name: &Placed<String>, sources: Option<&[IpAddr]>) -> Option<PvdId> {
        let written = self.names.pvds.iter().find(|pvd| *pvd.name == *name.value);
        let mut pvd = match written {
            Some(written) => meant(written)?,
            None => self.implicit(name)?,
        };
        if let Some(sources @ [_, ..]) = sources {
            pvd.sources = sources.to_vec();
        }
        self.add(pvd, name.at)
    }

    fn implicit(&mut self, name: &Placed<String>) -> Option<Pvd> {
        match name.value.parse() {
            Ok(interface) => Some(Pvd {
                name: name.value.as_str().into(),
                interface: Interface::Named(interface),
                sources: Vec::new(),
                mark: None,
                dns: Dns::default(),
                addrsel: AddressSelection::default(),
            }),
            Err(_) if !self.names.complete => None,
            Err(why) => {
                let known = self.names.pvds.iter().map(|pvd| &*pvd.name);
                let wrong = Wrong::new(
                    format!(
                        "{} is no provisioning domain and no interface",
                        quoted(&name.value)
                    ),
                    format!("{why}{}", did_you_mean(&name.value, known)),
                );
                self.report.fault(name.at, wrong);
                None
            }
        }
    }

    /// The domain of whichever interface carries `first`.
    fn interface_of(&mut self, first: IpAddr, sources: &[IpAddr]) -> Use {
        let pvd = Pvd {
            name: first.to_string().into(),
            interface: Interface::OfSource,
            sources: sources.to_vec(),
            mark: None,
            dns: Dns::default(),
            addrsel: AddressSelection::default(),
        };
        Use(self.add(pvd, SOURCE).map(Choice::Pvd).into_iter().collect())
    }

    /// The same domain is one entry, wherever it is named.
    fn add(&mut self, pvd: Pvd, at: At) -> Option<PvdId> {
        let index = match self.pvds.iter().position(|known| *known == pvd) {
            Some(index) => index,
            None if self.pvds.len() < MAX_PVDS => {
                self.pvds.push(pvd);
                self.pvds.len() - 1
            }
            None => {
                if !self.full {
                    let message = format!("more than {MAX_PVDS} networks are named");
                    let expected = format!("expected at most {MAX_PVDS} in one policy");
                    self.report.fault(at, Wrong::new(message, expected));
                }
                self.full = true;
                return None;
            }
        };
        u16::try_from(index).ok().map(PvdId)
    }

    fn each<T>(&mut self, texts: &[String], at: At, read: fn(&str) -> Result<T, Wrong>) -> Vec<T> {
        texts
            .iter()
            .filter_map(|text| self.report.take(at, read(text)))
            .collect()
    }

    fn place(&self, at: At) -> Place {
        match at {
            At::Option(_) => Place::Default,
            At::Text { file, start, .. } => Place::File {
                file: u16::try_from(file).unwrap_or(u16::MAX),
                line: self.report.line(file, start),
            },
        }
    }
}
