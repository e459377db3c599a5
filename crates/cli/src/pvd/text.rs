//! Provisioning domains for people.

use std::fmt::{Display, Write};

use super::domain::{Address, Author, Domain, Route, Usable};
use crate::output::{BAD, GOOD, ODD, TITLE, styled};
use crate::words;

/// One row for each domain; cells with several entries go on below.
pub(super) fn table(domains: &[Domain]) -> String {
    const TITLES: [&str; 8] = [
        "NAME",
        "DEFINED BY",
        "INTERFACE",
        "STATE",
        "ADDRESSES",
        "GATEWAYS",
        "DNS SERVERS",
        "SEARCH",
    ];
    if domains.is_empty() {
        return "no networks but loopback\n".to_owned();
    }
    let rows: Vec<[Vec<String>; 8]> = domains.iter().map(row).collect();
    let width = |column: usize| {
        let cells = rows.iter().flat_map(|row| &row[column]);
        let widths = cells.map(|cell| cell.chars().count());
        widths.max().unwrap_or(0).max(TITLES[column].len())
    };
    let widths: Vec<usize> = (0..TITLES.len()).map(width).collect();
    let line = |cells: [&str; 8]| {
        let cells = cells.iter().zip(&widths);
        let text: String = cells.fold(String::new(), |mut text, (cell, width)| {
            let _ = write!(text, "{cell:<width$}  ");
            text
        });
        text.trim_end().to_owned()
    };
    let mut text = format!("{}\n", styled(TITLE, line(TITLES)));
    for (row, domain) in rows.iter().zip(domains) {
        let height = row.iter().map(Vec::len).max().unwrap_or(0);
        for n in 0..height {
            let cells = std::array::from_fn(|column| row[column].get(n).map_or("", |cell| cell));
            let style = if n > 0 || domain.ipv4.usable || domain.ipv6.usable {
                anstyle::Style::new()
            } else {
                BAD
            };
            let _ = writeln!(text, "{}", styled(style, line(cells)));
        }
    }
    text
}

fn row(domain: &Domain) -> [Vec<String>; 8] {
    fn each<T: Display>(list: &[T]) -> Vec<String> {
        list.iter().map(ToString::to_string).collect()
    }
    let announced = domain.announced.iter().filter_map(|one| one.id.as_ref());
    let announced = announced.map(|id| format!("  {id}"));
    [
        [domain.name.clone()].into_iter().chain(announced).collect(),
        vec![domain.defined_by.to_string()],
        vec![domain.interface.clone()],
        vec![state(domain)],
        each(&domain.addresses),
        each(&domain.gateways),
        domain.dns.servers.clone(),
        domain.dns.search.clone(),
    ]
}

/// Whether it can be used, in few words.
pub(super) fn state(domain: &Domain) -> String {
    match (&domain.ipv4, &domain.ipv6) {
        (v4, v6) if v4.usable && v6.usable => "usable".to_owned(),
        (v4, _) if v4.usable => "IPv4 only".to_owned(),
        (_, v6) if v6.usable => "IPv6 only".to_owned(),
        (v4, v6) if v4.reason == v6.reason => v4.reason.clone().unwrap_or_default(),
        _ => "no usable address".to_owned(),
    }
}

/// All that is known of one domain.
pub(super) fn page(domain: &Domain) -> String {
    let mut text = format!("{}\n", styled(TITLE, &domain.name));
    let mut row = |label: &str, value: &dyn Display| {
        let _ = writeln!(text, "  {label:<11} {value}");
    };
    match &domain.defined_in {
        Some(file) => row(
            "defined by",
            &format_args!("{} ({file})", domain.defined_by),
        ),
        None => row("defined by", &"the interface itself"),
    }
    match &domain.link {
        Some(link) => {
            let state = match (link.up, link.carrier) {
                (false, _) => "down",
                (true, false) => "up, no carrier",
                (true, true) => "up",
            };
            let (name, index, kind) = (&domain.interface, link.index, &link.kind);
            let about = format_args!("{name} (index {index}, {kind}), {state}, MTU {}", link.mtu);
            row("interface", &about);
        }
        None => row(
            "interface",
            &format_args!("{}, which is not there", domain.interface),
        ),
    }
    row("IPv4", &usable(&domain.ipv4));
    row("IPv6", &usable(&domain.ipv6));
    for address in &domain.addresses {
        let about = about(address);
        row("address", &format_args!("{address} ({})", about.join(", ")));
    }
    for source in &domain.sources {
        row(
            "source",
            &format_args!("{source} (the only one of its family that is used)"),
        );
    }
    if let Some(mark) = domain.mark {
        row("mark", &mark);
    }
    for route in &domain.routes {
        row("route", route);
    }
    let dns = &domain.dns;
    for server in &dns.servers {
        row("DNS server", server);
    }
    if dns.servers.is_empty() {
        row(
            "DNS server",
            &styled(
                ODD,
                "none known; look-ups fail here (name some with -d, or dns.servers in pvds.toml)",
            ),
        );
    } else if let Some(agent) = &dns.agent {
        let files = dns.files.join(", ");
        match &**agent {
            "pvds.toml" => row("DNS from", &files),
            agent => row("DNS from", &format_args!("{agent} ({files})")),
        }
    }
    for (label, list) in [("search", &dns.search), ("zones", &dns.zones)] {
        if !list.is_empty() {
            row(label, &list.join(" "));
        }
    }
    row("trusted", if dns.trusted { &"yes" } else { &"no" });
    for announced in &domain.announced {
        let _ = writeln!(text, "  announced: {}", styled(TITLE, announced.title()));
        for (label, value) in announced.rows() {
            let _ = writeln!(text, "    {label:<11} {value}");
        }
    }
    text
}

fn usable(usable: &Usable) -> String {
    match &usable.reason {
        None => styled(GOOD, "usable"),
        Some(why) => styled(BAD, format_args!("not usable: {why}")),
    }
}

fn about(address: &Address) -> Vec<String> {
    let mut about = vec![format!("scope {}", address.scope)];
    about.extend(address.flags.iter().map(ToString::to_string));
    about.extend(address.peer.map(|peer| format!("peer {peer}")));
    about.extend(
        address
            .valid_seconds
            .map(|time| format!("valid {}", duration(time))),
    );
    let preferred = address.preferred_seconds.filter(|&time| time > 0);
    about.extend(preferred.map(|time| format!("preferred {}", duration(time))));
    about
}

impl Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.ip, self.prefix_length)?;
        match self.valid_seconds {
            Some(time) if !f.alternate() => write!(f, " {}", duration(time)),
            _ => Ok(()),
        }
    }
}

impl Display for Route {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.destination)?;
        if let Some(gateway) = self.gateway {
            write!(f, " via {gateway}")?;
        }
        write!(
            f,
            " ({}, metric {}, from {}",
            words::table(self.table),
            self.metric,
            self.protocol
        )?;
        if let Some(source) = self.preferred_source {
            write!(f, ", source {source}")?;
        }
        if let Some(mtu) = self.mtu {
            write!(f, ", MTU {mtu}")?;
        }
        if let Some(time) = self.expires_seconds {
            write!(f, ", expires in {}", duration(time))?;
        }
        f.write_str(")")
    }
}

impl Display for Author {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::User => "user",
            Self::Administrator => "administrator",
            Self::Interface => "interface",
        })
    }
}

/// Seconds in the two largest units that there are.
pub(super) fn duration(seconds: u64) -> String {
    const UNITS: [(u64, &str); 4] = [(86_400, "d"), (3_600, "h"), (60, "m"), (1, "s")];
    let first = UNITS.iter().position(|(size, _)| seconds >= *size);
    let Some(first) = first else {
        return "0s".to_owned();
    };
    let (size, unit) = UNITS[first];
    let mut text = format!("{}{unit}", seconds / size);
    if let Some((smaller, unit)) = UNITS.get(first + 1)
        && seconds % size >= *smaller
    {
        let _ = write!(text, "{}{unit}", seconds % size / smaller);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::duration;

    #[test]
    fn durations_have_two_units() {
        for (seconds, text) in [
            (0, "0s"),
            (59, "59s"),
            (60, "1m"),
            (3_661, "1h1m"),
            (86_400, "1d"),
            (90_000, "1d1h"),
            (86_401, "1d"),
        ] {
            assert_eq!(duration(seconds), text);
        }
    }
}
