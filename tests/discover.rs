//! `mif pvd discover`: what routers announce is heard, kept and used; what is wrong is told.

#[path = "support/announce.rs"]
mod announce;
mod support;

use announce::Pvd;
use mif_lab::{Lab, Output, Running};
use serde_json::{Value, json};
use support::only_by_wan1;

/// Runs `mif pvd discover` for the second provider's link, with the privilege.
fn discover(lab: &Lab) -> Output {
    let mif = lab.mif_run().with_file_name("mif");
    let words = ["pvd", "discover", "wan1", "--timeout", "2", "--json"];
    lab.command(mif).args(words).root().run()
}

/// The domains that came of it.
fn found(out: &Output) -> Vec<Value> {
    let found: Value = serde_json::from_str(out.ok()).unwrap_or_else(|why| panic!("{why}: {out}"));
    found[0]["pvds"].as_array().unwrap().clone()
}

fn values(list: &Value) -> Vec<&str> {
    let list = list.as_array().unwrap().iter();
    list.map(|one| one["value"].as_str().unwrap()).collect()
}

fn show(lab: &Lab, words: &[&str]) -> Output {
    let mif = lab.mif_run().with_file_name("mif");
    lab.command(mif).args(words).run()
}

#[test]
fn a_real_routers_announcement_gives_programs_their_servers() {
    let lab = Lab::new();
    let config = lab.write(
        "radvd.conf",
        "interface host { AdvSendAdvert on; AdvDefaultPreference high;\n\
         prefix 2001:db8:2::/64 { }; RDNSS 2001:db8:2::1 { AdvRDNSSLifetime 1200; };\n\
         DNSSL test { }; };\n",
    );
    let words = ["-n", "-m", "stderr", "-p", "/run/radvd.pid", "-C"];
    let radvd = lab.command("radvd").args(words).arg(config);
    let radvd = radvd.within("rb").root().spawn();
    radvd.wait_for_error_line("started");
    let found = found(&discover(&lab));
    let [domain] = &found[..] else {
        panic!("{found:?}");
    };
    assert_eq!(domain["id"], Value::Null);
    assert_eq!(domain["routers"][0]["preference"], "high");
    assert_eq!(values(&domain["prefixes"]), ["2001:db8:2::/64"]);
    assert_eq!(values(&domain["servers"]), ["2001:db8:2::1"]);
    assert_eq!(values(&domain["search"]), ["test"]);
    assert!(domain["servers"][0]["seconds"].as_u64().unwrap() > 1000);

    // A program that is put on the network asks that server, and finds short names, too.
    let out = lab.mif(&["-i", "wan1"], &["getent", "ahostsv4", "split"]);
    assert!(out.ok().contains("203.0.113.22"), "{out}");
    assert!(
        lab.queries("rb")
            .contains(&"A split.test 2001:db8:2::2".to_owned())
    );
    only_by_wan1(&lab);
    let shown = show(&lab, &["pvd", "show", "wan1"]);
    assert!(
        shown.ok().contains("the network (/run/mif/pvd/wan1)"),
        "{shown}"
    );
}

#[test]
fn several_domains_of_one_link_are_told_apart() {
    let lab = Lab::new();
    let corp = Pvd {
        id: "Corp.Example",
        has_information: false,
        sequence: 1,
    };
    let router = announce::router(
        &lab,
        &[
            announce::advertisement(&[
                announce::prefix("2001:db8:2::/64"),
                announce::dns_server("2001:db8:2::1"),
            ]),
            announce::advertisement(&[
                announce::prefix("2001:db8:22::/64"),
                corp.option(&[
                    announce::dns_server("2001:db8:22::53"),
                    announce::search("corp.example"),
                ]),
            ]),
        ],
    );
    let found = found(&discover(&lab));
    router.wait_for_line("asked");
    let told = found.iter().map(|one| {
        let lists = ["prefixes", "servers", "search"].map(|list| values(&one[list]));
        (one["id"].as_str(), lists.concat())
    });
    let expected = [
        (None, vec!["2001:db8:2::/64", "2001:db8:2::1"]),
        (
            Some("corp.example"),
            vec!["2001:db8:22::/64", "2001:db8:22::53", "corp.example"],
        ),
    ];
    assert_eq!(told.collect::<Vec<_>>(), expected);
    let shown: Value =
        serde_json::from_str(show(&lab, &["pvd", "show", "wan1", "--json"]).ok()).unwrap();
    assert_eq!(shown["announced"][1]["id"], "corp.example");
    let listed = show(&lab, &["pvd", "list"]);
    let below = listed
        .ok()
        .lines()
        .skip_while(|line| !line.starts_with("wan1 "));
    assert!(
        below
            .take(2)
            .any(|line| line.starts_with("  corp.example ")),
        "{listed}"
    );
    // Of two that lead to the internet the one with a name speaks for the interface.
    assert_eq!(shown["dns"]["servers"], json!(["2001:db8:22::53"]));
}

#[test]
fn what_does_not_come_from_a_router_of_the_link_does_not_count() {
    let said = || announce::advertisement(&[announce::dns_server("2001:db8:2::66")]);
    for (hops, source, why) in [
        (64, "-", "that has come through a router"),
        (255, "2001:db8:2::1", "not from a link-local address"),
    ] {
        let lab = Lab::new();
        let _router = announce::router_as(&lab, hops, source, &[said()]);
        let out = discover(&lab);
        assert!(
            out.fails()
                .contains("no router has answered on wan1 within 2 s"),
            "{out}"
        );
        assert!(out.stdout.contains(why), "{out}");
        assert!(out.stdout.contains("\"pvds\": []"), "{out}");
    }
}

#[test]
fn malformed_advertisements_are_told_and_the_others_count() {
    let lab = Lab::new();
    let corp = Pvd {
        id: "corp.example",
        has_information: false,
        sequence: 1,
    };
    let whole = announce::advertisement(&[
        announce::dns_server("2001:db8:2::1"),
        corp.option(&[announce::prefix("2001:db8:2::/64")]),
    ]);
    let half = whole[..whole.len() - 4].to_vec();
    let no_length = announce::advertisement(&[vec![25, 0, 0, 0, 0, 0, 0, 0]]);
    let _router = announce::router(
        &lab,
        &[half, vec![134, 0, 0, 0, 0, 0, 0, 0], no_length, whole],
    );
    let out = discover(&lab);
    let found = found(&out);
    assert_eq!((found.len(), &found[0]["id"]), (1, &"corp.example".into()));
    for why in [
        "octet 42: the content of an option of type 21 needs",
        "octet 8: the header of a router advertisement needs 8 octets, and 0 are left",
        "octet 16: an option of type 25 with a length of 0",
    ] {
        assert!(out.stdout.contains(why), "{why}: {out}");
    }
}

#[test]
fn without_the_privilege_it_is_said_what_gives_it() {
    let lab = Lab::new();
    let out = show(&lab, &["pvd", "discover", "wan1"]);
    assert_eq!(out.code, Some(1));
    assert!(out.stderr.contains("CAP_NET_RAW"), "{out}");
    assert!(out.stderr.contains("sudo setcap cap_net_raw+ep /"), "{out}");
    let out = show(&lab, &["pvd", "discover", "nosuch0"]);
    assert!(
        out.fails().contains("no interface is called `nosuch0`"),
        "{out}"
    );
}

#[test]
fn what_others_may_write_to_is_not_believed() {
    let lab = Lab::new();
    let said = announce::advertisement(&[announce::dns_server("2001:db8:2::1")]);
    let _router = announce::router(&lab, &[said]);
    assert_eq!(found(&discover(&lab)).len(), 1);
    lab.as_root_in("host", &["chmod", "666", "/run/mif/pvd/wan1"]);
    let out = lab.mif(&["-v", "-i", "wan1"], &["getent", "ahosts", "split.test"]);
    assert!(!out.fails().is_empty());
    assert_eq!(lab.queries("rb"), [""; 0]);
    let shown = show(&lab, &["pvd", "list"]);
    assert!(shown.stderr.contains("others may write to it"), "{shown}");
}

#[test]
fn another_network_on_the_interface_has_not_announced_it() {
    let lab = Lab::new();
    let said = announce::advertisement(&[announce::dns_server("2001:db8:2::1")]);
    let router = announce::router(&lab, &[said]);
    assert_eq!(found(&discover(&lab)).len(), 1);
    drop::<Running>(router);
    lab.link_down("wan1");
    lab.link_up("wan1");
    let out = lab.mif(&["-i", "wan1"], &["getent", "ahosts", "split.test"]);
    assert!(!out.fails().is_empty());
    assert_eq!(lab.queries("rb"), [""; 0]);
}
