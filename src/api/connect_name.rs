//! `mif_connect_name`: a connection to a name by whichever provisioning domain answers first (RFC 8305
//! over domains and addresses). When to begin what is `mif_domains::Race`'s to say.

use std::ffi::{CStr, CString, c_char, c_int, c_uint};
use std::net::SocketAddr;
use std::os::fd::{AsFd, IntoRawFd, OwnedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use mif_domains::{Id, Race, Step};
use mif_policy::Families;
use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use rustix::io::Errno;
use rustix::net::SocketType;

use super::id::CId;
use super::look_up::addresses;
use super::process::ring;
use super::{attempt, list, scope, thread};
use crate::connect::fail;
use crate::errno;
use crate::guard::uncancelled;
use crate::init::Active;

const CALL: &str = "mif_connect_name";
/// So many domains take part at most.
const MOST: usize = 16;

/// The rest is in `mif.h`.
///
/// # Safety
/// `pvds` must be null or readable for `n` identifiers, `node` and `service` null or C strings.
#[cfg_attr(not(test), unsafe(no_mangle))]
pub(crate) unsafe extern "C-unwind" fn mif_connect_name(
    pvds: *const CId,
    n: usize,
    flags: c_uint,
    node: *const c_char,
    service: *const c_char,
    timeout: c_int,
) -> c_int {
    let given = if pvds.is_null() || n == 0 {
        &[][..]
    } else {
        // SAFETY: the caller's contract.
        unsafe { std::slice::from_raw_parts(pvds, n) }
    };
    let text = |text: *const c_char| {
        // SAFETY: the caller's contract.
        (!text.is_null()).then(|| unsafe { CStr::from_ptr(text) }.to_owned())
    };
    let (node, service) = (text(node), text(service));
    let connected = errno::keeping(|| {
        uncancelled(Err(Errno::IO), || {
            let families = list::families(flags)?;
            let scopes = scopes(given, flags)?;
            let wanted = Wanted {
                node: node.ok_or(Errno::INVAL)?,
                service: service.ok_or(Errno::INVAL)?,
                families,
            };
            connect(&scopes, wanted, u64::try_from(timeout).ok())
        })
    });
    match connected {
        Ok(fd) => fd.into_raw_fd(),
        Err(why) => fail(why),
    }
}

/// What is looked up.
struct Wanted {
    node: CString,
    service: CString,
    families: Families,
}

/// The domains that take part, the preferred ones first.
fn scopes(given: &[CId], flags: c_uint) -> Result<Vec<&'static Active>, Errno> {
    if given.len() > MOST {
        return Err(Errno::INVAL);
    }
    let scope = |id: &Id| scope::of(id, false);
    if given.is_empty() {
        let all = list::visible(flags)?;
        // One that has gone meanwhile takes no part.
        let all: Vec<_> = all.iter().take(MOST).flat_map(scope).collect();
        return if all.is_empty() {
            Err(Errno::NETDOWN)
        } else {
            Ok(all)
        };
    }
    given.iter().map(|id| scope(&id.id()?)).collect()
}

fn connect(
    scopes: &[&'static Active],
    wanted: Wanted,
    timeout: Option<u64>,
) -> Result<OwnedFd, Errno> {
    let clock = Clock(Instant::now());
    let lookups = Lookups::begin(scopes, wanted)?;
    let mut race = Race::new(scopes.len());
    let mut running: Vec<OwnedFd> = Vec::new();
    let mut attempts_why = None;
    let mut names_why = Errno::NOENT;
    loop {
        let now = clock.now();
        for (domain, answer) in lookups.take() {
            let addresses = answer.unwrap_or_else(|code| {
                names_why = worse(names_why, code);
                Vec::new()
            });
            race.answered(domain, &addresses, now);
        }
        let until = match race.step(now) {
            Step::Begin(domain, address) => {
                match attempt::begin(scopes[domain], CALL, SocketType::STREAM, address, None) {
                    Ok(fd) => running.push(fd),
                    Err(why) => {
                        attempts_why.get_or_insert(why);
                        race.failed(now);
                    }
                }
                continue;
            }
            Step::End => return Err(attempts_why.unwrap_or(names_why)),
            Step::Wait(until) => until,
        };
        if timeout.is_some_and(|timeout| timeout <= now) {
            return Err(Errno::TIMEDOUT);
        }
        let until = until.into_iter().chain(timeout).min();
        for at in ready(&lookups, &running, until.map(|until| until - now))? {
            let fd = running.remove(at);
            match attempt::outcome(fd.as_fd()) {
                // The others are closed, and the look-ups end, with what holds them.
                Ok(()) => return blocking(fd),
                Err(why) => {
                    attempts_why.get_or_insert(why);
                    race.failed(clock.now());
                }
            }
        }
    }
}

/// Waits, for so many milliseconds at most; which of the attempts have come to an end, the last first.
fn ready(
    lookups: &Lookups,
    running: &[OwnedFd],
    wait: Option<u64>,
) -> Result<impl Iterator<Item = usize> + use<>, Errno> {
    let wait = wait.map(|wait| Timespec::try_from(Duration::from_millis(wait)));
    let wait = wait.transpose().map_err(|_| Errno::INVAL)?;
    let mut polled = vec![PollFd::new(&lookups.shared.bell, PollFlags::IN)];
    polled.extend(running.iter().map(|fd| PollFd::new(fd, PollFlags::OUT)));
    match poll(&mut polled, wait.as_ref()) {
        Ok(_) | Err(Errno::INTR) => {}
        Err(why) => return Err(why),
    }
    let is_ready: Vec<bool> = polled.iter().map(|one| !one.revents().is_empty()).collect();
    Ok((0..running.len()).rev().filter(move |at| is_ready[at + 1]))
}

fn blocking(fd: OwnedFd) -> Result<OwnedFd, Errno> {
    rustix::io::ioctl_fionbio(&fd, false)?;
    Ok(fd)
}

/// Milliseconds since the beginning.
struct Clock(Instant);

impl Clock {
    fn now(&self) -> u64 {
        u64::try_from(self.0.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

/// A look-up in each of the domains, which ends when nobody wants it any more.
struct Lookups {
    shared: Arc<Shared>,
}

/// Of a domain: its addresses, or an `EAI_*`.
type Answer = (usize, Result<Vec<SocketAddr>, c_int>);

struct Shared {
    answers: Mutex<Vec<Answer>>,
    /// Rings for each answer.
    bell: OwnedFd,
    /// Rings for good when no answer is wanted.
    stop: OwnedFd,
}

impl Lookups {
    fn begin(scopes: &[&'static Active], wanted: Wanted) -> Result<Self, Errno> {
        let flags = EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK;
        let shared = Arc::new(Shared {
            answers: Mutex::default(),
            bell: eventfd(0, flags)?,
            stop: eventfd(0, flags)?,
        });
        let lookups = Self { shared };
        let wanted = Arc::new(wanted);
        for (domain, active) in scopes.iter().copied().enumerate() {
            let (shared, wanted) = (Arc::clone(&lookups.shared), Arc::clone(&wanted));
            thread::spawn("mif-name", move || {
                let Wanted {
                    node,
                    service,
                    families,
                } = &*wanted;
                let (flags, stop) = (libc::AI_ADDRCONFIG, &shared.stop);
                let answer = addresses(active, node, Some(service), *families, flags, stop);
                shared.lock().push((domain, answer));
                ring(&shared.bell);
            })?;
        }
        Ok(lookups)
    }

    fn take(&self) -> Vec<Answer> {
        let _ = rustix::io::read(&self.shared.bell, &mut [0; 8]);
        std::mem::take(&mut *self.shared.lock())
    }
}

impl Drop for Lookups {
    fn drop(&mut self) {
        ring(&self.shared.stop);
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Vec<Answer>> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Which of two reasons says more, where a name was found nowhere.
fn worse(why: Errno, code: c_int) -> Errno {
    let new = match code {
        libc::EAI_NONAME | libc::EAI_NODATA => Errno::NOENT,
        libc::EAI_SERVICE => Errno::INVAL,
        libc::EAI_MEMORY => Errno::NOMEM,
        _ => Errno::AGAIN,
    };
    if why == Errno::NOENT { new } else { why }
}
