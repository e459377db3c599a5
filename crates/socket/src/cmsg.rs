//! Ancillary data (cmsg(3)) of a datagram: reading what the application attached, and writing a
//! copy that also names the network.
//!
//! Everything is bytes in slices; the layout is that of `struct cmsghdr` on 64-bit Linux: a
//! length of the native word, level and type, then the data, the next header at the next word.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use libc::c_int;

const WORD: usize = size_of::<usize>();
const HEADER: usize = WORD + 2 * size_of::<c_int>();

/// One piece of ancillary data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece<'a> {
    /// `cmsg_level`.
    pub level: c_int,
    /// `cmsg_type`.
    pub kind: c_int,
    /// The bytes behind the header.
    pub data: &'a [u8],
    /// Header, data and padding as they stand in the application's buffer.
    whole: &'a [u8],
}

/// The pieces of a control buffer. Ends early where the kernel would answer `EINVAL`; then
/// [`Pieces::fault`] is there for the kernel to say so.
#[must_use]
pub fn pieces(control: &[u8]) -> Pieces<'_> {
    Pieces(control)
}

/// What [`pieces`] returns: what of the buffer has not been read yet.
#[derive(Debug)]
pub struct Pieces<'a>(&'a [u8]);

impl<'a> Pieces<'a> {
    /// What is behind the last piece, if it is long enough for the kernel to look at it.
    #[must_use]
    pub fn fault(&self) -> Option<&'a [u8]> {
        (self.0.len() >= HEADER).then_some(self.0)
    }
}

impl<'a> Iterator for Pieces<'a> {
    type Item = Piece<'a>;

    #[inline]
    fn next(&mut self) -> Option<Piece<'a>> {
        let control = self.0;
        let length = usize::from_ne_bytes(*control.first_chunk()?);
        let rest = control.get(WORD..HEADER)?;
        let level = c_int::from_ne_bytes(*rest.first_chunk()?);
        let kind = c_int::from_ne_bytes(*rest.last_chunk()?);
        let data = control.get(HEADER..length)?;
        let (whole, rest) = control.split_at(aligned(length).min(control.len()));
        self.0 = rest;
        Some(Piece {
            level,
            kind,
            data,
            whole,
        })
    }
}

/// What `IP_PKTINFO` or `IPV6_PKTINFO` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PacketInfo {
    /// Interface index, 0 for any.
    pub index: u32,
    /// Source address, unspecified for any.
    pub source: IpAddr,
}

impl Piece<'_> {
    /// This piece as packet information, if it is that for an IPv4 (`v4`) or IPv6 destination. One
    /// that the kernel will find fault with is none.
    #[must_use]
    pub fn packet_info(&self, v4: bool) -> Option<PacketInfo> {
        let info = match (self.level, self.kind) {
            // struct in_pktinfo { int ipi_ifindex; struct in_addr ipi_spec_dst, ipi_addr; }
            (libc::IPPROTO_IP, libc::IP_PKTINFO) if self.data.len() == 12 => Some(PacketInfo {
                index: u32::from_ne_bytes(*self.data.first_chunk()?),
                source: Ipv4Addr::from(*self.data.get(4..)?.first_chunk::<4>()?).into(),
            }),
            // struct in6_pktinfo { struct in6_addr ipi6_addr; unsigned ipi6_ifindex; }
            (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO) => Some(PacketInfo {
                index: u32::from_ne_bytes(*self.data.get(16..)?.first_chunk()?),
                source: super::canonical(Ipv6Addr::from(*self.data.first_chunk::<16>()?).into()),
            }),
            _ => None,
        };
        // For IPv4 the kernel takes an IPv6 one with a v4-mapped address only.
        info.filter(|info| !v4 || info.source.is_ipv4())
    }
}

/// Ancillary data being written into a buffer of the caller.
pub struct Writer<'b> {
    buffer: &'b mut [u8],
    used: usize,
}

impl<'b> Writer<'b> {
    /// An empty control buffer in `buffer`.
    pub fn new(buffer: &'b mut [u8]) -> Self {
        Self { buffer, used: 0 }
    }

    /// Appends a piece as the application wrote it; `None` where there is no room.
    pub fn copy(&mut self, piece: &Piece<'_>) -> Option<()> {
        let end = self.used + aligned(piece.whole.len());
        let place = self.buffer.get_mut(self.used..end)?;
        let (data, padding) = place.split_at_mut(piece.whole.len());
        data.copy_from_slice(piece.whole);
        padding.fill(0);
        self.used = end;
        Some(())
    }

    /// Appends what the kernel is to find fault with, as the last: it judges the length in the header
    /// by how much follows. `None` where there is no room.
    pub fn fault(&mut self, fault: &[u8]) -> Option<()> {
        // A length that is too short or too long for the whole is that for less of it, too.
        let header = fault.get(..HEADER)?;
        let end = self.used + HEADER;
        self.buffer.get_mut(self.used..end)?.copy_from_slice(header);
        self.used = end;
        Some(())
    }

    /// Appends packet information: IPv4's where `v4`, which an `AF_INET6` socket takes for its
    /// v4-mapped destinations too. `None` where there is no room.
    #[inline]
    pub fn packet_info(&mut self, v4: bool, index: u32, source: Option<IpAddr>) -> Option<()> {
        if v4 {
            let source = match source {
                Some(IpAddr::V4(source)) => source,
                _ => Ipv4Addr::UNSPECIFIED,
            };
            self.push(&packet_info_v4(index, source))
        } else {
            let source = match source {
                Some(IpAddr::V6(source)) => source,
                _ => Ipv6Addr::UNSPECIFIED,
            };
            self.push(&packet_info_v6(index, source))
        }
    }

    /// Appends `SO_MARK`; `None` where there is no room.
    pub fn mark(&mut self, mark: u32) -> Option<()> {
        self.push::<24>(&piece(libc::SOL_SOCKET, libc::SO_MARK, mark.to_ne_bytes()))
    }

    /// How many bytes have been written: `msg_controllen`.
    #[must_use]
    pub fn len(&self) -> usize {
        self.used
    }

    /// Whether nothing has been written.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.used == 0
    }

    fn push<const SPACE: usize>(&mut self, piece: &[u8; SPACE]) -> Option<()> {
        let end = self.used + SPACE;
        self.buffer.get_mut(self.used..end)?.copy_from_slice(piece);
        self.used = end;
        Some(())
    }
}

/// IPv4 packet information as a piece of ancillary data, which an `AF_INET6` socket takes for its
/// v4-mapped destinations too.
#[must_use]
#[inline]
pub fn packet_info_v4(index: u32, source: Ipv4Addr) -> [u8; 32] {
    let mut data = [0; 12];
    data[..4].copy_from_slice(&index.to_ne_bytes());
    data[4..8].copy_from_slice(&source.octets());
    piece(libc::IPPROTO_IP, libc::IP_PKTINFO, data)
}

/// The same for IPv6.
#[must_use]
#[inline]
pub fn packet_info_v6(index: u32, source: Ipv6Addr) -> [u8; 40] {
    let mut data = [0; 20];
    data[..16].copy_from_slice(&source.octets());
    data[16..].copy_from_slice(&index.to_ne_bytes());
    piece(libc::IPPROTO_IPV6, libc::IPV6_PKTINFO, data)
}

/// A piece with its header, padded to `SPACE` bytes (`CMSG_SPACE` of the data).
#[inline]
fn piece<const N: usize, const SPACE: usize>(
    level: c_int,
    kind: c_int,
    data: [u8; N],
) -> [u8; SPACE] {
    const { assert!(SPACE == aligned(HEADER + N)) };
    let mut piece = [0; SPACE];
    piece[..WORD].copy_from_slice(&(HEADER + N).to_ne_bytes());
    piece[WORD..WORD + 4].copy_from_slice(&level.to_ne_bytes());
    piece[WORD + 4..HEADER].copy_from_slice(&kind.to_ne_bytes());
    piece[HEADER..HEADER + N].copy_from_slice(&data);
    piece
}

const fn aligned(length: usize) -> usize {
    length.div_ceil(WORD) * WORD
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let mut buffer = [0xff; 128];
        let mut writer = Writer::new(&mut buffer);
        let source = "10.2.0.2".parse().unwrap();
        writer.packet_info(true, 7, Some(source)).unwrap();
        writer
            .packet_info(false, 9, Some("2001:db8::1".parse().unwrap()))
            .unwrap();
        writer.mark(3).unwrap();
        let used = writer.len();
        let read: Vec<_> = pieces(&buffer[..used]).collect();
        assert_eq!(read.len(), 3);
        assert_eq!(
            read[0].packet_info(true),
            Some(PacketInfo { index: 7, source })
        );
        assert_eq!(read[1].packet_info(false).unwrap().index, 9);
        assert_eq!(
            (read[2].kind, read[2].data),
            (libc::SO_MARK, &3u32.to_ne_bytes()[..])
        );
        assert_eq!(read[2].packet_info(true), None);
        assert_eq!(read[1].packet_info(true), None, "no v4-mapped source");
    }

    #[test]
    fn the_layout_is_the_c_librarys() {
        let mut buffer = [0; 64];
        let mut writer = Writer::new(&mut buffer);
        writer.packet_info(true, 1, None).unwrap();
        let used = writer.len();
        let head = size_of::<libc::cmsghdr>();
        assert_eq!(HEADER, head);
        assert_eq!(
            used,
            head + 12 + 4,
            "twelve bytes of data, padded to the next word"
        );
        assert_eq!(buffer[..WORD], (head + 12).to_ne_bytes());
    }

    #[test]
    fn copies_keep_every_byte_and_say_when_full() {
        let mut first = [0; 32];
        let mut writer = Writer::new(&mut first);
        writer.mark(5).unwrap();
        let used = writer.len();
        let mut second = [0; 32];
        let mut writer = Writer::new(&mut second);
        for piece in pieces(&first[..used]) {
            writer.copy(&piece).unwrap();
        }
        assert_eq!(writer.packet_info(true, 1, None), None);
        assert_eq!(first[..used], second[..used]);
    }

    #[test]
    fn malformed_buffers_end_early() {
        for length in [0usize, 3, HEADER - 1, 500, usize::MAX] {
            let mut buffer = [0u8; 40];
            buffer[..WORD].copy_from_slice(&length.to_ne_bytes());
            let mut pieces = pieces(&buffer);
            assert_eq!(pieces.next(), None, "{length}");
            assert_eq!(pieces.fault(), Some(&buffer[..]));
        }
        assert_eq!(pieces(&[1, 2, 3]).count(), 0);
        assert_eq!(pieces(&[1; HEADER - 1]).fault(), None, "not looked at");
    }
}
