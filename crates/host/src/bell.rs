//! Tells that something has happened to the host: the kernel's multicast groups, and inotify(7) for the
//! files of configuration agents.
//!
//! What it was comes from comparing the host with what it was before. So nothing is lost when messages
//! are.

use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};

use mif_socket::Descriptor;
use rustix::fs::inotify;
use rustix::io::Errno;
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{AddressFamily, RecvFlags, SocketFlags, SocketType, bind, recv, socket_with};

use crate::announced;
use crate::config::Environment;
use crate::domains::Gone;
use crate::netlink::{self, message};

const RTM_DELADDR: u16 = 21;
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

/// Rings when the kernel or a file has changed something.
#[derive(Debug)]
pub struct Bell {
    kernel: Descriptor,
    files: Descriptor,
    folders: Vec<PathBuf>,
}

impl Bell {
    /// Listens from now on.
    ///
    /// # Errors
    /// The kernel does not tell, or has no descriptors left.
    pub fn new(environment: &Environment) -> Result<Self, Errno> {
        netlink::may_ask()?;
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
            kernel: kernel.into(),
            files: files.into(),
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

    /// What is readable when something has happened.
    #[must_use]
    pub fn descriptors(&self) -> [BorrowedFd<'_>; 2] {
        [self.kernel.as_fd(), self.files.as_fd()]
    }

    /// Takes note of all that has happened, and tells which addresses the kernel took away.
    #[must_use]
    pub fn hear(&self) -> Vec<Gone> {
        let mut gone = Vec::new();
        drain(|buffer| {
            let (length, _) = recv(&self.kernel, &mut *buffer, RecvFlags::empty())?;
            let mut rest = &buffer[..length];
            while let Some((kind, _, body, next)) = message(rest) {
                if kind == RTM_DELADDR {
                    gone.extend(Gone::read(body));
                }
                rest = next;
            }
            Ok(length)
        });
        drain(|buffer| rustix::io::read(&self.files, buffer));
        self.watch_folders();
        gone
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
