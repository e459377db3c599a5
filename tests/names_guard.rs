//! Flows to the host's own DNS servers under a policy whose network has others: refused, said and
//! not sent, by whichever call; and what `dns.guard` makes of other servers.

mod support;

use mif_lab::Lab;
use support::{BY_WAN1, nothing_leaves};

const REFUSED: &str = "connect ENETUNREACH sendto ENETUNREACH sendmsg ENETUNREACH \
                       sendmmsg ENETUNREACH stream ENETUNREACH fastopen ENETUNREACH";

fn dig(lab: &Lab, options: &[&str], server: &str) -> mif_lab::Output {
    let server = format!("@{server}");
    let words = [
        "dig",
        "+short",
        "+tries=1",
        "+time=1",
        &server,
        "split.test",
    ];
    lab.mif(options, &words)
}

/// The far end passes no packet from one provider to another: there is no answer.
#[track_caller]
fn leaves_by_wan1(lab: &Lab, options: &[&str], server: &str) {
    let seen = || ["ra", "rb", "rv"].map(|router| lab.dns_packets(router));
    let [ra, rb, rv] = seen();
    let out = dig(lab, options, server);
    assert!(out.stdout.contains("timed out"), "{out}");
    assert_eq!(seen(), [ra, rb + 1, rv]);
}

#[test]
fn the_hosts_own_resolver_is_refused_to_dig() {
    let lab = Lab::new();
    // The lab's resolv.conf names it.
    nothing_leaves(&lab, || {
        for server in ["10.1.0.1", "127.0.0.53"] {
            let out = dig(&lab, &[&["-v"], &BY_WAN1[..]].concat(), server);
            assert_ne!(out.code, Some(0), "{out}");
            let line = format!(
                "connect {server}:53: refused: a DNS server that is not the network's (dns.guard), by -i"
            );
            assert!(out.stderr.contains(&line), "{out}");
        }
        // Without known servers names are refused, to the host's own resolver as well.
        let out = dig(&lab, &["-i", "wan1"], "127.0.0.53");
        assert!(out.stdout.contains("network unreachable"), "{out}");
    });
    assert_eq!(lab.queries("ra"), [""; 0]);

    leaves_by_wan1(&lab, &["-i", "wan1"], "10.1.0.1");
}

#[test]
fn another_server_is_asked_over_the_policys_network() {
    let lab = Lab::new();
    leaves_by_wan1(&lab, &BY_WAN1, "10.3.0.1");
    leaves_by_wan1(&lab, &BY_WAN1, "2001:db8:1::1");
}

#[test]
fn every_call_that_sends_is_guarded() {
    let lab = Lab::new();
    lab.write(
        "etc/resolv.conf",
        "nameserver 10.1.0.1\nnameserver 2001:db8:1::1\nnameserver 127.0.0.1\nnameserver 10.2.0.2\n",
    );
    let ask = |options: &[&str], server: &str, port: &str| {
        let probe = lab.command(lab.probe("ask")).args([server, port]);
        probe.mif(options).run().ok().to_owned()
    };
    nothing_leaves(&lab, || {
        for server in [
            "10.1.0.1",
            "::ffff:10.1.0.1",
            "2001:db8:1::1",
            "127.0.0.1",
            "0.0.0.0",
            "::ffff:127.0.0.1",
            "127.0.0.53",
            "127.0.0.54",
            "10.2.0.2",
        ] {
            assert_eq!(ask(&BY_WAN1, server, "53"), REFUSED, "{server}");
        }
        assert_eq!(ask(&BY_WAN1, "127.0.0.53", "853"), REFUSED);
        assert_eq!(
            ask(&["-d", "10.2.0.1"], "10.1.0.1", "53"),
            REFUSED,
            "no network, but servers"
        );
    });
    // Loopback is else as without mif: nobody listens there.
    let native = lab.run(&[lab.probe("ask").to_str().unwrap(), "127.0.0.53", "53"]);
    assert!(native.ok().contains("stream ECONNREFUSED"), "{native}");
    for (options, server, port) in [
        (&BY_WAN1[..], "127.0.0.53", "54"),
        (&BY_WAN1, "127.0.0.7", "53"),
        (&["-i", "wan1"], "127.0.0.53", "53"),
        (&["-i", "wan1", "-d", "127.0.0.53"], "127.0.0.53", "53"),
    ] {
        assert_eq!(
            ask(options, server, port),
            native.ok(),
            "{options:?} {server} {port}"
        );
    }
    assert_eq!(["ra", "rb", "rv"].map(|router| lab.packets(router)), [0; 3]);
}

/// The resolvers that count are those of the real file, in a program that has seen the view too.
#[test]
fn a_child_of_a_program_with_a_view_is_guarded() {
    let lab = Lab::new();
    let script =
        "cat /etc/resolv.conf; dig +short +tries=1 @10.1.0.1 split.test >/dev/null; echo $?";
    nothing_leaves(&lab, || {
        let out = lab.mif(&BY_WAN1, &["sh", "-c", script]);
        assert!(out.ok().contains("nameserver 10.2.0.1\n"), "{out}");
        assert!(!out.ok().ends_with("\n0"), "{out}");
    });
}

#[test]
fn strict_and_off() {
    let lab = Lab::new();
    let policy = |name: &str, text: &str| {
        let path = lab.write(name, &format!("use = \"work\"\n{text}"));
        path.to_str().unwrap().to_owned()
    };
    lab.pvds(
        "[pvd.work]\ninterface = \"wan1\"\n[pvd.work.dns]\nservers = \"10.2.0.1\"\nguard = \"strict\"\n",
    );
    let strict = policy("strict.toml", "");
    nothing_leaves(&lab, || {
        for server in ["10.1.0.1", "10.3.0.1", "127.0.0.7"] {
            assert_ne!(
                dig(&lab, &["-p", &strict], server).code,
                Some(0),
                "{server}"
            );
        }
    });
    assert_eq!(dig(&lab, &["-p", &strict], "10.2.0.1").ok(), "203.0.113.22");

    // The application's own word counts more.
    let off = policy("off.toml", "[dns]\nguard = \"off\"\n");
    leaves_by_wan1(&lab, &["-p", &off], "10.1.0.1");
    leaves_by_wan1(&lab, &["-p", &off], "10.3.0.1");
    let host = policy("host.toml", "[dns]\nguard = \"host\"\n");
    leaves_by_wan1(&lab, &["-p", &host], "10.3.0.1");
    nothing_leaves(&lab, || {
        assert_ne!(dig(&lab, &["-p", &host], "10.1.0.1").code, Some(0));
    });
}

#[test]
fn mif_explains_it() {
    let lab = Lab::new();
    let explain = |to: &str| {
        let options = ["-i", "wan1", "-d", "10.2.0.1", "--explain", to];
        lab.command(lab.mif_run())
            .args(options)
            .run()
            .ok()
            .to_owned()
    };
    let refused = "refused (ENETUNREACH), nothing is sent: `dns.guard`";
    assert!(explain("10.1.0.1:53").contains(refused));
    assert!(explain("127.0.0.53:53").contains(refused));
    assert!(explain("10.3.0.1:53").contains("by `wan1`"));
}
