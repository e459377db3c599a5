//! What mif itself has put on sockets, by their cookies (`SO_COOKIE`, socket(7)), which are never
//! given twice. Everything else that the kernel says of a socket is the program's own doing.
//!
//! What is forgotten counts as the program's, and so is refused at worst.

use std::os::fd::BorrowedFd;

use crate::recent::Recent;

/// What mif put on one socket; 0 stands for nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Mark {
    /// The device that it is bound to.
    pub(crate) device: u32,
    /// `IP_UNICAST_IF`.
    pub(crate) unicast: u32,
    /// `IPV6_ADDR_PREFERENCES` has been set.
    pub(crate) prefers: bool,
    /// It was made for the program, and reaches nobody but the server of names (`names.rs`).
    pub(crate) stands_in: bool,
}

/// All marks.
#[derive(Debug, Default)]
pub(crate) struct Sockets(Recent<u64, Mark>);

impl Sockets {
    pub(crate) fn mark(&self, cookie: u64) -> Mark {
        self.0.get(&cookie).copied().unwrap_or_default()
    }

    pub(crate) fn set(&mut self, cookie: u64, mark: Mark) {
        if mark == Mark::default() {
            self.0.remove(&cookie);
        } else {
            self.0.set(cookie, mark);
        }
    }
}

/// 0, which no socket has, where the kernel does not tell.
pub(crate) fn cookie(socket: BorrowedFd<'_>) -> u64 {
    rustix::net::sockopt::socket_cookie(socket).unwrap_or(0)
}
