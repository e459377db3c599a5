//! `mif pvd discover`: hears what networks announce of themselves, and keeps it where libmif.so and
//! `mif` read it (`mif_host::announced`).

mod fetch;
mod https;
mod keep;
mod listen;
mod past;
mod record;

use std::fmt::Write;
use std::time::Duration;

use mif_host::announced::Announced;
use mif_host::config::Environment;
use mif_host::inventory::{self, Interface};
use serde::Serialize;

use self::fetch::Fetcher;
use self::keep::Folder;
use self::listen::Heard;
use self::past::Limits;
use super::announced::{View, now, views};
use super::unknown;
use crate::arguments::Discover;
use crate::output::{TITLE, styled};
use crate::{Failure, output};

/// What was heard on one interface.
#[derive(Debug, Serialize)]
struct Found {
    interface: String,
    /// The file that it is kept in.
    file: String,
    pvds: Vec<View>,
    /// What was not understood, or not believed.
    warnings: Vec<String>,
}

/// Listens, keeps and shows.
///
/// # Errors
/// Status 1 without the privilege, where there is no such interface, or where no router answers.
pub(super) fn run(arguments: &Discover) -> Result<(), Failure> {
    let inventory = inventory::read().map_err(unknown)?;
    let wanted = arguments.interface.as_deref();
    let interfaces: Vec<&Interface> = inventory
        .interfaces
        .iter()
        .filter(|one| {
            wanted.map_or(one.kind != "loopback" && one.carrier, |name| {
                one.name == name
            })
        })
        .collect();
    if interfaces.is_empty() {
        return Err(failure(match wanted {
            Some(name) => format!("no interface is called `{}`", name.escape_debug()),
            None => "no interface is up".to_owned(),
        }));
    }
    let folder = Folder::locked()?;
    let patience = Duration::from_secs(arguments.timeout.into());
    let heard = listen::all(&interfaces, patience)?;
    let is_silent = heard.iter().all(|heard| heard.domains.is_empty());
    let domains = super::read(&Environment::from_process())?;
    let mut found = Vec::new();
    for heard in heard {
        let fetcher = Fetcher {
            inventory: &inventory,
            interface: heard.interface,
            domains: &domains,
            limits: Limits::default(),
        };
        found.push(one(&folder, heard, fetcher)?);
    }
    if arguments.output.json {
        output::json(&found);
    } else {
        found.iter().for_each(show);
    }
    if is_silent {
        let names: Vec<&str> = interfaces.iter().map(|one| &*one.name).collect();
        return Err(failure(format!(
            "no router has answered on {} within {} s",
            names.join(", "),
            arguments.timeout
        )));
    }
    Ok(())
}

/// Joins what was heard with what is known, fetches what is to be fetched, and keeps it all.
fn one(folder: &Folder, mut heard: Heard<'_>, mut fetcher: Fetcher<'_>) -> Result<Found, Failure> {
    let interface = heard.interface;
    let (index, attachment) = (interface.index, keep::attachment(&interface.name));
    let known = folder.known(&interface.name);
    let known = known.filter(|known| known.place() == (index, attachment));
    let now = now();
    let mut domains = record::join(&heard.domains, known.as_ref(), now);
    fetcher.limits = Limits::of(known.as_ref());
    for (domain, said) in domains.iter_mut().zip(&heard.domains) {
        let mut all = known.iter().flat_map(|known| &known.domains);
        let known = all.find(|known| record::is_same(known, domain));
        if let Err(why) = fetcher.inform(domain, said, known, now) {
            let id = domain.id.as_deref().unwrap_or_default();
            heard
                .faults
                .push(format!("additional information of {id}: {why}"));
        }
    }
    let announced = Announced {
        index,
        attachment,
        more: fetcher.limits.lines(),
        domains,
    };
    let file = folder.write(&interface.name, &announced)?;
    Ok(Found {
        interface: interface.name.clone(),
        file: file.display().to_string(),
        pvds: views(&announced),
        warnings: heard.faults,
    })
}

fn show(found: &Found) {
    let mut text = String::new();
    for pvd in &found.pvds {
        let title = format!("{} on {}", pvd.title(), found.interface);
        let _ = writeln!(text, "{}", styled(TITLE, title));
        for (label, value) in pvd.rows() {
            let _ = writeln!(text, "  {label:<11} {value}");
        }
    }
    output::text(&text);
    for warning in &found.warnings {
        eprintln!("mif: warning: {}: {warning}", found.interface);
    }
}

fn failure(message: String) -> Failure {
    Failure { status: 1, message }
}
