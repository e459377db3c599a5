//! Where a process takes its policy from, what a fault of it looks like, and what is said about
//! its decisions. The options of `mif-run` alone are tested in `crates/cli`.

use std::fs;

use mif_lab::{Lab, Output};

const WHO: &str = "http://203.0.113.10/";
const CURL: [&str; 3] = ["curl", "-sS", WHO];

#[track_caller]
fn nothing_left(lab: &Lab) {
    let packets = ["ra", "rb", "rv"].map(|router| lab.packets(router));
    assert_eq!(packets, [0, 0, 0]);
    assert_eq!(lab.arrivals(), []);
}

/// curl under a bare preload with one more variable.
fn preload(lab: &Lab, variable: (&str, &str)) -> Output {
    let curl = lab.command(CURL[0]).args(&CURL[1..]).preload();
    curl.env(variable.0, variable.1).run()
}

#[test]
fn the_policy_is_found_by_the_name_that_was_typed() {
    let lab = Lab::new();
    lab.app_policy("curl", "use = \"wan1\"\n");
    lab.app_policy("default", "use = \"vpn0\"\n");
    let elsewhere = lab.write("elsewhere.toml", "use = \"wan0\"\n");
    let script = lab.write("script", "#!/bin/sh\nexec curl -sS http://203.0.113.10/\n");
    let chmod = ["chmod", "755", script.to_str().unwrap()];
    lab.as_root_in("host", &chmod);

    assert_eq!(lab.mif(&[], &CURL).ok(), "10.2.0.2");
    assert_eq!(lab.preload(&CURL).ok(), "10.2.0.2");
    // mif-run fixes the policy for the whole tree by the name that was typed; under a bare preload
    // each program finds its own.
    assert_eq!(lab.mif(&[], &[script.to_str().unwrap()]).ok(), "10.3.0.2");
    assert_eq!(lab.preload(&[script.to_str().unwrap()]).ok(), "10.2.0.2");
    assert_eq!(lab.mif(&["-a", "default"], &CURL).ok(), "10.3.0.2");
    assert_eq!(preload(&lab, ("MIF_APP", "default")).ok(), "10.3.0.2");
    let elsewhere = elsewhere.to_str().unwrap();
    assert_eq!(lab.mif(&["-p", elsewhere], &CURL).ok(), "10.1.0.2");
    assert_eq!(preload(&lab, ("MIF_POLICY", elsewhere)).ok(), "10.1.0.2");
    // Options alone are a policy of their own.
    assert_eq!(lab.mif(&["-i", "wan0"], &CURL).ok(), "10.1.0.2");
    assert_eq!(preload(&lab, ("MIF_INTERFACE", "vpn0")).ok(), "10.3.0.2");
    // An empty variable is none.
    assert_eq!(preload(&lab, ("MIF_INTERFACE", "")).ok(), "10.2.0.2");
}

#[test]
fn options_replace_the_use_of_a_file_and_keep_its_rules() {
    let lab = Lab::new();
    let text = "use = \"wan0\"\n[[rule]]\nto = \"203.0.113.21\"\nuse = \"vpn0\"\n";
    lab.app_policy("ruled", text);
    let policy = lab.write("ruled.toml", text);
    for options in [["-p", policy.to_str().unwrap()], ["-a", "ruled"]] {
        let options = [&options[..], &["-i", "wan1"]].concat();
        let out = lab.mif(&options, &["curl", "-sS", WHO, "http://203.0.113.21/"]);
        assert_eq!(out.ok(), "10.2.0.2\n10.3.0.2");
    }
    assert_eq!(lab.packets("ra"), 0);
}

#[test]
fn a_faulty_policy_starts_nothing_under_mif_run() {
    let lab = Lab::new();
    let faulty = lab.write(
        "faulty.toml",
        "use = \"wan1\"\nexpliict = \"refuse\"\nlocal = 3\n",
    );
    let mark = lab.home().join("started");
    let touch = ["touch", mark.to_str().unwrap()];
    let out = lab.mif(&["-p", faulty.to_str().unwrap()], &touch);
    assert_eq!(out.code, Some(78), "{out}");
    for piece in [
        "faulty.toml:2:1: unknown key `expliict`",
        "2 | expliict = \"refuse\"\n  | ^^^^^^^^ ",
        "did you mean `explicit`?",
        "faulty.toml:3:9: ",
        "3 | local = 3\n  |         ^ ",
        "nothing was started",
    ] {
        assert!(out.stderr.contains(piece), "{piece:?} is missing: {out}");
    }
    for (options, piece) in [
        (&["-p", "no-such.toml"][..], "no-such.toml: No such file"),
        (&["-a", "no-such"], "no policy for `no-such`"),
        (
            &["-i", "a/b"],
            "`a/b` is no provisioning domain and no interface",
        ),
        (
            &["-i", "wan1", "-d", "name.test"],
            "`name.test` is not a DNS server",
        ),
        (&[], "no policy for `touch`"),
    ] {
        let out = lab.mif(options, &touch);
        assert_eq!(out.code, Some(78), "{out}");
        assert!(out.stderr.contains(piece), "{piece:?} is missing: {out}");
    }
    assert!(!mark.exists(), "the program was started");
    nothing_left(&lab);
}

#[test]
fn a_faulty_policy_refuses_under_a_bare_preload() {
    let lab = Lab::new();
    let faulty = lab.write("faulty.toml", "use = \"wan1\"\nexpliict = \"refuse\"\n");
    let faulty = faulty.to_str().unwrap();
    let script = r#"
import errno, socket
def attempt(act):
    try:
        act()
        return "done"
    except socket.gaierror as error:
        return {socket.EAI_FAIL: "EAI_FAIL"}.get(error.errno, error.errno)
    except OSError as error:
        return errno.errorcode[error.errno]
def made(kind, family=socket.AF_INET):
    return socket.socket(family, kind)
far, far6 = ("203.0.113.10", 7001), ("2001:db8:ff::10", 7001)
print(attempt(lambda: made(socket.SOCK_STREAM).connect(far)),
      attempt(lambda: made(socket.SOCK_STREAM, socket.AF_INET6).connect(far6)),
      attempt(lambda: made(socket.SOCK_DGRAM).sendto(b"x", far)),
      attempt(lambda: made(socket.SOCK_DGRAM).sendmsg([b"x"], [], 0, far)),
      attempt(lambda: made(socket.SOCK_DGRAM).bind(("", 9000))),
      attempt(lambda: made(socket.SOCK_STREAM).listen()),
      attempt(lambda: socket.getaddrinfo("who.test", 80)))
server, client = made(socket.SOCK_STREAM), made(socket.SOCK_STREAM)
server.bind(("127.0.0.1", 0))
server.listen()
print(attempt(lambda: client.connect(server.getsockname())))
"#;
    let run = |variable: (&str, &str)| {
        let python = lab.command("python3").args(["-c", script]).preload();
        python.env(variable.0, variable.1).run()
    };
    for (variable, piece) in [
        (
            ("MIF_POLICY", faulty),
            "faulty.toml:2:1: unknown key `expliict`",
        ),
        (
            ("MIF_POLICY", "/no/such.toml"),
            "/no/such.toml: No such file",
        ),
        (("MIF_APP", "no-such"), "no policy for `no-such`"),
        (("MIF_INTERFACE", "a/b"), "`a/b` is no provisioning domain"),
        (("MIF_SOURCE", "10.2.0"), "`10.2.0`"),
    ] {
        let out = run(variable);
        assert_eq!(
            out.ok().lines().collect::<Vec<_>>(),
            [
                "ENETUNREACH ENETUNREACH ENETUNREACH ENETUNREACH EADDRNOTAVAIL EADDRNOTAVAIL \
                 EAI_FAIL",
                "done"
            ],
            "{out}"
        );
        assert_eq!(out.stderr.matches(piece).count(), 1, "{out}");
        assert!(out.stderr.contains("MIF_ON_ERROR=pass"), "{out}");
    }
    nothing_left(&lab);

    let curl = lab.command(CURL[0]).args(&CURL[1..]).preload();
    let out = curl
        .env("MIF_POLICY", faulty)
        .env("MIF_ON_ERROR", "pass")
        .run();
    assert_eq!(out.ok(), "10.1.0.2");
    assert_eq!(out.stderr, "");
}

#[test]
fn without_a_policy_a_bare_preload_changes_nothing() {
    let lab = Lab::new();
    let out = lab.preload(&CURL);
    assert_eq!((out.ok(), out.stderr.as_str()), ("10.1.0.2", ""));
    let out = lab.preload(&["curl", "-sS", "-4", "http://split.test/"]);
    assert_eq!(out.ok(), "10.1.0.2");
    assert_eq!(lab.queries("ra"), ["A split.test 10.1.0.2"]);
    assert_eq!(
        lab.preload(&["curl", "-sS", "--interface", "vpn0", WHO])
            .ok(),
        "10.3.0.2"
    );
}

#[test]
fn children_and_mif_run_inside_mif_run() {
    let lab = Lab::new();
    let mif_run = lab.mif_run();
    let mif_run = mif_run.to_str().unwrap();
    let curl = format!("curl -sS {WHO}");
    let nested = format!("{curl}; {mif_run} -i vpn0 {curl}; {curl}");
    let out = lab.mif(&["-i", "wan1"], &["sh", "-c", &nested]);
    assert_eq!(out.ok(), "10.2.0.2\n10.3.0.2\n10.2.0.2");
    assert_eq!(lab.packets("ra"), 0);
    let script =
        format!("import subprocess\nprint(subprocess.check_output({curl:?}.split()).decode())");
    let out = lab.mif(&["-i", "wan1"], &["python3", "-c", &script]);
    assert_eq!(out.ok(), "10.2.0.2");
    assert_eq!(lab.packets("ra"), 0);
}

#[test]
fn a_decision_is_one_line_that_says_it_all() {
    let lab = Lab::new();
    let policy = lab.write(
        "said.toml",
        "# by name and address\nuse = [\"wan1\", \"vpn0\"]\n[pvd.work]\ninterface = \"wan1\"\n\
         source = \"10.2.0.2\"\n\n[[rule]]\nto = \"203.0.113.21\"\nuse = \"work\"\n\
         [[rule]]\nto = \"203.0.113.23\"\nuse = \"none\"\n[[rule]]\nto = \"203.0.113.40\"\nuse = \"system\"\n",
    );
    let policy = policy.to_str().unwrap();
    let script = "echo $$; exec curl -sS http://203.0.113.10/ http://203.0.113.21/ \
                  http://203.0.113.40/ http://203.0.113.23/";
    let out = lab.mif(&["-v", "-p", policy], &["sh", "-c", script]);
    let pid = out.stdout.lines().next().unwrap();
    let said = out.stderr.lines().filter(|line| line.starts_with("mif: "));
    let head = format!("mif: curl[{pid}] connect 203.0.113.");
    assert_eq!(
        said.collect::<Vec<_>>(),
        [
            format!("{head}10:80: wan1 (interface wan1), by {policy}:2"),
            format!("{head}21:80: work (interface wan1, source 10.2.0.2), by {policy}:7"),
            format!("{head}40:80: system, by {policy}:13"),
            format!("{head}23:80: refused: none, by {policy}:10"),
        ],
        "{out}"
    );

    let log = lab.home().join("log");
    let env = |level: &str| {
        let curl = lab
            .command("curl")
            .args(["-sS", WHO, "http://203.0.113.23/"]);
        let curl = curl.mif(&["-p", policy]).env("MIF_LOG", level);
        curl.env("MIF_LOG_FILE", &log).run()
    };
    assert!(!env("refused").stderr.contains("mif: "));
    let text = fs::read_to_string(&log).unwrap();
    assert_eq!(text.lines().count(), 1, "{text}");
    assert!(text.contains(":80: refused: none, by "), "{text}");
    assert!(!env("decisions").stderr.contains("mif: "));
    assert_eq!(
        fs::read_to_string(&log).unwrap().lines().count(),
        3,
        "lines are appended"
    );
}

#[test]
fn nothing_is_said_unasked() {
    let lab = Lab::new();
    let out = lab.mif(
        &["-i", "wan1", "-d", "10.2.0.1"],
        &["curl", "-sS", "http://who.test/"],
    );
    assert_eq!((out.ok(), out.stderr.as_str()), ("2001:db8:2::2", ""));
    for level in ["", "off", "nonsense"] {
        let curl = lab.command(CURL[0]).args(&CURL[1..]).mif(&["-i", "none"]);
        let out = curl.env("MIF_LOG", level).run();
        assert_eq!(out.code, Some(7), "{out}");
        assert_eq!(out.stderr.lines().count(), 1, "curl's own line: {out}");
    }
}
