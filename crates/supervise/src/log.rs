//! What was decided, one line a decision, in the words and the form of libmif.so's own log.

use std::ffi::OsString;
use std::fmt;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt;

use mif_policy::{Policy, Verdict};
pub use mif_steer::Level;
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::stdio::stderr;

use crate::caller::{Call, process_of};

/// Where lines go: a file, or standard error.
#[derive(Debug)]
pub(crate) struct Log {
    level: Level,
    file: Option<OsString>,
}

impl Log {
    pub(crate) fn new(level: Level, file: Option<OsString>) -> Self {
        Self { level, file }
    }

    /// Whether standard error is written to.
    pub(crate) fn needs_stderr(&self) -> bool {
        self.level >= Level::Refused && self.file.is_none()
    }

    /// Whether lines of this level are written.
    pub(crate) fn wants(&self, needed: Level) -> bool {
        self.level >= needed
    }

    /// Says what was decided on a flow or a look-up.
    pub(crate) fn decision(
        &self,
        policy: &Policy,
        caller: &dyn fmt::Display,
        call: &str,
        subject: &dyn fmt::Display,
        verdict: &Verdict<'_>,
    ) {
        let needed = Level::of(verdict);
        let outcome = policy.outcome(verdict, false);
        self.line(needed, caller, format_args!("{call} {subject}: {outcome}"));
    }

    /// Writes a line if it is wanted at this level.
    pub(crate) fn line(&self, needed: Level, caller: &dyn fmt::Display, text: fmt::Arguments<'_>) {
        if !self.wants(needed) {
            return;
        }
        let line = format!("mif: {caller} {text}");
        // Names are anybody's: what could begin another line is a question mark there.
        let mut line = line.replace(char::is_control, "?");
        line.push('\n');
        // A line that cannot be written is lost: the program must not wait for it.
        if let Some(path) = &self.file {
            let mut options = OpenOptions::new();
            if let Ok(mut file) = options.append(true).create(true).mode(0o600).open(path) {
                let _ = file.write_all(line.as_bytes());
            }
        } else if is_writable() {
            let _ = rustix::io::write(stderr(), line.as_bytes());
        }
    }
}

/// As it is called, and its number.
impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let process = process_of(self.thread()).unwrap_or(self.thread());
        let name = std::fs::read_to_string(format!("/proc/{process}/comm")).unwrap_or_default();
        write!(f, "{}[{process}]", name.trim_end())
    }
}

/// A terminal that was stopped, or a pipe that nobody reads, would stop all programs.
fn is_writable() -> bool {
    let at_once = Timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    let stderr = stderr();
    let mut polled = [PollFd::new(&stderr, PollFlags::OUT)];
    rustix::event::poll(&mut polled, Some(&at_once)) == Ok(1)
        && polled[0].revents().contains(PollFlags::OUT)
}
