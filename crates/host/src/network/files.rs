//! The files of configuration agents, which are read only if they can be believed.

use std::mem::MaybeUninit;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use mif_socket::Descriptor;
use rustix::fs::{FileType, RawDir, Stat};
use rustix::io::Errno;

use super::Trouble;
use crate::trust::{self, Distrust, is_believed, open};

/// More of a folder is not looked at.
const MAX_ENTRIES: usize = 1024;
/// Bits that let the group or others write.
const WRITABLE: u32 = 0o022;

/// The files below a root, and what has been seen of them.
pub(super) struct Files<'r> {
    root: &'r Path,
    /// When leases have to hold.
    pub(super) now: SystemTime,
    seen: Vec<Seen>,
    trouble: Vec<Trouble>,
}

/// A path as it was when it was looked at.
#[derive(Debug)]
pub(crate) struct Seen {
    path: PathBuf,
    /// `None`: there was nothing, or nothing that may be read.
    state: Option<State>,
}

/// What changes when a file does.
#[derive(Debug, PartialEq, Eq)]
struct State([u64; 6]);

impl<'r> Files<'r> {
    pub(super) fn new(root: &'r Path, now: SystemTime) -> Self {
        Self {
            root,
            now,
            seen: Vec::new(),
            trouble: Vec::new(),
        }
    }

    pub(super) fn finish(self) -> (Vec<Seen>, Vec<Trouble>) {
        (self.seen, self.trouble)
    }

    /// The text of a file that root or the user wrote. What may not be read, or is not there, is
    /// no trouble.
    pub(super) fn text(&mut self, path: &str) -> Option<(PathBuf, String)> {
        self.text_of(path, None)
    }

    /// The text of a file that may also be that of the owner of `folder`: the account that root
    /// made the agent's folder for.
    pub(super) fn text_in(&mut self, folder: &str, name: &str) -> Option<(PathBuf, String)> {
        let owner = self.owner(folder);
        self.text_of(&format!("{folder}/{name}"), owner)
    }

    fn text_of(&mut self, path: &str, owner: Option<u32>) -> Option<(PathBuf, String)> {
        let path = self.root.join(path);
        let file = self.open(&path)?;
        match read(&file, owner) {
            Ok(text) => Some((path, text)),
            Err(why) => {
                self.distrust(&path, why);
                None
            }
        }
    }

    /// The kernel's own word, which nobody can have written and which has no time of change.
    pub(super) fn kernels(&self, path: &str) -> Option<String> {
        let file = open(&self.root.join(path)).ok()?;
        trust::text(&file, 0).ok()
    }

    /// The names of what is in a folder, in the order of the alphabet.
    pub(super) fn names(&mut self, folder: &str) -> Vec<String> {
        let path = self.root.join(folder);
        let Some(folder) = self.open(&path) else {
            return Vec::new();
        };
        let mut block = [MaybeUninit::uninit(); 4096];
        let mut entries = RawDir::new(folder, &mut block);
        let mut names = Vec::new();
        while let Some(Ok(entry)) = entries.next()
            && names.len() < MAX_ENTRIES
        {
            names.extend(entry.file_name().to_str().ok().map(str::to_owned));
        }
        names.sort();
        names
    }

    /// Says why a file, or a part of it, does not count.
    pub(super) fn distrust(&mut self, file: &Path, why: impl Into<String>) {
        self.trouble.push(Trouble {
            file: file.to_owned(),
            why: why.into(),
        });
    }

    /// The account that owns a folder which only root can have made.
    fn owner(&self, folder: &str) -> Option<u32> {
        let folder = self.root.join(folder);
        let parent = rustix::fs::stat(folder.parent()?).ok()?;
        if !is_believed(parent.st_uid, None) || parent.st_mode & WRITABLE != 0 {
            return None;
        }
        let folder = rustix::fs::lstat(&folder).ok()?;
        let is_folder = FileType::from_raw_mode(folder.st_mode) == FileType::Directory;
        (is_folder && folder.st_mode & WRITABLE == 0).then_some(folder.st_uid)
    }

    fn open(&mut self, path: &Path) -> Option<Descriptor> {
        let opened = open(path);
        let state = opened.as_ref().ok().and_then(|file| {
            let stat = rustix::fs::fstat(file).ok()?;
            Some(State::of(&stat))
        });
        self.seen.push(Seen {
            path: path.to_owned(),
            state,
        });
        match opened {
            Ok(file) => Some(file),
            Err(Errno::NOENT | Errno::NOTDIR | Errno::ACCESS | Errno::PERM) => None,
            Err(why) => {
                self.distrust(path, format!("cannot be read: {why}"));
                None
            }
        }
    }
}

impl Seen {
    pub(super) fn is_unchanged(&self) -> bool {
        let now = rustix::fs::stat(&self.path).ok();
        match (now, &self.state) {
            (None, None) => true,
            (Some(now), Some(state)) => State::of(&now) == *state,
            // One that may not be read is there all the same.
            (Some(_), None) => open(&self.path).is_err(),
            (None, Some(_)) => false,
        }
    }
}

impl State {
    #[allow(clippy::cast_sign_loss)] // Compared, never counted with.
    fn of(stat: &Stat) -> Self {
        let size = if FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile {
            stat.st_size as u64
        } else {
            0
        };
        Self([
            stat.st_dev,
            stat.st_ino,
            size,
            stat.st_mtime as u64,
            stat.st_mtime_nsec,
            stat.st_ctime as u64 ^ stat.st_ctime_nsec << 32,
        ])
    }
}

/// # Errors
/// Why the file does not count.
fn read(file: &Descriptor, owner: Option<u32>) -> Result<String, String> {
    let stat = rustix::fs::fstat(file).map_err(|why| format!("cannot be read: {why}"))?;
    trust::judge(&stat, owner).map_err(|why| match why {
        Distrust::Kind => why.to_string(),
        Distrust::Owner(_) | Distrust::Writable { .. } => format!("not believed: {why}"),
    })?;
    trust::text(file, stat.st_size)
}
