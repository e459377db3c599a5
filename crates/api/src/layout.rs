//! The structures and numbers of mif.h.

use std::mem::offset_of;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

use libc::{sockaddr_in, sockaddr_in6};

/// `mif_pvdid_t`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(crate) struct PvdId {
    pub(crate) kind: u8,
    length: u8,
    value: [u8; 254],
}

impl PvdId {
    pub(crate) const NONE: Self = Self {
        kind: 0,
        length: 0,
        value: [0; 254],
    };

    /// `name` has 253 octets at most; more are left out.
    pub(crate) fn new(kind: u8, name: &[u8]) -> Self {
        let mut id = Self { kind, ..Self::NONE };
        for (to, from) in id.value[..253].iter_mut().zip(name) {
            *to = *from;
            id.length += 1;
        }
        id
    }

    pub(crate) fn value(&self) -> Option<&[u8]> {
        self.value.get(..self.length.into())
    }
}

/// `struct mif_msg`.
#[repr(C)]
#[derive(Clone)]
pub(crate) struct Message {
    size: u32,
    pub(crate) kind: u32,
    pub(crate) flags: u32,
    pub(crate) ifid: u32,
    pub(crate) id: u32,
    pub(crate) status: i32,
    pub(crate) fd: i32,
    pub(crate) socktype: u32,
    pub(crate) element: u32,
    pub(crate) info: u32,
    pub(crate) valid_lifetime: u32,
    pub(crate) preferred_lifetime: u32,
    pub(crate) pvd: PvdId,
    src: Address,
    dst: Address,
    text: [u8; TEXT],
}

/// `MIF_TEXT_MAX`.
const TEXT: usize = 1024;

/// `enum mif_type`.
pub(crate) mod kind {
    pub(crate) const ANNOUNCE_INTERFACES: u32 = 1;
    pub(crate) const STOP_INTERFACES: u32 = 2;
    pub(crate) const INTERFACE: u32 = 3;
    pub(crate) const NO_INTERFACE: u32 = 4;
    pub(crate) const ANNOUNCE_PVDS: u32 = 5;
    pub(crate) const STOP_PVDS: u32 = 6;
    pub(crate) const PVD: u32 = 7;
    pub(crate) const NO_PVD: u32 = 8;
    pub(crate) const ANNOUNCE_ELEMENTS: u32 = 9;
    pub(crate) const ELEMENT: u32 = 10;
    pub(crate) const NO_ELEMENT: u32 = 11;
    pub(crate) const STOP_ELEMENTS: u32 = 12;
    pub(crate) const ANNOUNCE_ADDRESSES: u32 = 13;
    pub(crate) const ADDRESS: u32 = 14;
    pub(crate) const STOP_ADDRESSES: u32 = 15;
    pub(crate) const NO_ADDRESS: u32 = 16;
    pub(crate) const GET_CONFIGURATION: u32 = 17;
    pub(crate) const TRANSLATE_NAME: u32 = 18;
    pub(crate) const STOP_TRANSLATING: u32 = 19;
    pub(crate) const NAME: u32 = 20;
    pub(crate) const CONNECT_PVD: u32 = 21;
    pub(crate) const CONNECT: u32 = 22;
    pub(crate) const CONNECT_FROM: u32 = 23;
    pub(crate) const CONNECTED: u32 = 24;
    pub(crate) const NOT_CONNECTED: u32 = 25;
    pub(crate) const CONFIGURATION: u32 = 0x111;
    pub(crate) const NO_CONFIGURATION: u32 = 0x112;
    pub(crate) const NAME_DONE: u32 = 0x114;
    pub(crate) const STOP_CONNECTING: u32 = 0x119;
    pub(crate) const APP_WANTS: u32 = 0x1a1;
    pub(crate) const APP_IDLE: u32 = 0x1a2;
    pub(crate) const APP_BREAKABLE: u32 = 0x1a3;
    pub(crate) const INTERFACE_GOING_AWAY: u32 = 0x1a4;
    pub(crate) const INTERFACE_GOING_UP: u32 = 0x1a5;
}

impl Message {
    #[allow(clippy::cast_possible_truncation)] // A few kilobytes.
    pub(crate) fn new(kind: u32) -> Self {
        Self {
            size: size_of::<Self>() as u32,
            kind,
            flags: 0,
            ifid: 0,
            id: 0,
            status: 0,
            fd: -1,
            socktype: 0,
            element: 0,
            info: 0,
            valid_lifetime: 0,
            preferred_lifetime: 0,
            pvd: PvdId::NONE,
            src: Address::NONE,
            dst: Address::NONE,
            text: [0; TEXT],
        }
    }

    pub(crate) fn text(&self) -> String {
        let end = self.text.iter().position(|&octet| octet == 0);
        String::from_utf8_lossy(&self.text[..end.unwrap_or(TEXT)]).into_owned()
    }

    /// `None`: it does not fit, or has a NUL.
    pub(crate) fn set_text(&mut self, text: &str) -> Option<()> {
        if text.contains('\0') {
            return None;
        }
        let room = self.text[..TEXT - 1].get_mut(..text.len())?;
        room.copy_from_slice(text.as_bytes());
        Some(())
    }

    pub(crate) fn source(&self) -> Option<SocketAddr> {
        self.src.read()
    }

    pub(crate) fn destination(&self) -> Option<SocketAddr> {
        self.dst.read()
    }

    pub(crate) fn set_source(&mut self, address: IpAddr) {
        self.src = SocketAddr::new(address, 0).into();
    }

    pub(crate) fn set_destination(&mut self, address: SocketAddr) {
        self.dst = address.into();
    }
}

/// `struct sockaddr_storage`, by its octets.
#[repr(C, align(8))]
#[derive(Clone, Copy)]
pub(crate) struct Address(pub(crate) [u8; 128]);

impl Address {
    pub(crate) const NONE: Self = Self([0; 128]);

    fn octets<const N: usize>(&self, at: usize) -> [u8; N] {
        std::array::from_fn(|index| self.0[at + index])
    }

    fn put(&mut self, at: usize, octets: &[u8]) {
        self.0[at..at + octets.len()].copy_from_slice(octets);
    }

    /// `None` for one of no family, or of another.
    pub(crate) fn read(&self) -> Option<SocketAddr> {
        let port = u16::from_be_bytes(self.octets(PORT));
        match u16::from_ne_bytes(self.octets(FAMILY)).into() {
            libc::AF_INET => {
                let ip = Ipv4Addr::from(self.octets(V4_ADDRESS));
                Some(SocketAddrV4::new(ip, port).into())
            }
            libc::AF_INET6 => {
                let ip = Ipv6Addr::from(self.octets::<16>(V6_ADDRESS));
                let flow = u32::from_ne_bytes(self.octets(V6_FLOW));
                let scope = u32::from_ne_bytes(self.octets(V6_SCOPE));
                Some(SocketAddrV6::new(ip, port, flow, scope).into())
            }
            _ => None,
        }
    }
}

impl From<SocketAddr> for Address {
    #[allow(clippy::cast_possible_truncation)] // Families are small numbers.
    fn from(address: SocketAddr) -> Self {
        let mut octets = Self::NONE;
        octets.put(PORT, &address.port().to_be_bytes());
        match address {
            SocketAddr::V4(v4) => {
                octets.put(FAMILY, &(libc::AF_INET as u16).to_ne_bytes());
                octets.put(V4_ADDRESS, &v4.ip().octets());
            }
            SocketAddr::V6(v6) => {
                octets.put(FAMILY, &(libc::AF_INET6 as u16).to_ne_bytes());
                octets.put(V6_FLOW, &v6.flowinfo().to_ne_bytes());
                octets.put(V6_ADDRESS, &v6.ip().octets());
                octets.put(V6_SCOPE, &v6.scope_id().to_ne_bytes());
            }
        }
        octets
    }
}

const FAMILY: usize = offset_of!(sockaddr_in, sin_family);
const PORT: usize = offset_of!(sockaddr_in, sin_port);
const V4_ADDRESS: usize = offset_of!(sockaddr_in, sin_addr);
const V6_FLOW: usize = offset_of!(sockaddr_in6, sin6_flowinfo);
const V6_ADDRESS: usize = offset_of!(sockaddr_in6, sin6_addr);
const V6_SCOPE: usize = offset_of!(sockaddr_in6, sin6_scope_id);

#[cfg(test)]
mod tests;
