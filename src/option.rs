//! `setsockopt`: where the application itself chooses a network or a kind of source address for a
//! socket.
//!
//! The call is the application's, and is made. It raises a flag, so that later calls ask the
//! kernel what was chosen; under `explicit = "override"` a device outside the policy is not set
//! at all, because without privileges it could not be taken back.

use std::ffi::{c_int, c_void};

use libc::socklen_t;
use mif_policy::Explicit;
use mif_steer::DEVICE;

use crate::flags;
use crate::guard::unless_panic;
use crate::hooks::real;
use crate::init::{Active, active};
use crate::memory::{self, is_plausible};

/// # Safety
/// As setsockopt(2).
pub(crate) unsafe fn setsockopt(
    fd: c_int,
    level: c_int,
    name: c_int,
    value: *const c_void,
    len: socklen_t,
) -> c_int {
    if is_pin(level, name)
        && let Some(active) = active()
    {
        flags::raise(flags::PINNED);
        if level == libc::SOL_SOCKET && active.policy.explicit == Explicit::Override {
            let settled = memory::settled(value, length(len));
            // SAFETY: settled.
            let bytes = unsafe { read(settled, len) };
            let ignored =
                || bytes.is_some_and(|(bytes, len)| is_outside(active, name, &bytes[..len]));
            if unless_panic(false, ignored) {
                return 0;
            }
            // SAFETY: the caller's own arguments, or a pointer that cannot be followed either.
            return unsafe { real::setsockopt(fd, level, name, settled, len) };
        }
    }
    if (level, name) == (libc::IPPROTO_IPV6, libc::IPV6_ADDR_PREFERENCES) {
        flags::raise(flags::PREFERS);
    }
    // SAFETY: the caller's own arguments.
    unsafe { real::setsockopt(fd, level, name, value, len) }
}

fn is_pin(level: c_int, name: c_int) -> bool {
    match level {
        libc::SOL_SOCKET => matches!(name, libc::SO_BINDTODEVICE | libc::SO_BINDTOIFINDEX),
        libc::IPPROTO_IP => matches!(name, libc::IP_UNICAST_IF | libc::IP_MULTICAST_IF),
        libc::IPPROTO_IPV6 => matches!(
            name,
            libc::IPV6_UNICAST_IF | libc::IPV6_MULTICAST_IF | libc::IPV6_PKTINFO
        ),
        _ => false,
    }
}

/// How much of a value is looked at: what the kernel copies of an interface name.
fn length(len: socklen_t) -> usize {
    (len as usize).min(DEVICE)
}

/// What is looked at of a value.
///
/// # Safety
/// `value` must be settled for this length.
unsafe fn read(value: *const c_void, len: socklen_t) -> Option<([u8; DEVICE], usize)> {
    let len = length(len);
    if !is_plausible(value) || len == 0 {
        return None;
    }
    let mut bytes = [0; DEVICE];
    // SAFETY: settled, and `bytes` is as long.
    unsafe { std::ptr::copy_nonoverlapping(value.cast(), bytes.as_mut_ptr(), len) };
    Some((bytes, len))
}

fn is_outside(active: &Active, option: c_int, value: &[u8]) -> bool {
    let index_of = |name| mif_host::inspect(name).ok();
    mif_steer::is_outside(option, value, &active.policy, &active.view(), index_of)
}
