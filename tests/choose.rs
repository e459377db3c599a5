//! A program that chooses provisioning domains by itself (`mif.h`): what it chooses is what the far end
//! sees, within what its policy permits.

#[path = "support/api.rs"]
mod support;

use mif_lab::Lab;
use support::{lab, under};

const V4: [&str; 2] = ["203.0.113.10", "7001"];
const V6: [&str; 2] = ["2001:db8:ff::10", "7001"];
const UDP: [&str; 2] = ["203.0.113.10", "7001"];

/// What the probe says, a line a step; without options mif has no policy.
#[track_caller]
fn chooses(lab: &Lab, options: Option<&[&str]>, steps: &[&[&str]]) -> Vec<String> {
    let probe = lab.command(lab.probe("choose")).args(steps.concat());
    let out = under(probe, options).run();
    out.ok().lines().map(str::to_owned).collect()
}

fn join<'w>(words: &[&'w str], more: [&'w str; 2]) -> Vec<&'w str> {
    words.iter().copied().chain(more).collect()
}

#[test]
fn a_socket_is_on_the_domain_that_was_chosen_for_it() {
    let lab = lab();
    for (pvd, v4, v6) in [
        ("if:wan1", "10.2.0.2", "2001:db8:2::2"),
        ("utf8:isp-a", "10.1.0.2", "2001:db8:1::2"),
        ("utf8:office", "10.3.0.2", "ENETUNREACH"),
    ] {
        let said = chooses(
            &lab,
            None,
            &[
                &join(&["socket", pvd], V4),
                &join(&["socket", pvd], V6),
                &join(&["udp-socket", pvd], UDP),
            ],
        );
        assert_eq!(said, [v4, v6, v4], "{pvd}");
    }
    let said = chooses(
        &lab,
        None,
        &[
            &join(&["socket", "utf8:nothing"], V4),
            &join(&["socket", "if:nothing"], V4),
            &join(&["socket", "fqdn:nothing.test"], V4),
            &join(&["socket", "utf8:office~"], V6),
        ],
    );
    assert_eq!(said, ["ENOENT", "ENOENT", "ENOENT", "2001:db8:1::2"]);
}

#[test]
fn a_thread_and_a_process_are_on_the_domains_that_were_chosen_for_them() {
    let lab = lab();
    let said = chooses(
        &lab,
        None,
        &[
            &join(&["tcp"], V4),
            &["process", "utf8:isp-b"],
            &join(&["tcp"], V4),
            &["name", "-", "split.test"],
            &["thread", "utf8:office"],
            &join(&["tcp"], V4),
            &join(&["udp"], UDP),
            &join(&["tcp"], V6),
            &["name", "-", "split.test"],
            &["in-thread"],
            &join(&["tcp"], V6),
            &["thread", "-"],
            &["process", "-"],
            &join(&["tcp"], V4),
        ],
    );
    let wanted = [
        "10.1.0.2",
        "0",
        "10.2.0.2",
        "2001:db8:ff::22 203.0.113.22",
        "0",
        "10.3.0.2",
        "10.3.0.2",
        "ENETUNREACH",
        "203.0.113.23",
        "2001:db8:2::2",
        "0",
        "0",
        "10.1.0.2",
    ];
    assert_eq!(said, wanted);
}

#[test]
fn names_are_asked_within_a_domain() {
    let lab = lab();
    for (pvd, address, router) in [
        ("utf8:isp-a", "203.0.113.21", "ra"),
        ("utf8:isp-b", "203.0.113.22", "rb"),
        ("utf8:office", "203.0.113.23", "rv"),
    ] {
        let before = ["ra", "rb", "rv"].map(|one| lab.queries(one).len());
        let said = chooses(&lab, None, &[&["name", pvd, "split.test"]]);
        assert!(said[0].split(' ').any(|one| one == address), "{said:?}");
        let after = ["ra", "rb", "rv"].map(|one| lab.queries(one).len());
        for (one, (before, after)) in ["ra", "rb", "rv"].iter().zip(before.iter().zip(&after)) {
            assert_eq!(after > before, *one == router, "{one} by {pvd}");
        }
    }
    let said = chooses(&lab, None, &[&["name", "fqdn:nothing.test", "split.test"]]);
    assert_eq!(said, ["ENOENT"]);
}

#[test]
fn a_choice_is_within_what_the_policy_permits() {
    let lab = lab();
    let socket = |pvd: &'static str| join(&["socket", pvd], V4);
    let tcp = join(&["tcp"], V4);
    let one = Some(&["-i", "isp-b"][..]);
    let said = chooses(
        &lab,
        one,
        &[
            &socket("utf8:office"),
            &["thread", "utf8:office"],
            &["name", "utf8:office", "split.test"],
            &tcp,
            &["thread", "utf8:isp-b"],
            &tcp,
        ],
    );
    assert_eq!(
        said,
        ["EACCES", "EACCES", "EACCES", "10.2.0.2", "0", "10.2.0.2"]
    );
    assert_eq!(["ra", "rv"].map(|router| lab.packets(router)), [0, 0]);

    // Of several it takes its choice, and takes it back.
    let several = Some(&["-i", "isp-b", "-i", "office"][..]);
    let said = chooses(
        &lab,
        several,
        &[
            &socket("utf8:office"),
            &tcp,
            &["thread", "utf8:office"],
            &tcp,
            &socket("utf8:isp-b"),
            &["thread", "-"],
            &tcp,
            &socket("utf8:isp-a"),
        ],
    );
    let wanted = [
        "10.3.0.2", "10.2.0.2", "0", "10.3.0.2", "10.2.0.2", "0", "10.2.0.2", "EACCES",
    ];
    assert_eq!(said, wanted);
    assert_eq!(lab.packets("ra"), 0);
}

#[test]
fn a_domain_that_is_gone_is_missed_as_its_choice_says() {
    let lab = lab();
    lab.link_down("wan1");
    let said = chooses(
        &lab,
        None,
        &[
            &["thread", "utf8:isp-b"],
            &join(&["tcp"], V4),
            &join(&["udp"], UDP),
            &["name", "-", "split.test"],
        ],
    );
    let refused = "Temporary failure in name resolution";
    assert_eq!(said, ["0", "ENETUNREACH", "ENETUNREACH", refused]);
    assert_eq!(["ra", "rb", "rv"].map(|router| lab.packets(router)), [0; 3]);
    let said = chooses(
        &lab,
        None,
        &[&["thread", "utf8:isp-b~"], &join(&["tcp"], V4)],
    );
    assert_eq!(said, ["0", "10.1.0.2"], "a preference");
}

#[test]
fn a_name_is_reached_by_whichever_domain_answers() {
    let lab = lab();
    let race = |pvds: &'static str| ["race", pvds, "split.test", "7001"];
    // The first is preferred while it works.
    let said = chooses(
        &lab,
        None,
        &[
            &race("utf8:isp-b,utf8:office"),
            &race("utf8:office,utf8:isp-b"),
        ],
    );
    assert!(
        ["10.2.0.2", "2001:db8:2::2"].contains(&&*said[0]),
        "{said:?}"
    );
    assert_eq!(said[1], "10.3.0.2");
    // Its servers are silent, or its packets vanish, or it is not there.
    let table = "add table inet hole { chain forward { type filter hook forward priority -10; policy drop; }; }";
    lab.as_root_in("rb", &["nft", table]);
    let said = chooses(&lab, None, &[&race("utf8:isp-b,utf8:office")]);
    assert_eq!(said, ["10.3.0.2"], "its packets vanish");
    lab.link_down("wan1");
    let said = chooses(
        &lab,
        None,
        &[
            &race("utf8:isp-b,utf8:office"),
            &race("utf8:isp-b"),
            &["race", "utf8:office", "nothing.test", "7001"],
            &["race", "utf8:office", "split.test", "7999"],
        ],
    );
    assert_eq!(said, ["10.3.0.2", "EAGAIN", "ENOENT", "ECONNREFUSED"]);
}
