//! `mif doctor`: what is wrong with the host's networks, and the command that mends it.
//!
//! Each provisioning domain is looked at as a program that is put on it would find it. Nothing is
//! changed here. What is sent is a few echo requests to the router of each family and one question to
//! each DNS server, and more only if something is wrong or it is asked for.

mod link;
pub(crate) mod names;
pub(crate) mod patient;
mod portal;
mod routes;
mod size;

use mif_host::config::Environment;
use mif_host::inventory::Inventory;
use serde::Serialize;

use self::patient::Patient;
use crate::arguments::Doctor;
use crate::output::{BAD, GOOD, TITLE, styled};
use crate::pvd::domain::{Author, Domain};
use crate::{Failure, output, pvd};

/// Something was found.
const FOUND: u8 = 3;

/// What is wrong, what follows from it, and what mends it.
#[derive(Debug, Serialize)]
struct Finding {
    /// The check's name in docs/mif.md.
    check: &'static str,
    /// What is the matter, in one sentence.
    what: String,
    /// What it means for programs on this network.
    why: String,
    /// Commands for a shell, all of them in this order; none if no command can help.
    mend: Vec<String>,
    /// What to know before, or to do instead.
    hint: Option<String>,
}

/// One provisioning domain.
#[derive(Debug, Serialize)]
struct Examined<'d> {
    name: &'d str,
    interface: &'d str,
    /// What was looked at and is as it should be, one sentence each.
    fine: Vec<String>,
    findings: Vec<Finding>,
}

/// All of it.
#[derive(Debug, Serialize)]
struct Report<'d> {
    /// The name that DNS servers were asked for.
    asked: &'d str,
    pvds: Vec<Examined<'d>>,
    /// Interfaces that nobody names and that are down.
    left_out: Vec<&'d str>,
}

/// Examines the named provisioning domains, or all.
///
/// # Errors
/// Status 3 and no message if something was found; status 1 if the kernel does not tell, or if
/// there is no such domain.
pub(crate) fn run(arguments: &Doctor) -> Result<(), Failure> {
    let environment = Environment::from_process();
    let domains = pvd::read(&environment)?;
    let inventory = mif_host::inventory::read().map_err(pvd::unknown)?;
    let mut report = Report {
        asked: &arguments.name,
        pvds: Vec::new(),
        left_out: Vec::new(),
    };
    if arguments.pvds.is_empty() {
        for domain in &domains.pvds {
            let is_down = domain.link.as_ref().is_some_and(|link| !link.up);
            if is_down && domain.defined_by == Author::Interface {
                report.left_out.push(&domain.name);
            } else {
                report.pvds.push(examine(domain, &inventory, arguments));
            }
        }
    }
    for name in &arguments.pvds {
        let domain = pvd::named(&domains, name)?;
        report.pvds.push(examine(domain, &inventory, arguments));
    }
    if arguments.output.json {
        output::json(&report);
    } else {
        output::text(&text(&report));
    }
    for warning in &domains.warnings {
        output::complain("mif: warning", warning);
    }
    if report.pvds.iter().all(|one| one.findings.is_empty()) {
        Ok(())
    } else {
        Err(Failure {
            status: FOUND,
            message: String::new(),
        })
    }
}

fn examine<'d>(domain: &'d Domain, inventory: &Inventory, arguments: &Doctor) -> Examined<'d> {
    let mut examined = Examined {
        name: &domain.name,
        interface: &domain.interface,
        fine: Vec::new(),
        findings: Vec::new(),
    };
    let Some(patient) = Patient::new(domain, inventory) else {
        examined.findings.push(link::missing(domain));
        return examined;
    };
    if !link::check(&patient, &mut examined) {
        return examined;
    }
    if !routes::check(&patient, &mut examined) {
        return examined;
    }
    size::check(&patient, &mut examined);
    names::check(&patient, &arguments.name, &mut examined);
    if let Some(url) = &arguments.probe {
        portal::check(&patient, url, &mut examined);
    }
    examined
}

fn text(report: &Report<'_>) -> String {
    let mut lines = Vec::new();
    for one in &report.pvds {
        let verdict = match one.findings.len() {
            0 => styled(GOOD, "nothing wrong"),
            1 => styled(BAD, "1 finding"),
            count => styled(BAD, format_args!("{count} findings")),
        };
        let of = if one.name == one.interface {
            String::new()
        } else {
            format!(" ({})", one.interface)
        };
        lines.push(format!("{}{of}: {verdict}", styled(TITLE, one.name)));
        for fine in &one.fine {
            lines.push(format!("  {} {fine}", styled(GOOD, "ok")));
        }
        for finding in &one.findings {
            lines.push(format!("  {} {}", styled(BAD, "!!"), finding.what));
            lines.push(format!("     {}", finding.why));
            for command in &finding.mend {
                lines.push(format!("     mend: {}", styled(TITLE, command)));
            }
            lines.extend(finding.hint.iter().map(|hint| format!("     {hint}")));
        }
        lines.push(String::new());
    }
    if !report.left_out.is_empty() {
        let names = report.left_out.join(", ");
        lines.push(format!(
            "Not examined, because they are down and no file names them: {names}."
        ));
    }
    format!("{}\n", lines.join("\n").trim_end())
}
