//! The one link of a network namespace that is made for names, over rtnetlink(7).

use std::io;

use mif_host::inventory::set;
use netlink_packet_route::link::{LinkFlags, LinkMessage};
use netlink_packet_route::route::{
    RouteAttribute, RouteHeader, RouteMessage, RouteProtocol, RouteScope, RouteType,
};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};

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
    set(RouteNetlinkMessage::SetLink(up))?;
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
    set(RouteNetlinkMessage::NewRoute(route))
}
