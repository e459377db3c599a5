//! A view of `/etc/resolv.conf` for programs with a resolver of their own (c-ares, dig, JNDI,
//! dnspython, perl): whoever opens it to read finds the servers and the search list of the
//! network that the policy has for general names.
//!
//! What cannot be written there, servers with a port of their own, is left out; without a server
//! that can, it is the real file, whose servers the guard refuses.
//!
//! Nothing here allocates, but where the network's own servers have to be read first: to open this
//! file is to begin a look-up.

use std::ffi::CStr;
use std::fmt::{self, Write};
use std::net::{IpAddr, SocketAddr};
use std::os::fd::OwnedFd;

use mif_policy::{Need, Verdict};
use rustix::io::Errno;

use crate::guard::unless_panic;
use crate::init::{Active, active};
use crate::log::Level;
use crate::memfd;

pub(crate) const PATH: &CStr = c"/etc/resolv.conf";

/// The view, if the network for general names has servers that can be named there.
#[cold]
pub(crate) fn view(call: &str, close_on_exec: bool) -> Option<Result<OwnedFd, Errno>> {
    let active = active()?;
    unless_panic(Some(Err(Errno::IO)), || make(active, call, close_on_exec))
}

fn make(active: &Active, call: &str, close_on_exec: bool) -> Option<Result<OwnedFd, Errno>> {
    let policy = &active.policy;
    let (rule, host) = (policy.last_rule(), &active.view());
    let names = policy.names(rule, host);
    let index = match policy.choose(rule, Need::Any, host) {
        Verdict::Route(route) => Some(route.index),
        _ => None,
    };
    // What is asked encrypted is not to be asked in the clear.
    let in_the_clear = names.servers().iter().filter(|server| server.is_plain());
    let usable = |at: &SocketAddr| at.port() == 53 && policy.families.allow(at.ip());
    let mut servers = in_the_clear
        .map(|server| server.address)
        .filter(usable)
        .peekable();
    servers.peek()?;
    active.log.line(
        Level::Decisions,
        format_args!(
            "{call} /etc/resolv.conf: a view with the servers {:?}",
            names.servers()
        ),
    );
    let servers = servers.map(|server| (server.ip(), index));
    Some(memfd::sealed(c"resolv.conf", close_on_exec, |to| {
        write_text(to, servers, names.search())
    }))
}

/// A server, and the index of the network's interface.
type Server = (IpAddr, Option<u32>);

fn write_text(
    to: &mut dyn Write,
    servers: impl Iterator<Item = Server>,
    search: &[Box<str>],
) -> fmt::Result {
    to.write_str("# mif: the policy's servers, in place of those of this host.\n")?;
    for server in servers {
        match server {
            // Only with its interface does such an address mean anything to a program.
            (IpAddr::V6(ip), Some(index)) if ip.is_unicast_link_local() => {
                writeln!(to, "nameserver {ip}%{index}")?;
            }
            (ip, _) => writeln!(to, "nameserver {ip}")?,
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

    fn text(servers: &[(&str, Option<u32>)], search: &[&str]) -> String {
        let mut text = String::new();
        let servers = servers
            .iter()
            .map(|&(ip, index)| (ip.parse().unwrap(), index));
        let search: Vec<Box<str>> = search.iter().map(|&suffix| suffix.into()).collect();
        write_text(&mut text, servers, &search).unwrap();
        text.split_once('\n').unwrap().1.to_owned()
    }

    #[test]
    fn the_text_is_what_resolvers_read() {
        assert_eq!(text(&[("10.2.0.1", Some(3))], &[]), "nameserver 10.2.0.1\n");
        assert_eq!(
            text(
                &[
                    ("fe80::1", Some(3)),
                    ("2001:db8::1", Some(3)),
                    ("fe80::1", None)
                ],
                &["a.test", "b"]
            ),
            "nameserver fe80::1%3\nnameserver 2001:db8::1\nnameserver fe80::1\nsearch a.test b\n"
        );
    }
}
