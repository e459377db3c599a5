//! Reverse look-ups and the resolver's own functions, by real programs and by probes: each asks the
//! network's server only, and is told what it would be told natively by that server. The edges of
//! `getaddrinfo` are in `names_edges.rs`.

mod support;

use mif_lab::{Command, Lab};
use support::{BY_WAN1, as_natively, only_rb_was_asked, under_wan1};

#[test]
fn real_programs_find_names_of_addresses_and_records_of_any_type() {
    let lab = Lab::new();
    let perl = "use Socket; print scalar gethostbyaddr(inet_aton('198.51.100.7'), AF_INET)";
    let python = "import socket\nprint(socket.gethostbyaddr('198.51.100.7'))\n\
                  print(socket.getnameinfo(('198.51.100.7', 80), 0))\n\
                  print(socket.getfqdn('198.51.100.7'))";
    let php = "echo gethostbyaddr('198.51.100.7'), ' ';\n\
               echo dns_get_record('split.test', DNS_TXT)[0]['txt'], ' ';\n\
               echo dns_get_record('_xmpp._tcp.test', DNS_SRV)[0]['target'];";
    for (words, said) in [
        (
            &["getent", "hosts", "198.51.100.7"][..],
            "198.51.100.7    of-rb.test",
        ),
        (&["perl", "-e", perl], "of-rb.test"),
        (
            &["python3", "-c", python],
            "('of-rb.test', [], ['198.51.100.7'])\n('of-rb.test', 'http')\nof-rb.test",
        ),
        (&["php", "-r", php], "of-rb.test told by rb rb.srv.test"),
        (
            // apt looks for mirrors so.
            &["/usr/lib/apt/apt-helper", "srv-lookup", "_xmpp._tcp.test"],
            "rb.srv.test",
        ),
    ] {
        let out = lab.mif(&BY_WAN1, words);
        assert!(out.ok().starts_with(said), "{out}");
    }
    only_rb_was_asked(
        &lab,
        &[
            "PTR 7.100.51.198.in-addr.arpa",
            "TXT split.test",
            "SRV _xmpp._tcp.test",
        ],
    );
}

#[test]
fn the_resolvers_own_functions_say_what_they_say_natively() {
    let lab = Lab::new();
    for words in [
        &["query", "who.test", "1"][..],
        &["query", "nothing.test", "1"],
        &["query", "v4.test", "28"],
        // The server refuses this one.
        &["query", "nobody.example", "1"],
        &["query", "alias.test", "5"],
        &["query", "split.test", "16"],
        &["query", "_xmpp._tcp.test", "33"],
        &["query", "7.100.51.198.in-addr.arpa", "12"],
        &["query", "a..b", "1"],
        &["query", "who.test", "1", "5"],
        &["query", "who.test", "1", "20"],
        // Over a connection, whole and in part.
        &["query", "huge.test", "255", "600"],
        &["query", "huge.test", "1", "200"],
        &["nstream", "who.test", "1"],
        &["nquery", "who.test", "1"],
        &["nquery", "nothing.test", "1"],
        &["ntwice", "who.test", "28"],
        &["search", "who.test", "1"],
        &["search", "who", "1"],
        &["nsearch", "nothing.test.", "1"],
        &["nsearch", "v4.test", "28"],
        &["querydomain", "who", "1", "test"],
        &["nquerydomain", "nothing", "1", "test"],
        &["send", "who.test", "1"],
        &["send", "nothing.test", "1"],
        &["nsend", "nobody.example", "1"],
        &["nsend", "who.test", "1", "20"],
        &["old-query", "who.test", "1"],
        &["old-nquery", "nothing.test", "1"],
        &["old-search", "v4.test", "1"],
        &["old-nsend", "who.test", "1"],
    ] {
        as_natively(&lab, "resolver", words);
    }
    // The order of records turns from answer to answer; with EDNS they all fit into a datagram.
    for (call, first) in [("query", "1947 bytes"), ("nedns", "1958 bytes")] {
        let out = under_wan1(&lab, "resolver", &[call, "huge.test", "1"]);
        assert!(out.ok().starts_with(first), "{out}");
        assert_eq!(out.ok().lines().count(), 121);
    }
}

#[test]
fn the_resolvers_own_functions_ask_the_network() {
    let lab = Lab::new();
    let program = lab.probe("resolver");
    let program = program.to_str().unwrap();
    let own = ["query", "nquery", "search", "nsearch", "send", "nsend"];
    for old in ["", "old-"] {
        for call in own.map(|call| format!("{old}{call}")) {
            let out = under_wan1(&lab, "resolver", &[&call, "split.test", "1"]);
            assert!(out.ok().ends_with("\n1 203.0.113.22"), "{call}: {out}");
        }
        for call in ["querydomain", "nquerydomain"].map(|call| format!("{old}{call}")) {
            let out = under_wan1(&lab, "resolver", &[&call, "split", "1", "test"]);
            assert!(out.ok().ends_with("\n1 203.0.113.22"), "{call}: {out}");
        }
    }
    // Servers in the caller's state are the host's, or were once.
    for server in ["10.1.0.1", "10.3.0.1"] {
        let out = under_wan1(&lab, "resolver", &["nmine", "split.test", "1", server]);
        assert!(out.ok().ends_with("\n1 203.0.113.22"), "{out}");
    }
    lab.pvds(
        "[pvd.work]\ninterface = \"wan1\"\n[pvd.work.dns]\nservers = \"10.2.0.1\"\n\
         search = [\"nothing.test\", \"corp.test\"]\n",
    );
    for call in ["search", "nsearch"] {
        let out = lab.mif(&["-i", "work"], &[program, call, "host", "1"]);
        assert!(out.ok().ends_with("\n1 203.0.113.30"), "{out}");
        let out = lab.mif(&["-i", "work"], &[program, call, "v4", "28"]);
        assert_eq!(out.ok(), "-1 ETIMEDOUT, h_errno 2");
    }
    only_rb_was_asked(
        &lab,
        &["A split.test", "A host.nothing.test", "A host.corp.test"],
    );

    // What the search list does not make of its zone is asked of nobody.
    lab.pvds(
        "[pvd.work]\ninterface = \"wan1\"\n[pvd.work.dns]\nservers = \"10.2.0.1\"\n\
         zones = \"corp.test\"\nsearch = \"corp.test\"\n",
    );
    let before = lab.dns_packets("rb");
    for call in ["query", "nquery", "send", "nsend"] {
        let out = lab.mif(&["-i", "work"], &[program, call, "who.test", "1"]);
        assert!(out.ok().starts_with("-1 "), "{call}: {out}");
    }
    assert_eq!(lab.dns_packets("rb"), before);
    for call in ["search", "nsearch"] {
        let out = lab.mif(&["-i", "work"], &[program, call, "host", "1"]);
        assert!(out.ok().ends_with("\n1 203.0.113.30"), "{out}");
        let out = lab.mif(&["-i", "work"], &[program, call, "who.test", "1"]);
        assert!(out.ok().ends_with(", h_errno 1"), "{out}");
    }
    let of_zone = |query: &String| query.contains(".corp.test ");
    assert!(lab.queries("rb").iter().rev().take(4).all(of_zone));
    assert_eq!(lab.dns_packets("rb"), before + 4);

    let none = lab.mif(&["-i", "none"], &[program, "nquery", "split.test", "1"]);
    assert_eq!(none.ok(), "-1 ENETUNREACH, h_errno 3");
    lab.link_down("wan1");
    for call in ["query", "nsend"] {
        let out = under_wan1(&lab, "resolver", &[call, "split.test", "1"]);
        assert!(out.ok().starts_with("-1 ENETUNREACH, h_errno "), "{out}");
    }
    assert_eq!(lab.dns_packets("ra"), 0);
    // No servers are known there, so the name is refused; or libc's, if that is the policy's end.
    let out = lab.mif(&["-i", "vpn0"], &[program, "query", "split.test", "1"]);
    assert_eq!(out.ok(), "-1 ENETUNREACH, h_errno 2");
    let options = ["-i", "vpn0", "-i", "system"];
    let out = lab.mif(&options, &[program, "query", "split.test", "1"]);
    assert!(out.ok().ends_with("\n1 203.0.113.21"), "{out}");
}

#[test]
fn reverse_look_ups_say_what_they_say_natively() {
    let lab = Lab::new();
    for address in [
        // In the hosts file, and known to the server.
        "203.0.113.10",
        "2001:db8:ff::10",
        "198.51.100.7",
        // Without a name, and with one that is no host name.
        "198.51.100.8",
        "198.51.100.9",
        "::ffff:198.51.100.7",
        "127.0.0.1",
        "10.1.0.2",
        "fe80::1%wan0",
        "::",
    ] {
        for mode in ["info", "addr", "odd"] {
            as_natively(&lab, "reverse", &[mode, address]);
        }
    }
    as_natively(
        &lab,
        "reverse",
        &["ranges", "198.51.100.7", "2001:db8:ff::10"],
    );

    let valgrind = lab
        .command("valgrind")
        .args(["--quiet", "--error-exitcode=99"]);
    let words = ["ranges", "198.51.100.7", "203.0.113.10"];
    let out = valgrind.arg(lab.probe("reverse")).args(words).preload();
    let out = by_wan1(out).run();
    assert_eq!(
        out.ok(),
        "0 after some tries: of-rb.test 4 198.51.100.7\n\
         0 after some tries: hosts.test 4 203.0.113.10"
    );
    assert_eq!(out.stderr, "");
}

fn by_wan1(command: Command<'_>) -> Command<'_> {
    command
        .env("MIF_INTERFACE", "wan1")
        .env("MIF_DNS", "10.2.0.1")
}

#[test]
fn the_name_of_an_address_is_asked_of_the_network_that_leads_to_it() {
    let lab = Lab::new();
    let policy = lab.app_policy(
        "reverse",
        "use = \"wan0\"\n[pvd.wan0]\ninterface = \"wan0\"\n[pvd.wan0.dns]\nservers = \"10.1.0.1\"\n\
         [pvd.work]\ninterface = \"wan1\"\n[pvd.work.dns]\nservers = \"10.2.0.1\"\n\
         [[rule]]\nto = [\"198.51.100.7\", \"*.8.b.d.0.1.0.0.2.ip6.arpa\"]\nuse = \"work\"\n",
    );
    let options = ["-p", policy.to_str().unwrap()];
    let program = lab.probe("reverse");
    let program = program.to_str().unwrap();
    let words = ["198.51.100.7", "203.0.113.21", "2001:db8:ff::22"];
    let out = lab.mif(&options, &[&[program, "addr"], &words[..]].concat());
    let said: Vec<_> = out.ok().lines().collect();
    assert_eq!(
        said,
        [
            "of-rb.test 4 198.51.100.7",
            "split.test 4 203.0.113.21",
            "split.test 16 2001:db8:ff::22"
        ]
    );
    // The same question asked as such.
    let program = lab.probe("resolver");
    let program = program.to_str().unwrap();
    let words = [program, "query", "7.100.51.198.in-addr.arpa", "12"];
    assert!(lab.mif(&options, &words).ok().ends_with("\n12 of-rb.test"));
    let asked = |router| lab.queries(router).len();
    assert_eq!([asked("ra"), asked("rb"), asked("rv")], [1, 3, 0]);
}

#[test]
fn foreign_replies_are_passed_over_and_authenticity_is_not_vouched_for() {
    let lab = Lab::new();
    // It answers first with another id, then with another question, then rightly, each time with
    // the AD bit: by 192.0.2.1, .2 and .3.
    let script = "import socket\n\
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n\
        s.bind(('10.2.0.1', 5300))\n\
        print('ready', flush=True)\n\
        while True:\n    \
            q, peer = s.recvfrom(999)\n    \
            def send(id, name, last):\n        \
                record = b'\\xc0\\x0c\\0\\1\\0\\1\\0\\0\\0\\0\\0\\4' + bytes([192, 0, 2, last])\n        \
                s.sendto(id + b'\\x81\\xa0\\0\\1\\0\\1\\0\\0\\0\\0' + name + record, peer)\n    \
            send(bytes([q[0] ^ 1, q[1]]), q[12:], 1)\n    \
            send(q[:2], b'\\3foo' + q[16:], 2)\n    \
            send(q[:2], q[12:], 3)\n";
    let server = lab.command("python3").args(["-c", script]).within("rb");
    let server = server.root().spawn();
    server.wait_for_line("ready");
    let program = lab.probe("resolver");
    let program = program.to_str().unwrap();
    for call in ["query", "nsend"] {
        let options = ["-i", "wan1", "-d", "10.2.0.1:5300"];
        let out = lab.mif(&options, &[program, call, "who.test", "1"]);
        let said = "42 bytes, rcode 0, tc 0, ad 0, 1 answers\n1 192.0.2.3";
        assert_eq!(out.ok(), said, "{call}");
    }
}
