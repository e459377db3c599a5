//! What MIF tells a program, and the messages of it.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::OwnedFd;
use std::time::Duration;

use crate::layout::{Message, kind};
use crate::{Element, Info, LookupError, Pvd};

/// A message from MIF, of [`Handle::get`](crate::Handle::get). The numbers are sections of
/// draft-ietf-mif-api-extension-05.
///
/// What was announced of something is taken back before the thing itself: addresses and elements before their
/// domain, domains before their interface.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event {
    /// 3.2.7.3: an interface carries packets: it is up, with its carrier.
    Interface {
        /// Its index.
        interface: u32,
        /// Its name.
        name: String,
    },
    /// 3.2.7.4: it does not any more.
    NoInterface {
        /// Its index.
        interface: u32,
        /// Its name.
        name: String,
    },
    /// 3.2.7.7: an interface has a domain.
    Pvd {
        /// The index of the interface.
        interface: u32,
        /// The domain.
        pvd: Pvd,
    },
    /// 3.2.7.8: it has it no more.
    NoPvd {
        /// The index of the interface.
        interface: u32,
        /// The domain.
        pvd: Pvd,
    },
    /// 3.2.7.10: a domain has configuration from this source, or what it has is new.
    Element {
        /// The domain.
        pvd: Pvd,
        /// The source.
        element: Element,
    },
    /// 3.2.7.11: it has none of it any more.
    NoElement {
        /// The domain.
        pvd: Pvd,
        /// The source.
        element: Element,
    },
    /// 3.2.7.14: the host has an address in a domain, or its lifetimes are new.
    Address {
        /// The domain.
        pvd: Pvd,
        /// The address.
        address: IpAddr,
        /// How long it is valid; `None`: for good.
        valid: Option<Duration>,
        /// How long it is preferred; `None`: for good.
        preferred: Option<Duration>,
    },
    /// 3.2.7.16: it has it no more.
    NoAddress {
        /// The domain.
        pvd: Pvd,
        /// The address.
        address: IpAddr,
    },
    /// The answer to [`Request::GetConfiguration`](crate::Request::GetConfiguration) (3.2.7.17), one value.
    Configuration {
        /// The domain.
        pvd: Pvd,
        /// Where the value is from.
        element: Element,
        /// What it is about.
        info: Info,
        /// The value.
        value: String,
        /// Whether no more of them follow.
        is_last: bool,
    },
    /// The answer to the same where there is nothing of it.
    NoConfiguration {
        /// The domain.
        pvd: Pvd,
        /// What it is about.
        info: Info,
    },
    /// 3.2.7.20: an address of a name.
    Name {
        /// The number of the translation.
        id: u32,
        /// The domain that it was asked in, and is to be reached by.
        pvd: Pvd,
        /// The address.
        address: IpAddr,
        /// Where it would be reached from.
        source: Option<IpAddr>,
    },
    /// Beyond the draft: a translation is at its end.
    NameDone {
        /// Its number.
        id: u32,
        /// The domain that it was asked in.
        pvd: Pvd,
        /// Whether it has told all addresses, or why not.
        result: Result<(), LookupError>,
    },
    /// 3.2.7.24: a connection is there.
    Connected {
        /// Its number.
        id: u32,
        /// The domain that it is within.
        pvd: Pvd,
        /// Where to.
        destination: SocketAddr,
        /// Where from.
        source: Option<SocketAddr>,
        /// The socket.
        socket: OwnedFd,
    },
    /// 3.2.7.24, as the answer to [`Request::ConnectPvd`](crate::Request::ConnectPvd): the domain is there.
    PvdConnected {
        /// The number of the request.
        id: u32,
        /// The domain.
        pvd: Pvd,
    },
    /// 3.2.7.25: it could not be made, or the domain of [`Request::ConnectPvd`](crate::Request::ConnectPvd)
    /// is not there.
    NotConnected {
        /// Its number.
        id: u32,
        /// The domain that it would have been within.
        pvd: Pvd,
        /// Why not.
        error: io::Error,
    },
    /// 3.2.7.26.4: an interface is going away; what is on it will be taken back.
    InterfaceGoingAway {
        /// Its index.
        interface: u32,
    },
    /// 3.2.7.26.5: an interface is up; [`Event::Interface`] follows with its carrier.
    InterfaceGoingUp {
        /// Its index.
        interface: u32,
    },
    /// A message of a newer library that this crate does not know.
    Unknown {
        /// Its type, as in `mif.h`.
        kind: u32,
    },
}

impl Event {
    pub(crate) fn from_raw(raw: &Message, socket: Option<OwnedFd>) -> Self {
        let kind = raw.kind;
        Self::known(raw, socket).unwrap_or(Self::Unknown { kind })
    }

    fn known(raw: &Message, socket: Option<OwnedFd>) -> Option<Self> {
        let (interface, id) = (raw.ifid, raw.id);
        let pvd = || Pvd::from_raw(&raw.pvd);
        let element = || Element::from_raw(raw.element);
        let info = || Info::from_raw(raw.info);
        let address = |socket: Option<SocketAddr>| socket.map(|socket| socket.ip());
        Some(match raw.kind {
            kind::INTERFACE => Self::Interface {
                interface,
                name: raw.text(),
            },
            kind::NO_INTERFACE => Self::NoInterface {
                interface,
                name: raw.text(),
            },
            kind::PVD => Self::Pvd {
                interface,
                pvd: pvd()?,
            },
            kind::NO_PVD => Self::NoPvd {
                interface,
                pvd: pvd()?,
            },
            kind::ELEMENT => Self::Element {
                pvd: pvd()?,
                element: element()?,
            },
            kind::NO_ELEMENT => Self::NoElement {
                pvd: pvd()?,
                element: element()?,
            },
            kind::ADDRESS => Self::Address {
                pvd: pvd()?,
                address: address(raw.source())?,
                valid: lifetime(raw.valid_lifetime),
                preferred: lifetime(raw.preferred_lifetime),
            },
            kind::NO_ADDRESS => Self::NoAddress {
                pvd: pvd()?,
                address: address(raw.source())?,
            },
            kind::CONFIGURATION => Self::Configuration {
                pvd: pvd()?,
                element: element()?,
                info: info()?,
                value: raw.text(),
                is_last: raw.flags & LAST != 0,
            },
            kind::NO_CONFIGURATION => Self::NoConfiguration {
                pvd: pvd()?,
                info: info()?,
            },
            kind::NAME => Self::Name {
                id,
                pvd: pvd()?,
                address: address(raw.destination())?,
                source: address(raw.source()),
            },
            kind::NAME_DONE => Self::NameDone {
                id,
                pvd: pvd()?,
                result: LookupError::of(raw.status),
            },
            kind::CONNECTED if socket.is_none() => Self::PvdConnected { id, pvd: pvd()? },
            kind::CONNECTED => Self::Connected {
                id,
                pvd: pvd()?,
                destination: raw.destination()?,
                source: raw.source(),
                socket: socket?,
            },
            kind::NOT_CONNECTED => Self::NotConnected {
                id,
                pvd: pvd()?,
                error: io::Error::from_raw_os_error(raw.status),
            },
            kind::INTERFACE_GOING_AWAY => Self::InterfaceGoingAway { interface },
            kind::INTERFACE_GOING_UP => Self::InterfaceGoingUp { interface },
            _ => return None,
        })
    }
}

/// `MIF_F_LAST`.
const LAST: u32 = 8;

fn lifetime(seconds: u32) -> Option<Duration> {
    (seconds != u32::MAX).then(|| Duration::from_secs(seconds.into()))
}
