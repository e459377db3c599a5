//! Leases of ISC dhclient (dhclient.leases(5)): a file that it appends to, in which the last lease
//! of an interface is the one that counts.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use super::files::Files;
use super::said::Said;
use super::{Found, Link};

/// Where Debian's and Red Hat's dhclient keep them, with or without the interface's name.
const V4: [(&str, &str); 4] = [
    ("var/lib/dhcp/dhclient.", ".leases"),
    ("var/lib/dhcp/dhclient.leases", ""),
    ("var/lib/dhclient/dhclient-", ".lease"),
    ("var/lib/dhclient/dhclient.leases", ""),
];
const V6: [(&str, &str); 4] = [
    ("var/lib/dhcp/dhclient6.", ".leases"),
    ("var/lib/dhcp/dhclient6.leases", ""),
    ("var/lib/dhclient/dhclient6-", ".lease"),
    ("var/lib/dhclient/dhclient6.leases", ""),
];

/// The lease of an interface.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Lease {
    pub(super) said: Said,
    /// When it ends; `None` is never.
    pub(super) until: Option<SystemTime>,
}

pub(super) fn of(files: &mut Files<'_>, link: &Link<'_>) -> Option<Found> {
    let v4 = newest_of(files, &V4, link);
    let v6 = newest_of(files, &V6, link);
    match (v4, v6) {
        (Some(mut v4), Some(v6)) => {
            v4.merge(v6);
            Some(v4)
        }
        (v4, v6) => v4.or(v6),
    }
}

/// Of the files that have a lease, that whose lease ends last.
fn newest_of(files: &mut Files<'_>, places: &[(&str, &str)], link: &Link<'_>) -> Option<Found> {
    let mut newest: Option<Found> = None;
    for (before, after) in places {
        let path = match *after {
            "" => (*before).to_owned(),
            _ => format!("{before}{}{after}", link.name),
        };
        let Some((file, text)) = files.text(&path) else {
            continue;
        };
        let lease = newest_in(files, file, &text, link);
        let ends = |found: &Found| (found.until.is_none(), found.until);
        if !lease.said.servers.is_empty()
            && newest
                .as_ref()
                .is_none_or(|newest| ends(newest) < ends(&lease))
        {
            newest = Some(lease);
        }
    }
    newest
}

fn newest_in(files: &mut Files<'_>, file: PathBuf, text: &str, link: &Link<'_>) -> Found {
    let lease = newest(text, link, files.now);
    Found {
        until: lease.until,
        ..Found::new(files, file, lease.said)
    }
}

/// The last lease of the interface in a text, if it counts now. Where one is malformed, the last is
/// not known, and none counts.
pub(super) fn newest(text: &str, link: &Link<'_>, now: SystemTime) -> Lease {
    let mut newest = Lease::default();
    let mut tokens = Tokens(text);
    while let Some(token) = tokens.next() {
        // Between leases stand `default-duid "…";` and the like.
        if !matches!(token, Token::Word("lease" | "lease6")) {
            continue;
        }
        let Some(read) = Reading::of(&mut tokens, link) else {
            let mut nothing = Lease::default();
            nothing.said.faults.push("a lease is malformed".to_owned());
            return nothing;
        };
        if read.ours {
            newest = read.lease_if_it_counts(link, now);
        }
    }
    newest
}

/// A lease as it is written.
#[derive(Default)]
struct Reading {
    lease: Lease,
    ours: bool,
    released: bool,
    addresses: Vec<IpAddr>,
}

impl Reading {
    /// Reads one lease, from its `{` on; `None` where it is malformed.
    fn of(tokens: &mut Tokens<'_>, link: &Link<'_>) -> Option<Self> {
        if tokens.next()? != Token::Open {
            return None;
        }
        let mut read = Self::default();
        let said = &mut read.lease.said;
        let (mut depth, mut starts) = (1, None);
        while depth > 0 {
            let statement = statement(tokens)?;
            match &statement.words[..] {
                ["interface", name] => read.ours = *name == link.name,
                ["released"] => read.released = true,
                ["fixed-address" | "iaaddr", address] => {
                    read.addresses.push(address.parse().ok()?);
                }
                ["starts", seconds] => starts = Some(seconds.parse::<u64>().ok()?),
                // All ones is for ever (RFC 8415).
                ["expire", "never"] | ["max-life", "4294967295"] => read.lease.until = None,
                ["expire", time @ ..] => read.lease.until = Some(expires(time)?),
                ["max-life", seconds] => {
                    let end = seconds.parse::<u32>().ok()?;
                    read.lease.until = Some(epoch(starts?.checked_add(end.into())?)?);
                }
                [
                    "option",
                    "domain-name-servers" | "dhcp6.name-servers",
                    servers @ ..,
                ] => {
                    said.add_servers(servers.iter().copied(), link);
                }
                [
                    "option",
                    "domain-name" | "domain-search" | "dhcp6.domain-search",
                    names @ ..,
                ] => {
                    said.add_search(names.iter().copied());
                }
                _ => {}
            }
            match statement.end {
                Token::Open => depth += 1,
                Token::Close => depth -= 1,
                _ => {}
            }
        }
        Some(read)
    }

    fn lease_if_it_counts(self, link: &Link<'_>, now: SystemTime) -> Lease {
        let ended = self.lease.until.is_some_and(|until| until <= now);
        // One that came without an address (`dhclient -S`) has none to compare.
        let elsewhere =
            !self.addresses.is_empty() && !self.addresses.iter().any(|&ip| (link.has)(ip));
        if self.released || ended || elsewhere {
            Lease::default()
        } else {
            self.lease
        }
    }
}

/// `W YYYY/MM/DD hh:mm:ss` in UTC, or `epoch SECONDS`.
fn expires(words: &[&str]) -> Option<SystemTime> {
    match words {
        ["epoch", seconds] => epoch(seconds.parse().ok()?),
        [_, date, time] => {
            let [year, month, day] = numbers(date, '/')?;
            let [hour, minute, second] = numbers(time, ':')?;
            epoch(days(year, month, day)? * 86400 + hour * 3600 + minute * 60 + second)
        }
        _ => None,
    }
}

fn numbers(text: &str, separator: char) -> Option<[u64; 3]> {
    let mut parts = text.split(separator).map(|part| part.parse::<u16>().ok());
    let numbers = [parts.next()??, parts.next()??, parts.next()??];
    parts.next().is_none().then(|| numbers.map(u64::from))
}

/// Days from 1970-01-01 to a date of the Gregorian calendar.
fn days(year: u64, month: u64, day: u64) -> Option<u64> {
    const BEFORE: [u64; 12] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];
    let before = BEFORE.get(usize::try_from(month.checked_sub(1)?).ok()?)?;
    let leap_days = |year: u64| year / 4 - year / 100 + year / 400;
    let is_leap = leap_days(year) - leap_days(year.checked_sub(1)?) == 1;
    let this_year = before + day.checked_sub(1)? + u64::from(is_leap && month > 2);
    let years = (year.checked_sub(1970)?) * 365 + leap_days(year - 1) - leap_days(1969);
    Some(years + this_year)
}

fn epoch(seconds: u64) -> Option<SystemTime> {
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds))
}

/// Words up to `;`, `{` or `}`.
struct Statement<'t> {
    words: Vec<&'t str>,
    end: Token<'t>,
}

fn statement<'t>(tokens: &mut Tokens<'t>) -> Option<Statement<'t>> {
    let mut words = Vec::new();
    loop {
        match tokens.next()? {
            Token::Word(word) => words.push(word),
            Token::Comma => {}
            end => return Some(Statement { words, end }),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token<'t> {
    /// Without its quotes, if it has any. With backslashes inside it is no name or address.
    Word(&'t str),
    Open,
    Close,
    End,
    Comma,
}

struct Tokens<'t>(&'t str);

impl<'t> Iterator for Tokens<'t> {
    type Item = Token<'t>;

    fn next(&mut self) -> Option<Token<'t>> {
        let mut text = self.0.trim_start();
        while let Some(comment) = text.strip_prefix('#') {
            text = comment.split_once('\n')?.1.trim_start();
        }
        let (token, rest) = match text.chars().next()? {
            '{' => (Token::Open, &text[1..]),
            '}' => (Token::Close, &text[1..]),
            ';' => (Token::End, &text[1..]),
            ',' => (Token::Comma, &text[1..]),
            '"' => {
                let end = end_of_quote(&text[1..])?;
                (Token::Word(&text[1..=end]), &text[end + 2..])
            }
            _ => {
                let ends = |c: char| c.is_whitespace() || "{};,\"".contains(c);
                let end = text.find(ends).unwrap_or(text.len());
                (Token::Word(&text[..end]), &text[end..])
            }
        };
        self.0 = rest;
        Some(token)
    }
}

/// Where the quote ends, a backslash before it not counted.
fn end_of_quote(text: &str) -> Option<usize> {
    let mut escaped = false;
    text.bytes().position(|byte| {
        let ends = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends
    })
}
