//! A view of `/etc/resolv.conf` for programs with a resolver of their own (c-ares, dig, JNDI,
//! dnspython, perl): whoever opens it to read finds the servers and the search list of the
//! network that the policy has for general names.
//!
//! Without a server that can be written there it is the real file, whose servers the guard refuses.
//!
//! Nothing here allocates, but where the network's own servers have to be read first: to open this
//! file is to begin a look-up.

use std::ffi::CStr;
use std::os::fd::OwnedFd;

use rustix::io::Errno;

use crate::guard::unless_panic;
use crate::init::{Active, active};
use crate::log::Level;
use crate::memfd;

pub(crate) const PATH: &CStr = c"/etc/resolv.conf";

/// The view, if the network for general names has servers that can be named there.
#[cold]
pub(crate) fn view(call: &str, close_on_exec: bool) -> Option<Result<OwnedFd, Errno>> {
    let active = active()?;
    unless_panic(Some(Err(Errno::IO)), || make(active, call, close_on_exec))
}

fn make(active: &Active, call: &str, close_on_exec: bool) -> Option<Result<OwnedFd, Errno>> {
    let host = &active.view();
    let view = active.policy.resolv_conf(host)?;
    active
        .log
        .line(Level::Decisions, format_args!("{call} {view}"));
    Some(memfd::sealed(c"resolv.conf", close_on_exec, |to| {
        view.write(to)
    }))
}
