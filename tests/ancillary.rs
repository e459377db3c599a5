//! Ancillary data of the application beside ours, and what it says of networks itself.

use mif_lab::{Lab, Output, eventually};

/// For the Python scripts of these tests: `send` tells the answer, which is the address that the
/// far end saw, or the name of the error.
const PRELUDE: &str = r#"
import errno, socket, struct
V4, V6 = ("203.0.113.10", 7001), ("2001:db8:ff::10", 7001)
IP_PKTINFO, IPV6_PKTINFO, IPV6_TCLASS = 8, 50, 67
def send(to, *ancillary, text=b"x"):
    made = socket.socket(socket.AF_INET6 if ":" in to[0] else socket.AF_INET, socket.SOCK_DGRAM)
    made.settimeout(5)
    try:
        made.sendmsg([text], ancillary, 0, to)
        return made.recv(99).decode()
    except TimeoutError:
        return "silence"
    except OSError as error:
        return errno.errorcode[error.errno]
def by4(link, source="0.0.0.0"):
    index = socket.if_nametoindex(link) if link else 0
    data = struct.pack("i4s4s", index, socket.inet_aton(source), bytes(4))
    return socket.IPPROTO_IP, IP_PKTINFO, data
def by6(link, source="::"):
    index = socket.if_nametoindex(link) if link else 0
    data = struct.pack("16si", socket.inet_pton(socket.AF_INET6, source), index)
    return socket.IPPROTO_IPV6, IPV6_PKTINFO, data
"#;

fn python(lab: &Lab, options: &[&str], script: &str) -> Output {
    let script = format!("{PRELUDE}{script}");
    lab.mif(options, &["python3", "-c", &script])
}

#[track_caller]
fn says(out: &Output, expected: &[&str]) {
    assert_eq!(out.ok().lines().collect::<Vec<_>>(), expected, "{out}");
}

/// Tells source and type of service of what comes to port 7002, IPv4 and IPv6, and answers.
const RECEIVER: &str = r#"
import socket, struct, sys
made = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
made.setsockopt(socket.IPPROTO_IP, socket.IP_RECVTOS, 1)
made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVTCLASS, 1)
made.bind(("::", 7002))
print("ready", flush=True)
while True:
    _, ancillary, _, peer = made.recvmsg(99, 99)
    tos = [data[0] for level, kind, data in ancillary]
    print(peer[0], *tos, flush=True)
    made.sendto(b"seen", peer)
"#;

#[test]
fn the_applications_own_data_arrives() {
    let lab = Lab::new();
    let far = lab.command("python3").args(["-c", RECEIVER]).within("far");
    let far = far.spawn();
    far.wait_for_line("ready");
    let script = r#"
V4, V6, MAPPED = ("203.0.113.10", 7002), ("2001:db8:ff::10", 7002), ("::ffff:203.0.113.10", 7002)
tos = socket.IPPROTO_IP, socket.IP_TOS, struct.pack("i", 0x48)
tclass = socket.IPPROTO_IPV6, IPV6_TCLASS, struct.pack("i", 0x50)
print(send(V4, tos), send(V6, tclass), send(MAPPED, tos))
print(send(V4, tos, by4("wan1")), send(V6, by6("wan1"), tclass))
"#;
    says(
        &python(&lab, &["-i", "wan1"], script),
        &["seen seen seen", "seen seen"],
    );
    let (seen, _) = far.seen();
    let seen: Vec<_> = seen.lines().skip(1).collect();
    assert_eq!(
        seen,
        [
            "::ffff:10.2.0.2 72",
            "2001:db8:2::2 80",
            "::ffff:10.2.0.2 72",
            "::ffff:10.2.0.2 72",
            "2001:db8:2::2 80",
        ]
    );

    // And with sendmmsg, more messages than room for their data at once.
    let probe = lab.probe("sendmmsg");
    let probe = probe.to_str().unwrap();
    for (words, to) in [
        (["-4", "-t8"], "203.0.113.21"),
        (["-6", "-t8"], "2001:db8:ff::21"),
    ] {
        let many = format!("{to}*50");
        let out = lab.mif(&["-i", "wan1"], &[probe, words[0], words[1], &many]);
        assert!(out.ok().starts_with("50: "), "{out}");
        assert_eq!(out.ok().lines().count(), 1, "{out}");
    }
    eventually("both batches arrive", || lab.arrivals().len() == 100);
    assert_eq!(lab.packets("ra"), 0);
}

#[test]
fn segments_are_cut_by_the_kernel() {
    let lab = Lab::new();
    let script = r#"
SOL_UDP, UDP_SEGMENT = 17, 103
for to in V4, V6:
    made = socket.socket(socket.AF_INET6 if to is V6 else socket.AF_INET, socket.SOCK_DGRAM)
    made.settimeout(5)
    made.sendmsg([b"aaaabbbbcc"], [(SOL_UDP, UDP_SEGMENT, struct.pack("H", 4))], 0, to)
    print(*[made.recv(99).decode() for _ in range(3)])
"#;
    says(
        &python(&lab, &["-i", "wan1"], script),
        &[
            "10.2.0.2 10.2.0.2 10.2.0.2",
            "2001:db8:2::2 2001:db8:2::2 2001:db8:2::2",
        ],
    );
    let payloads: Vec<_> = lab.arrivals().into_iter().map(|one| one.payload).collect();
    assert_eq!(payloads, ["aaaa", "bbbb", "cc"].repeat(2));
}

#[test]
fn packet_information_inside_the_network_is_kept() {
    let lab = Lab::new();
    lab.host_ip("address add 10.2.0.7/24 dev wan1");
    lab.host_ip("address add 2001:db8:2::7/64 dev wan1 nodad preferred_lft 0");
    let script = r#"
print(send(V4, by4("wan1")), send(V4, by4("", "10.2.0.7")), send(V4, by4("wan1", "10.2.0.7")))
print(send(V6, by6("wan1")), send(V6, by6("", "2001:db8:2::7")), send(V6, by6("wan1", "2001:db8:2::7")))
print(send(V4, by4("")), send(V6, by6("")))
"#;
    says(
        &python(&lab, &["-i", "wan1"], script),
        &[
            "10.2.0.2 10.2.0.7 10.2.0.7",
            "2001:db8:2::2 2001:db8:2::7 2001:db8:2::7",
            "10.2.0.2 2001:db8:2::2",
        ],
    );
    assert_eq!(lab.packets("ra"), 0);
}

/// By wan0's device, by its address, by both, for each family.
const OUTSIDE: &str = r#"
print(send(V4, by4("wan0")), send(V4, by4("", "10.1.0.2")), send(V4, by4("wan0", "10.1.0.2")))
print(send(V6, by6("wan0")), send(V6, by6("", "2001:db8:1::2")), send(V6, by6("wan0", "2001:db8:1::2")))
"#;

#[test]
fn packet_information_outside_the_network_is_refused() {
    let lab = Lab::new();
    let out = python(&lab, &["-i", "wan1"], OUTSIDE);
    says(&out, &["ENETUNREACH ENETUNREACH ENETUNREACH"; 2]);
    let packets = ["ra", "rb", "rv"].map(|router| lab.packets(router));
    assert_eq!(packets, [0, 0, 0]);
}

#[test]
fn packet_information_outside_the_network_is_respected() {
    let lab = Lab::new();
    let respect = lab.write("respect.toml", "use = \"wan1\"\nexplicit = \"respect\"\n");
    let prefer = lab.write("prefer.toml", "use = [\"wan1\", \"system\"]\n");
    for policy in [respect, prefer] {
        let out = python(&lab, &["-p", policy.to_str().unwrap()], OUTSIDE);
        says(
            &out,
            &[
                "10.1.0.2 10.1.0.2 10.1.0.2",
                "2001:db8:1::2 2001:db8:1::2 2001:db8:1::2",
            ],
        );
    }
    assert_eq!(["rb", "rv"].map(|router| lab.packets(router)), [0, 0]);
}

#[test]
fn packet_information_outside_the_network_is_overridden() {
    let lab = Lab::new();
    let policy = lab.write("override.toml", "use = \"wan1\"\nexplicit = \"override\"\n");
    let out = python(&lab, &["-p", policy.to_str().unwrap()], OUTSIDE);
    says(
        &out,
        &[
            "10.2.0.2 10.2.0.2 10.2.0.2",
            "2001:db8:2::2 2001:db8:2::2 2001:db8:2::2",
        ],
    );
    assert_eq!(["ra", "rv"].map(|router| lab.packets(router)), [0, 0]);
}

#[test]
fn more_data_than_there_is_room_for_is_an_error() {
    let lab = Lab::new();
    let script = r#"
tos = socket.IPPROTO_IP, socket.IP_TOS, struct.pack("i", 8)
print(send(V4, *[tos] * 30), send(V4, *[tos] * 60))
"#;
    // Natively there is room for both.
    let native = format!("{PRELUDE}{script}");
    let native = lab.run(&["python3", "-c", &native]);
    says(&native, &["10.1.0.2 10.1.0.2"]);
    let before = lab.packets("ra");
    says(
        &python(&lab, &["-i", "wan1"], script),
        &["10.2.0.2 ENOBUFS"],
    );
    assert_eq!([lab.packets("ra"), lab.packets("rb")], [before, 1]);
}
