//! `mif`: checks policies and explains what they do, before a program runs and without one.
//!
//! It decides with the same crates as libmif.so and never changes anything: no socket is put on a
//! network here, no file is written, no program started. `mif-run` asks it (`preflight`) and
//! starts the program itself.
#![forbid(unsafe_code)]

mod barrier;
mod check;
mod destination;
mod elf;
mod explain;
mod policy;
mod preflight;
mod program;
mod shebang;
mod words;

use std::ffi::OsString;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use mif_policy::Protocol;

use crate::destination::Destination;
use crate::explain::Explainer;

/// Checks and explains the policies of libmif.so.
#[derive(Parser)]
#[command(name = "mif", version, arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Check policy files: says ok, or all faults with exit status 78.
    Check {
        /// Policy files; without any, those that would be used: the ones that the environment
        /// names, else pvds.toml and apps/*.toml of the user's folder and of /etc/mif.
        #[arg(value_name = "FILE")]
        files: Vec<PathBuf>,
    },
    /// Tell how a program would reach destinations, and why; nothing is resolved or sent.
    Explain {
        /// Flows of UDP, not of TCP.
        #[arg(long)]
        udp: bool,
        /// The library that is to get into the program.
        #[arg(long, hide = true)]
        library: Option<PathBuf>,
        /// The program, as it would be typed.
        #[arg(value_name = "PROGRAM")]
        program: OsString,
        /// ADDRESS, ADDRESS:PORT, [ADDRESS]:PORT, NAME or NAME:PORT; the port is 443 if not given.
        #[arg(value_name = "DEST", required = true)]
        destinations: Vec<String>,
    },
    /// What mif-run asks before it starts a program.
    #[command(hide = true)]
    Preflight {
        /// Say ok, and nothing for mif-run to read.
        #[arg(long)]
        check: bool,
        /// The library that is to get into the program.
        #[arg(long)]
        library: PathBuf,
        /// The program and its arguments.
        #[arg(last = true)]
        command: Vec<OsString>,
    },
}

/// Why the tool ends with another status than 0.
#[derive(Debug)]
struct Failure {
    status: u8,
    message: String,
}

fn main() -> ExitCode {
    let Arguments { command } = Arguments::parse();
    let (name, result) = match &command {
        Command::Check { files } => ("mif", check::run(files)),
        Command::Explain {
            udp,
            library,
            program,
            destinations,
        } => {
            let protocol = if *udp { Protocol::Udp } else { Protocol::Tcp };
            (
                "mif",
                explain(library.as_ref(), protocol, program, destinations),
            )
        }
        Command::Preflight {
            check: true,
            library,
            command,
        } => ("mif-run", preflight::check(library, command)),
        Command::Preflight {
            check: false,
            library,
            command,
        } => ("mif-run", preflight::run(library, command)),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure { status, message }) => {
            eprintln!("{name}: {message}");
            ExitCode::from(status)
        }
    }
}

fn explain(
    library: Option<&PathBuf>,
    protocol: Protocol,
    program: &OsString,
    destinations: &[String],
) -> Result<(), Failure> {
    let (policy, file) = policy::load(program)?;
    let explainer = Explainer::new(&policy, protocol).map_err(|why| Failure {
        status: 1,
        message: format!("the kernel does not tell which interfaces there are: {why}"),
    })?;
    let destinations = destinations
        .iter()
        .map(|text| {
            Destination::parse(text, |name| explainer.index(name)).map_err(|why| Failure {
                status: 2,
                message: format!("destination `{text}`: {why}"),
            })
        })
        .collect::<Result<Vec<_>, _>>()?;

    let mut text = String::new();
    let from = file.map_or("the options".to_owned(), |file| file.display().to_string());
    let _ = writeln!(text, "policy of {}: {from}", program.display());
    if program != policy::ANY_PROGRAM {
        // The tool itself is built for the same kind of process as the library.
        let library = library.cloned().unwrap_or_else(|| "/proc/self/exe".into());
        let found = program::find(std::slice::from_ref(program), preflight::target(&library)?);
        let _ = match found {
            Ok(found) => writeln!(text, "program: {found}"),
            Err(trouble) => writeln!(text, "warning: {trouble}"),
        };
    }
    for destination in &destinations {
        let _ = write!(text, "\n{}", explainer.explain(destination));
    }
    say(text.as_bytes());
    Ok(())
}

/// Writes to standard output. A reader that has gone away is no fault of ours.
fn say(bytes: &[u8]) {
    let _ = std::io::stdout().write_all(bytes);
}
