//! DNS messages as bytes (RFC 1035 section 4), as far as look-ups make and read them.
//!
//! Names, and with them compression and its loops, are hickory's. Records are not: its `Record`
//! brings the parsers of every type of record there is into each process (docs/performance.md).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use hickory_proto::rr::Name;
use hickory_proto::serialize::binary::{BinDecodable, BinDecoder};

/// Types of records (RFC 1035 section 3.2.2, RFC 3596, RFC 6891).
pub(crate) const A: u16 = 1;
pub(crate) const CNAME: u16 = 5;
pub(crate) const SOA: u16 = 6;
pub(crate) const PTR: u16 = 12;
pub(crate) const AAAA: u16 = 28;
const OPT: u16 = 41;

/// The class of the Internet.
const IN: u16 = 1;

/// RCODEs (RFC 1035 section 4.1.1).
pub(crate) const NO_ERROR: u8 = 0;
pub(crate) const NO_NAME: u8 = 3;

/// What a reply by datagram may have without fragments (DNS flag day 2020).
const PAYLOAD: u16 = 1232;

/// Octets of a header.
pub(crate) const HEADER: usize = 12;
/// Octets that [`add_edns`] adds.
pub(crate) const EDNS: usize = 11;

/// A query message with RD and without EDNS.
pub(crate) fn query(id: u16, name: &Name, kind: u16) -> Vec<u8> {
    let mut message = Vec::with_capacity(HEADER + name.len() + 5);
    message.extend_from_slice(&id.to_be_bytes());
    message.extend_from_slice(&[1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    for label in name {
        // A label of hickory's has 63 octets at most.
        message.push(u8::try_from(label.len()).unwrap_or(0));
        message.extend_from_slice(label);
    }
    message.push(0);
    message.extend_from_slice(&kind.to_be_bytes());
    message.extend_from_slice(&IN.to_be_bytes());
    message
}

/// Adds EDNS (RFC 6891) to a message of [`query`].
pub(crate) fn add_edns(message: &mut Vec<u8>) {
    message[HEADER - 1] = 1;
    message.push(0);
    message.extend_from_slice(&OPT.to_be_bytes());
    message.extend_from_slice(&PAYLOAD.to_be_bytes());
    // No extended code, version 0, no flags, no options.
    message.extend_from_slice(&[0; 6]);
}

/// The header of a message.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Header {
    pub(crate) id: u16,
    flags: u16,
    pub(crate) questions: u16,
    pub(crate) answers: u16,
    pub(crate) authorities: u16,
    additionals: u16,
}

impl Header {
    /// `None` where a message is too short for one.
    pub(crate) fn read(message: &[u8]) -> Option<Self> {
        let head = message.first_chunk::<HEADER>()?;
        let word = |at: usize| u16::from_be_bytes([head[at], head[at + 1]]);
        Some(Self {
            id: word(0),
            flags: word(2),
            questions: word(4),
            answers: word(6),
            authorities: word(8),
            additionals: word(10),
        })
    }

    /// QR: a reply, and no query.
    pub(crate) fn is_reply(self) -> bool {
        self.flags & 0x8000 != 0
    }

    /// OPCODE; 0 is a query.
    pub(crate) fn operation(self) -> u8 {
        self.flags.to_be_bytes()[0] >> 3 & 0xf
    }

    /// TC: the records are not all there.
    pub(crate) fn is_truncated(self) -> bool {
        self.flags & 0x0200 != 0
    }

    /// RCODE, without the extension by EDNS.
    pub(crate) fn code(self) -> u8 {
        self.flags.to_be_bytes()[1] & 0xf
    }

    /// Whether the server says that there is something, or that there is nothing.
    pub(crate) fn has_answered(self) -> bool {
        matches!(self.code(), NO_ERROR | NO_NAME)
    }
}

/// One entry of a question section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Question {
    pub(crate) name: Name,
    pub(crate) kind: u16,
    class: u16,
}

impl Question {
    pub(crate) fn read(decoder: &mut BinDecoder<'_>) -> Option<Self> {
        Some(Self {
            name: Name::read(decoder).ok()?,
            kind: word(decoder)?,
            class: word(decoder)?,
        })
    }
}

/// One record of the class of the Internet, or of another whose data is [`Data::Other`].
#[derive(Debug)]
pub(crate) struct Record {
    pub(crate) name: Name,
    pub(crate) is_internet: bool,
    /// Seconds.
    pub(crate) ttl: u32,
    pub(crate) data: Data,
}

/// The data of a record.
#[derive(Debug)]
pub(crate) enum Data {
    /// Of an A or AAAA record.
    Address(IpAddr),
    /// The target of a CNAME record.
    Alias(Name),
    /// What a PTR record points to.
    Pointer(Name),
    /// MINIMUM of a SOA record: for how many seconds a denial holds (RFC 2308).
    Minimum(u32),
    /// Anything else.
    Other,
}

impl Record {
    /// `None` where it is cut off, or its data is not what its type says.
    pub(crate) fn read(decoder: &mut BinDecoder<'_>) -> Option<Self> {
        let name = Name::read(decoder).ok()?;
        let (kind, class) = (word(decoder)?, word(decoder)?);
        let ttl = double_word(decoder)?;
        let length = usize::from(word(decoder)?);
        let end = decoder.index() + length;
        let is_internet = class == IN;
        let data = match kind {
            A if is_internet => Data::Address(Ipv4Addr::from(octets::<4>(decoder)?).into()),
            AAAA if is_internet => Data::Address(Ipv6Addr::from(octets::<16>(decoder)?).into()),
            CNAME if is_internet => Data::Alias(Name::read(decoder).ok()?),
            PTR if is_internet => Data::Pointer(Name::read(decoder).ok()?),
            SOA if is_internet => {
                let _server = Name::read(decoder).ok()?;
                let _mailbox = Name::read(decoder).ok()?;
                let _times = octets::<16>(decoder)?;
                Data::Minimum(double_word(decoder)?)
            }
            _ => {
                decoder.read_slice(length).ok()?;
                Data::Other
            }
        };
        (decoder.index() == end).then_some(Self {
            name,
            is_internet,
            ttl: seconds(ttl),
            data,
        })
    }
}

/// The records of the answer section of a whole message; `None` where one makes no sense.
pub(crate) fn answers(message: &[u8]) -> Option<Vec<Record>> {
    let (header, mut decoder) = after_questions(message)?;
    (0..header.answers)
        .map(|_| Record::read(&mut decoder))
        .collect()
}

/// How long a datagram may be that answers a query: what its OPT record says (RFC 6891 section
/// 6.2.3), and without one 512 octets.
pub(crate) fn room_of(query: &[u8]) -> usize {
    const LEAST: u16 = 512;
    let room = || {
        let (header, mut decoder) = after_questions(query)?;
        for _ in 0..u32::from(header.answers) + u32::from(header.authorities) {
            Record::read(&mut decoder)?;
        }
        for _ in 0..header.additionals {
            let _owner = Name::read(&mut decoder).ok()?;
            let (kind, room) = (word(&mut decoder)?, word(&mut decoder)?);
            if kind == OPT {
                return Some(room.max(LEAST));
            }
            let _ttl = double_word(&mut decoder)?;
            let length = usize::from(word(&mut decoder)?);
            decoder.read_slice(length).ok()?;
        }
        None
    };
    usize::from(room().unwrap_or(LEAST))
}

/// Where the questions of a message end.
pub(crate) fn end_of_questions(message: &[u8]) -> Option<usize> {
    after_questions(message).map(|(_, decoder)| decoder.index())
}

fn after_questions(message: &[u8]) -> Option<(Header, BinDecoder<'_>)> {
    let header = Header::read(message)?;
    let mut decoder = after_header(message)?;
    for _ in 0..header.questions {
        Question::read(&mut decoder)?;
    }
    Some((header, decoder))
}

/// A decoder that stands behind the header.
pub(crate) fn after_header(message: &[u8]) -> Option<BinDecoder<'_>> {
    let mut decoder = BinDecoder::new(message);
    decoder.read_slice(HEADER).ok()?;
    Some(decoder)
}

/// A time to live; with the highest bit set it is none (RFC 2181 section 8).
pub(crate) fn seconds(ttl: u32) -> u32 {
    if ttl > i32::MAX.cast_unsigned() {
        0
    } else {
        ttl
    }
}

fn word(decoder: &mut BinDecoder<'_>) -> Option<u16> {
    octets(decoder).map(u16::from_be_bytes)
}

fn double_word(decoder: &mut BinDecoder<'_>) -> Option<u32> {
    octets(decoder).map(u32::from_be_bytes)
}

fn octets<const N: usize>(decoder: &mut BinDecoder<'_>) -> Option<[u8; N]> {
    let slice = decoder.read_slice(N).ok()?.unverified();
    slice.first_chunk().copied()
}

#[cfg(test)]
mod tests {
    use hickory_proto::op::Message;
    use hickory_proto::rr::RecordType;

    use super::*;

    #[test]
    fn hickory_reads_what_is_asked() {
        let name = Name::from_ascii("Stale.test.").unwrap();
        let mut bytes = query(0x1234, &name, AAAA);
        let plain = Message::from_vec(&bytes).unwrap();
        assert!(plain.edns.is_none());
        add_edns(&mut bytes);
        let message = Message::from_vec(&bytes).unwrap();
        assert_eq!(message.metadata.id, 0x1234);
        assert!(message.metadata.recursion_desired);
        let [question] = &*message.queries else {
            panic!("one question")
        };
        assert_eq!(
            (question.name(), question.query_type()),
            (&name, RecordType::AAAA)
        );
        assert_eq!(message.edns.unwrap().max_payload(), PAYLOAD);
    }

    #[test]
    fn data_of_the_wrong_length_makes_no_sense() {
        for (kind, length, fine) in [
            (A, 4, true),
            (A, 3, false),
            (A, 5, false),
            (AAAA, 16, true),
            (AAAA, 4, false),
            (CNAME, 1, true),
            (CNAME, 2, false),
            (SOA, 22, true),
            (SOA, 21, false),
            (OPT, 7, true),
        ] {
            let mut bytes = vec![0];
            bytes.extend(u16::to_be_bytes(kind));
            bytes.extend(IN.to_be_bytes());
            bytes.extend([0; 4]);
            bytes.extend(u16::to_be_bytes(length));
            bytes.extend(vec![0; usize::from(length)]);
            let read = Record::read(&mut BinDecoder::new(&bytes));
            assert_eq!(read.is_some(), fine, "{kind} {length}");
        }
    }
}
