//! The lab itself, without mif: what the other tests take for granted is asserted here, at the far
//! end and at each provider.

use mif_lab::{Lab, eventually};

const WHO: &str = "http://203.0.113.10/";
const WHO6: &str = "http://[2001:db8:ff::10]/";

#[test]
fn the_default_leaves_by_wan0() {
    let lab = Lab::new();
    assert_eq!(lab.run(&["curl", "-sS", WHO]).ok(), "10.1.0.2");
    assert_eq!(lab.run(&["curl", "-sS", WHO6]).ok(), "2001:db8:1::2");
    assert_eq!(lab.peers(), ["10.1.0.2", "2001:db8:1::2"]);
    assert!(lab.packets("ra") >= 8, "two connections are packets");
    assert_eq!([lab.packets("rb"), lab.packets("rv")], [0, 0]);
}

#[test]
fn an_unprivileged_application_may_choose_a_link() {
    let lab = Lab::new();
    for (link, peer) in [("wan1", "10.2.0.2"), ("vpn0", "10.3.0.2")] {
        assert_eq!(
            lab.run(&["curl", "-sS", "--interface", link, WHO]).ok(),
            peer
        );
    }
    assert_eq!(
        lab.run(&["curl", "-sS", "--interface", "wan1", WHO6]).ok(),
        "2001:db8:2::2"
    );
    assert_eq!(lab.peers(), ["10.2.0.2", "10.3.0.2", "2001:db8:2::2"]);
    assert_eq!(lab.packets("ra"), 0);
}

#[test]
fn providers_drop_foreign_sources() {
    let lab = Lab::new();
    // Linux sends by the route of the destination, whatever the source.
    for (source, url) in [("10.2.0.2", WHO), ("2001:db8:2::2", WHO6)] {
        let before = lab.spoofed_packets("ra");
        let curl = [
            "curl",
            "-sS",
            "--interface",
            source,
            "--connect-timeout",
            "0.3",
            url,
        ];
        assert_eq!(lab.run(&curl).code, Some(28), "curl's time-out");
        assert!(lab.spoofed_packets("ra") > before);
    }
    assert_eq!(lab.packets("ra"), lab.spoofed_packets("ra"));
    assert_eq!(lab.packets("rb"), 0);
    assert_eq!(lab.arrivals(), []);
}

#[test]
fn the_vpn_has_no_ipv6() {
    let lab = Lab::new();
    let out = lab.run(&["curl", "-sS", "--interface", "vpn0", WHO6]);
    assert_eq!(out.code, Some(7), "curl cannot connect: {out}");
    assert_eq!(
        lab.run(&["ip", "-6", "address", "show", "dev", "vpn0"])
            .ok(),
        ""
    );
    assert_eq!(
        ["ra", "rb", "rv"].map(|router| lab.packets(router)),
        [0, 0, 0]
    );
}

#[test]
fn names_differ_by_provider() {
    let lab = Lab::new();
    let ask = |router: &str, words: &[&str]| {
        let server = format!("@10.{router}.0.1");
        let out = lab
            .command("dig")
            .args([&server, "+short", "+tries=1"])
            .args(words)
            .run();
        out.ok().lines().map(str::to_owned).collect::<Vec<_>>()
    };
    // The route to a provider's own router is on-link, so dig needs no steering here.
    for (router, name) in [("1", "a"), ("2", "b"), ("3", "v")] {
        assert_eq!(
            ask(router, &["split.test"]),
            [format!("203.0.113.2{router}")]
        );
        assert_eq!(
            ask(router, &["split.test", "AAAA"]),
            [format!("2001:db8:ff::2{router}")]
        );
        for other in ["a", "b", "v"] {
            let known = ask(router, &[&format!("only-{other}.test")]).len();
            assert_eq!(
                known,
                usize::from(other == name),
                "only-{other}.test at {router}"
            );
        }
        assert_eq!(ask(router, &["who.test"]), ["203.0.113.10"]);
        assert_eq!(ask(router, &["who.test", "AAAA"]), ["2001:db8:ff::10"]);
        assert_eq!(ask(router, &["alias.test"]), ["who.test.", "203.0.113.10"]);
        assert_eq!(ask(router, &["v4.test", "AAAA"]), [""; 0]);
        assert_eq!(ask(router, &["v6.test"]), [""; 0]);
        assert_eq!(ask(router, &["v6.test", "AAAA"]), ["2001:db8:ff::10"]);
        assert_eq!(ask(router, &["host.corp.test"]), ["203.0.113.30"]);
        assert_eq!(ask(router, &["big.test"]).len(), 40);
        assert_eq!(ask(router, &["huge.test"]).len(), 120);
    }
    assert!(
        lab.queries("rb")
            .contains(&"A split.test 10.2.0.2".to_owned())
    );
    assert!(
        !lab.queries("ra")
            .iter()
            .any(|query| query.ends_with(" 10.2.0.2"))
    );
}

#[test]
fn answers_say_what_is_missing_and_what_is_cut() {
    let lab = Lab::new();
    let flags = |words: &[&str]| {
        let dig = ["@10.1.0.1", "+tries=1", "+ignore", "+noall", "+comments"];
        lab.command("dig")
            .args(dig)
            .args(words)
            .run()
            .ok()
            .to_owned()
    };
    assert!(flags(&["nothing.test"]).contains("NXDOMAIN"));
    assert!(flags(&["only-b.test"]).contains("NXDOMAIN"));
    let none = flags(&["v4.test", "AAAA"]);
    assert!(
        none.contains("NOERROR") && none.contains("ANSWER: 0"),
        "{none}"
    );
    let cut = |words: &[&str]| flags(words).contains(" tc ");
    assert!(cut(&["+noedns", "big.test"]) && !cut(&["big.test"]));
    assert!(cut(&["+noedns", "huge.test"]) && cut(&["huge.test"]));
    assert!(!cut(&["+tcp", "huge.test"]));
}

#[test]
fn the_host_resolves_by_wan0_and_every_query_counts() {
    let lab = Lab::new();
    assert_eq!(
        lab.run(&["curl", "-sS4", "http://split.test/"]).ok(),
        "10.1.0.2"
    );
    assert_eq!(lab.arrivals()[0].local, "203.0.113.21");
    assert_eq!(lab.queries("ra"), ["A split.test 10.1.0.2"]);
    assert_eq!(lab.dns_packets("ra"), 1);
    assert!(lab.packets("ra") > 1, "the connection is counted as well");

    // The hosts file is asked first.
    assert_eq!(
        lab.run(&["curl", "-sS", "http://hosts.test/"]).ok(),
        "10.1.0.2"
    );
    assert_eq!(lab.dns_packets("ra"), 1);
    assert_eq!([lab.dns_packets("rb"), lab.dns_packets("rv")], [0, 0]);
}

#[test]
fn links_go_down_and_come_back() {
    let lab = Lab::new();
    let by = |link: &str, url: &str| {
        lab.run(&[
            "curl",
            "-sS",
            "--connect-timeout",
            "0.3",
            "--interface",
            link,
            url,
        ])
        .code
    };
    lab.link_down("wan1");
    assert_ne!(by("wan1", WHO), Some(0));
    assert_ne!(by("wan1", WHO6), Some(0));
    assert_eq!(lab.arrivals(), []);
    lab.link_up("wan1");
    assert_eq!([by("wan1", WHO), by("wan1", WHO6)], [Some(0); 2]);
    assert_eq!(lab.peers(), ["10.2.0.2", "2001:db8:2::2"]);

    // The other end's fault is a lost carrier here.
    lab.as_root_in("ra", &["ip", "link", "set", "host", "down"]);
    eventually("wan0 has lost its carrier", || {
        lab.host_ip("-brief link show dev wan0")
            .contains("NO-CARRIER")
    });
}

#[test]
fn a_server_answers_by_the_default_route() {
    let lab = Lab::new();
    let words = ["-dd", "TCP6-LISTEN:8080,fork", "EXEC:echo here"];
    let server = lab.command("socat").args(words).spawn();
    server.wait_for_error_line("listening on");
    let ask = |host: &str| {
        lab.from_far(&[
            "socat",
            "-",
            &format!("TCP:{host}:8080,connect-timeout=0.3"),
        ])
        .stdout
    };
    assert_eq!([ask("10.1.0.2"), ask("[2001:db8:1::2]")], ["here\n"; 2]);
    // The request comes in by wan1, the answer leaves by wan0 and is dropped there.
    for host in ["10.2.0.2", "[2001:db8:2::2]"] {
        let before = lab.spoofed_packets("ra");
        assert_eq!(ask(host), "");
        assert!(lab.spoofed_packets("ra") > before);
    }
}

#[test]
fn fast_open_works_once_the_client_has_a_cookie() {
    let lab = Lab::new();
    for _ in 0..2 {
        assert_eq!(
            lab.run(&["curl", "-sS", "--tcp-fastopen", WHO]).ok(),
            "10.1.0.2"
        );
    }
    let passive = lab.as_root_in("far", &["nstat", "-asz", "TcpExtTCPFastOpenPassive"]);
    assert_eq!(passive.split_whitespace().nth(2), Some("1"), "{passive}");
}
