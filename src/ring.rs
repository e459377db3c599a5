//! `io_uring`: what a ring sends is sent by no call that a hook sees, so under a policy there is none
//! unless `reach.io_uring` allows it. A ring that is made without libc's `syscall` is not seen.

use crate::guard;
use crate::init::governing;
use crate::log::Level;

/// Whether a ring is not to be made.
pub(crate) fn is_refused() -> bool {
    let decide = || {
        let Some(active) = governing() else {
            return false;
        };
        let allowed = active.policy.io_uring;
        let (level, outcome) = if allowed {
            let outcome = "allowed, and what it sends leaves by any network";
            (Level::Decisions, outcome)
        } else {
            (Level::Refused, "refused")
        };
        let line = format_args!("io_uring_setup: {outcome} (reach.io_uring)");
        active.log.line(level, line);
        !allowed
    };
    guard::unless_panic(true, decide)
}
