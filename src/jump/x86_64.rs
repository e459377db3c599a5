//! The stubs for x86-64.

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
        "and esi, dword ptr [rip + {kept}]",
        "jmp qword ptr [rip + {next}]",
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
        "lea rax, [rdi - {first}]",
        "cmp rax, {last} - {first}",
        "jbe 2f",
        "lea rax, [rdi - {sendmmsg}]",
        "cmp rax, {execveat} - {sendmmsg}",
        "jbe 2f",
        "cmp edi, {io_uring_setup}",
        "je 2f",
        "1:",
        "jmp qword ptr [rip + {next}]",
        "2:",
        "lea rax, [rip + {our_connect}]",
        "cmp edi, {connect}",
        "je 3f",
        "lea rax, [rip + {our_sendto}]",
        "cmp edi, {sendto}",
        "je 3f",
        "lea rax, [rip + {our_sendmsg}]",
        "cmp edi, {sendmsg}",
        "je 3f",
        "lea rax, [rip + {our_bind}]",
        "cmp edi, {bind}",
        "je 3f",
        "lea rax, [rip + {our_listen}]",
        "cmp edi, {listen}",
        "je 3f",
        "lea rax, [rip + {our_setsockopt}]",
        "cmp edi, {setsockopt}",
        "je 3f",
        "lea rax, [rip + {our_sendmmsg}]",
        "cmp edi, {sendmmsg}",
        "je 3f",
        "lea rax, [rip + {our_seccomp}]",
        "cmp edi, {seccomp}",
        "je 3f",
        "lea rax, [rip + {our_io_uring_setup}]",
        "cmp edi, {io_uring_setup}",
        "je 3f",
        "lea rax, [rip + {our_execve}]",
        "cmp edi, {execve}",
        "je 3f",
        "lea rax, [rip + {our_execveat}]",
        "cmp edi, {execveat}",
        "jne 1b",
        // The arguments, without the number in front; the seventh is on the stack.
        "3:",
        "mov rdi, rsi",
        "mov rsi, rdx",
        "mov rdx, rcx",
        "mov rcx, r8",
        "mov r8, r9",
        "mov r9, qword ptr [rsp + 8]",
        "jmp rax",
        first = const libc::SYS_connect,
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
        "push rdi",
        "push rsi",
        "sub rsp, 8",
        "call {find}",
        "add rsp, 8",
        "pop rsi",
        "pop rdi",
        "jmp rax",
        find = sym find_dlopen,
    )
}

/// Finds `syscall` and goes on to it.
#[unsafe(naked)]
pub(super) unsafe extern "C-unwind" fn first_syscall() {
    std::arch::naked_asm!(
        "push rdi",
        "push rsi",
        "push rdx",
        "push rcx",
        "push r8",
        "push r9",
        "sub rsp, 8",
        "call {find}",
        "add rsp, 8",
        "pop r9",
        "pop r8",
        "pop rcx",
        "pop rdx",
        "pop rsi",
        "pop rdi",
        "jmp rax",
        find = sym find_syscall,
    )
}
