//! The MIF API: provisioning domains for programs that want more than a policy (`include/mif.h`).
//!
//! A process that never calls it pays nothing for it: nothing here runs at the start, and there is
//! neither a thread nor a descriptor before the first handle.

pub(crate) mod attempt;
pub(crate) mod choose;
pub(crate) mod connect_name;
pub(crate) mod id;
pub(crate) mod list;
pub(crate) mod scope;
pub(crate) mod thread;
