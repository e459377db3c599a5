//! Two questions to the kernel over rtnetlink(7): what is this interface, and which addresses
//! does the host have?
//!
//! The answers are read from one buffer on the stack and handed on as they come, because they are
//! also asked for in signal handlers and between fork and exec, where nothing may allocate; the
//! netlink crates all do, and serve the tool `mif` instead. The socket is closed again at once.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::atomic::{AtomicBool, Ordering};

use mif_policy::InterfaceName;
use mif_socket::Descriptor;
use rustix::io::Errno;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType};

/// Messages of a dump come in blocks of less than a page (`NLMSG_GOODSIZE`).
const BLOCK: usize = 4096;
/// A dump that is longer than this many blocks is not read to its end.
const MAX_BLOCKS: usize = 4096;

const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
pub(crate) const RTM_NEWLINK: u16 = 16;
pub(crate) const RTM_GETLINK: u16 = 18;
pub(crate) const RTM_NEWADDR: u16 = 20;
pub(crate) const RTM_GETADDR: u16 = 22;
pub(crate) const NLM_F_REQUEST: u16 = 1;
pub(crate) const NLM_F_DUMP: u16 = 0x300;
pub(crate) const IFLA_IFNAME: u16 = 3;
pub(crate) const IFLA_EXT_MASK: u16 = 29;
pub(crate) const RTEXT_FILTER_SKIP_STATS: u32 = 8;
pub(crate) const IFA_ADDRESS: u16 = 1;
pub(crate) const IFA_LOCAL: u16 = 2;
pub(crate) const IFF_UP: u32 = 1;
pub(crate) const IFF_RUNNING: u32 = 0x40;

const MESSAGE_HEADER: usize = 16;
pub(crate) const ATTRIBUTE_HEADER: usize = 4;
pub(crate) const AF_INET: u8 = 2;
pub(crate) const AF_INET6: u8 = 10;

/// A system call filter of this process would end it for opening one of these sockets.
static DEADLY: AtomicBool = AtomicBool::new(false);

/// From now on the kernel is not asked any more: what is known of the interfaces stands, and of the
/// host's addresses nothing is known.
pub fn give_up() {
    DEADLY.store(true, Ordering::Relaxed);
}

/// # Errors
/// `EPERM` after [`give_up`].
pub(crate) fn may_ask() -> Result<(), Errno> {
    if DEADLY.load(Ordering::Relaxed) {
        return Err(Errno::PERM);
    }
    Ok(())
}

/// A connection to rtnetlink for a few questions.
pub(crate) struct Netlink(Descriptor);

/// What the kernel says of one interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Device {
    pub(crate) index: u32,
    pub(crate) up: bool,
    pub(crate) running: bool,
}

/// One address of this host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    pub(crate) ip: IpAddr,
    pub(crate) index: u32,
    /// New flows may have it: it is not deprecated, and duplicate address detection neither runs nor
    /// has failed.
    pub(crate) preferred: bool,
}

impl Netlink {
    /// # Errors
    /// The kernel's; `EPERM` after [`give_up`].
    pub(crate) fn open() -> Result<Self, Errno> {
        may_ask()?;
        // NETLINK_ROUTE is protocol 0, the default.
        let (kind, flags) = (SocketType::RAW, SocketFlags::CLOEXEC);
        rustix::net::socket_with(AddressFamily::NETLINK, kind, flags, None)
            .map(|fd| Self(fd.into()))
    }

    /// The interface of this name.
    ///
    /// # Errors
    /// `ENODEV` if there is none; otherwise the kernel did not tell.
    pub(crate) fn device(&self, name: &InterfaceName) -> Result<Device, Errno> {
        let mut request = Request::new(RTM_GETLINK, NLM_F_REQUEST, 16);
        request.attribute(IFLA_EXT_MASK, &RTEXT_FILTER_SKIP_STATS.to_ne_bytes());
        request.attribute(IFLA_IFNAME, name.padded());
        self.ask_device(&request)
    }

    /// The interface with this index.
    ///
    /// # Errors
    /// As [`Netlink::device`].
    pub(crate) fn device_at(&self, index: u32) -> Result<Device, Errno> {
        let mut request = Request::new(RTM_GETLINK, NLM_F_REQUEST, 16);
        request.attribute(IFLA_EXT_MASK, &RTEXT_FILTER_SKIP_STATS.to_ne_bytes());
        request.bytes[MESSAGE_HEADER + 4..][..4].copy_from_slice(&index.to_ne_bytes());
        self.ask_device(&request)
    }

    /// The name of the interface with this index.
    ///
    /// # Errors
    /// `ENODEV` if there is none, `EILSEQ` if it is no text; otherwise the kernel did not tell.
    pub(crate) fn name_of(&self, index: u32) -> Result<String, Errno> {
        rustix::net::netdevice::index_to_name(&self.0, index)
    }

    fn ask_device(&self, request: &Request) -> Result<Device, Errno> {
        let mut found = Err(Errno::PROTO);
        self.ask(request, |kind, body| {
            if kind == RTM_NEWLINK
                && let (Some(index), Some(flags)) = (u32_at(body, 4), u32_at(body, 8))
            {
                let (up, running) = (flags & IFF_UP != 0, flags & IFF_RUNNING != 0);
                found = Ok(Device { index, up, running });
            }
        })?;
        found
    }

    /// Every address of the host, in the kernel's order.
    ///
    /// # Errors
    /// The kernel's; what has been told before is then not the whole.
    pub(crate) fn addresses(&self, mut tell: impl FnMut(Address)) -> Result<(), Errno> {
        let request = Request::new(RTM_GETADDR, NLM_F_REQUEST | NLM_F_DUMP, 8);
        self.ask(&request, |kind, body| {
            if kind == RTM_NEWADDR
                && let Some(address) = address(body)
            {
                tell(address);
            }
        })
    }

    fn ask(&self, request: &Request, tell: impl FnMut(u16, &[u8])) -> Result<(), Errno> {
        self.ask_into(&mut [0; BLOCK], request, tell)
    }

    /// Puts a request, and tells kind and body of each message of the answer, which comes block by block.
    ///
    /// # Errors
    /// The kernel's; what has been told before is then not the whole.
    pub(crate) fn ask_into(
        &self,
        block: &mut [u8],
        request: &Request,
        mut tell: impl FnMut(u16, &[u8]),
    ) -> Result<(), Errno> {
        let bytes = request.finished();
        retry(|| rustix::net::send(&self.0, &bytes[..request.length], SendFlags::empty()))?;
        for _ in 0..MAX_BLOCKS {
            let (length, whole) =
                retry(|| rustix::net::recv(&self.0, &mut *block, RecvFlags::TRUNC))?;
            if whole > block.len() {
                return Err(Errno::MSGSIZE);
            }
            let mut rest = &block[..length];
            while let Some((kind, flags, body, next)) = message(rest) {
                match kind {
                    NLMSG_DONE => return Ok(()),
                    NLMSG_ERROR => {
                        let errno = i32::from_ne_bytes(*body.first_chunk().ok_or(Errno::PROTO)?);
                        return Err(Errno::from_raw_os_error(errno.checked_neg().unwrap_or(71)));
                    }
                    _ => tell(kind, body),
                }
                if flags & NLM_F_MULTI == 0 {
                    return Ok(());
                }
                rest = next;
            }
        }
        Err(Errno::PROTO)
    }
}

const NLM_F_MULTI: u16 = 2;

/// A request: header, a fixed part of zeros, attributes.
pub(crate) struct Request {
    bytes: [u8; 64],
    length: usize,
}

impl Request {
    pub(crate) fn new(kind: u16, flags: u16, fixed: usize) -> Self {
        let mut bytes = [0; 64];
        bytes[4..6].copy_from_slice(&kind.to_ne_bytes());
        bytes[6..8].copy_from_slice(&flags.to_ne_bytes());
        Self {
            bytes,
            length: MESSAGE_HEADER + fixed,
        }
    }

    pub(crate) fn attribute<const N: usize>(&mut self, kind: u16, data: &[u8; N]) {
        let place = &mut self.bytes[self.length..self.length + ATTRIBUTE_HEADER + N];
        #[allow(clippy::cast_possible_truncation)] // At most 20.
        let length = (ATTRIBUTE_HEADER + N) as u16;
        place[..2].copy_from_slice(&length.to_ne_bytes());
        place[2..4].copy_from_slice(&kind.to_ne_bytes());
        place[4..].copy_from_slice(data);
        self.length += (ATTRIBUTE_HEADER + N).next_multiple_of(4);
    }

    fn finished(&self) -> [u8; 64] {
        let mut bytes = self.bytes;
        #[allow(clippy::cast_possible_truncation)] // At most 64.
        bytes[..4].copy_from_slice(&(self.length as u32).to_ne_bytes());
        bytes
    }
}

/// Kind, flags and body of the first message of a block, and what follows it.
pub(crate) fn message(block: &[u8]) -> Option<(u16, u16, &[u8], &[u8])> {
    let length = u32_at(block, 0)? as usize;
    let (kind, flags) = (u16_at(block, 4)?, u16_at(block, 6)?);
    let body = block.get(MESSAGE_HEADER..length)?;
    Some((
        kind,
        flags,
        body,
        block.get(length.next_multiple_of(4)..).unwrap_or(&[]),
    ))
}

/// `struct ifaddrmsg` and its attributes.
fn address(body: &[u8]) -> Option<Address> {
    /// `IFA_F_TENTATIVE | IFA_F_DADFAILED`.
    const NOT_YET: u8 = 0x48;
    const OPTIMISTIC: u8 = 0x04;
    const DEPRECATED: u8 = 0x20;
    let (family, flags, index) = (*body.first()?, *body.get(2)?, u32_at(body, 4)?);
    let (mut ip, mut rest) = (None, body.get(8..)?);
    while let (Some(length), Some(kind)) = (u16_at(rest, 0), u16_at(rest, 2)) {
        let length = usize::from(length);
        let data = rest.get(ATTRIBUTE_HEADER..length)?;
        // On a point-to-point interface IFA_ADDRESS is the peer's, and IFA_LOCAL ours.
        if kind == IFA_LOCAL || (kind == IFA_ADDRESS && ip.is_none()) {
            ip = match family {
                AF_INET => Some(Ipv4Addr::from(*data.first_chunk::<4>()?).into()),
                AF_INET6 => Some(Ipv6Addr::from(*data.first_chunk::<16>()?).into()),
                _ => None,
            };
        }
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or(&[]);
    }
    let settled = flags & NOT_YET == 0 || flags & OPTIMISTIC != 0;
    Some(Address {
        ip: ip?,
        index,
        preferred: settled && flags & DEPRECATED == 0,
    })
}

pub(crate) fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes
        .get(at..)?
        .first_chunk()
        .map(|chunk| u16::from_ne_bytes(*chunk))
}

pub(crate) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes
        .get(at..)?
        .first_chunk()
        .map(|chunk| u32::from_ne_bytes(*chunk))
}

fn retry<T>(mut call: impl FnMut() -> Result<T, Errno>) -> Result<T, Errno> {
    /// Signals that arrive faster than this are not waited out.
    const ATTEMPTS: usize = 64;
    for _ in 0..ATTEMPTS {
        match call() {
            Err(Errno::INTR) => {}
            result => return result,
        }
    }
    Err(Errno::INTR)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_found_with_its_address() {
        let netlink = Netlink::open().unwrap();
        let lo = netlink.device(&"lo".parse().unwrap()).unwrap();
        assert!(lo.up && lo.running);
        assert_eq!(netlink.device_at(lo.index), Ok(lo));
        assert_eq!(netlink.name_of(lo.index).unwrap(), "lo");
        let mut own = Vec::new();
        netlink.addresses(|address| own.push(address)).unwrap();
        let wanted = Address {
            ip: Ipv4Addr::LOCALHOST.into(),
            index: lo.index,
            preferred: true,
        };
        assert!(own.contains(&wanted), "{own:?}");
    }

    #[test]
    fn what_is_not_there_is_said() {
        let netlink = Netlink::open().unwrap();
        assert_eq!(
            netlink.device(&"nosuch0".parse().unwrap()),
            Err(Errno::NODEV)
        );
    }

    #[test]
    fn an_address_is_preferred_by_its_flags() {
        // IFA_F_ PERMANENT, TENTATIVE, OPTIMISTIC, DADFAILED, DEPRECATED.
        for (flags, preferred) in [
            (0x80, true),
            (0xc0, false),
            (0xc4, true),
            (0x88, false),
            (0x20, false),
            (0x44 | 0x20, false),
        ] {
            let mut body = vec![AF_INET, 24, flags, 0, 3, 0, 0, 0];
            body.extend([8, 0, 2, 0, 10, 2, 0, 2]);
            let address = address(&body).unwrap();
            assert_eq!(address.ip, Ipv4Addr::new(10, 2, 0, 2));
            assert_eq!(address.preferred, preferred, "{flags:x}");
        }
    }

    #[test]
    fn truncated_messages_are_no_messages() {
        let whole = [0u8; 40];
        for length in 0..whole.len() {
            assert!(address(&whole[..length]).is_none());
        }
        assert!(message(&[200, 0, 0, 0, 16, 0, 0, 0]).is_none());
    }
}
