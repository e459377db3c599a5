//! Questions about one name, put to the servers of the plan until one has answered.
//!
//! Both families are asked for at once over one UDP socket, as glibc does; what a reply says is
//! `codec`'s, and what becomes of a name without an answer is the caller's.

use std::cell::Cell;
use std::io::IoSlice;
use std::mem::MaybeUninit;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::time::Duration;

use hickory_proto::rr::Name;
use mif_policy::Server;
use mif_socket::Kind;
use rustix::event::PollFlags;
use rustix::io::{self, Errno};
use rustix::net::{MMsgHdr, RecvFlags, SendAncillaryBuffer, SendFlags, recv, send, sendmmsg};
use rustix::rand::{GetRandomFlags, getrandom};

use crate::codec::{Question, Read, Reply};
use crate::frame::framed;
use crate::socket::{Datagram, Deadline, open, wait};
use crate::{Plan, Ways, secure};

/// Room for a datagram: servers may send more than they were told to.
const DATAGRAM: usize = 4096;

/// Why no server has answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Trouble {
    /// Replies came, and none made sense.
    Broken,
    /// Nothing came, or nothing could be sent.
    Silent,
    /// At least one server said that it would not or could not (SERVFAIL, REFUSED, NOTIMP …).
    Unwilling,
}

/// All that is asked in one look-up.
pub(crate) struct Exchange<'p> {
    plan: Plan<'p>,
    /// Types of records, as the constants of `wire` have them.
    kinds: &'static [u16],
    end: Deadline<'p>,
    /// The socket of the last question by datagram: what comes next may be asked of the kernel by it.
    socket: Cell<Option<Datagram<'p>>>,
}

/// A question and what came of it.
struct Asked {
    question: Question,
    reply: Option<Result<Reply, Trouble>>,
}

impl Question {
    /// What came over a connection, where nothing but the whole reply makes sense.
    fn read_whole(&self, bytes: &[u8]) -> Result<Reply, Trouble> {
        match self.read(bytes) {
            Read::Reply(reply) if !reply.truncated => Ok(reply),
            _ => Err(Trouble::Broken),
        }
    }
}

impl<'p> Exchange<'p> {
    pub(crate) fn new(plan: Plan<'p>, kinds: &'static [u16]) -> Self {
        Self {
            plan,
            kinds,
            end: Deadline::after(plan.patience.total, plan.stop),
            socket: Cell::new(None),
        }
    }

    /// The replies of the first server that answers, one for each family asked for; one alone
    /// where it suffices and the other never came.
    ///
    /// # Errors
    /// The [`Trouble`] that says most, after all servers were tried as often as the plan says.
    pub(crate) fn ask(&self, name: &Name) -> Result<Vec<Reply>, Trouble> {
        let mut trouble = None;
        for attempt in 0..self.plan.patience.attempts {
            for server in self.plan.servers {
                if self.end.is_over() {
                    return Err(trouble.unwrap_or(Trouble::Silent));
                }
                // A server that knows no EDNS, or a box on the way that drops it, must not keep the
                // name from being resolved: the next attempt does without.
                match self.ask_server(server, name, attempt == 0) {
                    Ok(replies) => return Ok(replies),
                    Err(why) => trouble = trouble.max(Some(why)),
                }
            }
        }
        Err(trouble.unwrap_or(Trouble::Silent))
    }

    /// Gives away the socket that the last question went by.
    pub(crate) fn into_socket(self) -> Option<Datagram<'p>> {
        self.socket.into_inner()
    }

    /// Whether there is a reply to each of the questions.
    pub(crate) fn is_whole(&self, replies: &[Reply]) -> bool {
        replies.len() == self.kinds.len()
    }

    fn ask_server(&self, server: &Server, name: &Name, edns: bool) -> Result<Vec<Reply>, Trouble> {
        let mut asked = self.questions(name).map_err(|_| Trouble::Silent)?;
        if server.is_plain() {
            self.in_the_clear(server.address, &mut asked, edns);
        } else {
            // Where it fails, nothing was answered.
            let _ = self.by_secure(server, &mut asked);
        }
        judge(asked)
    }

    /// Asks by datagram, and by stream what is too long for that.
    fn in_the_clear(&self, server: SocketAddr, asked: &mut [Asked], edns: bool) {
        // Where it fails, what has come before stands, and the rest counts as silence.
        let _ = self.by_datagram(server, asked, edns);
        if asked.iter().any(|one| one.reply.is_none())
            && asked.iter().any(|one| one.reply.is_some())
        {
            // Some servers, and some boxes on the way, drop one of two questions that come from
            // the same port; without the other beside it they let it pass.
            let _ = self.by_datagram(server, asked, edns);
        }
        for one in asked {
            if matches!(&one.reply, Some(Ok(reply)) if reply.truncated) {
                let whole = self.by_stream(server, &one.question, edns);
                one.reply = Some(whole.unwrap_or(Err(Trouble::Silent)));
            }
        }
    }

    /// Asks all over one encrypted connection.
    fn by_secure(&self, server: &Server, asked: &mut [Asked]) -> io::Result<()> {
        let queries = asked.iter().map(|one| one.question.encode_padded());
        let queries: Vec<_> = queries.collect::<Option<_>>().ok_or(Errno::INVAL)?;
        let deadline = self.deadline(self.plan.patience.timeout);
        let replies = secure::exchange(server, &queries, &self.plan, deadline)?;
        for (one, reply) in asked.iter_mut().zip(replies) {
            one.reply = Some(one.question.read_whole(&reply));
        }
        Ok(())
    }

    /// The questions about `name`, with ids that nobody can guess.
    fn questions(&self, name: &Name) -> io::Result<Vec<Asked>> {
        let mut seed = [0; 4];
        if getrandom(&mut seed, GetRandomFlags::empty())? != seed.len() {
            return Err(Errno::AGAIN);
        }
        let [a, b, c, d] = seed;
        let first = u16::from_ne_bytes([a, b]);
        let second = u16::from_ne_bytes([c, d]);
        let ids = [first, if second == first { !second } else { second }];
        let asked = |(&kind, id)| Asked {
            question: Question::new(id, name, kind),
            reply: None,
        };
        Ok(self.kinds.iter().zip(ids).map(asked).collect())
    }

    /// Asks what has no reply yet over one socket. Whatever came before the time was out is in
    /// the replies.
    fn by_datagram(&self, server: SocketAddr, asked: &mut [Asked], edns: bool) -> io::Result<()> {
        let mut deadline = self.deadline(self.plan.patience.timeout);
        let socket = Datagram::open(server, self.plan.way)?;
        let fd = &socket.fd;
        let missing = asked.iter().filter(|one| one.reply.is_none());
        let queries: Vec<_> = missing.map(|one| one.question.encode(edns)).collect();
        send_all(fd, &queries)?;
        let mut buffer = [MaybeUninit::uninit(); DATAGRAM];
        let mut waiting = queries.len();
        // Where one reply has come the other is mostly there, too, and need not be waited for.
        let mut may_be_there = false;
        while waiting > 0 {
            if !may_be_there {
                match wait(fd, PollFlags::IN, deadline) {
                    Err(Errno::TIMEDOUT) => break,
                    other => other?,
                }
            }
            may_be_there = false;
            let bytes = match recv(fd, &mut buffer, RecvFlags::empty()) {
                Ok(((bytes, _), _)) => &*bytes,
                // None yet, a wrong checksum, or a signal.
                Err(Errno::AGAIN | Errno::INTR) => continue,
                Err(e) => return Err(e),
            };
            let Some((one, reply)) =
                asked
                    .iter_mut()
                    .filter(|one| one.reply.is_none())
                    .find_map(|one| match one.question.read(bytes) {
                        Read::Foreign => None,
                        Read::Broken => Some((one, Err(Trouble::Broken))),
                        Read::Reply(reply) => Some((one, Ok(reply))),
                    })
            else {
                continue;
            };
            one.reply = Some(reply);
            waiting -= 1;
            may_be_there = true;
            // Replies come together or not at all.
            deadline = deadline.or_after(self.plan.patience.timeout / 2);
        }
        self.socket.set(Some(socket));
        Ok(())
    }

    /// Asks one question over a connection of its own.
    fn by_stream(
        &self,
        server: SocketAddr,
        question: &Question,
        edns: bool,
    ) -> io::Result<Result<Reply, Trouble>> {
        let query = question.encode(edns);
        let deadline = self.deadline(self.plan.patience.timeout);
        let reply = by_stream(server, &query, self.plan.way, deadline)?;
        Ok(question.read_whole(&reply))
    }

    fn deadline(&self, wait: Duration) -> Deadline<'p> {
        self.end.or_after(wait)
    }
}

/// A message and its reply over a connection of their own (RFC 7766).
pub(crate) fn by_stream(
    server: SocketAddr,
    query: &[u8],
    way: &Ways<'_>,
    deadline: Deadline<'_>,
) -> io::Result<Vec<u8>> {
    let fd = open(Kind::Stream, server, way)?;
    let message = framed(&[query]).ok_or(Errno::MSGSIZE)?;
    let mut sent = 0;
    while sent < message.len() {
        wait(&fd, PollFlags::OUT, deadline)?;
        match send(&fd, &message[sent..], SendFlags::NOSIGNAL) {
            Ok(n) => sent += n,
            Err(Errno::AGAIN | Errno::INTR) => {}
            Err(e) => return Err(e),
        }
    }
    let mut length = [0; 2];
    receive(&fd, &mut length, deadline)?;
    let mut reply = vec![0; usize::from(u16::from_be_bytes(length))];
    receive(&fd, &mut reply, deadline)?;
    Ok(reply)
}

/// One call for both queries, as glibc does; the kernel may take the first alone.
fn send_all(fd: &OwnedFd, queries: &[Vec<u8>]) -> io::Result<()> {
    let mut sent = 0;
    if let [first, second] = queries {
        let (first, second) = ([IoSlice::new(first)], [IoSlice::new(second)]);
        let (mut none, mut nothing) = (
            SendAncillaryBuffer::default(),
            SendAncillaryBuffer::default(),
        );
        let mut messages = [
            MMsgHdr::new(&first, &mut none),
            MMsgHdr::new(&second, &mut nothing),
        ];
        sent = sendmmsg(fd, &mut messages, SendFlags::NOSIGNAL)?;
    }
    for query in queries.iter().skip(sent) {
        send(fd, query, SendFlags::NOSIGNAL)?;
    }
    Ok(())
}

fn receive(fd: &OwnedFd, mut buffer: &mut [u8], deadline: Deadline<'_>) -> io::Result<()> {
    while !buffer.is_empty() {
        wait(fd, PollFlags::IN, deadline)?;
        match recv(fd, &mut *buffer, RecvFlags::empty()) {
            Ok((0, _)) => return Err(Errno::CONNRESET),
            Ok((n, _)) => buffer = &mut buffer[n..],
            Err(Errno::AGAIN | Errno::INTR) => {}
            Err(e) => return Err(e),
        }
    }
    Ok(())
}

/// Whether what one server said is an answer.
fn judge(asked: Vec<Asked>) -> Result<Vec<Reply>, Trouble> {
    let mut trouble = None;
    let mut replies = Vec::with_capacity(asked.len());
    for one in asked {
        match one.reply {
            Some(Ok(reply)) if reply.is_good() => replies.push(reply),
            Some(Ok(_)) => trouble = trouble.max(Some(Trouble::Unwilling)),
            Some(Err(why)) => trouble = trouble.max(Some(why)),
            None => trouble = trouble.max(Some(Trouble::Silent)),
        }
    }
    match trouble {
        Some(why) if !replies.iter().any(Reply::suffices) => Err(why),
        _ => Ok(replies),
    }
}
