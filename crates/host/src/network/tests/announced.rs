//! What `mif pvd discover` has left.

use super::*;

const FILE: &str = "run/mif/pvd/wan1";

/// One domain with two servers, of which one ends after a minute, in the place of `root`.
fn heard(root: &Root) {
    let text = format!(
        "INDEX=3\nATTACHMENT=2\n\nPVD=corp.example\nROUTER=fe80::1 2 {hour}\n\
         DNS=2001:db8:2::53 {minute}\nDNS=fe80::53 {hour}\nSEARCH=Corp.Example {hour}\n\
         INFORMATION=internet lab.example {hour}\nMTU=1400\n",
        hour = THEN + 3600,
        minute = THEN + 60,
    );
    root.write(FILE, &text);
    root.write("sys/class/net/wan1/carrier_changes", "2\n");
}

const ALL: &str = "[2001:db8:2::53]:53 [fe80::53%3]:53 | corp.example | lab.example";

#[test]
fn what_the_network_announced_is_taken_while_it_holds() {
    let root = Root::new("announced", &[]);
    heard(&root);
    let reading = root.reading();
    assert_eq!(told(&reading.network), ALL);
    let source = reading.network.source.unwrap();
    assert_eq!(source.agent, Agent::Announced);
    assert_eq!(source.files, [root.0.join(FILE)]);
    let minute = SystemTime::UNIX_EPOCH + Duration::from_secs(THEN + 60);
    assert_eq!(reading.until, Some(minute));

    root.edit(FILE, &format!("53 {}", THEN + 60), &format!("53 {THEN}"));
    let rest = "[fe80::53%3]:53 | corp.example | lab.example";
    assert_eq!(told(&root.network()), rest);
    root.edit(
        FILE,
        &format!("lab.example {}", THEN + 3600),
        &format!("lab.example {THEN}"),
    );
    assert_eq!(told(&root.network()), "[fe80::53%3]:53 | corp.example |");
    root.edit(FILE, &format!("fe80::53 {}", THEN + 3600), "fe80::53 5");
    assert_eq!(root.network().source, None);
}

#[test]
fn another_interface_or_another_network_has_not_announced_it() {
    let root = Root::new("announced-elsewhere", &[]);
    for (from, to) in [("INDEX=3", "INDEX=4"), ("ATTACHMENT=2", "ATTACHMENT=1")] {
        heard(&root);
        root.edit(FILE, from, to);
        let network = root.network();
        assert_eq!((network.source, network.trouble), (None, vec![]), "{to}");
    }
}

#[test]
fn the_word_of_dhcp_comes_first() {
    let root = Root::new("announced-dhcp", &["dhclient"]);
    heard(&root);
    assert_eq!(root.network().source.unwrap().agent, Agent::Dhclient);
}

#[test]
fn what_is_not_understood_or_not_believed_is_told() {
    let root = Root::new("announced-broken", &[]);
    heard(&root);
    root.edit(FILE, "DNS=fe80::53", "DNS=what");
    let network = root.network();
    assert_eq!(network.source, None);
    assert_eq!(network.trouble[0].why, "line 7 is not understood");
    heard(&root);
    fs::set_permissions(root.0.join(FILE), Permissions::from_mode(0o664)).unwrap();
    let network = root.network();
    assert_eq!(network.source, None);
    assert!(network.trouble[0].why.contains("others may write"));
}

#[test]
fn what_the_user_found_out_comes_before_what_root_did() {
    let root = Root::new("announced-user", &[]);
    heard(&root);
    let user = rustix::process::geteuid().as_raw();
    let file = format!("run/user/{user}/mif/pvd/wan1");
    root.write(&file, "INDEX=3\nATTACHMENT=2\nPVD=\nDNS=2001:db8:9::53 -\n");
    assert_eq!(told(&root.network()), "[2001:db8:9::53]:53 |  |");
    root.edit(&file, "INDEX=3", "INDEX=9");
    assert_eq!(told(&root.network()), ALL);
}
