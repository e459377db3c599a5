//! What was decided, one line a decision, for people (`MIF_LOG`, `mif-run -v`).
//!
//! A line is put together in a buffer on the stack and written by one `write(2)`, so that it can
//! come from a signal handler and lines of several processes do not mix.

use std::fmt::{self, Write};
use std::net::SocketAddr;

use mif_policy::{Route, Verdict};
pub(crate) use mif_steer::Level;

use crate::init::Active;
use crate::log_target::Target;

/// What is said, and where, decided once.
#[derive(Clone, Debug)]
pub(crate) struct Log {
    level: Level,
    program: String,
    /// `None`: nowhere.
    target: Option<Target>,
}

/// A line is cut to this many bytes (`PIPE_BUF` is 4096: smaller writes are never torn).
const LONGEST: usize = 512;

impl Log {
    pub(crate) fn new(level: Level, program: String, target: Option<Target>) -> Self {
        Self {
            level,
            program,
            target,
        }
    }

    /// Says nothing.
    pub(crate) fn silent() -> Self {
        Self::new(Level::Off, String::new(), None)
    }

    /// Says what was decided on a flow or a look-up.
    #[inline]
    pub(crate) fn decision(
        active: &Active,
        call: &str,
        subject: &dyn fmt::Display,
        verdict: &Verdict<'_>,
    ) {
        let needed = Level::of(verdict);
        if active.log.wants(needed) {
            active.log.decided(active, call, subject, verdict, needed);
        }
    }

    /// The same of a flow that is routed: the verdict is made only where somebody wants it.
    #[inline]
    pub(crate) fn routed(active: &Active, call: &str, destination: SocketAddr, route: &Route<'_>) {
        if active.log.wants(Level::Decisions) {
            Self::decision(active, call, &destination, &Verdict::Route(*route));
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
        if let Some(target) = &self.target {
            target.write(&line.bytes[..=line.used]);
        }
    }
}

/// A buffer that takes what fits, and keeps a byte for the line's end. Names are anybody's: what could
/// begin another line, or tell a terminal to do something, is a question mark there.
struct Line {
    bytes: [u8; LONGEST],
    used: usize,
}

impl Write for Line {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for letter in text.chars() {
            let letter = if letter.is_control() { '?' } else { letter };
            let room = &mut self.bytes[self.used..LONGEST - 1];
            if letter.len_utf8() > room.len() {
                return Err(fmt::Error);
            }
            self.used += letter.encode_utf8(room).len();
        }
        Ok(())
    }
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
        for _ in 0..LONGEST / 10 {
            write!(line, "0123456789").unwrap();
        }
        assert!(write!(line, "0123456789").is_err());
        assert_eq!(line.used, LONGEST - 1);
    }

    #[test]
    fn names_cannot_begin_a_line_or_speak_to_a_terminal() {
        let mut line = Line {
            bytes: [0; LONGEST],
            used: 0,
        };
        write!(line, "a\nmif: b\u{1b}[2J\u{9b}c\u{7f}\0ü").unwrap();
        let text = str::from_utf8(&line.bytes[..line.used]).unwrap();
        assert_eq!(text, "a?mif: b?[2J?c??ü");
    }

    #[test]
    fn levels_are_ordered() {
        assert!(Level::Off < Level::Programs && Level::Programs < Level::Refused);
        assert!(Level::Refused < Level::Decisions);
        assert!(Level::Decisions < Level::Debug);
    }
}
