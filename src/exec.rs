//! The exec and `posix_spawn` families: a program that the application starts is under the policy, too
//! (`children` of the policy). One that no preload reaches is supervised, or is not started.
//!
//! libc's functions of these families call each other inside libc, past every preload, so each is
//! here. They are called between `vfork` and `exec`, in the memory of a process that goes on, and
//! from signal handlers: nothing is allocated, and nothing stays open.

use std::ffi::{CStr, c_char, c_int, c_void};

use mif_policy::Children;
use rustix::io::Errno;

use crate::connect::fail;
use crate::environment::{Change, Given};
use crate::guard;
use crate::hooks::real;
use crate::init::{Active, governing};
use crate::log::Level;
use crate::memory::is_there;
use crate::reach::{self, Found, Path, Program};
use crate::strings::Strings;
use crate::supervise;

/// One call of the families.
#[derive(Clone, Copy)]
struct Start {
    call: &'static str,
    program: Program,
    environment: Strings,
    /// Returns an error as the call does.
    refuse: fn(Errno) -> c_int,
}

/// Starts the caller's program with an environment.
type Run<'r> = &'r mut dyn FnMut(Strings) -> c_int;
/// Starts another program, with these arguments and this environment.
type Other<'r> = &'r mut dyn FnMut(&CStr, Strings, Strings) -> c_int;

/// What is to be started.
#[allow(clippy::large_enum_variant)] // Nothing may be allocated.
enum Plan<'a> {
    /// What the caller says.
    AsIs,
    /// The same with another environment.
    With(Change<'a>),
    /// This tool, to supervise it.
    Supervised(Path, Found, Change<'a>),
}

/// # Safety
/// As execve(2).
pub(crate) unsafe fn execve(path: *const c_char, argv: Strings, envp: Strings) -> c_int {
    let start = Start::new("execve", path, argv, envp);
    let mut run = |envp| {
        // SAFETY: the caller's own arguments, but for the environment.
        unsafe { real::execve(path, argv, envp) }
    };
    // SAFETY: the caller's contract.
    unsafe { start.by(&mut run, &mut execute) }
}

/// libc's is `execve` with this process's environment.
///
/// # Safety
/// As execv(3).
pub(crate) unsafe fn execv(path: *const c_char, argv: Strings) -> c_int {
    // SAFETY: the caller's contract.
    unsafe { execve(path, argv, own_environment()) }
}

/// # Safety
/// As execvpe(3).
pub(crate) unsafe fn execvpe(file: *const c_char, argv: Strings, envp: Strings) -> c_int {
    let mut start = Start::new("execvp", file, argv, envp);
    start.program.searched = true;
    start.program.by_shell = true;
    let mut run = |envp| {
        // SAFETY: the caller's own arguments, but for the environment.
        unsafe { real::execvpe(file, argv, envp) }
    };
    // SAFETY: the caller's contract.
    unsafe { start.by(&mut run, &mut execute) }
}

/// libc's is `execvpe` with this process's environment.
///
/// # Safety
/// As execvp(3).
pub(crate) unsafe fn execvp(file: *const c_char, argv: Strings) -> c_int {
    // SAFETY: the caller's contract.
    unsafe { execvpe(file, argv, own_environment()) }
}

/// # Safety
/// As fexecve(3).
pub(crate) unsafe fn fexecve(fd: c_int, argv: Strings, envp: Strings) -> c_int {
    let mut start = Start::new("fexecve", c"".as_ptr(), argv, envp);
    start.program.folder = fd;
    let mut run = |envp| {
        // SAFETY: the caller's own arguments, but for the environment.
        unsafe { real::fexecve(fd, argv, envp) }
    };
    // libc refuses these.
    if fd < 0 || argv.is_null() || envp.is_null() {
        return run(envp);
    }
    // SAFETY: the caller's contract.
    unsafe { start.by(&mut run, &mut execute) }
}

/// # Safety
/// As execveat(2).
pub(crate) unsafe fn execveat(
    folder: c_int,
    path: *const c_char,
    argv: Strings,
    envp: Strings,
    flags: c_int,
) -> c_int {
    let mut start = Start::new("execveat", path, argv, envp);
    // Without AT_EMPTY_PATH, an empty path is no file.
    if flags & libc::AT_EMPTY_PATH != 0 || !is_empty(path) {
        start.program.folder = folder;
    }
    start.program.no_link = flags & libc::AT_SYMLINK_NOFOLLOW != 0;
    let mut run = |envp| {
        // SAFETY: the caller's own arguments, but for the environment.
        unsafe { real::execveat(folder, path, argv, envp, flags) }
    };
    // SAFETY: the caller's contract.
    unsafe { start.by(&mut run, &mut execute) }
}

/// # Safety
/// As `posix_spawn(3)`.
pub(crate) unsafe fn posix_spawn(
    child: *mut libc::pid_t,
    path: *const c_char,
    actions: *const c_void,
    attributes: *const c_void,
    argv: Strings,
    envp: Strings,
) -> c_int {
    let mut start = Start::new("posix_spawn", path, argv, envp);
    start.refuse = Errno::raw_os_error;
    let mut run = |envp| {
        // SAFETY: the caller's own arguments, but for the environment.
        unsafe { real::posix_spawn(child, path, actions, attributes, argv, envp) }
    };
    let mut other = |path: &CStr, argv, envp| {
        // SAFETY: the caller's own arguments, but for those of the program.
        unsafe { real::posix_spawn(child, path.as_ptr(), actions, attributes, argv, envp) }
    };
    // SAFETY: the caller's contract.
    unsafe { start.by(&mut run, &mut other) }
}

/// # Safety
/// As `posix_spawnp(3)`.
pub(crate) unsafe fn posix_spawnp(
    child: *mut libc::pid_t,
    file: *const c_char,
    actions: *const c_void,
    attributes: *const c_void,
    argv: Strings,
    envp: Strings,
) -> c_int {
    let mut start = Start::new("posix_spawnp", file, argv, envp);
    start.program.searched = true;
    start.refuse = Errno::raw_os_error;
    let mut run = |envp| {
        // SAFETY: the caller's own arguments, but for the environment.
        unsafe { real::posix_spawnp(child, file, actions, attributes, argv, envp) }
    };
    let mut other = |path: &CStr, argv, envp| {
        // SAFETY: the caller's own arguments, but for those of the program.
        unsafe { real::posix_spawn(child, path.as_ptr(), actions, attributes, argv, envp) }
    };
    // SAFETY: the caller's contract.
    unsafe { start.by(&mut run, &mut other) }
}

/// The environment of this process at this moment.
pub(crate) fn own_environment() -> Strings {
    // SAFETY: libc's variable; who changes it while another thread reads it breaks libc's own rule.
    unsafe { libc::environ }.cast()
}

/// Becomes another program than the caller's.
fn execute(path: &CStr, argv: Strings, envp: Strings) -> c_int {
    // SAFETY: arrays that were made for this call.
    unsafe { real::execve(path.as_ptr(), argv, envp) }
}

fn is_empty(path: *const c_char) -> bool {
    // SAFETY: a C string has at least its NUL.
    is_there(path) && unsafe { path.read() } == 0
}

impl Start {
    fn new(call: &'static str, path: *const c_char, argv: Strings, envp: Strings) -> Self {
        Self {
            call,
            program: Program {
                folder: libc::AT_FDCWD,
                path,
                searched: false,
                by_shell: false,
                no_link: false,
                arguments: argv,
            },
            environment: envp,
            refuse: fail,
        }
    }

    /// Starts it by libc's function, with the environment that the policy wants it to have: by `run`,
    /// or another program in its place by `other`.
    ///
    /// # Safety
    /// Path, arguments and environment are as the exec family takes them, or null, or invalid for
    /// every process.
    unsafe fn by(&self, run: Run<'_>, other: Other<'_>) -> c_int {
        let Some(active) = governing() else {
            return run(self.environment);
        };
        // SAFETY: the caller's contract.
        let decide = || unsafe { self.plan(active) };
        let started = match guard::unless_panic(Err(Errno::ACCESS), decide) {
            Ok(Plan::AsIs) => return run(self.environment),
            // SAFETY: the caller's contract.
            Ok(Plan::With(change)) => unsafe { change.with(self.environment, run) },
            // SAFETY: the caller's contract.
            Ok(Plan::Supervised(tool, found, change)) => unsafe {
                self.supervised(&tool, &found, &change, other)
            },
            Err(errno) => Err(errno),
        };
        started.unwrap_or_else(self.refuse)
    }

    /// # Safety
    /// As for [`Self::by`].
    unsafe fn plan<'a>(&self, active: &'a Active) -> Result<Plan<'a>, Errno> {
        // SAFETY: the caller's contract.
        let Some(given) = (unsafe { active.kept.look_at(self.environment) }) else {
            return Ok(Plan::AsIs);
        };
        let children = given.children.unwrap_or(active.policy.children);
        // SAFETY: the caller's contract.
        if let Some(found) = unsafe { self.out_of_reach(active, children, &given) }
            && let Some(tool) = self.supervisor(active, children, &given, &found)?
        {
            let change = active.kept.change_for_supervisor(children, given);
            return Ok(Plan::Supervised(tool, found, change));
        }
        let change = active.kept.change(children, given);
        Ok(change.map_or(Plan::AsIs, Plan::With))
    }

    /// The program, if it is one that no preload reaches and it matters.
    ///
    /// # Safety
    /// As for [`Self::by`].
    unsafe fn out_of_reach(
        &self,
        active: &Active,
        children: Children,
        given: &Given,
    ) -> Option<Found> {
        let matters = match children {
            Children::Drop => false,
            Children::Follow => true,
            Children::Inherit => {
                active.kept.supervises(children, given) || active.log.wants(Level::Decisions)
            }
        };
        // SAFETY: the caller's contract.
        matters.then(|| unsafe { reach::out_of_reach(&self.program) })?
    }

    /// The tool that starts it instead; none where it is started as it is.
    ///
    /// # Errors
    /// `EACCES`: it may not run without mif.
    fn supervisor(
        &self,
        active: &Active,
        children: Children,
        given: &Given,
        found: &Found,
    ) -> Result<Option<Path>, Errno> {
        let is_required = active.policy.is_requirement() && children == Children::Follow;
        let wanted = found.barrier.lets_supervise() && active.kept.supervises(children, given);
        let tool = if wanted { supervise::tool() } else { None };
        let tool = tool.filter(|_| found.file().is_some());
        let (level, outcome) = match (&tool, is_required) {
            (Some(_), _) => (Level::Decisions, "it is supervised"),
            (None, false) => (Level::Decisions, "it is started all the same"),
            (None, true) if !wanted => (Level::Programs, "nothing was started. "),
            (None, true) if found.file().is_none() => (
                Level::Programs,
                "nothing was started, since its file has no path by which to supervise it",
            ),
            (None, true) => (
                Level::Programs,
                "nothing was started, since the tool mif, which would supervise it, is not \
                 installed with libmif.so",
            ),
        };
        let remedy = if is_required && !wanted {
            found.barrier.remedy()
        } else {
            ""
        };
        let (call, unreachable) = (self.call, found.unreachable());
        let line = format_args!("{call}: {unreachable}; {outcome}{remedy}");
        active.log.line(level, line);
        if is_required && tool.is_none() {
            return Err(Errno::ACCESS);
        }
        Ok(tool)
    }

    /// # Errors
    /// `E2BIG`: there are too many arguments or variables.
    ///
    /// # Safety
    /// As for [`Self::by`], whose environment is changed.
    #[cold]
    unsafe fn supervised(
        &self,
        tool: &Path,
        found: &Found,
        change: &Change<'_>,
        other: Other<'_>,
    ) -> Result<c_int, Errno> {
        let (tool, file) = (tool.path(), found.file());
        let (tool, file) = (tool.ok_or(Errno::NOENT)?, file.ok_or(Errno::NOENT)?);
        let arguments = self.program.arguments;
        let mut with_environment = |envp| {
            let mut start = |argv| other(tool, argv, envp);
            let preload = change.given_preload();
            // SAFETY: the caller's contract.
            let started =
                unsafe { supervise::with_arguments(file, preload, arguments, &mut start) };
            started.unwrap_or_else(self.refuse)
        };
        // SAFETY: the caller's contract.
        unsafe { change.with(self.environment, &mut with_environment) }
    }
}
