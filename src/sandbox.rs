//! Sandboxes that would end a program for a system call of mif's.
//!
//! A program may give itself a system call filter (seccomp(2)) that knows what it needs itself, and
//! kills for everything else. mif asks the kernel about the host by an rtnetlink socket, once a second.
//! So what such a filter would say to that is found out before it is set; where it would kill, the kernel
//! is asked once more and never again.

use std::ffi::{c_int, c_long, c_uint, c_ulong};

use libc::{sock_filter, sock_fprog};

use crate::guard::unless_panic;
use crate::init::active;
use crate::memory::{is_plausible, is_there, settled};

/// prctl(2), which sets a filter with `PR_SET_SECCOMP`. libc's is variadic; see `open::open` for why
/// this is the same. By a system call, since allocators call it where nothing may be looked up.
///
/// # Safety
/// As prctl(2).
#[cfg_attr(not(test), unsafe(no_mangle))]
pub(crate) unsafe extern "C-unwind" fn prctl(
    option: c_int,
    second: c_ulong,
    third: c_ulong,
    fourth: c_ulong,
    fifth: c_ulong,
) -> c_int {
    let call = || {
        // SAFETY: the caller's own arguments.
        unsafe { libc::syscall(libc::SYS_prctl, option, second, third, fourth, fifth) }
    };
    let sets_filter = (option, second) == (libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER.into());
    #[allow(clippy::cast_possible_truncation)] // As wide as a pointer, here.
    let program = std::ptr::with_exposed_provenance(third as usize);
    let done = if sets_filter {
        // SAFETY: the caller's contract.
        unsafe { set(program, call) }
    } else {
        call()
    };
    c_int::try_from(done).unwrap_or(-1)
}

/// seccomp(2), which has no function in libc: reached by `syscall`.
///
/// # Safety
/// As seccomp(2); `call` is the system call itself.
#[cfg_attr(not(target_arch = "x86_64"), allow(dead_code))]
pub(crate) unsafe fn seccomp(
    operation: c_uint,
    program: *const sock_fprog,
    call: impl FnOnce() -> c_long,
) -> c_long {
    if operation == libc::SECCOMP_SET_MODE_FILTER {
        // SAFETY: the caller's contract.
        unsafe { set(program, call) }
    } else {
        call()
    }
}

/// Sets a filter by `call`.
///
/// # Safety
/// `program` as for seccomp(2).
unsafe fn set(program: *const sock_fprog, call: impl FnOnce() -> c_long) -> c_long {
    // SAFETY: the caller's contract.
    let Some(active) = active().filter(|_| unsafe { would_kill(program) }) else {
        return call();
    };
    unless_panic((), || active.view().look_once_more());
    let done = call();
    if done == 0 {
        mif_host::give_up();
    }
    done
}

/// Whether a filter ends the program, or gives it a signal, for an rtnetlink socket.
///
/// # Safety
/// `program` as for seccomp(2).
unsafe fn would_kill(program: *const sock_fprog) -> bool {
    if !is_there(program) {
        return false;
    }
    // SAFETY: the caller's contract.
    let program = unsafe { program.read_unaligned() };
    let length = usize::from(program.len) * size_of::<sock_filter>();
    let filter = settled(program.filter, length);
    if !is_plausible(filter) || !filter.is_aligned() {
        return false;
    }
    // SAFETY: the caller's contract: `len` instructions lie there.
    let code = unsafe { std::slice::from_raw_parts(program.filter, program.len.into()) };
    let action = run(code, &socket_call()) & libc::SECCOMP_RET_ACTION_FULL;
    [
        libc::SECCOMP_RET_KILL_PROCESS,
        libc::SECCOMP_RET_KILL_THREAD,
        libc::SECCOMP_RET_TRAP,
    ]
    .contains(&action)
}

/// `struct seccomp_data` in words: number, architecture, instruction pointer, six arguments.
type Call = [u32; 16];

/// The call that opens an rtnetlink socket.
fn socket_call() -> Call {
    // `linux/audit.h`: ELF machine, 64 bits, little endian.
    const ARCHITECTURE: u32 = 0xc000_0000
        | match () {
            () if cfg!(target_arch = "x86_64") => 62,
            () if cfg!(target_arch = "riscv64") => 243,
            () => 183,
        };
    let mut call = [0; 16];
    call[0] = u32::try_from(libc::SYS_socket).unwrap_or(0);
    call[1] = ARCHITECTURE;
    call[4] = libc::AF_NETLINK.cast_unsigned();
    call[6] = (libc::SOCK_RAW | libc::SOCK_CLOEXEC).cast_unsigned();
    call
}

/// What a classic BPF program returns for a call. Of what the kernel refuses in a filter for seccomp
/// nothing is known here, and 0 is returned: the same as to kill.
fn run(program: &[sock_filter], asked: &Call) -> u32 {
    let (mut a, mut x, mut memory, mut at) = (0u32, 0u32, [0u32; 16], 0usize);
    // It only jumps forward.
    while let Some(&sock_filter { code, jt, jf, k }) = program.get(at) {
        at += 1;
        let operation = u32::from(code);
        let value = if operation & libc::BPF_X == 0 { k } else { x };
        let place = k as usize % memory.len();
        match operation & 7 {
            libc::BPF_LD | libc::BPF_LDX => {
                let loaded = match operation & 0xe0 {
                    libc::BPF_ABS => asked.get(k as usize / 4).copied().unwrap_or(0),
                    libc::BPF_MEM => memory[place],
                    libc::BPF_LEN => 64,
                    _ => k,
                };
                if operation & 7 == libc::BPF_LD {
                    a = loaded;
                } else {
                    x = loaded;
                }
            }
            libc::BPF_ST => memory[place] = a,
            libc::BPF_STX => memory[place] = x,
            libc::BPF_ALU => a = compute(operation & 0xf0, a, value),
            libc::BPF_JMP => {
                let holds = match operation & 0xf0 {
                    libc::BPF_JEQ => a == value,
                    libc::BPF_JGT => a > value,
                    libc::BPF_JGE => a >= value,
                    libc::BPF_JSET => a & value != 0,
                    _ => {
                        at = at.saturating_add(k as usize);
                        continue;
                    }
                };
                at += usize::from(if holds { jt } else { jf });
            }
            libc::BPF_RET => return if operation & 0x18 == 0x10 { a } else { k },
            _ => match operation & 0xf8 {
                libc::BPF_TXA => a = x,
                _ => x = a,
            },
        }
    }
    0
}

fn compute(operation: u32, a: u32, value: u32) -> u32 {
    match operation {
        libc::BPF_ADD => a.wrapping_add(value),
        libc::BPF_SUB => a.wrapping_sub(value),
        libc::BPF_MUL => a.wrapping_mul(value),
        libc::BPF_DIV => a.checked_div(value).unwrap_or(0),
        libc::BPF_OR => a | value,
        libc::BPF_AND => a & value,
        libc::BPF_XOR => a ^ value,
        libc::BPF_LSH => a.checked_shl(value).unwrap_or(0),
        libc::BPF_RSH => a.checked_shr(value).unwrap_or(0),
        _ => a.wrapping_neg(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn instruction(code: u32, jt: u8, jf: u8, k: u32) -> sock_filter {
        let code = code.try_into().unwrap();
        sock_filter { code, jt, jf, k }
    }

    /// What a filter returns for the socket, and for one of IPv4.
    fn answers(program: &[sock_filter]) -> [u32; 2] {
        let netlink = socket_call();
        let mut ipv4 = netlink;
        ipv4[4] = libc::AF_INET.cast_unsigned();
        [run(program, &netlink), run(program, &ipv4)]
    }

    const LOAD: u32 = libc::BPF_LD | libc::BPF_W | libc::BPF_ABS;
    const EQUAL: u32 = libc::BPF_JMP | libc::BPF_JEQ;
    const ALLOW: u32 = libc::SECCOMP_RET_ALLOW;
    const KILL: u32 = libc::SECCOMP_RET_KILL_PROCESS;

    #[test]
    fn filters_are_read_as_the_kernel_reads_them() {
        // As libseccomp writes them: the architecture, the number, an argument in two halves.
        let program = [
            instruction(LOAD, 0, 0, 4),
            instruction(EQUAL, 0, 7, socket_call()[1]),
            instruction(LOAD, 0, 0, 0),
            instruction(EQUAL, 0, 4, socket_call()[0]),
            instruction(LOAD, 0, 0, 20),
            instruction(EQUAL, 0, 2, 0),
            instruction(LOAD, 0, 0, 16),
            instruction(EQUAL, 0, 1, libc::AF_NETLINK.cast_unsigned()),
            instruction(libc::BPF_RET, 0, 0, KILL),
            instruction(libc::BPF_RET, 0, 0, ALLOW),
        ];
        assert_eq!(answers(&program), [KILL, ALLOW]);
    }

    #[test]
    fn arithmetic_memory_and_both_registers() {
        let program = [
            instruction(LOAD, 0, 0, 16),
            instruction(libc::BPF_MISC | libc::BPF_TAX, 0, 0, 0),
            instruction(libc::BPF_LD | libc::BPF_IMM, 0, 0, 40),
            instruction(libc::BPF_ALU | libc::BPF_ADD | libc::BPF_X, 0, 0, 0),
            instruction(libc::BPF_ST, 0, 0, 3),
            instruction(libc::BPF_LD | libc::BPF_IMM, 0, 0, 0),
            instruction(libc::BPF_LDX | libc::BPF_MEM, 0, 0, 3),
            instruction(libc::BPF_MISC | libc::BPF_TXA, 0, 0, 0),
            instruction(libc::BPF_ALU | libc::BPF_SUB, 0, 0, 40),
            instruction(libc::BPF_ALU | libc::BPF_LSH, 0, 0, 1),
            instruction(libc::BPF_JMP, 0, 0, 1),
            instruction(libc::BPF_RET, 0, 0, 99),
            instruction(libc::BPF_RET | 0x10, 0, 0, 0),
        ];
        assert_eq!(answers(&program), [2 * 16, 2 * 2]);
        assert_eq!(answers(&[]), [0, 0]);
    }
}
