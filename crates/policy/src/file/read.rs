//! Reading spanned TOML without knowing what it is about: tables that remember which keys were
//! asked for, and values with their types.
//!
//! serde's derived readers stop at the first fault; here a fault is noted and reading goes on.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::report::{At, Report};
use super::spelling::did_you_mean;
use crate::fault::{Wrong, quoted};

/// A value and where it is written.
#[derive(Clone, Debug)]
pub(super) struct Placed<T> {
    pub(super) value: T,
    pub(super) at: At,
}

/// A table that is being read.
pub(super) struct Table<'t> {
    entries: Option<&'t DeTable<'t>>,
    at: At,
    name: &'static str,
    known: Vec<&'static str>,
}

/// A value that is being read, with the key it belongs to.
#[derive(Clone, Copy)]
pub(super) struct Value<'t> {
    pub(super) key: &'t str,
    pub(super) at: At,
    toml: &'t DeValue<'t>,
}

impl<'t> Table<'t> {
    /// `name` is where the table stands, fit behind "in": `[dns]`.
    pub(super) fn new(entries: &'t DeTable<'t>, at: At, name: &'static str) -> Self {
        Self {
            entries: Some(entries),
            at,
            name,
            known: Vec::new(),
        }
    }

    /// A table without entries, whose reader only tells which keys it knows.
    pub(super) fn empty(name: &'static str) -> Self {
        let at = At::Option("");
        Self {
            entries: None,
            at,
            name,
            known: Vec::new(),
        }
    }

    pub(super) fn take(&mut self, key: &'static str) -> Option<Value<'t>> {
        self.known.push(key);
        let toml = self.entries?.get(key)?;
        Some(Value {
            key,
            at: self.at.span_of(toml),
            toml: toml.get_ref(),
        })
    }

    /// A key that must be there.
    pub(super) fn require(
        &mut self,
        key: &'static str,
        expected: &str,
        report: &mut Report<'_>,
    ) -> Option<Value<'t>> {
        let value = self.take(key);
        if value.is_none() && self.entries.is_some() {
            let message = format!("`{key}` is missing in {}", self.name);
            report.fault(self.at, Wrong::new(message, format!("expected {expected}")));
        }
        value
    }

    /// All entries of a table whose keys are names, with the place of each key.
    pub(super) fn into_named(self) -> impl Iterator<Item = (Placed<&'t str>, Value<'t>)> {
        let at = self.at;
        self.entries
            .into_iter()
            .flat_map(DeTable::iter)
            .map(move |(key, toml)| {
                let value = Value {
                    key: key.get_ref(),
                    at: at.span_of(toml),
                    toml: toml.get_ref(),
                };
                (
                    Placed {
                        value: value.key,
                        at: at.span_of(key),
                    },
                    value,
                )
            })
    }

    /// Notes every key that nobody asked for. `elsewhere` knows where a key stands that is right
    /// in another table.
    pub(super) fn finish(
        self,
        report: &mut Report<'_>,
        elsewhere: impl Fn(&str) -> Option<&'static str>,
    ) {
        for (key, _) in self.entries.into_iter().flat_map(DeTable::iter) {
            let word: &str = key.get_ref();
            if self.known.contains(&word) {
                continue;
            }
            let hint = match elsewhere(word) {
                Some(place) => format!("; {} belongs in {place}", quoted(word)),
                None => did_you_mean(word, self.known.iter().copied()),
            };
            let known = match self.known[..] {
                [only] => format!("expected {only}"),
                _ => format!("expected one of {}", self.known.join(", ")),
            };
            let wrong = Wrong::new(format!("unknown key {}", quoted(word)), known + &hint);
            report.fault(self.at.span_of(key), wrong);
        }
    }

    /// The keys that have been asked for so far.
    pub(super) fn known(&self) -> &[&'static str] {
        &self.known
    }
}

impl<'t> Value<'t> {
    /// One value or a list of them, which must not be empty.
    pub(super) fn into_list(
        self,
        expected: &str,
        report: &mut Report<'_>,
    ) -> impl Iterator<Item = Self> + use<'t> {
        let (one, many) = match self.toml {
            DeValue::Array(array) => (None, Some(array)),
            _ => (Some(self), None),
        };
        if many.is_some_and(|array| array.is_empty()) {
            let wrong = Wrong::new(
                format!("`{}` is an empty list", self.key),
                format!("expected {expected}, or no `{}` at all", self.key),
            );
            report.fault(self.at, wrong);
        }
        let many = many.into_iter().flat_map(|array| array.iter());
        one.into_iter()
            .chain(many.map(move |toml| self.within(toml)))
    }

    /// The entries of an array of tables.
    pub(super) fn into_tables(
        self,
        name: &'static str,
        report: &mut Report<'_>,
    ) -> Vec<(At, Table<'t>)> {
        let DeValue::Array(array) = self.toml else {
            self.mistyped(&format!("{name}, with two brackets on either side"), report);
            return Vec::new();
        };
        let values = array.iter().map(|toml| self.within(toml));
        values
            .filter_map(|value| Some((value.at, value.into_table(name, report)?)))
            .collect()
    }

    pub(super) fn into_table(
        self,
        name: &'static str,
        report: &mut Report<'_>,
    ) -> Option<Table<'t>> {
        let DeValue::Table(entries) = self.toml else {
            self.mistyped(&format!("a table, {name}"), report);
            return None;
        };
        Some(Table::new(entries, self.at, name))
    }

    pub(super) fn text(self, expected: &str, report: &mut Report<'_>) -> Option<&'t str> {
        let text = self.toml.as_str();
        if text.is_none() {
            self.mistyped(expected, report);
        }
        text
    }

    pub(super) fn boolean(self, report: &mut Report<'_>) -> Option<bool> {
        let value = self.toml.as_bool();
        if value.is_none() {
            self.mistyped("true or false", report);
        }
        value
    }

    /// One of a few words.
    pub(super) fn one_of<T: Copy>(
        self,
        words: &[(&'static str, T)],
        report: &mut Report<'_>,
    ) -> Option<T> {
        let right = words.iter().map(|&(word, _)| word);
        let listed = right
            .clone()
            .map(|word| format!("\"{word}\""))
            .collect::<Vec<_>>();
        let expected = format!("one of {}", listed.join(", "));
        let text = self.text(&expected, report)?;
        let found = words.iter().find(|&&(word, _)| word == text);
        if found.is_none() {
            let wrong = Wrong::new(
                format!("`{}` cannot be {}", self.key, quoted(text)),
                format!("expected {expected}{}", did_you_mean(text, right)),
            );
            report.fault(self.at, wrong);
        }
        found.map(|&(_, value)| value)
    }

    /// An integer that `T` can hold, in decimal, hexadecimal, octal or binary; `None` without a
    /// fault where the value is no integer at all.
    pub(super) fn integer<T: TryFrom<i128>>(self) -> Option<Result<T, &'t str>> {
        let integer = self.toml.as_integer()?;
        let value = i128::from_str_radix(integer.as_str(), integer.radix()).ok();
        Some(
            value
                .and_then(|value| T::try_from(value).ok())
                .ok_or(integer.as_str()),
        )
    }

    pub(super) fn mistyped(self, expected: &str, report: &mut Report<'_>) {
        let wrong = Wrong::new(
            format!("`{}` has a wrong type", self.key),
            format!(
                "expected {expected}, found {}",
                with_article(self.toml.type_str())
            ),
        );
        report.fault(self.at, wrong);
    }

    fn within(self, toml: &'t Spanned<DeValue<'t>>) -> Self {
        Self {
            key: self.key,
            at: self.at.span_of(toml),
            toml: toml.get_ref(),
        }
    }
}

impl At {
    /// The place of a part of what is here.
    fn span_of<T>(self, part: &Spanned<T>) -> Self {
        match self {
            Self::Option(_) => self,
            Self::Text { file, .. } => {
                let span = part.span();
                Self::Text {
                    file,
                    start: span.start,
                    end: span.end,
                }
            }
        }
    }
}

fn with_article(kind: &str) -> String {
    let article = if kind.starts_with(['a', 'i']) {
        "an"
    } else {
        "a"
    };
    format!("{article} {kind}")
}
