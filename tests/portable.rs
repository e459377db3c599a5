//! What the library asks of the system that it is loaded into.

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use mif_lab::Lab;
use support::{WAN1, WHO, only_by_wan1};

/// The versions of glibc that an object asks for symbols of.
fn glibc_versions(object: &Path) -> BTreeSet<(u32, u32)> {
    let out = Command::new("objdump")
        .arg("--dynamic-syms")
        .arg(object)
        .output();
    let out = out.expect("objdump of binutils, which gcc comes with");
    assert!(out.status.success(), "{out:?}");
    let symbols = String::from_utf8(out.stdout).unwrap();
    let versions = symbols.split("(GLIBC_").skip(1);
    let version = |text: &str| {
        let mut parts = text.split_once(')')?.0.split('.').map(str::parse);
        Some((parts.next()?.ok()?, parts.next()?.ok()?))
    };
    versions.map(|text| version(text).expect(text)).collect()
}

#[test]
fn the_library_asks_for_nothing_newer_than_glibc_2_31() {
    let lab = Lab::new();
    let versions = glibc_versions(&lab.library());
    assert!(
        !versions.is_empty() && *versions.last().unwrap() <= (2, 31),
        "{versions:?}"
    );
}

/// A root file system with nothing but a program, libc and the dynamic linker.
#[test]
fn it_works_where_there_is_no_libgcc_s() {
    let lab = Lab::new();
    let (program, library) = (lab.probe("connect"), lab.library());
    let root = lab.dir().join("root");
    let linked = Command::new("ldd").arg(&program).output().unwrap();
    let linked = String::from_utf8(linked.stdout).unwrap();
    let shared = linked
        .split_whitespace()
        .filter(|word| word.starts_with('/'))
        .map(Path::new);
    for file in shared.chain([&*program, &*library]) {
        let copy = root.join(file.strip_prefix("/").unwrap());
        fs::create_dir_all(copy.parent().unwrap()).unwrap();
        fs::copy(file, copy).unwrap();
    }
    assert!(
        linked.contains("libc.so") && !linked.contains("libgcc_s"),
        "{linked}"
    );

    let connect = |interface: &str| {
        let command = lab
            .command("chroot")
            .root()
            .preload()
            .env("MIF_INTERFACE", interface);
        command.arg(&root).arg(&program).args([WHO, "7001"]).run()
    };
    assert_eq!(connect("wan1").ok(), WAN1);
    only_by_wan1(&lab);
    assert_eq!(connect("none").ok(), "ENETUNREACH");
}

/// What is beside the library is std's, which on Debian 12 binds to the glibc that is there.
#[test]
fn the_tool_and_the_companion_ask_for_nothing_newer_than_glibc_2_34() {
    let lab = Lab::new();
    for object in ["bin/mif", "lib/mif/libmif_tls.so"] {
        let versions = glibc_versions(&lab.dir().join(object));
        assert!(
            !versions.is_empty() && *versions.last().unwrap() <= (2, 34),
            "{object}: {versions:?}"
        );
    }
}
