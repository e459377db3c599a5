//! The one link of a network namespace that is made for names, over rtnetlink(7).

use std::io;

use netlink_packet_core::{
    NLM_F_ACK, NLM_F_CREATE, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload,
};
use netlink_packet_route::link::{LinkFlags, LinkMessage};
use netlink_packet_route::route::{
    RouteAttribute, RouteHeader, RouteMessage, RouteProtocol, RouteScope, RouteType,
};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use netlink_sys::protocols::NETLINK_ROUTE;
use netlink_sys::{Socket, SocketAddr};

/// The loopback device is the first of each namespace.
const LOOPBACK: u32 = 1;
/// `RT_TABLE_LOCAL`.
const LOCAL: u8 = 255;

/// Has every address be this namespace's own.
///
/// # Errors
/// The kernel's. Where it does not do IPv6, IPv4 alone is there.
pub(super) fn make_every_address_local() -> io::Result<()> {
    let mut up = LinkMessage::default();
    up.header.index = LOOPBACK;
    up.header.flags = LinkFlags::Up;
    up.header.change_mask = LinkFlags::Up;
    set(RouteNetlinkMessage::SetLink(up), 0)?;
    add_route(AddressFamily::Inet)?;
    let _ = add_route(AddressFamily::Inet6);
    Ok(())
}

fn add_route(family: AddressFamily) -> io::Result<()> {
    let mut route = RouteMessage::default();
    route.header = RouteHeader {
        address_family: family,
        table: LOCAL,
        protocol: RouteProtocol::Static,
        scope: RouteScope::Host,
        kind: RouteType::Local,
        ..RouteHeader::default()
    };
    route.attributes.push(RouteAttribute::Oif(LOOPBACK));
    set(RouteNetlinkMessage::NewRoute(route), NLM_F_CREATE)
}

fn set(request: RouteNetlinkMessage, flags: u16) -> io::Result<()> {
    let mut header = NetlinkHeader::default();
    header.flags = NLM_F_REQUEST | NLM_F_ACK | flags;
    let mut request = NetlinkMessage::new(header, NetlinkPayload::from(request));
    request.finalize();
    let mut bytes = vec![0; request.buffer_len()];
    request.serialize(&mut bytes);
    let socket = Socket::new(NETLINK_ROUTE)?;
    socket.send_to(&bytes, &SocketAddr::new(0, 0), 0)?;
    let (answer, _) = socket.recv_from_full()?;
    let answer = NetlinkMessage::<RouteNetlinkMessage>::deserialize(&answer)
        .map_err(|why| io::Error::new(io::ErrorKind::InvalidData, why.to_string()))?;
    match answer.payload {
        NetlinkPayload::Error(why) if why.code.is_some() => Err(why.to_io()),
        _ => Ok(()),
    }
}
