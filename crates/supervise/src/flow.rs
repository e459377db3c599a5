//! One call on one IP socket: what every judge of it needs, and the decision on streams and
//! datagram sockets that are about to be connected.

use std::cell::RefCell;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::BorrowedFd;
use std::time::Instant;

use mif_host::{Host, View};
use mif_policy::{
    Bound, Explicit, Flow, Pass, Policy, Protocol, Refusal, Route, RuleId, Unusable, Verdict,
};
use mif_socket::{Fault, Kind};
use rustix::io::Errno;
use rustix::net::SocketType;

use crate::address::Given;
use crate::caller::Call;
use crate::log::Log;
use crate::sockets::{Mark, Sockets, cookie};

/// The policy in force, and what is known of the host and of sockets.
#[derive(Debug)]
pub(crate) struct Policed {
    pub(crate) policy: Policy,
    pub(crate) host: Host,
    pub(crate) sockets: RefCell<Sockets>,
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

/// A call on a socket that is to be judged.
pub(crate) struct Subject<'a> {
    pub(crate) by: &'a Policed,
    pub(crate) host: View<'a>,
    pub(crate) caller: &'a Call,
    pub(crate) call: &'static str,
    pub(crate) socket: BorrowedFd<'a>,
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

    pub(crate) fn mark(&self) -> Mark {
        self.by.sockets.borrow().mark(self.cookie)
    }

    pub(crate) fn change_mark(&self, change: impl FnOnce(&mut Mark)) {
        let mut mark = self.mark();
        change(&mut mark);
        self.by.sockets.borrow_mut().set(self.cookie, mark);
    }

    /// The device that the socket is bound to, by whomever.
    pub(crate) fn device(&self) -> Option<u32> {
        mif_socket::bound_index(self.socket)
            .ok()
            .filter(|&index| index != 0)
    }

    pub(crate) fn kind(&self) -> Option<(Kind, SocketType)> {
        mif_socket::kind(self.socket).ok()
    }

    pub(crate) fn disagrees(&self, bound: Bound, route: &Route<'_>) -> bool {
        self.by
            .policy
            .disagreement(bound, route, &self.host)
            .is_some()
    }

    /// Takes back what the policy says of the kind of source address where the program has said it
    /// for this socket.
    pub(crate) fn leave_preference(&self, route: &mut Route<'_>) {
        if route.prefer_source.is_some()
            && !self.mark().prefers
            && mif_socket::prefers_source(self.socket)
        {
            route.prefer_source = None;
        }
    }

    /// Whether a datagram socket that mif pinned as a listener to `index` may send by it although
    /// `rule` would choose another network: answers go back by the network that the request came by
    /// (RFC 7556 5.2.3.1), unless a rule of its own speaks for the destination.
    pub(crate) fn is_reply_by_listener(&self, index: u32, rule: RuleId) -> bool {
        self.mark().device == index
            && rule == self.by.policy.last_rule()
            && matches!(
                self.by.policy.choose_listen(&self.host),
                Verdict::Route(listen) if listen.index == index
            )
    }

    pub(crate) fn say(&self, subject: SocketAddr, verdict: &Verdict<'_>) {
        let subject: &dyn fmt::Display = &subject;
        self.by
            .log
            .decision(&self.by.policy, self.caller, self.call, subject, verdict);
    }
}

/// The flow that a rule is looked up for. What other programs' look-ups returned is not known, so
/// no rule by name matches.
pub(crate) fn flow(destination: SocketAddr, protocol: Protocol) -> Flow<'static> {
    Flow {
        destination,
        protocol,
        named: &[],
        origin: None,
    }
}

fn protocol(socket_type: SocketType) -> Protocol {
    match socket_type {
        SocketType::DGRAM => Protocol::Udp,
        SocketType::RAW => Protocol::Other,
        _ => Protocol::Tcp,
    }
}

/// Why a socket was not put on its network.
enum Steering {
    /// The verdict, or the kernel, was against it.
    Refused,
    /// The kernel no longer knows the interface or address that this rule chose.
    Stale(RuleId),
}

/// A socket that is about to be connected.
pub(crate) struct Connection<'a> {
    pub(crate) subject: Subject<'a>,
    pub(crate) given: Given,
}

impl Connection<'_> {
    /// Puts the socket on the network of its destination.
    ///
    /// # Errors
    /// `ENETUNREACH` refuses the call.
    pub(crate) fn steer(&self) -> Result<(), Errno> {
        match self.decide() {
            // The interface is another one than a moment ago: ask the kernel again, once.
            Err(Steering::Stale(_)) => {
                self.subject.by.host.forget();
                self.decide()
            }
            result => result,
        }
        .map_err(|why| {
            if let Steering::Stale(rule) = why {
                self.refuse(Refusal::Exhausted(rule, Unusable::Missing));
            }
            Errno::NETUNREACH
        })
    }

    fn decide(&self) -> Result<(), Steering> {
        let Some((kind, socket_type)) = self.subject.kind() else {
            return Err(self.refuse(Refusal::Internal));
        };
        let flow = flow(self.given.meant, protocol(socket_type));
        match self.subject.by.policy.decide(&flow, &self.subject.host) {
            Verdict::Pass(pass) => self.pass(pass, kind),
            Verdict::Refuse(refusal) => Err(self.refuse(refusal)),
            Verdict::Route(route) => self.route(kind, route),
        }
    }

    /// Leaves the socket alone, but for what an earlier connect of it brought.
    fn pass(&self, pass: Pass, kind: Kind) -> Result<(), Steering> {
        let mark = self.subject.mark();
        if kind == Kind::Stream {
            if mark.device != 0 && self.subject.device() == Some(mark.device) {
                let rule = match pass {
                    Pass::System(rule) => rule,
                    _ => self.subject.by.policy.last_rule(),
                };
                // It keeps the device, and would carry there what is to be left alone.
                return Err(self.refuse(Refusal::Elsewhere(rule)));
            }
        } else if mark.unicast != 0 || mark.device != 0 {
            // First the peer, then what led to it: the program may be sending at this moment.
            let _ = mif_socket::release(self.subject.socket);
            if mark.unicast != 0 {
                let _ = mif_socket::set_unicast_index(self.subject.socket, true, 0);
            }
            self.subject
                .change_mark(|mark| (mark.device, mark.unicast) = (0, 0));
        }
        self.say(&Verdict::Pass(pass));
        Ok(())
    }

    fn route(&self, kind: Kind, mut route: Route<'_>) -> Result<(), Steering> {
        let socket = self.subject.socket;
        self.subject.leave_preference(&mut route);
        let ours = self.subject.mark().device;
        if kind == Kind::Datagram
            && ours != 0
            && ours != route.index
            && mif_socket::is_connected(socket)
        {
            // It was for the peer of an earlier connect.
            let _ = mif_socket::release(socket);
            self.subject.change_mark(|mark| mark.device = 0);
        }
        if let Some(index) = self.subject.device()
            && index != route.index
        {
            if kind == Kind::Datagram && self.subject.is_reply_by_listener(index, route.rule) {
                self.say(&Verdict::Route(route));
                return Ok(());
            }
            return self.elsewhere(kind, Bound::On(index), &route);
        }
        if let Some(ip) = self.bound_address(kind, &route) {
            if self.subject.disagrees(Bound::To(ip), &route) {
                return self.elsewhere(kind, Bound::To(ip), &route);
            }
            route.source = None;
            route.prefer_source = None;
        }
        self.put(kind, &route)
    }

    /// The address that the program bound. An address that an earlier connect of a datagram socket
    /// brought is none, and is given back first where it is of another network.
    fn bound_address(&self, kind: Kind, route: &Route<'_>) -> Option<IpAddr> {
        let socket = self.subject.socket;
        let bound = || {
            mif_socket::local_address(socket)
                .map(|address| mif_socket::canonical(address.ip()))
                .filter(|ip| !ip.is_unspecified())
        };
        let ip = bound()?;
        if kind == Kind::Datagram
            && self.subject.disagrees(Bound::To(ip), route)
            && mif_socket::is_connected(socket)
        {
            mif_socket::release(socket).ok()?;
            return bound();
        }
        Some(ip)
    }

    fn put(&self, kind: Kind, route: &Route<'_>) -> Result<(), Steering> {
        match mif_socket::put(self.subject.socket, kind, self.given.address, route) {
            Ok(()) => {
                let by_device =
                    kind == Kind::Stream || mif_socket::needs_device(self.given.address);
                self.subject.change_mark(|mark| {
                    if by_device {
                        mark.device = route.index;
                    } else {
                        mark.unicast = route.index;
                    }
                    mark.prefers |= route.prefer_source.is_some();
                });
                self.say(&Verdict::Route(*route));
                Ok(())
            }
            Err(Fault::Interface(Errno::PERM)) if kind == Kind::Stream => {
                match self.subject.device() {
                    Some(index) => self.elsewhere(kind, Bound::On(index), route),
                    None => Err(self.refuse(Refusal::Internal)),
                }
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

    /// The program itself put the socket on another network, or an earlier connect of a stream did.
    fn elsewhere(&self, kind: Kind, bound: Bound, route: &Route<'_>) -> Result<(), Steering> {
        match self.subject.by.policy.explicit {
            Explicit::Respect => {
                self.say(&Verdict::Pass(Pass::Respected));
                Ok(())
            }
            // Only a device can be replaced, and only with privileges.
            Explicit::Override
                if matches!(bound, Bound::On(_))
                    && mif_socket::put(self.subject.socket, kind, self.given.address, route)
                        .is_ok()
                    && self
                        .subject
                        .device()
                        .is_none_or(|index| index == route.index) =>
            {
                self.say(&Verdict::Route(*route));
                Ok(())
            }
            _ => Err(self.refuse(Refusal::Elsewhere(route.rule))),
        }
    }

    fn refuse(&self, refusal: Refusal) -> Steering {
        self.say(&Verdict::Refuse(refusal));
        Steering::Refused
    }

    fn say(&self, verdict: &Verdict<'_>) {
        self.subject.say(self.given.meant, verdict);
    }
}
