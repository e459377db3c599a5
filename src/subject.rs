//! A socket in a call, for the judges of `mif_steer`. What is known of its past is what the process has
//! been seen to do (`flags.rs`): there is no table of sockets here.

use std::net::SocketAddr;
use std::os::fd::BorrowedFd;

use mif_host::View;
use mif_policy::{Flow, Pass, Policy, Protocol, Route, Verdict};
use mif_socket::Kind;
use mif_steer::Done;

use crate::flags;
use crate::init::Active;
use crate::log::Log;

/// A socket of a call.
pub(crate) struct Subject<'a> {
    active: &'static Active,
    host: View<'static>,
    call: &'static str,
    socket: BorrowedFd<'a>,
}

impl<'a> Subject<'a> {
    #[inline]
    pub(crate) fn new(active: &'static Active, call: &'static str, socket: BorrowedFd<'a>) -> Self {
        Self {
            active,
            host: active.view(),
            call,
            socket,
        }
    }
}

impl mif_steer::Subject for Subject<'_> {
    type Host = View<'static>;

    #[inline]
    fn policy(&self) -> &Policy {
        &self.active.policy
    }

    #[inline]
    fn host(&self) -> &View<'static> {
        &self.host
    }

    #[inline]
    fn socket(&self) -> BorrowedFd<'_> {
        self.socket
    }

    fn forget(&self) {
        self.active.host.forget();
    }

    #[inline]
    fn flow(&self, destination: SocketAddr, protocol: Protocol) -> Flow<'_> {
        let known = self.active.learned.of(destination.ip());
        Flow {
            destination,
            protocol,
            named: known.rules,
            origin: known.origin,
        }
    }

    #[inline]
    fn say(&self, about: SocketAddr, verdict: &Verdict<'_>) {
        Log::decision(self.active, self.call, &about, verdict);
    }

    #[inline]
    fn say_routed(&self, about: SocketAddr, route: &Route<'_>) {
        Log::routed(self.active, self.call, about, route);
    }

    fn within(&self) -> Option<Self> {
        let active = self.active.choice?.within?;
        Some(Self::new(active, self.call, self.socket))
    }

    #[inline]
    fn device(&self) -> Option<u32> {
        if !flags::any(flags::PINNED | flags::DEVICE) {
            return None;
        }
        mif_socket::bound_index(self.socket)
            .ok()
            .filter(|&index| index != 0)
    }

    #[inline]
    fn own_device(&self) -> Option<u32> {
        if !flags::any(flags::DEVICE) || flags::any(flags::PINNED) {
            return None;
        }
        let is_datagram = matches!(mif_socket::kind(self.socket), Ok((Kind::Datagram, _)));
        self.device().filter(|_| is_datagram)
    }

    fn may_be_own_device(&self, index: Option<u32>) -> bool {
        let is_of_policy = || {
            let device = mif_socket::bound_index(self.socket);
            device.is_ok_and(|index| index != 0 && self.active.host.has_index(index))
        };
        flags::any(flags::DEVICE) && (index.is_some() || is_of_policy())
    }

    /// In a process that pins sockets itself the device may be the application's choice.
    #[inline]
    fn is_own_stream(&self, pass: Pass) -> bool {
        flags::any(flags::STREAM)
            && (pass == Pass::Local || !flags::any(flags::PINNED))
            && mif_socket::bound_index(self.socket)
                .is_ok_and(|index| index != 0 && self.active.host.has_index(index))
            && matches!(mif_socket::kind(self.socket), Ok((Kind::Stream, _)))
    }

    fn is_own_unicast(&self, _: bool, index: u32) -> bool {
        self.active.host.has_index(index)
    }

    #[inline]
    fn may_have_own_unicast(&self) -> bool {
        flags::any(flags::STEERED)
    }

    #[inline]
    fn may_be_pinned(&self) -> bool {
        flags::any(flags::PINNED)
    }

    #[inline]
    fn may_be_bound(&self) -> bool {
        flags::any(flags::BOUND)
    }

    /// An IPv4 source that only a connect of ours chose is replaced by packet information anyway.
    #[inline]
    fn may_have_source(&self, v4: bool) -> bool {
        flags::any(if v4 {
            flags::BOUND
        } else {
            flags::BOUND | flags::STEERED
        })
    }

    fn prefers_source(&self) -> bool {
        flags::any(flags::PREFERS) && mif_socket::prefers_source(self.socket)
    }

    #[inline]
    fn note(&self, what: Done) {
        flags::raise(match what {
            Done::Bound => flags::BOUND,
            Done::Put {
                kind: Kind::Stream, ..
            } => flags::STREAM,
            Done::Put {
                by_device: false, ..
            } => flags::STEERED,
            Done::Put { .. } | Done::WillBeHeld => flags::DEVICE,
            // Accepted streams inherit the device and are never asked about.
            Done::Listens { .. } if self.call == "bind" => flags::DEVICE,
            Done::Held(_) | Done::Listens { .. } | Done::Prefers | Done::Left => return,
        });
    }
}
