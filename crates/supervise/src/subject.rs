//! One call on one IP socket, for the judges of `mif_steer`: what is known of sockets is remembered by
//! their cookies, since the supervisor sees those of many processes.

use std::fmt;
use std::net::SocketAddr;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use mif_host::{Host, View};
use mif_policy::{Flow, Pass, Policy, Protocol, Server, Verdict};
use mif_resolve::Secure;
use mif_socket::Kind;
use mif_steer::Done;
use parking_lot::Mutex;

use crate::ByTls;
use crate::caller::Call;
use crate::log::{Level, Log};
use crate::names::Names;
use crate::sockets::{Mark, Sockets, cookie};

/// The policy in force, and what is known of the host and of sockets.
#[derive(Debug)]
pub(crate) struct Policed {
    pub(crate) policy: Policy,
    pub(crate) host: Host,
    pub(crate) sockets: Mutex<Sockets>,
    /// Where look-ups are more than a flow to a server.
    pub(crate) names: Option<Names>,
    /// Who speaks TLS to servers of names.
    pub(crate) secure: ByTls,
    pub(crate) log: Log,
    pub(crate) started: Instant,
}

impl Policed {
    /// Taken once for each call, so that a call has one view of the host.
    pub(crate) fn view(&self) -> View<'_> {
        let now = self.started.elapsed().as_millis();
        self.host.at(u64::try_from(now).unwrap_or(u64::MAX))
    }
}

impl Secure for Policed {
    fn exchange(
        &self,
        server: &Server,
        connection: OwnedFd,
        messages: &[Vec<u8>],
        patience: Duration,
    ) -> Result<Vec<Vec<u8>>, String> {
        (self.secure)(server, connection, messages.to_vec(), patience)
    }

    fn complain(&self, server: &Server, why: &str) {
        let line = format_args!("{server}: {why}");
        self.log.line(Level::Refused, &"mif", line);
    }
}

/// A call on a socket that is to be judged.
pub(crate) struct Subject<'a> {
    pub(crate) by: &'a Policed,
    host: View<'a>,
    caller: &'a Call,
    call: &'static str,
    socket: BorrowedFd<'a>,
    cookie: u64,
}

impl<'a> Subject<'a> {
    pub(crate) fn new(
        by: &'a Policed,
        caller: &'a Call,
        call: &'static str,
        socket: BorrowedFd<'a>,
    ) -> Self {
        Self {
            by,
            host: by.view(),
            caller,
            call,
            socket,
            cookie: cookie(socket),
        }
    }

    /// Whether mif bound this datagram socket to a device.
    pub(crate) fn is_held(&self) -> bool {
        self.mark().device != 0 && self.is_datagram()
    }

    fn is_datagram(&self) -> bool {
        matches!(mif_socket::kind(self.socket), Ok((Kind::Datagram, _)))
    }

    fn mark(&self) -> Mark {
        self.by.sockets.lock().mark(self.cookie)
    }

    fn change_mark(&self, change: impl FnOnce(&mut Mark)) {
        let mut mark = self.mark();
        change(&mut mark);
        self.by.sockets.lock().set(self.cookie, mark);
    }
}

impl<'a> mif_steer::Subject for Subject<'a> {
    type Host = View<'a>;

    fn policy(&self) -> &Policy {
        &self.by.policy
    }

    fn host(&self) -> &View<'a> {
        &self.host
    }

    fn socket(&self) -> BorrowedFd<'_> {
        self.socket
    }

    fn forget(&self) {
        self.by.host.forget();
    }

    fn flow(&self, destination: SocketAddr, protocol: Protocol) -> Flow<'_> {
        let known = self.by.names.as_ref();
        let known = known.map(|names| names.known(destination.ip()));
        let known = known.unwrap_or_default();
        Flow {
            destination,
            protocol,
            named: known.rules,
            origin: known.origin,
        }
    }

    fn say(&self, about: SocketAddr, verdict: &Verdict<'_>) {
        let about: &dyn fmt::Display = &about;
        self.by
            .log
            .decision(&self.by.policy, self.caller, self.call, about, verdict);
    }

    /// The MIF API is not there for programs that no preload reaches.
    fn within(&self) -> Option<Self> {
        None
    }

    fn device(&self) -> Option<u32> {
        mif_socket::bound_index(self.socket)
            .ok()
            .filter(|&index| index != 0)
    }

    fn own_device(&self) -> Option<u32> {
        self.is_held().then_some(self.mark().device)
    }

    fn may_be_own_device(&self, index: Option<u32>) -> bool {
        let device = self.mark().device;
        device != 0 && index.is_none_or(|index| index == device)
    }

    fn is_own_stream(&self, _: Pass) -> bool {
        let device = self.mark().device;
        device != 0 && self.device() == Some(device) && !self.is_datagram()
    }

    fn is_own_unicast(&self, v4: bool, index: u32) -> bool {
        v4 && self.mark().unicast == index
    }

    fn may_have_own_unicast(&self) -> bool {
        self.mark().unicast != 0
    }

    fn may_be_pinned(&self) -> bool {
        true
    }

    fn may_be_bound(&self) -> bool {
        true
    }

    fn may_have_source(&self, _: bool) -> bool {
        true
    }

    fn prefers_source(&self) -> bool {
        !self.mark().prefers && mif_socket::prefers_source(self.socket)
    }

    fn note(&self, what: Done) {
        self.change_mark(|mark| match what {
            Done::Put {
                by_device,
                index,
                prefers,
                ..
            } => {
                if by_device {
                    mark.device = index;
                } else {
                    mark.unicast = index;
                }
                mark.prefers |= prefers;
            }
            Done::Held(index) | Done::Listens { index, by_us: true } => mark.device = index,
            Done::Prefers => mark.prefers = true,
            Done::Left => (mark.device, mark.unicast) = (0, 0),
            Done::Bound | Done::WillBeHeld | Done::Listens { by_us: false, .. } => {}
        });
    }
}
