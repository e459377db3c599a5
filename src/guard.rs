//! The panic barrier: nothing of ours unwinds into the application.
//!
//! There is no flag for re-entrancy. mif's own system calls are raw and the calls it makes into
//! libc are `real::*`, so no hook runs inside another; and a flag would let a signal handler that
//! interrupts a look-up send past the policy.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// What `decide` returns, or `otherwise` where it panics: a doubt, which callers make a refusal.
pub(crate) fn unless_panic<T>(otherwise: T, decide: impl FnOnce() -> T) -> T {
    catch_unwind(AssertUnwindSafe(decide)).unwrap_or(otherwise)
}

/// Keeps panics from printing into the application's stderr. This library has a std of its own,
/// so the hook of a Rust application is another one.
pub(crate) fn silence_panics() {
    std::panic::set_hook(Box::new(|_| {}));
}
