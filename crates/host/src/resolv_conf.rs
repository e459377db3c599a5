//! The resolvers that the host itself is configured with: `/etc/resolv.conf`, and the addresses
//! where systemd-resolved always listens.
//!
//! The file is read by raw system calls, because libmif.so shows applications another one by this
//! name. It is read once: a process keeps the resolvers that the host had when it started.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::trust;

/// systemd-resolved's stubs (systemd-resolved.service(8)), whether the file names them or not:
/// programs are known to try them by themselves.
const STUBS: [IpAddr; 2] = [
    IpAddr::V4(Ipv4Addr::new(127, 0, 0, 53)),
    IpAddr::V4(Ipv4Addr::new(127, 0, 0, 54)),
];

/// A longer file is read up to here.
const LONGEST: usize = 64 * 1024;

/// All resolvers of the host.
pub(crate) fn resolvers() -> Box<[IpAddr]> {
    let text = read().unwrap_or_default();
    let mut all = servers(&String::from_utf8_lossy(&text));
    all.extend(STUBS);
    all.into()
}

fn read() -> rustix::io::Result<Vec<u8>> {
    let file = trust::open("/etc/resolv.conf".as_ref())?;
    let mut text = Vec::new();
    let mut block = [0; 1024];
    while text.len() < LONGEST {
        match rustix::io::retry_on_intr(|| rustix::io::read(&file, &mut block))? {
            0 => break,
            read => text.extend_from_slice(&block[..read]),
        }
    }
    Ok(text)
}

/// The servers that the text of a `resolv.conf` names, as the most liberal of its readers
/// understands it: what one program would ask has to be known here.
fn servers(text: &str) -> Vec<IpAddr> {
    let mut servers: Vec<IpAddr> = text.lines().filter_map(server).collect();
    if servers.is_empty() {
        // resolv.conf(5): "the default is to use the name server on the local machine".
        servers.push(IpAddr::V4(Ipv4Addr::LOCALHOST));
    }
    servers
}

fn server(line: &str) -> Option<IpAddr> {
    let mut words = line.split_ascii_whitespace();
    words
        .next()
        .filter(|keyword| keyword.eq_ignore_ascii_case("nameserver"))?;
    // A comment may follow without a blank.
    let word = words.next()?.split(['#', ';']).next()?;
    Some(match address(word)?.to_canonical() {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    })
}

/// `ADDRESS`, `ADDRESS%SCOPE`, and with a port as c-ares takes it: `ADDRESS:PORT`, `[ADDRESS]:PORT`.
fn address(word: &str) -> Option<IpAddr> {
    let bare = match word.strip_prefix('[') {
        Some(rest) => rest.split(']').next()?,
        None => word,
    };
    let bare = bare.split('%').next()?;
    let with_port = || bare.parse().ok().map(|socket: SocketAddr| socket.ip());
    bare.parse().ok().or_else(with_port)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_of_usual_and_odd_files() {
        for (text, wanted) in [
            ("nameserver 10.1.0.1\n", "10.1.0.1"),
            (
                "# by hand\n; so\nsearch a.test\nnameserver 10.1.0.1\nnameserver 2001:db8::1\noptions ndots:2\n",
                "10.1.0.1 2001:db8::1",
            ),
            (
                "\r\nnameserver\t 10.1.0.1\r\n  nameserver 10.2.0.1",
                "10.1.0.1 10.2.0.1",
            ),
            ("NameServer 10.1.0.1 10.2.0.1 # two\n", "10.1.0.1"),
            (
                "nameserver 10.1.0.1# now\nnameserver 10.1.0.2;x\n",
                "10.1.0.1 10.1.0.2",
            ),
            (
                "nameserver fe80::1%wan0\nnameserver fe80::2%3\n",
                "fe80::1 fe80::2",
            ),
            (
                "nameserver 10.1.0.1:5353\nnameserver [2001:db8::1]:53\nnameserver [fe80::1%2]\n",
                "10.1.0.1 2001:db8::1 fe80::1",
            ),
            (
                "nameserver ::ffff:10.1.0.1\nnameserver 0.0.0.0\nnameserver ::\n",
                "10.1.0.1 127.0.0.1 ::1",
            ),
            // Without one it is this machine.
            ("", "127.0.0.1"),
            ("search a.test\n", "127.0.0.1"),
            (
                "nameserver\nnameserver \nnameservers 10.1.0.1\nnameserver10.1.0.1\n",
                "127.0.0.1",
            ),
            (
                "nameserver dns.example\nnameserver 10.1.0\nnameserver 10.1.0.256\nnameserver [\n",
                "127.0.0.1",
            ),
            ("nameserver \u{0}10.1.0.1\n", "127.0.0.1"),
            ("#nameserver 10.1.0.1\n", "127.0.0.1"),
        ] {
            let found: Vec<String> = servers(text).iter().map(ToString::to_string).collect();
            assert_eq!(found.join(" "), wanted, "{text:?}");
        }
    }

    #[test]
    fn more_servers_than_libc_takes_are_known() {
        let text = "nameserver 192.0.2.1\n".repeat(9);
        assert_eq!(servers(&text).len(), 9);
    }
}
