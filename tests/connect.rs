//! `connect` of streams: by the policy's interface with its source, whatever way the program
//! connects, and exempt destinations as without mif. What is refused is in `connect_refused.rs`,
//! which rule decides in `connect_rules.rs`.

use mif_lab::{Command, Lab};

const WHO: &str = "203.0.113.10";
const WHO6: &str = "2001:db8:ff::10";
/// Nobody has this address, and nobody says so.
const SILENT: &str = "203.0.113.99";
const WAN1: &str = "10.2.0.2";
const WAN1_6: &str = "2001:db8:2::2";

/// The probe `connect` under `mif-run OPTIONS`, to port 7001 of each destination.
fn connect<'lab>(lab: &'lab Lab, options: &[&str], to: &[&str]) -> Command<'lab> {
    let words = to.iter().flat_map(|ip| [*ip, "7001"]);
    lab.command(lab.probe("connect")).args(words).mif(options)
}

fn lines(text: &str) -> Vec<&str> {
    text.lines().collect()
}

#[test]
fn curl_leaves_by_the_chosen_interface() {
    let lab = Lab::new();
    let curl = |link: &str, host: &str| {
        let url = format!("http://{host}/");
        let out = lab.mif(&["-i", link], &["curl", "-sS", &url]);
        out.ok().to_owned()
    };
    assert_eq!(curl("wan1", WHO), WAN1);
    assert_eq!(curl("wan1", &format!("[{WHO6}]")), WAN1_6);
    assert_eq!(curl("vpn0", WHO), "10.3.0.2");
    assert_eq!(lab.peers(), [WAN1, WAN1_6, "10.3.0.2"]);
    assert_eq!(lab.packets("ra"), 0);
}

#[test]
fn two_copies_at_once_go_each_its_own_way() {
    let lab = Lab::new();
    let start = |link: &str| {
        let probe = lab.command(lab.probe("connect"));
        probe.mif(&["-i", link]).stdin_open().spawn()
    };
    let mut copies = [("wan1", WAN1), ("vpn0", "10.3.0.2")].map(|(link, peer)| (start(link), peer));
    for _ in 0..3 {
        for (copy, _) in &mut copies {
            copy.send(&format!("{WHO} 7001\n"));
        }
    }
    for (mut copy, peer) in copies {
        copy.close_stdin();
        assert_eq!(copy.wait().ok(), [peer; 3].join("\n"));
    }
    assert_eq!(lab.packets("ra"), 0);
}

#[test]
fn a_source_is_taken_with_its_interface() {
    let lab = Lab::new();
    // The source alone names the interface that has it.
    let out = connect(&lab, &["-s", WAN1], &[WHO]).run();
    assert_eq!(out.ok(), WAN1);
    let out = connect(&lab, &["-s", WAN1_6], &[WHO6]).run();
    assert_eq!(out.ok(), WAN1_6);

    lab.host_ip("address add 10.2.0.77/24 dev wan1");
    lab.host_ip("address add 2001:db8:2::77/64 dev wan1 nodad");
    let both = ["-i", "wan1", "-s", "10.2.0.77", "-s", "2001:db8:2::77"];
    let mapped = format!("::ffff:{WHO}");
    let out = connect(&lab, &both, &[WHO, WHO6, &mapped]).run();
    assert_eq!(
        lines(out.ok()),
        ["10.2.0.77", "2001:db8:2::77", "10.2.0.77"]
    );
    assert_eq!(lab.packets("ra"), 0);

    // A list with one family leaves the network without the other.
    let out = connect(&lab, &["-i", "wan1", "-s", WAN1], &[WHO6, WHO]).run();
    assert_eq!(lines(out.ok()), ["ENETUNREACH", WAN1]);
    assert_eq!(lab.packets("ra"), 0);
}

#[test]
fn a_mapped_destination_is_an_ipv4_one() {
    let lab = Lab::new();
    let mapped = format!("::ffff:{WHO}");
    for options in [&["-i", "wan1"][..], &["-i", "wan1", "-s", WAN1]] {
        assert_eq!(connect(&lab, options, &[&mapped]).run().ok(), WAN1);
    }
    // The VPN has no IPv6, which an AF_INET6 socket does not need for this.
    assert_eq!(
        connect(&lab, &["-i", "vpn0"], &[&mapped]).run().ok(),
        "10.3.0.2"
    );
    assert_eq!(lab.packets("ra"), 0);
}

#[test]
fn non_blocking_connects_answer_as_natively() {
    let lab = Lab::new();
    let probe = |to: &str| lab.command(lab.probe("nonblocking")).args([to, "7001"]);
    for (to, by_default, by_wan1) in [(WHO, "10.1.0.2", WAN1), (WHO6, "2001:db8:1::2", WAN1_6)] {
        let native = probe(to).run();
        assert_eq!(lines(native.ok())[0], "EINPROGRESS");
        assert_eq!(lines(native.ok())[4], by_default);
        for options in [
            &["-i", "wan1"][..],
            &["-i", "wan1", "-s", WAN1, "-s", WAN1_6],
        ] {
            let routed = probe(to).mif(options).run();
            assert_eq!(routed.ok(), native.ok().replace(by_default, by_wan1));
        }
    }
    let before = lab.packets("ra");
    let in_progress = ["EINPROGRESS", "in progress: EALREADY"];
    let routed = probe(SILENT).mif(&["-i", "wan1"]).run();
    assert_eq!(lines(routed.ok()), in_progress);
    assert_eq!(lab.packets("ra"), before);
    assert_eq!(lines(probe(SILENT).run().ok()), in_progress);
}

#[test]
fn asyncio_connects_by_the_policy() {
    let lab = Lab::new();
    let program = "import asyncio, sys
async def one(host):
    reader, writer = await asyncio.open_connection(host, 7001)
    writer.write_eof()
    return (await reader.read()).split()[0].decode()
async def main():
    print(*await asyncio.gather(*map(one, sys.argv[1:])))
asyncio.run(main())";
    let out = lab.mif(&["-i", "wan1"], &["python3", "-c", program, WHO, WHO6, WHO]);
    assert_eq!(out.ok(), format!("{WAN1} {WAN1_6} {WAN1}"));
    assert_eq!(lab.packets("ra"), 0);
}

#[test]
fn multipath_tcp_goes_by_the_chosen_interface() {
    let lab = Lab::new();
    let program = "import socket, sys
for to in sys.argv[1:]:
    family = socket.AF_INET6 if ':' in to else socket.AF_INET
    s = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_MPTCP)
    try:
        s.connect((to, 7001))
        s.shutdown(socket.SHUT_WR)
        print(s.makefile().read().split()[0])
    except OSError as e:
        print(e.strerror)";
    let words = ["python3", "-c", program, WHO, WHO6];
    assert_eq!(lines(lab.mif(&["-i", "wan1"], &words).ok()), [WAN1, WAN1_6]);
    let out = lab.mif(&["-i", "vpn0"], &words);
    assert_eq!(lines(out.ok()), ["10.3.0.2", "Network is unreachable"]);
    assert_eq!(lab.packets("ra"), 0);
}

#[test]
fn one_socket_connects_again() {
    let lab = Lab::new();
    let probe = |words: &[&str]| lab.command(lab.probe("one_socket")).args(words);
    for (to, peer) in [(WHO, WAN1), (WHO6, WAN1_6)] {
        let out = probe(&[to, "9", to, "7001", to, "7001"])
            .mif(&["-i", "wan1"])
            .run();
        assert_eq!(lines(out.ok()), ["ECONNREFUSED", "0", "EISCONN", peer]);
        let with_source = ["-i", "wan1", "-s", WAN1, "-s", WAN1_6];
        let out = probe(&[to, "9", to, "7001"]).mif(&with_source).run();
        assert_eq!(lines(out.ok()), ["ECONNREFUSED", "0", peer]);
    }
    assert_eq!(lab.packets("ra"), 0);
}

#[test]
fn a_stream_that_was_put_on_a_network_goes_by_no_other() {
    let lab = Lab::new();
    let policy = "use = \"wan1\"
[[rule]]
to = [\"203.0.113.21\", \"2001:db8:ff::21\"]
use = \"system\"
[[rule]]
to = \"203.0.113.22\"
use = \"vpn0\"\n";
    let policy = lab.write("three.toml", policy);
    // Without privileges a stream takes a device once. What it would put on that network by now,
    // loopback included, is refused.
    for (first, second) in [
        (WHO, "203.0.113.21"),
        (WHO6, "2001:db8:ff::21"),
        (WHO, "203.0.113.22"),
        (WHO, "127.0.0.1"),
        (WHO6, "::1"),
        (WHO, "10.1.0.2"),
    ] {
        let probe = lab
            .command(lab.probe("one_socket"))
            .args([first, "9", second, "7001"]);
        let out = probe.mif(&["-p", policy.to_str().unwrap()]).run();
        assert_eq!(
            lines(out.ok())[..2],
            ["ECONNREFUSED", "ENETUNREACH"],
            "{second}"
        );
    }
    assert_eq!(lab.arrivals(), []);
    assert_eq!([lab.packets("ra"), lab.packets("rv")], [0, 0]);
    // A SYN, which was answered with a reset, for each of the first.
    assert_eq!(lab.packets("rb"), 6);

    // The other way round nothing was put anywhere yet.
    let probe = lab.command(lab.probe("one_socket"));
    let probe = probe.args(["127.0.0.1", "9", "203.0.113.21", "9", WHO, "7001"]);
    let out = probe.mif(&["-p", policy.to_str().unwrap()]).run();
    assert_eq!(lines(out.ok()), ["ECONNREFUSED", "ECONNREFUSED", "0", WAN1]);
}

#[test]
fn a_port_that_the_program_chose_is_kept() {
    let lab = Lab::new();
    let curl = |options: &[&str], host, port: u16| {
        let url = format!("http://{host}/");
        lab.mif(
            options,
            &["curl", "-sS", "--local-port", &port.to_string(), &url],
        )
    };
    // What has a port can be given no address any more, so the source cannot be promised.
    curl(&["-i", "wan1", "-s", WAN1], WHO, 5001).fails();
    assert_eq!(lab.packets("rb"), 0);
    assert_eq!(curl(&["-i", "wan1"], WHO, 5002).ok(), WAN1);
    assert_eq!(
        curl(&["-i", "wan1"], "[2001:db8:ff::10]", 5003).ok(),
        WAN1_6
    );
    let ports = lab.arrivals().into_iter().map(|arrival| arrival.peer_port);
    assert_eq!(ports.collect::<Vec<_>>(), [5002, 5003]);
}

#[test]
fn fast_open_is_a_connect() {
    let lab = Lab::new();
    let cookies_used = || {
        let list = lab.as_root_in("far", &["nstat", "-asz", "TcpExtTCPFastOpenPassive"]);
        list.split_whitespace().nth(2).unwrap().to_owned()
    };
    let url = format!("http://{WHO}/");
    for used in ["0", "1"] {
        let curl = ["curl", "-sS", "--tcp-fastopen", &url];
        assert_eq!(lab.mif(&["-i", "wan1"], &curl).ok(), WAN1);
        assert_eq!(cookies_used(), used);
    }
    for call in ["sendto", "sendmsg", "sendmmsg"] {
        for (to, peer) in [(WHO, WAN1), (WHO6, WAN1_6)] {
            let probe = || lab.command(lab.probe("fastopen")).args([call, to, "7001"]);
            let out = probe().mif(&["-i", "wan1"]).run();
            let expected = ["0", &format!("{peer} {to}"), "hello"];
            assert_eq!(lines(out.ok()), expected, "{call}");
        }
        let refused = lab
            .command(lab.probe("fastopen"))
            .args([call, WHO6, "7001"]);
        assert_eq!(
            refused.mif(&["-i", "vpn0"]).run().ok(),
            "ENETUNREACH",
            "{call}"
        );
    }
    assert_ne!(cookies_used(), "1", "the probes sent data with their SYN");
    assert_eq!([lab.packets("ra"), lab.packets("rv")], [0, 0]);
}

#[test]
fn local_destinations_are_left_alone() {
    let lab = Lab::new();
    let path = lab.home().join("socket");
    let path = path.to_str().unwrap();
    let server = "import socket, sys, threading
def serve(s):
    while True:
        c, peer = s.accept()
        c.sendall(str(peer and peer[0]).encode() + b'\\n')
        c.close()
tcp = socket.create_server(('::', 7002), family=socket.AF_INET6, dualstack_ipv6=True)
unix = socket.socket(socket.AF_UNIX)
unix.bind(sys.argv[1])
unix.listen()
threading.Thread(target=serve, args=[unix]).start()
print('ready', flush=True)
serve(tcp)";
    let server = lab.command("python3").args(["-c", server, path]).spawn();
    server.wait_for_line("ready");
    let client = "import socket, sys
for to in sys.argv[2:]:
    print(to, socket.create_connection((to, 7002)).makefile().readline(), end='')
s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[1])
print('unix', s.makefile().readline(), end='')";
    // Those of wan0 and wan1, whichever of them the policy names.
    let own = [
        "10.1.0.2",
        "2001:db8:1::2",
        "10.2.0.2",
        "2001:db8:2::2",
        "::ffff:10.1.0.2",
    ];
    let loopback = [
        "127.0.0.1",
        "127.9.9.9",
        "::1",
        "::ffff:127.0.0.1",
        "0.0.0.0",
        "::",
    ];
    let client = || {
        let words = lab.command("python3").args(["-c", client, path]);
        words.args(own).args(loopback)
    };
    let native = client().run();
    assert_eq!(native.ok().lines().count(), own.len() + loopback.len() + 1);
    assert_eq!(client().mif(&["-i", "wan1"]).run().ok(), native.ok());
    let source = ["-i", "wan1", "-s", WAN1, "-s", WAN1_6];
    assert_eq!(client().mif(&source).run().ok(), native.ok());
    assert_eq!(client().mif(&["-i", "nosuch"]).run().ok(), native.ok());
    assert_eq!(["ra", "rb", "rv"].map(|router| lab.packets(router)), [0; 3]);
}

#[test]
fn a_scope_id_keeps_its_interface() {
    let lab = Lab::new();
    let router_a = "fe80::ff:fe00:101";
    let router_b = "fe80::ff:fe00:201";
    let servers = [("ra", "by a"), ("rb", "by b")].map(|(router, says)| {
        let listen = ["-dd", "TCP6-LISTEN:7002,fork"];
        let server = lab
            .command("socat")
            .args(listen)
            .arg(format!("EXEC:echo {says}"));
        let server = server.within(router).spawn();
        server.wait_for_error_line("listening on");
        server
    });
    let ask = |to: &str| {
        let program = "import socket, sys
print(socket.create_connection((sys.argv[1], 7002), timeout=2).makefile().readline())";
        lab.mif(&["-i", "wan1"], &["python3", "-c", program, to])
            .ok()
            .to_owned()
    };
    assert_eq!(ask(&format!("{router_a}%wan0")), "by a");
    assert_eq!(ask(&format!("{router_b}%wan1")), "by b");
    // Without one it is of the policy's network.
    assert_eq!(ask(router_b), "by b");
    drop(servers);
}
