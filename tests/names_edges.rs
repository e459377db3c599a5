//! The edges of `getaddrinfo` that decide who is asked for what: `getaddrinfo_a`, `AI_ADDRCONFIG`,
//! names with letters beyond ASCII, and the `hosts` line of nsswitch.conf.

mod support;

use mif_lab::Lab;
use support::{BY_WAN1, as_natively, only_rb_was_asked, under_wan1};

#[test]
fn answers_of_getaddrinfo_a_are_there_when_it_returns() {
    let lab = Lab::new();
    for how in ["wait", "suspend", "signal", "thread", "none"] {
        let words = [
            how,
            "split.test",
            "nothing.test",
            "v6.test",
            "hosts.test",
            "127.0.0.2",
        ];
        let told = match how {
            "signal" => " told 42 by SI_ASYNCNL",
            "thread" => " told 42 by a thread",
            _ => "",
        };
        // EAI_ALLDONE, EAI_SYSTEM, EAI_NONAME and EAI_NODATA of netdb.h.
        let expected = format!(
            "0{told} cancel -103 mode -11\nsplit.test: 0 203.0.113.22 80\nnothing.test: -2\n\
             v6.test: -5\nhosts.test: 0 203.0.113.10 80\n127.0.0.2: 0 127.0.0.2 80"
        );
        assert_eq!(under_wan1(&lab, "later", &words).ok(), expected);
    }
    only_rb_was_asked(&lab, &["A split.test", "A nothing.test"]);
    for how in ["wait", "signal", "thread"] {
        // The whole call is libc's.
        as_natively(&lab, "later", &[how, "127.0.0.1", "127.0.0.2"]);
    }
}

#[test]
fn families_that_the_network_lacks_are_not_asked_for() {
    let lab = Lab::new();
    // getent sets AI_ADDRCONFIG, and the host has IPv6 elsewhere.
    let by_vpn = ["-i", "vpn0", "-d", "10.3.0.1"];
    let out = lab.mif(&by_vpn, &["getent", "ahosts", "split.test"]);
    assert!(out.ok().starts_with("203.0.113.23 "), "{out}");
    let out = lab.mif(&by_vpn, &["getent", "ahostsv6", "split.test"]);
    assert_eq!(out.code, Some(2), "{out}");
    assert_eq!(lab.queries("rv"), ["A split.test 10.3.0.2"]);
    // Python sets no flags.
    let python = "import socket\nprint({one[4][0] for one in socket.getaddrinfo('v6.test', 80)})";
    let out = lab.mif(&by_vpn, &["python3", "-c", python]);
    assert_eq!(out.ok(), "{'2001:db8:ff::10'}");
    let out = lab.mif(&by_vpn, &["getent", "ahosts", "localhost"]);
    assert!(out.ok().starts_with("::1 "), "{out}");
    assert_eq!([lab.dns_packets("ra"), lab.dns_packets("rb")], [0, 0]);
}

#[test]
fn names_with_other_letters_are_asked_for_by_their_labels() {
    let lab = Lab::new();
    let getent = |locale: &str, words: &[&str]| {
        let command = lab.command("getent").args(words).env("LC_ALL", locale);
        command.mif(&BY_WAN1).run()
    };
    // getent sets AI_IDN and AI_CANONIDN, unless it is told not to.
    let out = getent("C.UTF-8", &["ahosts", "B\u{fc}cher.test"]);
    assert!(
        out.ok()
            .contains("203.0.113.10    STREAM b\u{fc}cher.test\n"),
        "{out}"
    );
    let asked = lab.queries("rb");
    assert!(asked.contains(&"A xn--bcher-kva.test 10.2.0.2".to_owned()));
    for (locale, words) in [
        ("C", &["ahosts", "b\u{fc}cher.test"][..]),
        ("C.UTF-8", &["ahosts", "-i", "b\u{fc}cher.test"]),
        ("C.UTF-8", &["ahosts", "-i", "b cher.test"]),
        ("C.UTF-8", &["hosts", "b\u{fc}cher.test"]),
    ] {
        assert_eq!(getent(locale, words).code, Some(2), "{words:?}");
    }
    assert_eq!(lab.queries("rb"), asked);
    only_rb_was_asked(&lab, &[]);
}

#[test]
fn the_hosts_line_decides_which_names_are_asked_for() {
    let lab = Lab::new();
    let hosts_line = |line: &str| lab.write("etc/nsswitch.conf", &format!("hosts: {line}\n"));
    let getent = |name: &str| lab.mif(&BY_WAN1, &["getent", "ahostsv4", name]);

    // Nothing answers multicast DNS here, and libc would go on to its own servers.
    hosts_line("files mdns4_minimal [NOTFOUND=return] dns");
    assert_eq!(getent("printer.local").code, Some(2));
    only_rb_was_asked(&lab, &["A printer.local"]);

    let own = own_name();
    hosts_line("files myhostname dns");
    let asked = lab.queries("rb").len();
    assert!(
        getent("_gateway").ok().starts_with("10."),
        "libnss-myhostname"
    );
    assert_eq!(getent(&own).code, Some(0), "{own}");
    assert_eq!(
        getent("a.localhost").ok().split(' ').next(),
        Some("127.0.0.1")
    );
    assert_eq!(lab.queries("rb").len(), asked);
    assert_eq!(
        getent("split.test").ok().split(' ').next(),
        Some("203.0.113.22")
    );

    hosts_line("dns");
    assert_eq!(getent("hosts.test").code, Some(2), "without the hosts file");
    let out = lab.mif(&BY_WAN1, &["getent", "hosts", "203.0.113.10"]);
    assert!(out.ok().ends_with(" who.test"), "{out}");
    hosts_line("files");
    let asked = lab.queries("rb").len();
    assert_eq!(getent("split.test").code, Some(2), "without DNS");
    assert_eq!(getent("hosts.test").code, Some(0));
    let out = lab.mif(&BY_WAN1, &["getent", "hosts", "198.51.100.7"]);
    assert_eq!(out.code, Some(2));
    assert_eq!(lab.queries("rb").len(), asked);
    only_rb_was_asked(&lab, &[]);
}

fn own_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").expect("/proc is mounted");
    name.trim().to_owned()
}
