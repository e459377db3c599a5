//! Processes: children, threads, signal handlers, other preloads, what comes over exec, and the
//! circumstances that an interposer must not notice or be noticed by.

mod support;

use mif_lab::{Lab, Output};
use support::{compile, preload_library};

const WHO: &str = "203.0.113.10";
const WHO6: &str = "2001:db8:ff::10";
/// Nobody has this address, and nobody says so.
const SILENT: &str = "203.0.113.99";
const WAN1: &str = "10.2.0.2";
const WAN1_6: &str = "2001:db8:2::2";

/// A probe by wan1 under `mif-run`.
#[track_caller]
fn by_wan1(lab: &Lab, probe: &str, words: &[&str]) -> Output {
    let probe = lab.command(lab.probe(probe)).args(words);
    probe.mif(&["-i", "wan1"]).run()
}

fn lines(out: &Output) -> Vec<&str> {
    out.ok().lines().collect()
}

#[test]
fn children_go_the_same_way() {
    let lab = Lab::new();
    for (mode, times) in [("fork", 1), ("exec", 1), ("spawn", 1), ("vfork", 2)] {
        for (to, peer) in [(WHO, WAN1), (WHO6, WAN1_6)] {
            let out = by_wan1(&lab, "children", &[mode, to, "7001"]);
            assert_eq!(lines(&out), vec![peer; times], "{mode}");
        }
        let probe = lab.command(lab.probe("children")).args([mode, WHO, "7001"]);
        let out = probe.preload().env("MIF_INTERFACE", "vpn0").run();
        assert_eq!(lines(&out), vec!["10.3.0.2"; times], "{mode}");
    }
    assert_eq!(lab.packets("ra"), 0);
}

#[test]
fn a_shell_and_what_it_starts() {
    let lab = Lab::new();
    let script = "curl -sS http://203.0.113.10/ | cat; (wget -qO- http://203.0.113.10/) & wait";
    assert_eq!(
        lab.mif(&["-i", "wan1"], &["sh", "-c", script]).ok(),
        format!("{WAN1}\n{WAN1}")
    );
    let script = "import os, subprocess, sys
pid = os.fork()
if pid == 0:
    os.execvp('curl', ['curl', '-sS', sys.argv[1]])
os.waitpid(pid, 0)
subprocess.run(['curl', '-sS', sys.argv[1]], check=True)";
    let out = lab.mif(
        &["-i", "wan1"],
        &["python3", "-c", script, "http://203.0.113.10/"],
    );
    assert_eq!(out.ok(), format!("{WAN1}\n{WAN1}"));
    assert_eq!(lab.packets("ra"), 0);
}

#[test]
fn threads_that_begin_at_once() {
    let lab = Lab::new();
    let out = by_wan1(&lab, "threads", &[WHO, "7001", WHO6, "7001"]);
    let mut said = lines(&out);
    said.sort_unstable();
    assert_eq!(said, [format!("{WAN1} 40"), format!("{WAN1_6} 40")]);
    assert_eq!(lab.arrivals().len(), 80);
    assert_eq!(lab.packets("ra"), 0);
}

#[test]
fn another_preload_is_kept_in_either_order() {
    let lab = Lab::new();
    let counting = preload_library(&lab, "counting_preload");
    let probe = || {
        lab.command(lab.probe("connect"))
            .args([WHO, "7001", WHO6, "7001"])
    };
    // Each process reports, mif-run's shell and tool included; the program is the last one.
    let out = probe()
        .env("LD_PRELOAD", &counting)
        .mif(&["-i", "wan1"])
        .run();
    assert!(
        out.ok()
            .ends_with(&format!("{WAN1}\n{WAN1_6}\nconnects: 2")),
        "{out}"
    );

    let mif = lab.library();
    let mif = mif.to_str().unwrap();
    for both in [
        format!("{mif}:{counting}"),
        format!("{counting}:{mif}"),
        format!("{counting} {mif}"),
    ] {
        let out = probe()
            .env("LD_PRELOAD", &both)
            .env("MIF_INTERFACE", "wan1")
            .run();
        assert_eq!(lines(&out), [WAN1, WAN1_6, "connects: 2"], "{both}");
    }
    assert_eq!(lab.packets("ra"), 0);
}

#[test]
fn a_constructor_that_runs_before_ours() {
    let lab = Lab::new();
    let early = preload_library(&lab, "early_preload");
    let mif = lab.library();
    let run = |link: &str, to: &str| {
        let program = lab
            .command("true")
            .env("LD_PRELOAD", format!("{}:{early}", mif.display()));
        program
            .env("MIF_INTERFACE", link)
            .env("EARLY", format!("{to} 7001"))
            .run()
    };
    assert_eq!(run("wan1", WHO).ok(), format!("early: {WAN1}"));
    assert_eq!(run("wan1", WHO6).ok(), format!("early: {WAN1_6}"));
    assert_eq!(run("vpn0", WHO6).ok(), "early: ENETUNREACH");
    assert_eq!(run("nosuch", WHO).ok(), "early: ENETUNREACH");
    assert_eq!(lab.packets("ra"), 0);
}

#[test]
fn a_socket_that_came_over_exec() {
    let lab = Lab::new();
    let library = lab.library();
    let library = library.to_str().unwrap();
    let policy = |explicit: &str| {
        lab.write(
            &format!("{explicit}.toml"),
            &format!("use = \"wan1\"\nexplicit = \"{explicit}\"\n"),
        )
    };
    let run_as = |least: &str, explicit: &str, source: &str, to: &str| {
        let words = [library, source, to, "7001", least];
        let probe = lab.command(lab.probe("inherited")).args(words);
        probe.env("MIF_POLICY", policy(explicit)).run()
    };
    let run = |explicit: &str, source: &str, to: &str| run_as("3", explicit, source, to);
    // What the socket was given inside the network is kept.
    for (source, to, peer) in [
        (WAN1, WHO, WAN1),
        (WAN1_6, WHO6, WAN1_6),
        ("wan1", WHO, WAN1),
        ("0.0.0.0", WHO, WAN1),
        ("::", WHO6, WAN1_6),
    ] {
        assert_eq!(lines(&run("refuse", source, to)), ["0", peer], "{source}");
    }
    for (source, to) in [
        ("10.1.0.2", WHO),
        ("2001:db8:1::2", WHO6),
        ("wan0", WHO),
        ("wan0", WHO6),
    ] {
        assert_eq!(
            lines(&run("refuse", source, to)),
            ["ENETUNREACH"],
            "{source}"
        );
    }
    assert_eq!(lab.packets("ra"), 0);
    for (source, to, peer) in [
        ("10.1.0.2", WHO, "10.1.0.2"),
        ("wan0", WHO6, "2001:db8:1::2"),
    ] {
        assert_eq!(lines(&run("respect", source, to)), ["0", peer], "{source}");
    }
    // Whatever its number is, up to where descriptors are looked at.
    for least in ["63", "64", "191", "255"] {
        let said = run_as(least, "respect", "10.1.0.2", WHO);
        assert_eq!(lines(&said), ["0", "10.1.0.2"], "{least}");
    }
}

#[test]
fn a_thread_cancelled_in_a_blocked_call() {
    let lab = Lab::new();
    for call in ["connect", "sendto", "sendmsg"] {
        let words = [call, SILENT, "7001"];
        let probe = || lab.command(lab.probe("cancel")).args(words);
        assert_eq!(lines(&probe().run()), ["cleaned up", "cancelled"], "{call}");
        // With a server, so that `mif-run` has nothing to warn of.
        let out = probe().mif(&["-i", "wan1", "-d", "10.2.0.1"]).run();
        assert_eq!(lines(&out), ["cleaned up", "cancelled"], "{call}");
        assert_eq!(out.stderr, "");
        let out = probe().preload().run();
        assert_eq!(lines(&out), ["cleaned up", "cancelled"], "{call}");
    }
}

#[test]
fn threads_cancelled_before_the_call_end_and_the_program_goes_on() {
    let lab = Lab::new();
    let calls = [
        "connect",
        "sendto",
        "sendmsg",
        "sendmmsg",
        "open",
        "fopen",
        "getaddrinfo",
        "gethostbyname",
        "gethostbyaddr",
        "getnameinfo",
        "res_query",
        "if_inet6",
        "getifaddrs",
        "system",
        "popen",
        "execvp",
    ];
    let shown = lab.write(
        "shown.toml",
        "use = \"wan1\"\ninterfaces = \"policy\"\ndns = { servers = \"10.2.0.1\" }\n",
    );
    let by_file = ["-p", shown.to_str().unwrap()];
    for call in calls {
        let words = [call, "split.test", "198.51.100.7"];
        let probe = || lab.command(lab.probe("cancelled")).args(words);
        assert_eq!(probe().run().ok(), "cleaned up", "{call}");
        assert_eq!(probe().preload().run().ok(), "cleaned up", "{call}");
        for options in [
            &["-v", "-i", "wan1", "-d", "10.2.0.1"][..],
            &["-i", "wan1"],
            &by_file,
        ] {
            let logged = probe().env("MIF_LOG_FILE", lab.home().join("log"));
            let out = logged.mif(options).run();
            assert_eq!(out.ok(), "cleaned up", "{call}");
        }
    }
}

#[test]
fn exceptions_of_the_program_are_its_own() {
    let lab = Lab::new();
    let program = compile(&lab, "g++", &[], "exceptions.cc", "exceptions");
    let run = || lab.command(&program).args([WHO6, "7001", SILENT]);
    let out = run().mif(&["-i", "vpn0"]).run();
    assert_eq!(
        lines(&out),
        ["guarded", "ENETUNREACH", "unwound", "cancelled"]
    );
    assert_eq!([lab.packets("ra"), lab.packets("rb")], [0, 0]);
}

#[test]
fn a_signal_handler_connects() {
    let lab = Lab::new();
    let out = by_wan1(&lab, "in_signal_handler", &[WHO, "7001"]);
    assert_eq!(lines(&out), [WAN1; 20]);
    assert_eq!(lab.packets("ra"), 0);
}

#[test]
fn log_lines_do_not_go_to_a_socket_numbered_two() {
    let lab = Lab::new();
    let greeting = format!("{WAN1}\n{WAN1} {WHO}");
    let probe = || lab.command(lab.probe("stderr_reused")).args([WHO, "7001"]);
    let out = probe().mif(&["-v", "-i", "wan1"]).run();
    assert_eq!(out.ok(), greeting);
    // Closed from the beginning on.
    let probe = lab.probe("stderr_reused");
    let shell = [
        "-c",
        "exec \"$0\" \"$@\" 2>&-",
        probe.to_str().unwrap(),
        WHO,
        "7001",
    ];
    let out = lab
        .command("sh")
        .args(shell)
        .mif(&["-v", "-i", "wan1"])
        .run();
    assert_eq!(out.ok(), greeting);
    // With a stderr the lines are there.
    let probe = lab.command(lab.probe("connect")).args([WHO, "7001"]);
    let out = probe.mif(&["-v", "-i", "wan1"]).run();
    let line = out
        .stderr
        .lines()
        .find(|line| line.contains("connect 203.0.113.10:7001"));
    assert!(line.is_some_and(|line| line.contains("wan1")), "{out}");
}

#[test]
fn without_a_descriptor_to_ask_the_kernel_nothing_leaves() {
    let lab = Lab::new();
    for to in [WHO, WHO6] {
        let out = by_wan1(&lab, "few_files", &[to, "7001"]);
        assert_eq!(out.ok(), "ENETUNREACH");
    }
    assert_eq!(["ra", "rb", "rv"].map(|router| lab.packets(router)), [0; 3]);
    let native = lab
        .command(lab.probe("few_files"))
        .args([WHO, "7001"])
        .run();
    assert_eq!(native.ok(), "0");
}

#[test]
fn a_thousand_connects_leave_no_descriptor() {
    let lab = Lab::new();
    for to in [WHO, WHO6] {
        let out = by_wan1(&lab, "descriptors", &[to, "9"]);
        let said = lines(&out);
        assert_eq!(said[0], "1000 refused");
        assert_eq!(said[1].replace("before", "after"), said[2]);
    }
    assert!(lab.packets("rb") >= 2000);
    assert_eq!(lab.packets("ra"), 0);
}
