//! `mif supervise`: runs a program that no preload reaches under its policy.

use std::ffi::{CString, OsStr, OsString};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::Duration;

use mif_policy::Server;
use mif_supervise::{Level, Program, Saying, Trouble};

use crate::{Failure, policy};

/// The names of the library, by which its own entry of `LD_PRELOAD` is known.
const LIBRARY: [&[u8]; 2] = [b"libmif.so", b"libmif.so.0"];
const PRELOAD: &str = "LD_PRELOAD";
/// Keeps the libmif.so of an outer mif-run from putting itself back.
const CHILDREN: &str = "MIF_CHILDREN";

/// Runs `command`; its exit status. `preload` is what `LD_PRELOAD` was for it, where this is not to
/// be taken from the environment; `file` is executed, where that is not what the command begins with.
///
/// # Errors
/// Status 78 for the policy, 126 where it cannot be supervised, 2 for what was typed.
pub(crate) fn run(
    preload: Option<&OsStr>,
    file: Option<&OsStr>,
    command: &[OsString],
) -> Result<ExitCode, Failure> {
    let Some(called) = command.first() else {
        return Err(fails(2, "no program to run"));
    };
    if std::env::var_os(PRELOAD).is_some() {
        return Err(match preload {
            None => begin_anew(command),
            Some(_) => fails(126, "LD_PRELOAD does not go away; nothing was started"),
        });
    }
    let name = file.unwrap_or(called);
    let policy = match file {
        None => policy::load(name)?.0,
        Some(file) => match policy::of_child(file)? {
            Some(policy) => policy,
            None => return Err(become_program(preload, file, command)),
        },
    };
    let words: Vec<_> = command.iter().map(text).collect::<Result<_, _>>()?;
    let program = Program {
        file: text(name)?,
        searched: file.is_none(),
        arguments: words,
        environment: environment(preload, file)?,
    };
    let log = std::env::var_os("MIF_LOG_FILE").filter(|file| !file.is_empty());
    let level = std::env::var_os("MIF_LOG");
    let saying = Saying {
        level: Level::chosen(level.as_deref().map(OsStr::as_bytes)),
        file: log.map(|file| std::path::absolute(&file).map_or(file, Into::into)),
    };
    match mif_supervise::run(policy, &program, saying, by_tls) {
        Ok(status) => Ok(ExitCode::from(status)),
        Err(why @ Trouble::Nested) => Err(fails(126, &format!("{}: {why}", name.display()))),
        Err(why) => Err(fails(
            126,
            &format!("{}: {why}; nothing was started", name.display()),
        )),
    }
}

/// DNS over TLS and HTTPS, as `libmif_tls.so` speaks it.
fn by_tls(
    server: &Server,
    connection: OwnedFd,
    messages: Vec<Vec<u8>>,
    patience: Duration,
) -> Result<Vec<Vec<u8>>, String> {
    let authentication = server.authentication();
    let (name, path) = authentication.ok_or("is spoken to in the clear")?;
    let name = &name;
    mif_tls::exchange(mif_tls::Request {
        connection,
        name,
        path,
        messages,
        patience,
    })
    .map_err(|why| why.to_string())
}

/// A program that has no policy runs as it would without mif.
fn become_program(preload: Option<&OsStr>, file: &OsStr, command: &[OsString]) -> Failure {
    // A name would be looked for on PATH.
    let mut program = Command::new(Path::new(".").join(file));
    program.arg0(&command[0]).args(&command[1..]);
    if let Some(preload) = preload.filter(|preload| !preload.is_empty()) {
        program.env(PRELOAD, preload);
    }
    let why = program.exec();
    fails(126, &format!("{}: {why}", file.display()))
}

/// Begins anew without any preload: libmif.so would steer what this process does for others.
fn begin_anew(command: &[OsString]) -> Failure {
    let mut again = Command::new("/proc/self/exe");
    again.arg0("mif").args(["supervise", "--preload"]);
    again.arg(std::env::var_os(PRELOAD).unwrap_or_default());
    again.arg("--").args(command);
    again.env_remove(PRELOAD).env(CHILDREN, "inherit");
    fails(126, &format!("mif: {}", again.exec()))
}

/// The environment of the program: it is not steered twice, so the preload is without libmif.so.
fn environment(preload: Option<&OsStr>, file: Option<&OsStr>) -> Result<Vec<CString>, Failure> {
    let entries = preload.map(OsStr::as_bytes).unwrap_or_default();
    let entries = entries.split(|byte| matches!(byte, b':' | b' '));
    let is_ours = |entry: &[u8]| LIBRARY.iter().any(|name| entry.ends_with(name));
    let others = entries.filter(|entry| !entry.is_empty() && !is_ours(entry));
    let others = others.collect::<Vec<_>>().join(&b':');
    let begun_anew = preload.is_some() && file.is_none();
    let ours = |name: &OsString| begun_anew && name == CHILDREN;
    let variables = std::env::vars_os().filter(|(name, _)| !ours(name));
    let mut variables: Vec<(OsString, OsString)> = variables.collect();
    if !others.is_empty() {
        variables.push((PRELOAD.into(), OsString::from_vec(others)));
    }
    let joined = variables.into_iter().map(|(mut name, value)| {
        name.push("=");
        name.push(value);
        text(&name)
    });
    joined.collect()
}

fn text(word: impl AsRef<OsStr>) -> Result<CString, Failure> {
    let word = word.as_ref();
    CString::new(word.as_bytes()).map_err(|_| fails(2, "an argument has a NUL byte"))
}

fn fails(status: u8, message: &str) -> Failure {
    Failure {
        status,
        message: message.to_owned(),
    }
}
