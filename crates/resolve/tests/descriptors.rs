//! No descriptor outlives a look-up. Alone in its process: other tests open theirs.
mod fake;

use std::net::UdpSocket;
use std::time::Duration;

use fake::Server;
use hickory_proto::op::ResponseCode;
use mif_policy::Families;
use mif_resolve::order::Selection;
use mif_resolve::{Ask, Failure, InTheClear, Patience, Plan, Way, lookup};

fn open_descriptors() -> Vec<String> {
    let all = std::fs::read_dir("/proc/self/fd").unwrap();
    let mut all: Vec<_> = all
        .map(|entry| std::fs::read_link(entry.unwrap().path()))
        .filter_map(|link| Some(link.ok()?.to_string_lossy().into_owned()))
        .filter(|link| !link.contains("/proc/"))
        .collect();
    all.sort();
    all
}

#[test]
fn nothing_stays_open() {
    let good = Server::with_zone(&["who.test. A 192.0.2.1", "who.test. AAAA 2001:db8::1"]);
    let bad = Server::start(|asked| asked.code(ResponseCode::ServFail));
    let truncated = Server::start(|asked| {
        let mut reply = asked.reply(ResponseCode::NoError);
        reply.metadata.truncation = true;
        if asked.tcp {
            vec![]
        } else {
            vec![reply.to_vec().unwrap()]
        }
    });
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let servers = [
        truncated.address.into(),
        bad.address.into(),
        silent.local_addr().unwrap().into(),
        good.address.into(),
    ];
    let patience = Patience {
        timeout: Duration::from_millis(100),
        ..Patience::default()
    };
    let plan = Plan {
        servers: &servers,
        secure: &InTheClear,
        search: &[],
        zones: &[],
        way: &|_| Way::Host,
        families: Families::Any,
        ask: Ask::Both,
        selection: Selection::default(),
        patience,
        stop: None,
    };
    let before = open_descriptors();
    assert!(
        before.len() > 8,
        "the sockets of the servers are seen: {before:?}"
    );
    assert_eq!(lookup("who.test", &plan).unwrap().addresses.len(), 2);
    assert_eq!(lookup("nosuch.test", &plan), Err(Failure::NoName));
    assert_eq!(
        lookup(
            "who.test",
            &Plan {
                servers: &servers[..3],
                ..plan
            }
        ),
        Err(Failure::Again)
    );
    assert_eq!(open_descriptors(), before);
}
