//! Which programs a preload gets into, and what is said of the others.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::{Prefix, Ran, is_root, set_mode};

const MAIN: &str = "int main(void) { return 0; }\n";
const STATIC: &str = "statically linked, so no preload is loaded; nothing was started. A \
    supervisor reaches it: mif-run --reach=supervise.\n";
const GO: &str = "a Go program, which makes its system calls without libc; nothing was started. \
    A supervisor reaches it: mif-run --reach=supervise.\n";
const OTHER_LIBC: &str = "nothing was started. A supervisor reaches it: mif-run \
    --reach=supervise.\n";
const OTHER_BUILD: &str = "nothing was started. Use a build of the program for this host's own \
    architecture, or a network namespace (ip netns exec).\n";
const PRIVILEGED: &str = "so the loader ignores the preload; nothing was started. Start mif-run \
    itself as the user that the program becomes, use a copy without these privileges, or a \
    network namespace (ip netns exec).\n";

impl Prefix {
    fn starts(&self, program: &Path) {
        let ran = self.mif_run(&["-i", "lo", program.to_str().unwrap()]);
        assert_eq!(ran, Ran::new(0, "", ""), "{}", program.display());
    }

    fn is_refused(&self, program: &Path, why: &str) {
        self.are_refused(&[program.to_str().unwrap()], why);
    }

    fn are_refused(&self, command: &[&str], why: &str) {
        let ran = self.mif_run(&[&["--reach=preload", "-i", "lo"], command].concat());
        assert_eq!(
            ran,
            Ran::new(126, "", &format!("mif-run: cannot reach {why}"))
        );
    }
}

#[test]
fn dynamic_programs_start_and_static_ones_are_refused() {
    let prefix = Prefix::new("static");
    prefix.starts(&prefix.compile("work/dynamic", MAIN, &[]));
    prefix.starts(&prefix.compile("work/no-pie", MAIN, &["-no-pie"]));
    prefix.starts(&prefix.compile("work/stripped", MAIN, &["-s"]));
    for (name, flag) in [("static", "-static"), ("static-pie", "-static-pie")] {
        let program = prefix.compile(&format!("work/{name}"), MAIN, &[flag]);
        prefix.is_refused(&program, &format!("PREFIX/work/{name}: {STATIC}"));
    }
    let busybox = which("busybox");
    prefix.are_refused(&["busybox", "true"], &format!("{busybox}: {STATIC}"));
}

/// The default: what the preload does not get into is supervised, and what neither gets at refused.
#[test]
fn programs_out_of_the_preloads_reach_are_supervised() {
    let prefix = Prefix::new("supervised");
    prefix.starts(&prefix.compile("work/static", MAIN, &["-static"]));
    let script = prefix.script("work/script", "#!/usr/bin/env -S busybox sh\nexit 5\n");
    let status = |command: &[&str]| prefix.mif_run(&[&["-i", "lo"], command].concat()).status;
    assert_eq!(status(&[script.to_str().unwrap()]), Some(5));
    assert_eq!(status(&["env", "-i", "/bin/sh", "-c", "exit 6"]), Some(6));
    // The library of a supervised program is libc alone.
    let maps = ["--reach=supervise", "-i", "lo", "cat", "/proc/self/maps"];
    let ran = prefix.mif_run(&maps);
    assert!(
        ran.stdout.contains("libc.so") && !ran.stdout.contains("libmif"),
        "{ran:?}"
    );
    // One supervisor for each process.
    let front = prefix.at("bin/mif-run");
    let nested = [
        "--reach=supervise",
        "-i",
        "lo",
        front.to_str().unwrap(),
        "-i",
        "lo",
        "busybox",
        "true",
    ];
    let ran = prefix.mif_run(&nested);
    let why =
        "mif-run: busybox: this process is under a supervisor already, and there can be one only\n";
    assert_eq!(ran, Ran::new(126, "", why));

    prefix.compile("work/snap", MAIN, &[]);
    std::os::unix::fs::symlink("snap", prefix.at("work/browser")).unwrap();
    assert_eq!(status(&["./browser"]), Some(126));
    let ran = prefix.mif_run(&["--reach=both", "-i", "lo", "true"]);
    let why = "mif-run: --reach is preload, supervise or auto, not both (see mif-run --help)\n";
    assert_eq!(ran, Ran::new(2, "", why));
}

#[test]
fn go_is_refused_even_if_dynamic() {
    let prefix = Prefix::new("go");
    let note = "__asm__(\".section .note.go.buildid,\\\"a\\\",@note\\n.long 4,4,4\\n\
        .asciz \\\"Go\\\\0\\\"\\n.long 7\\n.previous\");\n";
    let info = "__attribute__((section(\".go.buildinfo\"), used)) int go = 1;\n";
    for (name, mark) in [("note", note), ("info", info)] {
        let program = prefix.compile(&format!("work/{name}"), &format!("{mark}{MAIN}"), &[]);
        prefix.is_refused(&program, &format!("PREFIX/work/{name}: {GO}"));
    }
    // Without section headers, the note's segment is left: e_shoff, e_shnum and e_shstrndx are 0.
    let mut bytes = fs::read(prefix.at("work/note")).unwrap();
    bytes[40..48].fill(0);
    bytes[60..64].fill(0);
    let stripped = prefix.script("work/stripped", "");
    fs::write(&stripped, bytes).unwrap();
    prefix.is_refused(&stripped, &format!("PREFIX/work/stripped: {GO}"));
}

#[test]
fn other_loaders_and_architectures_are_refused() {
    let prefix = Prefix::new("other");
    let musl = "-Wl,--dynamic-linker=/lib/ld-musl-x86_64.so.1";
    let musl = prefix.compile("work/musl", MAIN, &[musl]);
    let why = format!(
        "PREFIX/work/musl: for musl (/lib/ld-musl-x86_64.so.1), and libmif.so is for glibc; \
         {OTHER_LIBC}"
    );
    prefix.is_refused(&musl, &why);

    let program = prefix.compile("work/program", MAIN, &[]);
    let mut bytes = fs::read(&program).unwrap();
    // e_machine: a made-up one is built for no host.
    bytes[18..20].copy_from_slice(&0x7ff0_u16.to_ne_bytes());
    fs::write(&program, bytes).unwrap();
    let here = match std::env::consts::ARCH {
        "x86_64" => "x86-64",
        other => other,
    };
    let why = format!(
        "PREFIX/work/program: built for machine 32752 (64 bit), and libmif.so is for {here} \
         (64 bit); {OTHER_BUILD}"
    );
    prefix.is_refused(&program, &why);
}

#[test]
fn privileges_that_the_program_would_gain_are_refused() {
    if !is_root() {
        eprintln!("skipped: only root can make programs of other users");
        return;
    }
    let prefix = Prefix::new("privileges");
    let program = prefix.compile("work/program", MAIN, &[]);
    let path = program.to_str().unwrap();

    set_mode(&program, 0o4755);
    prefix.starts(&program);
    set_mode(&program, 0o2755);
    prefix.starts(&program);

    run("chown", &["65534:65534", path]).unwrap();
    set_mode(&program, 0o4755);
    let why = format!("PREFIX/work/program: setuid (it becomes user 65534), {PRIVILEGED}");
    prefix.is_refused(&program, &why);
    set_mode(&program, 0o2755);
    let why = format!("PREFIX/work/program: setgid (it becomes group 65534), {PRIVILEGED}");
    prefix.is_refused(&program, &why);
    set_mode(&program, 0o2745);
    prefix.starts(&program);

    set_mode(&program, 0o755);
    run("/sbin/setcap", &["cap_net_raw+ep", path]).expect("libcap2-bin is installed");
    prefix.starts(&program);
    let as_nobody = |arguments: &[&str]| {
        let mut command = prefix.command("setpriv");
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]);
        prefix.ran(command.args(["mif-run", "-i", "lo"]).args(arguments))
    };
    let expected = |chain: &str| {
        let why = format!("{chain}: it has file capabilities, {PRIVILEGED}");
        Ran::new(126, "", &format!("mif-run: cannot reach {why}"))
    };
    assert_eq!(as_nobody(&[path]), expected("PREFIX/work/program"));
    let script = prefix.script("work/script", &format!("#!{path}\n"));
    let chain = "PREFIX/work/script: its interpreter PREFIX/work/program";
    assert_eq!(as_nobody(&[script.to_str().unwrap()]), expected(chain));
    // The kernel drops the capabilities then, and the preload with them.
    let gaining_nothing = || {
        let mut command = prefix.command("setpriv");
        let options = [
            "--reuid=65533",
            "--regid=65533",
            "--clear-groups",
            "--no-new-privs",
        ];
        command
            .args(options)
            .env("SAY", "1")
            .args(["mif-run", "-i", "lo", path]);
        prefix.ran(&mut command)
    };
    assert_eq!(gaining_nothing(), expected("PREFIX/work/program"));
    run("/sbin/setcap", &["-r", path]).unwrap();
    set_mode(&program, 0o6755);
    assert_eq!(gaining_nothing(), Ran::new(0, "", "preloaded\n"));
}

#[test]
fn scripts_are_followed_to_their_interpreter() {
    let prefix = Prefix::new("scripts");
    let busybox = which("busybox");
    for (name, text) in [
        ("sh", "#!/bin/sh\n"),
        ("env", "#!/usr/bin/env sh\n"),
        ("split", "#!/usr/bin/env -S A=1 sh -e\n"),
        ("bare", "true\n"),
        ("empty", ""),
    ] {
        prefix.starts(&prefix.script(&format!("work/{name}"), text));
    }
    let sh = prefix.at("work/sh").display().to_string();
    prefix.starts(&prefix.script("work/nested", &format!("#!{sh}\n")));

    for (name, text) in [
        ("static", format!("#! {busybox} sh\n")),
        (
            "nested-static",
            format!("#!{}\n", prefix.at("work/static").display()),
        ),
    ] {
        let script = prefix.script(&format!("work/{name}"), &text);
        let why = format!("PREFIX/work/{name}: its interpreter {busybox}: {STATIC}");
        prefix.is_refused(&script, &why);
    }
    let script = prefix.script("work/env-static", "#!/usr/bin/env -S busybox sh\n");
    let why = format!("PREFIX/work/env-static: its interpreter {busybox}: {STATIC}");
    prefix.is_refused(&script, &why);
}

#[test]
fn an_emptied_environment_is_refused_where_children_do_not_keep_the_policy() {
    let prefix = Prefix::new("cleared");
    let script = prefix.script("work/cleared", "#!/usr/bin/env -S -i sh\n");
    let script = script.to_str().unwrap();
    let env = which("env");
    let policy = prefix.write(
        "work/inherit.toml",
        "use = \"lo\"\nchildren = \"inherit\"\n",
    );
    for (command, program) in [
        (&[script][..], "PREFIX/work/cleared"),
        (&["env", "-i", "true"], &env),
    ] {
        let ran = prefix.mif_run(&[&["-i", "lo"], command].concat());
        assert_eq!(ran, Ran::new(0, "", ""), "{program}");
        let options = [
            "--reach=preload",
            "-p",
            policy.to_str().unwrap(),
            "-d",
            "192.0.2.53",
        ];
        let ran = prefix.mif_run(&[&options, command].concat());
        let why = format!(
            "mif-run: cannot reach {program}: env -i empties the environment, LD_PRELOAD included; \
             nothing was started. Put mif-run behind it: env -i mif-run PROGRAM.\n"
        );
        assert_eq!(ran, Ran::new(126, "", &why), "{program}");
    }
}

#[test]
fn what_cannot_be_executed_is_told_as_by_a_shell() {
    let prefix = Prefix::new("shell");
    let circle = prefix.at("work/circle").display().to_string();
    prefix.script("work/circle", &format!("#!{circle}\n"));
    prefix.script("work/lost", "#!/no/such/interpreter\n");
    prefix.script("work/lost-env", "#!/usr/bin/env no-such-interpreter\n");
    prefix.script("work/binary", "\0\0\0\0");
    prefix.script("work/cut", "\x7fELF");
    prefix.write("work/plain", "true\n");
    for (program, status, message) in [
        ("no-such-program", 127, "no-such-program: command not found"),
        ("", 127, ": command not found"),
        (
            "./no-such-program",
            127,
            "./no-such-program: no such file or directory",
        ),
        ("./plain", 126, "./plain: permission denied"),
        (".", 127, ".: command not found"),
        ("./", 126, "./: is a directory"),
        (
            "./lost",
            127,
            "./lost: its interpreter /no/such/interpreter: no such file or directory",
        ),
        ("./lost-env", 127, "no-such-interpreter: command not found"),
        ("./binary", 126, "./binary: exec format error"),
        ("./cut", 126, "./cut: malformed: Could not read file magic"),
        ("./circle", 126, "./circle: too many interpreters in a row"),
    ] {
        let ran = prefix.mif_run(&["-i", "lo", program]);
        assert_eq!(
            ran,
            Ran::new(status, "", &format!("mif-run: {message}\n")),
            "{program:?}"
        );
    }
    let path = format!("{}:/bin", prefix.at("work").display());
    let ran = prefix.ran(
        prefix
            .command(prefix.at("bin/mif-run"))
            .env("PATH", path)
            .args(["-i", "lo", "plain"]),
    );
    assert_eq!(
        ran,
        Ran::new(126, "", "mif-run: plain: permission denied\n")
    );
}

#[test]
fn launchers_that_leave_the_preload_behind_are_refused() {
    let prefix = Prefix::new("launchers");
    prefix.compile("work/snap", MAIN, &[]);
    std::os::unix::fs::symlink("snap", prefix.at("work/browser")).unwrap();
    let snap = "a snap, whose sandbox does not see libmif.so; nothing was started. Use a build of \
        the program from the distribution, or a network namespace (ip netns exec).\n";
    prefix.are_refused(&["./browser"], &format!("./browser: {snap}"));
    prefix.are_refused(&["./snap", "run", "browser"], &format!("./snap: {snap}"));
    let ran = prefix.mif_run(&["-i", "lo", "./snap", "list"]);
    assert_eq!(ran, Ran::new(0, "", ""));

    prefix.compile("work/flatpak", MAIN, &[]);
    let flatpak = "a flatpak, whose sandbox does not see libmif.so; nothing was started. Use a \
        build of the program from the distribution, or a network namespace (ip netns exec).\n";
    let command = ["./flatpak", "run", "org.example.Browser"];
    prefix.are_refused(&command, &format!("./flatpak: {flatpak}"));
    let export = "work/flatpak.d/flatpak/exports/bin/org.example.Browser";
    let export = prefix.script(export, "#!/bin/sh\n");
    prefix.is_refused(
        &export,
        &format!(
            "{}: {flatpak}",
            prefix.masked(export.as_os_str().as_encoded_bytes())
        ),
    );
}

fn which(program: &str) -> String {
    let found = Command::new("sh")
        .args(["-c", "command -v \"$0\"", program])
        .output()
        .unwrap();
    let path = String::from_utf8(found.stdout).unwrap().trim().to_owned();
    assert!(!path.is_empty(), "{program} is installed");
    path
}

/// Runs a tool of the system; `None` if it fails.
fn run(program: &str, arguments: &[&str]) -> Option<()> {
    let ran = Command::new(program).args(arguments).output().ok()?;
    ran.status.success().then_some(())
}
