//! What a program asks of MIF, and the messages of it.

use std::net::{IpAddr, SocketAddr};

use crate::layout::{Message, kind};
use crate::{Element, Families, Info, Pvd, SocketType};

/// A message to MIF, for [`Handle::post`](crate::Handle::post). The numbers are sections of
/// draft-ietf-mif-api-extension-05.
///
/// An `id` is the program's own number of a translation or a connection, unique on its handle while that is
/// under way.
///
/// ```no_run
/// # use mif_api::{Api, Families, Request};
/// # let api = Api::load()?;
/// let handle = api.open()?;
/// let pvd = api.find("lte")?;
/// handle.post(&Request::AnnounceInterfaces)?;
/// handle.post(&Request::AnnouncePvds { interface: None })?;
/// let name = "example.org".to_owned();
/// handle.post(&Request::TranslateName { id: 1, pvd: Some(pvd), name, families: Families::V6 })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Request {
    /// 3.2.7.1: which interfaces there are, and from now on what changes.
    AnnounceInterfaces,
    /// 3.2.7.2: no more of that.
    StopInterfaces,
    /// 3.2.7.5: which domains an interface has, and what changes.
    AnnouncePvds {
        /// Its index, or every interface.
        interface: Option<u32>,
    },
    /// 3.2.7.6: no more of that.
    StopPvds {
        /// Its index, or every interface.
        interface: Option<u32>,
    },
    /// 3.2.7.9: which sources a domain's configuration has, and what changes.
    AnnounceElements {
        /// The domain.
        pvd: Pvd,
    },
    /// 3.2.7.12: no more of that.
    StopElements {
        /// The domain.
        pvd: Pvd,
    },
    /// 3.2.7.13: which addresses the host has in a domain, and what changes.
    AnnounceAddresses {
        /// The domain.
        pvd: Pvd,
        /// Of which families.
        families: Families,
    },
    /// 3.2.7.15: no more of that.
    StopAddresses {
        /// The domain.
        pvd: Pvd,
    },
    /// 3.2.7.17: what a domain's configuration says, once.
    GetConfiguration {
        /// The domain.
        pvd: Pvd,
        /// From this source, or from any.
        element: Option<Element>,
        /// About this.
        info: Info,
    },
    /// 3.2.7.18: the addresses of a name, asked within a domain.
    TranslateName {
        /// The program's number.
        id: u32,
        /// The domain, or that of [`Request::ConnectPvd`].
        pvd: Option<Pvd>,
        /// The name.
        name: String,
        /// Addresses of which families.
        families: Families,
    },
    /// 3.2.7.19: ends a translation. No event of it comes after this.
    StopTranslating {
        /// Its number.
        id: u32,
    },
    /// 3.2.7.21: the domain of what is posted without one, from now on. The answer is
    /// [`Event::PvdConnected`](crate::Event::PvdConnected) or
    /// [`Event::NotConnected`](crate::Event::NotConnected).
    ConnectPvd {
        /// The program's number.
        id: u32,
        /// The domain, or none again, to which there is no answer.
        pvd: Option<Pvd>,
    },
    /// 3.2.7.22: a connection within a domain.
    Connect {
        /// The program's number.
        id: u32,
        /// The domain, or that of [`Request::ConnectPvd`].
        pvd: Option<Pvd>,
        /// Where to.
        destination: SocketAddr,
        /// What of.
        socket_type: SocketType,
    },
    /// 3.2.7.23: a connection from an address of a domain.
    ConnectFrom {
        /// The program's number.
        id: u32,
        /// The domain, or that of [`Request::ConnectPvd`].
        pvd: Option<Pvd>,
        /// Where to.
        destination: SocketAddr,
        /// Where from.
        source: IpAddr,
        /// What of.
        socket_type: SocketType,
    },
    /// Beyond the draft: ends a connection that is being made. No event of it comes after this.
    StopConnecting {
        /// Its number.
        id: u32,
    },
    /// 3.2.7.26.1: the program wants this domain; refused where it is not there.
    Wants {
        /// The domain.
        pvd: Pvd,
    },
    /// 3.2.7.26.2: a connection is idle.
    Idle {
        /// Its number.
        id: u32,
    },
    /// 3.2.7.26.3: a connection may be broken.
    Breakable {
        /// Its number.
        id: u32,
    },
}

impl Request {
    /// `None`: the name does not fit.
    pub(crate) fn to_raw(&self) -> Option<Message> {
        let mut raw = Message::new(self.kind());
        match self {
            Self::AnnounceInterfaces | Self::StopInterfaces => {}
            Self::AnnouncePvds { interface } | Self::StopPvds { interface } => {
                raw.ifid = interface.unwrap_or(0);
            }
            Self::AnnounceElements { pvd }
            | Self::StopElements { pvd }
            | Self::StopAddresses { pvd }
            | Self::Wants { pvd } => raw.pvd = pvd.to_raw(),
            Self::ConnectPvd { id, pvd } => raw.of(*id, pvd.as_ref()),
            Self::AnnounceAddresses { pvd, families } => {
                raw.pvd = pvd.to_raw();
                raw.flags = families.flags();
            }
            Self::GetConfiguration { pvd, element, info } => {
                raw.pvd = pvd.to_raw();
                raw.element = element.map_or(0, Element::raw);
                raw.info = info.raw();
            }
            Self::TranslateName {
                id,
                pvd,
                name,
                families,
            } => {
                raw.of(*id, pvd.as_ref());
                raw.set_text(name)?;
                raw.flags = families.flags();
            }
            Self::StopTranslating { id }
            | Self::StopConnecting { id }
            | Self::Idle { id }
            | Self::Breakable { id } => raw.id = *id,
            Self::Connect {
                id,
                pvd,
                destination,
                socket_type,
            } => {
                raw.of(*id, pvd.as_ref());
                raw.set_destination(*destination);
                raw.socktype = socket_type.raw();
            }
            Self::ConnectFrom {
                id,
                pvd,
                destination,
                source,
                socket_type,
            } => {
                raw.of(*id, pvd.as_ref());
                raw.set_destination(*destination);
                raw.set_source(*source);
                raw.socktype = socket_type.raw();
            }
        }
        Some(raw)
    }

    fn kind(&self) -> u32 {
        match self {
            Self::AnnounceInterfaces => kind::ANNOUNCE_INTERFACES,
            Self::StopInterfaces => kind::STOP_INTERFACES,
            Self::AnnouncePvds { .. } => kind::ANNOUNCE_PVDS,
            Self::StopPvds { .. } => kind::STOP_PVDS,
            Self::AnnounceElements { .. } => kind::ANNOUNCE_ELEMENTS,
            Self::StopElements { .. } => kind::STOP_ELEMENTS,
            Self::AnnounceAddresses { .. } => kind::ANNOUNCE_ADDRESSES,
            Self::StopAddresses { .. } => kind::STOP_ADDRESSES,
            Self::GetConfiguration { .. } => kind::GET_CONFIGURATION,
            Self::TranslateName { .. } => kind::TRANSLATE_NAME,
            Self::StopTranslating { .. } => kind::STOP_TRANSLATING,
            Self::ConnectPvd { .. } => kind::CONNECT_PVD,
            Self::Connect { .. } => kind::CONNECT,
            Self::ConnectFrom { .. } => kind::CONNECT_FROM,
            Self::StopConnecting { .. } => kind::STOP_CONNECTING,
            Self::Wants { .. } => kind::APP_WANTS,
            Self::Idle { .. } => kind::APP_IDLE,
            Self::Breakable { .. } => kind::APP_BREAKABLE,
        }
    }
}

impl Message {
    fn of(&mut self, id: u32, pvd: Option<&Pvd>) {
        self.id = id;
        if let Some(pvd) = pvd {
            self.pvd = pvd.to_raw();
        }
    }
}
