//! The application's errno.

use std::ffi::c_int;

pub(crate) fn get() -> c_int {
    // SAFETY: takes nothing and always returns this thread's errno.
    let slot = unsafe { libc::__errno_location() };
    // SAFETY: the thread's errno is always readable.
    unsafe { *slot }
}

pub(crate) fn set(errno: c_int) {
    // SAFETY: takes nothing and always returns this thread's errno.
    let slot = unsafe { libc::__errno_location() };
    // SAFETY: the thread's errno is always writable.
    unsafe { *slot = errno };
}

/// Runs what may call libc. The C standard lets a program begin with an errno of 0.
pub(crate) fn keeping<T>(run: impl FnOnce() -> T) -> T {
    let errno = get();
    let result = run();
    set(errno);
    result
}
