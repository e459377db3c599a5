//! What somebody else on the host cannot do through mif: write policies for others, steer programs
//! that have gained privileges, or have a log written where he likes. docs/security.md says why.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use mif_lab::{Command, Lab, Output};

const WHO: &str = "http://203.0.113.10/";
const CURL: [&str; 3] = ["curl", "-sS", WHO];
/// An account that no test runs as.
const OTHER: u32 = 12_345;

#[track_caller]
fn nothing_left(lab: &Lab) {
    let packets = ["ra", "rb", "rv"].map(|router| lab.packets(router));
    assert_eq!(packets, [0, 0, 0]);
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

/// curl under a bare preload with more variables.
fn preload(lab: &Lab, variables: &[(&str, &str)]) -> Output {
    let curl = lab.command(CURL[0]).args(&CURL[1..]).preload();
    with(curl, variables).run()
}

fn with<'l>(command: Command<'l>, variables: &[(&str, &str)]) -> Command<'l> {
    variables
        .iter()
        .fold(command, |command, (name, value)| command.env(name, value))
}

/// The policy is a fault in every way to come to it, and nothing leaves.
#[track_caller]
fn is_refused(lab: &Lab, policy: &Path, why: &str) {
    let named = policy.to_str().unwrap();
    for out in [
        lab.mif(&["-p", named], &CURL),
        lab.mif(&["--check", "-p", named], &CURL),
        lab.run(&[lab.dir().join("bin/mif").to_str().unwrap(), "check", named]),
    ] {
        assert_eq!(out.code, Some(78), "{out}");
        assert!(out.stderr.contains(why), "{why:?} is missing: {out}");
    }
    let out = preload(lab, &[("MIF_POLICY", named)]);
    assert_eq!(out.code, Some(7), "{out}");
    assert!(out.stderr.contains(why), "{why:?} is missing: {out}");
}

#[test]
fn a_policy_that_others_may_write_is_not_obeyed() {
    let lab = Lab::new();
    let policy = lab.write("policies/own.toml", "use = \"wan1\"\n");
    for mode in [0o664, 0o646] {
        set_mode(&policy, mode);
        let mend = format!(
            "mode {mode:04o}); mend it: chmod go-w '{}'",
            policy.display()
        );
        is_refused(&lab, &policy, &mend);
    }
    set_mode(&policy, 0o644);
    let folder = policy.parent().unwrap();
    set_mode(folder, 0o777);
    let mend = format!("mode 0777); mend it: chmod go-w '{}'", folder.display());
    is_refused(&lab, &policy, &mend);
    set_mode(folder, 0o755);

    // The files of the folders are looked at in the same way.
    for file in [lab.pvds(""), lab.app_policy("curl", "use = \"wan1\"\n")] {
        set_mode(&file, 0o666);
        let out = lab.mif(&[], &CURL);
        assert_eq!(out.code, Some(78), "{out}");
        assert!(out.stderr.contains("mode 0666"), "{out}");
        assert_eq!(preload(&lab, &[]).code, Some(7));
        set_mode(&file, 0o644);
    }
    nothing_left(&lab);
    set_mode(&policy, 0o666);
    let named = policy.to_str().unwrap();
    let out = preload(&lab, &[("MIF_POLICY", named), ("MIF_ON_ERROR", "pass")]);
    assert_eq!(out.ok(), "10.1.0.2");
    set_mode(&policy, 0o644);
    assert_eq!(lab.mif(&["-p", named], &CURL).ok(), "10.2.0.2");
}

#[test]
fn a_policy_of_another_account_is_not_obeyed() {
    let lab = Lab::new();
    let policy = lab.write("other.toml", "use = \"wan1\"\n");
    if rustix::process::geteuid().is_root() {
        std::os::unix::fs::chown(&policy, Some(OTHER), None).unwrap();
        is_refused(
            &lab,
            &policy,
            "its owner (uid 12345) is neither root nor the user",
        );
    } else {
        // In the lab's user namespace every file of root's is another's.
        let why = "is neither root nor the user";
        is_refused(&lab, Path::new("/etc/passwd"), why);
    }
    nothing_left(&lab);
}

#[test]
fn a_policy_that_only_one_process_could_read_is_not_obeyed() {
    let lab = Lab::new();
    let mif_run = lab.mif_run();
    let script = format!(
        "{} -p <(echo 'use = \"wan1\"') curl -sS {WHO}; echo $?",
        mif_run.display()
    );
    let out = lab.run(&["bash", "-c", &script]);
    assert_eq!(out.ok(), "78");
    assert!(out.stderr.contains("it is not a regular file"), "{out}");
    nothing_left(&lab);
}

/// Gives the host of the lab an `/etc` of its own, to write what belongs to root.
fn own_etc(lab: &Lab) {
    let etc = lab.dir().join("own-etc");
    let etc = etc.to_str().unwrap();
    lab.as_root_in("host", &["cp", "-a", "/etc", etc]);
    lab.as_root_in("host", &["mount", "--bind", etc, "/etc"]);
    lab.as_root_in("host", &["mkdir", "-p", "/etc/mif/apps"]);
}

fn write_as_root(lab: &Lab, path: &str, text: &str) {
    let script = format!("printf %s '{text}' >{path} && chmod 644 {path}");
    lab.as_root_in("host", &["sh", "-c", &script]);
}

#[test]
fn the_hosts_policies_count_where_root_has_no_number() {
    let lab = Lab::new();
    own_etc(&lab);
    write_as_root(&lab, "/etc/mif/apps/curl.toml", "use = \"wan1\"");
    let elsewhere = lab.write("elsewhere.toml", "use = \"wan1\"\n");
    let (mif_run, elsewhere) = (lab.mif_run(), elsewhere.to_str().unwrap());
    // Of the outer accounts only the user's own has a number in here, another one.
    let inside = |options: &str| {
        let script = format!(
            "stat -c %U /etc/mif/apps/curl.toml; {} {options} curl -sS {WHO}; echo $?",
            mif_run.display()
        );
        lab.run(&["unshare", "--user", "--map-user=1000", "sh", "-c", &script])
    };
    assert_eq!(inside("").ok(), "nobody\n10.2.0.2\n0");
    assert_eq!(
        inside("-p /etc/mif/apps/curl.toml").ok(),
        "nobody\n10.2.0.2\n0"
    );
    // Elsewhere anybody may have put a file.
    for path in [elsewhere, &format!("/etc/mif/../..{elsewhere}")] {
        let out = inside(&format!("-p {path}"));
        assert_eq!(out.ok(), "nobody\n78");
        assert!(out.stderr.contains("is neither root nor the user"), "{out}");
    }
    lab.as_root_in("host", &["chmod", "o+w", "/etc/mif/apps/curl.toml"]);
    assert_eq!(inside("").ok(), "nobody\n78");
}

#[test]
fn what_init_writes_counts_whatever_the_umask() {
    let lab = Lab::new();
    let mif = lab.mif_run().with_file_name("mif");
    let script = "umask 000; $0 init && $0 init --force && $0 check";
    let home = lab.home().join("config");
    let sh = lab.command("sh").args(["-c", script]).arg(mif);
    let out = sh.env("XDG_CONFIG_HOME", &home).run();
    let file = home.join("mif/pvds.toml");
    let ok = format!("{}: ok", file.display());
    assert_eq!(out.ok().lines().last(), Some(&*ok));
}
