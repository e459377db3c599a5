//! `execl`, `execle` and `execlp`: libc's functions of the exec family that take their strings one by
//! one.
//!
//! Stable Rust cannot define such a function. What the caller passed in registers is put in front of
//! what it passed on the stack, and so the arguments are the array that the others of the family
//! take, without a copy and however many there are.

use std::ffi::{c_char, c_int};

use crate::exec;
use crate::strings::Strings;

/// A function of this name, which calls `$ours` with a pointer to its arguments.
macro_rules! variadic {
    ($($(#[$doc:meta])* $name:ident => $ours:ident;)*) => { $(
        $(#[$doc])*
        ///
        /// # Safety
        /// As libc's function of this name.
        #[cfg_attr(not(test), unsafe(no_mangle))]
        #[unsafe(naked)]
        unsafe extern "C-unwind" fn $name() {
            #[cfg(target_arch = "x86_64")]
            std::arch::naked_asm!(
                // The place of the return address is the sixth argument's now.
                "pop rax",
                "push r9",
                "push r8",
                "push rcx",
                "push rdx",
                "push rsi",
                "push rdi",
                "mov rdi, rsp",
                "push rax",
                "sub rsp, 8",
                "call {ours}",
                "add rsp, 8",
                "pop rcx",
                "add rsp, 48",
                "push rcx",
                "ret",
                ours = sym $ours,
            );
            #[cfg(target_arch = "aarch64")]
            std::arch::naked_asm!(
                "stp x6, x7, [sp, #-16]!",
                "stp x4, x5, [sp, #-16]!",
                "stp x2, x3, [sp, #-16]!",
                "stp x0, x1, [sp, #-16]!",
                "mov x0, sp",
                "stp x29, x30, [sp, #-16]!",
                "mov x29, sp",
                "bl {ours}",
                "ldp x29, x30, [sp], #16",
                "add sp, sp, #64",
                "ret",
                ours = sym $ours,
            );
        }
    )* };
}

variadic! {
    /// execl(3).
    execl => by_path;
    /// execlp(3).
    execlp => by_name;
    /// execle(3).
    execle => with_environment;
}

/// # Safety
/// A path, and arguments that end with a null pointer.
unsafe extern "C" fn by_path(all: Strings) -> c_int {
    // SAFETY: the caller's contract.
    let (path, argv) = unsafe { split(all) };
    // SAFETY: the caller's contract.
    unsafe { exec::execv(path, argv) }
}

/// # Safety
/// A name, and arguments that end with a null pointer.
unsafe extern "C" fn by_name(all: Strings) -> c_int {
    // SAFETY: the caller's contract.
    let (file, argv) = unsafe { split(all) };
    // SAFETY: the caller's contract.
    unsafe { exec::execvp(file, argv) }
}

/// # Safety
/// A path, arguments that end with a null pointer, and an environment.
unsafe extern "C" fn with_environment(all: Strings) -> c_int {
    // SAFETY: the caller's contract.
    let (path, argv) = unsafe { split(all) };
    let mut end = argv;
    // SAFETY: the null pointer has not been met yet.
    while !unsafe { end.read() }.is_null() {
        end = end.wrapping_add(1);
    }
    // SAFETY: the environment is behind it.
    let envp = unsafe { end.wrapping_add(1).read() };
    // SAFETY: the caller's contract.
    unsafe { exec::execve(path, argv, envp.cast()) }
}

/// # Safety
/// There are at least two.
unsafe fn split(all: Strings) -> (*const c_char, Strings) {
    // SAFETY: the caller's contract.
    (unsafe { all.read() }, all.wrapping_add(1))
}
