//! Identifiers of provisioning domains (draft-ietf-mif-mpvd-id-02), of the kinds that mif has.

use std::fmt;

use mif_policy::InterfaceName;

/// Which provisioning domain.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Id {
    /// A `[[pvd]]` of pvds.toml, by its name.
    Utf8(Box<str>),
    /// One that a network announces (RFC 8801): a domain name in lower case, without the last dot.
    Fqdn(Box<str>),
    /// The implicit one of an interface, by the interface's name.
    Interface(InterfaceName),
}

/// Bytes that are no identifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoId;

impl Id {
    /// The largest identifier, in octets: that of the longest domain name.
    pub const MAX: usize = 253;

    /// The identifier of a type and a value as they are on the wire and in C.
    ///
    /// # Errors
    /// The type is none of ours, or the value none of its type.
    pub fn new(kind: u8, value: &[u8]) -> Result<Self, NoId> {
        let text = std::str::from_utf8(value).map_err(|_| NoId)?;
        if text.is_empty() || text.len() > Self::MAX || text.contains('\0') {
            return Err(NoId);
        }
        let id = match kind {
            Self::UTF8 => Some(Self::Utf8(text.into())),
            Self::FQDN => Self::fqdn(text),
            Self::INTERFACE => text.parse().ok().map(Self::Interface),
            _ => None,
        };
        id.ok_or(NoId)
    }

    /// The identifier that a domain name is; they are compared without regard to case (RFC 8801 3.4).
    #[must_use]
    pub fn fqdn(name: &str) -> Option<Self> {
        let name = name.strip_suffix('.').unwrap_or(name);
        let is_blank = |c: char| c.is_whitespace() || c.is_control();
        let is_label = |label: &str| (1..=63).contains(&label.len()) && !label.contains(is_blank);
        let is_name = name.len() <= Self::MAX && name.split('.').all(is_label);
        is_name.then(|| Self::Fqdn(name.to_ascii_lowercase().into()))
    }

    /// The type, as it is on the wire and in C.
    #[must_use]
    pub fn kind(&self) -> u8 {
        match self {
            Self::Utf8(_) => Self::UTF8,
            Self::Fqdn(_) => Self::FQDN,
            Self::Interface(_) => Self::INTERFACE,
        }
    }

    /// What people call it.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Utf8(name) | Self::Fqdn(name) => name,
            Self::Interface(name) => name.as_str(),
        }
    }

    /// `MIF_PVDID_UTF8`.
    pub const UTF8: u8 = 2;
    /// `MIF_PVDID_FQDN`.
    pub const FQDN: u8 = 5;
    /// `MIF_PVDID_INTERFACE`, beyond the draft's types.
    pub const INTERFACE: u8 = 0x80;
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_each_type() {
        for (kind, value, wanted) in [
            (2, "wan 1", Some(Id::Utf8("wan 1".into()))),
            (5, "PvD.Example.", Some(Id::Fqdn("pvd.example".into()))),
            (0x80, "wan1", Some(Id::Interface("wan1".parse().unwrap()))),
            (0, "wan1", None),
            (1, "wan1", None),
            (2, "", None),
            (2, "a\0b", None),
            (5, "a..b", None),
            (5, ".", None),
            (5, "a b.example", None),
            (0x80, "much-too-long-a-name", None),
            (0x80, "a/b", None),
        ] {
            let id = Id::new(kind, value.as_bytes());
            assert_eq!(id.clone().ok(), wanted, "{kind} {value}");
            if let Ok(id) = id {
                assert_eq!(Id::new(id.kind(), id.name().as_bytes()), Ok(id));
            }
        }
        assert_eq!(Id::new(2, &[0xff]), Err(NoId));
        assert!(Id::new(2, &[b'a'; 253]).is_ok());
        assert_eq!(Id::new(2, &[b'a'; 254]), Err(NoId));
        assert!(Id::fqdn(&format!("{}.example", "a".repeat(63))).is_some());
        assert_eq!(Id::fqdn(&format!("{}.example", "a".repeat(64))), None);
    }
}
