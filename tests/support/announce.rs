//! Router advertisements as octets, and a router that sends them.

#![allow(dead_code, reason = "each test program uses a part of it")]

use std::fmt::Write;
use std::net::Ipv6Addr;

use mif_lab::{Lab, Running};

/// Answers each solicitation on its link with all messages, and prints `asked`. Words: hop limit,
/// source address or `-`, messages in hexadecimal digits.
const ROUTER: &str = "
import socket, sys
index = socket.if_nametoindex('host')
s = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
s.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b'host')
s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP,
    socket.inet_pton(socket.AF_INET6, 'ff02::2') + index.to_bytes(4, sys.byteorder))
out = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
out.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, int(sys.argv[1]))
if sys.argv[2] != '-':
    out.bind((sys.argv[2], 0, 0, index))
print('ready', flush=True)
while True:
    message, (_, _, _, scope) = s.recvfrom(2000)
    if message[0] == 133 and scope == index:
        for answer in sys.argv[3:]:
            out.sendto(bytes.fromhex(answer), ('ff02::1', 0, 0, index))
        print('asked', flush=True)
";

/// A router on `rb`'s end of the host's link.
pub(crate) fn router(lab: &Lab, messages: &[Vec<u8>]) -> Running {
    router_as(lab, 255, "-", messages)
}

/// One whose messages have another hop limit, or another source.
pub(crate) fn router_as(lab: &Lab, hops: u8, source: &str, messages: &[Vec<u8>]) -> Running {
    let messages = messages.iter().map(|message| hex(message));
    let python = lab.command("python3").args(["-c", ROUTER]);
    let python = python.arg(hops.to_string()).arg(source).args(messages);
    let running = python.within("rb").root().spawn();
    running.wait_for_line("ready");
    running
}

/// An advertisement of a default router with these options.
pub(crate) fn advertisement(options: &[Vec<u8>]) -> Vec<u8> {
    let header = [134, 0, 0, 0, 64, 0, 7, 8, 0, 0, 0, 0, 0, 0, 0, 0];
    [&header[..], &options.concat()].concat()
}

/// The head of an option of RFC 8801.
#[derive(Clone)]
pub(crate) struct Pvd {
    pub(crate) id: &'static str,
    pub(crate) has_information: bool,
    pub(crate) sequence: u16,
}

impl Pvd {
    pub(crate) fn option(&self, options: &[Vec<u8>]) -> Vec<u8> {
        let mut content = vec![if self.has_information { 0x80 } else { 0 }, 0];
        content.extend(self.sequence.to_be_bytes());
        content.extend(name(self.id));
        content.resize((content.len() + 2).next_multiple_of(8) - 2, 0);
        content.extend(options.concat());
        option(21, &content)
    }
}

pub(crate) fn prefix(prefix: &str) -> Vec<u8> {
    let (address, length) = prefix.split_once('/').unwrap();
    let mut content = vec![length.parse().unwrap(), 0xc0];
    content.extend([0, 0, 0x1c, 0x20, 0, 0, 0x0e, 0x10, 0, 0, 0, 0]);
    content.extend(octets(address));
    option(3, &content)
}

pub(crate) fn dns_server(server: &str) -> Vec<u8> {
    option(25, &[&[0, 0, 0, 0, 4, 0xb0][..], &octets(server)].concat())
}

pub(crate) fn search(suffix: &str) -> Vec<u8> {
    option(31, &[&[0, 0, 0, 0, 4, 0xb0][..], &name(suffix)].concat())
}

fn hex(octets: &[u8]) -> String {
    octets.iter().fold(String::new(), |mut text, octet| {
        let _ = write!(text, "{octet:02x}");
        text
    })
}

fn option(kind: u8, content: &[u8]) -> Vec<u8> {
    let units = (content.len() + 2).div_ceil(8);
    let mut option = vec![kind, u8::try_from(units).unwrap()];
    option.extend(content);
    option.resize(units * 8, 0);
    option
}

fn octets(address: &str) -> [u8; 16] {
    address.parse::<Ipv6Addr>().unwrap().octets()
}

fn name(name: &str) -> Vec<u8> {
    let mut octets = Vec::new();
    for label in name.split('.') {
        octets.push(u8::try_from(label.len()).unwrap());
        octets.extend(label.bytes());
    }
    octets.push(0);
    octets
}
