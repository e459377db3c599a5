//! Which files are believed, how long a reading holds, and what no file can do.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use super::*;

#[test]
fn a_file_that_others_can_write_is_not_believed_and_said() {
    const LINK: &str = "run/systemd/netif/links/3";
    let root = Root::new("distrust", &["networkd"]);
    let path = root.0.join(LINK);
    for mode in [0o664, 0o646, 0o666, 0o4622] {
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        let network = root.network();
        assert!(
            network.servers.is_empty() && network.source.is_none(),
            "{mode:o}"
        );
        assert_eq!(network.trouble.len(), 1);
        assert_eq!(network.trouble[0].file, path);
        assert!(
            network.trouble[0].why.contains("others may write"),
            "{:?}",
            network.trouble
        );
    }
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    assert_eq!(root.network().trouble[0].why, "is not a regular file");
    fs::remove_dir(&path).unwrap();
    // Nobody writes into a fifo, and nobody waits for it.
    let fifo = rustix::fs::CWD;
    rustix::fs::mkfifoat(fifo, &path, 0o600.into()).unwrap();
    assert_eq!(root.network().trouble[0].why, "is not a regular file");
    fs::remove_file(&path).unwrap();
    fs::write(&path, [b'D', b'N', b'S', b'=', 0xff, 0xfe]).unwrap();
    assert_eq!(root.network().trouble[0].why, "is not text in UTF-8");
    fs::write(&path, vec![b'#'; 1024 * 1024 + 1]).unwrap();
    assert!(root.network().trouble[0].why.starts_with("is longer than"));
    fs::remove_file(&path).unwrap();
    symlink(&path, &path).unwrap();
    assert!(root.network().trouble[0].why.starts_with("cannot be read"));
}

#[test]
fn a_file_of_another_account_is_believed_in_the_folder_that_root_made_for_it() {
    const OTHER: Option<u32> = Some(65_533);
    if !rustix::process::geteuid().is_root() {
        // Only root can give a file away; but root's own is another's.
        assert!(crate::trust::is_believed(0, None) && !crate::trust::is_believed(65_533, None));
        assert!(crate::trust::is_believed(65_533, OTHER));
        return;
    }
    let root = Root::new("account", &["networkd", "dhclient"]);
    let own = |path: &str| std::os::unix::fs::chown(root.0.join(path), OTHER, None).unwrap();
    own("run/systemd/netif/links/3");
    let network = root.network();
    assert_eq!(network.source.unwrap().agent, Agent::Dhclient);
    assert!(
        network.trouble[0].why.contains("uid 65533"),
        "{:?}",
        network.trouble
    );
    own("run/systemd/netif");
    assert_eq!(told(&root.network()), NETWORKD);
    let folder = Permissions::from_mode(0o777);
    fs::set_permissions(root.0.join("run/systemd"), folder).unwrap();
    assert_eq!(root.network().source.unwrap().agent, Agent::Dhclient);
    own("var/lib/dhcp");
    own("var/lib/dhcp/dhclient.wan1.leases");
    assert!(root.network().servers.iter().all(SocketAddr::is_ipv6));
}

#[test]
fn a_reading_is_current_until_a_file_changes_comes_or_goes() {
    const LEASE: &str = "var/lib/dhcp/dhclient.wan1.leases";
    let root = Root::new("current", &["dhclient"]);
    let ends = |until| Reading {
        until,
        ..root.reading()
    };
    assert!(
        !ends(Some(SystemTime::now())).is_current(),
        "the lease has ended"
    );
    let reading = ends(None);
    assert!(reading.is_current());
    let text = fs::read_to_string(root.0.join(LEASE)).unwrap();
    root.write(LEASE, &(text + "\n"));
    assert!(!reading.is_current(), "another length");

    let fresh = || ends(None);
    let reading = fresh();
    fs::remove_file(root.0.join(LEASE)).unwrap();
    assert!(!reading.is_current(), "gone");
    let reading = fresh();
    assert!(reading.is_current());
    root.write("run/systemd/netif/links/3", "DNS=10.2.0.1\n");
    assert!(!reading.is_current(), "an agent before it has the word");
    let reading = fresh();
    root.write("run/systemd/netif/links/4", "DNS=10.2.0.1\n");
    assert!(reading.is_current(), "another interface's");
}

/// The fuzz target's entry on stable Rust: a fixed run of mutants of what agents wrote.
#[test]
fn no_mutant_of_a_file_panics() {
    let seeds = [
        "networkd/run/systemd/netif/links/3",
        "resolved/run/systemd/resolve/netif/3",
        "network-manager/run/NetworkManager/devices/3",
        "dhclient/var/lib/dhcp/dhclient.wan1.leases",
        "dhclient/var/lib/dhcp/dhclient6.wan1.leases",
        "one-network/etc/resolv.conf",
    ];
    let captured = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/agents");
    let mut state: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut below = |limit: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state >> 33).unwrap() % limit
    };
    let (mut sense, mut all) = (0, 0);
    for seed in seeds {
        let seed = fs::read(captured.join(seed)).unwrap();
        for _ in 0..500 {
            let mut bytes = seed.clone();
            for _ in 0..=below(4) {
                let at = below(bytes.len());
                match below(4) {
                    0 => bytes[at] = b"{};\"=[]%#.:~0 \n\\"[below(16)],
                    1 => bytes.truncate(at.max(1)),
                    2 => drop(bytes.remove(at.min(bytes.len() - 1)).max(1)),
                    _ => bytes.extend_from_within(at..),
                }
                bytes.push(b' ');
            }
            all += 1;
            sense += usize::from(read_any_file(&bytes));
        }
    }
    assert!(sense > all / 4, "{sense} of {all} got past the beginning");
}
