//! Sockets that are on their network before they are connected, and waiting with an end.
//!
//! Everything is a raw system call of rustix's own; the sockets are closed by their owner's drop.

use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use mif_socket::Kind;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{self, Errno};
use rustix::net::{
    AddressFamily, SocketFlags, SocketType, connect, connect_unspec, getsockname, socket_with,
};

use crate::{Way, Ways};

/// A non-blocking socket, put on the way to `destination` and connected to it. A stream may still
/// be connecting: wait until it can be written to.
///
/// # Errors
/// `ENETUNREACH` where the way is closed or the socket cannot be put on it; else what the kernel
/// says. Nothing was sent then.
pub(crate) fn open(kind: Kind, destination: SocketAddr, ways: &Ways<'_>) -> io::Result<OwnedFd> {
    let (destination, way) = on_its_way(destination, ways);
    open_on(kind, destination, &way)
}

/// A datagram socket that can be connected to other destinations of its way.
pub(crate) struct Datagram<'w> {
    pub(crate) fd: OwnedFd,
    is_v4: bool,
    way: Way<'w>,
}

impl<'w> Datagram<'w> {
    /// # Errors
    /// As [`open`].
    pub(crate) fn open(destination: SocketAddr, ways: &Ways<'w>) -> io::Result<Self> {
        let (destination, way) = on_its_way(destination, ways);
        Ok(Self {
            fd: open_on(Kind::Datagram, destination, &way)?,
            is_v4: destination.is_ipv4(),
            way,
        })
    }

    /// The socket connected to another destination, or a new one where family or way differ.
    ///
    /// # Errors
    /// As [`open`].
    pub(crate) fn connect_anew(self, destination: SocketAddr, ways: &Ways<'w>) -> io::Result<Self> {
        let (destination, way) = on_its_way(destination, ways);
        if self.is_v4 != destination.is_ipv4() || self.way != way {
            return Self::open(destination, ways);
        }
        // Takes away the source address that the connect before brought, and the device.
        connect_unspec(&self.fd)?;
        if let Way::Route(route) = &way
            && mif_socket::needs_device(destination)
        {
            mif_socket::pin(self.fd.as_fd(), route).map_err(|_| Errno::NETUNREACH)?;
        }
        connect(&self.fd, &destination)?;
        Ok(self)
    }

    /// The source address that the socket has got.
    pub(crate) fn source(&self) -> Option<SocketAddr> {
        getsockname(&self.fd).ok()?.try_into().ok()
    }
}

/// A destination as the socket to it is connected, and the way there.
fn on_its_way<'w>(destination: SocketAddr, ways: &Ways<'w>) -> (SocketAddr, Way<'w>) {
    let mut destination = SocketAddr::new(destination.ip().to_canonical(), destination.port());
    let way = if destination.ip().is_loopback() {
        Way::Host
    } else {
        ways(destination.ip())
    };
    if let Way::Route(route) = &way
        && let SocketAddr::V6(v6) = &mut destination
        && v6.ip().is_unicast_link_local()
        && v6.scope_id() == 0
    {
        v6.set_scope_id(route.index);
    }
    (destination, way)
}

fn open_on(kind: Kind, destination: SocketAddr, way: &Way<'_>) -> io::Result<OwnedFd> {
    let family = match destination {
        SocketAddr::V4(_) => AddressFamily::INET,
        SocketAddr::V6(_) => AddressFamily::INET6,
    };
    let transport = match kind {
        Kind::Stream => SocketType::STREAM,
        Kind::Datagram => SocketType::DGRAM,
    };
    if *way == Way::Closed {
        return Err(Errno::NETUNREACH);
    }
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let fd = socket_with(family, transport, flags, None)?;
    if let Way::Route(route) = way {
        mif_socket::put(fd.as_fd(), kind, destination, route).map_err(|_| Errno::NETUNREACH)?;
    }
    match connect(&fd, &destination) {
        Ok(()) | Err(Errno::INPROGRESS) => Ok(fd),
        Err(e) => Err(e),
    }
}

/// A moment, or when somebody else says so. The clock is std's, which is libc's `CLOCK_MONOTONIC`, since that symbol is not
/// interposed and knows where there is no vDSO to read; rustix would crash under valgrind.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline<'s> {
    at: Instant,
    stop: Option<BorrowedFd<'s>>,
}

impl<'s> Deadline<'s> {
    /// So long from now; what no clock can count to is a day. Or when `stop` can be read.
    pub(crate) fn after(wait: Duration, stop: Option<BorrowedFd<'s>>) -> Self {
        let now = Instant::now();
        let at = now
            .checked_add(wait)
            .unwrap_or(now + Duration::from_hours(24));
        Self { at, stop }
    }

    /// So long from now, if that comes first.
    pub(crate) fn or_after(self, wait: Duration) -> Self {
        let at = Self::after(wait, None).at.min(self.at);
        Self { at, ..self }
    }

    /// What is left until then; `None` when it has passed.
    pub(crate) fn left(self) -> Option<Duration> {
        let left = self.at.checked_duration_since(Instant::now())?;
        Some(left).filter(|left| !left.is_zero())
    }

    /// Whether nothing more is to be begun.
    pub(crate) fn is_over(self) -> bool {
        let is_stopped = |stop| {
            let mut stop = [PollFd::from_borrowed_fd(stop, PollFlags::IN)];
            poll(&mut stop, Some(&Timespec::default())) != Ok(0)
        };
        self.stop.is_some_and(is_stopped) || self.left().is_none()
    }
}

/// Waits until the socket is ready for `wanted`, or has an error to tell.
///
/// # Errors
/// `ETIMEDOUT` at the deadline, `ECANCELED` when somebody says stop; a signal's `EINTR` never shows.
pub(crate) fn wait(fd: &OwnedFd, wanted: PollFlags, deadline: Deadline<'_>) -> io::Result<()> {
    while let Some(left) = deadline.left() {
        let left = Timespec::try_from(left).map_err(|_| Errno::INVAL)?;
        let socket = PollFd::new(fd, wanted);
        let ready = match deadline.stop {
            None => poll(&mut [socket], Some(&left)),
            Some(stop) => {
                let mut both = [PollFd::from_borrowed_fd(stop, PollFlags::IN), socket];
                match poll(&mut both, Some(&left)) {
                    Ok(_) if !both[0].revents().is_empty() => Err(Errno::CANCELED),
                    ready => ready,
                }
            }
        };
        match ready {
            Err(Errno::INTR) => {}
            // The kernel's clock counts: one that stands still, as faketime(1) makes them, must
            // not keep the application waiting for ever.
            Ok(0) => break,
            Ok(_) => return Ok(()),
            Err(e) => return Err(e),
        }
    }
    Err(Errno::TIMEDOUT)
}
