//! `libmif.so`: each unmodified application on its own network.
//!
//! Loaded with `LD_PRELOAD`, it stands between an application and libc for the calls that begin a
//! flow or look a name up. A call goes this way:
//!
//! - [`hooks`] is the table of exported symbols; each has one function in the file of its family;
//! - the families ([`connect`], [`bind`], [`send`], [`lookup`], [`open`], [`interfaces`]) read
//!   the arguments into values ([`sockaddr`], [`message`]), ask the policy (`mif_policy`), act on the socket
//!   (`mif_socket`) and then make the real call with the caller's own arguments, once and last;
//! - [`standing`] keeps what the policy says of all ordinary flows, by which most connects ([`at_once`]) and
//!   datagrams ([`outgoing`]) go without asking it;
//! - [`init`] makes the policy of this process, once, from its environment and files;
//! - [`exec`] and [`shell`] start other programs, [`environment`] is what these are given, and [`reach`]
//!   whether mif gets into them;
//! - [`order`] knows where libc stands;
//! - [`secure`] opens the companion object where a DNS server wants TLS;
//! - `jump` is for the functions of libc that are jumped to and not called;
//! - [`memory`] tells pointers that cannot be followed;
//! - [`api`] is what programs call that know mif;
//! - [`guard`] keeps panics from the application, [`log`] says what was decided, [`flags`] is what
//!   the process has been seen to do, [`learned`] which addresses came from which names.
//!
//! What is deliberately absent: a table of file descriptors (the kernel has one), threads, locks
//! that are waited for, allocation in anything but look-ups, handlers for signals, fork or exit.
//! mif's own system calls do not go through libc's symbols, so that the hooks never meet
//! themselves and errno stays the application's.
#![allow(unsafe_code)]
// The C edge; together with mif-socket the only such place.
// Nothing here is public but the C symbols: the documentation is for those who work on it.
#![allow(rustdoc::private_intra_doc_links)]
// In the unit tests nothing is exported, and so much of this is called by nobody.
#![cfg_attr(test, allow(dead_code))]

#[cfg(not(all(target_os = "linux", target_env = "gnu", target_pointer_width = "64")))]
compile_error!("mif interposes glibc on 64-bit Linux; nothing else has these symbols and layouts");

mod addrinfo;
mod addrsel;
mod answer;
mod api;
mod at_once;
mod batch;
mod bind;
mod chosen;
mod clock;
mod connect;
mod connection;
mod datagram;
mod environment;
mod errno;
mod exec;
mod flags;
mod guard;
mod hooks;
mod hostent;
mod hosts_file;
mod if_inet6;
mod inherited;
mod init;
mod interfaces;
#[cfg(any(target_arch = "aarch64", target_arch = "x86_64"))]
mod jump;
mod later;
mod learned;
mod log;
mod log_target;
mod lookup;
mod memfd;
mod memory;
mod message;
mod namespace;
mod network;
mod nss;
mod numeric;
mod open;
mod option;
mod order;
mod outgoing;
mod reach;
mod resolution;
mod resolv_conf;
mod resolver;
mod resolver_call;
mod resolver_state;
mod reverse;
#[cfg(any(target_arch = "aarch64", target_arch = "x86_64"))]
mod ring;
mod room;
mod sandbox;
mod secure;
#[cfg(all(not(test), any(target_arch = "aarch64", target_arch = "x86_64")))]
mod seldom;
mod send;
mod shell;
mod shown;
mod sockaddr;
mod standing;
mod strings;
mod subject;
mod supervise;
#[cfg(any(target_arch = "aarch64", target_arch = "x86_64"))]
mod variadic;
