//! What a script's first line runs, where that is `env`: as env(1) reads it.
//!
//! Only the line is read here; whether what it names is there is `program`'s to find out.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

/// What a `#!` line runs.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Interpreter {
    /// A file, with the one argument that the kernel makes of the rest of the line.
    File(PathBuf, Option<OsString>),
    /// What `env`, being that file, makes of the line.
    ByEnv(Env),
}

/// What `env` runs.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Env {
    /// A name that is looked for on PATH, and its first arguments.
    Runs(OsString, Vec<OsString>),
    /// `env -i` drops `LD_PRELOAD` with all else.
    Clears,
}

impl Interpreter {
    /// Of a file that begins so; `None` if it is no script.
    pub(crate) fn of(head: &[u8]) -> Option<Self> {
        let (path, argument) = mif_program::shebang::interpreter(head)?;
        let path = PathBuf::from(OsStr::from_bytes(path));
        if path.file_name() == Some(OsStr::new("env"))
            && let Some(env) = Env::of(argument)
        {
            return Some(Self::ByEnv(env));
        }
        let argument = (!argument.is_empty()).then(|| OsStr::from_bytes(argument).to_owned());
        Some(Self::File(path, argument))
    }
}

impl Env {
    /// Reads the one argument of `env` in a `#!` line: a name, or `-S` and words as of a shell
    /// (without its quotes, which interpreters' names do not need).
    fn of(argument: &[u8]) -> Option<Self> {
        let split = [&b"-S"[..], b"-vS", b"--split-string="];
        let words = split
            .iter()
            .find_map(|option| argument.strip_prefix(*option));
        let Some(words) = words else {
            return Self::from_words(std::iter::once(argument));
        };
        Self::from_words(words.split(u8::is_ascii_whitespace))
    }

    fn from_words<'w>(words: impl Iterator<Item = &'w [u8]>) -> Option<Self> {
        let mut words = words.filter(|word| !word.is_empty());
        while let Some(word) = words.next() {
            match word {
                b"-i" | b"-" | b"--ignore-environment" => return Some(Self::Clears),
                b"-u" | b"--unset" if words.next()? == b"LD_PRELOAD" => {
                    return Some(Self::Clears);
                }
                b"-C" => drop(words.next()?),
                _ if word.starts_with(b"-") || word.contains(&b'=') => {}
                name => {
                    let rest = words
                        .map(|word| OsStr::from_bytes(word).to_owned())
                        .collect();
                    return Some(Self::Runs(OsStr::from_bytes(name).to_owned(), rest));
                }
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, argument: Option<&str>) -> Interpreter {
        Interpreter::File(path.into(), argument.map(Into::into))
    }

    fn by_env(name: &str, rest: &[&str]) -> Interpreter {
        Interpreter::ByEnv(Env::Runs(
            name.into(),
            rest.iter().map(Into::into).collect(),
        ))
    }

    #[test]
    fn interpreters_are_the_kernels_and_those_of_env() {
        let cleared = || Interpreter::ByEnv(Env::Clears);
        for (line, expected) in [
            ("/bin/sh", file("/bin/sh", None)),
            (" /bin/sh -e -u \nuse = 1", file("/bin/sh", Some("-e -u"))),
            ("\t/bin/sh\t-e\r\n", file("/bin/sh", Some("-e"))),
            ("/usr/bin/env python3\n", by_env("python3", &[])),
            (
                "/usr/bin/env -S python3 -u -X dev\n",
                by_env("python3", &["-u", "-X", "dev"]),
            ),
            ("/usr/bin/env -Spython3 -u", by_env("python3", &["-u"])),
            ("/usr/bin/env -S LANG=C -u HOME perl", by_env("perl", &[])),
            ("/usr/bin/env -S -i python3", cleared()),
            ("/usr/bin/env -S -u LD_PRELOAD python3", cleared()),
            ("/usr/bin/env", file("/usr/bin/env", None)),
        ] {
            let head = format!("#!{line}");
            assert_eq!(Interpreter::of(head.as_bytes()), Some(expected), "{line:?}");
        }
    }
}
