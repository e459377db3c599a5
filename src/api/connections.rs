//! Connections that programs have asked for (3.2.7.22 to 25).

use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use mif_domains::Id;
use rustix::io::Errno;
use rustix::net::SocketType;

use super::handle::{Doing, Handle, What};
use super::message::Message;
use super::process::Process;
use super::watch::Watch;
use super::{attempt, scope};

/// A connection that is wanted.
pub(super) struct Wanted {
    pub(super) id: u32,
    pub(super) pvd: Id,
    pub(super) prefer: bool,
    pub(super) socket_type: SocketType,
    pub(super) destination: SocketAddr,
    pub(super) source: Option<SocketAddr>,
}

/// Begins a connection. How it goes is told by a message, also where it fails at once.
///
/// # Errors
/// `EEXIST`: the number is in use. `ENOENT`, `EACCES`: no such domain, or none for this program. Otherwise
/// there is no room for what waits for it.
pub(super) fn begin(handle: &Handle, wanted: Wanted) -> Result<(), Errno> {
    let active = scope::of(&wanted.pvd, wanted.prefer)?;
    let watch = handle.process.watched()?;
    let Wanted { id, pvd, .. } = wanted;
    let mut state = handle.lock();
    if state.is_in_use(id) {
        return Err(Errno::EXIST);
    }
    let (socket_type, destination) = (wanted.socket_type, wanted.destination);
    match attempt::begin(active, "mif_post", socket_type, destination, wanted.source) {
        Ok(fd) => {
            watch.add(&fd, handle.serial, id)?;
            let what = What::Connecting(fd);
            state.doing.push(Doing { id, pvd, what });
        }
        Err(why) => state.tell(Message::NotConnected { pvd, id, why }),
    }
    Ok(())
}

/// A socket has something to say.
pub(super) fn goes_on(process: &'static Process, watch: &Arc<Watch>, serial: u32, id: u32) {
    let Some(handle) = process.handle(serial) else {
        return;
    };
    let mut state = handle.lock();
    let is_it = |doing: &Doing| matches!(doing.what, What::Connecting(_));
    if !state.find(id).is_some_and(is_it) {
        return;
    }
    if let Some(Doing { pvd, what, .. }) = state.end(id)
        && let What::Connecting(fd) = what
    {
        watch.remove(&fd);
        state.tell(match end(&fd) {
            Ok(ends) => {
                let fd = Some(fd);
                Message::Connected { pvd, id, ends, fd }
            }
            Err(why) => Message::NotConnected { pvd, id, why },
        });
    }
}

/// Both ends of a socket that has connected; from now on it is a blocking one, as programs expect.
fn end(fd: &OwnedFd) -> Result<Option<(SocketAddr, SocketAddr)>, Errno> {
    attempt::outcome(fd.as_fd())?;
    rustix::io::ioctl_fionbio(fd, false)?;
    let here = mif_socket::local_address(fd.as_fd());
    let there = rustix::net::getpeername(fd)?;
    Ok(here.zip(there.and_then(|there| there.try_into().ok())))
}

/// Ends a connection, or takes the news of it back.
///
/// # Errors
/// `ENOENT`: there is none of this number.
pub(super) fn stop(handle: &Handle, id: u32) -> Result<(), Errno> {
    // A socket is closed when nobody waits for the lock any more.
    let stopped = handle.lock().forget(id, false)?;
    drop(stopped);
    Ok(())
}
