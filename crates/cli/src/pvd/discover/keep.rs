//! The files that are kept, of which each is whole at any time.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use mif_host::announced::{self, Announced};

use super::failure;
use crate::Failure;

/// The folder of whoever calls, which nobody else writes to meanwhile.
pub(super) struct Folder {
    path: PathBuf,
    _lock: File,
}

impl Folder {
    /// # Errors
    /// The folder cannot be made or written to, or another discovery is at work.
    pub(super) fn locked() -> Result<Self, Failure> {
        let user = rustix::process::geteuid();
        let user = (!user.is_root()).then(|| user.as_raw());
        let path = Path::new("/").join(announced::folder(user));
        let locked = || -> io::Result<Option<File>> {
            DirBuilder::new()
                .recursive(true)
                .mode(0o755)
                .create(&path)?;
            let lock = OpenOptions::new()
                .create(true)
                .truncate(false)
                .write(true)
                .mode(0o644)
                // The name of no interface.
                .open(path.join(".lock."))?;
            match lock.try_lock() {
                Ok(()) => Ok(Some(lock)),
                Err(TryLockError::WouldBlock) => Ok(None),
                Err(TryLockError::Error(why)) => Err(why),
            }
        };
        match locked() {
            Ok(Some(lock)) => Ok(Self { path, _lock: lock }),
            Ok(None) => Err(failure("another `mif pvd discover` is at work".to_owned())),
            Err(why) => Err(failure(format!(
                "{} cannot be written to: {why}",
                path.display()
            ))),
        }
    }

    /// What is known of an interface; what is not understood is not known.
    pub(super) fn known(&self, interface: &str) -> Option<Announced> {
        let text = fs::read_to_string(self.path.join(interface)).ok()?;
        text.parse().ok()
    }

    /// Replaces what is known.
    ///
    /// # Errors
    /// Those of the file system.
    pub(super) fn write(&self, interface: &str, announced: &Announced) -> Result<PathBuf, Failure> {
        let place = self.path.join(interface);
        let new = self.path.join(".new.");
        let written = || -> io::Result<()> {
            let mut options = OpenOptions::new();
            let options = options.create(true).truncate(true).write(true).mode(0o644);
            options
                .open(&new)?
                .write_all(announced.to_string().as_bytes())?;
            fs::rename(&new, &place)
        };
        let failed = |why| failure(format!("{} cannot be written: {why}", place.display()));
        written().map_err(failed)?;
        Ok(place)
    }
}

/// Whether an interface has been on the same network since.
pub(super) fn attachment(interface: &str) -> u64 {
    let changes = fs::read_to_string(Path::new("/").join(announced::changes(interface)));
    announced::attachment(changes.ok().as_deref())
}
