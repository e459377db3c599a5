//! What this process has been seen to do with sockets, and one thing about its policy, as bits
//! that are only ever raised.
//!
//! A raised bit makes later calls ask the kernel about their socket; while it is down the answer
//! is known and the system call is spared. Sockets that arrive in messages from other processes
//! are not seen (docs/limits.md).

use std::sync::atomic::{AtomicU32, Ordering};

/// Some socket was bound to an address that is no wildcard.
pub(crate) const BOUND: u32 = 1;
/// The application bound a socket to a device, or set `*_UNICAST_IF`, `*_MULTICAST_IF`.
pub(crate) const PINNED: u32 = 2;
/// mif set `*_UNICAST_IF` on a datagram socket that connected.
pub(crate) const STEERED: u32 = 4;
/// mif pinned a datagram socket to a device: a listener, or one that is not held otherwise.
pub(crate) const DEVICE: u32 = 8;
/// mif pinned a stream that connected to a device, which it cannot take back.
pub(crate) const STREAM: u32 = 16;
/// There is no policy, or one that leaves every look-up to libc and says nothing of it. The one bit that
/// is taken back, when the program chooses a network by the MIF API.
pub(crate) const NAMES_ARE_LIBCS: u32 = 32;
/// The application set `IPV6_ADDR_PREFERENCES`.
pub(crate) const PREFERS: u32 = 64;
/// A thread went to another network namespace.
pub(crate) const MOVED: u32 = 128;
/// A look-up told something of an address that matters for flows.
pub(crate) const LEARNED: u32 = 256;

static RAISED: AtomicU32 = AtomicU32::new(0);

pub(crate) fn raise(bits: u32) {
    // A store in every call would make threads share a cache line for nothing.
    if !are_raised(bits) {
        RAISED.fetch_or(bits, Ordering::Relaxed);
    }
}

pub(crate) fn lower(bits: u32) {
    RAISED.fetch_and(!bits, Ordering::Relaxed);
}

/// Whether any of these bits is raised.
#[inline]
pub(crate) fn any(bits: u32) -> bool {
    RAISED.load(Ordering::Relaxed) & bits != 0
}

fn are_raised(bits: u32) -> bool {
    RAISED.load(Ordering::Relaxed) & bits == bits
}
