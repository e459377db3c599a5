//! What is to happen with one datagram that has a destination.

use std::ffi::c_int;

use mif_policy::{Protocol, Verdict};
use mif_steer::{Datagram, Plan, Said, Subject as _};

use crate::connect::{self, borrow};
use crate::guard::unless_panic;
use crate::init::Active;
use crate::message::Message;
use crate::standing;
use crate::subject::Subject;

/// Decides on a message of `call`.
pub(crate) fn plan(
    active: &'static Active,
    call: &'static str,
    fd: c_int,
    message: &Message,
    flags: c_int,
) -> Plan {
    let Some(given) = message.destination().filter(|_| !message.is_faulty()) else {
        return Plan::AsIs;
    };
    if flags & libc::MSG_FASTOPEN != 0 {
        let (addr, len) = message.name();
        // SAFETY: the contract of `Message::new`.
        return match unsafe { connect::prepare(active, call, fd, addr, len, None) } {
            Ok(()) => Plan::AsIs,
            Err(_) => Plan::Refuse,
        };
    }
    let Some(fd) = borrow(fd) else {
        return Plan::AsIs;
    };
    let said = Said::in_control(message.control(), given.is_v4());
    unless_panic(Plan::Refuse, || {
        let subject = Subject::new(active, call, fd);
        let flow = subject.flow(given.meant, Protocol::Udp);
        let verdict = subject.policy().decide(&flow, subject.host());
        if matches!(verdict, Verdict::Route(_)) {
            standing::renew(active, subject.host(), given.meant);
        }
        Datagram::new(&subject, &given, &said).carry_out(verdict)
    })
}
