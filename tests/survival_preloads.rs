//! What else is loaded into a process: allocators, other preloads before libmif and behind it, the
//! sanitizer and valgrind, a second libmif, and programs that come by `connect` in their own way.

mod support;

use std::{path::PathBuf, time::Duration};

use mif_lab::{Command, Lab};
use support::{BY_WAN1, WAN1, WAN1_6, WHO, WHO6, compile, nothing_leaves, only_by_wan1};

const ARGUMENTS: [&str; 4] = [WHO, WHO6, "7001", "who.test"];

/// What `all_calls` says by wan1.
fn by_wan1() -> String {
    let calls = "0 0 0 20 0";
    format!("{WAN1}\n{calls}\n{WAN1_6}\n{calls}\n0 0\n0\n0 0 0 -2 1 1 1\n1 0 1")
}

/// A program with these preloads and a policy, without `mif-run`.
fn with<'l>(lab: &'l Lab, preloads: &str, program: &str) -> Command<'l> {
    let command = lab.command(program).env("LD_PRELOAD", preloads);
    command
        .env("MIF_INTERFACE", "wan1")
        .env("MIF_DNS", "10.2.0.1")
}

fn in_either_order(lab: &Lab, other: &str) -> [String; 2] {
    let mif = lab.library();
    let mif = mif.display();
    [format!("{mif}:{other}"), format!("{other}:{mif}")]
}

#[test]
fn allocators_and_other_preloads_in_either_order() {
    let lab = Lab::new();
    let program = lab.probe("all_calls");
    let copy = lab.dir().join("bin/libmif.so");
    std::fs::copy(lab.library(), &copy).unwrap();
    for other in [
        "libjemalloc.so.2",
        "libtcmalloc_minimal.so.4",
        "libmimalloc.so.2.0",
        "libeatmydata.so",
        copy.to_str().unwrap(),
    ] {
        for both in in_either_order(&lab, other) {
            let out = with(&lab, &both, program.to_str().unwrap())
                .args(ARGUMENTS)
                .run();
            assert_eq!((out.ok(), &*out.stderr), (&*by_wan1(), ""), "{both}");
        }
    }
    // Those that come with a command of their own.
    for words in [&["stdbuf", "-oL"][..], &["fakeroot", "--"]] {
        let inside = lab.mif_run();
        let inside = [inside.to_str().unwrap(), "-i", "wan1", "-d", "10.2.0.1"];
        let inner = lab.command(words[0]).args(&words[1..]).args(inside);
        let inner = inner.arg(&program).args(ARGUMENTS).run();
        assert_eq!(inner.ok(), by_wan1(), "{words:?} outside");
        let outer = lab.command(words[0]).args(&words[1..]).arg(&program);
        let outer = outer.args(ARGUMENTS).mif(&BY_WAN1).run();
        assert_eq!(outer.ok(), by_wan1(), "{words:?} inside");
    }
    only_by_wan1(&lab);
}

#[test]
fn look_ups_by_many_threads_with_other_allocators() {
    let lab = Lab::new();
    let program = lab.probe("name_storm");
    for other in [
        "libjemalloc.so.2",
        "libtcmalloc_minimal.so.4",
        "libmimalloc.so.2.0",
    ] {
        for both in in_either_order(&lab, other) {
            let storm = with(&lab, &both, program.to_str().unwrap()).args(["300", "100"]);
            let out = storm.limit(Duration::from_mins(1)).run();
            assert!(
                out.ok()
                    .starts_with("0 wrong, 3 children, +0 descriptors, +0 threads"),
                "{out}"
            );
        }
    }
    only_by_wan1(&lab);
}

/// It is in front, so that mif judges the flows to its servers.
#[test]
fn a_proxy_of_proxychains_is_reached_by_the_policys_network() {
    let lab = Lab::new();
    let text = format!("strict_chain\ntcp_connect_time_out 2000\n[ProxyList]\nsocks5 {WHO} 7001\n");
    let proxychains = lab.write("proxychains.conf", &text);
    let program = lab.probe("connect");
    let program = program.to_str().unwrap();
    let [_, in_front] = in_either_order(&lab, "libproxychains.so.4");
    let proxied = with(&lab, &in_front, program).args(["198.51.100.1", "80"]);
    let proxied = proxied.env("PROXYCHAINS_CONF_FILE", &proxychains).run();
    assert_eq!(proxied.ok(), "ECONNREFUSED", "it is no proxy: {proxied}");
    assert_eq!(lab.peers(), [WAN1]);
    only_by_wan1(&lab);
    nothing_leaves(&lab, || {
        let refused = with(&lab, &in_front, program).args(["198.51.100.1", "80"]);
        let refused = refused.env("PROXYCHAINS_CONF_FILE", &proxychains);
        refused.env("MIF_INTERFACE", "none").run().ok();
    });
}

/// Builds a probe or another source with debug information.
fn built(lab: &Lab, flags: &[&str], source: &str, name: &str) -> String {
    let program = compile(lab, "gcc", &[flags, &["-g"]].concat(), source, name);
    program.to_str().unwrap().to_owned()
}

/// A program with a mistake, so that it is known that it would be seen.
fn mistaken(lab: &Lab, flags: &[&str]) -> String {
    let text = "#include <stdlib.h>\n\
                int main(void) { char *volatile p = malloc(8); free(p); return p[0]; }\n";
    let source = lab.write("mistaken.c", text);
    built(lab, flags, source.to_str().unwrap(), "mistaken")
}

#[test]
fn address_sanitizer_finds_nothing() {
    let lab = Lab::new();
    let sanitized = ["-fsanitize=address"];
    let program = built(&lab, &sanitized, "all_calls.c", "sanitized");
    let mif = lab.library();
    let mif = mif.to_str().unwrap();
    // Without a word to it, the sanitizer refuses every preload.
    let out = with(&lab, mif, &program).args(ARGUMENTS).run();
    let said = out.fails();
    assert!(said.contains("ASan runtime does not come first"), "{out}");
    let told = |program: &str| {
        let command = with(&lab, mif, program);
        command.env("ASAN_OPTIONS", "verify_asan_link_order=0")
    };
    let out = told(&program).args(ARGUMENTS).run();
    assert_eq!((out.ok(), &*out.stderr), (&*by_wan1(), ""));
    let runtime = lab.run(&["gcc", "-print-file-name=libasan.so"]);
    let in_front = format!("{}:{mif}", runtime.ok());
    let out = with(&lab, &in_front, &program).args(ARGUMENTS).run();
    assert_eq!((out.ok(), &*out.stderr), (&*by_wan1(), ""));
    only_by_wan1(&lab);

    let out = told(&mistaken(&lab, &sanitized)).run();
    assert!(out.fails().contains("heap-use-after-free"), "{out}");
}

#[test]
fn valgrind_finds_nothing() {
    let lab = Lab::new();
    // The preload is for the program alone, which valgrind starts by `env`.
    let preload = format!("LD_PRELOAD={}", lab.library().display());
    let valgrind = |program: &str| {
        let options = ["-q", "--error-exitcode=9", "--leak-check=full"];
        let command = lab.command("valgrind").args(options);
        let command = command.args(["--trace-children=yes", "env"]);
        let command = command.arg(&preload).arg(program);
        let command = command.env("MIF_INTERFACE", "wan1");
        let command = command.env("MIF_DNS", "10.2.0.1");
        command.limit(Duration::from_mins(2))
    };
    let program = lab.probe("all_calls");
    let out = valgrind(program.to_str().unwrap()).args(ARGUMENTS).run();
    assert_eq!((out.ok(), &*out.stderr), (&*by_wan1(), ""));
    only_by_wan1(&lab);

    let out = valgrind(&mistaken(&lab, &[])).run();
    assert!(out.fails().contains("Invalid read"), "{out}");
}

#[test]
fn every_way_to_come_by_connect() {
    let lab = Lab::new();
    let library = compile(
        &lab,
        "gcc",
        &["-shared", "-fPIC", "-DLIBRARY"],
        "binding.c",
        "other.so",
    );
    // With an exported `connect` of its own, which it found all symbols for at its start.
    let own = compile(
        &lab,
        "gcc",
        &["-DOWN", "-rdynamic", "-Wl,-z,now"],
        "binding.c",
        "own",
    );
    let (library, mif) = (library.to_str().unwrap(), lab.library());
    for (way, object) in [
        ("next", library),
        ("default", library),
        ("dlopen", library),
        // As programs that were linked to an older glibc.
        ("old", library),
        ("close", mif.to_str().unwrap()),
    ] {
        let words = [way, object, WHO, "7001"];
        let run = |program: &PathBuf| lab.command(program).args(words).mif(&BY_WAN1).run();
        let out = run(&lab.probe("binding"));
        assert_eq!(out.ok(), format!("{WAN1}\n{WAN1}"), "{way}");
        let out = run(&own);
        let times = if way == "next" { 1 } else { 2 };
        assert_eq!(out.ok(), format!("{WAN1}\n{times} own, {WAN1}"), "{way}");
    }
    only_by_wan1(&lab);
    // Past every preload; what the program does otherwise is not touched by it.
    for way in ["dlmopen", "libc"] {
        let probe = lab
            .command(lab.probe("binding"))
            .args([way, library, WHO, "7001"]);
        let out = probe.mif(&BY_WAN1).run();
        assert_eq!(out.ok(), format!("10.1.0.2\n{WAN1}"), "{way}");
    }
}
