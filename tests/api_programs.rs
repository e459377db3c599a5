//! Programs of the MIF API: under policies, in processes that fork, with many handles, and with nothing
//! left behind.

#[path = "support/api.rs"]
mod support;

use mif_lab::{Lab, eventually};
use support::{Session, lab, says};

#[test]
fn each_provider_in_turn_is_found_resolved_by_and_connected_to() {
    let lab = lab();
    let [all] = &says(&lab, None, &["list"])[..] else {
        panic!("one line");
    };
    assert_eq!(
        all,
        "utf8:isp-a if:wan0 utf8:isp-b if:wan1 utf8:office if:vpn0"
    );
    let mut session = Session::new(&lab, None);
    let (named, bare): (Vec<&str>, Vec<&str>) =
        all.split(' ').partition(|pvd| pvd.starts_with("utf8:"));
    for (number, pvd) in (1..).zip(named) {
        let name = format!("name {pvd} split.test 1 4");
        let found = session.asks(&[&name, "until NAME_DONE"]);
        let address = format!("203.0.113.2{number}");
        let name = format!("NAME 1 {pvd} {address} from 10.{number}.0.2");
        assert_eq!(found, [name, format!("NAME_DONE 1 {pvd} done")]);
        let connect = format!("connect {pvd} {address} 7001 2");
        let told = session.asks(&[&connect, "until CONNECTED"]);
        let wanted =
            format!("CONNECTED 2 {pvd} {address} from 10.{number}.0.2, seen as 10.{number}.0.2");
        assert_eq!(told, [wanted]);
    }
    // Of an interface alone nobody knows the servers, and others are not asked.
    for pvd in bare {
        let name = format!("name {pvd} split.test 1");
        let found = session.asks(&[&name, "until NAME_DONE"]);
        let wanted = format!("NAME_DONE 1 {pvd} Temporary failure in name resolution");
        assert_eq!(found, [wanted]);
    }
}

#[test]
fn a_program_that_names_no_domain_is_connected_by_the_first_that_it_may_use() {
    let lab = lab();
    let race = &["race split.test 7001"];
    assert_eq!(says(&lab, None, race), ["10.1.0.2"]);
    assert_eq!(says(&lab, Some(&["-i", "office"]), race), ["10.3.0.2"]);
    lab.link_down("wan0");
    let by = says(&lab, None, race);
    assert!(by == ["10.2.0.2"] || by == ["10.3.0.2"], "{by:?}");
}

#[test]
fn domains_are_called_by_their_names() {
    let lab = lab();
    let steps = [
        "text office",
        "text wan1",
        "text nothing",
        "text if:nothing",
        "text utf8:",
        "list 6",
    ];
    let said = says(&lab, None, &steps);
    let visible = "utf8:isp-a if:wan0 utf8:isp-b if:wan1";
    assert_eq!(said, ["utf8", "if", "ENOENT", "if", "EINVAL", visible]);
}

#[test]
fn sockets_and_packets_tell_their_domains() {
    let lab = lab();
    let steps = [
        "socket if:vpn0",
        "socket utf8:isp-b",
        "udp-socket utf8:isp-b",
        "socket -",
    ];
    // What the kernel knows of a socket is its interface: of several domains it is the first in the list.
    let wanted = ["utf8:office", "utf8:isp-b", "utf8:isp-b", "ENOENT"];
    assert_eq!(says(&lab, None, &steps), wanted);
    let wanted = ["if:vpn0", "EACCES", "EACCES", "ENOENT"];
    assert_eq!(says(&lab, Some(&["-i", "vpn0"]), &steps), wanted);

    let probe = lab.command(lab.probe("api")).preload();
    let listener = probe.stdin("arrival 9000").spawn();
    for (to, wanted) in [
        ("10.2.0.2", "utf8:isp-b\nENOENT\nlistening"),
        (
            "2001:db8:2::2",
            "utf8:isp-b\nENOENT\nlistening on 9000\nutf8:isp-b",
        ),
    ] {
        let send = format!("echo hello >/dev/udp/{to}/9000");
        eventually("the datagram is there", || {
            lab.from_far(&["bash", "-c", &send]).ok();
            listener.seen().0.contains(wanted)
        });
    }
    let one = "listening on 9000\nutf8:isp-b\nENOENT";
    assert_eq!(listener.wait().ok(), format!("{one}\n{one}"));
}

#[test]
fn under_a_policy_a_program_gets_what_it_permits() {
    let lab = lab();
    let steps = [
        "list",
        "pvds -",
        "all",
        "addresses if:wan0",
        "config if:wan0 gateways",
        "connect if:wan0 203.0.113.10 7001 1",
        "name utf8:isp-a split.test 1",
        "pvd if:wan0",
        "wants if:wan0",
        "connect utf8:office 203.0.113.10 7001 1",
        "until CONNECTED",
    ];
    let said = says(&lab, Some(&["-i", "office"]), &steps);
    let wanted = [
        "utf8:office",
        "PVD vpn0 utf8:office",
        "ENOENT",
        "ENOENT",
        "ENOENT",
        "ENOENT",
        "ENOENT",
        "ENETDOWN",
        "CONNECTED 1 utf8:office 203.0.113.10 from 10.3.0.2, seen as 10.3.0.2",
    ];
    assert_eq!(said, wanted);
    assert_eq!(["ra", "rb"].map(|router| lab.packets(router)), [0; 2]);

    // The policy's order, and its own words for what it names.
    for (options, wanted) in [
        (&["-i", "wan1"][..], "if:wan1 utf8:isp-b"),
        (&["-i", "office", "-i", "isp-a"], "utf8:office utf8:isp-a"),
    ] {
        assert_eq!(
            says(&lab, Some(options), &["list"]),
            [wanted],
            "{options:?}"
        );
    }
    let none = lab.write("policy.toml", "use = \"none\"\n");
    let said = says(
        &lab,
        Some(&["-p", none.to_str().unwrap()]),
        &["list", "pvds -", "all"],
    );
    assert_eq!(said, [""; 0]);
    // What is not required is open.
    let policy = "use = [\"wan1\", \"system\"]\nfamily = \"ipv4\"\n";
    let policy = lab.write("policy.toml", policy);
    let policy = ["-p", policy.to_str().unwrap()];
    let said = says(&lab, Some(&policy), &["list", "addresses if:wan1", "all"]);
    let order = "if:wan1 utf8:isp-a if:wan0 utf8:isp-b utf8:office if:vpn0";
    assert_eq!(said, [order, "ADDRESS if:wan1 10.2.0.2 ever ever"]);
    // Interfaces that are hidden from lists are hidden here.
    let policy = lab.write("policy.toml", "use = \"wan1\"\ninterfaces = \"policy\"\n");
    let policy = ["-p", policy.to_str().unwrap()];
    let mut session = Session::new(&lab, Some(&policy));
    assert_eq!(
        session.asks(&["interfaces", "all"]),
        ["INTERFACE wan1 called wan1"]
    );
    lab.link_down("wan0");
    lab.link_down("wan1");
    assert!(
        !session
            .asks(&["until NO_INTERFACE"])
            .iter()
            .any(|line| line.contains("wan0"))
    );
}

#[test]
fn domains_that_networks_announce_are_there_while_they_hold() {
    let lab = lab();
    let write = |ends: &str| {
        let script = format!(
            "mkdir -p /run/mif/pvd && index=$(cat /sys/class/net/wan1/ifindex) && \
             changes=$(cat /sys/class/net/wan1/carrier_changes) && now=$(date +%s) && \
             printf '%s\n' INDEX=$index ATTACHMENT=$changes PVD=corp.example \
             'ROUTER=fe80::1 2 -' \"PREFIX=2001:db8:2::/64 {ends}\" 'DNS=2001:db8:2::1 -' \
             'SEARCH=corp.test -' 'INFORMATION=internet corp.test -' 'MTU=1400' \
             'NAT64=64:ff9b::/96 -' 'PORTAL=https://portal.example/api' >/run/mif/pvd/new && \
             mv /run/mif/pvd/new /run/mif/pvd/wan1"
        );
        lab.as_root_in("host", &["sh", "-c", &script]);
    };
    let mut session = Session::new(&lab, None);
    session.asks(&["pvds -", "all"]);
    write("-");
    assert_eq!(session.asks(&["until PVD"]), ["PVD wan1 fqdn:corp.example"]);
    let told = session.asks(&[
        "elements fqdn:Corp.Example.",
        "addresses fqdn:corp.example",
        "all",
        "config fqdn:corp.example servers",
        "config fqdn:corp.example search",
        "config fqdn:corp.example zones",
        "config fqdn:corp.example gateways",
        "config fqdn:corp.example prefixes",
        "config fqdn:corp.example mtu",
        "config fqdn:corp.example pref64",
        "config fqdn:corp.example portal",
        "all",
        "connect fqdn:corp.example 2001:db8:ff::10 7001 1",
        "until CONNECTED",
        "name fqdn:corp.example host 2 6",
        "until NAME_DONE",
    ]);
    let wanted = [
        "ELEMENT fqdn:corp.example ra",
        "ELEMENT fqdn:corp.example pvd",
        "ADDRESS fqdn:corp.example 2001:db8:2::2 ever ever",
        "CONFIGURATION fqdn:corp.example ra servers 2001:db8:2::1 last",
        "CONFIGURATION fqdn:corp.example ra search corp.test last",
        "CONFIGURATION fqdn:corp.example pvd zones corp.test last",
        "CONFIGURATION fqdn:corp.example ra gateways fe80::1 last",
        "CONFIGURATION fqdn:corp.example ra prefixes 2001:db8:2::/64 last",
        "CONFIGURATION fqdn:corp.example ra mtu 1400 last",
        "CONFIGURATION fqdn:corp.example ra pref64 64:ff9b::/96 last",
        "CONFIGURATION fqdn:corp.example ra portal https://portal.example/api last",
        "CONNECTED 1 fqdn:corp.example 2001:db8:ff::10 from 2001:db8:2::2, seen as 2001:db8:2::2",
        "NAME 2 fqdn:corp.example 2001:db8:ff::30 from 2001:db8:2::2",
        "NAME_DONE 2 fqdn:corp.example done",
    ];
    assert_eq!(told, wanted);
    // It ends by itself, and is told to.
    session.asks(&["no-elements fqdn:corp.example"]);
    write("$((now + 2))");
    let told = session.asks(&["until NO_PVD"]);
    let wanted = [
        "NO_ADDRESS fqdn:corp.example 2001:db8:2::2",
        "NO_PVD wan1 fqdn:corp.example",
    ];
    assert_eq!(told, wanted);
}

#[test]
fn a_handle_is_of_the_process_that_opened_it() {
    let lab = lab();
    let said = says(
        &lab,
        None,
        &["interfaces", "all", "fork", "say on", "pvds wan1", "all"],
    );
    let up = ["wan0", "wan1", "vpn0"].map(|name| format!("INTERFACE {name} called {name}"));
    let interfaces: Vec<&str> = up.iter().map(|line| &**line).collect();
    let child = [
        &["post ECHILD, get ECHILD, fd ECHILD"][..],
        &interfaces,
        &["CONNECTED 1 if:wan1 203.0.113.10 from 10.2.0.2, seen as 10.2.0.2"],
    ]
    .concat();
    let after = ["on", "PVD wan1 utf8:isp-b", "PVD wan1 if:wan1"];
    let wanted: Vec<&str> = up
        .iter()
        .map(|line| &**line)
        .chain(child)
        .chain(after)
        .collect();
    assert_eq!(said, wanted);
}

#[test]
fn threads_may_be_cancelled_in_it() {
    let lab = lab();
    let said = says(
        &lab,
        None,
        &[
            "cancel",
            "no-pvds -",
            "pvds wan1",
            "until PVD",
            "close",
            "threads",
            "open",
        ],
    );
    let wanted = [
        "cancelled",
        "cancelled",
        "PVD wan1 utf8:isp-b",
        "1 threads, 0 descriptors",
    ];
    assert_eq!(said, wanted);
}

#[test]
fn a_handle_may_be_closed_in_the_middle_of_everything() {
    let lab = lab();
    for router in ["rb", "rv"] {
        let hole = "add table inet hole { chain drops { type filter hook prerouting priority -10; tcp dport 7001 drop; udp dport 53 drop; }; }";
        lab.as_root_in(router, &["nft", hole]);
    }
    let mut steps: Vec<String> = Vec::new();
    for id in 1..60 {
        steps.push(format!("name utf8:isp-b split.test {id}"));
        steps.push(format!(
            "connect utf8:office 203.0.113.10 7001 {}",
            id + 100
        ));
    }
    let steps: Vec<&str> = steps.iter().map(|step| &**step).collect();
    let all = [
        &["interfaces", "pvds -"],
        &steps[..],
        &["close", "threads", "open"],
    ]
    .concat();
    assert_eq!(says(&lab, None, &all), ["1 threads, 0 descriptors"]);
}

#[test]
fn a_thousand_handles_hear_all_of_many_flaps() {
    /// How often the network goes and comes back, with a look in between and without one.
    const APART: usize = 20;
    const AT_ONCE: usize = 10;
    let lab = Lab::new();
    let probe = lab.command(lab.probe("api_storm")).preload();
    let mut storm = probe.stdin_open().spawn();
    storm.wait_for_line("ready");
    let flap = "link set wan1 down\nlink set wan1 up\n";
    let several = lab.write("several", &flap.repeat(AT_ONCE));
    let flap = lab.write("flap", flap);
    for number in 1..=APART {
        lab.host_ip(&format!("-batch {}", flap.display()));
        storm.wait_for_line(&format!("back {number}"));
        lab.link_up("wan1");
    }
    lab.host_ip(&format!("-batch {}", several.display()));
    lab.link_up("wan1");
    lab.host_ip("address add 10.2.0.99/24 dev wan1");
    // Of several within one look only the last is told.
    storm.send(&format!("{} {}\n", APART + 1, APART + AT_ONCE));
    let said = storm.wait();
    let end = said.ok().lines().filter(|line| !line.starts_with("back"));
    let end: Vec<&str> = end.collect();
    assert_eq!(end, ["ready", "fine, 1 threads, 0 descriptors"]);
}

#[test]
fn valgrind_finds_nothing() {
    let lab = lab();
    let steps = [
        "interfaces",
        "pvds -",
        "elements if:wan1",
        "addresses if:wan1",
        "config utf8:isp-b servers",
        "all",
        "name utf8:isp-b split.test 1",
        "until NAME_DONE",
        "connect utf8:isp-b 203.0.113.10 7001 2",
        "until CONNECTED",
        "from if:wan1 203.0.113.10 7001 10.2.0.2 3",
        "until CONNECTED",
        "connect if:wan1 203.0.113.10 7999 4",
        "until NOT_CONNECTED",
        "list",
        "name utf8:isp-b who.test 5",
        "stop-name 5",
        "no-pvds -",
        "text office",
        "close",
        "threads",
        "open",
    ];
    let words = [
        "-q",
        "--leak-check=full",
        "--errors-for-leak-kinds=definite,indirect",
        "--error-exitcode=9",
    ];
    let valgrind = lab.command("valgrind").args(words).arg(lab.probe("api"));
    let out = valgrind.preload().stdin(steps.join("\n")).run();
    let said = out.ok();
    assert!(said.ends_with("utf8\n1 threads, 0 descriptors"), "{said}");
    assert_eq!(out.stderr, "");
}
