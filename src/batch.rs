//! The messages of one `sendmmsg`: the application's array, and ours in its place.

use std::ffi::{c_int, c_uint, c_void};
use std::mem::{MaybeUninit, offset_of};

use libc::{mmsghdr, msghdr};
use mif_steer::Plan;
use rustix::io::Errno;

use crate::clock;
use crate::datagram::plan;
use crate::init::Active;
use crate::memory::{self, is_plausible};
use crate::message::{Control, Message, ROOM};
use crate::outgoing::{self, Info};

/// The application's array of messages, as far as it can be read.
pub(crate) struct Messages {
    pub(crate) first: *mut mmsghdr,
    pub(crate) count: c_uint,
}

impl Messages {
    fn header(&self, n: c_uint) -> *mut mmsghdr {
        self.first.wrapping_add(n as usize)
    }

    pub(crate) fn all_are_without_destination(&self) -> bool {
        (0..self.count).all(|n| {
            let name = self.header(n).cast::<u8>();
            let name = name.wrapping_add(offset_of!(msghdr, msg_name)).cast();
            let name: *const *const c_void = memory::settled_value(name);
            // SAFETY: settled; read_unaligned asks nothing of alignment.
            is_plausible(name) && unsafe { name.read_unaligned() }.is_null()
        })
    }

    /// A message, if it is known at once that it can be read and its length be told.
    #[inline]
    fn get_at_once(&self, n: c_uint) -> Option<msghdr> {
        let header = self.header(n);
        // SAFETY: readable; read_unaligned asks nothing of alignment.
        memory::is_known_readable(header, size_of::<mmsghdr>())
            .then(|| unsafe { header.cast::<msghdr>().read_unaligned() })
    }

    /// `None` where it cannot be read.
    fn get(&self, n: c_uint) -> Option<Message> {
        // It is the first of the structure.
        let header = memory::settled_value(self.header(n).cast::<msghdr>());
        // SAFETY: settled.
        unsafe { Message::new(header) }
    }

    /// Where the length of a message is told; `None` where that cannot be read.
    fn length(&self, n: c_uint) -> Option<*mut c_uint> {
        let place = self.header(n).cast::<u8>();
        let place = place.wrapping_add(offset_of!(mmsghdr, msg_len)).cast();
        is_plausible(memory::settled_value(place)).then_some(place)
    }

    /// Returns whether there is room for it.
    pub(crate) fn set_length(&self, n: c_uint, length: c_uint) -> bool {
        self.length(n).is_some_and(|place| {
            // SAFETY: sendmmsg(2) writes here.
            unsafe { place.write_unaligned(length) };
            true
        })
    }
}

/// Messages of one `sendmmsg`, some with ancillary data of ours.
pub(crate) struct Batch {
    pub(crate) messages: [MaybeUninit<mmsghdr>; Batch::SIZE],
    /// The ancillary data of messages that an answer stands for.
    infos: [MaybeUninit<Info>; Batch::SIZE],
    /// That of the others.
    room: Option<Control<ROOM>>,
    used: usize,
    pub(crate) ready: c_uint,
    /// Whether the first message has a mark of ours, if it goes by a network of ours at all: the
    /// kernel's error is about that one.
    pub(crate) first: Option<bool>,
    /// Why the message behind the ready ones is not among them.
    pub(crate) refusal: Errno,
}

impl Batch {
    /// What keeps the stack small: programs run hooks on stacks of 16 KiB.
    const SIZE: usize = 16;

    pub(crate) fn new() -> Self {
        Self {
            messages: [const { MaybeUninit::uninit() }; Self::SIZE],
            infos: [const { MaybeUninit::uninit() }; Self::SIZE],
            room: None,
            used: 0,
            ready: 0,
            first: None,
            refusal: Errno::NETUNREACH,
        }
    }

    /// Takes messages from the one numbered `from`, until one is refused or does not fit.
    pub(crate) fn fill(
        &mut self,
        active: &'static Active,
        fd: c_int,
        theirs: &Messages,
        from: c_uint,
        flags: c_int,
    ) {
        let now = clock::nanoseconds();
        for (n, slot) in (from..theirs.count).zip(0..Self::SIZE) {
            if flags & libc::MSG_FASTOPEN == 0
                && let Some(msg_hdr) = theirs.get_at_once(n)
                && self.take_at_once(active, slot, msg_hdr, now)
            {
                continue;
            }
            let Some(message) = theirs.get(n) else {
                self.refusal = Errno::FAULT;
                return;
            };
            let msg_hdr = match plan(active, "sendmmsg", fd, &message, flags) {
                Plan::AsIs => message.header(),
                Plan::Refuse => return,
                Plan::By(network) => {
                    let room = self.room.get_or_insert_with(Control::empty);
                    let Some((header, used)) = message.by(&network, &mut room.0[self.used..])
                    else {
                        self.refusal = Errno::NOBUFS;
                        return;
                    };
                    self.used += used;
                    if self.ready == 0 {
                        self.first = Some(network.mark.is_some());
                    }
                    header
                }
            };
            self.messages[slot].write(mmsghdr {
                msg_hdr,
                msg_len: 0,
            });
            self.ready += 1;
            // The kernel sends this one, and then fails.
            if theirs.length(n).is_none() {
                return;
            }
        }
    }

    /// Takes a message by the answer that stands for it, if it holds.
    #[inline]
    fn take_at_once(
        &mut self,
        active: &'static Active,
        slot: usize,
        msg_hdr: msghdr,
        now: u64,
    ) -> bool {
        let (Some(message), Some(info)) = (self.messages.get_mut(slot), self.infos.get_mut(slot))
        else {
            return false;
        };
        let message = message.write(mmsghdr {
            msg_hdr,
            msg_len: 0,
        });
        // SAFETY: the application's message, as sendmmsg(2) takes it.
        let by = unsafe { outgoing::standing_for_message(active, &message.msg_hdr) };
        let Some(by) = by.filter(|by| by.holds_at(now)) else {
            return false;
        };
        by.attach(&mut message.msg_hdr, info);
        if self.ready == 0 {
            self.first = Some(false);
        }
        self.ready += 1;
        true
    }
}
