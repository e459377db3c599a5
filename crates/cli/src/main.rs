//! `mif`: shows the host's networks, checks policies, and explains what they do, before a program
//! runs and without one.
//!
//! It decides with the same crates as libmif.so. No network is changed here. `mif-run` asks it
//! (`preflight`) and starts the program itself, or has it started and watched (`supervise`).
#![forbid(unsafe_code)]

mod arguments;
mod check;
mod destination;
mod doctor;
mod enable;
mod explain;
mod init;
mod output;
mod pages;
mod policy;
mod preflight;
mod program;
mod pvd;
mod shebang;
mod supervise;
mod unit;
mod words;

use std::process::ExitCode;

use clap::Parser;

use crate::arguments::{Arguments, Command};

/// Why the tool ends with another status than 0.
#[derive(Debug)]
struct Failure {
    status: u8,
    message: String,
}

fn main() -> ExitCode {
    let Arguments { command } = Arguments::parse();
    let name = match command {
        Command::Preflight { .. } | Command::Supervise { .. } => "mif-run",
        _ => "mif",
    };
    match run(&command) {
        Ok(status) => status,
        // The message has been printed in another form.
        Err(Failure { status, message }) if message.is_empty() => ExitCode::from(status),
        Err(Failure { status, message }) => {
            output::complain(name, message);
            ExitCode::from(status)
        }
    }
}

fn run(command: &Command) -> Result<ExitCode, Failure> {
    match command {
        Command::Supervise {
            preload,
            file,
            command,
        } => {
            return supervise::run(preload.as_deref(), file.as_deref(), command);
        }
        Command::Check { files, output } => check::run(files, *output),
        Command::Explain(arguments) => explain::run(arguments),
        Command::Pvd(command) => pvd::run(command),
        Command::Doctor(arguments) => doctor::run(arguments),
        Command::Init { file, force } => init::run(file.as_deref(), *force),
        Command::Enable(arguments) => enable::run(arguments),
        Command::Disable { unit } => enable::disable(unit),
        Command::Preflight {
            check: true,
            library,
            reach,
            command,
        } => preflight::check(library, *reach, command),
        Command::Preflight {
            library,
            reach,
            command,
            ..
        } => preflight::run(library, *reach, command),
        Command::Pages { folder } => pages::run(folder),
    }?;
    Ok(ExitCode::SUCCESS)
}
