//! A child process whose output is collected while it runs, and which does not outlive its guard.
//!
//! It is the leader of a process group of its own, which is what gets killed. Two threads read its
//! output; who waits, waits on the collected text (or on a pidfd), never on a fixed time.

use std::{
    fmt,
    io::{Read, Write},
    os::unix::process::{CommandExt, ExitStatusExt},
    process::{self, ChildStdin, Stdio},
    sync::{Arc, Condvar, Mutex},
    thread,
    time::{Duration, Instant},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    process::{Pid, PidfdFlags, Signal, kill_process, kill_process_group, pidfd_open},
};

use crate::Output;

/// How long the waiting functions wait before they panic.
const PATIENCE: Duration = Duration::from_secs(40);

/// A process that runs beside the test. Dropping it kills its process group.
pub struct Running {
    child: process::Child,
    stdin: Option<ChildStdin>,
    stdout: Arc<Stream>,
    stderr: Arc<Stream>,
    command: String,
    /// Lines that [`Running::ask`] has had answers to.
    asked: usize,
    /// The child has been waited for: its number may be another's by now.
    reaped: Option<process::ExitStatus>,
}

impl Running {
    /// Starts a command with piped output; standard input is the caller's to set.
    pub(crate) fn spawn(mut command: process::Command) -> Self {
        command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0);
        let shown = shown(&command);
        let mut child = command
            .spawn()
            .unwrap_or_else(|error| panic!("{shown} cannot be run: {error}"));
        Self {
            stdin: child.stdin.take(),
            stdout: Stream::collect(child.stdout.take().expect("stdout is piped")),
            stderr: Stream::collect(child.stderr.take().expect("stderr is piped")),
            command: shown,
            asked: 0,
            child,
            reaped: None,
        }
    }

    /// The process number of the program, in the outer process namespace.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits for a line of standard output that has `text` in it, and returns the line.
    #[track_caller]
    pub fn wait_for_line(&self, text: &str) -> String {
        self.wait_in(&self.stdout, text)
    }

    /// Waits until `text` stands in standard output, be its line complete or not.
    #[track_caller]
    pub fn wait_for_output(&self, text: &str) {
        if !self.stdout_has(text, PATIENCE) {
            self.never(text);
        }
    }

    /// Waits for a line of standard error that has `text` in it, and returns the line.
    #[track_caller]
    pub fn wait_for_error_line(&self, text: &str) -> String {
        self.wait_in(&self.stderr, text)
    }

    #[track_caller]
    fn wait_in(&self, stream: &Stream, text: &str) -> String {
        let line = |seen: &str| {
            // A last line without its end may still grow.
            let whole = seen.rsplit_once('\n').map_or("", |(lines, _)| lines);
            whole
                .lines()
                .find(|line| line.contains(text))
                .map(str::to_owned)
        };
        stream
            .find(PATIENCE, line)
            .unwrap_or_else(|| self.never(text))
    }

    #[track_caller]
    fn never(&self, text: &str) -> ! {
        let (stdout, stderr) = self.seen();
        panic!(
            "{text:?} never came from {}\n--- stdout\n{stdout}\n--- stderr\n{stderr}\n---",
            self.command
        )
    }

    pub(crate) fn stdout_has(&self, text: &str, limit: Duration) -> bool {
        self.stdout
            .find(limit, |seen| seen.contains(text).then_some(()))
            .is_some()
    }

    /// Standard output and standard error so far.
    pub fn seen(&self) -> (String, String) {
        (self.stdout.text(), self.stderr.text())
    }

    /// Writes to standard input, which [`Command::stdin_open`](crate::Command::stdin_open) left
    /// open.
    #[track_caller]
    pub fn send(&mut self, text: &str) {
        assert!(
            self.try_send(text.as_bytes()),
            "{} reads no more",
            self.command
        );
    }

    /// Sends a line, and returns the line of standard output that answers it: of a program that answers
    /// each with one, and says nothing else there.
    #[track_caller]
    pub fn ask(&mut self, line: &str) -> String {
        self.send(&format!("{line}\n"));
        let nth = self.asked;
        self.asked += 1;
        let answer = |seen: &str| {
            let whole = seen.rsplit_once('\n').map_or("", |(lines, _)| lines);
            whole.lines().nth(nth).map(str::to_owned)
        };
        self.stdout
            .find(PATIENCE, answer)
            .unwrap_or_else(|| self.never(line))
    }

    pub(crate) fn try_send(&mut self, text: &[u8]) -> bool {
        self.stdin
            .as_mut()
            .is_some_and(|stdin| stdin.write_all(text).is_ok())
    }

    /// Ends standard input.
    pub fn close_stdin(&mut self) {
        self.stdin = None;
    }

    /// Sends the program a signal by number: 15 is SIGTERM.
    #[track_caller]
    pub fn signal(&self, number: i32) {
        let signal = Signal::from_named_raw(number).expect("a signal of signal(7)");
        kill_process(self.pid(), signal).expect("the program still runs");
    }

    /// Waits for the end of the program and of its output.
    #[track_caller]
    pub fn wait(self) -> Output {
        self.wait_within(PATIENCE)
    }

    /// Ends it with SIGTERM, and waits.
    #[track_caller]
    pub fn stop(self) -> Output {
        self.signal(15);
        self.wait()
    }

    #[track_caller]
    pub(crate) fn wait_within(mut self, limit: Duration) -> Output {
        let start = Instant::now();
        let rest = || limit.saturating_sub(start.elapsed());
        let whole = self.ends_within(limit) && self.stdout.ends(rest()) && self.stderr.ends(rest());
        let (stdout, stderr) = self.seen();
        if !whole {
            self.kill();
            panic!(
                "{} did not end within {limit:?}\n--- stdout\n{stdout}\n--- stderr\n{stderr}\n---",
                self.command
            );
        }
        let status = self.reaped.expect("it has ended");
        Output {
            stdout,
            stderr,
            code: status.code(),
            signal: status.signal(),
            command: self.command.clone(),
        }
    }

    /// Whether the program (its descendants aside) ends within the limit.
    pub(crate) fn ends_within(&mut self, limit: Duration) -> bool {
        if self.reaped.is_none() {
            // Not reaped: the number is still this child's.
            let fd = pidfd_open(self.pid(), PidfdFlags::empty()).expect("Linux has pidfds");
            let limit = Timespec::try_from(limit).expect("a limit of seconds");
            match poll(&mut [PollFd::new(&fd, PollFlags::IN)], Some(&limit)) {
                Ok(0) | Err(rustix::io::Errno::INTR) => return false,
                Ok(_) => {}
                Err(error) => panic!("poll of a pidfd: {error}"),
            }
            self.reaped = Some(self.child.wait().expect("a child can be waited for"));
        }
        true
    }

    /// Kills what is left of the process group.
    pub(crate) fn kill(&mut self) {
        // The group may outlive its leader, and its number is not given away while it does; when
        // there is no such group any more, this is ESRCH.
        let _ = kill_process_group(self.pid(), Signal::KILL);
        if self.reaped.is_none() {
            self.reaped = self.child.wait().ok();
        }
    }

    fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill();
    }
}

impl fmt::Debug for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Running")
            .field("id", &self.id())
            .field("command", &self.command)
            .finish_non_exhaustive()
    }
}

/// The command as people would type it, without the chain that enters the lab.
fn shown(command: &process::Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let words: Vec<_> = words
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    let own = words
        .iter()
        .rposition(|word| word.starts_with("XDG_CONFIG_HOME="));
    words[own.map_or(0, |index| index + 1)..].join(" ")
}

/// What a pipe has brought until now.
#[derive(Default)]
struct Stream {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    bytes: Vec<u8>,
    ended: bool,
}

impl Stream {
    fn collect(mut pipe: impl Read + Send + 'static) -> Arc<Self> {
        let stream = Arc::new(Self::default());
        let theirs = Arc::clone(&stream);
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            loop {
                let length = pipe.read(&mut buffer).unwrap_or(0);
                let mut state = theirs.state.lock().expect("no reader panics");
                state.bytes.extend_from_slice(&buffer[..length]);
                state.ended = length == 0;
                theirs.changed.notify_all();
                if state.ended {
                    return;
                }
            }
        });
        stream
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.state.lock().expect("no reader panics").bytes).into_owned()
    }

    /// Waits until `look` finds something in the text; not beyond the end of the pipe.
    fn find<T>(&self, limit: Duration, look: impl Fn(&str) -> Option<T>) -> Option<T> {
        let mut found = None;
        self.wait(limit, |state| {
            found = look(&String::from_utf8_lossy(&state.bytes));
            found.is_some() || state.ended
        });
        found
    }

    fn ends(&self, limit: Duration) -> bool {
        self.wait(limit, |state| state.ended)
    }

    fn wait(&self, limit: Duration, mut until: impl FnMut(&State) -> bool) -> bool {
        let state = self.state.lock().expect("no reader panics");
        let (_state, result) = self
            .changed
            .wait_timeout_while(state, limit, |state| !until(state))
            .expect("no reader panics");
        !result.timed_out()
    }
}
