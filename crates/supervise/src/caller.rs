//! The thread whose call is being asked about: its registers, memory and descriptors.
//!
//! It is known by a number, which another thread may have by now; so whatever was read is believed
//! only after the kernel has said that the call still waits (`kernel::is_waiting`).

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
    pub(crate) fn descriptor(&self, n: usize) -> Result<OwnedFd> {
        let fd = self.integer(n);
        if fd < 0 {
            return Err(Errno::BADF);
        }
        let thread = Pid::from_raw(self.thread()).ok_or(Errno::SRCH)?;
        let process = match pidfd_open(thread, OF_THREAD) {
            Err(Errno::INVAL) => {
                let leader = process_of(self.thread()).and_then(Pid::from_raw);
                pidfd_open(leader.ok_or(Errno::SRCH)?, PidfdFlags::empty())
            }
            opened => opened,
        }?;
        pidfd_getfd(process, fd, PidfdGetfdFlags::empty())
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

/// The process that a thread belongs to.
pub(crate) fn process_of(thread: i32) -> Option<i32> {
    let status = std::fs::read_to_string(format!("/proc/{thread}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("Tgid:"))?;
    line.trim().parse().ok()
}
