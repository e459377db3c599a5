//! What is changed in an environment, as the list of pointers and the text that come of it.

use std::ffi::{CStr, CString, c_char, c_int};

use mif_program::barrier::file_name;
use rustix::io::Errno;

use super::{Change, For, MANNER, PRELOAD, SELECTION, elements, ours, position};
use crate::strings::{Put, Strings, strings, with_array};

/// Variables that are put back at most.
const MOST: usize = 1 + SELECTION.len() + MANNER.len();
/// `LD_PRELOAD` with its value, where it is made anew.
const ROOM: usize = 4096;

impl Change<'_> {
    /// Runs what takes an environment with the changed one.
    ///
    /// # Errors
    /// `E2BIG` for one that does not fit: of more than 32,000 variables, or with an `LD_PRELOAD` of
    /// more than 4,000 bytes beside libmif.
    ///
    /// # Safety
    /// As for [`super::Kept::look_at`], of which `environment` is the argument.
    #[cold]
    pub(crate) unsafe fn with(
        &self,
        environment: Strings,
        run: &mut dyn FnMut(Strings) -> c_int,
    ) -> Result<c_int, Errno> {
        let mut text = [0; ROOM];
        let preload = self.preload(&mut text)?;
        let mut fill = |put: Put<'_>| {
            if let Some(preload) = preload {
                put(preload.as_ptr());
            }
            for entry in self.others() {
                put(entry.as_ptr());
            }
            // SAFETY: the caller's contract.
            for entry in unsafe { strings(environment) } {
                // SAFETY: the caller's contract.
                let ours = unsafe { ours(entry) };
                if !ours.is_some_and(|(name, _)| self.replaces(name)) {
                    put(entry);
                }
            }
        };
        with_array(self.given.count + MOST, &mut fill, run)
    }

    /// The value of `LD_PRELOAD` that the caller gives, as a C string.
    pub(crate) fn given_preload(&self) -> *const c_char {
        let given = self.given.preload;
        given.map_or(c"".as_ptr(), |value| value.as_ptr().cast())
    }

    /// What is put back beside `LD_PRELOAD`.
    fn others(&self) -> impl Iterator<Item = &CString> {
        let selection = self.kept.selection.iter().filter(|_| self.selection);
        let manner = self.kept.manner.iter().zip(self.manner);
        let manner = manner.filter_map(|(entry, missing)| missing.then_some(entry));
        let all = selection.chain(manner).flatten();
        all.filter(|_| self.whom != For::Stranger)
    }

    /// Whether a variable of this name is not left where it is.
    fn replaces(&self, name: &[u8]) -> bool {
        if name == PRELOAD.as_bytes() {
            return self.preload || self.whom != For::Follower;
        }
        match position(&MANNER, name) {
            _ if self.whom == For::Stranger => true,
            Some(index) => self.manner[index],
            None => self.selection && position(&SELECTION, name).is_some(),
        }
    }

    /// The new `LD_PRELOAD`, in `text` if need be; `None`: there is none, or it stays.
    ///
    /// # Errors
    /// `E2BIG`: it does not fit.
    fn preload<'t>(&'t self, text: &'t mut [u8; ROOM]) -> Result<Option<&'t CStr>, Errno> {
        let given = self.given.preload.unwrap_or_default();
        let mut text = Text { text, used: 0 };
        if self.whom == For::Supervisor {
            return Ok(None);
        }
        if self.whom == For::Stranger {
            let mut others =
                elements(given).filter(|element| file_name(element) != self.kept.library);
            let Some(first) = others.next() else {
                return Ok(None);
            };
            text.put(PRELOAD.as_bytes())?.put(b"=")?.put(first)?;
            for other in others {
                text.put(b":")?.put(other)?;
            }
            return Ok(text.done());
        }
        let Some(kept) = self.kept.preload.as_deref().filter(|_| self.preload) else {
            return Ok(None);
        };
        if given.is_empty() {
            return Ok(Some(kept));
        }
        text.put(kept.to_bytes())?.put(b":")?.put(given)?;
        Ok(text.done())
    }

    /// The variables that are put back, for a shell.
    pub(crate) fn assignments(&self) -> Vec<Vec<u8>> {
        let mut text = [0; ROOM];
        let preload = self.preload(&mut text).unwrap_or(None).map(CStr::to_owned);
        let all = preload.into_iter().chain(self.others().cloned());
        all.map(CString::into_bytes).collect()
    }
}

/// A C string in the making.
struct Text<'t> {
    text: &'t mut [u8; ROOM],
    used: usize,
}

impl<'t> Text<'t> {
    fn put(&mut self, bytes: &[u8]) -> Result<&mut Self, Errno> {
        let end = self.used.saturating_add(bytes.len());
        // The last byte stays NUL.
        let room = self.text[..ROOM - 1].get_mut(self.used..end);
        let room = room.ok_or(Errno::TOOBIG)?;
        room.copy_from_slice(bytes);
        self.used = end;
        Ok(self)
    }

    fn done(self) -> Option<&'t CStr> {
        CStr::from_bytes_until_nul(self.text).ok()
    }
}
