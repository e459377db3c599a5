//! One call of the resolver's own functions (`resolver.rs`), from its question to its answer.

mod packet;

use std::ffi::{CStr, CString, c_char, c_int};

use mif_policy::Resolvers;
use mif_resolve::{raw, reverse};

use crate::errno;
use crate::guard::unless_panic;
use crate::hostent::set_h_errno;
use crate::init::{Active, active};
use crate::memory::is_plausible;
use crate::network::{
    HOST_NOT_FOUND, NO_DATA, NO_RECOVERY, Otherwise, TRY_AGAIN, host_error, may_ask,
};
use crate::resolution::remember;
use crate::resolver_state::{Options, State, own_state};

/// A header without records; no answer is shorter.
const HEADER: usize = 12;

/// One call: where its answer goes, and whose state it uses.
pub(crate) struct Call {
    name: &'static str,
    active: &'static Active,
    state: *mut State,
    answer: *mut u8,
    size: c_int,
}

/// A question without its name.
#[derive(Clone, Copy)]
pub(crate) struct Question {
    pub(crate) class: c_int,
    pub(crate) kind: c_int,
}

/// Why there is nothing to return but -1: `errno` and `h_errno`.
#[derive(Clone, Copy)]
struct Missed {
    errno: c_int,
    host_error: c_int,
    /// The server itself failed, so that another name may do better.
    servfail: bool,
}

/// In each of these, `None` leaves the call to libc.
impl Call {
    /// A call with a state of the caller's, or with that of its thread.
    pub(crate) fn new(
        name: &'static str,
        state: Option<*mut State>,
        answer: *mut u8,
        size: c_int,
    ) -> Option<Self> {
        let active = active()?;
        Some(Self {
            name,
            active,
            state: state.unwrap_or_else(own_state),
            answer,
            size,
        })
    }

    /// # Safety
    /// Name, state and answer as for `res_nquery(3)`.
    pub(crate) unsafe fn query(&self, name: *const c_char, question: Question) -> Option<c_int> {
        // SAFETY: the caller's contract.
        let name = unsafe { text(name) }?;
        let resolvers = self.resolvers(name);
        if let Some(refused) = self.refused(name, &resolvers)? {
            return Some(self.fail(refused));
        }
        Some(self.finish(self.ask(name, question, &resolvers)))
    }

    /// # Safety
    /// As [`Self::query`].
    pub(crate) unsafe fn querydomain(
        &self,
        name: *const c_char,
        domain: *const c_char,
        question: Question,
    ) -> Option<c_int> {
        // SAFETY: the caller's contract.
        let name = unsafe { text(name) }?;
        let whole = if domain.is_null() {
            let bytes = name.to_bytes();
            CString::new(bytes.strip_suffix(b".").unwrap_or(bytes))
        } else {
            // SAFETY: the caller's contract.
            let domain = unsafe { text(domain) }?;
            CString::new([name.to_bytes(), b".", domain.to_bytes()].concat())
        };
        let whole = whole.ok()?;
        // SAFETY: a C string of ours; the rest is the caller's.
        unsafe { self.query(whole.as_ptr(), question) }
    }

    /// The names of the search list, in the order of glibc's `res_nsearch`. All are asked of the
    /// network that is chosen for the name as it is written.
    ///
    /// # Safety
    /// As [`Self::query`].
    pub(crate) unsafe fn search(&self, name: *const c_char, question: Question) -> Option<c_int> {
        // SAFETY: the caller's contract.
        let name = unsafe { text(name) }?;
        let resolvers = self.resolvers(name);
        if let Some(refused) = self.refused(name, &resolvers)? {
            return Some(self.fail(refused));
        }
        let options = self.options();
        let bytes = name.to_bytes();
        let (dots, at_end) = (bytes.contains(&b'.'), bytes.ends_with(b"."));
        let mut as_is = None;
        if dots {
            match self.ask(name, question, &resolvers) {
                Err(missed) if !at_end => as_is = Some(missed),
                result => return Some(self.finish(result)),
            }
        }
        let (mut no_data, mut servfail, mut searched) = (false, false, false);
        let listed = if dots {
            Options::DNSRCH
        } else {
            Options::DEFNAMES
        };
        let suffixes = resolvers.search().iter().filter(|_| options.has(listed));
        for suffix in suffixes {
            let suffix = suffix.trim_matches('.');
            let Ok(below) = CString::new([bytes, b".", suffix.as_bytes()].concat()) else {
                continue;
            };
            searched = true;
            match self.ask(&below, question, &resolvers) {
                Err(missed) if missed.host_error == NO_DATA => no_data = true,
                Err(missed) if missed.host_error == HOST_NOT_FOUND => {}
                Err(missed) if missed.servfail => servfail = true,
                // Every further name would wait as long again.
                result => return Some(self.finish(result)),
            }
            if !options.has(Options::DNSRCH) {
                break;
            }
        }
        let mut last = Missed {
            errno: 0,
            host_error: HOST_NOT_FOUND,
            servfail: false,
        };
        if as_is.is_none() && !(searched && options.has(Options::NOTLDQUERY)) {
            match self.ask(name, question, &resolvers) {
                Err(missed) => last = missed,
                result => return Some(self.finish(result)),
            }
        }
        if let Some(missed) = as_is {
            last = missed;
        } else if no_data {
            last.host_error = NO_DATA;
        } else if servfail {
            last.host_error = TRY_AGAIN;
        }
        Some(self.fail(last))
    }

    /// A packet of the caller's, as it is.
    ///
    /// # Safety
    /// Packet, state and answer as for `res_nsend(3)`.
    pub(crate) unsafe fn send_given(&self, packet: *const u8, length: c_int) -> Option<c_int> {
        let length = usize::try_from(length)
            .ok()
            .filter(|&length| length >= HEADER)?;
        if !is_plausible(packet) {
            return None;
        }
        // SAFETY: the caller vouches for `length` bytes.
        let packet = unsafe { std::slice::from_raw_parts(packet, length) };
        let name = unless_panic(None, || raw::name_of(packet)).unwrap_or_default();
        // No search list has to do with it.
        let whole = CString::new(format!("{name}.")).ok()?;
        let name = CString::new(name).ok()?;
        let resolvers = self.resolvers(&whole);
        if let Some(refused) = self.refused(&name, &resolvers)? {
            errno::set(refused.errno);
            return Some(-1);
        }
        Some(match self.send(packet, &resolvers) {
            Ok(length) => length,
            Err(missed) => {
                errno::set(missed.errno);
                -1
            }
        })
    }

    /// Who is to be asked.
    fn resolvers(&self, name: &CStr) -> Resolvers<'static> {
        let active = self.active;
        let known = |ip| {
            let known = active.learned.of(ip);
            (known.rules, known.origin)
        };
        reverse::resolvers(
            &active.policy,
            &name.to_string_lossy(),
            known,
            &active.view(),
        )
    }

    /// What the policy has against asking, if anything.
    #[allow(clippy::option_option)] // The outer one leaves the call to libc.
    fn refused(&self, name: &CStr, resolvers: &Resolvers<'_>) -> Option<Option<Missed>> {
        match may_ask(self.active, self.name, &name.to_string_lossy(), resolvers) {
            Ok(()) => Some(None),
            Err(Otherwise::Libc) => None,
            Err(Otherwise::Failed(failure)) => Some(Some(Missed {
                errno: libc::ENETUNREACH,
                host_error: host_error(failure),
                servfail: false,
            })),
        }
    }

    /// One question; the answer's length.
    fn ask(
        &self,
        name: &CStr,
        question: Question,
        resolvers: &Resolvers<'_>,
    ) -> Result<c_int, Missed> {
        let again = |missed: Missed| Missed {
            host_error: TRY_AGAIN,
            ..missed
        };
        if !resolvers.may_be_asked(&name.to_string_lossy()) {
            // It was only a beginning for the search list.
            return Err(Missed {
                errno: 0,
                host_error: HOST_NOT_FOUND,
                servfail: false,
            });
        }
        let packet = self.packet(name, question)?;
        let length = self.send(&packet, resolvers).map_err(again)?;
        // SAFETY: an answer of at least a header has just been written here.
        let header = unsafe { self.answer.cast::<[u8; HEADER]>().read_unaligned() };
        let (code, count) = (header[3] & 0xf, u16::from_be_bytes([header[6], header[7]]));
        let host_error = match code {
            0 if count > 0 => {
                self.remember(name, length, resolvers);
                return Ok(length);
            }
            0 => NO_DATA,
            2 => TRY_AGAIN,
            3 => HOST_NOT_FOUND,
            _ => NO_RECOVERY,
        };
        Err(Missed {
            errno: 0,
            host_error,
            servfail: code == 2,
        })
    }

    /// Addresses in an answer are a look-up's, whoever made it.
    fn remember(&self, name: &CStr, length: c_int, resolvers: &Resolvers<'_>) {
        if !self.active.policy.learns_addresses() {
            return;
        }
        let room = usize::try_from(self.size.min(length)).unwrap_or(0);
        // SAFETY: so much of the answer has just been written.
        let answer = unsafe { std::slice::from_raw_parts(self.answer, room) };
        unless_panic((), || {
            let addresses = raw::addresses(answer);
            let name = name.to_string_lossy();
            remember(self.active, &name, &addresses, resolvers.origin());
        });
    }

    fn finish(&self, result: Result<c_int, Missed>) -> c_int {
        result.unwrap_or_else(|missed| self.fail(missed))
    }

    fn fail(&self, missed: Missed) -> c_int {
        if missed.errno != 0 {
            errno::set(missed.errno);
        }
        set_h_errno(missed.host_error);
        // SAFETY: the caller's state.
        unsafe { (*self.state).host_error = missed.host_error };
        -1
    }
}

/// # Safety
/// The pointer must be null, invalid for every process, or a C string that stays for `'n`.
unsafe fn text<'n>(text: *const c_char) -> Option<&'n CStr> {
    // SAFETY: the caller's contract.
    is_plausible(text).then(|| unsafe { CStr::from_ptr(text) })
}
