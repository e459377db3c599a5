//! What a program is told of the host.

use std::net::IpAddr;

use crate::Id;
use crate::snapshot::{Address, Element, Info};

/// A message about the host, by the number of its section of the draft.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// 3.2.7.3.
    Interface {
        /// The interface.
        index: u32,
        /// Its name.
        name: Box<str>,
    },
    /// 3.2.7.4.
    NoInterface {
        /// The interface.
        index: u32,
        /// Its name.
        name: Box<str>,
    },
    /// 3.2.7.7.
    Pvd {
        /// The interface that it is on.
        index: u32,
        /// The domain.
        id: Id,
    },
    /// 3.2.7.8.
    NoPvd {
        /// The interface that it was on.
        index: u32,
        /// The domain.
        id: Id,
    },
    /// 3.2.7.10.
    Element {
        /// The domain.
        id: Id,
        /// The source, which has come or has changed.
        element: Element,
    },
    /// 3.2.7.11.
    NoElement {
        /// The domain.
        id: Id,
        /// The source that has gone.
        element: Element,
    },
    /// 3.2.7.14.
    Address {
        /// The domain.
        id: Id,
        /// The address, which has come or has changed.
        address: Address,
    },
    /// 3.2.7.16.
    NoAddress {
        /// The domain.
        id: Id,
        /// The address that has gone.
        ip: IpAddr,
    },
    /// An answer to 3.2.7.17: one value.
    Configuration {
        /// The domain.
        id: Id,
        /// Where it is from.
        element: Element,
        /// What it is.
        info: Info,
        /// The value.
        text: Box<str>,
        /// There is no other behind it.
        is_last: bool,
    },
    /// The other answer to 3.2.7.17.
    NoConfiguration {
        /// The domain.
        id: Id,
        /// What there is none of.
        info: Info,
    },
    /// 3.2.7.26.4.
    GoingAway {
        /// The interface.
        index: u32,
    },
    /// 3.2.7.26.5.
    GoingUp {
        /// The interface.
        index: u32,
    },
}
