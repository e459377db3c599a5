//! What a call may cost: no allocation, no descriptor, no thread, and as many system calls as
//! promised; and what the library exports and loads.

use std::os::unix::fs::PermissionsExt;

use mif_lab::Lab;

const BY_WAN1: [(&str, &str); 2] = [("MIF_INTERFACE", "wan1"), ("MIF_DNS", "10.2.0.1")];

#[test]
fn calls_allocate_nothing_and_leave_nothing_open() {
    let lab = Lab::new();
    let probe = lab.probe("budget");
    for (call, failed) in [
        ("stream", 0),
        ("refused", 1000),
        ("path", 1000),
        ("peer", 0),
        ("peer6", 0),
        ("server", 0),
        ("listen", 0),
        ("sendto", 0),
        ("sendto6", 0),
        ("sendmsg", 0),
        ("sendmmsg", 0),
        ("execve", 1000),
        ("execve bare", 1000),
        ("execve static", 1000),
    ] {
        let command = lab.command(&probe).args([call, "1000"]).preload();
        let command = command.env("MIF_REACH", "preload");
        let out = command.env("MIF_INTERFACE", "wan1").run();
        let expected = format!("0 allocations, +0 descriptors, +0 threads, {failed} failed");
        assert_eq!(out.ok(), expected, "{call}");
    }
    // It was under the policy that nothing was allocated. IPv6 streams would leave the kernel's
    // last words elsewhere, but there is none.
    assert!(lab.packets("rb") > 5000);
    assert_eq!(lab.packets("ra"), lab.spoofed_packets("ra"));
}

/// The tool is no program here, so that each call fails, and its caller goes on.
#[test]
fn having_a_program_supervised_allocates_nothing() {
    let lab = Lab::new();
    let tool = lab.dir().join("bin/mif");
    std::fs::remove_file(&tool).unwrap();
    let tool = lab.write("bin/mif", "no program");
    std::fs::set_permissions(&tool, PermissionsExt::from_mode(0o755)).unwrap();
    let command = lab.command(lab.probe("budget"));
    let command = command.args(["execve static", "1000"]).preload();
    let out = command.env("MIF_INTERFACE", "wan1").run();
    let expected = "0 allocations, +0 descriptors, +0 threads, 1000 failed";
    assert_eq!((out.ok(), &*out.stderr), (expected, ""));
}

#[test]
fn names_of_programs_with_a_resolver_of_their_own_allocate_nothing() {
    let lab = Lab::new();
    let probe = lab.probe("budget");
    for (call, failed) in [("resolv.conf", 0), ("hosts", 0), ("question", 1000)] {
        let mut command = lab.command(&probe).args([call, "1000"]).preload();
        for (name, value) in BY_WAN1 {
            command = command.env(name, value);
        }
        let expected = format!("0 allocations, +0 descriptors, +0 threads, {failed} failed");
        assert_eq!(command.run().ok(), expected, "{call}");
    }
}

/// System calls of `count` times `call`, all in all.
fn system_calls(lab: &Lab, environment: &[(&str, &str)], call: &str, count: &str) -> i64 {
    let probe = lab.probe("budget");
    let mut strace = lab.command("strace").args(["-f", "-c", "-o", "calls"]);
    for (name, value) in environment {
        strace = strace.arg("-E").arg(format!("{name}={value}"));
    }
    let out = strace.arg(probe).args([call, count]).run();
    out.ok();
    let table = std::fs::read_to_string(lab.home().join("calls")).unwrap();
    let total = table.lines().find(|line| line.ends_with(" total"));
    let total = total.unwrap_or_else(|| panic!("strace wrote {table}"));
    total.split_whitespace().nth(3).unwrap().parse().unwrap()
}

/// How many system calls `call` costs, without what the process costs.
fn of_128(lab: &Lab, environment: &[(&str, &str)], call: &str) -> i64 {
    system_calls(lab, environment, call, "256") - system_calls(lab, environment, call, "128")
}

/// What the kernel is asked again each second; a slow machine may need several for 128 calls.
const REFRESH: i64 = 100;

#[track_caller]
fn costs(lab: &Lab, environment: &[(&str, &str)], call: &str, extra: i64) {
    let library = lab.library();
    let library = library.to_str().unwrap();
    let ours = [environment, &[("LD_PRELOAD", library)]].concat();
    let more = of_128(lab, &ours, call) - of_128(lab, &[], call);
    let rest = more - 128 * extra;
    assert!(
        (-REFRESH..=REFRESH).contains(&rest),
        "128 times {call} cost {more} more system calls, not {}",
        128 * extra
    );
}

#[test]
fn without_a_policy_there_are_no_more_system_calls() {
    let lab = Lab::new();
    for call in [
        "stream", "refused", "path", "peer", "server", "listen", "sendto", "sendmmsg", "hosts",
        "list", "execve",
    ] {
        costs(&lab, &[], call, 0);
    }
}

#[test]
fn what_the_policy_does_not_touch_costs_no_system_call() {
    let lab = Lab::new();
    for call in ["refused", "path", "hosts", "list"] {
        costs(&lab, &BY_WAN1, call, 0);
    }
}

#[test]
fn the_policy_costs_what_was_promised() {
    let lab = Lab::new();
    // The type of the socket, and its device.
    costs(&lab, &BY_WAN1, "stream", 2);
    for call in ["sendto", "sendmsg", "sendmmsg"] {
        costs(&lab, &BY_WAN1, call, 0);
    }
    // One option of IPv6 sockets, for the policies that want it.
    let text = "use = \"wan1\"\naddrsel = { prefer-source = \"public\" }\n";
    let policy = lab.write("public.toml", text);
    let policy = [("MIF_POLICY", policy.to_str().unwrap())];
    for (call, before) in [("stream", 2), ("sendto", 0)] {
        costs(&lab, &policy, call, before);
    }
    for (call, before) in [("peer6", 6), ("sendto6", 0)] {
        costs(&lab, &BY_WAN1, call, before);
        costs(&lab, &policy, call, before + 1);
    }
    // An anonymous file is made, written to as far as the process may, and sealed, in place of one
    // that is opened.
    costs(&lab, &BY_WAN1, "resolv.conf", 3);
    // It is looked at once more, and refused in place of being sent.
    costs(&lab, &BY_WAN1, "question", 0);
    // It is looked whether the file is there to be judged.
    costs(&lab, &BY_WAN1, "execve", 1);
    costs(&lab, &BY_WAN1, "execve bare", 1);
}

#[test]
fn the_library_exports_what_is_written_down() {
    let lab = Lab::new();
    let library = lab.library();
    let library = library.to_str().unwrap();
    let out = lab.run(&["nm", "-D", "--defined-only", library]);
    let names: Vec<_> = out
        .ok()
        .lines()
        .filter_map(|line| line.split_whitespace().last())
        .collect();
    let written: Vec<_> = include_str!("symbols.txt").lines().collect();
    assert_eq!(names, written);
}

#[test]
fn the_library_needs_libc_alone() {
    let lab = Lab::new();
    let library = lab.library();
    let out = lab.run(&["readelf", "--dynamic", library.to_str().unwrap()]);
    let needed: Vec<_> = out
        .ok()
        .lines()
        .filter(|line| line.contains("(NEEDED)"))
        .collect();
    assert!(!needed.is_empty(), "{out}");
    for line in needed {
        let is_libc = line.contains("[libc.so.6]") || line.contains("[ld-linux");
        assert!(is_libc, "{line}");
    }
}
