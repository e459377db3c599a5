//! Three processes: the front, which is what was started; the supervisor below it; and the program
//! below that, so that the supervisor is an ancestor of all it watches (`ptrace_scope` 1 of Yama lets
//! nobody else look) and their reaper, also of daemons.
//!
//! The supervisor has a session of its own, which keeps it out of the reach of the terminal. If it is
//! killed all the same, the kernel answers what it would have been asked with `ENOSYS`: nothing
//! leaves. If the front is killed, so is the program.

use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use libc::sock_filter;
use mif_policy::Explicit;
use rustix::event::epoll::EventFlags;
use rustix::fs::{Mode, OFlags};
use rustix::io::{Errno, Result};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{
    Pid, PidfdFlags, PidfdGetfdFlags, Resource, Rlimit, WaitOptions, WaitStatus, getrlimit,
    pidfd_getfd, pidfd_open, set_child_subreaper, setrlimit, setsid,
};
use rustix::stdio::{dup2_stderr, dup2_stdin, dup2_stdout};

use crate::filter::Wishes;
use crate::names::Names;
use crate::report::Report;
use crate::serve::{Server, Woken};
use crate::signals::{self, Set};
use crate::subject::Policed;
use crate::{Program, Trouble, filter, front, kernel};

/// As a shell has them.
const NOT_EXECUTABLE: i32 = 126;
const NOT_FOUND: i32 = 127;

/// What the program inherits of who started it, and the processes above it may not have.
#[derive(Clone, Copy)]
struct Inherited {
    held_off: Set,
    /// Nobody who ignores `SIGCHLD` is told how children end.
    ignores_children: bool,
}

/// Runs a program under supervision until it has ended; its status. Where a signal ended it, this
/// process ends by the same.
///
/// # Errors
/// Why it was not started.
pub(crate) fn run(
    policed: &'static Policed,
    program: &Program,
) -> core::result::Result<u8, Trouble> {
    let filter = filter::program(Wishes {
        opens: !policed.policy.leaves_names(),
        rings: policed.policy.io_uring,
        devices: policed.policy.explicit == Explicit::Override,
    });
    let others = Set::of_others();
    let inherited = Inherited {
        held_off: others.hold_off(),
        ignores_children: signals::set_default(libc::SIGCHLD),
    };
    let begin = || -> Result<_> {
        let arrive = others.descriptor()?;
        // For a program whose supervisor was killed.
        set_child_subreaper(Some(Pid::INIT))?;
        Ok((arrive, pipe_with(PipeFlags::CLOEXEC)?, kernel::fork()?))
    };
    let (arrive, (reports, tell), supervisor) = begin().map_err(Trouble::of)?;
    if supervisor.is_none() {
        drop((arrive, reports));
        let status = match begin_below(&tell, &filter, inherited, program) {
            Ok((child, listener)) => supervise(policed, &tell, child, listener),
            Err(errno) => {
                Report::Failed(errno.raw_os_error()).write(&tell);
                1
            }
        };
        std::process::exit(status);
    }
    drop(tell);
    let _ = let_go([true, true, false], &[&arrive, &reports]);
    front::stay(&reports, &arrive)
}

/// Starts the program below this process; it, and the descriptor of its filter.
fn begin_below(
    tell: &OwnedFd,
    filter: &[sock_filter],
    inherited: Inherited,
    program: &Program,
) -> Result<(i32, OwnedFd)> {
    set_child_subreaper(Some(Pid::INIT))?;
    let (number_is, number) = pipe_with(PipeFlags::CLOEXEC)?;
    let (taken, take) = pipe_with(PipeFlags::CLOEXEC)?;
    let Some(child) = kernel::fork()? else {
        drop((number_is, take));
        become_program(filter, inherited, program, &number, &taken);
    };
    drop((number, taken));
    let mut word = [0; 4];
    if rustix::io::retry_on_intr(|| rustix::io::read(&number_is, &mut word))? != word.len() {
        return Err(Errno::CHILD);
    }
    let number = i32::from_ne_bytes(word);
    if number < 0 {
        return Err(Errno::from_raw_os_error(-number));
    }
    let process = pidfd_open(
        Pid::from_raw(child).ok_or(Errno::SRCH)?,
        PidfdFlags::empty(),
    )?;
    let listener = pidfd_getfd(process, number, PidfdGetfdFlags::empty())?;
    Report::Started(child).write(tell);
    rustix::io::write(&take, &[0])?;
    Ok((child, listener))
}

/// In the program's process: puts the filter on, waits until the supervisor has its descriptor, and
/// becomes the program.
fn become_program(
    filter: &[sock_filter],
    inherited: Inherited,
    program: &Program,
    number: &OwnedFd,
    taken: &OwnedFd,
) -> ! {
    inherited.held_off.hold_off();
    // The runtime of this tool ignores it.
    signals::set_default(libc::SIGPIPE);
    let installed = rustix::thread::set_no_new_privs(true).and_then(|()| kernel::install(filter));
    let word = match &installed {
        Ok(listener) => listener.as_raw_fd(),
        Err(errno) => -errno.raw_os_error(),
    };
    let told = rustix::io::write(number, &word.to_ne_bytes());
    let mut go = [0];
    if told.is_err() || rustix::io::read(taken, &mut go) != Ok(1) {
        std::process::exit(NOT_EXECUTABLE);
    }
    if inherited.ignores_children {
        signals::ignore(libc::SIGCHLD);
    }
    let why = kernel::become_program(program);
    let name = program.file.to_string_lossy();
    let (status, why) = match why {
        Errno::NOENT => (NOT_FOUND, "command not found".to_owned()),
        why => (NOT_EXECUTABLE, std::io::Error::from(why).to_string()),
    };
    eprintln!("mif-run: {name}: {why}");
    std::process::exit(status)
}

/// In the supervisor: serves until nothing runs any more.
fn supervise(policed: &'static Policed, tell: &OwnedFd, child: i32, listener: OwnedFd) -> i32 {
    let prepare = || -> Result<_> {
        let children = Set::of([libc::SIGCHLD]).descriptor()?;
        let null = !policed.log.needs_stderr();
        let_go([true, true, null], &[tell, &listener, &children])?;
        // Not to be stopped or hung up on by the terminal.
        let _ = setsid();
        let _ = rustix::process::chdir("/");
        let most = getrlimit(Resource::Nofile).maximum;
        let _ = setrlimit(
            Resource::Nofile,
            Rlimit {
                current: most,
                maximum: most,
            },
        );
        kernel::wake_up_in_place(listener.as_fd());
        let once = EventFlags::ET | EventFlags::ONESHOT;
        let others = [(&children, EventFlags::IN), (tell, once)];
        let server = Server::new(policed, listener, others)?;
        Ok((server, children))
    };
    let Ok((mut server, children)) = prepare() else {
        signals::send(child, libc::SIGKILL);
        return 1;
    };
    let mut ended = false;
    loop {
        let reap = match server.wait() {
            Woken::Calls => continue,
            Woken::Others => WaitOptions::NOHANG | WaitOptions::UNTRACED,
            // Whatever had the filter is ending.
            Woken::End => {
                policed.names.iter().for_each(Names::close);
                WaitOptions::empty()
            }
        };
        while signals::next(&children).is_some() {}
        if !ended && front_is_gone(tell) {
            signals::send(child, libc::SIGKILL);
        }
        loop {
            match rustix::process::wait(reap) {
                Ok(Some((process, status))) if process.as_raw_nonzero().get() == child => {
                    ended |= report(tell, status);
                }
                Ok(Some(_)) | Err(Errno::INTR) => {}
                Ok(None) => break,
                // All that the program started has ended.
                Err(_) => return 0,
            }
        }
    }
}

/// Tells the front what became of the program; whether it has ended.
fn report(tell: &OwnedFd, status: WaitStatus) -> bool {
    if let Some(signal) = status.stopping_signal() {
        // Who stopped it by SIGSTOP lets it go on by its own number, too.
        if [libc::SIGTSTP, libc::SIGTTIN, libc::SIGTTOU].contains(&signal) {
            Report::Stopped(signal).write(tell);
        }
        return false;
    }
    Report::of_end(status).write(tell);
    true
}

fn front_is_gone(tell: &OwnedFd) -> bool {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let now = Timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    let mut polled = [PollFd::new(tell, PollFlags::empty())];
    poll(&mut polled, Some(&now)) == Ok(1) && polled[0].revents().contains(PollFlags::ERR)
}

/// Lets go of what belongs to the program: of the standard streams where it is said so, and of all
/// descriptors but `keep`. Else a pipe, or the lock on a file, would outlive the program's.
pub(crate) fn let_go(streams: [bool; 3], keep: &[&OwnedFd]) -> Result<()> {
    let null = rustix::fs::open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())?;
    let [stdin, stdout, stderr] = streams;
    if stdin {
        dup2_stdin(&null)?;
    }
    if stdout {
        dup2_stdout(&null)?;
    }
    if stderr {
        dup2_stderr(&null)?;
    }
    let mut keep: Vec<u32> = keep
        .iter()
        .map(|fd| fd.as_raw_fd().cast_unsigned())
        .collect();
    keep.push(null.as_raw_fd().cast_unsigned());
    keep.sort_unstable();
    let mut from = 3;
    for fd in keep {
        kernel::close_range(from, fd.wrapping_sub(1));
        from = from.max(fd + 1);
    }
    kernel::close_range(from, u32::MAX);
    Ok(())
}
