//! A socket that is about to connect, put on its network by the policy's standing answer.

use std::ffi::c_int;

use libc::{sockaddr, socklen_t};
use mif_policy::PvdId;
use mif_socket::{Kind, Name};
use mif_steer::{Known, bound_ip};

use crate::connect::borrow;
use crate::init::Active;
use crate::{clock, flags, standing};

/// What has come of a socket without asking the policy.
pub(crate) enum AtOnce {
    /// It is on its network.
    Done,
    /// Nothing: the policy has to be asked.
    Nothing,
    /// Nothing; but this has been asked of the kernel.
    Known(Known),
}

/// Puts a socket on the network of the standing answer for destinations of IPv4 (`v4`) or IPv6, where
/// no more is to be done than an option to be set.
///
/// # Safety
/// `addr` as for [`crate::sockaddr::read`].
#[inline]
pub(crate) unsafe fn put(
    active: &Active,
    fd: c_int,
    addr: *const sockaddr,
    len: socklen_t,
    v4: bool,
) -> AtOnce {
    let standing = active.host.standing(v4);
    // SAFETY: the caller's contract.
    if !unsafe { standing::is_for(standing, active, addr, len) } {
        return AtOnce::Nothing;
    }
    let Some(fd) = borrow(fd) else {
        return AtOnce::Nothing;
    };
    let Some(index) = standing.index() else {
        return AtOnce::Nothing;
    };
    if !standing.holds_at(clock::nanoseconds()) {
        return AtOnce::Nothing;
    }
    let Ok(mut known) = Known::ask(fd) else {
        return AtOnce::Nothing;
    };
    if known.kind == Kind::Stream {
        let pvd = |PvdId(id)| active.policy.pvds.get(usize::from(id));
        if let Some(pvd) = standing.pvd().and_then(pvd)
            && mif_socket::pin_to(fd, &pvd.interface, index).is_ok()
        {
            flags::raise(flags::STREAM);
            return AtOnce::Done;
        }
    } else if v4 && let Ok(name) = Name::of(fd) {
        // A datagram socket of IPv6 takes a device, which has to be asked for from then on.
        if name.is_any_of_v4() && mif_socket::set_unicast_index(fd, true, index).is_ok() {
            flags::raise(flags::STEERED);
            return AtOnce::Done;
        }
        known.bound = name.address().and_then(bound_ip);
    }
    AtOnce::Known(known)
}
