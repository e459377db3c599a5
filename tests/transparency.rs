//! Whatever a program calls, however odd: as without mif, to the result, errno and the state of
//! the socket, where there is no policy, where it says `system`, and for exempt destinations under
//! one that steers everything else.

use mif_lab::{Command, Lab};

fn probe<'lab>(lab: &'lab Lab, far: &[&str]) -> Command<'lab> {
    lab.command(lab.probe("odd_calls")).args(far)
}

#[track_caller]
fn assert_same(lab: &Lab, far: &[&str], what: &str, run: Command<'_>) {
    let native = probe(lab, far).run();
    assert!(
        native.ok().lines().count() > 2000,
        "the probe tries a lot: {native}"
    );
    let out = run.run();
    assert_eq!(out.code, Some(0), "{what}: {}", out.stderr);
    let differences: Vec<String> = native
        .stdout
        .lines()
        .zip(out.stdout.lines())
        .filter(|(theirs, ours)| theirs != ours)
        .map(|(theirs, ours)| format!("natively {theirs}\n    here {ours}"))
        .collect();
    assert!(
        differences.is_empty(),
        "{what}:\n{}",
        differences.join("\n")
    );
    assert_eq!(native.stdout.len(), out.stdout.len(), "{what}");
    assert_eq!(out.stderr, "", "{what}");
}

const FAR: [&str; 2] = ["203.0.113.10", "2001:db8:ff::10"];

#[test]
fn without_a_policy() {
    let lab = Lab::new();
    assert_same(&lab, &FAR, "bare preload", probe(&lab, &FAR).preload());
    let pass = probe(&lab, &FAR).preload().env("MIF_ON_ERROR", "pass");
    assert_same(&lab, &FAR, "faulty", pass.env("MIF_POLICY", "/nonexistent"));
}

#[test]
fn under_a_policy_that_says_system() {
    let lab = Lab::new();
    let run = probe(&lab, &FAR).preload().env("MIF_INTERFACE", "system");
    assert_same(&lab, &FAR, "system", run);
    let policy = lab.write(
        "rules.toml",
        "[[rule]]\nto = \"192.0.2.0/24\"\nuse = \"wan1\"\n",
    );
    let run = probe(&lab, &FAR).mif(&["-p", policy.to_str().unwrap()]);
    assert_same(&lab, &FAR, "rules for other destinations", run);
}

#[test]
fn exempt_destinations_under_a_policy_that_steers() {
    let lab = Lab::new();
    for (interface, source) in [
        ("wan1", ""),
        ("wan1", "10.2.0.2"),
        ("nosuch", ""),
        ("none", ""),
    ] {
        let run = probe(&lab, &[]).preload().env("MIF_INTERFACE", interface);
        let what = format!("{interface} {source}");
        assert_same(&lab, &[], &what, run.env("MIF_SOURCE", source));
    }
    assert_eq!(["ra", "rb", "rv"].map(|router| lab.packets(router)), [0; 3]);
}
