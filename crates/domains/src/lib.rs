//! Provisioning domains as programs of the MIF API see them: which there are, which messages a
//! program gets when that changes (draft-ietf-mif-api-extension-05), and in which order connections
//! are tried over them (RFC 8305).
//!
//! Values in, values out: there is no descriptor, clock, lock or file here. A [`Snapshot`] is what a
//! host has at one moment; [`changes()`] is what there is to tell between two of them, and
//! [`Subscriptions`] what of that one program wants to hear. So no message can contradict another
//! one, and what a kernel's queue lost is told all the same.
#![forbid(unsafe_code)]

mod changes;
mod id;
mod message;
mod race;
mod snapshot;
mod subscriptions;

pub use changes::changes;
pub use id::{Id, NoId};
pub use message::Message;
pub use race::{Race, Step};
pub use snapshot::{Address, Domain, Element, Info, Interface, Snapshot, Stage, Value};
pub use subscriptions::{Absent, Subscriptions, configuration};

#[cfg(test)]
mod tests;
