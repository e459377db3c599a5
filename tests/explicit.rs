//! What the application itself bound to an address or pinned to a device: kept inside the chosen
//! network; outside refused, respected or overridden, as `explicit` says.

use mif_lab::{Lab, Output};

const WHO: &str = "http://203.0.113.10/";
const WHO6: &str = "http://[2001:db8:ff::10]/";

fn curl(lab: &Lab, options: &[&str], interface: &str, url: &str) -> Output {
    let words = ["curl", "-sS", "--connect-timeout", "2", "--interface"];
    lab.mif(options, &[&words[..], &[interface, url]].concat())
}

fn python(lab: &Lab, options: &[&str], script: &str) -> Output {
    lab.mif(options, &["python3", "-c", script])
}

/// Asserts that nothing but the kernel's own last words on closed IPv6 streams went by another
/// network: an acknowledgement from `TIME_WAIT` heeds no device (docs/limits.md).
#[track_caller]
fn only_by_wan1(lab: &Lab) {
    assert!(lab.packets("rb") > 0);
    assert_eq!(lab.packets("ra"), lab.spoofed_packets("ra"));
    assert_eq!(lab.packets("rv"), 0);
}

#[track_caller]
fn nothing_left(lab: &Lab) {
    let packets = ["ra", "rb", "rv"].map(|router| lab.packets(router));
    assert_eq!(packets, [0, 0, 0]);
    assert_eq!(lab.arrivals(), []);
}

#[test]
fn a_choice_inside_the_network_is_kept() {
    let lab = Lab::new();
    lab.host_ip("address add 10.2.0.7/24 dev wan1");
    lab.host_ip("address add 2001:db8:2::7/64 dev wan1 nodad preferred_lft 0");
    let file = |explicit: &str| {
        let text = format!("use = \"wan1\"\nexplicit = \"{explicit}\"\n");
        let path = lab.write(&format!("{explicit}.toml"), &text);
        path.to_str().unwrap().to_owned()
    };
    let policies = ["refuse", "respect", "override"].map(file);
    for policy in &policies {
        let kept = |interface: &str, url: &str, peer: &str| {
            let out = curl(&lab, &["-p", policy], interface, url);
            assert_eq!(out.ok(), peer, "{interface}");
        };
        kept("wan1", WHO, "10.2.0.2");
        kept("wan1", WHO6, "2001:db8:2::2");
        kept("10.2.0.7", WHO, "10.2.0.7");
        kept("2001:db8:2::7", WHO6, "2001:db8:2::7");
    }
    only_by_wan1(&lab);
}

#[test]
fn a_choice_of_another_network_of_the_list_is_kept() {
    let lab = Lab::new();
    let both = ["-i", "wan1", "-i", "wan0"];
    for (interface, url, peer) in [
        ("wan0", WHO, "10.1.0.2"),
        ("wan0", WHO6, "2001:db8:1::2"),
        ("10.1.0.2", WHO, "10.1.0.2"),
        ("2001:db8:1::2", WHO6, "2001:db8:1::2"),
        ("wan1", WHO, "10.2.0.2"),
    ] {
        assert_eq!(curl(&lab, &both, interface, url).ok(), peer, "{interface}");
        let supervised = ["--reach=supervise", "-i", "wan1", "-i", "wan0"];
        assert_eq!(
            curl(&lab, &supervised, interface, url).ok(),
            peer,
            "{interface}"
        );
    }
    let datagram = "import socket as s; f = s.socket(s.AF_INET, s.SOCK_DGRAM); f.settimeout(5)\n\
                    f.bind(('10.1.0.2', 0)); f.sendto(b'x', ('203.0.113.10', 7001))\n\
                    print(f.recvfrom(99)[0].decode())";
    assert_eq!(python(&lab, &both, datagram).ok(), "10.1.0.2");
    // Contradictions, and what is in no list.
    for words in [
        ["wan0", "10.2.0.2"],
        ["vpn0", "10.3.0.2"],
        ["wan1", "10.1.0.2"],
    ] {
        let script = format!(
            "import socket as s; f = s.socket(); f.setsockopt(s.SOL_SOCKET, 25, b'{}\\0')\n\
             f.bind(('{}', 0)); f.connect(('203.0.113.10', 80))",
            words[0], words[1]
        );
        let out = python(&lab, &both, &script);
        assert_ne!(out.code, Some(0), "{words:?}: {out}");
    }
    assert_eq!(
        ["ra", "rb", "rv"].map(|router| lab.spoofed_packets(router)),
        [0; 3]
    );
    assert_eq!(lab.packets("rv"), 0);
}

#[test]
fn a_choice_outside_the_network_is_refused() {
    let lab = Lab::new();
    for (interface, url, code) in [
        // curl cannot connect, or cannot bind.
        ("wan0", WHO, 7),
        ("wan0", WHO6, 7),
        ("10.1.0.2", WHO, 45),
        ("2001:db8:1::2", WHO6, 45),
        ("vpn0", WHO, 7),
    ] {
        let out = curl(&lab, &["-i", "wan1"], interface, url);
        assert_eq!(out.code, Some(code), "{out}");
    }
    nothing_left(&lab);
}

#[test]
fn a_choice_outside_a_preference_is_respected() {
    let lab = Lab::new();
    let prefer = lab.write("prefer.toml", "use = [\"wan1\", \"system\"]\n");
    let respect = lab.write("respect.toml", "use = \"wan1\"\nexplicit = \"respect\"\n");
    for policy in [prefer, respect] {
        let options = ["-p", policy.to_str().unwrap()];
        for (interface, url, peer) in [
            ("wan0", WHO, "10.1.0.2"),
            ("wan0", WHO6, "2001:db8:1::2"),
            ("10.1.0.2", WHO, "10.1.0.2"),
            ("2001:db8:1::2", WHO6, "2001:db8:1::2"),
            ("vpn0", WHO, "10.3.0.2"),
        ] {
            let out = curl(&lab, &options, interface, url);
            assert_eq!(out.ok(), peer, "{interface}");
        }
    }
    assert_eq!(lab.packets("rb"), 0);
}

#[test]
fn a_choice_outside_the_network_is_overridden() {
    let lab = Lab::new();
    let policy = lab.write("override.toml", "use = \"wan1\"\nexplicit = \"override\"\n");
    let options = ["-p", policy.to_str().unwrap()];
    for (interface, url, peer) in [
        ("wan0", WHO, "10.2.0.2"),
        ("wan0", WHO6, "2001:db8:2::2"),
        ("10.1.0.2", WHO, "10.2.0.2"),
        ("2001:db8:1::2", WHO6, "2001:db8:2::2"),
    ] {
        let out = curl(&lab, &options, interface, url);
        assert_eq!(out.ok(), peer, "{interface}");
    }
    only_by_wan1(&lab);
}

const BINDS: &str = r#"
import errno, socket
def attempt(kind, host, to):
    made = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, kind)
    made.settimeout(5)
    try:
        made.bind((host, 0))
    except OSError as error:
        return "bind " + errno.errorcode[error.errno]
    try:
        if kind == socket.SOCK_STREAM:
            made.connect((to, 7001))
        else:
            made.sendto(b"x", (to, 7001))
        return made.recv(99).decode().split()[0]
    except OSError as error:
        return errno.errorcode[error.errno]
V4, V6, MAPPED = "203.0.113.10", "2001:db8:ff::10", "::ffff:203.0.113.10"
for host, to in (
    ("10.2.0.2", V4), ("10.1.0.2", V4), ("2001:db8:2::2", V6), ("2001:db8:1::2", V6),
    ("::ffff:10.2.0.2", MAPPED), ("::ffff:10.1.0.2", MAPPED), ("198.51.100.1", V4),
):
    print(attempt(socket.SOCK_STREAM, host, to), attempt(socket.SOCK_DGRAM, host, to))
"#;

#[test]
fn programs_that_bind_every_address_may_go_on() {
    let lab = Lab::new();
    let out = python(&lab, &["-i", "wan1"], BINDS);
    let (v4, v6) = ("10.2.0.2 10.2.0.2", "2001:db8:2::2 2001:db8:2::2");
    let refused = "bind EADDRNOTAVAIL bind EADDRNOTAVAIL";
    assert_eq!(
        out.ok().lines().collect::<Vec<_>>(),
        [v4, refused, v6, refused, v4, refused, refused]
    );
    only_by_wan1(&lab);
}

#[test]
fn an_address_of_loopback_is_no_choice_of_a_network() {
    let lab = Lab::new();
    let script = r#"
import socket
for kind in socket.SOCK_STREAM, socket.SOCK_DGRAM:
    for host in "127.0.0.1", "::1", "127.0.0.9":
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        server, client = socket.socket(family, kind), socket.socket(family, kind)
        server.bind((host, 0))
        client.bind((host, 0))
        if kind == socket.SOCK_STREAM:
            server.listen()
            client.connect(server.getsockname())
            accepted, peer = server.accept()
            client.send(b"here")
            print(accepted.recv(9).decode(), peer[0])
        else:
            client.sendto(b"here", server.getsockname())
            text, peer = server.recvfrom(9)
            print(text.decode(), peer[0])
"#;
    let out = python(&lab, &["-i", "wan1"], script);
    assert_eq!(
        out.ok().lines().collect::<Vec<_>>(),
        ["here 127.0.0.1", "here ::1", "here 127.0.0.9"].repeat(2)
    );
    nothing_left(&lab);
}

#[test]
fn a_listener_on_an_address_of_the_network_is_reached() {
    let lab = Lab::new();
    for (server, port, to) in [
        ("TCP4-LISTEN:8000,bind=10.2.0.2", "8000", "TCP:10.2.0.2"),
        (
            "TCP6-LISTEN:8001,bind=[2001:db8:2::2]",
            "8001",
            "TCP:[2001:db8:2::2]",
        ),
    ] {
        let words = ["-dd", server, "EXEC:echo here"];
        let server = lab.command("socat").args(words).mif(&["-i", "wan1"]);
        let server = server.spawn();
        server.wait_for_error_line("listening on");
        let to = format!("{to}:{port},connect-timeout=2");
        assert_eq!(lab.from_far(&["socat", "-", &to]).ok(), "here");
    }
    let words = ["socat", "TCP4-LISTEN:8000,bind=10.1.0.2", "EXEC:echo here"];
    let out = lab.mif(&["-i", "wan1"], &words);
    assert!(
        out.fails().contains("Cannot assign requested address"),
        "{out}"
    );
}

#[test]
fn a_socket_that_was_bound_before_is_judged_as_well() {
    let lab = Lab::new();
    // The parent has no policy; the child is handed its sockets.
    let child = r#"
import errno, socket, sys
for number in map(int, sys.argv[1:]):
    made = socket.socket(fileno=number)
    six = made.family == socket.AF_INET6
    to = ("2001:db8:ff::10" if six else "203.0.113.10", 7001)
    made.settimeout(5)
    try:
        if made.type == socket.SOCK_STREAM:
            made.connect(to)
        else:
            made.sendto(b"x", to)
        print(made.recv(99).decode().split()[0])
    except OSError as error:
        print(errno.errorcode[error.errno])
"#;
    let parent = r#"
import socket, subprocess, sys
made = []
for host in sys.argv[3:]:
    for kind in socket.SOCK_STREAM, socket.SOCK_DGRAM:
        one = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, kind)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, host.encode()) if host == "wan0" \
            else one.bind((host, 0))
        made.append(one)
numbers = [str(one.fileno()) for one in made]
words = [sys.argv[1], "-i", "wan1", "python3", "-c", sys.argv[2], *numbers]
sys.exit(subprocess.run(words, pass_fds=[one.fileno() for one in made]).returncode)
"#;
    let mif_run = lab.mif_run();
    let run = |hosts: &[&str]| {
        let words = ["python3", "-c", parent, mif_run.to_str().unwrap(), child];
        lab.run(&[&words[..], hosts].concat())
    };
    let out = run(&["10.1.0.2", "2001:db8:1::2", "wan0"]);
    assert_eq!(out.ok().lines().collect::<Vec<_>>(), ["ENETUNREACH"; 6]);
    nothing_left(&lab);
    let out = run(&["10.2.0.2", "2001:db8:2::2", "0.0.0.0"]);
    let (v4, v6) = ("10.2.0.2", "2001:db8:2::2");
    assert_eq!(
        out.ok().lines().collect::<Vec<_>>(),
        [v4, v4, v6, v6, v4, v4]
    );
    only_by_wan1(&lab);
}
