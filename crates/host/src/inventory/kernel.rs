//! The kernel's messages as values.

use std::fs;
use std::io;
use std::net::IpAddr;
use std::time::Duration;

use mif_policy::Prefix;
use netlink_packet_route::address::{
    AddressAttribute, AddressFlags, AddressMessage, AddressScope, CacheInfo,
};
use netlink_packet_route::link::{LinkAttribute, LinkFlags, LinkInfo, LinkLayerType, LinkMessage};
use netlink_packet_route::route::{
    RouteAttribute, RouteCacheInfo, RouteMessage, RouteMetric, RouteProtocol, RouteType,
};
use netlink_packet_route::rule::{self, RuleAttribute, RuleFlags, RuleMessage};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};

use super::netlink::dump;
use super::way::{gateway_of, ip};
use super::{Address, Flag, Interface, Route, RouteKind, Rule, RuleAction};
use crate::network::Network;

/// `RT_TABLE_LOCAL`.
const LOCAL: u32 = 255;
/// `INFINITY_LIFE_TIME`.
const FOREVER: u32 = u32::MAX;

/// All interfaces with their addresses; gateways and name servers are not known here.
pub(super) fn interfaces() -> io::Result<Vec<Interface>> {
    let mut interfaces: Vec<Interface> =
        dump(RouteNetlinkMessage::GetLink(LinkMessage::default()))?
            .into_iter()
            .filter_map(|answer| match answer {
                RouteNetlinkMessage::NewLink(link) => Some(interface(link)),
                _ => None,
            })
            .collect();
    interfaces.sort_by_key(|interface| interface.index);
    for answer in dump(RouteNetlinkMessage::GetAddress(AddressMessage::default()))? {
        if let RouteNetlinkMessage::NewAddress(message) = answer {
            let index = message.header.index;
            let owner = interfaces
                .iter_mut()
                .find(|interface| interface.index == index);
            // One that came in between the two questions has no addresses yet.
            if let (Some(owner), Some(address)) = (owner, address(message)) {
                owner.addresses.push(address);
            }
        }
    }
    for interface in &mut interfaces {
        interface
            .addresses
            .sort_by_key(|address| address.ip.is_ipv6());
    }
    Ok(interfaces)
}

pub(super) fn routes() -> io::Result<Vec<Route>> {
    let mut routes = Vec::new();
    for family in [AddressFamily::Inet, AddressFamily::Inet6] {
        let mut request = RouteMessage::default();
        request.header.address_family = family;
        for answer in dump(RouteNetlinkMessage::GetRoute(request))? {
            if let RouteNetlinkMessage::NewRoute(message) = answer {
                add_routes(&mut routes, message);
            }
        }
    }
    routes.retain(|route| route.table != LOCAL);
    Ok(routes)
}

pub(super) fn rules() -> io::Result<Vec<Rule>> {
    let mut rules = Vec::new();
    for family in [AddressFamily::Inet, AddressFamily::Inet6] {
        let mut request = RuleMessage::default();
        request.header.family = family;
        let answers = dump(RouteNetlinkMessage::GetRule(request))?;
        let of_family = answers.into_iter().filter_map(|answer| match answer {
            RouteNetlinkMessage::NewRule(message) => Some(rule_of(message)),
            _ => None,
        });
        rules.extend(of_family);
    }
    rules.sort_by_key(|rule| (rule.v6, rule.priority));
    Ok(rules)
}

fn interface(link: LinkMessage) -> Interface {
    let flags = link.header.flags;
    let mut interface = Interface {
        index: link.header.index,
        name: String::new(),
        kind: String::new(),
        up: flags.contains(LinkFlags::Up),
        carrier: flags.contains(LinkFlags::Running),
        mtu: 0,
        addresses: Vec::new(),
        gateways: Vec::new(),
        dns: Network::default(),
    };
    for attribute in link.attributes {
        match attribute {
            LinkAttribute::IfName(name) => interface.name = name,
            LinkAttribute::Mtu(mtu) => interface.mtu = mtu,
            LinkAttribute::LinkInfo(infos) => {
                let kind = infos.into_iter().find_map(|info| match info {
                    LinkInfo::Kind(kind) => Some(kind.to_string()),
                    _ => None,
                });
                interface.kind = kind.unwrap_or_default();
            }
            _ => {}
        }
    }
    if interface.kind.is_empty() {
        interface.kind = device_type(interface.index, &interface.name)
            .unwrap_or_else(|| link_layer(link.header.link_layer_type));
    }
    interface
}

fn link_layer(layer: LinkLayerType) -> String {
    match layer {
        LinkLayerType::Loopback => "loopback".to_owned(),
        other => format!("{other:?}").to_lowercase(),
    }
}

/// What the driver calls it (`DEVTYPE` in sysfs), which rtnetlink does not tell.
fn device_type(index: u32, name: &str) -> Option<String> {
    let text = fs::read_to_string(format!("/sys/class/net/{name}/uevent")).ok()?;
    let value = |key| text.lines().find_map(|line| line.strip_prefix(key));
    // The sysfs that is mounted may be another namespace's.
    (value("IFINDEX=")?.parse() == Ok(index)).then_some(())?;
    Some(match value("DEVTYPE=")? {
        "wlan" => "wifi".to_owned(),
        other => other.to_owned(),
    })
}

fn address(message: AddressMessage) -> Option<Address> {
    let mut flags = AddressFlags::from_bits_retain(u32::from(message.header.flags.bits()));
    let (mut local, mut address, mut lifetimes) = (None, None, None);
    for attribute in message.attributes {
        match attribute {
            AddressAttribute::Local(ip) => local = Some(ip),
            AddressAttribute::Address(ip) => address = Some(ip),
            AddressAttribute::Flags(all) => flags = all,
            AddressAttribute::CacheInfo(info) => lifetimes = Some(info),
            _ => {}
        }
    }
    // On a point-to-point interface IFA_ADDRESS is the peer's, and IFA_LOCAL ours.
    let ip = local.or(address)?;
    let lasting = |of: fn(&CacheInfo) -> u32| {
        let seconds = lifetimes.as_ref().map(of)?;
        (seconds != FOREVER).then(|| Duration::from_secs(seconds.into()))
    };
    Some(Address {
        ip,
        length: message.header.prefix_len,
        peer: address.filter(|&peer| peer != ip),
        scope: scope(message.header.scope),
        flags: told(flags, ip),
        valid: lasting(|info| info.ifa_valid),
        preferred: lasting(|info| info.ifa_preferred),
    })
}

fn scope(scope: AddressScope) -> String {
    match scope {
        AddressScope::Universe => "global".to_owned(),
        AddressScope::Site => "site".to_owned(),
        AddressScope::Link => "link".to_owned(),
        AddressScope::Host => "host".to_owned(),
        other => u8::from(other).to_string(),
    }
}

fn told(bits: AddressFlags, ip: IpAddr) -> Vec<Flag> {
    let first = if ip.is_ipv6() {
        Flag::Temporary
    } else {
        Flag::Secondary
    };
    let all = [
        (AddressFlags::Tentative, Flag::Tentative),
        (AddressFlags::Optimistic, Flag::Optimistic),
        (AddressFlags::Dadfailed, Flag::DadFailed),
        (AddressFlags::Deprecated, Flag::Deprecated),
        // One bit with two meanings.
        (AddressFlags::Secondary, first),
        (AddressFlags::Permanent, Flag::Permanent),
    ];
    let has = all.into_iter().filter(|&(bit, _)| bits.contains(bit));
    has.map(|(_, flag)| flag).collect()
}

fn add_routes(routes: &mut Vec<Route>, message: RouteMessage) {
    let header = message.header;
    let any = match header.address_family {
        AddressFamily::Inet => IpAddr::from([0; 4]),
        _ => IpAddr::from([0; 16]),
    };
    let prefix = |address: Option<IpAddr>, length| Prefix::new(address.unwrap_or(any), length);
    let (mut destination, mut source, mut hops) = (None, None, Vec::new());
    let Some(unknown) = prefix(None, 0) else {
        return;
    };
    let mut route = Route {
        destination: unknown,
        source: None,
        interface: None,
        gateway: gateway_of(&message.attributes),
        preferred_source: None,
        table: header.table.into(),
        metric: 0,
        kind: kind(header.kind),
        protocol: protocol(header.protocol),
        mtu: None,
        expires: None,
    };
    for attribute in message.attributes {
        match attribute {
            RouteAttribute::Destination(address) => destination = ip(&address),
            RouteAttribute::Source(address) => source = ip(&address),
            RouteAttribute::Oif(index) => route.interface = Some(index),
            RouteAttribute::PrefSource(address) => route.preferred_source = ip(&address),
            RouteAttribute::Table(table) => route.table = table,
            RouteAttribute::Priority(metric) => route.metric = metric,
            RouteAttribute::CacheInfo(info) => route.expires = expires(&info),
            RouteAttribute::Metrics(metrics) => {
                route.mtu = metrics.into_iter().find_map(|metric| match metric {
                    RouteMetric::Mtu(mtu) => Some(mtu),
                    _ => None,
                });
            }
            RouteAttribute::MultiPath(all) => hops = all,
            _ => {}
        }
    }
    let Some(destination) = prefix(destination, header.destination_prefix_length) else {
        return;
    };
    route.destination = destination;
    if header.source_prefix_length > 0 {
        route.source = prefix(source, header.source_prefix_length);
    }
    if hops.is_empty() {
        routes.push(route);
        return;
    }
    routes.extend(hops.into_iter().map(|hop| Route {
        interface: Some(hop.interface_index),
        gateway: gateway_of(&hop.attributes),
        ..route.clone()
    }));
}

/// Ticks of `USER_HZ`, which is 100 on every architecture that libmif runs on.
fn expires(info: &RouteCacheInfo) -> Option<Duration> {
    (info.expires > 0).then(|| Duration::from_millis(u64::from(info.expires) * 10))
}

fn kind(kind: RouteType) -> RouteKind {
    match kind {
        RouteType::Unicast => RouteKind::Unicast,
        RouteType::BlackHole => RouteKind::Blackhole,
        RouteType::Unreachable => RouteKind::Unreachable,
        RouteType::Prohibit => RouteKind::Prohibit,
        RouteType::Throw => RouteKind::Throw,
        _ => RouteKind::Other,
    }
}

fn protocol(protocol: RouteProtocol) -> String {
    match protocol {
        RouteProtocol::IcmpRedirect => "redirect".to_owned(),
        RouteProtocol::Other(number) => number.to_string(),
        other => other.to_string().to_lowercase(),
    }
}

fn rule_of(message: RuleMessage) -> Rule {
    let header = message.header;
    let mut rule = Rule {
        priority: 0,
        v6: header.family == AddressFamily::Inet6,
        inverted: header.flags.contains(RuleFlags::Invert),
        from: None,
        to: None,
        input: None,
        output: None,
        mark: None,
        action: RuleAction::Nothing,
        has_more: header.tos != 0,
    };
    let (mut table, mut target, mut vrf) = (header.table.into(), 0, false);
    let (mut mark, mut under) = (None, u32::MAX);
    for attribute in message.attributes {
        match attribute {
            RuleAttribute::Priority(number) => rule.priority = number,
            RuleAttribute::Source(ip) => rule.from = Prefix::new(ip, header.src_len),
            RuleAttribute::Destination(ip) => rule.to = Prefix::new(ip, header.dst_len),
            RuleAttribute::Iifname(name) => rule.input = Some(name),
            RuleAttribute::Oifname(name) => rule.output = Some(name),
            RuleAttribute::FwMark(number) => mark = Some(number),
            RuleAttribute::FwMask(number) => under = number,
            RuleAttribute::Table(number) => table = number,
            RuleAttribute::Goto(number) => target = number,
            RuleAttribute::L3MDev(on) => vrf = on,
            RuleAttribute::UidRange(_)
            | RuleAttribute::IpProtocol(_)
            | RuleAttribute::SourcePortRange(_)
            | RuleAttribute::DestinationPortRange(_)
            | RuleAttribute::TunId(_) => rule.has_more = true,
            _ => {}
        }
    }
    rule.mark = mark.map(|mark| (mark, under));
    rule.action = match header.action {
        rule::RuleAction::ToTable if vrf => RuleAction::Vrf,
        rule::RuleAction::ToTable => RuleAction::Table(table),
        rule::RuleAction::Goto => RuleAction::Goto(target),
        rule::RuleAction::Blackhole
        | rule::RuleAction::Unreachable
        | rule::RuleAction::Prohibit => RuleAction::Refuse,
        _ => RuleAction::Nothing,
    };
    rule
}
