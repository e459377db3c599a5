//! A destination as people type it: `192.0.2.1`, `192.0.2.1:53`, `[2001:db8::1]:53`,
//! `fe80::1%eth0`, `who.test`, `who.test:80`. Nothing is resolved.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, SocketAddrV6};

/// Where somebody wants to go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Destination {
    /// An address; a v4-mapped one is given as the IPv4 one.
    Address(SocketAddr),
    /// A domain name and a port.
    Name(String, u16),
}

/// The port of a destination without one: https.
const DEFAULT_PORT: u16 = 443;

impl Destination {
    /// Reads a destination; `index` tells the index of an interface by its name, for scope ids.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn parse(
        text: &str,
        index: impl Fn(&str) -> Option<u32>,
    ) -> Result<Self, &'static str> {
        if text.contains('/') {
            return Err("a destination is no URL: only the name or address, and `:PORT`");
        }
        if let Some(rest) = text.strip_prefix('[') {
            let (address, port) = rest.split_once(']').ok_or("`[` without `]`")?;
            let port = match port.strip_prefix(':') {
                Some(port) => parse_port(port)?,
                None if port.is_empty() => DEFAULT_PORT,
                None => return Err("only `:PORT` may follow `]`"),
            };
            let (ip, scope) =
                parse_v6(address, index)?.ok_or("no IPv6 address between `[` and `]`")?;
            return Ok(Self::address(ip, port, scope));
        }
        if let Some((ip, scope)) = parse_v6(text, index)? {
            return Ok(Self::address(ip, DEFAULT_PORT, scope));
        }
        let (host, port) = match text.split_once(':') {
            Some((host, port)) => (host, parse_port(port)?),
            None => (text, DEFAULT_PORT),
        };
        if let Ok(ip) = host.parse::<IpAddr>() {
            return Ok(Self::Address(SocketAddr::new(ip, port)));
        }
        is_name(host)?;
        Ok(Self::Name(host.into(), port))
    }

    fn address(ip: Ipv6Addr, port: u16, scope: u32) -> Self {
        Self::Address(match ip.to_ipv4_mapped() {
            Some(v4) => SocketAddr::new(v4.into(), port),
            None => SocketAddrV6::new(ip, port, 0, scope).into(),
        })
    }
}

fn parse_port(text: &str) -> Result<u16, &'static str> {
    text.parse()
        .map_err(|_| "a port is a number from 0 to 65535")
}

/// An IPv6 address and its scope id; `None` where the text is no IPv6 address.
fn parse_v6(
    text: &str,
    index: impl Fn(&str) -> Option<u32>,
) -> Result<Option<(Ipv6Addr, u32)>, &'static str> {
    let (address, scope) = match text.split_once('%') {
        Some((address, scope)) => (address, Some(scope)),
        None => (text, None),
    };
    let Ok(ip) = address.parse() else {
        return Ok(None);
    };
    let scope = match scope {
        None => 0,
        Some(scope) => scope
            .parse()
            .ok()
            .or_else(|| index(scope))
            .ok_or("no interface of that name for the scope of the address")?,
    };
    Ok(Some((ip, scope)))
}

fn is_name(host: &str) -> Result<(), &'static str> {
    let labels: Vec<&str> = host.strip_suffix('.').unwrap_or(host).split('.').collect();
    if labels
        .iter()
        .any(|label| label.is_empty() || label.len() > 63)
        || host.len() > 254
    {
        return Err("neither an address nor a domain name");
    }
    let odd = |c: char| c.is_whitespace() || c.is_control() || "[]%@,".contains(c);
    if host.contains(odd)
        || labels
            .last()
            .is_some_and(|last| last.parse::<u64>().is_ok())
    {
        return Err("neither an address nor a domain name");
    }
    Ok(())
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => write!(f, "{}, port {}", address.ip(), address.port()),
            Self::Name(name, port) => write!(f, "{name}, port {port}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Destination, &'static str> {
        Destination::parse(text, |name| (name == "eth0").then_some(7))
    }

    #[test]
    fn what_people_type_is_understood() {
        for (text, expected) in [
            ("192.0.2.1", "192.0.2.1:443"),
            ("192.0.2.1:53", "192.0.2.1:53"),
            ("2001:db8::1", "[2001:db8::1]:443"),
            ("[2001:db8::1]", "[2001:db8::1]:443"),
            ("[2001:db8::1]:53", "[2001:db8::1]:53"),
            ("::ffff:192.0.2.1", "192.0.2.1:443"),
            ("fe80::1%eth0", "[fe80::1%7]:443"),
            ("[fe80::1%3]:80", "[fe80::1%3]:80"),
        ] {
            let expected = Destination::Address(expected.parse().unwrap());
            assert_eq!(parse(text), Ok(expected), "{text}");
        }
        assert_eq!(
            parse("who.test"),
            Ok(Destination::Name("who.test".into(), 443))
        );
        assert_eq!(
            parse("who.test.:80"),
            Ok(Destination::Name("who.test.".into(), 80))
        );
    }

    #[test]
    fn what_is_no_destination_is_refused() {
        for text in [
            "",
            ".",
            "a..b",
            "1.2.3",
            "300.1.1.1",
            "https://who.test/",
            "who.test:http",
            "a b",
            "[::1",
            "[::1]x",
            "[192.0.2.1]",
            "fe80::1%nosuch0",
            "192.0.2.1:65536",
            "user@host",
        ] {
            assert!(parse(text).is_err(), "{text:?}");
        }
    }
}
