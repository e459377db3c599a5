//! Calls on a socket with the very bytes of an address, of a value or of a message.
#![allow(unsafe_code)]

use std::ffi::c_int;
use std::os::fd::{AsRawFd, BorrowedFd};

use libc::msghdr;
use rustix::io::{Errno, Result};

use crate::kernel::{checked, checked_size, piece};

/// `connect` with the bytes of an address as they are.
///
/// # Errors
/// Those of connect(2).
pub(crate) fn connect(socket: BorrowedFd<'_>, to: &[u8]) -> Result<()> {
    // SAFETY: the address is readable for its length.
    let done = unsafe { libc::connect(socket.as_raw_fd(), to.as_ptr().cast(), length(to)) };
    checked(done.into()).map(|_| ())
}

/// `bind` with the bytes of an address as they are.
///
/// # Errors
/// Those of bind(2).
pub(crate) fn bind(socket: BorrowedFd<'_>, to: &[u8]) -> Result<()> {
    // SAFETY: the address is readable for its length.
    let done = unsafe { libc::bind(socket.as_raw_fd(), to.as_ptr().cast(), length(to)) };
    checked(done.into()).map(|_| ())
}

/// `setsockopt` with these bytes.
///
/// # Errors
/// Those of setsockopt(2).
pub(crate) fn set_option(
    socket: BorrowedFd<'_>,
    level: c_int,
    option: c_int,
    value: &[u8],
) -> Result<()> {
    let at = value.as_ptr().cast();
    // SAFETY: the value is readable for its length.
    let done = unsafe { libc::setsockopt(socket.as_raw_fd(), level, option, at, length(value)) };
    checked(done.into()).map(|_| ())
}

/// One datagram: destination (or none), data and ancillary data.
///
/// # Errors
/// Those of sendmsg(2).
pub(crate) fn send(
    socket: BorrowedFd<'_>,
    to: Option<&[u8]>,
    data: &[u8],
    control: &[u8],
    flags: c_int,
) -> Result<usize> {
    let data = piece(data.as_ptr().cast_mut().cast(), data.len());
    // SAFETY: all-zero is a message without anything.
    let mut message: msghdr = unsafe { std::mem::zeroed() };
    if let Some(to) = to {
        message.msg_name = to.as_ptr().cast_mut().cast();
        message.msg_namelen = length(to);
    }
    message.msg_iov = (&raw const data).cast_mut();
    message.msg_iovlen = 1;
    message.msg_control = control.as_ptr().cast_mut().cast();
    message.msg_controllen = control.len();
    // SAFETY: everything that the message points to is readable for its length.
    checked_size(unsafe { libc::sendmsg(socket.as_raw_fd(), &raw const message, flags) })
}

/// A datagram that has come.
pub(crate) struct Datagram {
    /// Where from, as the bytes of a socket address.
    pub(crate) from: Vec<u8>,
    pub(crate) data: Vec<u8>,
    pub(crate) control: Vec<u8>,
}

/// The next datagram.
///
/// # Errors
/// Those of recvmsg(2).
pub(crate) fn receive_datagram(socket: BorrowedFd<'_>) -> Result<Datagram> {
    let mut from = vec![0u8; size_of::<libc::sockaddr_in6>()];
    let mut data = vec![0u8; 65_535];
    // Words, since the kernel aligns what it writes there.
    let mut control = [0usize; 16];
    let room = piece(data.as_mut_ptr().cast(), data.len());
    // SAFETY: all-zero is a message without anything.
    let mut message: msghdr = unsafe { std::mem::zeroed() };
    message.msg_name = from.as_mut_ptr().cast();
    message.msg_namelen = length(&from);
    message.msg_iov = (&raw const room).cast_mut();
    message.msg_iovlen = 1;
    message.msg_control = control.as_mut_ptr().cast();
    message.msg_controllen = size_of_val(&control);
    // SAFETY: everything that the message points to is writable for its length.
    let read = checked_size(unsafe { libc::recvmsg(socket.as_raw_fd(), &raw mut message, 0) })?;
    data.truncate(read);
    from.truncate(message.msg_namelen.try_into().unwrap_or(0));
    let mut control: Vec<u8> = control.into_iter().flat_map(usize::to_ne_bytes).collect();
    control.truncate(message.msg_controllen);
    Ok(Datagram {
        from,
        data,
        control,
    })
}

/// Has an IPv6 socket tell to which address a datagram was sent, and lets it send from any.
///
/// # Errors
/// Those of setsockopt(2).
pub(crate) fn be_any_address(socket: BorrowedFd<'_>) -> Result<()> {
    let on: c_int = 1;
    let on = &on.to_ne_bytes();
    [libc::IPV6_RECVPKTINFO, libc::IPV6_FREEBIND]
        .into_iter()
        .try_for_each(|option| set_option(socket, libc::IPPROTO_IPV6, option, on))
}

/// Has `epoll` watch `file` as descriptor `number`, by which its owner knows it: another number than
/// this process's own.
///
/// # Errors
/// Those of `epoll_ctl(2)`, and of the thread that is needed.
pub(crate) fn watch_as(
    epoll: BorrowedFd<'_>,
    file: BorrowedFd<'_>,
    number: c_int,
    event: libc::epoll_event,
) -> Result<()> {
    let act = || -> Result<()> {
        let of_its_own = libc::CLONE_FILES;
        // SAFETY: takes bits.
        checked(unsafe { libc::unshare(of_its_own) }.into())?;
        let next = number.saturating_add(1);
        // Out of the way of `number`.
        // SAFETY: takes numbers.
        let epoll = unsafe { libc::fcntl(epoll.as_raw_fd(), libc::F_DUPFD_CLOEXEC, next) };
        checked(epoll.into())?;
        if file.as_raw_fd() != number {
            // SAFETY: what it closes is this thread's own copy of a descriptor.
            let done = unsafe { libc::dup3(file.as_raw_fd(), number, libc::O_CLOEXEC) };
            checked(done.into())?;
        }
        let mut event = event;
        // SAFETY: reads one `epoll_event`.
        let done = unsafe { libc::epoll_ctl(epoll, libc::EPOLL_CTL_ADD, number, &raw mut event) };
        checked(done.into()).map(|_| ())
    };
    // A thread may have descriptors of its own, which end with it.
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().spawn_scoped(scope, act);
        let joined = thread.map_err(|_| Errno::AGAIN)?.join();
        joined.unwrap_or(Err(Errno::IO))
    })
}

#[allow(clippy::cast_possible_truncation)] // Addresses and values have 128 bytes at most.
fn length(bytes: &[u8]) -> libc::socklen_t {
    bytes.len() as libc::socklen_t
}
