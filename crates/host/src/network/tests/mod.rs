//! Files that real agents wrote (`tests/agents`), and the same made worse.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::*;

mod announced;
mod belief;

/// 2026-11-24 07:00:00 UTC.
const THEN: u64 = 1_795_503_600;

/// A root of its own, with the files of some agents, that goes with the test.
struct Root(PathBuf);

impl Root {
    fn new(test: &str, agents: &[&str]) -> Self {
        let root = std::env::temp_dir().join(format!("mif-network-{}-{test}", std::process::id()));
        fs::create_dir_all(&root).unwrap();
        let root = Self(root);
        let captured = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/agents");
        for agent in agents {
            copy(&captured.join(agent), &root.0);
        }
        root
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.0.join(path);
        folder(path.parent().unwrap());
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
    }

    fn edit(&self, path: &str, from: &str, to: &str) {
        let text = fs::read_to_string(self.0.join(path)).unwrap();
        assert!(text.contains(from), "{text}");
        self.write(path, &text.replace(from, to));
    }

    fn reading(&self) -> Reading {
        let own = ["10.2.0.56", "2001:db8:2::1aa", "2001:db8:2::17c"];
        self.reading_with(&|ip| own.contains(&&*ip.to_string()))
    }

    fn reading_with(&self, has: &dyn Fn(IpAddr) -> bool) -> Reading {
        let link = Link {
            index: 3,
            name: "wan1",
            has,
        };
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(THEN);
        Reading::at(&link, &self.0, now)
    }

    fn network(&self) -> Network {
        self.reading().network
    }
}

impl Drop for Root {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// What git checks out may be open to the group.
fn copy(from: &Path, to: &Path) {
    folder(to);
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if from.is_dir() {
            copy(&from, &to);
        } else {
            fs::copy(&from, &to).unwrap();
            fs::set_permissions(&to, Permissions::from_mode(0o644)).unwrap();
        }
    }
}

fn folder(path: &Path) {
    if !path.is_dir() {
        folder(path.parent().unwrap());
        fs::create_dir(path).unwrap();
        fs::set_permissions(path, Permissions::from_mode(0o755)).unwrap();
    }
}

/// A network in words: servers, `|`, search list, `|`, zones.
fn told(network: &Network) -> String {
    let servers: Vec<String> = network.servers.iter().map(ToString::to_string).collect();
    let zones: Vec<String> = network.zones.iter().map(ToString::to_string).collect();
    let parts = [servers.join(" "), network.search.join(" "), zones.join(" ")];
    parts.join(" | ").trim_end().to_owned()
}

const NETWORKD: &str = "192.0.2.53:53 [fe80::5%3]:53 10.2.0.1:53 10.2.0.3:53 [2001:db8:2::1]:53 \
    [fe80::1%3]:53 | corp.example b.test more.b.test six.b.test | lab.example corp.example b.test \
    more.b.test six.b.test";
const DHCP: &str = "10.2.0.1:53 10.2.0.3:53 [2001:db8:2::1]:53 [fe80::1%3]:53 | b.test more.b.test \
    six.b.test |";

#[test]
fn each_agents_own_files_are_understood() {
    for (folder, agent, wanted) in [
        ("networkd", Agent::Networkd, NETWORKD),
        (
            "resolved",
            Agent::Resolved,
            "10.2.0.1:53 10.2.0.3:5353 [fe80::1%3]:53 192.0.2.53:53 | b.test | corp.test b.test",
        ),
        ("network-manager", Agent::NetworkManager, DHCP),
        (
            "resolvconf",
            Agent::Resolvconf,
            "10.2.0.1:53 10.2.0.3:53 [2001:db8:2::1]:53 [fe80::1%3]:53 | b.test six.b.test |",
        ),
        ("openresolv", Agent::Resolvconf, DHCP),
        ("dhcpcd", Agent::Dhcpcd, DHCP),
        ("dhclient", Agent::Dhclient, DHCP),
        ("one-network", Agent::ResolvConf, DHCP),
    ] {
        let network = Root::new(folder, &[folder]).network();
        assert_eq!(told(&network), wanted.trim_end(), "{folder}");
        assert_eq!(network.trouble, [], "{folder}");
        assert_eq!(network.source.unwrap().agent, agent);
    }
}

#[test]
fn the_first_agent_in_the_order_has_the_word_alone() {
    let all = [
        "one-network",
        "dhclient",
        "dhcpcd",
        "openresolv",
        "resolvconf",
        "network-manager",
        "resolved",
        "networkd",
    ];
    let agents = [
        Agent::ResolvConf,
        Agent::Dhclient,
        Agent::Dhcpcd,
        Agent::Resolvconf,
        Agent::Resolvconf,
        Agent::NetworkManager,
        Agent::Resolved,
        Agent::Networkd,
    ];
    for (n, agent) in agents.into_iter().enumerate() {
        let network = Root::new("order", &all[..=n]).network();
        assert_eq!(network.source.unwrap().agent, agent);
    }
    // Who manages another interface, or has no servers for this one, leaves the word to the next.
    let root = Root::new("order", &["networkd", "network-manager"]);
    root.edit("run/systemd/netif/links/3", "\nDNS=", "\nXDNS=");
    assert_eq!(root.network().source.unwrap().agent, Agent::NetworkManager);
}

#[test]
fn what_is_of_another_interface_is_not_believed() {
    for folder in [
        "networkd",
        "resolved",
        "network-manager",
        "dhcpcd",
        "dhclient",
        "one-network",
    ] {
        let root = Root::new("another", &[folder]);
        for (index, name) in [(1, "lo"), (4, "wan0"), (33, "wan10"), (30, "wan")] {
            let link = Link {
                index,
                name,
                has: &|_| true,
            };
            let now = SystemTime::UNIX_EPOCH + Duration::from_secs(THEN);
            let network = Reading::at(&link, &root.0, now).network;
            assert_eq!(network, Network::default(), "{folder} {name}");
        }
    }
    // A record of `wan1.100` is not one of `wan1`, and a lease's own word names no file.
    let root = Root::new("another", &[]);
    root.write(
        "run/resolvconf/interface/wan1.100.dhclient",
        "nameserver 192.0.2.1\n",
    );
    root.write(
        "run/resolvconf/interface/wan1.100",
        "nameserver 192.0.2.1\n",
    );
    assert_eq!(root.network(), Network::default());
    root.write(
        "run/resolvconf/interface/tun.wan1",
        "nameserver 192.0.2.1\n",
    );
    assert_eq!(told(&root.network()), "192.0.2.1:53 |  |");
}

#[test]
fn the_hosts_resolv_conf_is_nobodys_where_two_networks_lead_out() {
    let root = Root::new("two", &["one-network"]);
    let route = fs::read_to_string(root.0.join("proc/net/route")).unwrap();
    root.write(
        "proc/net/route",
        &route.replace("wan1\t00000000", "wan0\t00000000"),
    );
    assert_eq!(root.network(), Network::default());
    root.write("proc/net/route", "");
    root.write("proc/net/ipv6_route", "");
    assert_eq!(root.network(), Network::default(), "none leads out");
    // A stub on this host asks whomever it likes.
    let root = Root::new("two", &["one-network"]);
    root.write(
        "etc/resolv.conf",
        "nameserver 127.0.0.53\nnameserver fe80::1%wan0\n",
    );
    let network = root.network();
    assert!(network.servers.is_empty());
    assert_eq!(network.trouble.len(), 1, "{:?}", network.trouble);
}

#[test]
fn a_lease_counts_while_it_lasts_and_where_its_address_is() {
    const LEASE: &str = "var/lib/dhcp/dhclient.wan1.leases";
    const DEVICE: &str = "run/NetworkManager/devices/3";
    const V4: &str = "10.2.0.1:53 10.2.0.3:53 | b.test more.b.test |";
    const V6: &str = "[2001:db8:2::1]:53 [fe80::1%3]:53 | six.b.test |";
    let new = |agent| Root::new("lease", &[agent]);
    for (from, to, wanted) in [
        ("2026/11/24 07:33:20", "2026/11/24 07:00:00", V6),
        ("2026/11/24 07:33:20", "2026/11/24 07:00:01", DHCP),
        ("2 2026/11/24 07:33:20", "never", DHCP),
        ("2 2026/11/24 07:33:20", "epoch 1795503600", V6),
        ("2 2026/11/24 07:33:20", "epoch 1795503601", DHCP),
        ("2026/11/24 07:33:20", "2028/02/29 00:00:00", DHCP),
        ("fixed-address 10.2.0.56", "fixed-address 10.2.0.57", V6),
        ("interface \"wan1\"", "interface \"wan0\"", V6),
    ] {
        let root = new("dhclient");
        root.edit(LEASE, from, to);
        assert_eq!(told(&root.network()), wanted, "{to}");
    }
    for (from, to) in [
        (
            "starts 1795502001;\n      preferred",
            "starts 1795500000;\n      preferred",
        ),
        ("iaaddr 2001:db8:2::1aa", "iaaddr 2001:db8:2::1ab"),
        ("interface \"wan1\";", "interface \"wan1\";\n  released;"),
    ] {
        let root = new("dhclient");
        root.edit("var/lib/dhcp/dhclient6.wan1.leases", from, to);
        assert_eq!(told(&root.network()), V4, "{to}");
    }
    let root = new("dhclient");
    root.edit(
        "var/lib/dhcp/dhclient6.wan1.leases",
        "max-life 3600",
        "max-life 4294967295",
    );
    assert_eq!(told(&root.network()), DHCP);

    for (from, to, wanted) in [
        ("expiry=1795505739", "expiry=1795503600", V6),
        (
            "dhcp4.ip_address=10.2.0.56",
            "dhcp4.ip_address=10.2.0.57",
            V6,
        ),
        (
            "dhcp6.ip6_address=2001:db8:2::17c",
            "dhcp6.ip6_address=2001:db8:2::17d",
            V4,
        ),
    ] {
        let root = new("network-manager");
        root.edit(DEVICE, from, to);
        assert_eq!(told(&root.network()), wanted, "{to}");
    }
}

#[test]
fn of_several_leases_the_last_one_counts_and_none_if_one_is_malformed() {
    const LEASE: &str = "var/lib/dhcp/dhclient.wan1.leases";
    let root = Root::new("several", &["dhclient"]);
    let one = fs::read_to_string(root.0.join(LEASE)).unwrap();
    let newer = one.replace("10.2.0.1,10.2.0.3", "10.2.0.9");
    let other = newer
        .replace("\"wan1\"", "\"wan0\"")
        .replace("10.2.0.9", "10.1.0.1");
    let all = format!("# by hand\n{one}{newer}{other}");
    root.write(LEASE, &all);
    assert!(told(&root.network()).starts_with("10.2.0.9:53 [2001"));
    // The lease that ends last, of the files that may have one.
    root.write(
        "var/lib/dhcp/dhclient.leases",
        &one.replace("07:33:20", "07:33:21"),
    );
    assert!(told(&root.network()).starts_with("10.2.0.1:53 10.2.0.3:53 [2001"));

    let link = Link {
        index: 3,
        name: "wan1",
        has: &|_| true,
    };
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(THEN);
    let ends = [one.len() + 10, one.len() + newer.len() + 10, all.len()];
    for length in 0..all.len() {
        // Between leases the text is whole; anywhere else the last lease is not known.
        let whole = ends.iter().any(|&end| (end - 1..end + 5).contains(&length));
        let lease = dhclient::newest(&all[..length], &link, now);
        assert!(lease.said.servers.is_empty() || whole, "{length}");
    }
    let root = Root::new("cut", &["dhclient"]);
    root.edit(LEASE, "expire 2 2026/11/24 07:33:20", "expire soon");
    let network = root.network();
    assert_eq!(network.trouble[0].why, "a lease is malformed");
    assert!(network.servers.iter().all(SocketAddr::is_ipv6));
}
