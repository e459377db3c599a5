//! Lines of lists as nearly all are, read by hand: a prefix or an address of IPv4, or a name in lower
//! case, and nothing else. Every other line is read as in a rule, which knows what is wrong with it.

use std::net::Ipv4Addr;

use crate::names::{NamePattern, Prefix};

/// The prefix or the address that a line is, and what is behind the line.
pub(super) fn prefix(text: &str) -> Option<(Prefix, &str)> {
    let mut rest = text.as_bytes();
    let mut bits = 0;
    for nth in 0..4 {
        if nth > 0 {
            rest = rest.strip_prefix(b".")?;
        }
        let octet;
        (octet, rest) = number(rest)?;
        bits = bits << 8 | u32::from(octet);
    }
    let length = match rest {
        [b'/', behind @ ..] => {
            let length;
            (length, rest) = number(behind)?;
            length
        }
        // No host has this address.
        _ if bits == 0 => return None,
        _ => 32,
    };
    let address = Ipv4Addr::from(bits).into();
    let prefix = Prefix::new(address, length).filter(|prefix| prefix.network() == address)?;
    Some((prefix, &text[text.len() - next_line(rest)?.len()..]))
}

/// The name that a line is, with `*.` in front or without, and what is behind the line.
pub(super) fn name(text: &str) -> Option<(NamePattern, &str)> {
    let (name, make): (_, fn(Box<str>) -> NamePattern) = match text.strip_prefix("*.") {
        Some(below) => (below, NamePattern::Below),
        None => (text, NamePattern::Exact),
    };
    let (mut label, mut is_number, mut end) = (0, true, 0);
    let mut last = b'.';
    for byte in name.bytes() {
        match byte {
            b'a'..=b'z' | b'_' => is_number = false,
            b'0'..=b'9' => (),
            b'-' if label > 0 => is_number = false,
            b'.' if label > 0 && last != b'-' => {
                (label, is_number) = (0, true);
                (last, end) = (byte, end + 1);
                continue;
            }
            _ => break,
        }
        label += 1;
        if label > 63 {
            return None;
        }
        (last, end) = (byte, end + 1);
    }
    if end > 253 || is_number || matches!(last, b'.' | b'-') {
        return None;
    }
    let behind = next_line(&name.as_bytes()[end..])?;
    let behind = &text[text.len() - behind.len()..];
    // A word of the language, if nothing is in front of it.
    if name.len() == text.len() && &name[..end] == "private" {
        return None;
    }
    Some((make(name[..end].into()), behind))
}

/// What is behind the end of a line; `None` if it does not end here.
fn next_line(text: &[u8]) -> Option<&[u8]> {
    match text {
        [] => Some(text),
        [b'\n', behind @ ..] | [b'\r', b'\n', behind @ ..] => Some(behind),
        _ => None,
    }
}

/// A decimal number of at most 255 without a zero in front, and what is behind it.
fn number(text: &[u8]) -> Option<(u8, &[u8])> {
    let digit = |nth: usize| {
        let byte = text.get(nth)?;
        byte.is_ascii_digit().then(|| byte - b'0')
    };
    let first = digit(0)?;
    let Some(second) = digit(1) else {
        return Some((first, &text[1..]));
    };
    if first == 0 {
        return None;
    }
    let two = first * 10 + second;
    let Some(third) = digit(2) else {
        return Some((two, &text[2..]));
    };
    let three = two.checked_mul(10)?.checked_add(third)?;
    digit(3).is_none().then_some((three, &text[3..]))
}

#[cfg(test)]
mod tests {
    use super::super::words::{Destination, destination};
    use super::*;

    /// What is read by hand is what a rule would read.
    fn agrees(line: &str) -> bool {
        let prefix =
            prefix(line).map(|(prefix, behind)| (Destination::Prefixes(vec![prefix]), behind));
        let name = name(line).map(|(name, behind)| (Destination::Name(name), behind));
        assert!(prefix.is_none() || name.is_none(), "{line}");
        let Some((quickly, behind)) = prefix.or(name) else {
            return false;
        };
        assert!(behind.is_empty(), "{line}");
        assert_eq!(
            destination(line.trim_end_matches(['\r', '\n'])),
            Ok(quickly),
            "{line}"
        );
        true
    }

    #[test]
    fn prefixes_are_what_a_rule_reads() {
        let octets = [
            "0", "00", "01", "1", "10", "99", "128", "255", "256", "999", "1000", "", "a", " 1",
        ];
        let lengths = [
            "", "/", "/0", "/00", "/8", "/08", "/24", "/32", "/33", "/256", "/8 ", "/a", "/8/8",
            "#",
        ];
        for first in octets {
            for other in ["0", "1", "255", "256", "1.1"] {
                for length in lengths {
                    agrees(&format!("{first}.0.0.{other}{length}"));
                    agrees(&format!("{other}.{other}.{first}{length}"));
                    agrees(&format!("10.{other}.{first}.0{length}"));
                }
            }
        }
        for line in ["192.0.2.0/24", "192.0.2.7\r\n", "0.0.0.0/0\n", "10.0.0.0/8"] {
            assert!(agrees(line), "{line}");
        }
    }

    #[test]
    fn names_are_what_a_rule_reads() {
        let long = "a".repeat(63);
        let labels = [
            "",
            "a",
            "a-b",
            "-a",
            "a-",
            "_a",
            "7",
            "7a",
            "A",
            "é",
            "*",
            "a b",
            "-",
            &long,
            &format!("{long}a"),
        ];
        for first in labels {
            for second in labels {
                for form in [
                    "{}.{}",
                    "*.{}.{}",
                    "{}{}",
                    "*.{}{}",
                    "{}.{}.",
                    "{}..{}",
                    "private{}{}",
                ] {
                    agrees(&form.replacen("{}", first, 1).replacen("{}", second, 1));
                }
            }
        }
        let full = [&*long, &long, &long].join(".");
        for (rest, is_name) in [(61, true), (62, false)] {
            assert_eq!(agrees(&format!("{full}.{}", "b".repeat(rest))), is_name);
        }
        for line in ["host.example", "*.cdn.example\r\n", "a\n", "1.2.3.4a"] {
            assert!(agrees(line), "{line}");
        }
    }
}
