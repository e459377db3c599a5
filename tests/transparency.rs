//! Whatever a program calls, however odd: as without mif, to the result, errno, what is written back
//! and the state of the socket, where there is no policy, where it says `system`, and for exempt
//! destinations under one that steers everything else. What is wrong with the arguments themselves
//! is answered as natively for every destination.

use mif_lab::{Command, Lab, Output};

/// What the probe says under `run`, and natively, line by line.
#[track_caller]
fn lines(probe: Command<'_>, run: Command<'_>, what: &str) -> Vec<(String, String)> {
    let words = |out: &Output| -> Vec<String> { out.stdout.lines().map(String::from).collect() };
    let native = probe.run();
    let theirs = words(&native);
    assert!(theirs.len() > 2000, "the probe tries a lot: {native}");
    let out = run.run();
    assert_eq!(
        (out.code, native.code),
        (Some(0), Some(0)),
        "{what}: {}",
        out.stderr
    );
    assert_eq!(out.stderr, "", "{what}");
    let ours = words(&out);
    assert_eq!(ours.len(), theirs.len(), "{what}");
    theirs.into_iter().zip(ours).collect()
}

#[track_caller]
fn assert_same(probe: Command<'_>, run: Command<'_>, what: &str) {
    let differences: Vec<String> = lines(probe, run, what)
        .into_iter()
        .filter(|(theirs, ours)| theirs != ours)
        .map(|(theirs, ours)| format!("natively {theirs}\n    here {ours}"))
        .collect();
    assert!(
        differences.is_empty(),
        "{what}:\n{}",
        differences.join("\n")
    );
}

const LOCAL: [&str; 3] = ["127.0.0.1", "::1", "::ffff:127.0.0.1"];
const FAR: [&str; 5] = [
    "203.0.113.10",
    "2001:db8:ff::10",
    "::ffff:203.0.113.10",
    "224.0.0.251",
    "255.255.255.255",
];

/// Each probe with destinations for it: some local and far ones, or all local ones.
fn probes(far: bool) -> [(&'static str, Vec<&'static str>); 3] {
    let (calls, all) = if far {
        (FAR[..2].to_vec(), vec![LOCAL[0], FAR[1]])
    } else {
        (vec![], LOCAL.to_vec())
    };
    [
        ("odd_calls", calls),
        ("odd_memory", all.clone()),
        ("odd_messages", all),
    ]
}

fn command<'lab>(lab: &'lab Lab, probe: &str, words: &[&str]) -> Command<'lab> {
    lab.command(lab.probe(probe)).args(words)
}

#[test]
fn without_a_policy() {
    let lab = Lab::new();
    for (probe, words) in probes(true) {
        let native = || command(&lab, probe, &words);
        assert_same(native(), native().preload(), probe);
    }
    let native = || command(&lab, "odd_calls", &FAR[..2]);
    let pass = native().preload().env("MIF_ON_ERROR", "pass");
    assert_same(native(), pass.env("MIF_POLICY", "/nonexistent"), "faulty");
}

#[test]
fn under_a_policy_that_says_system() {
    let lab = Lab::new();
    let text = "[[rule]]\nto = \"192.0.2.0/24\"\nuse = \"wan1\"\n";
    let policy = lab.write("rules.toml", text);
    let policy = policy.to_str().unwrap();
    for (probe, words) in probes(true) {
        let native = || command(&lab, probe, &words);
        let run = native().preload().env("MIF_INTERFACE", "system");
        assert_same(native(), run, probe);
        let run = native().mif(&["-p", policy]);
        assert_same(native(), run, "rules for other destinations");
    }
}

#[test]
fn exempt_destinations_under_a_policy_that_steers() {
    let lab = Lab::new();
    for (probe, words) in probes(false) {
        let policies = [
            ("wan1", "10.2.0.2"),
            ("none", ""),
            ("wan1", ""),
            ("nosuch", ""),
        ];
        // The others take long, and are about arguments rather than networks.
        let count = if probe == "odd_calls" { 4 } else { 2 };
        for (interface, source) in &policies[..count] {
            let native = || command(&lab, probe, &words);
            let run = native().preload().env("MIF_INTERFACE", interface);
            let what = format!("{probe} {interface} {source}");
            assert_same(native(), run.env("MIF_SOURCE", source), &what);
        }
    }
    assert_eq!(["ra", "rb", "rv"].map(|router| lab.packets(router)), [0; 3]);
}

#[test]
fn bad_arguments_for_destinations_that_are_steered() {
    let lab = Lab::new();
    let override_all = "use = \"wan1\"\ninterfaces = \"policy\"\nexplicit = \"override\"\n\
                        dns = { servers = [\"10.2.0.1\"] }\n";
    let policy = lab.write("override.toml", override_all);
    for probe in ["odd_memory", "odd_messages"] {
        let native = || command(&lab, probe, &FAR);
        let run = native().preload().env("MIF_POLICY", &policy);
        assert_same(native(), run, probe);
    }
    // None of them went where the native ones go.
    let natively = lab.packets("ra");
    assert!(natively > 0);
    for probe in ["odd_memory", "odd_messages"] {
        let run = command(&lab, probe, &FAR).preload();
        run.env("MIF_POLICY", &policy).run().ok();
    }
    assert_eq!(lab.packets("ra"), natively);
    assert!(lab.packets("rb") > 0);
}

#[test]
fn bad_arguments_for_destinations_that_are_refused() {
    let lab = Lab::new();
    for probe in ["odd_memory", "odd_messages"] {
        let native = || command(&lab, probe, &FAR);
        let run = native().preload().env("MIF_INTERFACE", "none");
        let mut equal = 0;
        for (theirs, ours) in lines(native(), run, probe) {
            // What is no socket, and what cannot be read, is the kernel's to refuse.
            let is_refused = ours.contains(": -1 ENETUNREACH, ");
            let lengths = !ours.contains(": ");
            equal += usize::from(ours == theirs);
            assert!(
                ours == theirs || is_refused || lengths,
                "natively {theirs}\n    here {ours}"
            );
            let kernels = ["EBADF", "ENOTSOCK"]
                .iter()
                .any(|errno| theirs.contains(errno));
            assert!(
                ours == theirs || !kernels,
                "natively {theirs}\n    here {ours}"
            );
        }
        assert!(equal > 1000, "{probe}");
    }
    assert_eq!(["rb", "rv"].map(|router| lab.packets(router)), [0; 2]);
}
