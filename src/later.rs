//! `getaddrinfo_a`: names that an application wants to hear of later.
//!
//! libc asks for them in threads of its own, where its own `getaddrinfo` runs and no other. Here
//! there is no thread: where a name of the call is one for a network's servers, all of them are
//! resolved before the call returns, and libc's notification follows at once. `gai_error`,
//! `gai_suspend` and `gai_cancel` stay libc's, since all they look at is the code in the request.
//! A call whose names are all libc's goes to libc as it is.

use std::ffi::{c_char, c_int, c_void};
use std::ptr::null_mut;

use libc::{addrinfo, sigevent};

use crate::hooks::real;
use crate::init::active;
use crate::lookup;
use crate::memory::is_plausible;

/// `netdb.h`: return when all is done, or at once.
const GAI_WAIT: c_int = 0;
const GAI_NOWAIT: c_int = 1;

/// `struct gaicb` of netdb.h.
#[repr(C)]
pub(crate) struct Request {
    name: *const c_char,
    service: *const c_char,
    hints: *const addrinfo,
    result: *mut addrinfo,
    code: c_int,
    reserved: [c_int; 5],
}

/// # Safety
/// As `getaddrinfo_a(3)`.
pub(crate) unsafe fn getaddrinfo_a(
    mode: c_int,
    list: *mut c_void,
    count: c_int,
    event: *mut sigevent,
) -> c_int {
    // SAFETY: the caller's own list.
    let requests = || unsafe { requests(list, count) };
    // SAFETY: each is a request of the caller's.
    let steered = |request: *mut Request| unsafe { is_steered(request) };
    if ![GAI_WAIT, GAI_NOWAIT].contains(&mode) || !requests().any(steered) {
        // SAFETY: the caller's own arguments.
        return unsafe { real::getaddrinfo_a(mode, list, count, event) };
    }
    for request in requests() {
        // SAFETY: the caller's request, which nobody else uses during the call.
        let request = unsafe { &mut *request };
        let mut found = null_mut();
        let (name, service, hints) = (request.name, request.service, request.hints);
        // SAFETY: the caller's own arguments, and our place for the result.
        request.code = unsafe { lookup::getaddrinfo(name, service, hints, &raw mut found) };
        request.result = found;
    }
    if mode == GAI_NOWAIT && !event.is_null() {
        // An empty list is done at once, and libc says so as it always does.
        // SAFETY: no list, and the caller's own event.
        return unsafe { real::getaddrinfo_a(mode, null_mut(), 0, event) };
    }
    0
}

/// The requests of a list, which may have gaps.
///
/// # Safety
/// As `getaddrinfo_a(3)`, for as long as the iterator is used.
unsafe fn requests(list: *mut c_void, count: c_int) -> impl Iterator<Item = *mut Request> {
    let list = list.cast::<*mut Request>();
    let count = if is_plausible(list) {
        usize::try_from(count).unwrap_or(0)
    } else {
        0
    };
    (0..count)
        .map(move |n| {
            let place = list.wrapping_add(n);
            // SAFETY: the caller vouches for `count` pointers.
            unsafe { *place }
        })
        .filter(|request| is_plausible(*request))
}

/// # Safety
/// The request must be as for `getaddrinfo_a(3)`.
unsafe fn is_steered(request: *mut Request) -> bool {
    let Some(active) = active() else {
        return false;
    };
    // SAFETY: the caller's contract.
    let request = unsafe { &*request };
    // SAFETY: the caller's contract.
    unsafe { lookup::is_steered(active, request.name, request.service, request.hints) }
}
