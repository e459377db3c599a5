//! Black box: the tool `mif`, `scripts/mif-run` and `scripts/install` as people run them. A shared
//! object built on the spot stands in for libmif.so, whose own behaviour is not tested here.
//!
//! Copy a test that says what is typed and compares all that is printed; [`Prefix`] has the rest.

mod enable;
mod explain;
mod install;
mod policies;
mod programs;
mod wrapper;

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A folder with an installed mif, a home without policies, and room for programs.
struct Prefix {
    path: PathBuf,
}

/// How a run ended.
#[derive(Debug, PartialEq, Eq)]
struct Ran {
    status: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Prefix {
    /// A fresh one for the test of this name.
    fn new(name: &str) -> Self {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let _ = fs::remove_dir_all(&path);
        let prefix = Self { path };
        for folder in ["bin", "lib/mif", "home/mif/apps", "work"] {
            fs::create_dir_all(prefix.at(folder)).unwrap();
        }
        fs::copy(script("mif-run"), prefix.at("bin/mif-run")).unwrap();
        symlink(env!("CARGO_BIN_EXE_mif"), prefix.at("bin/mif")).unwrap();
        prefix.library("lib/mif/libmif.so");
        prefix
    }

    fn at(&self, path: &str) -> PathBuf {
        self.path.join(path)
    }

    /// A text with this prefix's path, which differs between machines, as `PREFIX`.
    fn masked(&self, bytes: &[u8]) -> String {
        String::from_utf8_lossy(bytes).replace(&self.path.display().to_string(), "PREFIX")
    }

    fn write(&self, path: &str, text: &str) -> PathBuf {
        let path = self.at(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    }

    fn script(&self, path: &str, text: &str) -> PathBuf {
        let path = self.write(path, text);
        set_mode(&path, 0o755);
        path
    }

    /// A C program, or whatever the flags make of it.
    fn compile(&self, path: &str, source: &str, flags: &[&str]) -> PathBuf {
        let path = self.at(path);
        let source = self.write(&format!("{}.c", path.display()), source);
        let built = Command::new("gcc")
            .args(flags)
            .arg(source)
            .arg("-o")
            .arg(&path)
            .output();
        let built = built.expect("gcc is installed");
        assert!(
            built.status.success(),
            "{}",
            String::from_utf8_lossy(&built.stderr)
        );
        path
    }

    /// A library that says `preloaded` when it is.
    fn library(&self, path: &str) -> PathBuf {
        fs::create_dir_all(self.at(path).parent().unwrap()).unwrap();
        let source = "#include <stdlib.h>\n#include <unistd.h>\n\
            __attribute__((constructor)) static void say(void) {\n\
            if (getenv(\"SAY\") && write(2, \"preloaded\\n\", 10)) {} }\n";
        self.compile(path, source, &["-shared", "-fPIC"])
    }

    /// A command that sees nothing of this process's environment but PATH.
    fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        let path = std::env::var("PATH").unwrap();
        command
            .env_clear()
            .env("PATH", format!("{}:{path}", self.at("bin").display()))
            .env("HOME", self.at("nobody"))
            .env("XDG_CONFIG_HOME", self.at("home"))
            .current_dir(self.at("work"))
            .stdin(Stdio::null());
        command
    }

    fn mif_run(&self, arguments: &[&str]) -> Ran {
        self.ran(self.command("mif-run").args(arguments))
    }

    fn mif(&self, arguments: &[&str]) -> Ran {
        self.ran(self.command("mif").args(arguments))
    }

    fn ran(&self, command: &mut Command) -> Ran {
        let Output {
            status,
            stdout,
            stderr,
        } = command.output().unwrap();
        let (stdout, stderr) = (self.masked(&stdout), self.masked(&stderr));
        Ran {
            status: status.code(),
            stdout,
            stderr,
        }
    }
}

impl Ran {
    fn new(status: i32, stdout: &str, stderr: &str) -> Self {
        Self {
            status: Some(status),
            stdout: stdout.into(),
            stderr: stderr.into(),
        }
    }
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../scripts")
        .join(name)
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}
