//! One question as bytes, and bytes as the reply to it: no more of a reply than look-ups need (the
//! additional section is not even read).

use std::net::IpAddr;

use hickory_proto::rr::Name;
use hickory_proto::serialize::binary::BinDecoder;

use crate::reverse;
use crate::wire::{self, A, AAAA, Data, HEADER, Header, Record};

/// EDNS option code of padding, and the length that queries are padded to a multiple of.
const PADDING: u16 = 12;
const BLOCK: usize = 128;

/// Links of a chain of aliases within one reply, as many as BIND follows.
const MAX_LINKS: usize = 16;

/// A question with its id.
pub(crate) struct Question {
    kind: u16,
    /// The query message without EDNS.
    message: Vec<u8>,
}

/// What some bytes are to a question.
pub(crate) enum Read {
    /// Not its reply: wrong id or question, a query, or too short to tell.
    Foreign,
    /// Its reply, but with records that make no sense.
    Broken,
    /// Its reply.
    Reply(Reply),
}

/// A reply, reduced to what look-ups need.
#[derive(Debug)]
pub(crate) struct Reply {
    /// RCODE, without the extension by EDNS.
    code: u8,
    /// TC: the records are not all there.
    pub(crate) truncated: bool,
    /// CNAME records: owner and target.
    aliases: Vec<(Name, Name)>,
    /// Records of the type that was asked for.
    addresses: Vec<(Name, IpAddr)>,
    /// A SOA record says that there is no such record, for so many seconds (RFC 2308).
    denied: Option<u32>,
    /// How long the records hold, in seconds: the shortest of them, `u32::MAX` if there are none.
    ttl: u32,
}

impl Question {
    /// A question for records of a type, as the constants of `wire` have them.
    pub(crate) fn new(id: u16, name: &Name, kind: u16) -> Self {
        Self {
            kind,
            message: wire::query(id, name, kind),
        }
    }

    /// The query message with RD, and with EDNS (RFC 6891) if wanted.
    pub(crate) fn encode(&self, edns: bool) -> Vec<u8> {
        let mut message = Vec::with_capacity(self.message.len() + wire::EDNS);
        message.extend_from_slice(&self.message);
        if edns {
            wire::add_edns(&mut message);
        }
        message
    }

    /// The query with EDNS, as long as most others are: who sees an encrypted query go by is not
    /// to tell the name from its length (RFC 7830, RFC 8467 section 4.1).
    pub(crate) fn encode_padded(&self) -> Option<Vec<u8>> {
        let mut message = self.encode(true);
        // The OPT record is the last; without options, its length is the last two octets.
        let option = message.len() + 4;
        let padding = u16::try_from(option.next_multiple_of(BLOCK) - option).ok()?;
        message.truncate(message.len() - 2);
        message.extend((padding + 4).to_be_bytes());
        message.extend(PADDING.to_be_bytes());
        message.extend(padding.to_be_bytes());
        message.resize(message.len() + usize::from(padding), 0);
        Some(message)
    }

    /// Bytes from the server that was asked.
    pub(crate) fn read(&self, bytes: &[u8]) -> Read {
        let Some(header) = Header::read(bytes) else {
            return Read::Foreign;
        };
        match self.records_of(header, bytes) {
            Some(mut records) => {
                let reply = read_records(header, self.kind, &mut records);
                reply.map_or(Read::Broken, Read::Reply)
            }
            None => Read::Foreign,
        }
    }

    /// A decoder that stands in front of the records, if this is the reply.
    fn records_of<'b>(&self, header: Header, bytes: &'b [u8]) -> Option<BinDecoder<'b>> {
        let is_reply = header.is_reply() && header.operation() == 0;
        if !is_reply || header.id.to_be_bytes() != self.message[..2] {
            return None;
        }
        let mut decoder = wire::after_header(bytes)?;
        match header.questions {
            1 => {
                // No name before it, so it is written as the query has it. The lengths of labels are
                // no letters, but type and class may look like some.
                let asked = &self.message[HEADER..];
                let got = decoder.read_slice(asked.len()).ok()?.unverified();
                let (name, kind) = asked.split_at(asked.len() - 4);
                let (same, rest) = got.split_at(name.len());
                (same.eq_ignore_ascii_case(name) && rest == kind).then_some(decoder)
            }
            // A server that did not understand the question may leave it out.
            0 => (!header.has_answered()).then_some(decoder),
            _ => None,
        }
    }
}

/// See [`crate::read_any_reply`].
pub(crate) fn read_any(bytes: &[u8]) -> bool {
    let (Some(header), Some(mut decoder)) = (Header::read(bytes), wire::after_header(bytes)) else {
        return false;
    };
    let own = wire::Question::read(&mut decoder);
    let (name, kind) = own.map_or((Name::root(), 0), |own| (own.name, own.kind));
    let _ = reverse::read(bytes, &name);
    let mut made_sense = false;
    for kind in [kind, A, AAAA] {
        let question = Question::new(header.id, &name, kind);
        if let Read::Reply(reply) = question.read(bytes) {
            made_sense = true;
            let found = reply.follow(&name).map_or(0, |(_, found)| found.len());
            assert!(
                found <= bytes.len() / 4,
                "more addresses than bytes for them"
            );
            let _ = (reply.is_good(), reply.suffices(), reply.is_final());
            let _ = (reply.ttl(), reply.denial_ttl());
        }
    }
    made_sense
}

/// `None` where a record makes no sense, unless the reply is truncated, and so of no use anyway.
fn read_records(header: Header, kind: u16, decoder: &mut BinDecoder<'_>) -> Option<Reply> {
    let mut reply = Reply {
        code: header.code(),
        truncated: header.is_truncated(),
        aliases: Vec::new(),
        addresses: Vec::new(),
        denied: None,
        ttl: u32::MAX,
    };
    if reply.truncated {
        return Some(reply);
    }
    for _ in 0..header.answers {
        let record = Record::read(decoder)?;
        if !record.is_internet {
            continue;
        }
        // Also of records that are not used: what came together is kept together.
        reply.ttl = reply.ttl.min(record.ttl);
        match record.data {
            Data::Address(address) if address.is_ipv4() == (kind == A) => {
                reply.addresses.push((record.name, address));
            }
            Data::Alias(target) => reply.aliases.push((record.name, target)),
            _ => {}
        }
    }
    if reply.addresses.is_empty() {
        let mut authorities = (0..header.authorities).map_while(|_| Record::read(decoder));
        reply.denied = authorities.find_map(|record| match record.data {
            Data::Minimum(minimum) => Some(record.ttl.min(wire::seconds(minimum))),
            _ => None,
        });
    }
    Some(reply)
}

impl Reply {
    /// The end of the chain of aliases from `name`, and the addresses there; `None` if it has no
    /// end.
    pub(crate) fn follow(&self, name: &Name) -> Option<(Name, Vec<IpAddr>)> {
        let mut at = name;
        for _ in 0..=MAX_LINKS {
            let here = self.addresses.iter().filter(|(owner, _)| owner == at);
            let found: Vec<_> = here.map(|&(_, address)| address).collect();
            match self.aliases.iter().find(|(owner, _)| owner == at) {
                Some((_, target)) if found.is_empty() => at = target,
                _ => return Some((at.clone(), found)),
            }
        }
        None
    }

    /// Whether the server answered the question, be it with "no such name".
    pub(crate) fn is_good(&self) -> bool {
        matches!(self.code, wire::NO_ERROR | wire::NO_NAME)
    }

    /// Whether this reply settles the look-up without one about the other family.
    pub(crate) fn suffices(&self) -> bool {
        self.says_no_name() || (self.is_good() && !self.addresses.is_empty())
    }

    /// Whether the name at the end of the aliases does not exist.
    pub(crate) fn says_no_name(&self) -> bool {
        self.code == wire::NO_NAME
    }

    /// Whether asking for the end of the aliases anew could bring nothing.
    pub(crate) fn is_final(&self) -> bool {
        self.denied.is_some() || self.says_no_name()
    }

    /// How many seconds the records hold.
    pub(crate) fn ttl(&self) -> u32 {
        self.ttl
    }

    /// How many seconds it holds that there is no address; 0 where the server did not say so.
    pub(crate) fn denial_ttl(&self) -> u32 {
        self.denied.unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use hickory_proto::op::{Message, Query};
    use hickory_proto::rr::RecordType;

    use super::*;

    fn name(text: &str) -> Name {
        Name::from_ascii(text).unwrap()
    }

    /// What dnsmasq 2.90 replied to "alias.test A": a chain to `who.test`, and an OPT record.
    const CAPTURED: &[u8] = b"\x12\x34\x85\x80\x00\x01\x00\x02\x00\x00\x00\x01\
        \x05alias\x04test\x00\x00\x01\x00\x01\
        \xc0\x0c\x00\x05\x00\x01\x00\x00\x00\x00\x00\x0a\x03who\x04test\x00\
        \xc0\x28\x00\x01\x00\x01\x00\x00\x00\x00\x00\x04\xc0\x00\x02\x01\
        \x00\x00\x29\x04\xd0\x00\x00\x00\x00\x00\x00";

    /// NXDOMAIN with a SOA record as RFC 2308 wants it, written by hand.
    const DENIED: &[u8] = b"\x12\x34\x81\x83\x00\x01\x00\x00\x00\x01\x00\x00\
        \x05alias\x04test\x00\x00\x01\x00\x01\
        \xc0\x12\x00\x06\x00\x01\x00\x00\x00\x3c\x00\x1d\x02ns\xc0\x12\x01h\xc0\x12\
        \x00\x00\x00\x01\x00\x00\x0e\x10\x00\x00\x03\x84\x00\x00\x07\x08\x00\x00\x00\x3c";

    fn question() -> Question {
        Question::new(0x1234, &name("Alias.test."), A)
    }

    #[test]
    fn a_reply_is_read_to_the_end_of_its_chain() {
        let Read::Reply(reply) = question().read(CAPTURED) else {
            panic!("no reply")
        };
        let (end, found) = reply.follow(&name("alias.TEST.")).unwrap();
        assert_eq!(
            (end, found),
            (name("who.test."), vec!["192.0.2.1".parse().unwrap()])
        );
        let Read::Reply(reply) = question().read(DENIED) else {
            panic!("no reply")
        };
        assert!(reply.says_no_name() && reply.is_final());
        // The SOA record's own time to live and its last field are a minute.
        assert_eq!((reply.ttl(), reply.denial_ttl()), (u32::MAX, 60));
    }

    #[test]
    fn replies_to_other_questions_are_foreign() {
        for (id, asked, kind) in [
            (0x1235, "alias.test.", A),
            (0x1234, "alias.tset.", A),
            (0x1234, "alias.test.", AAAA),
        ] {
            let question = Question::new(id, &name(asked), kind);
            assert!(
                matches!(question.read(CAPTURED), Read::Foreign),
                "{id} {asked} {kind}"
            );
            let own = question.encode(true);
            assert!(
                matches!(question.read(&own), Read::Foreign),
                "a query is no reply"
            );
        }
    }

    #[test]
    fn padded_queries_are_of_one_length() {
        for asked in [
            "a.",
            "alias.test.",
            "www.a-rather-long-name-of-a-host.example.",
        ] {
            let question = Question::new(7, &name(asked), A);
            let padded = question.encode_padded().unwrap();
            assert_eq!(padded.len(), BLOCK, "{asked}");
            let read = Message::from_vec(&padded).unwrap();
            let edns = read.edns.unwrap();
            assert_eq!(read.queries, [Query::query(name(asked), RecordType::A)]);
            assert_eq!(edns.max_payload(), 1232);
            assert!(edns.option(PADDING.into()).is_some(), "{asked}");
        }
    }

    /// Every prefix, every byte with values at the edges, and a compression pointer from every
    /// byte to every other: whatever comes, it is one of the three.
    #[test]
    fn no_bytes_make_it_panic() {
        let (mut replies, mut broken) = (0, 0);
        let mut read = |bytes: &[u8]| match question().read(bytes) {
            Read::Reply(reply) => {
                replies += 1;
                let _ = reply.follow(&name("alias.test."));
            }
            Read::Broken => broken += 1,
            Read::Foreign => {}
        };
        for original in [CAPTURED, DENIED] {
            for end in 0..original.len() {
                read(&original[..end]);
            }
            for at in 0..original.len() {
                for value in [0, 1, 0x0c, 0x3f, 0x40, 0x7f, 0x80, 0xc0, 0xff] {
                    let mut bytes = original.to_vec();
                    bytes[at] = value;
                    read(&bytes);
                    bytes[at] = original[at] ^ value;
                    read(&bytes);
                }
                for target in 0..original.len() {
                    let mut bytes = original.to_vec();
                    bytes[at] = 0xc0;
                    bytes[(at + 1) % original.len()] = u8::try_from(target).unwrap();
                    read(&bytes);
                }
            }
            read(&[original, &vec![0xff; 70_000]].concat());
        }
        assert!(replies > 1000 && broken > 100, "{replies} {broken}");
    }

    #[test]
    fn a_loop_has_no_end() {
        let links = |pairs: &[(&str, &str)]| Reply {
            code: wire::NO_ERROR,
            truncated: false,
            aliases: pairs
                .iter()
                .map(|(owner, target)| (name(owner), name(target)))
                .collect(),
            addresses: Vec::new(),
            denied: None,
            ttl: u32::MAX,
        };
        assert!(
            links(&[("a.", "b."), ("b.", "a.")])
                .follow(&name("a."))
                .is_none()
        );
        let (end, found) = links(&[("b.", "c."), ("a.", "b.")])
            .follow(&name("a."))
            .unwrap();
        assert_eq!((end, found), (name("c."), Vec::new()), "in any order");
    }
}
