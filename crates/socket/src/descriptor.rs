//! Descriptors that are closed by a raw system call.
#![allow(unsafe_code)]

use std::mem::ManuallyDrop;
use std::os::fd::{AsFd, BorrowedFd, IntoRawFd, OwnedFd};

/// A descriptor that only mif uses. std closes one by libc's `close`, where a thread that has been
/// cancelled (`pthread_cancel(3)`) ends by unwinding: out of a `drop`, which ends the program.
#[derive(Debug)]
pub struct Descriptor(ManuallyDrop<OwnedFd>);

impl Descriptor {
    /// The descriptor as one that std closes.
    #[must_use]
    pub fn into_owned(self) -> OwnedFd {
        let mut this = ManuallyDrop::new(self);
        // SAFETY: `this` is neither used nor dropped after this.
        unsafe { ManuallyDrop::take(&mut this.0) }
    }
}

impl From<OwnedFd> for Descriptor {
    fn from(fd: OwnedFd) -> Self {
        Self(ManuallyDrop::new(fd))
    }
}

impl AsFd for Descriptor {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl Drop for Descriptor {
    fn drop(&mut self) {
        // SAFETY: `self` is not used after this.
        let fd = unsafe { ManuallyDrop::take(&mut self.0) }.into_raw_fd();
        // SAFETY: it was owned here, and nobody else has it.
        unsafe { rustix::io::close(fd) };
    }
}
