//! Files of the host that look another way under a policy: whoever opens one of them to be read, by
//! any of libc's names for that, gets a view of it.
//!
//! A view is an anonymous file of its own (`memfd_create(2)`), so that nothing lies in a folder
//! where others could plant one, and nothing is kept here. Only the path counts, as text, and only
//! opening: stat(2), access(2) and the path's symbolic links are the real file's.
//!
//! `open` is called from signal handlers and by everybody all the time. So nothing here allocates,
//! and another path costs a comparison.

use std::ffi::{CStr, c_char, c_int, c_uint};
use std::os::fd::{IntoRawFd, OwnedFd};

use libc::FILE;
use rustix::io::Errno;

use crate::connect::fail;
use crate::hooks::real;
use crate::init::has_no_policy;
use crate::memory::{is_plausible, lies_in_one_page, settled};
use crate::{if_inet6, resolv_conf};

/// libc's function is variadic: there is a mode only if `flags` creates a file. The calling
/// conventions of x86-64 (System V) and of 64-bit Arm (AAPCS64, Linux) pass a variadic integer in the
/// register of a named one, so `mode` is what the caller passed, or whatever that register holds;
/// and it goes on in the same register to libc's, which looks at it in the first case only. What
/// `al` says on x86-64 of vector registers can at worst make a variadic callee save some in vain.
///
/// # Safety
/// As open(2).
pub(crate) unsafe fn open(path: *const c_char, flags: c_int, mode: c_uint) -> c_int {
    // SAFETY: the caller's contract.
    if let Some(view) = unsafe { descriptor(path, flags) } {
        return view;
    }
    // SAFETY: the caller's own arguments.
    unsafe { real::open(path, flags, mode) }
}

/// # Safety
/// As open(2).
pub(crate) unsafe fn open64(path: *const c_char, flags: c_int, mode: c_uint) -> c_int {
    // SAFETY: the caller's contract.
    if let Some(view) = unsafe { descriptor(path, flags) } {
        return view;
    }
    // SAFETY: the caller's own arguments.
    unsafe { real::open64(path, flags, mode) }
}

/// # Safety
/// As openat(2).
pub(crate) unsafe fn openat(dir: c_int, path: *const c_char, flags: c_int, mode: c_uint) -> c_int {
    // SAFETY: the caller's contract.
    if let Some(view) = unsafe { descriptor(path, flags) } {
        return view;
    }
    // SAFETY: the caller's own arguments.
    unsafe { real::openat(dir, path, flags, mode) }
}

/// # Safety
/// As openat(2).
pub(crate) unsafe fn openat64(
    dir: c_int,
    path: *const c_char,
    flags: c_int,
    mode: c_uint,
) -> c_int {
    // SAFETY: the caller's contract.
    if let Some(view) = unsafe { descriptor(path, flags) } {
        return view;
    }
    // SAFETY: the caller's own arguments.
    unsafe { real::openat64(dir, path, flags, mode) }
}

/// # Safety
/// As open(2) without a mode.
pub(crate) unsafe fn open_2(path: *const c_char, flags: c_int) -> c_int {
    // SAFETY: the caller's contract.
    if let Some(view) = unsafe { descriptor(path, flags) } {
        return view;
    }
    // SAFETY: the caller's own arguments.
    unsafe { real::__open_2(path, flags) }
}

/// # Safety
/// As open(2) without a mode.
pub(crate) unsafe fn open64_2(path: *const c_char, flags: c_int) -> c_int {
    // SAFETY: the caller's contract.
    if let Some(view) = unsafe { descriptor(path, flags) } {
        return view;
    }
    // SAFETY: the caller's own arguments.
    unsafe { real::__open64_2(path, flags) }
}

/// # Safety
/// As openat(2) without a mode.
pub(crate) unsafe fn openat_2(dir: c_int, path: *const c_char, flags: c_int) -> c_int {
    // SAFETY: the caller's contract.
    if let Some(view) = unsafe { descriptor(path, flags) } {
        return view;
    }
    // SAFETY: the caller's own arguments.
    unsafe { real::__openat_2(dir, path, flags) }
}

/// # Safety
/// As openat(2) without a mode.
pub(crate) unsafe fn openat64_2(dir: c_int, path: *const c_char, flags: c_int) -> c_int {
    // SAFETY: the caller's contract.
    if let Some(view) = unsafe { descriptor(path, flags) } {
        return view;
    }
    // SAFETY: the caller's own arguments.
    unsafe { real::__openat64_2(dir, path, flags) }
}

/// # Safety
/// As fopen(3).
pub(crate) unsafe fn fopen(path: *const c_char, mode: *const c_char) -> *mut FILE {
    // SAFETY: the caller's contract.
    if let Some(view) = unsafe { stream(path, mode) } {
        return view;
    }
    // SAFETY: the caller's own arguments.
    unsafe { real::fopen(path, mode) }
}

/// # Safety
/// As fopen(3).
pub(crate) unsafe fn fopen64(path: *const c_char, mode: *const c_char) -> *mut FILE {
    // SAFETY: the caller's contract.
    if let Some(view) = unsafe { stream(path, mode) } {
        return view;
    }
    // SAFETY: the caller's own arguments.
    unsafe { real::fopen64(path, mode) }
}

/// What an `open` of this path gives, if it is not libc's.
///
/// # Safety
/// `path` must be null, invalid for every process, or a C string.
#[inline]
unsafe fn descriptor(path: *const c_char, flags: c_int) -> Option<c_int> {
    if has_no_policy() {
        return None;
    }
    // SAFETY: the caller's contract.
    let make = unsafe { view_of(path) }?;
    let other = libc::O_ACCMODE | libc::O_CREAT | libc::O_TRUNC | libc::O_PATH | libc::O_DIRECTORY;
    if flags & other != libc::O_RDONLY {
        return None;
    }
    let view = make("open", flags & libc::O_CLOEXEC != 0)?;
    Some(view.map_or_else(fail, IntoRawFd::into_raw_fd))
}

/// What a `fopen` of this path gives, if it is not libc's.
///
/// # Safety
/// As fopen(3), but that both may be null or invalid for every process.
#[inline]
unsafe fn stream(path: *const c_char, mode: *const c_char) -> Option<*mut FILE> {
    if has_no_policy() || !is_plausible(mode) {
        return None;
    }
    // SAFETY: the caller's contract.
    let make = unsafe { view_of(path) }?;
    // SAFETY: the caller's contract.
    let words = unsafe { CStr::from_ptr(mode) }.to_bytes();
    // A character set follows behind the comma.
    let flags = words.split(|&letter| letter == b',').next()?;
    if flags.first() != Some(&b'r') || flags.contains(&b'+') {
        return None;
    }
    let null = std::ptr::null_mut();
    let fd = match make("fopen", flags.contains(&b'e'))? {
        Ok(fd) => fd.into_raw_fd(),
        Err(errno) => {
            fail(errno);
            return Some(null);
        }
    };
    // SAFETY: a descriptor that is open, and the caller's mode.
    let stream = unsafe { libc::fdopen(fd, mode) };
    if stream.is_null() {
        // SAFETY: nobody else has seen this descriptor. By a raw call, which leaves fdopen's errno.
        unsafe { rustix::io::close(fd) };
    }
    Some(stream)
}

/// Makes what is opened in place of a file, on behalf of a call of this name and close-on-exec or
/// not; `None` leaves it to libc.
type View = fn(&str, bool) -> Option<Result<OwnedFd, Errno>>;

/// # Safety
/// `path` must be null, invalid for every process, or a C string.
#[inline(never)]
unsafe fn view_of(path: *const c_char) -> Option<View> {
    if !is_plausible(settled(path, 1)) {
        return None;
    }
    let is = |wanted| is_text(path, wanted);
    if is(resolv_conf::PATH) {
        return Some(resolv_conf::view);
    }
    is(if_inet6::PATH).then_some(if_inet6::view)
}

/// Whether a path, of which the first byte can be read, is this text. Reads no further than it has to.
#[inline]
fn is_text(path: *const c_char, wanted: &CStr) -> bool {
    let wanted = wanted.to_bytes_with_nul();
    let is_near = lies_in_one_page(path, wanted.len());
    (0..).zip(wanted).all(|(n, &wanted)| {
        let byte = path.wrapping_add(n).cast::<u8>();
        // SAFETY: of the page that can be read, or asked about.
        (is_near || is_plausible(settled(byte, 1))) && unsafe { *byte } == wanted
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_path_itself_is_the_file() {
        // SAFETY: a C string.
        let is = |path: &std::ffi::CStr| unsafe { view_of(path.as_ptr()).is_some() };
        assert!(is(c"/etc/resolv.conf"));
        for path in [
            c"",
            c"/",
            c"/etc/resolv.con",
            c"/etc/resolv.conf~",
            c"etc/resolv.conf",
            c"/etc/resolv.conf/",
        ] {
            assert!(!is(path), "{path:?}");
        }
        // SAFETY: no address of a process.
        assert!(unsafe { view_of(std::ptr::null()) }.is_none());
    }
}
