//! Servers that are spoken to by TLS. The connection is put on the network here; TLS itself is
//! somebody else's, lest every process pay for it at its start.

use std::os::fd::OwnedFd;
use std::time::Duration;

use mif_policy::Server;
use mif_socket::Kind;
use rustix::event::PollFlags;
use rustix::io::{self, Errno};
use rustix::net::sockopt::socket_error;

use crate::Plan;
use crate::socket::{Deadline, open, wait};

/// Speaks to servers that are not spoken to in the clear.
pub trait Secure {
    /// Puts messages to `server` over a connection of its own, and returns the reply to each, in
    /// their order. Nobody has looked into the replies yet. The connection is non-blocking.
    ///
    /// # Errors
    /// Whatever went wrong within `patience`; nothing was told to anybody but a server that has
    /// the certificate.
    fn exchange(
        &self,
        server: &Server,
        connection: OwnedFd,
        messages: &[Vec<u8>],
        patience: Duration,
    ) -> io::Result<Vec<Vec<u8>>>;
}

/// For plans without such servers: there is nobody to speak to them.
#[derive(Clone, Copy, Debug)]
pub struct InTheClear;

impl Secure for InTheClear {
    fn exchange(
        &self,
        _: &Server,
        _: OwnedFd,
        _: &[Vec<u8>],
        _: Duration,
    ) -> io::Result<Vec<Vec<u8>>> {
        Err(Errno::PROTONOSUPPORT)
    }
}

/// Messages and their replies, over a connection on the way to the server.
pub(crate) fn exchange(
    server: &Server,
    messages: &[Vec<u8>],
    plan: &Plan<'_>,
    deadline: Deadline<'_>,
) -> io::Result<Vec<Vec<u8>>> {
    let connection = open(Kind::Stream, server.address, plan.way)?;
    wait(&connection, PollFlags::OUT, deadline)?;
    socket_error(&connection)??;
    let left = deadline.left().ok_or(Errno::TIMEDOUT)?;
    let replies = plan.secure.exchange(server, connection, messages, left)?;
    if replies.len() == messages.len() {
        Ok(replies)
    } else {
        Err(Errno::BADMSG)
    }
}
