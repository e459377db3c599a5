//! What mif is made of, so that a change of it is seen: where crates come from, under which licences,
//! and which of them are in the objects that get into every program. Nothing is fetched: known
//! vulnerabilities need a database (`cargo audit`, `cargo deny check advisories`).

use std::path::Path;
use std::process::Command;
use std::{env, fs};

use serde_json::Value;

const REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";
/// What may be linked into a program under mif's own licences, with no more than notices.
const LICENCES: [&str; 6] = [
    "MIT",
    "Apache-2.0",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "ISC",
    "Unicode-3.0",
];
const TARGET: &str = "x86_64-unknown-linux-gnu";

fn cargo(words: &[&str]) -> String {
    let out = Command::new(env!("CARGO"))
        .args(words)
        .args(["--offline", "--locked"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&out.stderr);
    assert!(out.status.success(), "{words:?}: {said}");
    String::from_utf8(out.stdout).unwrap()
}

/// One of the alternatives in each part of an SPDX expression.
fn is_allowed(licence: &str) -> bool {
    licence.split(" AND ").all(|part| {
        let part = part.trim_matches(['(', ')']).replace('/', " OR ");
        let mut choices = part.split(" OR ");
        choices.any(|choice| LICENCES.contains(&choice.trim()))
    })
}

#[test]
fn crates_come_from_the_registry_under_licences_that_are_allowed() {
    let words = [
        "metadata",
        "--format-version=1",
        "--filter-platform",
        TARGET,
    ];
    let metadata: Value = serde_json::from_str(&cargo(&words)).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let ours = metadata["workspace_members"].as_array().unwrap();
    assert!(packages.len() > 50, "{}", packages.len());
    for package in packages {
        let name = &package["name"];
        let source = &package["source"];
        let is_ours = ours.contains(&package["id"]);
        assert!(source == REGISTRY || is_ours, "{name} is from {source}");
        let licence = package["license"].as_str().unwrap_or("none");
        assert!(is_allowed(licence), "{name} is under {licence}");
    }
    for (licence, allowed) in [
        ("MIT/Apache-2.0", true),
        ("GPL-3.0 OR MIT", true),
        ("(MIT OR Apache-2.0) AND Unicode-3.0", true),
        ("MIT AND GPL-3.0", false),
        ("none", false),
    ] {
        assert_eq!(is_allowed(licence), allowed, "{licence}");
    }
}

/// A crate more in these lists is code more in every program: ask what it costs and who keeps it, then
/// `UPDATE_EXPECT=1 cargo test --test dependencies` writes them.
#[test]
fn the_objects_hold_the_crates_that_are_listed_and_libmif_each_once() {
    for (package, object) in [("mif", "libmif"), ("mif-tls", "libmif_tls")] {
        let words = ["tree", "--package", package, "--target", TARGET];
        let form = [
            "--edges=normal,no-proc-macro",
            "--prefix=none",
            "--format={p}",
        ];
        let tree = cargo(&[&words[..], &form].concat());
        let name = |line: &str| {
            Some(
                line.split_whitespace()
                    .take(2)
                    .collect::<Vec<_>>()
                    .join(" "),
            )
        };
        let mut crates: Vec<String> = tree.lines().filter_map(name).collect();
        crates.sort();
        crates.dedup();
        // Versions are Cargo.lock's to say.
        let mut names: Vec<_> = crates
            .iter()
            .filter_map(|one| one.split(' ').next())
            .collect();
        names.dedup();
        assert!(
            package != "mif" || names.len() == crates.len(),
            "two versions of one crate: {crates:?}"
        );
        let list = names.join("\n") + "\n";
        let path =
            Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/dependencies/{object}.txt"));
        if env::var_os("UPDATE_EXPECT").is_some() {
            fs::write(&path, &list).unwrap();
        }
        let listed = fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(listed, list, "{}", path.display());
    }
}
