//! `mif preflight`: what `mif-run` asks before it starts a program, so that a user learns of a
//! fault before the application runs.
//!
//! In this order: the policy, the library, the program. On success it prints two lines: `preload` or
//! `supervise`, which is how `mif-run` then starts the program, and the absolute path of the policy's
//! file, which it exports; the second is empty where the policy has no file. What is merely odd goes
//! to standard error as warnings.

use std::ffi::OsString;
use std::fs::{self, File};
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use mif_policy::Policy;
use mif_program::barrier::Barrier;
use mif_program::{Elf, Target, Window};
use rustix::fs::StatVfsMountFlags;

use crate::arguments::{Output, Reach};
use crate::{Failure, check, output, policy, program};

/// What the library opens for DNS servers that want TLS.
const COMPANION: &str = "libmif_tls.so";

/// Checks that `command` can start under its policy with this library.
///
/// # Errors
/// Status 78 for the policy, 127 and 126 as a shell gives them, 126 also for a program or a
/// library that cannot do.
pub(crate) fn run(library: &Path, reach: Reach, command: &[OsString]) -> Result<(), Failure> {
    let found = examine(library, reach, command)?;
    let file = found.file.map(|file| absolute(&file)).transpose()?;
    let reach = if found.barrier.is_some() || reach == Reach::Supervise {
        "supervise"
    } else {
        "preload"
    };
    let file = file.unwrap_or_default();
    let lines = [reach.as_bytes(), b"\n", file.as_os_str().as_bytes(), b"\n"];
    output::bytes(&lines.concat());
    Ok(())
}

/// The same checks for `mif-run --check`: says ok, and starts nothing. Without a command it checks
/// the policies that would be used.
///
/// # Errors
/// As [`run`].
pub(crate) fn check(library: &Path, reach: Reach, command: &[OsString]) -> Result<(), Failure> {
    if command.is_empty() {
        return check::run(&[], Output { json: false });
    }
    let found = examine(library, reach, command)?;
    check::ok(&check::name(found.file.as_deref()));
    check::ok(&found.program.display().to_string());
    Ok(())
}

/// What is needed to start a program.
struct Found {
    /// The policy's file, if it has one.
    file: Option<PathBuf>,
    program: PathBuf,
    /// What keeps the library out of the program, and not the supervisor.
    barrier: Option<Barrier>,
}

fn examine(library: &Path, reach: Reach, command: &[OsString]) -> Result<Found, Failure> {
    let (policy, file) = policy::load(policy::program_of(command))?;
    let target = libraries(library, &policy)?;
    let found = match program::find(command, target, policy.children) {
        Ok(program) => Ok((program, None)),
        Err(trouble) if reach != Reach::Preload => trouble
            .supervisable()
            .map(|(program, barrier)| (program, Some(barrier))),
        Err(trouble) => Err(trouble),
    };
    let (program, barrier) = found.map_err(|trouble| Failure {
        status: trouble.status(),
        message: trouble.to_string(),
    })?;
    let nameless = policy::without_servers(&policy);
    for warning in policy::missing(&policy).into_iter().chain(nameless) {
        output::complain("mif-run: warning", warning);
    }
    Ok(Found {
        file,
        program: program.path,
        barrier,
    })
}

/// What the library is built for, once all that the policy needs of mif can be loaded.
///
/// # Errors
/// As [`target`].
pub(crate) fn libraries(library: &Path, policy: &Policy) -> Result<Target, Failure> {
    let target = target(library)?;
    if policy.has_encrypted_servers() {
        self::target(&library.with_file_name(COMPANION))?;
    }
    Ok(target)
}

/// What the library is built for.
///
/// # Errors
/// Status 126 if it is none or cannot be loaded.
pub(crate) fn target(library: &Path) -> Result<Target, Failure> {
    let fails = |why: String| Failure {
        status: 126,
        message: format!(
            "the library {} cannot be loaded: {why}; nothing was started",
            library.display()
        ),
    };
    let file = File::open(library).map_err(|why| fails(why.to_string()))?;
    let mut window = Window::new(file.as_fd()).map_err(|why| fails(why.to_string()))?;
    let elf = Elf::read(&mut window).map_err(|why| fails(format!("it is no ELF file: {why}")))?;
    let mount = rustix::fs::statvfs(library).map_err(|why| fails(why.to_string()))?;
    if mount.f_flag.contains(StatVfsMountFlags::NOEXEC) {
        return Err(fails(
            "it is on a file system that is mounted noexec".to_owned(),
        ));
    }
    Ok(elf.target)
}

/// The path that still leads to the file when a program has changed its working folder.
fn absolute(file: &Path) -> Result<PathBuf, Failure> {
    let fails = |why: &str| Failure {
        status: policy::FAULTY,
        message: format!("{}: {why}", file.display()),
    };
    let path = std::path::absolute(file).map_err(|why| fails(&why.to_string()))?;
    if fs::metadata(&path).is_err() {
        return Err(fails("no such file or directory"));
    }
    if path.as_os_str().as_bytes().contains(&b'\n') {
        return Err(fails("a policy's path has no newline"));
    }
    Ok(path)
}
