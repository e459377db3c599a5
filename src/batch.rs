//! The messages of one `sendmmsg`: the application's array, and ours in its place.

use std::ffi::{c_int, c_uint};
use std::mem::{MaybeUninit, offset_of};

use libc::{mmsghdr, msghdr};
use rustix::io::Errno;

use crate::datagram::{Plan, plan};
use crate::init::Active;
use crate::memory::{self, is_plausible};
use crate::message::{Control, Message, Network, ROOM};

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
            self.get(n)
                .is_some_and(|message| message.name().0.is_null())
        })
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
    room: Control<ROOM>,
    used: usize,
    pub(crate) ready: c_uint,
    /// The network of the first message: the kernel's error is about that one.
    pub(crate) first: Option<Network>,
    /// Why the message behind the ready ones is not among them.
    pub(crate) refusal: Errno,
}

impl Batch {
    /// What keeps the stack small: programs run hooks on stacks of 16 KiB.
    const SIZE: usize = 16;

    pub(crate) fn new() -> Self {
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
    pub(crate) fn fill(
        &mut self,
        active: &'static Active,
        fd: c_int,
        theirs: &Messages,
        from: c_uint,
        flags: c_int,
    ) {
        for (n, slot) in (from..theirs.count).zip(&mut self.messages) {
            let Some(message) = theirs.get(n) else {
                self.refusal = Errno::FAULT;
                return;
            };
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
            // The kernel sends this one, and then fails.
            if theirs.length(n).is_none() {
                return;
            }
        }
    }
}
