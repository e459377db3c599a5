//! What is to happen with one socket that is about to be connected.

use std::ffi::c_int;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::BorrowedFd;

use mif_host::View;
use mif_policy::{
    Bound, Explicit, Flow, Need, Pass, Protocol, Refusal, Route, RuleId, Unusable, Verdict,
};
use mif_socket::{Fault, Kind};
use rustix::io::Errno;
use rustix::net::SocketType;

use crate::at_once::Known;
use crate::connect::borrow;
use crate::guard::unless_panic;
use crate::init::Active;
use crate::log::Log;
use crate::sockaddr::Given;
use crate::{flags, standing};

/// Puts a socket on the network of its destination; an error refuses the call.
#[inline]
pub(crate) fn steer(
    active: &'static Active,
    call: &'static str,
    fd: c_int,
    given: &Given,
    known: Option<&Known>,
) -> Result<(), Errno> {
    let Some(fd) = borrow(fd) else { return Ok(()) };
    unless_panic(Err(Errno::NETUNREACH), || {
        let host = active.view();
        let connection = Connection {
            active,
            host,
            call,
            fd,
            given,
            again: false,
        };
        match connection.steer(known) {
            // The interface is another one than a moment ago: ask the kernel again, once.
            Err(Steering::Stale(_)) => {
                active.host.forget();
                connection.steer(None)
            }
            result => result,
        }
        .or_else(|why| {
            if mif_socket::takes_no_ip(fd) {
                return Ok(());
            }
            if let Steering::Stale(rule) = why {
                connection.refuse(Refusal::Exhausted(rule, Unusable::Missing));
            }
            // With this errno happy-eyeballs go on with the next address; EPERM would abort.
            Err(Errno::NETUNREACH)
        })
    })
}

/// Why a socket was not put on its network.
enum Steering {
    /// The verdict, or the kernel, was against it.
    Refused,
    /// The kernel no longer knows the interface or address that this rule chose.
    Stale(RuleId),
}

/// A socket that is about to be connected.
struct Connection<'a> {
    active: &'static Active,
    host: View<'static>,
    call: &'a str,
    fd: BorrowedFd<'a>,
    given: &'a Given,
    /// What the application itself chose has been taken into account already.
    again: bool,
}

impl Connection<'_> {
    fn steer(&self, known: Option<&Known>) -> Result<(), Steering> {
        let (policy, host) = (&self.active.policy, &self.host);
        let asks_names = policy.may_guard(self.given.meant);
        if !asks_names && let Some(pass) = policy.exempts(self.given.meant, host) {
            return self.pass(pass, None);
        }
        let known = match known.map_or_else(|| Known::ask(self.fd), |known| Ok(*known)) {
            Ok(known) => known,
            // What is no socket is the kernel's to refuse.
            Err(Errno::NOTSOCK | Errno::BADF) => return Ok(()),
            // A sandbox forbids to ask.
            Err(_) => return Err(self.refuse(Refusal::Internal)),
        };
        let flow = flow(self.active, self.given.meant, protocol(known.socket_type));
        let verdict = if asks_names {
            policy.decide(&flow, host)
        } else {
            policy.decide_by_rule(&flow, host)
        };
        match verdict {
            Verdict::Pass(pass) => self.pass(pass, Some(known.kind)),
            Verdict::Refuse(refusal) => Err(self.refuse(refusal)),
            Verdict::Route(route) => {
                standing::renew(self.active, host, self.given.meant);
                self.route(known, route)
            }
        }
    }

    /// Leaves the socket alone, but for what an earlier connect of it brought: a
    /// `*_UNICAST_IF` of ours would capture loopback too.
    fn pass(&self, pass: Pass, kind: Option<Kind>) -> Result<(), Steering> {
        if self.is_stream_of_ours(pass) {
            let last = self.active.policy.last_rule();
            let rule = if let Pass::System(rule) = pass {
                rule
            } else {
                last
            };
            return Err(self.refuse(Refusal::Elsewhere(rule)));
        }
        if flags::any(flags::STEERED) && kind != Some(Kind::Stream) {
            self.unsteer(pass == Pass::Local);
        }
        if self.device_of_ours().is_some() {
            let _ = mif_socket::release(self.fd);
        }
        self.say(&Verdict::Pass(pass));
        Ok(())
    }

    /// Whether an earlier connect put this stream on a device of the policy's. It keeps it, and
    /// would carry there what is to be left alone, packets for loopback included. In a process
    /// that pins sockets itself the device may be the application's choice.
    fn is_stream_of_ours(&self, pass: Pass) -> bool {
        flags::any(flags::STREAM)
            && (pass == Pass::Local || !flags::any(flags::PINNED))
            && mif_socket::bound_index(self.fd)
                .is_ok_and(|index| index != 0 && self.active.host.has_index(index))
            && matches!(mif_socket::kind(self.fd), Ok((Kind::Stream, _)))
    }

    /// The device that mif pinned this datagram socket to. In a process that pins sockets itself
    /// it may be the application's choice.
    fn device_of_ours(&self) -> Option<u32> {
        if !flags::any(flags::DEVICE) || flags::any(flags::PINNED) {
            return None;
        }
        let is_datagram = matches!(mif_socket::kind(self.fd), Ok((Kind::Datagram, _)));
        device_of(self.fd).filter(|_| is_datagram)
    }

    fn unsteer(&self, keep_source: bool) {
        let v4 = self.given.is_v4();
        let steered = mif_socket::unicast_index(self.fd, v4).unwrap_or(0);
        if steered != 0 && self.active.host.has_index(steered) {
            let _ = mif_socket::set_unicast_index(self.fd, v4, 0);
            if !keep_source {
                let _ = mif_socket::release(self.fd);
            }
        }
    }

    fn route(&self, known: Known, mut route: Route<'_>) -> Result<(), Steering> {
        let kind = known.kind;
        leave_preference(self.fd, &mut route);
        if self
            .device_of_ours()
            .is_some_and(|index| index != route.index && mif_socket::is_connected(self.fd))
        {
            // It was for the peer of an earlier connect.
            let _ = mif_socket::release(self.fd);
        }
        if let Some(index) = device_of(self.fd)
            && index != route.index
        {
            if is_reply_by_listener(self.active, &self.host, index, route.rule) {
                Log::routed(self.active, self.call, self.given.meant, &route);
                return Ok(());
            }
            return self.elsewhere(kind, Bound::On(index), &route);
        }
        if (kind == Kind::Datagram || flags::any(flags::BOUND))
            && let Some(ip) = self.bound_address(known, &route)
        {
            if self
                .active
                .policy
                .disagreement(Bound::To(ip), &route, &self.host)
                .is_some()
            {
                return self.elsewhere(kind, Bound::To(ip), &route);
            }
            route.source = None;
            route.prefer_source = None;
        }
        self.put(kind, &route)
    }

    /// The address that the application bound. An address that an earlier connect of a datagram
    /// socket brought is none, and is given back first where it is of another network.
    fn bound_address(&self, known: Known, route: &Route<'_>) -> Option<IpAddr> {
        let bound = || bound_address(self.fd);
        let ip = known.bound.or_else(bound)?;
        let (policy, host) = (&self.active.policy, &self.host);
        if known.kind == Kind::Datagram
            && policy.disagreement(Bound::To(ip), route, host).is_some()
            && mif_socket::is_connected(self.fd)
        {
            mif_socket::release(self.fd).ok()?;
            return bound();
        }
        Some(ip)
    }

    fn put(&self, kind: Kind, route: &Route<'_>) -> Result<(), Steering> {
        match mif_socket::put(self.fd, kind, self.given.address, route) {
            Ok(()) => {
                let by_device = mif_socket::needs_device(self.given.address);
                flags::raise(match kind {
                    Kind::Stream => flags::STREAM,
                    Kind::Datagram if by_device => flags::DEVICE,
                    Kind::Datagram => flags::STEERED,
                });
                Log::routed(self.active, self.call, self.given.meant, route);
                Ok(())
            }
            Err(Fault::Interface(Errno::PERM)) if kind == Kind::Stream => {
                self.pinned_elsewhere(kind, route)
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
    fn pinned_elsewhere(&self, kind: Kind, route: &Route<'_>) -> Result<(), Steering> {
        match mif_socket::bound_index(self.fd) {
            Ok(index) if index != 0 => self.elsewhere(kind, Bound::On(index), route),
            _ => Err(self.refuse(Refusal::Internal)),
        }
    }

    /// The application itself put the socket on another network.
    #[cold]
    fn elsewhere(&self, kind: Kind, bound: Bound, route: &Route<'_>) -> Result<(), Steering> {
        let (policy, host) = (&self.active.policy, &self.host);
        let need = Need::of(self.given.meant.ip());
        if !self.again {
            let again = Connection {
                again: true,
                ..*self
            };
            if let Some(other) = policy.chosen(bound, route.rule, need, host) {
                return again.route(kind, other);
            }
            if let Some(within) = self.active.choice.and_then(|choice| choice.within) {
                // For this socket the program has chosen otherwise than for its thread.
                return Connection {
                    active: within,
                    host: within.view(),
                    again: false,
                    ..*self
                }
                .steer();
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
                    && mif_socket::put(self.fd, kind, self.given.address, route).is_ok()
                    && device_of(self.fd).is_none_or(|index| index == route.index) =>
            {
                Log::routed(self.active, self.call, self.given.meant, route);
                Ok(())
            }
            _ => Err(self.refuse(Refusal::Elsewhere(route.rule))),
        }
    }

    #[cold]
    fn refuse(&self, refusal: Refusal) -> Steering {
        self.say(&Verdict::Refuse(refusal));
        Steering::Refused
    }

    fn say(&self, verdict: &Verdict<'_>) {
        Log::decision(self.active, self.call, &Target(self.given.meant), verdict);
    }
}

/// The address that a socket is bound to.
fn bound_address(fd: BorrowedFd<'_>) -> Option<IpAddr> {
    mif_socket::local_address(fd).and_then(bound_ip)
}

/// The address of a name that is more than a wildcard.
pub(crate) fn bound_ip(name: SocketAddr) -> Option<IpAddr> {
    Some(mif_socket::canonical(name.ip())).filter(|ip| !ip.is_unspecified())
}

/// The flow that a rule is looked up for.
pub(crate) fn flow(active: &Active, destination: SocketAddr, protocol: Protocol) -> Flow<'_> {
    let known = active.learned.of(destination.ip());
    Flow {
        destination,
        protocol,
        named: known.rules,
        origin: known.origin,
    }
}

pub(crate) fn protocol(socket_type: SocketType) -> Protocol {
    match socket_type {
        SocketType::DGRAM => Protocol::Udp,
        SocketType::RAW => Protocol::Other,
        _ => Protocol::Tcp,
    }
}

/// The device that a socket is bound to, asked only once some socket of the process may be.
pub(crate) fn device_of(fd: BorrowedFd<'_>) -> Option<u32> {
    if !flags::any(flags::PINNED | flags::DEVICE) {
        return None;
    }
    mif_socket::bound_index(fd).ok().filter(|&index| index != 0)
}

/// Takes back what the policy says of the kind of source address where the application has said
/// it for this socket, which is asked only once it may have for some.
pub(crate) fn leave_preference(fd: BorrowedFd<'_>, route: &mut Route<'_>) {
    if route.prefer_source.is_some() && flags::any(flags::PREFERS) && mif_socket::prefers_source(fd)
    {
        route.prefer_source = None;
    }
}

/// Whether a datagram socket that mif pinned as a listener to `index` may send by it although
/// `rule` would choose another network: answers go back by the network that the request came by
/// (RFC 7556 5.2.3.1), unless a rule of its own speaks for the destination.
pub(crate) fn is_reply_by_listener(
    active: &Active,
    host: &View<'_>,
    index: u32,
    rule: RuleId,
) -> bool {
    flags::any(flags::DEVICE)
        && rule == active.policy.last_rule()
        && matches!(
            active.policy.choose_listen(host),
            Verdict::Route(listen) if listen.index == index
        )
}

/// A destination in a line of the log.
pub(crate) struct Target(pub(crate) SocketAddr);

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}
