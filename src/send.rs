//! `sendto`, `sendmsg`, `sendmmsg`: datagrams that say where they go each for itself.
//!
//! The network travels with the datagram as packet information (ip(7), ipv6(7)), so that a socket
//! may send to several networks and no system call is added. Messages without a destination go
//! by the network that `connect` chose and are passed on.

use std::ffi::{c_int, c_uint, c_void};
use std::mem::MaybeUninit;

use libc::{mmsghdr, msghdr, size_t, sockaddr, socklen_t, ssize_t};
use rustix::io::Errno;

use crate::connect::fail;
use crate::datagram::{Plan, plan};
use crate::hooks::real;
use crate::init::{Active, active};
use crate::message::{Control, Message, Network, ROOM};
use crate::sockaddr as address;

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
    if let Some(active) = active()
        // SAFETY: the caller vouches for `len` bytes at `addr`, as for sendto(2).
        && unsafe { address::is_ip(addr, len) }
    {
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
        iov_len: size,
    };
    // SAFETY: all-zero is a message without anything.
    let mut header: msghdr = unsafe { std::mem::zeroed() };
    header.msg_name = addr.cast_mut().cast();
    header.msg_namelen = len;
    header.msg_iov = &raw mut data;
    header.msg_iovlen = 1;
    let message = Message::of(header);
    for again in 0..2 {
        let network = match plan(active, "sendto", fd, &message, flags) {
            // SAFETY: the caller's own arguments.
            Plan::AsIs => return unsafe { real::sendto(fd, buf, size, flags, addr, len) },
            Plan::Refuse => return refused(Errno::NETUNREACH),
            Plan::By(network) => network,
        };
        let mut room = Control([0; Network::ROOM]);
        let last = again == 1;
        // SAFETY: the caller's own buffers.
        let sent = unsafe { send_by(active, fd, &message, &network, &mut room.0, flags, last) };
        if let Some(sent) = sent {
            return sent;
        }
    }
    refused(Errno::NETUNREACH)
}

/// # Safety
/// As sendmsg(2).
pub(crate) unsafe fn sendmsg(fd: c_int, msg: *const msghdr, flags: c_int) -> ssize_t {
    if let Some(active) = active()
        // SAFETY: the caller's contract is that of sendmsg(2).
        && let Some(message) = unsafe { Message::new(msg) }
        && message.has_ip_destination()
    {
        // SAFETY: the caller's own arguments.
        return unsafe { sendmsg_by(active, fd, &message, msg, flags) };
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
        let mut room = Control([0; ROOM]);
        let last = again == 1;
        // SAFETY: the caller's own buffers.
        let sent = unsafe { send_by(active, fd, message, &network, &mut room.0, flags, last) };
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
unsafe fn send_by(
    active: &Active,
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
    match judge(active, sent, network) {
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
    // SAFETY: the caller vouches for `count` messages.
    let theirs = unsafe { Messages::new(msgs, count) };
    let (Some(active), Some(theirs)) = (active(), theirs) else {
        // SAFETY: the caller's own arguments.
        return unsafe { real::sendmmsg(fd, msgs, count, flags) };
    };
    if !theirs.any_has_destination() {
        // SAFETY: the caller's own arguments.
        return unsafe { real::sendmmsg(fd, msgs, count, flags) };
    }
    let mut done = 0;
    let mut tried_again = false;
    while done < count {
        let mut batch = Batch::new();
        batch.fill(active, fd, &theirs, done, flags);
        if batch.ready == 0 {
            return partly(done, || fail(batch.refusal));
        }
        let ours = batch.messages.as_mut_ptr().cast();
        // SAFETY: `ready` messages are initialised, and what they point to outlives the call.
        let sent = unsafe { real::sendmmsg(fd, ours, batch.ready, flags) };
        let Ok(sent) = c_uint::try_from(sent) else {
            return match batch
                .first
                .map_or(Kernel::Final, |first| judge(active, -1, &first))
            {
                Kernel::Stale if !tried_again => {
                    tried_again = true;
                    continue;
                }
                Kernel::NoMark => partly(done, || fail(Errno::NETUNREACH)),
                Kernel::Stale | Kernel::Final => partly(done, || -1),
            };
        };
        for (n, ours) in (done..).zip(&batch.messages[..sent as usize]) {
            // SAFETY: the kernel has sent this message, which `fill` had initialised.
            theirs.set_length(n, unsafe { ours.assume_init_ref() }.msg_len);
        }
        done += sent;
        if sent < batch.ready {
            break;
        }
    }
    partly(done, || 0)
}

/// How many messages have been sent; an error is only told where that is none, as the kernel does.
fn partly(done: c_uint, none: impl FnOnce() -> c_int) -> c_int {
    if done == 0 {
        none()
    } else {
        done.cast_signed()
    }
}

/// The application's array of messages.
struct Messages {
    first: *mut mmsghdr,
    count: c_uint,
}

impl Messages {
    /// # Safety
    /// `first` must be null, invalid for every process, or point to `count` messages as
    /// sendmmsg(2) wants them, for as long as this is used.
    unsafe fn new(first: *mut mmsghdr, count: c_uint) -> Option<Self> {
        address::is_plausible(first).then_some(Self { first, count })
    }

    fn header(&self, n: c_uint) -> *mut mmsghdr {
        self.first.wrapping_add(n as usize)
    }

    fn any_has_destination(&self) -> bool {
        (0..self.count).any(|n| {
            self.get(n)
                .is_some_and(|message| !message.name().0.is_null())
        })
    }

    fn get(&self, n: c_uint) -> Option<Message> {
        // SAFETY: the contract of `new`; only an address is taken.
        let header = unsafe { &raw const (*self.header(n)).msg_hdr };
        // SAFETY: the contract of `new`.
        unsafe { Message::new(header) }
    }

    fn set_length(&self, n: c_uint, length: c_uint) {
        // SAFETY: the contract of `new`; only an address is taken.
        let place = unsafe { &raw mut (*self.header(n)).msg_len };
        // SAFETY: the contract of `new`: sendmmsg(2) writes here.
        unsafe { place.write_unaligned(length) };
    }
}

/// Messages of one `sendmmsg`, some with ancillary data of ours.
struct Batch {
    messages: [MaybeUninit<mmsghdr>; Batch::SIZE],
    room: Control<ROOM>,
    used: usize,
    ready: c_uint,
    /// The network of the first message: the kernel's error is about that one.
    first: Option<Network>,
    /// Why the message behind the ready ones is not among them.
    refusal: Errno,
}

impl Batch {
    /// What keeps the stack small: programs run hooks on stacks of 16 KiB.
    const SIZE: usize = 16;

    fn new() -> Self {
        Self {
            messages: [const { MaybeUninit::uninit() }; Self::SIZE],
            room: Control([0; ROOM]),
            used: 0,
            ready: 0,
            first: None,
            refusal: Errno::NETUNREACH,
        }
    }

    /// Takes messages from the one numbered `from`, until one is refused or does not fit.
    fn fill(
        &mut self,
        active: &'static Active,
        fd: c_int,
        theirs: &Messages,
        from: c_uint,
        flags: c_int,
    ) {
        for (n, slot) in (from..theirs.count).zip(&mut self.messages) {
            let Some(message) = theirs.get(n) else { return };
            let msg_hdr = match plan(active, "sendmmsg", fd, &message, flags) {
                Plan::AsIs => message.header(),
                Plan::Refuse => return,
                Plan::By(network) => {
                    let Some((header, used)) = message.by(&network, &mut self.room.0[self.used..])
                    else {
                        self.refusal = Errno::NOBUFS;
                        return;
                    };
                    self.used += used;
                    if self.ready == 0 {
                        self.first = Some(network);
                    }
                    header
                }
            };
            slot.write(mmsghdr {
                msg_hdr,
                msg_len: 0,
            });
            self.ready += 1;
        }
    }
}

/// What to do about the kernel's answer to a datagram with our packet information.
enum Kernel {
    /// Hand it on.
    Final,
    /// The interface's index is another one by now: nothing was sent; ask again.
    Stale,
    /// The mark is not permitted: nothing was sent.
    NoMark,
}

fn judge(active: &Active, sent: ssize_t, network: &Network) -> Kernel {
    if sent >= 0 {
        return Kernel::Final;
    }
    // SAFETY: takes nothing and always returns this thread's errno.
    let slot = unsafe { libc::__errno_location() };
    // SAFETY: the thread's errno is always readable.
    match unsafe { *slot } {
        libc::ENODEV | libc::ENXIO => {
            active.host.forget();
            Kernel::Stale
        }
        libc::EPERM if network.mark.is_some() => Kernel::NoMark,
        _ => Kernel::Final,
    }
}
