//! The files under test and the probes: where cargo left them, and their copies in a lab's folder.
//!
//! The lab's folder is laid out like an installation (`bin/mif-run`, `bin/mif`,
//! `lib/mif/libmif.so`), because the work tree may be in a folder that clients cannot enter. What
//! has not been built is missed when it is first used, so that the lab can be tested alone.

use std::{
    collections::hash_map::DefaultHasher,
    env, fs,
    hash::{Hash, Hasher},
    io,
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
    process, thread,
};

const HERE: &str = env!("CARGO_MANIFEST_DIR");

/// Puts what has been built into the lab's folder.
pub(crate) fn install(dir: &Path) {
    let profile = profile_dir();
    for (from, to) in [
        (
            Some(PathBuf::from(HERE).join("../../scripts/mif-run")),
            "bin/mif-run",
        ),
        (Some(profile.join("mif")), "bin/mif"),
        (newest_library(&profile, "libmif.so"), "lib/mif/libmif.so"),
        (
            newest_library(&profile, "libmif_tls.so"),
            "lib/mif/libmif_tls.so",
        ),
    ] {
        if let Some(from) = from.filter(|from| from.exists()) {
            place(&from, &dir.join(to));
        }
    }
    // As scripts/install makes them.
    for (target, link) in [
        ("mif/libmif.so", "lib/libmif.so.0"),
        ("libmif.so.0", "lib/libmif.so"),
    ] {
        symlink(target, dir.join(link)).expect("the lab's folder is new");
    }
    let server = profile.join("lab-server");
    assert!(
        server.exists(),
        "{} has not been built: run scripts/test, or `cargo build -p mif-lab`",
        server.display()
    );
    place(&server, &dir.join("libexec/lab-server"));
}

/// How a probe is compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Build {
    /// C, for this host's libc.
    Dynamic,
    /// C, with libc in it.
    Static,
    /// C, for musl's libc.
    Musl,
    /// C, with musl's libc in it.
    MuslStatic,
    /// Go, without any libc.
    Go,
    /// Go, which may use libc.
    GoWithC,
}

impl Build {
    fn suffix(self) -> &'static str {
        match self {
            Self::Dynamic => "",
            Self::Static => "-static",
            Self::Musl => "-musl",
            Self::MuslStatic => "-musl-static",
            Self::Go => "-go",
            Self::GoWithC => "-go-c",
        }
    }

    fn is_go(self) -> bool {
        matches!(self, Self::Go | Self::GoWithC)
    }

    fn compiler(self, cache: &Path) -> process::Command {
        let is_musl = matches!(self, Self::Musl | Self::MuslStatic);
        let mut compiler = process::Command::new(match self {
            Self::Go | Self::GoWithC => "go",
            _ if is_musl => "musl-gcc",
            _ => "gcc",
        });
        if self.is_go() {
            let with_c = if self == Self::GoWithC { "1" } else { "0" };
            compiler.args(["build", "-o"]);
            compiler
                .env("CGO_ENABLED", with_c)
                .env("GO111MODULE", "off");
            compiler.env("GOCACHE", cache.join("go"));
            return compiler;
        }
        compiler.args([
            "-O1",
            "-g",
            "-std=gnu11",
            "-Wall",
            "-Wextra",
            "-Werror",
            "-pthread",
        ]);
        if matches!(self, Self::Static | Self::MuslStatic) {
            compiler.arg("-static");
        }
        compiler.args(["-D_GNU_SOURCE", "-o"]);
        compiler
    }
}

/// Compiles `tests/probes/NAME.c` or `NAME.go`, unless that has been done for this very text, and
/// puts it into the lab's folder.
pub(crate) fn probe(dir: &Path, name: &str, build: Build) -> PathBuf {
    let sources = PathBuf::from(HERE).join("../probes");
    let source = sources
        .join(name)
        .with_extension(if build.is_go() { "go" } else { "c" });
    let cache = profile_dir().join("lab-probes");
    fs::create_dir_all(&cache).expect("the target folder is writable");
    let name = format!("{name}{}", build.suffix());
    let cached = cache.join(format!("{name}-{:016x}", hash(&sources, &source)));
    if !cached.exists() {
        // Other tests may do the same at this moment: each compiles its own, the last one stays.
        let id = format!("{}-{:?}", process::id(), thread::current().id());
        let fresh = cache.join(format!("{name}-{id}"));
        let mut compiler = build.compiler(&cache);
        let out = compiler
            .args([&fresh, &source])
            .output()
            .unwrap_or_else(|error| panic!("{compiler:?} cannot be run: {error}"));
        let said = String::from_utf8_lossy(&out.stderr);
        assert!(
            out.status.success(),
            "{} does not compile:\n{said}",
            source.display()
        );
        fs::rename(&fresh, &cached).expect("the target folder is writable");
    }
    let probe = dir.join("bin").join(name);
    if !probe.exists() {
        place(&cached, &probe);
    }
    probe
}

/// The folder of cargo's profile: test executables lie in its `deps`, other programs in itself.
fn profile_dir() -> PathBuf {
    let own = env::current_exe().expect("/proc is mounted");
    let dir = own.parent().expect("a program lies in a folder");
    match dir.file_name() {
        Some(name) if name == "deps" => dir.parent().expect("deps lies in a folder").to_owned(),
        _ => dir.to_owned(),
    }
}

/// `cargo test` leaves a library in `deps`, `cargo build` one folder up as well.
fn newest_library(profile: &Path, name: &str) -> Option<PathBuf> {
    let names = [profile.join(name), profile.join("deps").join(name)];
    names
        .into_iter()
        .filter_map(|path| Some((path.metadata().and_then(|data| data.modified()).ok()?, path)))
        .max()
        .map(|(_, path)| path)
}

/// A hard link where clients may use the file as it is, else a copy that they may use.
fn place(from: &Path, to: &Path) {
    let readable = |path: &Path| -> io::Result<bool> {
        Ok(path.metadata()?.permissions().mode() & 0o555 == 0o555)
    };
    let placed = || -> io::Result<()> {
        if readable(from)? && fs::hard_link(from, to).is_ok() {
            return Ok(());
        }
        fs::copy(from, to)?;
        fs::set_permissions(to, fs::Permissions::from_mode(0o755))
    };
    placed().unwrap_or_else(|error| panic!("{} → {}: {error}", from.display(), to.display()));
}

/// The text of a probe and of all headers beside it.
fn hash(sources: &Path, source: &Path) -> u64 {
    let mut headers: Vec<PathBuf> = fs::read_dir(sources)
        .unwrap_or_else(|error| panic!("{}: {error}", sources.display()))
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|ext| ext == "h"))
        .collect();
    headers.sort();
    let mut hasher = DefaultHasher::new();
    for path in headers.iter().map(PathBuf::as_path).chain([source]) {
        let text = fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        text.hash(&mut hasher);
    }
    hasher.finish()
}
