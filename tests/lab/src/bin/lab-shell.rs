//! `lab-shell [--root] [COMMAND...]`: a shell, or one command, on the host of a fresh lab.
//! `scripts/lab` builds and calls it.

use std::{env, process::ExitCode};

use mif_lab::Lab;

const TOPOLOGY: &str = "\
host ── wan0 10.1.0.2, 2001:db8:1::2 (the default) ── ra ──┐
     ── wan1 10.2.0.2, 2001:db8:2::2 ──────────────── rb ──┼── far 203.0.113.10, 2001:db8:ff::10, …
     ── vpn0 10.3.0.2 ─────────────────────────────── rv ──┘
DNS on each router (10.1.0.1, 10.2.0.1, 10.3.0.1): who.test, split.test (differs), only-a.test, …
Try:  curl http://who.test/     mif-run -i wan1 -d 10.2.0.1 curl http://who.test/
";

fn main() -> ExitCode {
    let mut words: Vec<String> = env::args().skip(1).collect();
    let root = words.first().is_some_and(|word| word == "--root");
    if root {
        words.remove(0);
    }
    let lab = Lab::new();
    if words.is_empty() {
        print!("{TOPOLOGY}");
        if root {
            println!("You are root here: ip link set wan1 down; ip netns exec rb nft list ruleset");
        } else {
            println!("You have no privileges here; `scripts/lab --root` gives them.");
        }
        println!("The lab ends with this shell.");
        words = vec!["bash".to_owned(), "--norc".to_owned()];
    }
    let bin = lab.dir().join("bin");
    let path = format!(
        "{}:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
        bin.display()
    );
    let mut command = lab
        .command(&words[0])
        .args(&words[1..])
        .env("PATH", path)
        .env("PS1", "lab$ ");
    if let Some(term) = env::var_os("TERM") {
        command = command.env("TERM", term);
    }
    if root {
        command = command.root();
    }
    let status = command.interactive();
    ExitCode::from(
        status
            .code()
            .and_then(|code| u8::try_from(code).ok())
            .unwrap_or(1),
    )
}
