//! Where policies come from: the environment's variables and the folders with `pvds.toml` and
//! `apps/NAME.toml`. What the files mean is `mif_policy`'s to say.
//!
//! A file that is not there is no fault where there is another place to look; a file that is
//! there and cannot be read always is, because a policy that is skipped is a policy not obeyed. So
//! is one that somebody else than root and the user may have written.

use std::env;
use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};

use mif_policy::{Input, Options, Policy, Text, parse_with};

use crate::trust::{self, Untrusted};

mod error;

pub use error::LoadError;

/// The environment that decides about policies, as values.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    /// `MIF_POLICY`: the file of the policy.
    pub policy: Option<OsString>,
    /// `MIF_APP`: the name of the application whose policy it is.
    pub app: Option<String>,
    /// `MIF_INTERFACE`: what `-i` says, separated by commas.
    pub interface: Option<String>,
    /// `MIF_SOURCE`: what `-s` says, separated by commas.
    pub source: Option<String>,
    /// `MIF_DNS`: what `-d` says, separated by commas.
    pub dns: Option<String>,
    /// `XDG_CONFIG_HOME`, if it is an absolute path.
    pub config_home: Option<PathBuf>,
    /// `HOME`, if it is an absolute path.
    pub home: Option<PathBuf>,
    /// The host's folder, `/etc/mif`.
    pub system: PathBuf,
}

/// What [`load`] found.
#[derive(Debug)]
#[allow(clippy::large_enum_variant)] // One for each process.
pub enum Loaded {
    /// A policy.
    Policy {
        /// The policy.
        policy: Policy,
        /// The application's file that it is from; `None` for options alone.
        file: Option<PathBuf>,
    },
    /// Nobody said anything about this program.
    NoPolicy {
        /// The files that would have.
        searched: Vec<PathBuf>,
    },
}

impl Environment {
    /// The environment of this process. A variable that is empty counts as not set, and a relative
    /// path in `XDG_CONFIG_HOME` as none (XDG Base Directory Specification).
    #[must_use]
    pub fn from_process() -> Self {
        let variable = |name| env::var_os(name).filter(|value| !value.is_empty());
        // What is not UTF-8 stays a value, and so ends in a fault or a refusal, never in none.
        let text = |name| Some(variable(name)?.to_string_lossy().into_owned());
        let folder = |name| {
            variable(name)
                .map(PathBuf::from)
                .filter(|path| path.is_absolute())
        };
        Self {
            policy: variable("MIF_POLICY"),
            app: text("MIF_APP"),
            interface: text("MIF_INTERFACE"),
            source: text("MIF_SOURCE"),
            dns: text("MIF_DNS"),
            config_home: folder("XDG_CONFIG_HOME"),
            home: folder("HOME"),
            ..Self::of_the_host()
        }
    }

    /// The environment of a process that has gained privileges (`AT_SECURE`, getauxval(3)): who
    /// started it has no say.
    #[must_use]
    pub fn of_the_host() -> Self {
        Self {
            system: PathBuf::from("/etc/mif"),
            ..Self::default()
        }
    }

    /// The folders to search, the one that wins first: the user's, if there is one, and the
    /// host's, which is always the last.
    #[must_use]
    pub fn folders(&self) -> Vec<PathBuf> {
        let home = || self.home.as_ref().map(|home| home.join(".config"));
        let user = self
            .config_home
            .clone()
            .or_else(home)
            .map(|config| config.join("mif"));
        user.into_iter().chain([self.system.clone()]).collect()
    }

    /// The text of a policy's file; `None` if there is no such file.
    ///
    /// # Errors
    /// [`LoadError::Read`] and [`LoadError::Distrusted`].
    pub fn text(&self, path: &Path) -> Result<Option<Text>, LoadError> {
        match self.read(path, trust::LONGEST) {
            Err(Untrusted::Absent(_)) => Ok(None),
            read => read.map(Some).map_err(|why| LoadError::of(path, why)),
        }
    }

    /// The text of a file that must be there.
    fn named(&self, path: &Path) -> Result<Text, LoadError> {
        self.read(path, trust::LONGEST)
            .map_err(|why| LoadError::of(path, why))
    }

    /// The text of a list that the policy in `file` names, or why there is none.
    fn list(&self, file: &Path, name: &str) -> Result<Text, String> {
        let path = file.with_file_name(name);
        self.read(&path, trust::LONGEST_LIST)
            .map_err(|why| error::of_list(&path, why))
    }

    fn read(&self, path: &Path, longest: usize) -> Result<Text, Untrusted> {
        let is_hosts = || {
            let up = path.components().any(|part| part == Component::ParentDir);
            path.starts_with(&self.system) && !up
        };
        let text = trust::policy(path, longest, is_hosts)?;
        Ok(Text {
            path: path.display().to_string().into(),
            text,
        })
    }

    /// The first of the files that is there.
    fn first(&self, paths: &[PathBuf]) -> Result<Option<(Text, PathBuf)>, LoadError> {
        for path in paths {
            if let Some(text) = self.text(path)? {
                return Ok(Some((text, path.clone())));
            }
        }
        Ok(None)
    }

    fn options(&self) -> Options {
        let split = |value: &Option<String>| match value {
            Some(list) => list.split(',').map(|word| word.trim().to_owned()).collect(),
            None => Vec::new(),
        };
        Options {
            interfaces: split(&self.interface),
            sources: split(&self.source),
            dns: split(&self.dns),
        }
    }
}

/// Finds and reads the policy of the program that is called `program`, which is the last part of
/// its path. The order is: `MIF_POLICY`, `MIF_APP`, the options alone, the program's own file,
/// `apps/default.toml`.
///
/// # Errors
/// A file cannot be read, `MIF_APP` has no file, or there are faults in the files or options.
pub fn load(environment: &Environment, program: &str) -> Result<Loaded, LoadError> {
    let folders = environment.folders();
    let options = environment.options();
    let app = if let Some(path) = &environment.policy {
        let path = PathBuf::from(path);
        Some((environment.named(&path)?, path))
    } else if let Some(name) = &environment.app {
        let searched = if is_name(name) {
            app_files(&folders, name)
        } else {
            Vec::new()
        };
        match environment.first(&searched)? {
            Some(found) => Some(found),
            None => {
                return Err(LoadError::NoSuchApp {
                    name: name.clone(),
                    searched,
                });
            }
        }
    } else if options.interfaces.is_empty() && options.sources.is_empty() && options.dns.is_empty()
    {
        let mut searched = Vec::new();
        if is_name(program) {
            searched.extend(app_files(&folders, program));
        }
        searched.extend(app_files(&folders, "default"));
        match environment.first(&searched)? {
            Some(found) => Some(found),
            None => return Ok(Loaded::NoPolicy { searched }),
        }
    } else {
        None
    };
    let mut pvds = Vec::new();
    for folder in &folders {
        let path = folder.join("pvds.toml");
        pvds.extend(environment.text(&path)?);
    }
    let (app, file) = app.unzip();
    let list = |name: &str| environment.list(file.as_deref().unwrap_or(Path::new("")), name);
    match parse_with(&Input { pvds, app, options }, &list) {
        Ok(policy) => Ok(Loaded::Policy { policy, file }),
        Err(faults) => Err(LoadError::Faults(faults)),
    }
}

/// Whether a file in `apps` can be called so.
fn is_name(name: &str) -> bool {
    !name.is_empty() && !name.contains(['/', '\0'])
}

fn app_files(folders: &[PathBuf], name: &str) -> Vec<PathBuf> {
    let file = |folder: &PathBuf| {
        let parts = [
            folder.as_os_str(),
            "/apps/".as_ref(),
            name.as_ref(),
            ".toml".as_ref(),
        ];
        PathBuf::from(parts.into_iter().collect::<OsString>())
    };
    folders.iter().map(file).collect()
}
