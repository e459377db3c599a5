//! Where this library stands among the objects of its process. Preloaded, or linked by the program, it is
//! in front of libc. It is behind libc where only a library of the program links it, and in no order at
//! all where dlopen(3) opened it: then the API works, but the program's own calls do not come here.

use std::ffi::{CStr, c_void};
use std::ptr;
use std::sync::atomic::{AtomicU8, Ordering};

/// The definition of a symbol behind this library, or libc's where libc is in front. `name` ends in NUL.
pub(crate) fn next(name: &'static str) -> *mut u8 {
    if is_last() {
        return default(CStr::from_bytes_with_nul(name.as_bytes()).unwrap_or_default()).cast();
    }
    // SAFETY: `name` ends in NUL, which is all that dlsym asks.
    unsafe { redhook::ld_preload::dlsym_next(name) }.cast_mut()
}

/// Whether the calls of the program come to this library: `ours` is its function of that name.
pub(crate) fn is_in_front(name: &CStr, ours: *const c_void) -> bool {
    // SAFETY: no name: the program itself, with all that was loaded with it.
    let program = unsafe { libc::dlopen(ptr::null(), libc::RTLD_LAZY) };
    // SAFETY: a handle of dlopen's and a C string.
    let is_loaded_with_it = unsafe { libc::dlsym(program, name.as_ptr()) }.cast_const() == ours;
    is_loaded_with_it && !is_last() && default(c"connect") != behind(c"connect")
}

/// Whether libc is not behind this library, so that nothing is.
fn is_last() -> bool {
    const UNKNOWN: u8 = 0;
    static IS_LAST: AtomicU8 = AtomicU8::new(UNKNOWN);
    let mut known = IS_LAST.load(Ordering::Relaxed);
    if known == UNKNOWN {
        known = 1 + u8::from(behind(c"connect").is_null());
        IS_LAST.store(known, Ordering::Relaxed);
    }
    known == 2
}

fn behind(name: &CStr) -> *mut c_void {
    // SAFETY: a C string.
    unsafe { libc::dlsym(libc::RTLD_NEXT, name.as_ptr()) }
}

fn default(name: &CStr) -> *mut c_void {
    // SAFETY: a C string.
    unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) }
}
