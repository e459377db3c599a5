//! The MIF API: provisioning domains for programs that want more than a policy (`include/mif.h`).
//!
//! A process that never calls it pays nothing for it: nothing here runs at the start, and there is
//! neither a thread nor a descriptor before the first handle.

pub(crate) mod id;
