//! One handle: what a program has asked for by it, and what it has not been told yet.

use std::collections::VecDeque;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mif_domains::{Id, Snapshot, Subscriptions, changes};
use rustix::event::{EventfdFlags, eventfd};
use rustix::io::Errno;
use rustix::process::{Pid, getpid};

use super::message::Message;
use super::names::Stop;
use super::process::{Process, ring};

/// A program that does not read is told of the host no more from here on, until it has read this; then
/// of how things are.
const MOST_WAITING: usize = 4096;

/// `mif_t` of mif.h.
pub(crate) struct Handle {
    /// The process that opened it.
    pid: Pid,
    pub(super) process: &'static Process,
    /// Its number: no other handle of the process has it.
    pub(super) serial: u32,
    state: Mutex<State>,
}

pub(super) struct State {
    /// Readable while there is a message; `None` once the handle is closed.
    ready: Option<OwnedFd>,
    queue: VecDeque<Message>,
    pub(super) subscriptions: Subscriptions,
    /// What the program's picture of the host is. `None`: it has not asked for any.
    pub(super) told: Option<Arc<Snapshot>>,
    /// The host has changed since then.
    behind: bool,
    pub(super) doing: Vec<Doing>,
    /// The domain of what is posted without one.
    pub(super) domain: Option<Id>,
}

/// Something that is not done yet.
pub(super) struct Doing {
    /// The program's number of it.
    pub(super) id: u32,
    pub(super) pvd: Id,
    pub(super) what: What,
}

pub(super) enum What {
    /// A name.
    Translating(Arc<Stop>),
    /// A connection.
    Connecting(OwnedFd),
}

impl Handle {
    /// # Errors
    /// The process has no descriptors left.
    pub(super) fn new(process: &'static Process, serial: u32) -> Result<Self, Errno> {
        let ready = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        Ok(Self {
            pid: getpid(),
            process,
            serial,
            state: Mutex::new(State {
                ready: Some(ready),
                queue: VecDeque::new(),
                subscriptions: Subscriptions::default(),
                told: None,
                behind: false,
                doing: Vec::new(),
                domain: None,
            }),
        })
    }

    /// # Errors
    /// `ECHILD`: this is a child of the process that opened it.
    pub(super) fn check(&self) -> Result<(), Errno> {
        if self.pid == getpid() {
            Ok(())
        } else {
            Err(Errno::CHILD)
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Closes in a child of fork(2) the copy of the descriptor, if the parent was not in the middle of
    /// something then. All else stays as it is: it may be half done.
    pub(super) fn abandon(&self) {
        if let Ok(mut state) = self.state.try_lock() {
            state.ready = None;
        }
    }

    /// Takes note of how the host is: `told` is what is to be said to those whose picture is `before`.
    pub(super) fn hear(
        &self,
        before: &Arc<Snapshot>,
        now: &Arc<Snapshot>,
        told: &[mif_domains::Message],
    ) {
        let mut state = self.lock();
        match &state.told {
            Some(own) if !state.is_full() => {
                if Arc::ptr_eq(own, before) {
                    state.tell_changes(told);
                } else if !Arc::ptr_eq(own, now) {
                    let own = changes(own, now);
                    state.tell_changes(&own);
                }
                state.told = Some(Arc::clone(now));
            }
            Some(_) => state.behind = true,
            None => {}
        }
    }

    /// The next message. Where there was too much to tell, how things are now follows it.
    pub(super) fn next(&self) -> Option<Message> {
        let mut state = self.lock();
        if state.queue.len() <= 1 && state.behind {
            state.behind = false;
            if let (Some(own), Some(now)) = (state.told.take(), self.process.now()) {
                state.tell_changes(&changes(&own, &now));
                state.told = Some(now);
            }
        }
        let message = state.queue.pop_front();
        if state.queue.is_empty()
            && let Some(ready) = &state.ready
        {
            let _ = rustix::io::read(ready, &mut [0; 8]);
        }
        message
    }
}

impl State {
    /// The number of the descriptor.
    pub(super) fn descriptor(&self) -> Option<i32> {
        self.ready.as_ref().map(AsRawFd::as_raw_fd)
    }

    /// Whether nothing more of the host is told until the program has read.
    pub(super) fn is_full(&self) -> bool {
        self.queue.len() >= MOST_WAITING
    }

    /// Adds a message to those that wait.
    pub(super) fn tell(&mut self, message: Message) {
        if let Some(ready) = &self.ready {
            if self.queue.is_empty() {
                ring(ready);
            }
            self.queue.push_back(message);
        }
    }

    pub(super) fn tell_all(&mut self, messages: Vec<mif_domains::Message>) {
        for message in messages {
            self.tell(Message::Host(message));
        }
    }

    fn tell_changes(&mut self, changes: &[mif_domains::Message]) {
        let told = self.subscriptions.told(changes);
        self.tell_all(told);
    }

    /// What is being done under a number of the program's.
    pub(super) fn find(&self, id: u32) -> Option<&Doing> {
        self.doing.iter().find(|doing| doing.id == id)
    }

    /// Whether a number is that of something that is not done, or whose end is not read.
    pub(super) fn is_in_use(&self, id: u32) -> bool {
        self.is_of(id, true) || self.is_of(id, false)
    }

    /// Whether it is that of a translation, or else of a connection.
    fn is_of(&self, id: u32, a_name: bool) -> bool {
        let is_it = |message: &Message| message.id() == Some(id);
        let waits = |message: &Message| is_it(message) && message.is_of_a_name() == a_name;
        let is_done = |doing: &Doing| doing.what.is_a_name() == a_name;
        self.find(id).is_some_and(is_done) || self.queue.iter().any(waits)
    }

    /// Forgets a translation, or a connection, and takes the news of it back; what was being done is the
    /// caller's to end.
    ///
    /// # Errors
    /// `ENOENT`: there is none of this number.
    pub(super) fn forget(&mut self, id: u32, a_name: bool) -> Result<Option<Doing>, Errno> {
        if !self.is_of(id, a_name) {
            return Err(Errno::NOENT);
        }
        self.keep(|message, _| message.id() != Some(id));
        Ok(self.end(id))
    }

    pub(super) fn end(&mut self, id: u32) -> Option<Doing> {
        let at = self.doing.iter().position(|doing| doing.id == id)?;
        Some(self.doing.swap_remove(at))
    }

    /// Takes back the messages that the program does not want any more. A socket among them is closed.
    pub(super) fn keep(&mut self, wants: impl Fn(&Message, &Subscriptions) -> bool) {
        let subscriptions = &self.subscriptions;
        self.queue.retain(|message| wants(message, subscriptions));
        if self.queue.is_empty()
            && let Some(ready) = &self.ready
        {
            let _ = rustix::io::read(ready, &mut [0; 8]);
        }
    }

    /// Ends everything; nothing is told any more.
    pub(super) fn close(&mut self) {
        self.ready = None;
        self.queue.clear();
        self.told = None;
        for doing in self.doing.drain(..) {
            doing.what.stop();
        }
    }
}

impl What {
    fn is_a_name(&self) -> bool {
        matches!(self, Self::Translating(_))
    }

    /// A translation ends by itself soon; a connection, when it is dropped.
    pub(super) fn stop(&self) {
        if let Self::Translating(stop) = self {
            stop.stop();
        }
    }
}
