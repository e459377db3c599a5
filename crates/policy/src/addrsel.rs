//! Address selection as a policy has it: rows of the policy table of RFC 6724 section 2.1, which
//! RFC 7078 lets networks and administrators set. What follows from them is `mif_resolve::order`'s.

use std::net::Ipv6Addr;

/// One row of a policy table, RFC 6724 section 2.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// The prefix; IPv4 is in `::ffff:0:0/96`.
    pub prefix: Ipv6Addr,
    /// Its length, 0 to 128.
    pub length: u8,
    /// The greater, the better.
    pub precedence: u8,
    /// Source and destination should have the same.
    pub label: u8,
}

impl Row {
    /// A row.
    #[must_use]
    pub const fn new(prefix: Ipv6Addr, length: u8, precedence: u8, label: u8) -> Self {
        Self {
            prefix,
            length,
            precedence,
            label,
        }
    }

    /// Whether both rows are about one prefix, so that one takes the place of the other.
    #[must_use]
    pub fn is_of_the_prefix_of(&self, other: &Self) -> bool {
        (self.prefix, self.length) == (other.prefix, other.length)
    }
}

/// An address family that is to be tried first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prefer {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

/// Which addresses of its interface a flow comes from where it may have both, RFC 6724 section 5
/// rule 7.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PreferSource {
    /// Those that change (RFC 8981).
    Temporary,
    /// Those that stay.
    Public,
}

/// `[addrsel]`: what is said about the choice and order of addresses; empty means "not said here".
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AddressSelection {
    /// Rows beside those of the default table; one of the same prefix takes its place.
    pub table: Vec<Row>,
    /// The family whose addresses come first where scopes and labels fit.
    pub prefer: Option<Prefer>,
    /// The kind of source address that is preferred.
    pub prefer_source: Option<PreferSource>,
}
