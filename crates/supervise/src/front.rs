//! The process that was started as the program's place in the world: it has the program's process
//! group and terminal, hands on signals, stops when the program stops, and ends as it ends. The
//! supervisor below it stays for as long as anything runs that the program started.

use std::os::fd::OwnedFd;

use rustix::event::{PollFd, PollFlags};
use rustix::io::Errno;
use rustix::process::WaitOptions;

use crate::Trouble;
use crate::report::Report;
use crate::signals;

/// Stays until the program has ended; the status to end with. Does not return where a signal ended
/// the program.
///
/// # Errors
/// Why the program was not started.
pub(crate) fn stay(reports: &OwnedFd, arrive: &OwnedFd) -> Result<u8, Trouble> {
    let program = match Report::read(reports) {
        Ok(Some(Report::Started(program))) => program,
        Ok(Some(Report::Failed(errno))) => {
            return Err(Trouble::of(Errno::from_raw_os_error(errno)));
        }
        _ => return Err(Trouble::Ended),
    };
    let mut supervisor_lives = true;
    loop {
        if let Some(end) = hand_on(arrive, program) {
            return Ok(end_as(end));
        }
        let mut polled = vec![PollFd::new(arrive, PollFlags::IN)];
        if supervisor_lives {
            polled.push(PollFd::new(reports, PollFlags::IN));
        }
        let _ = rustix::event::poll(&mut polled, None);
        if polled
            .get(1)
            .is_none_or(|reports| reports.revents().is_empty())
        {
            continue;
        }
        match Report::read(reports) {
            Ok(Some(end @ (Report::Exited(_) | Report::Killed(_)))) => return Ok(end_as(end)),
            Ok(Some(Report::Stopped(_))) => {
                signals::stop();
                signals::send(program, libc::SIGCONT);
            }
            Ok(Some(_)) => {}
            Ok(None) | Err(_) => {
                supervisor_lives = false;
                eprintln!(
                    "mif-run: the supervisor was killed: from now on, calls that it watched fail"
                );
            }
        }
    }
}

/// Sends the program the signals that were meant for it. How it has ended, where it has become this
/// process's child, because the supervisor is no more.
fn hand_on(arrive: &OwnedFd, program: i32) -> Option<Report> {
    while let Some(arrived) = signals::next(arrive) {
        if arrived.signal == libc::SIGCHLD {
            while let Ok(Some((process, status))) = rustix::process::wait(WaitOptions::NOHANG) {
                if process.as_raw_nonzero().get() == program {
                    return Some(Report::of_end(status));
                }
            }
        } else if arrived.by_process {
            signals::send(program, arrived.signal);
        }
    }
    None
}

fn end_as(end: Report) -> u8 {
    let code = match end {
        Report::Killed(signal) => {
            signals::end_by(signal);
            128 + signal
        }
        Report::Exited(code) => code,
        _ => 1,
    };
    u8::try_from(code).unwrap_or(u8::MAX)
}
