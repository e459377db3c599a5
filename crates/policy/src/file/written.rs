//! The written form: what the texts say, key by key, before names are looked up and defaults
//! applied. The keys are the fields here; [`keys`] and "expected one of" follow from what the
//! readers below ask for, so that no second list can disagree.

use std::net::IpAddr;
use std::ops::RangeInclusive;

use toml::de::DeTable;

use super::destinations::Destinations;
use super::read::{Placed, Table, Value};
use super::report::{At, Report};
use super::words;
use super::{addrsel, destinations, dns, reach};
use crate::addrsel::AddressSelection;
use crate::fault::{Wrong, quoted};
use crate::model::{Children, Dns, Explicit, Families, Interfaces};
use crate::names::InterfaceName;
use crate::verdict::Protocol;

const NETWORKS: &str = "a provisioning domain's or an interface's name, \"system\", \"none\", \
                        or a list of these";

/// `use` and `listen`: names in order of preference.
pub(super) type Names = Vec<Placed<String>>;

/// An application's file.
#[derive(Default)]
pub(super) struct App {
    /// `use`, with the place of the whole value.
    pub(super) networks: Option<Placed<Names>>,
    /// `listen`
    pub(super) listen: Option<Placed<Names>>,
    /// `explicit`
    pub(super) explicit: Option<Explicit>,
    /// `local`
    pub(super) local: Option<bool>,
    /// `interfaces`
    pub(super) interfaces: Option<Interfaces>,
    /// `children`
    pub(super) children: Option<Children>,
    /// `[reach]`
    pub(super) reach: reach::Reach,
    /// `family`
    pub(super) family: Option<Families>,
    /// `[dns]`
    pub(super) dns: Dns,
    /// `[addrsel]`
    pub(super) addrsel: AddressSelection,
    /// `[[rule]]`
    pub(super) rules: Vec<Rule>,
    /// `[pvd.NAME]`
    pub(super) pvds: Vec<Pvd>,
}

/// A `[pvd.NAME]` table; without an interface only where that is a fault.
pub(super) struct Pvd {
    pub(super) name: Box<str>,
    /// `interface`
    pub(super) interface: Option<InterfaceName>,
    /// `source`
    pub(super) sources: Vec<IpAddr>,
    /// `mark`
    pub(super) mark: Option<u32>,
    /// `[pvd.NAME.dns]`
    pub(super) dns: Dns,
    /// `[pvd.NAME.addrsel]`
    pub(super) addrsel: AddressSelection,
}

/// A `[[rule]]` table.
pub(super) struct Rule {
    pub(super) at: At,
    /// `to`
    pub(super) to: Destinations,
    /// `port`
    pub(super) ports: Vec<RangeInclusive<u16>>,
    /// `protocol`
    pub(super) protocol: Option<Protocol>,
    /// `use`
    pub(super) networks: Option<Placed<Names>>,
}

/// The kinds of tables there are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Section {
    App,
    Reach,
    Rule,
    Dns,
    PvdDns,
    AddressSelection,
    Row,
    Pvd,
    Host,
}

/// Every key that policies have, as its path: `use`, `rule.to`, `dns.servers`,
/// `pvd.NAME.interface`.
#[must_use]
pub fn keys() -> Vec<String> {
    let sections = [
        (Section::App, ""),
        (Section::Reach, "reach."),
        (Section::Rule, "rule."),
        (Section::Dns, "dns."),
        (Section::AddressSelection, "addrsel."),
        (Section::Pvd, "pvd.NAME."),
        (Section::PvdDns, "pvd.NAME.dns."),
    ];
    let paths = sections.iter().flat_map(|&(section, prefix)| {
        section
            .keys()
            .into_iter()
            .map(move |key| format!("{prefix}{key}"))
    });
    paths.collect()
}

/// Reads an application's file.
pub(super) fn app(entries: &DeTable<'_>, at: At, report: &mut Report<'_>) -> App {
    let mut table = Table::new(entries, at, Section::App.place());
    let app = read_app(&mut table, report);
    finish(table, report);
    app
}

/// Reads a `pvds.toml`.
pub(super) fn pvds(entries: &DeTable<'_>, at: At, report: &mut Report<'_>) -> Vec<Pvd> {
    let mut table = Table::new(entries, at, Section::Host.place());
    let pvds = read_pvds(&mut table, report);
    finish(table, report);
    pvds
}

fn read_app(table: &mut Table<'_>, report: &mut Report<'_>) -> App {
    App {
        networks: table.take("use").map(|value| names(value, report)),
        listen: table.take("listen").map(|value| names(value, report)),
        explicit: table.take("explicit").and_then(|value| {
            let words = [
                ("refuse", Explicit::Refuse),
                ("respect", Explicit::Respect),
                ("override", Explicit::Override),
            ];
            value.one_of(&words, report)
        }),
        local: table.take("local").and_then(|value| value.boolean(report)),
        interfaces: table.take("interfaces").and_then(|value| {
            value.one_of(
                &[("all", Interfaces::All), ("policy", Interfaces::Policy)],
                report,
            )
        }),
        children: table.take("children").and_then(|value| {
            let words = [
                ("follow", Children::Follow),
                ("inherit", Children::Inherit),
                ("drop", Children::Drop),
            ];
            value.one_of(&words, report)
        }),
        reach: reach::read(table.take("reach"), report),
        family: table.take("family").and_then(|value| {
            let words = [
                ("any", Families::Any),
                ("ipv4", Families::V4),
                ("ipv6", Families::V6),
            ];
            value.one_of(&words, report)
        }),
        dns: dns::of_app(table.take("dns"), report),
        addrsel: addrsel::read(table.take("addrsel"), report),
        rules: rules(table.take("rule"), report),
        pvds: read_pvds(table, report),
    }
}

fn rules(value: Option<Value<'_>>, report: &mut Report<'_>) -> Vec<Rule> {
    let tables = value.map(|value| value.into_tables("[[rule]]", report));
    let tables = tables.unwrap_or_default().into_iter();
    tables
        .map(|(at, mut table)| {
            let rule = read_rule(&mut table, at, report);
            finish(table, report);
            rule
        })
        .collect()
}

fn read_rule(table: &mut Table<'_>, at: At, report: &mut Report<'_>) -> Rule {
    Rule {
        at,
        to: destinations::read(table.take("to"), report),
        ports: ports(table.take("port"), report),
        protocol: table.take("protocol").and_then(|value| {
            value.one_of(&[("tcp", Protocol::Tcp), ("udp", Protocol::Udp)], report)
        }),
        networks: table
            .require("use", NETWORKS, report)
            .map(|value| names(value, report)),
    }
}

fn ports(value: Option<Value<'_>>, report: &mut Report<'_>) -> Vec<RangeInclusive<u16>> {
    let expected = "a port, \"LOW-HIGH\" or a list of these";
    let mut ports = Vec::new();
    for value in elements(value, expected, report) {
        match value.integer::<u16>() {
            Some(Ok(port @ 1..)) => ports.push(port..=port),
            Some(_) => {
                let message = "`port` is out of range";
                report.fault(
                    value.at,
                    Wrong::new(message, "expected a port from 1 to 65535"),
                );
            }
            None => {
                let text = value.text(expected, report);
                ports.extend(text.and_then(|text| report.take(value.at, words::ports(text))));
            }
        }
    }
    ports
}

fn read_pvds(table: &mut Table<'_>, report: &mut Report<'_>) -> Vec<Pvd> {
    let tables = table
        .take("pvd")
        .and_then(|value| value.into_table("[pvd.NAME]", report));
    let mut pvds = Vec::new();
    for (name, value) in tables.into_iter().flat_map(Table::into_named) {
        let read = report.take(name.at, words::pvd_name(name.value));
        let Some(mut table) = value.into_table("[pvd.NAME]", report) else {
            continue;
        };
        let pvd = read_pvd(&mut table, read.unwrap_or_default(), report);
        finish(table, report);
        pvds.push(pvd);
    }
    pvds
}

fn read_pvd(table: &mut Table<'_>, name: Box<str>, report: &mut Report<'_>) -> Pvd {
    let interface = table.require("interface", "the name of an interface", report);
    Pvd {
        name,
        interface: interface.and_then(|value| {
            let text = value.text("the name of an interface", report)?;
            let read = text.parse().map_err(|why| {
                Wrong::new(format!("{} is not an interface name", quoted(text)), why)
            });
            report.take(value.at, read)
        }),
        sources: list(table.take("source"), "an address", words::source, report),
        mark: table.take("mark").and_then(|value| mark(value, report)),
        dns: dns::of_pvd(table.take("dns"), report),
        addrsel: addrsel::read(table.take("addrsel"), report),
    }
}

fn mark(value: Value<'_>, report: &mut Report<'_>) -> Option<u32> {
    let expected = "an integer from 0 to 4294967295";
    match value.integer() {
        Some(Ok(mark)) => return Some(mark),
        Some(Err(_)) => {
            let wrong = Wrong::new("`mark` is out of range", format!("expected {expected}"));
            report.fault(value.at, wrong);
        }
        None => value.mistyped(expected, report),
    }
    None
}

fn names(value: Value<'_>, report: &mut Report<'_>) -> Placed<Names> {
    let at = value.at;
    let mut names = Vec::new();
    for value in value.into_list(NETWORKS, report) {
        if let Some(text) = value.text(NETWORKS, report) {
            names.push(Placed {
                value: text.to_owned(),
                at: value.at,
            });
        }
    }
    Placed { value: names, at }
}

/// A word or a list of words.
pub(super) fn list<T>(
    value: Option<Value<'_>>,
    expected: &str,
    read: fn(&str) -> Result<T, Wrong>,
    report: &mut Report<'_>,
) -> Vec<T> {
    let expected = format!("{expected}, or a list of such");
    let mut words = Vec::new();
    for value in elements(value, &expected, report) {
        let text = value.text(&expected, report);
        words.extend(text.and_then(|text| report.take(value.at, read(text))));
    }
    words
}

/// A value, or those of a list.
pub(super) fn elements<'t>(
    value: Option<Value<'t>>,
    expected: &str,
    report: &mut Report<'_>,
) -> impl Iterator<Item = Value<'t>> + use<'t> {
    let list = value.map(|value| value.into_list(expected, report));
    list.into_iter().flatten()
}

impl Section {
    const ALL: [Self; 9] = [
        Self::App,
        Self::Reach,
        Self::Rule,
        Self::Dns,
        Self::PvdDns,
        Self::AddressSelection,
        Self::Row,
        Self::Pvd,
        Self::Host,
    ];

    /// Where its keys stand.
    fn place(self) -> &'static str {
        match self {
            Self::App => "an application's file, before every table",
            Self::Reach => reach::PLACE,
            Self::Rule => "[[rule]]",
            Self::Dns => dns::PLACE,
            Self::PvdDns => dns::PLACE_OF_PVD,
            Self::AddressSelection => addrsel::PLACE,
            Self::Row => addrsel::PLACE_OF_ROW,
            Self::Pvd => "[pvd.NAME]",
            Self::Host => "pvds.toml",
        }
    }

    /// The keys that are a table's own; what `PvdDns` shares with `Dns` is `Dns`'s.
    fn keys(self) -> Vec<&'static str> {
        let mut table = Table::empty(self.place());
        let report = &mut Report::new(Vec::new(), &super::no_lists);
        match self {
            Self::App => drop(read_app(&mut table, report)),
            Self::Reach => drop(reach::read_table(&mut table, report)),
            Self::Rule => drop(read_rule(&mut table, At::Option(""), report)),
            Self::Dns => drop(dns::read_app(&mut table, report)),
            Self::PvdDns => drop(dns::read_pvd(&mut table, report)),
            Self::AddressSelection => drop(addrsel::read_table(&mut table, report)),
            Self::Row => drop(addrsel::read_row(&mut table, report)),
            Self::Pvd => drop(read_pvd(&mut table, Box::default(), report)),
            Self::Host => drop(read_pvds(&mut table, report)),
        }
        let shared = match self {
            Self::PvdDns => Self::Dns.keys(),
            _ => Vec::new(),
        };
        let known = table.known().iter().copied();
        known.filter(|key| !shared.contains(key)).collect()
    }
}

/// Notes the unknown keys of a table that has been read.
pub(super) fn finish(table: Table<'_>, report: &mut Report<'_>) {
    table.finish(report, |key| {
        let other = Section::ALL
            .into_iter()
            .find(|other| other.keys().contains(&key))?;
        Some(other.place())
    });
}
