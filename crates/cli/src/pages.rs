//! `mif pages`: man pages and shell completions of `mif` and of `mif-run`, for `scripts/install`.
//!
//! `mif-run` is a shell script with its own help; its options are told here once more, and a test
//! compares both.

use std::fs;
use std::io;
use std::path::Path;

use clap::{Arg, ArgAction, CommandFactory, ValueHint, value_parser};
use clap_complete::Shell;

use crate::Failure;
use crate::arguments::Arguments;

/// Where each shell looks below `share`.
const COMPLETIONS: [(Shell, &str); 3] = [
    (Shell::Bash, "bash-completion/completions"),
    (Shell::Zsh, "zsh/site-functions"),
    (Shell::Fish, "fish/vendor_completions.d"),
];

/// Writes all pages below a folder that is laid out as `/usr/share`.
///
/// # Errors
/// Status 1 if a file cannot be written.
pub(crate) fn run(folder: &Path) -> Result<(), Failure> {
    write(folder).map_err(|why| Failure {
        status: 1,
        message: format!("{}: {why}", folder.display()),
    })
}

fn write(folder: &Path) -> io::Result<()> {
    let man = folder.join("man/man1");
    fs::create_dir_all(&man)?;
    for (command, name) in [(Arguments::command(), "mif"), (mif_run(), "mif-run")] {
        clap_mangen::generate_to(command.clone(), &man)?;
        for (shell, place) in COMPLETIONS {
            let folder = folder.join(place);
            fs::create_dir_all(&folder)?;
            let file = clap_complete::generate_to(shell, &mut command.clone(), name, &folder)?;
            if shell == Shell::Bash {
                // bash-completion loads the file that is called as the command.
                fs::rename(file, folder.join(name))?;
            }
        }
    }
    Ok(())
}

/// The command line of `scripts/mif-run`.
fn mif_run() -> clap::Command {
    let valued = |short, long, value, help| {
        option(long, help)
            .short(short)
            .value_name(value)
            .action(ArgAction::Append)
    };
    let file = valued('p', "policy", "FILE", "Use this policy file");
    clap::Command::new("mif-run")
        .version(env!("CARGO_PKG_VERSION"))
        .disable_version_flag(true)
        .about("Runs a program, unmodified and without root, on the network that its policy says")
        .long_about(ABOUT)
        .after_long_help(AFTER)
        .args([
            valued(
                'i',
                "interface",
                "NAME",
                "Interface or provisioning domain; repeat it in order of preference",
            ),
            valued(
                's',
                "source",
                "ADDR",
                "Source address; once for each family",
            ),
            valued(
                'd',
                "dns",
                "SERVER",
                "DNS server for its names; repeat it for more",
            ),
            file.value_hint(ValueHint::FilePath),
            valued('a', "app", "NAME", "Use the policy apps/NAME.toml"),
            option(
                "reach",
                "Reach PROGRAM by libmif.so in it (preload), by a process above it that also reaches \
                 static and Go programs (supervise), or by the first that can (auto)",
            )
            .value_name("HOW")
            .value_parser(["preload", "supervise", "auto"])
            .default_value("auto"),
            switch(
                "verbose",
                "Print one line for each decision on standard error",
            )
            .short('v'),
            switch(
                "check",
                "Check the policy (and PROGRAM, if given); start nothing",
            ),
            option(
                "explain",
                "Tell how PROGRAM would reach DEST (address or name, with or without :PORT); start \
                 nothing",
            )
            .value_name("DEST")
            .action(ArgAction::Append),
            switch("version", "Print version"),
            Arg::new("command")
                .value_name("PROGRAM")
                .help("The program and its arguments")
                .value_hint(ValueHint::CommandWithArguments)
                .value_parser(value_parser!(std::ffi::OsString))
                .num_args(1..)
                .trailing_var_arg(true),
        ])
}

fn option(long: &'static str, help: &'static str) -> Arg {
    Arg::new(long).long(long).help(help)
}

fn switch(long: &'static str, help: &'static str) -> Arg {
    option(long, help).action(ArgAction::SetTrue)
}

const ABOUT: &str = "\
Runs PROGRAM, unmodified and without root, on the network that its policy says: its packets leave by \
that interface, with that interface's source address, and its names are asked of that network's DNS \
servers. When the network is not there, the program gets ENETUNREACH and nothing leaves by another one.

Without -i, -s, -d, -p and -a the policy is the inherited one (MIF_POLICY, MIF_APP, MIF_INTERFACE, \
MIF_SOURCE, MIF_DNS), else apps/PROGRAM.toml or apps/default.toml, first in $XDG_CONFIG_HOME/mif \
(~/.config/mif), then in /etc/mif.

A program that no preload reaches (static, of Go, of another C library) is supervised: see `mif supervise \
--help`. It and all that it starts obey the same policy, but for rules by name. So do those that PROGRAM \
starts, unless --reach=preload (MIF_REACH=preload for all that is below) has them refused.";

const AFTER: &str = "\
Exit status: the program's own; 2 bad usage; 78 faulty or missing policy; 126 the program cannot be \
executed, or mif cannot reach it; 127 no such program.

`mif pvd list` shows which networks there are, `mif explain` what a program would do.";

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_command_lines_are_well_formed() {
        Arguments::command().debug_assert();
        mif_run().debug_assert();
    }

    #[test]
    fn the_pages_of_mif_run_have_the_options_of_its_help() {
        let script = include_str!("../../../scripts/mif-run");
        let help = script.split("HELP").nth(1).unwrap();
        let words = help.split(|c: char| !(c.is_alphanumeric() || c == '-'));
        let options = words.filter(|word| word.starts_with("--") && word.len() > 2);
        let mut command = mif_run();
        command.build();
        let told = command.get_arguments().filter_map(Arg::get_long);
        let told: BTreeSet<String> = told.map(|long| format!("--{long}")).collect();
        let helped: BTreeSet<String> = options.map(str::to_owned).collect();
        assert_eq!(told, helped);
    }
}
