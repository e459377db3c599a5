//! The options of router advertisements that tell a host its configuration.

use std::net::Ipv6Addr;

use crate::advertisement::Preference;
use crate::encrypted_dns;
use crate::name::Name;
use crate::octets::{Fault, Octets};

pub use crate::encrypted_dns::EncryptedDns;

/// How long something holds, in seconds from when it was heard. All ones is for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Lifetime(pub u32);

/// What one option says. A lifetime of 0 takes back what was said before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// Prefix Information (RFC 4861 4.6.2).
    Prefix {
        /// Its bits; those behind the length are 0.
        prefix: Ipv6Addr,
        /// 0 to 128.
        length: u8,
        /// L: its addresses are on the link.
        on_link: bool,
        /// A: hosts make addresses of it.
        autonomous: bool,
        /// Of addresses made of it.
        valid: Lifetime,
        /// Not longer than the other.
        preferred: Lifetime,
    },
    /// MTU (RFC 4861 4.6.4).
    Mtu(u32),
    /// Route Information (RFC 4191 2.3): the router leads there.
    Route {
        /// Its bits; those behind the length are 0.
        prefix: Ipv6Addr,
        /// 0 to 128.
        length: u8,
        /// Among routes to this prefix.
        preference: Preference,
        /// Of the route.
        lifetime: Lifetime,
    },
    /// Recursive DNS Server (RFC 8106 5.1).
    DnsServers {
        /// Of all of them.
        lifetime: Lifetime,
        /// In the order in which they are asked, at least one.
        addresses: Vec<Ipv6Addr>,
    },
    /// DNS Search List (RFC 8106 5.2).
    Search {
        /// Of all of them.
        lifetime: Lifetime,
        /// In their order, at least one.
        suffixes: Vec<Name>,
    },
    /// PREF64 (RFC 8781 4): addresses of IPv4 stand behind this prefix.
    Nat64 {
        /// Its bits; those behind the length are 0.
        prefix: Ipv6Addr,
        /// 96, 64, 56, 48, 40 or 32.
        length: u8,
        /// A multiple of 8 seconds.
        lifetime: Lifetime,
    },
    /// Captive-Portal (RFC 8910 2.3): the URI of its API, which says who is let through.
    CaptivePortal(String),
    /// Encrypted DNS (RFC 9463 6.1).
    EncryptedDns(EncryptedDns),
}

/// What an option is to its reader.
pub(crate) enum Kind {
    Item(Item),
    /// The option of RFC 8801.
    ProvisioningDomain,
    /// One that says nothing here.
    Unknown,
}

/// The type and the content of the next option; `None` at the end.
///
/// # Errors
/// It goes beyond its message, or has no length (RFC 4861 6.1.2: the message is not to be used).
pub(crate) fn next<'m>(octets: &mut Octets<'m>) -> Result<Option<(u8, Octets<'m>)>, Fault> {
    if octets.is_empty() {
        return Ok(None);
    }
    let start = *octets;
    let kind = octets.u8("an option's type")?;
    let units = octets.u8("an option's length")?;
    let Some(length) = (usize::from(units) * 8).checked_sub(2) else {
        return Err(start.fault(format!("an option of type {kind} with a length of 0")));
    };
    let body = octets.part(length, &format!("the content of an option of type {kind}"))?;
    Ok(Some((kind, body)))
}

/// Reads the content of an option.
///
/// # Errors
/// It is not as its RFC wants it, and is to be left out.
pub(crate) fn read(kind: u8, body: Octets<'_>) -> Result<Kind, Fault> {
    let item = match kind {
        3 => prefix(body)?,
        5 => mtu(body)?,
        21 => return Ok(Kind::ProvisioningDomain),
        24 => route(body)?,
        25 => dns_servers(body)?,
        31 => search(body)?,
        37 => captive_portal(body)?,
        38 => nat64(body)?,
        144 => Item::EncryptedDns(encrypted_dns::read(body)?),
        _ => return Ok(Kind::Unknown),
    };
    Ok(Kind::Item(item))
}

fn prefix(mut body: Octets<'_>) -> Result<Item, Fault> {
    const WHAT: &str = "a prefix option";
    let start = body;
    let length = body.u8(WHAT)?;
    let flags = body.u8(WHAT)?;
    let valid = Lifetime(body.u32(WHAT)?);
    let preferred = Lifetime(body.u32(WHAT)?);
    body.u32(WHAT)?; // Reserved.
    let prefix = cut(body.array(WHAT)?, length, start)?;
    if preferred > valid {
        return Err(start.fault("a prefix is preferred for longer than it is valid"));
    }
    if prefix.is_unicast_link_local() {
        return Err(start.fault("the link-local prefix"));
    }
    Ok(Item::Prefix {
        prefix,
        length,
        on_link: flags & 0x80 != 0,
        autonomous: flags & 0x40 != 0,
        valid,
        preferred,
    })
}

fn mtu(mut body: Octets<'_>) -> Result<Item, Fault> {
    let start = body;
    body.u16("an MTU option")?; // Reserved.
    let mtu = body.u32("an MTU option")?;
    // RFC 8200 5.
    if mtu < 1280 {
        return Err(start.fault(format!("an MTU of {mtu}, and IPv6 needs 1280")));
    }
    Ok(Item::Mtu(mtu))
}

fn route(mut body: Octets<'_>) -> Result<Item, Fault> {
    const WHAT: &str = "a route option";
    let start = body;
    let length = body.u8(WHAT)?;
    let flags = body.u8(WHAT)?;
    let lifetime = Lifetime(body.u32(WHAT)?);
    let mut octets = [0; 16];
    let bits = body.rest();
    if bits.len() < usize::from(length.div_ceil(64)) * 8 || bits.len() > octets.len() {
        return Err(start.fault(format!(
            "a prefix of {length} bits in {} octets",
            bits.len()
        )));
    }
    octets
        .iter_mut()
        .zip(bits)
        .for_each(|(to, from)| *to = *from);
    let prefix = cut(octets, length, start)?;
    let preference = Preference::from_bits(flags >> 3);
    let preference = preference.ok_or_else(|| start.fault("a route of the reserved preference"))?;
    Ok(Item::Route {
        prefix,
        length,
        preference,
        lifetime,
    })
}

fn dns_servers(mut body: Octets<'_>) -> Result<Item, Fault> {
    const WHAT: &str = "an option with DNS servers";
    let start = body;
    body.u16(WHAT)?; // Reserved.
    let lifetime = Lifetime(body.u32(WHAT)?);
    let addresses = body.addresses()?;
    if addresses.is_empty() {
        return Err(start.fault("an option with DNS servers that has none"));
    }
    if let Some(odd) = addresses.iter().find(|ip| !is_host(**ip)) {
        return Err(start.fault(format!("{odd} cannot be a DNS server")));
    }
    Ok(Item::DnsServers {
        lifetime,
        addresses,
    })
}

fn search(mut body: Octets<'_>) -> Result<Item, Fault> {
    const WHAT: &str = "a search list";
    let start = body;
    body.u16(WHAT)?; // Reserved.
    let lifetime = Lifetime(body.u32(WHAT)?);
    let mut suffixes = Vec::new();
    // The end is padded with zeros.
    while body.rest().first().is_some_and(|&length| length > 0) {
        suffixes.push(Name::read(&mut body)?);
    }
    if suffixes.is_empty() {
        return Err(start.fault("a search list without a name"));
    }
    Ok(Item::Search { lifetime, suffixes })
}

fn captive_portal(body: Octets<'_>) -> Result<Item, Fault> {
    let text = body.rest();
    let end = text
        .iter()
        .rposition(|&octet| octet != 0)
        .map_or(0, |last| last + 1);
    let text = text.get(..end).unwrap_or_default();
    // RFC 3986: a URI is printable ASCII.
    if text.is_empty() || !text.iter().all(u8::is_ascii_graphic) {
        return Err(body.fault("the URI of a captive portal is none"));
    }
    Ok(Item::CaptivePortal(
        String::from_utf8_lossy(text).into_owned(),
    ))
}

fn nat64(mut body: Octets<'_>) -> Result<Item, Fault> {
    const WHAT: &str = "a NAT64 option";
    const LENGTHS: [u8; 6] = [96, 64, 56, 48, 40, 32];
    let start = body;
    let word = body.u16(WHAT)?;
    let bits = body.array::<12>(WHAT)?;
    let Some(&length) = LENGTHS.get(usize::from(word & 7)) else {
        return Err(start.fault("a NAT64 prefix of a length that there is not"));
    };
    let mut octets = [0; 16];
    octets
        .iter_mut()
        .zip(bits)
        .for_each(|(to, from)| *to = from);
    Ok(Item::Nat64 {
        prefix: cut(octets, length, start)?,
        length,
        // The lower bits are the length's, and the unit is 8 seconds.
        lifetime: Lifetime((word & !7).into()),
    })
}

/// The prefix without the bits behind its length, which have no meaning.
fn cut(octets: [u8; 16], length: u8, option: Octets<'_>) -> Result<Ipv6Addr, Fault> {
    if length > 128 {
        return Err(option.fault(format!("a prefix of {length} bits")));
    }
    let mask = u128::MAX.checked_shl(128 - u32::from(length)).unwrap_or(0);
    Ok((u128::from_be_bytes(octets) & mask).into())
}

/// Whether one other host can have this address.
pub(crate) fn is_host(ip: Ipv6Addr) -> bool {
    !(ip.is_unspecified() || ip.is_loopback() || ip.is_multicast())
}

impl Lifetime {
    /// `None` for ever.
    #[must_use]
    pub fn seconds(self) -> Option<u32> {
        (self.0 != u32::MAX).then_some(self.0)
    }
}
