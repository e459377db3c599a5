//! The clock that answers of the kernel age by.
//!
//! It is libc's: the fast way to it, the vDSO, is libc's business, and not there under valgrind.

use libc::timespec;

/// Milliseconds since the start of the host, a few behind (`CLOCK_MONOTONIC_COARSE`): a third of
/// the price of the exact clock, in every call that a policy judges.
pub(crate) fn milliseconds() -> u64 {
    nanoseconds() / 1_000_000
}

/// The same in nanoseconds, which cost less to find.
#[inline]
pub(crate) fn nanoseconds() -> u64 {
    let mut now = NEVER;
    nanoseconds_in(&mut now)
}

/// The same with room of the caller's.
#[inline]
pub(crate) fn nanoseconds_in(now: &mut timespec) -> u64 {
    // SAFETY: `now` is writable. The clock exists on every Linux that mif runs on, and where it did
    // not, `now` would stay zero: answers would be asked for once.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC_COARSE, now) };
    now.tv_sec.cast_unsigned() * 1_000_000_000 + now.tv_nsec.cast_unsigned()
}

/// Room for a moment.
pub(crate) const NEVER: timespec = timespec {
    tv_sec: 0,
    tv_nsec: 0,
};
