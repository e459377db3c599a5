//! The environment of the programs that an application starts: what the application took out of it,
//! of what was there when this process started, is put back (`children` of the policy).
//!
//! An environment that has all it needs is the caller's own, pointer and all. Any other is a list of
//! pointers on the stack, since a child of `vfork` must leave nothing behind in the memory of its
//! parent.

use std::ffi::{CStr, CString, OsStr, c_char, c_int};
use std::mem::MaybeUninit;
use std::os::unix::ffi::OsStrExt;

use mif_policy::Children;
use mif_program::barrier::file_name;
use rustix::io::Errno;

use crate::init::has_gained_privileges;
use crate::memory::{c_string, is_there};
use crate::secure;

/// An array of C strings that ends with a null pointer, as libc takes them.
pub(crate) type Strings = *const *const c_char;

const PRELOAD: &str = "LD_PRELOAD";
/// What chooses a policy: they are chosen together, so they are put back together.
const SELECTION: [&str; 5] = [
    "MIF_POLICY",
    "MIF_APP",
    "MIF_INTERFACE",
    "MIF_SOURCE",
    "MIF_DNS",
];
/// How it is carried out.
const MANNER: [&str; 3] = ["MIF_LOG", "MIF_LOG_FILE", "MIF_ON_ERROR"];
const CHILDREN: &str = "MIF_CHILDREN";

/// Variables that are put back at most.
const MOST: usize = 1 + SELECTION.len() + MANNER.len();
/// `LD_PRELOAD` with its value, where it is made anew.
const ROOM: usize = 4096;

/// What this process started with, each as `NAME=VALUE`. Programs write over their environment, so
/// these are copies.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    /// The file name of this library.
    library: Vec<u8>,
    /// Whether `MIF_CHILDREN` counts: not where it may be from whoever started a process that has
    /// gained privileges.
    hears: bool,
    /// The element of `LD_PRELOAD` that is this library; none if it was preloaded otherwise.
    preload: Option<CString>,
    selection: [Option<CString>; SELECTION.len()],
    manner: [Option<CString>; MANNER.len()],
}

/// What an environment has of it.
#[derive(Debug, Default)]
pub(crate) struct Given {
    count: usize,
    /// The last value of `LD_PRELOAD`, which is the one that counts for the dynamic linker.
    preload: Option<&'static [u8]>,
    library: bool,
    selection: bool,
    manner: [bool; MANNER.len()],
    /// Any of our variables, and be it an empty one.
    any: bool,
    /// `MIF_CHILDREN`.
    pub(crate) children: Option<Children>,
}

/// What is changed in an environment.
#[derive(Debug)]
pub(crate) struct Change<'k> {
    kept: &'k Kept,
    given: Given,
    drop: bool,
    preload: bool,
    selection: bool,
    manner: [bool; MANNER.len()],
}

impl Kept {
    /// Of the environment of this process, which is starting. A process that has gained privileges
    /// keeps nothing that whoever started it has said.
    pub(crate) fn from_process() -> Self {
        if has_gained_privileges() {
            return Self::default();
        }
        let library = secure::own_path().map_or(&b""[..], |path| file_name(path.to_bytes()));
        let preload = std::env::var_os(PRELOAD).unwrap_or_default();
        let ours = elements(preload.as_bytes()).find(|element| file_name(element) == library);
        Self {
            preload: ours.and_then(|element| assignment(PRELOAD, OsStr::from_bytes(element))),
            library: library.to_vec(),
            hears: true,
            selection: SELECTION.map(of_process),
            manner: MANNER.map(of_process),
        }
    }

    /// What `environment` has of this; `None` where memory that cannot be read comes before the null
    /// pointer that ends it, and the kernel is to refuse it. No array at all is an empty one.
    ///
    /// # Safety
    /// It is null, invalid for every process, or an array of C strings that stays as it is.
    pub(crate) unsafe fn look_at(&self, environment: Strings) -> Option<Given> {
        let mut given = Given::default();
        // SAFETY: the caller's contract.
        for entry in unsafe { strings(environment) } {
            given.count += 1;
            // SAFETY: the caller's contract.
            let Some((name, value)) = (unsafe { ours(entry) }) else {
                continue;
            };
            let is_set = !value.is_empty();
            if name == PRELOAD.as_bytes() {
                given.preload = Some(value);
                given.library = elements(value).any(|element| file_name(element) == self.library);
            } else if let Some(index) = position(&MANNER, name) {
                given.manner[index] |= is_set;
                given.any = true;
            } else if position(&SELECTION, name).is_some() {
                given.selection |= is_set;
                given.any = true;
            } else if name == CHILDREN.as_bytes() && self.hears {
                given.children = match value {
                    b"follow" => Some(Children::Follow),
                    b"inherit" => Some(Children::Inherit),
                    b"drop" => Some(Children::Drop),
                    _ => None,
                };
                given.any = true;
            }
        }
        let ends = environment.is_null() || is_there(environment.wrapping_add(given.count));
        ends.then_some(given)
    }

    /// What is to be changed in an environment; `None`: nothing.
    pub(crate) fn change(&self, children: Children, given: Given) -> Option<Change<'_>> {
        let preload = self.preload.is_some() && !given.library;
        let selection = self.selection.iter().any(Option::is_some) && !given.selection;
        let drop = match children {
            Children::Follow if preload || selection => false,
            Children::Drop if given.library || given.any => true,
            Children::Follow | Children::Inherit | Children::Drop => return None,
        };
        let missing = |index: usize| self.manner[index].is_some() && !given.manner[index];
        Some(Change {
            manner: [missing(0), missing(1), missing(2)],
            kept: self,
            given,
            drop,
            preload,
            selection,
        })
    }
}

impl Change<'_> {
    /// Runs what takes an environment with the changed one.
    ///
    /// # Errors
    /// `E2BIG` for one that does not fit: of more than 32,000 variables, or with an `LD_PRELOAD` of
    /// more than 4,000 bytes beside libmif.
    ///
    /// # Safety
    /// As for [`Kept::look_at`], of which `environment` is the argument.
    #[cold]
    pub(crate) unsafe fn with(
        &self,
        environment: Strings,
        run: &mut dyn FnMut(Strings) -> c_int,
    ) -> Result<c_int, Errno> {
        let with = match self.given.count + MOST {
            0..64 => Self::with_room::<64>,
            64..512 => Self::with_room::<512>,
            512..4096 => Self::with_room::<4096>,
            4096..32_768 => Self::with_room::<32_768>,
            _ => return Err(Errno::TOOBIG),
        };
        // SAFETY: the caller's contract.
        unsafe { with(self, environment, run) }
    }

    /// # Safety
    /// As for [`Self::with`]; there are fewer than `N` variables, those that are put back included.
    #[inline(never)]
    unsafe fn with_room<const N: usize>(
        &self,
        environment: Strings,
        run: &mut dyn FnMut(Strings) -> c_int,
    ) -> Result<c_int, Errno> {
        let mut list = [const { MaybeUninit::<*const c_char>::uninit() }; N];
        let mut text = [0; ROOM];
        // SAFETY: the caller's contract.
        unsafe { self.fill(environment, &mut list, &mut text) }?;
        Ok(run(list.as_ptr().cast()))
    }

    /// # Safety
    /// As for [`Self::with_room`].
    unsafe fn fill(
        &self,
        environment: Strings,
        list: &mut [MaybeUninit<*const c_char>],
        text: &mut [u8; ROOM],
    ) -> Result<(), Errno> {
        let mut slots = list.iter_mut();
        let mut put = |entry: *const c_char| slots.next().map(|slot| slot.write(entry));
        if let Some(preload) = self.preload(text)? {
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
        put(std::ptr::null()).map(drop).ok_or(Errno::TOOBIG)
    }

    /// What is put back beside `LD_PRELOAD`.
    fn others(&self) -> impl Iterator<Item = &CString> {
        let selection = self.kept.selection.iter().filter(|_| self.selection);
        let manner = self.kept.manner.iter().zip(self.manner);
        let manner = manner.filter_map(|(entry, missing)| missing.then_some(entry));
        let all = selection.chain(manner).flatten();
        all.filter(|_| !self.drop)
    }

    /// Whether a variable of this name is not left where it is.
    fn replaces(&self, name: &[u8]) -> bool {
        if name == PRELOAD.as_bytes() {
            return self.preload || self.drop;
        }
        match position(&MANNER, name) {
            _ if self.drop => true,
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
        if self.drop {
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

fn of_process(name: &str) -> Option<CString> {
    let value = std::env::var_os(name).filter(|value| !value.is_empty())?;
    assignment(name, &value)
}

fn assignment(name: &str, value: &OsStr) -> Option<CString> {
    CString::new([name.as_bytes(), b"=", value.as_bytes()].concat()).ok()
}

/// What ld.so makes of a value of `LD_PRELOAD`.
fn elements(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value
        .split(|byte| matches!(byte, b' ' | b':'))
        .filter(|element| !element.is_empty())
}

fn position(names: &[&str], name: &[u8]) -> Option<usize> {
    names.iter().position(|known| known.as_bytes() == name)
}

/// The strings of an array, none of a null pointer.
///
/// # Safety
/// As for [`Kept::look_at`].
pub(crate) unsafe fn strings(array: Strings) -> impl Iterator<Item = *const c_char> + Clone {
    let mut next = array;
    std::iter::from_fn(move || {
        if !is_there(next) {
            return None;
        }
        // SAFETY: the null pointer that ends the array has not been met yet.
        let string = unsafe { next.read() };
        next = next.wrapping_add(1);
        (!string.is_null()).then_some(string)
    })
}

/// Name and value of a variable that may be one of these.
///
/// # Safety
/// `entry` is a C string that stays as it is.
#[inline]
unsafe fn ours(entry: *const c_char) -> Option<(&'static [u8], &'static [u8])> {
    if !is_there(entry) {
        return None;
    }
    // SAFETY: a C string has at least its NUL.
    let first = unsafe { entry.cast::<u8>().read() };
    if !matches!(first, b'L' | b'M') {
        return None;
    }
    // SAFETY: the caller's contract.
    let entry = unsafe { c_string(entry) }?.to_bytes();
    if !entry.starts_with(b"LD_PRELOAD=") && !entry.starts_with(b"MIF_") {
        return None;
    }
    let end = entry.iter().position(|&byte| byte == b'=')?;
    Some((&entry[..end], &entry[end + 1..]))
}
