//! Messages as C has them: `struct mif_msg`.

use std::ffi::c_int;
use std::mem::MaybeUninit;
use std::net::SocketAddr;
use std::os::fd::{IntoRawFd, OwnedFd};

use libc::sockaddr_storage;
use mif_domains::{Address, Id};
use rustix::io::Errno;
use rustix::net::SocketAddrAny;

use super::id::CId;
use super::kind;
use crate::sockaddr::read;

/// `struct mif_msg` of mif.h.
#[repr(C)]
#[derive(Clone)]
pub(crate) struct CMessage {
    pub(super) size: u32,
    pub(super) kind: u32,
    pub(super) flags: u32,
    pub(super) ifid: u32,
    pub(super) id: u32,
    pub(super) status: i32,
    pub(super) fd: c_int,
    pub(super) socket_type: u32,
    pub(super) element: u32,
    pub(super) info: u32,
    pub(super) valid_lifetime: u32,
    pub(super) preferred_lifetime: u32,
    pub(super) pvd: CId,
    pub(super) source: sockaddr_storage,
    pub(super) destination: sockaddr_storage,
    pub(super) text: [u8; TEXT],
}

/// `MIF_TEXT_MAX`.
const TEXT: usize = 1024;
/// `MIF_INFINITE`.
const INFINITE: u32 = u32::MAX;

/// `enum mif_flag`.
pub(super) const F_V4: u32 = 1;
pub(super) const F_V6: u32 = 2;
pub(super) const F_PREFER: u32 = 4;
pub(super) const F_LAST: u32 = 8;

/// Something that a program is told.
#[derive(Debug)]
pub(super) enum Message {
    /// Of the host.
    Host(mif_domains::Message),
    /// 3.2.7.20.
    Name {
        /// The domain that was asked.
        pvd: Id,
        /// The program's number.
        id: u32,
        /// The address, without a port.
        address: SocketAddr,
        /// What it would be reached from, where it would.
        source: Option<SocketAddr>,
    },
    /// The end of a translation.
    NameDone {
        /// The domain that was asked.
        pvd: Id,
        /// The program's number.
        id: u32,
        /// 0, or one of `EAI_*`.
        status: c_int,
    },
    /// 3.2.7.24.
    Connected {
        /// The domain.
        pvd: Id,
        /// The program's number.
        id: u32,
        /// Both ends.
        ends: Option<(SocketAddr, SocketAddr)>,
        /// The socket; `None` where the domain alone was asked for (3.2.7.21).
        fd: Option<OwnedFd>,
    },
    /// 3.2.7.25.
    NotConnected {
        /// The domain.
        pvd: Id,
        /// The program's number.
        id: u32,
        /// Why.
        why: Errno,
    },
}

impl CMessage {
    #[allow(clippy::cast_possible_truncation)] // Less than two thousand.
    pub(super) const SIZE: u32 = size_of::<Self>() as u32;

    pub(super) fn new() -> Self {
        // SAFETY: numbers and arrays of numbers, of which zero is one.
        let nothing: Self = unsafe { MaybeUninit::zeroed().assume_init() };
        Self {
            size: Self::SIZE,
            fd: -1,
            ..nothing
        }
    }

    /// What the program is told. `now` is the millisecond of the clock that lifetimes are told by. A socket
    /// is the program's from here on.
    pub(super) fn of(message: Message, now: u64) -> Self {
        let mut told = Self::new();
        match message {
            Message::Host(message) => told.tell_host(message, now),
            Message::Name {
                pvd,
                id,
                address,
                source,
            } => {
                told.tell(kind::NAME, &pvd, id);
                told.destination = storage(Some(address));
                told.source = storage(source);
            }
            Message::NameDone { pvd, id, status } => {
                told.tell(kind::NAME_DONE, &pvd, id);
                told.status = status;
            }
            Message::Connected { pvd, id, ends, fd } => {
                told.tell(kind::CONNECTED, &pvd, id);
                told.source = storage(ends.map(|(here, _)| here));
                told.destination = storage(ends.map(|(_, there)| there));
                told.fd = fd.map_or(-1, IntoRawFd::into_raw_fd);
            }
            Message::NotConnected { pvd, id, why } => {
                told.tell(kind::NOT_CONNECTED, &pvd, id);
                told.status = why.raw_os_error();
            }
        }
        told
    }

    fn tell(&mut self, kind: u32, pvd: &Id, id: u32) {
        (self.kind, self.pvd, self.id) = (kind, CId::from(pvd), id);
    }

    fn tell_host(&mut self, message: mif_domains::Message, now: u64) {
        use mif_domains::Message as Of;
        match message {
            Of::Interface { index, name } => {
                (self.kind, self.ifid) = (kind::INTERFACE, index);
                self.write(&name);
            }
            Of::NoInterface { index, name } => {
                (self.kind, self.ifid) = (kind::NO_INTERFACE, index);
                self.write(&name);
            }
            Of::Pvd { index, id } => {
                self.tell(kind::PVD, &id, 0);
                self.ifid = index;
            }
            Of::NoPvd { index, id } => {
                self.tell(kind::NO_PVD, &id, 0);
                self.ifid = index;
            }
            Of::Element { id, element } => {
                self.tell(kind::ELEMENT, &id, 0);
                self.element = element as u32;
            }
            Of::NoElement { id, element } => {
                self.tell(kind::NO_ELEMENT, &id, 0);
                self.element = element as u32;
            }
            Of::Address { id, address } => {
                self.tell(kind::ADDRESS, &id, 0);
                self.tell_address(&address, now);
            }
            Of::NoAddress { id, ip } => {
                self.tell(kind::NO_ADDRESS, &id, 0);
                self.source = storage(Some(SocketAddr::new(ip, 0)));
            }
            Of::Configuration {
                id,
                element,
                info,
                text,
                is_last,
            } => {
                self.tell(kind::CONFIGURATION, &id, 0);
                (self.element, self.info) = (element as u32, info as u32);
                self.flags = if is_last { F_LAST } else { 0 };
                self.write(&text);
            }
            Of::NoConfiguration { id, info } => {
                self.tell(kind::NO_CONFIGURATION, &id, 0);
                self.info = info as u32;
            }
            Of::GoingAway { index } => (self.kind, self.ifid) = (kind::INTERFACE_GOING_AWAY, index),
            Of::GoingUp { index } => (self.kind, self.ifid) = (kind::INTERFACE_GOING_UP, index),
        }
    }

    fn tell_address(&mut self, address: &Address, now: u64) {
        let left = |until: Option<u64>| match until {
            None => INFINITE,
            // Rounded, as the kernel's seconds were when they were read.
            Some(until) => u32::try_from(until.saturating_sub(now).saturating_add(500) / 1000)
                .unwrap_or(INFINITE - 1),
        };
        self.source = storage(Some(SocketAddr::new(address.ip, 0)));
        self.valid_lifetime = left(address.valid_until);
        self.preferred_lifetime = if address.deprecated {
            0
        } else {
            left(address.preferred_until)
        };
    }

    /// Writes a text, or what fits of it.
    fn write(&mut self, text: &str) {
        let mut end = text.len().min(TEXT - 1);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        self.text[..end].copy_from_slice(&text.as_bytes()[..end]);
    }

    /// The text that a program has written.
    ///
    /// # Errors
    /// `EINVAL`: it has no end, or is no UTF-8.
    pub(super) fn read(&self) -> Result<&str, Errno> {
        let end = self.text.iter().position(|&byte| byte == 0);
        let text = self.text.get(..end.ok_or(Errno::INVAL)?);
        std::str::from_utf8(text.unwrap_or_default()).map_err(|_| Errno::INVAL)
    }
}

/// An address that a program has written; `None` for one of no family.
///
/// # Errors
/// `EINVAL`: it is of another family.
pub(super) fn address(storage: &sockaddr_storage) -> Result<Option<SocketAddr>, Errno> {
    if storage.ss_family == 0 {
        return Ok(None);
    }
    let length = libc::socklen_t::try_from(size_of_val(storage)).map_err(|_| Errno::INVAL)?;
    // SAFETY: readable for its whole length.
    let given = unsafe { read((&raw const *storage).cast(), length) };
    let address = given.ok_or(Errno::INVAL)?.address;
    Ok(Some(address))
}

fn storage(address: Option<SocketAddr>) -> sockaddr_storage {
    // SAFETY: a structure of numbers, of which zero is one.
    let mut storage: sockaddr_storage = unsafe { MaybeUninit::zeroed().assume_init() };
    if let Some(address) = address {
        let address = SocketAddrAny::from(address);
        let length = address.addr_len() as usize;
        let to: *mut u8 = (&raw mut storage).cast();
        // SAFETY: an address is readable for its length, and not longer than the storage.
        unsafe { std::ptr::copy_nonoverlapping(address.as_ptr().cast(), to, length) };
    }
    storage
}

impl Message {
    /// The program's number of what it is about: of a translation, or of a connection.
    pub(super) fn id(&self) -> Option<u32> {
        match self {
            Self::Host(_) => None,
            Self::Name { id, .. }
            | Self::NameDone { id, .. }
            | Self::Connected { id, .. }
            | Self::NotConnected { id, .. } => Some(*id),
        }
    }

    /// Whether it is about a translation.
    pub(super) fn is_of_a_name(&self) -> bool {
        matches!(self, Self::Name { .. } | Self::NameDone { .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::mem::offset_of;

    #[test]
    fn addresses_go_to_c_and_back() {
        for text in ["192.0.2.1:80", "[2001:db8::1]:443"] {
            let given: SocketAddr = text.parse().unwrap();
            assert_eq!(address(&storage(Some(given))), Ok(Some(given)));
        }
        assert_eq!(address(&storage(None)), Ok(None));
        let mut other = storage(None);
        other.ss_family = 1;
        assert_eq!(address(&other), Err(Errno::INVAL));
    }

    #[test]
    fn texts_end() {
        let mut message = CMessage::new();
        message.write(&"ä".repeat(600));
        assert_eq!(message.read().unwrap().len(), 1022);
        message.text = [b'a'; TEXT];
        assert_eq!(message.read(), Err(Errno::INVAL));
        message.text = [0xff; TEXT];
        message.text[1] = 0;
        assert_eq!(message.read(), Err(Errno::INVAL));
    }

    #[test]
    fn lifetimes_are_seconds_from_now() {
        let address = |until, deprecated| Address {
            ip: [192, 0, 2, 1].into(),
            made: 1,
            deprecated,
            valid_until: until,
            preferred_until: until,
        };
        for (until, deprecated, wanted) in [
            (None, false, [INFINITE, INFINITE]),
            (Some(21_000), false, [20, 20]),
            (Some(21_000), true, [20, 0]),
            (Some(500), false, [0, 0]),
            (Some(u64::MAX), false, [INFINITE - 1, INFINITE - 1]),
        ] {
            let mut message = CMessage::new();
            message.tell_address(&address(until, deprecated), 1000);
            let told = [message.valid_lifetime, message.preferred_lifetime];
            assert_eq!(told, wanted, "{until:?}");
        }
    }

    #[test]
    fn nothing_lies_between_the_fields() {
        assert_eq!(offset_of!(CMessage, pvd), 48);
        assert_eq!(offset_of!(CMessage, text) + TEXT, size_of::<CMessage>());
    }
}
