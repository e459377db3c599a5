//! Programs that no preload reaches, under the supervisor: by the policy's network, as the far end
//! saw it, and refused with nothing sent where that is not there.

mod support;

use mif_lab::{Build, Lab, Output};
use support::{WAN1, WAN1_6, WHO, WHO6, nothing_leaves, only_by_wan1, only_rb_was_asked};

const BY_WAN1: [&str; 5] = ["--reach=supervise", "-i", "wan1", "-d", "10.2.0.1"];
const BY_NOTHING: [&str; 3] = ["--reach=supervise", "-i", "wan9"];

/// A probe by wan1, with the names of its server.
#[track_caller]
fn by_wan1(lab: &Lab, probe: &str, build: Build, words: &[&str]) -> Output {
    let program = lab.probe_as(probe, build);
    lab.mif(&BY_WAN1, &[&[program.to_str().unwrap()], words].concat())
}

#[track_caller]
fn by_nothing(lab: &Lab, probe: &str, build: Build, words: &[&str]) -> Output {
    let program = lab.probe_as(probe, build);
    lab.mif(&BY_NOTHING, &[&[program.to_str().unwrap()], words].concat())
}

#[test]
fn static_programs_connect_by_the_policys_network() {
    let lab = Lab::new();
    let mapped = format!("::ffff:{WHO}");
    let words = [WHO, "7001", WHO6, "7001", &mapped, "7001"];
    let out = by_wan1(&lab, "connect", Build::Static, &words);
    assert_eq!(out.ok(), [WAN1, WAN1_6, WAN1].join("\n"));
    only_by_wan1(&lab);
    nothing_leaves(&lab, || {
        let out = by_nothing(&lab, "connect", Build::Static, &words);
        assert_eq!(out.ok(), ["ENETUNREACH"; 3].join("\n"));
    });
}

/// Each call that begins a flow or opens a listener, by its number.
#[test]
fn every_call_of_a_static_program_is_judged() {
    let lab = Lab::new();
    let native = lab.command(lab.probe_as("by_syscall", Build::Static));
    let native = native.arg(WHO).run().ok().to_owned();
    assert!(native.starts_with("connect 0 10.1.0.2 "), "{native}");

    let lab = Lab::new();
    let ours = native.replace("10.1.0.2", WAN1);
    let ours = ours.replace("reachable on all", "reachable on wan1");
    for build in [Build::Static, Build::Dynamic] {
        assert_eq!(by_wan1(&lab, "by_syscall", build, &[WHO]).ok(), ours);
    }
    only_by_wan1(&lab);
    nothing_leaves(&lab, || {
        let refused = by_nothing(&lab, "by_syscall", Build::Static, &[WHO]);
        for call in ["connect", "sendto", "sendmsg", "sendmmsg"] {
            let line = format!("{call} -1 ENETUNREACH\n");
            assert!(refused.ok().contains(&line), "{refused}");
        }
    });
}

#[test]
fn go_fetches_sends_and_looks_up_by_the_policys_network() {
    for build in [Build::Go, Build::GoWithC] {
        let lab = Lab::new();
        let run = |verb, words: &[&str]| by_wan1(&lab, "flows", build, &[&[verb], words].concat());
        let out = run(
            "fetch",
            &["http://203.0.113.10/", "http://[2001:db8:ff::10]/"],
        );
        assert_eq!(out.ok(), [WAN1, WAN1_6].join("\n"));
        let out = run("send", &["203.0.113.10:7001", "[2001:db8:ff::10]:7001"]);
        assert_eq!(out.ok(), format!("{WAN1} {WAN1}\n{WAN1_6} {WAN1_6}"));
        let out = run("look-up", &["split.test", "nowhere.test"]);
        let mut lines = out.ok().lines();
        let mut found: Vec<_> = lines.next().unwrap().split(' ').collect();
        found.sort_unstable();
        assert_eq!(found, ["2001:db8:ff::22", "203.0.113.22"]);
        assert!(lines.next().unwrap().contains("no such host"), "{out}");
        only_by_wan1(&lab);
        only_rb_was_asked(&lab, &["A split.test", "AAAA split.test"]);

        nothing_leaves(&lab, || {
            for (verb, word) in [
                ("fetch", "http://203.0.113.10/"),
                ("send", "203.0.113.10:7001"),
                ("look-up", "split.test"),
            ] {
                let refused = by_nothing(&lab, "flows", build, &[verb, word]);
                assert!(refused.ok().contains("network is unreachable"), "{refused}");
            }
        });
    }
}

#[test]
fn a_server_of_go_is_reachable_on_the_policys_network_only() {
    let lab = Lab::new();
    let server = lab.command(lab.probe_as("flows", Build::Go));
    let server = server.args(["serve", ":4000"]).mif(&BY_WAN1).spawn();
    server.wait_for_line("ready");
    let call = |address| lab.from_far(&["nc", "-N", "-w1", address, "4000"]);
    for address in ["10.1.0.2", "10.3.0.2"] {
        assert_ne!(call(address).code, Some(0));
    }
    assert_eq!(call(WAN1).ok(), "hello");
    let out = server.wait();
    assert!(out.ok().starts_with("ready\n10.2.9.2:"), "{out}");
}

#[test]
fn musl_asks_the_networks_server() {
    let lab = Lab::new();
    for build in [Build::Musl, Build::MuslStatic] {
        let out = by_wan1(&lab, "look_up", build, &["split.test", "7001"]);
        let said = out.ok();
        assert!(
            said.contains("203.0.113.22\n") && said.contains("2001:db8:ff::22\n"),
            "{out}"
        );
        let (_, peer) = said.rsplit_once("seen as ").unwrap();
        assert!([WAN1, WAN1_6].contains(&peer), "{out}");
        nothing_leaves(&lab, || {
            let refused = by_nothing(&lab, "look_up", build, &["split.test", "7001"]);
            assert_eq!(refused.code, Some(1), "{refused}");
        });
    }
    only_by_wan1(&lab);
    only_rb_was_asked(&lab, &["A split.test", "AAAA split.test"]);
}

#[test]
fn busybox_goes_by_the_policys_network() {
    let lab = Lab::new();
    let out = lab.mif(&BY_WAN1, &["busybox", "wget", "-qO-", "http://who.test/"]);
    assert!([WAN1, WAN1_6].contains(&out.ok()), "{out}");
    let out = lab.mif(&BY_WAN1, &["busybox", "nc", WHO, "7001"]);
    assert!(out.ok().starts_with(WAN1), "{out}");
    let out = lab.mif(&BY_WAN1, &["busybox", "nslookup", "split.test"]);
    assert!(out.ok().contains("203.0.113.22"), "{out}");
    only_by_wan1(&lab);
    only_rb_was_asked(&lab, &["A who.test", "A split.test"]);
    nothing_leaves(&lab, || {
        for words in [
            &["busybox", "wget", "-qO-", "http://203.0.113.10/"][..],
            &["busybox", "nc", WHO, "7001"],
            &["busybox", "nslookup", "split.test"],
        ] {
            assert_ne!(lab.mif(&BY_NOTHING, words).code, Some(0), "{words:?}");
        }
    });
}

/// What the preload reaches obeys the same policy under the supervisor.
#[test]
fn dynamic_programs_can_be_supervised_too() {
    let lab = Lab::new();
    let java = "public class Who { public static void main(String[] a) throws Exception {
        System.out.print(new String(new java.net.URL(\"http://who.test/\").openStream().readAllBytes())); } }";
    let java = lab.write("Who.java", java);
    let python = "import urllib.request as u; print(u.urlopen('http://who.test/').read().decode())";
    let node = "require('http').get('http://who.test/', r => r.pipe(process.stdout))";
    for words in [
        &["curl", "-sS", "http://who.test/"][..],
        &["python3", "-c", python],
        &["node", "-e", node],
        &["java", java.to_str().unwrap()],
    ] {
        let out = lab.mif(&BY_WAN1, words);
        assert!([WAN1, WAN1_6].contains(&out.ok()), "{out}");
        nothing_leaves(&lab, || {
            assert_ne!(lab.mif(&BY_NOTHING, words).code, Some(0));
        });
    }
    only_by_wan1(&lab);
}

#[test]
fn children_of_any_kind_are_watched() {
    let lab = Lab::new();
    let go = lab.probe_as("flows", Build::Go);
    let fixed = lab.probe_as("connect", Build::Static);
    let script = format!(
        "curl -sS http://{WHO}/
         {} fetch http://{WHO}/ & wait
         busybox sh -c 'env -i busybox nc {WHO} 7001 </dev/null' | cut -d' ' -f1
         (setsid {} {WHO} 7001)",
        go.display(),
        fixed.display()
    );
    let out = lab.mif(&BY_WAN1, &["sh", "-c", &script]);
    assert_eq!(out.ok(), [WAN1; 4].join("\n"));
    only_by_wan1(&lab);
}

#[test]
fn the_log_says_what_libmif_says() {
    let lab = Lab::new();
    let policy = lab.write(
        "rules.toml",
        "use = \"wan1\"\n[[rule]]\nto = \"203.0.113.21\"\nuse = \"vpn0\"\n\
         [[rule]]\nto = \"203.0.113.30\"\nuse = \"none\"\n",
    );
    let words = [WHO, "7001", "203.0.113.21", "7001", "203.0.113.30", "7001"];
    let lines = |reach| {
        let probe = lab.command(lab.probe("connect")).args(words);
        let out = probe
            .mif(&[reach, "-v", "-p", policy.to_str().unwrap()])
            .run();
        assert_eq!(out.ok(), format!("{WAN1}\n10.3.0.2\nENETUNREACH"));
        let lines = out.stderr.lines().filter(|line| line.starts_with("mif: "));
        let lines = lines.map(|line| {
            line.split_once("] ")
                .expect("a process number")
                .1
                .to_owned()
        });
        lines.collect::<Vec<_>>()
    };
    let preloaded = lines("--reach=preload");
    assert_eq!(preloaded.len(), 3);
    assert_eq!(lines("--reach=supervise"), preloaded);
}
