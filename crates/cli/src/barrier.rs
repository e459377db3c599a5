//! What keeps a preload out of a program, and what helps instead.
//!
//! Privileges count as the kernel counts them at `execve(2)`: a setuid program that would gain
//! nothing is started with its preload (`AT_SECURE` of getauxval(3), `ld.so(8)`).

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::fs::StatVfsMountFlags;
use rustix::io::Errno;

use crate::elf::{Elf, Target};

/// Why a preload has no effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Barrier {
    /// No dynamic loader.
    Static,
    /// System calls without libc.
    Go,
    /// A dynamic loader that is not glibc's.
    Loader(String),
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

/// A launcher that starts what is meant out of the preload's sight.
pub(crate) fn of_launcher(file: &Path, arguments: &[OsString]) -> Option<Barrier> {
    let real = fs::canonicalize(file).unwrap_or_else(|_| file.into());
    let runs = |verb| arguments.iter().any(|word| word == verb);
    match real.file_name().and_then(OsStr::to_str) {
        Some("snap") if file.file_name() != Some(OsStr::new("snap")) => Some(Barrier::Snap),
        Some("snap") if runs("run") => Some(Barrier::Snap),
        Some("flatpak") if runs("run") => Some(Barrier::Flatpak),
        Some("env") if clears(arguments) => Some(Barrier::ClearedEnvironment),
        Some("systemd-run") if !runs("--scope") => Some(Barrier::ServiceManager),
        _ if real.starts_with("/snap") || real.starts_with("/var/lib/snapd/snap") => {
            Some(Barrier::Snap)
        }
        _ if real
            .parent()
            .is_some_and(|folder| folder.ends_with("flatpak/exports/bin")) =>
        {
            Some(Barrier::Flatpak)
        }
        _ => None,
    }
}

fn clears(arguments: &[OsString]) -> bool {
    let options = arguments
        .iter()
        .take_while(|word| word.as_encoded_bytes().starts_with(b"-"));
    options
        .into_iter()
        .any(|word| word == "-i" || word == "-" || word == "--ignore-environment")
}

/// What is in the way of a library for `library` in an ELF file.
pub(crate) fn of_elf(file: &Path, elf: &Elf, library: Target) -> Option<Barrier> {
    if let Some(barrier) = of_privileges(file) {
        return Some(barrier);
    }
    if elf.go {
        return Some(Barrier::Go);
    }
    match &elf.loader {
        _ if elf.target != library => Some(Barrier::Target(elf.target, library)),
        // glibc's loader runs as a program, too, and honours LD_PRELOAD for what it loads.
        None if is_glibc_loader(&file.to_string_lossy()) => None,
        None => Some(Barrier::Static),
        Some(loader) if is_glibc_loader(loader) => None,
        Some(loader) => Some(Barrier::Loader(loader.clone())),
    }
}

fn is_glibc_loader(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    name.starts_with("ld-linux") || name.starts_with("ld64.so") || name == "ld.so.1"
}

fn of_privileges(file: &Path) -> Option<Barrier> {
    const SETUID: u32 = 0o4000;
    /// Without the group's x bit, setgid has meant mandatory locking.
    const SETGID: u32 = 0o2010;
    let found = fs::metadata(file).ok()?;
    let (user, group) = (rustix::process::getuid(), rustix::process::getgid());
    let becomes_user = found.mode() & SETUID == SETUID && found.uid() != user.as_raw();
    let becomes_group = found.mode() & SETGID == SETGID && found.gid() != group.as_raw();
    // PR_SET_NO_NEW_PRIVS takes the bits' effect away. A program with file capabilities gains
    // nothing under it either, but the kernel says AT_SECURE all the same (6.18).
    let bits_count =
        (becomes_user || becomes_group) && !rustix::thread::no_new_privs().unwrap_or(false);
    let barrier = if bits_count && becomes_user {
        Barrier::Setuid(found.uid())
    } else if bits_count {
        Barrier::Setgid(found.gid())
    } else if !user.is_root() && has_capabilities(file) {
        Barrier::Capabilities
    } else {
        return None;
    };
    let mount = rustix::fs::statvfs(file);
    let is_nosuid = mount.is_ok_and(|mount| mount.f_flag.contains(StatVfsMountFlags::NOSUID));
    (!is_nosuid).then_some(barrier)
}

fn has_capabilities(file: &Path) -> bool {
    let mut value = [0u8; 64];
    match rustix::fs::getxattr(file, "security.capability", &mut value) {
        Ok(length) => length > 0,
        Err(why) => why == Errno::RANGE,
    }
}

impl Barrier {
    /// What to do instead, as sentences.
    pub(crate) fn remedy(&self) -> &'static str {
        match self {
            Self::Static | Self::Go => {
                "Use a dynamically linked build, or a network namespace (ip netns exec)."
            }
            Self::Loader(_) | Self::Target(..) => {
                "Use a build of the program for this host's own C library and architecture, or a \
                 network namespace (ip netns exec)."
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
            Self::Loader(loader) if loader.contains("/ld-musl") => {
                write!(f, "for musl ({loader}), and libmif.so is for glibc")
            }
            Self::Loader(loader) => {
                write!(
                    f,
                    "its loader {loader} is not glibc's, and libmif.so is for glibc"
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
