//! Look-ups against servers that misbehave, are silent, or cannot be reached.
mod fake;

use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use fake::{Asked, Server, record};
use hickory_proto::op::ResponseCode;
use hickory_proto::rr::{Name, RecordType};
use mif_policy::{Interface, PvdId, Route, RuleId};
use mif_resolve::{Ask, Failure, Patience, Plan, Way, lookup};

const ZONE: &[&str] = &["who.test. A 192.0.2.1", "who.test. AAAA 2001:db8::1"];

/// Where a time-out is part of the test.
const SHORT: Patience = Patience {
    timeout: Duration::from_millis(200),
    attempts: 2,
    total: Duration::from_secs(20),
};

fn plan(servers: &[mif_policy::Server]) -> Plan<'_> {
    Plan {
        ask: Ask::Both,
        ..fake::plan(servers)
    }
}

/// The number of addresses, or why there are none.
fn count(plan: &Plan<'_>) -> Result<usize, Failure> {
    lookup("who.test", plan).map(|answer| answer.addresses.len())
}

#[test]
fn a_truncated_reply_is_asked_for_by_tcp() {
    let server = Server::start(|asked| {
        let mut reply = asked.reply(ResponseCode::NoError);
        if asked.tcp {
            // Far more than one read of a socket brings.
            for _ in 0..2000 {
                reply.add_answer(record("who.test.", "A", "192.0.2.1"));
            }
        } else if asked.wants("who.test.", RecordType::A) {
            reply.metadata.truncation = true;
        } else {
            reply.add_answer(record("who.test.", "AAAA", "2001:db8::1"));
        }
        vec![reply.to_vec().unwrap()]
    });
    assert_eq!(count(&plan(&[server.address.into()])), Ok(2001));
    let texts = server.texts();
    assert_eq!(
        texts,
        [
            "who.test. A edns",
            "who.test. AAAA edns",
            "who.test. A edns tcp"
        ]
    );
}

#[test]
fn a_truncated_reply_without_tcp_is_for_the_next_server() {
    let truncated = Server::start(|asked| {
        let mut reply = asked.reply(ResponseCode::NoError);
        reply.metadata.truncation = true;
        // By TCP as well, which is nonsense; a connection that is closed at once would do.
        if asked.tcp {
            vec![]
        } else {
            vec![reply.to_vec().unwrap()]
        }
    });
    let good = Server::with_zone(ZONE);
    assert_eq!(
        count(&plan(&[truncated.address.into(), good.address.into()])),
        Ok(2)
    );
    assert_eq!(truncated.texts().len(), 4);
}

#[test]
fn a_silent_server_gives_way_to_the_next() {
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let good = Server::with_zone(ZONE);
    let servers = [silent.local_addr().unwrap().into(), good.address.into()];
    assert_eq!(
        count(&Plan {
            patience: SHORT,
            ..plan(&servers)
        }),
        Ok(2)
    );
    silent.set_nonblocking(true).unwrap();
    let mut buffer = [0; 512];
    assert!(silent.recv(&mut buffer).is_ok() && silent.recv(&mut buffer).is_ok());
    assert!(silent.recv(&mut buffer).is_err(), "it was asked once");
}

#[test]
fn a_look_up_that_is_not_wanted_any_more_ends_at_once() {
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let servers = [silent.local_addr().unwrap().into()];
    let (stop, stopper) = UnixStream::pair().unwrap();
    let stopping = thread::spawn(move || {
        // The questions are on their way.
        let asked = silent.recv(&mut [0; 512]);
        drop(stopper);
        asked.map(|_| silent)
    });
    let plan = Plan {
        stop: Some(stop.as_fd()),
        ..plan(&servers)
    };
    let start = Instant::now();
    assert_eq!(lookup("who", &plan), Err(Failure::Again));
    assert!(start.elapsed() < plan.patience.timeout);
    let silent = stopping.join().unwrap().unwrap();
    silent.set_nonblocking(true).unwrap();
    let mut buffer = [0; 512];
    let more = std::iter::from_fn(|| silent.recv(&mut buffer).ok()).count();
    assert!(
        more <= 1,
        "the other family was asked at once, and then nothing"
    );
    assert_eq!(lookup("who", &plan), Err(Failure::Again));
    assert!(silent.recv(&mut buffer).is_err(), "nothing is begun");
}

#[test]
fn silence_ends_in_time_and_ends_the_search() {
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let servers = [silent.local_addr().unwrap().into()];
    let search = ["a.test".into(), "b.test".into()];
    let start = Instant::now();
    let plan = Plan {
        patience: SHORT,
        search: &search,
        ..plan(&servers)
    };
    assert_eq!(lookup("who", &plan), Err(Failure::Again));
    assert!(
        start.elapsed() >= SHORT.timeout * 2,
        "{:?}",
        start.elapsed()
    );
    silent.set_nonblocking(true).unwrap();
    let mut buffer = [0; 512];
    let queries = std::iter::from_fn(|| silent.recv(&mut buffer).ok()).count();
    assert_eq!(queries, 4, "two questions, two attempts, one candidate");

    let total = Duration::from_millis(300);
    let patience = Patience {
        timeout: Duration::from_mins(1),
        attempts: 1000,
        total,
    };
    let start = Instant::now();
    assert_eq!(
        lookup("who", &Plan { patience, ..plan }),
        Err(Failure::Again)
    );
    assert!(
        start.elapsed() < Duration::from_secs(30),
        "the total bounds everything"
    );
}

#[test]
fn a_closed_port_costs_no_time() {
    let gone = UdpSocket::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let good = Server::with_zone(ZONE);
    let patience = Patience {
        timeout: Duration::from_mins(2),
        ..Patience::default()
    };
    let start = Instant::now();
    assert_eq!(
        count(&Plan {
            patience,
            ..plan(&[gone.into(), good.address.into()])
        }),
        Ok(2)
    );
    assert_eq!(
        count(&Plan {
            patience,
            ..plan(&[gone.into()])
        }),
        Err(Failure::Again)
    );
    assert!(start.elapsed() < Duration::from_secs(30), "ICMP was heard");
}

#[test]
fn unwilling_servers_give_way_to_the_next() {
    for code in [
        ResponseCode::ServFail,
        ResponseCode::Refused,
        ResponseCode::NotImp,
    ] {
        let bad = Server::start(move |asked| asked.code(code));
        let good = Server::with_zone(ZONE);
        assert_eq!(
            count(&plan(&[bad.address.into(), good.address.into()])),
            Ok(2),
            "{code}"
        );
        assert_eq!(
            count(&plan(&[bad.address.into()])),
            Err(Failure::Again),
            "{code}"
        );
    }
}

#[test]
fn one_family_that_fails_does_not_hide_the_other() {
    let server = Server::start(|asked| {
        if asked.wants("who.test.", RecordType::AAAA) {
            asked.code(ResponseCode::ServFail)
        } else {
            asked.by_zone(ZONE)
        }
    });
    assert_eq!(count(&plan(&[server.address.into()])), Ok(1));
    assert_eq!(
        count(&Plan {
            ask: Ask::V6,
            ..plan(&[server.address.into()])
        }),
        Err(Failure::Again)
    );
}

#[test]
fn a_server_that_does_not_know_edns_is_asked_without() {
    let server = Server::start(|asked| match &asked.query.edns {
        // The question is left out, as by servers that could not read it.
        Some(_) => {
            let mut reply = asked.reply(ResponseCode::FormErr);
            reply.queries.clear();
            vec![reply.to_vec().unwrap()]
        }
        None => asked.by_zone(ZONE),
    });
    assert_eq!(count(&plan(&[server.address.into()])), Ok(2));
    assert_eq!(server.texts()[2..], ["who.test. A", "who.test. AAAA"]);
    let deaf = Server::start(|asked| match &asked.query.edns {
        Some(_) => vec![],
        None => asked.by_zone(ZONE),
    });
    assert_eq!(
        count(&Plan {
            patience: SHORT,
            ..plan(&[deaf.address.into()])
        }),
        Ok(2)
    );
}

#[test]
fn a_question_that_was_dropped_beside_the_other_is_asked_alone() {
    let first_port = AtomicU32::new(0);
    let server = Server::start(move |asked| {
        // One reply for each port, so never two to a pair.
        let port = u32::from(asked.port);
        if first_port.swap(port, Ordering::SeqCst) == port {
            vec![]
        } else {
            asked.by_zone(ZONE)
        }
    });
    let patience = Patience {
        timeout: Duration::from_secs(1),
        ..Patience::default()
    };
    assert_eq!(
        count(&Plan {
            patience,
            ..plan(&[server.address.into()])
        }),
        Ok(2)
    );
    let texts = server.texts();
    assert_eq!(
        texts,
        [
            "who.test. A edns",
            "who.test. AAAA edns",
            "who.test. AAAA edns"
        ]
    );
}

#[test]
fn what_is_no_reply_to_the_question_is_not_heard() {
    let server = Server::start(|asked| {
        let forged = |change: &dyn Fn(&mut hickory_proto::op::Message)| {
            let mut reply = asked.reply(ResponseCode::NoError);
            reply.add_answer(record("who.test.", "A", "203.0.113.66"));
            reply.add_answer(record("who.test.", "AAAA", "2001:db8::66"));
            change(&mut reply);
            reply.to_vec().unwrap()
        };
        let mut replies = vec![
            forged(&|reply| reply.metadata.id = !reply.metadata.id),
            forged(&|reply| {
                reply.queries[0].set_name(Name::from_ascii("x.test.").unwrap());
            }),
            forged(&|reply| reply.queries.clear()),
            asked.query.to_vec().unwrap(),
            vec![],
            vec![0xff; 3],
            vec![0xff; 9000],
        ];
        replies.extend(asked.by_zone(ZONE));
        replies
    });
    let answer = lookup("who.test", &plan(&[server.address.into()])).unwrap();
    assert_eq!(answer.addresses.len(), 2);
    assert!(!format!("{answer:?}").contains("66"), "{answer:?}");
}

#[test]
fn replies_that_make_no_sense_fail() {
    let nonsense = |asked: &Asked| {
        let mut reply = asked.by_zone(&["who.test. A 192.0.2.1", "who.test. AAAA 2001:db8::1"]);
        for bytes in &mut reply {
            bytes.truncate(bytes.len() - 1);
        }
        reply
    };
    let bad = Server::start(nonsense);
    let good = Server::with_zone(ZONE);
    assert_eq!(count(&plan(&[bad.address.into()])), Err(Failure::Fail));
    assert_eq!(
        count(&plan(&[bad.address.into(), good.address.into()])),
        Ok(2)
    );
}

#[test]
fn no_way_means_no_question() {
    assert_eq!(count(&plan(&[])), Err(Failure::Fail));
    let unreachable = ["192.0.2.53:53", "[2001:db8::53]:53"]
        .map(|server| server.parse::<SocketAddr>().unwrap().into());
    let start = Instant::now();
    assert_eq!(count(&plan(&unreachable)), Err(Failure::Again));
    let interface = Interface::Named("mif-no-such".parse().unwrap());
    let route = Route {
        pvd: PvdId(0),
        name: "gone",
        interface: &interface,
        index: 999_999,
        source: None,
        prefer_source: None,
        mark: None,
        rule: RuleId(0),
    };
    let way = move |_| Way::Route(route);
    assert_eq!(
        count(&Plan {
            way: &way,
            ..plan(&unreachable)
        }),
        Err(Failure::Again)
    );
    assert!(
        start.elapsed() < Patience::default().timeout,
        "nothing was waited for"
    );
    let good = Server::with_zone(ZONE);
    let servers = [unreachable[0].clone(), good.address.into()];
    assert_eq!(
        count(&Plan {
            way: &way,
            ..plan(&servers)
        }),
        Ok(2),
        "loopback needs no way"
    );
}
