//! A command in a lab: where, as whom, with or without mif, and what came of it.
//!
//! The chain is `nsenter … setpriv … env … [mif-run …] PROGRAM`: each execs the next, so the
//! process of the program is the one that was started. Variables are set by the last `env`, so
//! that `LD_PRELOAD` reaches the program (or `mif-run`) alone. There is no shell in between.

use std::{
    ffi::{OsStr, OsString},
    fmt,
    path::Path,
    process::{self, ExitStatus, Stdio},
    time::Duration,
};

use crate::{Lab, NOBODY, Running};

pub(crate) const PATH: &str = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin";

const DEFAULT_LIMIT: Duration = Duration::from_mins(1);

/// A command to run in the lab, with a clean environment, an empty standard input and a limit of
/// a minute until told otherwise.
#[derive(Debug)]
pub struct Command<'lab> {
    lab: &'lab Lab,
    place: String,
    root: bool,
    mif: Option<Vec<OsString>>,
    variables: Vec<(OsString, OsString)>,
    words: Vec<OsString>,
    stdin: Stdin,
    limit: Duration,
}

#[derive(Debug)]
enum Stdin {
    Empty,
    Text(Vec<u8>),
    Open,
}

impl<'lab> Command<'lab> {
    pub(crate) fn new(lab: &'lab Lab, program: &Path) -> Self {
        Self {
            lab,
            place: "host".to_owned(),
            root: false,
            mif: None,
            variables: Vec::new(),
            words: vec![program.into()],
            stdin: Stdin::Empty,
            limit: DEFAULT_LIMIT,
        }
    }

    /// Adds one argument.
    #[must_use]
    pub fn arg(mut self, word: impl AsRef<OsStr>) -> Self {
        self.words.push(word.as_ref().into());
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<W: AsRef<OsStr>>(mut self, words: impl IntoIterator<Item = W>) -> Self {
        self.words
            .extend(words.into_iter().map(|word| word.as_ref().into()));
        self
    }

    /// Sets a variable for the program (and for `mif-run` before it).
    #[must_use]
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.variables
            .push((name.as_ref().into(), value.as_ref().into()));
        self
    }

    /// Runs the program by `mif-run OPTIONS`. The options are given as they stand, `--` included.
    /// `MIF_LAB_REACH` of the tests is the `--reach` where they have none, so that one table can be
    /// tried by another way into the program.
    #[must_use]
    pub fn mif(mut self, options: &[&str]) -> Self {
        let reach = std::env::var("MIF_LAB_REACH").ok();
        let is_said = options.iter().any(|option| option.starts_with("--reach"));
        let reach = reach.filter(|_| !is_said);
        let reach = reach.map(|reach| format!("--reach={reach}").into());
        let options = options.iter().map(Into::into);
        self.mif = Some(reach.into_iter().chain(options).collect());
        self
    }

    /// Sets `LD_PRELOAD` to libmif.so alone.
    #[must_use]
    pub fn preload(self) -> Self {
        let library = self.lab.library();
        self.env("LD_PRELOAD", library)
    }

    /// Runs it in another place: `ra`, `rb`, `rv` or `far`.
    #[must_use]
    pub fn within(mut self, place: &str) -> Self {
        place.clone_into(&mut self.place);
        self
    }

    /// Runs it with all privileges that the lab has.
    #[must_use]
    pub fn root(mut self) -> Self {
        self.root = true;
        self
    }

    /// Gives it this text (less than a pipe holds, 64 KiB) and the end of file on standard input.
    #[must_use]
    pub fn stdin(mut self, text: impl Into<Vec<u8>>) -> Self {
        self.stdin = Stdin::Text(text.into());
        self
    }

    /// Keeps standard input open for [`Running::send`].
    #[must_use]
    pub fn stdin_open(mut self) -> Self {
        self.stdin = Stdin::Open;
        self
    }

    /// Sets the time within which it must have ended.
    #[must_use]
    pub fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Runs it to the end of the program and of its output. Beyond the limit it is killed, and the
    /// test panics with what it said until then.
    #[track_caller]
    pub fn run(self) -> Output {
        let limit = self.limit;
        self.spawn().wait_within(limit)
    }

    /// Starts it. It is killed, with its process group, when the [`Running`] is dropped or the
    /// thread that started it ends.
    pub fn spawn(self) -> Running {
        let mut command = self.process();
        let piped = !matches!(self.stdin, Stdin::Empty);
        command.stdin(if piped { Stdio::piped() } else { Stdio::null() });
        let mut running = Running::spawn(command);
        if let Stdin::Text(text) = &self.stdin {
            // A program that ended without reading is no fault.
            running.try_send(text);
            running.close_stdin();
        }
        running
    }

    /// Runs it on the terminal of the caller without limit, for people.
    pub fn interactive(self) -> ExitStatus {
        let mut command = self.process();
        command
            .status()
            .unwrap_or_else(|error| panic!("nsenter cannot be run: {error}"))
    }

    fn process(&self) -> process::Command {
        let lab = self.lab;
        let holder = lab.holder.id();
        let mut command = process::Command::new("nsenter");
        command.env_clear().env("PATH", PATH);
        command.arg(format!("--target={holder}")).arg("--mount");
        match self.place.as_str() {
            "host" => command.arg("--net"),
            place => command.arg(format!("--net=/proc/{holder}/root/run/netns/{place}")),
        };
        if !lab.by_root {
            command.args(["--user", "--preserve-credentials"]);
        }
        // Not --wd, which would enter the folder of the outer mount namespace.
        command
            .arg(format!("--wdns={}", lab.home().display()))
            .arg("--");

        command.args(["setpriv", "--pdeathsig=KILL"]);
        if !self.root {
            command.args([
                "--bounding-set=-all",
                "--inh-caps=-all",
                "--ambient-caps=-all",
            ]);
            if lab.by_root {
                command
                    .arg(format!("--reuid={NOBODY}"))
                    .arg(format!("--regid={NOBODY}"));
                command.arg("--clear-groups");
            }
        }
        command.args(["--", "env", "--ignore-environment", "LANG=C.UTF-8"]);
        command.arg(format!("PATH={PATH}"));
        command.arg(variable("HOME".as_ref(), lab.home().as_ref()));
        command.arg(variable(
            "XDG_CONFIG_HOME".as_ref(),
            lab.config_home().as_ref(),
        ));
        command.args(
            self.variables
                .iter()
                .map(|(name, value)| variable(name, value)),
        );
        if let Some(options) = &self.mif {
            command.arg(lab.mif_run()).args(options);
        }
        command.args(&self.words);
        command
    }
}

fn variable(name: &OsStr, value: &OsStr) -> OsString {
    let mut text = name.to_owned();
    text.push("=");
    text.push(value);
    text
}

/// What came of a command.
#[derive(Clone, Debug)]
#[must_use = "assert what came of the command"]
pub struct Output {
    /// Its standard output; bytes that are not UTF-8 are replaced.
    pub stdout: String,
    /// Its standard error, likewise.
    pub stderr: String,
    /// Its exit status, none when a signal ended it.
    pub code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    pub(crate) command: String,
}

impl Output {
    /// Asserts success, and returns the standard output without white space round it.
    #[track_caller]
    pub fn ok(&self) -> &str {
        assert!(self.code == Some(0), "expected success of {self}");
        self.stdout.trim()
    }

    /// Asserts an exit status other than 0 (not a signal), and returns the standard error.
    #[track_caller]
    pub fn fails(&self) -> &str {
        assert!(
            self.code.is_some_and(|code| code != 0),
            "expected an exit status for {self}"
        );
        self.stderr.trim()
    }
}

impl fmt::Display for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n  ended with ", self.command)?;
        match (self.code, self.signal) {
            (Some(code), _) => write!(f, "status {code}")?,
            (None, Some(signal)) => write!(f, "signal {signal}")?,
            (None, None) => write!(f, "neither status nor signal")?,
        }
        write!(
            f,
            "\n--- stdout\n{}\n--- stderr\n{}\n---",
            self.stdout, self.stderr
        )
    }
}
