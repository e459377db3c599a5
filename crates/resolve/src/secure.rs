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
    /// Whatever went wrong within `patience`, in words, for people; nothing was told to anybody but a
    /// server that has the certificate.
    fn exchange(
        &self,
        server: &Server,
        connection: OwnedFd,
        messages: &[Vec<u8>],
        patience: Duration,
    ) -> Result<Vec<Vec<u8>>, String>;

    /// Says why there are no replies: whoever asked for encryption is not content with "no answer".
    fn complain(&self, server: &Server, why: &str);
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
    ) -> Result<Vec<Vec<u8>>, String> {
        Err("is not spoken to".to_owned())
    }

    fn complain(&self, _: &Server, _: &str) {}
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
    let replies = plan.secure.exchange(server, connection, messages, left);
    let replies = replies.map_err(|why| {
        plan.secure.complain(server, &why);
        Errno::PROTO
    })?;
    if replies.len() == messages.len() {
        Ok(replies)
    } else {
        Err(Errno::BADMSG)
    }
}
