//! A connection that is opened with its first data (`MSG_FASTOPEN`, RFC 7413): a connect, and judged
//! as one.

use std::ffi::c_int;
use std::os::fd::{AsFd, OwnedFd};

use mif_steer::Connection;
use rustix::io::Errno;
use rustix::net::sockopt;

use crate::answer::{Answer, Asked};
use crate::by_bytes;
use crate::message::Message;
use crate::send::waits;

/// Opens it. What cannot be had is told as by a host where this is switched off (tcp(7)), and the
/// program connects.
pub(crate) fn open(
    asked: &Asked<'_>,
    call: &'static str,
    socket: OwnedFd,
    flags: c_int,
    message: Result<Message, Errno>,
) -> Answer {
    let message = match message {
        Ok(message) => message,
        Err(Errno::MSGSIZE) => return Answer::Fail(Errno::OPNOTSUPP),
        Err(errno) => return Answer::Fail(errno),
    };
    let Some(address) = message.to else {
        return Answer::Fail(Errno::OPNOTSUPP);
    };
    let waits = || waits(&socket, flags);
    let flags = flags | libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
    let send = |to, flags| {
        let (data, control) = (&message.data, &message.control);
        by_bytes::send(socket.as_fd(), to, data, control, flags)
    };
    let plainly = || send(None, flags & !libc::MSG_FASTOPEN);
    let result = if asked.begun.is_some() {
        sockopt::socket_error(&socket)
            .and_then(|error| error)
            .and_then(|()| plainly())
    } else {
        let Some(given) = address.ip().filter(|given| !asked.may_be_led(given.meant)) else {
            return Answer::Fail(Errno::OPNOTSUPP);
        };
        let subject = asked.subject(call, &socket);
        if let Err(errno) = Connection::new(&subject, &given).steer() {
            return Answer::Fail(errno);
        }
        match send(Some(address.bytes()), flags) {
            // A signal had interrupted this very call, which is begun anew.
            Err(Errno::ISCONN) if waits() => plainly(),
            other => other,
        }
    };
    match result {
        Ok(length) => Answer::Done(i64::try_from(length).unwrap_or(0)),
        Err(Errno::INPROGRESS | Errno::ALREADY | Errno::AGAIN) if waits() => {
            Answer::Wait(socket, Some(address))
        }
        Err(errno) => Answer::Fail(errno),
    }
}
