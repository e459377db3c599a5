//! System calls that `rustix` has no function for: the listener of seccomp(2), processes, and the memory
//! of another one.
#![allow(unsafe_code)]

use std::ffi::{CString, c_int, c_long, c_ulong, c_void};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use libc::{iovec, seccomp_notif, seccomp_notif_addfd, seccomp_notif_resp, sock_filter};
use rustix::io::{Errno, Result};

use crate::Program;

/// `linux/seccomp.h`, Linux 6.6.
const SYNC_WAKE_UP: c_ulong = 1;

/// Puts a filter on this process and all that it starts, and returns the descriptor on which the
/// kernel asks. It needs `no_new_privs`.
///
/// # Errors
/// `EBUSY` where an outer filter asks already, `EINVAL` where the kernel has no notifications.
pub(crate) fn install(filter: &[sock_filter]) -> Result<OwnedFd> {
    let program = libc::sock_fprog {
        len: u16::try_from(filter.len()).map_err(|_| Errno::INVAL)?,
        filter: filter.as_ptr().cast_mut(),
    };
    // SAFETY: the kernel reads `len` instructions, which outlive the call, and writes nothing.
    let fd = unsafe {
        libc::syscall(
            libc::SYS_seccomp,
            libc::SECCOMP_SET_MODE_FILTER,
            libc::SECCOMP_FILTER_FLAG_NEW_LISTENER,
            &raw const program,
        )
    };
    let fd = c_int::try_from(checked(fd)?).map_err(|_| Errno::BADF)?;
    // SAFETY: the kernel has just made it, for this process.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Has the kernel run the supervisor on the processor of who waits for it (Linux 6.6). An older
/// kernel goes without.
pub(crate) fn wake_up_in_place(listener: BorrowedFd<'_>) {
    let request = libc::SECCOMP_IOCTL_NOTIF_SET_FLAGS;
    // SAFETY: this request takes a number.
    let _ = unsafe { libc::ioctl(listener.as_raw_fd(), request, SYNC_WAKE_UP) };
}

/// The next call that is asked about.
///
/// # Errors
/// `ENOENT` where the caller was interrupted meanwhile.
pub(crate) fn receive(listener: BorrowedFd<'_>) -> Result<seccomp_notif> {
    // SAFETY: integers alone, for which zero, which the kernel demands, is a value.
    let mut call: seccomp_notif = unsafe { std::mem::zeroed() };
    let request = libc::SECCOMP_IOCTL_NOTIF_RECV;
    // SAFETY: writes one `seccomp_notif`.
    let done = unsafe { libc::ioctl(listener.as_raw_fd(), request, &raw mut call) };
    checked(done.into()).map(|_| call)
}

/// Whether a call still waits for its answer: then what was read by its thread's number was that
/// thread's.
pub(crate) fn is_waiting(listener: BorrowedFd<'_>, id: u64) -> bool {
    let request = libc::SECCOMP_IOCTL_NOTIF_ID_VALID;
    // SAFETY: reads one number.
    unsafe { libc::ioctl(listener.as_raw_fd(), request, &raw const id) == 0 }
}

/// Answers a call.
///
/// # Errors
/// `ENOENT` where nobody waits for the answer any more.
pub(crate) fn answer(listener: BorrowedFd<'_>, answer: &seccomp_notif_resp) -> Result<()> {
    let request = libc::SECCOMP_IOCTL_NOTIF_SEND;
    let answer: *const seccomp_notif_resp = answer;
    // SAFETY: reads one `seccomp_notif_resp`.
    let done = unsafe { libc::ioctl(listener.as_raw_fd(), request, answer) };
    checked(done.into()).map(|_| ())
}

/// Answers a call with a descriptor of its own for `file` (Linux 5.14).
///
/// # Errors
/// `ENOENT` where nobody waits for the answer any more, `EINVAL` of an older kernel.
pub(crate) fn answer_with_file(
    listener: BorrowedFd<'_>,
    id: u64,
    file: BorrowedFd<'_>,
    close_on_exec: bool,
) -> Result<()> {
    let send = libc::SECCOMP_ADDFD_FLAG_SEND;
    add_file(listener, id, file, close_on_exec, send, 0)
}

/// Replaces descriptor `number` of a caller by one for `file` (Linux 5.9).
///
/// # Errors
/// `ENOENT` where nobody waits for the answer any more.
pub(crate) fn replace_descriptor(
    listener: BorrowedFd<'_>,
    id: u64,
    file: BorrowedFd<'_>,
    number: c_int,
    close_on_exec: bool,
) -> Result<()> {
    let set = libc::SECCOMP_ADDFD_FLAG_SETFD;
    add_file(listener, id, file, close_on_exec, set, number)
}

fn add_file(
    listener: BorrowedFd<'_>,
    id: u64,
    file: BorrowedFd<'_>,
    close_on_exec: bool,
    flags: c_ulong,
    number: c_int,
) -> Result<()> {
    let request = seccomp_notif_addfd {
        id,
        flags: u32::try_from(flags).unwrap_or(0),
        srcfd: file.as_raw_fd().cast_unsigned(),
        newfd: number.cast_unsigned(),
        newfd_flags: if close_on_exec {
            libc::O_CLOEXEC.cast_unsigned()
        } else {
            0
        },
    };
    let name = libc::SECCOMP_IOCTL_NOTIF_ADDFD;
    // SAFETY: reads one `seccomp_notif_addfd`.
    let done = unsafe { libc::ioctl(listener.as_raw_fd(), name, &raw const request) };
    checked(done.into()).map(|_| ())
}

/// Reads from the memory of a thread's process; how much could be read.
///
/// # Errors
/// `EFAULT` where nothing is there, `EPERM` where the process is not to be looked at.
pub(crate) fn read_memory(thread: i32, from: u64, into: &mut [u8]) -> Result<usize> {
    let ours = piece(into.as_mut_ptr().cast(), into.len());
    let theirs = piece(address(from)?, into.len());
    // SAFETY: `ours` is writable for its length; `theirs` is not memory of this process.
    let done =
        unsafe { libc::process_vm_readv(thread, &raw const ours, 1, &raw const theirs, 1, 0) };
    checked_size(done)
}

/// Writes into the memory of a thread's process.
///
/// # Errors
/// As [`read_memory`].
pub(crate) fn write_memory(thread: i32, to: u64, what: &[u8]) -> Result<()> {
    let ours = piece(what.as_ptr().cast_mut().cast(), what.len());
    let theirs = piece(address(to)?, what.len());
    // SAFETY: `ours` is readable for its length; `theirs` is not memory of this process.
    let done =
        unsafe { libc::process_vm_writev(thread, &raw const ours, 1, &raw const theirs, 1, 0) };
    let written = checked_size(done)?;
    (written == what.len()).then_some(()).ok_or(Errno::FAULT)
}

/// Goes to a user and a network namespace of this process's own.
///
/// # Errors
/// Those of unshare(2): where users may not make them, `EPERM` or `ENOSPC`.
pub(crate) fn leave_network() -> Result<()> {
    // SAFETY: takes bits, and the process has one thread.
    let done = unsafe { libc::unshare(libc::CLONE_NEWUSER | libc::CLONE_NEWNET) };
    checked(done.into()).map(|_| ())
}

/// A child process; `None` in the child.
///
/// # Errors
/// Those of fork(2).
pub(crate) fn fork() -> Result<Option<i32>> {
    // SAFETY: `mif supervise` has one thread until it has made its last child, so the child may do
    // whatever the parent may.
    let pid = unsafe { libc::fork() };
    let pid = checked(pid.into())?;
    Ok((pid != 0).then(|| i32::try_from(pid).unwrap_or(-1)))
}

/// Becomes a program; returns only where that fails.
pub(crate) fn become_program(program: &Program) -> Errno {
    let list = |words: &[CString]| {
        let words = words.iter().map(|word| word.as_ptr());
        words.chain([std::ptr::null()]).collect::<Vec<_>>()
    };
    let file = program.file.as_ptr();
    let (arguments, environment) = (list(&program.arguments), list(&program.environment));
    let (arguments, environment) = (arguments.as_ptr(), environment.as_ptr());
    // The shell runs what is no program, as libc has it, for a file with a path, too.
    if program.searched || program.file.to_bytes().contains(&b'/') {
        // SAFETY: a C string, and two lists of them with a null at their ends.
        unsafe { libc::execvpe(file, arguments, environment) };
    } else {
        // SAFETY: as above.
        unsafe { libc::execve(file, arguments, environment) };
    }
    last_error()
}

/// Closes the descriptors from `first` to `last` (Linux 5.9).
pub(crate) fn close_range(first: u32, last: u32) {
    if first <= last {
        // SAFETY: nothing of this process uses a descriptor of that range.
        unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) };
    }
}

pub(crate) fn piece(base: *mut c_void, len: usize) -> iovec {
    iovec {
        iov_base: base,
        iov_len: len,
    }
}

fn address(number: u64) -> Result<*mut c_void> {
    let number = usize::try_from(number).map_err(|_| Errno::FAULT)?;
    Ok(std::ptr::without_provenance_mut(number))
}

pub(crate) fn checked(returned: c_long) -> Result<c_long> {
    if returned < 0 {
        Err(last_error())
    } else {
        Ok(returned)
    }
}

pub(crate) fn checked_size(returned: isize) -> Result<usize> {
    usize::try_from(returned).map_err(|_| last_error())
}

fn last_error() -> Errno {
    Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::IO)
}
