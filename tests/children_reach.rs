//! Programs that mif does not reach, or may not supervise (`--reach=preload`), are not started by a program
//! whose network is required, by none of libc's functions, and all others are.

mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use mif_lab::Lab;
use support::starts::{all, start};
use support::{BY_WAN1, WAN1, WHO, nothing_leaves};

/// Nothing is supervised.
const PRELOADED: [&str; 5] = ["--reach=preload", "-i", "wan1", "-d", "10.2.0.1"];

#[test]
fn a_program_out_of_reach_is_not_started() {
    let lab = Lab::new();
    let words = ["/usr/bin/busybox", "wget", "-qO-", "http://203.0.113.10/"];
    nothing_leaves(&lab, || {
        for how in all().filter(|how| !matches!(*how, "system" | "popen")) {
            for environment in ["-", ""] {
                let out = start(&lab, how, environment, &words).mif(&PRELOADED).run();
                assert_eq!(out.ok(), "EACCES", "{how}");
                assert!(
                    out.stderr.contains(
                        ": statically linked, so no preload is loaded; nothing was started. "
                    ),
                    "{out}"
                );
                assert_eq!(out.stderr.lines().count(), 1, "{out}");
            }
        }
        for how in ["system", "popen"] {
            for environment in ["-", ""] {
                let out = start(&lab, how, environment, &words).mif(&PRELOADED).run();
                assert!(
                    out.fails().contains("/usr/bin/busybox: statically linked"),
                    "{out}"
                );
            }
        }
        let out = start(&lab, "execve", "MIF_LOG=off", &words).env("MIF_LOG", "off");
        let out = out.mif(&PRELOADED).run();
        assert_eq!((out.ok(), &*out.stderr), ("EACCES", ""));
    });
}

#[test]
fn where_the_network_is_no_requirement_it_is_started_and_told() {
    let lab = Lab::new();
    let words = ["/usr/bin/busybox", "echo", "started", "there"];
    let text = "use = \"wan1\"\nchildren = \"inherit\"\n";
    let inherit = lab.write("inherit.toml", text).display().to_string();
    let preload = "--reach=preload";
    for options in [
        &[preload, "-i", "wan1", "-i", "system"][..],
        &[preload, "-p", &inherit],
    ] {
        for how in ["execve", "execvpe", "posix_spawn"] {
            let out = start(&lab, how, "-", &words).mif(options).run();
            assert_eq!(out.ok(), "started there", "{how}");
            assert!(!out.stderr.contains("busybox"), "{out}");
            let verbose = [&["-v"], options].concat();
            let out = start(&lab, how, "-", &words).mif(&verbose).run();
            assert_eq!(out.ok(), "started there", "{how}");
            let told = "statically linked, so no preload is loaded; it is started all the same\n";
            assert!(out.stderr.contains(told), "{out}");
        }
    }
    // One whose environment it is not in is not judged.
    let out = start(&lab, "execve", "MIF_CHILDREN=drop", &words);
    assert_eq!(out.mif(&BY_WAN1).run().ok(), "started there");
}

#[test]
fn programs_are_found_and_judged_as_they_will_be_run() {
    let lab = Lab::new();
    let folder = lab.dir().join("bin").display().to_string();
    let file = |name: &str, mode: u32, text: &str| {
        let path = lab.write(&format!("bin/{name}"), text);
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        path.display().to_string()
    };
    let by_busybox = file("by-busybox", 0o755, "#!/usr/bin/busybox sh\ntrue\n");
    let nested = file("nested", 0o755, &format!("#!{by_busybox}\n"));
    let plain = file("plain", 0o755, "echo by sh\n");
    file("later/tool", 0o755, "#!/usr/bin/busybox sh\n");
    file("folder/tool/x", 0o644, "");
    file("unready/tool", 0o644, "#!/bin/sh\n");
    let refused = |how: &str, words: &[&str], path: &str, why: &str| {
        let out = start(&lab, how, "-", words).env("PATH", path);
        let out = out.mif(&PRELOADED).run();
        assert_eq!(out.ok(), "EACCES", "{how} {words:?}");
        assert!(out.stderr.contains(why), "{out}");
    };
    let paths = format!("/usr/bin:{folder}/folder:{folder}/unready::{folder}/later");
    for how in ["execvp", "execvpe", "execlp", "posix_spawnp"] {
        let why = format!("cannot reach {folder}/later/tool: its interpreter /usr/bin/busybox: ");
        refused(how, &["tool"], &paths, &why);
    }
    for how in ["execve", "posix_spawn", "vfork", "fexecve path"] {
        let why = ": its interpreter /usr/bin/busybox: statically linked";
        refused(how, &[&nested], "/usr/bin", why);
        refused(how, &[&by_busybox], "/usr/bin", why);
    }
    // What is no program is the shell's for execvp alone.
    let run = |how: &str, words: &[&str]| {
        let native = start(&lab, how, "-", words).run().ok().to_owned();
        let ours = start(&lab, how, "-", words).mif(&PRELOADED).run();
        assert_eq!(ours.ok(), native, "{how} {words:?}");
        assert_eq!(ours.stderr, "", "{how} {words:?}");
        native
    };
    assert_eq!(run("execvp", &[&plain]), "by sh");
    assert_eq!(run("execve", &[&plain]), "ENOEXEC");
    assert_eq!(run("posix_spawnp", &[&plain]), "ENOEXEC");
    let gone = file("gone", 0o755, "#!/no/such/interpreter\n");
    let circle = format!("{folder}/circle");
    file("circle", 0o755, &format!("#!{circle}\n"));
    let unready = format!("{folder}/unready/tool");
    let in_file = format!("{plain}/x");
    let long = "x".repeat(5000);
    for how in [
        "execve",
        "execlp",
        "execveat",
        "posix_spawn",
        "posix_spawnp",
    ] {
        for word in [
            "",
            "/",
            "/nowhere",
            "nowhere",
            "/dev/null",
            &gone,
            &circle,
            &unready,
            &in_file,
            &long,
        ] {
            run(how, &[word]);
        }
    }
    assert_eq!(run("execveat nothing", &["/usr/bin/busybox"]), "ENOENT");
    // One that may be executed but not read is judged by its privileges alone.
    file("hidden/busybox", 0o755, "");
    let hidden = lab.dir().join("bin/hidden/busybox");
    fs::copy("/usr/bin/busybox", &hidden).unwrap();
    fs::set_permissions(&hidden, fs::Permissions::from_mode(0o111)).unwrap();
    let out = start(&lab, "execve", "-", &[hidden.to_str().unwrap(), "true"]);
    assert_eq!(out.mif(&PRELOADED).run().ok(), "");
}

/// Its tools are static programs, which load what they run with its preloads.
#[test]
fn valgrind_is_within_reach() {
    let lab = Lab::new();
    let connect = lab.probe("connect");
    let words = ["valgrind", "-q", connect.to_str().unwrap(), WHO, "7001"];
    let out = lab.command(words[0]).args(&words[1..]).mif(&BY_WAN1);
    assert_eq!(out.limit(Duration::from_mins(1)).run().ok(), WAN1);
}

#[test]
fn a_program_that_gains_privileges_is_not_started() {
    let lab = Lab::new();
    if !rustix::process::getuid().is_root() {
        eprintln!("skipped: only root can make programs of other users");
        return;
    }
    let program = lab.dir().join("bin/program");
    let path = program.to_str().unwrap();
    fs::copy("/bin/true", &program).unwrap();
    for (mode, why) in [
        (
            0o4755,
            "setuid (it becomes user 0), so the loader ignores the preload; nothing was",
        ),
        (
            0o4711,
            "setuid (it becomes user 0), so the loader ignores the preload; nothing was",
        ),
        (
            0o2755,
            "setgid (it becomes group 0), so the loader ignores the preload; nothing was",
        ),
    ] {
        fs::set_permissions(&program, fs::Permissions::from_mode(mode)).unwrap();
        for how in ["execve", "vfork", "posix_spawn", "execveat"] {
            let out = start(&lab, how, "", &[path]).mif(&BY_WAN1).run();
            assert_eq!(out.ok(), "EACCES", "{how}");
            assert!(out.stderr.contains(why), "{out}");
            // Root gains nothing.
            let out = start(&lab, how, "", &[path]).mif(&BY_WAN1).root().run();
            assert_eq!((out.ok(), &*out.stderr), ("", ""), "{how}");
        }
    }
}

#[test]
fn children_of_vfork_leave_nothing_behind() {
    let lab = Lab::new();
    for (program, times, ran) in [
        ("/bin/true", "100", 100),
        ("/usr/bin/busybox", "1000", 0),
        ("/nowhere", "1000", 0),
    ] {
        let probe = lab.command(lab.probe("storm")).args([program, times]);
        let out = probe.env("MIF_LOG", "off").mif(&PRELOADED).run();
        assert_eq!(out.ok(), format!("{ran} as before"), "{program}");
    }
}
