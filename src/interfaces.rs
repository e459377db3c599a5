//! The host's interfaces, as far as the policy lets an application see them: `getifaddrs`,
//! `if_nameindex` and the `SIOCGIFCONF` request of `ioctl`, under `interfaces = "policy"`.
//!
//! libc makes the lists, and what is hidden is taken out of them, so that libc's `freeifaddrs` and
//! `if_freenameindex` free them and need no hook. Rtnetlink, sysfs and `/proc/net/dev` are not
//! covered, and an interface whose name is known can be asked about.

use std::ffi::{CStr, c_int, c_ulong, c_void};
use std::ptr::null_mut;

use libc::{if_nameindex as NameIndex, ifaddrs, ifconf, ifreq};
use rustix::io::Errno;

use crate::connect::fail;
use crate::guard::unless_panic;
use crate::hooks::real;
use crate::shown::Shown;

/// # Safety
/// As getifaddrs(3).
pub(crate) unsafe fn getifaddrs(list: *mut *mut ifaddrs) -> c_int {
    // SAFETY: the caller's own arguments.
    let result = unsafe { real::getifaddrs(list) };
    if result == 0
        && let Some(shown) = Shown::by_policy("getifaddrs")
    {
        // SAFETY: libc has just written a list here.
        unsafe { take_out_hidden(list, |name| shown.has(name)) };
    }
    result
}

/// Takes what is hidden out of a list of `getifaddrs`. glibc allocates the whole list, names and
/// addresses included, as one block that begins with the first entry, and that is what its
/// `freeifaddrs` frees. So the first entry stays where it is, and becomes a copy of the first that
/// is shown.
///
/// # Safety
/// `place` must be where a successful getifaddrs(3) wrote its list, which is unchanged.
#[cold]
#[inline(never)]
unsafe fn take_out_hidden(place: *mut *mut ifaddrs, shows: impl Fn(&[u8]) -> bool) {
    // SAFETY: the caller's contract.
    let is_shown = |entry: &ifaddrs| shows(unsafe { CStr::from_ptr(entry.ifa_name) }.to_bytes());
    // SAFETY: libc's list is of entries that end in a null pointer, and nobody else has it yet.
    let entry = |at: *mut ifaddrs| unsafe { at.as_mut() };
    // SAFETY: the caller's contract.
    let first = unsafe { *place };
    let mut head = first;
    while let Some(hidden) = entry(head).filter(|found| !is_shown(found)) {
        head = hidden.ifa_next;
    }
    let Some(&mut found) = entry(head) else {
        // SAFETY: libc's list, unchanged.
        unsafe { libc::freeifaddrs(first) };
        // SAFETY: the caller's contract.
        unsafe { *place = null_mut() };
        return;
    };
    let Some(mut last) = entry(first) else { return };
    *last = found;
    while let Some(next) = entry(last.ifa_next) {
        if is_shown(next) {
            last = next;
        } else {
            last.ifa_next = next.ifa_next;
        }
    }
}

/// # Safety
/// As `if_nameindex(3)`.
pub(crate) unsafe fn if_nameindex() -> *mut NameIndex {
    // SAFETY: it takes nothing.
    let list = unsafe { real::if_nameindex() };
    if !list.is_null()
        && let Some(shown) = Shown::by_policy("if_nameindex")
    {
        // SAFETY: libc's list.
        unsafe { move_shown_up(list, &shown) };
    }
    list
}

/// Keeps the shown entries of a list of `if_nameindex`. Each name is an allocation of its own, and
/// `if_freenameindex` frees those before the end of the list.
///
/// # Safety
/// `list` must be what `if_nameindex(3)` returned, unchanged.
#[cold]
#[inline(never)]
unsafe fn move_shown_up(list: *mut NameIndex, shown: &Shown) {
    let (mut from, mut to) = (list, list);
    loop {
        // SAFETY: not behind the entry that ends the list.
        let entry = unsafe { &*from };
        let name = entry.if_name;
        let is_end = entry.if_index == 0 && name.is_null();
        // SAFETY: libc's name, a C string.
        if is_end || unsafe { shown.has_c(name) } {
            // SAFETY: `to` is `from` or before it.
            unsafe { to.copy_from(from, 1) };
            to = to.wrapping_add(1);
        } else {
            // SAFETY: libc allocated it, and the list no longer has it.
            unsafe { libc::free(name.cast()) };
        }
        if is_end {
            return;
        }
        from = from.wrapping_add(1);
    }
}

/// libc's function is variadic, but what is behind `request` is one word, in the register of a
/// named argument (see `open::open`).
///
/// # Safety
/// As ioctl(2).
pub(crate) unsafe fn ioctl(fd: c_int, request: c_ulong, argument: *mut c_void) -> c_int {
    if request == libc::SIOCGIFCONF {
        // SAFETY: the caller's contract.
        return unsafe { interface_list(fd, request, argument) };
    }
    // SAFETY: the caller's own arguments.
    unsafe { real::ioctl(fd, request, argument) }
}

/// # Safety
/// As the request `SIOCGIFCONF` of netdevice(7).
#[cold]
unsafe fn interface_list(fd: c_int, request: c_ulong, argument: *mut c_void) -> c_int {
    // SAFETY: the caller's own arguments.
    let result = unsafe { real::ioctl(fd, request, argument) };
    if result != 0 {
        return result;
    }
    let Some(shown) = Shown::by_policy("ioctl SIOCGIFCONF") else {
        return 0;
    };
    let mut found = Vec::new();
    // SAFETY: the caller's descriptor.
    let result = unless_panic(Err(Errno::NOMEM), || unsafe {
        all(fd, request, &mut found)
    });
    match result {
        Ok(0) => {
            // SAFETY: `ifr_name` ends in NUL within its array.
            found.retain(|entry| unsafe { shown.has_c(entry.ifr_name.as_ptr()) });
            // SAFETY: the kernel has just written to the structure, and to the buffer.
            unsafe { fill(argument.cast(), &found) };
            0
        }
        Ok(failed) => failed,
        Err(errno) => fail(errno),
    }
}

/// Puts the whole list into `found`; returns what libc returned. The caller's buffer may have room
/// for what is shown, but not for the whole.
///
/// # Safety
/// As ioctl(2).
unsafe fn all(fd: c_int, request: c_ulong, found: &mut Vec<ifreq>) -> Result<c_int, Errno> {
    /// Addresses that may come between two questions.
    const SLACK: usize = 16;
    let mut conf = conf(0, null_mut());
    // SAFETY: without a buffer the kernel only tells how long the list is.
    let mut result = unsafe { real::ioctl(fd, request, (&raw mut conf).cast()) };
    for _ in 0..4 {
        if result != 0 {
            break;
        }
        let room = entries(conf.ifc_len) + SLACK;
        found.clear();
        found.try_reserve_exact(room).map_err(|_| Errno::NOMEM)?;
        conf = self::conf(room, found.as_mut_ptr());
        // SAFETY: the buffer has the length that the structure tells.
        result = unsafe { real::ioctl(fd, request, (&raw mut conf).cast()) };
        let length = entries(conf.ifc_len);
        if result == 0 && length < room {
            // SAFETY: the kernel wrote this many.
            unsafe { found.set_len(length) };
            return Ok(0);
        }
    }
    // It grew faster than it could be read.
    if result == 0 {
        Err(Errno::AGAIN)
    } else {
        Ok(result)
    }
}

/// What the kernel would have written, had the host no other interfaces, in place of what it has.
///
/// # Safety
/// The structure must be what a successful `SIOCGIFCONF` has left.
unsafe fn fill(argument: *mut ifconf, found: &[ifreq]) {
    // SAFETY: the caller's contract; nothing is said of alignment.
    let mut conf = unsafe { argument.read_unaligned() };
    // SAFETY: both forms of the union are a pointer.
    let buffer = unsafe { conf.ifc_ifcu.ifcu_req };
    let mut count = found.len();
    if !buffer.is_null() {
        count = count.min(entries(conf.ifc_len));
        let (from, length) = (found.as_ptr().cast::<u8>(), count * size_of::<ifreq>());
        // SAFETY: the kernel has written `ifc_len` bytes here, and that many entries fit.
        unsafe { buffer.cast::<u8>().copy_from_nonoverlapping(from, length) };
    }
    conf.ifc_len = bytes(count);
    // SAFETY: as above.
    unsafe { argument.write_unaligned(conf) };
}

fn conf(room: usize, buffer: *mut ifreq) -> ifconf {
    // SAFETY: an integer and pointers.
    let mut conf: ifconf = unsafe { std::mem::zeroed() };
    conf.ifc_len = bytes(room);
    conf.ifc_ifcu.ifcu_req = buffer;
    conf
}

fn entries(bytes: c_int) -> usize {
    usize::try_from(bytes).unwrap_or(0) / size_of::<ifreq>()
}

fn bytes(entries: usize) -> c_int {
    c_int::try_from(entries * size_of::<ifreq>()).unwrap_or(c_int::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The names that are left of a list of these, if those in `hidden` are taken out. The kernel
    /// tells of loopback first, so only here is the first entry hidden.
    fn left(names: &[&CStr], hidden: &[&CStr]) -> Vec<String> {
        // SAFETY: entries of null pointers and zeros, which only their own list and freeifaddrs see.
        let block = unsafe { libc::calloc(names.len(), size_of::<ifaddrs>()) };
        let first: *mut ifaddrs = block.cast();
        for (n, name) in names.iter().enumerate() {
            let next = if n + 1 < names.len() {
                first.wrapping_add(n + 1)
            } else {
                null_mut()
            };
            // SAFETY: within the block.
            let entry = unsafe { &mut *first.wrapping_add(n) };
            (entry.ifa_next, entry.ifa_name) = (next, name.as_ptr().cast_mut());
        }
        let mut list = first;
        let shows = |name: &[u8]| !hidden.iter().any(|hidden| hidden.to_bytes() == name);
        // SAFETY: one block that begins with the first entry, as libc's.
        unsafe { take_out_hidden(&raw mut list, shows) };
        assert!(list == first || list.is_null());
        let mut left = Vec::new();
        let mut at = list;
        // SAFETY: an entry of the block.
        while let Some(entry) = unsafe { at.as_ref() } {
            // SAFETY: one of the names above.
            let name = unsafe { CStr::from_ptr(entry.ifa_name) };
            left.push(name.to_string_lossy().into_owned());
            at = entry.ifa_next;
        }
        if !list.is_null() {
            // SAFETY: allocated above.
            unsafe { libc::free(block) };
        }
        left
    }

    #[test]
    fn the_first_entry_of_a_list_stays_where_it_is() {
        let names = [c"a", c"a", c"b", c"c", c"b", c"c"];
        assert_eq!(left(&names, &[c"a"]), ["b", "c", "b", "c"]);
        assert_eq!(left(&names, &[c"a", c"b"]), ["c", "c"]);
        assert_eq!(left(&names, &[c"c"]), ["a", "a", "b", "b"]);
        assert_eq!(left(&names, &[c"a", c"b", c"c"]), [""; 0]);
        assert_eq!(left(&names, &[]), ["a", "a", "b", "c", "b", "c"]);
    }
}
