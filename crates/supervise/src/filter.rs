//! The filter: which system calls the kernel asks the supervisor about, as a program of classic BPF
//! over `struct seccomp_data` (seccomp(2)).
//!
//! Calls without an address or a memory of the caller in them are told apart by their registers, so
//! that `send`, `recv`, `read` and `write` on a connected socket cost nothing: the kernel keeps a
//! bitmap of calls that a filter always allows.

use libc::{c_long, sock_filter};

/// `offsetof(struct seccomp_data, nr)` and `arch`.
const NUMBER: u32 = 0;
const ARCHITECTURE: u32 = 4;
/// `linux/audit.h`.
#[cfg(target_arch = "x86_64")]
const NATIVE: u32 = 0xc000_003e;
#[cfg(target_arch = "aarch64")]
const NATIVE: u32 = 0xc000_00b7;

/// Bit 30 of a number says x32 (`__X32_SYSCALL_BIT`), and higher numbers do not exist.
const FIRST_FOREIGN: u32 = 0x4000_0000;

/// Calls of i386 that begin a flow or lead to one: `socketcall`, `sendmmsg`, `socket` to `sendmsg`,
/// `io_uring_*`. A 32-bit program has no network rather than one that nobody watches.
#[cfg(target_arch = "x86_64")]
const I386: [u32; 11] = [102, 345, 359, 361, 362, 363, 369, 370, 425, 426, 427];

/// Ring buffers make system calls that no filter sees: to make one is asked about, to use one that was
/// inherited is not there.
const RINGS: [c_long; 2] = [libc::SYS_io_uring_enter, libc::SYS_io_uring_register];

/// `linux/socket.h`.
const AF_SMC: libc::c_int = 43;
/// Families whose sockets send IP by addresses of their own: RDS, `RxRPC`, SMC.
const CARRIED_BY_IP: [libc::c_int; 3] = [libc::AF_RDS, libc::AF_RXRPC, AF_SMC];
/// DCCP and SCTP, whose options connect and bind, too.
const OTHER_TRANSPORTS: [libc::c_int; 2] = [libc::IPPROTO_DCCP, libc::IPPROTO_SCTP];

/// Asked about whatever their arguments are.
const ASKED: [c_long; 6] = [
    libc::SYS_connect,
    libc::SYS_bind,
    libc::SYS_listen,
    libc::SYS_sendmsg,
    libc::SYS_sendmmsg,
    libc::SYS_io_uring_setup,
];

/// An `open` with one of these flags is not for reading a file.
#[allow(clippy::cast_sign_loss)] // Bits.
const NOT_TO_READ: u32 =
    (libc::O_ACCMODE | libc::O_CREAT | libc::O_TRUNC | libc::O_PATH | libc::O_DIRECTORY) as u32;

/// What a policy makes of the filter.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Wishes {
    /// To be asked about files that are opened to be read.
    pub(crate) opens: bool,
    /// To leave `io_uring` there.
    pub(crate) rings: bool,
    /// To be asked about devices that programs put sockets on.
    pub(crate) devices: bool,
}

pub(crate) fn program(wishes: Wishes) -> Vec<sock_filter> {
    let Wishes {
        opens,
        rings,
        devices,
    } = wishes;
    let mut program = Program(Vec::new());
    program.load(ARCHITECTURE);
    program.unless_equal(NATIVE, |foreign| {
        #[cfg(target_arch = "x86_64")]
        {
            foreign.load(NUMBER);
            for number in I386 {
                foreign.when_equal(number, fails(libc::ENOSYS));
            }
            foreign.answer(libc::SECCOMP_RET_ALLOW);
        }
        #[cfg(not(target_arch = "x86_64"))]
        foreign.answer(fails(libc::ENOSYS));
    });
    program.load(NUMBER);
    program.when_at_least(FIRST_FOREIGN, fails(libc::ENOSYS));
    for number in ASKED {
        program.when_equal(call(number), libc::SECCOMP_RET_USER_NOTIF);
    }
    for number in RINGS.into_iter().filter(|_| !rings) {
        program.when_equal(call(number), fails(libc::ENOSYS));
    }
    program.when_call(libc::SYS_sendto, |send| {
        // Without a destination the socket's own peer is meant.
        send.load(low(4));
        send.unless_equal(0, |given| given.answer(libc::SECCOMP_RET_USER_NOTIF));
        send.load(low(4) + 4);
        send.unless_equal(0, |given| given.answer(libc::SECCOMP_RET_USER_NOTIF));
    });
    program.when_call(libc::SYS_socket, |socket| {
        socket.load(low(0));
        for family in CARRIED_BY_IP {
            socket.when_equal(family.cast_unsigned(), fails(libc::EAFNOSUPPORT));
        }
        socket.load(low(2));
        for protocol in OTHER_TRANSPORTS {
            socket.when_equal(protocol.cast_unsigned(), fails(libc::EPROTONOSUPPORT));
        }
    });
    if devices {
        program.when_call(libc::SYS_setsockopt, |set| {
            set.load(low(1));
            let other = libc::SECCOMP_RET_ALLOW;
            set.unless_equal(libc::SOL_SOCKET.cast_unsigned(), |set| set.answer(other));
            set.load(low(2));
            for device in [libc::SO_BINDTODEVICE, libc::SO_BINDTOIFINDEX] {
                set.when_equal(device.cast_unsigned(), libc::SECCOMP_RET_USER_NOTIF);
            }
        });
    }
    if opens {
        #[cfg(target_arch = "x86_64")]
        program.when_call(libc::SYS_open, |open| open.ask_if_to_read(1));
        program.when_call(libc::SYS_openat, |open| open.ask_if_to_read(2));
    }
    program.answer(libc::SECCOMP_RET_ALLOW);
    program.0
}

/// The low half of an argument, on a little-endian machine.
const fn low(argument: u32) -> u32 {
    16 + 8 * argument
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // Numbers of calls are small.
const fn call(number: c_long) -> u32 {
    number as u32
}

const fn fails(errno: libc::c_int) -> u32 {
    libc::SECCOMP_RET_ERRNO | errno.cast_unsigned()
}

/// Instructions; `A` is the accumulator.
struct Program(Vec<sock_filter>);

impl Program {
    fn load(&mut self, offset: u32) {
        self.push(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, offset, 0, 0);
    }

    fn answer(&mut self, action: u32) {
        self.push(libc::BPF_RET | libc::BPF_K, action, 0, 0);
    }

    fn when_equal(&mut self, value: u32, action: u32) {
        self.push(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, value, 0, 1);
        self.answer(action);
    }

    fn when_at_least(&mut self, value: u32, action: u32) {
        self.push(libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K, value, 0, 1);
        self.answer(action);
    }

    /// What runs, and answers, where `A` is not this value.
    fn unless_equal(&mut self, value: u32, otherwise: impl FnOnce(&mut Self)) {
        let mut block = Self(Vec::new());
        otherwise(&mut block);
        let jump = libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K;
        self.push(jump, value, block.length(), 0);
        self.0.append(&mut block.0);
    }

    /// What runs for a call; it is allowed where nothing in the block answers.
    fn when_call(&mut self, number: c_long, then: impl FnOnce(&mut Self)) {
        let mut block = Self(Vec::new());
        then(&mut block);
        block.answer(libc::SECCOMP_RET_ALLOW);
        let jump = libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K;
        self.push(jump, call(number), 0, block.length());
        self.0.append(&mut block.0);
    }

    fn ask_if_to_read(&mut self, flags: u32) {
        self.load(low(flags));
        self.push(
            libc::BPF_JMP | libc::BPF_JSET | libc::BPF_K,
            NOT_TO_READ,
            1,
            0,
        );
        self.answer(libc::SECCOMP_RET_USER_NOTIF);
    }

    fn length(&self) -> u8 {
        u8::try_from(self.0.len()).expect("a block of the filter is short")
    }

    #[allow(clippy::cast_possible_truncation)] // Codes have 16 bits.
    fn push(&mut self, code: u32, k: u32, jt: u8, jf: u8) {
        let code = code as u16;
        self.0.push(sock_filter { code, jt, jf, k });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the filter says, by the rules of the kernel's own interpreter.
    fn verdict(
        program: &[sock_filter],
        architecture: u32,
        number: u32,
        arguments: [u64; 6],
    ) -> u32 {
        let mut data = Vec::new();
        data.extend(number.to_ne_bytes());
        data.extend(architecture.to_ne_bytes());
        data.extend([0; 8]);
        data.extend(arguments.iter().flat_map(|argument| argument.to_ne_bytes()));
        let (mut at, mut a) = (0, 0u32);
        loop {
            let step = program[at];
            let k = step.k;
            at += 1;
            let mut jump = |taken| at += usize::from(if taken { step.jt } else { step.jf });
            match u32::from(step.code) {
                0x20 => a = u32::from_ne_bytes(*data[k as usize..].first_chunk().unwrap()),
                0x15 => jump(a == k),
                0x35 => jump(a >= k),
                0x45 => jump(a & k != 0),
                0x06 => return k,
                code => panic!("no such code: {code:#x}"),
            }
        }
    }

    const ASK: u32 = libc::SECCOMP_RET_USER_NOTIF;
    const ALLOW: u32 = libc::SECCOMP_RET_ALLOW;

    #[test]
    fn calls_are_told_apart_by_number_and_registers() {
        let wishes = Wishes {
            opens: true,
            ..Wishes::default()
        };
        let program = program(wishes);
        let says = |number, arguments| verdict(&program, NATIVE, call(number), arguments);
        for number in ASKED {
            assert_eq!(says(number, [0; 6]), ASK, "{number}");
        }
        for number in [
            libc::SYS_read,
            libc::SYS_write,
            libc::SYS_recvfrom,
            libc::SYS_close,
        ] {
            assert_eq!(says(number, [7; 6]), ALLOW, "{number}");
        }
        assert_eq!(says(libc::SYS_sendto, [3, 9, 9, 0, 0, 9]), ALLOW);
        assert_eq!(says(libc::SYS_sendto, [3, 9, 9, 0, 8, 0]), ASK);
        assert_eq!(says(libc::SYS_sendto, [3, 9, 9, 0, 1 << 32, 0]), ASK);
        for (rings, answer) in [(false, fails(libc::ENOSYS)), (true, ALLOW)] {
            let program = super::program(Wishes { rings, ..wishes });
            let says = |number| verdict(&program, NATIVE, call(number), [0; 6]);
            assert_eq!(says(libc::SYS_io_uring_setup), ASK);
            assert_eq!(says(libc::SYS_io_uring_enter), answer);
            assert_eq!(says(libc::SYS_io_uring_register), answer);
        }
        let socket = |family: libc::c_int, protocol: libc::c_int| {
            let arguments = [
                family.cast_unsigned().into(),
                1,
                protocol.cast_unsigned().into(),
                0,
                0,
                0,
            ];
            says(libc::SYS_socket, arguments)
        };
        assert_eq!(socket(libc::AF_INET, libc::IPPROTO_TCP), ALLOW);
        assert_eq!(
            socket(libc::AF_INET6, libc::IPPROTO_SCTP),
            fails(libc::EPROTONOSUPPORT)
        );
        assert_eq!(socket(AF_SMC, 0), fails(libc::EAFNOSUPPORT));
    }

    #[test]
    fn only_files_that_are_opened_to_be_read_are_asked_about() {
        let with = program(Wishes {
            opens: true,
            ..Wishes::default()
        });
        let without = program(Wishes::default());
        #[allow(clippy::cast_sign_loss)]
        let open = |program: &[_], flags: libc::c_int| {
            verdict(
                program,
                NATIVE,
                call(libc::SYS_openat),
                [0, 0, flags as u64, 0, 0, 0],
            )
        };
        assert_eq!(open(&with, libc::O_RDONLY | libc::O_CLOEXEC), ASK);
        assert_eq!(open(&with, libc::O_WRONLY), ALLOW);
        assert_eq!(open(&with, libc::O_CREAT), ALLOW);
        assert_eq!(open(&without, libc::O_RDONLY), ALLOW);
    }

    #[test]
    fn only_devices_that_a_socket_is_put_on_are_asked_about() {
        let set = |devices, level: libc::c_int, option: libc::c_int| {
            let program = program(Wishes {
                devices,
                ..Wishes::default()
            });
            let arguments = [3, level, option].map(|word| u64::from(word.cast_unsigned()));
            let [fd, level, option] = arguments;
            let number = call(libc::SYS_setsockopt);
            verdict(&program, NATIVE, number, [fd, level, option, 9, 4, 0])
        };
        for device in [libc::SO_BINDTODEVICE, libc::SO_BINDTOIFINDEX] {
            assert_eq!(set(true, libc::SOL_SOCKET, device), ASK);
            assert_eq!(set(true, libc::IPPROTO_IP, device), ALLOW);
            assert_eq!(set(false, libc::SOL_SOCKET, device), ALLOW);
        }
        assert_eq!(set(true, libc::SOL_SOCKET, libc::SO_REUSEADDR), ALLOW);
    }

    #[test]
    fn calls_of_another_kind_of_program_are_no_way_out() {
        let program = program(Wishes {
            opens: true,
            rings: true,
            devices: true,
        });
        let nothing = fails(libc::ENOSYS);
        let x32 = call(libc::SYS_connect) | FIRST_FOREIGN;
        assert_eq!(verdict(&program, NATIVE, x32, [0; 6]), nothing);
        assert_eq!(verdict(&program, NATIVE, u32::MAX, [0; 6]), nothing);
        #[cfg(target_arch = "x86_64")]
        {
            /// `AUDIT_ARCH_I386`.
            const OTHER: u32 = 0x4000_0003;
            for number in I386 {
                assert_eq!(
                    verdict(&program, OTHER, number, [0; 6]),
                    nothing,
                    "{number}"
                );
            }
            assert_eq!(verdict(&program, OTHER, 3, [0; 6]), ALLOW);
        }
    }
}
