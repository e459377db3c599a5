//! What is kept of answers, for how long, and for whom.
mod fake;

use std::time::{Duration, Instant};

use fake::{Asked, Server, record};
use hickory_proto::op::ResponseCode;
use hickory_proto::rr::{Name, RData, RecordType};
use mif_policy::{Families, PvdId};
use mif_resolve::{Answer, Ask, Cache, Failure, Patience, Plan, Scope};

const HERE: Scope = Scope {
    pvd: Some(PvdId(0)),
    index: 2,
    addresses: 7,
};

fn plan(servers: &[mif_policy::Server]) -> Plan<'_> {
    Plan {
        patience: Patience {
            timeout: Duration::from_millis(200),
            attempts: 1,
            ..Patience::default()
        },
        ..fake::plan(servers)
    }
}

/// `NAME CODE` and records as `KIND DATA TTL`, `SOA` records in the authority section with their
/// time to live and minimum.
fn answer(asked: &Asked, code: ResponseCode, records: &[(&str, &str, u32)]) -> Vec<Vec<u8>> {
    let mut reply = asked.reply(code);
    let mut owner = asked.query.queries[0].name().to_ascii();
    for &(kind, data, ttl) in records {
        let mut one = record(&owner, kind, data);
        one.ttl = ttl;
        match &mut one.data {
            RData::SOA(soa) => {
                // The record's own is longer: the lesser counts.
                soa.minimum = ttl;
                one.ttl = ttl.saturating_mul(2);
                reply.add_authority(one);
                continue;
            }
            RData::CNAME(target) => owner = target.0.to_ascii(),
            _ => {}
        }
        reply.add_answer(one);
    }
    vec![reply.to_vec().unwrap()]
}

/// How often the server was asked for one look-up after another.
fn questions<const N: usize>(server: &Server, mut run: impl FnMut(usize)) -> [usize; N] {
    std::array::from_fn(|n| {
        let before = server.texts().len();
        run(n);
        server.texts().len() - before
    })
}

fn address(result: Result<Answer, Failure>) -> String {
    result.unwrap().addresses[0].to_string()
}

#[test]
fn an_answer_is_asked_for_once_in_its_place() {
    let server = Server::start(|asked| {
        let ip = ("A", "192.0.2.1", 60);
        answer(asked, ResponseCode::NoError, &[ip])
    });
    let other = Server::start(|asked| {
        let ip = ("A", "192.0.2.2", 60);
        answer(asked, ResponseCode::NoError, &[ip])
    });
    let cache = Cache::new();
    let (servers, others) = ([server.address.into()], [other.address.into()]);
    let search = ["corp.test".into()];
    let plan = plan(&servers);
    let asked = questions(&server, |n| {
        let (name, plan, scope) = match n {
            // Everything else that counts, one at a time.
            2 => ("who.test.", plan, HERE),
            3 => (
                "who.test",
                plan,
                Scope {
                    pvd: Some(PvdId(1)),
                    ..HERE
                },
            ),
            4 => ("who.test", plan, Scope { index: 3, ..HERE }),
            5 => (
                "who.test",
                plan,
                Scope {
                    addresses: 8,
                    ..HERE
                },
            ),
            6 => (
                "who.test",
                Plan {
                    search: &search,
                    ..plan
                },
                HERE,
            ),
            7 => (
                "who.test",
                Plan {
                    families: Families::V4,
                    ..plan
                },
                HERE,
            ),
            8 | 9 => (
                "who.test",
                plan,
                Scope {
                    addresses: 0,
                    ..HERE
                },
            ),
            _ => ("who.test", plan, HERE),
        };
        assert_eq!(
            address(cache.lookup(name, &plan, scope)),
            "192.0.2.1",
            "{n}"
        );
    });
    assert_eq!(asked, [1, 0, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0]);
    let elsewhere = Plan {
        servers: &others,
        ..plan
    };
    for _ in 0..2 {
        assert_eq!(
            address(cache.lookup("who.test", &elsewhere, HERE)),
            "192.0.2.2"
        );
        assert_eq!(address(cache.lookup("who.test", &plan, HERE)), "192.0.2.1");
    }
    assert_eq!(other.texts().len(), 1);
}

#[test]
fn the_shortest_time_to_live_of_the_chain_counts() {
    let server = Server::start(|asked| {
        let records = [
            ("CNAME", "b.test.", 1),
            ("CNAME", "c.test.", 600),
            ("A", "192.0.2.1", 600),
        ];
        answer(asked, ResponseCode::NoError, &records)
    });
    let servers = [server.address.into()];
    let cache = Cache::new();
    let look_up = || address(cache.lookup("a.test", &plan(&servers), HERE));
    let start = Instant::now();
    look_up();
    while server.texts().len() == 1 {
        look_up();
        assert!(start.elapsed() < Duration::from_secs(10), "it never ends");
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(start.elapsed() >= Duration::from_secs(1), "it ended early");
}

#[test]
fn what_the_servers_do_not_vouch_for_is_not_kept() {
    type Say = fn(&Asked) -> Vec<Vec<u8>>;
    let cases: [(&str, Ask, Say, usize); 10] = [
        (
            "a time to live of 0",
            Ask::V4,
            |asked| answer(asked, ResponseCode::NoError, &[("A", "192.0.2.1", 0)]),
            2,
        ),
        (
            "one with the highest bit, RFC 2181",
            Ask::V4,
            |asked| answer(asked, ResponseCode::NoError, &[("A", "192.0.2.1", 1 << 31)]),
            2,
        ),
        (
            "no such name",
            Ask::V4,
            |asked| answer(asked, ResponseCode::NXDomain, &[("SOA", "ns.test.", 60)]),
            1,
        ),
        (
            "no such name, and nothing to say for how long",
            Ask::V4,
            |asked| answer(asked, ResponseCode::NXDomain, &[]),
            2,
        ),
        (
            "no such address",
            Ask::V4,
            |asked| answer(asked, ResponseCode::NoError, &[("SOA", "ns.test.", 60)]),
            1,
        ),
        (
            "no such address, for no time",
            Ask::V4,
            |asked| answer(asked, ResponseCode::NoError, &[("SOA", "ns.test.", 0)]),
            2,
        ),
        (
            "a failure",
            Ask::V4,
            |asked| answer(asked, ResponseCode::ServFail, &[("SOA", "ns.test.", 60)]),
            2,
        ),
        ("silence", Ask::V4, |_| vec![], 2),
        (
            "one family, and a failure of the other",
            Ask::Both,
            |asked| {
                if asked.wants("who.test.", RecordType::A) {
                    answer(asked, ResponseCode::NoError, &[("A", "192.0.2.1", 60)])
                } else {
                    asked.code(ResponseCode::ServFail)
                }
            },
            4,
        ),
        (
            "one family, and a denial of the other",
            Ask::Both,
            |asked| {
                if asked.wants("who.test.", RecordType::A) {
                    answer(asked, ResponseCode::NoError, &[("A", "192.0.2.1", 60)])
                } else {
                    answer(asked, ResponseCode::NoError, &[("SOA", "ns.test.", 60)])
                }
            },
            2,
        ),
    ];
    for (what, ask, say, wanted) in cases {
        let server = Server::start(say);
        let servers = [server.address.into()];
        let cache = Cache::new();
        let plan = Plan {
            ask,
            ..plan(&servers)
        };
        let first = cache.lookup("who.test", &plan, HERE);
        assert_eq!(cache.lookup("who.test", &plan, HERE), first, "{what}");
        assert_eq!(server.texts().len(), wanted, "{what}");
    }
}

#[test]
fn candidates_that_may_come_to_be_keep_the_answer_short() {
    // The first candidate is denied without a time, so the name may be there the next time.
    let server = Server::start(|asked| {
        if *asked.query.queries[0].name() == Name::from_ascii("who.corp.test.").unwrap() {
            answer(asked, ResponseCode::NXDomain, &[])
        } else {
            answer(asked, ResponseCode::NoError, &[("A", "192.0.2.1", 60)])
        }
    });
    let servers = [server.address.into()];
    let search = ["corp.test".into(), "lab.test".into()];
    let cache = Cache::new();
    let plan = Plan {
        search: &search,
        ..plan(&servers)
    };
    let asked = questions(&server, |_| {
        assert_eq!(address(cache.lookup("who", &plan, HERE)), "192.0.2.1");
    });
    assert_eq!(asked, [2, 2]);
}

#[test]
fn the_table_is_bounded_and_names_stay_apart() {
    let server = Server::start(|asked| {
        let name = asked.query.queries[0].name().to_ascii();
        let number: u32 = name.trim_end_matches(".test.").parse().unwrap();
        let ip = std::net::Ipv4Addr::from(number).to_string();
        answer(asked, ResponseCode::NoError, &[("A", &ip, 60)])
    });
    let servers = [server.address.into()];
    let cache = Cache::new();
    let asked = questions(&server, |round| {
        for n in 0..1000u32 {
            // The second time backwards, so that what is still there is asked for first.
            let number = if round == 0 { n } else { 999 - n };
            let result = cache.lookup(&format!("{number}.test"), &plan(&servers), HERE);
            let ip = std::net::Ipv4Addr::from(number).to_string();
            assert_eq!(address(result), ip);
        }
    });
    let [first, second] = asked;
    assert_eq!(first, 1000);
    assert!(
        (744..=800).contains(&second),
        "{second} of 1000 asked anew, where 256 are kept"
    );
}

#[test]
fn many_addresses_are_not_kept() {
    let server = Server::start(|asked| {
        let ips: Vec<_> = (0..129).map(|n| format!("192.0.2.{n}")).collect();
        let records: Vec<_> = ips.iter().map(|ip| ("A", ip.as_str(), 60)).collect();
        answer(asked, ResponseCode::NoError, &records)
    });
    let servers = [server.address.into()];
    let cache = Cache::new();
    let asked = questions(&server, |_| {
        let found = cache.lookup("who.test", &plan(&servers), HERE).unwrap();
        assert_eq!(found.addresses.len(), 129);
    });
    assert_eq!(asked, [1, 1]);
}

#[test]
fn threads_that_want_one_name_do_not_send_each_other_to_the_server() {
    let server =
        Server::start(|asked| answer(asked, ResponseCode::NoError, &[("A", "192.0.2.1", 60)]));
    let servers = [server.address.into()];
    let cache = Cache::new();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..2000 {
                    let result = cache.lookup("who.test", &plan(&servers), HERE);
                    assert_eq!(address(result), "192.0.2.1");
                }
            });
        }
    });
    let asked = server.texts().len();
    assert!(asked < 40, "{asked} questions for 16,000 look-ups");
}
