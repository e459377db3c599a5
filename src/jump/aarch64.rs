//! The stubs for aarch64, where variable arguments lie as others do.

use super::{
    DLOPEN, KEPT_FLAGS, SYSCALL, bind, connect, execve, execveat, find_dlopen, find_syscall,
    io_uring_setup, listen, seccomp, sendmmsg, sendmsg, sendto, setsockopt,
};

/// dlopen(3): objects do not bind past the hooks.
///
/// # Safety
/// As dlopen(3).
#[cfg_attr(not(test), unsafe(no_mangle))]
#[unsafe(naked)]
unsafe extern "C-unwind" fn dlopen() {
    std::arch::naked_asm!(
        "adrp x16, {kept}",
        "ldr w16, [x16, :lo12:{kept}]",
        "and w1, w1, w16",
        "adrp x16, {next}",
        "ldr x16, [x16, :lo12:{next}]",
        "br x16",
        kept = sym KEPT_FLAGS,
        next = sym DLOPEN,
    )
}

/// syscall(2): the hooks hold for calls that are made so.
///
/// # Safety
/// As syscall(2).
#[cfg_attr(not(test), unsafe(no_mangle))]
#[unsafe(naked)]
unsafe extern "C-unwind" fn syscall() {
    std::arch::naked_asm!(
        "sub x16, x0, {first}",
        "cmp x16, {last} - {first}",
        "b.ls 2f",
        "sub x16, x0, {sendmmsg}",
        "cmp x16, {execveat} - {sendmmsg}",
        "b.ls 2f",
        "cmp w0, {io_uring_setup}",
        "b.eq 2f",
        "1:",
        "adrp x16, {next}",
        "ldr x16, [x16, :lo12:{next}]",
        "br x16",
        "2:",
        "adrp x16, {our_connect}",
        "add x16, x16, :lo12:{our_connect}",
        "cmp w0, {connect}",
        "b.eq 3f",
        "adrp x16, {our_sendto}",
        "add x16, x16, :lo12:{our_sendto}",
        "cmp w0, {sendto}",
        "b.eq 3f",
        "adrp x16, {our_sendmsg}",
        "add x16, x16, :lo12:{our_sendmsg}",
        "cmp w0, {sendmsg}",
        "b.eq 3f",
        "adrp x16, {our_bind}",
        "add x16, x16, :lo12:{our_bind}",
        "cmp w0, {bind}",
        "b.eq 3f",
        "adrp x16, {our_listen}",
        "add x16, x16, :lo12:{our_listen}",
        "cmp w0, {listen}",
        "b.eq 3f",
        "adrp x16, {our_setsockopt}",
        "add x16, x16, :lo12:{our_setsockopt}",
        "cmp w0, {setsockopt}",
        "b.eq 3f",
        "adrp x16, {our_sendmmsg}",
        "add x16, x16, :lo12:{our_sendmmsg}",
        "cmp w0, {sendmmsg}",
        "b.eq 3f",
        "adrp x16, {our_seccomp}",
        "add x16, x16, :lo12:{our_seccomp}",
        "cmp w0, {seccomp}",
        "b.eq 3f",
        "adrp x16, {our_io_uring_setup}",
        "add x16, x16, :lo12:{our_io_uring_setup}",
        "cmp w0, {io_uring_setup}",
        "b.eq 3f",
        "adrp x16, {our_execve}",
        "add x16, x16, :lo12:{our_execve}",
        "cmp w0, {execve}",
        "b.eq 3f",
        "adrp x16, {our_execveat}",
        "add x16, x16, :lo12:{our_execveat}",
        "cmp w0, {execveat}",
        "b.ne 1b",
        // The arguments, without the number in front.
        "3:",
        "mov x0, x1",
        "mov x1, x2",
        "mov x2, x3",
        "mov x3, x4",
        "mov x4, x5",
        "mov x5, x6",
        "br x16",
        first = const libc::SYS_bind,
        last = const libc::SYS_execve,
        connect = const libc::SYS_connect,
        sendto = const libc::SYS_sendto,
        sendmsg = const libc::SYS_sendmsg,
        bind = const libc::SYS_bind,
        listen = const libc::SYS_listen,
        setsockopt = const libc::SYS_setsockopt,
        sendmmsg = const libc::SYS_sendmmsg,
        seccomp = const libc::SYS_seccomp,
        io_uring_setup = const libc::SYS_io_uring_setup,
        execve = const libc::SYS_execve,
        execveat = const libc::SYS_execveat,
        our_connect = sym connect,
        our_sendto = sym sendto,
        our_sendmsg = sym sendmsg,
        our_bind = sym bind,
        our_listen = sym listen,
        our_setsockopt = sym setsockopt,
        our_sendmmsg = sym sendmmsg,
        our_seccomp = sym seccomp,
        our_io_uring_setup = sym io_uring_setup,
        our_execve = sym execve,
        our_execveat = sym execveat,
        next = sym SYSCALL,
    )
}

/// Finds `dlopen` and goes on to it.
#[unsafe(naked)]
pub(super) unsafe extern "C-unwind" fn first_dlopen() {
    std::arch::naked_asm!(
        "stp x29, x30, [sp, -32]!",
        "mov x29, sp",
        "stp x0, x1, [sp, 16]",
        "bl {find}",
        "mov x16, x0",
        "ldp x0, x1, [sp, 16]",
        "ldp x29, x30, [sp], 32",
        "br x16",
        find = sym find_dlopen,
    )
}

/// Finds `syscall` and goes on to it.
#[unsafe(naked)]
pub(super) unsafe extern "C-unwind" fn first_syscall() {
    std::arch::naked_asm!(
        "stp x29, x30, [sp, -80]!",
        "mov x29, sp",
        "stp x0, x1, [sp, 16]",
        "stp x2, x3, [sp, 32]",
        "stp x4, x5, [sp, 48]",
        "stp x6, x7, [sp, 64]",
        "bl {find}",
        "mov x16, x0",
        "ldp x0, x1, [sp, 16]",
        "ldp x2, x3, [sp, 32]",
        "ldp x4, x5, [sp, 48]",
        "ldp x6, x7, [sp, 64]",
        "ldp x29, x30, [sp], 80",
        "br x16",
        find = sym find_syscall,
    )
}
