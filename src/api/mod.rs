//! The MIF API: provisioning domains for programs that want more than a policy (`include/mif.h`).
//!
//! A process that never calls it pays nothing for it: nothing here runs at the start, and there is
//! neither a thread nor a descriptor before the first handle.

pub(crate) mod attempt;
pub(crate) mod calls;
pub(crate) mod choose;
pub(crate) mod connect_name;
mod connections;
mod handle;
#[cfg(test)]
mod header;
pub(crate) mod id;
pub(crate) mod identify;
mod kind;
pub(crate) mod list;
mod look_up;
mod message;
mod names;
mod post;
mod process;
pub(crate) mod scope;
pub(crate) mod thread;
mod watch;
