//! The probe that starts a program in an environment of one's own, by each of libc's functions.

use mif_lab::{Command, Lab};

/// Functions that take an environment, and those that have this process's.
pub(crate) const WITH_ONE: [&str; 12] = [
    "execve",
    "execvpe",
    "execle",
    "fexecve",
    "fexecve path",
    "execveat",
    "execveat empty",
    "posix_spawn",
    "posix_spawnp",
    "vfork",
    "syscall execve",
    "syscall execveat",
];
pub(crate) const WITHOUT: [&str; 6] = ["execv", "execvp", "execl", "execlp", "system", "popen"];

pub(crate) fn all() -> impl Iterator<Item = &'static str> {
    WITH_ONE.into_iter().chain(WITHOUT)
}

/// The probe, told to start a program in this environment.
pub(crate) fn start<'l>(lab: &'l Lab, how: &str, environment: &str, words: &[&str]) -> Command<'l> {
    let probe = lab.command(lab.probe("start"));
    probe.args([how, environment]).args(words)
}
