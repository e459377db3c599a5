//! Replies of the server that was asked which make no sense, and those that just make it.
mod fake;

use std::time::Instant;

use fake::{Asked, Server, plan, record};
use hickory_proto::op::ResponseCode;
use mif_resolve::{Failure, Patience, lookup};

/// Where the name stands in the question of a reply, which is its first.
const QUESTION: usize = 12;

/// The reply to a question with answers written by hand: owner, type, data and its length.
fn reply(asked: &Asked, answers: &[(&[u8], u16, &[u8], usize)]) -> Vec<u8> {
    let mut bytes = asked.reply(ResponseCode::NoError).to_vec().unwrap();
    bytes[7] = u8::try_from(answers.len()).unwrap();
    for (owner, kind, data, length) in answers {
        bytes.extend_from_slice(owner);
        bytes.extend(kind.to_be_bytes());
        bytes.extend([0, 1, 0, 0, 0, 60]);
        bytes.extend(u16::try_from(*length).unwrap().to_be_bytes());
        bytes.extend_from_slice(data);
    }
    bytes
}

const A: u16 = 1;
const CNAME: u16 = 5;
const ADDRESS: &[u8] = &[192, 0, 2, 1];

/// A compression pointer.
fn pointer(at: usize) -> [u8; 2] {
    (0xc000 | u16::try_from(at).unwrap()).to_be_bytes()
}

/// A name of this many octets, by a pointer to the question's `who.test`, which has ten.
fn long_name(octets: usize) -> Vec<u8> {
    let mut name = Vec::new();
    for label in [63, 63, 63, octets - 3 * 64 - 10 - 1] {
        name.push(u8::try_from(label).unwrap());
        name.extend(vec![b'a'; label]);
    }
    name.extend(pointer(QUESTION));
    name
}

/// What `who.test` is looked up to where the server says this, and then another one is there.
#[track_caller]
fn is_refused(what: &str, answer: fn(&Asked) -> Vec<u8>) {
    let server = Server::start(move |asked| vec![answer(asked)]);
    let good = Server::with_zone(&["who.test. A 192.0.2.7"]);
    let servers = [server.address.into(), good.address.into()];
    let start = Instant::now();
    let alone = lookup("who.test", &plan(&servers[..1]));
    assert_eq!(alone, Err(Failure::Fail), "{what}");
    let found = lookup("who.test", &plan(&servers)).unwrap();
    assert_eq!(
        found.addresses,
        ["192.0.2.7".parse::<std::net::IpAddr>().unwrap()],
        "{what}"
    );
    assert!(
        start.elapsed() < Patience::default().timeout,
        "{what} was waited for"
    );
}

#[test]
fn what_makes_no_sense_fails_at_once_and_the_next_server_is_asked() {
    is_refused("a record that is not there", |asked| {
        let mut bytes = reply(asked, &[]);
        bytes[7] = 1;
        bytes
    });
    is_refused("more records than a message has room for", |asked| {
        let mut bytes = reply(asked, &[(&pointer(QUESTION), A, ADDRESS, 4)]);
        bytes[6..8].fill(0xff);
        bytes
    });
    is_refused("a name that points to itself", |asked| {
        let here = reply(asked, &[]).len();
        reply(asked, &[(&pointer(here), A, ADDRESS, 4)])
    });
    is_refused("a name that points to what comes behind it", |asked| {
        let here = reply(asked, &[]).len();
        reply(asked, &[(&pointer(here + 2), A, ADDRESS, 4)])
    });
    is_refused("a label that points to its own name", |asked| {
        let here = reply(asked, &[]).len();
        let name = [&b"\x01a"[..], &pointer(here)].concat();
        reply(asked, &[(&name, A, ADDRESS, 4)])
    });
    is_refused("a label of no known kind", |asked| {
        reply(asked, &[(b"\x41a\0", A, ADDRESS, 4)])
    });
    is_refused("a label of 64 octets", |asked| {
        let label = [&[64][..], &[b'a'; 64], &[0]].concat();
        reply(asked, &[(&label, A, ADDRESS, 4)])
    });
    is_refused("a name of 256 octets", |asked| {
        reply(
            asked,
            &[(
                &pointer(QUESTION),
                CNAME,
                &long_name(256),
                long_name(256).len(),
            )],
        )
    });
    is_refused("data that goes on behind the message", |asked| {
        reply(asked, &[(&pointer(QUESTION), 16, b"\x01x", 0xffff)])
    });
    is_refused("an address of three octets", |asked| {
        reply(asked, &[(&pointer(QUESTION), A, &ADDRESS[1..], 3)])
    });
    is_refused("an address of sixteen", |asked| {
        reply(asked, &[(&pointer(QUESTION), A, &[1; 16], 16)])
    });
    is_refused("an alias that is longer than its data", |asked| {
        reply(asked, &[(&pointer(QUESTION), CNAME, b"\x01a\0", 2)])
    });
    is_refused(
        "a datagram that is longer than there is room for",
        |asked| {
            let one: (&[u8], _, _, _) = (&pointer(QUESTION), 16, &[1; 250][..], 250);
            reply(asked, &[one; 40])
        },
    );
}

#[test]
fn a_stream_has_to_bring_the_reply() {
    fn truncated(asked: &Asked) -> Vec<u8> {
        let mut reply = asked.reply(ResponseCode::NoError);
        reply.metadata.truncation = true;
        reply.to_vec().unwrap()
    }
    fn changed(asked: &Asked, at: usize) -> Vec<u8> {
        if !asked.tcp {
            return truncated(asked);
        }
        let mut bytes = reply(asked, &[(&pointer(QUESTION), A, ADDRESS, 4)]);
        bytes[at] ^= 1;
        bytes
    }
    is_refused("another id", |asked| changed(asked, 1));
    is_refused("another name", |asked| changed(asked, QUESTION + 1));
    is_refused("another type", |asked| changed(asked, QUESTION + 11));
    is_refused("truncated again", truncated);
    is_refused("nothing", |asked| {
        if asked.tcp {
            Vec::new()
        } else {
            truncated(asked)
        }
    });
}

#[test]
fn an_alias_of_the_longest_name_is_followed() {
    let server = Server::start(|asked| {
        let target = long_name(255);
        // Behind the owner, type, class, time and length of the alias.
        let place = pointer(reply(asked, &[]).len() + 12);
        let alias = (&pointer(QUESTION)[..], CNAME, &*target, target.len());
        vec![reply(asked, &[alias, (&place, A, ADDRESS, 4)])]
    });
    let found = lookup("who.test", &plan(&[server.address.into()])).unwrap();
    assert_eq!(found.canonical.len(), 253);
    assert_eq!(found.addresses.len(), 1);
}

#[test]
fn a_name_that_is_no_host_name_is_not_handed_out() {
    for label in [
        &b"\x04a b;"[..],
        b"\x04$(x)",
        b"\x03\x1b[m",
        b"\x02-x",
        b"\x03a\ny",
        b"\x02\xc3\xbc",
    ] {
        let target = [label, &pointer(QUESTION)].concat();
        let server = Server::start(move |asked| {
            let link = (&pointer(QUESTION)[..], CNAME, &target[..], target.len());
            let address = (&target[..], A, ADDRESS, 4);
            vec![reply(asked, &[link, address])]
        });
        let found = lookup("who.test", &plan(&[server.address.into()]));
        assert_eq!(found, Err(Failure::Fail), "{}", label.escape_ascii());
    }
}

#[test]
fn chains_of_aliases_have_a_limit() {
    // All in one reply, which is as far as BIND follows, and one link a reply.
    for (at_once, links, fine) in [
        (true, 16, true),
        (true, 17, false),
        (false, 7, true),
        (false, 8, false),
        // An alias of itself.
        (true, 0, false),
        (false, 0, false),
    ] {
        let server = Server::start(move |asked| {
            let mut reply = asked.reply(ResponseCode::NoError);
            let name = asked.query.queries[0].name().to_ascii();
            let first = name.strip_suffix(".test.").unwrap().parse().unwrap();
            let last = if at_once { links } else { links.min(first + 1) };
            for n in first..last {
                let (owner, target) = (format!("{n}.test."), format!("{}.test.", n + 1));
                reply.add_answer(record(&owner, "CNAME", &target));
            }
            let end = format!("{last}.test.");
            if links == 0 {
                reply.add_answer(record(&end, "CNAME", &end));
            } else if at_once || first == links {
                reply.add_answer(record(&end, "A", "192.0.2.1"));
            }
            vec![reply.to_vec().unwrap()]
        });
        let found = lookup("0.test", &plan(&[server.address.into()]));
        let found = found.map(|answer| (answer.canonical, answer.addresses.len()));
        let wanted = if fine {
            Ok((format!("{links}.test"), 1))
        } else {
            Err(Failure::Fail)
        };
        assert_eq!(found, wanted, "{at_once} {links}");
        assert!(server.texts().len() <= 8, "{at_once} {links}");
    }
}
