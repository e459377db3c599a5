//! `mif pvd watch`: tells changes as they come.
//!
//! The kernel's multicast groups and inotify(7) only say *that* something happened; what it was
//! comes from comparing the host with what it was before. So nothing is lost when messages are,
//! and states that last shorter than a look are not told.

use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use mif_host::announced;
use mif_host::config::Environment;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::inotify;
use rustix::io::Errno;
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{AddressFamily, RecvFlags, SocketFlags, SocketType, bind, recv, socket_with};

use super::changes::{self, Change};
use super::domain::Domains;
use crate::arguments::Output;
use crate::output;

/// `RTMGRP_*` of rtnetlink(7): links, addresses and routes of both families.
const GROUPS: u32 = 0x1 | 0x10 | 0x40 | 0x100 | 0x400;

/// Where configuration agents keep what they know (`mif_host::network::Agent` says who does what).
const FOLDERS: [&str; 11] = [
    "/etc",
    "/run/systemd/netif/links",
    "/run/systemd/resolve",
    "/run/systemd/resolve/netif",
    "/run/NetworkManager",
    "/run/NetworkManager/devices",
    "/run/resolvconf/interface",
    "/run/resolvconf/interfaces",
    "/run/dhcpcd/hook-state/resolv.conf",
    "/var/lib/dhcp",
    "/var/lib/dhclient",
];

/// Tells what is there, then every change, until nobody reads any more.
///
/// # Errors
/// The kernel does not tell.
pub(super) fn run(environment: &Environment, wanted: Output) -> io::Result<()> {
    let mut bell = Bell::new(environment)?;
    let mut known = Domains::read(environment)?;
    if !tell(&changes::first(&known.pvds), wanted) {
        return Ok(());
    }
    loop {
        bell.wait()?;
        let now = Domains::read(environment)?;
        if !tell(&changes::between(&known.pvds, &now.pvds), wanted) {
            return Ok(());
        }
        known = now;
    }
}

/// False when nobody reads any more.
fn tell(changes: &[Change<'_>], wanted: Output) -> bool {
    let mut out = anstream::stdout();
    let mut tell = |change: &Change<'_>| {
        if wanted.json {
            let line = serde_json::to_string(change).map_err(io::Error::from)?;
            writeln!(out, "{line}")
        } else {
            writeln!(out, "{}", output::quiet(&change.to_string()))
        }
    };
    changes.iter().try_for_each(&mut tell).is_ok() && io::stdout().flush().is_ok()
}

/// Rings when the kernel or a file has changed something.
struct Bell {
    kernel: OwnedFd,
    files: OwnedFd,
    folders: Vec<PathBuf>,
}

impl Bell {
    fn new(environment: &Environment) -> io::Result<Self> {
        let kernel = socket_with(
            AddressFamily::NETLINK,
            SocketType::RAW,
            SocketFlags::CLOEXEC | SocketFlags::NONBLOCK,
            // NETLINK_ROUTE is number 0.
            None,
        )?;
        bind(&kernel, &SocketAddrNetlink::new(0, GROUPS))?;
        let files = inotify::init(inotify::CreateFlags::CLOEXEC | inotify::CreateFlags::NONBLOCK)?;
        let mut folders = environment.folders();
        folders.extend(FOLDERS.map(PathBuf::from));
        let user = rustix::process::geteuid().as_raw();
        let announced = [None, Some(user)].map(announced::folder);
        folders.extend(announced.map(|folder| Path::new("/").join(folder)));
        // A symbolic link's target changes where it lies.
        let target = Path::new("/etc/resolv.conf").canonicalize().ok();
        folders.extend(target.as_deref().and_then(Path::parent).map(Path::to_owned));
        let bell = Self {
            kernel,
            files,
            folders,
        };
        bell.watch_folders();
        Ok(bell)
    }

    /// Watches each folder, or for want of it the nearest one above, in which it will appear.
    /// Watching one anew changes nothing.
    fn watch_folders(&self) {
        use inotify::WatchFlags as Flags;
        let whole = Flags::CREATE
            | Flags::CLOSE_WRITE
            | Flags::MOVED_TO
            | Flags::MOVED_FROM
            | Flags::DELETE
            | Flags::ATTRIB;
        for folder in &self.folders {
            if inotify::add_watch(&self.files, folder, whole).is_ok() {
                continue;
            }
            let appears = Flags::CREATE | Flags::MOVED_TO | Flags::MASK_ADD;
            let above = folder.ancestors().skip(1);
            for above in above {
                // A folder that may not be read is not watched; changes there go unseen.
                match inotify::add_watch(&self.files, above, appears) {
                    Err(Errno::NOENT | Errno::NOTDIR) => {}
                    _ => break,
                }
            }
        }
    }

    /// Waits until something has happened.
    fn wait(&mut self) -> io::Result<()> {
        let mut fds = [
            PollFd::new(&self.kernel, PollFlags::IN),
            PollFd::new(&self.files, PollFlags::IN),
        ];
        match poll(&mut fds, None) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(why) => return Err(why.into()),
        }
        drain(|buffer| recv(&self.kernel, buffer, RecvFlags::empty()).map(|(length, _)| length));
        drain(|buffer| rustix::io::read(self.files.as_fd(), buffer));
        self.watch_folders();
        Ok(())
    }
}

/// Reads what has come. `ENOBUFS` says that more came than fitted, which makes no difference.
fn drain(mut read: impl FnMut(&mut [u8]) -> rustix::io::Result<usize>) {
    let mut buffer = [0; 16_384];
    loop {
        match read(&mut buffer) {
            Ok(1..) | Err(Errno::NOBUFS | Errno::INTR) => {}
            Ok(0) | Err(_) => return,
        }
    }
}
