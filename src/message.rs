//! `struct msghdr` of the application, and ours beside it: the same message with the network named
//! in its ancillary data. The application's structures are never written to.

use std::ffi::c_void;
use std::net::IpAddr;

use libc::msghdr;
use mif_socket::cmsg::{self, PacketInfo, Writer};

use crate::sockaddr::{self, Given};

/// Room for the ancillary data of a message: what programs attach to datagrams (packet
/// information, type of service, time stamps, segment size) takes a tenth of it.
pub(crate) const ROOM: usize = 1024;

/// Ancillary data of ours, as aligned as `struct cmsghdr`.
#[repr(C, align(8))]
pub(crate) struct Control<const N: usize>(pub(crate) [u8; N]);

/// The network that a datagram is to take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Network {
    /// IPv4 packet information, which `AF_INET6` sockets take for v4-mapped destinations.
    pub(crate) v4: bool,
    pub(crate) index: u32,
    pub(crate) source: Option<IpAddr>,
    pub(crate) mark: Option<u32>,
}

/// What the application itself says in its ancillary data.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Said {
    pub(crate) packet_info: Option<PacketInfo>,
    pub(crate) mark: bool,
}

impl Said {
    pub(crate) fn in_control(control: &[u8]) -> Self {
        let mut said = Self::default();
        for piece in cmsg::pieces(control) {
            said.packet_info = piece.packet_info().or(said.packet_info);
            said.mark |= (piece.level, piece.kind) == (libc::SOL_SOCKET, libc::SO_MARK);
        }
        said
    }
}

/// The application's message: a copy of its header, which still points to the rest.
#[derive(Clone, Copy)]
pub(crate) struct Message {
    header: msghdr,
}

impl Message {
    /// # Safety
    /// `header` must be null, invalid for every process, or point to a message header that, with
    /// all it points to, is as sendmsg(2) wants it for as long as the message is used.
    pub(crate) unsafe fn new(header: *const msghdr) -> Option<Self> {
        if !sockaddr::is_plausible(header) {
            return None;
        }
        // SAFETY: readable by the caller's contract; read_unaligned asks nothing of alignment.
        let header = unsafe { header.read_unaligned() };
        Some(Self { header })
    }

    /// A message that this library put together from arguments of a caller.
    pub(crate) fn of(header: msghdr) -> Self {
        Self { header }
    }

    pub(crate) fn has_ip_destination(&self) -> bool {
        // SAFETY: the contract of `new`.
        unsafe { sockaddr::is_ip(self.header.msg_name.cast(), self.header.msg_namelen) }
    }

    pub(crate) fn header(&self) -> msghdr {
        self.header
    }

    /// The destination; `None` for none, or none of IP.
    pub(crate) fn destination(&self) -> Option<Given> {
        // SAFETY: the contract of `new`.
        unsafe { sockaddr::read(self.header.msg_name.cast(), self.header.msg_namelen) }
    }

    pub(crate) fn name(&self) -> (*const libc::sockaddr, libc::socklen_t) {
        (self.header.msg_name.cast(), self.header.msg_namelen)
    }

    /// The ancillary data, empty where there is none.
    pub(crate) fn control(&self) -> &[u8] {
        let (data, length) = (self.header.msg_control, self.header.msg_controllen);
        if !sockaddr::is_plausible(data) || length == 0 {
            return &[];
        }
        // SAFETY: the contract of `new`: `length` bytes are readable at `data`.
        unsafe { std::slice::from_raw_parts(data.cast(), length) }
    }

    /// The same message by `network`, with ancillary data in `room`; also how much of `room` is
    /// used. `None` where the data does not fit.
    pub(crate) fn by(&self, network: &Network, room: &mut [u8]) -> Option<(msghdr, usize)> {
        let mut writer = Writer::new(room);
        for piece in cmsg::pieces(self.control()) {
            if piece.packet_info().is_none() {
                writer.copy(&piece)?;
            }
        }
        network.write(&mut writer)?;
        let used = writer.len();
        let mut header = self.header;
        header.msg_control = room.as_mut_ptr().cast::<c_void>();
        header.msg_controllen = used;
        Some((header, used))
    }
}

impl Network {
    /// Room for what [`Network::write`] writes: packet information and a mark, each with a header.
    pub(crate) const ROOM: usize = 64;

    pub(crate) fn write(&self, writer: &mut Writer<'_>) -> Option<()> {
        writer.packet_info(self.v4, self.index, self.source)?;
        self.mark.map_or(Some(()), |mark| writer.mark(mark))
    }
}

#[cfg(test)]
mod tests {
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
        let said = Said::in_control(message.control());
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
