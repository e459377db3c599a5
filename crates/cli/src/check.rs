//! `mif check`: all faults of policy files, or that there are none.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use mif_host::config::{self, Environment, LoadError, Loaded};
use mif_policy::{Fault, Faults};
use serde::Serialize;

use crate::arguments::Output;
use crate::{Failure, output, policy};

/// Checks these files; without files the policy that the environment names, else every policy of
/// the user's folder and the host's.
///
/// # Errors
/// Status 78 with all faults, or if there is nothing to check.
pub(crate) fn run(files: &[PathBuf], wanted: Output) -> Result<(), Failure> {
    let environment = Environment::from_process();
    let mut report = Report::default();
    if !files.is_empty() {
        report.check(&environment, files);
    } else if is_named(&environment) {
        report.note(of_environment(&environment));
    } else {
        let folders = environment.folders();
        let files = files_of(&folders);
        if files.is_empty() {
            let folders: Vec<String> = folders.iter().map(|at| at.display().to_string()).collect();
            report.other.push(format!(
                "no pvds.toml and no apps/*.toml in {}",
                folders.join(" and ")
            ));
        }
        report.check(&environment, &files);
    }
    report.tell(wanted)
}

/// Says that a policy is right.
pub(crate) fn ok(name: &str) {
    output::text(&format!("{name}: {}\n", output::styled(output::GOOD, "ok")));
}

/// What a policy is called: its file, or what it is made of without one.
pub(crate) fn name(file: Option<&Path>) -> String {
    file.map_or("options".to_owned(), |file| file.display().to_string())
}

/// What came of the files.
#[derive(Default)]
struct Report {
    right: Vec<String>,
    faults: Vec<Fault>,
    /// What is wrong with no place in a text, as messages.
    other: Vec<String>,
}

impl Report {
    fn check(&mut self, environment: &Environment, files: &[PathBuf]) {
        for file in files {
            if file.file_name() == Some(OsStr::new("pvds.toml")) {
                self.note(domains(environment, file));
            } else {
                self.note(application(environment, file));
            }
        }
    }

    fn note(&mut self, found: Result<String, Trouble>) {
        match found {
            Ok(name) => self.right.push(name),
            Err(Trouble::Faults(Faults(found))) => {
                for fault in found {
                    // A faulty pvds.toml is told once, not again for every application.
                    if !self.faults.contains(&fault) {
                        self.faults.push(fault);
                    }
                }
            }
            Err(Trouble::Other(message)) => self.other.push(message),
        }
    }

    fn tell(&self, wanted: Output) -> Result<(), Failure> {
        let count = self.other.len() + self.faults.len();
        let message = if wanted.json {
            output::json(&self.as_json());
            String::new()
        } else {
            for name in &self.right {
                ok(name);
            }
            match (count, &self.other[..]) {
                (1, [only]) if self.right.is_empty() => only.clone(),
                (count, other) => {
                    let faults = self.faults.iter().map(ToString::to_string);
                    let all: Vec<String> = other.iter().cloned().chain(faults).collect();
                    let noun = if count == 1 { "fault" } else { "faults" };
                    format!("{count} {noun} found\n\n{}", all.join("\n\n"))
                }
            }
        };
        match count {
            0 => Ok(()),
            _ => Err(Failure {
                status: policy::FAULTY,
                message,
            }),
        }
    }

    fn as_json(&self) -> Json<'_> {
        let other = self.other.iter().map(|message| JsonFault {
            file: None,
            line: None,
            column: None,
            message,
            expected: None,
        });
        let faults = self.faults.iter().map(|fault| JsonFault {
            file: Some(fault.source()),
            line: fault.position().map(|(line, _)| line),
            column: fault.position().map(|(_, column)| column),
            message: fault.message(),
            expected: Some(fault.expected()).filter(|text| !text.is_empty()),
        });
        Json {
            right: &self.right,
            faults: other.chain(faults).collect(),
        }
    }
}

#[derive(Serialize)]
struct Json<'r> {
    right: &'r [String],
    faults: Vec<JsonFault<'r>>,
}

#[derive(Serialize)]
struct JsonFault<'r> {
    file: Option<&'r str>,
    line: Option<u32>,
    column: Option<u32>,
    message: &'r str,
    expected: Option<&'r str>,
}

enum Trouble {
    Faults(Faults),
    Other(String),
}

impl From<LoadError> for Trouble {
    fn from(error: LoadError) -> Self {
        match error {
            LoadError::Faults(faults) => Self::Faults(faults),
            other => Self::Other(other.to_string()),
        }
    }
}

/// The policy that the environment names.
fn of_environment(environment: &Environment) -> Result<String, Trouble> {
    match config::load(environment, policy::ANY_PROGRAM)? {
        Loaded::Policy { file, .. } => Ok(name(file.as_deref())),
        Loaded::NoPolicy { .. } => Ok(name(None)),
    }
}

/// A file of provisioning domains is checked alone, so that one without an application counts.
fn domains(environment: &Environment, file: &Path) -> Result<String, Trouble> {
    let path = file.display().to_string();
    let Some(text) = environment.text(file)? else {
        return Err(Trouble::Other(format!("{path}: there is no such file")));
    };
    mif_policy::domains(&text)
        .map(|_| path)
        .map_err(Trouble::Faults)
}

/// An application's file is checked with the provisioning domains of the folders.
fn application(environment: &Environment, file: &Path) -> Result<String, Trouble> {
    let environment = Environment {
        policy: Some(file.into()),
        app: None,
        interface: None,
        source: None,
        dns: None,
        ..environment.clone()
    };
    of_environment(&environment)
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
