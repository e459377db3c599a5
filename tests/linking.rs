//! Programs that know mif and link it: compiled by pkg-config, with and without mif-run; and how far mif
//! goes where a library of theirs links it, or where they open it when they run.

mod support;

use std::path::{Path, PathBuf};
use std::process::Command;

use mif_lab::Lab;
use support::compile;

const TO: [&str; 3] = ["tcp", "203.0.113.10", "7001"];
const RACE: [&str; 4] = ["race", "utf8:isp-b", "split.test", "7001"];
const PVDS: &str = "
[pvd.isp-b]
interface = \"wan1\"
dns.servers = [\"10.2.0.1\"]
";

fn lab() -> Lab {
    let lab = Lab::new();
    lab.pvds(PVDS);
    lab
}

/// Installs what the lab has, below a folder of its own.
fn installation(lab: &Lab) -> PathBuf {
    let (prefix, target) = (lab.dir().join("installed"), lab.dir().join("target"));
    lab.write("idle/cargo", "#!/bin/sh\n");
    let idle = lab.dir().join("idle");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/install");
    let run = "
        chmod 755 idle/cargo
        mkdir -p target/release
        cp lib/mif/libmif.so lib/mif/libmif_tls.so bin/mif target/release
        PATH=$1:$PATH CARGO_TARGET_DIR=$2 \"$3\" \"$4\"";
    let out = Command::new("sh")
        .args(["-euc", run, "sh"])
        .args([&idle, &target, &script, &prefix])
        .current_dir(lab.dir())
        .output()
        .unwrap();
    assert!(out.status.success(), "{out:?}");
    prefix
}

/// What pkg-config says of it.
fn flags(prefix: &Path) -> Vec<String> {
    let out = Command::new("pkg-config")
        .args(["--cflags", "--libs", "mif"])
        .env("PKG_CONFIG_PATH", prefix.join("lib/pkgconfig"))
        .output()
        .expect("pkg-config is installed");
    assert!(out.status.success(), "{out:?}");
    let said = String::from_utf8(out.stdout).unwrap();
    said.split_whitespace().map(str::to_owned).collect()
}

#[test]
fn a_program_that_is_linked_with_an_installation() {
    let lab = lab();
    let prefix = installation(&lab);
    let flags = flags(&prefix);
    let include = format!("-I{}", prefix.join("include").display());
    assert!(flags.contains(&include), "{flags:?}");
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let program = compile(&lab, "gcc", &flags, "choose.c", "chooser");
    let run = || {
        let command = lab.command(&program);
        command.env("LD_LIBRARY_PATH", prefix.join("lib"))
    };
    let words = |loaded: &'static str| {
        let steps = [&["loaded"][..], &TO, &["thread", "utf8:isp-b"], &TO, &RACE];
        (steps.concat(), loaded)
    };

    let (steps, loaded) = words("libmif.so.0");
    let out = run().args(&steps).run();
    let said: Vec<&str> = out.ok().lines().collect();
    assert_eq!(said[..4], [loaded, "10.1.0.2", "0", "10.2.0.2"]);
    assert!(["10.2.0.2", "2001:db8:2::2"].contains(&said[4]), "{out}");

    // With a policy, of its own or of mif-run's: the one that is preloaded is the one that it is linked
    // with, and there is no other.
    let out = run().env("MIF_INTERFACE", "vpn0").args(&steps).run();
    let refused = ["10.3.0.2", "EACCES", "10.3.0.2", "EACCES"];
    assert_eq!(
        out.ok().lines().collect::<Vec<_>>(),
        [&[loaded], &refused[..]].concat()
    );
    let (steps, loaded) = words("libmif.so");
    let out = run().args(&steps).mif(&["-i", "vpn0"]).run();
    assert_eq!(
        out.ok().lines().collect::<Vec<_>>(),
        [&[loaded], &refused[..]].concat()
    );
    let out = run().args(&steps).preload().run();
    assert_eq!(out.ok().lines().next(), Some(loaded));
    assert_eq!(out.stdout.lines().count(), 5);
}

#[test]
fn behind_libc_what_the_program_calls_itself_cannot_be_chosen_for() {
    let lab = lab();
    let folder = lab.dir().join("lib");
    let [folder_flag, run_path, link_path] = ["-L", "-Wl,-rpath,", "-Wl,-rpath-link,"]
        .map(|option| format!("{option}{}", folder.display()));
    let own = format!("-L{}", lab.dir().join("bin").display());
    let own_path = format!("-Wl,-rpath,{}", lab.dir().join("bin").display());
    let flags = [
        "-shared",
        "-fPIC",
        "-Dmain=chooses",
        &folder_flag,
        "-lmif",
        &run_path,
    ];
    compile(&lab, "gcc", &flags, "choose.c", "libchoose.so");
    let flags = [&own, "-lchoose", &own_path, &link_path];
    let program = compile(&lab, "gcc", &flags, "by_library.c", "by_library");
    let steps = [
        &["loaded", "thread", "utf8:isp-b", "process", "utf8:isp-b"][..],
        &TO,
        &["socket", "utf8:isp-b", TO[1], TO[2]],
        &["name", "utf8:isp-b", "only-b.test"],
        &RACE,
    ];
    let out = lab.command(program).args(steps.concat()).run();
    let said: Vec<&str> = out.ok().lines().collect();
    let refused = "EOPNOTSUPP";
    assert_eq!(
        said[..5],
        ["libmif.so.0", refused, refused, "10.1.0.2", "10.2.0.2"]
    );
    assert!(said[5].contains("203.0.113.22"), "{out}");
    assert!(["10.2.0.2", "2001:db8:2::2"].contains(&said[6]), "{out}");
}

/// By ctypes: what the functions that choose for a thread and connect to a name come to.
const OPENER: &str = "
import ctypes, errno, socket, sys
mif = ctypes.CDLL(sys.argv[1], use_errno=True)
pvd = ctypes.create_string_buffer(bytes([2, 5]) + b'isp-b', 256)
print(mif.mif_thread_pvd(pvd, 0), errno.errorcode.get(ctypes.get_errno()))
fd = mif.mif_connect_name(pvd, ctypes.c_size_t(1), 1, b'split.test', b'7001', 10000)
with socket.socket(fileno=fd) as connected:
    print(connected.getsockname()[0])
";

#[test]
fn a_program_that_opens_it_when_it_runs() {
    let lab = lab();
    let library = lab.dir().join("lib/libmif.so.0");
    let python = || {
        let python = lab.command("python3").args(["-c", OPENER]);
        python.arg(&library)
    };
    let out = python().run();
    assert_eq!(out.ok(), "-1 ENOTSUP\n10.2.0.2");
    // Under mif-run it is there already, in front of libc.
    let out = python().mif(&["-i", "isp-b"]).run();
    assert_eq!(out.ok(), "0 None\n10.2.0.2");
}

#[test]
fn a_program_is_not_steered_twice_by_whatever_name_it_was_preloaded() {
    let lab = lab();
    for name in ["lib/mif/libmif.so", "lib/libmif.so.0"] {
        let show = lab.command("sh").args(["-c", "echo preload: $LD_PRELOAD"]);
        let show = show.env("LD_PRELOAD", lab.dir().join(name));
        let out = show.mif(&["--reach=supervise", "-i", "isp-b"]).run();
        assert_eq!(out.ok(), "preload:", "{name}");
    }
}
