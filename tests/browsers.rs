//! Chromium and Firefox as Debian has them, headless, unprivileged and with their sandboxes on: their
//! pages, their WebRTC and whatever they ask of the network beside them, by wan1 alone and with the names of its
//! server; and nothing at all while wan1 is down.

mod support;

use std::time::Duration;

use mif_lab::{Arrival, Command, Lab};
use support::{BY_WAN1, WAN1, WAN1_6, WHO, WHO6, nothing_leaves, only_by_wan1};

/// Loads pages in a browser, and tells what came of each and which processes are sandboxed.
fn browse<'lab>(lab: &'lab Lab, browser: &str, urls: &[&str]) -> Command<'lab> {
    lab.command("python3")
        .arg(lab.write("browser.py", include_str!("probes/browser.py")))
        .arg(browser)
        .args(urls)
        // Firefox does not start where it cannot write.
        .env("XDG_CONFIG_HOME", lab.home())
        .limit(Duration::from_mins(2))
}

#[track_caller]
fn check(browser: &str, sandboxed: &[&str], unknown_name: &str, by_address: &str) {
    let lab = Lab::new();
    let (v4, v6) = (format!("http://{WHO}/"), format!("http://[{WHO6}]/"));
    let stun = format!("stun:{WHO}:7001");
    let out = browse(&lab, browser, &["http://split.test/", &v4, &v6, &stun])
        .mif(&BY_WAN1)
        .run();
    let lines: Vec<&str> = out.ok().lines().collect();
    for (url, peers) in [
        ("http://split.test/", &[WAN1, WAN1_6][..]),
        (&v4, &[WAN1]),
        (&v6, &[WAN1_6]),
    ] {
        let loaded = |peer: &&str| lines.contains(&format!("{url} {peer}").as_str());
        assert!(peers.iter().any(loaded), "{out}");
    }
    for kind in sandboxed {
        let line = format!("sandboxed {kind}");
        assert!(lines.contains(&line.as_str()), "{kind}: {out}");
    }
    let arrivals = lab.arrivals();
    let split = ["203.0.113.22", "2001:db8:ff::22"];
    let by_name = |it: &Arrival| split.contains(&it.local.as_str());
    let by_webrtc = |it: &Arrival| it.protocol == "udp" && it.port == 7001;
    let by_wan1 = |it: &Arrival| [WAN1, WAN1_6].contains(&it.peer.as_str());
    assert!(arrivals.iter().any(by_name), "{arrivals:?}");
    assert!(arrivals.iter().any(by_webrtc), "{arrivals:?}");
    assert!(arrivals.iter().all(by_wan1), "{arrivals:?}");
    let asked = "A split.test 10.2.0.2".to_owned();
    assert!(lab.queries("rb").contains(&asked));
    only_by_wan1(&lab);

    // Another lab is another home, and so another profile.
    let lab = Lab::new();
    lab.link_down("wan1");
    nothing_leaves(&lab, || {
        let out = browse(&lab, browser, &["http://split.test/", &v4, &v6])
            .mif(&BY_WAN1)
            .run();
        for (url, error) in [
            ("http://split.test/", unknown_name),
            (&v4, by_address),
            (&v6, by_address),
        ] {
            let line = format!("{url} {error}");
            assert!(out.ok().lines().any(|it| it == line), "{line}: {out}");
        }
    });
}

#[test]
#[ignore = "wants Chromium: tests/suites/browsers installs it and runs this"]
fn chromium() {
    check(
        "chromium",
        &["renderer", "utility"],
        "net::ERR_NAME_NOT_RESOLVED",
        "net::ERR_ADDRESS_UNREACHABLE",
    );
}

#[test]
#[ignore = "wants Firefox: tests/suites/browsers installs it and runs this"]
fn firefox() {
    check(
        "firefox",
        &["Web Content", "Socket Process"],
        "about:neterror?e=dnsNotFound",
        "about:neterror?e=connectionFailure",
    );
}
