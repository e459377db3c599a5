//! The destination examples of RFC 6724 section 10, and what the RFC leaves to reason.

use std::net::IpAddr;

use mif_policy::Prefer;
use mif_resolve::order::{Candidate, DEFAULT_TABLE, Mobility, Row, Selection, sort, sort_by};

const EXAMPLES: &str = include_str!("rfc6724.txt");

#[test]
fn the_examples_of_the_rfc_hold() {
    let mut table = DEFAULT_TABLE.to_vec();
    let mut seen = 0;
    for line in EXAMPLES
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
    {
        if let Some(rows) = line.strip_prefix("table") {
            table = DEFAULT_TABLE.to_vec();
            rows.split(',')
                .filter(|row| !row.is_empty())
                .for_each(|text| put(&mut table, row(text)));
            continue;
        }
        let (id, best_first) = line.split_once(": ").unwrap();
        let wanted: Vec<_> = best_first.split(", ").map(candidate).collect();
        for rotation in 0..wanted.len() {
            let mut given = wanted.clone();
            given.rotate_left(rotation);
            sort_by(&mut given, &table);
            assert_eq!(given, wanted, "{id}");
        }
        seen += 1;
    }
    assert_eq!(seen, 23);
}

/// A row of the same prefix is replaced.
fn put(table: &mut Vec<Row>, row: Row) {
    table.retain(|old| (old.prefix, old.length) != (row.prefix, row.length));
    table.push(row);
}

/// `2002::/16 30 2`.
fn row(text: &str) -> Row {
    let mut words = text.trim().split([' ', '/']);
    let mut word = || words.next().unwrap();
    let prefix = word().parse().unwrap();
    Row::new(
        prefix,
        word().parse().unwrap(),
        word().parse().unwrap(),
        word().parse().unwrap(),
    )
}

/// `2001:db8::1 from fe80::1-d`.
fn candidate(text: &str) -> Candidate {
    let (destination, source) = text.split_once(" from ").unwrap();
    let (source, flag) = source.split_once('-').unwrap_or((source, ""));
    let mobility = if flag == "c" {
        Mobility::CareOf
    } else {
        Mobility::Home
    };
    Candidate {
        deprecated: flag == "d",
        mobility,
        ..Candidate::new(destination.parse().unwrap(), Some(source.parse().unwrap()))
    }
}

fn sorted(pairs: &[(&str, &str)]) -> Vec<String> {
    let source = |text: &str| text.parse::<IpAddr>().ok();
    let candidate = |&(to, from): &(&str, &str)| Candidate::new(to.parse().unwrap(), source(from));
    let mut candidates: Vec<_> = pairs.iter().map(candidate).collect();
    sort(&mut candidates);
    candidates
        .iter()
        .map(|candidate| candidate.destination.to_string())
        .collect()
}

#[test]
fn what_cannot_be_reached_comes_last() {
    let found = sorted(&[("2001:db8::1", "-"), ("192.0.2.1", "192.0.2.9")]);
    assert_eq!(found, ["192.0.2.1", "2001:db8::1"]);
    // Neither has a source of its scope or label, and the first is of higher precedence.
    let found = sorted(&[("2001:db8::1", "-"), ("2002:c000:201::1", "fe80::1")]);
    assert_eq!(found, ["2002:c000:201::1", "2001:db8::1"]);
}

#[test]
fn ipv4_addresses_keep_the_order_of_the_server() {
    let pairs = [
        ("198.51.100.1", "192.0.2.9"),
        ("192.0.2.1", "192.0.2.9"),
        ("203.0.113.1", "192.0.2.9"),
    ];
    assert_eq!(sorted(&pairs), pairs.map(|(to, _)| to));
}

#[test]
fn the_longest_prefix_ends_before_the_interface_identifier() {
    let pairs = [
        ("2001:db8::ffff", "2001:db8::1"),
        ("2001:db8::2", "2001:db8::1"),
    ];
    assert_eq!(sorted(&pairs), pairs.map(|(to, _)| to));
}

#[test]
fn a_policy_has_the_last_word_on_precedences_only() {
    let order = |selection: Selection<'_>, pairs: &[(&str, &str)]| -> Vec<String> {
        let address = |text: &str| text.parse::<IpAddr>().unwrap();
        let candidate =
            |&(to, from): &(&str, &str)| Candidate::new(address(to), Some(address(from)));
        let mut candidates: Vec<_> = pairs.iter().map(candidate).collect();
        selection.sort(&mut candidates);
        let told = candidates
            .iter()
            .map(|candidate| candidate.destination.to_string());
        told.collect()
    };
    let by = |prefer, table| Selection { table, prefer };
    let (v4, v6) = (("192.0.2.1", "192.0.2.9"), ("2001:db8::1", "2001:db8::9"));
    let ula = ("fd00::1", "fd00::9");
    for (prefer, first) in [
        (None, v6.0),
        (Some(Prefer::V6), v6.0),
        (Some(Prefer::V4), v4.0),
    ] {
        assert_eq!(order(by(prefer, &[]), &[v4, v6])[0], first, "{prefer:?}");
    }
    // By default IPv4 stands before unique local addresses.
    for (prefer, first) in [(None, v4.0), (Some(Prefer::V6), ula.0)] {
        assert_eq!(order(by(prefer, &[]), &[ula, v4])[0], first, "{prefer:?}");
    }
    // A source of another label is no better for its family.
    let foreign = ("2001:db8::1", "fd00::9");
    assert_eq!(order(by(Some(Prefer::V6), &[]), &[foreign, v4])[0], v4.0);

    let mapped = |text: &str| text.parse().unwrap();
    let rows = [Row::new(mapped("::ffff:0:0"), 96, 50, 4)];
    assert_eq!(order(by(None, &rows), &[v6, v4, ula]), [v4.0, v6.0, ula.0]);
    let rows = [Row::new(mapped("fd00::"), 8, 45, 13)];
    assert_eq!(order(by(None, &rows), &[v6, v4, ula]), [ula.0, v6.0, v4.0]);
}
