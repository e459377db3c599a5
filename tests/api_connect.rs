//! The messages of the MIF API (`mif.h`) for names and connections: one test for each section of the draft
//! (draft-ietf-mif-api-extension-05), in which the far end says whom it saw.

#[path = "support/api.rs"]
mod support;

use support::{PVDS, lab, says};

#[test]
fn section_3_2_7_18_translate_name() {
    let lab = lab();
    for (pvd, v4, v6) in [
        (
            "utf8:isp-a",
            "203.0.113.21 from 10.1.0.2",
            "2001:db8:ff::21 from 2001:db8:1::2",
        ),
        (
            "utf8:isp-b",
            "203.0.113.22 from 10.2.0.2",
            "2001:db8:ff::22 from 2001:db8:2::2",
        ),
        (
            "utf8:office",
            "203.0.113.23 from 10.3.0.2",
            "2001:db8:ff::23 from -",
        ),
    ] {
        let ask = |end: &str| format!("name {pvd} split.test {end}");
        let steps = [
            &*ask("7 4"),
            "until NAME_DONE",
            &*ask("7 6"),
            "until NAME_DONE",
        ];
        let wanted = [
            format!("NAME 7 {pvd} {v4}"),
            format!("NAME_DONE 7 {pvd} done"),
            format!("NAME 7 {pvd} {v6}"),
            format!("NAME_DONE 7 {pvd} done"),
        ];
        assert_eq!(says(&lab, None, &steps), wanted);
    }
    let steps = [
        "name utf8:isp-b nothing.test 1",
        "until NAME_DONE",
        "name utf8:isp-b 192.0.2.7 1",
        "until NAME_DONE",
        "name - split.test 1",
        "name utf8:nothing split.test 1",
    ];
    let wanted = [
        "NAME_DONE 1 utf8:isp-b Name or service not known",
        "NAME 1 utf8:isp-b 192.0.2.7 from 10.2.0.2",
        "NAME_DONE 1 utf8:isp-b done",
        "EINVAL",
        "ENOENT",
    ];
    assert_eq!(says(&lab, None, &steps), wanted);
}

#[test]
fn section_3_2_7_19_stop_translating_name() {
    let lab = lab();
    // None of its servers answers, and each would be waited for.
    let servers = r#"dns.servers = ["10.2.0.1", "203.0.113.10", "203.0.113.30"]"#;
    lab.pvds(&format!(
        "{PVDS}\n[pvd.silent]\ninterface = \"wan1\"\n{servers}\n"
    ));
    let silent = "add table inet hole { chain drops { type filter hook prerouting priority 0; udp dport 53 drop; }; }";
    lab.as_root_in("rb", &["nft", silent]);
    let mut steps = vec![
        "name utf8:silent split.test 3".to_owned(),
        "name utf8:silent split.test 3".to_owned(),
        "stop-name 3".to_owned(),
        "stop-name 3".to_owned(),
    ];
    // Some are being asked for, others wait for a thread.
    steps.extend((100..300).map(|id| format!("name utf8:silent split.test {id}")));
    steps.push("pause".to_owned());
    steps.extend((100..300).map(|id| format!("stop-name {id}")));
    // What waits to be read is taken back.
    let rest = [
        "name utf8:isp-a split.test 3 4",
        "until NAME",
        "stop-name 3",
        "threads",
        "all",
    ];
    steps.extend(rest.map(str::to_owned));
    let steps: Vec<&str> = steps.iter().map(|step| &**step).collect();
    let told = says(&lab, None, &steps);
    let wanted = [
        "EEXIST",
        "ENOENT",
        "NAME 3 utf8:isp-a 203.0.113.21 from 10.1.0.2",
        "1 threads, 1 descriptors",
    ];
    assert_eq!(told, wanted);
}

#[test]
fn section_3_2_7_20_name_translation() {
    let lab = lab();
    let steps = ["name utf8:isp-b big.test 9 4", "until NAME_DONE"];
    let told = says(&lab, None, &steps);
    assert_eq!(told.len(), 41, "one address a message: {told:?}");
    let is_one = |line: &String| line.starts_with("NAME 9 utf8:isp-b 198.18.0.");
    assert!(told[..40].iter().all(is_one), "{told:?}");
}

#[test]
fn section_3_2_7_21_connect_to_pvd() {
    let lab = lab();
    lab.link_down("wan0");
    let told = says(
        &lab,
        None,
        &[
            "connect - 203.0.113.10 7001 1",
            "pvd utf8:office 9",
            "pvd utf8:office 9",
            "until CONNECTED",
            "pvd utf8:isp-a 9",
            "until NOT_CONNECTED",
            "connect - 203.0.113.10 7001 1",
            "until CONNECTED",
            "connect if:wan1 203.0.113.10 7001 2",
            "until CONNECTED",
            "name - split.test 3 4",
            "until NAME_DONE",
            "pvd -",
            "connect - 203.0.113.10 7001 1",
            "pvd utf8:nothing",
        ],
    );
    let wanted = [
        "EINVAL",
        "EEXIST",
        "CONNECTED 9 utf8:office as a whole",
        "NOT_CONNECTED 9 utf8:isp-a ENETDOWN",
        "CONNECTED 1 utf8:office 203.0.113.10 from 10.3.0.2, seen as 10.3.0.2",
        "CONNECTED 2 if:wan1 203.0.113.10 from 10.2.0.2, seen as 10.2.0.2",
        "NAME 3 utf8:office 203.0.113.23 from 10.3.0.2",
        "NAME_DONE 3 utf8:office done",
        "EINVAL",
        "ENOENT",
    ];
    assert_eq!(told, wanted);
    assert_eq!(lab.packets("ra"), 0);
}

#[test]
fn section_3_2_7_22_connect_to_address() {
    let lab = lab();
    for (pvd, v4, v6) in [
        ("utf8:isp-a", "10.1.0.2", "2001:db8:1::2"),
        ("utf8:isp-b", "10.2.0.2", "2001:db8:2::2"),
    ] {
        for (to, from) in [("203.0.113.10", v4), ("2001:db8:ff::10", v6)] {
            for kind in ["connect", "udp"] {
                let steps = [&*format!("{kind} {pvd} {to} 7001 1"), "until CONNECTED"];
                let wanted = format!("CONNECTED 1 {pvd} {to} from {from}, seen as {from}");
                assert_eq!(says(&lab, None, &steps), [wanted]);
            }
        }
    }
    let spoofed = ["ra", "rb", "rv"].map(|router| lab.spoofed_packets(router));
    assert_eq!((spoofed, lab.packets("rv")), ([0; 3], 0));
}

#[test]
fn section_3_2_7_23_connect_to_address_from_address() {
    let lab = lab();
    lab.host_ip("address add 10.2.0.77/24 dev wan1");
    lab.as_root_in(
        "rb",
        &[
            "ip",
            "neighbour",
            "add",
            "10.2.0.77",
            "lladdr",
            "02:00:00:00:02:02",
            "dev",
            "host",
        ],
    );
    let told = says(
        &lab,
        None,
        &[
            "from if:wan1 203.0.113.10 7001 10.2.0.77 1",
            "until CONNECTED",
            // Another network's address, one of nobody, and one of the other family.
            "from if:wan1 203.0.113.10 7001 10.1.0.2 2",
            "until NOT",
            "from if:wan1 203.0.113.10 7001 192.0.2.1 2",
            "until NOT",
            "from if:wan1 203.0.113.10 7001 2001:db8:2::2 2",
            "from if:wan1 203.0.113.10 7001 0.0.0.0 2",
        ],
    );
    let wanted = [
        "CONNECTED 1 if:wan1 203.0.113.10 from 10.2.0.77, seen as 10.2.0.77",
        "NOT_CONNECTED 2 if:wan1 EADDRNOTAVAIL",
        "NOT_CONNECTED 2 if:wan1 EADDRNOTAVAIL",
        "EINVAL",
        "EINVAL",
    ];
    assert_eq!(told, wanted);
    assert_eq!(lab.packets("ra"), 0);
}

#[test]
fn section_3_2_7_24_connected() {
    let lab = lab();
    // Its number is free again, and its socket is the program's: it stays when the handle is closed.
    let told = says(
        &lab,
        None,
        &[
            "connect if:wan1 203.0.113.10 7001 1",
            "connect if:wan1 203.0.113.10 7001 1",
            "until CONNECTED",
            "connect if:wan1 203.0.113.10 7001 1",
            "until CONNECTED",
            // Until its end is read, a number is in use.
            "udp if:wan1 203.0.113.10 7001 2",
            "wait",
            "udp if:wan1 203.0.113.10 7001 2",
            "close",
            "threads",
            "open",
        ],
    );
    let connected = "CONNECTED 1 if:wan1 203.0.113.10 from 10.2.0.2, seen as 10.2.0.2";
    assert_eq!(
        told,
        [
            "EEXIST",
            connected,
            connected,
            "EEXIST",
            "1 threads, 0 descriptors"
        ]
    );
}

#[test]
fn section_3_2_7_25_not_connected() {
    let lab = lab();
    let told = says(
        &lab,
        None,
        &[
            "connect if:wan1 203.0.113.10 7999 1",
            "until NOT",
            "connect if:vpn0 2001:db8:ff::10 7001 1",
            "until NOT",
            "connect if:wan1 203.0.113.10 0 1",
            "connect if:nothing 203.0.113.10 7001 1",
        ],
    );
    let wanted = [
        "NOT_CONNECTED 1 if:wan1 ECONNREFUSED",
        "NOT_CONNECTED 1 if:vpn0 ENETUNREACH",
        "EINVAL",
        "ENOENT",
    ];
    assert_eq!(told, wanted);
    // A black hole says nothing for as long as TCP tries; one does not have to wait for that.
    let hole = "add table inet hole { chain forward { type filter hook forward priority -10; policy drop; }; }";
    lab.as_root_in("rb", &["nft", hole]);
    let told = says(
        &lab,
        None,
        &[
            "connect if:wan1 203.0.113.10 7001 1",
            "connect if:wan1 203.0.113.10 7001 2",
            "connect if:wan0 203.0.113.10 7001 3",
            "until CONNECTED",
            "stop-name 1",
            "stop-connect 1",
            "stop-connect 1",
            "close",
            "threads",
            "open",
        ],
    );
    let wanted = [
        "CONNECTED 3 if:wan0 203.0.113.10 from 10.1.0.2, seen as 10.1.0.2",
        "ENOENT",
        "ENOENT",
        "1 threads, 0 descriptors",
    ];
    assert_eq!(told, wanted);
}
