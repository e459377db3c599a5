//! Start-up: the policy of this process, made once from its environment and files.

use std::ffi::{CStr, CString, OsStr};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

use mif_host::config::{Environment, Loaded};
use mif_host::{Host, View};
use mif_policy::{Policy, PvdId};
use mif_resolve::Cache;
use once_cell::race::OnceBox;

use crate::environment::Kept;
use crate::hosts_file::HostsFile;
use crate::learned::Learned;
use crate::log::{Level, Log};
use crate::log_target::Target;
use crate::{chosen, clock, errno, flags, guard, hooks, inherited};

/// A policy in force.
#[derive(Debug)]
pub(crate) struct Active {
    pub(crate) policy: Policy,
    pub(crate) host: Host,
    pub(crate) learned: Learned,
    pub(crate) cache: Cache,
    pub(crate) hosts_file: HostsFile,
    pub(crate) log: Log,
    /// What the programs that this process starts are to have, too.
    pub(crate) kept: Kept,
    /// The policy that was asked for has a fault; `policy` refuses everything.
    pub(crate) faulty: bool,
    /// This is a choice that the program has made by the MIF API.
    pub(crate) choice: Option<Choice>,
}

/// A provisioning domain that the program has chosen.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Choice {
    /// Which of the policy's it is.
    pub(crate) pvd: PvdId,
    /// The policy that it is within, if this process has one.
    pub(crate) within: Option<&'static Active>,
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

/// What is in [`STATE`], while that is in force everywhere in the process; else null.
static EVERYWHERE: AtomicPtr<Option<Active>> = AtomicPtr::new(ptr::null_mut());

/// What is in force for this call, if anything is: what the program has chosen by the MIF API for its
/// thread or itself, else the policy of the process.
#[inline]
pub(crate) fn active() -> Option<&'static Active> {
    match everywhere() {
        Some(state) => state.as_ref(),
        None => look(),
    }
}

/// What is in force everywhere in the process, if that is known.
#[inline]
fn everywhere() -> Option<&'static Option<Active>> {
    // SAFETY: null, or what STATE holds, which stays for the life of the process.
    unsafe { EVERYWHERE.load(Ordering::Acquire).as_ref() }
}

/// The policy of this process, if it has one, whatever the program has chosen within it.
///
/// Constructors of other libraries may run before ours. A call of theirs makes the policy then,
/// rather than leave by any network.
pub(crate) fn governing() -> Option<&'static Active> {
    match STATE.get() {
        Some(state) => state.as_ref(),
        None => start(),
    }
}

/// What is in force for this call, if anything is and that is known without a call.
#[inline]
pub(crate) fn known() -> Option<&'static Active> {
    everywhere()?.as_ref()
}

/// Whether it is known that nothing is in force anywhere in this process.
#[inline]
pub(crate) fn has_no_policy() -> bool {
    matches!(everywhere(), Some(None))
}

/// From now on it is looked in every call whether the program has chosen something for it.
pub(crate) fn look_for_choices() {
    EVERYWHERE.store(ptr::null_mut(), Ordering::SeqCst);
}

#[cold]
fn look() -> Option<&'static Active> {
    let governing = governing();
    if chosen::is_used() {
        return chosen::here().or(governing);
    }
    if let Some(state) = STATE.get() {
        EVERYWHERE.store(ptr::from_ref(state).cast_mut(), Ordering::SeqCst);
        if chosen::is_used() {
            // It was the first choice, made meanwhile.
            look_for_choices();
        }
    }
    governing
}

#[cold]
fn start() -> Option<&'static Active> {
    if !environment_is_there() {
        return None;
    }
    let make = || guard::uncancelled(None, || Some(load())).unwrap_or_else(|| Some(refusing()));
    let state = errno::keeping(|| STATE.get_or_init(|| Box::new(make()))).as_ref();
    #[cfg(any(target_arch = "aarch64", target_arch = "x86_64"))]
    if state.is_some() {
        crate::jump::hold_objects();
    }
    if state.is_none_or(Active::leaves_names) {
        flags::raise(flags::NAMES_ARE_LIBCS);
    }
    state
}

/// Whether libc has the environment. While `.preinit_array` of an executable runs it has not been
/// given it yet, and is given here what its own start gives it a moment later: what lies behind the
/// arguments, where the dynamic linker says that the stack began.
fn environment_is_there() -> bool {
    // SAFETY: libc's variable, which nothing writes while the process starts.
    if !unsafe { libc::environ }.is_null() {
        return true;
    }
    // SAFETY: a C string. Both looks for it and what it finds ask nothing of libc's start.
    let end = unsafe { libc::dlsym(libc::RTLD_DEFAULT, c"__libc_stack_end".as_ptr()) };
    if end.is_null() {
        return false;
    }
    // SAFETY: the dynamic linker's variable of this name is a pointer to the count of arguments.
    let count = unsafe { *end.cast::<*mut usize>() };
    // SAFETY: the kernel has written it there.
    let behind = unsafe { *count } + 2;
    // SAFETY: behind the count are the arguments with a null pointer, then the environment.
    let environment = unsafe { count.add(behind) };
    // SAFETY: the process has but this thread, in the constructors of an executable.
    unsafe { libc::environ = environment.cast() };
    true
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
        #[cfg(any(target_arch = "aarch64", target_arch = "x86_64"))]
        crate::jump::find_signal_safe();
        active();
    });
}

/// The policy of this process, if it has one. Where it has gained privileges, whoever started it has
/// no say, and nothing of the host's files is told to him.
fn load() -> Option<Active> {
    let privileged = has_gained_privileges();
    let variable = |name| std::env::var_os(name).filter(|value| !privileged && !value.is_empty());
    let (environment, program) = if privileged {
        (Environment::of_the_host(), file_name(&own_file()))
    } else {
        (Environment::from_process(), file_name(&executed_as()))
    };
    let log = |program: &str| {
        let level = variable("MIF_LOG");
        let level = Level::chosen(level.as_deref().map(OsStr::as_bytes));
        let file = variable("MIF_LOG_FILE").and_then(|path| CString::new(path.into_vec()).ok());
        Log::new(level, program.to_owned(), target(level, file))
    };
    match mif_host::config::load(&environment, &program) {
        Ok(Loaded::Policy { policy, .. }) => {
            inherited::note_sockets();
            Some(activate(policy, log(&program), false))
        }
        Ok(Loaded::NoPolicy { .. }) => None,
        Err(_) if variable("MIF_ON_ERROR").is_some_and(|choice| choice == "pass") => None,
        Err(fault) => {
            let shown = program.replace(char::is_control, "?");
            let text = if privileged {
                format!(
                    "mif: {shown}: a policy in /etc/mif has a fault (`mif check`, as root, tells \
                         which), so calls to other hosts are refused\n"
                )
            } else {
                format!(
                    "{fault}\nmif: {shown}: the policy above has a fault, so calls to other hosts \
                         are refused (MIF_ON_ERROR=pass lets them through)\n"
                )
            };
            tell(&text);
            Some(activate(Policy::refusing(), log(&program), true))
        }
    }
}

/// On standard error; an application without one has no one to tell.
fn tell(text: &str) {
    if let Some(stderr) = Target::stderr() {
        stderr.write(text.as_bytes());
    }
}

/// Where lines of this level go: into this file, else to standard error. That a file cannot be
/// written to is said here, once.
fn target(level: Level, file: Option<CString>) -> Option<Target> {
    if level == Level::Off {
        return None;
    }
    let Some(file) = file else {
        return Target::stderr();
    };
    let name = file.to_string_lossy().replace(char::is_control, "?");
    match Target::of_path(file) {
        Ok(target) => Some(target),
        Err(why) => {
            tell(&format!(
                "mif: nothing is logged: MIF_LOG_FILE={name}: {why}\n"
            ));
            None
        }
    }
}

/// Whether this process may do what the one that started it may not: a setuid, setgid or
/// file-capability program into which the administrator has the library loaded.
pub(crate) fn has_gained_privileges() -> bool {
    // SAFETY: reads the auxiliary vector, which the kernel wrote before the process began.
    unsafe { libc::getauxval(libc::AT_SECURE) != 0 }
}

/// A policy could not even be tried: nothing leaves.
fn refusing() -> Active {
    activate(Policy::refusing(), Log::silent(), true)
}

fn activate(policy: Policy, log: Log, faulty: bool) -> Active {
    Active {
        host: Host::new(&policy),
        learned: Learned::new(),
        cache: Cache::new(),
        hosts_file: HostsFile::new(),
        policy,
        log,
        kept: Kept::from_process(),
        faulty,
        choice: None,
    }
}

/// What is in force where the program has made this choice, under the policy that comes of it.
pub(crate) fn choose(choice: Choice, policy: Policy) -> Active {
    let host = Host::new(&policy);
    if flags::any(flags::MOVED) {
        host.leaves_its_namespace();
    }
    Active {
        host,
        learned: Learned::new(),
        cache: Cache::new(),
        hosts_file: HostsFile::new(),
        policy,
        log: choice
            .within
            .map_or_else(Log::silent, |within| within.log.clone()),
        // The programs that are started are under the policy of the process.
        kept: Kept::default(),
        faulty: false,
        choice: Some(choice),
    }
}

/// The path this process was executed by.
fn executed_as() -> Vec<u8> {
    // SAFETY: reads the auxiliary vector, which the kernel wrote before the process began.
    let path = unsafe { libc::getauxval(libc::AT_EXECFN) };
    if path == 0 {
        return Vec::new();
    }
    let path = std::ptr::with_exposed_provenance(path.try_into().unwrap_or(0));
    // SAFETY: AT_EXECFN points to a string of the kernel's that stays for the life of the process.
    unsafe { CStr::from_ptr(path) }.to_bytes().to_owned()
}

/// The path of the file that is executed. Whoever starts a program may have made a link to it of any
/// name.
fn own_file() -> Vec<u8> {
    let path = rustix::fs::readlink("/proc/self/exe", Vec::new());
    path.map(CString::into_bytes).unwrap_or_default()
}

/// A path without its folders.
fn file_name(path: &[u8]) -> String {
    let name = path.rsplit(|&byte| byte == b'/').next();
    String::from_utf8_lossy(name.unwrap_or_default()).into_owned()
}
