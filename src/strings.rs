//! Arrays of C strings as libc takes them (arguments, environments): read where they lie, and made
//! on the stack, since a child of `vfork` must leave nothing behind in the memory of its parent.

use std::ffi::{c_char, c_int};
use std::mem::MaybeUninit;
use std::ptr;

use rustix::io::Errno;

use crate::memory::is_there;

/// An array of C strings that ends with a null pointer.
pub(crate) type Strings = *const *const c_char;

/// What takes the strings of an array that is made, one by one.
pub(crate) type Put<'p> = &'p mut dyn FnMut(*const c_char);

/// The strings of an array, none of a null pointer.
///
/// # Safety
/// It is null, invalid for every process, or an array of C strings that stays as it is.
pub(crate) unsafe fn strings(array: Strings) -> impl Iterator<Item = *const c_char> + Clone {
    let mut next = array;
    std::iter::from_fn(move || {
        if !is_there(next) {
            return None;
        }
        // SAFETY: the null pointer that ends the array has not been met yet.
        let string = unsafe { next.read() };
        next = next.wrapping_add(1);
        (!string.is_null()).then_some(string)
    })
}

/// Runs what takes an array with one of at most `most` strings, which `fill` puts into it.
///
/// # Errors
/// `E2BIG` for more than some 32,000.
pub(crate) fn with_array(
    most: usize,
    fill: &mut dyn FnMut(Put<'_>),
    run: &mut dyn FnMut(Strings) -> c_int,
) -> Result<c_int, Errno> {
    let with = match most {
        0..64 => with_room::<64>,
        64..512 => with_room::<512>,
        512..4096 => with_room::<4096>,
        4096..32_768 => with_room::<32_768>,
        _ => return Err(Errno::TOOBIG),
    };
    with(fill, run)
}

#[inline(never)]
fn with_room<const N: usize>(
    fill: &mut dyn FnMut(Put<'_>),
    run: &mut dyn FnMut(Strings) -> c_int,
) -> Result<c_int, Errno> {
    let mut list = [const { MaybeUninit::<*const c_char>::uninit() }; N];
    let mut used = 0;
    fill(&mut |string| {
        if let Some(slot) = list.get_mut(used) {
            slot.write(string);
        }
        used += 1;
    });
    let end = list.get_mut(used).ok_or(Errno::TOOBIG)?;
    end.write(ptr::null());
    Ok(run(list.as_ptr().cast()))
}
