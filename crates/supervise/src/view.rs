//! Names: which servers a program finds that has a resolver of its own, or libc's.
//!
//! It reads `/etc/resolv.conf` and gets a view of it with the policy's servers, which its flows to
//! port 53 are then for; servers that it knows from elsewhere are the guard's to refuse, as in
//! libmif.so. Services of the host that look names up for others are not there under a policy.

use std::fmt;

use rustix::fs::{MemfdFlags, SealFlags};
use rustix::io::Errno;

use crate::answer::{Answer, Asked};
use crate::log::Level;

const RESOLV_CONF: &[u8] = b"/etc/resolv.conf";
/// Where systemd-resolved and nscd answer for libc.
const SERVICES: [&[u8]; 3] = [
    b"/run/systemd/resolve/io.systemd.Resolve",
    b"/var/run/nscd/socket",
    b"/run/nscd/socket",
];

/// A file that is opened to be read.
pub(crate) fn open(asked: &Asked<'_>) -> Answer {
    #[cfg(target_arch = "x86_64")]
    let path = usize::from(asked.call.number() != libc::SYS_open);
    #[cfg(not(target_arch = "x86_64"))]
    let path = 1;
    if !asked.call.is_string(asked.call.register(path), RESOLV_CONF) || !asked.is_waiting() {
        return Answer::Continue;
    }
    let host = asked.by.view();
    let Some(view) = asked.by.policy.resolv_conf(&host) else {
        return Answer::Continue;
    };
    asked
        .by
        .log
        .line(Level::Decisions, asked.call, format_args!("open {view}"));
    let close_on_exec = asked.call.integer(path + 1) & libc::O_CLOEXEC != 0;
    let mut text = String::new();
    match view
        .write(&mut text)
        .map_err(|fmt::Error| Errno::IO)
        .and_then(|()| sealed(&text))
    {
        Ok(file) => Answer::File(file, close_on_exec),
        Err(errno) => Answer::Fail(errno),
    }
}

/// A file that can no longer be changed, to be read from the start.
fn sealed(text: &str) -> Result<std::os::fd::OwnedFd, Errno> {
    let flags = MemfdFlags::ALLOW_SEALING | MemfdFlags::CLOEXEC;
    let file = rustix::fs::memfd_create(c"resolv.conf", flags)?;
    let mut written = 0;
    while written < text.len() {
        written += rustix::io::pwrite(&file, &text.as_bytes()[written..], written as u64)?;
    }
    let seals = SealFlags::WRITE | SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL;
    rustix::fs::fcntl_add_seals(&file, seals)?;
    Ok(file)
}

/// A connection to a service of the host. One that looks names up is as if it did not run, and libc
/// goes on to ask servers itself.
pub(crate) fn connect_to_service(asked: &Asked<'_>) -> Answer {
    if asked.by.policy.leaves_names() {
        return Answer::Continue;
    }
    // What cannot be read the kernel refuses.
    let Ok(address) = asked.address(1, 2) else {
        return Answer::Continue;
    };
    // struct sockaddr_un: the path stands behind the family, and ends with it or by a NUL.
    let path = address.bytes().get(2..).unwrap_or_default();
    let path = path.split(|&byte| byte == 0).next().unwrap_or_default();
    if SERVICES.contains(&path) {
        return Answer::Fail(Errno::NOENT);
    }
    Answer::Continue
}
