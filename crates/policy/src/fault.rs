//! Faults of a policy, told like a good compiler: where, what, what was expected.
//!
//! A [`Fault`] owns all that its message needs, the source line included, so that it outlives the
//! texts. There is no severity: a policy is right or it is refused.

use std::fmt;

/// One fault of a text or of an option.
///
/// Its [`Display`](fmt::Display) is the whole message, several lines without a final newline for
/// a fault in a text, one line for a fault in an option.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    spot: Spot,
    wrong: Wrong,
}

/// All faults of a policy's texts and options, in order of text and place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Faults(pub Vec<Fault>);

/// What is wrong, and what would be right; both in lower case without a final stop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wrong {
    pub(crate) message: String,
    pub(crate) expected: String,
}

/// Where a fault is.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Spot {
    Option(&'static str),
    Line(Line),
}

/// A line of a text, and the part of it that is to be underlined.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Line {
    path: Box<str>,
    number: u32,
    column: u32,
    before: String,
    marked: String,
    after: String,
}

impl Fault {
    /// A fault in the bytes `start..end` of `text`.
    pub(crate) fn in_text(path: &str, text: &str, start: usize, end: usize, wrong: Wrong) -> Self {
        let line = Line::of(path, text, start, end);
        Self {
            spot: Spot::Line(line),
            wrong: wrong.printable(),
        }
    }

    /// A fault in the value of an option, named as people know it (`-i / MIF_INTERFACE`).
    pub(crate) fn in_option(option: &'static str, wrong: Wrong) -> Self {
        Self {
            spot: Spot::Option(option),
            wrong: wrong.printable(),
        }
    }

    /// The text's path, or the option and its variable (`-i / MIF_INTERFACE`).
    #[must_use]
    pub fn source(&self) -> &str {
        match &self.spot {
            Spot::Option(option) => option,
            Spot::Line(line) => &line.path,
        }
    }

    /// Line and column, both from 1, the column in characters; `None` for an option.
    #[must_use]
    pub fn position(&self) -> Option<(u32, u32)> {
        match &self.spot {
            Spot::Option(_) => None,
            Spot::Line(line) => Some((line.number, line.column)),
        }
    }

    /// What is wrong.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.wrong.message
    }

    /// What was expected, with the nearest right spelling if there is one; may be empty.
    #[must_use]
    pub fn expected(&self) -> &str {
        &self.wrong.expected
    }
}

impl Wrong {
    pub(crate) fn new(message: impl Into<String>, expected: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            expected: expected.into(),
        }
    }

    fn printable(self) -> Self {
        Self::new(printable(&self.message), printable(&self.expected))
    }
}

impl Line {
    fn of(path: &str, text: &str, start: usize, end: usize) -> Self {
        let start = text.floor_char_boundary(start.min(text.len()));
        // At the end of a text there is no line behind the last newline; what is missing is
        // missing in the line before it.
        let start = if start == text.len() {
            text.trim_end_matches(['\n', '\r']).len()
        } else {
            start
        };
        let begin = text[..start].rfind('\n').map_or(0, |newline| newline + 1);
        let length = text[begin..].find('\n').unwrap_or(text.len() - begin);
        let line = text[begin..begin + length].trim_end_matches('\r');
        let (before, rest) = line.split_at((start - begin).min(line.len()));
        let marked = rest.floor_char_boundary(end.saturating_sub(start));
        let number = text[..begin].matches('\n').count() + 1;
        let before = printable(before);
        Self {
            path: printable(path).into(),
            number: u32::try_from(number).unwrap_or(u32::MAX),
            column: u32::try_from(before.chars().count() + 1).unwrap_or(u32::MAX),
            before,
            marked: printable(&rest[..marked]),
            after: printable(&rest[marked..]),
        }
    }
}

/// A word of the user's as messages quote it.
pub(crate) fn quoted(word: &str) -> String {
    format!("`{word}`")
}

/// Text that cannot steer the terminal it is printed on: control characters and those that change
/// the direction of writing give way to U+FFFD. Tabs stay, a byte order mark goes.
fn printable(text: &str) -> String {
    let steers = |c: char| {
        (c.is_control() && c != '\t')
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let kept = text.chars().filter(|&c| c != '\u{feff}');
    kept.map(|c| if steers(c) { '\u{fffd}' } else { c })
        .collect()
}

/// Columns that `text` takes on a terminal. The ranges are the common ones of Unicode's East Asian
/// Width; a rare character beyond them costs a caret that is off by one.
fn columns(text: &str) -> usize {
    text.chars().map(char_columns).sum()
}

fn char_columns(c: char) -> usize {
    match c {
        '\u{300}'..='\u{36f}' | '\u{200b}'..='\u{200d}' | '\u{fe00}'..='\u{fe0f}' => 0,
        '\u{1100}'..='\u{115f}'
        | '\u{2e80}'..='\u{a4cf}'
        | '\u{ac00}'..='\u{d7a3}'
        | '\u{f900}'..='\u{faff}'
        | '\u{fe30}'..='\u{fe6f}'
        | '\u{ff00}'..='\u{ff60}'
        | '\u{ffe0}'..='\u{ffe6}'
        | '\u{1f300}'..='\u{1faff}'
        | '\u{20000}'..='\u{3fffd}' => 2,
        _ => 1,
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Wrong { message, expected } = &self.wrong;
        let line = match &self.spot {
            Spot::Option(option) => return write!(f, "{option}: {message}: {expected}"),
            Spot::Line(line) => line,
        };
        let Line {
            path,
            number,
            column,
            before,
            marked,
            after,
        } = line;
        let gutter = number.to_string().len();
        // Tabs are kept in the line under it, so that both lines are indented alike.
        let mut indent = String::new();
        for c in before.chars() {
            match c {
                '\t' => indent.push('\t'),
                c => indent.extend(std::iter::repeat_n(' ', char_columns(c))),
            }
        }
        let carets = "^".repeat(columns(marked).max(1));
        writeln!(f, "{path}:{number}:{column}: {message}")?;
        writeln!(f, "{:gutter$} |", "")?;
        writeln!(
            f,
            "{number} | {}",
            format!("{before}{marked}{after}").trim_end()
        )?;
        write!(f, "{:gutter$} | {indent}{carets}", "")?;
        if expected.is_empty() {
            Ok(())
        } else {
            write!(f, " {expected}")
        }
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (nth, fault) in self.0.iter().enumerate() {
            if nth > 0 {
                f.write_str("\n\n")?;
            }
            fault.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for Fault {}

impl std::error::Error for Faults {}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str, marked: &str) -> String {
        let start = text.find(marked).unwrap();
        let wrong = Wrong::new("it is wrong", "something else");
        Fault::in_text("a.toml", text, start, start + marked.len(), wrong).to_string()
    }

    #[test]
    fn the_caret_stands_under_what_is_meant() {
        for (text, marked, expected) in [
            (
                "use = 1\nlocal = 2",
                "local",
                "a.toml:2:1: it is wrong\n  |\n2 | local = 2\n  | ^^^^^ something else",
            ),
            (
                "\tuse\t= 1\r\n",
                "1",
                "a.toml:1:8: it is wrong\n  |\n1 | \tuse\t= 1\n  | \t   \t  ^ something else",
            ),
            (
                "a = 'é日本' # x\n",
                "# x",
                "a.toml:1:11: it is wrong\n  |\n1 | a = 'é日本' # x\n  |             ^^^ something else",
            ),
            (
                "日本 = 1",
                "日本",
                "a.toml:1:1: it is wrong\n  |\n1 | 日本 = 1\n  | ^^^^ something else",
            ),
            (
                "\u{feff}use = \"\u{1b}[31m\"",
                "use",
                "a.toml:1:1: it is wrong\n  |\n1 | use = \"\u{fffd}[31m\"\n  | ^^^ something else",
            ),
        ] {
            assert_eq!(shown(text, marked), expected);
        }
    }

    #[test]
    fn only_the_first_line_is_marked() {
        let text = "\n\n\n\n\n\n\n\n\nport = [1,\n2]\n";
        assert_eq!(
            shown(text, "[1,\n2]"),
            "a.toml:10:8: it is wrong\n   |\n10 | port = [1,\n   |        ^^^ something else"
        );
    }

    #[test]
    fn any_span_is_printed() {
        let text = "日本\r\n\r\nx";
        for start in 0..text.len() + 3 {
            for end in 0..text.len() + 3 {
                let wrong = Wrong::new("m", "e");
                let fault = Fault::in_text("p", text, start, end, wrong).to_string();
                assert_eq!(fault.lines().count(), 4, "{start}..{end}: {fault}");
            }
        }
    }
}
