//! Real programs, unmodified: each by wan1 with wan1's source, over IPv4, IPv6 and to a name that
//! only wan1's DNS server answers so; and each refused, with a message of its own and nothing
//! sent, while wan1 is down. Programs that need servers of their own are in `programs_served.rs`.

mod support;

use mif_lab::{Lab, Output};
use support::{BY_WAN1, WAN1, WAN1_6, WHO, WHO6, nothing_leaves, only_by_wan1};

/// Checks a program that prints what the far end said. In its words `{host}` stands for the
/// destination and `{url}` for the same with brackets; `refused` is how it says that it could not
/// connect.
#[track_caller]
fn check(words: &[&str], refused: &str) {
    let lab = Lab::new();
    for (host, peer) in [(WHO, WAN1), (WHO6, WAN1_6)] {
        let out = run(&lab, words, host);
        assert!(out.ok().contains(peer), "{out}");
        assert_eq!(lab.arrivals().last().unwrap().local, host);
    }
    let out = run(&lab, words, "split.test");
    let by_wan1 = [WAN1, WAN1_6].iter().any(|peer| out.ok().contains(peer));
    assert!(by_wan1, "{out}");
    let local = lab.arrivals().last().unwrap().local.clone();
    assert!(
        ["203.0.113.22", "2001:db8:ff::22"].contains(&local.as_str()),
        "{local}"
    );
    assert_ne!(lab.queries("rb").len(), 0);
    only_by_wan1(&lab);

    lab.link_down("wan1");
    nothing_leaves(&lab, || {
        for host in [WHO, WHO6] {
            let out = run(&lab, words, host);
            assert!(out.fails().contains(refused), "{out}");
        }
        let out = run(&lab, words, "split.test");
        assert_ne!(out.fails(), "", "the program says why: {out}");
    });
}

#[track_caller]
fn run(lab: &Lab, words: &[&str], host: &str) -> Output {
    let url = if host.contains(':') {
        format!("[{host}]")
    } else {
        host.to_owned()
    };
    let fill = |word: &&str| word.replace("{host}", host).replace("{url}", &url);
    let words: Vec<String> = words.iter().map(fill).collect();
    let (program, words) = words.split_first().expect("a program");
    lab.command(program).args(words).mif(&BY_WAN1).run()
}

#[test]
fn curl() {
    check(&["curl", "-sS", "http://{url}/"], "Failed to connect");
}

#[test]
fn wget() {
    check(
        &[
            "wget",
            "-nv",
            "-O-",
            "--tries=1",
            "--timeout=2",
            "http://{url}/",
        ],
        "Network is unreachable",
    );
}

#[test]
fn python_blocking() {
    let program = "import sys, urllib.request
print(urllib.request.urlopen(sys.argv[1], timeout=2).read().decode())";
    check(
        &["python3", "-c", program, "http://{url}/"],
        "Network is unreachable",
    );
}

#[test]
fn python_asyncio() {
    let program = "import asyncio, sys
async def main():
    reader, writer = await asyncio.open_connection(sys.argv[1], 7001)
    writer.write_eof()
    print(await reader.read())
asyncio.run(main())";
    check(
        &["python3", "-c", program, "{host}"],
        "Network is unreachable",
    );
}

#[test]
fn node() {
    let program = "require('http').get(process.argv[1], answer => answer.pipe(process.stdout))";
    check(&["node", "-e", program, "http://{url}/"], "ENETUNREACH");
}

#[test]
fn nc() {
    check(
        &["nc.openbsd", "-v", "-N", "-w", "2", "{host}", "7001"],
        "Network is unreachable",
    );
}

#[test]
fn socat() {
    check(
        &["socat", "-t2", "-", "TCP:{url}:7001,connect-timeout=2"],
        "Network is unreachable",
    );
}

#[test]
fn perl() {
    let program = "my $socket = IO::Socket::IP->new(PeerHost => $ARGV[0], PeerPort => 7001) \
                   or die qq($@\\n); shutdown($socket, 1); print <$socket>";
    check(
        &["perl", "-MIO::Socket::IP", "-e", program, "{host}"],
        "Network is unreachable",
    );
}

#[test]
fn perl_by_gethostbyname() {
    let lab = Lab::new();
    let program = "my $to = gethostbyname($ARGV[0]) or die qq(no address: $?\\n); \
                   socket(my $socket, PF_INET, SOCK_STREAM, 0); \
                   connect($socket, pack_sockaddr_in(7001, $to)) or die qq($!\\n); \
                   shutdown($socket, 1); print <$socket>";
    let run = || lab.mif(&BY_WAN1, &["perl", "-MSocket", "-e", program, "split.test"]);
    assert_eq!(run().ok(), format!("{WAN1} 203.0.113.22"));
    only_by_wan1(&lab);
    lab.link_down("wan1");
    nothing_leaves(&lab, || assert!(run().fails().contains("no address")));
}
