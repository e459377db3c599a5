//! Messages of `ICMPv6` with the hop limit they came with, which rustix does not tell. Neighbour
//! discovery counts only with one of 255, which no router has let through (RFC 4861 6.1).
#![allow(unsafe_code)]

use std::net::{Ipv6Addr, SocketAddrV6};
use std::os::fd::{AsRawFd, BorrowedFd};
use std::{mem, ptr};

use rustix::io::Result;
use syscalls::{Sysno, syscall};

use crate::cmsg;
use crate::option::{errno, set};

/// `ICMP6_FILTER` of linux/icmpv6.h.
const FILTER: libc::c_int = 1;

/// A message without its IPv6 header, which is in the caller's buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Received {
    /// Octets of it that fitted into the buffer.
    pub length: usize,
    /// Who sent it; the port says nothing.
    pub from: SocketAddrV6,
    /// `None` where the kernel does not tell.
    pub hop_limit: Option<u8>,
}

/// Has a raw socket of `ICMPv6` (icmpv6(7)) receive messages of one type only, with their hop
/// limit.
///
/// # Errors
/// Those of `setsockopt(2)`.
pub fn receive_only(fd: BorrowedFd<'_>, kind: u8) -> Result<()> {
    // One bit for each type; those that are set are blocked. The words are the host's.
    let mut blocked = [u32::MAX; 8];
    blocked[usize::from(kind / 32)] &= !(1 << (kind % 32));
    let mut octets = [0; 32];
    let words = octets.as_chunks_mut::<4>().0;
    for (octets, word) in words.iter_mut().zip(blocked) {
        *octets = word.to_ne_bytes();
    }
    set(fd, libc::IPPROTO_ICMPV6, FILTER, &octets)?;
    let on = 1i32.to_ne_bytes();
    set(fd, libc::IPPROTO_IPV6, libc::IPV6_RECVHOPLIMIT, &on)
}

/// Receives one message, if there is one.
///
/// # Errors
/// `EAGAIN` where none has come, else those of `recvmsg(2)`.
pub fn receive(fd: BorrowedFd<'_>, buffer: &mut [u8]) -> Result<Received> {
    let mut from = libc::sockaddr_in6 {
        sin6_family: 0,
        sin6_port: 0,
        sin6_flowinfo: 0,
        sin6_addr: libc::in6_addr { s6_addr: [0; 16] },
        sin6_scope_id: 0,
    };
    // Aligned as headers of ancillary data are.
    let mut control = [0u64; 8];
    let mut part = libc::iovec {
        iov_base: buffer.as_mut_ptr().cast(),
        iov_len: buffer.len(),
    };
    let mut message = libc::msghdr {
        msg_name: ptr::from_mut(&mut from).cast(),
        #[allow(clippy::cast_possible_truncation)] // It is 28.
        msg_namelen: mem::size_of_val(&from) as libc::socklen_t,
        msg_iov: &raw mut part,
        msg_iovlen: 1,
        msg_control: control.as_mut_ptr().cast(),
        msg_controllen: mem::size_of_val(&control),
        msg_flags: 0,
    };
    // SAFETY: the message names buffers of ours with their lengths, which outlive the call.
    let length = unsafe {
        syscall!(
            Sysno::recvmsg,
            fd.as_raw_fd(),
            &raw mut message,
            libc::MSG_DONTWAIT
        )
    }
    .map_err(errno)?;
    let mut octets = [0; 64];
    for (octets, word) in octets.as_chunks_mut::<8>().0.iter_mut().zip(control) {
        *octets = word.to_ne_bytes();
    }
    let control = octets.get(..message.msg_controllen).unwrap_or_default();
    let hop_limit = cmsg::pieces(control).find_map(|piece| {
        let is_it = (piece.level, piece.kind) == (libc::IPPROTO_IPV6, libc::IPV6_HOPLIMIT);
        let limit = i32::from_ne_bytes(*piece.data.first_chunk()?);
        u8::try_from(limit).ok().filter(|_| is_it)
    });
    let ip = Ipv6Addr::from(from.sin6_addr.s6_addr);
    Ok(Received {
        length,
        from: SocketAddrV6::new(ip, 0, 0, from.sin6_scope_id),
        hop_limit,
    })
}
