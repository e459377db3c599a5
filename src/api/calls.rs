//! The functions of mif.h for messages: POST, CHECK and GET on a handle.

use std::ffi::{c_char, c_int, c_uint};
use std::ptr;
use std::sync::Arc;

use libc::{nfds_t, pollfd};
use rustix::io::Errno;

use super::handle::Handle;
use super::kind::name_of;
use super::message::CMessage;
use super::post;
use super::process::Process;
use crate::connect::fail;
use crate::errno;
use crate::guard::uncancelled;
use crate::memory::is_there;

/// So many descriptors of the program's are waited for without memory for them, which a thread that is
/// cancelled meanwhile would keep.
const ON_THE_STACK: usize = 256;

/// The rest is in `mif.h`.
#[cfg_attr(not(test), unsafe(no_mangle))]
pub(crate) extern "C-unwind" fn mif_open(flags: c_uint) -> *const Handle {
    let opened = act(|| {
        if flags != 0 {
            return Err(Errno::INVAL);
        }
        Process::here().open()
    });
    match opened {
        Ok(handle) => Arc::into_raw(handle),
        Err(why) => {
            fail(why);
            ptr::null()
        }
    }
}

/// The rest is in `mif.h`.
///
/// # Safety
/// `mif` must be null, or a handle that is open and that nobody uses any more.
#[cfg_attr(not(test), unsafe(no_mangle))]
pub(crate) unsafe extern "C-unwind" fn mif_close(mif: *const Handle) {
    if mif.is_null() {
        return;
    }
    let _ = act(|| {
        // SAFETY: the caller's contract: it is what mif_open returned.
        let handle = unsafe { Arc::from_raw(mif) };
        if handle.check().is_ok() {
            handle.process.close(&handle);
            handle.lock().close();
        } else {
            handle.abandon();
            // Others of its parts are the parent's threads', which do not run here.
            std::mem::forget(handle);
        }
        Ok(())
    });
}

/// The rest is in `mif.h`.
///
/// # Safety
/// `mif` must be null, or a handle that is open.
#[cfg_attr(not(test), unsafe(no_mangle))]
pub(crate) unsafe extern "C-unwind" fn mif_fd(mif: *const Handle) -> c_int {
    // SAFETY: the caller's contract.
    let descriptor = unsafe { with(mif, descriptor) };
    descriptor.unwrap_or_else(fail)
}

/// The rest is in `mif.h`.
///
/// # Safety
/// `mif` must be null, or a handle that is open; `msg` null or readable.
#[cfg_attr(not(test), unsafe(no_mangle))]
pub(crate) unsafe extern "C-unwind" fn mif_post(mif: *const Handle, msg: *const CMessage) -> c_int {
    let post = |handle: &Handle| {
        if !is_there(msg) {
            return Err(Errno::FAULT);
        }
        // SAFETY: the caller's contract.
        post::post(handle, unsafe { &*msg })
    };
    // SAFETY: the caller's contract.
    match unsafe { with(mif, post) } {
        Ok(()) => 0,
        Err(why) => fail(why),
    }
}

/// The rest is in `mif.h`.
///
/// # Safety
/// `mif` must be null, or a handle that is open; `msg` null, or a message of the program's.
#[cfg_attr(not(test), unsafe(no_mangle))]
pub(crate) unsafe extern "C-unwind" fn mif_get(mif: *const Handle, msg: *mut CMessage) -> c_int {
    let get = |handle: &Handle| {
        if !is_there(msg) {
            return Err(Errno::FAULT);
        }
        // SAFETY: the caller's contract.
        let size = unsafe { (*msg).size };
        if size != CMessage::SIZE {
            return Err(Errno::INVAL);
        }
        let Some(message) = post::next(handle) else {
            return Ok(0);
        };
        // SAFETY: the caller's contract.
        unsafe { *msg = message };
        Ok(1)
    };
    // SAFETY: the caller's contract.
    unsafe { with(mif, get) }.unwrap_or_else(fail)
}

/// The rest is in `mif.h`. It waits in a frame with nothing to drop, where a thread may be cancelled.
///
/// # Safety
/// `mif` must be null, or a handle that is open; `others` as for poll(2).
#[cfg_attr(not(test), unsafe(no_mangle))]
pub(crate) unsafe extern "C-unwind" fn mif_check(
    mif: *const Handle,
    others: *mut pollfd,
    n: nfds_t,
    timeout: c_int,
) -> c_int {
    // SAFETY: the caller's contract.
    let descriptor = match unsafe { with(mif, descriptor) } {
        Ok(descriptor) => descriptor,
        Err(why) => return fail(why),
    };
    let Ok(n) = usize::try_from(if others.is_null() { 0 } else { n }) else {
        return fail(Errno::INVAL);
    };
    let own = pollfd {
        fd: descriptor,
        events: libc::POLLIN,
        revents: 0,
    };
    if n < ON_THE_STACK {
        let mut polled = [own; ON_THE_STACK];
        // SAFETY: the caller's contract, and room for them.
        unsafe { ptr::copy_nonoverlapping(others.cast_const(), polled[1..].as_mut_ptr(), n) };
        // SAFETY: so many are there.
        let ready = unsafe { libc::poll(polled.as_mut_ptr(), n as nfds_t + 1, timeout) };
        if ready >= 0 {
            // SAFETY: the caller's contract.
            unsafe { ptr::copy_nonoverlapping(polled[1..].as_ptr(), others, n) };
        }
        return ready;
    }
    let ready = uncancelled(Err(Errno::NOMEM), || {
        // SAFETY: the caller's contract.
        let others = unsafe { std::slice::from_raw_parts_mut(others, n) };
        let mut polled = vec![own];
        polled.extend_from_slice(others);
        // SAFETY: so many are there.
        let ready = unsafe { libc::poll(polled.as_mut_ptr(), n as nfds_t + 1, timeout) };
        if ready < 0 {
            return Err(Errno::from_raw_os_error(errno::get()));
        }
        others.copy_from_slice(&polled[1..]);
        Ok(ready)
    });
    ready.unwrap_or_else(fail)
}

/// The rest is in `mif.h`.
#[cfg_attr(not(test), unsafe(no_mangle))]
pub(crate) extern "C-unwind" fn mif_type_name(kind: u32) -> *const c_char {
    name_of(kind).map_or(ptr::null(), |name| name.as_ptr().cast())
}

fn descriptor(handle: &Handle) -> Result<c_int, Errno> {
    handle.lock().descriptor().ok_or(Errno::BADF)
}

/// # Safety
/// `mif` must be null, or a handle that is open.
unsafe fn with<T>(
    mif: *const Handle,
    run: impl FnOnce(&Handle) -> Result<T, Errno>,
) -> Result<T, Errno> {
    act(|| {
        // SAFETY: the caller's contract.
        let handle = unsafe { mif.as_ref() }.ok_or(Errno::INVAL)?;
        handle.check()?;
        run(handle)
    })
}

/// Nobody's panic, nobody's errno, and no end of the thread in between.
fn act<T>(run: impl FnOnce() -> Result<T, Errno>) -> Result<T, Errno> {
    errno::keeping(|| uncancelled(Err(Errno::IO), run))
}
