//! What the supervisor tells the front, as records of eight bytes in a pipe.

use std::os::fd::OwnedFd;

use rustix::io::{Errno, Result};
use rustix::process::WaitStatus;

/// One record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Report {
    /// The program runs, as this process.
    Started(i32),
    /// It could not be put under supervision: an errno.
    Failed(i32),
    /// A signal of job control stopped it.
    Stopped(i32),
    /// It has ended with this status.
    Exited(i32),
    /// It was ended by this signal.
    Killed(i32),
}

impl Report {
    /// How a process has ended.
    pub(crate) fn of_end(status: WaitStatus) -> Self {
        match (status.exit_status(), status.terminating_signal()) {
            (Some(code), _) => Self::Exited(code),
            (None, signal) => Self::Killed(signal.unwrap_or(libc::SIGKILL)),
        }
    }

    pub(crate) fn write(self, pipe: &OwnedFd) {
        let (kind, value) = match self {
            Self::Started(value) => (0, value),
            Self::Failed(value) => (1, value),
            Self::Stopped(value) => (2, value),
            Self::Exited(value) => (3, value),
            Self::Killed(value) => (4, value),
        };
        let mut record = [0; 8];
        record[..4].copy_from_slice(&i32::to_ne_bytes(kind));
        record[4..].copy_from_slice(&value.to_ne_bytes());
        // The front may have been killed.
        let _ = rustix::io::write(pipe, &record);
    }

    /// The next record; `None` where there will be no more.
    ///
    /// # Errors
    /// Those of read(2).
    pub(crate) fn read(pipe: &OwnedFd) -> Result<Option<Self>> {
        let mut record = [0; 8];
        let read = rustix::io::retry_on_intr(|| rustix::io::read(pipe, &mut record))?;
        let half = |n: usize| {
            record[n..]
                .first_chunk()
                .map_or(-1, |&half| i32::from_ne_bytes(half))
        };
        let (kind, value) = (half(0), half(4));
        match (read, kind) {
            (0, _) => Ok(None),
            (8, 0) => Ok(Some(Self::Started(value))),
            (8, 1) => Ok(Some(Self::Failed(value))),
            (8, 2) => Ok(Some(Self::Stopped(value))),
            (8, 3) => Ok(Some(Self::Exited(value))),
            (8, 4) => Ok(Some(Self::Killed(value))),
            _ => Err(Errno::IO),
        }
    }
}
