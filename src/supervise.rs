//! A program that no preload reaches is started by `mif supervise`, which takes its place: the tool
//! is found where this library lies, and told what was to be started.

use std::ffi::{CStr, c_char, c_int};

use rustix::fs::{Access, AtFlags, CWD, FileType};
use rustix::io::Errno;

use crate::reach::Path;
use crate::secure;
use crate::strings::{Put, Strings, strings, with_array};

/// Where the tool is, seen from the library's folder: as installed, and in cargo's folders.
const PLACES: [&[u8]; 3] = [b"../../bin/mif", b"mif", b"../mif"];

/// The tool, if it is there and may be executed. A library that was not preloaded by its whole path
/// does not know where it lies.
pub(crate) fn tool() -> Option<Path> {
    let library = secure::own_path()?.to_bytes();
    let end = library.iter().rposition(|&byte| byte == b'/')?;
    let folder = &library[..=end];
    let is_whole = folder.starts_with(b"/");
    is_whole.then(|| PLACES.into_iter().find_map(|place| at(folder, place)))?
}

fn at(folder: &[u8], place: &[u8]) -> Option<Path> {
    let mut path = Path::of(folder)?;
    path.put(place)?;
    let mode = rustix::fs::stat(path.path()?).ok()?.st_mode;
    if FileType::from_raw_mode(mode) != FileType::RegularFile {
        return None;
    }
    let flags = AtFlags::EACCESS;
    rustix::fs::accessat(CWD, path.path()?, Access::EXEC_OK, flags).ok()?;
    Some(path)
}

/// Runs what takes arguments with those by which the tool starts `file` with `arguments`, and with
/// this `LD_PRELOAD`.
///
/// # Errors
/// `E2BIG` for more than some 32,000 arguments.
///
/// # Safety
/// `preload` is a C string. The arguments are as the exec family takes them.
pub(crate) unsafe fn with_arguments(
    file: &CStr,
    preload: *const c_char,
    arguments: Strings,
    run: &mut dyn FnMut(Strings) -> c_int,
) -> Result<c_int, Errno> {
    let ours = [
        c"mif".as_ptr(),
        c"supervise".as_ptr(),
        c"--preload".as_ptr(),
        preload,
        c"--file".as_ptr(),
        file.as_ptr(),
        c"--".as_ptr(),
    ];
    // SAFETY: the caller's contract.
    let theirs = || unsafe { strings(arguments) };
    let mut put_all = |put: Put<'_>| {
        ours.into_iter().for_each(&mut *put);
        theirs().for_each(&mut *put);
        // The kernel gives a program without arguments an empty one (Linux 5.18).
        if theirs().next().is_none() {
            put(c"".as_ptr());
        }
    };
    with_array(ours.len() + theirs().count() + 2, &mut put_all, run)
}
