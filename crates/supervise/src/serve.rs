//! The loop of the supervisor: one thread that waits for questions of the kernel, for sockets that
//! calls wait for, and for children.
//!
//! A call that is interrupted by a signal is no longer waited for: it ends with `EINTR` or is begun
//! anew by the kernel (signal(7)), and is then asked about anew. One that had been carried out
//! already, while its answer was on its way, is answered then by what had come of it.

use std::collections::HashMap;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use libc::seccomp_notif_resp;
use rustix::buffer::spare_capacity;
use rustix::event::{PollFd, PollFlags, Timespec, epoll};
use rustix::io::{Errno, Result};
use rustix::net::sockopt::{self, Timeout};

use crate::address::Address;
use crate::answer::{Answer, Asked};
use crate::caller::{Call, Threads};
use crate::subject::Policed;
use crate::{kernel, sockets};

/// What is waited for beside calls, and is the caller's.
const OTHERS: u64 = 1;
const FIRST_WAITING: u64 = 16;

/// How often calls that wait are looked at, whether their callers still do: the kernel does not
/// tell.
const SWEEP: Duration = Duration::from_secs(1);
/// Threads that were interrupted at the wrong moment and never came back.
const MOST_INTERRUPTED: usize = 1024;

/// Answers calls.
pub(crate) struct Server {
    policed: &'static Policed,
    threads: Threads,
    listener: OwnedFd,
    epoll: OwnedFd,
    waiting: HashMap<u64, Waiting>,
    next: u64,
    /// When to look at them.
    sweep_at: Instant,
    /// What came of calls whose answer nobody heard, by thread; on which socket, by its cookie.
    interrupted: HashMap<i32, (Call, u64, i64)>,
}

/// A call that waits until its socket can be written to.
struct Waiting {
    call: Call,
    /// What epoll(7) looks at.
    _socket: OwnedFd,
    begun: Option<Address>,
    /// `SO_SNDTIMEO` of the socket.
    until: Option<Instant>,
}

/// What woke [`Server::wait`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Woken {
    /// Calls only, which have been answered.
    Calls,
    /// One of the other descriptors: a child, or the front has ended.
    Others,
    /// Nothing has the filter any more.
    End,
}

impl Server {
    /// `others` are waited for, too.
    pub(crate) fn new<'o>(
        policed: &'static Policed,
        listener: OwnedFd,
        others: impl IntoIterator<Item = (&'o OwnedFd, epoll::EventFlags)>,
    ) -> Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let data = epoll::EventData::new_u64;
        for (other, flags) in others {
            epoll::add(&epoll, other, data(OTHERS), flags)?;
        }
        Ok(Self {
            policed,
            threads: Threads::new(),
            listener,
            epoll,
            waiting: HashMap::new(),
            next: FIRST_WAITING,
            sweep_at: Instant::now(),
            interrupted: HashMap::new(),
        })
    }

    /// Answers what there is to answer; returns when something has happened.
    pub(crate) fn wait(&mut self) -> Woken {
        let limit = self.patience().map(|limit| Timespec {
            tv_sec: limit.as_secs().try_into().unwrap_or(1),
            tv_nsec: limit.subsec_nanos().into(),
        });
        // The listener is not epoll's, which would wake this thread on another processor than
        // the caller's (`kernel::wake_up_in_place`).
        let mut polled = [
            PollFd::new(&self.listener, PollFlags::IN),
            PollFd::new(&self.epoll, PollFlags::IN),
        ];
        if rustix::event::poll(&mut polled, limit.as_ref()).is_err() {
            return Woken::Others;
        }
        let [calls, others] = polled.map(|polled| polled.revents());
        if calls.contains(PollFlags::IN) {
            self.next_call();
        } else if !calls.is_empty() {
            return Woken::End;
        }
        let mut woken = Woken::Calls;
        if !others.is_empty() {
            let mut events = Vec::with_capacity(64);
            let at_once = Timespec::default();
            let _ = epoll::wait(&self.epoll, spare_capacity(&mut events), Some(&at_once));
            for event in events {
                let data = event.data;
                match data.u64() {
                    OTHERS => woken = Woken::Others,
                    waiting => self.try_again(waiting),
                }
            }
        }
        self.sweep();
        woken
    }

    fn next_call(&mut self) {
        // ENOENT: it was interrupted between the event and now.
        let Ok(call) = kernel::receive(self.listener.as_fd()) else {
            return;
        };
        let call = Call(call);
        match self.interrupted.remove(&call.thread()) {
            Some((earlier, socket, result))
                if earlier.repeats(&call) && self.socket_of(&call) == Some(socket) =>
            {
                self.tell(&call, Ok(result));
            }
            _ => self.answer(call, None),
        }
    }

    fn answer(&mut self, call: Call, begun: Option<Address>) {
        let asked = Asked {
            by: self.policed,
            call: &call,
            listener: self.listener.as_fd(),
            threads: &self.threads,
            begun,
        };
        match asked.answer() {
            Answer::Continue => self.send(&call, 0, 0, true),
            Answer::Done(result) => self.tell(&call, Ok(result)),
            Answer::Fail(errno) => self.tell(&call, Err(errno)),
            Answer::File(file, close_on_exec) => {
                let listener = self.listener.as_fd();
                match kernel::answer_with_file(listener, call.id(), file.as_fd(), close_on_exec) {
                    Ok(()) | Err(Errno::NOENT) => {}
                    Err(errno) => self.tell(&call, Err(errno)),
                }
            }
            Answer::Wait(socket, begun) => self.wait_for(call, socket, begun),
        }
    }

    fn tell(&mut self, call: &Call, result: core::result::Result<i64, Errno>) {
        match result {
            Ok(value) => self.send(call, value, 0, false),
            Err(errno) => self.send(call, 0, -errno.raw_os_error(), false),
        }
    }

    fn send(&mut self, call: &Call, val: i64, error: i32, go_on: bool) {
        let flags = if go_on {
            libc::SECCOMP_USER_NOTIF_FLAG_CONTINUE
        } else {
            0
        };
        let answer = seccomp_notif_resp {
            id: call.id(),
            val,
            error,
            flags: u32::try_from(flags).unwrap_or(0),
        };
        let sent = kernel::answer(self.listener.as_fd(), &answer);
        if sent == Err(Errno::NOENT) && !go_on && error == 0 {
            if self.interrupted.len() >= MOST_INTERRUPTED {
                self.interrupted.clear();
            }
            if let Some(socket) = self.socket_of(call) {
                self.interrupted.insert(call.thread(), (*call, socket, val));
            }
        }
    }

    /// The cookie of the socket that a call is about.
    fn socket_of(&self, call: &Call) -> Option<u64> {
        let socket = call.descriptor(0, &self.threads).ok()?;
        Some(sockets::cookie(socket.as_fd())).filter(|&cookie| cookie != 0)
    }

    fn wait_for(&mut self, call: Call, socket: OwnedFd, begun: Option<Address>) {
        let limit = sockopt::socket_timeout(&socket, Timeout::Send)
            .ok()
            .flatten();
        let name = self.next;
        self.next += 1;
        let flags = epoll::EventFlags::OUT | epoll::EventFlags::ONESHOT;
        let data = epoll::EventData::new_u64(name);
        if let Err(errno) = epoll::add(&self.epoll, &socket, data, flags) {
            self.tell(&call, Err(errno));
            return;
        }
        let now = Instant::now();
        let until = limit.map(|limit| now + limit);
        let sweep_at = if self.waiting.is_empty() {
            now + SWEEP
        } else {
            self.sweep_at
        };
        self.sweep_at = until.map_or(sweep_at, |until| until.min(sweep_at));
        self.waiting.insert(
            name,
            Waiting {
                call,
                _socket: socket,
                begun,
                until,
            },
        );
    }

    fn try_again(&mut self, name: u64) {
        if let Some(Waiting { call, begun, .. }) = self.waiting.remove(&name) {
            self.answer(call, begun);
        }
    }

    /// How long to wait for events.
    fn patience(&self) -> Option<Duration> {
        let until = || self.sweep_at.saturating_duration_since(Instant::now());
        (!self.waiting.is_empty()).then(until)
    }

    /// Ends calls whose time is over, and forgets those that nobody waits for.
    fn sweep(&mut self) {
        let now = Instant::now();
        if self.waiting.is_empty() || now < self.sweep_at {
            return;
        }
        let listener = self.listener.as_fd();
        let mut late = Vec::new();
        let mut next = now + SWEEP;
        self.waiting.retain(|_, waiting| match waiting.until {
            Some(until) if until <= now => {
                late.push(waiting.call);
                false
            }
            until => {
                next = until.map_or(next, |until| until.min(next));
                kernel::is_waiting(listener, waiting.call.id())
            }
        });
        self.sweep_at = next;
        for call in late {
            // connect(2) and send(2) with SO_SNDTIMEO (socket(7)).
            let errno = match call.number() {
                libc::SYS_connect => Errno::INPROGRESS,
                _ => Errno::AGAIN,
            };
            self.tell(&call, Err(errno));
        }
    }
}
