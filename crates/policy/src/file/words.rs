//! The words that values are made of: addresses, prefixes, domain names, ports. One
//! function a word, from text to value, with what is wrong and what would be right.

use std::net::{IpAddr, Ipv6Addr};
use std::ops::RangeInclusive;
use std::str::FromStr;

use crate::fault::{Wrong, quoted};
use crate::names::{NamePattern, Prefix, Zone};

/// `private`: RFC 1918, RFC 4193, and the link-local prefixes of RFC 3927 and RFC 4291.
const PRIVATE: [(&str, u8); 6] = [
    ("10.0.0.0", 8),
    ("172.16.0.0", 12),
    ("192.168.0.0", 16),
    ("169.254.0.0", 16),
    ("fc00::", 7),
    ("fe80::", 10),
];

/// One entry of `to`.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Destination {
    Prefixes(Vec<Prefix>),
    Name(NamePattern),
}

/// An entry of `to`.
pub(super) fn destination(word: &str) -> Result<Destination, Wrong> {
    if word == "private" {
        let prefixes = PRIVATE
            .iter()
            .filter_map(|&(ip, length)| prefix_of(ip, length))
            .collect();
        return Ok(Destination::Prefixes(prefixes));
    }
    if word.eq_ignore_ascii_case("private") {
        return Err(wrong(
            word,
            "is not a destination",
            "`private` in lower case",
        ));
    }
    if word.contains("://") {
        return Err(wrong(
            word,
            "is a URL",
            "the name or the address in it alone",
        ));
    }
    if word.contains('%') {
        let right = "no scope id: an address with one has named its interface and keeps it";
        return Err(wrong(word, "has a scope id", right));
    }
    if let Some((network, length)) = word.split_once('/') {
        return prefix(word, network, length).map(|prefix| Destination::Prefixes(vec![prefix]));
    }
    if word.parse::<IpAddr>().is_ok() {
        let ip = address(word)?;
        let length = if ip.is_ipv4() { 32 } else { 128 };
        return Ok(Destination::Prefixes(
            Prefix::new(ip, length).into_iter().collect(),
        ));
    }
    if word.contains(':') {
        let right = "an address, a prefix or a name; a port has its own key, `port`";
        return Err(wrong(word, "is not a destination", right));
    }
    match word.strip_prefix("*.") {
        Some(suffix) => domain(word, suffix).map(NamePattern::Below),
        None => domain(word, word).map(NamePattern::Exact),
    }
    .map(Destination::Name)
}

/// An IP address that packets can carry.
pub(super) fn address(word: &str) -> Result<IpAddr, Wrong> {
    let right = "an address such as 192.0.2.7 or 2001:db8::7";
    if word.contains('%') {
        return Err(wrong(word, "has a scope id", "the address without it"));
    }
    let ip: IpAddr = word
        .parse()
        .map_err(|_| wrong(word, "is not an IP address", right))?;
    if ip.to_canonical() != ip {
        let right = format!("`{}`", ip.to_canonical());
        return Err(wrong(word, "is an IPv4-mapped address", &right));
    }
    if ip.is_unspecified() {
        return Err(wrong(word, "is no host's address", right));
    }
    Ok(ip)
}

/// A source address, which is unicast.
pub(super) fn source(word: &str) -> Result<IpAddr, Wrong> {
    let ip = address(word)?;
    if ip.is_multicast() || ip == IpAddr::from([255; 4]) {
        return Err(wrong(
            word,
            "cannot be a source",
            "a unicast address of this host",
        ));
    }
    Ok(ip)
}

/// A suffix of a search list.
pub(super) fn suffix(word: &str) -> Result<Box<str>, Wrong> {
    domain(word, word)
}

/// A part of the DNS, by its topmost name.
pub(super) fn zone(word: &str) -> Result<Zone, Wrong> {
    if word == "." {
        return Ok(Zone::new("".into()));
    }
    if let Some(domain) = word.strip_prefix("*.") {
        let right = format!("`{domain}`, which holds all names below it too");
        return Err(wrong(word, "is not a zone", &right));
    }
    domain(word, word).map(Zone::new)
}

impl FromStr for Zone {
    type Err = &'static str;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        zone(word).map_err(|_| "not a domain name")
    }
}

/// A prefix of an address selection table, in which IPv4 is `::ffff:0:0/96` (RFC 6724 2.1).
pub(super) fn table_prefix(word: &str) -> Result<(Ipv6Addr, u8), Wrong> {
    let right = "a prefix such as 2001:db8::/32 or 0.0.0.0/0";
    let Some((network, length)) = word.split_once('/') else {
        return Err(wrong(word, "is not a prefix", right));
    };
    let prefix = match network.parse::<IpAddr>() {
        // The RFC's own notation, which is wrong where packets are meant.
        Ok(IpAddr::V6(v6)) if v6.to_ipv4_mapped().is_some() => {
            let shorter = length
                .parse::<u8>()
                .ok()
                .and_then(|all| all.checked_sub(96));
            let Some((v4, length)) = v6.to_ipv4_mapped().zip(shorter) else {
                return Err(wrong(word, "is not a prefix", "a length from 96 to 128"));
            };
            prefix(word, &v4.to_string(), &length.to_string())?
        }
        _ => prefix(word, network, length)?,
    };
    Ok(prefix.mapped())
}

/// `LOW-HIGH`.
pub(super) fn ports(word: &str) -> Result<RangeInclusive<u16>, Wrong> {
    if word.parse::<u16>().is_ok() {
        return Err(wrong(
            word,
            "is a string",
            &format!("the integer {word}, without quotes"),
        ));
    }
    let right = "\"LOW-HIGH\", each from 1 to 65535";
    let ends = word.split_once('-').and_then(|(low, high)| {
        Some((
            low.trim().parse::<u16>().ok()?,
            high.trim().parse::<u16>().ok()?,
        ))
    });
    match ends {
        Some((low, high)) if low > high => Err(wrong(
            word,
            "is empty",
            &format!("the lower port first: \"{high}-{low}\""),
        )),
        Some((low, high)) if low > 0 => Ok(low..=high),
        _ => Err(wrong(word, "is not a range of ports", right)),
    }
}

/// The name of a provisioning domain, one that `use` and `-i` can say.
pub(super) fn pvd_name(word: &str) -> Result<Box<str>, Wrong> {
    let right = "a name without commas and control characters";
    if word.is_empty() {
        return Err(Wrong::new(
            "a provisioning domain's name is empty",
            format!("expected {right}"),
        ));
    }
    if word == "system" || word == "none" {
        let right = "another name: this one has a meaning of its own in `use`";
        return Err(wrong(word, "cannot name a provisioning domain", right));
    }
    if word.contains(',') || word.chars().any(char::is_control) || word.trim() != word {
        return Err(wrong(word, "cannot name a provisioning domain", right));
    }
    Ok(word.into())
}

fn prefix(word: &str, network: &str, length: &str) -> Result<Prefix, Wrong> {
    let right = "a prefix such as 10.0.0.0/8 or 2001:db8::/32";
    let Ok(ip) = network.parse::<IpAddr>() else {
        return Err(wrong(word, "is not a prefix", right));
    };
    let max = if ip.is_ipv4() { 32 } else { 128 };
    // `+8` and `08` are numbers to Rust and slips of the pen to everyone else.
    let is_plain = length == "0" || !length.starts_with(['+', '0']);
    let digits = length.parse::<u8>().ok().filter(|_| is_plain);
    let prefix = digits.and_then(|length| Some((Prefix::new(ip, length)?, length)));
    let Some((prefix, length)) = prefix else {
        return Err(wrong(
            word,
            "is not a prefix",
            &format!("a length from 0 to {max}"),
        ));
    };
    if ip.to_canonical() != ip {
        let right = match length
            .checked_sub(96)
            .and_then(|l| Prefix::new(ip.to_canonical(), l))
        {
            Some(prefix) => format!("`{prefix}`"),
            None => right.to_owned(),
        };
        return Err(wrong(word, "is an IPv4-mapped prefix", &right));
    }
    if prefix.network() != ip {
        let right = format!("`{prefix}`, or `{ip}` for the one address");
        return Err(wrong(word, "has bits set behind its length", &right));
    }
    Ok(prefix)
}

fn prefix_of(ip: &str, length: u8) -> Option<Prefix> {
    Prefix::new(ip.parse().ok()?, length)
}

/// The labels of a domain name (RFC 1035 2.3.4, RFC 1123 2.1; underscores as in service names) in
/// lower case, without the trailing dot.
pub(super) fn domain(word: &str, name: &str) -> Result<Box<str>, Wrong> {
    let not = |right: &str| Err(wrong(word, "is not a domain name", right));
    let name = name.strip_suffix('.').unwrap_or(name);
    if name.is_empty() {
        return not("a name such as host.example");
    }
    if !name.is_ascii() {
        return not("the name as the DNS has it, with xn-- labels");
    }
    if name.contains('*') {
        return not("`*` only as the first label, as in `*.corp.example`");
    }
    if name.len() > 253 {
        return not("at most 253 letters");
    }
    for label in name.split('.') {
        if label.is_empty() || label.len() > 63 {
            return not("labels of 1 to 63 letters between the dots");
        }
        let right = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if !label.chars().all(right) || label.starts_with('-') || label.ends_with('-') {
            return not("labels of letters, digits, `-` and `_`, without `-` at either end");
        }
    }
    let last = name.rsplit('.').next().unwrap_or(name);
    if last.bytes().all(|byte| byte.is_ascii_digit()) {
        return not("a last label that is not a number, or a whole address");
    }
    Ok(name.to_ascii_lowercase().into())
}

pub(super) fn wrong(word: &str, what: &str, right: &str) -> Wrong {
    Wrong::new(
        format!("{} {what}", quoted(word)),
        format!("expected {right}"),
    )
}
