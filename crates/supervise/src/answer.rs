//! What becomes of one call: which socket it is about, what the judges say, and then the call
//! itself.
//!
//! The kernel reads a caller's memory anew when a call continues, and looks a descriptor up anew. So
//! whatever is decided by an address of an IP socket is carried out here, on the very socket and
//! with the very bytes that were judged; only what is about no IP address continues:
//!
//! | call | on an IP socket | on another |
//! |---|---|---|
//! | `connect`, `bind`, `listen` | carried out here | continues |
//! | `sendto` with a destination, `sendmsg`, `sendmmsg` | datagrams, and TCP that opens a connection (`MSG_FASTOPEN`): carried out here; other TCP, which looks at no destination: continues | continues |
//! | `setsockopt` of a device, where the policy overrides it | carried out here, or not at all | continues |
//! | `io_uring_setup` | fails, or continues where the policy says so | |
//! | `open`, `openat` of `/etc/resolv.conf` to read it | the caller gets a view of it | |
//!
//! No call here waits: one that would is tried again when its socket is ready.

use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use mif_socket::Kind;
use mif_steer::{Binding, Connection, Done, Judgement, Subject as _, said_of_ring};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::io::Errno;
use rustix::net::AddressFamily;
use rustix::net::sockopt;

use crate::address::Address;
use crate::caller::{Call, Threads};
use crate::log::Level;
use crate::names::Led;
use crate::subject::{Policed, Subject};
use crate::{by_bytes, kernel, send, view};

/// What the caller is told, or what has to be waited for.
pub(crate) enum Answer {
    /// The kernel carries the call out with the caller's own arguments.
    Continue,
    /// It has been carried out, and returned this.
    Done(i64),
    /// It failed, or is refused.
    Fail(Errno),
    /// A descriptor of its own for this file, close-on-exec or not.
    File(OwnedFd, bool),
    /// It is to be tried again when this socket can be written to. A connection goes on to the
    /// address that was judged.
    Wait(OwnedFd, Option<Address>),
}

impl From<Result<(), Errno>> for Answer {
    fn from(done: Result<(), Errno>) -> Self {
        match done {
            Ok(()) => Self::Done(0),
            Err(errno) => Self::Fail(errno),
        }
    }
}

/// One call that is asked about.
pub(crate) struct Asked<'a> {
    pub(crate) by: &'static Policed,
    pub(crate) call: &'a Call,
    pub(crate) listener: BorrowedFd<'a>,
    pub(crate) threads: &'a Threads,
    /// The address of a connection that has been begun.
    pub(crate) begun: Option<Address>,
}

impl Asked<'_> {
    /// Decides, and carries out what is to be done here.
    pub(crate) fn answer(&self) -> Answer {
        match self.call.number() {
            libc::SYS_connect => {
                self.on_ip_socket(Errno::NETUNREACH, |socket| self.connect(socket))
            }
            libc::SYS_bind => self.on_ip_socket(Errno::ADDRNOTAVAIL, |socket| self.bind(&socket)),
            libc::SYS_listen => {
                self.on_ip_socket(Errno::ADDRNOTAVAIL, |socket| self.listen(&socket))
            }
            libc::SYS_sendto => {
                self.on_ip_socket(Errno::NETUNREACH, |socket| send::sendto(self, socket))
            }
            libc::SYS_sendmsg => {
                self.on_ip_socket(Errno::NETUNREACH, |socket| send::sendmsg(self, socket))
            }
            libc::SYS_sendmmsg => {
                self.on_ip_socket(Errno::NETUNREACH, |socket| send::sendmmsg(self, socket))
            }
            libc::SYS_setsockopt => {
                self.on_ip_socket(Errno::PERM, |socket| self.put_on_device(&socket))
            }
            libc::SYS_io_uring_setup => self.ring(),
            _ => view::open(self),
        }
    }

    /// A ring buffer, whose calls nobody is asked about.
    fn ring(&self) -> Answer {
        let (level, said) = said_of_ring(&self.by.policy);
        self.by.log.line(level, self.call, format_args!("{said}"));
        if self.by.policy.io_uring {
            Answer::Continue
        } else {
            Answer::Fail(Errno::NOSYS)
        }
    }

    /// Whether the thread that memory and descriptors were taken from is the caller.
    pub(crate) fn is_waiting(&self) -> bool {
        kernel::is_waiting(self.listener, self.call.id())
    }

    fn on_ip_socket(&self, refusal: Errno, act: impl FnOnce(OwnedFd) -> Answer) -> Answer {
        let socket = match self.call.descriptor(0, self.threads) {
            Ok(socket) => socket,
            // The number may be a socket's by the time that a call continues.
            Err(errno @ (Errno::BADF | Errno::SRCH)) => return Answer::Fail(errno),
            Err(why) => {
                self.by.log.line(
                    Level::Refused,
                    self.call,
                    format_args!("refused: the process does not let itself be looked at: {why}"),
                );
                return Answer::Fail(refusal);
            }
        };
        match sockopt::socket_domain(&socket) {
            Ok(AddressFamily::INET | AddressFamily::INET6) => act(socket),
            Ok(AddressFamily::UNIX) if self.call.number() == libc::SYS_connect => {
                view::connect_to_service(self)
            }
            Err(Errno::NOTSOCK) => Answer::Fail(Errno::NOTSOCK),
            _ => Answer::Continue,
        }
    }

    /// An address that a pair of registers names.
    pub(crate) fn address(&self, pointer: usize, length: usize) -> Result<Address, Errno> {
        let address = Address::read(
            self.call,
            self.call.register(pointer),
            self.call.integer(length),
        )?;
        // The caller's, and not of a thread that got its number: it was interrupted, and nobody
        // hears this answer.
        self.is_waiting().then_some(address).ok_or(Errno::INTR)
    }

    pub(crate) fn subject<'s>(&'s self, call: &'static str, socket: &'s OwnedFd) -> Subject<'s> {
        Subject::new(self.by, self.call, call, socket.as_fd())
    }

    fn connect(&self, mut socket: OwnedFd) -> Answer {
        if let Some(address) = &self.begun {
            return match go_on(socket, address) {
                // Another thread has seen the connection be made.
                Answer::Fail(Errno::ISCONN) => Answer::Done(0),
                answer => answer,
            };
        }
        let address = match self.address(1, 2) {
            Ok(address) => address,
            Err(errno) => return Answer::Fail(errno),
        };
        if address.family() == Some(libc::AF_UNSPEC) {
            return self.dissolve(&socket, &address);
        }
        if let Some(given) = address.ip() {
            match self.led(&mut socket, given.meant) {
                Led::Here => {}
                Led::Nowhere => return Answer::Fail(Errno::NETUNREACH),
                Led::Elsewhere => {
                    let subject = self.subject("connect", &socket);
                    if let Err(errno) = Connection::new(&subject, &given).steer() {
                        return Answer::Fail(errno);
                    }
                }
            }
        }
        go_on(socket, &address)
    }

    /// Dissolves an association (`AF_UNSPEC`), and puts a datagram listener back on its network. A
    /// port that is left after that is one that the program bound.
    fn dissolve(&self, socket: &OwnedFd, address: &Address) -> Answer {
        let done = by_bytes::connect(socket.as_fd(), address.bytes());
        let subject = self.subject("connect", socket);
        if done.is_ok() && subject.is_held() {
            subject.note(Done::Left);
            if let Some(address) = mif_socket::local_address(socket.as_fd())
                && address.port() != 0
                && mif_socket::canonical(address.ip()).is_unspecified()
            {
                let _ = Binding::new(&subject, address).judge();
            }
        }
        done.into()
    }

    fn bind(&self, socket: &OwnedFd) -> Answer {
        let address = match self.address(1, 2) {
            Ok(address) => address,
            Err(errno) => return Answer::Fail(errno),
        };
        let Some(given) = address.ip() else {
            return by_bytes::bind(socket.as_fd(), address.bytes()).into();
        };
        let subject = self.subject("bind", socket);
        match Binding::new(&subject, given.meant).judge() {
            Judgement::Proceed => by_bytes::bind(socket.as_fd(), address.bytes()).into(),
            Judgement::Refuse => Answer::Fail(Errno::ADDRNOTAVAIL),
            // The port is the program's, the address is not.
            Judgement::Wildcard => {
                rustix::net::bind(socket, &mif_socket::wildcard_like(given.address)).into()
            }
        }
    }

    /// A device of its own choice; one that the policy overrides is as if it had been set.
    fn put_on_device(&self, socket: &OwnedFd) -> Answer {
        let option = self.call.integer(2);
        let Ok(length) = usize::try_from(self.call.integer(4)) else {
            return Answer::Fail(Errno::INVAL);
        };
        let value = self
            .call
            .memory(self.call.register(3), length.min(mif_steer::DEVICE));
        let value = match value {
            Ok(value) if self.is_waiting() => value,
            Ok(_) => return Answer::Fail(Errno::INTR),
            Err(errno) => return Answer::Fail(errno),
        };
        let (policy, host) = (&self.by.policy, &self.by.view());
        let index_of = |name| mif_host::inspect(name).ok();
        if mif_steer::is_outside(option, &value, policy, host, index_of) {
            return Answer::Done(0);
        }
        by_bytes::set_option(socket.as_fd(), libc::SOL_SOCKET, option, &value).into()
    }

    fn listen(&self, socket: &OwnedFd) -> Answer {
        let Some(address) = mif_socket::local_address(socket.as_fd()) else {
            return Answer::Fail(Errno::ADDRNOTAVAIL);
        };
        let address = SocketAddr::new(mif_socket::canonical(address.ip()), address.port());
        let subject = self.subject("listen", socket);
        match Binding::new(&subject, address).open() {
            Judgement::Refuse => Answer::Fail(Errno::ADDRNOTAVAIL),
            _ => rustix::net::listen(socket, self.call.integer(1)).into(),
        }
    }
}

/// Begins to connect, or goes on.
fn go_on(socket: OwnedFd, address: &Address) -> Answer {
    let is_stream = matches!(mif_socket::kind(socket.as_fd()), Ok((Kind::Stream, _)));
    match fcntl_getfl(&socket) {
        Ok(flags) if is_stream && !flags.contains(OFlags::NONBLOCK) => {
            match connect_without_waiting(socket.as_fd(), address, flags) {
                Err(Errno::INPROGRESS | Errno::ALREADY) => {
                    Answer::Wait(socket, Some(address.clone()))
                }
                done => done.into(),
            }
        }
        _ => by_bytes::connect(socket.as_fd(), address.bytes()).into(),
    }
}

/// The flag belongs to the open file, which the caller shares; it is set for the length of two system
/// calls, on a socket that is not connected yet.
fn connect_without_waiting(
    socket: BorrowedFd<'_>,
    address: &Address,
    flags: OFlags,
) -> Result<(), Errno> {
    fcntl_setfl(socket, flags | OFlags::NONBLOCK)?;
    let mut done = by_bytes::connect(socket, address.bytes());
    if done == Err(Errno::INPROGRESS) {
        // On this host the answer has come already.
        done = by_bytes::connect(socket, address.bytes());
    }
    fcntl_setfl(socket, flags)?;
    done
}
