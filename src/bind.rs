//! `bind` and `listen`: where the application may be reached, and which addresses it may choose.

use std::ffi::c_int;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::BorrowedFd;

use libc::{sockaddr, socklen_t};
use mif_host::View;
use mif_policy::{Bound, Explicit, Pass, Refusal, Route, Verdict};
use mif_socket::Kind;
use rustix::io::Errno;

use crate::connect::{borrow, fail};
use crate::connection::Target;
use crate::flags;
use crate::guard::unless_panic;
use crate::hooks::real;
use crate::init::{Active, active};
use crate::log::Log;
use crate::sockaddr::{self as address, Given};

/// # Safety
/// As bind(2).
pub(crate) unsafe fn bind(fd: c_int, addr: *const sockaddr, len: socklen_t) -> c_int {
    let Some(active) = active() else {
        // SAFETY: the caller's own arguments.
        return unsafe { real::bind(fd, addr, len) };
    };
    let addr = address::settled(addr, len);
    // SAFETY: settled.
    if let Some(given) = unsafe { address::read(addr, len) }
        && let Some(socket) = borrow(fd)
    {
        let judge = || {
            Binding {
                active,
                host: active.view(),
                call: "bind",
                fd: socket,
                address: given.meant,
            }
            .judge()
        };
        match unless_panic(Answer::Refuse, judge) {
            Answer::Proceed => {}
            Answer::Refuse => return fail(Errno::ADDRNOTAVAIL),
            Answer::Wildcard => return bind_wildcard(socket, given),
        }
    }
    // SAFETY: the caller's own arguments.
    unsafe { real::bind(fd, addr, len) }
}

/// # Safety
/// As listen(2).
pub(crate) unsafe fn listen(fd: c_int, backlog: c_int) -> c_int {
    if let Some(active) = active()
        && let Some(socket) = borrow(fd)
        // Neither a socket nor one of another family has an IP address.
        && let Some(address) = mif_socket::local_address(socket)
    {
        let address = SocketAddr::new(mif_socket::canonical(address.ip()), address.port());
        let judge = || {
            Binding {
                active,
                host: active.view(),
                call: "listen",
                fd: socket,
                address,
            }
            .open()
        };
        if unless_panic(Answer::Refuse, judge) == Answer::Refuse {
            return fail(Errno::ADDRNOTAVAIL);
        }
    }
    // SAFETY: the caller's own arguments.
    unsafe { real::listen(fd, backlog) }
}

/// Pins a datagram listener again: `connect` with `AF_UNSPEC` has taken its device away. A port that
/// is left after that is one the application bound.
pub(crate) fn listen_again(fd: c_int) {
    if let Some(active) = active()
        && let Some(socket) = borrow(fd)
        && let Some(address) = mif_socket::local_address(socket)
        && address.port() != 0
        && mif_socket::canonical(address.ip()).is_unspecified()
    {
        let judge = || {
            Binding {
                active,
                host: active.view(),
                call: "connect",
                fd: socket,
                address,
            }
            .judge()
        };
        let _ = unless_panic(Answer::Refuse, judge);
    }
}

/// `explicit = "override"`: the port is the application's, the address is not.
fn bind_wildcard(fd: BorrowedFd<'_>, given: Given) -> c_int {
    match rustix::net::bind(fd, &mif_socket::wildcard_like(given.address)) {
        Ok(()) => 0,
        Err(errno) => fail(errno),
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    Proceed,
    Refuse,
    /// Bind to the wildcard address instead.
    Wildcard,
}

struct Binding<'a> {
    active: &'static Active,
    host: View<'static>,
    call: &'a str,
    fd: BorrowedFd<'a>,
    address: SocketAddr,
}

impl Binding<'_> {
    /// An address at `bind`.
    fn judge(&self) -> Answer {
        let ip = self.address.ip();
        if ip.is_unspecified() {
            // A stream may be a client yet; `listen` tells. A datagram socket with a port of its
            // own listens from now on.
            let is_datagram = || matches!(mif_socket::kind(self.fd), Ok((Kind::Datagram, _)));
            return if self.address.port() != 0 && is_datagram() {
                self.open()
            } else {
                Answer::Proceed
            };
        }
        flags::raise(flags::BOUND);
        let (policy, host) = (&self.active.policy, &self.host);
        if policy.permits_bind(ip, host) {
            return Answer::Proceed;
        }
        if let Some(within) = self.within() {
            return within.judge();
        }
        match policy.explicit {
            Explicit::Respect => {
                self.say(&Verdict::Pass(Pass::Respected));
                Answer::Proceed
            }
            Explicit::Override => Answer::Wildcard,
            Explicit::Refuse => self.refuse(Refusal::Elsewhere(policy.last_rule())),
        }
    }

    /// The same under the policy of the process, where the program has chosen otherwise for this socket
    /// than for its thread.
    fn within(&self) -> Option<Self> {
        let active = self.active.choice?.within?;
        let host = active.view();
        Some(Self {
            active,
            host,
            ..*self
        })
    }

    /// A listener is opened on the network that `listen` chooses.
    fn open(&self) -> Answer {
        let (policy, host) = (&self.active.policy, &self.host);
        let ip = self.address.ip();
        if policy.local && ip.is_loopback() {
            return Answer::Proceed;
        }
        match policy.choose_listen(host) {
            Verdict::Route(route) => self.pin(ip, &route),
            verdict @ Verdict::Pass(_) => {
                self.say(&verdict);
                Answer::Proceed
            }
            Verdict::Refuse(refusal) => self.refuse(refusal),
        }
    }

    fn pin(&self, ip: IpAddr, route: &Route<'_>) -> Answer {
        let (policy, host) = (&self.active.policy, &self.host);
        let mut route = *route;
        let there = match mif_socket::bound_index(self.fd) {
            Ok(0) => (!ip.is_unspecified()).then_some(Bound::To(ip)),
            Ok(index) => Some(Bound::On(index)),
            // The kernel will say what is wrong with it.
            Err(_) => return Answer::Proceed,
        };
        if let Some(bound) = there
            && let Some(chosen) = policy.chosen_listen(bound, host)
        {
            route = chosen;
        }
        let disagreement = there.and_then(|bound| policy.disagreement(bound, &route, host));
        if disagreement.is_some()
            && let Some(within) = self.within()
        {
            return within.open();
        }
        match disagreement {
            None if matches!(there, Some(Bound::On(_))) => {}
            None => {
                if mif_socket::pin(self.fd, &route).is_err() {
                    self.active.host.forget();
                    return self.refuse(Refusal::Exhausted(
                        policy.last_rule(),
                        mif_policy::Unusable::Unknown,
                    ));
                }
            }
            Some(Explicit::Respect) => {
                self.say(&Verdict::Pass(Pass::Respected));
                return Answer::Proceed;
            }
            Some(Explicit::Refuse | Explicit::Override) => {
                return self.refuse(Refusal::Elsewhere(policy.last_rule()));
            }
        }
        if self.call == "bind" {
            // Accepted streams inherit the device and are never asked about.
            flags::raise(flags::DEVICE);
        }
        self.say(&Verdict::Route(route));
        Answer::Proceed
    }

    fn refuse(&self, refusal: Refusal) -> Answer {
        if mif_socket::takes_no_ip(self.fd) {
            return Answer::Proceed;
        }
        self.say(&Verdict::Refuse(refusal));
        Answer::Refuse
    }

    fn say(&self, verdict: &Verdict<'_>) {
        Log::decision(self.active, self.call, &Target(self.address), verdict);
    }
}
