//! What networks announced of themselves (RFC 8801), as `mif pvd discover` left it: one file for
//! each interface, with all the provisioning domains that were heard there.
//!
//! A file is lines of `KEY=VALUE`, in blocks that begin with `PVD=`: the identifier of an explicit
//! domain, or nothing for an implicit one. A line that holds for a time alone ends in the second
//! since 1970 at which it ends, or in `-`. Text in, values out, and back; [`path`] is where it lies.

use std::fmt::{self, Write};
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

use mif_policy::{Prefix, Zone};

/// Below `/run`, or below `/run/user/UID` for what a user found out.
const FOLDER: &str = "mif/pvd";

/// All that was heard on one interface.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Announced {
    /// The interface that had the name then.
    pub index: u32,
    /// [`attachment`] then: whether the interface has been on the same network since.
    pub attachment: u64,
    /// What only `mif pvd discover` looks at, as keys and values of one line.
    pub more: Vec<(String, String)>,
    /// In the order in which they were heard first.
    pub domains: Vec<Domain>,
}

/// One provisioning domain.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Domain {
    /// Its identifier, in lower case without the trailing dot; `None` for an implicit one.
    pub id: Option<Box<str>>,
    /// Who announces it, with the preference as a default router: 3 high, 2 medium, 1 low, and 0
    /// for one that is none.
    pub routers: Vec<Timed<(Ipv6Addr, u8)>>,
    /// Of addresses in it.
    pub prefixes: Vec<Timed<Prefix>>,
    /// Recursive resolvers in their order.
    pub servers: Vec<Timed<IpAddr>>,
    /// Suffixes for short names.
    pub search: Vec<Timed<Zone>>,
    /// What was fetched for it, while that counts.
    pub information: Option<Timed<Information>>,
    /// What only people look at, as keys and values of one line.
    pub more: Vec<(String, String)>,
}

/// The additional information of RFC 8801 4.3. That it is there says that the network has proved by
/// a certificate that the identifier is its own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Information {
    /// The domain does not lead to the internet.
    pub no_internet: bool,
    /// Names that belong to it.
    pub zones: Vec<Zone>,
}

/// A value and the second since 1970 at which it ends; `None` is never.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timed<T> {
    /// The value.
    pub value: T,
    /// The end.
    pub until: Option<u64>,
}

/// Where it lies, seen from the root.
#[must_use]
pub fn path(user: Option<u32>, interface: &str) -> String {
    format!("{}/{interface}", folder(user))
}

/// The folder of these files: that of root, or of a user.
#[must_use]
pub fn folder(user: Option<u32>) -> String {
    match user {
        None => format!("run/{FOLDER}"),
        Some(user) => format!("run/user/{user}/{FOLDER}"),
    }
}

/// The file that [`attachment`] is made of, seen from the root.
#[must_use]
pub fn changes(interface: &str) -> String {
    format!("sys/class/net/{interface}/carrier_changes")
}

/// A number that changes when the interface may have been put on another network: how often its
/// carrier came or went, as the kernel tells in [`changes`], and 0 where nobody tells.
#[must_use]
pub fn attachment(carrier_changes: Option<&str>) -> u64 {
    let changes = carrier_changes.and_then(|text| text.trim().parse().ok());
    changes.unwrap_or(0)
}

impl<T> Timed<T> {
    /// Whether it still holds at a second since 1970.
    #[must_use]
    pub fn holds(&self, now: u64) -> bool {
        self.until.is_none_or(|until| now < until)
    }
}

impl Announced {
    /// The interface and its attachment.
    #[must_use]
    pub fn place(&self) -> (u32, u64) {
        (self.index, self.attachment)
    }

    /// The one whose word is the interface's, where nobody names one: of those with servers, the one
    /// that leads to the internet, with the best default router, and with a name; the first
    /// of several.
    #[must_use]
    pub fn main(&self, now: u64) -> Option<&Domain> {
        let rank = |domain: &&Domain| {
            let information = domain.information.as_ref().filter(|one| one.holds(now));
            let no_internet = information.is_some_and(|one| one.value.no_internet);
            let routers = domain.routers.iter().filter(|router| router.holds(now));
            let preference = routers.map(|router| router.value.1).max();
            (!no_internet, preference, domain.id.is_some())
        };
        let has_servers = |domain: &&Domain| domain.servers.iter().any(|one| one.holds(now));
        // The last one of equals would be taken.
        self.domains
            .iter()
            .rev()
            .filter(has_servers)
            .max_by_key(rank)
    }
}

impl Domain {
    /// When something of it ends next, after a second since 1970.
    #[must_use]
    pub fn end(&self, now: u64) -> Option<u64> {
        let routers = self.routers.iter().map(|one| one.until);
        let prefixes = self.prefixes.iter().map(|one| one.until);
        let servers = self.servers.iter().map(|one| one.until);
        let search = self.search.iter().map(|one| one.until);
        let information = self.information.iter().map(|one| one.until);
        let ends = routers.chain(prefixes).chain(servers).chain(search);
        ends.chain(information)
            .flatten()
            .filter(|end| *end > now)
            .min()
    }
}

impl FromStr for Announced {
    type Err = String;

    /// # Errors
    /// The first line that is not understood. Keys that are not known are [`Domain::more`].
    fn from_str(text: &str) -> Result<Self, String> {
        let mut announced = Self::default();
        for (number, line) in (1..).zip(text.lines()) {
            if !line.is_empty() && !line.starts_with('#') {
                announced
                    .line(line)
                    .ok_or_else(|| format!("line {number} is not understood"))?;
            }
        }
        Ok(announced)
    }
}

impl Announced {
    fn line(&mut self, line: &str) -> Option<()> {
        let (key, value) = line.split_once('=')?;
        if key == "PVD" {
            self.domains.push(Domain {
                id: (!value.is_empty()).then(|| value.into()),
                ..Domain::default()
            });
            return Some(());
        }
        let Some(domain) = self.domains.last_mut() else {
            match key {
                "INDEX" => self.index = value.parse().ok()?,
                "ATTACHMENT" => self.attachment = value.parse().ok()?,
                _ => self.more.push((key.to_owned(), value.to_owned())),
            }
            return Some(());
        };
        match key {
            "ROUTER" => domain.routers.push(timed(value, |value| {
                let (ip, preference) = value.split_once(' ')?;
                Some((ip.parse().ok()?, preference.parse().ok()?))
            })?),
            "PREFIX" => domain.prefixes.push(timed(value, prefix)?),
            "DNS" => domain.servers.push(timed(value, |ip| ip.parse().ok())?),
            "SEARCH" => domain.search.push(timed(value, |name| name.parse().ok())?),
            "INFORMATION" => domain.information = Some(timed(value, information)?),
            _ => domain.more.push((key.to_owned(), value.to_owned())),
        }
        Some(())
    }
}

fn timed<T>(text: &str, read: impl Fn(&str) -> Option<T>) -> Option<Timed<T>> {
    let (value, until) = text.rsplit_once(' ')?;
    let until = match until {
        "-" => None,
        until => Some(until.parse().ok()?),
    };
    let value = read(value)?;
    Some(Timed { value, until })
}

fn prefix(text: &str) -> Option<Prefix> {
    let (address, length) = text.split_once('/')?;
    Prefix::new(address.parse().ok()?, length.parse().ok()?)
}

fn information(text: &str) -> Option<Information> {
    let mut words = text.split(' ');
    let no_internet = match words.next()? {
        "internet" => false,
        "no-internet" => true,
        _ => return None,
    };
    let zones = words.map(|zone| zone.parse().ok()).collect::<Option<_>>()?;
    Some(Information { no_internet, zones })
}

impl fmt::Display for Announced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "# Written by `mif pvd discover`.")?;
        writeln!(f, "INDEX={}\nATTACHMENT={}", self.index, self.attachment)?;
        lines(f, &self.more)?;
        self.domains.iter().try_for_each(|domain| domain.fmt(f))
    }
}

impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\nPVD={}", self.id.as_deref().unwrap_or(""))?;
        for router in &self.routers {
            let (ip, preference) = router.value;
            writeln!(f, "ROUTER={ip} {preference} {}", end(router))?;
        }
        for prefix in &self.prefixes {
            writeln!(f, "PREFIX={} {}", prefix.value, end(prefix))?;
        }
        for server in &self.servers {
            writeln!(f, "DNS={} {}", server.value, end(server))?;
        }
        for suffix in &self.search {
            writeln!(f, "SEARCH={} {}", suffix.value, end(suffix))?;
        }
        if let Some(information) = &self.information {
            let Information { no_internet, zones } = &information.value;
            let mut line = if *no_internet {
                "no-internet"
            } else {
                "internet"
            }
            .to_owned();
            for zone in zones {
                write!(line, " {zone}")?;
            }
            writeln!(f, "INFORMATION={line} {}", end(information))?;
        }
        lines(f, &self.more)
    }
}

fn lines(f: &mut fmt::Formatter<'_>, lines: &[(String, String)]) -> fmt::Result {
    let mut lines = lines.iter();
    lines.try_for_each(|(key, value)| writeln!(f, "{key}={value}"))
}

fn end<T>(timed: &Timed<T>) -> String {
    timed
        .until
        .map_or("-".to_owned(), |until| until.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
# Written by `mif pvd discover`.
INDEX=3
ATTACHMENT=2
TRIED=5 6

PVD=
ROUTER=fe80::1 2 1000
PREFIX=2001:db8:1::/64 -
DNS=2001:db8:1::53 1000

PVD=corp.example
ROUTER=fe80::1 3 1000
PREFIX=2001:db8:2::/64 2000
DNS=2001:db8:2::53 500
DNS=2001:db8:2::54 1500
SEARCH=corp.example 1000
INFORMATION=no-internet corp.example lab.test 1200
SEQUENCE=7
";

    #[test]
    fn what_is_written_is_read() {
        let announced: Announced = TEXT.parse().unwrap();
        assert_eq!(announced.to_string(), TEXT);
        assert_eq!((announced.index, announced.attachment), (3, 2));
        let [implicit, corp] = &announced.domains[..] else {
            panic!("{announced:?}");
        };
        assert_eq!(implicit.id, None);
        assert_eq!(implicit.prefixes[0].until, None);
        assert_eq!(corp.routers[0].value, ("fe80::1".parse().unwrap(), 3));
        assert_eq!(corp.information.as_ref().unwrap().value.zones.len(), 2);
        assert_eq!(corp.more, [("SEQUENCE".to_owned(), "7".to_owned())]);
    }

    #[test]
    fn what_is_no_such_file() {
        for (text, line) in [
            ("x", 1),
            ("INDEX=x", 1),
            ("PVD=\nDNS=2001:db8::1", 2),
            ("PVD=\nDNS=2001:db8::1 x", 2),
            ("PVD=\n\nDNS=what 5", 3),
            ("PVD=\nPREFIX=::/129 -", 2),
            ("PVD=\nROUTER=fe80::1 -", 2),
            ("PVD=\nINFORMATION=perhaps -", 2),
            ("PVD=\nINFORMATION=internet a..b -", 2),
        ] {
            let why = text.parse::<Announced>().unwrap_err();
            assert_eq!(why, format!("line {line} is not understood"), "{text}");
        }
    }

    #[test]
    fn one_domain_speaks_for_the_interface() {
        let announced: Announced = TEXT.parse().unwrap();
        let main = |now| announced.main(now).map(|domain| domain.id.as_deref());
        // Without the internet it comes last, until nobody says so any more.
        assert_eq!(main(0), Some(None));
        assert_eq!(main(1000), Some(Some("corp.example")));
        assert_eq!(main(1500), None);
        let text = TEXT.replace("no-internet", "internet");
        let announced: Announced = text.parse().unwrap();
        assert_eq!(
            announced.main(0).unwrap().id.as_deref(),
            Some("corp.example")
        );
        let text = text
            .replace("fe80::1 2", "fe80::1 3")
            .replace("PVD=corp.example", "PVD=");
        let announced: Announced = text.parse().unwrap();
        assert_eq!(announced.main(0), announced.domains.first());
    }
}
