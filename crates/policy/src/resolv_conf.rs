//! `/etc/resolv.conf` as a program with a resolver of its own is to find it: the servers and the
//! search list of the network that the policy has for general names.
//!
//! What cannot be written there, servers with a port of their own, is left out.

use std::fmt::{self, Write};
use std::net::IpAddr;

use crate::known::Known;
use crate::model::{Families, Policy};
use crate::verdict::{Host, Need, Verdict};

/// What is shown in place of the host's own file.
#[derive(Debug)]
pub struct ResolvConf<'p> {
    names: Known<'p>,
    families: Families,
    /// Of the network's interface.
    index: Option<u32>,
}

impl Policy {
    /// The file to show; `None` where no server can be written into it, and the host's own file is
    /// to be read (the guard refuses what is in it).
    #[must_use]
    pub fn resolv_conf<'p>(&'p self, host: &impl Host) -> Option<ResolvConf<'p>> {
        let rule = self.last_rule();
        let names = self.names(rule, host);
        let index = match self.choose(rule, Need::Any, host) {
            Verdict::Route(route) => Some(route.index),
            _ => None,
        };
        let view = ResolvConf {
            names,
            families: self.families,
            index,
        };
        let has_any = view.servers().next().is_some();
        has_any.then_some(view)
    }
}

impl ResolvConf<'_> {
    /// What is asked encrypted is not to be asked in the clear.
    fn servers(&self) -> impl Iterator<Item = IpAddr> {
        let servers = self.names.servers().iter();
        let usable = servers.filter(|server| server.is_of_any_resolver());
        usable
            .map(|server| server.address.ip())
            .filter(|&ip| self.families.allow(ip))
    }

    /// Writes the file's text.
    ///
    /// # Errors
    /// Those of `to`.
    pub fn write(&self, to: &mut dyn Write) -> fmt::Result {
        write_text(to, self.servers(), self.index, self.names.search())
    }
}

/// In words, for the log.
impl fmt::Display for ResolvConf<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let servers = self.names.servers();
        write!(f, "/etc/resolv.conf: a view with the servers {servers:?}")
    }
}

fn write_text(
    to: &mut dyn Write,
    servers: impl Iterator<Item = IpAddr>,
    index: Option<u32>,
    search: &[Box<str>],
) -> fmt::Result {
    to.write_str("# mif: the policy's servers, in place of those of this host.\n")?;
    for ip in servers {
        match (ip, index) {
            // Only with its interface does such an address mean anything to a program.
            (IpAddr::V6(v6), Some(index)) if v6.is_unicast_link_local() => {
                writeln!(to, "nameserver {ip}%{index}")?;
            }
            _ => writeln!(to, "nameserver {ip}")?,
        }
    }
    if let Some((first, more)) = search.split_first() {
        write!(to, "search {first}")?;
        more.iter().try_for_each(|suffix| write!(to, " {suffix}"))?;
        to.write_str("\n")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(servers: &[&str], index: Option<u32>, search: &[&str]) -> String {
        let mut text = String::new();
        let servers = servers.iter().map(|ip| ip.parse().unwrap());
        let search: Vec<Box<str>> = search.iter().map(|&suffix| suffix.into()).collect();
        write_text(&mut text, servers, index, &search).unwrap();
        text.split_once('\n').unwrap().1.to_owned()
    }

    #[test]
    fn the_text_is_what_resolvers_read() {
        assert_eq!(text(&["10.2.0.1"], Some(3), &[]), "nameserver 10.2.0.1\n");
        assert_eq!(
            text(&["fe80::1", "2001:db8::1"], Some(3), &["a.test", "b"]),
            "nameserver fe80::1%3\nnameserver 2001:db8::1\nsearch a.test b\n"
        );
        assert_eq!(text(&["fe80::1"], None, &[]), "nameserver fe80::1\n");
    }
}
