//! Replies that are not a server's own: for whoever passes the queries of others on, as [`raw`]
//! does.
//!
//! [`raw`]: crate::raw

use crate::wire::{self, HEADER};

/// QR, and TC and RD in the same octet; RA and RCODE in the next (RFC 1035 section 4.1.1).
const REPLY: u8 = 0x80;
const TRUNCATED: u8 = 0x02;
const KEPT: u8 = 0x79;
const AVAILABLE: u8 = 0x80;
const SERVFAIL: u8 = 2;

/// The reply that nobody could answer a query (SERVFAIL); `None` of bytes that are none.
#[must_use]
pub fn failure(query: &[u8]) -> Option<Vec<u8>> {
    let mut reply = query.get(..wire::end_of_questions(query)?)?.to_vec();
    if query[2] & REPLY != 0 {
        return None;
    }
    reply[2] = REPLY | (query[2] & KEPT);
    reply[3] = AVAILABLE | SERVFAIL;
    reply[6..HEADER].fill(0);
    Some(reply)
}

/// The reply to a query as a datagram: one that is longer than the query allows for is truncated,
/// and asked for again over a connection (RFC 2181 section 9).
#[must_use]
pub fn as_datagram(query: &[u8], reply: Vec<u8>) -> Vec<u8> {
    if reply.len() <= wire::room_of(query) {
        return reply;
    }
    let end = wire::end_of_questions(&reply).unwrap_or(HEADER);
    let mut cut = reply;
    cut.truncate(end);
    cut[2] |= TRUNCATED;
    if end == HEADER {
        cut[4..6].fill(0);
    }
    cut[6..HEADER].fill(0);
    cut
}

#[cfg(test)]
mod tests {
    use hickory_proto::op::{Message, ResponseCode};
    use hickory_proto::rr::Name;

    use super::*;
    use crate::wire::{A, add_edns, query};

    fn asked() -> Vec<u8> {
        query(0x1234, &Name::from_ascii("who.test.").unwrap(), A)
    }

    #[test]
    fn a_failure_is_a_reply_to_the_query() {
        let mut with_edns = asked();
        add_edns(&mut with_edns);
        for query in [asked(), with_edns] {
            let reply = failure(&query).unwrap();
            let message = Message::from_vec(&reply).unwrap();
            assert_eq!(message.metadata.id, 0x1234);
            assert_eq!(message.metadata.response_code, ResponseCode::ServFail);
            assert!(message.metadata.recursion_desired);
            assert_eq!(message.queries.len(), 1);
            assert_eq!(failure(&reply), None, "replies are not answered");
        }
        assert_eq!(failure(b"too short"), None);
        assert_eq!(failure(&asked()[..20]), None);
    }

    #[test]
    fn what_does_not_fit_is_truncated() {
        let long = |length: usize| {
            let mut reply = asked();
            reply[2] |= REPLY;
            reply[7] = 9;
            reply.resize(length, 0);
            reply
        };
        let mut with_edns = asked();
        add_edns(&mut with_edns);
        for (query, most) in [(asked(), 512), (with_edns, 1232)] {
            assert_eq!(as_datagram(&query, long(most)), long(most));
            let cut = as_datagram(&query, long(most + 1));
            let message = Message::from_vec(&cut).unwrap();
            assert!(message.metadata.truncation);
            assert_eq!((message.queries.len(), message.answers.len()), (1, 0));
        }
    }
}
