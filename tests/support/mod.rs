//! What tests of real programs under `-i wan1` share.

#![allow(dead_code, reason = "each test program uses a part of it")]

pub(crate) mod starts;

use std::{path::PathBuf, process};

use mif_lab::{Lab, Output};

pub(crate) const WHO: &str = "203.0.113.10";
pub(crate) const WHO6: &str = "2001:db8:ff::10";
pub(crate) const WAN1: &str = "10.2.0.2";
pub(crate) const WAN1_6: &str = "2001:db8:2::2";
/// Options of `mif-run`.
pub(crate) const BY_WAN1: [&str; 4] = ["-i", "wan1", "-d", "10.2.0.1"];
/// What the host does natively, too: the same server over the same network.
pub(crate) const AS_NATIVELY: [&str; 4] = ["-i", "wan0", "-d", "10.1.0.1"];

/// Asserts that the other providers have seen no packet.
#[track_caller]
pub(crate) fn only_by_wan1(lab: &Lab) {
    assert!(lab.packets("rb") > 0);
    assert_eq!([lab.packets("ra"), lab.packets("rv")], [0, 0]);
}

/// Asserts that nothing leaves the host while `run` does.
#[track_caller]
pub(crate) fn nothing_leaves(lab: &Lab, run: impl FnOnce()) {
    let seen = || {
        let packets = ["ra", "rb", "rv"].map(|router| lab.packets(router));
        (packets, lab.arrivals().len())
    };
    let before = seen();
    run();
    assert_eq!(seen(), before);
}

/// Asserts that `rb`'s server was asked these, as `TYPE NAME`, and nobody else anything.
#[track_caller]
pub(crate) fn only_rb_was_asked(lab: &Lab, wanted: &[&str]) {
    let queries = lab.queries("rb");
    for query in wanted {
        let by_wan1 = format!("{query} 10.2.0.2");
        assert!(queries.contains(&by_wan1), "{query} is not in {queries:?}");
    }
    for router in ["ra", "rv"] {
        assert_eq!(lab.queries(router), [""; 0]);
        assert_eq!(lab.dns_packets(router), 0);
    }
}

/// Runs a probe natively and under mif, where it must say the same.
#[track_caller]
pub(crate) fn as_natively(lab: &Lab, probe: &str, words: &[&str]) {
    let program = lab.probe(probe);
    let words = [&[program.to_str().unwrap()], words].concat();
    let (native, ours) = (lab.run(&words), lab.mif(&AS_NATIVELY, &words));
    assert_eq!(ours.ok(), native.ok(), "{words:?}");
    assert_eq!(ours.stderr, native.stderr, "{words:?}");
}

/// Runs a probe by wan1, with the names of its server.
#[track_caller]
pub(crate) fn under_wan1(lab: &Lab, probe: &str, words: &[&str]) -> Output {
    let program = lab.probe(probe);
    lab.mif(&BY_WAN1, &[&[program.to_str().unwrap()], words].concat())
}

/// Compiles a probe that is no C program, or not as usual, to a file of that name.
pub(crate) fn compile(
    lab: &Lab,
    compiler: &str,
    flags: &[&str],
    source: &str,
    to: &str,
) -> PathBuf {
    let source = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/probes")
        .join(source);
    let to = lab.dir().join("bin").join(to);
    let out = process::Command::new(compiler)
        .args([
            "-O1",
            "-Wall",
            "-Wextra",
            "-Werror",
            "-D_GNU_SOURCE",
            "-pthread",
        ])
        .arg("-o")
        .args([&to, &source])
        .args(flags)
        .output()
        .unwrap_or_else(|error| panic!("{compiler} cannot be run: {error}"));
    assert!(
        out.status.success(),
        "{}",
        String::from_utf8_lossy(&out.stderr)
    );
    to
}

/// Compiles `tests/probes/NAME.c` to a library.
pub(crate) fn preload_library(lab: &Lab, name: &str) -> String {
    let flags = ["-shared", "-fPIC"];
    let source = format!("{name}.c");
    let path = compile(lab, "gcc", &flags, &source, &format!("{name}.so"));
    path.to_str().unwrap().to_owned()
}
