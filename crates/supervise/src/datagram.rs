//! One datagram with a destination: by which network it goes, as packet information beside the
//! program's own ancillary data (ip(7), ipv6(7)).

use std::net::IpAddr;

use mif_policy::{Bound, Explicit, Pass, Protocol, Refusal, Route, Verdict};
use mif_socket::cmsg::{self, PacketInfo, Writer};

use crate::address::Given;
use crate::flow::{Subject, flow};

/// The loopback interface, in every network namespace (`LOOPBACK_IFINDEX`).
const LOOPBACK: u32 = 1;

/// What is to happen with one datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Plan {
    /// Send it as the program wrote it.
    AsIs,
    /// Send it by this network.
    By(Network),
    /// Do not send it.
    Refuse,
}

/// The network that a datagram is to take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Network {
    /// IPv4 packet information, which `AF_INET6` sockets take for v4-mapped destinations.
    v4: bool,
    index: u32,
    source: Option<IpAddr>,
    pub(crate) mark: Option<u32>,
}

impl Network {
    /// The program's ancillary data, with this network in place of packet information of its own.
    pub(crate) fn write(&self, control: &[u8]) -> Option<Vec<u8>> {
        /// Packet information and a mark, each with a header.
        const OURS: usize = 64;
        let mut room = vec![0; control.len() + OURS];
        let mut writer = Writer::new(&mut room);
        let mut pieces = cmsg::pieces(control);
        for piece in &mut pieces {
            if piece.packet_info(self.v4).is_none() {
                writer.copy(&piece)?;
            }
        }
        writer.packet_info(self.v4, self.index, self.source)?;
        if let Some(mark) = self.mark {
            writer.mark(mark)?;
        }
        if let Some(fault) = pieces.fault() {
            writer.fault(fault)?;
        }
        let used = writer.len();
        room.truncate(used);
        Some(room)
    }
}

/// What the program itself says in its ancillary data.
#[derive(Clone, Copy, Debug, Default)]
struct Said {
    packet_info: Option<PacketInfo>,
    mark: bool,
}

impl Said {
    fn in_control(control: &[u8], v4: bool) -> Self {
        let mut said = Self::default();
        for piece in cmsg::pieces(control) {
            said.packet_info = piece.packet_info(v4).or(said.packet_info);
            said.mark |= (piece.level, piece.kind) == (libc::SOL_SOCKET, libc::SO_MARK);
        }
        said
    }
}

/// One datagram with a destination.
pub(crate) struct Datagram<'a> {
    subject: &'a Subject<'a>,
    given: Given,
    said: Said,
}

impl<'a> Datagram<'a> {
    pub(crate) fn new(subject: &'a Subject<'a>, given: Given, control: &[u8]) -> Self {
        Self {
            subject,
            given,
            said: Said::in_control(control, given.is_v4()),
        }
    }

    pub(crate) fn plan(&self) -> Plan {
        let flow = flow(self.given.meant, Protocol::Udp);
        match self.subject.by.policy.decide(&flow, &self.subject.host) {
            Verdict::Pass(pass) => self.pass(pass),
            Verdict::Route(route) => self.route(route),
            Verdict::Refuse(refusal) => self.refuse(refusal),
        }
    }

    /// A datagram that no rule touches; but a socket that mif pinned or steered would carry it to
    /// the network it was put on.
    fn pass(&self, pass: Pass) -> Plan {
        let mark = self.subject.mark();
        let steered = mark.unicast != 0 && self.given.is_v4();
        if mark.device != 0 || (steered && pass != Pass::Local) {
            return self.refuse(Refusal::Elsewhere(self.subject.by.policy.last_rule()));
        }
        self.say(&Verdict::Pass(pass));
        if steered {
            return Plan::By(Network {
                v4: true,
                index: LOOPBACK,
                source: None,
                mark: None,
            });
        }
        Plan::AsIs
    }

    fn route(&self, mut route: Route<'_>) -> Plan {
        self.subject.leave_preference(&mut route);
        if let Some(index) = self.subject.device()
            && index != route.index
        {
            if !self.subject.is_reply_by_listener(index, route.rule) {
                return self.elsewhere(&route);
            }
            route.index = index;
            route.source = None;
            route.prefer_source = None;
        }
        if let Some(bound) = self.pinned()
            && self.subject.disagrees(bound, &route)
        {
            return self.elsewhere(&route);
        }
        match self.bound_source(&route) {
            Ok(Some(source)) => route.source = Some(source),
            Ok(None) => {}
            Err(()) => return self.elsewhere(&route),
        }
        if let Some(PacketInfo { index, source }) = self.said.packet_info {
            if index != 0 && self.subject.disagrees(Bound::On(index), &route) {
                return self.elsewhere(&route);
            }
            if !source.is_unspecified() {
                if self.subject.disagrees(Bound::To(source), &route) {
                    return self.elsewhere(&route);
                }
                route.source = Some(source);
            }
        }
        self.by(&route)
    }

    fn by(&self, route: &Route<'_>) -> Plan {
        if route.source.is_some() && !self.is_held(route) {
            return self.refuse(Refusal::Elsewhere(route.rule));
        }
        if route.source.is_none() && route.prefer_source.is_some() {
            mif_socket::prefer_source(self.subject.socket, route);
            self.subject.change_mark(|mark| mark.prefers = true);
        }
        self.say(&Verdict::Route(*route));
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
        let subject = self.subject;
        if self.given.is_v4()
            || self.given.meant.ip().is_multicast()
            || subject.device() == Some(route.index)
        {
            return true;
        }
        let held =
            mif_socket::pin(subject.socket, route).is_ok() && subject.device() == Some(route.index);
        if held {
            subject.change_mark(|mark| mark.device = route.index);
        } else {
            subject.by.host.forget();
        }
        held
    }

    /// Where the program pinned the socket by an option.
    fn pinned(&self) -> Option<Bound> {
        let v4 = self.given.is_v4();
        let socket = self.subject.socket;
        if self.given.meant.ip().is_multicast() {
            return match mif_socket::multicast_index(socket, v4).ok()? {
                (_, Some(address)) => Some(Bound::To(IpAddr::V4(address))),
                (index, None) => (index != 0).then_some(Bound::On(index)),
            };
        }
        let index = mif_socket::unicast_index(socket, v4).ok()?;
        let ours = v4 && index == self.subject.mark().unicast;
        (index != 0 && !ours).then_some(Bound::On(index))
    }

    /// The source address to send from where the socket has one already; an error where it is of
    /// another network and not to be replaced.
    fn bound_source(&self, route: &Route<'_>) -> Result<Option<IpAddr>, ()> {
        let socket = self.subject.socket;
        let Some(local) = mif_socket::local_address(socket) else {
            return Ok(None);
        };
        let ip = mif_socket::canonical(local.ip());
        // Who bound a group listens to it, and sends from an address all the same.
        if ip.is_unspecified() || ip.is_multicast() {
            return Ok(None);
        }
        if !self.subject.disagrees(Bound::To(ip), route) {
            return Ok(Some(ip));
        }
        // A connect to another network chose this address, not the program. IPv4 lets packet
        // information replace it, IPv6 does not.
        if mif_socket::is_connected(socket) && (self.given.is_v4() || route.source.is_some()) {
            return Ok(None);
        }
        Err(())
    }

    /// The program itself chose another network for this datagram.
    fn elsewhere(&self, route: &Route<'_>) -> Plan {
        match self.subject.by.policy.explicit {
            Explicit::Respect => {
                self.say(&Verdict::Pass(Pass::Respected));
                Plan::AsIs
            }
            // Packet information replaces the program's own, and an IPv4 source.
            Explicit::Override
                if self
                    .subject
                    .device()
                    .is_none_or(|index| index == route.index)
                    && self.is_held(route) =>
            {
                self.by(route)
            }
            _ => self.refuse(Refusal::Elsewhere(route.rule)),
        }
    }

    fn refuse(&self, refusal: Refusal) -> Plan {
        self.say(&Verdict::Refuse(refusal));
        Plan::Refuse
    }

    fn say(&self, verdict: &Verdict<'_>) {
        self.subject.say(self.given.meant, verdict);
    }
}
