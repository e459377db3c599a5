//! `setns` and `unshare`: a thread that goes to another network namespace, where the host's
//! interfaces and addresses are others by the same names and numbers.

use std::ffi::c_int;

use crate::api::scope;
use crate::hooks::real;
use crate::init::governing;
use crate::{chosen, flags};

/// # Safety
/// As setns(2).
pub(crate) unsafe fn setns(fd: c_int, kind: c_int) -> c_int {
    // SAFETY: the caller's own arguments.
    let done = unsafe { real::setns(fd, kind) };
    // 0 is a namespace of any kind.
    note(done, kind == 0 || kind & libc::CLONE_NEWNET != 0)
}

/// # Safety
/// As unshare(2).
pub(crate) unsafe fn unshare(flags: c_int) -> c_int {
    // SAFETY: the caller's own arguments.
    let done = unsafe { real::unshare(flags) };
    note(done, flags & libc::CLONE_NEWNET != 0)
}

fn note(done: c_int, may_be_network: bool) -> c_int {
    if done == 0 && may_be_network {
        flags::raise(flags::MOVED);
        if let Some(active) = governing() {
            active.host.leaves_its_namespace();
        }
        if chosen::is_used() {
            scope::for_each(|active| active.host.leaves_its_namespace());
        }
    }
    done
}
