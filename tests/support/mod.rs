//! What tests of real programs under `-i wan1` share.

#![allow(dead_code, reason = "each test program uses a part of it")]

use mif_lab::Lab;

pub(crate) const WHO: &str = "203.0.113.10";
pub(crate) const WHO6: &str = "2001:db8:ff::10";
pub(crate) const WAN1: &str = "10.2.0.2";
pub(crate) const WAN1_6: &str = "2001:db8:2::2";
/// Options of `mif-run`.
pub(crate) const BY_WAN1: [&str; 4] = ["-i", "wan1", "-d", "10.2.0.1"];

/// Asserts that the other providers have seen no packet.
#[track_caller]
pub(crate) fn only_by_wan1(lab: &Lab) {
    assert!(lab.packets("rb") > 0);
    assert_eq!([lab.packets("ra"), lab.packets("rv")], [0, 0]);
}

/// Asserts that nothing leaves the host while `run` does.
#[track_caller]
pub(crate) fn nothing_leaves(lab: &Lab, run: impl FnOnce()) {
    let seen = || {
        let packets = ["ra", "rb", "rv"].map(|router| lab.packets(router));
        (packets, lab.arrivals().len())
    };
    let before = seen();
    run();
    assert_eq!(seen(), before);
}
