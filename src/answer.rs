//! The kernel's answer to a datagram that names a network.

use libc::ssize_t;

use crate::errno;
use crate::init::active;

/// What to do about the kernel's answer to a datagram with our packet information.
pub(crate) enum Kernel {
    /// Hand it on.
    Final,
    /// The interface's index is another one by now: nothing was sent; ask again.
    Stale,
    /// The mark is not permitted: nothing was sent.
    NoMark,
}

pub(crate) fn judge(sent: ssize_t, has_mark: bool) -> Kernel {
    if sent >= 0 {
        return Kernel::Final;
    }
    match errno::get() {
        _ if is_stale() => Kernel::Stale,
        libc::EPERM if has_mark => Kernel::NoMark,
        _ => Kernel::Final,
    }
}

/// Whether the kernel has just refused an interface's index, which is then forgotten.
#[cold]
pub(crate) fn is_stale() -> bool {
    let is_stale = matches!(errno::get(), libc::ENODEV | libc::ENXIO);
    if is_stale && let Some(active) = active() {
        active.host.forget();
    }
    is_stale
}
