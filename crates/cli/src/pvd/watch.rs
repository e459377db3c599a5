//! `mif pvd watch`: tells changes as they come.
//!
//! The kernel's multicast groups and inotify(7) only say *that* something happened; what it was
//! comes from comparing the host with what it was before. So nothing is lost when messages are,
//! and states that last shorter than a look are not told.

use std::io::{self, Write};

use mif_host::bell::Bell;
use mif_host::config::Environment;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;

use super::changes::{self, Change};
use super::domain::Domains;
use crate::arguments::Output;
use crate::output;

/// Tells what is there, then every change, until nobody reads any more.
///
/// # Errors
/// The kernel does not tell.
pub(super) fn run(environment: &Environment, wanted: Output) -> io::Result<()> {
    let bell = Bell::new(environment)?;
    let mut known = Domains::read(environment)?;
    if !tell(&changes::first(&known.pvds), wanted) {
        return Ok(());
    }
    loop {
        wait(&bell)?;
        let now = Domains::read(environment)?;
        if !tell(&changes::between(&known.pvds, &now.pvds), wanted) {
            return Ok(());
        }
        known = now;
    }
}

/// Waits until something has happened.
fn wait(bell: &Bell) -> io::Result<()> {
    let mut fds = bell
        .descriptors()
        .map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN));
    match poll(&mut fds, None) {
        Ok(_) | Err(Errno::INTR) => {}
        Err(why) => return Err(why.into()),
    }
    let _ = bell.hear();
    Ok(())
}

/// False when nobody reads any more.
fn tell(changes: &[Change<'_>], wanted: Output) -> bool {
    let mut out = anstream::stdout();
    let mut tell = |change: &Change<'_>| {
        if wanted.json {
            let line = serde_json::to_string(change).map_err(io::Error::from)?;
            writeln!(out, "{line}")
        } else {
            writeln!(out, "{}", output::quiet(&change.to_string()))
        }
    };
    changes.iter().try_for_each(&mut tell).is_ok() && io::stdout().flush().is_ok()
}
