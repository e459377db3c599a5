//! The C edge: what `libmif.so` calls, and all of this object's unsafe code. `src/secure.rs` there
//! is the other side.
#![allow(unsafe_code)]

use std::ffi::{CStr, c_char, c_int, c_void};
use std::os::fd::{FromRawFd, OwnedFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use mif_resolve::frame::{framed, unframed};

use crate::{Request, Why, exchange};

/// Told once, before the call returns: the replies, or why there are none.
type Tell = unsafe extern "C" fn(to: *mut c_void, bytes: *const u8, length: usize);

/// Puts DNS messages to a server over TLS. 0: `tell` was given the reply to each, in their order;
/// 1: it was given the reason in UTF-8. Messages and replies stand each behind its length in two
/// octets, as in RFC 1035 4.2.2. Panics end here.
///
/// The digit in its name counts up when the arguments change: after an upgrade, a process may have
/// the one object from before and the other from behind it.
///
/// # Safety
/// `connection` is a connected stream socket that is the caller's to give away. `name`, and `path`
/// unless it is null, are C strings; `messages` has `length` bytes; `tell` may be called with `to`.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn mif_tls_exchange_1(
    connection: c_int,
    name: *const c_char,
    path: *const c_char,
    messages: *const u8,
    length: usize,
    milliseconds: u64,
    tell: Tell,
    to: *mut c_void,
) -> c_int {
    // SAFETY: the caller gives it away.
    let connection = unsafe { OwnedFd::from_raw_fd(connection) };
    // SAFETY: the caller's contract.
    let name = unsafe { CStr::from_ptr(name) };
    // SAFETY: the caller's contract.
    let path = (!path.is_null()).then(|| unsafe { CStr::from_ptr(path) });
    // SAFETY: the caller's contract.
    let messages = unsafe { std::slice::from_raw_parts(messages, length) };
    let request = || -> Result<Vec<u8>, Why> {
        let replies = exchange(Request {
            connection,
            name: name.to_str()?,
            path: path.map(CStr::to_str).transpose()?,
            messages: unframed(messages).ok_or("messages without their lengths")?,
            patience: Duration::from_millis(milliseconds),
        })?;
        framed(&replies).ok_or_else(|| "a reply is too long".into())
    };
    let result = catch_unwind(AssertUnwindSafe(request));
    let (bytes, code) = match result {
        Ok(Ok(replies)) => (replies, 0),
        Ok(Err(why)) => (why.to_string().into_bytes(), 1),
        Err(_) => (b"a panic".to_vec(), 1),
    };
    // SAFETY: the caller's contract for `tell`.
    unsafe { tell(to, bytes.as_ptr(), bytes.len()) };
    code
}
