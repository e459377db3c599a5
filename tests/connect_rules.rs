//! Which rule decides on a stream: by prefix, port, range and protocol, the first that matches,
//! asserted by the peers that the far end saw.

use mif_lab::Lab;

const WAN0: &str = "10.1.0.2";
const WAN1: &str = "10.2.0.2";
const VPN0: &str = "10.3.0.2";
const REFUSED: &str = "ENETUNREACH";

/// A policy, and for each destination what its connect is to come to.
struct Case {
    name: &'static str,
    policy: &'static str,
    flows: &'static [(&'static str, &'static str, &'static str)],
}

const CASES: &[Case] = &[
    Case {
        name: "prefixes and addresses of both families",
        policy: r#"
            use = "wan0"
            [[rule]]
            to = ["203.0.113.20/30", "2001:db8:ff::20/123"]
            use = "wan1"
            [[rule]]
            to = "203.0.113.30"
            use = "vpn0"
        "#,
        flows: &[
            ("203.0.113.10", "7001", WAN0),
            ("203.0.113.21", "7001", WAN1),
            ("203.0.113.23", "7001", WAN1),
            ("::ffff:203.0.113.22", "7001", WAN1),
            ("203.0.113.30", "7001", VPN0),
            ("203.0.113.40", "7001", WAN0),
            ("2001:db8:ff::10", "7001", "2001:db8:1::2"),
            ("2001:db8:ff::22", "7001", "2001:db8:2::2"),
            ("2001:db8:ff::40", "7001", "2001:db8:1::2"),
        ],
    },
    Case {
        name: "the first match wins, whatever is narrower",
        policy: r#"
            use = "wan0"
            [[rule]]
            to = "203.0.113.0/24"
            use = "wan1"
            [[rule]]
            to = "203.0.113.10"
            use = "vpn0"
        "#,
        flows: &[
            ("203.0.113.10", "7001", WAN1),
            ("203.0.113.40", "7001", WAN1),
        ],
    },
    Case {
        name: "ports and ranges",
        policy: r#"
            use = "wan0"
            [[rule]]
            to = "203.0.113.21"
            port = 7001
            use = "wan1"
            [[rule]]
            to = "203.0.113.22"
            port = [22, "7000-7001"]
            use = "wan1"
            [[rule]]
            to = "203.0.113.23"
            port = "7002-7100"
            use = "wan1"
            [[rule]]
            to = "203.0.113.30"
            port = [80, 7000, "7002-8000"]
            use = "wan1"
        "#,
        flows: &[
            ("203.0.113.21", "7001", WAN1),
            ("203.0.113.22", "7001", WAN1),
            ("203.0.113.23", "7001", WAN0),
            ("203.0.113.30", "7001", WAN0),
        ],
    },
    Case {
        name: "protocols",
        policy: r#"
            use = "wan0"
            [[rule]]
            protocol = "udp"
            use = "none"
            [[rule]]
            protocol = "tcp"
            to = "203.0.113.21"
            use = "wan1"
        "#,
        flows: &[
            ("203.0.113.21", "7001", WAN1),
            ("203.0.113.10", "7001", WAN0),
        ],
    },
    Case {
        name: "all conditions of a rule must hold",
        policy: r#"
            use = "wan0"
            [[rule]]
            to = "203.0.113.21"
            port = 7001
            protocol = "udp"
            use = "none"
            [[rule]]
            to = "203.0.113.99"
            port = 7001
            use = "none"
        "#,
        flows: &[("203.0.113.21", "7001", WAN0)],
    },
    Case {
        name: "none, and lists that end in it",
        policy: r#"
            use = "system"
            [[rule]]
            to = "203.0.113.21"
            use = "none"
            [[rule]]
            to = "203.0.113.22"
            use = ["nosuch", "none"]
            [[rule]]
            to = "2001:db8:ff::/64"
            use = ["vpn0", "none"]
        "#,
        flows: &[
            ("203.0.113.21", "7001", REFUSED),
            ("::ffff:203.0.113.21", "7001", REFUSED),
            ("203.0.113.22", "7001", REFUSED),
            ("2001:db8:ff::10", "7001", REFUSED),
            ("203.0.113.10", "7001", WAN0),
        ],
    },
    Case {
        name: "a refused flow is not handed to a later rule",
        policy: r#"
            use = "wan0"
            [[rule]]
            to = "203.0.113.0/24"
            use = "nosuch"
            [[rule]]
            to = "203.0.113.0/24"
            use = "wan1"
        "#,
        flows: &[("203.0.113.10", "7001", REFUSED)],
    },
    Case {
        name: "IPv4 only",
        policy: "use = \"wan1\"\nfamily = \"ipv4\"",
        flows: &[
            ("203.0.113.10", "7001", WAN1),
            ("::ffff:203.0.113.10", "7001", WAN1),
            ("2001:db8:ff::10", "7001", REFUSED),
        ],
    },
    Case {
        name: "IPv6 only",
        policy: "use = \"wan1\"\nfamily = \"ipv6\"",
        flows: &[
            ("203.0.113.10", "7001", REFUSED),
            ("::ffff:203.0.113.10", "7001", REFUSED),
            ("2001:db8:ff::10", "7001", "2001:db8:2::2"),
        ],
    },
    Case {
        name: "loopback is exempt from rules, and with local = false is not",
        policy: "use = \"none\"\n[[rule]]\nto = \"127.0.0.0/8\"\nuse = \"wan1\"",
        flows: &[
            ("127.0.0.1", "9", "ECONNREFUSED"),
            ("10.1.0.2", "9", "ECONNREFUSED"),
        ],
    },
    Case {
        name: "local = false",
        policy: "use = \"wan1\"\nlocal = false\n[[rule]]\nto = \"127.0.0.1\"\nuse = \"system\"",
        flows: &[
            ("127.0.0.1", "9", "ECONNREFUSED"),
            ("127.0.0.2", "9", REFUSED),
            ("::1", "9", REFUSED),
            ("10.1.0.2", "9", REFUSED),
        ],
    },
    Case {
        name: "private destinations",
        policy: "use = \"wan1\"\n[[rule]]\nto = \"private\"\nuse = \"none\"",
        flows: &[
            ("203.0.113.10", "7001", WAN1),
            ("10.1.0.1", "53", REFUSED),
            ("192.168.7.7", "53", REFUSED),
            ("fd00::1", "53", REFUSED),
        ],
    },
    Case {
        name: "a provisioning domain of the file",
        policy: r#"
            use = "lte"
            [pvd.lte]
            interface = "wan1"
            source = "10.2.0.2"
        "#,
        flows: &[
            ("203.0.113.10", "7001", WAN1),
            ("2001:db8:ff::10", "7001", REFUSED),
        ],
    },
];

#[test]
fn the_deciding_rule_chooses_the_network() {
    let lab = Lab::new();
    for (number, case) in CASES.iter().enumerate() {
        let before = lab.arrivals().len();
        let policy = lab.write(&format!("{number}.toml"), case.policy);
        let probe = lab.command(lab.probe("connect"));
        let probe = probe.args(case.flows.iter().flat_map(|(ip, port, _)| [ip, port]));
        let out = probe.mif(&["-p", policy.to_str().unwrap()]).run();
        let expected: Vec<&str> = case.flows.iter().map(|(_, _, what)| *what).collect();
        assert_eq!(
            out.ok().lines().collect::<Vec<_>>(),
            expected,
            "{}",
            case.name
        );
        let arrived: Vec<&str> = expected
            .into_iter()
            .filter(|what| !what.starts_with('E'))
            .collect();
        assert_eq!(lab.peers()[before..], arrived, "{}", case.name);
    }
    assert_eq!(lab.spoofed_packets("ra") + lab.spoofed_packets("rb"), 0);
}

#[test]
fn options_replace_the_use_of_a_file_and_keep_its_rules() {
    let lab = Lab::new();
    let policy = lab.write(
        "file.toml",
        "use = \"wan0\"\n[[rule]]\nto = \"203.0.113.21\"\nuse = \"vpn0\"\n",
    );
    let options = ["-p", policy.to_str().unwrap(), "-i", "wan1"];
    let probe = lab.command(lab.probe("connect"));
    let probe = probe.args(["203.0.113.10", "7001", "203.0.113.21", "7001"]);
    assert_eq!(probe.mif(&options).run().ok(), format!("{WAN1}\n{VPN0}"));
    assert_eq!(lab.packets("ra"), 0);
}

#[test]
fn programs_find_their_policies_by_name() {
    let lab = Lab::new();
    lab.pvds("[pvd.lte]\ninterface = \"wan1\"\n");
    lab.app_policy("connect", "use = \"lte\"\n");
    lab.app_policy("default", "use = \"vpn0\"\n");
    let who = ["203.0.113.10", "7001"];
    let probe = || lab.command(lab.probe("connect")).args(who);
    assert_eq!(probe().preload().run().ok(), WAN1);
    assert_eq!(probe().mif(&[]).run().ok(), WAN1);
    assert_eq!(probe().preload().env("MIF_APP", "default").run().ok(), VPN0);
    assert_eq!(probe().mif(&["-a", "default"]).run().ok(), VPN0);
    let other = || {
        lab.command(lab.probe("children"))
            .args(["exec", who[0], who[1]])
    };
    assert_eq!(other().preload().run().ok(), VPN0);
    assert_eq!(lab.packets("ra"), 0);
}
