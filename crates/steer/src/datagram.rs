//! One datagram with a destination: by which network it goes, as packet information beside the
//! application's own ancillary data (ip(7), ipv6(7)).

use std::net::IpAddr;

use mif_policy::{Bound, Explicit, Need, Pass, Protocol, Refusal, Route, Verdict};
use mif_socket::cmsg::{self, PacketInfo, Writer};

use crate::{Done, Given, Subject, is_reply_by_listener, leave_preference, own_unicast};

/// The loopback interface, in every network namespace (`LOOPBACK_IFINDEX`).
const LOOPBACK: u32 = 1;

/// What is to happen with one datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plan {
    /// Send it as the application wrote it, or leave it to the kernel to refuse.
    AsIs,
    /// Send it by this network.
    By(Network),
    /// Do not send it.
    Refuse,
}

/// The network that a datagram is to take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    /// IPv4 packet information, which `AF_INET6` sockets take for v4-mapped destinations.
    pub v4: bool,
    /// The interface.
    pub index: u32,
    /// The address to send from, where that is not the kernel's choice.
    pub source: Option<IpAddr>,
    /// `SO_MARK`.
    pub mark: Option<u32>,
}

impl Network {
    /// Room for what [`Network::write`] writes: packet information and a mark, each with a header.
    pub const ROOM: usize = 64;

    /// Writes the application's ancillary data, with this network in place of packet information of its
    /// own; `None` where there is no room.
    #[inline]
    pub fn beside(&self, control: &[u8], writer: &mut Writer<'_>) -> Option<()> {
        let mut pieces = cmsg::pieces(control);
        for piece in &mut pieces {
            if piece.packet_info(self.v4).is_none() {
                writer.copy(&piece)?;
            }
        }
        self.write(writer)?;
        match pieces.fault() {
            Some(fault) => writer.fault(fault),
            None => Some(()),
        }
    }

    /// Appends it to ancillary data; `None` where there is no room.
    pub fn write(&self, writer: &mut Writer<'_>) -> Option<()> {
        writer.packet_info(self.v4, self.index, self.source)?;
        self.mark.map_or(Some(()), |mark| writer.mark(mark))
    }
}

/// What the application itself says in its ancillary data.
#[derive(Clone, Copy, Debug, Default)]
pub struct Said {
    /// A source address or an interface.
    pub packet_info: Option<PacketInfo>,
    /// A mark.
    pub mark: bool,
}

impl Said {
    /// What is said in ancillary data beside a destination of IPv4 (`v4`) or IPv6.
    #[must_use]
    pub fn in_control(control: &[u8], v4: bool) -> Self {
        let mut said = Self::default();
        for piece in cmsg::pieces(control) {
            said.packet_info = piece.packet_info(v4).or(said.packet_info);
            said.mark |= (piece.level, piece.kind) == (libc::SOL_SOCKET, libc::SO_MARK);
        }
        said
    }
}

/// One datagram with a destination.
#[derive(Debug)]
pub struct Datagram<'a, S> {
    subject: &'a S,
    given: &'a Given,
    said: &'a Said,
    /// What the application itself chose has been taken into account already.
    again: bool,
}

impl<'a, S: Subject> Datagram<'a, S> {
    /// A datagram of a socket to a destination.
    #[inline]
    pub fn new(subject: &'a S, given: &'a Given, said: &'a Said) -> Self {
        Self {
            subject,
            given,
            said,
            again: false,
        }
    }

    /// Asks the policy.
    #[inline]
    #[must_use]
    pub fn plan(&self) -> Plan {
        let flow = self.subject.flow(self.given.meant, Protocol::Udp);
        self.carry_out(self.subject.policy().decide(&flow, self.subject.host()))
    }

    /// What the policy's verdict comes to.
    #[inline(always)]
    #[must_use]
    pub fn carry_out(&self, verdict: Verdict<'_>) -> Plan {
        match verdict {
            Verdict::Pass(pass) => self.pass(pass),
            Verdict::Route(route) => self.route(route),
            Verdict::Refuse(refusal) => self.refuse(refusal),
        }
    }

    /// A datagram that no rule touches; but a socket that mif pinned or steered would carry it
    /// to the network it was put on.
    fn pass(&self, pass: Pass) -> Plan {
        let subject = self.subject;
        let v4 = self.given.is_v4();
        let is_steered = own_unicast(subject, v4) != 0;
        if subject.may_be_own_device(None) || (is_steered && pass != Pass::Local) {
            return self.refuse(Refusal::Elsewhere(subject.policy().last_rule()));
        }
        self.say(&Verdict::Pass(pass));
        if is_steered {
            return Plan::By(Network {
                v4,
                index: LOOPBACK,
                source: None,
                mark: None,
            });
        }
        Plan::AsIs
    }

    #[inline]
    fn route(&self, mut route: Route<'_>) -> Plan {
        let subject = self.subject;
        leave_preference(subject, &mut route);
        if let Some(index) = subject.device()
            && index != route.index
        {
            if !is_reply_by_listener(subject, index, route.rule) {
                return self.elsewhere(Bound::On(index), &route);
            }
            route.index = index;
            route.source = None;
            route.prefer_source = None;
        }
        if subject.may_be_pinned()
            && let Some(bound) = self.pinned()
            && self.disagrees(bound, &route)
        {
            return self.elsewhere(bound, &route);
        }
        if subject.may_have_source(self.given.is_v4()) {
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
        if route.source.is_none() && route.prefer_source.is_some() {
            mif_socket::prefer_source(self.subject.socket(), route);
            self.subject.note(Done::Prefers);
        }
        self.subject.say_routed(self.given.meant, route);
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
        let (subject, socket) = (self.subject, self.subject.socket());
        let is_there = || mif_socket::bound_index(socket) == Ok(route.index);
        if self.given.is_v4() || self.given.meant.ip().is_multicast() || is_there() {
            return true;
        }
        subject.note(Done::WillBeHeld);
        let held = mif_socket::pin(socket, route).is_ok() && is_there();
        if held {
            subject.note(Done::Held(route.index));
        } else {
            subject.forget();
        }
        held
    }

    /// Where the application pinned the socket by an option.
    fn pinned(&self) -> Option<Bound> {
        let (subject, v4) = (self.subject, self.given.is_v4());
        if self.given.meant.ip().is_multicast() {
            return match mif_socket::multicast_index(subject.socket(), v4).ok()? {
                (_, Some(address)) => Some(Bound::To(IpAddr::V4(address))),
                (index, None) => (index != 0).then_some(Bound::On(index)),
            };
        }
        let index = mif_socket::unicast_index(subject.socket(), v4).ok()?;
        // One of the policy's own is what an earlier connect of this socket put there.
        (index != 0 && !subject.is_own_unicast(v4, index)).then_some(Bound::On(index))
    }

    /// The source address to send from where the socket has one already; an error where it is of
    /// another network and not to be replaced.
    fn bound_source(&self, route: &Route<'_>) -> Result<Option<IpAddr>, Bound> {
        let socket = self.subject.socket();
        let Some(local) = mif_socket::local_address(socket) else {
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
        if mif_socket::is_connected(socket) && (self.given.is_v4() || route.source.is_some()) {
            return Ok(None);
        }
        Err(bound)
    }

    fn disagrees(&self, bound: Bound, route: &Route<'_>) -> bool {
        let policy = self.subject.policy();
        policy
            .disagreement(bound, route, self.subject.host())
            .is_some()
    }

    /// The application itself chose another network for this datagram.
    #[cold]
    fn elsewhere(&self, bound: Bound, route: &Route<'_>) -> Plan {
        let (subject, policy) = (self.subject, self.subject.policy());
        if !self.again {
            let need = Need::of(self.given.meant.ip());
            if let Some(other) = policy.chosen(bound, route.rule, need, subject.host()) {
                let again = Self {
                    again: true,
                    ..*self
                };
                return again.route(other);
            }
            if let Some(within) = subject.within() {
                // For this socket the application has chosen otherwise than for its thread.
                return Datagram::new(&within, self.given, self.said).plan();
            }
        }
        match policy.explicit {
            Explicit::Respect => {
                self.say(&Verdict::Pass(Pass::Respected));
                Plan::AsIs
            }
            // Packet information replaces the application's own, and an IPv4 source.
            Explicit::Override
                if subject.device().is_none_or(|index| index == route.index)
                    && self.is_held(route) =>
            {
                self.by(route)
            }
            _ => self.refuse(Refusal::Elsewhere(route.rule)),
        }
    }

    #[cold]
    fn refuse(&self, refusal: Refusal) -> Plan {
        if mif_socket::takes_no_ip(self.subject.socket()) {
            return Plan::AsIs;
        }
        self.say(&Verdict::Refuse(refusal));
        Plan::Refuse
    }

    fn say(&self, verdict: &Verdict<'_>) {
        self.subject.say(self.given.meant, verdict);
    }
}
