//! The lab: a multi-homed host, its providers and the far end, made of network namespaces, for
//! black-box tests of what real programs send.
//!
//! [`Lab::new`] makes one lab: a host with `wan0` (the better default), `wan1` and the IPv4-only
//! `vpn0`; a router behind each (`ra`, `rb`, `rv`) that drops foreign sources (BCP 38), counts what
//! the host sends and runs its own DNS server; and `far`, one hop behind all of them, whose servers
//! tell each client which address it came from. `src/setup.sh` has the addresses and names. Tests
//! assert what arrived ([`Lab::arrivals`]) and what each provider saw ([`Lab::packets`],
//! [`Lab::queries`]).
//!
//! As root the lab is made in new network, mount and process namespaces and its clients run as
//! `nobody`; otherwise in a user namespace, and its clients run without capabilities. Nothing is
//! shared between labs, and nothing is left behind, even by a killed test. No packet leaves.
//!
//! What it lacks on purpose: any knowledge of mif beyond where its files are. Nothing here links
//! libmif, and everything is asserted from outside. A fault of the lab itself is a panic with the
//! reason, since no test can go on without it.

#![allow(
    clippy::missing_panics_doc,
    clippy::must_use_candidate,
    reason = "any function of a test harness panics when the lab fails; what must be used is Output"
)]

mod artifacts;
mod command;
mod observe;
mod running;

use std::{
    fs,
    io::ErrorKind,
    os::unix::fs::PermissionsExt,
    panic::{self, AssertUnwindSafe},
    path::{Path, PathBuf},
    process::{self, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::{Duration, Instant},
};

pub use artifacts::Build;
pub use command::{Command, Output};
pub use observe::Arrival;
pub use running::Running;

/// The user that clients run as when the lab is made by root: Debian's `nobody` and `nogroup`.
const NOBODY: u32 = 65_534;

/// One lab, gone when it is dropped.
#[derive(Debug)]
pub struct Lab {
    dir: PathBuf,
    holder: Running,
    by_root: bool,
}

impl Lab {
    /// Makes a lab, in less than half a second.
    #[expect(
        clippy::new_without_default,
        reason = "making a lab is an effect, not a default value"
    )]
    pub fn new() -> Self {
        let by_root = rustix::process::geteuid().is_root();
        let dir = make_dir();
        for sub in [
            "bin",
            "lib/mif",
            "libexec",
            "etc",
            "links",
            "dns",
            "home",
            "config/mif/apps",
        ] {
            fs::create_dir_all(dir.join(sub)).expect("the lab's folder is writable");
        }
        open_up(&dir);
        if by_root {
            std::os::unix::fs::chown(dir.join("home"), Some(NOBODY), Some(NOBODY))
                .expect("root may give its folders away");
        }
        artifacts::install(&dir);
        write_file(&dir.join("setup.sh"), include_str!("setup.sh"));
        write_file(&dir.join("arrivals"), "");

        let mut holder = process::Command::new("unshare");
        holder.args(["--net", "--mount", "--pid", "--fork", "--kill-child"]);
        if !by_root {
            holder.args(["--user", "--map-root-user"]);
        }
        holder
            .arg("--")
            .arg("sh")
            .arg(dir.join("setup.sh"))
            .arg(&dir);
        holder
            .env("PATH", command::PATH)
            .current_dir("/")
            .stdin(Stdio::piped());
        let holder = Running::spawn(holder);
        if !holder.stdout_has("ready\n", Duration::from_mins(1)) {
            let (_, reason) = holder.seen();
            let _ = fs::remove_dir_all(&dir);
            panic!("the lab cannot be made (scripts/test installs what it needs):\n{reason}");
        }
        Self {
            dir,
            holder,
            by_root,
        }
    }

    /// The lab's own folder, readable by all.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Writes a file that clients can read, and returns its path. `name` may have folders.
    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.dir.join(name);
        for folder in path.parent().into_iter().flat_map(Path::ancestors) {
            if folder == self.dir {
                break;
            }
            fs::create_dir_all(folder).expect("the lab's folder is writable");
            open_up_one(folder);
        }
        write_file(&path, text);
        path
    }

    /// `XDG_CONFIG_HOME` of clients.
    pub fn config_home(&self) -> PathBuf {
        self.dir.join("config")
    }

    /// `HOME` of clients and their working folder, which they may write to.
    pub fn home(&self) -> PathBuf {
        self.dir.join("home")
    }

    /// Writes the user's policy of application `name`, `apps/NAME.toml`.
    pub fn app_policy(&self, name: &str, text: &str) -> PathBuf {
        self.write(&format!("config/mif/apps/{name}.toml"), text)
    }

    /// Writes the user's provisioning domains, `pvds.toml`.
    pub fn pvds(&self, text: &str) -> PathBuf {
        self.write("config/mif/pvds.toml", text)
    }

    /// The lab's copy of `libmif.so`.
    pub fn library(&self) -> PathBuf {
        self.built("lib/mif/libmif.so")
    }

    /// The lab's copy of `mif-run`, installed beside `mif` and the library.
    pub fn mif_run(&self) -> PathBuf {
        self.built("bin/mif");
        self.library();
        self.built("bin/mif-run")
    }

    /// Compiles `tests/probes/NAME.c` (once for all tests) and returns the program.
    pub fn probe(&self, name: &str) -> PathBuf {
        self.probe_as(name, Build::Dynamic)
    }

    /// The same for `tests/probes/NAME.c` or `NAME.go`, compiled so.
    pub fn probe_as(&self, name: &str, build: Build) -> PathBuf {
        artifacts::probe(&self.dir, name, build)
    }

    /// A program to run in the lab: unprivileged on `host` and without mif, until told otherwise.
    pub fn command(&self, program: impl AsRef<Path>) -> Command<'_> {
        Command::new(self, program.as_ref())
    }

    /// Runs a command on `host`, unprivileged and without mif.
    #[track_caller]
    pub fn run(&self, words: &[&str]) -> Output {
        self.words(words).run()
    }

    /// Runs a command on `host`, unprivileged, under `mif-run OPTIONS`.
    #[track_caller]
    pub fn mif(&self, options: &[&str], words: &[&str]) -> Output {
        self.words(words).mif(options).run()
    }

    /// Runs a command on `host`, unprivileged, with `LD_PRELOAD=libmif.so` and no `mif-run`.
    #[track_caller]
    pub fn preload(&self, words: &[&str]) -> Output {
        self.words(words).preload().run()
    }

    /// Runs a command in `far`, unprivileged.
    #[track_caller]
    pub fn from_far(&self, words: &[&str]) -> Output {
        self.words(words).within("far").run()
    }

    /// Runs a command as the lab's root in `host`, `ra`, `rb`, `rv` or `far`; it must succeed.
    /// Returns its standard output.
    #[track_caller]
    pub fn as_root_in(&self, place: &str, words: &[&str]) -> String {
        let out = self.words(words).within(place).root().run();
        out.ok();
        out.stdout
    }

    /// Runs `ip WORDS` on the host as root, which must succeed: `host_ip("link set wan1 down")`.
    #[track_caller]
    pub fn host_ip(&self, words: &str) -> String {
        let words: Vec<&str> = std::iter::once("ip")
            .chain(words.split_whitespace())
            .collect();
        self.as_root_in("host", &words)
    }

    /// Makes the link between host and `rb` anew, as `setup.sh` did, under another index.
    pub fn make_wan1(&self) {
        self.host_ip(
            "link add wan1 address 02:00:00:00:02:02 type veth peer name host address \
             02:00:00:00:02:01 netns rb",
        );
        for words in [
            "address add 10.2.0.1/24 dev host",
            "address add 2001:db8:2::1/64 dev host nodad",
            "link set host up",
            "neighbour add 10.2.0.2 lladdr 02:00:00:00:02:02 nud permanent dev host",
            "neighbour add 2001:db8:2::2 lladdr 02:00:00:00:02:02 nud permanent dev host",
        ] {
            let words: Vec<&str> = ["ip"].into_iter().chain(words.split(' ')).collect();
            self.as_root_in("rb", &words);
        }
        self.link_up("wan1");
    }

    /// Takes a link of the host down. As on any host, its IPv6 addresses and all routes go.
    pub fn link_down(&self, link: &str) {
        self.as_root_in("host", &["ip", "link", "set", link, "down"]);
    }

    /// Brings a link of the host up again, with the addresses and the default routes it began with.
    pub fn link_up(&self, link: &str) {
        let batch = self.dir.join("links").join(link);
        self.as_root_in(
            "host",
            &["ip", "-batch", batch.to_str().expect("an ASCII path")],
        );
        let router = match link {
            "wan0" => "ra",
            "wan1" => "rb",
            "vpn0" => "rv",
            _ => panic!("the host has no link {link}"),
        };
        for (place, link) in [("host", link), (router, "host")] {
            eventually("the link comes up", || {
                let state = self.as_root_in(place, &["ip", "-brief", "link", "show", "dev", link]);
                state.split_whitespace().nth(1) == Some("UP")
            });
        }
    }

    fn words(&self, words: &[&str]) -> Command<'_> {
        let (program, arguments) = words.split_first().expect("a command has a program");
        self.command(program).args(arguments)
    }

    fn built(&self, name: &str) -> PathBuf {
        let path = self.dir.join(name);
        assert!(
            path.exists(),
            "{name} has not been built: run scripts/test, or `cargo build`"
        );
        path
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        if thread::panicking() {
            // A lab that is itself broken must not hide the first panic behind a second.
            if let Ok(report) = panic::catch_unwind(AssertUnwindSafe(|| self.report())) {
                eprintln!("{report}");
            }
        }
        // The holder removes the folder, then ends and takes all processes of the lab with it.
        self.holder.close_stdin();
        self.holder.ends_within(Duration::from_secs(30));
        self.holder.kill();
        let _ = fs::remove_dir_all(&self.dir);
    }
}

/// Waits up to half a minute for a condition, and panics with `what` when it does not come.
pub fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(
            start.elapsed() < Duration::from_secs(30),
            "waited in vain until {what}"
        );
        thread::sleep(Duration::from_millis(2));
    }
}

fn make_dir() -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    loop {
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let dir = PathBuf::from(format!("/tmp/mif-lab-{}-{count}", process::id()));
        match fs::create_dir(&dir) {
            Ok(()) => return dir,
            // Left by a killed process that had this number.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => panic!("{} cannot be made: {error}", dir.display()),
        }
    }
}

fn write_file(path: &Path, text: &str) {
    fs::write(path, text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    fs::set_permissions(path, fs::Permissions::from_mode(0o644)).expect("the file is ours");
}

/// Lets all users read a tree of folders, whatever the umask.
fn open_up(dir: &Path) {
    open_up_one(dir);
    for entry in fs::read_dir(dir)
        .expect("the lab's folder is readable")
        .flatten()
    {
        if entry.path().is_dir() {
            open_up(&entry.path());
        }
    }
}

fn open_up_one(dir: &Path) {
    fs::set_permissions(dir, fs::Permissions::from_mode(0o755)).expect("the folder is ours");
}
