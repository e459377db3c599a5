//! The exec and `posix_spawn` families: a program that the application starts is under the policy, too,
//! or is not started where mif does not reach it (`children` of the policy).
//!
//! libc's functions of these families call each other inside libc, past every preload, so each is
//! here. They are called between `vfork` and `exec`, in the memory of a process that goes on, and
//! from signal handlers: nothing is allocated, and nothing stays open.

use std::ffi::{c_char, c_int, c_void};

use mif_policy::Children;
use mif_program::Unreachable;
use rustix::io::Errno;

use crate::connect::fail;
use crate::environment::Strings;
use crate::guard;
use crate::hooks::real;
use crate::init::{Active, active};
use crate::log::Level;
use crate::memory::is_there;
use crate::reach::{self, Program};

/// One call of the families.
#[derive(Clone, Copy)]
struct Start {
    call: &'static str,
    program: Program,
    environment: Strings,
    /// Returns an error as the call does.
    refuse: fn(Errno) -> c_int,
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
    unsafe { start.by(&mut run) }
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
    unsafe { start.by(&mut run) }
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
    unsafe { start.by(&mut run) }
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
    unsafe { start.by(&mut run) }
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
    // SAFETY: the caller's contract.
    unsafe { start.by(&mut run) }
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
    // SAFETY: the caller's contract.
    unsafe { start.by(&mut run) }
}

/// The environment of this process at this moment.
pub(crate) fn own_environment() -> Strings {
    // SAFETY: libc's variable; who changes it while another thread reads it breaks libc's own rule.
    unsafe { libc::environ }.cast()
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

    /// Starts it by libc's function, with the environment that the policy wants it to have.
    ///
    /// # Safety
    /// Path, arguments and environment are as the exec family takes them, or null, or invalid for
    /// every process.
    unsafe fn by(&self, run: &mut dyn FnMut(Strings) -> c_int) -> c_int {
        let Some(active) = active() else {
            return run(self.environment);
        };
        let decide = || {
            // SAFETY: the caller's contract.
            let Some(given) = (unsafe { active.kept.look_at(self.environment) }) else {
                return Ok(None);
            };
            let children = given.children.unwrap_or(active.policy.children);
            // SAFETY: the caller's contract.
            if unsafe { self.is_refused(active, children) } {
                return Err(Errno::ACCESS);
            }
            Ok(active.kept.change(children, given))
        };
        let started = match guard::unless_panic(Err(Errno::ACCESS), decide) {
            Ok(None) => return run(self.environment),
            // SAFETY: the caller's contract.
            Ok(Some(change)) => unsafe { change.with(self.environment, run) },
            Err(errno) => Err(errno),
        };
        started.unwrap_or_else(self.refuse)
    }

    /// Whether it is a program that mif does not reach, and that may not run without mif.
    ///
    /// # Safety
    /// As for [`Self::by`].
    unsafe fn is_refused(&self, active: &Active, children: Children) -> bool {
        let is_required = active.policy.is_requirement() && children == Children::Follow;
        let (level, outcome) = if is_required {
            (Level::Programs, "nothing was started. ")
        } else {
            (Level::Decisions, "it is started all the same")
        };
        if children == Children::Drop || !is_required && !active.log.wants(level) {
            return false;
        }
        let call = self.call;
        let mut tell = |found: &Unreachable<'_>| {
            let remedy = found.barrier.remedy();
            let remedy = if is_required { remedy } else { "" };
            let line = format_args!("{call}: {found}; {outcome}{remedy}");
            active.log.line(level, line);
        };
        // SAFETY: the caller's contract.
        unsafe { reach::is_out_of_reach(&self.program, &mut tell) && is_required }
    }
}
