//! By which route a packet would go, as the kernel answers it (`ip route get`).

use std::io;
use std::net::IpAddr;

use netlink_packet_route::route::{
    RouteAddress, RouteAttribute, RouteFlags, RouteMessage, RouteVia,
};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use rustix::io::Errno;

use super::netlink;

/// A packet to look the route up for.
#[derive(Clone, Copy, Debug)]
pub struct Query {
    /// Where to.
    pub destination: IpAddr,
    /// The destination port.
    pub port: u16,
    /// `IPPROTO_TCP` or `IPPROTO_UDP`.
    pub protocol: u8,
    /// The index of the interface that it has to leave by.
    pub interface: Option<u32>,
    /// The source address of the socket, if it has one.
    pub source: Option<IpAddr>,
    /// `SO_MARK`.
    pub mark: Option<u32>,
}

/// The way such a packet takes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Way {
    /// The router; `None` where the destination is on the link.
    pub gateway: Option<IpAddr>,
    /// The index of the interface.
    pub interface: Option<u32>,
    /// The source address that the kernel chooses.
    pub source: Option<IpAddr>,
    /// The route that it was found in: prefix and table.
    pub route: Option<(IpAddr, u8, u32)>,
}

/// The way of a packet; `None` where no route leads there. For IPv4 on a given interface the
/// kernel then takes any destination for a neighbour, which this function does not repeat: only a
/// route of a table counts.
///
/// # Errors
/// The kernel's, where it has a route that says so (`prohibit`, `blackhole`), or does not answer.
pub fn way(query: Query) -> io::Result<Option<Way>> {
    let mut query = query;
    if query.destination.is_ipv4() && query.source.is_none() {
        // A connect looks the route up twice for IPv4, the second time with the source that the
        // first one found, so that `ip rule from` counts.
        query.source = route(query, RouteFlags::empty())?.and_then(|way| way.source);
    }
    let source = query.source;
    if query.destination.is_ipv6() && query.interface.is_some() && source.is_some() {
        // Without a socket that is bound to it, the kernel takes the interface of an IPv6 packet
        // with a source for a mere wish.
        let with_source = route(query, RouteFlags::empty())?.and_then(|way| way.interface);
        if with_source != query.interface {
            query.source = None;
        }
    }
    let Some(matched) = route(query, RouteFlags::FibMatch)? else {
        return Ok(None);
    };
    let Some(way) = route(query, RouteFlags::empty())? else {
        return Ok(None);
    };
    Ok(Some(Way {
        source: query.source.or(source).or(way.source),
        route: matched.route,
        ..way
    }))
}

fn route(query: Query, flags: RouteFlags) -> io::Result<Option<Way>> {
    let mut request = RouteMessage::default();
    let bits = if query.destination.is_ipv4() { 32 } else { 128 };
    request.header.address_family = if query.destination.is_ipv4() {
        AddressFamily::Inet
    } else {
        AddressFamily::Inet6
    };
    request.header.destination_prefix_length = bits;
    request.header.flags = flags;
    let attributes = &mut request.attributes;
    attributes.push(RouteAttribute::Destination(query.destination.into()));
    if let Some(source) = query.source {
        request.header.source_prefix_length = bits;
        attributes.push(RouteAttribute::Source(source.into()));
    }
    attributes.extend(query.interface.map(RouteAttribute::Oif));
    attributes.extend(query.mark.map(RouteAttribute::Mark));
    attributes.push(RouteAttribute::IpProto(query.protocol));
    attributes.push(RouteAttribute::Dport(query.port));

    let answers = match netlink::get(RouteNetlinkMessage::GetRoute(request)) {
        Ok(answers) => answers,
        Err(why) => {
            return match Errno::from_io_error(&why) {
                Some(Errno::HOSTUNREACH | Errno::NETUNREACH | Errno::SRCH) => Ok(None),
                _ => Err(why),
            };
        }
    };
    let found = answers.into_iter().find_map(|answer| match answer {
        RouteNetlinkMessage::NewRoute(route) => Some(way_of(query, route)),
        _ => None,
    });
    Ok(found)
}

fn way_of(query: Query, route: RouteMessage) -> Way {
    let mut way = Way {
        gateway: gateway_of(&route.attributes),
        ..Way::default()
    };
    let mut prefix = None;
    let mut table = u32::from(route.header.table);
    for attribute in route.attributes {
        match attribute {
            RouteAttribute::Destination(address) => prefix = ip(&address),
            RouteAttribute::Table(number) => table = number,
            RouteAttribute::Oif(index) => way.interface = Some(index),
            RouteAttribute::PrefSource(address) => way.source = ip(&address),
            RouteAttribute::MultiPath(hops) => {
                let first = hops.first();
                way.gateway = first.and_then(|hop| gateway_of(&hop.attributes));
            }
            _ => {}
        }
    }
    let any = match query.destination {
        IpAddr::V4(_) => IpAddr::from([0; 4]),
        IpAddr::V6(_) => IpAddr::from([0; 16]),
    };
    way.route = Some((
        prefix.unwrap_or(any),
        route.header.destination_prefix_length,
        table,
    ));
    way
}

pub(super) fn gateway_of(attributes: &[RouteAttribute]) -> Option<IpAddr> {
    attributes.iter().find_map(|attribute| match attribute {
        RouteAttribute::Gateway(address) => ip(address),
        RouteAttribute::Via(RouteVia::Inet(v4)) => Some((*v4).into()),
        RouteAttribute::Via(RouteVia::Inet6(v6)) => Some((*v6).into()),
        _ => None,
    })
}

pub(super) fn ip(address: &RouteAddress) -> Option<IpAddr> {
    match address {
        RouteAddress::Inet(v4) => Some((*v4).into()),
        RouteAddress::Inet6(v6) => Some((*v6).into()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_leads_to_itself() {
        let query = Query {
            destination: "127.0.0.1".parse().unwrap(),
            port: 443,
            protocol: 6,
            interface: None,
            source: None,
            mark: None,
        };
        let way = way(query).unwrap().unwrap();
        assert_eq!((way.interface, way.gateway), (Some(1), None));
        assert_eq!(way.source, Some("127.0.0.1".parse().unwrap()));
    }
}
