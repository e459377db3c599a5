//! Reading octets from front to back, with the place where it went wrong.

use std::fmt;
use std::net::Ipv6Addr;

/// What is wrong with a message, or with a part of it that was left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The octet of the message, from 0, at which the faulty part begins.
    pub at: usize,
    /// The reason, in words.
    pub why: String,
}

/// The rest of a part of a message.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Octets<'m> {
    rest: &'m [u8],
    /// Where the rest begins in the message.
    at: usize,
}

impl<'m> Octets<'m> {
    pub(crate) fn new(message: &'m [u8]) -> Self {
        Self {
            rest: message,
            at: 0,
        }
    }

    pub(crate) fn at(&self) -> usize {
        self.at
    }

    pub(crate) fn len(&self) -> usize {
        self.rest.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(crate) fn rest(&self) -> &'m [u8] {
        self.rest
    }

    /// The next octets, as a part of their own.
    ///
    /// # Errors
    /// Fewer are left.
    pub(crate) fn part(&mut self, length: usize, what: &str) -> Result<Self, Fault> {
        let Some((part, rest)) = self.rest.split_at_checked(length) else {
            let left = self.rest.len();
            return Err(self.fault(format!("{what} needs {length} octets, and {left} are left")));
        };
        let part = Self {
            rest: part,
            at: self.at,
        };
        self.rest = rest;
        self.at += length;
        Ok(part)
    }

    /// # Errors
    /// Fewer octets are left.
    pub(crate) fn array<const N: usize>(&mut self, what: &str) -> Result<[u8; N], Fault> {
        let part = self.part(N, what)?;
        // The part has that length.
        Ok(part.rest.first_chunk().copied().unwrap_or([0; N]))
    }

    /// # Errors
    /// Nothing is left.
    pub(crate) fn u8(&mut self, what: &str) -> Result<u8, Fault> {
        let [octet] = self.array(what)?;
        Ok(octet)
    }

    /// # Errors
    /// Fewer octets are left.
    pub(crate) fn u16(&mut self, what: &str) -> Result<u16, Fault> {
        self.array(what).map(u16::from_be_bytes)
    }

    /// # Errors
    /// Fewer octets are left.
    pub(crate) fn u32(&mut self, what: &str) -> Result<u32, Fault> {
        self.array(what).map(u32::from_be_bytes)
    }

    /// All that is left, as addresses.
    ///
    /// # Errors
    /// There is a part of one at the end.
    pub(crate) fn addresses(mut self) -> Result<Vec<Ipv6Addr>, Fault> {
        let mut addresses = Vec::new();
        while !self.is_empty() {
            addresses.push(self.array::<16>("an address")?.into());
        }
        Ok(addresses)
    }

    pub(crate) fn fault(&self, why: impl Into<String>) -> Fault {
        Fault {
            at: self.at,
            why: why.into(),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "octet {}: {}", self.at, self.why)
    }
}

impl std::error::Error for Fault {}
