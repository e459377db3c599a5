//! `mif enable` and `mif disable`: a drop-in that has the service manager start a unit under mif.
//!
//! Everything that would make the service start without its policy, or not at all, is looked for
//! before the file is written, as `mif-run` looks before it starts a program. The service manager
//! itself is never spoken to.

use std::env;
use std::ffi::OsString;
use std::fmt::{Display, Write};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use mif_host::config::{self, Environment, Loaded};
use mif_policy::Policy;

use crate::arguments::{Enable, Unit};
use crate::unit::{self, Service};
use crate::{Failure, init, output, policy, preflight, program};

/// The drop-in's first line, by which it is known again.
const MARK: &str = "# Written by `mif enable`; `mif disable` removes it.";
const WRITTEN: &str = "nothing was written";
const FILE: &str = "50-mif.conf";
/// Where the service manager looks for a program that is named without its folder.
const PATH: [&str; 4] = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin"];

/// Writes the drop-in.
///
/// # Errors
/// Status 2 for what was typed, 1 for the unit and its files, and those of `mif preflight` for the
/// policy, the library and the program.
pub(crate) fn run(arguments: &Enable) -> Result<(), Failure> {
    enable(arguments).map_err(|failure| Failure {
        // The checks that mif-run has, too, end in its words.
        message: failure.message.replace("nothing was started", WRITTEN),
        ..failure
    })
}

fn enable(arguments: &Enable) -> Result<(), Failure> {
    let place = Place::of(&arguments.unit)?;
    let service = place.service(arguments.force)?;
    let commands = service.commands();
    let (policy, file) = policy(arguments, &place, &commands)?;

    let library = library(arguments)?;
    let target = preflight::libraries(&below(&place.root, &library), &policy)?;
    for command in &commands {
        let Some(command) = place.typed(command) else {
            let program = &command[0];
            warn(&format!(
                "{program} depends on the instance, so nothing tells whether mif reaches it"
            ));
            continue;
        };
        program::find(&command, target, policy.children)
            .map_err(|trouble| failure(trouble.status(), trouble.to_string()))?;
    }

    let variables = variables(arguments, &library, file.as_deref(), &service);
    let names: Vec<&str> = variables.iter().map(|(name, _)| *name).collect();
    let paths: Vec<&Path> = [Some(&*library), file.as_deref()]
        .into_iter()
        .flatten()
        .collect();
    for obstacle in service.obstacles(&place.root, &paths, &names) {
        warn(&obstacle);
    }
    // The networks of this host say nothing about another's.
    if place.root == Path::new("/") {
        for missing in policy::missing(&policy) {
            warn(&missing);
        }
    }
    place.write(&text(&variables)?)
}

/// Removes the drop-in.
///
/// # Errors
/// Status 2 for what was typed, 1 if there is none of ours or it cannot be removed.
pub(crate) fn disable(unit: &Unit) -> Result<(), Failure> {
    let place = Place::of(unit)?;
    let file = place.file();
    if !place.is_ours()? {
        let why = format!("{} is not enabled: there is no ", place.unit);
        return Err(failure(1, why + &file.to_string_lossy()));
    }
    fs::remove_file(&file).map_err(|why| of_file(&file, why))?;
    // A folder with other drop-ins stays.
    let _ = fs::remove_dir(&place.folder);
    place.say("removed");
    Ok(())
}

/// Where a unit and its drop-in are.
struct Place {
    unit: String,
    root: PathBuf,
    /// The folder of the user's own units; none for the system's.
    own: Option<PathBuf>,
    environment: Environment,
    /// The folder of the drop-in.
    folder: PathBuf,
}

impl Place {
    fn of(unit: &Unit) -> Result<Self, Failure> {
        let name = unit::name(&unit.name)
            .map_err(|why| failure(2, format!("`{}` is {why}", unit.name.escape_debug())))?;
        let root = std::path::absolute(&unit.root).map_err(|why| of_file(&unit.root, why))?;
        let mut environment = Environment {
            system: below(&root, Path::new("/etc/mif")),
            ..Environment::default()
        };
        let mut own = None;
        if unit.user {
            let user = Environment::from_process();
            environment.home = user.home.map(|home| below(&root, &home));
            environment.config_home = user.config_home.map(|folder| below(&root, &folder));
            let folder = environment.folders().into_iter().next();
            let folder = folder.filter(|folder| *folder != environment.system);
            let Some(folder) = folder.as_deref().and_then(Path::parent) else {
                let why = "neither XDG_CONFIG_HOME nor HOME is an absolute path";
                return Err(failure(2, why.to_owned()));
            };
            own = Some(folder.join("systemd/user"));
        }
        let units = own
            .clone()
            .unwrap_or_else(|| root.join("etc/systemd/system"));
        Ok(Self {
            folder: units.join(format!("{name}.d")),
            unit: name,
            root,
            own,
            environment,
        })
    }

    /// The path by which the service knows what is here at `path`.
    fn known_as(&self, path: PathBuf) -> PathBuf {
        match path.strip_prefix(&self.root) {
            Ok(rest) => Path::new("/").join(rest),
            Err(_) => path,
        }
    }

    fn file(&self) -> PathBuf {
        self.folder.join(FILE)
    }

    /// What the unit says; nothing, if it need not be there.
    fn service(&self, force: bool) -> Result<Service, Failure> {
        let files = unit::files(&self.root, self.own.as_deref(), &self.unit);
        let found = Service::read(&files).map_err(|why| failure(1, why))?;
        let why = match found {
            Some((_, service)) if force || !service.commands().is_empty() => return Ok(service),
            None if force => return Ok(Service::default()),
            Some((file, _)) => format!("{} starts no program (ExecStart=)", file.display()),
            None => {
                let mut why = format!("there is no {}. Looked for", self.unit);
                for file in files {
                    why = format!("{why}\n  {}", file.display());
                }
                why
            }
        };
        let message = format!("{why}\n{WRITTEN}; --force writes it all the same");
        Err(failure(1, message))
    }

    /// A command as a shell would be given it; `None` if only the service manager knows it.
    fn typed(&self, command: &[String]) -> Option<Vec<OsString>> {
        let (name, arguments) = command.split_first()?;
        if name.replace("%%", "").contains('%') {
            return None;
        }
        let name = name.replace("%%", "%");
        let path = if name.contains('/') {
            below(&self.root, Path::new(&name))
        } else {
            let files = PATH.map(|folder| below(&self.root, &Path::new(folder).join(&name)));
            files
                .into_iter()
                .find(|file| file.exists())
                .unwrap_or(name.into())
        };
        let mut typed = vec![path.into_os_string()];
        typed.extend(arguments.iter().map(OsString::from));
        Some(typed)
    }

    /// Whether the drop-in is there.
    ///
    /// # Errors
    /// Status 1 if it is someone else's.
    fn is_ours(&self) -> Result<bool, Failure> {
        let file = self.file();
        match fs::read_to_string(&file) {
            Ok(text) if text.lines().next() == Some(MARK) => Ok(true),
            Ok(_) => {
                let why = "not written by `mif enable`, so it is left as it is";
                Err(of_file(&file, why))
            }
            Err(why) if why.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(why) => Err(of_file(&file, why)),
        }
    }

    fn write(&self, text: &str) -> Result<(), Failure> {
        self.is_ours()?;
        let file = self.file();
        init::write(&file, text, true).map_err(|why| of_file(&file, why))?;
        self.say("wrote");
        Ok(())
    }

    fn say(&self, done: &str) {
        let user = if self.own.is_some() { " --user" } else { "" };
        // Of a template there are only instances to restart.
        let unit = self.unit.replace("@.service", "@*.service");
        output::text(&format!(
            "{done} {}; it counts after\nsystemctl{user} daemon-reload && systemctl{user} restart '{unit}'\n",
            self.file().display()
        ));
    }
}

/// The policy, and its file as the service knows it.
fn policy(
    arguments: &Enable,
    place: &Place,
    commands: &[Vec<String>],
) -> Result<(Policy, Option<PathBuf>), Failure> {
    let absolute = |file: &PathBuf| std::path::absolute(file).map(|file| below(&place.root, &file));
    let policy = arguments.policy.as_ref().map(absolute).transpose();
    let policy = policy.map_err(|why| failure(2, why.to_string()))?;
    let joined = |list: &[String]| (!list.is_empty()).then(|| list.join(","));
    let environment = Environment {
        policy: policy.map(PathBuf::into_os_string),
        app: arguments.app.clone(),
        interface: joined(&arguments.interfaces),
        source: joined(&arguments.sources),
        dns: joined(&arguments.dns),
        ..place.environment.clone()
    };
    let program = commands.first().map(|command| Path::new(&command[0]));
    let name = program
        .and_then(Path::file_name)
        .unwrap_or(policy::ANY_PROGRAM.as_ref());
    let name = name.to_string_lossy();
    match config::load(&environment, &name) {
        Ok(Loaded::Policy { policy, file }) => Ok((policy, file.map(|file| place.known_as(file)))),
        Ok(Loaded::NoPolicy { searched }) => {
            let searched = searched
                .iter()
                .map(|file| format!("\n  {}", file.display()));
            let searched: String = searched.collect();
            let unit = &arguments.unit.name;
            let message = format!(
                "no policy for `{name}`; {WRITTEN}. Looked for{searched}\n\
                 Name the network: mif enable -i INTERFACE {unit}."
            );
            Err(failure(policy::FAULTY, message))
        }
        Err(why) => Err(failure(policy::FAULTY, format!("{WRITTEN}\n\n{why}"))),
    }
}

/// The library as the service will find it.
fn library(arguments: &Enable) -> Result<PathBuf, Failure> {
    let library = match &arguments.library {
        Some(library) => std::path::absolute(library),
        // PREFIX/bin/mif and PREFIX/lib/mif/libmif.so.
        None => env::current_exe().map(|tool| {
            let prefix = tool.ancestors().nth(2).unwrap_or(Path::new("/"));
            prefix.join("lib/mif/libmif.so")
        }),
    };
    let library = library.map_err(|why| failure(126, format!("libmif.so: {why}")))?;
    if library.to_string_lossy().contains([' ', ':', '$']) {
        let why = format!(
            "{} has a space, a colon or a dollar sign in its path, which LD_PRELOAD cannot express; \
             {WRITTEN}",
            library.display()
        );
        return Err(failure(126, why));
    }
    Ok(library)
}

/// What the service is to find in its environment, with `%` as a specifier's.
fn variables(
    arguments: &Enable,
    library: &Path,
    policy: Option<&Path>,
    service: &Service,
) -> Vec<(&'static str, String)> {
    // A percent sign of our own stands for itself.
    let plain = |text: String| text.replace('%', "%%");
    let path = |path: &Path| plain(path.to_string_lossy().into_owned());
    let preload = path(library);
    // As in mif-run: first, and once.
    let own = service.variable("LD_PRELOAD").unwrap_or_default();
    let own = own.split([':', ' ']).filter(|other| *other != preload);
    let preload = [preload.as_str()]
        .into_iter()
        .chain(own.filter(|other| !other.is_empty()));
    let preload: Vec<&str> = preload.collect();
    let set = [
        ("LD_PRELOAD", preload.join(":")),
        ("MIF_INTERFACE", plain(arguments.interfaces.join(","))),
        ("MIF_SOURCE", plain(arguments.sources.join(","))),
        ("MIF_DNS", plain(arguments.dns.join(","))),
        ("MIF_POLICY", policy.map(path).unwrap_or_default()),
    ];
    let set = set.into_iter().filter(|(_, value)| !value.is_empty());
    set.collect()
}

/// The whole drop-in.
fn text(variables: &[(&str, String)]) -> Result<String, Failure> {
    let mut text = format!("{MARK}\n[Service]\n");
    for (name, value) in variables {
        if value.contains(|c: char| c.is_control() || c == char::REPLACEMENT_CHARACTER) {
            let why = "the service manager takes no control characters and nothing but UTF-8";
            return Err(failure(2, format!("{name}: {why}; {WRITTEN}")));
        }
        let value = value.replace('\\', "\\\\").replace('"', "\\\"");
        let _ = writeln!(text, "Environment=\"{name}={value}\"");
    }
    Ok(text)
}

/// The path here of what is called `path` in the system below `root`.
fn below(root: &Path, path: &Path) -> PathBuf {
    root.join(path.strip_prefix("/").unwrap_or(path))
}

fn warn(text: &str) {
    output::complain("mif: warning", text);
}

fn failure(status: u8, message: String) -> Failure {
    Failure { status, message }
}

fn of_file(file: &Path, why: impl Display) -> Failure {
    failure(1, format!("{}: {why}", file.display()))
}
