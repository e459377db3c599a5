//! Lists that rules name (`to = "@FILE"`): what is in them goes by the rule, and nothing leaves where
//! one of them cannot be used.

mod support;

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use mif_lab::{Build, Lab, Output};
use support::{WAN1, WAN1_6, WHO, WHO6, nothing_leaves};

const POLICY: &str = "use = \"none\"\n[[rule]]\nto = [\"192.0.2.1\", \"@lists/far.txt\"]\nuse = \"work\"\n\
     [pvd.work]\ninterface = \"wan1\"\ndns = { servers = \"10.2.0.1\" }\n";
const LIST: &str =
    "# The far side.\n203.0.113.0/28\n2001:db8:ff::/64   # and IPv6\nwho.test\n*.corp.test\n";

/// A policy with a list in a folder beside it.
fn written(lab: &Lab, list: &str) -> PathBuf {
    lab.write("config/mif/apps/lists/far.txt", list);
    lab.app_policy("listed", POLICY)
}

fn connect(lab: &Lab, options: &[&str], build: Build, words: &[&str]) -> Output {
    let program = lab.probe_as("connect", build);
    lab.mif(options, &[&[program.to_str().unwrap()], words].concat())
}

#[test]
fn flows_to_what_a_list_names_go_by_its_rule() {
    let lab = Lab::new();
    written(&lab, LIST);
    let words = [WHO, "7001", WHO6, "7001", "203.0.113.21", "7001"];
    let expected = [WAN1, WAN1_6, "ENETUNREACH"].join("\n");
    for (reach, build) in [
        ("--reach=preload", Build::Dynamic),
        ("--reach=supervise", Build::Static),
    ] {
        let out = connect(&lab, &["-a", "listed", reach], build, &words);
        assert_eq!(out.ok(), expected, "{reach}");
    }
    // Programs that the application starts read the list anew.
    let script = format!("curl -sS http://{WHO}/; cd /; curl -sS 'http://[{WHO6}]/'; true");
    let out = lab.mif(&["-a", "listed"], &["sh", "-c", &script]);
    assert_eq!(out.ok(), [WAN1, WAN1_6].join("\n"));
    assert_eq!(lab.packets("ra"), 0);
}

#[test]
fn names_of_a_list_are_asked_of_its_network() {
    let lab = Lab::new();
    written(&lab, LIST);
    let get = |name: &str| {
        let curl = ["curl", "-sS", "-4", &format!("http://{name}/")];
        lab.mif(&["-a", "listed"], &curl)
    };
    assert_eq!(get("who.test").ok(), WAN1);
    assert_eq!(get("HOST.corp.test").ok(), WAN1);
    assert_eq!(get("only-b.test").code, Some(6));
    assert_eq!(lab.dns_packets("ra"), 0);
}

#[test]
fn the_tool_knows_what_is_in_a_list() {
    let lab = Lab::new();
    let policy = written(&lab, LIST);
    let out = lab.mif(
        &["-a", "listed", "--explain", "203.0.113.10:443"],
        &["curl"],
    );
    assert!(out.ok().contains("listed.toml:2"), "{out}");
    assert!(out.ok().contains("work"), "{out}");
    let out = lab.mif(&["--check", "-a", "listed"], &["true"]);
    assert!(out.ok().contains("listed.toml: ok"), "{out}");
    lab.write("config/mif/apps/lists/far.txt", "10.0.0.0/8\n10.0.0.1/8\n");
    let mif = lab.dir().join("bin/mif");
    let out = lab.run(&[
        mif.to_str().unwrap(),
        "check",
        "--json",
        policy.to_str().unwrap(),
    ]);
    assert_eq!(out.code, Some(78), "{out}");
    for piece in [
        "lists/far.txt\"",
        "\"line\": 2",
        "has bits set behind its length",
    ] {
        assert!(out.stdout.contains(piece), "{piece:?} is missing: {out}");
    }
}

/// Nothing is started, and under a bare preload nothing leaves; all say why.
#[track_caller]
fn is_refused(lab: &Lab, policy: &Path, why: &str) {
    let named = policy.to_str().unwrap();
    nothing_leaves(lab, || {
        for reach in ["--reach=preload", "--reach=supervise"] {
            let out = connect(lab, &["-p", named, reach], Build::Dynamic, &[WHO, "7001"]);
            assert_eq!(out.code, Some(78), "{out}");
            assert!(out.stderr.contains(why), "{why:?} is missing: {out}");
        }
        let probe = lab.command(lab.probe("connect")).args([WHO, "7001"]);
        let out = probe.preload().env("MIF_POLICY", named).run();
        assert_eq!(out.stdout.trim(), "ENETUNREACH", "{out}");
        assert!(out.stderr.contains(why), "{why:?} is missing: {out}");
    });
}

#[test]
fn a_list_that_cannot_be_used_is_a_fault_of_the_policy() {
    let lab = Lab::new();
    let policy = lab.app_policy("listed", POLICY);
    is_refused(
        &lab,
        &policy,
        "listed.toml:3:20: the list `lists/far.txt` cannot be read: No such file or directory",
    );
    let list = lab.write(
        "config/mif/apps/lists/far.txt",
        "203.0.113.0/28\n203.0.113.300\n",
    );
    is_refused(
        &lab,
        &policy,
        "lists/far.txt:2:1: `203.0.113.300` is not a domain name",
    );
    lab.write("config/mif/apps/lists/far.txt", "# none\n\n");
    is_refused(&lab, &policy, "lists/far.txt:1:1: the list is empty");

    // Whoever writes the list writes the policy.
    lab.write("config/mif/apps/lists/far.txt", LIST);
    let set_mode = |path: &Path, mode| {
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    };
    set_mode(&list, 0o646);
    let mend = format!("mend it: chmod go-w '{}'", list.display());
    is_refused(&lab, &policy, &mend);
    set_mode(&list, 0o644);
    let folder = list.parent().unwrap();
    set_mode(folder, 0o777);
    is_refused(
        &lab,
        &policy,
        "cannot be used: in its folder, others may write to it (owner uid",
    );
    set_mode(folder, 0o755);
    let out = connect(&lab, &["-a", "listed"], Build::Dynamic, &[WHO, "7001"]);
    assert_eq!(out.ok(), WAN1);
}
