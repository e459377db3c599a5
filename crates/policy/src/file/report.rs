//! The report in which all faults of all texts gather, with where they are.

use std::cell::Cell;
use std::ops::Range;

use super::{Lists, Text};
use crate::fault::{Fault, Wrong, quoted};

/// Where something is written: bytes of a text, or an option's value.
#[derive(Clone, Copy, Debug)]
pub(super) enum At {
    Text {
        file: usize,
        start: usize,
        end: usize,
    },
    Option(&'static str),
}

/// The texts, the lists that they name, and the faults that have been found in them.
pub(super) struct Report<'t> {
    texts: Vec<&'t Text>,
    lists: &'t Lists<'t>,
    /// How many lists have been handed in.
    listed: usize,
    faults: Vec<(usize, usize, Fault)>,
    counted: Cell<Counted>,
}

/// How far the lines of a text have been counted: rules are asked about in the order in which they
/// stand, and a text is gone through once.
#[derive(Clone, Copy, Default)]
struct Counted {
    file: usize,
    bytes: usize,
    lines: usize,
}

impl<'t> Report<'t> {
    pub(super) fn new(texts: Vec<&'t Text>, lists: &'t Lists<'t>) -> Self {
        Self {
            texts,
            lists,
            listed: 0,
            faults: Vec::new(),
            counted: Cell::default(),
        }
    }

    pub(super) fn fault(&mut self, at: At, wrong: Wrong) {
        let (file, start, fault) = match at {
            At::Option(option) => (usize::MAX, 0, Fault::in_option(option, wrong)),
            At::Text { file, start, end } => {
                let text = self.texts[file];
                (
                    file,
                    start,
                    Fault::in_text(&text.path, &text.text, start, end, wrong),
                )
            }
        };
        self.faults.push((file, start, fault));
    }

    /// The list that a rule names, or `None` and a fault.
    pub(super) fn list(&mut self, at: At, name: &str, expected: &str) -> Option<Text> {
        let list = (self.lists)(name)
            .map_err(|why| Wrong::new(format!("the list {} {why}", quoted(name)), expected));
        self.listed += 1;
        self.take(at, list)
    }

    /// A fault in these bytes of the list that was handed in last.
    pub(super) fn fault_in_list(&mut self, list: &Text, bytes: Range<usize>, wrong: Wrong) {
        let Range { start, end } = bytes;
        let fault = Fault::in_text(&list.path, &list.text, start, end, wrong);
        self.faults
            .push((self.texts.len() + self.listed, start, fault));
    }

    /// The value of a word's reading, or `None` and a fault.
    pub(super) fn take<T>(&mut self, at: At, read: Result<T, Wrong>) -> Option<T> {
        read.map_err(|wrong| self.fault(at, wrong)).ok()
    }

    /// The line of a place in a text, from 1.
    pub(super) fn line(&self, file: usize, start: usize) -> u32 {
        let text = self.texts[file].text.as_bytes();
        let start = start.min(text.len());
        let mut counted = self.counted.get();
        if counted.file != file || counted.bytes > start {
            counted = Counted {
                file,
                ..Counted::default()
            };
        }
        counted.lines += text[counted.bytes..start]
            .split(|&byte| byte == b'\n')
            .count()
            - 1;
        counted.bytes = start;
        self.counted.set(counted);
        u32::try_from(counted.lines + 1).unwrap_or(u32::MAX)
    }

    /// All faults by text and place; those of options last.
    pub(super) fn into_faults(mut self) -> Vec<Fault> {
        self.faults.sort_by_key(|&(file, start, _)| (file, start));
        self.faults.into_iter().map(|(_, _, fault)| fault).collect()
    }
}
