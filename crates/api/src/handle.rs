//! Messages: POST, CHECK and GET (3.2.6 of the draft).

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::time::Duration;

use crate::raw::Opened;
use crate::{Event, Request};

/// A handle of the MIF API: requests are posted, and events got. Dropping it ends all that was posted; sockets
/// that came with events stay.
///
/// Its descriptor is readable while there is an event, so any event loop can wait for it. In a forked child every
/// call fails with `ECHILD`.
///
/// ```no_run
/// use mif_api::{Api, Event, Request};
///
/// let handle = Api::load()?.open()?;
/// handle.post(&Request::AnnouncePvds { interface: None })?;
/// loop {
///     handle.check(None)?;
///     while let Some(event) = handle.get()? {
///         match event {
///             Event::Pvd { pvd, .. } => println!("{pvd} is there"),
///             Event::NoPvd { pvd, .. } => println!("{pvd} has gone"),
///             _ => {}
///         }
///     }
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Handle {
    opened: Opened,
}

impl Handle {
    pub(crate) fn new(opened: Opened) -> Self {
        Self { opened }
    }

    /// Posts a request and returns; what comes of it is told by events.
    ///
    /// # Errors
    /// `InvalidInput`: something of the request. `AlreadyExists`: its id is in use. `NotFound`: there is no
    /// such domain or id, or the policy hides it. `WouldBlock`: too much is being done.
    pub fn post(&self, request: &Request) -> io::Result<()> {
        let message = request.to_raw().ok_or(io::ErrorKind::InvalidInput)?;
        self.opened.post(&message)
    }

    /// Waits until there is an event, at most so long; `None` is without end. Whether there is one.
    ///
    /// # Errors
    /// `Interrupted`: a signal came first.
    pub fn check(&self, timeout: Option<Duration>) -> io::Result<bool> {
        self.opened.check(timeout)
    }

    /// An event, if there is one. Never waits.
    ///
    /// # Errors
    /// The handle is of the parent process.
    pub fn get(&self) -> io::Result<Option<Event>> {
        let got = self.opened.get()?;
        Ok(got.map(|(message, socket)| Event::from_raw(&message, socket)))
    }
}

impl AsFd for Handle {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.opened.fd()
    }
}

impl AsRawFd for Handle {
    fn as_raw_fd(&self) -> RawFd {
        self.opened.fd().as_raw_fd()
    }
}
