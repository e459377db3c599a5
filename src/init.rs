//! Start-up: the policy of this process, made once from its environment and files.

use std::ffi::{CStr, CString, OsStr};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::sync::atomic::{AtomicI32, Ordering};

use mif_host::config::{Environment, Loaded};
use mif_host::{Host, View};
use mif_policy::Policy;
use mif_resolve::Cache;
use once_cell::race::OnceBox;
use rustix::event::{PollFd, PollFlags, Timespec};

use crate::hosts_file::HostsFile;
use crate::learned::Learned;
use crate::log::{Level, Log};
use crate::{clock, flags, guard, hooks};

/// A policy in force.
#[derive(Debug)]
pub(crate) struct Active {
    pub(crate) policy: Policy,
    pub(crate) host: Host,
    pub(crate) learned: Learned,
    pub(crate) cache: Cache,
    pub(crate) hosts_file: HostsFile,
    pub(crate) log: Log,
    /// The policy that was asked for has a fault; `policy` refuses everything.
    pub(crate) faulty: bool,
}

impl Active {
    /// The host now. Taken once for each call, so that a call has one view of the host.
    pub(crate) fn view(&self) -> View<'_> {
        self.host.at(clock::milliseconds())
    }

    /// Whether no look-up is the policy's, and none is spoken of.
    fn leaves_names(&self) -> bool {
        self.policy.leaves_names() && !self.log.wants(Level::Decisions)
    }
}

/// `None` inside: this process has no policy.
static STATE: OnceBox<Option<Active>> = OnceBox::new();

/// The policy in force, if there is one.
///
/// Constructors of other libraries may run before ours. A call of theirs makes the policy then,
/// rather than leave by any network.
pub(crate) fn active() -> Option<&'static Active> {
    match STATE.get() {
        Some(state) => state.as_ref(),
        None => start(),
    }
}

/// Whether it is known that this process has no policy.
#[inline]
pub(crate) fn has_no_policy() -> bool {
    matches!(STATE.get(), Some(None))
}

/// The thread that makes the policy, 0 for none.
static MAKER: AtomicI32 = AtomicI32::new(0);

#[cold]
fn start() -> Option<&'static Active> {
    if !environment_is_there() {
        return None;
    }
    // Its own reads of files come through the hook of `open64`. One of `/etc/resolv.conf`, which
    // somebody may have named as a policy, would begin all over.
    let me = rustix::thread::gettid().as_raw_nonzero().get();
    if MAKER.swap(me, Ordering::Relaxed) == me {
        return None;
    }
    let make = || guard::uncancelled(None, || Some(load())).unwrap_or_else(|| Some(refusing()));
    let state = keeping_errno(|| STATE.get_or_init(|| Box::new(make())));
    MAKER.store(0, Ordering::Relaxed);
    let state = state.as_ref();
    #[cfg(target_arch = "x86_64")]
    if state.is_some() {
        crate::jump::hold_objects();
    }
    if state.is_none_or(Active::leaves_names) {
        flags::raise(flags::NAMES_ARE_LIBCS);
    }
    state
}

/// Runs what reads files. The C standard lets a program begin with an errno of 0.
pub(crate) fn keeping_errno<T>(read: impl FnOnce() -> T) -> T {
    // SAFETY: takes nothing and always returns this thread's errno.
    let slot = unsafe { libc::__errno_location() };
    // SAFETY: the thread's errno is always readable.
    let errno = unsafe { *slot };
    let result = read();
    // SAFETY: and writable.
    unsafe { *slot = errno };
    result
}

/// In `.preinit_array` libc has not been given the environment yet, and nothing can be decided.
fn environment_is_there() -> bool {
    // SAFETY: libc's variable, which nothing writes while the process starts.
    !unsafe { libc::environ }.is_null()
}

#[cfg(not(test))]
#[used]
#[unsafe(link_section = ".init_array")]
static CONSTRUCTOR: extern "C" fn() = constructor;

#[cfg_attr(test, allow(dead_code))]
extern "C" fn constructor() {
    guard::unless_panic((), || {
        guard::silence_panics();
        hooks::find_signal_safe();
        #[cfg(target_arch = "x86_64")]
        crate::jump::find_signal_safe();
        active();
    });
}

/// The policy of this process, if it has one.
fn load() -> Option<Active> {
    let environment = Environment::from_process();
    let program = program_name();
    let log = |program: &str| {
        let level = level(std::env::var_os("MIF_LOG").as_deref());
        let file = std::env::var_os("MIF_LOG_FILE").filter(|path| !path.is_empty());
        let file = file.and_then(|path| CString::new(path.into_vec()).ok());
        Log::new(level, program.to_owned(), file)
    };
    match mif_host::config::load(&environment, &program) {
        Ok(Loaded::Policy { policy, .. }) => {
            note_inherited_sockets();
            Some(activate(policy, log(&program), false))
        }
        Ok(Loaded::NoPolicy { .. }) => None,
        Err(_) if std::env::var_os("MIF_ON_ERROR").is_some_and(|choice| choice == "pass") => None,
        Err(fault) => {
            let text = format!(
                "{fault}\nmif: {program}: the policy above has a fault, so calls to other hosts \
                 are refused (MIF_ON_ERROR=pass lets them through)\n"
            );
            // An application without a stderr has no one to tell.
            let _ = rustix::io::write(rustix::stdio::stderr(), text.as_bytes());
            Some(activate(Policy::refusing(), log(&program), true))
        }
    }
}

/// A policy could not even be tried: nothing leaves.
fn refusing() -> Active {
    let log = Log::new(Level::Off, String::new(), None);
    activate(Policy::refusing(), log, true)
}

fn activate(policy: Policy, log: Log, faulty: bool) -> Active {
    Active {
        host: Host::new(&policy),
        learned: Learned::new(),
        cache: Cache::new(),
        hosts_file: HostsFile::new(),
        policy,
        log,
        faulty,
    }
}

fn level(choice: Option<&OsStr>) -> Level {
    match choice.map(OsStr::as_bytes) {
        Some(b"refused") => Level::Refused,
        Some(b"decisions") => Level::Decisions,
        Some(b"debug") => Level::Debug,
        _ => Level::Off,
    }
}

/// The name this process was executed by, without its folders.
fn program_name() -> String {
    // SAFETY: reads the auxiliary vector, which the kernel wrote before the process began.
    let path = unsafe { libc::getauxval(libc::AT_EXECFN) };
    if path == 0 {
        return String::new();
    }
    let path = std::ptr::with_exposed_provenance(path.try_into().unwrap_or(0));
    // SAFETY: AT_EXECFN points to a string of the kernel's that stays for the life of the process.
    let path = unsafe { CStr::from_ptr(path) };
    let name = path
        .to_bytes()
        .rsplit(|&byte| byte == b'/')
        .next()
        .unwrap_or(b"");
    String::from_utf8_lossy(name).into_owned()
}

/// Raises what is not known of sockets that came over exec: an application that was handed one
/// (inetd, systemd) may have it bound or pinned.
fn note_inherited_sockets() {
    /// Descriptors that are looked at. Above the soft limit of `RLIMIT_NOFILE`, poll(2) fails, and
    /// then nothing is known and all is asked.
    const LOOKED_AT: usize = 256;
    let mut polled: Vec<PollFd<'_>> = (0..LOOKED_AT)
        .filter_map(|fd| i32::try_from(fd).ok())
        // SAFETY: a number that poll(2) is asked about; it answers POLLNVAL for one not open.
        .map(|fd| PollFd::from_borrowed_fd(unsafe { borrow(fd) }, PollFlags::empty()))
        .collect();
    let now = Timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    let found = match rustix::event::poll(&mut polled, Some(&now)) {
        Err(_) => true,
        Ok(_) => (0..).zip(&polled).any(|(fd, polled)| {
            !polled.revents().contains(PollFlags::NVAL)
                // SAFETY: open a moment ago, and only asked about.
                && mif_socket::local_address(unsafe { borrow(fd) }).is_some()
        }),
    };
    if found {
        flags::raise(flags::BOUND | flags::PINNED | flags::PREFERS);
    }
}

/// # Safety
/// The number is only used in system calls that answer `EBADF` for one that is not open.
unsafe fn borrow(fd: i32) -> std::os::fd::BorrowedFd<'static> {
    // SAFETY: the caller's contract; -1, the one forbidden value, is not passed.
    unsafe { std::os::fd::BorrowedFd::borrow_raw(fd) }
}
