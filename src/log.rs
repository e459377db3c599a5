//! What was decided, one line a decision, for people (`MIF_LOG`, `mif-run -v`).
//!
//! A line is put together in a buffer on the stack and written by one `write(2)`, so that it can
//! come from a signal handler and lines of several processes do not mix.

use std::ffi::CString;
use std::fmt::{self, Write};
use std::os::fd::BorrowedFd;

use mif_policy::{Pass, Verdict};
use mif_socket::Descriptor;
use rustix::fs::{Mode, OFlags};

use crate::init::Active;

/// How much is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    /// Nothing.
    Off,
    /// What was refused.
    Refused,
    /// Every decision of a rule.
    Decisions,
    /// What is exempt too.
    Debug,
}

/// Where lines go, decided once.
#[derive(Debug)]
pub(crate) struct Log {
    level: Level,
    program: String,
    file: Option<CString>,
    /// Device and inode of stderr at the start: an application that closes it may have a socket
    /// or a database there later.
    stderr: Option<(u64, u64)>,
}

/// A line is cut to this many bytes (`PIPE_BUF` is 4096: smaller writes are never torn).
const LONGEST: usize = 512;

impl Log {
    pub(crate) fn new(level: Level, program: String, file: Option<CString>) -> Self {
        let stderr = (level > Level::Off && file.is_none())
            .then(stderr_identity)
            .flatten();
        Self {
            level,
            program,
            file,
            stderr,
        }
    }

    /// Says what was decided on a flow or a look-up.
    #[inline]
    pub(crate) fn decision(
        active: &Active,
        call: &str,
        subject: &dyn fmt::Display,
        verdict: &Verdict<'_>,
    ) {
        let needed = match verdict {
            Verdict::Refuse(_) => Level::Refused,
            Verdict::Pass(Pass::Local | Pass::Scoped) => Level::Debug,
            Verdict::Pass(_) | Verdict::Route(_) => Level::Decisions,
        };
        if active.log.wants(needed) {
            active.log.decided(active, call, subject, verdict, needed);
        }
    }

    #[cold]
    fn decided(
        &self,
        active: &Active,
        call: &str,
        subject: &dyn fmt::Display,
        verdict: &Verdict<'_>,
        needed: Level,
    ) {
        let outcome = active.policy.outcome(verdict, active.faulty);
        self.line(needed, format_args!("{call} {subject}: {outcome}"));
    }

    /// Whether lines of this level are written.
    pub(crate) fn wants(&self, needed: Level) -> bool {
        self.level >= needed
    }

    /// Writes a line if it is wanted at this level.
    pub(crate) fn line(&self, needed: Level, text: fmt::Arguments<'_>) {
        if !self.wants(needed) {
            return;
        }
        let mut line = Line {
            bytes: [0; LONGEST],
            used: 0,
        };
        let pid = rustix::process::getpid().as_raw_nonzero();
        let _ = write!(line, "mif: {}[{pid}] {text}", self.program);
        line.bytes[line.used] = b'\n';
        self.write(&line.bytes[..=line.used]);
    }

    fn write(&self, bytes: &[u8]) {
        // A line that cannot be written is lost: the application must not notice.
        if let Some(path) = &self.file {
            let flags = OFlags::WRONLY | OFlags::APPEND | OFlags::CREATE | OFlags::CLOEXEC;
            if let Ok(file) = rustix::fs::open(path, flags | OFlags::NOCTTY, Mode::from(0o600)) {
                let _ = rustix::io::write(Descriptor::from(file), bytes);
            }
        } else if self.stderr.is_some() && self.stderr == stderr_identity() {
            let _ = rustix::io::write(stderr(), bytes);
        }
    }
}

/// A buffer that takes what fits, and keeps a byte for the line's end.
struct Line {
    bytes: [u8; LONGEST],
    used: usize,
}

impl Write for Line {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = LONGEST - 1 - self.used;
        let take = text.len().min(room);
        self.bytes[self.used..self.used + take].copy_from_slice(&text.as_bytes()[..take]);
        self.used += take;
        Ok(())
    }
}

fn stderr_identity() -> Option<(u64, u64)> {
    rustix::fs::fstat(stderr())
        .ok()
        .map(|stat| (stat.st_dev, stat.st_ino))
}

fn stderr() -> BorrowedFd<'static> {
    // SAFETY: a number, not an ownership: whether anything is open there, each use finds out.
    unsafe { BorrowedFd::borrow_raw(2) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_cut_where_the_buffer_ends() {
        let mut line = Line {
            bytes: [0; LONGEST],
            used: 0,
        };
        for _ in 0..100 {
            write!(line, "0123456789").unwrap();
        }
        assert_eq!(line.used, LONGEST - 1);
    }

    #[test]
    fn levels_are_ordered() {
        assert!(Level::Off < Level::Refused && Level::Refused < Level::Decisions);
        assert!(Level::Decisions < Level::Debug);
    }
}
