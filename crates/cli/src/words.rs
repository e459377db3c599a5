//! The words of an explanation.

use std::fmt::Write;

use mif_host::inventory::Way;
use mif_policy::{Pass, Refusal};

/// Lines of `label  text`.
pub(crate) struct Block(pub(crate) String);

/// Why a flow is left alone.
pub(crate) fn pass(why: Pass) -> &'static str {
    match why {
        Pass::Local => "as without mif: loopback, or an address of this host",
        Pass::Scoped => "as without mif: the scope id names the interface",
        Pass::System(_) => "as without mif (`system`)",
        Pass::Respected => "as the application bound it",
    }
}

/// Why a flow is refused.
pub(crate) fn refusal(why: Refusal) -> &'static str {
    match why {
        Refusal::Chosen(_) => "the rule says `none`",
        Refusal::Exhausted(_, _) => "no network of the rule is usable now",
        Refusal::Resolver(_) => "`dns.guard`: a DNS server that is not the network's",
        Refusal::Family => "`family` excludes it",
        Refusal::LocalForbidden(_) => "`local = false`, and no network leads to loopback",
        // The rest depends on a socket, and here is none.
        _ => "the state of the host is not known",
    }
}

/// The first router, and the route that names it.
pub(crate) fn next_hop(way: &Way) -> String {
    let mut text = match way.gateway {
        Some(gateway) => gateway.to_string(),
        None => "the destination itself".to_owned(),
    };
    if let Some((prefix, length, table)) = way.route {
        let table = match table {
            254 => "main".to_owned(),
            255 => "local".to_owned(),
            253 => "default".to_owned(),
            number => number.to_string(),
        };
        let prefix = match (prefix, length) {
            (_, 0) => "default".to_owned(),
            _ => format!("{prefix}/{length}"),
        };
        let _ = write!(text, " (route {prefix} of table {table})");
    }
    text
}

impl Block {
    pub(crate) fn new(title: &str) -> Self {
        Self(format!("{title}\n"))
    }

    pub(crate) fn line(&mut self, label: &str, text: &str) {
        let _ = writeln!(self.0, "  {label:<10} {text}");
    }
}
