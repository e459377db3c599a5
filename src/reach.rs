//! Whether a program that the application starts is one that mif reaches: the file is found as libc
//! will find it, and judged as `mif-run` judges the program that is typed (`mif_program`).
//!
//! It is asked between `vfork` and `exec`. What is opened is closed again, and paths are on the stack. A
//! file that is not there, cannot be executed or is no program is the real call's to refuse, and one
//! that cannot be read is judged by its privileges alone.

use std::ffi::{CStr, c_char, c_int};
use std::fmt::Write;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use mif_program::barrier::{self, Barrier};
use mif_program::{Elf, Target, Unreachable, Window, shebang};
use mif_socket::Descriptor;
use rustix::fs::{Access, AtFlags, CWD, FileType, Mode, OFlags};
use rustix::io::Errno;

use crate::connect;
use crate::memory::{c_string, is_there};
use crate::strings::{Strings, strings};

/// A program as it is handed to libc.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Program {
    /// What a relative path begins at, as for openat(2); the program itself if there is no path.
    pub(crate) folder: c_int,
    pub(crate) path: *const c_char,
    /// Whether a name without a slash is looked for on `PATH`.
    pub(crate) searched: bool,
    /// Whether `/bin/sh` runs what is no program.
    pub(crate) by_shell: bool,
    /// Whether a symbolic link is refused.
    pub(crate) no_link: bool,
    pub(crate) arguments: Strings,
}

/// Paths that are put together; stacks may be small, so fewer than `PATH_MAX`.
const LONGEST: usize = 1024;
/// Where glibc looks without `PATH` (`confstr(_CS_PATH)`).
const DEFAULT_PATH: &CStr = c"/bin:/usr/bin";
/// A path out of a `#!` line, and a NUL.
type Line = [u8; shebang::LONGEST + 1];
/// The kernel follows five `#!` lines.
const MOST_STEPS: usize = 6;

/// A program that the library does not get into.
pub(crate) struct Found {
    path: Path,
    /// Whether that leads to it in other processes, too.
    lasts: bool,
    /// What runs it, if that has the barrier, up to the first NUL.
    interpreter: Line,
    pub(crate) barrier: Barrier,
}

/// Nothing in the way of the library, or what is.
type Judged = Option<Found>;

impl Found {
    /// In the words of `mif-run`.
    pub(crate) fn unreachable(&self) -> Unreachable<'_> {
        let interpreter = CStr::from_bytes_until_nul(&self.interpreter);
        let interpreter = interpreter.unwrap_or_default().to_bytes();
        Unreachable {
            path: self.path.path().unwrap_or_default().to_bytes(),
            interpreter: (!interpreter.is_empty()).then_some(interpreter),
            barrier: self.barrier,
        }
    }

    /// The path by which a process with this one's working folder finds the program, if any does.
    pub(crate) fn file(&self) -> Option<&CStr> {
        self.path.path().filter(|_| self.lasts)
    }
}

/// The program, where something keeps the library out of it.
///
/// # Safety
/// Path and arguments are as the exec family takes them, or invalid for every process.
pub(crate) unsafe fn out_of_reach(program: &Program) -> Option<Found> {
    // SAFETY: the caller's contract.
    let path = unsafe { c_string(program.path) }?;
    let is_name = !path.to_bytes().contains(&b'/');
    match path.to_bytes() {
        b"" if program.folder >= 0 => {
            let mut program = *program;
            program.no_link = false;
            let path = Path::of_descriptor(program.folder)?;
            judge(&program, path.path()?)?
        }
        b"" => None,
        name if program.searched && is_name => {
            // SAFETY: libc's own look at the environment, as it searches itself.
            let folders = unsafe { libc::getenv(c"PATH".as_ptr()) };
            let folders = if folders.is_null() {
                DEFAULT_PATH
            } else {
                // SAFETY: a C string, which stays until the environment is changed.
                unsafe { CStr::from_ptr(folders) }
            };
            let mut folders = folders.to_bytes().split(|&byte| byte == b':');
            folders.find_map(|folder| on_path(program, folder, name))?
        }
        _ => judge(program, path)?,
    }
}

/// `None`: the search goes on.
fn on_path(program: &Program, folder: &[u8], name: &[u8]) -> Option<Judged> {
    let mut buffer = Path::new();
    // An empty folder is the working folder.
    if !folder.is_empty() {
        buffer.put(folder)?;
        buffer.put(b"/")?;
    }
    buffer.put(name)?;
    judge(program, buffer.path()?)
}

/// `None`: the file cannot be executed.
fn judge(program: &Program, path: &CStr) -> Option<Judged> {
    let folder = connect::borrow(program.folder).unwrap_or(CWD);
    let mut interpreter = [0; shebang::LONGEST + 1];
    let mut step = first(program, folder, path)?;
    for _ in 0..MOST_STEPS {
        match step {
            Step::Reached => return Some(None),
            Step::Barrier(barrier) => {
                let lasting = lasting(program, folder, path);
                return Some(Some(Found {
                    lasts: lasting.is_some(),
                    path: lasting.or_else(|| Path::of(path.to_bytes()))?,
                    interpreter,
                    barrier,
                }));
            }
            Step::Interpreter(line) => interpreter = line,
        }
        let file = CStr::from_bytes_until_nul(&interpreter).ok()?;
        step = next(program, file).unwrap_or(Step::Reached);
    }
    Some(None)
}

/// A path of the program that is another process's, too: descriptors may be closed there.
fn lasting(program: &Program, folder: BorrowedFd<'_>, path: &CStr) -> Option<Path> {
    if program.folder == libc::AT_FDCWD {
        return Path::of(path.to_bytes());
    }
    let file = rustix::fs::openat(folder, path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty());
    let file = Descriptor::from(file.ok()?);
    let mut buffer = [MaybeUninit::uninit(); LONGEST];
    let real = Path::of(real_path(file.as_fd(), &mut buffer)?)?;
    // A file that has no path any more is said to have the one it had.
    let there = rustix::fs::stat(real.path()?).ok()?;
    let here = rustix::fs::fstat(&file).ok()?;
    let is_same = (there.st_dev, there.st_ino) == (here.st_dev, here.st_ino);
    is_same.then_some(real)
}

/// What is found at a file.
enum Step {
    /// Nothing in the way, or nothing that can be executed.
    Reached,
    Barrier(Barrier),
    /// A script, and the path of what runs it.
    Interpreter(Line),
}

fn first(program: &Program, folder: BorrowedFd<'_>, path: &CStr) -> Option<Step> {
    let arguments = is_there(program.arguments).then_some(program.arguments);
    // SAFETY: the caller's arguments.
    let words = unsafe { strings(arguments.unwrap_or(std::ptr::null())) }.skip(1);
    // SAFETY: each of them is a C string.
    let words = words.map(|word| unsafe { c_string(word) }.unwrap_or_default().to_bytes());
    look_at(folder, path, program.no_link, program.by_shell, &words)
}

fn next(program: &Program, path: &CStr) -> Option<Step> {
    look_at(CWD, path, false, program.by_shell, &std::iter::empty())
}

fn look_at<'w>(
    folder: BorrowedFd<'_>,
    path: &CStr,
    no_link: bool,
    by_shell: bool,
    arguments: &(impl Iterator<Item = &'w [u8]> + Clone),
) -> Option<Step> {
    rustix::fs::accessat(folder, path, Access::EXEC_OK, AtFlags::EACCESS).ok()?;
    let open = |how| {
        let link = if no_link {
            OFlags::NOFOLLOW
        } else {
            OFlags::empty()
        };
        let flags = how | link | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
        rustix::fs::openat(folder, path, flags, Mode::empty()).map(Descriptor::from)
    };
    let file = match open(OFlags::RDONLY) {
        Ok(file) => file,
        Err(Errno::ACCESS) => {
            let file = open(OFlags::PATH).ok()?;
            let barrier = barrier::of_privileges(file.as_fd());
            return Some(barrier.map_or(Step::Reached, Step::Barrier));
        }
        Err(_) => return None,
    };
    let mode = rustix::fs::fstat(&file).ok()?.st_mode;
    if FileType::from_raw_mode(mode) != FileType::RegularFile {
        return None;
    }
    let called = path.to_bytes();
    let mut buffer = [MaybeUninit::uninit(); LONGEST];
    let real = real_path(file.as_fd(), &mut buffer).unwrap_or(called);
    if let Some(barrier) = barrier::of_launcher(called, real, arguments) {
        return Some(Step::Barrier(barrier));
    }
    Some(what_is(file.as_fd(), real, by_shell))
}

fn what_is(file: BorrowedFd<'_>, path: &[u8], by_shell: bool) -> Step {
    let Ok(mut window) = Window::new(file) else {
        return Step::Reached;
    };
    let head = window.up_to(0, shebang::LONGEST).unwrap_or_default();
    if Elf::begins(head) {
        let elf = Elf::read(&mut window);
        let barrier = elf
            .ok()
            .and_then(|elf| barrier::of_elf(path, file, &elf, Target::HERE));
        return barrier.map_or(Step::Reached, Step::Barrier);
    }
    let path = match shebang::interpreter(head) {
        Some((path, _)) => path,
        None if by_shell => b"/bin/sh",
        None => return Step::Reached,
    };
    let mut line = [0; shebang::LONGEST + 1];
    line[..path.len()].copy_from_slice(path);
    Step::Interpreter(line)
}

/// Where an open file lies, without symbolic links.
fn real_path<'b>(
    file: BorrowedFd<'_>,
    buffer: &'b mut [MaybeUninit<u8>; LONGEST],
) -> Option<&'b [u8]> {
    let link = Path::of_descriptor(file.as_raw_fd())?;
    let (real, _) = rustix::fs::readlinkat_raw(CWD, link.path()?, &mut buffer[..]).ok()?;
    Some(real)
}

/// A path in the making.
pub(crate) struct Path {
    bytes: [u8; LONGEST],
    used: usize,
}

impl Path {
    fn new() -> Self {
        Self {
            bytes: [0; LONGEST],
            used: 0,
        }
    }

    /// `None`: it does not fit.
    pub(crate) fn of(bytes: &[u8]) -> Option<Self> {
        let mut path = Self::new();
        path.put(bytes)?;
        Some(path)
    }

    fn of_descriptor(fd: c_int) -> Option<Self> {
        let mut path = Self::new();
        write!(path, "/proc/self/fd/{fd}").ok()?;
        Some(path)
    }

    /// `None`: it does not fit.
    pub(crate) fn put(&mut self, bytes: &[u8]) -> Option<()> {
        let end = self.used.checked_add(bytes.len())?;
        let room = self.bytes[..LONGEST - 1].get_mut(self.used..end)?;
        room.copy_from_slice(bytes);
        self.used = end;
        Some(())
    }

    pub(crate) fn path(&self) -> Option<&CStr> {
        CStr::from_bytes_until_nul(&self.bytes).ok()
    }
}

impl Write for Path {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        self.put(text.as_bytes()).ok_or(std::fmt::Error)
    }
}
