//! Names that programs want to have translated (3.2.7.18 to 20), by a few threads that end when there is
//! nothing left to do.

use std::ffi::{CString, c_int};
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mif_domains::Id;
use mif_policy::Families;
use rustix::event::{EventfdFlags, eventfd};
use rustix::io::Errno;
use rustix::net::SocketType;

use super::handle::{Doing, Handle, What};
use super::look_up::addresses;
use super::message::Message;
use super::process::{Process, ring};
use super::{attempt, scope, thread};
use crate::init::Active;

/// Threads that translate at once.
const THREADS: usize = 16;
/// Names that wait for one of them.
const MOST_WAITING: usize = 4096;

/// A name to translate.
pub(super) struct Job {
    serial: u32,
    id: u32,
    pvd: Id,
    active: &'static Active,
    name: CString,
    families: Families,
    stop: Arc<Stop>,
}

/// Whether an answer is still wanted. There is a descriptor only while it is looked for: names that wait take
/// none.
#[derive(Default)]
pub(super) struct Stop(Mutex<Stopping>);

#[derive(Default)]
struct Stopping {
    is_stopped: bool,
    /// Readable once it is.
    bell: Option<Arc<OwnedFd>>,
}

impl Stop {
    pub(super) fn stop(&self) {
        let mut stopping = self.lock();
        stopping.is_stopped = true;
        if let Some(bell) = &stopping.bell {
            ring(bell);
        }
    }

    /// Begins to look: what is readable once no answer is wanted, or `None` if it is not any more.
    fn begin(&self) -> Option<Result<Arc<OwnedFd>, Errno>> {
        let mut stopping = self.lock();
        if stopping.is_stopped {
            return None;
        }
        let bell = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK).map(Arc::new);
        stopping.bell = bell.clone().ok();
        Some(bell)
    }

    fn lock(&self) -> MutexGuard<'_, Stopping> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Begins to translate a name.
///
/// # Errors
/// `EEXIST`: the number is in use. `ENOENT`, `EACCES`: no such domain, or none for this program. `EAGAIN`:
/// too many names wait, or there is no room for a thread.
pub(super) fn begin(
    handle: &Handle,
    id: u32,
    pvd: Id,
    prefer: bool,
    name: CString,
    families: Families,
) -> Result<(), Errno> {
    let active = scope::of(&pvd, prefer)?;
    let stop = Arc::new(Stop::default());
    let mut state = handle.lock();
    if state.is_in_use(id) {
        return Err(Errno::EXIST);
    }
    enqueue(
        handle.process,
        Job {
            serial: handle.serial,
            id,
            pvd: pvd.clone(),
            active,
            name,
            families,
            stop: Arc::clone(&stop),
        },
    )?;
    let what = What::Translating(stop);
    state.doing.push(Doing { id, pvd, what });
    Ok(())
}

fn enqueue(process: &'static Process, job: Job) -> Result<(), Errno> {
    let mut state = process.lock();
    if state.jobs.len() >= MOST_WAITING {
        return Err(Errno::AGAIN);
    }
    if state.translators < THREADS {
        match thread::spawn("mif-name", move || translate(process)) {
            Ok(_detached) => state.translators += 1,
            // The others will come to it.
            Err(_) if state.translators > 0 => {}
            Err(why) => return Err(why),
        }
    }
    state.jobs.push_back(job);
    Ok(())
}

/// Translates names until there are no more.
fn translate(process: &'static Process) {
    loop {
        let job = {
            let mut state = process.lock();
            let Some(job) = state.jobs.pop_front() else {
                state.translators -= 1;
                return;
            };
            job
        };
        // One that was stopped is not wanted any more, nor is one whose handle was closed.
        let found = match job.stop.begin() {
            None => continue,
            Some(Ok(bell)) => look_up(&job, &bell),
            Some(Err(_)) => Err(libc::EAI_AGAIN),
        };
        if let Some(handle) = process.handle(job.serial) {
            tell(&handle, job, found);
        }
    }
}

/// Addresses, each with what it would be reached from; or an `EAI_*`.
type Found = Result<Vec<(SocketAddr, Option<SocketAddr>)>, c_int>;

fn look_up(job: &Job, stop: &OwnedFd) -> Found {
    let addresses = addresses(job.active, &job.name, None, job.families, 0, stop)?;
    let with_source = |address| (address, source(job.active, address));
    Ok(addresses.into_iter().map(with_source).collect())
}

/// What an address would be reached from: by a datagram socket that connects and sends nothing.
fn source(active: &'static Active, address: SocketAddr) -> Option<SocketAddr> {
    /// Discard (RFC 863): one that policies hardly speak of.
    const PORT: u16 = 9;
    let mut to = address;
    to.set_port(PORT);
    let probe = attempt::begin(active, "mif_post", SocketType::DGRAM, to, None).ok()?;
    let mut source = mif_socket::local_address(probe.as_fd())?;
    source.set_port(0);
    Some(source)
}

/// Tells the program, if it still wants to know.
fn tell(handle: &Handle, job: Job, found: Found) {
    let mut state = handle.lock();
    let Job { id, pvd, stop, .. } = job;
    let is_it = |doing: &Doing| match &doing.what {
        What::Translating(own) => Arc::ptr_eq(own, &stop),
        What::Connecting(_) => false,
    };
    if !state.find(id).is_some_and(is_it) {
        return;
    }
    let done = state.end(id);
    let status = found.as_ref().err().copied().unwrap_or(0);
    for (address, source) in found.unwrap_or_default() {
        let pvd = pvd.clone();
        state.tell(Message::Name {
            pvd,
            id,
            address,
            source,
        });
    }
    state.tell(Message::NameDone { pvd, id, status });
    drop(state);
    drop(done);
}

/// Ends a translation, or takes what was found back.
///
/// # Errors
/// `ENOENT`: there is none of this number.
pub(super) fn stop(handle: &Handle, id: u32) -> Result<(), Errno> {
    if let Some(stopped) = handle.lock().forget(id, true)? {
        stopped.what.stop();
    }
    Ok(())
}
