//! Connections and datagrams by sixteen threads and their children for long, while the network goes
//! and comes back: nothing is lost, nothing leaves by another one, and nothing is left over.

mod support;

use std::time::{Duration, Instant};

use mif_lab::{Lab, Running};
use support::{BY_WAN1, WAN1, WAN1_6};

const PORT: &str = "7077";

#[test]
fn twenty_thousand_of_each() {
    soak(20_000, Duration::from_secs(1), Duration::from_mins(2));
}

/// `cargo test --test soak -- --ignored --nocapture` says more.
#[test]
#[ignore = "takes ten minutes"]
fn a_million_of_each() {
    soak(1_000_000, Duration::from_secs(15), Duration::from_mins(30));
}

/// `times` connections and as many datagrams, with wan1 down after each while of `between`.
fn soak(times: u32, between: Duration, limit: Duration) {
    let lab = Lab::new();
    without_last_words(&lab);
    let addresses: Vec<String> = [10, 21, 22, 23, 30, 40]
        .iter()
        .flat_map(|n| [format!("203.0.113.{n}"), format!("2001:db8:ff::{n}")])
        .collect();
    let server = lab.command(lab.probe("soak_server"));
    let server = server.args([PORT, WAN1, WAN1_6]).args(&addresses);
    let mut server = server.within("far").stdin_open().spawn();
    server.wait_for_line("ready");

    let start = Instant::now();
    let each = times.to_string();
    let client = lab.command(lab.probe("soak"));
    let client = client.args([&*each, &each, PORT, WAN1, WAN1_6]);
    let client = client.args(&addresses).mif(&BY_WAN1).spawn();
    let mut flaps = 0;
    let mut next = start + between;
    while is_running(&client) {
        assert!(start.elapsed() < limit, "it takes too long: {client:?}");
        if Instant::now() >= next {
            lab.link_down("wan1");
            std::thread::sleep(Duration::from_millis(300));
            lab.link_up("wan1");
            flaps += 1;
            next = Instant::now() + between;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    let out = client.wait();
    server.close_stdin();
    let seen = server.wait();
    println!(
        "{flaps} times down in {:?}\n{}{}{}",
        start.elapsed(),
        out.stdout,
        out.stderr,
        seen.stdout
    );

    let said = numbers(out.ok());
    let [connections, begun, datagrams, sent, wrong, descriptors] = said[..] else {
        panic!("{out}");
    };
    assert!(
        connections >= times.into() && datagrams >= times.into(),
        "{out}"
    );
    assert_eq!([wrong, descriptors], [0, 0], "{out}");
    assert!(out.stdout.ends_with(" no more memory\n"), "{out}");
    assert!(flaps > 0, "the network never went");
    // What was under way when the network went may have come to the far end, or not.
    let [ended, answered, others] = numbers(seen.ok())[..] else {
        panic!("{seen}");
    };
    assert!((connections..=begun).contains(&ended), "{out} {seen}");
    assert!((datagrams..=sent).contains(&answered), "{out} {seen}");
    assert_eq!(others, 0, "{seen}");
    assert_eq!([lab.packets("ra"), lab.packets("rv")], [0, 0]);
}

fn is_running(client: &Running) -> bool {
    let (said, _) = client.seen();
    !said.contains(" memory\n")
}

/// The numbers in a text.
fn numbers(text: &str) -> Vec<u64> {
    text.split(|c: char| !c.is_ascii_digit())
        .filter_map(|word| word.parse().ok())
        .collect()
}

/// Keeps back what Linux itself says of sockets that are gone, by whatever route it has: resets, last
/// acknowledgements, and that nobody hears a datagram.
fn without_last_words(lab: &Lab) {
    let rules = lab.write(
        "last-words",
        "table inet quiet { chain out { type filter hook output priority 0;\n\
         oifname != \"wan1\" tcp flags & rst == rst drop\n\
         oifname != \"wan1\" tcp flags == ack drop\n\
         oifname != \"wan1\" tcp flags & fin == fin drop\n\
         icmp type destination-unreachable drop\n\
         icmpv6 type destination-unreachable drop\n}\n}\n",
    );
    lab.as_root_in("host", &["nft", "-f", rules.to_str().unwrap()]);
}
