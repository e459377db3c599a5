//! Whether libmif.so gets into a program: finds it as a shell does, follows scripts to their
//! interpreter, and looks for what makes `ld.so` skip a preload or the program skip libc.
//!
//! Nothing is run, and only the program that is typed is looked at: what it starts in turn is not
//! known before it does.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::fs::{self, File};
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, AtFlags, CWD};

use crate::barrier::{self, Barrier};
use crate::elf::{Elf, Target};
use crate::shebang::{Env, Interpreter};

/// A program that the library gets into.
#[derive(Debug)]
pub(crate) struct Program {
    /// Where it was found.
    pub(crate) path: PathBuf,
    /// The interpreter that runs it, if it is a script.
    pub(crate) interpreter: Option<PathBuf>,
}

/// Why a program is not to be started.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// As a shell says it: 127 for what is not there, 126 for what cannot be executed.
    Shell {
        /// The exit status.
        status: u8,
        /// What is the matter, beginning with the program.
        message: String,
    },
    /// It could run, but without the library.
    Unreachable {
        /// The program.
        path: PathBuf,
        /// The interpreter that has the barrier, if the program is a script.
        interpreter: Option<PathBuf>,
        /// What is in the way.
        barrier: Barrier,
    },
}

/// `BINPRM_BUF_SIZE`: the kernel looks no further for the end of a `#!` line.
const HEAD: u64 = 256;
/// The kernel follows five `#!` lines; `env` adds one step to each.
const MAX_STEPS: usize = 10;
/// Where the C library looks for programs without `PATH`, and where Debian's shells do.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Finds the program that a shell would run for `command` (a name or a path, then arguments), and
/// checks that a library for `library` gets into it.
///
/// # Errors
/// Why it is not to be started.
pub(crate) fn find(command: &[OsString], library: Target) -> Result<Program, Trouble> {
    let Some((name, arguments)) = command.split_first() else {
        return Err(shell(127, OsStr::new(""), "no program is named"));
    };
    let path = search(name)?;
    let mut program = Program {
        path,
        interpreter: None,
    };
    match follow(&mut program, arguments, library)? {
        None => Ok(program),
        Some(barrier) => Err(Trouble::Unreachable {
            path: program.path,
            interpreter: program.interpreter,
            barrier,
        }),
    }
}

/// Follows `#!` lines until there is a barrier or an ELF file without one.
fn follow(
    program: &mut Program,
    arguments: &[OsString],
    library: Target,
) -> Result<Option<Barrier>, Trouble> {
    let mut arguments = arguments.to_vec();
    for _ in 0..MAX_STEPS {
        let file = program.interpreter.as_ref().unwrap_or(&program.path);
        if let Some(barrier) = barrier::of_launcher(file, &arguments) {
            return Ok(Some(barrier));
        }
        let head = head(file).map_err(|why| {
            let why = format!("cannot be read, so nothing tells whether mif reaches it: {why}");
            shell(126, file.as_os_str(), &why)
        })?;
        if head.starts_with(b"\x7fELF") {
            return match File::open(file).map_err(Into::into).and_then(read_elf) {
                Ok(elf) => Ok(barrier::of_elf(file, &elf, library)),
                Err(why) => Err(shell(126, file.as_os_str(), &format!("malformed: {why}"))),
            };
        }
        let Some(line) = head.strip_prefix(b"#!") else {
            // A shell runs a text without `#!` itself, and what is no text it cannot execute.
            if head.contains(&0) {
                return Err(shell(126, file.as_os_str(), "exec format error"));
            }
            program.interpreter = Some("/bin/sh".into());
            continue;
        };
        let next = match Interpreter::of(line) {
            Interpreter::File(path, argument) => {
                arguments = argument.into_iter().collect();
                path
            }
            Interpreter::ByEnv(words) => match words {
                Env::Clears => return Ok(Some(Barrier::ClearedEnvironment)),
                Env::Runs(name, rest) => {
                    arguments = rest;
                    search(&name)?
                }
            },
        };
        if let Err(why) = executable(&next) {
            let script = program.path.as_os_str();
            return Err(shell(
                127,
                script,
                &format!("its interpreter {}: {why}", next.display()),
            ));
        }
        program.interpreter = Some(next);
    }
    Err(shell(
        126,
        program.path.as_os_str(),
        "too many interpreters in a row",
    ))
}

fn read_elf(file: File) -> Result<Elf, Box<dyn std::error::Error>> {
    Ok(Elf::read(file)?)
}

/// The file that a shell would run for a name.
fn search(name: &OsStr) -> Result<PathBuf, Trouble> {
    if name.as_bytes().contains(&b'/') {
        return match executable(Path::new(name)) {
            Ok(()) => Ok(name.into()),
            Err(why) => Err(shell(why.status(), name, why.text())),
        };
    }
    let path = std::env::var_os("PATH").unwrap_or_else(|| DEFAULT_PATH.into());
    let mut worst = NotExecutable::Missing;
    if !name.is_empty() {
        for folder in std::env::split_paths(&path) {
            // An empty entry of PATH is the working folder.
            let file = Path::new(".").join(folder).join(name);
            match executable(&file) {
                Ok(()) => return Ok(file),
                // A folder of PATH that may not be searched counts for nothing.
                Err(NotExecutable::Denied) if file.exists() => worst = NotExecutable::Denied,
                Err(_) => {}
            }
        }
    }
    match worst {
        NotExecutable::Missing => Err(shell(127, name, "command not found")),
        why => Err(shell(why.status(), name, why.text())),
    }
}

enum NotExecutable {
    Missing,
    Folder,
    Denied,
}

fn executable(file: &Path) -> Result<(), NotExecutable> {
    match fs::metadata(file) {
        Ok(found) if found.is_dir() => return Err(NotExecutable::Folder),
        Ok(_) => {}
        Err(why) if why.kind() == std::io::ErrorKind::PermissionDenied => {
            return Err(NotExecutable::Denied);
        }
        Err(_) => return Err(NotExecutable::Missing),
    }
    rustix::fs::accessat(CWD, file, Access::EXEC_OK, AtFlags::EACCESS)
        .map_err(|_| NotExecutable::Denied)
}

impl NotExecutable {
    fn status(&self) -> u8 {
        match self {
            Self::Missing => 127,
            Self::Folder | Self::Denied => 126,
        }
    }

    fn text(&self) -> &'static str {
        match self {
            Self::Missing => "no such file or directory",
            Self::Folder => "is a directory",
            Self::Denied => "permission denied",
        }
    }
}

impl fmt::Display for NotExecutable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

fn head(file: &Path) -> std::io::Result<Vec<u8>> {
    let mut head = Vec::new();
    File::open(file)?.take(HEAD).read_to_end(&mut head)?;
    Ok(head)
}

fn shell(status: u8, program: &OsStr, what: &str) -> Trouble {
    Trouble::Shell {
        status,
        message: format!("{}: {what}", program.display()),
    }
}

impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path.display())?;
        match &self.interpreter {
            Some(interpreter) => write!(f, ", run by {}", interpreter.display()),
            None => Ok(()),
        }
    }
}

impl Trouble {
    /// The exit status that goes with it.
    pub(crate) fn status(&self) -> u8 {
        match self {
            Self::Shell { status, .. } => *status,
            Self::Unreachable { .. } => 126,
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shell { message, .. } => f.write_str(message),
            Self::Unreachable {
                path,
                interpreter,
                barrier,
            } => {
                write!(f, "cannot reach {}: ", path.display())?;
                if let Some(interpreter) = interpreter {
                    write!(f, "its interpreter {}: ", interpreter.display())?;
                }
                write!(f, "{barrier}; nothing was started. {}", barrier.remedy())
            }
        }
    }
}
