//! Real programs, unmodified, whose servers are not those of the lab, or which make several
//! connections: by wan1 with wan1's source, and refused with nothing sent while wan1 is down.

mod support;

use mif_lab::{Lab, eventually};
use support::{BY_WAN1, WAN1, WAN1_6, WHO, WHO6, nothing_leaves, only_by_wan1};

#[test]
fn java() {
    let lab = Lab::new();
    let source = lab.write("Connect.java", include_str!("probes/Connect.java"));
    let run = || {
        // Only the first compiler, and no warm-up: these programs live for a second.
        let java = lab
            .command("java")
            .args(["-XX:TieredStopAtLevel=1", "-Xshare:auto"]);
        java.arg(&source)
            .args([WHO, WHO6, "split.test"])
            .mif(&BY_WAN1)
            .run()
    };
    let out = run();
    let peers: Vec<&str> = out.ok().lines().collect();
    assert_eq!(peers[..4], [WAN1, WAN1, WAN1_6, WAN1_6]);
    assert_eq!(lab.peers()[..4], peers[..4]);
    for arrival in &lab.arrivals()[4..] {
        assert!(
            ["203.0.113.22", "2001:db8:ff::22"].contains(&arrival.local.as_str()),
            "{arrival}"
        );
    }
    assert_eq!(lab.arrivals().len(), 6);
    only_by_wan1(&lab);
    lab.link_down("wan1");
    nothing_leaves(&lab, || {
        let out = run();
        let said: Vec<&str> = out.ok().lines().collect();
        assert!(
            said[..4]
                .iter()
                .all(|line| line.ends_with("Network is unreachable")),
            "{out}"
        );
        assert!(
            said[4..]
                .iter()
                .all(|line| line.contains("Unknown") || line.contains("Unres")),
            "{out}"
        );
    });
}

#[test]
fn dig() {
    let lab = Lab::new();
    let listen = format!("--listen-address={WHO},{WHO6}");
    let server = lab.command("dnsmasq").within("far").root();
    let server = server.args([
        "--conf-file=/dev/null",
        "--no-daemon",
        "--user=root",
        "--group=",
    ]);
    let server = server.args([
        "--bind-interfaces",
        "--no-resolv",
        "--no-hosts",
        "--log-queries",
    ]);
    let server = server
        .arg("--address=/far.test/192.0.2.7")
        .arg(listen)
        .spawn();
    server.wait_for_error_line("started");
    let dig = |how: &str, to: &str| {
        let options = ["+short", "+tries=1", "+timeout=2", "far.test"];
        lab.mif(
            &["-i", "wan1"],
            &[&["dig", how, &format!("@{to}")][..], &options].concat(),
        )
    };
    for (to, peer) in [(WHO, WAN1), (WHO6, WAN1_6)] {
        for how in ["+notcp", "+tcp"] {
            assert_eq!(dig(how, to).ok(), "192.0.2.7");
        }
        server.wait_for_error_line(&format!("query[A] far.test from {peer}"));
    }
    assert_eq!(server.seen().1.matches("query[A]").count(), 4);
    only_by_wan1(&lab);
    lab.link_down("wan1");
    nothing_leaves(&lab, || {
        for (how, to) in [
            ("+notcp", WHO),
            ("+tcp", WHO),
            ("+notcp", WHO6),
            ("+tcp", WHO6),
        ] {
            let out = dig(how, to);
            assert_ne!(out.code, Some(0), "{out}");
            assert!(out.stdout.contains("network unreachable"), "{out}");
        }
    });
}

#[test]
fn git() {
    let lab = Lab::new();
    let path = |name: &str| lab.home().join(name).to_str().unwrap().to_owned();
    let made = [
        "git",
        "-c",
        "user.name=lab",
        "-c",
        "user.email=lab@test",
        "-c",
        "init.defaultBranch=main",
    ];
    for words in [
        &["init", "--quiet", "work"][..],
        &[
            "-C",
            "work",
            "commit",
            "--quiet",
            "--allow-empty",
            "--message=far",
        ],
        &["clone", "--quiet", "--bare", "work", "served/repo.git"],
        &["-C", "served/repo.git", "update-server-info"],
    ] {
        lab.run(&[&made, words].concat()).ok();
    }
    let daemon = [
        "daemon",
        "--verbose",
        "--export-all",
        "--reuseaddr",
        "--log-destination=stderr",
    ];
    let daemon = lab
        .command("git")
        .args(daemon)
        .arg(format!("--base-path={}", path("served")));
    let daemon = daemon.within("far").spawn();
    daemon.wait_for_error_line("Ready to rumble");
    let http = [
        "-m",
        "http.server",
        "--bind",
        "::",
        "--directory",
        &path("served"),
        "8080",
    ];
    let http = lab
        .command("python3")
        .args(["-u"])
        .args(http)
        .within("far")
        .spawn();
    http.wait_for_line("Serving HTTP");

    let urls = |host: &str| {
        [
            format!("git://{host}/repo.git"),
            format!("http://{host}:8080/repo.git"),
        ]
    };
    let clone = |url: &str, to: &str| lab.mif(&BY_WAN1, &["git", "clone", "--quiet", url, to]);
    let hosts = [WHO, "[2001:db8:ff::10]", "split.test"];
    for (number, url) in hosts.iter().flat_map(|host| urls(host)).enumerate() {
        let to = format!("clone{number}");
        clone(&url, &to).ok();
        let log = lab.run(&["git", "-C", &to, "log", "--format=%s"]);
        assert_eq!(log.ok(), "far", "{url}");
    }
    daemon.wait_for_error_line(&format!("Connection from {WAN1}:"));
    daemon.wait_for_error_line(&format!("Connection from [{WAN1_6}]:"));
    http.wait_for_error_line(&format!("::ffff:{WAN1} - -"));
    http.wait_for_error_line(&format!("{WAN1_6} - -"));
    only_by_wan1(&lab);
    lab.link_down("wan1");
    nothing_leaves(&lab, || {
        for url in urls(WHO).iter().chain(&urls("[2001:db8:ff::10]")) {
            let out = clone(url, "refused");
            let said = out.fails().to_owned();
            let clear = ["Network is unreachable", "Failed to connect"];
            assert!(clear.iter().any(|text| said.contains(text)), "{out}");
        }
        assert!(
            clone(&urls("split.test")[0], "refused")
                .fails()
                .contains("split.test")
        );
    });
}

#[test]
fn ssh() {
    let lab = Lab::new();
    let home = lab.home();
    for key in ["host_key", "user_key"] {
        lab.run(&["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key])
            .ok();
    }
    let home = home.to_str().unwrap();
    let config = lab.write(
        "sshd_config",
        &format!(
            "Port 2222\nHostKey {home}/host_key\nAuthorizedKeysFile {home}/user_key.pub\n\
             StrictModes no\nPermitRootLogin yes\nUsePAM no\nPidFile none\nLogLevel VERBOSE\n",
        ),
    );
    lab.as_root_in("far", &["mkdir", "-p", "/run/sshd"]);
    // sshd does not start with a key of another user than itself.
    lab.as_root_in("far", &["chown", "0:0", &format!("{home}/host_key")]);
    let sshd = lab
        .command("/usr/sbin/sshd")
        .args(["-D", "-e", "-f"])
        .arg(&config);
    let sshd = sshd.within("far").root().spawn();
    sshd.wait_for_error_line("Server listening on 0.0.0.0");
    let run = |host: &str| {
        let ssh = |word: &str| ["-o", word].map(str::to_owned);
        let options = [
            "StrictHostKeyChecking=no",
            "UserKnownHostsFile=/dev/null",
            "BatchMode=yes",
        ];
        let command = lab
            .command("ssh")
            .args(options.iter().flat_map(|word| ssh(word)));
        let command = command.args([
            "-F", "none", "-p", "2222", "-i", "user_key", "-l", "root", host,
        ]);
        command.arg("echo $SSH_CONNECTION").mif(&BY_WAN1).run()
    };
    for (host, peer) in [(WHO, WAN1), (WHO6, WAN1_6), ("split.test", "")] {
        let out = run(host);
        sshd.wait_for_error_line(&format!("Connection from {peer}"));
        // In a user namespace sshd cannot drop its privileges, and hangs up after this line.
        if rustix::process::geteuid().is_root() {
            let words: Vec<&str> = out.ok().split(' ').collect();
            assert!(words[0] == peer || host == "split.test", "{out}");
        }
    }
    let log = || sshd.seen().1;
    eventually("sshd has said all", || {
        log().matches("Connection from").count() == 3
    });
    let log = log();
    let connections: Vec<&str> = log
        .lines()
        .filter(|line| line.starts_with("Connection from"))
        .collect();
    for (line, to) in connections.iter().zip([WHO, WHO6]) {
        assert!(line.contains(&format!(" on {to} port 2222")), "{line}");
    }
    let of_wan1 = [" on 203.0.113.22 ", " on 2001:db8:ff::22 "];
    assert!(
        of_wan1.iter().any(|to| connections[2].contains(to)),
        "{connections:?}"
    );
    only_by_wan1(&lab);
    lab.link_down("wan1");
    nothing_leaves(&lab, || {
        for host in [WHO, WHO6] {
            assert!(run(host).fails().contains("Network is unreachable"));
        }
        assert!(
            run("split.test")
                .fails()
                .contains("Could not resolve hostname")
        );
    });
}
