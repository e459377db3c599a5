//! The additional information of a provisioning domain (RFC 8801 4.3), a JSON object.

use std::fmt;
use std::net::Ipv6Addr;
use std::time::SystemTime;

use serde::Deserialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::name::Name;
use crate::option::Item;

/// A longer text is not read.
pub const LONGEST: usize = 64 * 1024;
/// More prefixes or zones are not believed to be meant.
const MOST: usize = 256;

/// What a network says of a domain by HTTPS. Keys that are not known, those of vendors too, are
/// ignored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Information {
    /// The domain it is about.
    pub identifier: Name,
    /// When it ends.
    pub expires: SystemTime,
    /// Prefixes of the domain, with their lengths.
    pub prefixes: Vec<(Ipv6Addr, u8)>,
    /// Zones that can be asked and reached in the domain.
    pub dns_zones: Vec<Name>,
    /// The domain does not lead to the internet.
    pub no_internet: bool,
}

/// Why it is not to be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unusable(String);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Written {
    identifier: String,
    expires: String,
    prefixes: Vec<String>,
    #[serde(default)]
    dns_zones: Vec<String>,
    #[serde(default)]
    no_internet: bool,
}

impl Information {
    /// Reads what was fetched for the domain `id` at the time `now`.
    ///
    /// JSON is read strictly (RFC 8259, and RFC 7493 for repeated keys): a comma too many, which some
    /// examples in RFC 8801 have, is told and not guessed at. A server that writes one would be
    /// understood by nobody else either, and somebody who checks a server wants to hear of it.
    ///
    /// # Errors
    /// It is no such object, is about another domain, or has ended.
    pub fn read(text: &[u8], id: &Name, now: SystemTime) -> Result<Self, Unusable> {
        if text.len() > LONGEST {
            return Err(unusable(format!("it is longer than {LONGEST} octets")));
        }
        // serde would take a list for the fields in their order.
        if text.trim_ascii_start().first() != Some(&b'{') {
            return Err(unusable("it is no JSON object".to_owned()));
        }
        let written: Written =
            serde_json::from_slice(text).map_err(|why| unusable(why.to_string()))?;
        let information = Self::of(&written)?;
        if information.identifier != *id {
            let other = &information.identifier;
            return Err(unusable(format!("it is about {other}, not about {id}")));
        }
        if information.expires <= now {
            return Err(unusable(format!("it has expired: {}", written.expires)));
        }
        Ok(information)
    }

    fn of(written: &Written) -> Result<Self, Unusable> {
        let expires = OffsetDateTime::parse(&written.expires, &Rfc3339)
            .map_err(|why| wrong("expires", &written.expires, &why))?;
        if written.prefixes.len() > MOST || written.dns_zones.len() > MOST {
            return Err(unusable(format!(
                "it has more than {MOST} prefixes or zones"
            )));
        }
        let prefixes = written
            .prefixes
            .iter()
            .map(|text| prefix(text).ok_or_else(|| wrong("prefixes", text, &"not an IPv6 prefix")));
        Ok(Self {
            identifier: name("identifier", &written.identifier)?,
            expires: expires.into(),
            prefixes: prefixes.collect::<Result<_, _>>()?,
            dns_zones: written
                .dns_zones
                .iter()
                .map(|zone| name("dnsZones", zone))
                .collect::<Result<_, _>>()?,
            no_internet: written.no_internet,
        })
    }
}

/// Whether the prefixes cover all those that the network advertises (RFC 8801 4.4).
///
/// # Errors
/// One that they do not cover.
pub fn covers<'i>(
    prefixes: &[(Ipv6Addr, u8)],
    items: impl IntoIterator<Item = &'i Item>,
) -> Result<(), Unusable> {
    for item in items {
        let Item::Prefix { prefix, length, .. } = item else {
            continue;
        };
        let covers = |&(wide, bits): &(Ipv6Addr, u8)| {
            let differ = u128::from(wide) ^ u128::from(*prefix);
            bits <= *length && differ.leading_zeros() >= bits.into()
        };
        if !prefixes.iter().any(covers) {
            return Err(unusable(format!(
                "its prefixes do not cover {prefix}/{length}, which the router advertises"
            )));
        }
    }
    Ok(())
}

fn name(key: &str, text: &str) -> Result<Name, Unusable> {
    Name::new(text).ok_or_else(|| wrong(key, text, &"not a domain name"))
}

/// `ADDRESS/LENGTH` of IPv6.
#[must_use]
pub fn prefix(text: &str) -> Option<(Ipv6Addr, u8)> {
    let (address, length) = text.split_once('/')?;
    let length = length.parse().ok().filter(|length| *length <= 128)?;
    Some((address.parse().ok()?, length))
}

fn unusable(why: String) -> Unusable {
    Unusable(why)
}

fn wrong(key: &str, value: &str, why: &dyn fmt::Display) -> Unusable {
    let value: String = value.chars().take(64).collect();
    Unusable(format!("{key} is {value:?}: {why}"))
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Unusable {}
