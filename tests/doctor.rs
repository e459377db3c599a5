//! `mif doctor` in the lab: it names each trouble, and the command that it prints mends it.

use mif_lab::{Lab, Output};

/// Runs the doctor on wan1, which the user's `pvds.toml` calls `lte`.
fn doctor(lab: &Lab, words: &[&str]) -> Output {
    lab.mif_run();
    let mif = lab.dir().join("bin/mif");
    let words = [&["doctor", "--name", "who.test"], words].concat();
    lab.command(mif).args(words).run()
}

fn lab(server: &str) -> Lab {
    let lab = Lab::new();
    lab.pvds(&format!(
        "[pvd.lte]\ninterface = \"wan1\"\ndns = {{ servers = \"{server}\" }}\n"
    ));
    // The kernel calls link-local addresses tentative until it comes to not asking whether others
    // have them.
    let tentative = ["ip", "-6", "-oneline", "address", "show", "tentative"];
    let settled = (0..500).any(|_| lab.run(&tentative).ok().is_empty());
    assert!(settled, "{}", lab.run(&tentative));
    lab
}

/// The doctor finds this and nothing else, and nothing at all once its command has run as root.
#[track_caller]
fn finds_and_mends(lab: &Lab, check: &str, said: &str) {
    let out = doctor(lab, &["lte", "--json"]);
    assert_eq!(out.code, Some(3), "{out}");
    let found = out.stdout.matches("\"check\":").count();
    assert!(
        out.stdout.contains(&format!("\"check\": \"{check}\"")),
        "{out}"
    );
    assert_eq!(found, 1, "{out}");
    let out = doctor(lab, &["lte"]);
    assert_eq!(out.code, Some(3), "{out}");
    assert!(out.stdout.contains(said), "{out}");
    let commands: Vec<&str> = out
        .stdout
        .lines()
        .filter_map(|line| line.trim().strip_prefix("mend: "))
        .collect();
    assert!(!commands.is_empty(), "{out}");
    for command in commands {
        lab.as_root_in("host", &["sh", "-c", command]);
    }
    assert!(doctor(lab, &["lte"]).ok().contains("nothing wrong"));
}

#[test]
fn nothing_is_wrong_with_the_lab() {
    let lab = lab("10.2.0.1");
    let out = doctor(&lab, &["lte"]);
    assert!(out.ok().starts_with("lte (wan1): nothing wrong"), "{out}");
    assert!(
        out.stdout
            .contains("ok DNS server 10.2.0.1 answers for who.test"),
        "{out}"
    );
    assert!(
        out.stdout.contains(
            "ok packets of 1500 bytes are not lost on the way to 10.2.0.1 and 2001:db8:2::1"
        ),
        "{out}"
    );
    // Over its own network one question, and a short and a long echo request of each family.
    assert_eq!([lab.packets("rb"), lab.dns_packets("rb")], [5, 1]);
    assert_eq!([lab.packets("ra"), lab.packets("rv")], [0, 0]);
    // The others have no DNS servers that anybody knows of.
    assert_eq!(doctor(&lab, &[]).code, Some(3));
    assert!(
        doctor(&lab, &["nosuch"])
            .fails()
            .contains("called `nosuch`")
    );
}

#[test]
fn no_default_route() {
    let lab = lab("10.2.0.1");
    lab.host_ip("route del default dev wan1");
    finds_and_mends(
        &lab,
        "no-default-route",
        "wan1 has IPv4 addresses and no IPv4 default route",
    );
    assert_eq!(
        lab.mif(&["-i", "lte"], &["curl", "-sS", "http://203.0.113.10/"])
            .ok(),
        "10.2.0.2"
    );
}

#[test]
fn ipv6_without_route() {
    let lab = lab("10.2.0.1");
    lab.host_ip("-6 route del default dev wan1");
    finds_and_mends(
        &lab,
        "ipv6-without-route",
        "wan1 has IPv6 addresses and no IPv6 default route",
    );
    let out = lab.mif(
        &["-i", "lte"],
        &["curl", "-sS", "http://[2001:db8:ff::10]/"],
    );
    assert_eq!(out.ok(), "2001:db8:2::2");
}

#[test]
fn reverse_path_filter() {
    let lab = lab("10.2.0.1");
    for whose in ["all", "wan1"] {
        let key = format!("net.ipv4.conf.{whose}.rp_filter=1");
        lab.as_root_in("host", &["sysctl", "-qw", &key]);
    }
    // Its DNS server's answers come from the link and are let in; those of others are not.
    let curl = ["curl", "-sS", "-m", "1", "http://203.0.113.10/"];
    assert!(lab.mif(&["-i", "lte"], &curl).fails().contains("timed out"));
    finds_and_mends(&lab, "rp-filter", "drops answers that come by wan1");
    assert_eq!(lab.mif(&["-i", "lte"], &curl).ok(), "10.2.0.2");
}

#[test]
fn dead_dns_server() {
    let lab = lab("10.2.0.77");
    finds_and_mends(
        &lab,
        "dns-server-silent",
        "10.2.0.77 gives no answer for who.test over wan1",
    );
    assert_ne!(lab.queries("rb").len(), 0);
    assert_eq!(lab.packets("ra"), 0);
}

#[test]
fn no_dns_servers() {
    let lab = Lab::new();
    let out = doctor(&lab, &["wan1"]);
    assert!(
        out.stdout.contains("no DNS servers are known for wan1"),
        "{out}"
    );
    let command = out
        .stdout
        .lines()
        .find_map(|line| line.trim().strip_prefix("mend: "));
    lab.as_root_in("host", &["sh", "-c", command.unwrap()]);
    doctor(&lab, &["wan1"]).ok();
}

#[test]
fn wrong_mtu() {
    let lab = lab("10.2.0.1");
    lab.host_ip("link set wan1 mtu 1200");
    finds_and_mends(&lab, "mtu", "wan1 takes packets of 1200 bytes at most");
}

/// `rb` loses such packets without a word, as a tunnel behind a bridge does.
fn rb_loses(lab: &Lab, family: &str, packets: &str) {
    let table = format!(
        "add table {family} lossy
         add chain {family} lossy early {{ type filter hook prerouting priority -400; }}
         add rule {family} lossy early {packets} drop"
    );
    lab.as_root_in("rb", &["nft", &table]);
}

#[test]
fn packets_that_are_too_long_for_the_network() {
    let lab = lab("10.2.0.1");
    rb_loses(&lab, "inet", "meta length > 1430");
    // Segments pass as they would a cable, not many in one.
    lab.host_ip("link set wan1 gso_max_segs 1");
    // As it shows to users: what is short goes, and what is long hangs.
    let post = |bytes: usize| {
        let body = "x".repeat(bytes);
        let words = [
            "curl",
            "-sS4",
            "-m",
            "1",
            "-d",
            &body,
            "http://203.0.113.10/",
        ];
        lab.mif(&["-i", "lte"], &words)
    };
    assert_eq!(post(100).ok(), "10.2.0.2");
    assert!(post(4000).fails().contains("timed out"));
    finds_and_mends(
        &lab,
        "mtu-too-large",
        "wan1 sends packets of 1500 bytes, but 10.2.0.1 answers none longer than 1420",
    );
    assert_eq!(post(4000).ok(), "10.2.0.2");
    assert_eq!([lab.packets("ra"), lab.packets("rv")], [0, 0]);
}

#[test]
fn jumbo_frames_on_one_side() {
    let lab = lab("10.2.0.1");
    lab.host_ip("link set wan1 mtu 9000");
    finds_and_mends(&lab, "mtu-too-large", "answers none longer than 1500");
}

#[test]
fn packets_too_long_for_one_family_or_not_to_be_tried() {
    let lab = lab("10.2.0.1");
    rb_loses(&lab, "ip6", "meta length > 1280");
    finds_and_mends(
        &lab,
        "mtu-too-large",
        "2001:db8:2::1 answers none longer than 1280",
    );
    lab.host_ip("link set wan1 mtu 1500");
    // A firewall is no finding.
    rb_loses(
        &lab,
        "inet",
        "meta l4proto { icmp, ipv6-icmp } meta length > 84",
    );
    let out = doctor(&lab, &["lte"]);
    assert!(
        out.ok().contains("answers short echo requests only"),
        "{out}"
    );
    rb_loses(
        &lab,
        "inet",
        "meta l4proto { icmp, ipv6-icmp } meta length 84",
    );
    let out = doctor(&lab, &["lte"]);
    assert!(
        out.ok()
            .contains("no router or DNS server answers echo requests"),
        "{out}"
    );
    // Of others' groups the lab's root has none to name in a user namespace, so there it stays allowed.
    let allowed = lab.run(&["cat", "/proc/sys/net/ipv4/ping_group_range"]);
    if allowed.ok() != "0\t0" {
        lab.as_root_in("host", &["sysctl", "-qw", "net.ipv4.ping_group_range=1 0"]);
        let out = doctor(&lab, &["lte"]);
        assert!(
            out.ok().contains("this user may not send echo requests"),
            "{out}"
        );
    }
}

#[test]
fn a_router_that_says_that_packets_are_too_long_is_no_finding() {
    // Behind the router, which does not answer itself.
    let lab = lab("203.0.113.10");
    rb_loses(&lab, "inet", "ip daddr 10.2.0.1 icmp type echo-request");
    lab.as_root_in("rb", &["ip", "link", "set", "far", "mtu", "1300"]);
    let out = doctor(&lab, &["lte"]);
    assert!(
        out.stdout
            .contains("packets of 1500 bytes are not lost on the way to 203.0.113.10"),
        "{out}"
    );
}

#[test]
fn duplicate_prefix() {
    let lab = lab("10.2.0.1");
    lab.host_ip("address add 10.2.0.9/24 dev wan0");
    finds_and_mends(
        &lab,
        "duplicate-prefix",
        "wan1 and wan0 are both in the network 10.2.0.0/24",
    );
}

#[test]
fn rules_that_catch_or_are_missing() {
    let lab = lab("10.2.0.1");
    lab.host_ip("rule add priority 100 prohibit");
    let out = doctor(&lab, &["lte"]);
    assert!(out.stdout.contains("priority 100, which refuses"), "{out}");
    finds_and_mends(&lab, "rule-catches", "a routing rule catches IPv4 packets");
    lab.host_ip("rule del priority 99");
    lab.host_ip("rule del priority 99");
    lab.host_ip("rule del priority 100");
    lab.host_ip("route del default dev wan1");
    lab.host_ip("route add default via 10.2.0.1 dev wan1 table 7");
    finds_and_mends(
        &lab,
        "rule-missing",
        "the default route of wan1 is in table 7",
    );
}

#[test]
fn link_down() {
    let lab = lab("10.2.0.1");
    lab.host_ip("link set wan1 down");
    let out = doctor(&lab, &["lte"]);
    assert!(
        out.stdout.contains("mend: ip link set dev wan1 up"),
        "{out}"
    );
    assert!(
        doctor(&lab, &["--json"])
            .stdout
            .contains("\"left_out\": [\n    \"wan1\"\n  ]")
    );
}

#[test]
fn captive_portal() {
    let lab = lab("10.2.0.1");
    let out = doctor(&lab, &["lte", "--probe", "http://who.test/"]);
    assert!(
        out.ok()
            .contains("http://who.test/ answers with status 200"),
        "{out}"
    );
    assert!(["10.2.0.2", "2001:db8:2::2"].contains(&&*lab.arrivals()[0].peer));
    let portal = "import http.server
class Portal(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(302)
        self.send_header('Location', 'http://login.test/')
        self.end_headers()
server = http.server.HTTPServer(('203.0.113.10', 8080), Portal)
print('ready', flush=True)
server.serve_forever()";
    let server = lab
        .command("python3")
        .args(["-c", portal])
        .within("far")
        .spawn();
    server.wait_for_output("ready");
    let out = doctor(&lab, &["lte", "--probe", "http://203.0.113.10:8080/"]);
    assert!(
        out.stdout
            .contains("status 302, which leads to http://login.test/"),
        "{out}"
    );
    let out = doctor(&lab, &["lte", "--probe", "http://203.0.113.10:9/"]);
    assert!(out.stdout.contains("cannot be fetched"), "{out}");
}
