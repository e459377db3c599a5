//! `system` and `popen`: libc starts a shell with this process's environment, by functions inside
//! libc that no preload sees.
//!
//! Where the application has taken out of that environment what its children need, the shell is
//! told to put it back, and to become the shell that was meant.

use std::ffi::{CStr, CString, c_char, c_int};

use libc::FILE;
use mif_policy::Children;

use crate::errno;
use crate::hooks::real;
use crate::init::governing;
use crate::memory::is_there;
use crate::{exec, guard};

/// # Safety
/// As system(3).
pub(crate) unsafe fn system(command: *const c_char) -> c_int {
    // SAFETY: the caller's contract.
    let Some(ours) = (unsafe { with_environment(command) }) else {
        // SAFETY: the caller's own argument.
        return unsafe { real::system(command) };
    };
    // SAFETY: a C string. A thread that is cancelled meanwhile leaves it behind.
    let status = unsafe { real::system(ours) };
    // SAFETY: it is nobody else's.
    unsafe { free(ours) };
    status
}

/// # Safety
/// As popen(3).
pub(crate) unsafe fn popen(command: *const c_char, kind: *const c_char) -> *mut FILE {
    // SAFETY: the caller's contract.
    let Some(ours) = (unsafe { with_environment(command) }) else {
        // SAFETY: the caller's own arguments.
        return unsafe { real::popen(command, kind) };
    };
    // SAFETY: a C string, and the caller's own argument.
    let stream = unsafe { real::popen(ours, kind) };
    // SAFETY: it is nobody else's.
    unsafe { free(ours) };
    stream
}

/// The command of a shell that first puts the environment in order; `None` if it is.
///
/// # Safety
/// As system(3).
unsafe fn with_environment(command: *const c_char) -> Option<*mut c_char> {
    if !is_there(command) {
        return None;
    }
    let active = governing()?;
    // SAFETY: libc's own environment.
    let given = unsafe { active.kept.look_at(exec::own_environment()) }?;
    if given.children.unwrap_or(active.policy.children) != Children::Follow {
        return None;
    }
    let change = active.kept.change(Children::Follow, given)?;
    // SAFETY: the caller's contract.
    let command = unsafe { CStr::from_ptr(command) }.to_bytes();
    let make = || CString::new(in_order(&change.assignments(), command)).ok();
    let text = errno::keeping(|| guard::unless_panic(None, make));
    text.map(CString::into_raw)
}

/// # Safety
/// `command` is of [`with_environment`], and is not used any more.
unsafe fn free(command: *mut c_char) {
    // SAFETY: the caller's contract.
    errno::keeping(|| drop(unsafe { CString::from_raw(command) }));
}

/// For sh: `variables`, each `NAME=VALUE`, and then the command as libc gives it to a shell.
fn in_order(variables: &[Vec<u8>], command: &[u8]) -> Vec<u8> {
    let mut text = b"export".to_vec();
    for variable in variables {
        let end = variable.iter().position(|&byte| byte == b'=');
        let (name, value) = variable.split_at(end.map_or(0, |end| end + 1));
        text.push(b' ');
        text.extend_from_slice(name);
        quote(value, &mut text);
    }
    text.extend_from_slice(b"; exec /bin/sh -c ");
    quote(command, &mut text);
    text.extend_from_slice(b" sh");
    text
}

/// Appends a word that a shell reads as `word`.
fn quote(word: &[u8], to: &mut Vec<u8>) {
    to.push(b'\'');
    for (index, part) in word.split(|&byte| byte == b'\'').enumerate() {
        if index > 0 {
            to.extend_from_slice(b"'\\''");
        }
        to.extend_from_slice(part);
    }
    to.push(b'\'');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shell_reads_what_was_meant() {
        let variables = [b"A=it's".to_vec(), b"B=$A `x` \"y\"\nz".to_vec()];
        let command = b"printf '%s|%s|%s' \"$A\" \"$B\" \"$0\"";
        let text = String::from_utf8(in_order(&variables, command)).unwrap();
        let said = std::process::Command::new("/bin/sh")
            .args(["-c", &text])
            .output()
            .unwrap();
        let said = String::from_utf8(said.stdout).unwrap();
        assert_eq!(said, "it's|$A `x` \"y\"\nz|sh");
    }
}
