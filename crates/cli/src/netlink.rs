//! What the kernel answers a person: which interfaces there are, and by which route a packet
//! would go, over rtnetlink(7).
//!
//! Nothing here is kept or watched, and nothing decides: whether an interface is usable is
//! `mif_host`'s to say, as it is in the library.

use std::io;
use std::net::IpAddr;

use netlink_packet_core::{
    NLM_F_DUMP, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload,
};
use netlink_packet_route::link::{LinkAttribute, LinkMessage};
use netlink_packet_route::route::{
    RouteAddress, RouteAttribute, RouteFlags, RouteMessage, RouteNextHop,
};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use netlink_sys::protocols::NETLINK_ROUTE;
use netlink_sys::{Socket, SocketAddr};
use rustix::io::Errno;

/// A packet to look the route up for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Query {
    pub(crate) destination: IpAddr,
    pub(crate) port: u16,
    /// `IPPROTO_TCP` or `IPPROTO_UDP`.
    pub(crate) protocol: u8,
    /// The index of the interface that it has to leave by.
    pub(crate) interface: Option<u32>,
    pub(crate) source: Option<IpAddr>,
    pub(crate) mark: Option<u32>,
}

/// The way such a packet takes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Way {
    /// The router; `None` where the destination is on the link.
    pub(crate) gateway: Option<IpAddr>,
    /// The index of the interface.
    pub(crate) interface: Option<u32>,
    /// The source address that the kernel chooses.
    pub(crate) source: Option<IpAddr>,
    /// The route that it was found in: prefix and table.
    pub(crate) route: Option<(IpAddr, u8, u32)>,
}

/// Indexes and names of all interfaces of this network namespace.
///
/// # Errors
/// The kernel's.
pub(crate) fn interfaces() -> io::Result<Vec<(u32, String)>> {
    let request = RouteNetlinkMessage::GetLink(LinkMessage::default());
    let mut found = Vec::new();
    for answer in ask(request, NLM_F_DUMP)? {
        if let RouteNetlinkMessage::NewLink(link) = answer {
            let name = link
                .attributes
                .into_iter()
                .find_map(|attribute| match attribute {
                    LinkAttribute::IfName(name) => Some(name),
                    _ => None,
                });
            found.extend(name.map(|name| (link.header.index, name)));
        }
    }
    Ok(found)
}

/// The way of a packet; `None` where no route leads there. For IPv4 on a given interface the
/// kernel then takes any destination for a neighbour, which this function does not repeat: only a
/// route of a table counts.
///
/// # Errors
/// The kernel's, where it has a route that says so (`prohibit`, `blackhole`), or does not answer.
pub(crate) fn way(query: Query) -> io::Result<Option<Way>> {
    let mut query = query;
    if query.destination.is_ipv4() && query.source.is_none() {
        // A connect looks the route up twice for IPv4, the second time with the source that the
        // first one found, so that `ip rule from` counts.
        query.source = route(query, RouteFlags::empty())?.and_then(|way| way.source);
    }
    let Some(matched) = route(query, RouteFlags::FibMatch)? else {
        return Ok(None);
    };
    let Some(way) = route(query, RouteFlags::empty())? else {
        return Ok(None);
    };
    Ok(Some(Way {
        source: way.source.or(query.source),
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

    let answers = match ask(RouteNetlinkMessage::GetRoute(request), 0) {
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
    let mut way = Way::default();
    let mut prefix = None;
    let mut table = u32::from(route.header.table);
    for attribute in route.attributes {
        match attribute {
            RouteAttribute::Destination(address) => prefix = ip(&address),
            RouteAttribute::Table(number) => table = number,
            RouteAttribute::Oif(index) => way.interface = Some(index),
            RouteAttribute::PrefSource(address) => way.source = ip(&address),
            RouteAttribute::Gateway(address) => way.gateway = ip(&address),
            RouteAttribute::Via(via) => {
                way.gateway = match via {
                    netlink_packet_route::route::RouteVia::Inet(v4) => Some(v4.into()),
                    netlink_packet_route::route::RouteVia::Inet6(v6) => Some(v6.into()),
                    _ => None,
                };
            }
            RouteAttribute::MultiPath(hops) => way.gateway = hops.first().and_then(gateway_of),
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

fn gateway_of(hop: &RouteNextHop) -> Option<IpAddr> {
    hop.attributes.iter().find_map(|attribute| match attribute {
        RouteAttribute::Gateway(address) => ip(address),
        _ => None,
    })
}

fn ip(address: &RouteAddress) -> Option<IpAddr> {
    match address {
        RouteAddress::Inet(v4) => Some((*v4).into()),
        RouteAddress::Inet6(v6) => Some((*v6).into()),
        _ => None,
    }
}

/// One request, and its answers up to the end of the dump if it asks for one.
fn ask(request: RouteNetlinkMessage, flags: u16) -> io::Result<Vec<RouteNetlinkMessage>> {
    let mut header = NetlinkHeader::default();
    header.flags = NLM_F_REQUEST | flags;
    let mut request = NetlinkMessage::new(header, NetlinkPayload::from(request));
    request.finalize();
    let mut bytes = vec![0; request.buffer_len()];
    request.serialize(&mut bytes);
    let socket = Socket::new(NETLINK_ROUTE)?;
    socket.send_to(&bytes, &SocketAddr::new(0, 0), 0)?;

    let mut answers = Vec::new();
    loop {
        let (block, _) = socket.recv_from_full()?;
        let mut rest = &block[..];
        while !rest.is_empty() {
            let message = NetlinkMessage::<RouteNetlinkMessage>::deserialize(rest)
                .map_err(|why| io::Error::new(io::ErrorKind::InvalidData, why.to_string()))?;
            match message.payload {
                NetlinkPayload::Done(_) => return Ok(answers),
                NetlinkPayload::Error(why) if why.code.is_some() => return Err(why.to_io()),
                NetlinkPayload::InnerMessage(answer) => answers.push(answer),
                _ => {}
            }
            let length = (message.header.length as usize).next_multiple_of(4).max(16);
            rest = rest.get(length..).unwrap_or_default();
        }
        if flags & NLM_F_DUMP == 0 {
            return Ok(answers);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_there_and_leads_to_itself() {
        let interfaces = interfaces().unwrap();
        let (lo, _) = interfaces.iter().find(|(_, name)| name == "lo").unwrap();
        let query = Query {
            destination: "127.0.0.1".parse().unwrap(),
            port: 443,
            protocol: 6,
            interface: None,
            source: None,
            mark: None,
        };
        let way = way(query).unwrap().unwrap();
        assert_eq!((way.interface, way.gateway), (Some(*lo), None));
        assert_eq!(way.source, Some("127.0.0.1".parse().unwrap()));
    }
}
