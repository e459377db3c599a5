//! The contracts of `lab-server` and of the harness, as tests of mif rely on them. Being an
//! integration test of its package, it also makes `cargo test --workspace` build the server.

use std::time::Duration;

use mif_lab::{Arrival, Lab};

#[test]
fn http_tells_the_client_its_address() {
    let lab = Lab::new();
    let get = |words: &[&str]| lab.run(words).ok().to_owned();
    assert_eq!(get(&["curl", "-sS", "http://203.0.113.10/"]), "10.1.0.2");
    let curl = lab.run(&["curl", "-sS", "http://[2001:db8:ff::21]/"]);
    assert_eq!(curl.stdout, "2001:db8:1::2\n");
    assert_eq!(
        get(&["wget", "-4qO-", "http://who.test/some/path"]),
        "10.1.0.2"
    );
    assert!(get(&["curl", "-sSI", "http://203.0.113.10/"]).contains("X-Local: 203.0.113.10"));
    let seen: Vec<String> = lab.arrivals().iter().map(ToString::to_string).collect();
    assert_eq!(seen[0], "tcp 80 from 10.1.0.2 to 203.0.113.10 ");
    assert_eq!(seen[1], "tcp 80 from 2001:db8:1::2 to 2001:db8:ff::21 ");
    assert_eq!(seen.len(), 4);
}

#[test]
fn raw_tcp_tells_both_addresses_and_echoes() {
    let lab = Lab::new();
    let out = lab
        .command("nc")
        .args(["-N", "203.0.113.40", "7001"])
        .stdin("one\ntwo\n")
        .run();
    assert_eq!(out.ok(), "10.1.0.2 203.0.113.40\none\ntwo");
}

#[test]
fn datagrams_are_answered_from_the_address_that_was_asked() {
    let lab = Lab::new();
    for (server, client) in [
        ("203.0.113.23", "10.1.0.2"),
        ("2001:db8:ff::30", "2001:db8:1::2"),
    ] {
        // A connected socket takes no answer from elsewhere.
        let mut nc = lab
            .command("nc")
            .args(["-u", server, "7001"])
            .stdin_open()
            .spawn();
        nc.send("\u{1}payload");
        nc.wait_for_output(client);
    }
    let Arrival {
        protocol,
        port,
        peer,
        local,
        payload,
        ..
    } = &lab.arrivals()[1];
    assert_eq!(
        [protocol, &port.to_string(), peer, local, payload],
        [
            "udp",
            "7001",
            "2001:db8:1::2",
            "2001:db8:ff::30",
            "\\x01payload"
        ]
    );
}

#[test]
fn clients_are_unprivileged_and_see_a_clean_environment() {
    let lab = Lab::new();
    let caps = lab.run(&["grep", "^Cap", "/proc/self/status"]);
    for line in caps.ok().lines() {
        assert!(line.ends_with("\t0000000000000000"), "{line}");
    }
    assert!(
        lab.run(&["ip", "link", "set", "wan1", "down"])
            .fails()
            .contains("not permitted")
    );
    let home = lab.home();
    assert_eq!(
        lab.command("env").env("EXTRA", "a b").run().ok(),
        format!(
            "LANG=C.UTF-8\nPATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin\nHOME={}\n\
             XDG_CONFIG_HOME={}\nEXTRA=a b",
            home.display(),
            lab.config_home().display()
        )
    );
    assert_eq!(
        lab.run(&["sh", "-c", "pwd; : >file; ls"]).ok(),
        format!("{}\nfile", home.display())
    );
    let links = lab.run(&["ls", "/sys/class/net"]);
    assert_eq!(
        links.ok().split_whitespace().collect::<Vec<_>>(),
        ["lo", "vpn0", "wan0", "wan1"]
    );
}

#[test]
fn outcomes_are_the_programs_own() {
    let lab = Lab::new();
    let out = lab
        .command("sh")
        .args(["-c", "cat; echo error >&2; exit 7"])
        .stdin("text")
        .run();
    assert_eq!(
        (out.code, out.fails(), &*out.stdout),
        (Some(7), "error", "text")
    );

    let out = lab.run(&["sh", "-c", "kill -9 $$"]);
    assert_eq!((out.code, out.signal), (None, Some(9)));

    let trap = "trap 'echo caught; exit 3' TERM; echo ready; while :; do sleep 0.01; done";
    let running = lab.command("sh").args(["-c", trap]).spawn();
    assert_eq!(running.wait_for_line("rea"), "ready");
    let out = running.stop();
    assert_eq!((out.code, &*out.stdout), (Some(3), "ready\ncaught\n"));
}

#[test]
#[should_panic(expected = "did not end within")]
fn a_command_has_a_limit() {
    let lab = Lab::new();
    let _ = lab
        .command("sleep")
        .arg("1000")
        .limit(Duration::from_millis(50))
        .run();
}

#[test]
fn nothing_outlives_its_lab() {
    let lab = Lab::new();
    let dir = lab.dir().to_owned();
    let sleeper = lab.command("sleep").arg("1000").spawn();
    let proc = format!("/proc/{}/stat", sleeper.id());
    assert!(std::fs::exists(&proc).unwrap());
    drop(sleeper);
    assert!(!std::fs::exists(&proc).unwrap());
    drop(lab);
    assert!(!dir.exists());
}
