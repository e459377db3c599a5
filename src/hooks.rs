//! THE TABLE: one line for each symbol that `libmif.so` exports, with the file that serves it.
//!
//! The names come in threes: exported `connect`, ours `connect::connect`, the next definition
//! (another preload's, or libc's) `real::connect`.

use std::ffi::{c_char, c_int, c_uint, c_ulong, c_void};
use std::sync::atomic::{AtomicPtr, Ordering};

use libc::{
    FILE, addrinfo, hostent, if_nameindex as NameIndex, ifaddrs, mmsghdr, msghdr, sigevent, size_t,
    sockaddr, socklen_t, ssize_t,
};

use crate::resolver_state::State;
use crate::strings::Strings;
use crate::{
    bind, connect, exec, interfaces, later, lookup, namespace, open, option, order, resolver,
    reverse, send, shell,
};

/// One symbol of the table: what is exported.
macro_rules! export {
    (
        [$(#[$doc:meta])*] $name:ident($($arg:ident: $ty:ty),* $(,)?) -> $ret:ty => $ours:path
    ) => {
        $(#[$doc])*
        // The unit tests of this crate call libc itself.
        #[cfg_attr(not(test), unsafe(no_mangle))]
        #[allow(clippy::too_many_arguments)] // libc's.
        pub(crate) unsafe extern "C-unwind" fn $name($($arg: $ty),*) -> $ret {
            // SAFETY: the caller's contract with libc's function of this name, passed on.
            unsafe { $ours($($arg),*) }
        }
    };
}

/// One symbol of the table: the call of the next definition.
macro_rules! real {
    ($name:ident($($arg:ident: $ty:ty),* $(,)?) -> $ret:ty) => {
        /// # Safety
        /// As libc's function of this name.
        #[allow(clippy::too_many_arguments)] // libc's.
        pub(crate) unsafe fn $name($($arg: $ty),*) -> $ret {
            let next = super::next::$name();
            // SAFETY: the caller's contract, passed on.
            unsafe { next($($arg),*) }
        }
    };
}

/// One symbol of the table: where the next definition is.
macro_rules! next {
    ($name:ident($($arg:ident: $ty:ty),* $(,)?) -> $ret:ty $(, once $old:ident)?) => {
        pub(crate) fn $name() -> unsafe extern "C-unwind" fn($($ty),*) -> $ret {
            $name::known().unwrap_or_else(|| {
                let name = concat!(stringify!($name), "\0");
                #[allow(unused_variables)]
                let old: Option<&'static str> = None;
                $(let old = Some(concat!(stringify!($old), "\0"));)?
                let next = find(name, old, &$name::NEXT);
                // SAFETY: libc's symbol of this name has this signature.
                unsafe { std::mem::transmute(next) }
            })
        }

        pub(crate) mod $name {
            #[allow(clippy::wildcard_imports)] // The types of the table.
            use super::*;

            pub(super) static NEXT: AtomicPtr<u8> = AtomicPtr::new(std::ptr::null_mut());

            /// The definition, if it has been looked up: a jump to it needs no room on the stack.
            #[inline]
            pub(crate) fn known() -> Option<unsafe extern "C-unwind" fn($($ty),*) -> $ret> {
                let next = NEXT.load(Ordering::Relaxed);
                // SAFETY: null, or libc's symbol of this name, which has this signature.
                unsafe { std::mem::transmute(next) }
            }
        }
    };
}

macro_rules! interpose {
    ($(
        $(#[$doc:meta])*
        fn $name:ident $args:tt -> $ret:ty => $family:ident::$ours:ident $(, once $old:ident)?;
    )*) => {
        $(
            export! { [$(#[$doc])*] $name $args -> $ret => $family::$ours }
            $(export! {
                [/** By the name that programs built before glibc 2.34 import. */]
                $old $args -> $ret => $family::$ours
            })?
        )*

        /// The next definition of each symbol: another preload's, or libc's.
        pub(crate) mod real {
            #[allow(clippy::wildcard_imports)] // The types of the table above.
            use super::*;
            $(real! { $name $args -> $ret })*
        }

        /// Where the next definitions are: looked up once, without a lock.
        pub(crate) mod next {
            #[allow(clippy::wildcard_imports)] // The types of the table above.
            use super::*;
            $(next! { $name $args -> $ret $(, once $old)? })*

            // Made use of, and left alone.
            next! {
                res_nmkquery(
                    state: *mut State, operation: c_int, name: *const c_char, class: c_int,
                    kind: c_int, data: *const u8, size: c_int, update: *const u8, packet: *mut u8,
                    room: c_int,
                ) -> c_int, once __res_nmkquery
            }
        }
    };
}

/// Looks for the next definition of a symbol, by the name that it has had before, too, if it has had
/// one, and keeps it in its `place`.
#[cold]
fn find(name: &'static str, old: Option<&'static str>, place: &AtomicPtr<u8>) -> *mut u8 {
    let mut next = old.map_or(std::ptr::null_mut(), |old| find_renamed(name, old));
    if next.is_null() {
        next = order::next(name);
    }
    place.store(next, Ordering::Relaxed);
    next
}

/// The next definition of a symbol that glibc renamed in 2.34; null if it has neither name. Of the
/// old name there is only a version for programs that were linked with it, which `dlsym` passes
/// over.
fn find_renamed(name: &'static str, old: &'static str) -> *mut u8 {
    let version = match () {
        () if cfg!(target_arch = "x86_64") => c"GLIBC_2.2.5",
        () if cfg!(target_arch = "s390x") => c"GLIBC_2.2",
        () if cfg!(target_arch = "riscv64") => c"GLIBC_2.27",
        () => c"GLIBC_2.17",
    };
    // SAFETY: a C string, by its NUL.
    let found = unsafe { libc::dlsym(libc::RTLD_NEXT, name.as_ptr().cast()) };
    if !found.is_null() {
        return found.cast();
    }
    // SAFETY: C strings both.
    unsafe { libc::dlvsym(libc::RTLD_NEXT, old.as_ptr().cast(), version.as_ptr()) }.cast()
}

interpose! {
    /// connect(2): the network is chosen here for streams, and for datagram sockets that connect.
    fn connect(fd: c_int, addr: *const sockaddr, len: socklen_t) -> c_int => connect::connect;
    /// `connect` by the other name that libc exports.
    fn __connect(fd: c_int, addr: *const sockaddr, len: socklen_t) -> c_int => connect::alias;
    /// bind(2): an address of another network is refused, a datagram listener pinned.
    fn bind(fd: c_int, addr: *const sockaddr, len: socklen_t) -> c_int => bind::bind;
    /// listen(2): a stream listener is reachable on the policy's network only.
    fn listen(fd: c_int, backlog: c_int) -> c_int => bind::listen;
    /// setsockopt(2): notes that the application pins a socket itself.
    fn setsockopt(
        fd: c_int, level: c_int, name: c_int, value: *const c_void, len: socklen_t,
    ) -> c_int => option::setsockopt;
    /// sendto(2): the network goes along as ancillary data, or as for connect with `MSG_FASTOPEN`.
    fn sendto(
        fd: c_int, buf: *const c_void, size: size_t, flags: c_int,
        addr: *const sockaddr, len: socklen_t,
    ) -> ssize_t => send::sendto;
    /// sendmsg(2): the same, beside the application's own ancillary data.
    fn sendmsg(fd: c_int, msg: *const msghdr, flags: c_int) -> ssize_t => send::sendmsg;
    /// sendmmsg(2): the same for each message; they may go by different networks.
    fn sendmmsg(fd: c_int, msgs: *mut mmsghdr, count: c_uint, flags: c_int) -> c_int
        => send::sendmmsg;
    /// getaddrinfo(3): the name is asked of the chosen network's servers.
    fn getaddrinfo(
        node: *const c_char, service: *const c_char,
        hints: *const addrinfo, res: *mut *mut addrinfo,
    ) -> c_int => lookup::getaddrinfo;
    /// gethostbyname(3).
    fn gethostbyname(name: *const c_char) -> *mut hostent => lookup::gethostbyname;
    /// gethostbyname2(3).
    fn gethostbyname2(name: *const c_char, family: c_int) -> *mut hostent
        => lookup::gethostbyname2;
    /// `gethostbyname_r(3)`.
    fn gethostbyname_r(
        name: *const c_char, ret: *mut hostent, buf: *mut c_char, size: size_t,
        result: *mut *mut hostent, h_errno: *mut c_int,
    ) -> c_int => lookup::gethostbyname_r;
    /// `gethostbyname2_r(3)`.
    fn gethostbyname2_r(
        name: *const c_char, family: c_int, ret: *mut hostent, buf: *mut c_char, size: size_t,
        result: *mut *mut hostent, h_errno: *mut c_int,
    ) -> c_int => lookup::gethostbyname2_r;
    /// `getaddrinfo_a(3)`: resolved before it returns where a network's servers are asked.
    fn getaddrinfo_a(
        mode: c_int, list: *mut c_void, count: c_int, event: *mut sigevent,
    ) -> c_int => later::getaddrinfo_a;
    /// getnameinfo(3): the name is asked of the network that the address is reached by.
    fn getnameinfo(
        addr: *const sockaddr, len: socklen_t, host: *mut c_char, host_size: socklen_t,
        service: *mut c_char, service_size: socklen_t, flags: c_int,
    ) -> c_int => reverse::getnameinfo;
    /// gethostbyaddr(3).
    fn gethostbyaddr(addr: *const c_void, len: socklen_t, family: c_int) -> *mut hostent
        => reverse::gethostbyaddr;
    /// `gethostbyaddr_r(3)`.
    fn gethostbyaddr_r(
        addr: *const c_void, len: socklen_t, family: c_int, ret: *mut hostent, buf: *mut c_char,
        size: size_t, result: *mut *mut hostent, h_errno: *mut c_int,
    ) -> c_int => reverse::gethostbyaddr_r;
    /// `res_query(3)`: questions of any type go to the chosen network's servers.
    fn res_query(
        name: *const c_char, class: c_int, kind: c_int, answer: *mut u8, size: c_int,
    ) -> c_int => resolver::query, once __res_query;
    /// `res_query` with a state of the caller's.
    fn res_nquery(
        state: *mut State, name: *const c_char, class: c_int, kind: c_int, answer: *mut u8,
        size: c_int,
    ) -> c_int => resolver::nquery, once __res_nquery;
    /// `res_search(3)`: the search list is the network's.
    fn res_search(
        name: *const c_char, class: c_int, kind: c_int, answer: *mut u8, size: c_int,
    ) -> c_int => resolver::search, once __res_search;
    /// `res_search` with a state of the caller's.
    fn res_nsearch(
        state: *mut State, name: *const c_char, class: c_int, kind: c_int, answer: *mut u8,
        size: c_int,
    ) -> c_int => resolver::nsearch, once __res_nsearch;
    /// `res_querydomain(3)`.
    fn res_querydomain(
        name: *const c_char, domain: *const c_char, class: c_int, kind: c_int, answer: *mut u8,
        size: c_int,
    ) -> c_int => resolver::querydomain, once __res_querydomain;
    /// `res_querydomain` with a state of the caller's.
    fn res_nquerydomain(
        state: *mut State, name: *const c_char, domain: *const c_char, class: c_int, kind: c_int,
        answer: *mut u8, size: c_int,
    ) -> c_int => resolver::nquerydomain, once __res_nquerydomain;
    /// `res_send(3)`: the packet goes as it is.
    fn res_send(packet: *const u8, length: c_int, answer: *mut u8, size: c_int) -> c_int
        => resolver::send, once __res_send;
    /// `res_send` with a state of the caller's.
    fn res_nsend(
        state: *mut State, packet: *const u8, length: c_int, answer: *mut u8, size: c_int,
    ) -> c_int => resolver::nsend, once __res_nsend;
    /// execve(2): the program that is started is under the policy, too.
    fn execve(path: *const c_char, argv: Strings, envp: Strings) -> c_int => exec::execve;
    /// execvpe(3).
    fn execvpe(file: *const c_char, argv: Strings, envp: Strings) -> c_int => exec::execvpe;
    /// fexecve(3).
    fn fexecve(fd: c_int, argv: Strings, envp: Strings) -> c_int => exec::fexecve;
    /// execveat(2).
    fn execveat(
        folder: c_int, path: *const c_char, argv: Strings, envp: Strings, flags: c_int,
    ) -> c_int => exec::execveat;
    /// `posix_spawn(3)`.
    fn posix_spawn(
        child: *mut libc::pid_t, path: *const c_char, actions: *const c_void,
        attributes: *const c_void, argv: Strings, envp: Strings,
    ) -> c_int => exec::posix_spawn;
    /// `posix_spawnp(3)`.
    fn posix_spawnp(
        child: *mut libc::pid_t, file: *const c_char, actions: *const c_void,
        attributes: *const c_void, argv: Strings, envp: Strings,
    ) -> c_int => exec::posix_spawnp;
    /// system(3): the shell is under the policy, too.
    fn system(command: *const c_char) -> c_int => shell::system;
    /// popen(3).
    fn popen(command: *const c_char, kind: *const c_char) -> *mut FILE => shell::popen;
    /// getifaddrs(3): the policy may show its own networks only.
    fn getifaddrs(list: *mut *mut ifaddrs) -> c_int => interfaces::getifaddrs;
    /// `if_nameindex(3)`: the same.
    fn if_nameindex() -> *mut NameIndex => interfaces::if_nameindex;
    /// ioctl(2): the same for `SIOCGIFCONF`; every other request passes.
    fn ioctl(fd: c_int, request: c_ulong, argument: *mut c_void) -> c_int => interfaces::ioctl;
    /// setns(2): what was known of the host is not true of another network namespace.
    fn setns(fd: c_int, kind: c_int) -> c_int => namespace::setns;
    /// unshare(2): the same.
    fn unshare(flags: c_int) -> c_int => namespace::unshare;
    /// open(2): `/etc/resolv.conf` names the chosen network's servers. libc's is variadic; see
    /// `open::open` for why this is the same.
    fn open(path: *const c_char, flags: c_int, mode: c_uint) -> c_int => open::open;
    /// `open` by the name for large files.
    fn open64(path: *const c_char, flags: c_int, mode: c_uint) -> c_int => open::open64;
    /// openat(2).
    fn openat(dir: c_int, path: *const c_char, flags: c_int, mode: c_uint) -> c_int
        => open::openat;
    /// `openat` by the name for large files.
    fn openat64(dir: c_int, path: *const c_char, flags: c_int, mode: c_uint) -> c_int
        => open::openat64;
    /// `open` without a mode where programs are built with `_FORTIFY_SOURCE`.
    fn __open_2(path: *const c_char, flags: c_int) -> c_int => open::open_2;
    /// `open64` of the same.
    fn __open64_2(path: *const c_char, flags: c_int) -> c_int => open::open64_2;
    /// `openat` of the same.
    fn __openat_2(dir: c_int, path: *const c_char, flags: c_int) -> c_int
        => open::openat_2;
    /// `openat64` of the same.
    fn __openat64_2(dir: c_int, path: *const c_char, flags: c_int) -> c_int
        => open::openat64_2;
    /// fopen(3).
    fn fopen(path: *const c_char, mode: *const c_char) -> *mut FILE => open::fopen;
    /// `fopen` by the name for large files.
    fn fopen64(path: *const c_char, mode: *const c_char) -> *mut FILE => open::fopen64;
}

export! {
    [/** execv(3). libc's is `execve`, so there is no next one to call. */]
    execv(path: *const c_char, argv: Strings) -> c_int => exec::execv
}
export! {
    [/** execvp(3). libc's is `execvpe`, so there is no next one to call. */]
    execvp(file: *const c_char, argv: Strings) -> c_int => exec::execvp
}

/// Finds the next definitions of the calls that may come from a signal handler, where `dlsym`
/// must not run. The others are found at their first call: a look-up of a symbol costs about 900
/// instructions, which every process would pay.
pub(crate) fn find_signal_safe() {
    next::connect();
    next::__connect();
    next::bind();
    next::listen();
    next::setsockopt();
    next::sendto();
    next::sendmsg();
    next::sendmmsg();
    next::ioctl();
    next::open();
    next::open64();
    next::openat();
    next::openat64();
    next::__open_2();
    next::__open64_2();
    next::__openat_2();
    next::__openat64_2();
    next::execve();
    next::execvpe();
}
