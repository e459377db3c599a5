//! `mif check`: all faults of policy files, or that there are none.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use mif_host::config::{self, Environment, LoadError};
use mif_policy::{Fault, Input, Text, parse};

use crate::{Failure, policy, say};

/// Checks these files; without files the policy that the environment names, else every policy of
/// the user's folder and the host's.
///
/// # Errors
/// Status 78 with all faults, or if there is nothing to check.
pub(crate) fn run(files: &[PathBuf]) -> Result<(), Failure> {
    let environment = Environment::from_process();
    if !files.is_empty() {
        return check(&environment, files);
    }
    if is_named(&environment) {
        let (_, file) = policy::load(OsStr::new(policy::ANY_PROGRAM))?;
        ok(file.as_deref());
        return Ok(());
    }
    let folders = folders(&environment);
    let files = files_of(&folders);
    if files.is_empty() {
        let folders: Vec<String> = folders.iter().map(|at| at.display().to_string()).collect();
        let message = format!(
            "no pvds.toml and no apps/*.toml in {}",
            folders.join(" and ")
        );
        return Err(Failure {
            status: policy::FAULTY,
            message,
        });
    }
    check(&environment, &files)
}

/// Says that a policy is right.
pub(crate) fn ok(file: Option<&Path>) {
    let name = file.map_or("options".to_owned(), |file| file.display().to_string());
    say(format!("{name}: ok\n").as_bytes());
}

fn check(environment: &Environment, files: &[PathBuf]) -> Result<(), Failure> {
    let mut faults = Vec::<Fault>::new();
    let mut unreadable = Vec::new();
    for file in files {
        let found = if file.file_name() == Some(OsStr::new("pvds.toml")) {
            domains(file)
        } else {
            application(environment, file)
        };
        match found {
            Ok(()) => ok(Some(file)),
            // A faulty pvds.toml is told once, not again for every application.
            Err(Trouble::Faults(found)) => {
                for fault in found {
                    if !faults.contains(&fault) {
                        faults.push(fault);
                    }
                }
            }
            Err(Trouble::Other(message)) => unreadable.push(message),
        }
    }
    let mut messages = unreadable;
    messages.extend(faults.iter().map(ToString::to_string));
    if messages.is_empty() {
        return Ok(());
    }
    Err(Failure {
        status: policy::FAULTY,
        message: format!(
            "{} found\n\n{}",
            count(messages.len()),
            messages.join("\n\n")
        ),
    })
}

fn count(faults: usize) -> String {
    match faults {
        1 => "1 fault".to_owned(),
        more => format!("{more} faults"),
    }
}

enum Trouble {
    Faults(Vec<Fault>),
    Other(String),
}

/// A file of provisioning domains is checked alone, so that one without an application counts.
fn domains(file: &Path) -> Result<(), Trouble> {
    let text = fs::read_to_string(file)
        .map_err(|why| Trouble::Other(format!("{}: {why}", file.display())))?;
    let text = Text {
        path: file.display().to_string().into(),
        text,
    };
    let input = Input {
        pvds: vec![text],
        ..Input::default()
    };
    parse(&input)
        .map(|_| ())
        .map_err(|faults| Trouble::Faults(faults.0))
}

/// An application's file is checked with the provisioning domains of the folders.
fn application(environment: &Environment, file: &Path) -> Result<(), Trouble> {
    let environment = Environment {
        policy: Some(file.into()),
        app: None,
        interface: None,
        source: None,
        dns: None,
        ..environment.clone()
    };
    match config::load(&environment, policy::ANY_PROGRAM) {
        Ok(_) => Ok(()),
        Err(LoadError::Faults(faults)) => Err(Trouble::Faults(faults.0)),
        Err(other) => Err(Trouble::Other(other.to_string())),
    }
}

fn is_named(environment: &Environment) -> bool {
    let options = [
        &environment.app,
        &environment.interface,
        &environment.source,
        &environment.dns,
    ];
    environment.policy.is_some() || options.iter().any(|value| value.is_some())
}

/// The folders of policies: the user's, then the host's.
fn folders(environment: &Environment) -> Vec<PathBuf> {
    let home = environment.home.as_ref().map(|home| home.join(".config"));
    let user = environment.config_home.clone().or(home);
    let user = user.map(|folder| folder.join("mif"));
    user.into_iter()
        .chain([environment.system.clone()])
        .collect()
}

fn files_of(folders: &[PathBuf]) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for folder in folders {
        let domains = folder.join("pvds.toml");
        files.extend(domains.exists().then_some(domains));
        let Ok(entries) = fs::read_dir(folder.join("apps")) else {
            continue;
        };
        let mut apps: Vec<PathBuf> = entries
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| path.extension() == Some(OsStr::new("toml")))
            .collect();
        apps.sort();
        files.extend(apps);
    }
    files
}
