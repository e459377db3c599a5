//! `scripts/install`, with a `cargo` that has nothing to build.

use std::fs;

use crate::{Prefix, Ran, script};

#[test]
fn what_is_installed_runs() {
    let prefix = Prefix::new("install");
    let target = prefix.at("built");
    prefix.library("built/release/libmif.so");
    prefix.library("built/release/libmif_tls.so");
    fs::copy(env!("CARGO_BIN_EXE_mif"), target.join("release/mif")).unwrap();
    prefix.script("bin/cargo", "#!/bin/sh\necho \"cargo $*\"\n");
    let install = |arguments: &[&str]| {
        let mut command = prefix.command(script("install"));
        command
            .env("CARGO_TARGET_DIR", &target)
            .env("DESTDIR", prefix.at("root"));
        prefix.ran(command.args(arguments))
    };
    let ran = install(&["/opt/mif/"]);
    assert_eq!(
        (ran.status, ran.stderr.as_str()),
        (Some(0), ""),
        "{}",
        ran.stdout
    );
    for line in [
        "cargo rustc --release --locked -p mif --lib --crate-type cdylib",
        "cargo build --release --locked -p mif-cli",
        "cargo build --release --locked -p mif-tls",
        "installed PREFIX/root/opt/mif/bin/mif-run",
        "installed PREFIX/root/opt/mif/bin/mif",
        "installed PREFIX/root/opt/mif/lib/mif/libmif.so",
        "installed PREFIX/root/opt/mif/lib/mif/libmif_tls.so",
        "installed PREFIX/root/opt/mif/lib/libmif.so.0",
        "installed PREFIX/root/opt/mif/lib/libmif.so",
        "installed PREFIX/root/opt/mif/include/mif.h",
        "installed PREFIX/root/opt/mif/lib/pkgconfig/mif.pc",
        "installed PREFIX/root/opt/mif/share/doc/mif/examples/pvds.c",
        "installed PREFIX/root/opt/mif/share/man/man1/mif.1",
        "installed PREFIX/root/opt/mif/share/man/man1/mif-explain.1",
        "installed PREFIX/root/opt/mif/share/man/man1/mif-run.1",
        "installed PREFIX/root/opt/mif/share/bash-completion/completions/mif-run",
        "installed PREFIX/root/opt/mif/share/zsh/site-functions/_mif",
        "installed PREFIX/root/opt/mif/share/fish/vendor_completions.d/mif.fish",
        "Note: /opt/mif/bin is not in PATH.",
    ] {
        assert!(
            ran.stdout.lines().any(|other| other == line),
            "{line} in {}",
            ran.stdout
        );
    }
    let program = prefix.at("root/opt/mif/bin/mif-run");
    let ran = prefix.ran(
        prefix
            .command(program)
            .args(["-ilo", "sh", "-c", "echo $LD_PRELOAD"]),
    );
    assert_eq!(
        ran,
        Ran::new(0, "PREFIX/root/opt/mif/lib/mif/libmif.so\n", "")
    );

    let share = prefix.at("root/opt/mif/share");
    let page = fs::read_to_string(share.join("man/man1/mif-run.1")).unwrap();
    assert!(
        page.starts_with(".ie") && page.contains("ENETUNREACH"),
        "{page}"
    );
    assert!(!share.join("man/man1/mif-preflight.1").exists());
    // Completions that a shell does not understand would greet every user with an error.
    for name in ["mif", "mif-run"] {
        let file = share.join("bash-completion/completions").join(name);
        let complete = format!(
            ". {}; function=$(complete -p {name} | sed 's/.*-F \\([^ ]*\\).*/\\1/')
            COMP_WORDS=({name} --) COMP_CWORD=1; $function {name} -- {name}; echo ${{COMPREPLY[*]}}",
            file.display()
        );
        let ran = prefix.ran(prefix.command("bash").args(["-c", &complete]));
        assert_eq!((ran.status, &*ran.stderr), (Some(0), ""));
        assert!(ran.stdout.contains("--version"), "{}", ran.stdout);
    }

    for (arguments, message) in [
        (
            &[][..],
            "usage: scripts/install PREFIX (for example /usr/local)",
        ),
        (&["opt"], "PREFIX is not an absolute path: opt"),
        (
            &["/opt/a b"],
            "PREFIX has a space, a colon or a dollar sign, which LD_PRELOAD cannot express: /opt/a b",
        ),
    ] {
        let expected = Ran::new(2, "", &format!("install: {message}\n"));
        assert_eq!(install(arguments), expected);
    }
}
