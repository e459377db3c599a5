//! Identifiers as C has them: `mif_pvdid_t`.

use rustix::io::Errno;

pub(crate) use mif_domains::Id;

/// `mif_pvdid_t` of mif.h.
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct CId {
    kind: u8,
    length: u8,
    value: [u8; 254],
}

impl CId {
    pub(crate) fn is_none(&self) -> bool {
        self.kind == 0
    }

    /// # Errors
    /// `EINVAL`: it is none, or of a type that mif does not have. What is behind the value does not
    /// count: programs make identifiers by `strcpy`.
    pub(crate) fn id(&self) -> Result<Id, Errno> {
        let value = self.value.get(..self.length.into()).ok_or(Errno::INVAL)?;
        Id::new(self.kind, value).map_err(|_| Errno::INVAL)
    }
}

/// Zeros behind the value, so that one domain has one representation.
impl From<&Id> for CId {
    fn from(id: &Id) -> Self {
        let name = id.name().as_bytes();
        let length = name.len().min(Id::MAX);
        let mut value = [0; 254];
        value[..length].copy_from_slice(&name[..length]);
        #[allow(clippy::cast_possible_truncation)] // At most 253.
        let length = length as u8;
        Self {
            kind: id.kind(),
            length,
            value,
        }
    }
}

#[cfg(test)]
impl CId {
    /// Where its fields lie.
    pub(super) fn offsets() -> [usize; 3] {
        use std::mem::offset_of;
        [
            offset_of!(Self, kind),
            offset_of!(Self, length),
            offset_of!(Self, value),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_go_to_c_and_back() {
        let ids = [
            Id::Utf8("wan 1".into()),
            Id::Fqdn("pvd.example".into()),
            Id::Interface("wan1".parse().unwrap()),
            Id::Utf8("a".repeat(253).into()),
        ];
        for id in ids {
            let mut there = CId::from(&id);
            assert_eq!(there.value[usize::from(there.length)], 0, "a C string");
            there.value[253] = b'x';
            assert_eq!(there.id(), Ok(id));
        }
    }

    #[test]
    fn what_is_no_identifier() {
        let none = CId {
            kind: 0,
            ..CId::from(&Id::Utf8("a".into()))
        };
        assert!(none.is_none());
        assert_eq!(none.id(), Err(Errno::INVAL));
        let beyond = CId {
            length: 255,
            ..CId::from(&Id::Utf8("a".into()))
        };
        assert_eq!(beyond.id(), Err(Errno::INVAL));
        let long = Id::Utf8("a".repeat(400).into());
        assert_eq!(CId::from(&long).id().unwrap().name().len(), Id::MAX);
    }
}
