//! A view of `/proc/net/if_inet6` that leaves out the interfaces that the policy hides: Java and
//! older programs list IPv6 addresses by it, since `SIOCGIFCONF` knows IPv4 alone.

use std::ffi::CStr;
use std::fmt::{self, Write};
use std::os::fd::OwnedFd;

use mif_socket::Descriptor;
use rustix::fs::{Mode, OFlags};
use rustix::io::{self, Errno};

use crate::guard::unless_panic;
use crate::memfd;
use crate::shown::Shown;

pub(crate) const PATH: &CStr = c"/proc/net/if_inet6";

/// The view, if the policy hides interfaces and there is such a file.
#[cold]
pub(crate) fn view(call: &str, close_on_exec: bool) -> Option<Result<OwnedFd, Errno>> {
    let shown = Shown::by_policy(call)?;
    let file = rustix::fs::open(PATH, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).ok()?;
    let file = Descriptor::from(file);
    let make = || {
        memfd::sealed(c"if_inet6", close_on_exec, |to| {
            copy(
                |into| io::retry_on_intr(|| io::read(&file, &mut *into)),
                to,
                &shown,
            )
        })
    };
    Some(unless_panic(Err(Errno::IO), make))
}

/// Copies the lines whose last word is the name of an interface that is shown.
fn copy(
    mut read: impl FnMut(&mut [u8]) -> Result<usize, Errno>,
    to: &mut dyn Write,
    shown: &Shown,
) -> fmt::Result {
    // Many times the longest line.
    let mut buffer = [0; 1024];
    let mut used = 0;
    loop {
        let more = read(&mut buffer[used..]).map_err(|_| fmt::Error)?;
        if more == 0 {
            return Ok(());
        }
        used += more;
        let mut done = 0;
        while let Some(length) = buffer[done..used].iter().position(|&byte| byte == b'\n') {
            let line = &buffer[done..=done + length];
            done += line.len();
            let name = line.trim_ascii_end().rsplit(u8::is_ascii_whitespace).next();
            // A policy's names are UTF-8, and what is not is none of them.
            if let (Some(name), Ok(line)) = (name, std::str::from_utf8(line))
                && shown.has(name)
            {
                to.write_str(line)?;
            }
        }
        buffer.copy_within(done..used, 0);
        used -= done;
    }
}
