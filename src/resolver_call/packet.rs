//! The packet of a call of the resolver's own functions: made as libc makes it, put to the network's
//! servers, and its reply.

use std::ffi::{CStr, c_int};
use std::net::IpAddr;
use std::time::Duration;

use mif_policy::{Resolvers, Verdict};
use mif_resolve::Patience;
use mif_resolve::raw::{self, Reply, Transport, Unanswered};

use super::{Call, HEADER, Missed, Question};
use crate::errno;
use crate::guard::{has_memory, uncancelled};
use crate::hooks::next;
use crate::log::Level;
use crate::memory::is_plausible;
use crate::network::{NO_RECOVERY, TRY_AGAIN, plan, way};
use crate::resolver_state::Options;

/// The longest packet that is made for a name, with room for an OPT record.
const QUERY: usize = 512;

impl Call {
    /// The query that libc would send.
    pub(super) fn packet(&self, name: &CStr, question: Question) -> Result<Vec<u8>, Missed> {
        let mut packet = vec![0; QUERY];
        let length = errno::keeping(|| {
            // SAFETY: the caller's state, a C string, and a buffer of the size that is said.
            unsafe {
                next::res_nmkquery()(
                    self.state,
                    0,
                    name.as_ptr(),
                    question.class,
                    question.kind,
                    std::ptr::null(),
                    0,
                    std::ptr::null(),
                    packet.as_mut_ptr(),
                    512,
                )
            }
        });
        let errno = libc::EMSGSIZE;
        let missed = Missed {
            errno,
            host_error: NO_RECOVERY,
            servfail: false,
        };
        let length = usize::try_from(length)
            .ok()
            .filter(|&length| length >= HEADER);
        packet.truncate(length.ok_or(missed)?);
        let options = self.options();
        if options.has(Options::EDNS0) || options.has(Options::DNSSEC) {
            // RFC 6891: the root, OPT, what a datagram may have (as glibc 1200), no extensions,
            // and DO.
            let dnssec = if options.has(Options::DNSSEC) {
                0x80
            } else {
                0
            };
            packet.extend([0, 0, 41, 0x04, 0xb0, 0, 0, dnssec, 0, 0, 0]);
            packet[11] += 1;
        }
        Ok(packet)
    }

    /// Puts a packet to the servers, and the reply where the caller wants it. Its length; over a
    /// connection the whole one, even if less of it fitted.
    pub(super) fn send(&self, packet: &[u8], resolvers: &Resolvers<'_>) -> Result<c_int, Missed> {
        let missed = |errno| Missed {
            errno,
            host_error: TRY_AGAIN,
            servfail: false,
        };
        let room = usize::try_from(self.size).unwrap_or(0);
        if room < HEADER || !is_plausible(self.answer) {
            return Err(missed(libc::EINVAL));
        }
        if !has_memory() {
            return Err(missed(libc::ENOMEM));
        }
        let exchanged = uncancelled(Err(Unanswered::Silent), || {
            let (active, verdict): (_, Verdict<'_>) = (self.active, resolvers.verdict());
            let way = |ip: IpAddr| way(active, &verdict, ip);
            let mut plan = plan(active, resolvers, &way);
            plan.patience = self.patience();
            raw::exchange(packet, self.transport(packet), &plan).inspect_err(|why| {
                active.log.line(
                    Level::Decisions,
                    format_args!("{}: no answer ({why:?}) from {:?}", self.name, plan.servers),
                );
            })
        });
        let Reply {
            mut bytes,
            by_stream,
        } = exchanged.map_err(|why| match why {
            Unanswered::Unreachable => missed(libc::ECONNREFUSED),
            Unanswered::Silent | Unanswered::Unwilling => missed(libc::ETIMEDOUT),
        })?;
        if bytes.len() < HEADER {
            return Err(missed(libc::ETIMEDOUT));
        }
        bytes[3] &= !0x20;
        let whole = bytes.len();
        if whole > room {
            bytes.truncate(room);
            // What does not fit of a datagram is not told, as in glibc.
            bytes[2] |= if by_stream { 2 } else { 0 };
        }
        // SAFETY: the caller vouches for `room` bytes, and there are no more of these.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), self.answer, bytes.len()) };
        let told = if by_stream { whole } else { bytes.len() };
        c_int::try_from(told).map_err(|_| missed(libc::EMSGSIZE))
    }

    pub(super) fn options(&self) -> Options {
        // SAFETY: the caller's state.
        unsafe { (*self.state).options }
    }

    fn transport(&self, packet: &[u8]) -> Transport {
        let options = self.options();
        if options.has(Options::USEVC) || packet.len() > QUERY {
            Transport::Stream
        } else if options.has(Options::IGNTC) {
            Transport::Datagram
        } else {
            Transport::Either
        }
    }

    /// The state's own, within what resolv.conf(5) allows.
    fn patience(&self) -> Patience {
        // SAFETY: the caller's state.
        let timeout = unsafe { (*self.state).retrans };
        // SAFETY: the caller's state.
        let attempts = unsafe { (*self.state).retry };
        Patience {
            timeout: Duration::from_secs(u64::try_from(timeout.clamp(1, 30)).unwrap_or(5)),
            attempts: u32::try_from(attempts.clamp(1, 5)).unwrap_or(2),
            ..Patience::default()
        }
    }
}
