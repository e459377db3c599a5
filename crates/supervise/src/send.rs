//! `sendto`, `sendmsg` and `sendmmsg` of IP sockets: copies of what the caller wants to send, each
//! datagram judged for itself and sent from here.

use std::ffi::c_int;
use std::os::fd::{AsFd, OwnedFd};

use mif_policy::{Refusal, Verdict};
use mif_socket::Kind;
use mif_socket::cmsg::Writer;
use mif_steer::{Datagram, Given, Network, Plan, Said, Subject as _};
use rustix::fs::{OFlags, fcntl_getfl};
use rustix::io::Errno;

use crate::address::Address;
use crate::answer::{Answer, Asked};
use crate::by_bytes;
use crate::fast_open::open;
use crate::kernel;
use crate::message::{HEADER, LONGEST, MOST, Message};
use crate::names::Led;
use crate::subject::Subject;

const NUMBERED: usize = size_of::<libc::mmsghdr>();

pub(crate) fn sendto(asked: &Asked<'_>, socket: OwnedFd) -> Answer {
    let flags = asked.call.integer(3);
    let what = What::of(&socket, flags);
    if what == What::Leave {
        return Answer::Continue;
    }
    let message = || {
        let size = asked.call.register(2);
        let size = usize::try_from(size).ok().filter(|&size| size <= LONGEST);
        Ok(Message {
            to: Some(asked.address(4, 5)?),
            data: asked
                .call
                .memory(asked.call.register(1), size.ok_or(Errno::MSGSIZE)?)?,
            control: Vec::new(),
        })
    };
    match what {
        What::Open => open(asked, "sendto", socket, flags, message()),
        _ => one(asked, "sendto", socket, flags, message()),
    }
}

pub(crate) fn sendmsg(asked: &Asked<'_>, socket: OwnedFd) -> Answer {
    let flags = asked.call.integer(2);
    let message = || Message::read(asked, asked.call.register(1));
    match What::of(&socket, flags) {
        What::Leave => Answer::Continue,
        What::Open => open(asked, "sendmsg", socket, flags, message()),
        What::Send => one(asked, "sendmsg", socket, flags, message()),
    }
}

pub(crate) fn sendmmsg(asked: &Asked<'_>, mut socket: OwnedFd) -> Answer {
    let flags = asked.call.integer(3);
    let tell_length = |place: u64, sent: usize| {
        let sent = u32::try_from(sent).unwrap_or(u32::MAX);
        let length = place + HEADER as u64;
        kernel::write_memory(asked.call.thread(), length, &sent.to_ne_bytes())
    };
    match What::of(&socket, flags) {
        What::Leave => return Answer::Continue,
        What::Open => {
            let first = asked.call.register(1);
            let message = Message::read(asked, first);
            let opened = open(asked, "sendmmsg", socket, flags, message);
            return match opened {
                Answer::Done(sent) => {
                    let told = tell_length(first, usize::try_from(sent).unwrap_or(0));
                    told.map_or_else(Answer::Fail, |()| Answer::Done(1))
                }
                answer => answer,
            };
        }
        What::Send => {}
    }
    let count = (asked.call.integer(2).cast_unsigned() as usize).min(MOST);
    let mut done = 0;
    while done < count {
        let place = asked.call.register(1) + (done * NUMBERED) as u64;
        let sent = Message::read(asked, place)
            .and_then(|message| send(asked, "sendmmsg", &mut socket, flags, &message))
            .and_then(|sent| tell_length(place, sent));
        match sent {
            Ok(()) => done += 1,
            // An error is only told where nothing was sent, as the kernel does.
            Err(_) if done > 0 => break,
            Err(errno) => return failed(socket, flags, errno),
        }
    }
    Answer::Done(i64::try_from(done).unwrap_or(0))
}

/// What is to be done with what is sent.
#[derive(Clone, Copy, PartialEq, Eq)]
enum What {
    /// TCP looks at no destination.
    Leave,
    /// Unless it opens a connection with its first data (`MSG_FASTOPEN`).
    Open,
    /// A datagram.
    Send,
}

impl What {
    fn of(socket: &OwnedFd, flags: c_int) -> Self {
        match mif_socket::kind(socket.as_fd()) {
            Ok((Kind::Datagram, _)) => Self::Send,
            _ if flags & libc::MSG_FASTOPEN == 0 => Self::Leave,
            _ => Self::Open,
        }
    }
}

fn one(
    asked: &Asked<'_>,
    call: &'static str,
    mut socket: OwnedFd,
    flags: c_int,
    message: Result<Message, Errno>,
) -> Answer {
    match message.and_then(|message| send(asked, call, &mut socket, flags, &message)) {
        Ok(sent) => Answer::Done(i64::try_from(sent).unwrap_or(0)),
        Err(errno) => failed(socket, flags, errno),
    }
}

/// A buffer that is full is waited for where the caller would.
fn failed(socket: OwnedFd, flags: c_int, errno: Errno) -> Answer {
    if errno == Errno::AGAIN && waits(&socket, flags) {
        Answer::Wait(socket, None)
    } else {
        Answer::Fail(errno)
    }
}

/// Whether the caller waits until its call is done.
pub(crate) fn waits(socket: &OwnedFd, flags: c_int) -> bool {
    flags & libc::MSG_DONTWAIT == 0
        && fcntl_getfl(socket).is_ok_and(|flags| !flags.contains(OFlags::NONBLOCK))
}

/// Sends one datagram by the network that is chosen for it.
fn send(
    asked: &Asked<'_>,
    call: &'static str,
    socket: &mut OwnedFd,
    flags: c_int,
    message: &Message,
) -> Result<usize, Errno> {
    if flags & libc::MSG_ZEROCOPY != 0 {
        // It would have to stay in this process's memory. A program sends without it after this
        // (msg_zerocopy.rst).
        return Err(Errno::NOBUFS);
    }
    let flags = flags | libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
    let to = message.to.as_ref();
    let send = |socket: &OwnedFd, control: &[u8]| {
        let to = to.map(Address::bytes);
        by_bytes::send(socket.as_fd(), to, &message.data, control, flags)
    };
    let Some(given) = to.and_then(Address::ip) else {
        return send(socket, &message.control);
    };
    match asked.led(socket, given.meant) {
        Led::Here => return send(socket, &[]),
        Led::Nowhere => return Err(Errno::NETUNREACH),
        Led::Elsewhere => {}
    }
    let subject = asked.subject(call, socket);
    let said = Said::in_control(&message.control, given.is_v4());
    for last in [false, true] {
        let network = match Datagram::new(&subject, &given, &said).plan() {
            Plan::AsIs => return send(socket, &message.control),
            Plan::Refuse => return Err(Errno::NETUNREACH),
            Plan::By(network) => network,
        };
        let control = beside(&message.control, &network).ok_or(Errno::INVAL)?;
        match send(socket, &control) {
            // The interface's index is another one by now: nothing was sent.
            Err(Errno::NODEV | Errno::NXIO) if !last => subject.forget(),
            Err(Errno::PERM) if network.mark.is_some() => return Err(no_mark(&subject, &given)),
            done => return done,
        }
    }
    Err(Errno::NETUNREACH)
}

/// The program's ancillary data, with a network in place of packet information of its own.
fn beside(control: &[u8], network: &Network) -> Option<Vec<u8>> {
    let mut room = vec![0; control.len() + Network::ROOM];
    let mut writer = Writer::new(&mut room);
    network.beside(control, &mut writer)?;
    let used = writer.len();
    room.truncate(used);
    Some(room)
}

fn no_mark(subject: &Subject<'_>, given: &Given) -> Errno {
    let refusal = Refusal::Mark(subject.policy().last_rule());
    subject.say(given.meant, &Verdict::Refuse(refusal));
    Errno::NETUNREACH
}
