//! What applications do with processes, threads and signals, with a policy in force: every call goes
//! by its network and comes to what it comes to natively, and the program goes on.

mod support;

use std::time::Duration;

use mif_lab::{Command, Lab};
use support::{BY_WAN1, WAN1, WAN1_6, WHO, WHO6, compile, only_by_wan1};

/// Nobody has this address, and nobody says so.
const SILENT: &str = "203.0.113.99";

fn by_wan1<'l>(lab: &'l Lab, probe: &str, words: &[&str]) -> Command<'l> {
    let program = lab.probe(probe);
    lab.command(program).args(words).mif(&BY_WAN1)
}

#[test]
fn children_of_every_kind_and_their_parents() {
    let lab = Lab::new();
    for mode in [
        "fork",
        "vfork",
        "clone",
        "clone-vm",
        "clone-files",
        "raw",
        "daemon",
    ] {
        for (to, peer) in [(WHO, WAN1), (WHO6, WAN1_6)] {
            let out = by_wan1(&lab, "clones", &[mode, to, "7001"]).run();
            let said = format!("child: {peer} {peer}\nparent: {peer} {peer}");
            assert_eq!(out.ok(), said, "{mode}");
        }
    }
    only_by_wan1(&lab);
}

/// In the order in which they come, with libraries that were loaded before libmif and behind it.
const MOMENTS: [&str; 12] = [
    "preinit",
    "behind begins",
    "before begins",
    "constructor",
    "destructor of a thread_local",
    "destructor of a key",
    "atfork child",
    "atexit",
    "detached thread",
    "destructor",
    "before ends",
    "behind ends",
];

#[test]
fn every_moment_of_a_process_before_main_and_after_it() {
    let lab = Lab::new();
    let library = |place: &str| {
        let name = format!("-DLIBRARY=\"{place}\"");
        let flags = ["-shared", "-fPIC", &name];
        let path = compile(&lab, "gcc", &flags, "moments.c", &format!("{place}.so"));
        path.to_str().unwrap().to_owned()
    };
    let (before, mif, behind) = (library("before"), lab.library(), library("behind"));
    let run = |link: &str, preloads: &str, to: &str| {
        let probe = lab.command(lab.probe("moments")).args([to, "7001"]);
        let probe = probe.env("LD_PRELOAD", preloads).env("MIF_INTERFACE", link);
        probe.run().ok().to_owned()
    };
    let all = |said: &str| MOMENTS.map(|moment| format!("{moment}: {said}")).join("\n");
    let with_mif = format!("{before}:{}:{behind}", mif.display());
    assert_eq!(run("wan1", &with_mif, WHO), all(WAN1));
    assert_eq!(run("wan1", &with_mif, WHO6), all(WAN1_6));
    assert_eq!(run("none", &with_mif, WHO), all("ENETUNREACH"));
    only_by_wan1(&lab);
    // It is the same order, and the same errno, natively.
    let native = run("wan1", &format!("{before}:{behind}"), WHO);
    assert_eq!(native, all("10.1.0.2"));
}

#[test]
fn a_signal_handler_connects_while_a_call_is_blocked() {
    let lab = Lab::new();
    let words = |call, way| [call, way, WHO, "7001", SILENT, "who.test"];
    for call in ["connect", "sendto"] {
        let out = by_wan1(&lab, "interrupted", &words(call, "return")).run();
        let said = format!("EINTR {WAN1}\n").repeat(5) + "then 0";
        assert_eq!(out.ok(), said, "{call}");
        let out = by_wan1(&lab, "interrupted", &words(call, "jump")).run();
        let said = format!("jumped {WAN1}\n").repeat(5) + "then 0";
        assert_eq!(out.ok(), said, "{call}");
    }
    only_by_wan1(&lab);
}

/// The first server never answers, the second knows the name.
#[test]
fn a_signal_handler_connects_while_a_look_up_waits() {
    let lab = Lab::new();
    let servers = ["-i", "wan1", "-d", SILENT, "-d", "10.2.0.1"];
    for (way, each) in [("return", "0"), ("jump", "jumped")] {
        let words = ["getaddrinfo", way, WHO, "7001", SILENT, "who.test"];
        let probe = lab.command(lab.probe("interrupted")).args(words);
        let out = probe.mif(&servers).limit(Duration::from_mins(1)).run();
        let said = format!("{each} {WAN1}\n").repeat(5) + "then 0";
        assert_eq!(out.ok(), said, "{way}");
    }
    only_by_wan1(&lab);
}
