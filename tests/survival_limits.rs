//! Little room and little freedom: small stacks, no memory, no descriptors, other roots, users and
//! network namespaces, and sandboxes. A call comes to what it comes to natively by the policy's
//! network, or is refused; the program goes on.

mod support;

use mif_lab::Lab;
use support::{BY_WAN1, WAN1, WHO, nothing_leaves, only_by_wan1, under_wan1};

/// Threads have 16 KiB at least, and so have most coroutines; built for release, the deepest call
/// (`sendmmsg`) takes 7 KiB of them. The frames of a debug build are larger.
#[test]
fn calls_fit_on_the_stacks_of_coroutines_and_of_the_smallest_threads() {
    let lab = Lab::new();
    for call in [
        "connect", "connect6", "bind", "listen", "sendto", "sendmsg", "sendmmsg", "open",
    ] {
        let out = under_wan1(&lab, "stack", &[call, "20480"]);
        assert_eq!(out.ok(), "coroutine: 0\nthread: 0", "{call}");
    }
    // The first look-up of glibc itself does not fit on the smallest stack.
    let out = under_wan1(&lab, "stack", &["getaddrinfo", "49152"]);
    assert_eq!(out.ok(), "coroutine: 0\nthread: 0");
    only_by_wan1(&lab);
}

#[test]
fn a_look_up_without_memory_fails_and_the_program_goes_on() {
    let lab = Lab::new();
    let out = under_wan1(&lab, "no_memory", &["who.test"]);
    assert_eq!((out.ok(), &*out.stderr), (&*format!("{AGAIN}\nfound"), ""));
}

#[test]
fn the_log_does_not_end_a_program_by_a_signal() {
    let lab = Lab::new();
    // Neither is told: a file that may not grow, and a pipe that nobody reads.
    let probe = lab.probe("circumstances");
    let words = ["no-files", "later", WHO, "7001"];
    let log = lab.home().join("log");
    let logged = lab.command(&probe).args(words).env("MIF_LOG_FILE", &log);
    let said = format!("{WAN1} {WAN1} found");
    assert_eq!(
        logged.mif(&[&["-v"], &BY_WAN1[..]].concat()).run().ok(),
        said
    );
    // What was written before is there.
    let lines = std::fs::read_to_string(log).unwrap();
    assert_eq!(lines.lines().count(), 1, "{lines}");

    let script =
        "{ until [ -e go ]; do :; done; \"$@\" >seen; echo $? >said; } 2>&1 | { exec <&-; : >go; }";
    let program = lab.probe("connect");
    let words = ["-c", script, "sh", program.to_str().unwrap(), WHO, "7001"];
    let shell = lab.command("sh").args(words).preload();
    let shell = shell
        .env("MIF_INTERFACE", "wan1")
        .env("MIF_LOG", "decisions");
    shell.run().ok();
    let read = |name: &str| std::fs::read_to_string(lab.home().join(name)).unwrap();
    assert_eq!(
        [read("seen"), read("said")],
        [format!("{WAN1}\n"), "0\n".to_owned()]
    );
    only_by_wan1(&lab);
}

const AGAIN: &str = "Temporary failure in name resolution";

/// What a program gives up, and what a look-up then comes to natively and by wan1.
const GIVEN_UP: [(&str, &str, &str); 11] = [
    ("nothing", "found", "found"),
    ("no-descriptors", "EMFILE", AGAIN),
    ("no-processes", "found", "found"),
    ("no-files", "found", "found"),
    ("no-new-privileges", "found", "found"),
    ("not-dumpable", "found", "found"),
    // Policy and servers were read before.
    ("chroot", AGAIN, "found"),
    ("nobody", "found", "found"),
    ("no-netlink", "found", "found"),
    // A filter that kills for what only mif does is seen coming.
    ("killing-prctl", "found", "found"),
    ("killing-seccomp", "found", "found"),
];

/// In processes that have made a call before, and go on when what is known of the host is old.
#[test]
fn what_a_program_gives_up_changes_nothing() {
    let (native, ours) = (Lab::new(), Lab::new());
    let in_all = |lab: &Lab, options: Option<&[&str]>| {
        lab.as_root_in("host", &["mkdir", "/run/empty"]);
        let run = |(circumstance, _, _)| {
            let probe = lab.command(lab.probe("circumstances")).root();
            let probe = probe.args([circumstance, "later", WHO, "7001"]);
            match options {
                Some(options) => probe.mif(options),
                None => probe,
            }
            .spawn()
        };
        GIVEN_UP
            .map(run)
            .map(|running| running.wait().ok().to_owned())
    };
    let expected = |own: &str, of: fn((&str, &str, &str)) -> String| {
        GIVEN_UP.map(|given_up| format!("{own} {own} {}", of(given_up)))
    };
    assert_eq!(
        in_all(&native, None),
        expected("10.1.0.2", |(_, native, _)| native.to_owned())
    );
    assert_eq!(
        in_all(&ours, Some(&BY_WAN1)),
        expected(WAN1, |(_, _, ours)| ours.to_owned())
    );
    only_by_wan1(&ours);
}

/// As daemons do at their start; mif has none open.
#[test]
fn who_closes_all_descriptors_takes_nothing_from_mif() {
    let lab = Lab::new();
    let code = format!(
        "import ctypes, os, socket\n\
         def who():\n    \
             socket.getaddrinfo('who.test', 7001)\n    \
             print(socket.create_connection(('{WHO}', 7001)).recv(99).decode().split()[0], flush=True)\n\
         who()\n\
         ctypes.CDLL(None).closefrom(3)\n\
         who()\n\
         os.closerange(3, 2**31 - 1)\n\
         who()"
    );
    let python = lab.command("python3").args(["-c", &code]).mif(&BY_WAN1);
    assert_eq!(python.run().ok(), [WAN1; 3].join("\n"));
    only_by_wan1(&lab);
}

#[test]
fn what_the_kernel_cannot_be_asked_is_refused() {
    let lab = Lab::new();
    for (circumstance, said) in [
        // Nothing was known of the host before.
        ("no-descriptors", format!("ENETUNREACH ENETUNREACH {AGAIN}")),
        ("no-netlink", format!("ENETUNREACH ENETUNREACH {AGAIN}")),
    ] {
        nothing_leaves(&lab, || {
            let words = [circumstance, "at-once", WHO, "7001"];
            assert_eq!(under_wan1(&lab, "circumstances", &words).ok(), said);
        });
    }
    // A stream needs an option, a datagram none; and whether it is a stream has to be asked.
    for (circumstance, said) in [
        ("no-getsockopt", format!("ENETUNREACH {WAN1} found")),
        ("no-setsockopt", format!("ENETUNREACH {WAN1} {AGAIN}")),
    ] {
        let words = [circumstance, "at-once", WHO, "7001"];
        let out = under_wan1(&lab, "circumstances", &words);
        assert_eq!(out.ok(), said, "{circumstance}");
    }
    only_by_wan1(&lab);
}

/// There, another interface has the index of wan1 here, and the better default route.
#[test]
fn a_thread_in_another_network_namespace_has_its_own_host() {
    let lab = Lab::new();
    let index = lab.host_ip("-o link show wan1");
    let index = index.split(':').next().unwrap().to_owned();
    lab.host_ip("netns add there");
    lab.host_ip("netns add beyond");
    let ip = |place: &str, words: &str| {
        let words: Vec<&str> = ["ip"].into_iter().chain(words.split_whitespace()).collect();
        lab.as_root_in(place, &words);
    };
    for (name, index, number, metric) in [("other", &*index, 1, 100), ("wan1", "77", 2, 200)] {
        ip(
            "there",
            &format!("link add {name} index {index} type veth peer name {name} netns beyond"),
        );
        ip(
            "there",
            &format!("address add 192.0.2.{number}/24 dev {name}"),
        );
        ip("there", &format!("link set {name} up"));
        ip("beyond", &format!("link set {name} up"));
        ip(
            "there",
            &format!("route add default dev {name} metric {metric}"),
        );
        ip("beyond", &format!("route add 192.0.2.{number} dev {name}"));
    }
    for place in ["beyond", "there"] {
        ip(place, "link set lo up");
    }
    ip("beyond", "address add 203.0.113.10/32 dev lo");
    let server = lab.dir().join("libexec/lab-server");
    let log = lab.dir().join("beyond.log");
    let server = lab.command(server).arg(log).arg(WHO);
    let server = server.within("beyond").root().spawn();
    server.wait_for_line("ready");

    let program = lab.probe("moved");
    let run = |options: &[&str]| {
        let probe = lab
            .command(&program)
            .args([WHO, "7001", "/run/netns/there"]);
        probe.root().mif(options).run().ok().to_owned()
    };
    let turns = |here: &str, there: &str| {
        let turn = format!("there: {there} {there}\nstayed: {here} {here}\n");
        format!("before: {here} {here}\n{}", turn.repeat(3))
    };
    assert_eq!(
        run(&["-i", "system"]) + "\n",
        turns("10.1.0.2", "192.0.2.1")
    );
    let before = lab.packets("ra");
    assert_eq!(run(&["-i", "wan1"]) + "\n", turns(WAN1, "192.0.2.2"));
    assert_eq!(lab.packets("ra"), before);
    // No such network there.
    let refused = turns("10.3.0.2", "ENETUNREACH");
    assert_eq!(run(&["-i", "vpn0"]) + "\n", refused);
}
