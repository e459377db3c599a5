//! `interfaces = "policy"`: whoever lists the host's interfaces finds loopback and the networks
//! that the policy may choose, as libc would tell of them, and nothing else.

use mif_lab::{Command, Lab, Output};

const ALL: [&str; 4] = ["lo", "wan0", "wan1", "vpn0"];

fn probe<'lab>(lab: &'lab Lab, words: &[&str]) -> Command<'lab> {
    lab.command(lab.probe("interfaces")).args(words)
}

/// What the probe prints natively, but for interfaces that are not to be shown. Labels of
/// addresses begin with their interface's name.
fn native(lab: &Lab, shown: &[&str]) -> String {
    let out = probe(lab, &["list"]).run();
    let mut lines: Vec<String> = Vec::new();
    for line in out.ok().lines() {
        let name = line.split_whitespace().nth(1).unwrap();
        let name = name.split(':').next().unwrap();
        if shown.contains(&name) {
            lines.push(line.to_owned());
        } else {
            assert!(name == "-" || ALL.contains(&name), "{line}");
        }
    }
    lines.join("\n")
}

fn listed(out: &Output) -> String {
    let lines = out.ok().lines().filter(|line| !line.starts_with("bytes "));
    lines.collect::<Vec<_>>().join("\n")
}

#[track_caller]
fn shows(lab: &Lab, policy: &str, options: &[&str], shown: &[&str]) {
    let policy = lab.write("interfaces.toml", policy);
    let options = [&["-p", policy.to_str().unwrap()], options].concat();
    let out = probe(lab, &["list"]).mif(&options).run();
    let expected = native(lab, shown);
    for way in ["getifaddrs", "if_nameindex", "SIOCGIFCONF", "if_inet6"] {
        assert!(expected.contains(&format!("{way} lo ")), "{expected}");
    }
    assert_eq!(listed(&out), expected, "{out}");
}

#[test]
fn the_networks_that_a_policy_may_choose_are_shown() {
    let lab = Lab::new();
    // Their labels are the interface's.
    lab.host_ip("address add 10.2.0.7/24 dev wan1 label wan1:more");
    lab.host_ip("address add 10.1.0.7/24 dev wan0 label wan0:more");
    let key = "interfaces = \"policy\"\n";
    for (policy, shown) in [
        ("use = 'wan1'", &["lo", "wan1"][..]),
        // The first entries of all lists are hidden, and the last.
        ("use = 'vpn0'", &["lo", "vpn0"]),
        ("use = ['wan1', 'vpn0']", &["lo", "wan1", "vpn0"]),
        ("use = 'wan0'\nlisten = 'vpn0'", &["lo", "wan0", "vpn0"]),
        (
            "use = 'none'\n[[rule]]\nport = 1\nuse = 'wan1'",
            &["lo", "wan1"],
        ),
        (
            "use = 'x'\n[pvd.x]\ninterface = 'wan1'\nsource = '10.2.0.2'",
            &["lo", "wan1"],
        ),
        ("use = 'none'", &["lo"]),
        ("use = 'nosuch'", &["lo"]),
        // A flow may go by any of them.
        ("use = ['wan1', 'system']", &ALL),
        ("use = 'wan1'\nlisten = 'system'", &ALL),
        ("", &ALL),
    ] {
        shows(&lab, &format!("{key}{policy}"), &[], shown);
    }
    shows(&lab, "use = 'wan1'\ninterfaces = 'all'", &[], &ALL);
    shows(&lab, "use = 'wan1'", &[], &ALL);
    shows(&lab, key, &["-s", "10.2.0.2"], &["lo", "wan1"]);
    shows(
        &lab,
        &format!("{key}use = 'vpn0'"),
        &["-i", "wan1"],
        &["lo", "wan1"],
    );
}

#[test]
fn an_interface_that_is_down_or_has_other_names_is_shown() {
    let lab = Lab::new();
    lab.host_ip("link property add dev wan1 altname uplink");
    let policy = "interfaces = 'policy'\nuse = ['uplink', 'vpn0']";
    shows(&lab, policy, &[], &["lo", "wan1", "vpn0"]);
    lab.link_down("vpn0");
    shows(&lab, policy, &[], &["lo", "wan1", "vpn0"]);
}

#[test]
fn without_the_key_nothing_is_changed() {
    let lab = Lab::new();
    for words in [&["list"][..], &["short", "2"], &["odd"]] {
        let native = probe(&lab, words).run();
        let bare = probe(&lab, words).preload().run();
        let wan1 = probe(&lab, words).mif(&["-i", "wan1"]).run();
        assert_eq!(bare.stdout, native.ok().to_owned() + "\n");
        assert_eq!(wan1.stdout, native.stdout);
    }
}

#[test]
fn lists_fit_their_buffers_and_are_freed_by_libc() {
    let lab = Lab::new();
    // What is hidden takes no room: neither in a short buffer, nor in a count.
    let batch: Vec<String> = (10..60)
        .map(|n| format!("address add 10.1.0.{n}/24 dev wan0"))
        .collect();
    let batch = lab.write("addresses", &batch.join("\n"));
    lab.as_root_in("host", &["ip", "-batch", batch.to_str().unwrap()]);
    let policy = lab.write("p.toml", "interfaces = 'policy'\nuse = ['wan1', 'vpn0']");
    let options = ["-p", policy.to_str().unwrap()];
    let all = [
        "SIOCGIFCONF lo 127.0.0.1",
        "SIOCGIFCONF wan1 10.2.0.2",
        "SIOCGIFCONF vpn0 10.3.0.2",
    ];
    for room in 0..5 {
        let count = room.to_string();
        let out = probe(&lab, &["short", &count]).mif(&options).run();
        assert_eq!(out.ok().lines().collect::<Vec<_>>(), all[..room.min(3)]);
    }
    for run in [
        probe(&lab, &["often", "100"]).mif(&options),
        probe(&lab, &["often", "100"]),
    ] {
        assert_eq!(run.run().ok(), "0 bytes stay");
    }
    let odd = |run: Command<'_>| run.run().ok().to_owned();
    assert_eq!(
        odd(probe(&lab, &["odd"]).mif(&options)),
        odd(probe(&lab, &["odd"]))
    );

    // Its allocator sees every pointer.
    let strict = ["-q", "--error-exitcode=9", "--leak-check=full"];
    let valgrind = lab
        .command("valgrind")
        .args(strict)
        .arg(lab.probe("interfaces"))
        .arg("list");
    let library = lab.library();
    let out = valgrind
        .env("LD_PRELOAD", library)
        .env("MIF_POLICY", &policy)
        .run();
    assert_eq!(listed(&out), native(&lab, &["lo", "wan1", "vpn0"]));
}

/// What a program prints under the policy and natively, as sorted words.
#[track_caller]
fn real_program(lab: &Lab, words: &[&str], natively: &[&str], shown: &[&str]) {
    let policy = lab.write("p.toml", "use = 'wan1'\ninterfaces = 'policy'");
    let (program, words) = words.split_first().unwrap();
    let run = || lab.command(program).args(words);
    let found = |out: Output| {
        let mut words: Vec<String> = out.ok().split_whitespace().map(str::to_owned).collect();
        words.retain(|word| !word.starts_with("fe80:"));
        words.sort();
        words.dedup();
        words
    };
    assert_eq!(found(run().run()), natively);
    assert_eq!(
        found(run().mif(&["-p", policy.to_str().unwrap()]).run()),
        shown
    );
}

const NAMES: [&str; 4] = ["lo", "vpn0", "wan0", "wan1"];
const ADDRESSES: [&str; 7] = [
    "10.1.0.2",
    "10.2.0.2",
    "10.3.0.2",
    "127.0.0.1",
    "2001:db8:1::2",
    "2001:db8:2::2",
    "::1",
];
const OF_WAN1: [&str; 4] = ["10.2.0.2", "127.0.0.1", "2001:db8:2::2", "::1"];

#[test]
fn python() {
    let program = "import socket; print(*[name for _, name in socket.if_nameindex()])";
    real_program(
        &Lab::new(),
        &["python3", "-c", program],
        &NAMES,
        &["lo", "wan1"],
    );
}

#[test]
fn psutil() {
    let program = "import psutil
for name, addresses in psutil.net_if_addrs().items():
    print(*[a.address for a in addresses if a.family != psutil.AF_LINK])";
    real_program(
        &Lab::new(),
        &["/usr/bin/python3", "-c", program],
        &ADDRESSES,
        &OF_WAN1,
    );
}

#[test]
fn node() {
    let program = "for (const all of Object.values(require('os').networkInterfaces())) \
                   console.log(...all.map(one => one.address))";
    real_program(&Lab::new(), &["node", "-e", program], &ADDRESSES, &OF_WAN1);
}

#[test]
fn java() {
    let lab = Lab::new();
    let source = lab.write("Interfaces.java", include_str!("probes/Interfaces.java"));
    let words = ["java", "-XX:TieredStopAtLevel=1", source.to_str().unwrap()];
    // By the request of ioctl, and by the file.
    real_program(&lab, &words, &ADDRESSES, &OF_WAN1);
}

/// A torrent client or an MPI library binds every address it finds, and sends from each.
#[test]
fn all_that_is_listed_can_be_used() {
    let lab = Lab::new();
    let program = "import psutil, socket, sys
for all in psutil.net_if_addrs().values():
    for one in all:
        to = {socket.AF_INET: '203.0.113.10', socket.AF_INET6: '2001:db8:ff::10'}.get(one.family)
        if to and one.address not in ('127.0.0.1', '::1') and '%' not in one.address:
            to_it = socket.socket(one.family, socket.SOCK_DGRAM)
            to_it.settimeout(5)
            to_it.bind((one.address, 0))
            to_it.sendto(b'?', (to, 7001))
            print(to_it.recv(100).decode())";
    let words = ["/usr/bin/python3", "-c", program];
    let policy = lab.write("p.toml", "use = 'wan1'\ninterfaces = 'policy'");
    let out = lab.mif(&["-p", policy.to_str().unwrap()], &words);
    let peers: Vec<&str> = out.ok().lines().collect();
    assert_eq!(peers, ["10.2.0.2", "2001:db8:2::2"]);
    assert_eq!(lab.peers(), peers);
    assert_eq!([lab.packets("ra"), lab.packets("rv")], [0, 0]);
    // It gives up at the first that the policy refuses.
    let out = lab.mif(&["-i", "wan1"], &words);
    assert!(out.fails().contains("Cannot assign"), "{out}");
}

/// An agent of Interactive Connectivity Establishment (RFC 8445), as WebRTC has it, offers every
/// address it finds.
#[test]
fn ice() {
    let program = "import aioice, asyncio
async def main():
    agent = aioice.Connection(ice_controlling=True, components=1)
    await agent.gather_candidates()
    print(*[one.host for one in agent.local_candidates])
    await agent.close()
asyncio.run(main())";
    let natively = [
        "10.1.0.2",
        "10.2.0.2",
        "10.3.0.2",
        "2001:db8:1::2",
        "2001:db8:2::2",
    ];
    real_program(
        &Lab::new(),
        &["/usr/bin/python3", "-c", program],
        &natively,
        &["10.2.0.2", "2001:db8:2::2"],
    );
}
