//! Programs with a resolver of their own read `/etc/resolv.conf` and find the servers of the
//! policy's network there: what they see of the file. Whom they ask then is in `names_matrix.rs`.

mod support;

use std::fmt::Write;

use mif_lab::{Command, Lab};
use support::BY_WAN1;

/// The host's own file in the lab.
const REAL: &str = "nameserver 10.1.0.1\\noptions timeout:1 attempts:1\\n";
const SHOWN: &str = "# mif: the policy's servers, in place of those of this host.\\n";

#[test]
fn node_knows_the_networks_servers() {
    let lab = Lab::new();
    let servers = "console.log(require('dns').getServers().join(' '))";
    let out = lab.mif(&BY_WAN1, &["node", "-e", servers]);
    assert_eq!(out.ok(), "10.2.0.1");
}

/// The file as every function that opens it shows it.
#[test]
fn the_view_by_every_function() {
    let lab = Lab::new();
    lab.pvds(
        "[pvd.work]\ninterface = \"wan1\"\n[pvd.work.dns]\n\
         servers = [\"10.2.0.1\", \"10.2.0.1:5353\", \"2001:db8:2::1\", \"10.2.0.3\", \"10.2.0.4\"]\n\
         search = [\"corp.test\", \"w.test\"]\n",
    );
    let text = format!(
        "{SHOWN}nameserver 10.2.0.1\\nnameserver 2001:db8:2::1\\nnameserver 10.2.0.3\\n\
         nameserver 10.2.0.4\\nsearch corp.test w.test\\n"
    );
    let expected = |text: &str| {
        let mut said = String::new();
        for (name, cloexec) in [
            ("open", 0),
            ("open64", 1),
            ("openat", 0),
            ("openat64", 1),
            ("__open_2", 0),
            ("__open64_2", 1),
            ("__openat_2", 0),
            ("__openat64_2", 1),
        ] {
            writeln!(said, "{name}: cloexec {cloexec} at 0 write refused {text}").unwrap();
        }
        let lines = text.replace("\\n", "|");
        for (name, cloexec) in [("fopen r", 0), ("fopen64 rbe", 1), ("fopen rm", 0)] {
            writeln!(said, "{name}: cloexec {cloexec} at 0 {lines} end 1").unwrap();
        }
        said
    };
    let probe = || lab.command(lab.probe("resolv_conf")).arg("view");
    let said = |run: Command<'_>| {
        let out = run.run();
        let (said, errno) = out.ok().rsplit_once('\n').unwrap();
        (format!("{said}\n"), errno.to_owned())
    };
    let untouched = "errno EXDEV EXDEV".to_owned();
    let native = said(probe());
    assert_eq!(native, (expected(REAL), untouched.clone()));
    assert_eq!(said(probe().preload()), native);
    assert_eq!(said(probe().mif(&["-i", "wan1"])), native);
    assert_eq!(
        said(probe().mif(&["-i", "work"])),
        (expected(&text), untouched)
    );
    for (options, text) in [
        (&["-d", "10.3.0.1"][..], "nameserver 10.3.0.1\\n"),
        (
            &["-i", "work", "-d", "10.3.0.1"],
            "nameserver 10.3.0.1\\nsearch corp.test w.test\\n",
        ),
    ] {
        assert_eq!(
            said(probe().mif(options)).0,
            expected(&format!("{SHOWN}{text}"))
        );
    }
    // A server that cannot be named there is no reason to show none.
    assert_eq!(
        said(probe().mif(&["-i", "wan1", "-d", "10.2.0.1:5353"])).0,
        expected(REAL)
    );
    // What it says while the network is away is what it says when it comes back.
    lab.link_down("wan1");
    assert_eq!(said(probe().mif(&["-i", "work"])).0, expected(&text));
}

#[test]
fn other_files_and_other_ways_are_libcs() {
    let lab = Lab::new();
    let probe = || lab.command(lab.probe("resolv_conf")).arg("others");
    let native = probe().run();
    assert!(native.ok().lines().count() > 60, "{native}");
    for out in [probe().preload().run(), probe().mif(&BY_WAN1).run()] {
        assert_eq!(out.ok(), native.ok());
    }
}

/// A policy that is the file itself is read once, and is as faulty as any.
#[test]
fn the_file_as_a_policy() {
    let lab = Lab::new();
    let command = lab.command("cat").arg("/etc/resolv.conf").preload();
    let out = command.env("MIF_POLICY", "/etc/resolv.conf").run();
    assert!(out.stderr.contains("/etc/resolv.conf:1:"), "{out}");
    assert_eq!(out.ok().replace('\n', "\\n") + "\\n", REAL);
}

#[test]
fn nothing_is_kept_and_any_place_will_do() {
    let lab = Lab::new();
    let probe = || lab.command(lab.probe("resolv_conf"));
    let out = probe().args(["fds", "500"]).mif(&BY_WAN1).run();
    assert_eq!(out.ok(), "0 more");
    let out = probe().arg("signal").mif(&BY_WAN1).run();
    let shown = format!("{SHOWN}nameserver 10.2.0.1\\n");
    // The second is cat's, in the child.
    let in_child = shown.replace("\\n", "\n");
    let expected = format!("handler: cloexec 0 at 0 write refused {shown}\n{in_child}");
    assert_eq!(out.stdout, expected);
}

#[test]
fn the_log_says_so() {
    let lab = Lab::new();
    let out = lab.mif(
        &["-v", "-i", "wan1", "-d", "10.2.0.1"],
        &["cat", "/etc/resolv.conf"],
    );
    assert!(out.ok().contains("nameserver 10.2.0.1"), "{out}");
    assert!(
        out.stderr
            .contains("open /etc/resolv.conf: a view with the servers [10.2.0.1]"),
        "{out}"
    );
}
