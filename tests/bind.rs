//! Listeners: reachable on the network that the policy says, and answering by it. What the
//! application binds or pins by itself is in `explicit.rs`.

use mif_lab::{Lab, Output, Running};

/// Every listener says "ready" and answers with the peer that it sees.
const STREAM_SERVER: &str = r#"
import socket, sys
host, port = sys.argv[1], int(sys.argv[2])
family = socket.AF_INET6 if ":" in host else socket.AF_INET
made = socket.socket(family, socket.SOCK_STREAM)
if host != "none":
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.bind((host, port))
made.listen()
print("ready", made.getsockname()[1], flush=True)
while True:
    accepted, peer = made.accept()
    accepted.sendall(b"stream")
    accepted.close()
"#;

const DATAGRAM_SERVER: &str = r#"
import socket, sys
host, port = sys.argv[1], int(sys.argv[2])
made = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
made.bind((host, port))
if sys.argv[3:] == ["dissolved"]:
    import ctypes
    made.connect(("203.0.113.10", 7001))
    assert ctypes.CDLL(None).connect(made.fileno(), bytes(16), 16) == 0
print("ready", port, flush=True)
while True:
    text, peer = made.recvfrom(99)
    made.sendto(b"datagram", peer)
"#;

/// Tells what the server at each address says, over streams or datagrams. A connected socket hears
/// only the address that it asked, so the answer's source is the right one.
const CLIENT: &str = r#"
import socket, sys
kind = {"tcp": socket.SOCK_STREAM, "udp": socket.SOCK_DGRAM}[sys.argv[1]]
port = int(sys.argv[2])
for host in sys.argv[3:]:
    made = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, kind)
    made.settimeout(0.4)
    try:
        made.connect((host, port))
        if kind == socket.SOCK_DGRAM:
            made.send(b"x")
        print(made.recv(99).decode())
    except TimeoutError:
        print("silence")
    except ConnectionRefusedError:
        print("refused")
"#;

fn serve(lab: &Lab, options: &[&str], script: &str, host: &str, port: &str) -> Running {
    let words = ["-c", script, host, port];
    let running = lab.command("python3").args(words).mif(options).spawn();
    running.wait_for_line("ready");
    running
}

fn ask(lab: &Lab, place: &str, words: &[&str]) -> Vec<String> {
    let client = lab.command("python3").args(["-c", CLIENT]).args(words);
    let out = client.within(place).run();
    out.ok().lines().map(str::to_owned).collect()
}

fn python(lab: &Lab, options: &[&str], script: &str) -> Output {
    lab.mif(options, &["python3", "-c", script])
}

#[test]
fn a_stream_server_is_reachable_on_the_network_only() {
    let lab = Lab::new();
    let _four = serve(&lab, &["-i", "wan1"], STREAM_SERVER, "0.0.0.0", "8004");
    let _six = serve(&lab, &["-i", "wan1"], STREAM_SERVER, "::", "8006");
    let far = ["tcp", "8004", "10.2.0.2", "10.1.0.2", "10.3.0.2"];
    let answers = ask(&lab, "far", &far);
    // The kernel's own answer to a closed port leaves by the default network, and is lost there
    // where it comes from another.
    assert_eq!(answers[..2], ["stream", "refused"]);
    assert_ne!(answers[2], "stream");
    let far = [
        "tcp",
        "8006",
        "2001:db8:2::2",
        "10.2.0.2",
        "2001:db8:1::2",
        "10.1.0.2",
    ];
    let answers = ask(&lab, "far", &far);
    assert_eq!(answers, ["stream", "stream", "refused", "refused"]);
    // A device-bound listener is not reached over loopback (docs/limits.md).
    let host = ["tcp", "8006", "127.0.0.1", "::1", "10.1.0.2"];
    assert_eq!(ask(&lab, "host", &host), ["refused"; 3]);
    assert_eq!(ask(&lab, "host", &["tcp", "8006", "10.2.0.2"]), ["stream"]);
    // Had an answer gone by the default network, it would have been dropped there.
    assert!(lab.packets("rb") >= 9);
}

#[test]
fn a_real_server_answers_by_the_network() {
    let lab = Lab::new();
    let words = ["-u", "-m", "http.server", "--bind", "::", "8000"];
    let server = lab.command("python3").args(words).mif(&["-i", "wan1"]);
    let server = server.spawn();
    server.wait_for_output("Serving HTTP");
    for host in ["10.2.0.2", "[2001:db8:2::2]"] {
        let url = format!("http://{host}:8000/");
        let out = lab.from_far(&["curl", "-sS", "--max-time", "5", &url]);
        assert!(out.ok().contains("Directory listing"), "{out}");
    }
    for host in ["10.1.0.2", "[2001:db8:1::2]"] {
        let url = format!("http://{host}:8000/");
        let out = lab.from_far(&["curl", "-sS", "--max-time", "5", &url]);
        assert_eq!(out.code, Some(7), "curl cannot connect: {out}");
    }
}

#[test]
fn a_datagram_server_is_reachable_on_the_network_only() {
    let lab = Lab::new();
    let _four = serve(&lab, &["-i", "wan1"], DATAGRAM_SERVER, "0.0.0.0", "9004");
    let _six = serve(&lab, &["-i", "wan1"], DATAGRAM_SERVER, "::", "9006");
    assert_eq!(
        ask(&lab, "far", &["udp", "9004", "10.2.0.2", "10.1.0.2"]),
        ["datagram", "refused"]
    );
    let far = [
        "udp",
        "9006",
        "2001:db8:2::2",
        "10.2.0.2",
        "2001:db8:1::2",
        "10.1.0.2",
    ];
    let answers = ask(&lab, "far", &far);
    assert_eq!(answers, ["datagram", "datagram", "refused", "refused"]);
    let host = ["udp", "9006", "127.0.0.1", "::1"];
    assert_eq!(ask(&lab, "host", &host), ["refused"; 2]);
}

#[test]
fn a_dissolved_association_does_not_open_a_listener_to_every_network() {
    let lab = Lab::new();
    let words = ["-c", DATAGRAM_SERVER, "0.0.0.0", "9007", "dissolved"];
    let server = lab
        .command("python3")
        .args(words)
        .mif(&["-i", "wan1"])
        .spawn();
    server.wait_for_line("ready");
    let answers = ask(&lab, "far", &["udp", "9007", "10.2.0.2", "10.1.0.2"]);
    assert_eq!(answers, ["datagram", "refused"]);
}

#[test]
fn the_network_of_listeners_may_be_another() {
    let lab = Lab::new();
    let policy = lab.write("listen.toml", "use = \"wan1\"\nlisten = \"wan0\"\n");
    let options = ["-p", policy.to_str().unwrap()];
    let _stream = serve(&lab, &options, STREAM_SERVER, "::", "8000");
    let _datagram = serve(&lab, &options, DATAGRAM_SERVER, "::", "9000");
    let hosts = ["10.1.0.2", "2001:db8:1::2"];
    assert_eq!(
        ask(&lab, "far", &[&["tcp", "8000"], &hosts[..]].concat()),
        ["stream", "stream"]
    );
    // Answers go back by the network that the question came by, whatever `use` says.
    assert_eq!(
        ask(&lab, "far", &[&["udp", "9000"], &hosts[..]].concat()),
        ["datagram", "datagram"]
    );
    assert_eq!(lab.packets("rb"), 0);
    for words in [["tcp", "8000"], ["udp", "9000"]] {
        let hosts = ["10.2.0.2", "2001:db8:2::2"];
        let answers = ask(&lab, "far", &[&words, &hosts[..]].concat());
        assert!(
            answers
                .iter()
                .all(|one| one != "stream" && one != "datagram")
        );
    }
    let out = lab.mif(&options, &["curl", "-sS", "http://203.0.113.10/"]);
    assert_eq!(out.ok(), "10.2.0.2");
}

#[test]
fn system_leaves_listeners_alone() {
    let lab = Lab::new();
    let policy = lab.write("listen.toml", "use = \"wan1\"\nlisten = \"system\"\n");
    let options = ["-p", policy.to_str().unwrap()];
    let _stream = serve(&lab, &options, STREAM_SERVER, "::", "8000");
    assert_eq!(ask(&lab, "far", &["tcp", "8000", "10.1.0.2"]), ["stream"]);
    let host = ["tcp", "8000", "127.0.0.1", "::1", "10.2.0.2"];
    assert_eq!(ask(&lab, "host", &host), ["stream"; 3]);
}

#[test]
fn a_listener_that_nobody_bound_is_on_the_network_too() {
    let lab = Lab::new();
    let server = serve(&lab, &["-i", "wan1"], STREAM_SERVER, "none", "0");
    let line = server.wait_for_line("ready");
    let port = line.split_once(' ').unwrap().1;
    let answers = ask(&lab, "far", &["tcp", port, "10.2.0.2", "10.1.0.2"]);
    assert_eq!(answers, ["stream", "refused"]);
}

const LISTEN: &str = r#"
import errno, socket
def attempt(kind, host, port=0):
    made = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, kind)
    try:
        made.bind((host, port))
        if kind == socket.SOCK_STREAM:
            made.listen()
        return "listens"
    except OSError as error:
        return errno.errorcode[error.errno]
for host in "0.0.0.0", "::", "127.0.0.1", "::1":
    print(attempt(socket.SOCK_STREAM, host, 8000), attempt(socket.SOCK_DGRAM, host, 9000))
"#;

#[test]
fn without_a_usable_network_nobody_listens() {
    let lab = Lab::new();
    let refused = "EADDRNOTAVAIL EADDRNOTAVAIL";
    let local = "listens listens";
    let expected = [refused, refused, local, local];
    for network in ["none", "no-such0"] {
        let out = python(&lab, &["-i", network], LISTEN);
        assert_eq!(out.ok().lines().collect::<Vec<_>>(), expected, "{network}");
    }
    lab.link_down("wan1");
    let out = python(&lab, &["-i", "wan1"], LISTEN);
    assert_eq!(out.ok().lines().collect::<Vec<_>>(), expected);
    let policy = lab.write("listen.toml", "use = \"wan0\"\nlisten = \"none\"\n");
    let out = python(&lab, &["-p", policy.to_str().unwrap()], LISTEN);
    assert_eq!(out.ok().lines().collect::<Vec<_>>(), expected);
    // Nothing is said that way about programs that only connect.
    let curl = ["curl", "-sS", "http://203.0.113.10/"];
    let out = lab.mif(&["-p", policy.to_str().unwrap()], &curl);
    assert_eq!(out.ok(), "10.1.0.2");
}

#[test]
fn binding_to_no_port_chooses_nothing() {
    let lab = Lab::new();
    let policy = lab.write(
        "rules.toml",
        "use = \"wan0\"\nlisten = \"none\"\n[[rule]]\nto = \"203.0.113.21\"\nuse = \"wan1\"\n",
    );
    let script = r#"
import socket
for kind in socket.SOCK_STREAM, socket.SOCK_DGRAM:
    for family, wildcard, mapped in (socket.AF_INET, "0.0.0.0", ""), (socket.AF_INET6, "::", "::ffff:"):
        for last in 10, 21:
            made = socket.socket(family, kind)
            made.bind((wildcard, 0))
            made.settimeout(5)
            made.connect((mapped + "203.0.113.%d" % last, 7001))
            made.send(b"x")
            print(made.recv(99).decode().split()[0])
one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
one.bind(("0.0.0.0", 0))
for last in 10, 21:
    one.sendto(b"x", ("203.0.113.%d" % last, 7001))
    print(one.recv(99).decode())
"#;
    let out = python(&lab, &["-p", policy.to_str().unwrap()], script);
    let seen: Vec<_> = out.ok().lines().collect();
    assert_eq!(seen, ["10.1.0.2", "10.2.0.2"].repeat(5));
}

#[test]
fn a_datagram_listener_may_still_choose_a_peer() {
    let lab = Lab::new();
    let script = r#"
import errno, socket
echo = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
echo.bind(("127.0.0.1", 0))
made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
made.settimeout(5)
made.bind(("0.0.0.0", 9000))
made.sendto(b"x", ("203.0.113.10", 7001))
print(made.recv(99).decode())
# Pinned to a device, it would put this on the wire.
try:
    made.sendto(b"lost", echo.getsockname())
except OSError as error:
    print(errno.errorcode[error.errno])
made.connect(("203.0.113.10", 7001))
made.send(b"x")
print(made.recv(99).decode(), made.getsockname()[1])
made.connect(echo.getsockname())
made.send(b"local")
print(echo.recv(99).decode(), made.getsockname()[1])
"#;
    let out = python(&lab, &["-i", "wan1"], script);
    assert_eq!(
        out.ok().lines().collect::<Vec<_>>(),
        ["10.2.0.2", "ENETUNREACH", "10.2.0.2 9000", "local 9000"]
    );
    let packets = ["ra", "rb", "rv"].map(|router| lab.packets(router));
    assert_eq!(packets, [0, 2, 0]);
}
