//! Domain names as they stand in options: labels behind their lengths, never compressed (RFC 1035
//! 3.1).

use std::fmt;

use crate::octets::{Fault, Octets};

/// A domain name of letters, digits, `-` and `_`, in lower case and without the trailing dot: names
/// are compared without regard to case (RFC 8801 3.4), and what a network sends may end up on a
/// terminal or in a file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(Box<str>);

/// RFC 1035 2.3.4, with the lengths of all labels and the root's.
const LONGEST: usize = 255;
const LONGEST_LABEL: u8 = 63;

impl Name {
    /// A name as text, with or without the trailing dot. `None` for one that is none, and for the
    /// root.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let text = text.strip_suffix('.').unwrap_or(text);
        let fits = text.len() + 2 <= LONGEST;
        let is_label =
            |label: &str| label.len() <= usize::from(LONGEST_LABEL) && is_label(label.as_bytes());
        let is_name = fits && text.split('.').all(is_label);
        is_name.then(|| Self(text.to_ascii_lowercase().into()))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Reads a name; what stands behind it is left.
    ///
    /// # Errors
    /// It goes beyond its part, is compressed, too long or empty, or has other characters.
    pub(crate) fn read(octets: &mut Octets<'_>) -> Result<Self, Fault> {
        let start = *octets;
        let mut text = String::new();
        loop {
            let here = *octets;
            let length = octets.u8("a label's length")?;
            if length > LONGEST_LABEL {
                return Err(here.fault("a label has more than 63 octets, or is compressed"));
            }
            if length == 0 {
                break;
            }
            let label = octets.part(length.into(), "a label")?.rest();
            if !is_label(label) {
                return Err(
                    here.fault("a label has other characters than letters, digits, - and _")
                );
            }
            if !text.is_empty() {
                text.push('.');
            }
            text.extend(
                label
                    .iter()
                    .map(|octet| char::from(octet.to_ascii_lowercase())),
            );
            if text.len() + 2 > LONGEST {
                return Err(start.fault("a name has more than 255 octets"));
            }
        }
        if text.is_empty() {
            return Err(start.fault("a name is empty"));
        }
        Ok(Self(text.into()))
    }
}

fn is_label(label: &[u8]) -> bool {
    let is_allowed = |octet: &u8| octet.is_ascii_alphanumeric() || b"-_".contains(octet);
    !label.is_empty() && label.iter().all(is_allowed)
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(wire: &[u8]) -> Result<Name, String> {
        Name::read(&mut Octets::new(wire)).map_err(|fault| fault.to_string())
    }

    #[test]
    fn names_are_read_in_lower_case() {
        let name = read(b"\x03PvD\x07Example\x03org\x00").unwrap();
        assert_eq!(name.as_str(), "pvd.example.org");
        assert_eq!(Some(name), Name::new("pvd.EXAMPLE.org."));
    }

    #[test]
    fn what_is_no_name() {
        for (wire, why) in [
            (
                &b""[..],
                "octet 0: a label's length needs 1 octets, and 0 are left",
            ),
            (b"\x00", "octet 0: a name is empty"),
            (b"\x03pv", "octet 1: a label needs 3 octets, and 2 are left"),
            (
                b"\x03pvd",
                "octet 4: a label's length needs 1 octets, and 0 are left",
            ),
            (
                b"\xc0\x0c",
                "octet 0: a label has more than 63 octets, or is compressed",
            ),
            (
                b"\x03p\x1bd\x00",
                "octet 0: a label has other characters than letters, digits, - and _",
            ),
        ] {
            assert_eq!(read(wire).unwrap_err(), why);
        }
        let mut long = b"\x3f".repeat(64 * 4);
        long.iter_mut()
            .enumerate()
            .filter(|(n, _)| n % 64 != 0)
            .for_each(|(_, octet)| *octet = b'a');
        long.push(0);
        assert_eq!(
            read(&long).unwrap_err(),
            "octet 0: a name has more than 255 octets"
        );
        for text in [
            "",
            ".",
            "a..b",
            "a b",
            "caf\u{e9}.example",
            &"a".repeat(64),
            &"a.".repeat(128),
        ] {
            assert_eq!(Name::new(text), None, "{text}");
        }
    }
}
