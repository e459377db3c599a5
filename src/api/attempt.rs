//! A connection within a provisioning domain: the socket is put on it by the same code as that of a
//! program that knows nothing of mif.

use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use mif_policy::{Bound, Need};
use mif_socket::{Descriptor, Kind, canonical};
use mif_steer::Given;
use rustix::io::Errno;
use rustix::net::sockopt::socket_error;
use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};

use crate::init::Active;
use crate::{connection, flags};

/// A non-blocking socket that has begun to connect to `destination`, from `source` if there is one.
/// `call` is what the log calls it.
///
/// # Errors
/// `ENETUNREACH` where the domain, or the policy, has no way; else the kernel's. Nothing was sent.
pub(crate) fn begin(
    active: &'static Active,
    call: &'static str,
    socket_type: SocketType,
    destination: SocketAddr,
    source: Option<SocketAddr>,
) -> Result<OwnedFd, Errno> {
    let family = match destination {
        SocketAddr::V4(_) => AddressFamily::INET,
        SocketAddr::V6(_) => AddressFamily::INET6,
    };
    if let Some(source) = source {
        check_source(active, canonical(destination.ip()), canonical(source.ip()))?;
    }
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let fd = Descriptor::from(socket_with(family, socket_type, flags, None)?);
    if let Some(source) = source {
        let kind = if socket_type == SocketType::DGRAM {
            Kind::Datagram
        } else {
            Kind::Stream
        };
        mif_socket::bind(fd.as_fd(), kind, source)?;
        flags::raise(flags::BOUND);
    }
    let given = Given::new(destination);
    connection::steer(active, call, fd.as_fd().as_raw_fd(), &given, None)?;
    match rustix::net::connect(fd.as_fd(), &destination) {
        Ok(()) | Err(Errno::INPROGRESS) => Ok(fd.into_owned()),
        Err(why) => Err(why),
    }
}

/// Whether a source is one of the domain that the program has chosen. As a choice of the program's own a
/// source would otherwise be respected.
fn check_source(active: &Active, to: IpAddr, source: IpAddr) -> Result<(), Errno> {
    let (policy, host) = (&active.policy, active.view());
    if let Some(choice) = active.choice
        && !source.is_unspecified()
        && policy.exempts(SocketAddr::new(to, 0), &host).is_none()
    {
        let route = policy.route(choice.pvd, policy.last_rule(), Need::of(to), &host);
        let route = route.map_err(|_| Errno::NETUNREACH)?;
        if policy
            .disagreement(Bound::To(source), &route, &host)
            .is_some()
        {
            return Err(Errno::ADDRNOTAVAIL);
        }
    }
    Ok(())
}

/// How a connection has gone, once its socket can be written to.
///
/// # Errors
/// The kernel's.
pub(crate) fn outcome(fd: BorrowedFd<'_>) -> Result<(), Errno> {
    socket_error(fd)?
}
