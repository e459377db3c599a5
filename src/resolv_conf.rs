//! A view of `/etc/resolv.conf` for programs with a resolver of their own (c-ares, dig, JNDI,
//! dnspython, Net::DNS): whoever opens it to read finds the servers and the search list of the
//! network that the policy has for general names.
//!
//! What they get is an anonymous file of their own (memfd_create(2)), so that nothing lies in a
//! folder where others could plant one, and nothing is kept here. Only this path counts, as text,
//! and only opening: stat(2), access(2) and the path's symbolic links are the real file's. What
//! cannot be written there, servers with a port of their own, is left out; without a server that
//! can, it is the real file, whose servers the guard refuses.
//!
//! `open` is called from signal handlers and by everybody all the time. So nothing here allocates,
//! and another path costs a comparison.

use std::ffi::{c_char, c_int, c_uint};
use std::fmt::{self, Write};
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{IntoRawFd, OwnedFd};

use libc::FILE;
use mif_policy::Names;
use rustix::fs::{MemfdFlags, SealFlags};
use rustix::io::Errno;

use crate::connect::fail;
use crate::guard::unless_panic;
use crate::hooks::real;
use crate::init::{Active, active, has_no_policy};
use crate::log::Level;
use crate::sockaddr::is_plausible;

/// With the NUL that a C string ends in.
const PATH: &[u8] = b"/etc/resolv.conf\0";

/// libc's function is variadic: the mode is there only if `flags` creates a file. As a third
/// parameter it is read from where the variadic one would be, for the calling conventions of
/// x86-64 (System V) and AArch64 (AAPCS64, Linux) pass both in the same register; without one
/// that register holds anything, and is not looked at. The other way round holds too: the vector
/// registers that a variadic callee may save on x86-64 by the word of `al` are then saved in vain.
///
/// # Safety
/// As open(2).
pub(crate) unsafe fn open(path: *const c_char, flags: c_int, mode: c_uint) -> c_int {
    // SAFETY: the caller's contract.
    match unsafe { instead(path, flags) } {
        Some(view) => descriptor(view),
        // SAFETY: the caller's own arguments.
        None => unsafe { real::open(path, flags, passed(flags, mode)) },
    }
}

/// # Safety
/// As open(2).
pub(crate) unsafe fn open64(path: *const c_char, flags: c_int, mode: c_uint) -> c_int {
    // SAFETY: the caller's contract.
    match unsafe { instead(path, flags) } {
        Some(view) => descriptor(view),
        // SAFETY: the caller's own arguments.
        None => unsafe { real::open64(path, flags, passed(flags, mode)) },
    }
}

/// # Safety
/// As openat(2).
pub(crate) unsafe fn openat(dir: c_int, path: *const c_char, flags: c_int, mode: c_uint) -> c_int {
    // SAFETY: the caller's contract.
    match unsafe { instead(path, flags) } {
        Some(view) => descriptor(view),
        // SAFETY: the caller's own arguments.
        None => unsafe { real::openat(dir, path, flags, passed(flags, mode)) },
    }
}

/// # Safety
/// As openat(2).
pub(crate) unsafe fn openat64(
    dir: c_int,
    path: *const c_char,
    flags: c_int,
    mode: c_uint,
) -> c_int {
    // SAFETY: the caller's contract.
    match unsafe { instead(path, flags) } {
        Some(view) => descriptor(view),
        // SAFETY: the caller's own arguments.
        None => unsafe { real::openat64(dir, path, flags, passed(flags, mode)) },
    }
}

/// # Safety
/// As open(2) without a mode.
pub(crate) unsafe fn open_2(path: *const c_char, flags: c_int) -> c_int {
    // SAFETY: the caller's contract.
    match unsafe { instead(path, flags) } {
        Some(view) => descriptor(view),
        // SAFETY: the caller's own arguments.
        None => unsafe { real::__open_2(path, flags) },
    }
}

/// # Safety
/// As open(2) without a mode.
pub(crate) unsafe fn open64_2(path: *const c_char, flags: c_int) -> c_int {
    // SAFETY: the caller's contract.
    match unsafe { instead(path, flags) } {
        Some(view) => descriptor(view),
        // SAFETY: the caller's own arguments.
        None => unsafe { real::__open64_2(path, flags) },
    }
}

/// # Safety
/// As openat(2) without a mode.
pub(crate) unsafe fn openat_2(dir: c_int, path: *const c_char, flags: c_int) -> c_int {
    // SAFETY: the caller's contract.
    match unsafe { instead(path, flags) } {
        Some(view) => descriptor(view),
        // SAFETY: the caller's own arguments.
        None => unsafe { real::__openat_2(dir, path, flags) },
    }
}

/// # Safety
/// As openat(2) without a mode.
pub(crate) unsafe fn openat64_2(dir: c_int, path: *const c_char, flags: c_int) -> c_int {
    // SAFETY: the caller's contract.
    match unsafe { instead(path, flags) } {
        Some(view) => descriptor(view),
        // SAFETY: the caller's own arguments.
        None => unsafe { real::__openat64_2(dir, path, flags) },
    }
}

/// # Safety
/// As fopen(3).
pub(crate) unsafe fn fopen(path: *const c_char, mode: *const c_char) -> *mut FILE {
    // SAFETY: the caller's contract.
    match unsafe { instead_of_stream(path, mode) } {
        Some(stream) => stream,
        // SAFETY: the caller's own arguments.
        None => unsafe { real::fopen(path, mode) },
    }
}

/// # Safety
/// As fopen(3).
pub(crate) unsafe fn fopen64(path: *const c_char, mode: *const c_char) -> *mut FILE {
    // SAFETY: the caller's contract.
    match unsafe { instead_of_stream(path, mode) } {
        Some(stream) => stream,
        // SAFETY: the caller's own arguments.
        None => unsafe { real::fopen64(path, mode) },
    }
}

/// The mode, if the caller passed one.
#[inline]
fn passed(flags: c_int, mode: c_uint) -> c_uint {
    let creates = flags & libc::O_CREAT != 0 || flags & libc::O_TMPFILE == libc::O_TMPFILE;
    if creates { mode } else { 0 }
}

fn descriptor(view: Result<OwnedFd, Errno>) -> c_int {
    view.map_or_else(fail, IntoRawFd::into_raw_fd)
}

/// What an `open` of this path gives instead of the file; `None` leaves it to libc.
///
/// # Safety
/// `path` must be null, invalid for every process, or a C string.
#[inline]
unsafe fn instead(path: *const c_char, flags: c_int) -> Option<Result<OwnedFd, Errno>> {
    // SAFETY: the caller's contract.
    if has_no_policy() || !unsafe { is_the_file(path) } {
        return None;
    }
    let other = libc::O_ACCMODE | libc::O_CREAT | libc::O_TRUNC | libc::O_PATH | libc::O_DIRECTORY;
    if flags & other != libc::O_RDONLY {
        return None;
    }
    view("open", flags & libc::O_CLOEXEC != 0)
}

/// What a `fopen` of this path gives instead of the file.
///
/// # Safety
/// As fopen(3), but that both may be null or invalid for every process.
#[inline]
unsafe fn instead_of_stream(path: *const c_char, mode: *const c_char) -> Option<*mut FILE> {
    // SAFETY: the caller's contract.
    if has_no_policy() || !unsafe { is_the_file(path) } || !is_plausible(mode) {
        return None;
    }
    // SAFETY: the caller's contract.
    unsafe { stream(mode) }
}

/// # Safety
/// `mode` must be a C string.
#[cold]
unsafe fn stream(mode: *const c_char) -> Option<*mut FILE> {
    // SAFETY: the caller's contract.
    let words = unsafe { std::ffi::CStr::from_ptr(mode) }.to_bytes();
    // A character set follows behind the comma.
    let flags = words.split(|&letter| letter == b',').next()?;
    if flags.first() != Some(&b'r') || flags.contains(&b'+') {
        return None;
    }
    let null = std::ptr::null_mut();
    let fd = match view("fopen", flags.contains(&b'e'))? {
        Ok(fd) => fd.into_raw_fd(),
        Err(errno) => {
            fail(errno);
            return Some(null);
        }
    };
    // SAFETY: a descriptor that is open, and the caller's mode.
    let stream = unsafe { libc::fdopen(fd, mode) };
    if stream.is_null() {
        // SAFETY: nobody else has seen this descriptor. By a raw call, which leaves fdopen's errno.
        unsafe { rustix::io::close(fd) };
    }
    Some(stream)
}

/// # Safety
/// `path` must be null, invalid for every process, or a C string.
#[inline]
unsafe fn is_the_file(path: *const c_char) -> bool {
    is_plausible(path)
        && PATH.iter().enumerate().all(|(n, &wanted)| {
            // SAFETY: no byte before this one was NUL, so this one belongs to the string.
            let byte = unsafe { path.add(n).cast::<u8>().read() };
            byte == wanted
        })
}

/// The view, if the network for general names has servers that can be named there.
#[cold]
#[inline(never)]
fn view(call: &str, close_on_exec: bool) -> Option<Result<OwnedFd, Errno>> {
    let active = active()?;
    unless_panic(Some(Err(Errno::IO)), || make(active, call, close_on_exec))
}

fn make(active: &Active, call: &str, close_on_exec: bool) -> Option<Result<OwnedFd, Errno>> {
    let policy = &active.policy;
    let names = policy.names(policy.last_rule(), &active.view());
    let usable = |server: &&SocketAddr| server.port() == 53 && policy.families.allow(server.ip());
    let mut servers = names.servers.iter().filter(usable).peekable();
    servers.peek()?;
    active.log.line(
        Level::Decisions,
        format_args!(
            "{call} /etc/resolv.conf: a view with the servers {:?}",
            names.servers
        ),
    );
    let flags = match close_on_exec {
        true => MemfdFlags::ALLOW_SEALING | MemfdFlags::CLOEXEC,
        false => MemfdFlags::ALLOW_SEALING,
    };
    Some(file(servers.map(SocketAddr::ip), &names, flags))
}

fn file(
    servers: impl Iterator<Item = IpAddr>,
    names: &Names<'_>,
    flags: MemfdFlags,
) -> Result<OwnedFd, Errno> {
    let mut file = File {
        fd: rustix::fs::memfd_create(c"resolv.conf", flags)?,
        written: 0,
        buffer: [0; 512],
        used: 0,
    };
    write_text(&mut file, servers, names).map_err(|fmt::Error| Errno::IO)?;
    file.flush()?;
    rustix::fs::fcntl_add_seals(
        &file.fd,
        SealFlags::WRITE | SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL,
    )?;
    Ok(file.fd)
}

fn write_text(
    to: &mut impl Write,
    servers: impl Iterator<Item = IpAddr>,
    names: &Names<'_>,
) -> fmt::Result {
    to.write_str("# mif: the policy's servers, in place of those of this host.\n")?;
    for server in servers {
        writeln!(to, "nameserver {server}")?;
    }
    if let Some((first, more)) = names.search.split_first() {
        write!(to, "search {first}")?;
        more.iter().try_for_each(|suffix| write!(to, " {suffix}"))?;
        to.write_str("\n")?;
    }
    Ok(())
}

/// An anonymous file, written at places rather than on, so that its reader begins at the start.
struct File {
    fd: OwnedFd,
    written: u64,
    buffer: [u8; 512],
    used: usize,
}

impl File {
    fn flush(&mut self) -> Result<(), Errno> {
        let mut rest = &self.buffer[..self.used];
        while !rest.is_empty() {
            let more =
                rustix::io::retry_on_intr(|| rustix::io::pwrite(&self.fd, rest, self.written))?;
            self.written += more as u64;
            rest = &rest[more..];
        }
        self.used = 0;
        Ok(())
    }
}

impl Write for File {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for &byte in text.as_bytes() {
            if self.used == self.buffer.len() {
                self.flush().map_err(|_| fmt::Error)?;
            }
            self.buffer[self.used] = byte;
            self.used += 1;
        }
        Ok(())
    }
}
