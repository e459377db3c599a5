//! Provisioning domains as programs of the MIF API see them: which there are, and which messages a
//! program gets when that changes (draft-ietf-mif-api-extension-05).
//!
//! Values in, values out: there is no descriptor, clock, lock or file here.
#![forbid(unsafe_code)]

mod id;
mod race;

pub use id::{Id, NoId};
pub use race::{Race, Step};
