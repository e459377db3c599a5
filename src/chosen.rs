//! What the program has chosen by the MIF API: for a thread, or for all that have not chosen for
//! themselves. A process that never chooses is not asked: `init::active` looks here only after the first
//! choice.

use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicPtr, Ordering};

use libc::pthread_key_t;
use once_cell::race::OnceBox;
use rustix::io::Errno;

use crate::flags;
use crate::init::{Active, look_for_choices};

static USED: AtomicBool = AtomicBool::new(false);
static OF_PROCESS: AtomicPtr<Active> = AtomicPtr::new(ptr::null_mut());
/// Of the value that each thread has: no thread-local variable, whose first use in a thread may allocate
/// in a signal handler.
static OF_THREAD: OnceBox<pthread_key_t> = OnceBox::new();

/// Whether anything has ever been chosen.
pub(crate) fn is_used() -> bool {
    USED.load(Ordering::SeqCst)
}

/// What is chosen for the thread that calls.
pub(crate) fn here() -> Option<&'static Active> {
    let of_thread = OF_THREAD.get().map_or(ptr::null(), |&key| {
        // SAFETY: a key that is never deleted.
        unsafe { libc::pthread_getspecific(key) }.cast_const()
    });
    let chosen = if of_thread.is_null() {
        OF_PROCESS.load(Ordering::Acquire).cast_const()
    } else {
        of_thread.cast()
    };
    // SAFETY: null, or what was chosen, which stays for the life of the process.
    unsafe { chosen.as_ref() }
}

/// Chooses for the thread that calls, or takes the choice back.
///
/// # Errors
/// `EAGAIN`, `ENOMEM`: libc has no room for another value of a thread.
pub(crate) fn for_thread(choice: Option<&'static Active>) -> Result<(), Errno> {
    let &key = OF_THREAD.get_or_try_init(|| {
        let mut key = 0;
        // SAFETY: `key` is writable, and nothing is to be done with the values.
        match unsafe { libc::pthread_key_create(&raw mut key, None) } {
            0 => Ok(Box::new(key)),
            why => Err(Errno::from_raw_os_error(why)),
        }
    })?;
    let choice = choice.map_or(ptr::null(), ptr::from_ref);
    // SAFETY: a key that is never deleted.
    match unsafe { libc::pthread_setspecific(key, choice.cast()) } {
        0 => {
            note();
            Ok(())
        }
        why => Err(Errno::from_raw_os_error(why)),
    }
}

/// Chooses for every thread that has not chosen for itself, or takes the choice back.
pub(crate) fn for_process(choice: Option<&'static Active>) {
    let choice = choice.map_or(ptr::null(), ptr::from_ref);
    OF_PROCESS.store(choice.cast_mut(), Ordering::Release);
    note();
}

fn note() {
    flags::lower(flags::NAMES_ARE_LIBCS);
    #[cfg(any(target_arch = "aarch64", target_arch = "x86_64"))]
    crate::jump::hold_objects();
    USED.store(true, Ordering::SeqCst);
    look_for_choices();
}
