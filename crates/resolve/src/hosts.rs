//! Names from the text of a hosts(5) file. Pure: whoever has the file reads it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::SplitAsciiWhitespace;

use crate::{Answer, Ask};

/// The addresses that `text` gives `name` in the families asked for, in the order of its lines;
/// `None` if it gives none. Names are compared without regard to case, and a name may stand in
/// several lines, as with `multi on` of host.conf(5). Lines without a valid address are passed
/// over. `localhost` and what is below it is loopback even if the text does not say so (RFC 6761
/// section 6.3, and glibc's own habit).
#[must_use]
pub fn lookup(text: &str, name: &str, ask: Ask) -> Option<Answer> {
    let mut canonical = None;
    let mut addresses = Vec::new();
    for mut words in lines(text) {
        let Some(Ok(address)) = words.next().map(str::parse::<IpAddr>) else {
            continue;
        };
        let Some(first) = words.clone().next() else {
            continue;
        };
        if !wanted(address, ask) || !words.any(|word| word.eq_ignore_ascii_case(name)) {
            continue;
        }
        canonical.get_or_insert(first);
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    match canonical {
        Some(first) => Some(Answer {
            canonical: first.to_owned(),
            addresses,
        }),
        None if is_localhost(name) => {
            addresses.push(IpAddr::V6(Ipv6Addr::LOCALHOST));
            addresses.push(IpAddr::V4(Ipv4Addr::LOCALHOST));
            addresses.retain(|&address| wanted(address, ask));
            let canonical = name.strip_suffix('.').unwrap_or(name).to_owned();
            Some(Answer {
                canonical,
                addresses,
            })
        }
        None => None,
    }
}

/// The names that the first line with `address` gives it, the canonical one first; `None` if there
/// is no such line.
#[must_use]
pub fn reverse(text: &str, address: IpAddr) -> Option<Vec<String>> {
    lines(text).find_map(|mut words| {
        let found = words.next()?.parse() == Ok(address);
        let names: Vec<_> = words.map(str::to_owned).collect();
        (found && !names.is_empty()).then_some(names)
    })
}

/// The addresses in `text`, each with the names of its line.
pub fn entries(text: &str) -> impl Iterator<Item = (IpAddr, impl Iterator<Item = &str>)> {
    lines(text).filter_map(|mut words| Some((words.next()?.parse().ok()?, words)))
}

/// Every name in `text`, also of lines without a valid address: what is not among them, [`lookup`]
/// does not find.
pub fn names(text: &str) -> impl Iterator<Item = &str> {
    lines(text).flat_map(|words| words.skip(1))
}

/// Every address in `text`, also of lines without a name: what is not among them, [`reverse`] does
/// not find.
pub fn addresses(text: &str) -> impl Iterator<Item = IpAddr> {
    entries(text).map(|(address, _)| address)
}

/// The words of each line, without comments.
fn lines(text: &str) -> impl Iterator<Item = SplitAsciiWhitespace<'_>> {
    text.lines().map(|line| {
        let line = line.split('#').next().unwrap_or_default();
        line.split_ascii_whitespace()
    })
}

fn wanted(address: IpAddr, ask: Ask) -> bool {
    match ask {
        Ask::V4 => address.is_ipv4(),
        Ask::V6 => address.is_ipv6(),
        Ask::Both => true,
    }
}

fn is_localhost(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    let last = name.rsplit('.').next().unwrap_or_default();
    last.eq_ignore_ascii_case("localhost")
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
# 192.0.2.99 commented.test
127.0.0.1\tlocalhost
192.0.2.1  Who.test who  # the first of two
2001:db8::1 who.test\r
192.0.2.1  who.test
  192.0.2.2 other alias who
192.0.2.3#nothing
not-an-address who
fe80::1%eth0 who
192.0.2.4
";

    #[test]
    fn lines_with_the_name_add_up() {
        for (name, ask, canonical, wanted) in [
            (
                "who.test",
                Ask::Both,
                "Who.test",
                &["192.0.2.1", "2001:db8::1"][..],
            ),
            ("WHO.TEST", Ask::V6, "who.test", &["2001:db8::1"]),
            ("who", Ask::Both, "Who.test", &["192.0.2.1", "192.0.2.2"]),
            ("alias", Ask::V4, "other", &["192.0.2.2"]),
            ("localhost", Ask::Both, "localhost", &["127.0.0.1"]),
            ("localhost", Ask::V6, "localhost", &["::1"]),
            (
                "a.LocalHost.",
                Ask::Both,
                "a.LocalHost",
                &["::1", "127.0.0.1"],
            ),
        ] {
            let answer = lookup(TEXT, name, ask).unwrap_or_else(|| panic!("{name}"));
            assert_eq!(answer.canonical, canonical, "{name}");
            let found: Vec<_> = answer.addresses.iter().map(ToString::to_string).collect();
            assert_eq!(found, wanted, "{name}");
        }
        for name in [
            "commented.test",
            "nothing",
            "192.0.2.4",
            "wh",
            "",
            "notlocalhost",
            "who.",
        ] {
            assert_eq!(lookup(TEXT, name, Ask::Both), None, "{name}");
        }
        assert_eq!(lookup(TEXT, "alias", Ask::V6), None);
        let all: Vec<_> = names(TEXT).collect();
        let wanted = "localhost Who.test who who.test who.test other alias who who who";
        assert_eq!(all.join(" "), wanted);
        let all: Vec<_> = addresses(TEXT).map(|one| one.to_string()).collect();
        let wanted = "127.0.0.1 192.0.2.1 2001:db8::1 192.0.2.1 192.0.2.2 192.0.2.3 192.0.2.4";
        assert_eq!(all.join(" "), wanted);
    }

    #[test]
    fn the_first_line_with_an_address_names_it() {
        for (address, names) in [
            ("192.0.2.1", Some(&["Who.test", "who"][..])),
            ("2001:db8:0::1", Some(&["who.test"])),
            ("192.0.2.2", Some(&["other", "alias", "who"])),
            ("192.0.2.3", None),
            ("192.0.2.4", None),
            ("192.0.2.99", None),
        ] {
            let found = reverse(TEXT, address.parse().unwrap());
            let found: Option<Vec<_>> = found
                .as_ref()
                .map(|names| names.iter().map(String::as_str).collect());
            assert_eq!(found.as_deref(), names, "{address}");
        }
    }
}
