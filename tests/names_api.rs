//! What the functions for names hand to a C program under a policy with servers: nodes, codes and
//! memory as libc's. Which server is asked is in `names.rs`.

use mif_lab::{Lab, Output};

const BY_WAN1: [&str; 4] = ["-i", "wan1", "-d", "10.2.0.1"];

/// Runs the probe under the policy; the host's own server must not be asked.
#[track_caller]
fn probe(lab: &Lab, words: &[&str]) -> Output {
    let program = lab.probe("names");
    let before = lab.dns_packets("ra");
    let out = lab.mif(&BY_WAN1, &[&[program.to_str().unwrap()], words].concat());
    assert_eq!(lab.dns_packets("ra"), before, "{out}");
    out
}

fn natively(lab: &Lab, words: &[&str]) -> Output {
    let program = lab.probe("names");
    lab.run(&[&[program.to_str().unwrap()], words].concat())
}

#[track_caller]
fn says(out: &Output, expected: &[&str]) {
    assert_eq!(out.ok().lines().collect::<Vec<_>>(), expected, "{out}");
}

#[test]
fn every_list_can_be_freed() {
    let lab = Lab::new();
    let program = lab.probe("names");
    let words = [
        "free",
        "who.test",
        "alias.test",
        "big.test",
        "hosts.test",
        "v4.test",
    ];
    let valgrind = [
        "valgrind",
        "--quiet",
        "--leak-check=full",
        "--errors-for-leak-kinds=definite",
    ];
    let command = lab.command(valgrind[0]).args(&valgrind[1..]);
    let command = command.args(["--error-exitcode=99"]).arg(&program);
    let out = command.args(words).preload();
    let out = out
        .env("MIF_INTERFACE", "wan1")
        .env("MIF_DNS", "10.2.0.1")
        .run();
    says(
        &out,
        &[
            "6 2 2 who.test",
            "6 2 2 who.test",
            "120 40 40 big.test",
            "3 1 1 hosts.test",
            "3 1 1 v4.test",
        ],
    );
    assert_eq!(out.stderr, "", "valgrind has something to say");
    assert!(lab.dns_packets("rb") > 0 && lab.dns_packets("ra") == 0);
}

#[test]
fn buffers_of_every_size_are_respected() {
    let lab = Lab::new();
    let program = lab.probe("names");
    let words = ["ranges", "who.test", "alias.test"];
    let expected = [
        "0 after some tries: who.test 4 203.0.113.10",
        "0 after some tries: who.test 16 2001:db8:ff::10",
    ];
    says(&probe(&lab, &words[..2]), &expected);

    let command = lab
        .command("valgrind")
        .args(["--quiet", "--error-exitcode=99"]);
    let command = command
        .arg(&program)
        .args(["host", "who.test", "big.test"])
        .preload();
    let out = command
        .env("MIF_INTERFACE", "wan1")
        .env("MIF_DNS", "10.2.0.1")
        .run();
    assert!(out.ok().starts_with("who.test 4 203.0.113.10\n"), "{out}");
    assert_eq!(out.stderr, "");

    says(
        &probe(&lab, &["ranges", "nothing.test", "v4.test"]),
        &[
            "0 after wrong tries: no result, 1",
            "0 after wrong tries: no result, 1",
            "0 after some tries: v4.test 4 203.0.113.10",
            "0 after wrong tries: no result, 4",
        ],
    );
}

#[test]
fn the_static_forms_tell_name_and_addresses() {
    let lab = Lab::new();
    says(
        &probe(
            &lab,
            &["host", "who.test", "hosts.test", "nothing.test", "v6.test"],
        ),
        &[
            "who.test 4 203.0.113.10",
            "who.test 16 2001:db8:ff::10",
            "hosts.test 4 203.0.113.10",
            "h_errno 1",
            "h_errno 1",
            "h_errno 1",
            "h_errno 4",
            "v6.test 16 2001:db8:ff::10",
        ],
    );
}

#[test]
fn nothing_stays_open() {
    let lab = Lab::new();
    for words in [
        ["again", "who.test"],
        ["again", "huge.test"],
        ["again", "nothing.test"],
    ] {
        says(&probe(&lab, &words), &["+0 descriptors, +0 threads"]);
    }
}

#[test]
fn a_failure_leaves_the_result_alone() {
    let lab = Lab::new();
    says(
        &probe(&lab, &["kept", "nothing.test", "only-a.test", "v4.test"]),
        &["EAI_NONAME kept", "EAI_NONAME kept", "0 changed"],
    );
    let program = lab.probe("names");
    let program = program.to_str().unwrap();
    lab.link_down("wan1");
    says(&probe(&lab, &["kept", "who.test"]), &["EAI_AGAIN kept"]);
    let none = lab.mif(
        &["-i", "none", "-d", "10.2.0.1"],
        &[program, "kept", "who.test"],
    );
    says(&none, &["EAI_FAIL kept"]);
}

#[test]
fn hints_and_services_are_judged_as_natively() {
    let lab = Lab::new();
    // hosts.test is in the hosts file for both; who.test is the same at each provider.
    for name in ["who.test", "hosts.test", "203.0.113.10"] {
        for mode in ["hints", "service"] {
            let (ours, native) = (probe(&lab, &[mode, name]), natively(&lab, &[mode, name]));
            let sorted = |out: &Output| {
                let line = |line: &str| {
                    let mut words: Vec<_> = line.split(' ').map(str::to_owned).collect();
                    // The order of families is the network's.
                    words.sort();
                    words
                };
                out.ok().lines().map(line).collect::<Vec<_>>()
            };
            assert_eq!(sorted(&ours), sorted(&native), "{mode} {name}");
        }
    }
}
