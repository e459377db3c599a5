//! Which policy `mif-run` takes, that a faulty one starts nothing, and what `mif check` says.

use std::fs;
use std::os::unix::fs::symlink;

use crate::{Prefix, Ran};

const SHOW: &str = "#!/bin/sh\necho \"$MIF_POLICY\"\n";
const FAULTY: &str = "use = 7\nlocl = true\n";
const FAULTS: &str = "PREFIX/work/bad.toml:1:7: `use` has a wrong type
  |
1 | use = 7
  |       ^ expected a provisioning domain's or an interface's name, \"system\", \"none\", or a \
    list of these, found an integer

PREFIX/work/bad.toml:2:1: unknown key `locl`
  |
2 | locl = true
  | ^^^^ expected one of use, listen, explicit, local, interfaces, children, reach, family, dns, addrsel, rule, pvd; did you mean `local`?
";

#[test]
fn the_name_that_was_typed_picks_the_file_for_the_whole_tree() {
    let prefix = Prefix::new("typed");
    prefix.write("home/mif/apps/show.toml", "use = \"lo\"\n");
    prefix.write("home/mif/apps/default.toml", "use = \"system\"\n");
    prefix.script("bin/show", SHOW);
    prefix.script("work/other", SHOW);
    prefix.script("bin/outer", "#!/bin/sh\ncd /\nshow\n");
    symlink("other", prefix.at("work/show")).unwrap();
    for (program, file) in [
        ("show", "show"),
        ("./other", "default"),
        ("./show", "show"),
        // The outer program's policy, whatever the inner one is called.
        ("outer", "default"),
    ] {
        let expected = format!("PREFIX/home/mif/apps/{file}.toml\n");
        assert_eq!(
            prefix.mif_run(&[program]),
            Ran::new(0, &expected, ""),
            "{program}"
        );
    }
    // An inherited policy stands, made absolute.
    prefix.write("work/mine.toml", "use = \"lo\"\n");
    let ran = prefix.ran(
        prefix
            .command("mif-run")
            .arg("show")
            .env("MIF_POLICY", "mine.toml"),
    );
    assert_eq!(ran, Ran::new(0, "PREFIX/work/mine.toml\n", ""));
    // Options are a policy without a file.
    let ran = prefix.ran(
        prefix
            .command("mif-run")
            .args(["-ilo", "show"])
            .env("MIF_POLICY", "mine.toml"),
    );
    assert_eq!(ran, Ran::new(0, "\n", ""));
}

#[test]
fn without_a_policy_nothing_starts() {
    let prefix = Prefix::new("none");
    if fs::exists("/etc/mif").unwrap() {
        eprintln!("skipped: this host has policies in /etc/mif");
        return;
    }
    let ran = prefix.mif_run(&["touch", "started"]);
    let expected = "mif-run: no policy for `touch`; nothing was started. Looked for
  PREFIX/home/mif/apps/touch.toml
  /etc/mif/apps/touch.toml
  PREFIX/home/mif/apps/default.toml
  /etc/mif/apps/default.toml
Name the network (mif-run -i INTERFACE touch), or write use = \"INTERFACE\" in \
        PREFIX/home/mif/apps/touch.toml.\n";
    assert_eq!((ran.status, ran.stdout.as_str()), (Some(78), ""));
    assert!(ran.stderr.starts_with(expected), "{}", ran.stderr);
    assert!(!prefix.at("work/started").exists());

    let ran = prefix.mif_run(&["-a", "nosuch", "touch", "started"]);
    let expected = "mif-run: no policy for `nosuch` (-a / MIF_APP); searched
  PREFIX/home/mif/apps/nosuch.toml
  /etc/mif/apps/nosuch.toml; nothing was started\n";
    assert_eq!(ran, Ran::new(78, "", expected));
    let ran = prefix.mif_run(&["-p", "nosuch.toml", "touch", "started"]);
    let expected = "mif-run: cannot read the policy nosuch.toml: No such file or directory (os \
        error 2); nothing was started\n";
    assert_eq!(ran, Ran::new(78, "", expected));
    assert!(!prefix.at("work/started").exists());
}

#[test]
fn all_faults_are_told_once_and_nothing_starts() {
    let prefix = Prefix::new("faulty");
    let policy = prefix.write("work/bad.toml", FAULTY);
    let policy = policy.to_str().unwrap();
    let expected = format!("mif-run: the policy is faulty; nothing was started\n\n{FAULTS}");
    let ran = prefix.mif_run(&["-p", policy, "touch", "started"]);
    assert_eq!(ran, Ran::new(78, "", &expected));
    // The policy comes first: what it would be applied to does not matter yet.
    let ran = prefix.mif_run(&["-p", policy, "no-such-program"]);
    assert_eq!(ran, Ran::new(78, "", &expected));
    let ran = prefix.mif_run(&["-p", policy, "--check", "touch", "started"]);
    assert_eq!(ran, Ran::new(78, "", &expected));
    assert!(!prefix.at("work/started").exists());

    let ran = prefix.mif_run(&["-s", "300.1.1.1", "-d", "x", "touch", "started"]);
    assert_eq!(ran.status, Some(78));
    assert!(ran.stderr.contains("-s / MIF_SOURCE: ") && ran.stderr.contains("-d / MIF_DNS: "));
    assert!(!prefix.at("work/started").exists());
}

#[test]
fn check_says_ok_or_all_faults_of_all_files() {
    let prefix = Prefix::new("check");
    prefix.write("work/good.toml", "use = \"lo\"\n");
    prefix.write("work/bad.toml", FAULTY);
    let at = |name: &str| prefix.at("work").join(name).display().to_string();
    assert_eq!(
        prefix.mif(&["check", &at("good.toml")]),
        Ran::new(0, "PREFIX/work/good.toml: ok\n", "")
    );
    let ran = prefix.mif(&["check", &at("bad.toml"), &at("good.toml"), &at("gone.toml")]);
    let expected = format!(
        "mif: 3 faults found\n\ncannot read the policy PREFIX/work/gone.toml: No such file or \
         directory (os error 2)\n\n{FAULTS}"
    );
    assert_eq!(ran, Ran::new(78, "PREFIX/work/good.toml: ok\n", &expected));

    assert_eq!(
        prefix.mif_run(&["-ilo", "--check"]),
        Ran::new(0, "options: ok\n", "")
    );
    let ran = prefix.mif_run(&["-p", "good.toml", "--check", "sh"]);
    assert_eq!(ran.status, Some(0));
    assert!(
        ran.stdout.starts_with("good.toml: ok\n/") && ran.stdout.ends_with("/sh: ok\n"),
        "{ran:?}"
    );
    let busybox = ["-ilo", "--check", "busybox", "true"];
    assert_eq!(prefix.mif_run(&busybox).status, Some(0));
    let ran = prefix.mif_run(&[&["--reach=preload"], &busybox[..]].concat());
    assert_eq!(ran.status, Some(126));
}

#[test]
fn check_without_a_file_takes_those_of_the_folders() {
    let prefix = Prefix::new("folders");
    if fs::exists("/etc/mif").unwrap() {
        eprintln!("skipped: this host has policies in /etc/mif");
        return;
    }
    let nothing = Ran::new(
        78,
        "",
        "mif: no pvds.toml and no apps/*.toml in PREFIX/home/mif and /etc/mif\n",
    );
    assert_eq!(prefix.mif(&["check"]), nothing);

    prefix.write("home/mif/pvds.toml", "[pvd.lte]\ninterface = \"lo\"\n");
    prefix.write("home/mif/apps/b.toml", "use = \"lte\"\n");
    prefix.write("home/mif/apps/a.toml", "use = [\"lte\", \"system\"]\n");
    prefix.write("home/mif/apps/notes.txt", "no policy");
    let expected = "PREFIX/home/mif/pvds.toml: ok\nPREFIX/home/mif/apps/a.toml: ok\n\
        PREFIX/home/mif/apps/b.toml: ok\n";
    for ran in [prefix.mif(&["check"]), prefix.mif_run(&["--check"])] {
        assert_eq!(ran, Ran::new(0, expected, ""));
    }

    prefix.write("home/mif/pvds.toml", "[pvd.lte]\ninterface = 1\n");
    let ran = prefix.mif(&["check"]);
    assert_eq!((ran.status, ran.stdout.as_str()), (Some(78), ""));
    let told = ran.stderr.matches("PREFIX/home/mif/pvds.toml:2:").count();
    assert_eq!(told, 1, "the same fault once: {}", ran.stderr);
}

#[test]
fn names_that_nothing_has_now_are_warned_of() {
    let prefix = Prefix::new("missing");
    prefix.write(
        "home/mif/pvds.toml",
        "[pvd.lte]\ninterface = \"nosuch9\"\n[pvd.here]\ninterface = \"lo\"\n",
    );
    let warn = |name: &str, place: &str| match name {
        "lte" => format!(
            "mif-run: warning: the interface `nosuch9` of the provisioning domain `lte` is not \
             there ({place})"
        ),
        name => format!(
            "mif-run: warning: no provisioning domain and no interface is called `{name}` now \
             ({place})"
        ),
    };
    for (names, expected) in [
        (&["nosuch1"][..], vec![warn("nosuch1", "-i")]),
        (&["lo", "nosuch1"], vec![warn("nosuch1", "-i")]),
        (
            &["nosuch1", "lte", "nosuch1"],
            vec![warn("nosuch1", "-i"), warn("lte", "-i")],
        ),
        (&["nosuch1", "system"], vec![warn("nosuch1", "-i")]),
        // A list with a way out is what such names are for.
        (&["nosuch1", "lo", "system"], vec![]),
        (&["here", "lo", "system"], vec![]),
        (&["none"], vec![]),
    ] {
        let option = format!("-i{}", names.join(","));
        let ran = prefix.mif_run(&[&option, "true"]);
        assert_eq!(
            (ran.status, ran.stdout.as_str()),
            (Some(0), ""),
            "it starts all the same"
        );
        let mut lines: Vec<&str> = ran.stderr.lines().collect();
        if !expected.is_empty() {
            let there = lines.pop().unwrap();
            assert!(
                there.starts_with("mif-run: warning: there are the interfaces "),
                "{there}"
            );
        }
        assert_eq!(lines, expected, "{names:?}");
    }
    let ran = prefix.mif_run(&["-s", "192.0.2.77", "true"]);
    let expected = "mif-run: warning: no interface has the source address 192.0.2.77 now (-s)";
    assert!(ran.stderr.starts_with(expected), "{}", ran.stderr);
}

#[test]
fn check_tells_faults_to_programs_too() {
    let prefix = Prefix::new("check-json");
    prefix.write("work/good.toml", "use = \"lo\"\n");
    prefix.write("work/bad.toml", "use = \"lo\"\nlocal = 3\n");
    let ran = prefix.mif(&["check", "--json", "good.toml", "bad.toml", "gone.toml"]);
    assert_eq!((ran.status, &*ran.stderr), (Some(78), ""));
    let told: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(told["right"], serde_json::json!(["good.toml"]));
    assert_eq!(told["faults"][0]["file"], serde_json::Value::Null);
    let fault = &told["faults"][1];
    assert_eq!(
        (&fault["file"], &fault["line"]),
        (&"bad.toml".into(), &2.into())
    );
    // No terminal, no colours.
    let ran = prefix.mif(&["check", "good.toml"]);
    assert_eq!(ran.stdout, "good.toml: ok\n");
}
