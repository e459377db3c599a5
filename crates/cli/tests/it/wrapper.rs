//! `mif-run` itself: its options, its environment, and that it leaves nothing of itself behind.

use std::fs;
use std::io::Write;
use std::os::unix::fs::symlink;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use crate::{Prefix, Ran, script};

/// Prints what the program sees of mif's variables.
const SHOW: &str = "for name in INTERFACE SOURCE DNS POLICY APP LOG; do eval \"value=\\${MIF_$name-}\"; \
    [ -z \"$value\" ] || printf '%s=%s\\n' \"$name\" \"$value\"; done";

#[test]
fn every_form_of_an_option_is_understood() {
    let prefix = Prefix::new("options");
    let policy = prefix.write("work/a policy.toml", "use = \"lo\"\n");
    let policy = policy.to_str().unwrap();
    prefix.write("home/mif/apps/named.toml", "use = \"lo\"\n");
    let file = "POLICY=PREFIX/home/mif/apps/named.toml\n";
    for (options, expected) in [
        (&["-i", "lo"][..], "INTERFACE=lo\n".to_owned()),
        (&["-ilo"], "INTERFACE=lo\n".to_owned()),
        (&["--interface", "lo"], "INTERFACE=lo\n".to_owned()),
        (&["--interface=lo", "--"], "INTERFACE=lo\n".to_owned()),
        (
            &["-i", "lo", "-ilo", "--interface=system"],
            "INTERFACE=lo,lo,system\n".to_owned(),
        ),
        (
            &["-s127.0.0.1", "--source=::1"],
            "SOURCE=127.0.0.1,::1\n".to_owned(),
        ),
        (
            &["-d", "127.0.0.1", "--dns", "[::1]:53"],
            "DNS=127.0.0.1,[::1]:53\n".to_owned(),
        ),
        (
            &["-ilo", "-d127.0.0.1", "-v"],
            "INTERFACE=lo\nDNS=127.0.0.1\nLOG=decisions\n".to_owned(),
        ),
        (
            &["--verbose", "-i", "lo"],
            "INTERFACE=lo\nLOG=decisions\n".to_owned(),
        ),
        (
            &["-p", policy],
            "POLICY=PREFIX/work/a policy.toml\n".to_owned(),
        ),
        (
            &["--policy=a policy.toml"],
            "POLICY=PREFIX/work/a policy.toml\n".to_owned(),
        ),
        (
            &["-p./a policy.toml"],
            "POLICY=PREFIX/work/./a policy.toml\n".to_owned(),
        ),
        (&["-a", "named"], format!("{file}APP=named\n")),
        (
            &["--app=named", "-i", "lo"],
            format!("INTERFACE=lo\n{file}APP=named\n"),
        ),
    ] {
        let ran = prefix.mif_run(&[options, &["sh", "-c", SHOW]].concat());
        let expected = expected.replace("/./", "/");
        assert_eq!(ran, Ran::new(0, &expected, ""), "{options:?}");
    }
}

#[test]
fn bad_usage_is_status_2_and_one_line() {
    let prefix = Prefix::new("usage");
    for (arguments, message) in [
        (&[][..], "no program to run"),
        (&["-v"], "no program to run"),
        (&["-i", "lo", "--"], "no program to run"),
        (&["-i"], "option -i needs a value"),
        (&["--dns"], "option --dns needs a value"),
        (
            &["-i", "", "true"],
            "option -i needs a value that is not empty",
        ),
        (
            &["--source=", "true"],
            "option --source needs a value that is not empty",
        ),
        (&["-x", "true"], "unknown option -x"),
        (
            &["--interfaces=lo", "true"],
            "unknown option --interfaces=lo",
        ),
        (&["-"], "unknown option -"),
        (
            &["--check", "--explain", "::1"],
            "--check and --explain exclude each other",
        ),
        (
            &["-i", "lo", "--", "-x"],
            "the name of a program begins with -: write ./-x",
        ),
    ] {
        let expected = format!("mif-run: {message} (see mif-run --help)\n");
        assert_eq!(
            prefix.mif_run(arguments),
            Ran::new(2, "", &expected),
            "{arguments:?}"
        );
    }
    let help = prefix.mif_run(&["--help"]);
    assert_eq!((help.status, help.stderr.as_str()), (Some(0), ""));
    for option in [
        "-i, --interface",
        "-s, --source",
        "-d, --dns",
        "-p, --policy",
        "-a, --app",
    ] {
        assert!(help.stdout.contains(option), "{option}");
    }
    let version = concat!("mif-run ", env!("CARGO_PKG_VERSION"), "\n");
    assert_eq!(prefix.mif_run(&["--version"]), Ran::new(0, version, ""));
}

#[test]
fn the_program_has_the_callers_environment_but_for_what_is_documented() {
    let prefix = Prefix::new("environment");
    let odd = [
        ("source", "1"),
        ("app", "2"),
        ("IFS", ":"),
        ("CDPATH", "/"),
        ("LC_ALL", "C"),
    ];
    let listed = |command: &mut Command| {
        let output = command.args(["env", "-0"]).envs(odd).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        let mut list: Vec<String> = prefix
            .masked(&output.stdout)
            .split('\0')
            .map(str::to_owned)
            .collect();
        list.sort();
        list
    };
    // A shell adds PWD and the like of its own.
    let native = listed(prefix.command("sh").args(["-c", "exec \"$@\"", "sh"]));
    let mut under = listed(prefix.command("mif-run").args(["-i", "lo"]));
    under.retain(|entry| {
        entry != "LD_PRELOAD=PREFIX/lib/mif/libmif.so" && entry != "MIF_INTERFACE=lo"
    });
    assert_eq!(under, native);
}

#[test]
fn a_preload_that_is_there_stays() {
    let prefix = Prefix::new("preload");
    let other = prefix.library("work/other.so").display().to_string();
    let show = ["-i", "lo", "sh", "-c", "echo $LD_PRELOAD"];
    for (before, after) in [
        (
            other.clone(),
            "PREFIX/lib/mif/libmif.so:PREFIX/work/other.so\n",
        ),
        (String::new(), "PREFIX/lib/mif/libmif.so\n"),
        (
            format!("{}:{other}", prefix.at("lib/mif/libmif.so").display()),
            "PREFIX/lib/mif/libmif.so:PREFIX/work/other.so\n",
        ),
    ] {
        let ran = prefix.ran(
            prefix
                .command("mif-run")
                .args(show)
                .env("LD_PRELOAD", &before),
        );
        assert_eq!(ran, Ran::new(0, after, ""), "{before}");
    }
    let ran = prefix.ran(
        prefix
            .command("mif-run")
            .args(["-ilo", "true"])
            .env("SAY", "1"),
    );
    assert_eq!(
        ran,
        Ran::new(0, "", "preloaded\n"),
        "in the program and nowhere else"
    );
    // With another preload the shell has it (1) and the program has both (2); the tool has none.
    let ran = prefix.ran(
        prefix
            .command("mif-run")
            .args(["-ilo", "true"])
            .envs([("SAY", "1"), ("LD_PRELOAD", &other)]),
    );
    assert_eq!(ran, Ran::new(0, "", &"preloaded\n".repeat(3)));
}

#[test]
fn a_nested_mif_run_has_its_own_policy_or_inherits() {
    let prefix = Prefix::new("nested");
    let show = format!("{SHOW}; echo $LD_PRELOAD");
    for (inner, expected) in [
        (&["-i", "system"][..], "INTERFACE=system\n"),
        (&["-d", "127.0.0.1"], "DNS=127.0.0.1\n"),
        (&["-v"], "INTERFACE=lo\nDNS=::1\nLOG=decisions\n"),
        (&[], "INTERFACE=lo\nDNS=::1\n"),
    ] {
        let outer = ["-i", "lo", "-d", "::1", "mif-run"];
        let ran = prefix.mif_run(&[&outer, inner, &["sh", "-c", &show]].concat());
        let expected = format!("{expected}PREFIX/lib/mif/libmif.so\n");
        assert_eq!(ran, Ran::new(0, &expected, ""), "{inner:?}");
    }
    // More than was asked for is not taken away.
    let ran = prefix.ran(
        prefix
            .command("mif-run")
            .env("MIF_LOG", "debug")
            .args(["-v", "-ilo", "sh", "-c", SHOW]),
    );
    assert_eq!(ran, Ran::new(0, "INTERFACE=lo\nLOG=debug\n", ""));
}

#[test]
fn status_streams_signals_and_pid_are_the_programs() {
    let prefix = Prefix::new("process");
    let ran = prefix.mif_run(&["-i", "lo", "sh", "-c", "echo out; echo err >&2; exit 7"]);
    assert_eq!(ran, Ran::new(7, "out\n", "err\n"));

    let mut killed = prefix.command("mif-run");
    let killed = killed
        .args(["-i", "lo", "sh", "-c", "kill -TERM $$"])
        .status()
        .unwrap();
    assert_eq!(killed.signal(), Some(15));

    let mut child = prefix.command("mif-run");
    child.args(["-i", "lo", "sh", "-c", "echo $$; cat"]);
    let mut child = child
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(b"through stdin")
        .unwrap();
    let pid = child.id();
    let output = child.wait_with_output().unwrap();
    let expected = format!("{pid}\nthrough stdin");
    assert_eq!(String::from_utf8_lossy(&output.stdout), expected);

    let ran = prefix.mif_run(&[
        "-ilo", "--", "printf", "%s|", "a  b", "", "*", "$x", "-v", "--",
    ]);
    assert_eq!(ran, Ran::new(0, "a  b||*|$x|-v|--|", ""));
}

#[test]
fn tool_and_library_are_found_from_a_checkout_too() {
    let prefix = Prefix::new("checkout");
    prefix.write("tree/Cargo.toml", "");
    fs::create_dir_all(prefix.at("tree/scripts")).unwrap();
    fs::copy(script("mif-run"), prefix.at("tree/scripts/mif-run")).unwrap();
    symlink(prefix.at("tree/scripts/mif-run"), prefix.at("work/linked")).unwrap();
    let build = |path: &str, hours: u64| {
        let library = prefix.library(&format!("{path}/libmif.so"));
        let time = SystemTime::now() - Duration::from_hours(hours);
        fs::File::open(library).unwrap().set_modified(time).unwrap();
        let tool = prefix
            .at(path.strip_suffix("/deps").unwrap_or(path))
            .join("mif");
        if !tool.exists() {
            symlink(env!("CARGO_BIN_EXE_mif"), tool).unwrap();
        }
    };
    let found = |target: Option<&str>| {
        let mut command = prefix.command(prefix.at("work/linked"));
        command.envs(target.map(|target| ("CARGO_TARGET_DIR", target)));
        prefix.ran(command.args(["-ilo", "sh", "-c", "echo $LD_PRELOAD"]))
    };
    let missing = "mif-run: mif or libmif.so is not there: looked for PREFIX/tree/target/release \
        and PREFIX/tree/target/debug; nothing was started. Install with scripts/install PREFIX, \
        or build with scripts/build.\n";
    assert_eq!(found(None), Ran::new(126, "", missing));

    let library = |path: &str| Ran::new(0, &format!("PREFIX/{path}/libmif.so\n"), "");
    build("tree/target/debug", 4);
    assert_eq!(found(None), library("tree/target/debug"));
    build("tree/target/debug/deps", 3);
    assert_eq!(found(None), library("tree/target/debug/deps"));
    build("tree/target/release", 2);
    assert_eq!(found(None), library("tree/target/release"), "the newest");
    build("tree/target/debug/deps", 1);
    assert_eq!(found(None), library("tree/target/debug/deps"), "the newest");
    build("work/elsewhere/release", 9);
    assert_eq!(found(Some("elsewhere")), library("work/elsewhere/release"));
}

#[test]
fn paths_that_a_preload_cannot_have_are_told() {
    let prefix = Prefix::new("odd path");
    let expected = "mif-run: PREFIX/lib/mif/libmif.so has a space, a colon or a dollar sign in its \
        path, which LD_PRELOAD cannot express; nothing was started. Install mif in another \
        folder.\n";
    let ran = prefix.mif_run(&["-i", "lo", "true"]);
    assert_eq!(ran, Ran::new(126, "", expected));
}

#[test]
fn a_library_that_is_none_is_told() {
    let prefix = Prefix::new("library");
    prefix.write("lib/mif/libmif.so", "no library");
    let expected = "mif-run: the library PREFIX/lib/mif/libmif.so cannot be loaded: it is no ELF file: Could not read file magic; nothing was started\n";
    assert_eq!(
        prefix.mif_run(&["-ilo", "true"]),
        Ran::new(126, "", expected)
    );
}

#[test]
fn the_scripts_pass_shellcheck() {
    for name in ["mif-run", "install"] {
        let Ok(output) = Command::new("shellcheck").arg(script(name)).output() else {
            eprintln!("skipped: shellcheck is not installed");
            return;
        };
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stdout)
        );
    }
}
