//! Golden cases: one file holds all texts of a policy.
//!
//! Lines at the top that begin with `#!` give the options (`#! -i NAME`, `-s`, `-d`) or say that
//! there is no application's file (`#! no app`). A line `#--- NAME` begins a `pvds.toml` of that
//! name, whose lines count from the next one, and `#--- @NAME` a list.

use std::fs;
use std::path::{Path, PathBuf};

use mif_policy::{Faults, Input, Policy, Text, parse_with};

/// The cases of a folder of `tests/golden`, in order of name.
pub(crate) fn cases(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(folder);
    let entries = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let mut cases: Vec<_> = entries
        .filter(|path| path.extension().unwrap() == "toml")
        .collect();
    cases.sort();
    assert!(!cases.is_empty());
    cases
}

/// What a case comes to.
pub(crate) fn policy(name: &str, case: &str) -> Result<Policy, Faults> {
    let mut input = Input::default();
    let mut lists = Vec::new();
    let mut parts = case.split("#--- ");
    let app = parts.next().unwrap();
    input.app = Some(Text {
        path: name.into(),
        text: app.into(),
    });
    for line in app.lines().map_while(|line| line.strip_prefix("#! ")) {
        match line.split_once(' ').unwrap_or((line, "")) {
            ("-i", value) => input.options.interfaces.push(value.into()),
            ("-s", value) => input.options.sources.push(value.into()),
            ("-d", value) => input.options.dns.push(value.into()),
            _ => input.app = None,
        }
    }
    for part in parts {
        let (path, text) = part.split_once('\n').unwrap_or((part, ""));
        let text = Text {
            path: path.into(),
            text: text.into(),
        };
        if path.starts_with('@') {
            lists.push(text);
        } else {
            input.pvds.push(text);
        }
    }
    parse_with(&input, &|name| {
        let list = lists.iter().find(|list| &list.path[1..] == name);
        list.cloned().ok_or("is not there".to_owned())
    })
}
