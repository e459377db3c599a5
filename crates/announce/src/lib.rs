//! What networks announce of themselves: router advertisements (RFC 4861) with the options by which
//! a host learns addresses, routes and names, and the explicit provisioning domains of RFC 8801,
//! with the additional information that is fetched for them.
//!
//! The crate is pure: octets and text in, values out, with no descriptor, clock or environment. It
//! decides what is understood and which domain it belongs to, and never what is done with it.
//!
//! Netlink and packet crates do not take its place. Those with router advertisements (smoltcp,
//! pnet, etherparse) know prefixes and MTU, and leave the other options as octets; none has the one
//! of RFC 8801, which holds options itself. What would be saved is the walk along the options.
#![forbid(unsafe_code)]

pub mod advertisement;
pub mod domain;
mod encrypted_dns;
pub mod information;
mod name;
mod octets;
pub mod option;

pub use advertisement::{Advertisement, Explicit, Header, Preference};
pub use domain::Domain;
pub use information::Information;
pub use name::Name;
pub use octets::Fault;
pub use option::{EncryptedDns, Item, Lifetime};
