//! Datagram sockets that connect: the network of each connect, with its source, whatever the
//! socket did before, and for as long as the connection lasts.

use mif_lab::{Lab, Output};

/// For the Python scripts of these tests: `ask` connects or sends and tells the answer, which is
/// the address that the far end saw, or the name of the error.
const PRELUDE: &str = r#"
import ctypes, errno, socket, sys
def udp(family=4):
    made = socket.socket(socket.AF_INET if family == 4 else socket.AF_INET6, socket.SOCK_DGRAM)
    made.settimeout(5)
    return made
def ask(act, made):
    try:
        act()
        return made.recv(99).decode()
    except TimeoutError:
        return "silence"
    except OSError as error:
        return errno.errorcode[error.errno]
def to(made, host):
    return ask(lambda: (made.connect((host, 7001)), made.send(b"x")), made)
def sendto(made, host):
    return ask(lambda: made.sendto(b"x", (host, 7001)), made)
def heard(made, host):
    "For a socket that may hear only the peer it was connected to: arrivals tell the rest."
    try:
        return made.sendto(b"y", (host, 7001))
    except OSError as error:
        return errno.errorcode[error.errno]
def dissolve(made):
    "connect(2) with AF_UNSPEC"
    assert ctypes.CDLL(None).connect(made.fileno(), bytes(16), 16) == 0
def tell(*words):
    print(*words, flush=True)
class Echo:
    "A server of this host, which must not be reached by any network."
    def __init__(self, host):
        self.socket = udp(6 if ":" in host else 4)
        self.socket.bind((host, 0))
        self.name = self.socket.getsockname()[:2]
    def hears(self, act):
        try:
            act(self.name)
            return self.socket.recv(9).decode()
        except OSError as error:
            return errno.errorcode[error.errno]
"#;

const RULES: &str = r#"
use = "wan0"
[[rule]]
to = ["203.0.113.21", "2001:db8:ff::21"]
use = "wan1"
[[rule]]
to = "203.0.113.22"
use = "vpn0"
[[rule]]
to = ["203.0.113.23", "2001:db8:ff::23"]
use = "none"
[[rule]]
to = ["203.0.113.40", "2001:db8:ff::40"]
use = "system"
"#;

fn python(lab: &Lab, script: &str) -> Output {
    let policy = lab.write("rules.toml", RULES);
    let script = format!("{PRELUDE}{script}");
    let options = ["-p", policy.to_str().unwrap()];
    lab.mif(&options, &["python3", "-c", &script])
}

#[track_caller]
fn says(out: &Output, expected: &[&str]) {
    assert_eq!(out.ok().lines().collect::<Vec<_>>(), expected, "{out}");
}

#[test]
fn each_family_takes_the_network_and_its_source() {
    let lab = Lab::new();
    let script = r#"
for family, host in (4, "203.0.113.21"), (6, "2001:db8:ff::21"), (6, "::ffff:203.0.113.21"):
    made = udp(family)
    tell(to(made, host), made.getsockname()[0])
"#;
    says(
        &python(&lab, script),
        &[
            "10.2.0.2 10.2.0.2",
            "2001:db8:2::2 2001:db8:2::2",
            "10.2.0.2 ::ffff:10.2.0.2",
        ],
    );
    assert_eq!(["ra", "rv"].map(|router| lab.packets(router)), [0, 0]);
}

#[test]
fn a_socket_connected_anew_gets_the_other_network_and_its_source() {
    let lab = Lab::new();
    let script = r#"
one, six, mixed = udp(), udp(6), udp(6)
for last in 21, 21, 10, 22, 23, 40, 21:
    tell(to(one, "203.0.113.%d" % last), to(mixed, "::ffff:203.0.113.%d" % last))
for last in 21, 21, 10, 23, 40, 21:
    tell(to(six, "2001:db8:ff::%d" % last))
"#;
    let twice = |text: &str| format!("{text} {text}");
    let v4 = [
        "10.2.0.2",
        "10.2.0.2",
        "10.1.0.2",
        "10.3.0.2",
        "ENETUNREACH",
        "10.1.0.2",
        "10.2.0.2",
    ];
    let (one, two) = ("2001:db8:1::2", "2001:db8:2::2");
    let v6 = [two, two, one, "ENETUNREACH", one, two];
    let v6 = v6.map(str::to_owned);
    let expected: Vec<String> = v4.map(twice).into_iter().chain(v6).collect();
    let out = python(&lab, script);
    assert_eq!(out.ok().lines().collect::<Vec<_>>(), expected);
    let packets = ["ra", "rb", "rv"].map(|router| lab.packets(router));
    assert_eq!(packets, [6, 9, 2]);
}

#[test]
fn loopback_can_be_connected_to_afterwards() {
    let lab = Lab::new();
    let script = r#"
for family, host, local in (
    (4, "203.0.113.21", "127.0.0.1"), (6, "2001:db8:ff::21", "::1"),
    (6, "::ffff:203.0.113.21", "::ffff:127.0.0.1"), (4, "203.0.113.21", "10.1.0.2"),
):
    echo, made = Echo(local), udp(family)
    tell(to(made, host), echo.hears(lambda name: (made.connect(name), made.send(b"here"))),
         to(made, host))
"#;
    let (v4, v6) = ("10.2.0.2 here 10.2.0.2", "2001:db8:2::2 here 2001:db8:2::2");
    says(&python(&lab, script), &[v4, v6, v4, v4]);
    assert_eq!(lab.packets("rb"), 8);
    assert_eq!(["ra", "rv"].map(|router| lab.packets(router)), [0, 0]);
}

#[test]
fn a_connected_socket_may_send_elsewhere() {
    let lab = Lab::new();
    let script = r#"
one, six, mixed = udp(), udp(6), udp(6)
local, local6 = Echo("127.0.0.1"), Echo("::1")
tell(to(one, "203.0.113.21"), to(six, "2001:db8:ff::21"), to(mixed, "::ffff:203.0.113.21"))
for last in 21, 10, 22, 23:
    tell(heard(one, "203.0.113.%d" % last), heard(mixed, "::ffff:203.0.113.%d" % last))
tell(local.hears(lambda name: one.sendto(b"here", name)))
# IPv6 keeps the address of the connection, so another network, loopback included, is refused.
for last in 21, 10, 23:
    tell(heard(six, "2001:db8:ff::%d" % last))
tell(local6.hears(lambda name: six.sendto(b"here", name)))
# What was connected to is still there.
tell(ask(lambda: one.send(b"x"), one), ask(lambda: six.send(b"x"), six))
"#;
    let out = python(&lab, script);
    let seen: Vec<_> = out.ok().lines().collect();
    assert_eq!(seen[0], "10.2.0.2 2001:db8:2::2 10.2.0.2");
    assert_eq!(seen[1..5], ["1 1", "1 1", "1 1", "ENETUNREACH ENETUNREACH"]);
    assert_eq!(
        seen[5..10],
        ["here", "1", "ENETUNREACH", "ENETUNREACH", "ENETUNREACH"]
    );
    assert_eq!(seen[10], "10.2.0.2 2001:db8:2::2");
    for (local, peer) in [
        ("203.0.113.21", "10.2.0.2"),
        ("203.0.113.10", "10.1.0.2"),
        ("203.0.113.22", "10.3.0.2"),
        ("2001:db8:ff::21", "2001:db8:2::2"),
    ] {
        let at = |one: &mif_lab::Arrival| one.local == local && one.payload == "y";
        lab.wait_for_arrival(at);
        let peers: Vec<_> = lab.arrivals().into_iter().filter(at).collect();
        assert!(peers.iter().all(|one| one.peer == peer), "{peers:?}");
    }
}

#[test]
fn a_dissolved_association_leaves_nothing_behind() {
    let lab = Lab::new();
    let script = r#"
for family, wan1, wan0, local in (
    (4, "203.0.113.21", "203.0.113.10", "127.0.0.1"),
    (6, "2001:db8:ff::21", "2001:db8:ff::10", "::1"),
):
    # Linux lets a dissolved IPv6 socket hear its old peer only.
    made, other, echo = udp(family), udp(family), Echo(local)
    tell(to(other, wan1))
    dissolve(other)
    tell(heard(other, wan0))
    tell(to(made, wan0))
    dissolve(made)
    dissolve(made)
    tell(to(made, wan1))
    dissolve(made)
    tell(echo.hears(lambda name: made.sendto(b"here", name)))
"#;
    says(
        &python(&lab, script),
        &[
            "10.2.0.2",
            "1",
            "10.1.0.2",
            "10.2.0.2",
            "here",
            "2001:db8:2::2",
            "1",
            "2001:db8:1::2",
            "2001:db8:2::2",
            "here",
        ],
    );
    for (local, peer) in [
        ("203.0.113.10", "10.1.0.2"),
        ("2001:db8:ff::10", "2001:db8:1::2"),
    ] {
        let arrival = lab.wait_for_arrival(|one| one.local == local && one.payload == "y");
        assert_eq!(arrival.peer, peer);
    }
}

#[test]
fn a_connection_stays_where_it_is_when_routes_change() {
    let lab = Lab::new();
    let script = r#"
one, six, bound, sender = udp(), udp(6), udp(6), udp(6)
bound.bind(("2001:db8:2::2", 0))
sender.bind(("2001:db8:2::2", 0))
tell(to(one, "203.0.113.21"), to(six, "2001:db8:ff::21"), to(bound, "2001:db8:ff::21"),
     sendto(sender, "2001:db8:ff::21"))
sys.stdin.readline()
tell(*[ask(lambda: made.send(b"x"), made) for made in (one, six, bound)],
     sendto(sender, "2001:db8:ff::21"))
"#;
    let policy = lab.write("rules.toml", RULES);
    let command = lab.command("python3").arg("-c");
    let mut python = command
        .arg(format!("{PRELUDE}{script}"))
        .mif(&["-p", policy.to_str().unwrap()])
        .stdin_open()
        .spawn();
    let right = "10.2.0.2 2001:db8:2::2 2001:db8:2::2 2001:db8:2::2";
    python.wait_for_line(right);
    lab.host_ip("route add 198.51.100.0/24 via 10.1.0.1 dev wan0");
    lab.host_ip("route add 2001:db8:99::/64 via 2001:db8:1::1 dev wan0");
    python.send("\n");
    let out = python.wait();
    assert_eq!(out.ok().lines().nth(1), Some(right), "{out}");
    assert_eq!(["ra", "rv"].map(|router| lab.packets(router)), [0, 0]);
}

#[test]
fn what_the_application_bound_stays() {
    let lab = Lab::new();
    let script = r#"
for family, inside, outside, wan1 in (
    (4, "10.2.0.2", "10.1.0.2", "203.0.113.21"),
    (6, "2001:db8:2::2", "2001:db8:1::2", "2001:db8:ff::21"),
):
    for host in inside, outside:
        made = udp(family)
        made.bind((host, 4321))
        tell(to(made, wan1), sendto(made, wan1), made.getsockname()[1])
        made.close()
"#;
    // Outside is another network that this policy names: bound there, and refused by the rule.
    says(
        &python(&lab, script),
        &[
            "10.2.0.2 10.2.0.2 4321",
            "ENETUNREACH ENETUNREACH 4321",
            "2001:db8:2::2 2001:db8:2::2 4321",
            "ENETUNREACH ENETUNREACH 4321",
        ],
    );
    assert_eq!(lab.packets("ra"), 0);
    assert_eq!(lab.arrivals().len(), 4);
    assert!(lab.arrivals().iter().all(|one| one.peer_port == 4321));
}
