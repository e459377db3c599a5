//! What can be typed: the tool's command line, from which help, man pages and completions come too.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Shows the networks of this host, and checks and explains which of them each program uses.
///
/// mif gives each unmodified program its own network: interface, source address and DNS servers.
/// `mif-run` starts programs so. This tool answers questions about it. It changes nothing but the
/// file that `mif init` writes, what `mif pvd discover` keeps, and the drop-ins of services that
/// `mif enable` and `mif disable` are for.
#[derive(Debug, Parser)]
#[command(
    name = "mif",
    version,
    arg_required_else_help = true,
    after_help = "`mif pvd list` is the place to begin: it shows which networks there are.",
    after_long_help = AFTER
)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

const AFTER: &str = "\
Begin with `mif pvd list`, which shows the networks that there are, and try one of them:
`mif-run -i NAME curl https://example.org`. `mif init` writes names for them that policies can use.

Policies are read from $XDG_CONFIG_HOME/mif (~/.config/mif) and /etc/mif. The variables MIF_POLICY,
MIF_APP, MIF_INTERFACE, MIF_SOURCE and MIF_DNS count as they do for mif-run. Colours are for
terminals only, and not if NO_COLOR is set.

Exit status: 0; 1 the host does not tell what is needed; 2 bad usage; 3 `mif doctor` found something;
78 faulty or missing policy.";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show the networks of this host: its provisioning domains.
    ///
    /// A provisioning domain is one network with all that belongs to it: interface, addresses,
    /// gateways, DNS servers (RFC 7556). Each interface is one, under its own name; pvds.toml
    /// defines others. Their names are what `mif-run -i` and `use` take.
    #[command(subcommand)]
    Pvd(Pvd),
    /// Find what is wrong with the networks of this host, and say what mends it.
    ///
    /// Looks at the link, addresses, routes, routing rules, packet size and DNS servers of each
    /// network as a program would find them that is run on it. Its routers (or a DNS server, where
    /// they are silent) get a short and a long echo request, and each DNS server is asked one
    /// question; more is sent only where something is wrong. Nothing is changed.
    ///
    /// Exit status: 0 nothing was found; 1 the host does not tell what is needed, or there is no such
    /// network; 2 bad usage; 3 something was found.
    Doctor(Doctor),
    /// Check policy files: says ok, or tells all faults with exit status 78.
    Check {
        /// Policy files; without any, those that would be used: the ones that the environment
        /// names, else pvds.toml and apps/*.toml of the user's folder and of /etc/mif.
        #[arg(value_name = "FILE")]
        files: Vec<PathBuf>,
        #[command(flatten)]
        output: Output,
    },
    /// Tell how a program would reach destinations, and why. Nothing is sent.
    ///
    /// For each destination: the rule that decides and where it is written, the network, the
    /// interface, the source address and why it is this one, the next hop, the DNS servers, and
    /// warnings where packets would lead nowhere.
    Explain(Explain),
    /// Write a pvds.toml that names the networks of this host, to begin with.
    Init {
        /// The file, or `-` for standard output; without one it is pvds.toml in the user's folder.
        #[arg(value_name = "FILE")]
        file: Option<PathBuf>,
        /// Replace a file that is there.
        #[arg(long)]
        force: bool,
    },
    /// Let a service run under mif, from its next start on.
    ///
    /// Writes a drop-in for the unit, `/etc/systemd/system/UNIT.d/50-mif.conf`, which sets
    /// `LD_PRELOAD` and the variables that mif-run would set. The service manager is not told:
    /// the commands that do so are printed. Without -i, -s, -d, -p and -a the policy is
    /// apps/PROGRAM.toml or apps/default.toml, by the program that the unit starts.
    ///
    /// A service of the system does not have the folders of whoever types this: its policies are
    /// those of /etc/mif.
    Enable(Enable),
    /// Let a service run without mif again, from its next start on: removes what `enable` wrote.
    Disable {
        #[command(flatten)]
        unit: Unit,
    },
    /// Run a program under its policy that no preload reaches: one that is static, of Go, of another
    /// C library, or makes its own system calls.
    ///
    /// The kernel asks this process about the program's connect, bind, listen and send calls, and
    /// about those of all that it starts (seccomp user notification). No privilege is needed. Programs
    /// that are setuid, or have capabilities, run without them. `mif-run` does this by itself where it
    /// is needed.
    ///
    /// Exit status: the program's own; 78 faulty or missing policy; 126 it cannot be executed or
    /// supervised; 127 no such program.
    Supervise {
        /// What `LD_PRELOAD` is for the program.
        #[arg(long, hide = true)]
        preload: Option<OsString>,
        /// The file that is executed, where libmif.so has this take the place of a program: all that
        /// follows are its arguments, the name it is called by included.
        #[arg(long, hide = true)]
        file: Option<OsString>,
        /// The program and its arguments.
        #[arg(last = true, required = true, value_name = "PROGRAM")]
        command: Vec<OsString>,
    },
    /// What mif-run asks before it starts a program.
    #[command(hide = true)]
    Preflight {
        /// Say ok, and nothing for mif-run to read.
        #[arg(long)]
        check: bool,
        /// The library that is to get into the program.
        #[arg(long)]
        library: PathBuf,
        /// How the program is to be reached.
        #[arg(long, value_enum, default_value_t = Reach::Auto)]
        reach: Reach,
        /// The program and its arguments.
        #[arg(last = true)]
        command: Vec<OsString>,
    },
    /// Write man pages and shell completions below a folder, laid out as in /usr/share.
    #[command(hide = true)]
    Pages {
        /// The folder.
        #[arg(value_name = "FOLDER")]
        folder: PathBuf,
    },
}

/// How a policy gets at a program's calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Reach {
    /// By libmif.so in the program.
    Preload,
    /// By `mif supervise` above it.
    Supervise,
    /// By libmif.so where it gets into the program, else by `mif supervise`.
    Auto,
}

/// `mif pvd`.
#[derive(Debug, Subcommand)]
pub(crate) enum Pvd {
    /// List them, one row each.
    List {
        #[command(flatten)]
        output: Output,
    },
    /// Show all that is known of one, and where it is from.
    Show {
        /// Its name.
        #[arg(value_name = "NAME")]
        name: String,
        #[command(flatten)]
        output: Output,
    },
    /// Hear what networks announce of themselves, and keep it for programs (RFC 8801).
    ///
    /// Asks the routers of the link, listens to their advertisements, and writes what they say into
    /// /run/mif/pvd/INTERFACE (/run/user/UID/mif/pvd/INTERFACE for a user), where programs under mif
    /// and the other commands find it: provisioning domains with their names, prefixes and DNS
    /// servers. Where a domain has additional information, that is fetched from
    /// <https://ID/.well-known/pvd>, by this network alone. It needs `CAP_NET_RAW`. No address and no route
    /// is changed.
    Discover(Discover),
    /// Follow their changes, one line each; what is there comes first.
    Watch {
        #[command(flatten)]
        output: Output,
    },
}

/// `mif pvd discover`.
#[derive(Debug, Args)]
pub(crate) struct Discover {
    /// The interface; without it, all that are up.
    #[arg(value_name = "INTERFACE")]
    pub(crate) interface: Option<String>,
    /// How long to listen at most. It ends a second after the last answer; where nobody answers, it is
    /// asked again after 4 and 8 seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 4)]
    pub(crate) timeout: u16,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// `mif doctor`.
#[derive(Debug, Args)]
pub(crate) struct Doctor {
    /// Provisioning domains or interfaces; without any, all that are up or that a file names.
    #[arg(value_name = "NAME")]
    pub(crate) pvds: Vec<String>,
    /// The name that DNS servers are asked for. Servers with zones are asked for their first zone.
    #[arg(long, value_name = "NAME", default_value = "example.com")]
    pub(crate) name: String,
    /// Fetch this page over each network, to see whether it leads to the internet or to a captive
    /// portal: the `http://` URL of a page that answers with status 204, or another 2xx.
    #[arg(long, value_name = "URL")]
    pub(crate) probe: Option<String>,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// `mif explain`.
#[derive(Debug, Args)]
pub(crate) struct Explain {
    /// Explain UDP instead of TCP.
    #[arg(long)]
    pub(crate) udp: bool,
    /// Really ask for the addresses of names, as the program would.
    #[arg(long)]
    pub(crate) resolve: bool,
    #[command(flatten)]
    pub(crate) output: Output,
    /// The library that is to get into the program.
    #[arg(long, hide = true)]
    pub(crate) library: Option<PathBuf>,
    /// The program, as it would be typed.
    #[arg(value_name = "PROGRAM")]
    pub(crate) program: OsString,
    /// ADDRESS, ADDRESS:PORT, [ADDRESS]:PORT, NAME or NAME:PORT; the port is 443 if not given.
    #[arg(value_name = "DEST", required = true)]
    pub(crate) destinations: Vec<String>,
}

/// `mif enable`.
#[derive(Debug, Args)]
pub(crate) struct Enable {
    /// Interface or provisioning domain; repeat it in order of preference.
    #[arg(short, long = "interface", value_name = "NAME")]
    pub(crate) interfaces: Vec<String>,
    /// Source address; once for each family.
    #[arg(short, long = "source", value_name = "ADDR")]
    pub(crate) sources: Vec<String>,
    /// DNS server for its names; repeat it for more.
    #[arg(short, long = "dns", value_name = "SERVER")]
    pub(crate) dns: Vec<String>,
    /// This policy file.
    #[arg(short, long, value_name = "FILE")]
    pub(crate) policy: Option<PathBuf>,
    /// The policy apps/NAME.toml.
    #[arg(short, long, value_name = "NAME")]
    pub(crate) app: Option<String>,
    /// Write it even if the unit is not found, or does not tell which program it starts.
    #[arg(long)]
    pub(crate) force: bool,
    /// The library; without it, that of this installation.
    #[arg(long, value_name = "FILE")]
    pub(crate) library: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) unit: Unit,
}

/// A service unit, and whose it is.
#[derive(Debug, Args)]
pub(crate) struct Unit {
    /// A unit of the user's own service manager, in ~/.config/systemd/user.
    #[arg(long)]
    pub(crate) user: bool,
    /// A folder that holds another system, an image: all paths are meant below it.
    #[arg(long, value_name = "FOLDER", default_value = "/")]
    pub(crate) root: PathBuf,
    /// The service, with or without `.service`; `NAME@` is a template, for all its instances.
    #[arg(value_name = "UNIT")]
    pub(crate) name: String,
}

/// How a listing is printed.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Output {
    /// Print JSON for other programs; docs/mif.md describes the fields.
    #[arg(long)]
    pub(crate) json: bool,
}
