//! Numeric names, which are libc's, told from others in a few instructions: every connection of
//! many programs comes by `getaddrinfo` with one.

use std::ffi::{c_char, c_int};

/// Whether the last label of a name begins as only those of numeric ones do (`:` is the byte behind
/// `9`). No top-level domain begins with a digit. It misses IPv6 addresses that begin with a letter
/// and names with a dot at their end, which are then found the long way.
///
/// # Safety
/// `name` must be null or a C string.
#[inline]
pub(crate) unsafe fn ends_as_one(name: *const c_char) -> bool {
    if name.is_null() {
        return false;
    }
    // SAFETY: the caller's contract: what libc itself would read.
    let dot = unsafe { libc::strrchr(name, c_int::from(b'.')) };
    let label = if dot.is_null() {
        name
    } else {
        // SAFETY: behind a dot of the string there is another byte of it, be it the NUL.
        unsafe { dot.add(1) }
    };
    // SAFETY: a byte of the caller's string.
    let first = unsafe { *label.cast::<u8>() };
    matches!(first, b'0'..=b':')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_told_from_names() {
        for (name, numeric) in [
            (c"127.0.0.1", true),
            (c"127.1", true),
            (c"0x7f.1", true),
            (c"017700000001", true),
            (c"2001:db8::77", true),
            (c"::1", true),
            (c"::ffff:192.0.2.1", true),
            (c"who.test", false),
            (c"3com.com", false),
            (c"1.example", false),
            (c"who", false),
            (c"", false),
            (c".", false),
        ] {
            // SAFETY: a C string.
            assert_eq!(unsafe { ends_as_one(name.as_ptr()) }, numeric, "{name:?}");
        }
        // SAFETY: null is allowed.
        assert!(!unsafe { ends_as_one(std::ptr::null()) });
    }
}
