//! A datagram that goes by the policy's standing answer: the application's message, with packet
//! information as all of its ancillary data.
#![allow(
    clippy::inline_always,
    reason = "of the price of a datagram, calls and what is handed to them were more than half"
)]

use std::ffi::c_int;
use std::mem::MaybeUninit;
use std::net::{Ipv4Addr, Ipv6Addr};

use libc::{msghdr, sockaddr, socklen_t, ssize_t, timespec};
use mif_host::Standing;
use mif_socket::cmsg;

use crate::hooks::real;
use crate::init::Active;
use crate::standing::{self, Glance};
use crate::{answer, clock, flags};

/// The interface that a datagram without ancillary data is to leave by, as an answer says that stands
/// for it.
#[derive(Clone, Copy)]
pub(crate) struct By {
    v4: bool,
    index: u32,
    standing: Standing<'static>,
}

/// What stands for a datagram to an address; `None` where more is to be done than to name an
/// interface.
///
/// # Safety
/// As sendto(2), for an address that may be bad.
#[inline(always)]
pub(crate) unsafe fn standing_for(
    active: &'static Active,
    addr: *const sockaddr,
    len: socklen_t,
) -> Option<By> {
    // SAFETY: the caller's contract.
    let by = unsafe { standing_for_any(active, addr, len) }?;
    // SAFETY: seen at a glance, so it is readable.
    unsafe { standing::is_for(by.standing, active, addr, len) }.then_some(by)
}

/// The same in a process that has looked up nothing (`flags::LEARNED`).
///
/// # Safety
/// As sendto(2), for an address that may be bad.
#[inline(always)]
pub(crate) unsafe fn standing_for_any(
    active: &'static Active,
    addr: *const sockaddr,
    len: socklen_t,
) -> Option<By> {
    // SAFETY: the caller's contract.
    let Glance::Stands(v4) = (unsafe { standing::glance(active, addr, len) }) else {
        return None;
    };
    // A source of IPv6 that an earlier connect of the socket brought is not replaced by packet
    // information.
    if !v4 && flags::any(flags::STEERED) {
        return None;
    }
    let standing = active.host.standing(v4);
    let index = standing.index()?;
    Some(By {
        v4,
        index,
        standing,
    })
}

/// What stands for a message.
///
/// # Safety
/// As sendmsg(2), for what the header points to, which may be bad.
#[inline(always)]
pub(crate) unsafe fn standing_for_message(active: &'static Active, header: &msghdr) -> Option<By> {
    if header.msg_controllen != 0 {
        return None;
    }
    // SAFETY: the caller's contract.
    unsafe { standing_for(active, header.msg_name.cast(), header.msg_namelen) }
}

impl By {
    #[inline(always)]
    pub(crate) fn is_v4(&self) -> bool {
        self.v4
    }

    /// Whether the answer holds at a moment.
    #[inline(always)]
    pub(crate) fn holds_at(&self, nanoseconds: u64) -> bool {
        self.standing.holds_at(nanoseconds)
    }

    /// Packet information for the message, in `room` that stays as long as that.
    #[inline(always)]
    pub(crate) fn attach(&self, header: &mut msghdr, room: &mut MaybeUninit<Info>) {
        header.msg_controllen = if self.v4 {
            let v4 = cmsg::packet_info_v4(self.index, Ipv4Addr::UNSPECIFIED);
            room.write(Info { v4 });
            v4.len()
        } else {
            let v6 = cmsg::packet_info_v6(self.index, Ipv6Addr::UNSPECIFIED);
            room.write(Info { v6 });
            v6.len()
        };
        header.msg_control = room.as_mut_ptr().cast();
    }
}

/// A message as it is sent. The moment lies in it, too: the clock is handed a piece of what the message
/// lies in, and so may write to all of it, for all that the compiler knows. So nothing of it is kept
/// in registers meanwhile.
pub(crate) struct Outgoing {
    pub(crate) header: msghdr,
    info: MaybeUninit<Info>,
    now: timespec,
}

impl Outgoing {
    #[inline(always)]
    pub(crate) fn new(header: msghdr) -> Self {
        Self {
            header,
            info: MaybeUninit::uninit(),
            now: clock::NEVER,
        }
    }

    /// Sends it by an interface; `None` where the answer no longer holds, and nothing has been sent.
    ///
    /// # Safety
    /// As sendmsg(2), for what the header points to.
    #[inline(always)]
    pub(crate) unsafe fn send(&mut self, by: &By, fd: c_int, flags: c_int) -> Option<ssize_t> {
        by.attach(&mut self.header, &mut self.info);
        if !by.holds_at(clock::nanoseconds_in(&mut self.now)) {
            return None;
        }
        // SAFETY: the caller's own message, with ancillary data that outlives the call.
        let sent = unsafe { real::sendmsg(fd, &raw const self.header, flags) };
        (sent >= 0 || !answer::is_stale()).then_some(sent)
    }
}

/// Packet information alone.
#[derive(Clone, Copy)]
#[repr(C, align(8))]
pub(crate) union Info {
    v4: [u8; 32],
    v6: [u8; 40],
}
