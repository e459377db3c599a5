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
        "cargo build --release --locked -p mif -p mif-cli",
        "cargo build --release --locked -p mif-tls",
        "installed PREFIX/root/opt/mif/bin/mif-run",
        "installed PREFIX/root/opt/mif/bin/mif",
        "installed PREFIX/root/opt/mif/lib/mif/libmif.so",
        "installed PREFIX/root/opt/mif/lib/mif/libmif_tls.so",
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
