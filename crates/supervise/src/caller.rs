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
        threads.descriptor(self.thread(), self.integer(n))
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

    /// Descriptor `fd` of a thread, as one of ours for the same open file.
    ///
    /// # Errors
    /// `EBADF` where it is not open, `EPERM` where the process is not to be looked at.
    pub(crate) fn descriptor(&self, thread: i32, fd: i32) -> Result<OwnedFd> {
        if fd < 0 {
            return Err(Errno::BADF);
        }
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

/// How an epoll(7) descriptor of a process watches another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Watch {
    /// The descriptor that watches.
    pub(crate) by: i32,
    /// `struct epoll_event`.
    pub(crate) events: u32,
    pub(crate) data: u64,
}

/// Who watches `fd` (`proc_pid_fdinfo(5)`). What cannot be read is not there.
pub(crate) fn watches(thread: i32, fd: i32) -> Vec<Watch> {
    let Ok(all) = std::fs::read_dir(format!("/proc/{thread}/fd")) else {
        return Vec::new();
    };
    let epoll = |entry: std::fs::DirEntry| -> Option<i32> {
        let of = std::fs::read_link(entry.path()).ok()?;
        let is_epoll = of.as_os_str() == "anon_inode:[eventpoll]";
        is_epoll.then_some(entry.file_name().to_str()?.parse().ok()?)
    };
    let of_line = |by: i32, line: &str| -> Option<Watch> {
        let mut words = line.split_ascii_whitespace();
        let mut after = |label| {
            let found = words.next().filter(|&word| word == label);
            found.and_then(|_| words.next())
        };
        let watched: i32 = after("tfd:")?.parse().ok()?;
        let events = u32::from_str_radix(after("events:")?, 16).ok()?;
        let data = u64::from_str_radix(after("data:")?, 16).ok()?;
        (watched == fd).then_some(Watch { by, events, data })
    };
    let watches = |by: i32| {
        let info = std::fs::read_to_string(format!("/proc/{thread}/fdinfo/{by}"));
        let info = info.unwrap_or_default();
        let found = info.lines().filter_map(|line| of_line(by, line));
        found.collect::<Vec<_>>()
    };
    all.flatten().filter_map(epoll).flat_map(watches).collect()
}

/// Whether a descriptor is closed when its process executes a program.
pub(crate) fn is_close_on_exec(thread: i32, fd: i32) -> bool {
    let text = std::fs::read_to_string(format!("/proc/{thread}/fdinfo/{fd}"));
    let text = text.unwrap_or_default();
    let flags = text.lines().find_map(|line| line.strip_prefix("flags:"));
    let flags = flags.and_then(|flags| i32::from_str_radix(flags.trim(), 8).ok());
    flags.is_some_and(|flags| flags & libc::O_CLOEXEC != 0)
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn what_a_process_does_with_a_descriptor_is_seen() {
        use rustix::event::epoll;
        let me = rustix::process::getpid().as_raw_nonzero().get();
        let (watched, other) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).unwrap();
        let (kept, _end) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::empty()).unwrap();
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC).unwrap();
        let data = epoll::EventData::new_u64(u64::MAX - 1);
        let flags = epoll::EventFlags::IN | epoll::EventFlags::ET;
        epoll::add(&epoll, &watched, data, flags).unwrap();
        let number = |fd: &OwnedFd| std::os::fd::AsRawFd::as_raw_fd(fd);
        let seen = watches(me, number(&watched));
        let [watch] = seen[..] else {
            panic!("{seen:?}")
        };
        assert_eq!((watch.by, watch.data), (number(&epoll), u64::MAX - 1));
        let wanted = flags.bits();
        assert_eq!(watch.events & wanted, wanted);
        assert_eq!(watches(me, number(&other)), []);
        assert!(is_close_on_exec(me, number(&other)));
        assert!(!is_close_on_exec(me, number(&kept)));
    }

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
