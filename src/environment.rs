//! The environment of the programs that an application starts: what the application took out of it,
//! of what was there when this process started, is put back (`children` of the policy).
//!
//! An environment that has all it needs is the caller's own, pointer and all. Any other is a list of
//! pointers on the stack.

mod change;

use std::ffi::{CStr, CString, c_char};

use mif_policy::Children;
use mif_program::barrier::file_name;

use crate::init::has_gained_privileges;
use crate::memory::{c_string, is_there};
use crate::secure;
use crate::strings::{Strings, strings};

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
const MANNER: [&str; 4] = [REACH, "MIF_LOG", "MIF_LOG_FILE", "MIF_ON_ERROR"];
/// Whether programs that no preload reaches are supervised.
const REACH: &str = "MIF_REACH";
const PRELOAD_ALONE: &[u8] = b"preload";
const CHILDREN: &str = "MIF_CHILDREN";

/// What this process started with, each as `NAME=VALUE`. Programs write over their environment, so
/// these are copies.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    /// The file name of this library.
    library: Vec<u8>,
    /// Whether the environment counts: not where it may be from whoever started a process that has
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
    /// `MIF_REACH`.
    reach: Option<&'static [u8]>,
    /// `MIF_CHILDREN`.
    pub(crate) children: Option<Children>,
}

/// Whom an environment is changed for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum For {
    /// A program that is under the policy.
    Follower,
    /// One that is not.
    Stranger,
    /// The supervisor of one that is: this library is not in it.
    Supervisor,
}

/// What is changed in an environment.
#[derive(Debug)]
pub(crate) struct Change<'k> {
    kept: &'k Kept,
    given: Given,
    whom: For,
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
        let mut kept = Self {
            library: library.to_vec(),
            hears: true,
            ..Self::default()
        };
        // SAFETY: the process is starting, and nobody writes to its environment meanwhile.
        for entry in unsafe { own() } {
            let Some((name, value)) = of_interest(entry.to_bytes()) else {
                continue;
            };
            if name == PRELOAD.as_bytes() {
                let ours = elements(value).find(|element| file_name(element) == library);
                let ours = ours.and_then(|element| assignment(PRELOAD, element));
                kept.preload = kept.preload.or(ours);
            } else if !value.is_empty() {
                if let Some(index) = position(&SELECTION, name) {
                    kept.selection[index].get_or_insert_with(|| entry.into());
                } else if let Some(index) = position(&MANNER, name) {
                    kept.manner[index].get_or_insert_with(|| entry.into());
                }
            }
        }
        kept
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
                if name == REACH.as_bytes() && is_set {
                    given.reach = Some(value);
                }
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
        let whom = match children {
            Children::Follow if preload || selection => For::Follower,
            Children::Drop if given.library || given.any => For::Stranger,
            Children::Follow | Children::Inherit | Children::Drop => return None,
        };
        Some(self.change_for(whom, children, given))
    }

    /// Whether a program that this library does not get into is to be supervised where it is started
    /// with such an environment.
    pub(crate) fn supervises(&self, children: Children, given: &Given) -> bool {
        let wanted = match children {
            Children::Follow => true,
            Children::Inherit => given.library,
            Children::Drop => false,
        };
        let kept = || {
            self.manner[0]
                .as_ref()?
                .as_bytes()
                .strip_prefix(b"MIF_REACH=")
        };
        wanted && self.hears && given.reach.or_else(kept) != Some(PRELOAD_ALONE)
    }

    /// What is changed where the supervisor of a program is started in its place.
    pub(crate) fn change_for_supervisor(&self, children: Children, given: Given) -> Change<'_> {
        self.change_for(For::Supervisor, children, given)
    }

    fn change_for(&self, whom: For, children: Children, given: Given) -> Change<'_> {
        let follows = children == Children::Follow;
        let selection = self.selection.iter().any(Option::is_some) && !given.selection;
        Change {
            kept: self,
            whom,
            preload: self.preload.is_some() && !given.library,
            selection: follows && selection,
            manner: std::array::from_fn(|index| {
                follows && self.manner[index].is_some() && !given.manner[index]
            }),
            given,
        }
    }
}

fn assignment(name: &str, value: &[u8]) -> Option<CString> {
    CString::new([name.as_bytes(), b"=", value].concat()).ok()
}

/// The variables of this process that may be of these.
///
/// # Safety
/// Nobody writes to the environment, nor to what it points to, while it is gone through.
unsafe fn own() -> impl Iterator<Item = &'static CStr> {
    // SAFETY: libc's variable; the caller's contract.
    let mut next = unsafe { libc::environ }.cast_const();
    let entries = std::iter::from_fn(move || {
        if next.is_null() {
            return None;
        }
        // SAFETY: the null pointer that ends the array has not been met yet.
        let entry = unsafe { next.read() };
        next = next.wrapping_add(1);
        (!entry.is_null()).then_some(entry)
    });
    entries
        // SAFETY: an entry of the environment is a C string.
        .filter(|&entry| unsafe { begins_right(entry) })
        // SAFETY: the same.
        .map(|entry| unsafe { CStr::from_ptr(entry) })
}

/// Whether a variable may be one of these, by its first letter.
///
/// # Safety
/// `entry` is a C string.
#[inline]
unsafe fn begins_right(entry: *const c_char) -> bool {
    // SAFETY: a C string has at least its NUL.
    matches!(unsafe { entry.cast::<u8>().read() }, b'L' | b'M')
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

/// Name and value of a variable that may be one of these.
///
/// # Safety
/// `entry` is a C string that stays as it is.
#[inline]
unsafe fn ours(entry: *const c_char) -> Option<(&'static [u8], &'static [u8])> {
    if !is_there(entry) {
        return None;
    }
    // SAFETY: the caller's contract.
    if !unsafe { begins_right(entry) } {
        return None;
    }
    // SAFETY: the caller's contract.
    of_interest(unsafe { c_string(entry) }?.to_bytes())
}

/// The same of its bytes.
fn of_interest(entry: &[u8]) -> Option<(&[u8], &[u8])> {
    if !entry.starts_with(b"LD_PRELOAD=") && !entry.starts_with(b"MIF_") {
        return None;
    }
    let end = entry.iter().position(|&byte| byte == b'=')?;
    Some((&entry[..end], &entry[end + 1..]))
}
