//! `mif pvd` on a host whose networks were configured by hand, by DHCP and by router
//! advertisements, and its report of changes; `mif init` on the same host.

use std::fs;

use mif_lab::{Lab, Output, Running, eventually};
use serde_json::Value;

fn mif(lab: &Lab, words: &[&str]) -> Output {
    let mif = lab.mif_run().with_file_name("mif");
    lab.command(mif).args(words).run()
}

fn domain(lab: &Lab, name: &str) -> Value {
    let out = mif(lab, &["pvd", "show", name, "--json"]);
    serde_json::from_str(out.ok()).unwrap()
}

fn addresses(domain: &Value) -> Vec<&str> {
    let all = domain["addresses"].as_array().unwrap().iter();
    let all = all.filter(|address| address["scope"] == "global");
    all.map(|address| address["ip"].as_str().unwrap()).collect()
}

#[test]
fn a_network_configured_by_hand_is_shown_as_it_is() {
    let lab = Lab::new();
    lab.pvds("[pvd.work]\ninterface = \"vpn0\"\ndns = { servers = [\"10.3.0.1\"], search = [\"corp.test\"] }\n");
    let wan1 = domain(&lab, "wan1");
    assert_eq!(addresses(&wan1), ["10.2.0.2", "2001:db8:2::2"]);
    assert_eq!(
        wan1["gateways"],
        serde_json::json!(["10.2.0.1", "2001:db8:2::1"])
    );
    assert_eq!(wan1["addresses"][0]["valid_seconds"], Value::Null);
    assert_eq!(
        (&wan1["defined_by"], &wan1["ipv6"]["usable"]),
        (&"interface".into(), &true.into())
    );

    let work = domain(&lab, "work");
    assert_eq!(
        (&work["defined_by"], &work["interface"]),
        (&"user".into(), &"vpn0".into())
    );
    assert_eq!(work["dns"]["servers"], serde_json::json!(["10.3.0.1"]));
    assert_eq!(work["ipv6"]["reason"], "no usable IPv6 address");
    assert_eq!(
        work["defined_in"],
        lab.config_home().join("mif/pvds.toml").to_str().unwrap()
    );

    let table = mif(&lab, &["pvd", "list"]);
    let row = table
        .ok()
        .lines()
        .find(|line| line.starts_with("work "))
        .unwrap();
    let words: Vec<&str> = row.split_whitespace().collect();
    let expected = [
        "work",
        "user",
        "vpn0",
        "IPv4",
        "only",
        "10.3.0.2/24",
        "10.3.0.1",
        "10.3.0.1",
        "corp.test",
    ];
    assert_eq!(words, expected);

    let out = mif(&lab, &["pvd", "show", "nosuch0"]);
    assert!(out.fails().contains("there are work, "), "{out}");
}

/// Leaves a file of an agent's in the lab, named by the index of `wan1`.
fn agent_wrote(lab: &Lab, folder: &str, text: &str) {
    let script = "mkdir -p $1 && printf %s \"$2\" >$1/$(cat /sys/class/net/wan1/ifindex)";
    lab.as_root_in("host", &["sh", "-c", script, "sh", folder, text]);
}

/// The files are those that the real agents wrote (`crates/host/tests/agents`), with the lab's
/// addresses in leases and more time to them.
#[test]
fn networks_of_networkd_and_networkmanager_are_shown_with_what_they_were_given() {
    let networkd = include_str!("../crates/host/tests/agents/networkd/run/systemd/netif/links/3");
    let manager =
        include_str!("../crates/host/tests/agents/network-manager/run/NetworkManager/devices/3");
    let manager = manager
        .replace("=10.2.0.56", "=10.2.0.2")
        .replace("=2001:db8:2::17c", "=2001:db8:2::2")
        .replace("expiry=1795505739", "expiry=4102444800");
    for (agent, folder, text, servers, search) in [
        (
            "systemd-networkd",
            "/run/systemd/netif/links",
            networkd,
            &[
                "192.0.2.53",
                "fe80::5%INDEX",
                "10.2.0.1",
                "10.2.0.3",
                "2001:db8:2::1",
                "fe80::1%INDEX",
            ][..],
            &["corp.example", "b.test", "more.b.test", "six.b.test"][..],
        ),
        (
            "NetworkManager",
            "/run/NetworkManager/devices",
            &manager,
            &["10.2.0.1", "10.2.0.3", "2001:db8:2::1", "fe80::1%INDEX"],
            &["b.test", "more.b.test", "six.b.test"],
        ),
    ] {
        let lab = Lab::new();
        agent_wrote(&lab, folder, text);
        let wan1 = domain(&lab, "wan1");
        // Link-local addresses have their interface with them.
        let index = wan1["link"]["index"].to_string();
        let servers: Vec<_> = servers
            .iter()
            .map(|server| server.replace("INDEX", &index))
            .collect();
        assert_eq!(wan1["dns"]["agent"], agent);
        assert_eq!(
            wan1["dns"]["servers"],
            serde_json::json!(servers),
            "{agent}"
        );
        assert_eq!(wan1["dns"]["search"], serde_json::json!(search), "{agent}");
        assert_eq!(addresses(&wan1), ["10.2.0.2", "2001:db8:2::2"], "{agent}");
        let wan0 = domain(&lab, "wan0");
        assert_eq!(wan0["dns"]["servers"], serde_json::json!([]), "{agent}");
        let list = mif(&lab, &["pvd", "list"]);
        let row = list.ok().lines().find(|row| row.starts_with("wan1 "));
        assert!(row.is_some_and(|row| row.contains(&servers[0])), "{list}");
    }
}

#[test]
fn a_network_of_router_advertisements_alone_has_their_lifetimes() {
    let lab = Lab::new();
    lab.host_ip("-6 address flush dev wan1 scope global");
    lab.host_ip("address flush dev wan1 scope global");
    lab.host_ip("-6 route delete default dev wan1");
    lab.as_root_in(
        "host",
        &["sh", "-c", "echo 2 >/proc/sys/net/ipv6/conf/wan1/accept_ra"],
    );
    // dnsmasq is the lab's DNS server; here another one says who the router is.
    let words = [
        "--keep-in-foreground",
        "--conf-file=/dev/null",
        "--user=root",
        "--group=",
        "--pid-file=",
        "--port=0",
        "--interface=host",
        "--enable-ra",
        "--ra-param=host,mtu:1400,0,1200",
        "--dhcp-range=2001:db8:2::,ra-only,64,3600",
        "--dhcp-leasefile=/dev/null",
        "--log-facility=-",
    ];
    let dnsmasq = lab.command("dnsmasq").args(words).within("rb").root();
    let _dnsmasq = dnsmasq.spawn();
    eventually("the host has an address", || {
        addresses(&domain(&lab, "wan1"))
            .iter()
            .any(|ip| ip.starts_with("2001:db8:2:"))
    });
    let wan1 = domain(&lab, "wan1");
    let address = wan1["addresses"].as_array().unwrap().iter();
    let mut address = address.filter(|address| address["scope"] == "global");
    let address = address.next().unwrap();
    assert!(
        (1801..=3600).contains(&address["valid_seconds"].as_u64().unwrap()),
        "{address}"
    );
    assert!(
        wan1["gateways"][0].as_str().unwrap().starts_with("fe80::"),
        "{wan1:#}"
    );
    let routes = wan1["routes"].as_array().unwrap();
    let default = routes
        .iter()
        .find(|route| route["destination"] == "default")
        .unwrap();
    assert_eq!(default["protocol"], "ra");
    assert!(
        (1..=1200).contains(&default["expires_seconds"].as_u64().unwrap()),
        "{default}"
    );
    assert_eq!(wan1["ipv4"]["reason"], "no usable IPv4 address");
}

/// Waits for an event of a domain or an interface behind the lines that are known, and returns
/// its place among all lines.
fn event(watch: &Running, from: usize, kind: &str, name: &str) -> usize {
    let mut place = None;
    eventually(&format!("{kind} of {name} is told"), || {
        let (seen, _) = watch.seen();
        let mut lines = seen.lines().enumerate().skip(from);
        place = lines.find_map(|(n, line)| {
            let change: Value = serde_json::from_str(line).ok()?;
            (change["event"] == kind && change["name"] == name).then_some(n)
        });
        place.is_some()
    });
    place.unwrap()
}

#[test]
fn changes_are_told_in_their_order() {
    let lab = Lab::new();
    let mif = lab.mif_run().with_file_name("mif");
    let watch = lab.command(mif).args(["pvd", "watch", "--json"]).spawn();
    let start = event(&watch, 0, "pvd-present", "wan1");

    lab.link_down("wan1");
    let pvd = event(&watch, start, "pvd-unusable", "wan1");
    let interface = event(&watch, start, "interface-down", "wan1");
    assert!(pvd < interface);
    lab.link_up("wan1");
    let up = event(&watch, interface, "interface-up", "wan1");
    let usable = event(&watch, interface, "pvd-usable", "wan1");
    assert!(up < usable);

    let changed = |from, field: &str, has: &dyn Fn(&Value) -> bool| {
        let mut place = from;
        eventually(&format!("{field} is told to have changed"), || {
            let (seen, _) = watch.seen();
            let found = seen.lines().enumerate().skip(from + 1).find(|(_, line)| {
                let change: Value = serde_json::from_str(line).unwrap_or_default();
                let fields = change["changed"].as_array();
                change["name"] == "wan1"
                    && fields.is_some_and(|fields| fields.contains(&field.into()))
                    && has(&change["pvd"])
            });
            place = found.as_ref().map_or(from, |(n, _)| *n);
            found.is_some()
        });
        place
    };
    let has = |pvd: &Value| addresses(pvd).contains(&"10.2.0.99");
    lab.host_ip("address add 10.2.0.99/24 dev wan1");
    let added = changed(usable, "addresses", &has);
    lab.host_ip("address delete 10.2.0.99/24 dev wan1");
    let gone = changed(added, "addresses", &|pvd| !has(pvd));

    let servers = |text: &str| {
        let script = format!(
            "mkdir -p /run/resolvconf/interface && echo {text} >/run/resolvconf/interface/wan1.dhclient"
        );
        lab.as_root_in("host", &["sh", "-c", &script]);
    };
    let asked = |pvd: &Value, server: &str| pvd["dns"]["servers"][0] == *server;
    servers("nameserver 10.2.0.1");
    let first = changed(gone, "dns", &|pvd| asked(pvd, "10.2.0.1"));
    servers("nameserver 10.2.0.53");
    changed(first, "dns", &|pvd| asked(pvd, "10.2.0.53"));

    lab.pvds("[pvd.lte]\ninterface = \"wan1\"\n");
    let named = event(&watch, first, "pvd-added", "lte");
    lab.host_ip("link delete wan1");
    let gone = event(&watch, named, "pvd-removed", "wan1");
    let interface = event(&watch, named, "interface-removed", "wan1");
    assert!(gone < interface);
    watch.signal(15);
}

#[test]
fn what_init_writes_is_right_and_stays() {
    let lab = Lab::new();
    // The lab's root owns the folder of policies.
    let home = lab.home().join("config");
    let init = |words: &[&str]| {
        let mif = lab.mif_run().with_file_name("mif");
        let init = lab.command(mif).args(words);
        init.env("XDG_CONFIG_HOME", &home).run()
    };
    init(&["init"]).ok();
    let file = home.join("mif/pvds.toml");
    let text = fs::read_to_string(&file).unwrap();
    assert!(
        text.contains("[pvd.wan1]\ninterface = \"wan1\"\n# source = [\"10.2.0.2\""),
        "{text}"
    );
    assert_eq!(init(&["check"]).ok(), format!("{}: ok", file.display()));
    // The lines in waiting are right, too.
    let whole = text.replace("# source", "source");
    fs::write(lab.home().join("pvds.toml"), whole).unwrap();
    init(&["check", "pvds.toml"]).ok();

    fs::remove_file(&file).unwrap();
    fs::write(&file, "").unwrap();
    assert!(init(&["init"]).fails().contains("--force"));
    assert_eq!(fs::read_to_string(&file).unwrap(), "");
    init(&["init", "--force"]).ok();
    assert_eq!(fs::read_to_string(&file).unwrap(), text);
    assert_eq!(init(&["init", "-"]).stdout, text);
}
