//! A process in a user and a network namespace of its own, for the sockets that stand in for programs'
//! when they ask for names: there, every address and port 53 are free, and nobody can be reached but
//! the server of names. It needs no privilege where the host lets users make namespaces
//! (`user_namespaces(7)`).
//!
//! The process does nothing but make sockets, and ends when nobody can ask it any more.

use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::net::{Ipv6Addr, SocketAddr, SocketAddrV6};
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use rustix::io::{Errno, Result};
use rustix::net::sockopt::{self, Timeout};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType,
};

use super::links;
use crate::{by_bytes, kernel, life};

/// The port of the DNS.
pub(super) const DNS: u16 = 53;
/// For the making of the namespaces, too, which take milliseconds.
const PATIENCE: Duration = Duration::from_secs(5);
const BACKLOG: i32 = 128;

/// Where sockets are asked for.
#[derive(Debug)]
pub(super) struct Room(OwnedFd);

/// What is sent to port 53 of any address arrives here.
pub(super) struct Listeners {
    pub(super) datagrams: OwnedFd,
    pub(super) streams: OwnedFd,
}

impl Room {
    /// # Errors
    /// The kernel's, mostly `EPERM` or `ENOSPC`: users may not make namespaces here.
    pub(super) fn open() -> Result<(Self, Listeners)> {
        let (kind, flags) = (SocketType::SEQPACKET, SocketFlags::CLOEXEC);
        let (ours, theirs) = rustix::net::socketpair(AddressFamily::UNIX, kind, flags, None)?;
        if kernel::fork()?.is_none() {
            drop(ours);
            let stayed = life::let_go([true; 3], &[&theirs]).and_then(|()| stay(&theirs));
            std::process::exit(stayed.is_err().into());
        }
        drop(theirs);
        sockopt::set_socket_timeout(&ours, Timeout::Recv, Some(PATIENCE))?;
        let listeners = Listeners {
            datagrams: take(&ours)?,
            streams: take(&ours)?,
        };
        Ok((Self(ours), listeners))
    }

    /// A socket that reaches nobody else.
    ///
    /// # Errors
    /// Those of socket(2); `ECONNRESET` where the process is gone.
    pub(super) fn socket(&self, family: AddressFamily, kind: SocketType) -> Result<OwnedFd> {
        let mut wanted = [0; 6];
        wanted[..2].copy_from_slice(&family.as_raw().to_ne_bytes());
        wanted[2..].copy_from_slice(&kind.as_raw().to_ne_bytes());
        rustix::net::send(&self.0, &wanted, SendFlags::NOSIGNAL)?;
        take(&self.0)
    }
}

/// In the process: makes what is wanted until nobody can want anything.
fn stay(door: &OwnedFd) -> Result<()> {
    match listen() {
        Ok(Listeners { datagrams, streams }) => {
            give(door, &Ok(datagrams))?;
            give(door, &Ok(streams))?;
        }
        Err(why) => return give(door, &Err(why)),
    }
    let mut wanted = [0; 6];
    while rustix::net::recv(door, &mut wanted, RecvFlags::empty())?.0 == wanted.len() {
        let [a, b, kind @ ..] = wanted;
        let family = AddressFamily::from_raw(u16::from_ne_bytes([a, b]));
        let kind = SocketType::from_raw(u32::from_ne_bytes(kind));
        give(door, &socket(family, kind))?;
    }
    Ok(())
}

fn listen() -> Result<Listeners> {
    kernel::leave_network()?;
    let kernels = |why| Errno::from_io_error(&why).unwrap_or(Errno::IO);
    links::make_every_address_local().map_err(kernels)?;
    let here = SocketAddr::V6(SocketAddrV6::new(Ipv6Addr::UNSPECIFIED, DNS, 0, 0));
    let bound = |kind| {
        let socket = socket(AddressFamily::INET6, kind)?;
        // Of IPv4, too.
        sockopt::set_ipv6_v6only(&socket, false)?;
        rustix::net::bind(&socket, &here)?;
        Ok(socket)
    };
    let datagrams = bound(SocketType::DGRAM)?;
    by_bytes::be_any_address(datagrams.as_fd())?;
    let streams = bound(SocketType::STREAM)?;
    rustix::net::listen(&streams, BACKLOG)?;
    Ok(Listeners { datagrams, streams })
}

fn socket(family: AddressFamily, kind: SocketType) -> Result<OwnedFd> {
    rustix::net::socket_with(family, kind, SocketFlags::CLOEXEC, None)
}

/// Hands a socket over, or tells why there is none.
fn give(door: &OwnedFd, socket: &Result<OwnedFd>) -> Result<()> {
    let word = socket.as_ref().err().map_or(0, |why| why.raw_os_error());
    let sockets = [socket.as_ref().map_or(door, |socket| socket).as_fd()];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if word == 0 {
        control.push(SendAncillaryMessage::ScmRights(&sockets));
    }
    let word = word.to_ne_bytes();
    let word = [IoSlice::new(&word)];
    rustix::net::sendmsg(door, &word, &mut control, SendFlags::NOSIGNAL).map(|_| ())
}

fn take(door: &OwnedFd) -> Result<OwnedFd> {
    let mut word = [0; 4];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut into = [IoSliceMut::new(&mut word)];
    let read = rustix::net::recvmsg(door, &mut into, &mut control, RecvFlags::CMSG_CLOEXEC)?;
    let socket = control.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut sockets) => sockets.next(),
        _ => None,
    });
    match (socket, i32::from_ne_bytes(word)) {
        (Some(socket), 0) if read.bytes == word.len() => Ok(socket),
        (_, 0) => Err(Errno::CONNRESET),
        (_, why) => Err(Errno::from_raw_os_error(why)),
    }
}
