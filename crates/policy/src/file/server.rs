//! DNS servers as words: addresses, and `tls://` and `https://` in front of them.

use std::net::{IpAddr, SocketAddr};

use super::words::{address, domain, wrong};
use crate::fault::Wrong;
use crate::server::{DnsTransport, Server, ServerName};

const PLAIN: &str = "an address, ADDRESS:PORT or [IPV6]:PORT";
const TLS: &str = "tls://ADDRESS, with :PORT and #NAME of its certificate if need be";
const HTTPS: &str = "https://ADDRESS/PATH, with :PORT and #NAME of its certificate if need be";
/// The path that RFC 8484 uses in its examples, and everybody has.
const PATH: &str = "/dns-query";

/// A recursive resolver.
pub(super) fn server(word: &str) -> Result<Server, Wrong> {
    match word.split_once("://") {
        None => place(word, word, &DnsTransport::Do53, PLAIN).map(Server::from),
        Some(("tls", rest)) => {
            let (at, name) = name(rest)?;
            encrypted(word, at, DnsTransport::DoT { name }, TLS)
        }
        Some(("https", rest)) => {
            let (rest, name) = name(rest)?;
            let (at, path) = match rest.find('/') {
                Some(slash) => (&rest[..slash], path(word, &rest[slash..])?),
                None => (rest, PATH),
            };
            let path = path.into();
            encrypted(word, at, DnsTransport::DoH { name, path }, HTTPS)
        }
        Some(("quic" | "h3", _)) => {
            let right = "tls:// or https://, which are spoken over TCP";
            Err(wrong(word, "is spoken over QUIC", right))
        }
        Some(_) => Err(wrong(word, "is not a DNS server", PLAIN)),
    }
}

fn encrypted(word: &str, at: &str, transport: DnsTransport, right: &str) -> Result<Server, Wrong> {
    let host = at.rsplit_once(':').map_or(at, |(host, _)| host);
    if domain(word, host).is_ok() {
        // Nobody could be asked where it is.
        let right =
            format!("the address, with the name of its certificate behind it: ADDRESS#{host}");
        return Err(wrong(word, "has a name where the address belongs", &right));
    }
    Ok(Server {
        address: place(word, at, &transport, right)?,
        transport,
    })
}

/// An address with or without a port. Brackets are for IPv6, and without a port optional.
fn place(word: &str, at: &str, transport: &DnsTransport, right: &str) -> Result<SocketAddr, Wrong> {
    if at.contains('%') {
        let right = "the address without it: a server is asked on its domain's interface";
        return Err(wrong(word, "has a scope id", right));
    }
    let bare = at.strip_prefix('[').and_then(|at| at.strip_suffix(']'));
    let bare = bare.filter(|_| *transport != DnsTransport::Do53);
    if bare.unwrap_or(at).parse::<IpAddr>().is_ok() {
        let ip = address(bare.unwrap_or(at))?;
        return Ok(SocketAddr::new(ip, transport.port()));
    }
    let Ok(place) = at.parse::<SocketAddr>() else {
        return Err(wrong(word, "is not a DNS server", right));
    };
    address(&place.ip().to_string())?;
    if place.port() == 0 {
        return Err(wrong(word, "has port 0", "a port from 1 to 65535"));
    }
    Ok(place)
}

/// What stands before `#`, and whom the certificate has to be for.
fn name(rest: &str) -> Result<(&str, ServerName), Wrong> {
    match rest.split_once('#') {
        None => Ok((rest, ServerName::Address)),
        Some((at, name)) => Ok((at, ServerName::Domain(domain(name, name)?))),
    }
}

/// The path of the URI. Questions go by POST, for which a template has no variable.
fn path<'w>(word: &str, path: &'w str) -> Result<&'w str, Wrong> {
    let path = path.strip_suffix("{?dns}").unwrap_or(path);
    let right = |c: char| c.is_ascii_graphic() && !"\"<>\\^`{|}".contains(c);
    if path.chars().all(right) {
        Ok(path)
    } else {
        let right = format!("a path such as {PATH}");
        Err(wrong(word, "has a path that is no URI's", &right))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_read_and_written() {
        for (word, shown) in [
            ("192.0.2.53", ""),
            ("192.0.2.53:53", "192.0.2.53"),
            ("[2001:db8::53]:5353", ""),
            ("2001:db8::53", ""),
            ("tls://192.0.2.53#dns.example", ""),
            (
                "tls://192.0.2.53:853#DNS.Example.",
                "tls://192.0.2.53#dns.example",
            ),
            ("tls://192.0.2.53", ""),
            ("tls://2001:db8::53", "tls://[2001:db8::53]"),
            ("tls://[2001:db8::53]:8853#dns.example", ""),
            (
                "https://192.0.2.53#dns.example",
                "https://192.0.2.53/dns-query#dns.example",
            ),
            (
                "https://192.0.2.53/dns-query{?dns}",
                "https://192.0.2.53/dns-query",
            ),
            ("https://[2001:db8::53]:8443/a/b?c=d#dns.example", ""),
        ] {
            let shown = if shown.is_empty() { word } else { shown };
            assert_eq!(server(word).unwrap().to_string(), shown, "{word}");
            assert_eq!(server(shown).unwrap(), server(word).unwrap());
        }
    }
}
