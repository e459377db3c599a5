//! A socket that is about to be connected.

use std::net::{IpAddr, SocketAddr};
use std::os::fd::BorrowedFd;

use mif_policy::{
    Bound, Explicit, Need, Pass, Protocol, Refusal, Route, RuleId, Unusable, Verdict,
};
use mif_socket::{Fault, Kind};
use rustix::io::Errno;
use rustix::net::SocketType;

use crate::{Done, Given, Subject, is_reply_by_listener, leave_preference, own_unicast};

/// A socket that is about to be connected.
#[derive(Debug)]
pub struct Connection<'a, S> {
    subject: &'a S,
    given: &'a Given,
    /// What the application itself chose has been taken into account already.
    again: bool,
}

/// Why a socket was not put on its network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Steering {
    /// The verdict, or the kernel, was against it.
    Refused,
    /// The kernel no longer knows the interface or address that this rule chose.
    Stale(RuleId),
}

/// What the kernel has told of a socket.
#[derive(Clone, Copy, Debug)]
pub struct Known {
    /// What it is.
    pub kind: Kind,
    /// The same in the kernel's words.
    pub socket_type: SocketType,
    /// The address that it is bound to; `None` for not asked.
    pub bound: Option<IpAddr>,
}

impl Known {
    /// Asks the kernel.
    ///
    /// # Errors
    /// The kernel's.
    #[inline]
    pub fn ask(fd: BorrowedFd<'_>) -> rustix::io::Result<Self> {
        let (kind, socket_type) = mif_socket::kind(fd)?;
        Ok(Self {
            kind,
            socket_type,
            bound: None,
        })
    }
}

impl<'a, S: Subject> Connection<'a, S> {
    /// A socket, and where it is to be connected to.
    #[inline]
    pub fn new(subject: &'a S, given: &'a Given) -> Self {
        Self {
            subject,
            given,
            again: false,
        }
    }

    /// Puts the socket on the network of its destination.
    ///
    /// # Errors
    /// `ENETUNREACH` refuses the call.
    pub fn steer(&self) -> Result<(), Errno> {
        self.settled(self.decide(), || self.decide())
    }

    /// What a call comes to of which this is the first outcome; `again` begins anew once what is known of
    /// the host has been forgotten.
    ///
    /// # Errors
    /// As [`Connection::steer`].
    #[inline]
    pub fn settled(
        &self,
        first: Result<(), Steering>,
        again: impl FnOnce() -> Result<(), Steering>,
    ) -> Result<(), Errno> {
        match first {
            // The interface is another one than a moment ago: ask the kernel again, once.
            Err(Steering::Stale(_)) => {
                self.subject.forget();
                again()
            }
            result => result,
        }
        .or_else(|why| {
            if mif_socket::takes_no_ip(self.subject.socket()) {
                return Ok(());
            }
            if let Steering::Stale(rule) = why {
                let _ = self.refuse(Refusal::Exhausted(rule, Unusable::Missing));
            }
            // With this errno happy-eyeballs go on with the next address; EPERM would abort.
            Err(Errno::NETUNREACH)
        })
    }

    /// Asks the policy, and does what it says.
    ///
    /// # Errors
    /// Why the socket is not on its network.
    pub fn decide(&self) -> Result<(), Steering> {
        match Known::ask(self.subject.socket()) {
            Ok(known) => {
                let protocol = protocol(known.socket_type);
                let flow = self.subject.flow(self.given.meant, protocol);
                let verdict = self.subject.policy().decide(&flow, self.subject.host());
                self.carry_out(known, verdict)
            }
            // What is no socket is the kernel's to refuse.
            Err(Errno::NOTSOCK | Errno::BADF) => Ok(()),
            // A sandbox forbids to ask.
            Err(_) => Err(self.refuse(Refusal::Internal)),
        }
    }

    /// Does what the policy has said of a socket of which this is known.
    ///
    /// # Errors
    /// Why the socket is not on its network.
    #[inline]
    pub fn carry_out(&self, known: Known, verdict: Verdict<'_>) -> Result<(), Steering> {
        match verdict {
            Verdict::Pass(pass) => self.pass(pass, Some(known.kind)),
            Verdict::Refuse(refusal) => Err(self.refuse(refusal)),
            Verdict::Route(route) => self.route(known, route),
        }
    }

    /// Leaves the socket alone, but for what an earlier connect of it brought: a
    /// `*_UNICAST_IF` of ours would capture loopback too.
    ///
    /// # Errors
    /// A stream keeps the device of an earlier connect, and would carry there what is to be left alone,
    /// packets for loopback included.
    pub fn pass(&self, pass: Pass, kind: Option<Kind>) -> Result<(), Steering> {
        let (subject, socket) = (self.subject, self.subject.socket());
        if subject.is_own_stream(pass) {
            let rule = match pass {
                Pass::System(rule) => rule,
                _ => subject.policy().last_rule(),
            };
            return Err(self.refuse(Refusal::Elsewhere(rule)));
        }
        if kind != Some(Kind::Stream) {
            let v4 = self.given.is_v4();
            let unicast = own_unicast(subject, v4);
            let device = subject.own_device();
            // First the peer, then what led to it: another thread may be sending at this moment. Natively
            // the source of an earlier connect stays, and within the host it may.
            if device.is_some() || (unicast != 0 && pass != Pass::Local) {
                let _ = mif_socket::release(socket);
            }
            if unicast != 0 {
                let _ = mif_socket::set_unicast_index(socket, v4, 0);
            }
            if unicast != 0 || device.is_some() {
                subject.note(Done::Left);
            }
        }
        self.say(&Verdict::Pass(pass));
        Ok(())
    }

    fn route(&self, known: Known, mut route: Route<'_>) -> Result<(), Steering> {
        let (subject, kind) = (self.subject, known.kind);
        leave_preference(subject, &mut route);
        if subject
            .own_device()
            .is_some_and(|index| index != route.index && mif_socket::is_connected(subject.socket()))
        {
            // It was for the peer of an earlier connect.
            let _ = mif_socket::release(subject.socket());
            subject.note(Done::Left);
        }
        if let Some(index) = subject.device()
            && index != route.index
        {
            if kind == Kind::Datagram && is_reply_by_listener(subject, index, route.rule) {
                subject.say_routed(self.given.meant, &route);
                return Ok(());
            }
            return self.elsewhere(known, Bound::On(index), &route);
        }
        if (kind == Kind::Datagram || subject.may_be_bound())
            && let Some(ip) = self.bound_address(known, &route)
        {
            if self.disagrees(Bound::To(ip), &route) {
                return self.elsewhere(known, Bound::To(ip), &route);
            }
            route.source = None;
            route.prefer_source = None;
        }
        self.put(known, &route)
    }

    /// The address that the application bound. An address that an earlier connect of a datagram
    /// socket brought is none, and is given back first where it is of another network.
    fn bound_address(&self, known: Known, route: &Route<'_>) -> Option<IpAddr> {
        let socket = self.subject.socket();
        let bound = || mif_socket::local_address(socket).and_then(bound_ip);
        let ip = known.bound.or_else(bound)?;
        if known.kind == Kind::Datagram
            && self.disagrees(Bound::To(ip), route)
            && mif_socket::is_connected(socket)
        {
            mif_socket::release(socket).ok()?;
            return bound();
        }
        Some(ip)
    }

    fn put(&self, known: Known, route: &Route<'_>) -> Result<(), Steering> {
        let (subject, kind) = (self.subject, known.kind);
        match mif_socket::put(subject.socket(), kind, self.given.address, route) {
            Ok(()) => {
                subject.note(Done::Put {
                    kind,
                    by_device: kind == Kind::Stream || mif_socket::needs_device(self.given.address),
                    index: route.index,
                    prefers: route.prefer_source.is_some(),
                });
                subject.say_routed(self.given.meant, route);
                Ok(())
            }
            Err(Fault::Interface(Errno::PERM)) if kind == Kind::Stream => {
                self.pinned_elsewhere(known, route)
            }
            Err(
                Fault::Interface(Errno::NODEV | Errno::ADDRNOTAVAIL | Errno::NXIO)
                | Fault::Source(Errno::ADDRNOTAVAIL),
            ) => Err(Steering::Stale(route.rule)),
            Err(Fault::Mark(_)) => Err(self.refuse(Refusal::Mark(route.rule))),
            Err(Fault::Source(_)) => Err(self.refuse(Refusal::Source(route.rule))),
            Err(Fault::Interface(_)) => Err(self.refuse(Refusal::Internal)),
        }
    }

    /// A stream takes a device once, and this one has another: from an earlier connect by another
    /// rule, or from the process that made the socket.
    fn pinned_elsewhere(&self, known: Known, route: &Route<'_>) -> Result<(), Steering> {
        match mif_socket::bound_index(self.subject.socket()) {
            Ok(index) if index != 0 => self.elsewhere(known, Bound::On(index), route),
            _ => Err(self.refuse(Refusal::Internal)),
        }
    }

    /// The application itself put the socket on another network.
    #[cold]
    fn elsewhere(&self, known: Known, bound: Bound, route: &Route<'_>) -> Result<(), Steering> {
        let (subject, socket) = (self.subject, self.subject.socket());
        let policy = subject.policy();
        if !self.again {
            let need = Need::of(self.given.meant.ip());
            if let Some(other) = policy.chosen(bound, route.rule, need, subject.host()) {
                let again = Self {
                    again: true,
                    ..*self
                };
                return again.route(known, other);
            }
            if let Some(within) = subject.within() {
                // For this socket the application has chosen otherwise than for its thread.
                return Connection::new(&within, self.given).decide();
            }
        }
        match policy.explicit {
            Explicit::Respect => {
                self.say(&Verdict::Pass(Pass::Respected));
                Ok(())
            }
            // Only a device can be replaced, and only with privileges.
            Explicit::Override
                if matches!(bound, Bound::On(_))
                    && mif_socket::put(socket, known.kind, self.given.address, route).is_ok()
                    && subject.device().is_none_or(|index| index == route.index) =>
            {
                subject.say_routed(self.given.meant, route);
                Ok(())
            }
            _ => Err(self.refuse(Refusal::Elsewhere(route.rule))),
        }
    }

    /// Says that the call is refused, and why.
    #[cold]
    #[must_use]
    pub fn refuse(&self, refusal: Refusal) -> Steering {
        self.say(&Verdict::Refuse(refusal));
        Steering::Refused
    }

    fn disagrees(&self, bound: Bound, route: &Route<'_>) -> bool {
        let policy = self.subject.policy();
        policy
            .disagreement(bound, route, self.subject.host())
            .is_some()
    }

    fn say(&self, verdict: &Verdict<'_>) {
        self.subject.say(self.given.meant, verdict);
    }
}

/// The address that a socket of this name is bound to; `None` for a wildcard.
#[must_use]
pub fn bound_ip(name: SocketAddr) -> Option<IpAddr> {
    Some(mif_socket::canonical(name.ip())).filter(|ip| !ip.is_unspecified())
}

/// The transport protocol of a type of sockets.
#[must_use]
pub fn protocol(socket_type: SocketType) -> Protocol {
    match socket_type {
        SocketType::DGRAM => Protocol::Udp,
        SocketType::RAW => Protocol::Other,
        _ => Protocol::Tcp,
    }
}
