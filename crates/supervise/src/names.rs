//! Names: what a program sends to the port of names of its resolvers is answered here
//! (`server.rs`), so that the servers of the network that the policy has for each name are asked, and
//! what they say is known when a flow goes to it.
//!
//! A reply has to come from the address and port that the program wrote to: musl, c-ares and others look. So
//! the program's socket is replaced, when it first goes there, by one of a network namespace where
//! the server has every address (`room.rs`), as far as programs can tell the same: port, flags, timeouts,
//! and who watches it by epoll(7).
//!
//! Where no namespace can be made, flows to resolvers are refused if the policy decides by name, and
//! else go as any other.

mod learned;
mod links;
mod room;
mod server;

use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, OwnedFd};

use mif_policy::{Origin, Policy, Verdict};
use mif_resolve::hosts;
use mif_socket::Kind;
use parking_lot::Mutex;
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::io::{Errno, Result};
use rustix::net::sockopt::{self, Timeout};
use rustix::net::{AddressFamily, SocketType, ipproto};

use crate::answer::Asked;
use crate::by_bytes;
use crate::caller::{self, Watch};
use crate::kernel;
use crate::log::Level;
use crate::recent::Recent;
use crate::sockets::{Mark, cookie};
use crate::subject::Policed;

use learned::{Known, Learned};
use room::{DNS, Room};

/// What the supervisor has for names.
#[derive(Debug)]
pub(crate) struct Names {
    /// The policy is not kept without: what cannot be answered here is refused.
    is_strict: bool,
    /// Where sockets that stand in are made, or why there are none; nothing before the first question.
    room: Mutex<Option<Result<Room>>>,
    learned: Mutex<Learned>,
    /// Who asks, by the kind and port of the socket that stands in: for the log.
    callers: Mutex<Recent<(bool, u16), String>>,
}

/// What becomes of a flow that may be for names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Led {
    /// It is as any other.
    Elsewhere,
    /// It goes to the server of names: there the socket leads.
    Here,
    /// The socket leads to the server of names, and the flow is for somebody else.
    Nowhere,
}

impl Names {
    /// `None` where the policy has nothing to say of names.
    pub(crate) fn of(policy: &Policy) -> Option<Self> {
        let is_strict = policy.decides_by_name();
        (!policy.leaves_names()).then(|| Self {
            is_strict,
            room: Mutex::default(),
            learned: Mutex::new(if is_strict {
                learned_of_hosts(policy)
            } else {
                Learned::default()
            }),
            callers: Mutex::default(),
        })
    }

    /// What the last look-up that returned an address told of it.
    pub(crate) fn known(&self, ip: IpAddr) -> Known {
        self.learned.lock().of(ip)
    }

    /// Ends the process that makes sockets.
    pub(crate) fn close(&self) {
        *self.room.lock() = Some(Err(Errno::NOTCONN));
    }

    fn learn(&self, by: &Policed, name: &str, addresses: &[IpAddr], origin: Option<Origin>) {
        let (rules, origin) = by.policy.told_by(name, origin);
        let mut learned = self.learned.lock();
        for &address in addresses {
            learned.remember(mif_socket::canonical(address), &rules, origin);
        }
    }

    fn caller(&self, by_stream: bool, port: u16) -> String {
        let callers = self.callers.lock();
        callers.get(&(by_stream, port)).cloned().unwrap_or_default()
    }

    /// A socket that leads to the server of names, which is started for the first.
    fn socket(
        &'static self,
        by: &'static Policed,
        family: AddressFamily,
        kind: SocketType,
    ) -> Result<OwnedFd> {
        let mut room = self.room.lock();
        let room = room.get_or_insert_with(|| {
            let (room, listeners) = Room::open()?;
            server::start(by, self, listeners)?;
            Ok(room)
        });
        match room {
            Ok(room) => room.socket(family, kind),
            Err(why) => Err(*why),
        }
    }

    /// Whether a socket may stand in for a program's.
    fn is_open(&self) -> bool {
        matches!(*self.room.lock(), Some(Ok(_)))
    }
}

/// What `/etc/hosts` says of addresses now: programs read it themselves, and nobody is asked.
fn learned_of_hosts(policy: &Policy) -> Learned {
    let mut learned = Learned::default();
    let text = std::fs::read_to_string("/etc/hosts").unwrap_or_default();
    for (address, names) in hosts::entries(&text) {
        let address = mif_socket::canonical(address);
        let mut rules: Vec<_> = names.flat_map(|name| policy.rules_naming(name)).collect();
        if !rules.is_empty() {
            rules.extend(learned.of(address).rules);
            rules.sort_unstable();
            rules.dedup();
            learned.remember(address, &rules, None);
        }
    }
    learned
}

impl Policed {
    /// Whether a destination is what the program takes for its resolver: one of the policy's, which
    /// it finds in `/etc/resolv.conf`, or of the host's own.
    fn is_for_names(&self, to: SocketAddr) -> bool {
        to.port() == DNS && {
            let (policy, view) = (&self.policy, &self.view());
            let shown = policy.names(policy.last_rule(), view);
            let mut shown = shown.servers().iter();
            shown.any(|server| server.is_of_any_resolver() && server.address == to)
                || (self.host.resolvers().contains(&to.ip()) && !policy.leaves_resolvers(view))
        }
    }
}

impl Asked<'_> {
    /// Whether [`Self::led`] may do more than look.
    pub(crate) fn may_be_led(&self, to: SocketAddr) -> bool {
        self.by.names.is_some() && to.port() == DNS
    }

    /// Where a flow is led. A socket that goes to the resolver has been replaced then, the caller's and
    /// this one.
    pub(crate) fn led(&self, socket: &mut OwnedFd, to: SocketAddr) -> Led {
        let Some(names) = &self.by.names else {
            return Led::Elsewhere;
        };
        let leads_here = names.is_open() && {
            let cookie = cookie(socket.as_fd());
            self.by.sockets.lock().mark(cookie).stands_in
        };
        match (leads_here, self.by.is_for_names(to)) {
            (true, true) => Led::Here,
            (true, false) => Led::Nowhere,
            (false, false) => Led::Elsewhere,
            (false, true) if self.is_in_vain(names, to) => Led::Nowhere,
            (false, true) => match self.stand_in(names, socket, to.ip()) {
                Ok(stand_in) => {
                    *socket = stand_in;
                    Led::Here
                }
                Err(why) if names.is_strict => {
                    let why = std::io::Error::from(why);
                    self.by.log.line(
                        Level::Refused,
                        self.call,
                        format_args!(
                            "{to}: refused: the policy decides by name, and names cannot be \
                             answered here (user_namespaces(7)): {why}"
                        ),
                    );
                    Led::Nowhere
                }
                Err(_) => Led::Elsewhere,
            },
        }
    }

    /// Whether every name would be refused: then the program is told at once.
    fn is_in_vain(&self, names: &Names, to: SocketAddr) -> bool {
        let Policed { policy, log, .. } = self.by;
        let view = self.by.view();
        let verdict = policy.resolvers(".", &view).verdict();
        let in_vain = !names.is_strict && matches!(verdict, Verdict::Refuse(_));
        if in_vain {
            log.decision(policy, self.call, "names", &to, &verdict);
        }
        in_vain
    }

    /// Replaces the caller's socket by one that is like it as far as resolvers care.
    fn stand_in(&self, names: &'static Names, socket: &OwnedFd, to: IpAddr) -> Result<OwnedFd> {
        if matches!(to, IpAddr::V6(ip) if ip.is_unicast_link_local()) {
            // Its reply would come from another scope than the program wrote to.
            return Err(Errno::ADDRNOTAVAIL);
        }
        let (thread, number) = (self.call.thread(), self.call.integer(0));
        let kind = match mif_socket::kind(socket.as_fd())? {
            (Kind::Stream, _) => SocketType::STREAM,
            _ if sockopt::socket_protocol(socket)? == Some(ipproto::UDP) => SocketType::DGRAM,
            _ => return Err(Errno::NOTSUP),
        };
        let close_on_exec = caller::is_close_on_exec(thread, number);
        let family = sockopt::socket_domain(socket)?;
        let stand_in = names.socket(self.by, family, kind)?;
        for which in [Timeout::Recv, Timeout::Send] {
            sockopt::set_socket_timeout(&stand_in, which, sockopt::socket_timeout(socket, which)?)?;
        }
        if fcntl_getfl(socket)?.contains(OFlags::NONBLOCK) {
            fcntl_setfl(&stand_in, fcntl_getfl(&stand_in)? | OFlags::NONBLOCK)?;
        }
        let local = mif_socket::local_address(socket.as_fd()).ok_or(Errno::INVAL)?;
        let mut local = mif_socket::wildcard_like(local);
        if rustix::net::bind(&stand_in, &local) == Err(Errno::ADDRINUSE) {
            local.set_port(0);
            rustix::net::bind(&stand_in, &local)?;
        }
        if self.by.log.wants(Level::Refused)
            && let Some(bound) = mif_socket::local_address(stand_in.as_fd())
        {
            let key = (kind == SocketType::STREAM, bound.port());
            names.callers.lock().set(key, self.call.to_string());
        }
        for Watch { by, events, data } in caller::watches(thread, number) {
            let epoll = self.threads.descriptor(thread, by)?;
            let event = libc::epoll_event { events, u64: data };
            match by_bytes::watch_as(epoll.as_fd(), stand_in.as_fd(), number, event) {
                // Another descriptor of the same epoll.
                Err(Errno::EXIST) => {}
                watched => watched?,
            }
        }
        let mark = Mark {
            stands_in: true,
            ..Mark::default()
        };
        let mut sockets = self.by.sockets.lock();
        sockets.set(cookie(stand_in.as_fd()), mark);
        let (listener, id) = (self.listener, self.call.id());
        kernel::replace_descriptor(listener, id, stand_in.as_fd(), number, close_on_exec)?;
        Ok(stand_in)
    }
}
