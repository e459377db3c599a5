//! The names of an address: PTR records below `in-addr.arpa` and `ip6.arpa`.

use std::net::{IpAddr, Ipv6Addr};

use hickory_proto::rr::Name;
use mif_policy::{Host, Origin, Policy, Resolvers, RuleId};
use rustix::rand::{GetRandomFlags, getrandom};

use crate::codec::Question;
use crate::raw::{Transport, Unanswered, exchange};
use crate::wire::{self, Data, Header};
use crate::{Failure, Plan};

/// Links of a chain of aliases (RFC 2317 delegates parts of a zone by them).
const MAX_LINKS: usize = 16;

/// The name that is asked for an address's names, without the last dot.
#[must_use]
pub fn zone_name(address: IpAddr) -> String {
    let mut name = Name::from(address.to_canonical()).to_ascii();
    name.truncate(name.trim_end_matches('.').len());
    name
}

/// The address whose names are asked for by a name, if it is that of a whole address.
#[must_use]
pub fn address_of(zone_name: &str) -> Option<IpAddr> {
    let name = zone_name.strip_suffix('.').unwrap_or(zone_name);
    let below = |zone: &str| {
        let (labels, suffix) = name.split_at_checked(name.len().checked_sub(zone.len())?)?;
        suffix
            .eq_ignore_ascii_case(zone)
            .then(|| labels.rsplit('.'))
    };
    if let Some(octets) = below(".in-addr.arpa") {
        return octets.collect::<Vec<_>>().join(".").parse().ok();
    }
    let nibbles: Vec<_> = below(".ip6.arpa")?.collect();
    let groups: Vec<_> = nibbles.chunks(4).map(<[&str]>::concat).collect();
    let is_whole = nibbles.len() == 32 && nibbles.iter().all(|nibble| nibble.len() == 1);
    let address: Option<Ipv6Addr> = groups.join(":").parse().ok();
    address.filter(|_| is_whole).map(IpAddr::V6)
}

/// Who is to be asked about a name: if it is that of an address, whoever flows to the address would
/// reach, by what look-ups told of it (the rules for its name, and whose servers answered).
#[must_use]
pub fn resolvers<'p, 'k>(
    policy: &'p Policy,
    name: &str,
    known: impl FnOnce(IpAddr) -> (&'k [RuleId], Option<Origin>),
    host: &impl Host,
) -> Resolvers<'p> {
    match address_of(name) {
        Some(ip) => {
            let (named, origin) = known(ip);
            policy.resolvers_of_address(ip, name, named, origin, host)
        }
        None => policy.resolvers(name, host),
    }
}

/// The names of an address, at least one, in the order of the reply. What is no host name is left
/// out: applications write it into logs and compare it with lists.
///
/// # Errors
/// See [`Failure`].
pub fn names(address: IpAddr, plan: &Plan<'_>) -> Result<Vec<String>, Failure> {
    if plan.servers.is_empty() {
        return Err(Failure::Fail);
    }
    let mut name = Name::from(address.to_canonical());
    name.set_fqdn(true);
    let mut id = [0; 2];
    if getrandom(&mut id, GetRandomFlags::empty()) != Ok(id.len()) {
        return Err(Failure::Again);
    }
    let question = Question::new(u16::from_ne_bytes(id), &name, wire::PTR);
    let packet = question.encode(false);
    match exchange(&packet, Transport::Either, plan) {
        Ok(reply) => read(&reply.bytes, &name),
        Err(Unanswered::Unreachable | Unanswered::Silent | Unanswered::Unwilling) => {
            Err(Failure::Again)
        }
    }
}

/// What a reply says of a name below the reverse zones.
pub(crate) fn read(reply: &[u8], asked: &Name) -> Result<Vec<String>, Failure> {
    let code = Header::read(reply).map(Header::code);
    let answers = wire::answers(reply).ok_or(Failure::Fail)?;
    match code {
        Some(wire::NO_ERROR) => {}
        Some(wire::NO_NAME) => return Err(Failure::NoName),
        _ => return Err(Failure::Fail),
    }
    let mut at = asked;
    for _ in 0..=MAX_LINKS {
        let here = || answers.iter().filter(|record| record.name == *at);
        let pointers = here().filter_map(|record| match &record.data {
            Data::Pointer(name) => Some(host_name(name)),
            _ => None,
        });
        let pointers: Vec<_> = pointers.collect();
        let is_one = !pointers.is_empty();
        let found: Vec<_> = pointers.into_iter().flatten().collect();
        let alias = here().find_map(|record| match &record.data {
            Data::Alias(target) => Some(target),
            _ => None,
        });
        match alias {
            _ if !found.is_empty() => return Ok(found),
            _ if is_one => return Err(Failure::Fail),
            Some(target) => at = target,
            None => return Err(Failure::NoData),
        }
    }
    Err(Failure::Fail)
}

/// The name as text without the last dot, if it is a host name as glibc's `res_hnok` has it.
pub(crate) fn host_name(name: &Name) -> Option<String> {
    let fine = name.iter().next()?.first() != Some(&b'-')
        && name.iter().all(|label| {
            let mut bytes = label.iter();
            bytes.all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
        });
    let mut text = name.to_ascii();
    text.truncate(text.trim_end_matches('.').len());
    fine.then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_have_their_zones() {
        for (address, name) in [
            ("192.0.2.7", "7.2.0.192.in-addr.arpa"),
            ("::ffff:192.0.2.7", "7.2.0.192.in-addr.arpa"),
            (
                "2001:db8::1",
                "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa",
            ),
        ] {
            let address: IpAddr = address.parse().unwrap();
            assert_eq!(zone_name(address), name);
            assert_eq!(address_of(name), Some(address.to_canonical()));
            assert_eq!(
                address_of(&format!("{}.", name.to_uppercase())),
                address_of(name)
            );
        }
        for name in [
            "in-addr.arpa",
            "0.192.in-addr.arpa",
            "x.7.2.0.192.in-addr.arpa",
            "_tcp.2.0.192.in-addr.arpa",
            "2.ip6.arpa",
            "who.test",
            "",
        ] {
            assert_eq!(address_of(name), None, "{name}");
        }
    }

    /// "7.test PTR" answered by an alias to "a.test", which has a host name, one with a blank,
    /// and one that begins with a hyphen; written by hand.
    const REPLY: &[u8] = b"\x12\x34\x81\x80\x00\x01\x00\x04\x00\x00\x00\x00\
        \x017\x04test\x00\x00\x0c\x00\x01\
        \xc0\x0c\x00\x05\x00\x01\x00\x00\x00\x3c\x00\x04\x01a\xc0\x0e\
        \xc0\x24\x00\x0c\x00\x01\x00\x00\x00\x3c\x00\x06\x03a b\xc0\x0e\
        \xc0\x24\x00\x0c\x00\x01\x00\x00\x00\x3c\x00\x05\x02-x\xc0\x0e\
        \xc0\x24\x00\x0c\x00\x01\x00\x00\x00\x3c\x00\x06\x03Who\xc0\x0e";

    #[test]
    fn aliases_are_followed_and_what_is_no_host_name_left_out() {
        let asked = Name::from_ascii("7.TEST.").unwrap();
        assert_eq!(read(REPLY, &asked), Ok(vec!["Who.test".to_owned()]));
        let other = Name::from_ascii("8.test.").unwrap();
        assert_eq!(read(REPLY, &other), Err(Failure::NoData));
        let mut loops = REPLY.to_vec();
        // The alias points to its owner.
        loops[33..37].copy_from_slice(b"\x017\xc0\x0e");
        assert_eq!(read(&loops, &asked), Err(Failure::Fail));
        let mut none = REPLY.to_vec();
        none[3] = 3;
        assert_eq!(read(&none, &asked), Err(Failure::NoName));
        for end in 0..REPLY.len() {
            assert_eq!(read(&REPLY[..end], &asked), Err(Failure::Fail), "{end}");
        }
    }
}
