//! The same policy for programs that no preload reaches: a supervisor that the kernel asks about
//! their system calls (seccomp user notification, `seccomp_unotify(2)`).
//!
//! It needs no privilege. [`run`] starts a program below itself with a filter (`filter.rs`) that is
//! inherited by all that it starts, and answers each `connect`, `bind`, `listen` and `send*` of theirs
//! (`answer.rs`) as libmif.so would: `mif_policy` decides, `mif_socket` acts, on the caller's socket
//! itself (`pidfd_getfd(2)`). Reading, writing and receiving are never asked about.
//!
//! Programs find the servers of the policy's network in `/etc/resolv.conf` (`view.rs`), and what they
//! ask there is answered here (`names.rs`).

mod address;
mod answer;
mod by_bytes;
mod caller;
mod fast_open;
mod filter;
mod front;
mod kernel;
mod life;
mod log;
mod message;
mod names;
mod recent;
mod report;
mod send;
mod serve;
mod signals;
mod sockets;
mod subject;
mod view;

use std::ffi::{CString, OsString};
use std::fmt;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use mif_host::Host;
use mif_policy::{Policy, Server};
use parking_lot::Mutex;
use rustix::io::Errno;

pub use log::Level;

use crate::log::Log;
use crate::names::Names;
use crate::sockets::Sockets;
use crate::subject::Policed;

/// A program that is to be started.
#[derive(Debug)]
pub struct Program {
    /// Its path.
    pub file: CString,
    /// Whether a path without a slash is a name that is looked for on `PATH`.
    pub searched: bool,
    /// Its arguments, the name it is called by included; never empty.
    pub arguments: Vec<CString>,
    /// Its environment, `NAME=VALUE`.
    pub environment: Vec<CString>,
}

/// What is said of decisions, and where.
#[derive(Debug)]
pub struct Saying {
    /// How much.
    pub level: Level,
    /// The file, as an absolute path; without one it is standard error.
    pub file: Option<OsString>,
}

/// Puts DNS messages to a server of DNS over TLS or HTTPS, over a connection to it, within a time; the
/// reply to each, in their order, or why there are none.
pub type ByTls = fn(&Server, OwnedFd, Vec<Vec<u8>>, Duration) -> Result<Vec<Vec<u8>>, String>;

/// Why a program was not started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// An outer supervisor has the kernel ask it already.
    Nested,
    /// The kernel does not do what is needed.
    Kernel(Errno),
    /// The supervisor ended before the program began.
    Ended,
}

/// Runs a program and all that it starts under a policy, until it has ended; its exit status. Where
/// a signal ended it, this process ends by the same. The process must have one thread, and calls
/// this once.
///
/// # Errors
/// Why the program was not started.
pub fn run(
    policy: Policy,
    program: &Program,
    saying: Saying,
    secure: ByTls,
) -> Result<u8, Trouble> {
    // For as long as this process runs, and for all its threads.
    let policed = Box::leak(Box::new(Policed {
        host: Host::new(&policy),
        names: Names::of(&policy),
        policy,
        sockets: Mutex::new(Sockets::default()),
        secure,
        log: Log::new(saying.level, saying.file),
        started: Instant::now(),
    }));
    life::run(policed, program)
}

impl Trouble {
    pub(crate) fn of(errno: Errno) -> Self {
        match errno {
            Errno::BUSY => Self::Nested,
            errno => Self::Kernel(errno),
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nested => {
                f.write_str("this process is under a supervisor already, and there can be one only")
            }
            Self::Kernel(errno) => write!(
                f,
                "the kernel does not let this program be supervised (seccomp): {}",
                std::io::Error::from(*errno)
            ),
            Self::Ended => f.write_str("the supervisor ended before the program began"),
        }
    }
}
