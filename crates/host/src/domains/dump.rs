//! What the kernel has of links, addresses and default routes, with the numbers by which changes are
//! told that are over before anybody looks.
//!
//! The messages are read here, and not by the netlink crates, for the sake of libmif.so: every process
//! would pay for their tables at its start.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use rustix::io::Errno;

use crate::netlink::{
    AF_INET, AF_INET6, ATTRIBUTE_HEADER, IFA_ADDRESS, IFA_LOCAL, IFF_RUNNING, IFF_UP,
    IFLA_EXT_MASK, IFLA_IFNAME, NLM_F_DUMP, NLM_F_REQUEST, Netlink, RTEXT_FILTER_SKIP_STATS,
    RTM_GETADDR, RTM_GETLINK, RTM_NEWADDR, RTM_NEWLINK, Request, u16_at, u32_at,
};

const RTM_NEWROUTE: u16 = 24;
const RTM_GETROUTE: u16 = 26;
const IFF_LOOPBACK: u32 = 8;
const IFLA_MTU: u16 = 4;
const IFLA_CARRIER_UP_COUNT: u16 = 47;
const IFLA_CARRIER_DOWN_COUNT: u16 = 48;
const IFA_CACHEINFO: u16 = 6;
const IFA_FLAGS: u16 = 8;
const IFA_PROTO: u16 = 11;
const RTA_OIF: u16 = 4;
const RTA_GATEWAY: u16 = 5;
const RTA_PRIORITY: u16 = 6;
const RTA_MULTIPATH: u16 = 9;
const RTA_VIA: u16 = 18;
const RTN_UNICAST: u8 = 1;
/// The largest block that the kernel fills.
const BLOCK: usize = 32 * 1024;

/// All of it.
#[derive(Clone, Debug, Default)]
pub(super) struct Dump {
    pub(super) links: Vec<Link>,
    pub(super) addresses: Vec<Address>,
    pub(super) routers: Vec<Router>,
}

/// One link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Link {
    pub(super) index: u32,
    pub(super) name: String,
    pub(super) up: bool,
    pub(super) running: bool,
    pub(super) loopback: bool,
    pub(super) mtu: u32,
    /// How often the carrier has come, and gone.
    pub(super) carrier_changes: [u32; 2],
}

/// One address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Address {
    pub(super) index: u32,
    pub(super) ip: IpAddr,
    pub(super) length: u8,
    /// `IFA_F_*`.
    pub(super) flags: u32,
    /// Seconds for which it is preferred, and valid; all ones is for ever.
    pub(super) lifetimes: [u32; 2],
    /// When it was made, in hundredths of a second since the start of the host.
    pub(super) made: u32,
    /// `IFAPROT_*`, 0 for nobody's word.
    pub(super) author: u8,
}

/// One default route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Router {
    pub(super) index: u32,
    /// `None` for a link whose every destination is on it.
    pub(super) gateway: Option<IpAddr>,
    pub(super) metric: u32,
    /// `RTPROT_*`.
    pub(super) author: u8,
}

impl Dump {
    /// # Errors
    /// The kernel's.
    pub(super) fn read() -> Result<Self, Errno> {
        let netlink = Netlink::open()?;
        let mut block = vec![0; BLOCK];
        let mut dump = Self::default();
        let dumped = NLM_F_REQUEST | NLM_F_DUMP;
        let mut links = Request::new(RTM_GETLINK, dumped, 16);
        links.attribute(IFLA_EXT_MASK, &RTEXT_FILTER_SKIP_STATS.to_ne_bytes());
        // Links first: an address that comes in between has no link, one that went has no address.
        for request in [
            links,
            Request::new(RTM_GETADDR, dumped, 8),
            Request::new(RTM_GETROUTE, dumped, 12),
        ] {
            netlink.ask_into(&mut block, &request, |kind, body| match kind {
                RTM_NEWLINK => dump.links.extend(link(body)),
                RTM_NEWADDR => dump.addresses.extend(address(body)),
                RTM_NEWROUTE => dump.routers.extend(routers(body)),
                _ => {}
            })?;
        }
        Ok(dump)
    }
}

/// `struct ifinfomsg` and its attributes.
fn link(body: &[u8]) -> Option<Link> {
    let flags = u32_at(body, 8)?;
    let mut link = Link {
        index: u32_at(body, 4)?,
        name: String::new(),
        up: flags & IFF_UP != 0,
        running: flags & IFF_RUNNING != 0,
        loopback: flags & IFF_LOOPBACK != 0,
        mtu: 0,
        carrier_changes: [0; 2],
    };
    for (kind, data) in Attributes(body.get(16..)?) {
        match kind {
            IFLA_IFNAME => link.name = String::from_utf8(until_nul(data).to_vec()).ok()?,
            IFLA_MTU => link.mtu = u32_at(data, 0)?,
            IFLA_CARRIER_UP_COUNT => link.carrier_changes[0] = u32_at(data, 0)?,
            IFLA_CARRIER_DOWN_COUNT => link.carrier_changes[1] = u32_at(data, 0)?,
            _ => {}
        }
    }
    Some(link).filter(|link| !link.name.is_empty())
}

/// `struct ifaddrmsg` and its attributes.
pub(super) fn address(body: &[u8]) -> Option<Address> {
    let (family, length) = (*body.first()?, *body.get(1)?);
    let mut flags = u32::from(*body.get(2)?);
    let index = u32_at(body, 4)?;
    let (mut ip, mut lifetimes, mut made, mut author) = (None, [u32::MAX; 2], 0, 0);
    for (kind, data) in Attributes(body.get(8..)?) {
        match kind {
            // On a point-to-point interface IFA_ADDRESS is the peer's, and IFA_LOCAL ours.
            IFA_LOCAL => ip = ip_of(family, data),
            IFA_ADDRESS if ip.is_none() => ip = ip_of(family, data),
            IFA_FLAGS => flags = u32_at(data, 0)?,
            IFA_PROTO => author = *data.first()?,
            IFA_CACHEINFO => {
                lifetimes = [u32_at(data, 0)?, u32_at(data, 4)?];
                made = u32_at(data, 8)?;
            }
            _ => {}
        }
    }
    Some(Address {
        index,
        ip: ip?,
        length,
        flags,
        lifetimes,
        made,
        author,
    })
}

/// `struct rtmsg` and its attributes: a default route has one router, or several.
fn routers(body: &[u8]) -> Vec<Router> {
    let &[family, length, _, _, _, author, _, kind, ..] = body else {
        return Vec::new();
    };
    if length != 0 || kind != RTN_UNICAST {
        return Vec::new();
    }
    let attributes = || Attributes(body.get(12..).unwrap_or(&[]));
    let metric = attributes().find(|(kind, _)| *kind == RTA_PRIORITY);
    let metric = metric.and_then(|(_, data)| u32_at(data, 0)).unwrap_or(0);
    let router = |index, gateway| Router {
        index,
        gateway,
        metric,
        author,
    };
    let (mut index, mut gateway, mut routers) = (None, None, Vec::new());
    for (kind, data) in attributes() {
        match kind {
            RTA_OIF => index = u32_at(data, 0),
            RTA_GATEWAY | RTA_VIA => gateway = next_hop(family, kind, data),
            RTA_MULTIPATH => {
                // `struct rtnexthop`: length, flags, weight, interface; then attributes.
                let mut rest = data;
                while let (Some(length), Some(index)) = (u16_at(rest, 0), u32_at(rest, 4)) {
                    let length = usize::from(length);
                    let Some(hop) = rest.get(8..length) else {
                        break;
                    };
                    let mut hops = Attributes(hop);
                    let gateway = hops.find_map(|(kind, data)| next_hop(family, kind, data));
                    routers.push(router(index, gateway));
                    rest = rest.get(length.next_multiple_of(4)..).unwrap_or(&[]);
                }
            }
            _ => {}
        }
    }
    routers.extend(index.map(|index| router(index, gateway)));
    routers
}

fn next_hop(family: u8, kind: u16, data: &[u8]) -> Option<IpAddr> {
    match kind {
        RTA_GATEWAY => ip_of(family, data),
        // `struct rtvia`: a router of the other family.
        #[allow(clippy::cast_possible_truncation)] // Families are small.
        RTA_VIA => ip_of(u16_at(data, 0)? as u8, data.get(2..)?),
        _ => None,
    }
}

fn ip_of(family: u8, data: &[u8]) -> Option<IpAddr> {
    match family {
        AF_INET => Some(Ipv4Addr::from(*data.first_chunk::<4>()?).into()),
        AF_INET6 => Some(Ipv6Addr::from(*data.first_chunk::<16>()?).into()),
        _ => None,
    }
}

fn until_nul(data: &[u8]) -> &[u8] {
    data.split(|&byte| byte == 0).next().unwrap_or(data)
}

/// Kind and data of attributes, up to the first that is no whole one.
struct Attributes<'b>(&'b [u8]);

impl<'b> Iterator for Attributes<'b> {
    type Item = (u16, &'b [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        /// `NLA_TYPE_MASK`: without the marks for nested ones and byte orders.
        const KIND: u16 = 0x3fff;
        let (length, kind) = (usize::from(u16_at(self.0, 0)?), u16_at(self.0, 2)?);
        let data = self.0.get(ATTRIBUTE_HEADER..length)?;
        self.0 = self.0.get(length.next_multiple_of(4)..).unwrap_or(&[]);
        Some((kind & KIND, data))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attribute(kind: u16, data: &[u8]) -> Vec<u8> {
        let length = u16::try_from(ATTRIBUTE_HEADER + data.len()).unwrap();
        let mut bytes = [length.to_ne_bytes(), kind.to_ne_bytes()].concat();
        bytes.extend(data);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    #[test]
    fn loopback_is_read_from_this_kernel() {
        let dump = Dump::read().unwrap();
        let lo = dump.links.iter().find(|link| link.loopback).unwrap();
        assert_eq!((&*lo.name, lo.up, lo.running), ("lo", true, true));
        let is_it = |one: &&Address| one.ip == IpAddr::from([127, 0, 0, 1]);
        let address = dump.addresses.iter().find(is_it).unwrap();
        assert_eq!((address.index, address.length), (lo.index, 8));
        assert_eq!(address.lifetimes, [u32::MAX; 2]);
    }

    #[test]
    fn a_default_route_has_its_routers() {
        let header =
            |family, length, kind| vec![family, length, 0, 0, 254, 16, 0, kind, 0, 0, 0, 0];
        let oif = attribute(RTA_OIF, &3_u32.to_ne_bytes());
        let metric = attribute(RTA_PRIORITY, &100_u32.to_ne_bytes());
        let gateway = attribute(RTA_GATEWAY, &[10, 2, 0, 1]);
        let via = [AF_INET6.into(), u16::from_be_bytes([0xfe, 0x80]).to_be()];
        let mut via: Vec<u8> = via.into_iter().flat_map(u16::to_ne_bytes).collect();
        via.extend([0; 14]);
        let via = attribute(RTA_VIA, &via);
        let hop = |index: u32| {
            let mut hop = vec![16, 0, 0, 0];
            hop.extend(index.to_ne_bytes());
            hop.extend(&gateway);
            hop
        };
        let several = attribute(RTA_MULTIPATH, &[hop(3), hop(4)].concat());
        let router = |index, gateway: &str| Router {
            index,
            gateway: gateway.parse().ok(),
            metric: 100,
            author: 16,
        };
        for (body, wanted) in [
            (
                [
                    header(2, 0, 1),
                    oif.clone(),
                    metric.clone(),
                    gateway.clone(),
                ]
                .concat(),
                vec![router(3, "10.2.0.1")],
            ),
            (
                [header(2, 0, 1), via, oif.clone(), metric.clone()].concat(),
                vec![router(3, "fe80::")],
            ),
            (
                [header(2, 0, 1), oif.clone(), metric.clone()].concat(),
                vec![router(3, "")],
            ),
            (
                [header(2, 0, 1), metric.clone(), several].concat(),
                vec![router(3, "10.2.0.1"), router(4, "10.2.0.1")],
            ),
            (
                [header(2, 24, 1), oif.clone(), metric.clone()].concat(),
                vec![],
            ),
            ([header(2, 0, 7), oif, metric].concat(), vec![]),
            (vec![2, 0], vec![]),
        ] {
            assert_eq!(routers(&body), wanted);
        }
    }

    #[test]
    fn messages_that_are_cut_are_no_messages_and_no_panic() {
        let mut body = vec![AF_INET, 24, 0x80, 0, 3, 0, 0, 0];
        body.extend(attribute(IFA_ADDRESS, &[10, 2, 0, 2]));
        body.extend(attribute(IFA_FLAGS, &0x280_u32.to_ne_bytes()));
        body.extend(attribute(IFA_PROTO, &[2]));
        let numbers = [5_u32, 9, 77, 78].map(u32::to_ne_bytes).concat();
        body.extend(attribute(IFA_CACHEINFO, &numbers));
        let whole = address(&body).unwrap();
        assert_eq!(whole.ip, IpAddr::from([10, 2, 0, 2]));
        assert_eq!((whole.flags, whole.author, whole.made), (0x280, 2, 77));
        assert_eq!((whole.lifetimes, whole.length), ([5, 9], 24));
        for length in 0..body.len() {
            let part = address(&body[..length]);
            assert!(part.is_none_or(|part| part.ip == whole.ip));
            let _ = (link(&body[..length]), routers(&body[..length]));
        }
    }
}
