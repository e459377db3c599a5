//! Answers at the limits of the format, and answers that somebody else sends.
mod fake;

use std::collections::BTreeSet;
use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use fake::{Asked, Server, plan, record};
use hickory_proto::op::ResponseCode;
use hickory_proto::rr::{Name, RecordType};
use mif_resolve::{Failure, Patience, Plan, lookup};

/// The reply to "who.test A" with this many records, by hand: hickory's encoder does not compress
/// names that far behind.
fn with_records(asked: &Asked, records: u32) -> Vec<u8> {
    let mut bytes = asked.reply(ResponseCode::NoError).to_vec().unwrap();
    bytes[6..8].copy_from_slice(&u16::try_from(records).unwrap().to_be_bytes());
    for n in 0..records {
        // The name is the question's; A, IN, a minute, four bytes.
        bytes.extend([0xc0, 0x0c, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4]);
        bytes.extend((0xc000_0000 + n).to_be_bytes());
    }
    bytes
}

#[test]
fn five_hundred_records_and_the_largest_message_are_read() {
    for records in [500, 4094] {
        let server = Server::start(move |asked| {
            let mut reply = asked.reply(ResponseCode::NoError);
            if asked.tcp {
                return vec![with_records(asked, records)];
            }
            reply.metadata.truncation = true;
            vec![reply.to_vec().unwrap()]
        });
        let mut found = lookup("who.test", &plan(&[server.address.into()]))
            .unwrap()
            .addresses;
        found.sort();
        let wanted = (0..records).map(|n| std::net::Ipv4Addr::from(0xc000_0000 + n));
        assert!(found.into_iter().eq(wanted.map(std::net::IpAddr::from)));
    }
    let server = Server::with_zone(&[]);
    let _ = lookup("who.test", &plan(&[server.address.into()]));
    let largest = with_records(&server.asked()[0], 4094).len();
    assert!(largest > 65_520 && largest < 65_536, "{largest}");
}

#[test]
fn a_reply_from_another_address_or_port_is_not_heard() {
    let server = Server::start(|asked| {
        let client = SocketAddr::from(([127, 0, 0, 1], asked.port));
        let mut forged = asked.reply(ResponseCode::NoError);
        forged.add_answer(record("who.test.", "A", "203.0.113.66"));
        let forged = forged.to_vec().unwrap();
        // Everything is right but who sends it, and it is there before the true one.
        for from in ["127.0.0.1:0", "127.0.0.2:0"] {
            let liar = UdpSocket::bind(from).unwrap();
            // A port that is connected elsewhere may say so by ICMP.
            let _ = liar.send_to(&forged, client);
        }
        asked.by_zone(&["who.test. A 192.0.2.1"])
    });
    let found = lookup("who.test", &plan(&[server.address.into()])).unwrap();
    assert_eq!(
        found.addresses,
        ["192.0.2.1".parse::<std::net::IpAddr>().unwrap()]
    );
}

#[test]
fn neither_ids_nor_ports_can_be_guessed() {
    let server = Server::with_zone(&["who.test. A 192.0.2.1"]);
    for _ in 0..32 {
        lookup("who.test", &plan(&[server.address.into()])).unwrap();
    }
    let asked = server.asked();
    let numbers = |of: fn(&Asked) -> u16| asked.iter().map(of).collect::<Vec<_>>();
    for numbers in [
        numbers(|one| one.query.metadata.id),
        numbers(|one| one.port),
    ] {
        let different: BTreeSet<_> = numbers.iter().collect();
        // Of 32 numbers out of 28,000, more than three pairs are alike in one of a hundred million runs.
        assert!(different.len() >= 29, "{numbers:?}");
        // Nor does one tell the next.
        let steps = numbers.windows(2).map(|pair| pair[1].wrapping_sub(pair[0]));
        assert!(steps.collect::<BTreeSet<_>>().len() >= 24, "{numbers:?}");
    }
}

#[test]
fn the_question_is_compared_without_regard_to_case() {
    // Some servers answer in a case of their own, so that mif does not ask in a random one.
    let server = Server::start(|asked| {
        let mut reply = asked.reply(ResponseCode::NoError);
        reply.queries[0].set_name(Name::from_ascii("WHO.tEST.").unwrap());
        reply.add_answer(record("Who.TEST.", "A", "192.0.2.1"));
        vec![reply.to_vec().unwrap()]
    });
    let found = lookup("who.test", &plan(&[server.address.into()])).unwrap();
    assert_eq!(found.addresses.len(), 1);
    let asked = &server.asked()[0].query;
    assert_eq!(asked.queries[0].name().to_ascii(), "who.test.");
}

#[test]
fn a_flood_of_foreign_replies_ends_with_the_time() {
    let server = Server::start(|asked| {
        let mut foreign = asked.reply(ResponseCode::NoError);
        foreign.metadata.id = !foreign.metadata.id;
        vec![foreign.to_vec().unwrap(); 500]
    });
    let patience = Patience {
        timeout: Duration::from_millis(300),
        attempts: 2,
        ..Patience::default()
    };
    let start = Instant::now();
    let result = lookup(
        "who.test",
        &Plan {
            patience,
            ..plan(&[server.address.into()])
        },
    );
    assert_eq!(result, Err(Failure::Again));
    assert!(
        start.elapsed() < Duration::from_secs(5),
        "{:?}",
        start.elapsed()
    );
}

#[test]
fn a_stream_that_trickles_or_breaks_off_ends_with_the_time() {
    use std::io::{Read, Write};
    // One port for both, as a server has it.
    let (udp, tcp) = loop {
        let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
        if let Ok(tcp) = std::net::TcpListener::bind(udp.local_addr().unwrap()) {
            break (udp, tcp);
        }
    };
    let server = udp.local_addr().unwrap();
    let by_udp = std::thread::spawn(move || {
        let mut buffer = [0; 512];
        for _ in 0..2 {
            let (length, from) = udp.recv_from(&mut buffer).unwrap();
            // The query as its own reply, truncated.
            buffer[2] |= 0x82;
            udp.send_to(&buffer[..length], from).unwrap();
        }
    });
    let by_tcp = std::thread::spawn(move || {
        // The first breaks off within the message, the second sends a byte at a time.
        let (mut stream, _) = tcp.accept().unwrap();
        stream.read_exact(&mut [0; 2]).unwrap();
        stream.write_all(&[0xff, 0xff, 1, 2, 3]).unwrap();
        drop(stream);
        let (mut stream, _) = tcp.accept().unwrap();
        stream.write_all(&[0xff, 0xff]).unwrap();
        while stream.write_all(&[0]).is_ok() {
            std::thread::sleep(Duration::from_millis(10));
        }
    });
    let patience = Patience {
        timeout: Duration::from_millis(500),
        attempts: 2,
        ..Patience::default()
    };
    let start = Instant::now();
    let servers = [server.into()];
    let plan = Plan {
        patience,
        ..plan(&servers)
    };
    assert_eq!(lookup("who.test", &plan), Err(Failure::Again));
    assert!(
        start.elapsed() < Duration::from_secs(5),
        "{:?}",
        start.elapsed()
    );
    by_udp.join().unwrap();
    by_tcp.join().unwrap();
}

#[test]
fn names_at_the_limits_of_their_length() {
    let server = Server::start(|asked| {
        let mut reply = asked.reply(ResponseCode::NoError);
        let name = asked.query.queries[0].name().clone();
        let mut one = record("x.test.", "A", "192.0.2.1");
        one.name = name;
        reply.add_answer(one);
        vec![reply.to_vec().unwrap()]
    });
    let servers = [server.address.into()];
    let label = "a".repeat(63);
    // 253 characters without the trailing dot are 255 bytes on the wire.
    let longest = [&*label, &*label, &*label, &"b".repeat(61)].join(".");
    for name in [&*label, &*longest, &format!("{longest}.")] {
        let found = lookup(name, &plan(&servers)).unwrap();
        assert_eq!(found.canonical, name.trim_end_matches('.'));
    }
    let asked = server.texts().len();
    for name in [
        format!("{label}a"),
        format!("{longest}b"),
        format!("a.{longest}"),
    ] {
        assert_eq!(
            lookup(&name, &plan(&servers)),
            Err(Failure::NoName),
            "{name}"
        );
    }
    assert_eq!(server.texts().len(), asked, "what is no name is not asked");
}

#[test]
fn internationalised_names_are_asked_in_ascii_as_they_are() {
    let server = Server::with_zone(&["xn--bcher-kva.test. A 192.0.2.1"]);
    let servers = [server.address.into()];
    let found = lookup("xn--bcher-kva.test", &plan(&servers)).unwrap();
    assert_eq!(found.canonical, "xn--bcher-kva.test");
    // Bytes that are no ASCII go as they are, as glibc sends them without AI_IDN.
    let server = Server::start(|asked| {
        let name = asked.query.queries[0].name();
        assert_eq!(name.iter().next().unwrap(), "bücher".as_bytes());
        assert_eq!(asked.query.queries[0].query_type(), RecordType::A);
        asked.code(ResponseCode::NXDomain)
    });
    let servers = [server.address.into()];
    assert_eq!(lookup("bücher.test", &plan(&servers)), Err(Failure::NoName));
    assert_eq!(server.texts().len(), 1);
}
