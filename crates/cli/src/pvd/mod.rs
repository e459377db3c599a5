//! `mif pvd`: the networks of this host, their configuration and its changes.

mod announced;
mod changes;
mod discover;
pub(crate) mod domain;
mod text;
mod watch;

use mif_host::config::Environment;

use self::domain::{Domain, Domains};
use crate::arguments::{Output, Pvd};
use crate::{Failure, output};

/// Lists, shows, discovers or watches the provisioning domains.
///
/// # Errors
/// Status 1 if the kernel does not tell, or if there is no such domain.
pub(crate) fn run(command: &Pvd) -> Result<(), Failure> {
    let environment = Environment::from_process();
    match command {
        Pvd::List { output } => list(&read(&environment)?, *output),
        Pvd::Show { name, output } => show(&read(&environment)?, name, *output)?,
        Pvd::Discover(arguments) => discover::run(arguments)?,
        Pvd::Watch { output } => watch::run(&environment, *output).map_err(unknown)?,
    }
    Ok(())
}

pub(crate) fn read(environment: &Environment) -> Result<Domains, Failure> {
    Domains::read(environment).map_err(unknown)
}

#[allow(clippy::needless_pass_by_value, reason = "for map_err")]
pub(crate) fn unknown(why: std::io::Error) -> Failure {
    Failure {
        status: 1,
        message: format!("the kernel does not tell which networks there are: {why}"),
    }
}

fn list(domains: &Domains, wanted: Output) {
    if wanted.json {
        return output::json(domains);
    }
    output::text(&text::table(&domains.pvds));
    warn(domains);
}

/// The domain of this name.
///
/// # Errors
/// Status 1 and the names that there are.
pub(crate) fn named<'d>(domains: &'d Domains, name: &str) -> Result<&'d Domain, Failure> {
    let found = domains.pvds.iter().find(|domain| domain.name == name);
    found.ok_or_else(|| {
        let names: Vec<&str> = domains.pvds.iter().map(|domain| &*domain.name).collect();
        Failure {
            status: 1,
            message: format!(
                "no provisioning domain and no interface is called `{}`; there are {}",
                name.escape_debug(),
                names.join(", ")
            ),
        }
    })
}

fn show(domains: &Domains, name: &str, wanted: Output) -> Result<(), Failure> {
    let domain = named(domains, name)?;
    if wanted.json {
        output::json(domain);
    } else {
        output::text(&text::page(domain));
        warn(domains);
    }
    Ok(())
}

fn warn(domains: &Domains) {
    for warning in &domains.warnings {
        output::complain("mif: warning", warning);
    }
}
