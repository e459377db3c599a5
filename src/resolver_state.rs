//! `struct __res_state` of resolv.h, as much of it as is looked at.

use std::ffi::{c_int, c_ulong};

use crate::errno;

/// The resolver's state; the caller's or libc's memory, never ours.
#[repr(C)]
pub(crate) struct State {
    /// Seconds to wait for each try.
    pub(crate) retrans: c_int,
    /// Times that the servers are gone through.
    pub(crate) retry: c_int,
    pub(crate) options: Options,
    /// Servers, search list, sort list and hooks.
    unread: [u8; 480],
    pub(crate) host_error: c_int,
    sockets: [u8; 68],
}

const _: () = assert!(size_of::<State>() == 568 && std::mem::offset_of!(State, host_error) == 496);

/// `RES_*`.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub(crate) struct Options(c_ulong);

impl Options {
    /// The state has been initialised.
    const INIT: c_ulong = 1;
    /// Connections instead of datagrams.
    pub(crate) const USEVC: c_ulong = 0x8;
    /// Truncated answers are answers.
    pub(crate) const IGNTC: c_ulong = 0x20;
    /// Names without a dot go through the search list.
    pub(crate) const DEFNAMES: c_ulong = 0x80;
    /// All of the search list is gone through, for names with a dot as well.
    pub(crate) const DNSRCH: c_ulong = 0x200;
    pub(crate) const EDNS0: c_ulong = 0x10_0000;
    pub(crate) const DNSSEC: c_ulong = 0x80_0000;
    /// Names without a dot are not asked for as they are.
    pub(crate) const NOTLDQUERY: c_ulong = 0x100_0000;

    pub(crate) fn has(self, option: c_ulong) -> bool {
        self.0 & option != 0
    }
}

/// The state of this thread, `_res`, which libc makes at the first use.
pub(crate) fn own_state() -> *mut State {
    // SAFETY: takes nothing and always returns this thread's state.
    let state = unsafe { __res_state() };
    // SAFETY: the thread's state is always readable.
    if unsafe { (*state).options }.0 & Options::INIT == 0 {
        // Reading resolv.conf leaves its marks, which libc's own functions do not show.
        errno::keeping(|| {
            // SAFETY: the thread's own state, which it does not use at this moment.
            unsafe { __res_ninit(state) };
        });
    }
    state
}

unsafe extern "C" {
    fn __res_state() -> *mut State;
    fn __res_ninit(state: *mut State) -> c_int;
}
