//! Which names are libc's to resolve: those that no DNS server is asked about without mif either,
//! by their form or by the `hosts` line of nsswitch.conf(5).
//!
//! Of that line it matters what stands before DNS. The hosts file is answered in `resolution.rs`, and
//! the services that know special names without any network are left to libc for exactly those
//! names. Services that know arbitrary names (LDAP, NIS, libvirt) are not asked.

use std::net::IpAddr;
use std::path::Path;

use once_cell::race::OnceBox;

/// The services of the `hosts` line that matter here.
#[derive(Debug, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools)] // They stand in the line or not, each for itself.
pub(crate) struct Services {
    /// `files`: the hosts file is read.
    pub(crate) files: bool,
    /// `dns`, or `resolve`, which asks for DNS elsewhere.
    dns: bool,
    /// A service for multicast DNS, whose "not found" ends the look-up.
    mdns: bool,
    /// `myhostname`: the host's own name and `_gateway`.
    myhostname: bool,
    /// `mymachines`: containers of systemd-machined.
    mymachines: bool,
}

/// The services of this host, read by the first look-up of the process, as libc once did.
pub(crate) fn services() -> &'static Services {
    static SERVICES: OnceBox<Services> = OnceBox::new();
    SERVICES.get_or_init(|| {
        let text = std::fs::read("/etc/nsswitch.conf").unwrap_or_default();
        Box::new(Services::parse(&String::from_utf8_lossy(&text)))
    })
}

impl Services {
    /// The `hosts` line of a file; without one it is `files dns`, as libc has it.
    fn parse(text: &str) -> Self {
        let uncommented = |line: &'_ str| line.split('#').next().unwrap_or_default().to_owned();
        let line = text
            .lines()
            .map(uncommented)
            .find_map(|line| Some(line.trim_start().strip_prefix("hosts:")?.to_owned()))
            .unwrap_or_else(|| "files dns".to_owned());
        let mut services = Self {
            files: false,
            dns: false,
            mdns: false,
            myhostname: false,
            mymachines: false,
        };
        let mut last = "";
        let mut rest = line.trim();
        while !rest.is_empty() {
            // In brackets: actions on what the service before them said.
            if let Some(actions) = rest.strip_prefix('[') {
                let (actions, behind) = actions.split_once(']').unwrap_or((actions, ""));
                let ends = |action: &str| action.eq_ignore_ascii_case("notfound=return");
                services.mdns |= !services.dns
                    && last.starts_with("mdns")
                    && actions.split_whitespace().any(ends);
                rest = behind.trim_start();
                continue;
            }
            let end = rest.find(|c: char| c.is_whitespace() || c == '[');
            let (service, behind) = rest.split_at(end.unwrap_or(rest.len()));
            match service {
                "files" => services.files = true,
                "dns" | "resolve" => services.dns = true,
                "myhostname" => services.myhostname |= !services.dns,
                "mymachines" => services.mymachines |= !services.dns,
                _ => {}
            }
            last = service;
            rest = behind.trim_start();
        }
        services
    }

    /// Whether a name, which is one of [`is_name`], is libc's.
    pub(crate) fn has_name(&self, name: &str) -> bool {
        let name = name.strip_suffix('.').unwrap_or(name);
        let is_local = || has_label_last(name, "local") && is_mdns_there();
        // Without a slash it names a file of that folder.
        let is_machine = || Path::new("/run/systemd/machines").join(name).exists();
        !self.dns
            || (self.mdns && is_local())
            || (self.myhostname && is_own(name))
            || (self.mymachines && is_machine())
    }

    /// Whether the name of an address is libc's.
    pub(crate) fn has_address(&self, address: IpAddr) -> bool {
        let is_link_local = match address {
            IpAddr::V4(v4) => v4.is_link_local(),
            IpAddr::V6(v6) => v6.is_unicast_link_local(),
        };
        !self.dns || (self.mdns && is_link_local && is_mdns_there())
    }
}

/// Whether avahi would answer. Where it is not there, libc goes on to DNS.
fn is_mdns_there() -> bool {
    Path::new("/run/avahi-daemon/socket").exists()
}

/// The names of `nss-myhostname(8)`; `localhost` is answered elsewhere.
fn is_own(name: &str) -> bool {
    let own = rustix::system::uname();
    let own = own.nodename().to_bytes();
    ["_gateway", "_outbound"].contains(&name) || name.as_bytes().eq_ignore_ascii_case(own)
}

fn has_label_last(name: &str, label: &str) -> bool {
    let mut labels = name.rsplit('.');
    labels
        .next()
        .is_some_and(|last| last.eq_ignore_ascii_case(label))
        && labels.next().is_some()
}

/// Whether this is the name of a host, and neither an address as `inet_aton(3)` and `inet_pton(3)`
/// take them nor what glibc refuses without asking anybody.
pub(crate) fn is_name(name: &str) -> bool {
    let bare = name.strip_suffix('.').unwrap_or(name);
    let last = bare.rsplit('.').next().unwrap_or(bare);
    // inet_aton(3) takes 1 to 4 numbers, decimal, octal or hexadecimal. No top-level domain begins
    // with a digit, so nothing else does.
    let is_numeric = last.starts_with(|first: char| first.is_ascii_digit());
    let is_of_hosts = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    !bare.is_empty() && !is_numeric && !bare.starts_with('-') && bare.bytes().all(is_of_hosts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_what_nobody_is_asked_are_no_names() {
        for name in [
            "127.0.0.1",
            "127.1",
            "0x7f.1",
            "017700000001",
            "::1",
            "fe80::1%eth0",
            "",
            ".",
            "a b.test",
            "a!b",
            "*.test",
            "bücher.test",
            "a\\.b",
            "-a.test",
        ] {
            assert!(!is_name(name), "{name}");
        }
        for name in [
            "who.test",
            "1.example",
            "local",
            "3com.com",
            "_a.test.",
            "localhost",
        ] {
            assert!(is_name(name), "{name}");
        }
    }

    #[test]
    fn the_hosts_line_is_read_as_libc_reads_it() {
        let none = Services::parse("hosts: db");
        assert!(!none.files && !none.dns && none.has_name("who.test"));
        for (text, wanted) in [
            ("", "files dns"),
            ("passwd: files\n", "files dns"),
            ("# hosts: db\n  hosts:\tdns # files\n", "dns"),
            (
                "hosts: files mdns4_minimal [NOTFOUND=return] dns",
                "files mdns dns",
            ),
            (
                "hosts:files mdns4[ !UNAVAIL=continue notfound=RETURN ]dns",
                "files mdns dns",
            ),
            ("hosts: files mdns4_minimal dns", "files dns"),
            (
                "hosts: files dns mdns4 [NOTFOUND=return] myhostname",
                "files dns",
            ),
            (
                "hosts: mymachines resolve [!UNAVAIL=return] files myhostname dns",
                "mymachines dns files",
            ),
            (
                "hosts: files myhostname mymachines dns",
                "files myhostname mymachines dns",
            ),
            ("hosts: files [NOTFOUND=return", "files"),
        ] {
            let has = |word: &str| wanted.split(' ').any(|one| one == word);
            let wanted = Services {
                files: has("files"),
                dns: has("dns"),
                mdns: has("mdns"),
                myhostname: has("myhostname"),
                mymachines: has("mymachines"),
            };
            assert_eq!(Services::parse(text), wanted, "{text}");
        }
    }

    #[test]
    fn special_names_are_only_special_where_a_service_says_so() {
        let plain = Services::parse("hosts: files dns");
        let special = Services::parse("hosts: files myhostname dns");
        let own = rustix::system::uname();
        let own = own.nodename().to_str().unwrap();
        for (name, is_special) in [("_gateway", true), (own, true), ("who.test", false)] {
            assert!(!plain.has_name(name), "{name}");
            assert_eq!(special.has_name(name), is_special, "{name}");
        }
    }
}
