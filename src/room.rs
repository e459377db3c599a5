//! Writes that the kernel would answer with a signal: mif's own are left out, because a signal ends
//! an application that did not write anything.

use std::os::fd::BorrowedFd;

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::fs::{FileType, Stat};
use rustix::process::Resource;

/// Whether a file may grow to this size (`SIGXFSZ`, `RLIMIT_FSIZE`).
pub(crate) fn may_grow_to(size: u64) -> bool {
    rustix::process::getrlimit(Resource::Fsize)
        .current
        .is_none_or(|limit| size <= limit)
}

/// Whether so many bytes can be written behind what is there: a pipe has its reader (`SIGPIPE`), a
/// file does not grow too large. Whoever ends between this question and the writing is missed; a
/// write(2) that asks for no signal is in Linux only since 6.18.
pub(crate) fn takes(fd: BorrowedFd<'_>, stat: &Stat, more: usize) -> bool {
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::Fifo => is_read(fd),
        FileType::RegularFile => {
            may_grow_to(stat.st_size.cast_unsigned().saturating_add(more as u64))
        }
        _ => true,
    }
}

/// Whether somebody has the other end of a pipe.
fn is_read(pipe: BorrowedFd<'_>) -> bool {
    let mut polled = [PollFd::from_borrowed_fd(pipe, PollFlags::OUT)];
    let now = Timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    rustix::event::poll(&mut polled, Some(&now)).is_ok()
        && !polled[0].revents().contains(PollFlags::ERR)
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use super::*;

    #[test]
    fn a_pipe_takes_something_while_it_is_read() {
        let (reader, writer) = std::io::pipe().unwrap();
        let stat = rustix::fs::fstat(&writer).unwrap();
        assert!(takes(writer.as_fd(), &stat, 1));
        drop(reader);
        assert!(!takes(writer.as_fd(), &stat, 1));
    }
}
