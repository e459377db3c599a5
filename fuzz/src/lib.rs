//! What the fuzz targets do with any bytes, one function a target. Each must end and never panic,
//! and what it says of the bytes must agree with itself. As a test of mif, this file puts what
//! fuzzing has kept (fuzz/corpus) to them on stable Rust.
#![allow(clippy::missing_panics_doc)] // To panic is what they are for.

use std::collections::HashSet;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::SystemTime;

use mif_announce::{Information, Name, advertisement, domain};
use mif_policy::{Dns, Flow, Gave, Host, Link, Policy, Protocol, PvdId, Server, Unusable, Verdict};
use mif_resolve::{Ask, hosts, raw, reply};
use mif_socket::cmsg::{Writer, pieces};

#[path = "../../crates/policy/tests/common/mod.rs"]
#[allow(dead_code)] // The golden cases are read by the tests of that crate.
mod golden;
// No crate may link libmif.so, whose files these are.
#[path = "../../src/errno.rs"]
#[allow(dead_code, unsafe_code)]
mod errno;
#[path = "../../src/memory.rs"]
#[allow(dead_code, unsafe_code)]
mod memory;
#[path = "../../src/sockaddr.rs"]
#[allow(dead_code, unsafe_code)]
mod sockaddr;

/// A target.
pub type Target = fn(&[u8]);

/// All of them, by name.
pub const TARGETS: [(&str, Target); 9] = [
    ("agent", agent),
    ("cmsg", cmsg),
    ("hosts", hosts),
    ("json", json),
    ("policy", policy),
    ("query", query),
    ("ra", ra),
    ("reply", any_reply),
    ("sockaddr", sockaddr),
];

/// What a DNS server sends.
pub fn any_reply(bytes: &[u8]) {
    let _ = mif_resolve::read_any_reply(bytes);
}

/// What a supervised program sends to its resolver, and what comes back: the query and the reply
/// behind its length in two octets.
pub fn query(bytes: &[u8]) {
    let Some((length, rest)) = bytes.split_first_chunk::<2>() else {
        return;
    };
    let length = usize::from(u16::from_be_bytes(*length)).min(rest.len());
    let (query, answer) = rest.split_at(length);
    let failure = reply::failure(query);
    if let Some(failure) = &failure {
        assert!(failure.len() <= query.len());
        assert_eq!(failure[..2], query[..2], "the same id");
        assert_eq!(reply::failure(failure), None, "a reply is no query");
    }
    let fitted = reply::as_datagram(query, answer.to_vec());
    assert!(fitted == answer || (fitted.len() < answer.len() && fitted[2] & 2 != 0));
    let _ = (raw::name_of(query), raw::addresses(&fitted));
}

/// The file of each of the host's configuration agents: systemd's, `NetworkManager`'s, a fragment of
/// resolvconf, dhclient's leases.
pub fn agent(bytes: &[u8]) {
    let _ = mif_host::network::read_any_file(bytes);
}

/// What a router sends: what is left out lies in the message, and all that is understood joins one
/// domain.
pub fn ra(bytes: &[u8]) {
    let Ok(said) = advertisement::parse(bytes) else {
        return;
    };
    assert!(said.left_out.iter().all(|fault| fault.at <= bytes.len()));
    let mut domains = Vec::new();
    domain::merge(&mut domains, Ipv6Addr::LOCALHOST, said);
    assert_eq!(domains.len(), 1);
}

/// What a server sends as the additional information of a provisioning domain.
pub fn json(bytes: &[u8]) {
    let id = Name::new("cafe.example.com").expect("a name");
    if let Ok(information) = Information::read(bytes, &id, SystemTime::UNIX_EPOCH) {
        assert_eq!(information.identifier, id);
        assert!(information.expires > SystemTime::UNIX_EPOCH);
    }
}

/// A C socket address.
#[allow(unsafe_code)]
pub fn sockaddr(bytes: &[u8]) {
    let length = u32::try_from(bytes.len()).expect("a short input");
    // SAFETY: the slice is readable for its own length.
    let Some(given) = (unsafe { sockaddr::read(bytes.as_ptr().cast(), length) }) else {
        return;
    };
    assert!(!matches!(given.meant.ip(), IpAddr::V6(ip) if ip.to_ipv4_mapped().is_some()));
    assert_eq!(given.meant.port().to_be_bytes(), bytes[2..4]);
    let ip = match given.address.ip() {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    };
    let begins = if ip.len() == 4 { 4 } else { 8 };
    assert_eq!(ip, bytes[begins..begins + ip.len()]);
}

/// Ancillary data: what is read is what a copy holds, whatever room there is for it.
pub fn cmsg(bytes: &[u8]) {
    let (room, control) = bytes
        .split_first()
        .map_or((0, bytes), |(&room, rest)| (usize::from(room), rest));
    let mut small = vec![0; room];
    let mut cut = Writer::new(&mut small);
    let mut large = vec![0xff; control.len() + 8];
    let mut whole = Writer::new(&mut large);
    for piece in pieces(control) {
        let _ = (
            piece.packet_info(true),
            piece.packet_info(false),
            cut.copy(&piece),
        );
        whole
            .copy(&piece)
            .expect("a copy is no longer than its original, but for padding");
    }
    let _ = cut.packet_info(true, 7, None);
    let _ = cut.packet_info(false, 7, None);
    let _ = cut.mark(7);
    let (kept, used) = (cut.len(), whole.len());
    assert!(kept <= room && pieces(&small[..kept]).count() <= pieces(control).count() + 3);
    let told = |control| -> Vec<_> {
        let pieces = pieces(control);
        pieces
            .map(|piece| (piece.level, piece.kind, piece.data))
            .collect()
    };
    assert_eq!(told(control), told(&large[..used]));
}

/// The text of a hosts(5) file: what can be found in it is among its names and addresses.
pub fn hosts(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let names: HashSet<_> = hosts::names(&text).collect();
    for name in names.iter().take(8).chain(&["localhost", "a.localhost."]) {
        if let Some(answer) = hosts::lookup(&text, name, Ask::Both) {
            assert!(!answer.addresses.is_empty());
            let is_local = answer.addresses.iter().all(IpAddr::is_loopback);
            assert!(is_local || names.contains(&*answer.canonical));
        }
    }
    for address in hosts::addresses(&text).take(8) {
        let found = hosts::reverse(&text, address).unwrap_or_default();
        assert!(found.iter().all(|name| names.contains(&**name)));
    }
}

/// The texts of a policy, in the form of the golden cases of `crates/policy`; then it decides on
/// flows and names.
pub fn policy(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else {
        return;
    };
    let policy = match golden::policy("fuzz.toml", text) {
        Ok(policy) => policy,
        Err(faults) => {
            assert!(!faults.0.is_empty(), "refused without a fault");
            let told = faults.to_string();
            let quiet = |c: char| !c.is_control() || c == '\n' || c == '\t';
            assert!(told.chars().all(quiet), "{told:?}");
            return;
        }
    };
    let host = Odd(&policy);
    for name in ["name.invalid", "a.corp.example.", "localhost", "", "."] {
        let found = policy.resolvers(name, &host);
        let _ = (found.verdict(), found.servers().len(), found.origin());
    }
    let named = policy.rules_naming("a.corp.example");
    for destination in DESTINATIONS {
        let destination: SocketAddr = destination.parse().expect("an address");
        for protocol in [Protocol::Tcp, Protocol::Udp, Protocol::Other] {
            let flow = Flow {
                destination,
                protocol,
                named: &named,
                origin: None,
            };
            if let Verdict::Route(route) = policy.decide(&flow, &host) {
                assert!(route.index % 2 == 0, "a network that is not usable");
            }
            let _ = policy.guard(&flow, &host);
        }
    }
}

const DESTINATIONS: [&str; 6] = [
    "10.0.0.7:22",
    "203.0.113.10:53",
    "127.0.0.1:853",
    "[2001:db8:77::7]:8443",
    "[fe80::1%2]:0",
    "[ff02::fb]:5353",
];

/// A host on which every second network is usable.
struct Odd<'p>(&'p Policy);

impl Host for Odd<'_> {
    fn owner(&self, address: IpAddr) -> Option<u32> {
        address.is_loopback().then_some(1)
    }

    fn is_resolver(&self, address: IpAddr) -> bool {
        address.is_loopback()
    }

    fn network(&self, pvd: PvdId) -> Option<Arc<Dns>> {
        let known = self.0.pvds.first().filter(|_| pvd.0.is_multiple_of(3))?;
        Some(Arc::new(known.dns.clone()))
    }

    fn gave(&self, _: PvdId, _: &dyn Fn(&Server) -> bool) -> Gave {
        Gave::Unknown
    }

    fn link(&self, pvd: PvdId) -> Result<Link, Unusable> {
        let index = u32::from(pvd.0) + 2;
        if index % 2 == 1 {
            return Err(Unusable::Down);
        }
        Ok(Link {
            index,
            v4: true,
            v6: index % 4 == 0,
            v6_link_local: true,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    #[test]
    fn nothing_that_fuzzing_has_kept_makes_a_parser_panic() {
        let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
        for (name, target) in TARGETS {
            let files: Vec<_> = fs::read_dir(corpus.join(name)).unwrap().collect();
            assert!(files.len() >= 5, "{name} has lost its corpus");
            for file in files {
                let path = file.unwrap().path();
                let bytes = fs::read(&path).unwrap();
                let ended = std::panic::catch_unwind(|| target(&bytes));
                assert!(ended.is_ok(), "{}", path.display());
            }
        }
    }
}
