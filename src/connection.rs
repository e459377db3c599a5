//! What is to happen with one socket that is about to be connected.

use std::ffi::c_int;

use mif_policy::{Refusal, Verdict};
use mif_steer::{Connection, Given, Known, Steering, Subject as _, protocol};
use rustix::io::Errno;

use crate::connect::borrow;
use crate::guard::unless_panic;
use crate::init::Active;
use crate::standing;
use crate::subject::Subject;

/// Puts a socket on the network of its destination; an error refuses the call.
#[inline]
pub(crate) fn steer(
    active: &'static Active,
    call: &'static str,
    fd: c_int,
    given: &Given,
    known: Option<&Known>,
) -> Result<(), Errno> {
    let Some(fd) = borrow(fd) else { return Ok(()) };
    unless_panic(Err(Errno::NETUNREACH), || {
        let subject = Subject::new(active, call, fd);
        let connection = Connection::new(&subject, given);
        let decide = |known| decide(active, &subject, &connection, given, known);
        connection.settled(decide(known), || decide(None))
    })
}

/// Asks the policy. The kernel is asked about the socket only where that matters.
fn decide(
    active: &'static Active,
    subject: &Subject<'_>,
    connection: &Connection<'_, Subject<'_>>,
    given: &Given,
    known: Option<&Known>,
) -> Result<(), Steering> {
    let (policy, host) = (subject.policy(), subject.host());
    let asks_names = policy.may_guard(given.meant);
    if !asks_names && let Some(pass) = policy.exempts(given.meant, host) {
        return connection.pass(pass, None);
    }
    let known = match known.map_or_else(|| Known::ask(subject.socket()), |known| Ok(*known)) {
        Ok(known) => known,
        // What is no socket is the kernel's to refuse.
        Err(Errno::NOTSOCK | Errno::BADF) => return Ok(()),
        // A sandbox forbids to ask.
        Err(_) => return Err(connection.refuse(Refusal::Internal)),
    };
    let flow = subject.flow(given.meant, protocol(known.socket_type));
    let verdict = if asks_names {
        policy.decide(&flow, host)
    } else {
        policy.decide_by_rule(&flow, host)
    };
    if matches!(verdict, Verdict::Route(_)) {
        standing::renew(active, host, given.meant);
    }
    connection.carry_out(known, verdict)
}
