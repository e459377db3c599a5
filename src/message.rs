//! `struct msghdr` of the application, and ours beside it: the same message with the network named
//! in its ancillary data. The application's structures are never written to.

use std::ffi::c_void;

use libc::{msghdr, sockaddr_storage, socklen_t};
use mif_socket::cmsg::Writer;
use mif_steer::{Given, Network};

use crate::memory::{self, is_plausible};
use crate::sockaddr;

/// Room for the ancillary data of a message: what programs attach to datagrams (packet
/// information, type of service, time stamps, segment size) takes a tenth of it.
pub(crate) const ROOM: usize = 1024;

/// Ancillary data of ours, as aligned as `struct cmsghdr`.
#[repr(C, align(8))]
pub(crate) struct Control<const N: usize>(pub(crate) [u8; N]);

impl<const N: usize> Control<N> {
    pub(crate) fn empty() -> Self {
        Self([0; N])
    }
}

/// More ancillary data than the kernel ever takes (`net.core.optmem_max` is a tenth of it).
const MOST: usize = 1 << 20;

/// The application's message: a copy of its header, which still points to the rest. Pointers of it
/// that cannot be followed have been replaced by ones that the kernel cannot follow either.
#[derive(Clone, Copy)]
pub(crate) struct Message {
    header: msghdr,
    /// One was replaced: the message is the kernel's to refuse.
    faulty: bool,
}

impl Message {
    /// `None` where the header cannot be read.
    ///
    /// # Safety
    /// `header` must be settled ([`memory::settled_value`]), and what can be read of what it points
    /// to must stay for as long as the message is used.
    pub(crate) unsafe fn new(header: *const msghdr) -> Option<Self> {
        if !is_plausible(header) {
            return None;
        }
        // SAFETY: settled; read_unaligned asks nothing of alignment.
        let mut header = unsafe { header.read_unaligned() };
        let name = header.msg_name;
        header.msg_name = sockaddr::settled(name.cast(), header.msg_namelen)
            .cast_mut()
            .cast();
        let mut message = Self {
            header,
            faulty: header.msg_name != name,
        };
        if message.has_ip_destination() {
            message.settle_control();
        }
        Some(message)
    }

    /// A message that this library put together, with a settled name and no ancillary data.
    pub(crate) fn of(header: msghdr) -> Self {
        let faulty = false;
        Self { header, faulty }
    }

    /// Only where the control is looked at.
    fn settle_control(&mut self) {
        let (control, length) = (self.header.msg_control, self.header.msg_controllen);
        if length == 0 {
            return;
        }
        // The kernel does not spare null.
        self.faulty |= !is_plausible(memory::settled(control, length.min(MOST))) || length > MOST;
        if self.faulty {
            self.header.msg_control = memory::nobodys();
        }
    }

    /// Whether the kernel refuses the message for a pointer, in its own time.
    pub(crate) fn is_faulty(&self) -> bool {
        self.faulty
    }

    pub(crate) fn has_ip_destination(&self) -> bool {
        let (name, length) = self.name();
        // SAFETY: settled.
        unsafe { sockaddr::is_ip(name, length) }
    }

    pub(crate) fn header(&self) -> msghdr {
        self.header
    }

    /// The destination; `None` for none, or none of IP.
    pub(crate) fn destination(&self) -> Option<Given> {
        let (name, length) = self.name();
        // SAFETY: settled.
        unsafe { sockaddr::read(name, length) }
    }

    /// The destination as the kernel copies it: cut to the longest address, unless the length is
    /// negative.
    pub(crate) fn name(&self) -> (*const libc::sockaddr, socklen_t) {
        #[allow(clippy::cast_possible_truncation)] // A small constant.
        const LONGEST: socklen_t = size_of::<sockaddr_storage>() as socklen_t;
        let length = self.header.msg_namelen;
        let is_cut = (LONGEST..=i32::MAX.cast_unsigned()).contains(&length);
        let length = if is_cut { LONGEST } else { length };
        (self.header.msg_name.cast(), length)
    }

    /// The ancillary data, empty where there is none.
    pub(crate) fn control(&self) -> &[u8] {
        let (data, length) = (self.header.msg_control, self.header.msg_controllen);
        if !is_plausible(data) || length == 0 {
            return &[];
        }
        // SAFETY: settled.
        unsafe { std::slice::from_raw_parts(data.cast(), length) }
    }

    /// The same message by `network`, with ancillary data in `room`; also how much of `room` is
    /// used. `None` where the data does not fit.
    #[inline]
    pub(crate) fn by(&self, network: &Network, room: &mut [u8]) -> Option<(msghdr, usize)> {
        let mut writer = Writer::new(room);
        network.beside(self.control(), &mut writer)?;
        let used = writer.len();
        let mut header = self.header;
        header.msg_control = room.as_mut_ptr().cast::<c_void>();
        header.msg_controllen = used;
        Some((header, used))
    }
}

#[cfg(test)]
mod tests {
    use mif_socket::cmsg;
    use mif_steer::Said;

    use super::*;

    #[test]
    fn the_applications_data_is_kept_and_its_packet_information_replaced() {
        let mut theirs = Control([0; 64]);
        let mut writer = Writer::new(&mut theirs.0);
        writer.packet_info(true, 0, None).unwrap();
        writer.mark(7).unwrap();
        let used = writer.len();
        // SAFETY: all-zero is a message header without anything.
        let mut header: msghdr = unsafe { std::mem::zeroed() };
        header.msg_control = theirs.0.as_mut_ptr().cast();
        header.msg_controllen = used;
        // SAFETY: the header and its control buffer outlive the message.
        let message = unsafe { Message::new(&raw const header) }.unwrap();
        let said = Said::in_control(message.control(), true);
        assert!(said.mark && said.packet_info.is_some_and(|info| info.index == 0));

        let network = Network {
            v4: true,
            index: 3,
            source: None,
            mark: None,
        };
        let mut room = Control([0; ROOM]);
        let (ours, length) = message.by(&network, &mut room.0).unwrap();
        assert_eq!(ours.msg_controllen, length);
        let kinds: Vec<_> = cmsg::pieces(&room.0[..length])
            .map(|piece| piece.kind)
            .collect();
        assert_eq!(kinds, [libc::SO_MARK, libc::IP_PKTINFO]);
        assert!(message.by(&network, &mut [0; 16]).is_none(), "does not fit");
    }
}
