//! Where lines of the log go: a descriptor of the application's, or a file (`MIF_LOG_FILE`). A line
//! that cannot be written is lost: the application must not notice.

use std::ffi::CStr;
use std::ffi::CString;
use std::os::fd::{AsFd, BorrowedFd, RawFd};

use mif_socket::Descriptor;
use rustix::fs::{FileType, Mode, OFlags, Stat};
use rustix::io::Errno;
use rustix::net::SendFlags;

use crate::room;

/// Decided once, at the start.
#[derive(Clone, Debug)]
pub(crate) enum Target {
    /// A descriptor of the application's, with device and inode of what was open there at the start:
    /// an application that closes it may have a socket or a database there later.
    Descriptor(RawFd, (u64, u64)),
    /// A file, opened anew for each line: no descriptor is kept.
    File(CString),
}

impl Target {
    /// Standard error, unless it is closed.
    pub(crate) fn stderr() -> Option<Self> {
        Self::descriptor(2).ok()
    }

    /// What `MIF_LOG_FILE` says. The names of the process's own descriptors are links, which are not
    /// followed, and mean the descriptors.
    ///
    /// # Errors
    /// Why it cannot be written to now.
    pub(crate) fn of_path(path: CString) -> Result<Self, Errno> {
        if let Some(number) = descriptor_of(&path) {
            return Self::descriptor(number);
        }
        open(&path)?;
        Ok(Self::File(path))
    }

    fn descriptor(number: RawFd) -> Result<Self, Errno> {
        let stat = rustix::fs::fstat(borrow(number))?;
        Ok(Self::Descriptor(number, identity(&stat)))
    }

    pub(crate) fn write(&self, bytes: &[u8]) {
        match self {
            Self::Descriptor(number, at_start) => {
                let fd = borrow(*number);
                if let Ok(stat) = rustix::fs::fstat(fd)
                    && identity(&stat) == *at_start
                {
                    write(fd, &stat, bytes);
                }
            }
            Self::File(path) => {
                if let Ok(file) = open(path)
                    && let Ok(stat) = rustix::fs::fstat(&file)
                {
                    write(file.as_fd(), &stat, bytes);
                }
            }
        }
    }
}

/// Nobody else's link is followed, nobody is waited for (a pipe that nobody reads), and no terminal
/// becomes that of the process.
fn open(path: &CStr) -> Result<Descriptor, Errno> {
    let how = OFlags::WRONLY | OFlags::APPEND | OFlags::CREATE | OFlags::CLOEXEC;
    let care = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
    rustix::fs::open(path, how | care, Mode::from(0o600)).map(Descriptor::from)
}

/// Writes without a signal, which would end an application that has written nothing itself.
fn write(fd: BorrowedFd<'_>, stat: &Stat, bytes: &[u8]) {
    let _ = match FileType::from_raw_mode(stat.st_mode) {
        FileType::Socket => rustix::net::send(fd, bytes, SendFlags::NOSIGNAL),
        _ if room::takes(fd, stat, bytes.len()) => rustix::io::write(fd, bytes),
        _ => return,
    };
}

/// The descriptor that a path means in every process.
fn descriptor_of(path: &CStr) -> Option<RawFd> {
    let path = path.to_str().ok()?;
    match path {
        "/dev/stdout" => Some(1),
        "/dev/stderr" => Some(2),
        _ => {
            let number = path
                .strip_prefix("/dev/fd/")
                .or_else(|| path.strip_prefix("/proc/self/fd/"))?;
            number.parse().ok().filter(|&number| number >= 0)
        }
    }
}

fn identity(stat: &Stat) -> (u64, u64) {
    (stat.st_dev, stat.st_ino)
}

fn borrow(number: RawFd) -> BorrowedFd<'static> {
    // SAFETY: a number, not an ownership, and never -1: whether anything is open there, each use
    // finds out.
    unsafe { BorrowedFd::borrow_raw(number) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_descriptors_are_known() {
        for (path, number) in [
            (c"/dev/stderr", Some(2)),
            (c"/dev/stdout", Some(1)),
            (c"/dev/fd/7", Some(7)),
            (c"/proc/self/fd/12", Some(12)),
            (c"/dev/fd/-1", None),
            (c"/dev/fd/", None),
            (c"/dev/tty", None),
            (c"/tmp/dev/fd/7", None),
        ] {
            assert_eq!(descriptor_of(path), number, "{path:?}");
        }
    }
}
