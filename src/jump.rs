//! Two functions of libc that are not called from here but jumped to, so that libc sees the
//! caller's own frame: `dlopen`, which looks for libraries where its caller's object says (RUNPATH,
//! `$ORIGIN`), and `syscall`, whose arguments are whatever the call takes.
//!
//! Both are ways round the hooks. An object that is opened with `RTLD_DEEPBIND` (as PHP opens its
//! extensions) binds past every preload, so that flag is taken off under a policy. And what a
//! program does by `syscall` (as libuv sends datagrams) is done by the hook of that call, if it has
//! one; every other number costs four comparisons.
//!
//! The stubs are assembler, so there are some for x86-64 and aarch64 only: elsewhere the two are libc's.

use std::ffi::{c_char, c_int, c_long, c_uint, c_void};
use std::sync::atomic::{AtomicPtr, AtomicU32, Ordering};

use libc::{mmsghdr, msghdr, size_t, sock_fprog, sockaddr, socklen_t, ssize_t};
use rustix::io::Errno;

use crate::connect::fail;
use crate::strings::Strings;
use crate::{hooks, order, ring, sandbox};

#[cfg(target_arch = "aarch64")]
mod aarch64;
#[cfg(target_arch = "x86_64")]
mod x86_64;

#[cfg(target_arch = "aarch64")]
use aarch64::{first_dlopen, first_syscall};
#[cfg(target_arch = "x86_64")]
use x86_64::{first_dlopen, first_syscall};

/// `dlfcn.h`.
const RTLD_DEEPBIND: u32 = 8;

/// The flags that `dlopen` keeps.
static KEPT_FLAGS: AtomicU32 = AtomicU32::new(u32::MAX);
/// libc's two functions, found by the first call that finds its own stub here.
static DLOPEN: AtomicPtr<c_void> = AtomicPtr::new(first_dlopen as *mut c_void);
static SYSCALL: AtomicPtr<c_void> = AtomicPtr::new(first_syscall as *mut c_void);

/// From now on objects bind to the hooks.
pub(crate) fn hold_objects() {
    KEPT_FLAGS.store(!RTLD_DEEPBIND, Ordering::Relaxed);
}

/// Finds what may be called from a signal handler.
pub(crate) fn find_signal_safe() {
    find_syscall();
}

extern "C" fn find_dlopen() -> *mut c_void {
    find("dlopen\0", &DLOPEN)
}

extern "C" fn find_syscall() -> *mut c_void {
    find("syscall\0", &SYSCALL)
}

fn find(name: &'static str, place: &AtomicPtr<c_void>) -> *mut c_void {
    let next = order::next(name).cast();
    place.store(next, Ordering::Relaxed);
    next
}

/// The hooks by names that are not exported, which cannot be jumped to, and with what they return
/// as wide as `syscall` does.
macro_rules! as_long {
    ($($name:ident($($arg:ident: $ty:ty),*) -> $long:ty;)*) => { $(
        unsafe extern "C-unwind" fn $name($($arg: $ty),*) -> $long {
            // SAFETY: the caller's own arguments.
            <$long>::from(unsafe { hooks::$name($($arg),*) })
        }
    )* };
}

as_long! {
    connect(fd: c_int, addr: *const sockaddr, len: socklen_t) -> c_long;
    bind(fd: c_int, addr: *const sockaddr, len: socklen_t) -> c_long;
    listen(fd: c_int, backlog: c_int) -> c_long;
    setsockopt(fd: c_int, level: c_int, name: c_int, value: *const c_void, len: socklen_t) -> c_long;
    sendto(
        fd: c_int, data: *const c_void, size: size_t, flags: c_int, addr: *const sockaddr,
        len: socklen_t
    ) -> ssize_t;
    sendmsg(fd: c_int, message: *const msghdr, flags: c_int) -> ssize_t;
    sendmmsg(fd: c_int, messages: *mut mmsghdr, count: c_uint, flags: c_int) -> c_long;
    execve(path: *const c_char, argv: Strings, envp: Strings) -> c_long;
    execveat(
        folder: c_int, path: *const c_char, argv: Strings, envp: Strings, flags: c_int
    ) -> c_long;
}

/// `io_uring_setup(2)`: what a ring sends is sent by no call, so there is none where a policy does not
/// allow it.
unsafe extern "C-unwind" fn io_uring_setup(entries: c_uint, parameters: *mut c_void) -> c_long {
    if ring::is_refused() {
        return fail(Errno::NOSYS).into();
    }
    // SAFETY: the caller's own arguments.
    unsafe { next_syscall()(libc::SYS_io_uring_setup, entries, parameters) }
}

/// seccomp(2), for which libc has no other way.
unsafe extern "C-unwind" fn seccomp(
    operation: c_uint,
    flags: c_uint,
    program: *const sock_fprog,
) -> c_long {
    // SAFETY: the caller's own arguments.
    let call = || unsafe { next_syscall()(libc::SYS_seccomp, operation, flags, program) };
    // SAFETY: as above.
    unsafe { sandbox::seccomp(operation, program, call) }
}

type Syscall = unsafe extern "C-unwind" fn(c_long, ...) -> c_long;

/// libc's own.
fn next_syscall() -> Syscall {
    let next = find("syscall\0", &SYSCALL);
    // SAFETY: libc's function.
    unsafe { std::mem::transmute::<*mut c_void, Syscall>(next) }
}
