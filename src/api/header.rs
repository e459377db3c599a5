//! That `include/mif.h` says to C what is so here: which functions there are, how structures lie in memory,
//! and which numbers the names stand for.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::mem::offset_of;
use std::path::Path;
use std::process::Command;

use mif_domains::{Element, Id, Info};

use super::id::CId;
use super::kind::{KINDS, name_of};
use super::message::{CMessage, F_LAST, F_PREFER, F_V4, F_V6};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn header() -> String {
    let text = std::fs::read_to_string(root().join("include/mif.h")).unwrap();
    // Without comments.
    let mut parts = text.split("/*");
    let first = parts.next().unwrap().to_owned();
    parts.fold(first, |code, part| code + part.split_once("*/").unwrap().1)
}

/// What a C program prints, with the header in it: names and numbers.
fn c_says(about: &str, expressions: &[String]) -> BTreeMap<String, u64> {
    let mut source = "#include \"mif.h\"\n#include <stdio.h>\nint main(void) {\n".to_owned();
    for expression in expressions {
        let print = r#"printf("%s=%llu\n""#;
        let value = format!("(unsigned long long)({expression})");
        writeln!(source, "{print}, {expression:?}, {value});").unwrap();
    }
    source.push_str("return 0; }\n");
    let folder = std::env::temp_dir().join(format!("mif-{about}-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let (c, program) = (folder.join("header.c"), folder.join("header"));
    std::fs::write(&c, source).unwrap();
    let mut compiler = Command::new("gcc");
    let words = ["-std=c99", "-pedantic", "-Wall", "-Wextra", "-Werror", "-I"];
    compiler.args(words).arg(root().join("include"));
    let built = compiler.arg("-o").arg(&program).arg(&c).status();
    assert!(built.unwrap().success(), "gcc does not compile it");
    let said = Command::new(&program).output().unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    let said = String::from_utf8(said.stdout).unwrap();
    let pairs = said.lines().map(|line| {
        let (name, value) = line.split_once('=').unwrap();
        (name.to_owned(), value.parse().unwrap())
    });
    pairs.collect()
}

/// The words of C in a text that begin so.
fn words<'t>(text: &'t str, prefix: &str) -> Vec<&'t str> {
    let is_of_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let words = text.split(|c| !is_of_word(c));
    words.filter(|word| word.starts_with(prefix)).collect()
}

#[test]
fn each_number_has_its_name_in_c_and_no_other() {
    let header = header();
    let mut names: Vec<String> = words(&header, "MIF_")
        .into_iter()
        .map(str::to_owned)
        .collect();
    names.retain(|name| name != "MIF_H");
    let mut wanted = BTreeMap::new();
    for kind in KINDS {
        let name = std::str::from_utf8(name_of(kind).unwrap()).unwrap();
        wanted.insert(name.trim_end_matches('\0').to_owned(), u64::from(kind));
    }
    let screaming = |name: String| {
        let split = name.chars().enumerate().flat_map(|(at, c)| {
            let split = (c.is_uppercase() && at > 0).then_some('_');
            split.into_iter().chain(c.to_uppercase())
        });
        split.collect::<String>()
    };
    for element in Element::ALL {
        let name = format!("MIF_ELEMENT_{}", screaming(format!("{element:?}")));
        wanted.insert(name, u64::from(element as u32));
    }
    for info in Info::ALL {
        let name = format!("MIF_INFO_{}", screaming(format!("{info:?}")));
        wanted.insert(name, u64::from(info as u32));
    }
    let others = [
        ("MIF_PVDID_UTF8", u64::from(Id::UTF8)),
        ("MIF_PVDID_FQDN", u64::from(Id::FQDN)),
        ("MIF_PVDID_INTERFACE", u64::from(Id::INTERFACE)),
        ("MIF_F_V4", u64::from(F_V4)),
        ("MIF_F_V6", u64::from(F_V6)),
        ("MIF_F_PREFER", u64::from(F_PREFER)),
        ("MIF_F_LAST", u64::from(F_LAST)),
        ("MIF_INFINITE", u64::from(u32::MAX)),
        ("MIF_TEXT_MAX", CMessage::new().text.len() as u64),
    ];
    wanted.extend(others.map(|(name, value)| (name.to_owned(), value)));
    assert_eq!(c_says("numbers", &names), wanted);
}

#[test]
fn structures_lie_in_memory_as_c_has_them() {
    let mut wanted = BTreeMap::new();
    let mut want = |expression: &str, value: usize| {
        wanted.insert(expression.to_owned(), value as u64);
    };
    want("sizeof(mif_pvdid_t)", size_of::<CId>());
    want("sizeof(struct mif_msg)", size_of::<CMessage>());
    macro_rules! offsets {
        ($($c:literal $rust:ident)*) => { $(
            want(concat!("offsetof(struct mif_msg, ", $c, ")"), offset_of!(CMessage, $rust));
        )* };
    }
    offsets! {
        "size" size "type" kind "flags" flags "ifid" ifid "id" id "status" status "fd" fd
        "socktype" socket_type "element" element "info" info "valid_lifetime" valid_lifetime
        "preferred_lifetime" preferred_lifetime "pvd" pvd "src" source "dst" destination
        "text" text
    }
    let [kind, length, value] = CId::offsets();
    want("offsetof(mif_pvdid_t, type)", kind);
    want("offsetof(mif_pvdid_t, length)", length);
    want("offsetof(mif_pvdid_t, value)", value);
    let expressions: Vec<String> = wanted.keys().cloned().collect();
    assert_eq!(c_says("structures", &expressions), wanted);
}

#[test]
fn each_function_of_the_header_is_exported_and_no_other() {
    let header = header();
    let mut declared: Vec<&str> = header
        .match_indices('(')
        .filter_map(|(at, _)| words(&header[..at], "").pop())
        .filter(|name| {
            name.starts_with("mif_") || ["bind2addrsel", "inet6_is_srcaddr"].contains(name)
        })
        .collect();
    declared.sort_unstable();
    let symbols = std::fs::read_to_string(root().join("tests/symbols.txt")).unwrap();
    let exported = symbols.lines().filter(|name| {
        name.starts_with("mif_") || ["bind2addrsel", "inet6_is_srcaddr"].contains(name)
    });
    assert_eq!(declared, exported.collect::<Vec<_>>());
}
