//! Where the tool's words go: plain or coloured text, or JSON. A reader that has gone away is no
//! fault of ours.

use std::io::Write;

use anstyle::{AnsiColor, Style};
use serde::Serialize;

/// Titles.
pub(crate) const TITLE: Style = Style::new().bold();
/// What works.
pub(crate) const GOOD: Style = AnsiColor::Green.on_default();
/// What is refused, or is gone.
pub(crate) const BAD: Style = AnsiColor::Red.on_default();
/// What deserves a look.
pub(crate) const ODD: Style = AnsiColor::Yellow.on_default();

/// Writes bytes to standard output as they are.
pub(crate) fn bytes(bytes: &[u8]) {
    let _ = std::io::stdout().write_all(bytes);
}

/// Writes text to standard output, without its styles where that is no terminal or the
/// environment is against them (`NO_COLOR`).
pub(crate) fn text(text: &str) {
    let _ = anstream::stdout().write_all(text.as_bytes());
}

/// Writes a value as JSON of several lines.
pub(crate) fn json(value: &impl Serialize) {
    // Maps with keys that are no strings would fail; the tool's values are structures of its own.
    let text = serde_json::to_string_pretty(value).unwrap_or_default();
    bytes(format!("{text}\n").as_bytes());
}

/// A text in a style.
pub(crate) fn styled(style: Style, text: impl std::fmt::Display) -> String {
    format!("{style}{text}{style:#}")
}
