//! The fuzz target's entry on stable Rust: a fixed run of mutants of replies that make sense.
mod fake;

use fake::record;
use hickory_proto::op::{Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::{Name, RecordType};
use mif_resolve::read_any_reply;

/// A generator of numbers (xorshift64*), the same in each run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let high = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        usize::try_from(high).unwrap() % limit
    }
}

fn reply(code: ResponseCode, answers: &[(&str, &str, &str)], authority: bool) -> Vec<u8> {
    let mut reply = Message::new(0x1234, MessageType::Response, OpCode::Query);
    reply.metadata.response_code = code;
    let name = Name::from_ascii("alias.test.").unwrap();
    reply.add_query(Query::query(name, RecordType::A));
    for (owner, kind, data) in answers {
        reply.add_answer(record(owner, kind, data));
    }
    if authority {
        reply.add_authority(record("test.", "SOA", "ns.test."));
    }
    reply.to_vec().unwrap()
}

fn mutate(bytes: &mut Vec<u8>, seeds: &[Vec<u8>], numbers: &mut Numbers) {
    const EDGES: [u8; 9] = [0, 1, 0x0c, 0x3f, 0x40, 0x7f, 0x80, 0xc0, 0xff];
    for _ in 0..=numbers.below(4) {
        if bytes.is_empty() {
            return;
        }
        let at = numbers.below(bytes.len());
        match numbers.below(6) {
            0 => bytes[at] ^= 1 << numbers.below(8),
            1 => bytes[at] = EDGES[numbers.below(EDGES.len())],
            2 => bytes.truncate(at),
            3 => {
                let end = at + numbers.below(bytes.len() - at);
                let copy = bytes[at..end].to_vec();
                bytes.splice(at..at, copy);
            }
            4 => {
                let other = &seeds[numbers.below(seeds.len())];
                let from = numbers.below(other.len());
                bytes.splice(at.., other[from..].iter().copied());
            }
            _ => {
                // A compression pointer to anywhere.
                let target = numbers.below(bytes.len() + 4);
                bytes[at] = 0xc0 | u8::try_from(target >> 8 & 0x3f).unwrap();
                if let Some(next) = bytes.get_mut(at + 1) {
                    *next = u8::try_from(target & 0xff).unwrap();
                }
            }
        }
    }
}

#[test]
fn no_mutant_of_a_reply_makes_it_panic_or_hang() {
    let chain = [
        ("alias.test.", "CNAME", "b.test."),
        ("b.test.", "CNAME", "who.test."),
        ("who.test.", "A", "192.0.2.1"),
        ("who.test.", "A", "192.0.2.2"),
    ];
    let turned = [
        ("alias.test.", "CNAME", "b.test."),
        ("b.test.", "CNAME", "alias.test."),
    ];
    let seeds = [
        reply(ResponseCode::NoError, &chain, false),
        reply(ResponseCode::NoError, &turned, true),
        reply(ResponseCode::NXDomain, &[], true),
        reply(
            ResponseCode::NoError,
            &[("alias.test.", "AAAA", "2001:db8::1")],
            false,
        ),
        reply(
            ResponseCode::NoError,
            &[
                ("alias.test.", "CNAME", "7.test."),
                ("7.test.", "PTR", "who.test."),
            ],
            false,
        ),
    ];
    for seed in &seeds {
        assert!(read_any_reply(seed));
    }
    let mut numbers = Numbers(0x6d69_6620_6e61_6d65);
    let mut made_sense = 0;
    for n in 0..60_000 {
        let mut bytes = seeds[n % seeds.len()].clone();
        mutate(&mut bytes, &seeds, &mut numbers);
        made_sense += usize::from(read_any_reply(&bytes));
    }
    // Enough of them get past the first look, and enough do not.
    assert!((5_000..55_000).contains(&made_sense), "{made_sense}");
}
