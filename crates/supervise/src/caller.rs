//! The thread whose call is being asked about: its registers, memory and descriptors.
//!
//! It is known by a number, which another thread may have by now; so whatever was read is believed
//! only after the kernel has said that the call still waits (`kernel::is_waiting`).

use std::cell::RefCell;
use std::os::fd::OwnedFd;

use libc::seccomp_notif;
use rustix::io::{Errno, Result};
use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags, pidfd_getfd, pidfd_open};

use crate::kernel;

/// `PIDFD_THREAD` is `O_EXCL` (Linux 6.9).
const OF_THREAD: PidfdFlags = PidfdFlags::from_bits_retain(libc::O_EXCL.cast_unsigned());
/// What a page of memory has at least: a string may end with one.
const PAGE: u64 = 4096;

/// A call, as the kernel describes it.
#[derive(Clone, Copy)]
pub(crate) struct Call(pub(crate) seccomp_notif);

impl Call {
    pub(crate) fn id(&self) -> u64 {
        self.0.id
    }

    pub(crate) fn number(&self) -> libc::c_long {
        self.0.data.nr.into()
    }

    /// The number of the thread.
    pub(crate) fn thread(&self) -> i32 {
        self.0.pid.cast_signed()
    }

    /// A register that holds an address or a size.
    pub(crate) fn register(&self, n: usize) -> u64 {
        self.0.data.args[n]
    }

    /// A register that holds an `int`, of which the kernel looks at the low half alone.
    #[allow(clippy::cast_possible_truncation)]
    pub(crate) fn integer(&self, n: usize) -> i32 {
        self.0.data.args[n] as i32
    }

    /// Whether it is the same call with the same arguments.
    pub(crate) fn repeats(&self, other: &Self) -> bool {
        (self.0.data.nr, self.0.data.args) == (other.0.data.nr, other.0.data.args)
    }

    /// The descriptor that register `n` names, as one of ours for the same open file.
    ///
    /// # Errors
    /// `EBADF` where it is not open, `EPERM` where the process is not to be looked at.
    pub(crate) fn descriptor(&self, n: usize, threads: &Threads) -> Result<OwnedFd> {
        let fd = self.integer(n);
        if fd < 0 {
            return Err(Errno::BADF);
        }
        threads.descriptor(self.thread(), fd)
    }

    /// `length` bytes of memory.
    ///
    /// # Errors
    /// `EFAULT` where not all of it is there, `EPERM` where the process is not to be looked at.
    pub(crate) fn memory(&self, from: u64, length: usize) -> Result<Vec<u8>> {
        let mut bytes = vec![0; length];
        if length > 0 && kernel::read_memory(self.thread(), from, &mut bytes)? != length {
            return Err(Errno::FAULT);
        }
        Ok(bytes)
    }

    /// Whether a C string of the caller's is `wanted`, which is shorter than a page.
    pub(crate) fn is_string(&self, from: u64, wanted: &[u8]) -> bool {
        let mut length = wanted.len() + 1;
        // What lies behind the page of its beginning need not be there.
        let on_page = usize::try_from(PAGE - from % PAGE).unwrap_or(length);
        let mut bytes = [0; 64];
        length = length.min(bytes.len());
        let first = length.min(on_page);
        let read = |at: u64, into: &mut [u8]| {
            into.is_empty() || kernel::read_memory(self.thread(), at, into) == Ok(into.len())
        };
        if !read(from, &mut bytes[..first])
            || !wanted.starts_with(&bytes[..first.min(wanted.len())])
        {
            return false;
        }
        read(from + first as u64, &mut bytes[first..length])
            && bytes[..length].strip_suffix(b"\0") == Some(wanted)
    }
}

/// Threads that have called lately, as descriptors of them (`pidfd_open(2)`): to open one costs more
/// than all else that is asked of the kernel for a call. One that is kept is never of a later thread
/// that got the number.
pub(crate) struct Threads([RefCell<Option<Thread>>; 64]);

/// A thread's number, and the thread.
type Thread = (i32, OwnedFd);

impl Threads {
    pub(crate) fn new() -> Self {
        Self([const { RefCell::new(None) }; 64])
    }

    fn descriptor(&self, thread: i32, fd: i32) -> Result<OwnedFd> {
        let take = |handle: &OwnedFd| pidfd_getfd(handle, fd, PidfdGetfdFlags::empty());
        let place = thread.cast_unsigned() as usize % self.0.len();
        let mut place = self.0[place].borrow_mut();
        if let Some((_, handle)) = place.as_ref().filter(|(of, _)| *of == thread) {
            match take(handle) {
                // It has ended, and another has its number.
                Err(Errno::SRCH) => {}
                taken => return taken,
            }
        }
        let number = Pid::from_raw(thread).ok_or(Errno::SRCH)?;
        match pidfd_open(number, OF_THREAD) {
            Ok(handle) => take(&place.insert((thread, handle)).1),
            // The leader is not the thread, and may outlive it.
            Err(Errno::INVAL) => {
                let leader = process_of(thread).and_then(Pid::from_raw);
                take(&pidfd_open(
                    leader.ok_or(Errno::SRCH)?,
                    PidfdFlags::empty(),
                )?)
            }
            Err(errno) => Err(errno),
        }
    }
}

/// The process that a thread belongs to.
pub(crate) fn process_of(thread: i32) -> Option<i32> {
    let status = std::fs::read_to_string(format!("/proc/{thread}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("Tgid:"))?;
    line.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn a_thread_that_has_ended_is_not_asked() {
        let threads = Threads::new();
        let mut cat = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
        let thread = i32::try_from(cat.id()).unwrap();
        for _ in 0..2 {
            assert!(threads.descriptor(thread, 0).is_ok());
            assert_eq!(threads.descriptor(thread, 999).err(), Some(Errno::BADF));
        }
        cat.kill().unwrap();
        cat.wait().unwrap();
        assert_eq!(threads.descriptor(thread, 0).err(), Some(Errno::SRCH));
    }
}
