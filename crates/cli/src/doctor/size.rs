//! Whether packets as long as the interface sends them get through. Where one side takes less than
//! the other believes (a DSL line, a VPN, jumbo frames), short packets pass and long ones vanish.
//!
//! What is sent are echo requests that may not be fragmented, to who is nearest of those known.

use std::io;
use std::net::{IpAddr, SocketAddr, SocketAddrV6};
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::{self, AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, sockopt};

use super::names::can_ask;
use super::patient::{Patient, word};
use super::{Examined, Finding};

/// How long an answer may take; the nearest host's takes some milliseconds.
const PATIENCE: Duration = Duration::from_millis(300);
/// Any packet may be lost once.
const TRIES: u32 = 2;
/// Of each family so many are tried until one answers.
const CANDIDATES: usize = 2;
/// A packet that passes everywhere, such as ping(8) sends.
const SHORT: u32 = 84;
/// What links and tunnels have, from the least of IPv6 to jumbo frames. The longest of these that
/// passes is proposed: a round number that somebody meant, rather than the very last byte.
const USUAL: [u32; 17] = [
    1280, 1300, 1320, 1340, 1360, 1380, 1400, 1412, 1420, 1432, 1440, 1452, 1460, 1480, 1492, 1500,
    4000,
];

pub(super) fn check(patient: &Patient<'_>, examined: &mut Examined<'_>) {
    let own = patient.interface.mtu;
    let mut passes = own;
    let mut reached = Vec::new();
    let mut lost_to = Vec::new();
    let mut untried = "no router or DNS server answers echo requests".to_owned();
    for v6 in [false, true].into_iter().filter(|&v6| patient.has(v6)) {
        let host = match answering(patient, v6) {
            Ok(Some(host)) => host,
            Ok(None) => continue,
            Err(why) => {
                untried = format!(
                    "this user may not send echo requests (net.ipv4.ping_group_range): {why}"
                );
                break;
            }
        };
        if echo(patient, host, passes) {
            reached.push(host.to_string());
            continue;
        }
        let shorter = &USUAL[..USUAL.partition_point(|&size| size < passes)];
        let least = shorter.first();
        if least.is_some_and(|&least| echo(patient, host, least)) {
            let more = shorter[1..].partition_point(|&size| echo(patient, host, size));
            passes = shorter[more];
            lost_to.push(host.to_string());
        } else {
            untried = format!("{host} answers short echo requests only");
        }
    }
    if !lost_to.is_empty() {
        let hosts = lost_to.join(" and ");
        examined.findings.push(too_large(patient, passes, &hosts));
        return;
    }
    examined.fine.push(if reached.is_empty() {
        format!("whether packets of {own} bytes get through is not tried: {untried}")
    } else {
        let hosts = reached.join(" and ");
        format!("packets of {own} bytes are not lost on the way to {hosts}")
    });
}

fn too_large(patient: &Patient<'_>, passes: u32, hosts: &str) -> Finding {
    let (name, own) = (word(&patient.interface.name), patient.interface.mtu);
    Finding {
        check: "mtu-too-large",
        what: format!(
            "{name} sends packets of {own} bytes, but {hosts} answers none longer than {passes}"
        ),
        why: "Connections are made and then stall with the first large answer or upload.".to_owned(),
        mend: vec![format!("ip link set dev {name} mtu {passes}")],
        hint: Some(
            "To keep it, tell whatever manages the network. A firewall that drops long echo requests \
             looks the same: if large downloads do work, leave it as it is."
                .to_owned(),
        ),
    }
}

/// The nearest host of a family that answers at all: a router, else a DNS server.
fn answering(patient: &Patient<'_>, v6: bool) -> Result<Option<IpAddr>, Errno> {
    let servers = patient.domain.dns.servers.iter();
    let servers = servers.filter_map(|text| text.parse().ok());
    let routers = patient.domain.gateways.iter().copied();
    let near = routers
        .chain(servers)
        .filter(|ip: &IpAddr| ip.is_ipv6() == v6 && !patient.is_own(*ip) && can_ask(patient, *ip));
    let mut near: Vec<IpAddr> = near.take(CANDIDATES).collect();
    near.dedup();
    if !near.is_empty() {
        socket(v6)?;
    }
    Ok(near.into_iter().find(|&ip| echo(patient, ip, SHORT)))
}

/// Whether a packet of so many bytes is answered, or the sender told that it is too long: whoever is
/// told sends shorter ones.
fn echo(patient: &Patient<'_>, to: IpAddr, size: u32) -> bool {
    // Each size has a socket, which hears no late answers to another one.
    let Ok(socket) = connected(patient, to) else {
        return false;
    };
    let packet = request(to.is_ipv6(), size);
    (0..TRIES).any(|_| {
        let heard = net::send(&socket, &packet, SendFlags::empty())
            .and_then(|_| net::recv(&socket, &mut [0; 8], RecvFlags::empty()));
        matches!(heard, Ok(_) | Err(Errno::MSGSIZE))
    })
}

/// An echo request (RFC 792, RFC 4443) that makes a packet of this size with the header of IP. The
/// kernel adds identifier and checksum.
fn request(v6: bool, size: u32) -> Vec<u8> {
    let (kind, header) = if v6 { (128, 40) } else { (8, 20) };
    // The longest payload of either family fits into 16 bits.
    let length = size.min(0xffff).saturating_sub(header).max(8);
    let mut request = vec![0; length as usize];
    request[0] = kind;
    request
}

/// A socket on the network that asks this host alone, without fragments and whatever the kernel
/// has learned of the path.
fn connected(patient: &Patient<'_>, to: IpAddr) -> io::Result<OwnedFd> {
    let socket = socket(to.is_ipv6())?;
    if to.is_ipv6() {
        sockopt::set_ipv6_mtu_discover(&socket, sockopt::Ipv6PathMtuDiscovery::PROBE)?;
    } else {
        sockopt::set_ip_mtu_discover(&socket, sockopt::Ipv4PathMtuDiscovery::PROBE)?;
    }
    sockopt::set_socket_timeout(&socket, sockopt::Timeout::Recv, Some(PATIENCE))?;
    let to = match to {
        IpAddr::V4(_) => SocketAddr::new(to, 0),
        // Routers are often known by an address of the link only.
        IpAddr::V6(ip) if ip.is_unicast_link_local() => {
            SocketAddrV6::new(ip, 0, 0, patient.interface.index).into()
        }
        IpAddr::V6(ip) => SocketAddrV6::new(ip, 0, 0, 0).into(),
    };
    patient.put(&socket, mif_socket::Kind::Datagram, to)?;
    net::connect(&socket, &to)?;
    Ok(socket)
}

/// An unprivileged socket for echo requests (icmp(7)).
fn socket(v6: bool) -> Result<OwnedFd, Errno> {
    let (family, protocol) = if v6 {
        (AddressFamily::INET6, net::ipproto::ICMPV6)
    } else {
        (AddressFamily::INET, net::ipproto::ICMP)
    };
    net::socket_with(
        family,
        SocketType::DGRAM,
        SocketFlags::CLOEXEC,
        Some(protocol),
    )
}
