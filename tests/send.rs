//! Datagrams that say each for itself where they go: `sendto`, `sendmsg`, `sendmmsg` by policy,
//! asserted at the far end. What `connect` does with datagram sockets is in `udp_connect.rs`,
//! ancillary data of the application in `ancillary.rs`, groups and broadcast in `multicast.rs`.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use mif_lab::{Lab, Output, eventually};

/// For the Python scripts of these tests: `ask` sends and tells the answer, which is the address
/// that the far end saw, or the name of the error.
const PRELUDE: &str = r#"
import errno, socket, sys
A4, A6 = ("203.0.113.10", 7001), ("2001:db8:ff::10", 7001)
MAPPED = ("::ffff:203.0.113.10", 7001)
def udp(family=4):
    made = socket.socket(socket.AF_INET if family == 4 else socket.AF_INET6, socket.SOCK_DGRAM)
    made.settimeout(5)
    return made
def ask(made, send):
    try:
        send(made)
        return made.recv(99).decode()
    except TimeoutError:
        return "silence"
    except OSError as error:
        return errno.errorcode[error.errno]
def tell(*words):
    print(*words, flush=True)
"#;

fn python(lab: &Lab, options: &[&str], script: &str) -> Output {
    let script = format!("{PRELUDE}{script}");
    lab.mif(options, &["python3", "-c", &script])
}

fn nothing_left(lab: &Lab) {
    let packets = ["ra", "rb", "rv"].map(|router| lab.packets(router));
    assert_eq!(packets, [0, 0, 0]);
    assert_eq!(lab.arrivals(), []);
}

const EVERY_CALL: &str = r#"
for family, to in (4, A4), (6, A6), (6, MAPPED):
    tell(ask(udp(family), lambda s: s.sendto(b"sendto", to)))
    tell(ask(udp(family), lambda s: s.sendmsg([b"send", b"msg"], [], 0, to)))
"#;

#[test]
fn every_call_and_family_leaves_by_the_network() {
    let lab = Lab::new();
    let out = python(&lab, &["-i", "wan1"], EVERY_CALL);
    let (v4, v6) = ("10.2.0.2", "2001:db8:2::2");
    assert_eq!(
        out.ok().lines().collect::<Vec<_>>(),
        [v4, v4, v6, v6, v4, v4]
    );
    assert_eq!(lab.peers(), [v4, v4, v6, v6, v4, v4]);
    let payloads: Vec<_> = lab.arrivals().into_iter().map(|one| one.payload).collect();
    assert_eq!(payloads, ["sendto", "sendmsg"].repeat(3));

    let probe = lab.probe("sendmmsg");
    let probe = probe.to_str().unwrap();
    for words in [
        &["-4", "203.0.113.22"][..],
        &["-6", "2001:db8:ff::22"],
        &["-6", "203.0.113.23"],
    ] {
        let out = lab.mif(&["-i", "wan1"], &[&[probe], words].concat());
        assert_eq!(out.ok(), "1: 1");
        let to = words[1];
        let arrival = lab.wait_for_arrival(|one| one.local == to);
        assert_eq!(arrival.peer, if to.contains(':') { v6 } else { v4 });
    }
    assert_eq!([lab.packets("ra"), lab.packets("rv")], [0, 0]);
}

#[test]
fn a_named_source_is_carried() {
    let lab = Lab::new();
    lab.host_ip("address add 10.2.0.7/24 dev wan1");
    lab.host_ip("address add 2001:db8:2::7/64 dev wan1 nodad");
    let options = ["-i", "wan1", "-s", "10.2.0.7", "-s", "2001:db8:2::7"];
    let out = python(&lab, &options, EVERY_CALL);
    let (v4, v6) = ("10.2.0.7", "2001:db8:2::7");
    assert_eq!(
        out.ok().lines().collect::<Vec<_>>(),
        [v4, v4, v6, v6, v4, v4]
    );
    assert_eq!(lab.peers(), [v4, v4, v6, v6, v4, v4]);
    assert_eq!(lab.packets("ra"), 0);
}

const RULES: &str = r#"
use = "wan0"
[[rule]]
to = ["203.0.113.21", "2001:db8:ff::21"]
use = "wan1"
[[rule]]
to = "203.0.113.22"
protocol = "udp"
port = [53, "7000-7009"]
use = "vpn0"
[[rule]]
to = "203.0.113.23"
use = "none"
"#;

#[test]
fn one_socket_sends_each_datagram_by_its_own_rule() {
    let lab = Lab::new();
    let policy = lab.write("rules.toml", RULES);
    let script = r#"
one, six = udp(), udp(6)
for last in 21, 22, 23, 10, 21:
    to = "203.0.113.%d" % last
    tell(ask(one, lambda s: s.sendto(b"x", (to, 7001))),
         ask(six, lambda s: s.sendmsg([b"x"], [], 0, ("::ffff:" + to, 7001))))
for last in 10, 21:
    tell(ask(six, lambda s: s.sendto(b"x", ("2001:db8:ff::%d" % last, 7001))))
"#;
    let out = python(&lab, &["-p", policy.to_str().unwrap()], script);
    let seen: Vec<_> = out.ok().lines().collect();
    assert_eq!(
        seen,
        [
            "10.2.0.2 10.2.0.2",
            "10.3.0.2 10.3.0.2",
            "ENETUNREACH ENETUNREACH",
            "10.1.0.2 10.1.0.2",
            "10.2.0.2 10.2.0.2",
            "2001:db8:1::2",
            "2001:db8:2::2",
        ]
    );
    assert_eq!(lab.packets("rb"), 5);
    assert_eq!(lab.packets("rv"), 2);
    assert_eq!(lab.packets("ra"), 3);
}

#[test]
fn a_batch_goes_to_several_networks() {
    let lab = Lab::new();
    let policy = lab.write("rules.toml", RULES);
    let probe = lab.probe("sendmmsg");
    let (policy, probe) = (policy.to_str().unwrap(), probe.to_str().unwrap());
    let send = |words: &[&str]| lab.mif(&["-p", policy], &[&[probe], words].concat());
    let network = |local: &str| match local {
        "203.0.113.21" => "10.2.0.2",
        "203.0.113.22" => "10.3.0.2",
        _ => "10.1.0.2",
    };

    // In turn to three networks, more than are handed to the kernel at once.
    let turns = ["203.0.113.21", "203.0.113.22", "203.0.113.10"];
    let forty: Vec<&str> = turns.into_iter().cycle().take(40).collect();
    let lengths: Vec<String> = (0..40)
        .map(|n: usize| (n.to_string().len() + n % 3).to_string())
        .collect();
    let all = format!("40: {}", lengths.join(" "));
    for family in ["-4", "-6"] {
        assert_eq!(send(&[&[family], &forty[..]].concat()).ok(), all);
    }
    eventually("all arrive", || lab.arrivals().len() == 80);
    for arrival in lab.arrivals() {
        assert_eq!(arrival.peer, network(&arrival.local), "{arrival}");
    }
    let mut numbers: Vec<usize> = lab
        .arrivals()
        .iter()
        .map(|one| one.payload.trim_end_matches('.').parse().unwrap())
        .collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (0..80).map(|n| n / 2).collect::<Vec<_>>());
    let packets = ["ra", "rb", "rv"].map(|router| lab.packets(router));
    assert_eq!(packets, [26, 28, 26]);
}

#[test]
fn a_batch_stops_where_a_message_is_refused() {
    let lab = Lab::new();
    let policy = lab.write("rules.toml", RULES);
    let probe = lab.probe("sendmmsg");
    let (policy, probe) = (policy.to_str().unwrap(), probe.to_str().unwrap());
    let send = |words: &[&str]| lab.mif(&["-p", policy], &[&[probe], words].concat());
    let refused = "203.0.113.23";
    let (one, many) = ("203.0.113.21", "203.0.113.21*20");

    assert_eq!(send(&[refused, one]).ok(), "ENETUNREACH");
    assert_eq!(lab.packets("rb"), 0);
    assert_eq!(send(&[one, one, refused, one]).ok(), "2: 1 2\nENETUNREACH");
    eventually("what stands before it arrives", || {
        lab.arrivals().len() == 2
    });
    // Behind the first 16, which the kernel has already.
    let out = send(&[many, refused, one]);
    let mut lines = out.ok().lines();
    assert!(lines.next().unwrap().starts_with("20: "), "{out}");
    assert_eq!(lines.next(), Some("ENETUNREACH"), "{out}");
    assert_eq!(lines.next(), None, "{out}");
    eventually("what stands before it arrives", || {
        lab.arrivals().len() == 22
    });
    assert_eq!(["ra", "rv"].map(|router| lab.packets(router)), [0, 0]);
    assert_eq!(lab.packets("rb"), 22);
}

#[test]
fn without_a_usable_network_nothing_is_sent() {
    let lab = Lab::new();
    let script = r#"
for family, to in (4, A4), (6, A6), (6, MAPPED):
    tell(ask(udp(family), lambda s: s.sendto(b"x", to)),
         ask(udp(family), lambda s: s.sendmsg([b"x"], [], 0, to)),
         ask(udp(family), lambda s: s.connect(to)))
"#;
    let probe = lab.probe("sendmmsg");
    let batch = [probe.to_str().unwrap(), "203.0.113.10"];
    let refused = "ENETUNREACH ENETUNREACH ENETUNREACH";
    lab.link_down("wan1");
    for network in ["wan1", "no-such0", "none"] {
        let out = python(&lab, &["-i", network], script);
        assert_eq!(
            out.ok().lines().collect::<Vec<_>>(),
            [refused; 3],
            "{network}"
        );
        assert_eq!(lab.mif(&["-i", network], &batch).ok(), "ENETUNREACH");
    }
    nothing_left(&lab);

    // The VPN has IPv4 only.
    let out = python(&lab, &["-i", "vpn0"], script);
    assert_eq!(out.ok().lines().nth(1), Some(refused));
    assert_eq!(lab.peers(), ["10.3.0.2"; 4]);
    assert_eq!([lab.packets("ra"), lab.packets("rb")], [0, 0]);

    // The list goes on behind what is not usable.
    let out = python(&lab, &["-i", "wan1", "-i", "vpn0"], EVERY_CALL);
    let v4 = "10.3.0.2";
    let v6 = "ENETUNREACH";
    assert_eq!(
        out.ok().lines().collect::<Vec<_>>(),
        [v4, v4, v6, v6, v4, v4]
    );
    assert_eq!([lab.packets("ra"), lab.packets("rb")], [0, 0]);
}

#[test]
fn loopback_and_own_addresses_are_exempt() {
    let lab = Lab::new();
    let script = r#"
for family, host in (4, "127.0.0.1"), (6, "::1"), (4, "10.1.0.2"), (6, "2001:db8:1::2"), (6, "::ffff:127.0.0.1"):
    server = udp(family)
    server.bind((host, 0))
    client = udp(family)
    client.sendto(b"here", server.getsockname()[:2])
    said, peer = server.recvfrom(9)
    server.sendmsg([said], [], 0, peer)
    tell(client.recv(9).decode())
"#;
    // Natively a local address is reached by loopback, so nothing shows at a router either way.
    let out = python(&lab, &["-i", "wan1", "-i", "wan0"], script);
    assert_eq!(out.ok().lines().collect::<Vec<_>>(), ["here"; 5]);
    nothing_left(&lab);
}

#[test]
fn ping_goes_by_the_network() {
    let lab = Lab::new();
    // A copy has neither file capabilities nor a set-uid bit.
    let ping = lab.dir().join("bin/ping");
    fs::copy("/usr/bin/ping", &ping).expect("iputils-ping is installed");
    fs::set_permissions(&ping, fs::Permissions::from_mode(0o755)).unwrap();
    let ping = ping.to_str().unwrap();
    for (to, number) in [("203.0.113.10", 1), ("2001:db8:ff::10", 2)] {
        let out = lab.mif(&["-i", "wan1"], &[ping, "-n", "-c1", "-W3", to]);
        assert!(out.ok().contains("1 received"), "{out}");
        assert_eq!(lab.packets("rb"), number);
    }
    assert_eq!([lab.packets("ra"), lab.packets("rv")], [0, 0]);
}

#[test]
fn an_interface_that_comes_back_with_another_index_is_found() {
    let lab = Lab::new();
    let script = r#"
one, connected = udp(), udp()
for _ in sys.stdin:
    tell(socket.if_nametoindex("wan1"),
         ask(one, lambda s: s.sendto(b"x", A4)),
         ask(udp(6), lambda s: s.sendto(b"x", A6)),
         ask(one, lambda s: s.sendmsg([b"x"], [], 0, A4)),
         ask(udp(), lambda s: (s.connect(A4), s.send(b"x"))))
"#;
    let script = format!("{PRELUDE}{script}");
    let command = lab.command("python3").args(["-c", &script]);
    let mut python = command.mif(&["-i", "wan1"]).stdin_open().spawn();
    let right = "10.2.0.2 2001:db8:2::2 10.2.0.2 10.2.0.2";
    python.send("\n");
    let first = python.wait_for_line(right);

    lab.host_ip("link delete wan1");
    lab.make_wan1();
    python.send("\n");
    python.close_stdin();
    let out = python.wait();
    let second = out.ok().lines().nth(1).unwrap();
    assert_eq!(second.split_once(' ').unwrap().1, right);
    assert_ne!(first, second, "the index has not changed");
    assert_eq!([lab.packets("ra"), lab.packets("rv")], [0, 0]);
}
