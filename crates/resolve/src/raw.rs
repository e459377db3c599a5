//! A message that the application made itself, put to the servers of a provisioning domain as it
//! is, and the reply as it came: for the `res_*` functions, and for reverse look-ups.
//!
//! Which reply is the last word is decided as glibc does. What is in it is the caller's to read.

use std::mem::MaybeUninit;
use std::net::{IpAddr, SocketAddr};

use mif_policy::Server;
use mif_socket::Kind;
use rustix::event::PollFlags;
use rustix::io::{self, Errno};
use rustix::net::{RecvFlags, SendFlags, recv, send};

use crate::exchange::by_stream;
use crate::socket::{Deadline, open, wait};
use crate::wire::{self, Data, Header, Question};
use crate::{Patience, Plan, secure};

/// No datagram is longer.
const LONGEST: usize = 65_535;

/// A server's reply to a packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The message.
    pub bytes: Vec<u8>,
    /// It came over a connection, and not by datagram.
    pub by_stream: bool,
}

/// Over which transports a packet may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// By datagram, and over a connection if the reply is truncated.
    Either,
    /// By datagram; a truncated reply is one.
    Datagram,
    /// Over a connection.
    Stream,
}

/// Why no server has answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unanswered {
    /// No server could be reached: refused, or no way to it.
    Unreachable,
    /// Nothing came in time, or nothing that is a reply.
    Silent,
    /// At least one server said that it would not or could not (SERVFAIL, NOTIMP, REFUSED).
    Unwilling,
}

/// Puts `packet` to the servers of the plan until one has answered; `search`, `families` and `ask`
/// of the plan do not matter.
///
/// # Errors
/// See [`Unanswered`].
pub fn exchange(packet: &[u8], over: Transport, plan: &Plan<'_>) -> Result<Reply, Unanswered> {
    let mut worst = Unanswered::Unreachable;
    let (Some(asked), Patience { total, .. }) = (Asked::read(packet), plan.patience) else {
        return Err(worst);
    };
    let end = Deadline::after(total, plan.stop);
    for _ in 0..plan.patience.attempts {
        for server in plan.servers {
            let reply = ask(server, packet, &asked, over, plan, end);
            worst = worst.max(match reply {
                Ok(reply) if is_willing(&reply.bytes) => return Ok(reply),
                Ok(_) => Unanswered::Unwilling,
                Err(Errno::TIMEDOUT | Errno::BADMSG | Errno::CONNRESET) => Unanswered::Silent,
                Err(_) => Unanswered::Unreachable,
            });
        }
    }
    Err(worst)
}

/// The name that a packet is about, as it is written in dotted form without the last dot; `None`
/// where it is about none.
#[must_use]
pub fn name_of(packet: &[u8]) -> Option<String> {
    let query = Asked::read(packet)?.query?;
    let mut name = query.name.to_ascii();
    name.truncate(name.trim_end_matches('.').len());
    Some(name)
}

/// The addresses in the answer section of a reply.
#[must_use]
pub fn addresses(reply: &[u8]) -> Vec<IpAddr> {
    let records = wire::answers(reply).unwrap_or_default();
    let address = |record: &wire::Record| match record.data {
        Data::Address(address) => Some(address),
        _ => None,
    };
    records.iter().filter_map(address).collect()
}

/// What a reply has to match.
struct Asked {
    header: Header,
    query: Option<Question>,
}

impl Asked {
    /// `None` where there is no header, or not the question that it speaks of.
    fn read(packet: &[u8]) -> Option<Self> {
        let header = Header::read(packet)?;
        let query = match header.questions {
            0 => None,
            _ => Some(Question::read(&mut wire::after_header(packet)?)?),
        };
        Some(Self { header, query })
    }

    fn is_answered_by(&self, bytes: &[u8]) -> bool {
        let Some(reply) = Self::read(bytes) else {
            return false;
        };
        let (wanted, got) = (self.header, reply.header);
        got.id == wanted.id
            && got.is_reply()
            && got.operation() == wanted.operation()
            // A server that did not understand the question may leave it out.
            && (reply.query == self.query || (reply.query.is_none() && !got.has_answered()))
    }
}

fn ask(
    server: &Server,
    packet: &[u8],
    asked: &Asked,
    over: Transport,
    plan: &Plan<'_>,
    end: Deadline<'_>,
) -> io::Result<Reply> {
    let deadline = || end.or_after(plan.patience.timeout);
    if !server.is_plain() {
        let mut replies = secure::exchange(server, &[packet.to_vec()], plan, deadline())?;
        return streamed(replies.pop().unwrap_or_default(), asked);
    }
    let server = server.address;
    if over != Transport::Stream {
        let bytes = by_datagram(server, packet, asked, plan, deadline())?;
        if over == Transport::Datagram || !is_truncated(&bytes) {
            let by_stream = false;
            return Ok(Reply { bytes, by_stream });
        }
    }
    streamed(by_stream(server, packet, plan.way, deadline())?, asked)
}

/// What came over a connection.
fn streamed(bytes: Vec<u8>, asked: &Asked) -> io::Result<Reply> {
    if asked.is_answered_by(&bytes) {
        let by_stream = true;
        Ok(Reply { bytes, by_stream })
    } else {
        Err(Errno::BADMSG)
    }
}

/// Waits for the reply to this very packet; what else comes is passed over.
fn by_datagram(
    server: SocketAddr,
    packet: &[u8],
    asked: &Asked,
    plan: &Plan<'_>,
    deadline: Deadline<'_>,
) -> io::Result<Vec<u8>> {
    let fd = open(Kind::Datagram, server, plan.way)?;
    send(&fd, packet, SendFlags::NOSIGNAL)?;
    let mut buffer = vec![MaybeUninit::uninit(); LONGEST];
    loop {
        wait(&fd, PollFlags::IN, deadline)?;
        match recv(&fd, &mut *buffer, RecvFlags::empty()) {
            Ok(((bytes, _), _)) if asked.is_answered_by(bytes) => return Ok(bytes.to_vec()),
            // Another's, a wrong checksum, or a signal.
            Ok(_) | Err(Errno::AGAIN | Errno::INTR) => {}
            Err(e) => return Err(e),
        }
    }
}

fn is_truncated(reply: &[u8]) -> bool {
    reply.get(2).is_some_and(|flags| flags & 2 != 0)
}

/// Whether a server answered, be it with "no such name".
fn is_willing(reply: &[u8]) -> bool {
    const SERVFAIL: u8 = 2;
    const NOTIMP: u8 = 4;
    const REFUSED: u8 = 5;
    let code = reply.get(3).map(|flags| flags & 0xf);
    code.is_some_and(|code| ![SERVFAIL, NOTIMP, REFUSED].contains(&code))
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUERY: &[u8] = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\
        \x05alias\x04test\x00\x00\x0c\x00\x01";

    fn reply(change: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
        let mut bytes = QUERY.to_vec();
        bytes[2] |= 0x80;
        change(&mut bytes);
        bytes
    }

    #[test]
    fn a_packets_name_is_read() {
        assert_eq!(name_of(QUERY).as_deref(), Some("alias.test"));
        assert_eq!(name_of(&QUERY[..12]), None);
        assert_eq!(name_of(&QUERY[..20]), None);
        assert_eq!(name_of(b""), None);
    }

    #[test]
    fn only_the_reply_to_the_packet_is_one() {
        let asked = Asked::read(QUERY).unwrap();
        assert!(asked.is_answered_by(&reply(|_| {})));
        assert!(asked.is_answered_by(&reply(|bytes| bytes[13] = b'A')));
        for (what, bytes) in [
            ("the query itself", QUERY.to_vec()),
            ("another id", reply(|bytes| bytes[0] = 0)),
            ("another operation", reply(|bytes| bytes[2] |= 0x28)),
            ("another name", reply(|bytes| bytes[13] = b'b')),
            ("another type", reply(|bytes| bytes[25] = 1)),
            ("no question", reply(|bytes| bytes[5] = 0)),
            ("a part", reply(|bytes| bytes.truncate(20))),
            ("nothing", Vec::new()),
        ] {
            assert!(!asked.is_answered_by(&bytes), "{what}");
        }
        let refused = reply(|bytes| {
            bytes[3] = 5;
            bytes[5] = 0;
        });
        assert!(asked.is_answered_by(&refused) && !is_willing(&refused));
        assert!(is_willing(&reply(|bytes| bytes[3] = 3)));
        assert!(!is_truncated(&refused) && is_truncated(&reply(|bytes| bytes[2] |= 2)));
    }
}
