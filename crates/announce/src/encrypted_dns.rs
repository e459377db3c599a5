//! The option for encrypted DNS (RFC 9463 6.1), with its service parameters (RFC 9460 2.2).

use std::net::Ipv6Addr;

use crate::name::Name;
use crate::octets::{Fault, Octets};
use crate::option::{Lifetime, is_host};

/// Resolvers that are spoken to by TLS, HTTPS or QUIC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EncryptedDns {
    /// The lower, the sooner it is asked.
    pub priority: u16,
    /// Of all that it says.
    pub lifetime: Lifetime,
    /// Whom the certificate has to be for.
    pub name: Name,
    /// In the order in which they are asked. None where only the name is given (RFC 9463 3.1.6): the
    /// rest is then to be looked up, with the network's other resolvers.
    pub addresses: Vec<Ipv6Addr>,
    /// Protocols: `dot`, `h2`, `h3`, `doq`.
    pub protocols: Vec<String>,
    /// Where it is not the protocol's own.
    pub port: Option<u16>,
    /// The template of DNS over HTTPS: `/dns-query{?dns}`.
    pub path: Option<String>,
}

/// Reads the content of the option.
///
/// # Errors
/// It is not as RFC 9463 6.1 wants it.
pub(crate) fn read(mut body: Octets<'_>) -> Result<EncryptedDns, Fault> {
    const WHAT: &str = "an option for encrypted DNS";
    let start = body;
    let priority = body.u16(WHAT)?;
    let lifetime = Lifetime(body.u32(WHAT)?);
    let length = body.u16(WHAT)?;
    let mut name = body.part(length.into(), "the name of an encrypted resolver")?;
    let mut found = EncryptedDns {
        priority,
        lifetime,
        name: Name::read(&mut name)?,
        addresses: Vec::new(),
        protocols: Vec::new(),
        port: None,
        path: None,
    };
    // What is missing here is the padding of an option with the name alone.
    if body.len() < 2 {
        return Ok(found);
    }
    let length = body.u16(WHAT)?;
    let addresses = body.part(length.into(), "the addresses of an encrypted resolver")?;
    found.addresses = addresses.addresses()?;
    if let Some(odd) = found.addresses.iter().find(|ip| !is_host(**ip)) {
        return Err(start.fault(format!("{odd} cannot be a DNS server")));
    }
    if body.len() < 2 {
        return if found.addresses.is_empty() {
            Ok(found)
        } else {
            Err(body.fault("an encrypted resolver does not say by which protocol"))
        };
    }
    let length = body.u16(WHAT)?;
    let parameters = body.part(length.into(), "the parameters of an encrypted resolver")?;
    found.parameters(parameters)?;
    match (found.addresses.is_empty(), found.protocols.is_empty()) {
        (true, true) | (false, false) => Ok(found),
        (true, false) => Err(start.fault("an encrypted resolver without an address")),
        (false, true) => Err(start.fault("an encrypted resolver does not say by which protocol")),
    }
}

impl EncryptedDns {
    fn parameters(&mut self, mut octets: Octets<'_>) -> Result<(), Fault> {
        const WHAT: &str = "a service parameter";
        let mut last = None;
        while !octets.is_empty() {
            let start = octets;
            let key = octets.u16(WHAT)?;
            let length = octets.u16(WHAT)?;
            let mut value = octets.part(length.into(), WHAT)?;
            if last >= Some(key) {
                return Err(start.fault("service parameters are not in their order"));
            }
            last = Some(key);
            match key {
                // mandatory
                0 => {
                    while !value.is_empty() {
                        let key = value.u16(WHAT)?;
                        if ![1, 3, 7].contains(&key) {
                            return Err(start.fault(format!(
                                "service parameter {key} would have to be understood"
                            )));
                        }
                    }
                }
                // alpn
                1 => {
                    while !value.is_empty() {
                        let length = value.u8(WHAT)?;
                        let protocol = value.part(length.into(), "the name of a protocol")?;
                        self.protocols.push(text(protocol)?);
                    }
                }
                3 => self.port = Some(value.u16("a port")?),
                // dohpath
                7 => self.path = Some(text(value)?),
                _ => {}
            }
        }
        Ok(())
    }
}

fn text(octets: Octets<'_>) -> Result<String, Fault> {
    let text = octets.rest();
    if text.is_empty() || !text.iter().all(u8::is_ascii_graphic) {
        return Err(octets.fault("a service parameter is not printable"));
    }
    Ok(String::from_utf8_lossy(text).into_owned())
}
