//! The thread that watches for all handles of a process: the host, and sockets that connect.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use mif_host::bell::Bell;
use mif_host::config::Environment;
use mif_host::domains::Gone;
use rustix::event::epoll::{self, Event, EventData, EventFlags};
use rustix::event::{EventfdFlags, Timespec, eventfd};
use rustix::io::Errno;

use super::connections;
use super::process::{Process, ring};

/// So much later it is looked again, where the kernel did not tell.
const RETRY: Duration = Duration::from_millis(100);
/// The longest rest between two looks: it is as long as the look was, so that a storm of changes on a
/// large host takes half of a processor and not all of it.
const LONGEST_REST: Duration = Duration::from_millis(100);
/// A clock that is set is noticed so late at most.
const LONGEST: Duration = Duration::from_hours(1);
/// What is not a connection: handles' numbers begin with 1.
const WAKE: u64 = 0;
const BELL: u64 = 1;

/// What there is to wait for.
pub(super) struct Watch {
    pub(super) bell: Bell,
    wake: OwnedFd,
    epoll: OwnedFd,
    stopped: AtomicBool,
    looking: Mutex<Looking>,
}

/// Between two looks.
#[derive(Default)]
pub(super) struct Looking {
    /// Addresses that went, and that no look has taken into account.
    pub(super) gone: Vec<Gone>,
    /// When something ends of which the kernel does not tell.
    pub(super) until: Option<SystemTime>,
}

impl Watch {
    /// # Errors
    /// The kernel does not tell, or has no room for a descriptor.
    pub(super) fn new(environment: &Environment) -> Result<Self, Errno> {
        let watch = Self {
            bell: Bell::new(environment)?,
            wake: eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?,
            epoll: epoll::create(epoll::CreateFlags::CLOEXEC)?,
            stopped: AtomicBool::new(false),
            looking: Mutex::default(),
        };
        let wake = EventData::new_u64(WAKE);
        epoll::add(&watch.epoll, &watch.wake, wake, EventFlags::IN)?;
        for fd in watch.bell.descriptors() {
            epoll::add(&watch.epoll, fd, EventData::new_u64(BELL), EventFlags::IN)?;
        }
        Ok(watch)
    }

    pub(super) fn looking(&self) -> MutexGuard<'_, Looking> {
        self.looking.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn looked_until(&self, until: Option<SystemTime>) {
        self.looking().until = until;
    }

    /// Tells the thread to end.
    pub(super) fn stop(&self) {
        self.stopped.store(true, Ordering::Release);
        ring(&self.wake);
    }

    /// Waits, once, until a socket has connected, or has failed to.
    ///
    /// # Errors
    /// The kernel has no room.
    pub(super) fn add(&self, fd: &OwnedFd, serial: u32, id: u32) -> Result<(), Errno> {
        let data = EventData::new_u64(u64::from(serial) << 32 | u64::from(id));
        epoll::add(&self.epoll, fd, data, EventFlags::OUT | EventFlags::ONESHOT)
    }

    /// Waits for it no more.
    pub(super) fn remove(&self, fd: &OwnedFd) {
        let _ = epoll::delete(&self.epoll, fd.as_fd());
    }

    /// How long to wait for what the kernel does not tell; `None` is for ever.
    fn rest(&self) -> Option<Timespec> {
        let until = self.looking().until?;
        let left = until.duration_since(SystemTime::now()).unwrap_or_default();
        // Behind the end, not just before it.
        let left = left.saturating_add(Duration::from_millis(1));
        Timespec::try_from(left.min(LONGEST)).ok()
    }
}

/// Watches until it is stopped.
pub(super) fn run(process: &'static Process, watch: &Arc<Watch>) {
    let nothing = Event {
        flags: EventFlags::empty(),
        data: EventData::new_u64(WAKE),
    };
    while !watch.stopped.load(Ordering::Acquire) {
        let mut events = [nothing; 32];
        let rest = watch.rest();
        let count = match epoll::wait(&watch.epoll, &mut events, rest.as_ref()) {
            Ok(count) => count,
            Err(Errno::INTR) => continue,
            Err(_) => return,
        };
        let mut look = count == 0;
        for event in &events[..count] {
            match event.data.u64() {
                WAKE => {}
                BELL => look = true,
                #[allow(clippy::cast_possible_truncation)] // The two halves.
                connection => {
                    let (serial, id) = ((connection >> 32) as u32, connection as u32);
                    connections::goes_on(process, watch, serial, id);
                }
            }
        }
        if look && !watch.stopped.load(Ordering::Acquire) {
            let began = Instant::now();
            if process.look(watch).is_err() {
                watch.looked_until(Some(SystemTime::now() + RETRY));
            }
            std::thread::sleep(began.elapsed().min(LONGEST_REST));
        }
    }
}
