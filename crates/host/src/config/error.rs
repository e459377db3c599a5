//! Why there is no policy, and what mends it.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use mif_policy::Faults;

use crate::trust::{Distrust, Untrusted};

/// Why there is no policy although one is asked for.
#[derive(Debug)]
pub enum LoadError {
    /// A file cannot be read.
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        error: io::Error,
    },
    /// Somebody else may have written a file.
    Distrusted {
        /// The file.
        path: PathBuf,
        /// Its folder, if that is why.
        folder: Option<PathBuf>,
        /// Why it does not count.
        why: Distrust,
    },
    /// `MIF_APP` names an application that has no file.
    NoSuchApp {
        /// The name.
        name: String,
        /// Where its file was looked for; empty if the name cannot be a file's.
        searched: Vec<PathBuf>,
    },
    /// The texts or the options have faults.
    Faults(Faults),
}

impl LoadError {
    pub(super) fn of(path: &Path, why: Untrusted) -> Self {
        let path = path.to_owned();
        match why {
            Untrusted::Absent(why) => Self::Read {
                path,
                error: why.into(),
            },
            Untrusted::Unread(error) => Self::Read { path, error },
            Untrusted::File(why) => Self::Distrusted {
                path,
                folder: None,
                why,
            },
            Untrusted::Folder(folder, why) => Self::Distrusted {
                path,
                folder: Some(folder),
                why,
            },
        }
    }
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read { path, error } => {
                write!(f, "cannot read the policy {}: {error}", path.display())
            }
            Self::Distrusted { path, folder, why } => {
                write!(f, "cannot use the policy {}: ", path.display())?;
                f.write_str(&distrusted(path, folder.as_deref(), *why))
            }
            Self::NoSuchApp { name, searched } if searched.is_empty() => {
                write!(
                    f,
                    "`{}` (-a / MIF_APP) is no application's name",
                    name.escape_debug()
                )
            }
            Self::NoSuchApp { name, searched } => {
                write!(
                    f,
                    "no policy for `{}` (-a / MIF_APP); searched",
                    name.escape_debug()
                )?;
                searched
                    .iter()
                    .try_for_each(|path| write!(f, "\n  {}", path.display()))
            }
            Self::Faults(faults) => faults.fmt(f),
        }
    }
}

/// Why a list is not there, in words that follow on its name.
pub(super) fn of_list(path: &Path, why: Untrusted) -> String {
    match LoadError::of(path, why) {
        LoadError::Distrusted { path, folder, why } => {
            format!(
                "cannot be used: {}",
                distrusted(&path, folder.as_deref(), why)
            )
        }
        LoadError::Read { error, .. } => format!("cannot be read: {error}"),
        other => other.to_string(),
    }
}

/// What is wrong with a file, or with its folder, and what mends it.
fn distrusted(path: &Path, folder: Option<&Path>, why: Distrust) -> String {
    let user = rustix::process::geteuid().as_raw();
    let (whose, culprit) = match folder {
        None => ("", path),
        Some(folder) => ("in its folder, ", folder),
    };
    let word = culprit.display().to_string().replace('\'', r"'\''");
    match why {
        Distrust::Kind => format!("it {why}, which every process could read anew"),
        Distrust::Owner(_) => format!("{whose}{why}; as root: chown {user} '{word}'"),
        Distrust::Writable { .. } => format!("{whose}{why}; mend it: chmod go-w '{word}'"),
    }
}

impl std::error::Error for LoadError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Read { error, .. } => Some(error),
            Self::Distrusted { .. } | Self::NoSuchApp { .. } => None,
            Self::Faults(faults) => Some(faults),
        }
    }
}
