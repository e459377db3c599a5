//! Whether libmif.so gets into a program: finds it as a shell does, follows scripts to their
//! interpreter, and looks for what makes `ld.so` skip a preload or the program skip libc.
//!
//! Nothing is run, and only the program that is typed is looked at: what it starts in turn is not
//! known before it does.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::fs::{self, File};
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use mif_policy::Children;
use mif_program::barrier::{self, Barrier};
use mif_program::{Elf, Target, Unreachable, Window, shebang};
use rustix::fs::{Access, AtFlags, CWD};

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
        barrier: Box<Barrier>,
    },
}

/// The kernel follows five `#!` lines; `env` adds one step to each.
const MAX_STEPS: usize = 10;
/// Where the C library looks for programs without `PATH`, and where Debian's shells do.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Finds the program that a shell would run for `command` (a name or a path, then arguments), and
/// checks that a library for `library` gets into it. Where `children` keep the policy, `env -i` takes
/// nothing from them.
///
/// # Errors
/// Why it is not to be started.
pub(crate) fn find(
    command: &[OsString],
    library: Target,
    children: Children,
) -> Result<Program, Trouble> {
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
        Some(Barrier::ClearedEnvironment) if children == Children::Follow => Ok(program),
        Some(barrier) => Err(Trouble::Unreachable {
            path: program.path,
            interpreter: program.interpreter,
            barrier: barrier.into(),
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
        if let Some(barrier) = of_launcher(file, &arguments) {
            return Ok(Some(barrier));
        }
        let unreadable = |why: std::io::Error| {
            let why = format!("cannot be read, so nothing tells whether mif reaches it: {why}");
            shell(126, file.as_os_str(), &why)
        };
        let opened = File::open(file).map_err(unreadable)?;
        let mut window = Window::new(opened.as_fd()).map_err(|why| unreadable(why.into()))?;
        let head = window.up_to(0, shebang::LONGEST).unwrap_or_default();
        if Elf::begins(head) {
            let called = file.as_os_str().as_bytes();
            return match Elf::read(&mut window) {
                Ok(elf) => Ok(barrier::of_elf(called, opened.as_fd(), &elf, library)),
                Err(why) => Err(shell(126, file.as_os_str(), &format!("malformed: {why}"))),
            };
        }
        let next = match Interpreter::of(head) {
            // A shell runs a text without `#!` itself, and what is no text it cannot execute.
            None if head.contains(&0) => {
                return Err(shell(126, file.as_os_str(), "exec format error"));
            }
            None => {
                program.interpreter = Some("/bin/sh".into());
                continue;
            }
            Some(Interpreter::File(path, argument)) => {
                arguments = argument.into_iter().collect();
                path
            }
            Some(Interpreter::ByEnv(words)) => match words {
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

fn of_launcher(file: &Path, arguments: &[OsString]) -> Option<Barrier> {
    let real = fs::canonicalize(file).unwrap_or_else(|_| file.into());
    let words = || arguments.iter().map(|word| word.as_bytes());
    if real.file_name() == Some(OsStr::new("env")) && barrier::env_clears(words()) {
        return Some(Barrier::ClearedEnvironment);
    }
    let (called, real) = (file.as_os_str(), real.as_os_str());
    barrier::of_launcher(called.as_bytes(), real.as_bytes(), &words())
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
    /// The program, and what keeps the library out of it, where a supervisor gets at it.
    ///
    /// # Errors
    /// The trouble itself, where none does.
    pub(crate) fn supervisable(self) -> Result<(Program, Barrier), Self> {
        match self {
            Self::Unreachable {
                path,
                interpreter,
                barrier,
            } if barrier.lets_supervise() => Ok((Program { path, interpreter }, *barrier)),
            other => Err(other),
        }
    }

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
                let unreachable = Unreachable {
                    path: path.as_os_str().as_bytes(),
                    interpreter: interpreter.as_ref().map(|path| path.as_os_str().as_bytes()),
                    barrier: **barrier,
                };
                let remedy = barrier.remedy();
                write!(f, "{unreachable}; nothing was started. {remedy}")
            }
        }
    }
}
