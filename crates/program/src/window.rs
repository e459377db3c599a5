//! A file, of which one piece at a time is in memory.

use std::os::fd::{AsFd, BorrowedFd};

/// A piece has what is usually asked of an ELF file: its header, segments, loader and notes. It lies
/// on the stack, which may be small.
const SIZE: usize = 2048;

/// The file, by the piece of it that was asked for last.
#[derive(Debug)]
pub struct Window<'f> {
    file: BorrowedFd<'f>,
    bytes: [u8; SIZE],
    start: u64,
    /// Fewer than there is room for: the file ends here.
    length: usize,
}

impl<'f> Window<'f> {
    /// Opens the window at the beginning of the file.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn new(file: BorrowedFd<'f>) -> rustix::io::Result<Self> {
        let mut window = Self {
            file,
            bytes: [0; SIZE],
            start: 0,
            length: 0,
        };
        window.move_to(0)?;
        Ok(window)
    }

    /// The file.
    #[must_use]
    pub fn file(&self) -> BorrowedFd<'f> {
        self.file
    }

    /// Exactly these bytes; `None` where the file ends before, or for more than a window holds.
    pub fn at(&mut self, offset: u64, length: usize) -> Option<&[u8]> {
        let read = self.up_to(offset, length)?;
        (read.len() == length).then_some(read)
    }

    /// At most this many bytes, fewer where the file or the window ends; `None` if it cannot be read.
    pub fn up_to(&mut self, offset: u64, length: usize) -> Option<&[u8]> {
        let length = length.min(SIZE);
        if !self.has(offset, length) {
            self.move_to(offset).ok()?;
        }
        let from = usize::try_from(offset - self.start).ok()?;
        let piece = self.bytes.get(from..self.length).unwrap_or_default();
        Some(&piece[..piece.len().min(length)])
    }

    /// Whether it need not be moved: these bytes are in it, or the file ends in it.
    fn has(&self, offset: u64, length: usize) -> bool {
        let ends = self.length < SIZE;
        offset
            .checked_sub(self.start)
            .and_then(|from| usize::try_from(from).ok())
            .and_then(|from| from.checked_add(length))
            .is_some_and(|end| ends || end <= self.length)
    }

    fn move_to(&mut self, offset: u64) -> rustix::io::Result<()> {
        self.length = 0;
        self.start = offset;
        while self.length < SIZE {
            let at = offset.saturating_add(self.length as u64);
            match rustix::io::pread(self.file.as_fd(), &mut self.bytes[self.length..], at) {
                Ok(0) => break,
                Ok(read) => self.length += read,
                Err(rustix::io::Errno::INTR) => {}
                Err(why) => return Err(why),
            }
        }
        Ok(())
    }
}
