//! Sockets that came over exec: an application that was handed one (inetd, systemd) may have it
//! bound or pinned, and nothing is known of that.

use std::os::fd::BorrowedFd;

use rustix::event::{FdSetElement, FdSetIter, PollFd, PollFlags, Timespec};
use rustix::event::{fd_set_insert, poll, select};

use crate::flags;

/// Descriptors that are looked at.
const LOOKED_AT: usize = 256;
/// The kernel's table of a process's descriptors has room for a multiple of so many, and for no
/// more than are in use.
const PART: usize = 64;

const AT_ONCE: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 0,
};

/// Raises what is not known of sockets, where there is one.
pub(crate) fn note_sockets() {
    let found = if are_in_one_part() {
        some_socket::<PART>()
    } else {
        some_socket::<LOOKED_AT>()
    };
    if found {
        flags::raise(flags::BOUND | flags::PINNED | flags::PREFERS);
    }
}

/// Whether no descriptor above the first part is open: poll(2) would ask about each of them, which is
/// 10 us. Linux's select(2) passes over what is beyond the table, where POSIX wants an error; nothing
/// but that leaves its set as it was.
fn are_in_one_part() -> bool {
    /// One of each further part.
    const BEYOND: [i32; 3] = [64, 128, 192];
    // An element has 64 bits.
    let mut set = [FdSetElement::default(); LOOKED_AT / 64];
    for fd in BEYOND {
        fd_set_insert(&mut set, fd);
    }
    // SAFETY: numbers that select(2) is asked about; it answers EBADF for one not open.
    let ready = unsafe { select(BEYOND[2] + 1, Some(&mut set), None, None, Some(&AT_ONCE)) };
    ready == Ok(0) && FdSetIter::new(&set).eq(BEYOND)
}

/// Whether one of the first `COUNT` descriptors is a socket. Above the soft limit of `RLIMIT_NOFILE`,
/// poll(2) fails, and then nothing is known and all is asked.
fn some_socket<const COUNT: usize>() -> bool {
    let mut fds = 0..;
    let mut polled: [PollFd<'_>; COUNT] = std::array::from_fn(|_| {
        let fd = fds.next().unwrap_or_default();
        // SAFETY: a number that poll(2) is asked about; it answers POLLNVAL for one not open.
        PollFd::from_borrowed_fd(unsafe { borrow(fd) }, PollFlags::empty())
    });
    match poll(&mut polled, Some(&AT_ONCE)) {
        Err(_) => true,
        Ok(_) => (0..).zip(&polled).any(|(fd, polled)| {
            !polled.revents().contains(PollFlags::NVAL)
                // SAFETY: open a moment ago, and only asked about.
                && mif_socket::local_address(unsafe { borrow(fd) }).is_some()
        }),
    }
}

/// # Safety
/// The number is only used in system calls that answer `EBADF` for one that is not open.
unsafe fn borrow(fd: i32) -> BorrowedFd<'static> {
    // SAFETY: the caller's contract; -1, the one forbidden value, is not passed.
    unsafe { BorrowedFd::borrow_raw(fd) }
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;

    use super::*;

    #[test]
    fn a_descriptor_in_a_further_part_is_noticed() {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        for least in [64, 130, 255] {
            let far = rustix::io::fcntl_dupfd_cloexec(&socket, least).unwrap();
            assert!(!are_in_one_part(), "{least}");
            assert!(some_socket::<LOOKED_AT>(), "{least}");
            drop(far);
        }
    }
}
