//! The functions of RFC 5014 beside a temporary address on each of the host's links.

use mif_lab::{Lab, eventually};

/// The IPv6 preferences of linux/in6.h.
const TMP: &str = "1";
const PUBLIC: &str = "2";

/// Gives a link a temporary address of its prefix, and returns it.
fn temporary(lab: &Lab, link: &str, public: &str) -> String {
    let setting = format!("net.ipv6.conf.{link}.use_tempaddr=2");
    lab.as_root_in("host", &["sysctl", "-q", "-w", &setting]);
    let lifetimes = "valid_lft 3600 preferred_lft 3600";
    lab.host_ip(&format!(
        "address change {public}/64 dev {link} {lifetimes} mngtmpaddr nodad"
    ));
    let mut found = None;
    eventually("the temporary address can be used", || {
        let text = lab.host_ip(&format!(
            "-6 -oneline address show dev {link} temporary -tentative"
        ));
        let address = text.split_whitespace().nth(3);
        found = address.and_then(|word| Some(word.split_once('/')?.0.to_owned()));
        found.is_some()
    });
    found.expect("just found")
}

#[test]
fn a_socket_is_bound_to_what_selection_takes_on_the_policys_network() {
    let lab = Lab::new();
    let on_wan0 = temporary(&lab, "wan0", "2001:db8:1::2");
    let on_wan1 = temporary(&lab, "wan1", "2001:db8:2::2");
    let probe = || lab.command(lab.probe("addrsel"));
    for (flags, wan0, wan1) in [
        (TMP, &*on_wan0, &*on_wan1),
        (PUBLIC, "2001:db8:1::2", "2001:db8:2::2"),
    ] {
        let bind = || probe().args(["bind", flags, "2001:db8:ff::10"]);
        assert_eq!(bind().preload().run().ok(), format!("0\n{wan0}"));
        let out = bind().mif(&["-i", "wan1"]).run();
        assert_eq!(out.ok(), format!("0\n{wan1}"));
    }
    let out = probe().args(["bind", "0", "2001:db8:ff::10"]);
    assert_eq!(out.mif(&["-i", "vpn0"]).run().ok(), "-1 ENETUNREACH");
    assert_eq!(["ra", "rb", "rv"].map(|router| lab.packets(router)), [0; 3]);
}

#[test]
fn an_address_is_told_by_its_kind() {
    let lab = Lab::new();
    let temporary = temporary(&lab, "wan1", "2001:db8:2::2");
    for (address, flags, said) in [
        (&*temporary, TMP, "1"),
        (&temporary, PUBLIC, "0"),
        (&temporary, "0", "1"),
        ("2001:db8:2::2", PUBLIC, "1"),
        ("2001:db8:2::2", TMP, "0"),
        // Not care-of, home; not cryptographically generated.
        ("2001:db8:2::2", "4", "0"),
        ("2001:db8:2::2", "400", "1"),
        ("2001:db8:2::2", "8", "0"),
        ("::1", PUBLIC, "1"),
        ("::ffff:10.2.0.2", PUBLIC, "1"),
        ("::ffff:10.2.0.2", TMP, "0"),
        ("::ffff:10.2.0.99", "0", "-1 EADDRNOTAVAIL"),
        ("2001:db8:2::99", PUBLIC, "-1 EADDRNOTAVAIL"),
        // Temporary and public, home and care-of, both of CGA.
        (&temporary, "3", "-1 EINVAL"),
        (&temporary, "404", "-1 EINVAL"),
        (&temporary, "808", "-1 EINVAL"),
    ] {
        let probe = || {
            lab.command(lab.probe("addrsel"))
                .args(["is", address, flags])
        };
        for out in [probe().preload().run(), probe().mif(&["-i", "wan1"]).run()] {
            assert_eq!(out.ok(), said, "{address} {flags}");
        }
    }
}
