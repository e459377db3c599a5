//! Signals as things to be read (signalfd(2)), and as what ends or stops this process.
#![allow(unsafe_code)]

use std::ffi::c_int;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};

use libc::{signalfd_siginfo, sigset_t};
use rustix::io::{Errno, Result};

/// A set of signals.
#[derive(Clone, Copy)]
pub(crate) struct Set(sigset_t);

/// What one signal is, and whether a process sent it (the terminal sends its own to every process
/// of the group).
pub(crate) struct Arrived {
    pub(crate) signal: c_int,
    pub(crate) by_process: bool,
}

impl Set {
    pub(crate) fn of(signals: impl IntoIterator<Item = c_int>) -> Self {
        let mut set = MaybeUninit::uninit();
        // SAFETY: writes a set without signals.
        unsafe { libc::sigemptyset(set.as_mut_ptr()) };
        // SAFETY: it has just been written.
        let mut set = unsafe { set.assume_init() };
        for signal in signals {
            // SAFETY: a set, and a number of which invalid ones are refused.
            unsafe { libc::sigaddset(&raw mut set, signal) };
        }
        Self(set)
    }

    /// All signals but those that cannot be held off, and those of faults of this process itself.
    pub(crate) fn of_others() -> Self {
        let own = [
            libc::SIGKILL,
            libc::SIGSTOP,
            libc::SIGILL,
            libc::SIGTRAP,
            libc::SIGABRT,
            libc::SIGBUS,
            libc::SIGFPE,
            libc::SIGSEGV,
            libc::SIGSYS,
        ];
        Self::of((1..=libc::SIGRTMAX()).filter(|signal| !own.contains(signal)))
    }

    /// Makes this the set of signals that are held off; the set that was.
    pub(crate) fn hold_off(&self) -> Self {
        let mut before = Self::of([]);
        // SAFETY: reads one set and writes another.
        unsafe { libc::sigprocmask(libc::SIG_SETMASK, &raw const self.0, &raw mut before.0) };
        before
    }

    /// A descriptor from which these signals can be read while they are held off.
    ///
    /// # Errors
    /// Those of signalfd(2).
    pub(crate) fn descriptor(&self) -> Result<OwnedFd> {
        let flags = libc::SFD_CLOEXEC | libc::SFD_NONBLOCK;
        // SAFETY: reads a set.
        let fd = unsafe { libc::signalfd(-1, &raw const self.0, flags) };
        if fd < 0 {
            return Err(Errno::MFILE);
        }
        // SAFETY: it has just been made.
        Ok(unsafe { OwnedFd::from_raw_fd(fd) })
    }
}

/// The next signal that has arrived, if there is one.
pub(crate) fn next(from: &OwnedFd) -> Option<Arrived> {
    let mut info = MaybeUninit::<signalfd_siginfo>::uninit();
    let size = size_of::<signalfd_siginfo>();
    // SAFETY: writes `size` bytes at most.
    let read = unsafe { libc::read(from.as_fd().as_raw_fd(), info.as_mut_ptr().cast(), size) };
    if usize::try_from(read) != Ok(size) {
        return None;
    }
    // SAFETY: all of it has been written.
    let info = unsafe { info.assume_init() };
    Some(Arrived {
        signal: info.ssi_signo.cast_signed(),
        by_process: info.ssi_code <= 0,
    })
}

/// What a signal does where nobody has said otherwise; whether it was ignored until now.
pub(crate) fn set_default(signal: c_int) -> bool {
    // SAFETY: no handler is set.
    unsafe { libc::signal(signal, libc::SIG_DFL) == libc::SIG_IGN }
}

/// Has a signal ignored.
pub(crate) fn ignore(signal: c_int) {
    // SAFETY: no handler is set.
    unsafe { libc::signal(signal, libc::SIG_IGN) };
}

/// Sends a signal to a process; one that has ended does not matter.
pub(crate) fn send(process: i32, signal: c_int) {
    // SAFETY: takes numbers.
    unsafe { libc::kill(process, signal) };
}

/// Stops this process until somebody lets it go on.
pub(crate) fn stop() {
    // SAFETY: takes a number.
    unsafe { libc::raise(libc::SIGSTOP) };
}

/// Ends this process by a signal, without a core of it.
pub(crate) fn end_by(signal: c_int) {
    let none = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: reads one structure.
    unsafe { libc::setrlimit(libc::RLIMIT_CORE, &raw const none) };
    set_default(signal);
    Set::of([]).hold_off();
    // SAFETY: takes a number.
    unsafe { libc::raise(signal) };
}
