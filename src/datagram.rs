//! What is to happen with one datagram that has a destination.

use std::ffi::c_int;
use std::net::IpAddr;
use std::os::fd::BorrowedFd;

use mif_host::View;
use mif_policy::{Bound, Explicit, Need, Pass, Protocol, Refusal, Route, Verdict};
use mif_socket::cmsg::PacketInfo;

use crate::connect::{self, borrow};
use crate::connection::{Target, device_of, flow, is_reply_by_listener, leave_preference};
use crate::flags;
use crate::guard::unless_panic;
use crate::init::Active;
use crate::log::Log;
use crate::message::{Message, Network, Said};
use crate::sockaddr::Given;
use crate::standing;

/// The loopback interface, in every network namespace (`LOOPBACK_IFINDEX`).
const LOOPBACK: u32 = 1;

/// What is to happen with one datagram.
pub(crate) enum Plan {
    /// Send it as the application wrote it, or leave it to the kernel to refuse.
    AsIs,
    /// Send it by this network.
    By(Network),
    /// Do not send it.
    Refuse,
}

/// Decides on a message of `call`.
pub(crate) fn plan(
    active: &'static Active,
    call: &'static str,
    fd: c_int,
    message: &Message,
    flags: c_int,
) -> Plan {
    let Some(given) = message.destination().filter(|_| !message.is_faulty()) else {
        return Plan::AsIs;
    };
    if flags & libc::MSG_FASTOPEN != 0 {
        let (addr, len) = message.name();
        // SAFETY: the contract of `Message::new`.
        return match unsafe { connect::prepare(active, call, fd, addr, len, None) } {
            Ok(()) => Plan::AsIs,
            Err(_) => Plan::Refuse,
        };
    }
    let said = Said::in_control(message.control(), given.is_v4());
    Datagram::plan(active, call, fd, &given, &said)
}

/// One datagram with a destination.
struct Datagram<'a> {
    active: &'static Active,
    host: View<'static>,
    call: &'a str,
    fd: BorrowedFd<'a>,
    given: &'a Given,
    said: &'a Said,
    /// What the application itself chose has been taken into account already.
    again: bool,
}

impl<'a> Datagram<'a> {
    fn plan(
        active: &'static Active,
        call: &'static str,
        fd: c_int,
        given: &'a Given,
        said: &'a Said,
    ) -> Plan {
        let Some(fd) = borrow(fd) else {
            return Plan::AsIs;
        };
        let host = active.view();
        let datagram = Datagram {
            active,
            host,
            call,
            fd,
            given,
            said,
            again: false,
        };
        unless_panic(Plan::Refuse, || datagram.decide())
    }

    #[inline]
    fn decide(&self) -> Plan {
        let (policy, host) = (&self.active.policy, &self.host);
        let flow = flow(self.active, self.given.meant, Protocol::Udp);
        let verdict = policy.decide(&flow, host);
        match verdict {
            Verdict::Pass(pass) => self.pass(pass),
            Verdict::Route(route) => {
                standing::renew(self.active, host, self.given.meant);
                self.route(route)
            }
            Verdict::Refuse(refusal) => self.refuse(refusal),
        }
    }

    /// A datagram that no rule touches; but a socket that mif pinned or steered would carry it
    /// to the network it was put on.
    fn pass(&self, pass: Pass) -> Plan {
        if flags::any(flags::STEERED | flags::DEVICE) {
            let v4 = self.given.is_v4();
            let steered = mif_socket::unicast_index(self.fd, v4).unwrap_or(0);
            let ours = |index: u32| index != 0 && self.active.host.has_index(index);
            let is_listener =
                flags::any(flags::DEVICE) && mif_socket::bound_index(self.fd).is_ok_and(ours);
            if is_listener || (ours(steered) && pass != Pass::Local) {
                return self.refuse(Refusal::Elsewhere(self.active.policy.last_rule()));
            }
            if ours(steered) {
                self.say(&Verdict::Pass(pass));
                return Plan::By(Network {
                    v4,
                    index: LOOPBACK,
                    source: None,
                    mark: None,
                });
            }
        }
        self.say(&Verdict::Pass(pass));
        Plan::AsIs
    }

    #[inline]
    fn route(&self, mut route: Route<'_>) -> Plan {
        leave_preference(self.fd, &mut route);
        if let Some(index) = device_of(self.fd)
            && index != route.index
        {
            if !is_reply_by_listener(self.active, &self.host, index, route.rule) {
                return self.elsewhere(Bound::On(index), &route);
            }
            route.index = index;
            route.source = None;
            route.prefer_source = None;
        }
        if flags::any(flags::PINNED)
            && let Some(bound) = self.pinned()
            && self.disagrees(bound, &route)
        {
            return self.elsewhere(bound, &route);
        }
        // An IPv4 source that only a connect of ours chose is replaced by packet information anyway.
        let asks = if self.given.is_v4() {
            flags::BOUND
        } else {
            flags::BOUND | flags::STEERED
        };
        if flags::any(asks) {
            match self.bound_source(&route) {
                Ok(Some(source)) => route.source = Some(source),
                Ok(None) => {}
                Err(bound) => return self.elsewhere(bound, &route),
            }
        }
        if let Some(PacketInfo { index, source }) = self.said.packet_info {
            if index != 0 && self.disagrees(Bound::On(index), &route) {
                return self.elsewhere(Bound::On(index), &route);
            }
            if !source.is_unspecified() {
                if self.disagrees(Bound::To(source), &route) {
                    return self.elsewhere(Bound::To(source), &route);
                }
                route.source = Some(source);
            }
        }
        self.by(&route)
    }

    #[inline]
    fn by(&self, route: &Route<'_>) -> Plan {
        if route.source.is_some() && !self.is_held(route) {
            return self.refuse(Refusal::Elsewhere(route.rule));
        }
        if route.source.is_none() {
            mif_socket::prefer_source(self.fd, route);
        }
        Log::routed(self.active, self.call, self.given.meant, route);
        Plan::By(Network {
            v4: self.given.is_v4(),
            index: route.index,
            source: route.source,
            mark: route.mark.filter(|_| !self.said.mark),
        })
    }

    /// Whether a datagram from an address of its own will leave by the route. IPv4 takes packet
    /// information for an order, IPv6 for a wish that the best default overrules (but not for
    /// multicast), and there only the device of the socket is one.
    fn is_held(&self, route: &Route<'_>) -> bool {
        if self.given.is_v4()
            || self.given.meant.ip().is_multicast()
            || mif_socket::bound_index(self.fd) == Ok(route.index)
        {
            return true;
        }
        flags::raise(flags::DEVICE);
        let held = mif_socket::pin(self.fd, route).is_ok()
            && mif_socket::bound_index(self.fd) == Ok(route.index);
        if !held {
            self.active.host.forget();
        }
        held
    }

    /// Where the application pinned the socket by an option.
    fn pinned(&self) -> Option<Bound> {
        let v4 = self.given.is_v4();
        if self.given.meant.ip().is_multicast() {
            return match mif_socket::multicast_index(self.fd, v4).ok()? {
                (_, Some(address)) => Some(Bound::To(IpAddr::V4(address))),
                (index, None) => (index != 0).then_some(Bound::On(index)),
            };
        }
        let index = mif_socket::unicast_index(self.fd, v4).ok()?;
        // One of the policy's own is what an earlier connect of this socket put there.
        (index != 0 && !self.active.host.has_index(index)).then_some(Bound::On(index))
    }

    /// The source address to send from where the socket has one already; an error where it is of
    /// another network and not to be replaced.
    fn bound_source(&self, route: &Route<'_>) -> Result<Option<IpAddr>, Bound> {
        let Some(local) = mif_socket::local_address(self.fd) else {
            return Ok(None);
        };
        let ip = mif_socket::canonical(local.ip());
        // Who bound a group listens to it, and sends from an address all the same.
        if ip.is_unspecified() || ip.is_multicast() {
            return Ok(None);
        }
        let bound = Bound::To(ip);
        if !self.disagrees(bound, route) {
            return Ok(Some(ip));
        }
        // A connect to another network chose this address, not the application. IPv4 lets packet
        // information replace it, IPv6 does not.
        if mif_socket::is_connected(self.fd) && (self.given.is_v4() || route.source.is_some()) {
            return Ok(None);
        }
        Err(bound)
    }

    fn disagrees(&self, bound: Bound, route: &Route<'_>) -> bool {
        self.active
            .policy
            .disagreement(bound, route, &self.host)
            .is_some()
    }

    /// The application itself chose another network for this datagram.
    #[cold]
    fn elsewhere(&self, bound: Bound, route: &Route<'_>) -> Plan {
        let (policy, host) = (&self.active.policy, &self.host);
        let need = Need::of(self.given.meant.ip());
        if !self.again {
            let again = Datagram {
                again: true,
                ..*self
            };
            if let Some(other) = policy.chosen(bound, route.rule, need, host) {
                return again.route(other);
            }
            if let Some(within) = self.active.choice.and_then(|choice| choice.within) {
                // For this socket the program has chosen otherwise than for its thread.
                return Datagram {
                    active: within,
                    host: within.view(),
                    again: false,
                    ..*self
                }
                .decide();
            }
        }
        match (policy.explicit, bound) {
            (Explicit::Respect, _) => {
                self.say(&Verdict::Pass(Pass::Respected));
                Plan::AsIs
            }
            // Packet information replaces the application's own, and an IPv4 source.
            (Explicit::Override, _)
                if device_of(self.fd).is_none_or(|i| i == route.index) && self.is_held(route) =>
            {
                self.by(route)
            }
            _ => self.refuse(Refusal::Elsewhere(route.rule)),
        }
    }

    #[cold]
    fn refuse(&self, refusal: Refusal) -> Plan {
        if mif_socket::takes_no_ip(self.fd) {
            return Plan::AsIs;
        }
        self.say(&Verdict::Refuse(refusal));
        Plan::Refuse
    }

    fn say(&self, verdict: &Verdict<'_>) {
        Log::decision(self.active, self.call, &Target(self.given.meant), verdict);
    }
}
