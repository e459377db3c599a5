//! A view of `/etc/resolv.conf` for programs with a resolver of their own (c-ares, dig, JNDI,
//! dnspython, perl): whoever opens it to read finds the servers and the search list of the
//! network that the policy has for general names.
//!
//! What they get is an anonymous file of their own (`memfd_create(2)`), so that nothing lies in a
//! folder where others could plant one, and nothing is kept here. Only this path counts, as text,
//! and only opening: stat(2), access(2) and the path's symbolic links are the real file's. What
//! cannot be written there, servers with a port of their own, is left out; without a server that
//! can, it is the real file, whose servers the guard refuses.
//!
//! `open` is called from signal handlers and by everybody all the time. So another path costs a
//! comparison, and nothing here allocates, but where the network's own servers have to be read first:
//! to open this file is to begin a look-up.

use std::ffi::{c_char, c_int, c_uint};
use std::fmt::{self, Write};
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{IntoRawFd, OwnedFd};

use libc::FILE;
use mif_policy::{Need, Verdict};
use rustix::io::Errno;

use crate::connect::fail;
use crate::guard::unless_panic;
use crate::hooks::real;
use crate::init::{Active, active, has_no_policy};
use crate::log::Level;
use crate::memfd;
use crate::sockaddr::is_plausible;

/// With the NUL that a C string ends in.
const PATH: &[u8] = b"/etc/resolv.conf\0";

/// libc's function is variadic: there is a mode only if `flags` creates a file. The calling
/// conventions of x86-64 (System V) and of 64-bit Arm (AAPCS64, Linux) pass a variadic integer in the
/// register of a named one, so `mode` is what the caller passed, or whatever that register holds;
/// and it goes on in the same register to libc's, which looks at it in the first case only. What
/// `al` says on x86-64 of vector registers can at worst make a variadic callee save some in vain.
///
/// # Safety
/// As open(2).
pub(crate) unsafe fn open(path: *const c_char, flags: c_int, mode: c_uint) -> c_int {
    // SAFETY: the caller's contract.
    if let Some(view) = unsafe { descriptor(path, flags) } {
        return view;
    }
    // SAFETY: the caller's own arguments.
    unsafe { real::open(path, flags, mode) }
}

/// # Safety
/// As open(2).
pub(crate) unsafe fn open64(path: *const c_char, flags: c_int, mode: c_uint) -> c_int {
    // SAFETY: the caller's contract.
    if let Some(view) = unsafe { descriptor(path, flags) } {
        return view;
    }
    // SAFETY: the caller's own arguments.
    unsafe { real::open64(path, flags, mode) }
}

/// # Safety
/// As openat(2).
pub(crate) unsafe fn openat(dir: c_int, path: *const c_char, flags: c_int, mode: c_uint) -> c_int {
    // SAFETY: the caller's contract.
    if let Some(view) = unsafe { descriptor(path, flags) } {
        return view;
    }
    // SAFETY: the caller's own arguments.
    unsafe { real::openat(dir, path, flags, mode) }
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
    if let Some(view) = unsafe { descriptor(path, flags) } {
        return view;
    }
    // SAFETY: the caller's own arguments.
    unsafe { real::openat64(dir, path, flags, mode) }
}

/// # Safety
/// As open(2) without a mode.
pub(crate) unsafe fn open_2(path: *const c_char, flags: c_int) -> c_int {
    // SAFETY: the caller's contract.
    if let Some(view) = unsafe { descriptor(path, flags) } {
        return view;
    }
    // SAFETY: the caller's own arguments.
    unsafe { real::__open_2(path, flags) }
}

/// # Safety
/// As open(2) without a mode.
pub(crate) unsafe fn open64_2(path: *const c_char, flags: c_int) -> c_int {
    // SAFETY: the caller's contract.
    if let Some(view) = unsafe { descriptor(path, flags) } {
        return view;
    }
    // SAFETY: the caller's own arguments.
    unsafe { real::__open64_2(path, flags) }
}

/// # Safety
/// As openat(2) without a mode.
pub(crate) unsafe fn openat_2(dir: c_int, path: *const c_char, flags: c_int) -> c_int {
    // SAFETY: the caller's contract.
    if let Some(view) = unsafe { descriptor(path, flags) } {
        return view;
    }
    // SAFETY: the caller's own arguments.
    unsafe { real::__openat_2(dir, path, flags) }
}

/// # Safety
/// As openat(2) without a mode.
pub(crate) unsafe fn openat64_2(dir: c_int, path: *const c_char, flags: c_int) -> c_int {
    // SAFETY: the caller's contract.
    if let Some(view) = unsafe { descriptor(path, flags) } {
        return view;
    }
    // SAFETY: the caller's own arguments.
    unsafe { real::__openat64_2(dir, path, flags) }
}

/// # Safety
/// As fopen(3).
pub(crate) unsafe fn fopen(path: *const c_char, mode: *const c_char) -> *mut FILE {
    // SAFETY: the caller's contract.
    if let Some(view) = unsafe { stream(path, mode) } {
        return view;
    }
    // SAFETY: the caller's own arguments.
    unsafe { real::fopen(path, mode) }
}

/// # Safety
/// As fopen(3).
pub(crate) unsafe fn fopen64(path: *const c_char, mode: *const c_char) -> *mut FILE {
    // SAFETY: the caller's contract.
    if let Some(view) = unsafe { stream(path, mode) } {
        return view;
    }
    // SAFETY: the caller's own arguments.
    unsafe { real::fopen64(path, mode) }
}

/// What an `open` of this path gives, if it is not libc's.
///
/// # Safety
/// `path` must be null, invalid for every process, or a C string.
#[inline]
unsafe fn descriptor(path: *const c_char, flags: c_int) -> Option<c_int> {
    // SAFETY: the caller's contract.
    if has_no_policy() || !unsafe { is_the_file(path) } {
        return None;
    }
    let other = libc::O_ACCMODE | libc::O_CREAT | libc::O_TRUNC | libc::O_PATH | libc::O_DIRECTORY;
    if flags & other != libc::O_RDONLY {
        return None;
    }
    let view = view("open", flags & libc::O_CLOEXEC != 0)?;
    Some(view.map_or_else(fail, IntoRawFd::into_raw_fd))
}

/// What a `fopen` of this path gives, if it is not libc's.
///
/// # Safety
/// As fopen(3), but that both may be null or invalid for every process.
#[inline]
unsafe fn stream(path: *const c_char, mode: *const c_char) -> Option<*mut FILE> {
    // SAFETY: the caller's contract.
    if has_no_policy() || !unsafe { is_the_file(path) } || !is_plausible(mode) {
        return None;
    }
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
#[inline(never)]
unsafe fn is_the_file(path: *const c_char) -> bool {
    is_plausible(path)
        && PATH.iter().enumerate().all(|(n, &wanted)| {
            // SAFETY: no byte before this one was NUL, so this one belongs to the string.
            let byte = unsafe { path.wrapping_add(n).cast::<u8>().read() };
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
    let (rule, host) = (policy.last_rule(), &active.view());
    let names = policy.names(rule, host);
    let index = match policy.choose(rule, Need::Any, host) {
        Verdict::Route(route) => Some(route.index),
        _ => None,
    };
    // What is asked encrypted is not to be asked in the clear.
    let in_the_clear = names.servers().iter().filter(|server| server.is_plain());
    let usable = |at: &SocketAddr| at.port() == 53 && policy.families.allow(at.ip());
    let mut servers = in_the_clear
        .map(|server| server.address)
        .filter(usable)
        .peekable();
    servers.peek()?;
    active.log.line(
        Level::Decisions,
        format_args!(
            "{call} /etc/resolv.conf: a view with the servers {:?}",
            names.servers()
        ),
    );
    let servers = servers.map(|server| (server.ip(), index));
    Some(memfd::sealed(c"resolv.conf", close_on_exec, |to| {
        write_text(to, servers, names.search())
    }))
}

/// A server, and the index of the network's interface.
type Server = (IpAddr, Option<u32>);

fn write_text(
    to: &mut dyn Write,
    servers: impl Iterator<Item = Server>,
    search: &[Box<str>],
) -> fmt::Result {
    to.write_str("# mif: the policy's servers, in place of those of this host.\n")?;
    for server in servers {
        match server {
            // Only with its interface does such an address mean anything to a program.
            (IpAddr::V6(ip), Some(index)) if ip.is_unicast_link_local() => {
                writeln!(to, "nameserver {ip}%{index}")?;
            }
            (ip, _) => writeln!(to, "nameserver {ip}")?,
        }
    }
    if let Some((first, more)) = search.split_first() {
        write!(to, "search {first}")?;
        more.iter().try_for_each(|suffix| write!(to, " {suffix}"))?;
        to.write_str("\n")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(servers: &[(&str, Option<u32>)], search: &[&str]) -> String {
        let mut text = String::new();
        let servers = servers
            .iter()
            .map(|&(ip, index)| (ip.parse().unwrap(), index));
        let search: Vec<Box<str>> = search.iter().map(|&suffix| suffix.into()).collect();
        write_text(&mut text, servers, &search).unwrap();
        text.split_once('\n').unwrap().1.to_owned()
    }

    #[test]
    fn the_text_is_what_resolvers_read() {
        assert_eq!(text(&[("10.2.0.1", Some(3))], &[]), "nameserver 10.2.0.1\n");
        assert_eq!(
            text(
                &[
                    ("fe80::1", Some(3)),
                    ("2001:db8::1", Some(3)),
                    ("fe80::1", None)
                ],
                &["a.test", "b"]
            ),
            "nameserver fe80::1%3\nnameserver 2001:db8::1\nnameserver fe80::1\nsearch a.test b\n"
        );
    }

    #[test]
    fn only_the_path_itself_is_the_file() {
        // SAFETY: a C string.
        let is = |path: &std::ffi::CStr| unsafe { is_the_file(path.as_ptr()) };
        assert!(is(c"/etc/resolv.conf"));
        for path in [
            c"",
            c"/",
            c"/etc/resolv.con",
            c"/etc/resolv.conf~",
            c"etc/resolv.conf",
            c"/etc/resolv.conf/",
        ] {
            assert!(!is(path), "{path:?}");
        }
        // SAFETY: no address of a process.
        assert!(!unsafe { is_the_file(std::ptr::null()) });
    }
}
