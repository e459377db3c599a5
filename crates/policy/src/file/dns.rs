//! `[dns]`: what answers names, for an application or on one network.

use super::read::{Table, Value};
use super::report::Report;
use super::server::server;
use super::words;
use super::written::{finish, list};
use crate::model::{Dns, Guard};

/// Where the keys of an application's table stand, which a network's has too.
pub(super) const PLACE: &str = "[dns]";
/// Where those of a network's alone do.
pub(super) const PLACE_OF_PVD: &str = "[pvd.NAME.dns]";

/// Reads an application's table, if it is there.
pub(super) fn of_app(value: Option<Value<'_>>, report: &mut Report<'_>) -> Dns {
    read(value, PLACE, read_app, report)
}

/// Reads a network's table, if it is there.
pub(super) fn of_pvd(value: Option<Value<'_>>, report: &mut Report<'_>) -> Dns {
    read(value, PLACE_OF_PVD, read_pvd, report)
}

fn read(
    value: Option<Value<'_>>,
    place: &'static str,
    entries: fn(&mut Table<'_>, &mut Report<'_>) -> Dns,
    report: &mut Report<'_>,
) -> Dns {
    let Some(mut table) = value.and_then(|value| value.into_table(place, report)) else {
        return Dns::default();
    };
    let dns = entries(&mut table, report);
    finish(table, report);
    dns
}

/// Reads the entries of an application's table.
pub(super) fn read_app(table: &mut Table<'_>, report: &mut Report<'_>) -> Dns {
    let servers = list(
        table.take("servers"),
        "a DNS server's address",
        server,
        report,
    );
    let search = list(table.take("search"), "a domain name", words::suffix, report);
    let guard = table.take("guard").and_then(|value| {
        let words = [
            ("host", Guard::Host),
            ("strict", Guard::Strict),
            ("off", Guard::Off),
        ];
        value.one_of(&words, report)
    });
    Dns {
        servers,
        search,
        guard,
        ..Dns::default()
    }
}

/// Reads the entries of a network's table.
pub(super) fn read_pvd(table: &mut Table<'_>, report: &mut Report<'_>) -> Dns {
    let dns = read_app(table, report);
    let zones = list(table.take("zones"), "a domain name", words::zone, report);
    let trusted = table.take("trusted");
    Dns {
        zones,
        trusted: trusted.and_then(|value| value.boolean(report)) == Some(true),
        ..dns
    }
}
