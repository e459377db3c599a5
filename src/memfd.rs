//! Anonymous files (`memfd_create(2)`) that hold a text and can no longer be changed. Nothing here
//! allocates.

use std::ffi::CStr;
use std::fmt::{self, Write};
use std::os::fd::OwnedFd;

use mif_socket::Descriptor;
use rustix::fs::{MemfdFlags, SealFlags};
use rustix::io::{self, Errno};

use crate::room;

/// A file with the text that `write` writes, to be read from the start. `name` is for people who
/// look into `/proc`.
pub(crate) fn sealed(
    name: &CStr,
    close_on_exec: bool,
    write: impl FnOnce(&mut dyn Write) -> fmt::Result,
) -> Result<OwnedFd, Errno> {
    let mut flags = MemfdFlags::ALLOW_SEALING;
    flags.set(MemfdFlags::CLOEXEC, close_on_exec);
    let mut file = File {
        fd: rustix::fs::memfd_create(name, flags)?.into(),
        written: 0,
        buffer: [0; 512],
        used: 0,
    };
    write(&mut file).map_err(|fmt::Error| Errno::IO)?;
    file.flush()?;
    rustix::fs::fcntl_add_seals(
        &file.fd,
        SealFlags::WRITE | SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL,
    )?;
    Ok(file.fd.into_owned())
}

/// Written at places rather than on, so that its reader begins at the start.
struct File {
    fd: Descriptor,
    written: u64,
    buffer: [u8; 512],
    used: usize,
}

impl File {
    fn flush(&mut self) -> Result<(), Errno> {
        let mut rest = &self.buffer[..self.used];
        if !room::may_grow_to(self.written + rest.len() as u64) {
            return Err(Errno::FBIG);
        }
        while !rest.is_empty() {
            let more = io::retry_on_intr(|| io::pwrite(&self.fd, rest, self.written))?;
            self.written += more as u64;
            rest = &rest[more..];
        }
        self.used = 0;
        Ok(())
    }
}

impl Write for File {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for &byte in text.as_bytes() {
            if self.used == self.buffer.len() {
                self.flush().map_err(|_| fmt::Error)?;
            }
            self.buffer[self.used] = byte;
            self.used += 1;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_read_whole_and_stays() {
        let text = "suffix.test ".repeat(200);
        let file = std::fs::File::from(sealed(c"test", true, |to| to.write_str(&text)).unwrap());
        assert_eq!(std::io::read_to_string(&file).unwrap(), text);
        assert_eq!(io::pwrite(&file, b"x", 0), Err(Errno::PERM));
    }
}
