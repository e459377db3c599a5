//! What somebody else on the host cannot do through mif: write policies for others, steer programs
//! that have gained privileges, or have a log written where he likes. docs/security.md says why.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
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
fn a_program_with_gained_privileges_obeys_the_host_alone() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped: in a user namespace of one account there is no privilege to gain");
        return;
    }
    let lab = Lab::new();
    own_etc(&lab);
    let write = |name: &str, text: &str| write_as_root(&lab, name, text);
    write("/etc/mif/apps/curl.toml", "use = \"wan1\"");
    write("/etc/mif/apps/other.toml", "use = \"wan0\"");
    lab.app_policy("curl", "use = \"wan0\"\n");
    let policy = lab.write("own.toml", "use = \"vpn0\"\n");
    let bin = lab.dir().join("suid");
    let bin = bin.to_str().unwrap();
    lab.as_root_in("host", &["mkdir", bin]);
    lab.as_root_in(
        "host",
        &["mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", bin],
    );
    let program = format!("{bin}/curl");
    lab.as_root_in("host", &["cp", "/usr/bin/curl", &program]);
    let link = lab.home().join("other");
    symlink(&program, &link).unwrap();
    write("/etc/ld.so.preload", lab.library().to_str().unwrap());

    let log = lab.home().join("log");
    let run = |program: &str, variables: &[(&str, &str)]| {
        let curl = lab.command(program).args(&CURL[1..]);
        with(curl, variables).run()
    };
    let policy = policy.to_str().unwrap();
    let all = [
        ("MIF_POLICY", policy),
        ("MIF_LOG", "debug"),
        ("MIF_LOG_FILE", log.to_str().unwrap()),
        ("MIF_ON_ERROR", "pass"),
    ];
    // As an ordinary program it obeys all of them.
    assert_eq!(run(&program, &all).ok(), "10.3.0.2");
    assert!(fs::read_to_string(&log).unwrap().contains("vpn0"));
    fs::remove_file(&log).unwrap();
    assert_eq!(run(&program, &[]).ok(), "10.1.0.2", "the user's folder");

    lab.as_root_in("host", &["chmod", "4755", &program]);
    for variables in [
        &all[..],
        &all[1..],
        &[],
        &[("MIF_INTERFACE", "vpn0")],
        &[("MIF_APP", "other")],
    ] {
        for name in [&program, link.to_str().unwrap()] {
            let out = run(name, variables);
            assert_eq!(
                (out.ok(), out.stderr.as_str()),
                ("10.2.0.2", ""),
                "{variables:?}"
            );
        }
    }
    assert!(!log.exists());

    // Nor does it start a program out of reach because the environment says that it may.
    write("/etc/mif/apps/starter.toml", "use = \"wan1\"");
    let env = format!("{bin}/starter");
    lab.as_root_in("host", &["cp", "/usr/bin/env", &env]);
    let start = || {
        let env = lab.command(&env).args(["busybox", "true"]);
        env.env("MIF_CHILDREN", "inherit").run()
    };
    assert_eq!(start().code, Some(0), "as an ordinary program it does");
    lab.as_root_in("host", &["chmod", "4755", &env]);
    assert_eq!(start().code, Some(126), "env(1) may not execute it");

    write("/etc/mif/apps/curl.toml", "secret = 1");
    let out = run(&program, &all);
    assert_eq!(out.code, Some(7), "{out}");
    let said = "mif: curl: a policy in /etc/mif has a fault";
    assert!(
        out.stderr.starts_with(said) && !out.stderr.contains("secret"),
        "{out}"
    );
}

#[test]
fn a_log_is_a_file_of_the_users_own() {
    let lab = Lab::new();
    let (log, link, victim) = ["log", "link", "victim"]
        .map(|name| lab.home().join(name))
        .into();
    symlink(&victim, &link).unwrap();
    let run = |log: &str| {
        let all = [
            ("MIF_INTERFACE", "wan1"),
            ("MIF_LOG", "decisions"),
            ("MIF_LOG_FILE", log),
        ];
        preload(&lab, &all)
    };
    let told = "connect 203.0.113.10:80: wan1 (interface wan1), by";
    let out = run(log.to_str().unwrap());
    assert_eq!((out.ok(), out.stderr.as_str()), ("10.2.0.2", ""));
    assert!(fs::read_to_string(&log).unwrap().contains(told));
    assert_eq!(
        fs::metadata(&log).unwrap().permissions().mode() & 0o7777,
        0o600
    );

    // A link would lead lines into any file of the user's; a pipe that nobody reads would wait.
    let fifo = lab.home().join("fifo");
    lab.as_root_in("host", &["mkfifo", "-m", "666", fifo.to_str().unwrap()]);
    for (path, why) in [(&link, "symbolic links"), (&fifo, "No such device")] {
        let out = run(path.to_str().unwrap());
        let said = format!("mif: nothing is logged: MIF_LOG_FILE={}: ", path.display());
        assert_eq!(out.ok(), "10.2.0.2");
        assert!(
            out.stderr.starts_with(&said) && out.stderr.contains(why),
            "{out}"
        );
        assert_eq!(out.stderr.lines().count(), 1, "{out}");
    }
    assert!(!victim.exists());
    for path in ["/dev/stderr", "/dev/fd/2", "/proc/self/fd/2"] {
        assert!(run(path).stderr.contains(told), "{path}");
    }
    assert!(run("/dev/stdout").stdout.contains(told));
}

#[test]
fn a_log_that_nobody_reads_any_more_does_not_end_the_program() {
    let lab = Lab::new();
    // The reader is gone when the program begins; Python itself would ignore the signal.
    let within = "import signal, socket\n\
                  signal.signal(signal.SIGPIPE, signal.SIG_DFL)\n\
                  for _ in range(3): socket.create_connection(('203.0.113.10', 80)).close()\n\
                  print('still there')";
    let script = "import os, socket, sys\n\
                  if sys.argv[1] == 'pipe': ours, theirs = os.pipe()\n\
                  else: ours, theirs = (one.detach() for one in socket.socketpair())\n\
                  os.close(ours)\n\
                  os.dup2(theirs, 2)\n\
                  os.execvp('python3', ['python3', '-c', sys.argv[2]])";
    for kind in ["pipe", "socket"] {
        let python = lab.command("python3").args(["-c", script, kind, within]);
        let python = python.env("MIF_LOG", "debug").env("MIF_INTERFACE", "wan1");
        assert_eq!(python.preload().run().ok(), "still there", "{kind}");
    }
}

#[test]
fn the_name_of_a_program_cannot_forge_lines_or_speak_to_the_terminal() {
    let lab = Lab::new();
    let program = lab.dir().join("a\u{1b}[2J\nmif: b\u{9b}c");
    fs::copy("/usr/bin/curl", &program).unwrap();
    let curl = || lab.command(&program).args(&CURL[1..]);
    let out = curl().mif(&["-v", "-i", "wan1", "-d", "10.2.0.1"]).run();
    assert_eq!(out.ok(), "10.2.0.2");
    assert!(out.stderr.starts_with("mif: a?[2J?mif: b?c["), "{out}");
    let is_quiet = |out: &Output| {
        out.stderr
            .trim_end()
            .lines()
            .all(|line| !line.contains(char::is_control))
    };
    assert!(is_quiet(&out) && out.stderr.lines().count() == 1, "{out}");
    // Nor in what is said before the start.
    let out = curl().mif(&[]).run();
    assert_eq!(out.code, Some(78));
    assert!(
        is_quiet(&out) && out.stderr.contains("no policy for `a?[2J?mif: b?c`"),
        "{out}"
    );
    let out = curl().preload().env("MIF_INTERFACE", "a/b").run();
    assert!(
        is_quiet(&out) && out.stderr.contains("has a fault"),
        "{out}"
    );
}

#[test]
fn what_a_network_gave_cannot_speak_to_the_terminal() {
    let lab = Lab::new();
    let text =
        "NETWORK_FILE=x\nDNS=10.2.0.1 \u{1b}[2J\nDOMAINS=b.test c\u{1b}]0;d\u{7}.test \u{9b}c";
    let script = "mkdir -p $1 && printf %s \"$2\" >$1/$(cat /sys/class/net/wan1/ifindex)";
    let folder = "/run/systemd/netif/links";
    lab.as_root_in("host", &["sh", "-c", script, "sh", folder, text]);
    lab.mif_run();
    let mif = lab.dir().join("bin/mif");
    for words in [
        &["pvd", "list"][..],
        &["pvd", "show", "wan1"],
        &["doctor", "wan1"],
        &["init", "-"],
    ] {
        let out = lab.command(&mif).args(words).run();
        let is_quiet = |letter: char| letter == '\n' || letter == '\t' || !letter.is_control();
        assert!(out.stdout.contains("10.2.0.1"), "{out}");
        assert!(out.stdout.chars().all(is_quiet), "{out}");
        assert!(out.stderr.chars().all(is_quiet), "{out}");
    }
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
