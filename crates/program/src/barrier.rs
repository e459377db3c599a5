//! What keeps a preload out of a program, and what helps instead.
//!
//! Privileges count as the kernel counts them at `execve(2)`: a setuid program that would gain
//! nothing is started with its preload (`AT_SECURE` of getauxval(3), `ld.so(8)`).

use std::fmt;
use std::os::fd::BorrowedFd;

use rustix::fs::StatVfsMountFlags;
use rustix::io::Errno;

use crate::elf::{Elf, Loader, Target};
use crate::text::lossy;

/// Why a preload has no effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Barrier {
    /// No dynamic loader.
    Static,
    /// System calls without libc.
    Go,
    /// A dynamic loader that is not glibc's.
    Loader(Loader),
    /// Another kind of process than the library is for: the program's, the library's.
    Target(Target, Target),
    /// Runs as this user.
    Setuid(u32),
    /// Runs with this group.
    Setgid(u32),
    /// `security.capability` is set.
    Capabilities,
    /// A snap's launcher.
    Snap,
    /// A flatpak's launcher.
    Flatpak,
    /// The service manager starts it, not this process.
    ServiceManager,
    /// `env -i`.
    ClearedEnvironment,
}

/// A launcher that starts what is meant out of the preload's sight: by the path that it is called by,
/// what that path leads to, and the arguments behind it.
pub fn of_launcher<'w>(
    called: &[u8],
    real: &[u8],
    arguments: &(impl Iterator<Item = &'w [u8]> + Clone),
) -> Option<Barrier> {
    let runs = |verb: &[u8]| arguments.clone().any(|word| word == verb);
    let folder = real.strip_suffix(file_name(real)).unwrap_or(real);
    match file_name(real) {
        b"snap" if file_name(called) != b"snap" => Some(Barrier::Snap),
        b"snap" if runs(b"run") => Some(Barrier::Snap),
        b"flatpak" if runs(b"run") => Some(Barrier::Flatpak),
        b"systemd-run" if !runs(b"--scope") => Some(Barrier::ServiceManager),
        _ if real.starts_with(b"/snap/") || real.starts_with(b"/var/lib/snapd/snap/") => {
            Some(Barrier::Snap)
        }
        _ if folder.ends_with(b"/flatpak/exports/bin/") => Some(Barrier::Flatpak),
        _ => None,
    }
}

/// Whether `env` with these arguments empties the environment.
#[must_use]
pub fn env_clears<'w>(mut arguments: impl Iterator<Item = &'w [u8]>) -> bool {
    arguments
        .by_ref()
        .take_while(|word| word.starts_with(b"-"))
        .any(|word| matches!(word, b"-i" | b"-" | b"--ignore-environment"))
}

/// The last part of a path.
#[must_use]
pub fn file_name(path: &[u8]) -> &[u8] {
    path.rsplit(|&byte| byte == b'/').next().unwrap_or(path)
}

/// What is in the way of a library for `library` in an ELF file that is called so.
#[must_use]
pub fn of_elf(called: &[u8], file: BorrowedFd<'_>, elf: &Elf, library: Target) -> Option<Barrier> {
    if let Some(barrier) = of_privileges(file) {
        return Some(barrier);
    }
    if elf.go {
        return Some(Barrier::Go);
    }
    match elf.loader {
        _ if elf.target != library => Some(Barrier::Target(elf.target, library)),
        // glibc's loader runs as a program, too, and honours LD_PRELOAD for what it loads. So do the
        // tools of valgrind.
        None if is_glibc_loader(called) || is_valgrinds(called) => None,
        None => Some(Barrier::Static),
        Some(loader) if is_glibc_loader(loader.path()) => None,
        Some(loader) => Some(Barrier::Loader(loader)),
    }
}

fn is_glibc_loader(path: &[u8]) -> bool {
    let name = file_name(path);
    name.starts_with(b"ld-linux") || name.starts_with(b"ld64.so") || name == b"ld.so.1"
}

fn is_valgrinds(path: &[u8]) -> bool {
    let folder = path.strip_suffix(file_name(path)).unwrap_or(path);
    folder.ends_with(b"/valgrind/")
}

/// What the program would gain that the process does not have. The file may have been opened by
/// `O_PATH`; file capabilities are seen only where it was not.
#[must_use]
pub fn of_privileges(file: BorrowedFd<'_>) -> Option<Barrier> {
    const SETUID: u32 = 0o4000;
    /// Without the group's x bit, setgid has meant mandatory locking.
    const SETGID: u32 = 0o2010;
    let found = rustix::fs::fstat(file).ok()?;
    let (user, group) = (rustix::process::getuid(), rustix::process::getgid());
    let becomes_user = found.st_mode & SETUID == SETUID && found.st_uid != user.as_raw();
    let becomes_group = found.st_mode & SETGID == SETGID && found.st_gid != group.as_raw();
    // PR_SET_NO_NEW_PRIVS takes the bits' effect away. A program with file capabilities gains
    // nothing under it either, but the kernel says AT_SECURE all the same (6.18).
    let bits_count =
        (becomes_user || becomes_group) && !rustix::thread::no_new_privs().unwrap_or(false);
    let barrier = if bits_count && becomes_user {
        Barrier::Setuid(found.st_uid)
    } else if bits_count {
        Barrier::Setgid(found.st_gid)
    } else if !user.is_root() && has_capabilities(file) {
        Barrier::Capabilities
    } else {
        return None;
    };
    let mount = rustix::fs::fstatvfs(file);
    let is_nosuid = mount.is_ok_and(|mount| mount.f_flag.contains(StatVfsMountFlags::NOSUID));
    (!is_nosuid).then_some(barrier)
}

fn has_capabilities(file: BorrowedFd<'_>) -> bool {
    let mut value = [0u8; 64];
    match rustix::fs::fgetxattr(file, c"security.capability", &mut value) {
        Ok(length) => length > 0,
        Err(why) => why == Errno::RANGE,
    }
}

/// A program that a preload does not get into, in the words of `mif-run`.
#[derive(Clone, Copy, Debug)]
pub struct Unreachable<'p> {
    /// The program.
    pub path: &'p [u8],
    /// The interpreter that has the barrier, if the program is a script.
    pub interpreter: Option<&'p [u8]>,
    /// What is in the way.
    pub barrier: Barrier,
}

impl fmt::Display for Unreachable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot reach {}: ", lossy(self.path))?;
        if let Some(interpreter) = self.interpreter {
            write!(f, "its interpreter {}: ", lossy(interpreter))?;
        }
        write!(f, "{}", self.barrier)
    }
}

impl Barrier {
    /// Whether a supervisor gets at what the preload does not. It takes the privileges of setuid
    /// programs away, and others start what is meant somewhere else.
    #[must_use]
    pub fn lets_supervise(&self) -> bool {
        matches!(
            self,
            Self::Static | Self::Go | Self::Loader(_) | Self::ClearedEnvironment
        )
    }

    /// What to do instead, as sentences.
    #[must_use]
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Static | Self::Go | Self::Loader(_) => {
                "A supervisor reaches it: mif-run --reach=supervise."
            }
            Self::Target(..) => {
                "Use a build of the program for this host's own architecture, or a network \
                 namespace (ip netns exec)."
            }
            Self::Setuid(_) | Self::Setgid(_) | Self::Capabilities => {
                "Start mif-run itself as the user that the program becomes, use a copy without \
                 these privileges, or a network namespace (ip netns exec)."
            }
            Self::Snap | Self::Flatpak => {
                "Use a build of the program from the distribution, or a network namespace \
                 (ip netns exec)."
            }
            Self::ServiceManager => {
                "Put mif-run into the service's own command line, or use systemd-run --scope."
            }
            Self::ClearedEnvironment => "Put mif-run behind it: env -i mif-run PROGRAM.",
        }
    }
}

impl fmt::Display for Barrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Static => f.write_str("statically linked, so no preload is loaded"),
            Self::Go => f.write_str("a Go program, which makes its system calls without libc"),
            Self::Loader(loader) if file_name(loader.path()).starts_with(b"ld-musl") => {
                let path = lossy(loader.path());
                write!(f, "for musl ({path}), and libmif.so is for glibc")
            }
            Self::Loader(loader) => {
                let path = lossy(loader.path());
                write!(
                    f,
                    "its loader {path} is not glibc's, and libmif.so is for glibc"
                )
            }
            Self::Target(program, library) => {
                write!(f, "built for {program}, and libmif.so is for {library}")
            }
            Self::Setuid(user) => {
                write!(
                    f,
                    "setuid (it becomes user {user}), so the loader ignores the preload"
                )
            }
            Self::Setgid(group) => {
                write!(
                    f,
                    "setgid (it becomes group {group}), so the loader ignores the preload"
                )
            }
            Self::Capabilities => {
                f.write_str("it has file capabilities, so the loader ignores the preload")
            }
            Self::Snap => f.write_str("a snap, whose sandbox does not see libmif.so"),
            Self::Flatpak => f.write_str("a flatpak, whose sandbox does not see libmif.so"),
            Self::ServiceManager => {
                f.write_str("the service manager starts what it runs, without the preload")
            }
            Self::ClearedEnvironment => {
                f.write_str("env -i empties the environment, LD_PRELOAD included")
            }
        }
    }
}
