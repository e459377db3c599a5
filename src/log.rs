//! What was decided, one line a decision, for people (`MIF_LOG`, `mif-run -v`).
//!
//! A line is put together in a buffer on the stack and written by one `write(2)`, so that it can
//! come from a signal handler and lines of several processes do not mix.

use std::ffi::CString;
use std::fmt::{self, Write};
use std::os::fd::BorrowedFd;

use mif_policy::{Choice, Pass, Policy, Refusal, RuleId, Unusable, Verdict};
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
        let outcome = Outcome { active, verdict };
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

/// The decision in words: network, interface, rule and outcome.
struct Outcome<'a> {
    active: &'a Active,
    verdict: &'a Verdict<'a>,
}

impl fmt::Display for Outcome<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let policy = &self.active.policy;
        match self.verdict {
            Verdict::Pass(Pass::Local) => f.write_str("local, not touched"),
            Verdict::Pass(Pass::Scoped) => f.write_str("its scope id names the interface"),
            Verdict::Pass(Pass::Respected) => f.write_str("the application's own choice stands"),
            Verdict::Pass(Pass::System(rule)) => write!(f, "system, by {}", by(policy, *rule)),
            Verdict::Route(route) => {
                write!(f, "{}", route.name)?;
                match route.interface {
                    mif_policy::Interface::Named(name) => write!(f, " (interface {name}")?,
                    mif_policy::Interface::OfSource => {
                        write!(f, " (interface index {}", route.index)?;
                    }
                }
                if let Some(source) = route.source {
                    write!(f, ", source {source}")?;
                }
                write!(f, "), by {}", by(policy, route.rule))
            }
            Verdict::Refuse(refusal) => {
                f.write_str("refused: ")?;
                self.refusal(f, *refusal)
            }
        }
    }
}

impl Outcome<'_> {
    fn refusal(&self, f: &mut fmt::Formatter<'_>, refusal: Refusal) -> fmt::Result {
        let policy = &self.active.policy;
        match refusal {
            Refusal::Internal => f.write_str("the kernel would not put the socket on the network"),
            Refusal::Mark(rule) => write!(
                f,
                "SO_MARK needs CAP_NET_ADMIN or CAP_NET_RAW, and {} wants a mark",
                by(policy, rule)
            ),
            Refusal::Source(rule) => {
                write!(
                    f,
                    "the socket cannot take the source address of {}",
                    by(policy, rule)
                )
            }
            Refusal::Family => f.write_str("the policy's family excludes it"),
            Refusal::Chosen(_) if self.active.faulty => f.write_str("the policy has a fault"),
            Refusal::Chosen(rule) => write!(f, "none, by {}", by(policy, rule)),
            Refusal::LocalForbidden(rule) => {
                write!(
                    f,
                    "local = false, and no network of {} leads to it",
                    by(policy, rule)
                )
            }
            Refusal::Resolver(rule) => write!(
                f,
                "a DNS server that is not the network's (dns.guard), by {}",
                by(policy, rule)
            ),
            Refusal::Origin(rule, pvd, why) => write!(
                f,
                "it was looked up on {}, and {why}, by {}",
                policy.pvd(pvd).name,
                by(policy, rule)
            ),
            Refusal::Elsewhere(rule) => write!(
                f,
                "the application put the socket on another network than {}",
                by(policy, rule)
            ),
            Refusal::Exhausted(rule, why) => {
                write!(
                    f,
                    "{}{why}, by {}",
                    first_name(policy, rule, why),
                    by(policy, rule)
                )
            }
        }
    }
}

/// The name that the reason is about: the first network of the rule.
fn first_name(policy: &Policy, rule: RuleId, why: Unusable) -> impl fmt::Display + use<'_> {
    let first = policy.rule(rule).choices.0.first();
    let name = match first {
        Some(Choice::Pvd(id)) if why != Unusable::Unknown || policy.pvds.len() == 1 => {
            &*policy.pvd(*id).name
        }
        _ => "",
    };
    std::fmt::from_fn(move |f| {
        if name.is_empty() {
            Ok(())
        } else {
            write!(f, "{name}: ")
        }
    })
}

fn by(policy: &Policy, rule: RuleId) -> impl fmt::Display + use<'_> {
    policy.place(policy.rule(rule).place)
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
