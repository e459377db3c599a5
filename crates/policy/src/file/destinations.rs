//! What `to` says: addresses, prefixes and names, in the rule itself or in lists, text files that it
//! names by `@FILE`.
//!
//! Lists are long, and every process reads them at its start. So most of their lines, prefixes and
//! addresses of IPv4, are read here by hand; whatever these do not understand is read as in a rule,
//! which knows what is wrong with it.

use super::Text;
use super::quick;
use super::read::Value;
use super::report::Report;
use super::words::{self, Destination};
use super::written::elements;
use crate::fault::Wrong;
use crate::names::{NamePattern, Prefix};

const EXPECTED: &str = "an address, a prefix, a name or \"@FILE\", or a list of such";
const LIST: &str = "expected a text file with an address, a prefix or a name in each line";
/// Lines of a list that are told of: a file that is no list is wrong in all of them.
const MOST_FAULTS: usize = 5;

/// What a rule's `to` matches.
#[derive(Default)]
pub(super) struct Destinations {
    pub(super) prefixes: Vec<Prefix>,
    pub(super) names: Vec<NamePattern>,
}

/// Reads `to`.
pub(super) fn read(value: Option<Value<'_>>, report: &mut Report<'_>) -> Destinations {
    let mut all = Destinations::default();
    for value in elements(value, EXPECTED, report) {
        let Some(word) = value.text(EXPECTED, report) else {
            continue;
        };
        if let Some((prefix, "")) = quick::prefix(word) {
            all.prefixes.push(prefix);
        } else if let Some(name) = word.strip_prefix('@') {
            if name.is_empty() {
                report.fault(value.at, Wrong::new("`@` names no list", LIST));
            } else if let Some(list) = report.list(value.at, name, LIST) {
                all.read_list(&list, report);
            }
        } else if let Some(destination) = report.take(value.at, words::destination(word)) {
            all.push(destination);
        }
    }
    all
}

impl Destinations {
    fn push(&mut self, destination: Destination) {
        match destination {
            Destination::Prefixes(more) => self.prefixes.extend(more),
            Destination::Name(pattern) => self.names.push(pattern),
        }
    }

    fn read_list(&mut self, list: &Text, report: &mut Report<'_>) {
        let text = list.text.as_str();
        let before = self.count();
        // One allocation each; memory that is never written to costs next to nothing.
        let lines = count_lines(text);
        self.prefixes.reserve_exact(lines);
        self.names.reserve_exact(lines);
        let mut rest = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut faults = 0;
        while !rest.is_empty() && faults < MOST_FAULTS {
            if let Some((prefix, behind)) = quick::prefix(rest) {
                self.prefixes.push(prefix);
                rest = behind;
            } else if let Some((name, behind)) = quick::name(rest) {
                self.names.push(name);
                rest = behind;
            } else {
                let start = text.len() - rest.len();
                let line;
                (line, rest) = rest.split_once('\n').unwrap_or((rest, ""));
                let Some(word) = word(line) else { continue };
                match words::destination(word) {
                    Ok(destination) => self.push(destination),
                    Err(wrong) => {
                        let start = start + (word.as_ptr().addr() - line.as_ptr().addr());
                        report.fault_in_list(list, start..start + word.len(), wrong);
                        faults += 1;
                    }
                }
            }
        }
        // A rule without a destination would match every flow, and one that matches none would let
        // them go by another network because a download failed.
        if faults == 0 && before == self.count() {
            report.fault_in_list(list, 0..0, Wrong::new("the list is empty", LIST));
        }
        self.prefixes.shrink_to_fit();
        self.names.shrink_to_fit();
    }

    fn count(&self) -> usize {
        self.prefixes.len() + self.names.len()
    }
}

fn count_lines(text: &str) -> usize {
    // In parts whose count fits a byte, which the compiler makes into vector instructions.
    let parts = text.as_bytes().chunks(usize::from(u8::MAX));
    let ends = |part: &[u8]| part.iter().map(|&byte| u8::from(byte == b'\n')).sum::<u8>();
    parts.map(|part| usize::from(ends(part))).sum::<usize>() + 1
}

/// What a line of a list says; `None` for nothing.
fn word(line: &str) -> Option<&str> {
    let (word, _) = line.split_once('#').unwrap_or((line, ""));
    let word = word.trim();
    (!word.is_empty()).then_some(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_one_word() {
        for (line, said) in [
            ("", None),
            (" \t\r", None),
            ("# all", None),
            ("  192.0.2.0/24\t# one", Some("192.0.2.0/24")),
            ("a.example#b", Some("a.example")),
        ] {
            assert_eq!(word(line), said, "{line}");
        }
    }
}
