//! An explanation as a value, which becomes text for people or JSON for programs. The fields of
//! the JSON are described in docs/mif.md and are not renamed.

use std::fmt;
use std::net::IpAddr;

use mif_policy::Unusable;
use serde::Serialize;

use crate::output::{BAD, GOOD, ODD, TITLE, styled};
use crate::words;

/// Everything `mif explain` says.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    /// As it was typed.
    pub(super) program: String,
    /// The file that would run.
    pub(super) path: Option<String>,
    /// What runs the file, if it is a script.
    pub(super) interpreter: Option<String>,
    /// Why neither libmif.so nor a supervisor gets at it.
    pub(super) unreachable: Option<String>,
    /// Why it is supervised, and not preloaded.
    pub(super) supervised: Option<String>,
    /// The file of the policy; without one the options are the policy.
    pub(super) policy: Option<String>,
    pub(super) flows: Vec<Told>,
}

/// What would happen with one flow, or with the look-up of a name and the flows behind it.
#[derive(Debug, Default, Serialize)]
pub(super) struct Told {
    /// Address or name.
    pub(super) destination: String,
    pub(super) port: u16,
    pub(super) protocol: String,
    pub(super) verdict: Outcome,
    /// Why it passes or is refused.
    pub(super) reason: Option<&'static str>,
    /// The name of the error that the program gets.
    pub(super) error: Option<&'static str>,
    pub(super) rule: Option<Rule>,
    pub(super) pvd: Option<String>,
    pub(super) interface: Option<Interface>,
    pub(super) mark: Option<u32>,
    /// Networks of the rule that were passed over.
    pub(super) skipped: Vec<Skipped>,
    pub(super) source: Option<Source>,
    pub(super) next_hop: Option<NextHop>,
    pub(super) dns: Option<Dns>,
    pub(super) answer: Option<Answer>,
    /// Rules by name before this one: a look-up there that gave the address would decide.
    pub(super) unless: Vec<String>,
    /// Where flows to the addresses of a name go.
    pub(super) flows: Option<String>,
    pub(super) warnings: Vec<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Outcome {
    /// By a network of the policy.
    Route,
    /// As if mif were not there.
    Pass,
    /// Not at all.
    #[default]
    Refuse,
}

#[derive(Debug, Serialize)]
pub(super) struct Rule {
    /// Where it is written, unless it is an option.
    pub(super) file: Option<String>,
    pub(super) line: Option<u32>,
    pub(super) option: Option<&'static str>,
    #[serde(rename = "use")]
    pub(super) choices: Vec<String>,
}

#[derive(Debug, Serialize)]
pub(super) struct Interface {
    pub(super) name: String,
    pub(super) index: u32,
}

#[derive(Debug, Serialize)]
pub(super) struct Skipped {
    pub(super) pvd: String,
    pub(super) reason: String,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Source {
    pub(super) address: IpAddr,
    pub(super) chosen_by: Chooser,
    /// The rule of RFC 6724 section 5 that decided, for IPv6.
    pub(super) rfc6724_rule: Option<u8>,
    pub(super) reason: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Chooser {
    Policy,
    Kernel,
}

#[derive(Debug, Serialize)]
pub(super) struct NextHop {
    /// Without one, the destination itself is on the link.
    pub(super) gateway: Option<IpAddr>,
    /// The route: `default` or a prefix.
    pub(super) route: Option<String>,
    pub(super) table: Option<u32>,
}

#[derive(Debug, Serialize)]
pub(super) struct Dns {
    /// As a policy writes them, in the order they are asked; none where libc's own resolver is.
    pub(super) servers: Vec<String>,
    pub(super) search: Vec<String>,
    /// The zone of the network that the name was chosen by.
    pub(super) zone: Option<String>,
    /// The agent, and its files, that told of them, where the network's own word counts.
    pub(super) learned_by: Option<String>,
    /// Who answers if it is not the servers: `libc`, `hosts`.
    pub(super) by: Option<&'static str>,
}

#[derive(Debug, Serialize)]
pub(super) struct Answer {
    pub(super) canonical: Option<String>,
    /// In the order they would be tried.
    pub(super) addresses: Vec<IpAddr>,
    pub(super) error: Option<String>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let policy = self.policy.as_deref().unwrap_or("the options");
        writeln!(
            f,
            "{} {policy}",
            styled(TITLE, format_args!("policy of {}:", self.program))
        )?;
        if let Some(why) = &self.unreachable {
            writeln!(f, "{} {why}", styled(ODD, "warning:"))?;
        } else if let Some(path) = &self.path {
            write!(f, "program: {path}")?;
            match &self.interpreter {
                Some(interpreter) => writeln!(f, ", run by {interpreter}")?,
                None => writeln!(f)?,
            }
            if let Some(why) = &self.supervised {
                writeln!(f, "supervised: {why}")?;
            }
        }
        self.flows.iter().try_for_each(|flow| write!(f, "\n{flow}"))
    }
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let title = format_args!(
            "{}, port {}, {}",
            self.destination, self.port, self.protocol
        );
        writeln!(f, "{}", styled(TITLE, title))?;
        let mut line = |label: &str, text: &dyn fmt::Display| writeln!(f, "  {label:<10} {text}");
        if let Some(rule) = &self.rule {
            line("rule", rule)?;
        }
        line("verdict", &self.verdict_text())?;
        if let Some(Interface { name, index }) = &self.interface {
            let mark = self.mark.map(|mark| format!(", mark {mark}"));
            let mark = mark.unwrap_or_default();
            line("interface", &format_args!("{name} (index {index}){mark}"))?;
        }
        for Skipped { pvd, reason } in &self.skipped {
            line("skipped", &format_args!("`{pvd}`: {reason}"))?;
        }
        if let Some(source) = &self.source {
            line("source", source)?;
        }
        if let Some(hop) = &self.next_hop {
            line("next hop", hop)?;
        }
        if let Some(dns) = &self.dns {
            if let Some(zone) = &dns.zone {
                line("zone", zone)?;
            }
            line("DNS", &dns.text(self.pvd.as_deref()))?;
        }
        if let Some(answer) = &self.answer {
            line("answer", answer)?;
        }
        if !self.unless.is_empty() {
            let rules = self.unless.join(", ");
            let text = format_args!("a look-up of a name in {rules} gave this address");
            line("unless", &text)?;
        }
        if let Some(flows) = &self.flows {
            line("flows", &format_args!("to the addresses found go {flows}"))?;
        }
        let mut warnings = self.warnings.iter();
        warnings.try_for_each(|text| line("warning", &styled(ODD, text)))
    }
}

impl Told {
    fn verdict_text(&self) -> String {
        let reason = self.reason.unwrap_or("?");
        match self.verdict {
            Outcome::Route => {
                let pvd = self.pvd.as_deref().unwrap_or("?");
                format!("by {}", styled(GOOD, format_args!("`{pvd}`")))
            }
            Outcome::Pass => format!("as without mif: {reason}"),
            Outcome::Refuse => {
                let error = self.error.unwrap_or("ENETUNREACH");
                let what = styled(BAD, format_args!("refused ({error})"));
                format!("{what}, nothing is sent: {reason}")
            }
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.file, self.line, self.option) {
            (Some(file), Some(line), _) => write!(f, "{file}:{line}")?,
            (_, _, Some(option)) => f.write_str(option)?,
            _ => {
                let text = "none: no `use` is written, so all is as if mif were not there";
                return f.write_str(text);
            }
        }
        write!(f, " (use {})", self.choices.join(", "))
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let address = self.address;
        match (self.chosen_by, self.rfc6724_rule, &self.reason) {
            (Chooser::Policy, ..) => write!(f, "{address} (the policy's)"),
            (Chooser::Kernel, Some(rule), Some(why)) => {
                write!(
                    f,
                    "{address} (the kernel's choice by RFC 6724 rule {rule}: {why})"
                )
            }
            (Chooser::Kernel, None, Some(why)) => {
                write!(f, "{address} (the kernel's choice: {why})")
            }
            (Chooser::Kernel, ..) => write!(f, "{address} (the kernel's choice)"),
        }
    }
}

impl fmt::Display for NextHop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.gateway {
            Some(gateway) => write!(f, "{gateway}")?,
            None => f.write_str("the destination itself")?,
        }
        match (&self.route, self.table) {
            (Some(route), Some(table)) => {
                let table = words::table(table);
                write!(f, " (route {route} of {table})")
            }
            _ => Ok(()),
        }
    }
}

impl Dns {
    fn text(&self, pvd: Option<&str>) -> String {
        match (self.by, pvd) {
            (Some("hosts"), _) => "nobody is asked: /etc/hosts has the name".to_owned(),
            (_, Some(_)) if self.servers.is_empty() => {
                format!("none: {}", Unusable::NoServers)
            }
            (_, None) if self.servers.is_empty() => "libc's resolver".to_owned(),
            _ => {
                let learned = self.learned_by.as_ref();
                let learned = learned.map(|source| format!(" ({source})"));
                self.servers.join(", ") + &learned.unwrap_or_default()
            }
        }
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(error) = &self.error {
            return f.write_str(error);
        }
        let addresses: Vec<String> = self.addresses.iter().map(ToString::to_string).collect();
        f.write_str(&addresses.join(", "))?;
        match &self.canonical {
            Some(name) => write!(f, " (of {name})"),
            None => Ok(()),
        }
    }
}
