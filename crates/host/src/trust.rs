//! Files that count only where their text is the word of root or of the user, and of nobody else.
//!
//! The file is judged as it was opened, so that nothing can take its place between the look and the
//! reading. By raw system calls: libmif.so shows applications another `/etc/resolv.conf`, and an
//! application's errno stays as it is.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use mif_socket::Descriptor;
use rustix::buffer::spare_capacity;
use rustix::fs::{FileType, Mode, OFlags, Stat};
use rustix::io::Errno;

/// A longer file is not read. (dhclient appends to its leases for as long as it runs.)
pub(crate) const LONGEST: usize = 1024 * 1024;
/// A longer list is not read: some half a million prefixes.
pub(crate) const LONGEST_LIST: usize = 8 * LONGEST;
/// Bits that let the group or others write.
const WRITABLE: u32 = 0o022;
/// The bit that lets only its owner take a file out of a folder that all may write to.
const STICKY: u32 = 0o1000;

/// Why a file does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Distrust {
    /// It is something else: a pipe, which the first process would read empty for all others, a
    /// device, a folder.
    Kind,
    /// It belongs to this account, which is neither root nor the user.
    Owner(u32),
    /// Others may write to it.
    Writable {
        /// The account that it belongs to.
        owner: u32,
        /// The bits of its mode.
        mode: u32,
    },
}

/// Why there is no text of a policy's file.
#[derive(Debug)]
pub(crate) enum Untrusted {
    /// Nothing has this name, not even a link without a target.
    Absent(Errno),
    /// It cannot be read.
    Unread(io::Error),
    /// It does not count.
    File(Distrust),
    /// Its folder does not.
    Folder(PathBuf, Distrust),
}

impl From<Errno> for Untrusted {
    fn from(why: Errno) -> Self {
        Self::Unread(why.into())
    }
}

/// Opens a file, or whatever else somebody put there, without waiting for it and without making it
/// the terminal of the process.
pub(crate) fn open(path: &Path) -> Result<Descriptor, Errno> {
    open_with(path, OFlags::empty())
}

fn open_with(path: &Path, more: OFlags) -> Result<Descriptor, Errno> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    let open = || rustix::fs::open(path, flags | more, Mode::empty());
    rustix::io::retry_on_intr(open).map(Descriptor::from)
}

/// Opens what has this name. What has none is told from a link without a target, which means that
/// something is amiss, by one system call: most files that are asked for are not there.
fn open_named(path: &Path) -> Result<Descriptor, Untrusted> {
    match open_with(path, OFlags::NOFOLLOW) {
        Err(Errno::LOOP) => Ok(open(path)?),
        Err(why @ (Errno::NOENT | Errno::NOTDIR | Errno::NAMETOOLONG)) => {
            Err(Untrusted::Absent(why))
        }
        opened => Ok(opened?),
    }
}

/// Whether an open file counts: a regular one of root's, the user's, or one more account's, that
/// nobody else may write to. A group is always others: whether its members are the owner alone is
/// in no place that every process could afford to look at.
pub(crate) fn judge(file: &Stat, account: Option<u32>) -> Result<(), Distrust> {
    if FileType::from_raw_mode(file.st_mode) != FileType::RegularFile {
        Err(Distrust::Kind)
    } else if !is_believed(file.st_uid, account) {
        Err(Distrust::Owner(file.st_uid))
    } else if file.st_mode & WRITABLE != 0 {
        Err(Distrust::writable(file))
    } else {
        Ok(())
    }
}

/// Whether nobody else can put another file into the place of one in this folder. (A text of his own
/// would not count there; another file of the user's, by a link, would.)
pub(crate) fn judge_folder(folder: &Stat, account: Option<u32>) -> Result<(), Distrust> {
    if !is_believed(folder.st_uid, account) {
        Err(Distrust::Owner(folder.st_uid))
    } else if folder.st_mode & WRITABLE != 0 && folder.st_mode & STICKY == 0 {
        Err(Distrust::writable(folder))
    } else {
        Ok(())
    }
}

/// Whether what an account wrote counts: root, the user, or one more.
pub(crate) fn is_believed(uid: u32, account: Option<u32>) -> bool {
    uid == 0 || uid == rustix::process::geteuid().as_raw() || Some(uid) == account
}

/// The number that stands for accounts without one in this user namespace, where root is one of
/// them and nobody else has that number. In the first namespace there are none.
pub(crate) fn unmapped() -> Option<u32> {
    let text = |path: &str| text(&open(path.as_ref()).ok()?, 0).ok();
    let overflow: u32 = text("/proc/sys/kernel/overflowuid")?.trim().parse().ok()?;
    let map = text("/proc/self/uid_map")?;
    // user_namespaces(7): the first number here, the first number outside, how many.
    let holds = |line: &str| {
        let mut numbers = line.split_whitespace().map(|number| number.parse().ok());
        let (first, _, count): (u32, Option<u32>, u32) =
            (numbers.next()??, numbers.next()?, numbers.next()??);
        Some(overflow.checked_sub(first)? < count)
    };
    let is_someone = map.lines().any(|line| holds(line).unwrap_or(false));
    (!is_someone).then_some(overflow)
}

/// The text of a policy's file of at most `longest` bytes. `is_hosts` is for those of the host's folder, which count as root's
/// where this user namespace has no number for root: nobody else could have put them there.
///
/// # Errors
/// There is none, the kernel's word, or that the file or its folder does not count.
pub(crate) fn policy(
    path: &Path,
    longest: usize,
    is_hosts: impl FnOnce() -> bool,
) -> Result<String, Untrusted> {
    let file = open_named(path)?;
    let stat = rustix::fs::fstat(&file)?;
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let mut account = None;
    if !is_believed(stat.st_uid, None) && is_hosts() {
        account = unmapped();
    }
    judge(&stat, account).map_err(Untrusted::File)?;
    judge_folder(&rustix::fs::stat(folder)?, account)
        .map_err(|why| Untrusted::Folder(folder.to_owned(), why))?;
    let text = text_of(&file, stat.st_size, longest);
    text.map_err(|why| Untrusted::Unread(io::Error::new(io::ErrorKind::InvalidData, why)))
}

/// What a file contains, up to the `size` that fstat(2) told, or to its end where that is 0.
///
/// # Errors
/// Why it cannot be read, in words.
pub(crate) fn text(file: &Descriptor, size: i64) -> Result<String, String> {
    text_of(file, size, LONGEST)
}

fn text_of(file: &Descriptor, size: i64, longest: usize) -> Result<String, String> {
    let size = usize::try_from(size).unwrap_or(0);
    let mut bytes = Vec::with_capacity(size.min(longest));
    while size == 0 || bytes.len() < size {
        if bytes.len() == bytes.capacity() {
            bytes.reserve(4096);
        }
        match rustix::io::retry_on_intr(|| rustix::io::read(file, spare_capacity(&mut bytes))) {
            Ok(0) => break,
            Ok(_) => (),
            Err(why) => return Err(format!("cannot be read: {why}")),
        }
        if bytes.len() > longest {
            return Err(format!("is longer than {longest} bytes"));
        }
    }
    String::from_utf8(bytes).map_err(|_| "is not text in UTF-8".to_owned())
}

impl Distrust {
    fn writable(stat: &Stat) -> Self {
        Self::Writable {
            owner: stat.st_uid,
            mode: stat.st_mode & 0o7777,
        }
    }
}

impl fmt::Display for Distrust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kind => f.write_str("is not a regular file"),
            Self::Owner(uid) => write!(f, "its owner (uid {uid}) is neither root nor the user"),
            Self::Writable { owner, mode } => {
                write!(
                    f,
                    "others may write to it (owner uid {owner}, mode {mode:04o})"
                )
            }
        }
    }
}
