//! The panic barrier: nothing of ours unwinds into the application.
//!
//! There is no flag for re-entrancy. mif's own system calls are raw and the calls it makes into
//! libc are `real::*`, so no hook runs inside another; and a flag would let a signal handler that
//! interrupts a look-up send past the policy.

use std::ffi::c_int;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// What `decide` returns, or `otherwise` where it panics: a doubt, which callers make a refusal.
pub(crate) fn unless_panic<T>(otherwise: T, decide: impl FnOnce() -> T) -> T {
    catch_unwind(AssertUnwindSafe(decide)).unwrap_or(otherwise)
}

/// The same for what reads files or waits for answers: a thread that is cancelled meanwhile
/// (`pthread_cancel(3)`) goes on until it is done. std closes descriptors, and reads, by functions of
/// libc's that end such a thread by unwinding it; a `drop` or a `catch_unwind` that is met on the
/// way ends the program instead.
pub(crate) fn uncancelled<T>(otherwise: T, look_up: impl FnOnce() -> T) -> T {
    let state = set_cancel_state(PTHREAD_CANCEL_DISABLE);
    let result = unless_panic(otherwise, look_up);
    set_cancel_state(state);
    result
}

/// Whether there is memory for a look-up. std ends a process that asks for some in vain, and libc's
/// own look-ups fail. Threads that take it meanwhile are not ruled out.
pub(crate) fn has_memory() -> bool {
    /// More than a look-up takes at once, with a reply by stream; less than what malloc(3) has the
    /// kernel map for itself, and what it gives back at once.
    const ENOUGH: usize = 96 * 1024;
    // SAFETY: malloc may be asked for any size.
    let block = std::hint::black_box(unsafe { libc::malloc(ENOUGH) });
    // SAFETY: it is malloc's, or null.
    unsafe { libc::free(block) };
    !block.is_null()
}

/// `pthread.h`.
const PTHREAD_CANCEL_DISABLE: c_int = 1;

/// Returns the state of before.
fn set_cancel_state(state: c_int) -> c_int {
    let mut old = 0;
    // SAFETY: `old` is writable, and the state is one of pthread.h's.
    unsafe { pthread_setcancelstate(state, &raw mut old) };
    old
}

unsafe extern "C" {
    fn pthread_setcancelstate(state: c_int, old: *mut c_int) -> c_int;
}

/// Keeps panics from printing into the application's stderr. This library has a std of its own,
/// so the hook of a Rust application is another one.
pub(crate) fn silence_panics() {
    std::panic::set_hook(Box::new(|_| {}));
}
