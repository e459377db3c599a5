//! `sendto`, `sendmsg`, `sendmmsg`: datagrams that say where they go each for itself.
//!
//! The network travels with the datagram as packet information (ip(7), ipv6(7)), so that a socket
//! may send to several networks and no system call is added. Messages without a destination go
//! by the network that `connect` chose and are passed on.
#![allow(
    clippy::inline_always,
    reason = "of the price of a datagram, calls and what is handed to them were more than half"
)]

use std::ffi::{c_int, c_uint, c_void};
use std::ptr::null_mut;

use libc::{MSG_FASTOPEN, mmsghdr, msghdr, size_t, sockaddr, socklen_t, ssize_t};
use mif_steer::{Network, Plan};
use rustix::io::Errno;

use crate::answer::{Kernel, judge};
use crate::batch::{Batch, Messages};
use crate::connect::fail;
use crate::datagram::plan;
use crate::hooks::{next, real};
use crate::init::{Active, active, has_no_policy, known};
use crate::memory::{self, nobodys};
use crate::message::{Control, Message, ROOM};
use crate::outgoing::{self, By, Outgoing};
use crate::{errno, flags, sockaddr as address};

/// `linux/socket.h`: sendto(2) does not mind it, sendmsg(2) does.
const MSG_CMSG_COMPAT: c_int = c_int::MIN;

/// # Safety
/// As sendto(2).
pub(crate) unsafe fn sendto(
    fd: c_int,
    buf: *const c_void,
    size: size_t,
    flags: c_int,
    addr: *const sockaddr,
    len: socklen_t,
) -> ssize_t {
    let Some(active) = known() else {
        return match next::sendto::known() {
            // SAFETY: the caller's own arguments.
            Some(next) if has_no_policy() => unsafe { next(fd, buf, size, flags, addr, len) },
            // SAFETY: the caller's own arguments.
            _ => unsafe { sendto_asking(fd, buf, size, flags, addr, len) },
        };
    };
    if is_odd(size, flags) {
        // SAFETY: the caller's own arguments.
        return unsafe { sendto_asking(fd, buf, size, flags, addr, len) };
    }
    if flags::any(flags::LEARNED) {
        // SAFETY: the caller's own arguments.
        return unsafe { sendto_looked_up(fd, buf, size, flags, addr, len) };
    }
    // SAFETY: the caller's own arguments.
    match unsafe { outgoing::standing_for_any(active, addr, len) } {
        // A line for each family is shorter than one for both.
        // SAFETY: the caller's own arguments.
        Some(by) if by.is_v4() => unsafe { sendto_at_once(by, fd, buf, size, flags, addr, len) },
        // SAFETY: the caller's own arguments.
        Some(by) => unsafe { sendto_at_once(by, fd, buf, size, flags, addr, len) },
        // SAFETY: the caller's own arguments.
        None => unsafe { sendto_asking(fd, buf, size, flags, addr, len) },
    }
}

/// What sendmsg(2) minds, and sendto(2) does not.
#[inline(always)]
fn is_odd(size: size_t, flags: c_int) -> bool {
    flags & (MSG_FASTOPEN | MSG_CMSG_COMPAT) != 0 || size.cast_signed() < 0
}

/// Sends a datagram of a process that has looked names up. Apart, since the look at what is known of
/// the destination would have the others keep all arguments meanwhile.
///
/// # Safety
/// As sendto(2).
#[inline(never)]
unsafe fn sendto_looked_up(
    fd: c_int,
    buf: *const c_void,
    size: size_t,
    flags: c_int,
    addr: *const sockaddr,
    len: socklen_t,
) -> ssize_t {
    // SAFETY: the caller's own arguments.
    match active().and_then(|active| unsafe { outgoing::standing_for(active, addr, len) }) {
        // SAFETY: the caller's own arguments.
        Some(by) => unsafe { sendto_at_once(by, fd, buf, size, flags, addr, len) },
        // SAFETY: the caller's own arguments.
        None => unsafe { sendto_asking(fd, buf, size, flags, addr, len) },
    }
}

/// Sends a datagram by the policy's standing answer, if it holds.
///
/// # Safety
/// As sendto(2).
#[inline(always)]
unsafe fn sendto_at_once(
    by: By,
    fd: c_int,
    buf: *const c_void,
    size: size_t,
    flags: c_int,
    addr: *const sockaddr,
    len: socklen_t,
) -> ssize_t {
    let mut data = libc::iovec {
        iov_base: buf.cast_mut(),
        iov_len: size,
    };
    let mut outgoing = Outgoing::new(msghdr {
        msg_name: addr.cast_mut().cast(),
        msg_namelen: len,
        msg_iov: &raw mut data,
        msg_iovlen: 1,
        msg_control: null_mut(),
        msg_controllen: 0,
        msg_flags: 0,
    });
    // SAFETY: the caller's own buffers.
    if let Some(sent) = unsafe { outgoing.send(&by, fd, flags) } {
        return sent;
    }
    let (name, len) = (outgoing.header.msg_name, outgoing.header.msg_namelen);
    // SAFETY: the caller's own arguments.
    unsafe { sendto_asking(fd, data.iov_base, data.iov_len, flags, name.cast(), len) }
}

/// Sends a datagram as the policy says, if there is one.
///
/// # Safety
/// As sendto(2).
#[inline(never)]
unsafe fn sendto_asking(
    fd: c_int,
    buf: *const c_void,
    size: size_t,
    flags: c_int,
    addr: *const sockaddr,
    len: socklen_t,
) -> ssize_t {
    let Some(active) = active() else {
        // SAFETY: the caller's own arguments.
        return unsafe { real::sendto(fd, buf, size, flags, addr, len) };
    };
    let addr = address::settled(addr, len);
    // SAFETY: settled.
    if unsafe { address::is_ip(addr, len) } {
        // SAFETY: the caller's own arguments.
        return unsafe { sendto_by(active, fd, buf, size, flags, addr, len) };
    }
    // SAFETY: the caller's own arguments.
    unsafe { real::sendto(fd, buf, size, flags, addr, len) }
}

/// # Safety
/// As sendto(2).
#[inline(never)]
unsafe fn sendto_by(
    active: &'static Active,
    fd: c_int,
    buf: *const c_void,
    size: size_t,
    flags: c_int,
    addr: *const sockaddr,
    len: socklen_t,
) -> ssize_t {
    let mut data = libc::iovec {
        iov_base: buf.cast_mut(),
        // What sendmsg(2) calls negative, sendto(2) cuts.
        iov_len: size.min(isize::MAX.cast_unsigned()),
    };
    // SAFETY: all-zero is a message without anything.
    let mut header: msghdr = unsafe { std::mem::zeroed() };
    header.msg_name = addr.cast_mut().cast();
    header.msg_namelen = len;
    header.msg_iov = &raw mut data;
    header.msg_iovlen = 1;
    let message = Message::of(header);
    let as_msg = flags & !MSG_CMSG_COMPAT;
    for again in 0..2 {
        let network = match plan(active, "sendto", fd, &message, flags) {
            // SAFETY: the caller's own arguments.
            Plan::AsIs => return unsafe { real::sendto(fd, buf, size, flags, addr, len) },
            Plan::Refuse => return refused(Errno::NETUNREACH),
            Plan::By(network) => network,
        };
        let mut room = Control::<{ Network::ROOM }>::empty();
        let last = again == 1;
        // SAFETY: the caller's own buffers.
        let sent = unsafe { send_by(fd, &message, &network, &mut room.0, as_msg, last) };
        if let Some(sent) = sent {
            return sent;
        }
    }
    refused(Errno::NETUNREACH)
}

/// # Safety
/// As sendmsg(2).
pub(crate) unsafe fn sendmsg(fd: c_int, msg: *const msghdr, flags: c_int) -> ssize_t {
    let Some(active) = known() else {
        return match next::sendmsg::known() {
            // SAFETY: the caller's own arguments.
            Some(next) if has_no_policy() => unsafe { next(fd, msg, flags) },
            // SAFETY: the caller's own arguments.
            _ => unsafe { sendmsg_asking(fd, msg, flags) },
        };
    };
    if flags & MSG_FASTOPEN == 0 && memory::is_known_readable(msg, size_of::<msghdr>()) {
        // SAFETY: readable; read_unaligned asks nothing of alignment.
        let header = unsafe { msg.read_unaligned() };
        // SAFETY: the caller's own message.
        if let Some(by) = unsafe { outgoing::standing_for_message(active, &header) }
            // SAFETY: the caller's own message.
            && let Some(sent) = unsafe { Outgoing::new(header).send(&by, fd, flags) }
        {
            return sent;
        }
    }
    // SAFETY: the caller's own arguments.
    unsafe { sendmsg_asking(fd, msg, flags) }
}

/// Sends a message as the policy says, if there is one.
///
/// # Safety
/// As sendmsg(2).
#[inline(never)]
unsafe fn sendmsg_asking(fd: c_int, msg: *const msghdr, flags: c_int) -> ssize_t {
    let Some(active) = active() else {
        // SAFETY: the caller's own arguments.
        return unsafe { real::sendmsg(fd, msg, flags) };
    };
    let msg = memory::settled_value(msg);
    // SAFETY: settled.
    if let Some(message) = unsafe { Message::new(msg) } {
        if message.is_faulty() {
            let ours = message.header();
            // SAFETY: the caller's own message, but for pointers that it cannot follow either.
            return unsafe { real::sendmsg(fd, &raw const ours, flags) };
        }
        if message.has_ip_destination() {
            // SAFETY: the caller's own arguments.
            return unsafe { sendmsg_by(active, fd, &message, msg, flags) };
        }
    }
    // SAFETY: the caller's own arguments.
    unsafe { real::sendmsg(fd, msg, flags) }
}

/// # Safety
/// As sendmsg(2).
#[inline(never)]
unsafe fn sendmsg_by(
    active: &'static Active,
    fd: c_int,
    message: &Message,
    msg: *const msghdr,
    flags: c_int,
) -> ssize_t {
    for again in 0..2 {
        let network = match plan(active, "sendmsg", fd, message, flags) {
            // SAFETY: the caller's own arguments.
            Plan::AsIs => return unsafe { real::sendmsg(fd, msg, flags) },
            Plan::Refuse => return refused(Errno::NETUNREACH),
            Plan::By(network) => network,
        };
        let mut room = Control::<ROOM>::empty();
        let last = again == 1;
        // SAFETY: the caller's own buffers.
        let sent = unsafe { send_by(fd, message, &network, &mut room.0, flags, last) };
        if let Some(sent) = sent {
            return sent;
        }
    }
    refused(Errno::NETUNREACH)
}

/// Sends a message by a network; `None` where the interface's index is another one by now, and
/// this was not the `last` try.
///
/// # Safety
/// As sendmsg(2), for what the message points to.
#[inline]
unsafe fn send_by(
    fd: c_int,
    message: &Message,
    network: &Network,
    room: &mut [u8],
    flags: c_int,
    last: bool,
) -> Option<ssize_t> {
    let Some((ours, _)) = message.by(network, room) else {
        return Some(refused(Errno::NOBUFS));
    };
    // SAFETY: the caller's own message with a control buffer that outlives the call.
    let sent = unsafe { real::sendmsg(fd, &raw const ours, flags) };
    match judge(sent, network.mark.is_some()) {
        Kernel::Stale if !last => None,
        Kernel::NoMark => Some(refused(Errno::NETUNREACH)),
        Kernel::Stale | Kernel::Final => Some(sent),
    }
}

fn refused(errno: Errno) -> ssize_t {
    fail(errno) as ssize_t
}

/// # Safety
/// As sendmmsg(2).
pub(crate) unsafe fn sendmmsg(fd: c_int, msgs: *mut mmsghdr, count: c_uint, flags: c_int) -> c_int {
    // The kernel takes no more at once (UIO_MAXIOV).
    let count = count.min(1024);
    let Some(active) = active() else {
        // SAFETY: the caller's own arguments.
        return unsafe { real::sendmmsg(fd, msgs, count, flags) };
    };
    let theirs = Messages { first: msgs, count };
    if theirs.all_are_without_destination() {
        // SAFETY: the caller's own arguments.
        return unsafe { real::sendmmsg(fd, msgs, count, flags) };
    }
    let mut done = 0;
    let mut tried_again = false;
    let errno = errno::get();
    while done < count {
        let mut batch = Batch::new();
        batch.fill(active, fd, &theirs, done, flags);
        if batch.ready == 0 {
            if done == 0 && batch.refusal == Errno::FAULT {
                // The kernel says so, if the descriptor is a socket.
                // SAFETY: a message that it cannot read.
                return unsafe { real::sendmmsg(fd, nobodys(), 1, flags) };
            }
            return partly(done, errno, fail(batch.refusal));
        }
        let ours = batch.messages.as_mut_ptr().cast();
        // SAFETY: `ready` messages are initialised, and what they point to outlives the call.
        let sent = unsafe { real::sendmmsg(fd, ours, batch.ready, flags) };
        let Ok(sent) = c_uint::try_from(sent) else {
            return match batch.first.map_or(Kernel::Final, |first| judge(-1, first)) {
                Kernel::Stale if !tried_again => {
                    tried_again = true;
                    continue;
                }
                Kernel::NoMark => partly(done, errno, fail(Errno::NETUNREACH)),
                Kernel::Stale | Kernel::Final => partly(done, errno, -1),
            };
        };
        for ours in &batch.messages[..sent as usize] {
            // SAFETY: the kernel has sent this message, which `fill` had initialised.
            let length = unsafe { ours.assume_init_ref() }.msg_len;
            if !theirs.set_length(done, length) {
                return partly(done, errno, fail(Errno::FAULT));
            }
            done += 1;
        }
        if sent < batch.ready {
            break;
        }
    }
    partly(done, errno, 0)
}

/// How many messages have been sent; an error is only told where that is none, as the kernel does,
/// and else `errno` is as it was.
fn partly(done: c_uint, errno: c_int, none: c_int) -> c_int {
    if done == 0 {
        return none;
    }
    errno::set(errno);
    done.cast_signed()
}
