//! What a script's first line runs: `#!` as execve(2) reads it.

/// `BINPRM_BUF_SIZE`: the kernel looks no further for the end of a `#!` line.
pub const LONGEST: usize = 256;

/// The interpreter of a file that begins so, and the one argument that the kernel makes of the rest
/// of the line, which may be empty; `None` if it is no script.
#[must_use]
pub fn interpreter(head: &[u8]) -> Option<(&[u8], &[u8])> {
    let line = head.strip_prefix(b"#!")?;
    let line = line
        .split(|&byte| byte == b'\n')
        .next()
        .unwrap_or(line)
        .trim_ascii();
    let end = line
        .iter()
        .position(u8::is_ascii_whitespace)
        .unwrap_or(line.len());
    Some((&line[..end], line[end..].trim_ascii()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_is_read_as_by_the_kernel() {
        for (head, expected) in [
            ("#!/bin/sh", Some(("/bin/sh", ""))),
            ("#! /bin/sh -e -u \nuse = 1", Some(("/bin/sh", "-e -u"))),
            ("#!\t/bin/sh\t-e\r\n", Some(("/bin/sh", "-e"))),
            ("#!/usr/bin/env\n", Some(("/usr/bin/env", ""))),
            ("#!\n/bin/sh", Some(("", ""))),
            ("#/bin/sh", None),
            ("", None),
        ] {
            let expected = expected.map(|(path, word)| (path.as_bytes(), word.as_bytes()));
            assert_eq!(interpreter(head.as_bytes()), expected, "{head:?}");
        }
    }
}
