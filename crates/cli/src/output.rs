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
    let _ = anstream::stdout().write_all(quiet(text).as_bytes());
}

/// Writes a line to standard error that begins with the name of whoever says it.
pub(crate) fn complain(who: &str, text: impl std::fmt::Display) {
    eprintln!("{}", quiet(&format!("{who}: {text}")));
}

/// A text in which nothing but a style speaks to the terminal: names are those of files and
/// interfaces, or a network gave them.
pub(crate) fn quiet(text: &str) -> String {
    let mut quiet = String::with_capacity(text.len());
    for (at, letter) in text.char_indices() {
        let is_harmless = match letter {
            '\n' | '\t' => true,
            '\u{1b}' => begins_with_style(&text[at..]),
            _ => !letter.is_control(),
        };
        quiet.push(if is_harmless { letter } else { '?' });
    }
    quiet
}

/// Select graphic rendition of ECMA-48: colours and weights, and nothing else.
fn begins_with_style(text: &str) -> bool {
    let is_number = |letter: char| letter.is_ascii_digit() || letter == ';';
    text.strip_prefix("\u{1b}[")
        .is_some_and(|rest| rest.trim_start_matches(is_number).starts_with('m'))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_styles_speak_to_the_terminal() {
        let styled = styled(BAD, "down\n\tnow");
        assert_eq!(quiet(&styled), styled);
        for (text, shown) in [
            ("a\u{1b}[2Jb", "a?[2Jb"),
            ("\u{1b}]0;title\u{7}", "?]0;title?"),
            ("\u{9b}2J\u{7f}\r\0", "?2J???"),
            ("\u{1b}[31", "?[31"),
            ("ü\u{1b}", "ü?"),
        ] {
            assert_eq!(quiet(text), shown, "{text:?}");
        }
    }
}
