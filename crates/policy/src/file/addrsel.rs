//! `[addrsel]`: the choice and order of addresses (RFC 6724), of an application's file or of one
//! network.

use super::read::{Table, Value};
use super::report::Report;
use super::words;
use super::written::finish;
use crate::addrsel::{AddressSelection, Prefer, PreferSource, Row};
use crate::fault::Wrong;

/// Where the keys of the table stand.
pub(super) const PLACE: &str = "[addrsel]";
/// Where the keys of its rows do.
pub(super) const PLACE_OF_ROW: &str = "a row of [addrsel] `table`";

/// Reads the table, if it is there.
pub(super) fn read(value: Option<Value<'_>>, report: &mut Report<'_>) -> AddressSelection {
    let Some(mut table) = value.and_then(|value| value.into_table(PLACE, report)) else {
        return AddressSelection::default();
    };
    let addrsel = read_table(&mut table, report);
    finish(table, report);
    addrsel
}

/// Reads the entries of the table.
pub(super) fn read_table(table: &mut Table<'_>, report: &mut Report<'_>) -> AddressSelection {
    let rows = table.take("table").map(|value| {
        let expected = "{ prefix = \"…\", precedence = …, label = … }, or a list of such";
        value.into_list(expected, report)
    });
    let mut read = Vec::<Row>::new();
    for value in rows.into_iter().flatten() {
        let at = value.at;
        let Some(mut row) = value.into_table(PLACE_OF_ROW, report) else {
            continue;
        };
        let found = read_row(&mut row, report);
        finish(row, report);
        let Some(found) = found else { continue };
        if read.iter().any(|other| other.is_of_the_prefix_of(&found)) {
            let wrong = Wrong::new("a prefix has two rows", "expected one row for each prefix");
            report.fault(at, wrong);
        }
        read.push(found);
    }
    let prefer = table
        .take("prefer")
        .and_then(|value| value.one_of(&[("ipv4", Prefer::V4), ("ipv6", Prefer::V6)], report));
    let kinds = [
        ("temporary", PreferSource::Temporary),
        ("public", PreferSource::Public),
    ];
    let prefer_source = table
        .take("prefer-source")
        .and_then(|value| value.one_of(&kinds, report));
    AddressSelection {
        table: read,
        prefer,
        prefer_source,
    }
}

/// Reads one row.
pub(super) fn read_row(table: &mut Table<'_>, report: &mut Report<'_>) -> Option<Row> {
    let expected = "a prefix such as 2001:db8::/32 or 0.0.0.0/0";
    let prefix = table.require("prefix", expected, report).and_then(|value| {
        let text = value.text(expected, report)?;
        report.take(value.at, words::table_prefix(text))
    });
    let precedence = number("precedence", table, report);
    let label = number("label", table, report);
    let (prefix, length) = prefix?;
    Some(Row::new(prefix, length, precedence?, label?))
}

/// A number of one byte, as RFC 7078 carries it.
fn number(key: &'static str, table: &mut Table<'_>, report: &mut Report<'_>) -> Option<u8> {
    let expected = "an integer from 0 to 255";
    let value = table.require(key, expected, report)?;
    match value.integer() {
        Some(Ok(number)) => return Some(number),
        Some(Err(_)) => {
            let message = format!("`{key}` is out of range");
            let wrong = Wrong::new(message, format!("expected {expected}"));
            report.fault(value.at, wrong);
        }
        None => value.mistyped(expected, report),
    }
    None
}
