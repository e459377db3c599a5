//! Memory of the application that may not be there: whether it can be read is asked of the kernel,
//! so that a call with a bad pointer fails with `EFAULT`, as natively, and does not end the program.
//!
//! No signal handler, which would be the application's to have: a requeue of no waiters
//! (`FUTEX_CMP_REQUEUE` of futex(2)) reads the word that it is given and does nothing more, and sandboxes
//! let it pass. Pages that could be read are remembered, or each call would cost one more; one that
//! was taken away since is taken for readable (docs/limits.md).

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
use std::arch::asm;
use std::ffi::{CStr, c_char};
use std::ptr::{without_provenance, without_provenance_mut};
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::errno;

/// The smallest page there is: protection never changes within one.
const PAGE: usize = 4096;
/// Lower addresses are never mapped (`vm.mmap_min_addr`), higher ones are the kernel's.
const LOWEST: usize = PAGE;
/// An address in the kernel's half, on every architecture.
const NOBODYS: usize = usize::MAX << 16;

/// Numbers of pages that were readable, each in one of the two places that it can have: two pages that
/// shared their only one would be asked about by turns, in every call.
static READABLE: [AtomicUsize; PLACES] = [const { AtomicUsize::new(0) }; PLACES];
const PLACES: usize = 256;

/// Whether a pointer can be followed at all: null and its neighbours, and addresses of the
/// kernel's half, are for the kernel to answer with `EFAULT`.
#[inline]
pub(crate) fn is_plausible<T>(pointer: *const T) -> bool {
    // One comparison: what is below wraps round.
    pointer.addr().wrapping_sub(LOWEST) < isize::MAX as usize - LOWEST
}

/// The pointer itself, or in place of one whose `length` bytes cannot all be read another that is
/// not plausible. The kernel refuses that one with `EFAULT`, when it comes to it, and would find no
/// destination there, had another thread made the memory readable a moment later.
#[inline]
pub(crate) fn settled<T>(pointer: *const T, length: usize) -> *const T {
    if is_known_readable(pointer, length) || is_good(pointer.addr(), length) {
        pointer
    } else {
        nobodys::<T>().cast_const()
    }
}

/// Whether so many bytes can be read, or the kernel is to say that they cannot.
#[inline(never)]
fn is_good(start: usize, length: usize) -> bool {
    let first: *const u8 = without_provenance(start);
    length == 0
        || !is_plausible(first)
        || are_readable(start, start.saturating_add(length - 1) / PAGE)
}

/// A pointer that no process can ever follow.
#[inline]
pub(crate) fn nobodys<T>() -> *mut T {
    without_provenance_mut(NOBODYS)
}

/// The same for a whole value.
#[inline]
pub(crate) fn settled_value<T>(pointer: *const T) -> *const T {
    settled(pointer, size_of::<T>())
}

/// Whether a value can be read: the first of an array, say, or the first byte of a C string, behind
/// which the caller vouches for the rest.
#[inline]
pub(crate) fn is_there<T>(pointer: *const T) -> bool {
    is_plausible(settled_value(pointer))
}

/// A C string, if the NUL that ends it can be come to.
///
/// # Safety
/// It stays as it is.
pub(crate) unsafe fn c_string<'s>(pointer: *const c_char) -> Option<&'s CStr> {
    let mut next = pointer;
    while (next != pointer && !next.addr().is_multiple_of(PAGE)) || is_there(next) {
        // SAFETY: the page has been asked about.
        if unsafe { *next } == 0 {
            // SAFETY: it ends here.
            return Some(unsafe { CStr::from_ptr(pointer) });
        }
        next = next.wrapping_add(1);
    }
    None
}

/// Whether so many bytes can be read, as is known at once: they lie in the page of the stack that this
/// runs on, or in one that has been asked about and got its first place.
#[inline]
pub(crate) fn is_known_readable<T>(pointer: *const T, length: usize) -> bool {
    let is_on_stack = pointer.addr() ^ stack_pointer() < PAGE;
    // Nobody has asked about page 0, and nobody has it.
    let is_known = || is_plausible(pointer) && is_in_its_first_place(pointer.addr() / PAGE);
    lies_in_one_page(pointer, length) && (is_on_stack || is_known())
}

/// Whether so many bytes can be read if the first of them can.
#[inline]
pub(crate) fn lies_in_one_page<T>(pointer: *const T, length: usize) -> bool {
    length <= PAGE - pointer.addr() % PAGE
}

/// Whether all pages from that of `start` to the `last` one can be read.
fn are_readable(start: usize, last: usize) -> bool {
    (start / PAGE..=last).all(|page| is_known(page) || ask(page, start))
}

/// An address on the stack that this runs on. That of a variable would do, and does elsewhere; but who
/// has shown one around can call nobody by a mere jump.
#[inline]
fn stack_pointer() -> usize {
    #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
    {
        let pointer;
        #[cfg(target_arch = "x86_64")]
        // SAFETY: a register is copied.
        unsafe {
            asm!("mov {}, rsp", out(reg) pointer, options(pure, nomem, nostack, preserves_flags));
        };
        #[cfg(target_arch = "aarch64")]
        // SAFETY: a register is copied.
        unsafe {
            asm!("mov {}, sp", out(reg) pointer, options(pure, nomem, nostack, preserves_flags));
        };
        pointer
    }
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    {
        let here = 0_u8;
        (&raw const here).addr()
    }
}

fn is_known(page: usize) -> bool {
    is_in_its_first_place(page) || READABLE[other_place(page)].load(Ordering::Relaxed) == page
}

/// Whether a page is known, as far as one look tells, which is what calls begin with: for a second one
/// theirs would save more registers, in processes without a policy too.
#[inline]
fn is_in_its_first_place(page: usize) -> bool {
    READABLE[page % PLACES].load(Ordering::Relaxed) == page
}

/// The second place of a page: pages that share the first one differ in it.
fn other_place(page: usize) -> usize {
    (page ^ (page / PLACES * 31)) % PLACES
}

fn remember(page: usize) {
    let first = &READABLE[page % PLACES];
    let free = first.compare_exchange(0, page, Ordering::Relaxed, Ordering::Relaxed);
    if free.is_err() {
        READABLE[other_place(page)].store(page, Ordering::Relaxed);
    }
}

/// Asks about a page of what begins at `start`, by bytes of that as far as they suffice: valgrind
/// looks at what the kernel is to read.
fn ask(page: usize, start: usize) -> bool {
    /// What futex(2) reads, and what its address is a multiple of.
    const WORD: usize = 4;
    let word = start.clamp(page * PAGE, page * PAGE + PAGE - WORD) / WORD * WORD;
    let word: *const u32 = without_provenance(word);
    let none = 0_usize;
    let answers = errno::keeping(|| {
        let operation = libc::FUTEX_CMP_REQUEUE | libc::FUTEX_PRIVATE_FLAG;
        // SAFETY: the kernel reads the word, if it can, and wakes and moves nobody.
        let done =
            unsafe { libc::syscall(libc::SYS_futex, word, operation, none, none, word, none) };
        // A sandbox may answer something else, and then nothing is known.
        done >= 0 || errno::get() != libc::EFAULT
    });
    if answers {
        remember(page);
    }
    answers
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A page that can be read and, behind it, one that cannot.
    fn brink() -> *const u8 {
        let (none, private) = (libc::PROT_NONE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
        // SAFETY: a fresh mapping.
        let pages = unsafe { libc::mmap(std::ptr::null_mut(), 2 * PAGE, none, private, -1, 0) };
        assert_ne!(pages, libc::MAP_FAILED);
        // SAFETY: the first page of it.
        let done = unsafe { libc::mprotect(pages, PAGE, libc::PROT_READ) };
        assert_eq!(done, 0);
        pages.cast::<u8>().wrapping_add(PAGE)
    }

    #[test]
    fn pages_that_share_a_place_are_both_remembered() {
        // Of no memory: nobody else asks about them.
        let pages = [1, 2].map(|nth| usize::MAX / PAGE / 2 + nth * PLACES);
        for page in pages {
            assert!(!is_known(page));
            remember(page);
        }
        assert!(pages.into_iter().all(is_known));
    }

    #[test]
    fn what_cannot_be_read_is_found_out() {
        let brink = brink();
        for (before, length, readable) in [
            (16, 16, true),
            (16, 17, false),
            (1, 1, true),
            (1, 2, false),
            (0, 1, false),
            (0, 0, true),
            (PAGE, PAGE, true),
            (PAGE, PAGE + 1, false),
            (8, usize::MAX, false),
        ] {
            let pointer = brink.wrapping_sub(before);
            // The second time from memory, if so at all.
            for _ in 0..2 {
                let settled = settled(pointer, length);
                assert_eq!(
                    settled == pointer,
                    readable,
                    "{length} bytes {before} before"
                );
                assert_eq!(is_plausible(settled), readable);
            }
        }
        let own = [0_u8; 3 * PAGE];
        assert_eq!(settled(own.as_ptr(), own.len()), own.as_ptr());
    }

    #[test]
    fn what_is_no_address_of_a_process_stays_as_it_is() {
        for address in [0, 1, PAGE - 1, usize::MAX, 1 << 63, NOBODYS] {
            let pointer: *const u8 = without_provenance(address);
            assert_eq!(settled(pointer, 16), pointer);
            assert!(!is_plausible(pointer));
        }
    }
}
