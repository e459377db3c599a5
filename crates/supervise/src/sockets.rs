//! What mif itself has put on sockets, by their cookies (`SO_COOKIE`, socket(7)), which are never
//! given twice. Everything else that the kernel says of a socket is the program's own doing.
//!
//! What is forgotten counts as the program's, and so is refused at worst.

use std::collections::HashMap;
use std::os::fd::BorrowedFd;

/// Sockets of one generation; two are kept.
const GENERATION: usize = 32 * 1024;

/// What mif put on one socket; 0 stands for nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Mark {
    /// The device that it is bound to.
    pub(crate) device: u32,
    /// `IP_UNICAST_IF`.
    pub(crate) unicast: u32,
    /// `IPV6_ADDR_PREFERENCES` has been set.
    pub(crate) prefers: bool,
}

/// All marks.
#[derive(Debug, Default)]
pub(crate) struct Sockets {
    young: HashMap<u64, Mark>,
    old: HashMap<u64, Mark>,
}

impl Sockets {
    pub(crate) fn mark(&self, cookie: u64) -> Mark {
        let found = self.young.get(&cookie).or_else(|| self.old.get(&cookie));
        found.copied().unwrap_or_default()
    }

    pub(crate) fn set(&mut self, cookie: u64, mark: Mark) {
        if mark == Mark::default() {
            self.young.remove(&cookie);
            self.old.remove(&cookie);
            return;
        }
        if self.young.len() >= GENERATION {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(cookie, mark);
    }
}

/// 0, which no socket has, where the kernel does not tell.
pub(crate) fn cookie(socket: BorrowedFd<'_>) -> u64 {
    rustix::net::sockopt::socket_cookie(socket).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_generation_is_remembered() {
        let mut sockets = Sockets::default();
        let mark = Mark {
            device: 3,
            ..Mark::default()
        };
        let count = 3 * GENERATION as u64;
        for cookie in 1..=count {
            sockets.set(cookie, mark);
        }
        assert_eq!(sockets.mark(count), mark);
        assert_eq!(sockets.mark(count - GENERATION as u64 + 1), mark);
        assert_eq!(sockets.mark(1), Mark::default());
        assert!(sockets.young.len() + sockets.old.len() <= 2 * GENERATION);
        sockets.set(count, Mark::default());
        assert_eq!(sockets.mark(count), Mark::default());
    }
}
