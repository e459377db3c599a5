//! `/etc/hosts`, which goes before any server. It is answered here and not by libc, which asks its
//! own servers for a family that the file does not have.
//!
//! Most names and addresses are not in it. So what is kept is the set of hashes of those that are,
//! four bytes for each, and for as long as one stat(2) says that the file is the same. What may be
//! in it is looked for in the file itself. The lock is never waited for: see `mif_resolve::Cache`.

use std::fs::File;
use std::io::Read;
use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use mif_resolve::{Answer, Ask, hosts};
use parking_lot::RwLock;
use rustix::fs::{Mode, OFlags, Stat};

const PATH: &str = "/etc/hosts";
/// A file may be written to twice in one tick of its clock; one that has not been at rest for this
/// long is read again.
const AT_REST: Duration = Duration::from_secs(1);

/// What is known of the file.
#[derive(Debug)]
pub(crate) struct HostsFile(RwLock<Option<Known>>);

#[derive(Debug)]
struct Known {
    identity: Identity,
    /// Of every name in lower case and every address, sorted.
    hashes: Box<[u32]>,
}

/// Device, inode, size, and the times of the last change to the text and to the inode.
type Identity = [u64; 7];

impl HostsFile {
    pub(crate) const fn new() -> Self {
        Self(RwLock::new(None))
    }

    /// The addresses of a name that is in the file.
    pub(crate) fn lookup(&self, name: &str, ask: Ask) -> Option<Answer> {
        hosts::lookup(&self.text_with(hash(name)), name, ask)
    }

    /// The names of an address that is in the file, the canonical one first.
    pub(crate) fn names_of(&self, address: IpAddr) -> Option<Vec<String>> {
        hosts::reverse(&self.text_with(hash_of(address)), address)
    }

    /// The text, or an empty one where nothing in it has this hash.
    fn text_with(&self, hash: u32) -> String {
        if let Ok(now) = rustix::fs::stat(PATH)
            && let Some(known) = self.0.try_read()
            && let Some(known) = &*known
            && known.identity == identity(&now)
            && known.hashes.binary_search(&hash).is_err()
        {
            return String::new();
        }
        let (text, identity) = read().unwrap_or_default();
        if let Some(identity) = identity {
            let hashes = hashes(&text);
            let known = Known { identity, hashes };
            // Freed behind the lock.
            let _old = self.0.try_write().map(|mut place| place.replace(known));
        }
        text
    }
}

fn hashes(text: &str) -> Box<[u32]> {
    let names = hosts::names(text).map(hash);
    let addresses = hosts::addresses(text).map(hash_of);
    let mut hashes: Vec<u32> = names.chain(addresses).collect();
    hashes.sort_unstable();
    hashes.dedup();
    hashes.into_boxed_slice()
}

/// The text, and the file's identity if it can be told from a later one.
fn read() -> Option<(String, Option<Identity>)> {
    let fd = rustix::fs::open(PATH, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).ok()?;
    let now = rustix::fs::fstat(&fd).ok()?;
    let mut text = Vec::new();
    File::from(fd).read_to_end(&mut text).ok()?;
    let text = String::from_utf8_lossy(&text).into_owned();
    Some((text, is_at_rest(&now).then(|| identity(&now))))
}

fn is_at_rest(file: &Stat) -> bool {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let changed = |seconds: i64| Duration::from_secs(seconds.try_into().unwrap_or(0));
    now.is_ok_and(|now| {
        let since = now.checked_sub(changed(file.st_mtime).max(changed(file.st_ctime)));
        // Times are compared by whole seconds.
        since.is_some_and(|since| since > AT_REST + AT_REST)
    })
}

#[allow(clippy::cast_sign_loss, clippy::unnecessary_cast)] // Only compared; types differ by target.
fn identity(file: &Stat) -> Identity {
    [
        file.st_dev as u64,
        file.st_ino as u64,
        file.st_size as u64,
        file.st_mtime as u64,
        file.st_mtime_nsec as u64,
        file.st_ctime as u64,
        file.st_ctime_nsec as u64,
    ]
}

/// The hash of a name, whatever its case.
fn hash(name: &str) -> u32 {
    fnv(name.bytes().map(|byte| byte.to_ascii_lowercase()))
}

/// The hash of an address, however it is spelled.
fn hash_of(address: IpAddr) -> u32 {
    match address {
        IpAddr::V4(v4) => fnv(v4.octets()),
        IpAddr::V6(v6) => fnv(v6.octets()),
    }
}

/// FNV-1a.
fn fnv(bytes: impl IntoIterator<Item = u8>) -> u32 {
    bytes.into_iter().fold(0x811c_9dc5, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_of_the_file_changes_no_answer() {
        let file = HostsFile::new();
        let (text, _) = read().unwrap_or_default();
        let mut names: Vec<_> = hosts::names(&text).collect();
        names.extend(["nosuch.test", "LOCALHOST", "a.localhost", "NoSuch"]);
        for _ in 0..2 {
            for name in &names {
                for ask in [Ask::V4, Ask::V6, Ask::Both] {
                    let plain = hosts::lookup(&text, name, ask);
                    assert_eq!(file.lookup(name, ask), plain, "{name}");
                }
            }
            for address in hosts::addresses(&text).chain(["192.0.2.99".parse().unwrap()]) {
                let plain = hosts::reverse(&text, address);
                assert_eq!(file.names_of(address), plain, "{address}");
            }
        }
    }

    #[test]
    fn a_file_just_written_is_not_told_from_a_later_one() {
        let mut file = rustix::fs::stat(PATH).unwrap();
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let now = i64::try_from(now.unwrap().as_secs()).unwrap();
        for (mtime, ctime, at_rest) in [
            (now - 10, now - 10, true),
            (now - 10, now - 1, false),
            (now - 1, now - 10, false),
            (now + 10, now - 10, false),
        ] {
            (file.st_mtime, file.st_ctime) = (mtime, ctime);
            assert_eq!(is_at_rest(&file), at_rest, "{mtime} {ctime} {now}");
        }
    }
}
