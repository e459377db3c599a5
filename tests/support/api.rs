//! Programs of the MIF API in the lab: the probe `api`, whose steps and lines its file tells.
#![allow(dead_code, reason = "each test file takes what it needs")]

use mif_lab::{Command, Lab, Running};

/// The lab's networks with their servers, of which only `office` has another name than its link.
pub(crate) const PVDS: &str = r#"
[pvd.isp-a]
interface = "wan0"
dns.servers = ["10.1.0.1"]
[pvd.isp-b]
interface = "wan1"
dns.servers = ["10.2.0.1"]
[pvd.office]
interface = "vpn0"
dns.servers = ["10.3.0.1"]
"#;

pub(crate) fn lab() -> Lab {
    let lab = Lab::new();
    lab.pvds(PVDS);
    lab
}

/// What a program says to these steps; without options mif has no policy.
#[track_caller]
pub(crate) fn says(lab: &Lab, options: Option<&[&str]>, steps: &[&str]) -> Vec<String> {
    let program = under(lab.command(lab.probe("api")), options);
    let out = program.stdin(steps.join("\n")).run();
    out.ok().lines().map(str::to_owned).collect()
}

pub(crate) fn under<'l>(program: Command<'l>, options: Option<&[&str]>) -> Command<'l> {
    match options {
        Some(options) => program.mif(options),
        None => program.preload(),
    }
}

/// A program that goes on while the lab changes.
pub(crate) struct Session {
    running: Running,
    asked: usize,
    /// Lines that have been seen.
    seen: usize,
}

impl Session {
    pub(crate) fn new(lab: &Lab, options: Option<&[&str]>) -> Self {
        let program = under(lab.command(lab.probe("api")), options);
        Self {
            running: program.stdin_open().spawn(),
            asked: 0,
            seen: 0,
        }
    }

    /// What it says to these steps.
    #[track_caller]
    pub(crate) fn asks(&mut self, steps: &[&str]) -> Vec<String> {
        self.asked += 1;
        let mark = format!("=== {} ===", self.asked);
        let steps = steps.join("\n");
        self.running
            .send(&format!("{steps}\nsay ==={}===\n", self.asked));
        let mark = mark.replace(' ', "");
        self.running.wait_for_line(&mark);
        let (said, _) = self.running.seen();
        let lines = said.lines().skip(self.seen);
        let lines = lines.take_while(|line| *line != mark);
        let lines: Vec<String> = lines.map(str::to_owned).collect();
        self.seen += lines.len() + 1;
        lines
    }
}
