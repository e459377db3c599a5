//! Functions of libc that the standard library and the unwinder name, and that a process hardly ever
//! calls: most of them are for the message of a panic, which is never printed.
//!
//! The dynamic linker would look each of them up at the start of every process. Instead each is
//! defined here, for this object alone, as a jump to libc's, which the first call looks up. So no
//! version of them is asked for, either, and the library loads where libc is too old to have them.

use std::arch::{global_asm, naked_asm};
use std::ffi::{c_char, c_int, c_void};
use std::sync::atomic::{AtomicPtr, Ordering};

mod own;

/// Where a function is, as the dynamic linker itself would have bound it.
extern "C" fn find(name: *const c_char, place: &AtomicPtr<c_void>) -> *mut c_void {
    // SAFETY: a C string of this file's.
    let mut found = unsafe { libc::dlsym(libc::RTLD_DEFAULT, name) };
    if found.is_null() {
        found = missing as *mut c_void;
    }
    place.store(found, Ordering::Relaxed);
    found
}

/// What libc is too old for: callers have something else then.
extern "C" fn missing() -> c_int {
    -1
}

/// The name is in r10, the place in r11; the arguments stay for the function.
#[cfg(target_arch = "x86_64")]
#[unsafe(naked)]
unsafe extern "C" fn find_and_go_on() {
    naked_asm!(
        "push rdi",
        "push rsi",
        "push rdx",
        "push rcx",
        "push r8",
        "push r9",
        "sub rsp, 8",
        "mov rdi, r10",
        "mov rsi, r11",
        "call {find}",
        "add rsp, 8",
        "pop r9",
        "pop r8",
        "pop rcx",
        "pop rdx",
        "pop rsi",
        "pop rdi",
        "jmp rax",
        find = sym find,
    )
}

/// The name is in x16, the place in x17; the arguments stay for the function.
#[cfg(target_arch = "aarch64")]
#[unsafe(naked)]
unsafe extern "C" fn find_and_go_on() {
    naked_asm!(
        "stp x29, x30, [sp, -80]!",
        "mov x29, sp",
        "stp x0, x1, [sp, 16]",
        "stp x2, x3, [sp, 32]",
        "stp x4, x5, [sp, 48]",
        "stp x6, x7, [sp, 64]",
        "mov x0, x16",
        "mov x1, x17",
        "bl {find}",
        "mov x16, x0",
        "ldp x0, x1, [sp, 16]",
        "ldp x2, x3, [sp, 32]",
        "ldp x4, x5, [sp, 48]",
        "ldp x6, x7, [sp, 64]",
        "ldp x29, x30, [sp], 80",
        "br x16",
        find = sym find,
    )
}

#[cfg(target_arch = "x86_64")]
macro_rules! jump {
    () => {
        "mov r11, qword ptr [rip + 3f]
         test r11, r11
         je 2f
         jmp r11
         2:
         lea r10, [rip + 4f]
         lea r11, [rip + 3f]
         jmp {find}"
    };
}

#[cfg(target_arch = "aarch64")]
macro_rules! jump {
    () => {
        "adrp x17, 3f
         add x17, x17, :lo12:3f
         ldr x16, [x17]
         cbz x16, 2f
         br x16
         2:
         adrp x16, 4f
         add x16, x16, :lo12:4f
         b {find}"
    };
}

/// Symbols that are hidden from other objects, each with a place for what was found (3) and its name (4).
macro_rules! seldom {
    ($binding:literal: $($name:literal)*) => { $(
        global_asm!(
            concat!(".hidden ", $name),
            concat!($binding, " ", $name),
            concat!(".type ", $name, ", %function"),
            ".pushsection .text.seldom, \"ax\", %progbits",
            ".p2align 2",
            concat!($name, ":"),
            jump!(),
            ".popsection",
            ".pushsection .bss.seldom, \"aw\", %nobits",
            ".p2align 3",
            "3: .zero 8",
            ".popsection",
            ".pushsection .rodata.seldom, \"a\", %progbits",
            concat!("4: .asciz \"", $name, "\""),
            ".popsection",
            find = sym find_and_go_on,
        );
    )* };
}

seldom! { ".globl":
    "__h_errno_location" "__pthread_key_create" "__res_ninit" "__res_state" "__xpg_strerror_r"
    "abort" "calloc" "clock_nanosleep" "close" "closedir" "dirfd" "dl_iterate_phdr" "dladdr"
    "dlerror" "dlvsym" "fcntl" "fdopen" "freeaddrinfo" "freeifaddrs" "fstat64" "getcwd" "lseek64"
    "lstat64" "mmap64" "mprotect" "munmap" "nl_langinfo" "opendir" "pause" "poll" "posix_memalign"
    "pthread_attr_destroy" "pthread_attr_getguardsize" "pthread_attr_getstack" "pthread_attr_init"
    "pthread_attr_setstacksize" "pthread_create" "pthread_detach" "pthread_getattr_np"
    "pthread_getspecific" "pthread_join" "pthread_key_create" "pthread_key_delete"
    "pthread_mutex_lock" "pthread_mutex_unlock" "pthread_once" "pthread_self" "pthread_setname_np"
    "pthread_setspecific" "pthread_sigmask" "read" "readdir64" "readlink" "realpath" "sched_yield"
    "sigaltstack" "sigfillset" "socket" "stat64" "strdup" "strrchr" "sysconf" "write" "writev"
}

// Weak in the standard library, and so here, or the assembler warns.
seldom! { ".weak": "gettid" "statx" }
