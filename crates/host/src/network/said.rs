//! What a file says, word by word: servers, suffixes and domains that can be used, and what was
//! wrong with the others.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV6};

use mif_policy::{Dns, Server, Zone};

use super::Link;

/// More servers, suffixes or domains than this are left out.
const MAX_WORDS: usize = 64;
/// More faults than this are not told.
const MAX_FAULTS: usize = 8;
const DNS: u16 = 53;

/// What one file, or several of one agent, say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) servers: Vec<SocketAddr>,
    pub(super) search: Vec<Box<str>>,
    pub(super) zones: Vec<Zone>,
    /// What could not be understood, in words.
    pub(super) faults: Vec<String>,
}

impl Said {
    /// Servers, each in one of the forms of [`server`].
    pub(super) fn add_servers<'w>(
        &mut self,
        words: impl IntoIterator<Item = &'w str>,
        link: &Link<'_>,
    ) {
        for word in words {
            match server(word, link) {
                Ok(Some(server)) => add(&mut self.servers, server),
                Ok(None) => {}
                Err(why) => self.fault(word, why),
            }
        }
    }

    /// Suffixes for short names.
    pub(super) fn add_search<'w>(&mut self, words: impl IntoIterator<Item = &'w str>) {
        for word in words {
            match word.parse::<Zone>() {
                // The root is everybody's.
                Ok(zone) if zone.is_all() => {}
                Ok(zone) => add(&mut self.search, zone.to_string().into()),
                Err(why) => self.fault(word, why),
            }
        }
    }

    /// Domains whose names belong to these servers.
    pub(super) fn add_zones<'w>(&mut self, words: impl IntoIterator<Item = &'w str>) {
        for word in words {
            match word.parse::<Zone>() {
                Ok(zone) => add(&mut self.zones, zone),
                Err(why) => self.fault(word, why),
            }
        }
    }

    /// Adds what another file of the same agent says.
    pub(super) fn merge(&mut self, other: Self) {
        other
            .servers
            .into_iter()
            .for_each(|server| add(&mut self.servers, server));
        other
            .search
            .into_iter()
            .for_each(|suffix| add(&mut self.search, suffix));
        other
            .zones
            .into_iter()
            .for_each(|zone| add(&mut self.zones, zone));
        self.faults.extend(other.faults);
    }

    fn fault(&mut self, word: &str, why: &str) {
        if self.faults.len() < MAX_FAULTS {
            let word: String = word.chars().take(64).collect();
            self.faults.push(format!("{word:?}: {why}"));
        }
    }
}

impl From<Said> for Dns {
    fn from(said: Said) -> Self {
        Self {
            servers: said.servers.into_iter().map(Server::from).collect(),
            search: said.search,
            zones: said.zones,
            ..Self::default()
        }
    }
}

fn add<T: PartialEq>(list: &mut Vec<T>, item: T) {
    if list.len() < MAX_WORDS && !list.contains(&item) {
        list.push(item);
    }
}

/// `ADDRESS`, `ADDRESS:PORT`, `[IPV6]:PORT`, each with a `%SCOPE` behind the address or at the end,
/// and a `#NAME` of the certificate behind all (systemd-resolved). `None` for one of another
/// interface.
///
/// # Errors
/// Why it is no server of a network.
fn server(word: &str, link: &Link<'_>) -> Result<Option<SocketAddr>, &'static str> {
    const NOT: &str = "not the address of a DNS server";
    let address = word.split('#').next().unwrap_or(word);
    let (bare, scope) = match address.split_once('%') {
        None => (address.to_owned(), None),
        Some((before, after)) => {
            let (scope, rest) = after.split_at(after.find(']').unwrap_or(after.len()));
            (format!("{before}{rest}"), Some(scope))
        }
    };
    let with_port = || bare.parse::<SocketAddr>().ok();
    let in_brackets = bare
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    let alone = in_brackets.unwrap_or(&bare).parse::<IpAddr>();
    let server = match alone {
        Ok(ip) => SocketAddr::new(ip, DNS),
        Err(_) => with_port().ok_or(NOT)?,
    };
    let ip = server.ip().to_canonical();
    if server.port() == 0 || ip.is_unspecified() || ip.is_multicast() || is_broadcast(ip) {
        return Err(NOT);
    }
    if ip.is_loopback() {
        return Err("a server on this host, which asks by whichever network it likes");
    }
    if scope.is_some_and(|scope| scope != link.name && scope.parse() != Ok(link.index)) {
        return Ok(None);
    }
    Ok(Some(match ip {
        IpAddr::V6(ip) if ip.is_unicast_link_local() => {
            SocketAddrV6::new(ip, server.port(), 0, link.index).into()
        }
        ip => SocketAddr::new(ip, server.port()),
    }))
}

fn is_broadcast(ip: IpAddr) -> bool {
    ip == IpAddr::V4(Ipv4Addr::BROADCAST)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINK: Link<'_> = Link {
        index: 3,
        name: "wan1",
        has: &|_| true,
    };

    #[test]
    fn servers_in_all_forms_that_agents_write() {
        for (word, wanted) in [
            ("10.2.0.1", "10.2.0.1:53"),
            ("10.2.0.3:5353", "10.2.0.3:5353"),
            ("2001:db8::1", "[2001:db8::1]:53"),
            ("[2001:db8::1]:5353", "[2001:db8::1]:5353"),
            ("[2001:db8::1]", "[2001:db8::1]:53"),
            ("192.0.2.53#dns.example", "192.0.2.53:53"),
            ("fe80::1", "[fe80::1%3]:53"),
            ("fe80::1%wan1", "[fe80::1%3]:53"),
            ("fe80::1%3", "[fe80::1%3]:53"),
            ("[fe80::1]:5353%3#dns.example", "[fe80::1%3]:5353"),
            ("[fe80::1%wan1]:5353", "[fe80::1%3]:5353"),
            ("2001:db8::1%3", "[2001:db8::1]:53"),
            ("::ffff:10.2.0.1", "10.2.0.1:53"),
        ] {
            let found = server(word, &LINK).unwrap().unwrap();
            assert_eq!(found.to_string(), wanted, "{word}");
        }
        for word in ["fe80::1%wan0", "fe80::1%4", "[fe80::1]:53%33", "fe80::1%"] {
            assert_eq!(server(word, &LINK), Ok(None), "{word}");
        }
        for word in [
            "",
            "#x",
            "10.2.0",
            "dns.example",
            "10.2.0.1:0",
            "10.2.0.1:65536",
            "0.0.0.0",
            "::",
            "224.0.0.1",
            "ff02::1",
            "255.255.255.255",
            "127.0.0.53",
            "::1",
            "::ffff:127.0.0.1",
            "[",
            "]%[",
        ] {
            assert!(server(word, &LINK).is_err(), "{word}");
        }
    }

    #[test]
    fn words_that_are_wrong_are_told_and_left_out() {
        let mut said = Said::default();
        said.add_servers(["10.2.0.1", "what", "10.2.0.1"], &LINK);
        said.add_search(["B.test.", "a b", ".", "b.test"]);
        said.add_zones(["corp.test", ".", "..", "-"]);
        assert_eq!(said.servers.len(), 1);
        assert_eq!(said.search, ["b.test".into()]);
        let zones: Vec<String> = said.zones.iter().map(ToString::to_string).collect();
        assert_eq!(zones, ["corp.test", "."]);
        assert_eq!(said.faults.len(), 4, "{:?}", said.faults);
        said.add_search(["x"; 100].iter().enumerate().map(|_| "\u{0}"));
        assert_eq!(said.faults.len(), MAX_FAULTS);
    }
}
