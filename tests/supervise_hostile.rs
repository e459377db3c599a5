//! Programs that would rather not be supervised, and a supervisor that is killed: nothing leaves by
//! another network.

mod support;

use std::time::Duration;

use mif_lab::{Build, Lab, Running, eventually};
use support::{WAN1, WHO, nothing_leaves, only_by_wan1};

const BY_WAN1: [&str; 3] = ["--reach=supervise", "-i", "wan1"];

/// Calls that a racer makes. A million were tried by hand.
const TIMES: &str = "6000";

#[test]
fn an_address_that_changes_under_way_is_not_the_one_that_is_used() {
    let lab = Lab::new();
    let racer = lab.probe_as("racer", Build::Static);
    let refuse = lab.write(
        "refuse.toml",
        "use = \"none\"\n[[rule]]\nto = \"10.2.0.1\"\nuse = \"wan1\"\n",
    );
    let times = std::env::var("RACES").unwrap_or(TIMES.to_owned());
    let run = |options: &[&str], words: [&str; 3]| {
        let racer = lab.command(&racer).arg(&times).args(words);
        let racer = racer.mif(&[&["--reach=supervise"], options].concat());
        let out = racer.limit(Duration::from_hours(1)).run();
        assert!(
            out.ok().parse::<u64>().unwrap() + 14 > times.parse().unwrap(),
            "{out}"
        );
    };
    // This host passes as it is, and the other must go by wan1. Nobody listens there: the kernel
    // itself says of a socket that has been closed, by any way, that an answer came too late.
    run(&["-i", "wan1"], ["9", WHO, "127.0.0.1"]);
    only_by_wan1(&lab);
    // The decoy goes by wan1, and the other must not at all.
    run(&["-p", refuse.to_str().unwrap()], ["7001", WHO, "10.2.0.1"]);
    assert_eq!(lab.peers(), [""; 0]);
    only_by_wan1(&lab);
}

#[test]
fn there_is_no_call_that_nobody_watches() {
    let lab = Lab::new();
    for build in [Build::Static, Build::Dynamic] {
        let probe = lab.probe_as("no_way_out", build);
        nothing_leaves(&lab, || {
            let out = lab.command(&probe).arg(WHO).mif(&BY_WAN1).run();
            let mut wanted =
                "io_uring_setup ENOSYS\nSCTP EPROTONOSUPPORT\nSMC EAFNOSUPPORT".to_owned();
            if cfg!(target_arch = "x86_64") {
                wanted += "\nx32 connect ENOSYS\ni386 connect ENOSYS";
            }
            assert_eq!(out.ok(), wanted);
        });
    }
}

/// What a ring sends is sent by no call.
#[test]
fn rings_are_there_where_the_policy_allows_them() {
    let lab = Lab::new();
    let allow = "use = \"wan1\"\n[reach]\nio_uring = \"allow\"\n";
    let allow = lab.write("allow.toml", allow).display().to_string();
    let native = lab.command(lab.probe("ring")).args([WHO, "7001"]).run();
    assert_eq!(native.ok(), "ring 10.1.0.2", "this kernel has io_uring");
    for (reach, build) in [
        ("--reach=supervise", Build::Static),
        ("--reach=preload", Build::Dynamic),
    ] {
        let lab = Lab::new();
        let run = |options: [&str; 2]| {
            let ring = lab.command(lab.probe_as("ring", build));
            ring.args([WHO, "7001"])
                .mif(&[reach, "-v", options[0], options[1]])
                .run()
        };
        let out = run(["-i", "wan1"]);
        assert_eq!(out.ok(), format!("ENOSYS {WAN1}"));
        assert!(out.stderr.contains("io_uring_setup: refused"), "{out}");
        only_by_wan1(&lab);
        nothing_leaves(&lab, || {
            assert_eq!(run(["-i", "wan9"]).ok(), "ENOSYS ENETUNREACH");
        });
        let out = run(["-p", &allow]);
        assert_eq!(out.ok(), native.ok());
        assert!(out.stderr.contains("io_uring_setup: allowed"), "{out}");
    }
}

/// The children of a process, by their numbers outside of the lab.
fn children(of: u32) -> Vec<u32> {
    let list = std::fs::read_to_string(format!("/proc/{of}/task/{of}/children"));
    let list = list.unwrap_or_default();
    list.split_whitespace()
        .map(|id| id.parse().unwrap())
        .collect()
}

/// The supervisor of a program that runs.
fn supervisor(front: &Running) -> u32 {
    let mut found = None;
    eventually("there is a supervisor with a program", || {
        found = children(front.id())
            .into_iter()
            .find(|&id| !children(id).is_empty());
        found.is_some()
    });
    found.unwrap()
}

fn signal(process: u32, signal: rustix::process::Signal) {
    let process = rustix::process::Pid::from_raw(process.try_into().unwrap()).unwrap();
    rustix::process::kill_process(process, signal).unwrap();
}

#[test]
fn without_its_supervisor_nothing_leaves() {
    let lab = Lab::new();
    let mut front = lab
        .command(lab.probe_as("connect", Build::Static))
        .mif(&BY_WAN1)
        .stdin_open()
        .spawn();
    front.send(&format!("{WHO} 7001\n"));
    front.wait_for_line(WAN1);
    signal(supervisor(&front), rustix::process::Signal::KILL);
    front.wait_for_error_line("mif-run: the supervisor was killed");
    nothing_leaves(&lab, || {
        front.send(&format!("{WHO} 7001\n127.0.0.1 9\n"));
        front.wait_for_line("ENOSYS");
    });
    front.close_stdin();
    assert_eq!(front.wait().ok(), format!("{WAN1}\nENOSYS\nENOSYS"));
}

/// Each round kills the supervisor while the program connects and sends, some before it has begun to.
#[test]
fn it_may_be_killed_at_any_moment() {
    const ROUNDS: u64 = 100;
    /// Microseconds: a round of the program takes some hundreds.
    const LATEST: u64 = 20_000;
    let lab = Lab::new();
    let hammer = lab.probe_as("hammer", Build::Static);
    let seed = std::env::var("SEED").map_or(8, |seed| seed.parse().unwrap());
    eprintln!("SEED={seed}");
    let mut random: u64 = seed;
    for round in 0..ROUNDS {
        // Knuth's MMIX.
        random = random.wrapping_mul(6_364_136_223_846_793_005);
        random = random.wrapping_add(1_442_695_040_888_963_407);
        let front = lab.command(&hammer).args([WHO, "7001"]).mif(&BY_WAN1);
        let front = front.spawn();
        let supervisor = supervisor(&front);
        if round % 10 > 0 {
            front.wait_for_line("begun");
            std::thread::sleep(Duration::from_micros((random >> 32) % LATEST));
        }
        signal(supervisor, rustix::process::Signal::KILL);
        let out = front.wait();
        let ended = out.stdout.ends_with("ENOSYS\n") || out.code == Some(126);
        assert!(ended, "round {round}: {out}");
    }
    // What answers a connection that was only begun is the kernel's, and by the wrong way natively.
    let left = |router| lab.packets(router) - lab.spoofed_packets(router);
    assert_eq!([left("ra"), left("rv")], [0, 0]);
    assert!(lab.packets("rb") > ROUNDS);
    assert!(lab.peers().iter().all(|peer| peer == WAN1));
}
