//! `io_uring`: what a ring sends is sent by no call that a hook sees, so under a policy there is none
//! unless `reach.io_uring` allows it. A ring that is made without libc's `syscall` is not seen.

use mif_steer::said_of_ring;

use crate::guard;
use crate::init::governing;

/// Whether a ring is not to be made.
pub(crate) fn is_refused() -> bool {
    let decide = || {
        let Some(active) = governing() else {
            return false;
        };
        let (level, said) = said_of_ring(&active.policy);
        active.log.line(level, format_args!("{said}"));
        !active.policy.io_uring
    };
    guard::unless_panic(true, decide)
}
