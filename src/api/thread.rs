//! Threads of ours, in programs that call the API: they take none of the program's signals, and nothing
//! of theirs is left when they end.

use std::mem::MaybeUninit;
use std::thread::{Builder, JoinHandle};

use rustix::io::Errno;

/// Enough for a look-up: a reply of 64 kB is on the heap.
const STACK: usize = 256 * 1024;

/// Runs this in a thread of its own.
///
/// # Errors
/// `EAGAIN`: the system has no room for another thread.
pub(crate) fn spawn(
    name: &str,
    run: impl FnOnce() + Send + 'static,
) -> Result<JoinHandle<()>, Errno> {
    let builder = Builder::new().name(name.to_owned()).stack_size(STACK);
    // A new thread begins with the signals blocked that its maker has.
    let spawned = without_signals(|| builder.spawn(run));
    spawned.map_err(|_| Errno::AGAIN)
}

fn without_signals<T>(run: impl FnOnce() -> T) -> T {
    let mut all = MaybeUninit::uninit();
    let mut before = MaybeUninit::uninit();
    // SAFETY: `all` is writable.
    unsafe { libc::sigfillset(all.as_mut_ptr()) };
    // SAFETY: sigfillset has filled it, and `before` is writable.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, all.as_ptr(), before.as_mut_ptr()) };
    let result = run();
    // SAFETY: the call before has filled it.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, before.as_ptr(), std::ptr::null_mut()) };
    result
}
