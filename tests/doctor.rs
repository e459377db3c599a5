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
    // One question, over its own network.
    assert_eq!(lab.packets("rb"), 1);
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
