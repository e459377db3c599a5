//! `setsockopt`: where the application itself chooses a network or a kind of source address for a
//! socket.
//!
//! The call is the application's, and is made. It raises a flag, so that later calls ask the
//! kernel what was chosen; under `explicit = "override"` a device outside the policy is not set
//! at all, because without privileges it could not be taken back.

use std::ffi::{c_int, c_void};

use libc::socklen_t;
use mif_policy::{Explicit, Host, InterfaceName, PvdId};

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
            let ignored = || bytes.is_some_and(|bytes| is_outside(active, name, &bytes));
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
    (len as usize).min(15)
}

/// The value, NUL-padded or cut to the 16 bytes of an interface name.
///
/// # Safety
/// `value` must be settled for this length.
unsafe fn read(value: *const c_void, len: socklen_t) -> Option<[u8; 16]> {
    let len = length(len);
    if !is_plausible(value) || len == 0 {
        return None;
    }
    let mut bytes = [0; 16];
    // SAFETY: settled, and `bytes` is longer.
    unsafe { std::ptr::copy_nonoverlapping(value.cast(), bytes.as_mut_ptr(), len) };
    Some(bytes)
}

/// Whether this is a device of no network that the policy names. Clearing is not.
fn is_outside(active: &Active, option: c_int, bytes: &[u8; 16]) -> bool {
    let index = if option == libc::SO_BINDTOIFINDEX {
        bytes
            .first_chunk()
            .map_or(0, |chunk| u32::from_ne_bytes(*chunk))
    } else {
        let end = bytes
            .iter()
            .position(|&byte| byte == 0)
            .unwrap_or(bytes.len());
        let name = std::str::from_utf8(&bytes[..end])
            .ok()
            .and_then(|name| name.parse().ok());
        name.and_then(|name: InterfaceName| mif_host::inspect(name).ok())
            .unwrap_or(0)
    };
    let pvds = (0..u16::try_from(active.policy.pvds.len()).unwrap_or(u16::MAX)).map(PvdId);
    let host = active.view();
    index != 0
        && !pvds
            .map(|id| host.link(id))
            .any(|link| link.is_ok_and(|l| l.index == index))
}
