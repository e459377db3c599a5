//! Which provisioning domain.

use std::fmt;
use std::str::FromStr;

use crate::layout::PvdId;

/// The identifier of a provisioning domain (draft-ietf-mif-mpvd-id-02).
///
/// It is written with its kind in front, `utf8:lte`, `fqdn:pvd.example`, `if:wan1`, and read so. What people
/// type has no kind: [`Api::find`](crate::Api::find) knows which domain that is.
///
/// ```
/// use mif_api::{Pvd, PvdKind};
///
/// let pvd: Pvd = "if:wan1".parse()?;
/// assert_eq!((pvd.kind(), pvd.name()), (PvdKind::Interface, "wan1"));
/// assert_eq!(pvd.to_string(), "if:wan1");
/// # Ok::<(), mif_api::ParsePvdError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Pvd {
    kind: PvdKind,
    name: Box<str>,
}

/// Where the name of a domain comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum PvdKind {
    /// A `[pvd.NAME]` of `pvds.toml`: `utf8:NAME`.
    Utf8,
    /// The network announces it (RFC 8801), a domain name: `fqdn:NAME`.
    Fqdn,
    /// The implicit domain of an interface (RFC 7556 section 3.1): `if:NAME`.
    Interface,
}

/// A text that is no identifier of a domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ParsePvdError(());

impl Pvd {
    /// The longest name, in octets.
    pub const MAX: usize = 253;

    /// The domain of this kind and name. Whether there is such a domain is not asked.
    ///
    /// # Errors
    /// The name is empty, longer than [`Pvd::MAX`] octets, or has a NUL in it.
    pub fn new(kind: PvdKind, name: &str) -> Result<Self, ParsePvdError> {
        if name.is_empty() || name.len() > Self::MAX || name.contains('\0') {
            return Err(ParsePvdError(()));
        }
        let name = name.into();
        Ok(Self { kind, name })
    }

    /// Where its name comes from.
    #[must_use]
    pub fn kind(&self) -> PvdKind {
        self.kind
    }

    /// Its name, as people know it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn to_raw(&self) -> PvdId {
        PvdId::new(self.kind.raw(), self.name.as_bytes())
    }

    /// `None` for no domain, and for one of a kind that this crate does not know.
    pub(crate) fn from_raw(id: &PvdId) -> Option<Self> {
        let kind = PvdKind::ALL
            .into_iter()
            .find(|kind| kind.raw() == id.kind)?;
        Self::new(kind, std::str::from_utf8(id.value()?).ok()?).ok()
    }
}

impl PvdKind {
    const ALL: [Self; 3] = [Self::Utf8, Self::Fqdn, Self::Interface];

    fn raw(self) -> u8 {
        match self {
            Self::Utf8 => 2,
            Self::Fqdn => 5,
            Self::Interface => 0x80,
        }
    }

    fn prefix(self) -> &'static str {
        match self {
            Self::Utf8 => "utf8:",
            Self::Fqdn => "fqdn:",
            Self::Interface => "if:",
        }
    }
}

impl fmt::Display for Pvd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.kind.prefix(), self.name)
    }
}

impl FromStr for Pvd {
    type Err = ParsePvdError;

    fn from_str(text: &str) -> Result<Self, ParsePvdError> {
        let of = |kind: PvdKind| Some((kind, text.strip_prefix(kind.prefix())?));
        let (kind, name) = PvdKind::ALL
            .into_iter()
            .find_map(of)
            .ok_or(ParsePvdError(()))?;
        Self::new(kind, name)
    }
}

impl fmt::Display for ParsePvdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "a provisioning domain is utf8:NAME, fqdn:NAME or if:NAME, of at most 253 octets",
        )
    }
}

impl std::error::Error for ParsePvdError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_and_c_and_back() {
        let longest = format!("fqdn:{}", "a".repeat(Pvd::MAX));
        for text in [
            "utf8:wan 1",
            "fqdn:pvd.example",
            "if:wan1",
            "utf8:if:x",
            &longest,
        ] {
            let pvd: Pvd = text.parse().unwrap();
            assert_eq!(pvd.to_string(), text);
            assert_eq!(Pvd::from_raw(&pvd.to_raw()), Some(pvd));
        }
    }

    #[test]
    fn what_is_no_domain() {
        let too_long = format!("utf8:{}", "a".repeat(Pvd::MAX + 1));
        for text in ["", "wan1", "if:", "mac:wan1", "utf8:a\0b", &too_long] {
            assert_eq!(text.parse::<Pvd>(), Err(ParsePvdError(())), "{text:?}");
        }
        assert_eq!(Pvd::from_raw(&PvdId::NONE), None);
        assert_eq!(Pvd::from_raw(&PvdId::new(1, b"x")), None);
    }
}
