//! `[reach]`: what of an application mif gets at.

use super::read::{Table, Value};
use super::report::Report;
use super::written::finish;

/// Where the keys of the table stand.
pub(super) const PLACE: &str = "[reach]";

/// The table as it is written.
#[derive(Default)]
pub(super) struct Reach {
    /// `io_uring`: whether it may be used.
    pub(super) io_uring: Option<bool>,
}

/// Reads the table, if it is there.
pub(super) fn read(value: Option<Value<'_>>, report: &mut Report<'_>) -> Reach {
    let Some(mut table) = value.and_then(|value| value.into_table(PLACE, report)) else {
        return Reach::default();
    };
    let reach = read_table(&mut table, report);
    finish(table, report);
    reach
}

/// Reads the entries of the table.
pub(super) fn read_table(table: &mut Table<'_>, report: &mut Report<'_>) -> Reach {
    let words = [("refuse", false), ("allow", true)];
    Reach {
        io_uring: table
            .take("io_uring")
            .and_then(|value| value.one_of(&words, report)),
    }
}
