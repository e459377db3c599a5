//! From texts and options to a [`Policy`]: the policy language. `docs/policy.md` is its reference.
//!
//! Two types, one way between them: `written` is what the texts say, key by key, [`Policy`] is
//! what is meant, and `lower` alone makes the second from the first. No file is opened here, and
//! nothing is guessed: what cannot be understood is a fault, and all faults are told at once.

mod addrsel;
mod destinations;
mod dns;
mod lower;
mod quick;
mod reach;
mod read;
mod report;
mod server;
mod spelling;
mod words;
mod written;

pub use written::keys;

use toml::de::DeTable;

use crate::fault::{Faults, Wrong};
use crate::model::{Policy, Pvd};
use report::{At, Report};

/// A file's path, as people are to see it, and its text.
#[derive(Clone, Debug, Default)]
pub struct Text {
    /// As shown in messages.
    pub path: Box<str>,
    /// The whole file.
    pub text: String,
}

/// What the options of `mif-run`, or `MIF_INTERFACE`, `MIF_SOURCE` and `MIF_DNS`, say: one entry a
/// value.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// `-i`: interfaces or provisioning domains in order of preference.
    pub interfaces: Vec<String>,
    /// `-s`: source addresses.
    pub sources: Vec<String>,
    /// `-d`: DNS servers.
    pub dns: Vec<String>,
}

/// Everything a policy is made of.
#[derive(Clone, Debug, Default)]
pub struct Input {
    /// The `pvds.toml` files, the one whose names win first.
    pub pvds: Vec<Text>,
    /// The application's file, if it has one. Its own provisioning domains win over `pvds`.
    pub app: Option<Text>,
    /// The options. With an application's file they replace its `use`, the sources of the
    /// domains in it and its DNS servers; without one they are a policy of their own.
    pub options: Options,
}

/// Hands in the text of a list that the application's file names by `@FILE`, or says why there is
/// none, in words that follow on its name.
pub type Lists<'l> = dyn Fn(&str) -> Result<Text, String> + 'l;

/// Makes the policy. An input without a file and without options means `system` for every flow.
///
/// # Errors
/// All faults of all texts and options, and any list: there are none.
pub fn parse(input: &Input) -> Result<Policy, Faults> {
    parse_with(input, &no_lists)
}

/// The same, with lists.
///
/// # Errors
/// All faults of all texts, options and lists.
pub fn parse_with(input: &Input, lists: &Lists<'_>) -> Result<Policy, Faults> {
    let texts: Vec<&Text> = input.pvds.iter().chain(&input.app).collect();
    let mut report = Report::new(texts.clone(), lists);
    let mut complete = true;
    let mut read = |file, report: &mut Report<'_>| {
        let table = document(file, texts[file], report);
        complete &= table.is_some();
        table.unwrap_or_default()
    };
    let mut app = written::App::default();
    if input.app.is_some() {
        let file = texts.len() - 1;
        app = written::app(&read(file, &mut report), top(file), &mut report);
    }
    let mut pvds = std::mem::take(&mut app.pvds);
    for file in 0..input.pvds.len() {
        pvds.extend(written::pvds(
            &read(file, &mut report),
            top(file),
            &mut report,
        ));
    }
    let names = lower::Names { pvds, complete };
    let policy = lower::lower(input, app, &names, &mut report);
    match report.into_faults() {
        faults if faults.is_empty() => Ok(policy),
        faults => Err(Faults(faults)),
    }
}

/// The provisioning domains that a `pvds.toml` defines, be they used or not, in its own order.
///
/// # Errors
/// All faults of the text.
pub fn domains(text: &Text) -> Result<Vec<Pvd>, Faults> {
    let mut report = Report::new(vec![text], &no_lists);
    let table = document(0, text, &mut report).unwrap_or_default();
    let written = written::pvds(&table, top(0), &mut report);
    match report.into_faults() {
        faults if faults.is_empty() => Ok(written.iter().filter_map(lower::meant).collect()),
        faults => Err(Faults(faults)),
    }
}

/// The table that a text is, or `None` and its faults of syntax. After a fault the reader of TOML
/// guesses how to go on, so what else it says of a line, or of the meaning, is not to be trusted.
fn document<'t>(file: usize, text: &'t Text, report: &mut Report<'_>) -> Option<DeTable<'t>> {
    let (table, errors) = DeTable::parse_recoverable(&text.text);
    let mut last_line = 0;
    for error in &errors {
        let span = error.span().unwrap_or(0..0);
        let line = report.line(file, span.start);
        if line == last_line {
            continue;
        }
        last_line = line;
        let (message, expected) = match error.message().split_once(", expected ") {
            Some((message, expected)) => (message, format!("expected {expected}")),
            None => (error.message(), String::new()),
        };
        let at = At::Text {
            file,
            start: span.start,
            end: span.end,
        };
        report.fault(at, Wrong::new(message, expected));
    }
    errors.is_empty().then(|| table.into_inner())
}

fn no_lists(_: &str) -> Result<Text, String> {
    Err("cannot be read here".to_owned())
}

fn top(file: usize) -> At {
    At::Text {
        file,
        start: 0,
        end: 0,
    }
}
