//! The resolver's own functions, `res_query` and its family: questions of any type that a program
//! asks, and packets that it makes itself, put to the servers of the policy's network.
//!
//! The caller's state says how (options, time-outs), but not whom to ask: its servers and search
//! list are the host's, or were when it was made. `res_init` and `res_mkquery` stay libc's.
//! What each function returns, and its `errno` and `h_errno`, is as in glibc. An answer's AD bit is
//! cleared: that resolv.conf(5) trusts the host's servers says nothing of these.

use std::ffi::{c_char, c_int};

use crate::hooks::real;
use crate::resolver_call::{Call, Question};
use crate::resolver_state::State;

/// # Safety
/// As `res_query(3)`.
pub(crate) unsafe fn query(
    name: *const c_char,
    class: c_int,
    kind: c_int,
    answer: *mut u8,
    size: c_int,
) -> c_int {
    if let Some(call) = Call::new("res_query", None, answer, size)
        // SAFETY: the caller's contract.
        && let Some(length) = unsafe { call.query(name, Question { class, kind }) }
    {
        return length;
    }
    // SAFETY: the caller's own arguments.
    unsafe { real::res_query(name, class, kind, answer, size) }
}

/// # Safety
/// As `res_nquery(3)`.
pub(crate) unsafe fn nquery(
    state: *mut State,
    name: *const c_char,
    class: c_int,
    kind: c_int,
    answer: *mut u8,
    size: c_int,
) -> c_int {
    if let Some(call) = Call::new("res_nquery", Some(state), answer, size)
        // SAFETY: the caller's contract.
        && let Some(length) = unsafe { call.query(name, Question { class, kind }) }
    {
        return length;
    }
    // SAFETY: the caller's own arguments.
    unsafe { real::res_nquery(state, name, class, kind, answer, size) }
}

/// # Safety
/// As `res_search(3)`.
pub(crate) unsafe fn search(
    name: *const c_char,
    class: c_int,
    kind: c_int,
    answer: *mut u8,
    size: c_int,
) -> c_int {
    if let Some(call) = Call::new("res_search", None, answer, size)
        // SAFETY: the caller's contract.
        && let Some(length) = unsafe { call.search(name, Question { class, kind }) }
    {
        return length;
    }
    // SAFETY: the caller's own arguments.
    unsafe { real::res_search(name, class, kind, answer, size) }
}

/// # Safety
/// As `res_nsearch(3)`.
pub(crate) unsafe fn nsearch(
    state: *mut State,
    name: *const c_char,
    class: c_int,
    kind: c_int,
    answer: *mut u8,
    size: c_int,
) -> c_int {
    if let Some(call) = Call::new("res_nsearch", Some(state), answer, size)
        // SAFETY: the caller's contract.
        && let Some(length) = unsafe { call.search(name, Question { class, kind }) }
    {
        return length;
    }
    // SAFETY: the caller's own arguments.
    unsafe { real::res_nsearch(state, name, class, kind, answer, size) }
}

/// # Safety
/// As `res_querydomain(3)`.
pub(crate) unsafe fn querydomain(
    name: *const c_char,
    domain: *const c_char,
    class: c_int,
    kind: c_int,
    answer: *mut u8,
    size: c_int,
) -> c_int {
    if let Some(call) = Call::new("res_querydomain", None, answer, size)
        // SAFETY: the caller's contract.
        && let Some(length) = unsafe { call.querydomain(name, domain, Question { class, kind }) }
    {
        return length;
    }
    // SAFETY: the caller's own arguments.
    unsafe { real::res_querydomain(name, domain, class, kind, answer, size) }
}

/// # Safety
/// As `res_nquerydomain(3)`.
pub(crate) unsafe fn nquerydomain(
    state: *mut State,
    name: *const c_char,
    domain: *const c_char,
    class: c_int,
    kind: c_int,
    answer: *mut u8,
    size: c_int,
) -> c_int {
    if let Some(call) = Call::new("res_nquerydomain", Some(state), answer, size)
        // SAFETY: the caller's contract.
        && let Some(length) = unsafe { call.querydomain(name, domain, Question { class, kind }) }
    {
        return length;
    }
    // SAFETY: the caller's own arguments.
    unsafe { real::res_nquerydomain(state, name, domain, class, kind, answer, size) }
}

/// # Safety
/// As `res_send(3)`.
pub(crate) unsafe fn send(packet: *const u8, length: c_int, answer: *mut u8, size: c_int) -> c_int {
    if let Some(call) = Call::new("res_send", None, answer, size)
        // SAFETY: the caller's contract.
        && let Some(length) = unsafe { call.send_given(packet, length) }
    {
        return length;
    }
    // SAFETY: the caller's own arguments.
    unsafe { real::res_send(packet, length, answer, size) }
}

/// # Safety
/// As `res_nsend(3)`.
pub(crate) unsafe fn nsend(
    state: *mut State,
    packet: *const u8,
    length: c_int,
    answer: *mut u8,
    size: c_int,
) -> c_int {
    if let Some(call) = Call::new("res_nsend", Some(state), answer, size)
        // SAFETY: the caller's contract.
        && let Some(length) = unsafe { call.send_given(packet, length) }
    {
        return length;
    }
    // SAFETY: the caller's own arguments.
    unsafe { real::res_nsend(state, packet, length, answer, size) }
}
