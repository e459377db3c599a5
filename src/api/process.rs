//! What the handles of a process share: the look at the host, and the threads that work for them.

use std::collections::VecDeque;
use std::os::fd::{AsFd, OwnedFd};
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use mif_domains::{Snapshot, changes};
use mif_host::config::Environment;
use rustix::io::Errno;
use rustix::process::{Pid, getpid};

use super::handle::Handle;
use super::names::Job;
use super::watch::Watch;
use super::{list, scope, thread, watch};

/// One for each process: what a child of fork(2) has of its parent may be locked, or half done.
static PROCESS: AtomicPtr<Process> = AtomicPtr::new(ptr::null_mut());

/// What the handles of a process share.
pub(crate) struct Process {
    pid: Pid,
    pub(super) environment: Environment,
    state: Mutex<State>,
    /// The parent's, which is left as it is, so that whatever it holds is not lost.
    #[allow(dead_code)]
    parents: *mut Process,
}

// SAFETY: the pointer to the parent's is never followed.
unsafe impl Send for Process {}
// SAFETY: the same.
unsafe impl Sync for Process {}

#[derive(Default)]
pub(super) struct State {
    /// Those that are open, by ascending number.
    handles: Vec<Arc<Handle>>,
    last_serial: u32,
    watcher: Option<Watcher>,
    /// The host as it was seen last; `None` while nobody watches.
    now: Option<Arc<Snapshot>>,
    /// Names that wait for a thread.
    pub(super) jobs: VecDeque<Job>,
    /// Threads that translate names.
    pub(super) translators: usize,
}

struct Watcher {
    watch: Arc<Watch>,
    thread: JoinHandle<()>,
}

impl Process {
    /// Of this process; in a child of fork(2), a new one.
    pub(super) fn here() -> &'static Self {
        loop {
            let known = PROCESS.load(Ordering::Acquire);
            // SAFETY: null, or what was leaked here.
            if let Some(process) = unsafe { known.as_ref() }
                && process.pid == getpid()
            {
                return process;
            }
            let new = Box::into_raw(Box::new(Self {
                pid: getpid(),
                environment: scope::environment(),
                state: Mutex::default(),
                parents: known,
            }));
            let order = Ordering::AcqRel;
            if let Err(_other) = PROCESS.compare_exchange(known, new, order, Ordering::Acquire) {
                // SAFETY: nobody else has seen it.
                drop(unsafe { Box::from_raw(new) });
            }
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The host as it was seen last, while somebody watches.
    pub(super) fn now(&self) -> Option<Arc<Snapshot>> {
        self.lock().now.clone()
    }

    /// A new handle.
    ///
    /// # Errors
    /// The process has no descriptors left.
    pub(super) fn open(&'static self) -> Result<Arc<Handle>, Errno> {
        let mut state = self.lock();
        let serial = state.last_serial.checked_add(1).ok_or(Errno::MFILE)?;
        let handle = Arc::new(Handle::new(self, serial)?);
        state.last_serial = serial;
        state.handles.push(Arc::clone(&handle));
        Ok(handle)
    }

    /// Forgets a handle. With the last one ends who watches.
    pub(super) fn close(&self, handle: &Handle) {
        let mut state = self.lock();
        let at = state
            .handles
            .binary_search_by_key(&handle.serial, |one| one.serial);
        let _own = at.map(|at| state.handles.remove(at));
        let ending = if state.handles.is_empty() {
            state.now = None;
            state.watcher.take()
        } else {
            None
        };
        drop(state);
        if let Some(watcher) = ending {
            watcher.watch.stop();
            // It cannot panic, and if it did it would be gone all the same.
            let _ = watcher.thread.join();
        }
    }

    /// The handle with this number.
    pub(super) fn handle(&self, serial: u32) -> Option<Arc<Handle>> {
        let state = self.lock();
        let at = state
            .handles
            .binary_search_by_key(&serial, |one| one.serial);
        at.ok().map(|at| Arc::clone(&state.handles[at]))
    }

    /// Who watches the host, with what is seen, from now on.
    ///
    /// # Errors
    /// The kernel does not tell, or has no room for a descriptor or a thread.
    pub(super) fn watched(&'static self) -> Result<Arc<Watch>, Errno> {
        let mut state = self.lock();
        if let Some(watcher) = &state.watcher {
            return Ok(Arc::clone(&watcher.watch));
        }
        // It hears what happens while the first look is taken.
        let watch = Arc::new(Watch::new(&self.environment)?);
        let present = list::look(&self.environment, &Snapshot::default(), &[])?;
        watch.looked_until(present.until);
        let own = Arc::clone(&watch);
        let thread = thread::spawn("mif-watch", move || watch::run(self, &own))?;
        state.watcher = Some(Watcher {
            watch: Arc::clone(&watch),
            thread,
        });
        state.now = Some(Arc::new(present.snapshot));
        Ok(watch)
    }

    /// Looks at the host anew, and tells every handle what has changed.
    ///
    /// # Errors
    /// The kernel does not tell.
    pub(super) fn look(&self, watch: &Arc<Watch>) -> Result<(), Errno> {
        // Two looks at once would be told in any order.
        let mut looking = watch.looking();
        looking.gone.extend(watch.bell.hear());
        let Some(before) = self.now() else {
            return Ok(());
        };
        let present = list::look(&self.environment, &before, &looking.gone)?;
        looking.gone.clear();
        looking.until = present.until;
        if present.snapshot == *before {
            return Ok(());
        }
        let told = changes(&before, &present.snapshot);
        let now = Arc::new(present.snapshot);
        let handles = {
            let mut state = self.lock();
            let is_this = |watcher: &Watcher| Arc::ptr_eq(&watcher.watch, watch);
            if !state.watcher.as_ref().is_some_and(is_this) {
                return Ok(());
            }
            state.now = Some(Arc::clone(&now));
            state.handles.clone()
        };
        for handle in handles {
            handle.hear(&before, &now, &told);
        }
        Ok(())
    }
}

/// Writes to an eventfd(2).
pub(super) fn ring(bell: &OwnedFd) {
    let _ = rustix::io::write(bell.as_fd(), &1u64.to_ne_bytes());
}

#[cfg(test)]
mod tests {
    use super::super::message::Message;
    use super::*;
    use mif_domains::{Id, Interface, Stage};

    /// A host on which these interfaces carry packets.
    fn host(indices: &[u32]) -> Arc<Snapshot> {
        let interfaces = indices.iter().map(|&index| Interface {
            index,
            name: format!("wan{index}").into(),
            stage: Stage::Carrying,
            carrier_changes: [1, 0],
            domains: Vec::new(),
        });
        Arc::new(Snapshot {
            interfaces: interfaces.collect(),
        })
    }

    fn change(process: &Process, handle: &Handle, before: &Arc<Snapshot>, now: &Arc<Snapshot>) {
        process.lock().now = Some(Arc::clone(now));
        handle.hear(before, now, &changes(before, now));
    }

    #[test]
    fn a_program_that_does_not_read_is_told_how_things_are_when_it_does() {
        let process = Process::here();
        let handle = process.open().unwrap();
        let hosts = [host(&[1]), host(&[1, 2]), host(&[1, 3])];
        {
            let mut state = handle.lock();
            state.subscriptions.announce_interfaces(&hosts[0]);
            state.told = Some(Arc::clone(&hosts[0]));
            let pvd = Id::Utf8("lan".into());
            while !state.is_full() {
                let (pvd, id, status) = (pvd.clone(), 7, 0);
                state.tell(Message::NameDone { pvd, id, status });
            }
        }
        change(process, &handle, &hosts[0], &hosts[1]);
        change(process, &handle, &hosts[1], &hosts[2]);
        let names = std::iter::from_fn(|| handle.next());
        let rest = names.skip_while(Message::is_of_a_name);
        let told: Vec<String> = rest.map(|message| format!("{message:?}")).collect();
        // What came and went meanwhile is not told.
        assert_eq!(told.len(), 2, "{told:?}");
        assert!(told[0].contains("GoingUp { index: 3 }"), "{told:?}");
        assert!(told[1].contains("Interface { index: 3"), "{told:?}");
        // And from then on as ever.
        change(process, &handle, &hosts[2], &hosts[0]);
        assert!(format!("{:?}", handle.next()).contains("GoingAway { index: 3 }"));
        process.close(&handle);
    }
}
