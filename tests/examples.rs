//! The programs of `examples/` and of the crate `mif-api`, as a stranger would build and run them.

#[path = "support/api.rs"]
mod api;
mod support;

use std::path::{Path, PathBuf};
use std::{env, fs};

use api::lab;
use mif_lab::{Arrival, Command, Lab, eventually};
use support::{compile, only_by_wan1};

/// Every domain's servers have another address for it.
const HOST: &str = "split.test";

/// Compiles `examples/NAME.c` for libmif, where the lab's loader finds it.
fn in_c(lab: &Lab, name: &str) -> PathBuf {
    let include = concat!("-I", env!("CARGO_MANIFEST_DIR"), "/include");
    let folder = lab.dir().join("lib");
    let [libraries, run_path] =
        ["-L", "-Wl,-rpath,"].map(|option| format!("{option}{}", folder.display()));
    let flags = [include, &libraries, "-lmif", &run_path];
    let source = format!("../../examples/{name}.c");
    compile(lab, "gcc", &flags, &source, name)
}

fn in_rust(lab: &Lab) -> Command<'_> {
    let program = of_the_crate(lab, "mif_pvds");
    with_library_path(lab, lab.command(program))
}

/// An example of the crate `mif-api`, from where cargo has left it.
fn of_the_crate(lab: &Lab, name: &str) -> PathBuf {
    let test = env::current_exe().unwrap();
    let profile = test.ancestors().nth(2).unwrap();
    let built = profile.join("examples").join(name);
    assert!(
        built.exists(),
        "{} has not been built: cargo build -p mif-api --examples",
        built.display()
    );
    let program = lab.dir().join("bin").join(name);
    fs::copy(built, &program).unwrap();
    program
}

fn in_python(lab: &Lab) -> Command<'_> {
    let source = include_str!("../examples/mif_pvds.py");
    let program = lab.write("mif_pvds.py", source);
    with_library_path(lab, lab.command("python3").arg(program))
}

/// What dlopen(3) goes by.
fn with_library_path<'l>(lab: &'l Lab, command: Command<'l>) -> Command<'l> {
    command.env("LD_LIBRARY_PATH", lab.dir().join("lib"))
}

fn valgrind<'l>(lab: &'l Lab, program: &Path) -> Command<'l> {
    let valgrind = lab.command("valgrind").args([
        "--quiet",
        "--error-exitcode=99",
        "--leak-check=full",
        "--errors-for-leak-kinds=definite,possible",
        "--track-fds=yes",
    ]);
    valgrind.arg(program)
}

/// Neither the program nor valgrind: no error, no leak, and no descriptor but those that it was given.
#[track_caller]
fn nothing_is_complained_of(said: &str) {
    let said: Vec<&str> = said
        .lines()
        .map(|line| {
            line.rsplit_once("== ")
                .map_or(line, |(_, line)| line)
                .trim()
        })
        .filter(|line| !line.is_empty() && !line.starts_with("FILE DESCRIPTORS: "))
        .collect();
    let is_inherited = |of_one: &[&str]| {
        of_one[0].starts_with("Open ") && of_one.get(1) == Some(&"<inherited from parent>")
    };
    assert!(said.chunks(2).all(is_inherited), "{said:#?}");
}

/// By which domain, to which addresses, and from which.
const PROVIDERS: [(&str, [&str; 2], &[&str]); 3] = [
    (
        "isp-a",
        ["203.0.113.21", "2001:db8:ff::21"],
        &["10.1.0.2", "2001:db8:1::2"],
    ),
    (
        "isp-b",
        ["203.0.113.22", "2001:db8:ff::22"],
        &["10.2.0.2", "2001:db8:2::2"],
    ),
    ("office", ["203.0.113.23", "2001:db8:ff::23"], &["10.3.0.2"]),
];

/// What a program says that it got by this domain.
fn got<'s>(said: &'s str, domain: &str) -> Option<&'s str> {
    let by = |line: &'s str| line.strip_prefix(domain)?.strip_prefix(": ");
    said.lines().find_map(by)
}

/// By each provider, as the program says and as the far end and the name servers have seen.
#[track_caller]
fn each_was_fetched_by(lab: &Lab, said: &str) {
    let arrivals = lab.arrivals();
    for ((domain, to, from), router) in PROVIDERS.iter().zip(["ra", "rb", "rv"]) {
        let peer = got(said, domain);
        let peer = peer.filter(|peer| from.contains(peer));
        let peer = peer.unwrap_or_else(|| panic!("{domain} in {said}"));
        let is_it = |one: &Arrival| one.port == 80 && one.peer == peer && to.contains(&&*one.local);
        assert!(arrivals.iter().any(is_it), "{domain} in {arrivals:?}");
        let asked = lab.queries(router);
        let is_it = |query: &String| query.contains(HOST);
        assert!(asked.iter().any(is_it), "{router} was asked {asked:?}");
    }
}

#[test]
fn each_provider_is_picked_in_turn() {
    for language in ["C", "Rust", "Python"] {
        let lab = lab();
        let (program, any) = match language {
            "C" => (valgrind(&lab, &in_c(&lab, "fetch")), "first isp-a"),
            "Rust" => (in_rust(&lab), "any"),
            _ => (in_python(&lab), "any"),
        };
        let out = program.arg(HOST).run();
        each_was_fetched_by(&lab, out.ok());
        nothing_is_complained_of(&out.stderr);
        // The first that is listed is the one that is preferred; but a race in which each step takes as
        // long as under valgrind may be another's.
        let out = match language {
            "C" => lab.command(in_c(&lab, "fetch")).arg(HOST).run(),
            _ => out,
        };
        let peer = got(out.ok(), any);
        let peer = peer.filter(|peer| PROVIDERS[0].2.contains(peer));
        assert!(peer.is_some(), "{language} {out}");
    }
}

#[test]
fn a_policy_leaves_its_own_domain() {
    for language in ["C", "Rust", "Python"] {
        let lab = lab();
        let program = match language {
            "C" => lab.command(in_c(&lab, "fetch")),
            "Rust" => in_rust(&lab),
            _ => in_python(&lab),
        };
        let out = program.arg(HOST).mif(&["-i", "isp-b"]).run();
        let peer = got(out.ok(), "isp-b");
        let peer = peer.filter(|peer| PROVIDERS[1].2.contains(peer));
        assert!(peer.is_some(), "{language} {out}");
        assert_eq!(got(&out.stdout, "isp-a"), None, "{language} {out}");
        assert_eq!(got(&out.stdout, "office"), None, "{language} {out}");
        only_by_wan1(&lab);
    }
}

/// How a program writes a message of this type.
fn written(language: &str, message: &str) -> String {
    if language != "Rust" {
        return format!("MIF_{message} ");
    }
    let mut camel = String::new();
    for word in message.split('_') {
        camel.push_str(&word[..1]);
        camel.push_str(&word[1..].to_lowercase());
    }
    camel + " "
}

/// Asserts that messages of these types, each about one of these, are there, the types in this order.
#[track_caller]
fn in_order(language: &str, lines: &[&str], wanted: &[(&str, &[&str])]) {
    let mut before = 0;
    for (message, abouts) in wanted {
        let begin = written(language, message);
        let place = |about: &&str| {
            let is_it = |line: &&str| line.starts_with(&begin) && line.contains(about);
            let place = lines.iter().position(is_it);
            place.unwrap_or_else(|| panic!("no {begin}about {about} in {lines:#?}"))
        };
        let places: Vec<usize> = abouts.iter().map(place).collect();
        let first = places.iter().min().copied().unwrap_or(before);
        assert!(before <= first, "{begin}is too early in {lines:#?}");
        before = places.into_iter().max().unwrap_or(before);
    }
}

#[test]
fn a_link_that_goes_and_comes_is_told_in_the_order_of_the_draft() {
    for language in ["C", "Rust", "Python"] {
        let lab = lab();
        let program = match language {
            "C" => valgrind(&lab, &in_c(&lab, "pvds")),
            "Rust" => in_rust(&lab),
            _ => in_python(&lab),
        };
        let mut running = program.stdin_open().spawn();
        let address = |domain: &str, ip: &str| match language {
            "Rust" => format!("name: \"{domain}\" }}, address: {ip}"),
            _ => format!("{domain} {ip}"),
        };
        // The last that there is at the start.
        running.wait_for_output(&address("vpn0", "10.3.0.2"));
        let start = running.seen().0.len();

        lab.link_down("wan1");
        running.wait_for_line(&written(language, "NO_INTERFACE"));
        let down = running.seen().0.len();
        lab.link_up("wan1");
        eventually("all that came is told", || {
            let said = &running.seen().0[down..];
            ["10.2.0.2", "2001:db8:2::2"].iter().all(|ip| {
                said.contains(&address("isp-b", ip)) && said.contains(&address("wan1", ip))
            })
        });
        running.close_stdin();
        let out = running.wait();
        out.ok();
        nothing_is_complained_of(&out.stderr);

        let listed: Vec<&str> = out.stdout.lines().take(6).collect();
        for (domain, ..) in PROVIDERS {
            let line = format!("domain {domain}");
            assert!(listed.contains(&&*line), "{language} {out}");
        }
        let gone: Vec<&str> = out.stdout[start..down].lines().collect();
        for domain in ["isp-b", "wan1"] {
            let wanted: [(&str, &[&str]); 5] = [
                ("INTERFACE_GOING_AWAY", &[""]),
                ("NO_ADDRESS", &["10.2.0.2", "2001:db8:2::2"]),
                ("NO_ELEMENT", &[domain]),
                ("NO_PVD", &[domain]),
                ("NO_INTERFACE", &["wan1"]),
            ];
            in_order(language, &of(domain, &gone), &wanted);
        }
        let come: Vec<&str> = out.stdout[down..].lines().collect();
        for domain in ["isp-b", "wan1"] {
            let wanted: [(&str, &[&str]); 5] = [
                ("INTERFACE_GOING_UP", &[""]),
                ("INTERFACE", &["wan1"]),
                ("PVD", &[domain]),
                ("ELEMENT", &[domain]),
                ("ADDRESS", &["10.2.0.2", "2001:db8:2::2"]),
            ];
            in_order(language, &of(domain, &come), &wanted);
        }
    }
}

/// The lines without those of the other domain of the link.
fn of<'l>(domain: &str, lines: &[&'l str]) -> Vec<&'l str> {
    let other = if domain == "wan1" { "isp-b" } else { "wan1" };
    let is_of_other = |line: &str| {
        line.contains(other) && !line.contains("Interface {") && !line.contains("INTERFACE ")
    };
    lines
        .iter()
        .copied()
        .filter(|line| !is_of_other(line))
        .collect()
}

#[test]
fn choices_are_made_and_taken_back_in_rust() {
    let lab = lab();
    let program = of_the_crate(&lab, "choose");
    let choose = || {
        lab.command(&program)
            .args([HOST, "7001", "office", "isp-b"])
    };
    let out = choose().preload().run();
    let said: Vec<_> = out
        .ok()
        .lines()
        .filter_map(|line| line.split_once(": "))
        .collect();
    let office = "10.3.0.2 utf8:office";
    let isp_b = ["10.2.0.2 utf8:isp-b", "2001:db8:2::2 utf8:isp-b"];
    let native = ["10.1.0.2 -", "2001:db8:1::2 -"];
    let wanted: [(&str, &[&str]); 7] = [
        ("socket", &["10.3.0.2"]),
        ("thread", &[office]),
        ("within", &isp_b),
        ("again", &[office]),
        ("process", &isp_b),
        ("before", &native),
        ("handle", &["utf8:office"]),
    ];
    assert_eq!(said.len(), wanted.len(), "{out}");
    for ((step, got), (wanted_step, wanted)) in said.iter().zip(wanted) {
        assert!(*step == wanted_step && wanted.contains(got), "{out}");
    }

    // Where it does not see the thread's calls, nothing is chosen and nothing sent.
    let packets = || ["ra", "rb"].map(|router| lab.packets(router));
    let before = packets();
    let out = with_library_path(&lab, choose()).run();
    assert!(out.fails().contains("Operation not supported"), "{out}");
    assert_eq!(out.stdout, "socket: 10.3.0.2\n");
    assert_eq!(packets(), before);

    let out = choose().run();
    let wanted = "libmif is not in this process, and libmif.so.0: cannot open";
    assert!(out.fails().contains(wanted), "{out}");
}
