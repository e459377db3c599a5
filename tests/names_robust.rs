//! Look-ups over time: many of them at once, with forks in between, and while the host changes
//! under a process that keeps answers.

use std::time::{Duration, Instant};

use mif_lab::{Lab, Running, eventually};

const BY_WAN1: [&str; 4] = ["-i", "wan1", "-d", "10.2.0.1"];

/// A program that prints the addresses of each name it reads.
fn reader(lab: &Lab) -> Running {
    let script = "import socket, sys\nfor name in sys.stdin:\n    try:\n        \
                  found = socket.getaddrinfo(name.strip(), 80, type=socket.SOCK_STREAM)\n        \
                  print('told', *(one[4][0] for one in found), flush=True)\n    \
                  except socket.gaierror as error:\n        print('told', error.errno, flush=True)";
    let python = lab.command("python3").args(["-c", script]).stdin_open();
    python.mif(&BY_WAN1).spawn()
}

/// What it says to one more name. It has said something to `before` names.
fn tell(reader: &mut Running, before: &mut usize, name: &str) -> String {
    reader.send(&format!("{name}\n"));
    *before += 1;
    let mut said = String::new();
    eventually("the name is looked up", || {
        let (out, _) = reader.seen();
        let lines: Vec<_> = out
            .lines()
            .filter(|line| line.starts_with("told"))
            .collect();
        said = lines
            .last()
            .map_or(String::new(), |line| line[5..].to_owned());
        lines.len() == *before && out.ends_with('\n')
    });
    said
}

fn asked(lab: &Lab, name: &str) -> usize {
    let name = format!(" {name} ");
    let queries = lab.queries("rb");
    queries.iter().filter(|query| query.contains(&name)).count()
}

#[test]
fn eight_threads_and_their_children_get_right_answers_and_leave_nothing() {
    let lab = Lab::new();
    let program = lab.probe("name_storm");
    let command = lab.command(&program).arg("10000").mif(&BY_WAN1);
    let out = command.limit(Duration::from_mins(1)).run();
    assert_eq!(
        out.ok(),
        "0 wrong, 80 children, +0 descriptors, +0 threads, no more memory",
        "{out}"
    );
    assert_eq!(out.stderr, "");
    for router in ["ra", "rv"] {
        assert_eq!(lab.queries(router), [""; 0]);
    }
    // About 40,000 look-ups of a name that may be kept, and 2,500 of one that may not.
    let (kept, not) = (asked(&lab, "split.test"), asked(&lab, "v4.test"));
    assert!((2..2000).contains(&kept), "{kept}");
    assert!(not > 4000, "{not}");
}

#[test]
fn what_is_kept_is_forgotten_when_the_hosts_addresses_change() {
    let lab = Lab::new();
    let (mut python, mut said) = (reader(&lab), 0);
    for _ in 0..3 {
        let told = tell(&mut python, &mut said, "who.test");
        assert_eq!(told, "2001:db8:ff::10 203.0.113.10");
    }
    assert_eq!(asked(&lab, "who.test"), 2, "once for each family");

    // Without an IPv6 address on its network, the IPv6 one of the name is the last to try.
    lab.host_ip("address del 2001:db8:2::2/64 dev wan1");
    let start = Instant::now();
    while tell(&mut python, &mut said, "who.test") != "203.0.113.10 2001:db8:ff::10" {
        assert!(start.elapsed() < Duration::from_secs(3), "an old order");
    }
    assert_eq!(asked(&lab, "who.test"), 4);
    tell(&mut python, &mut said, "who.test");
    assert_eq!(asked(&lab, "who.test"), 4, "kept again");
}

#[test]
fn a_change_of_the_hosts_file_is_seen_at_once() {
    let lab = Lab::new();
    let (mut python, mut said) = (reader(&lab), 0);
    let text = "127.0.0.1 localhost\n203.0.113.10 hosts.test\n";
    assert_eq!(tell(&mut python, &mut said, "hosts.test"), "203.0.113.10");
    for n in 1..20 {
        // The text has the same length each time.
        let address = format!("203.0.113.{}", 100 + n);
        lab.write("etc/hosts", &format!("{text}{address} new.test\n"));
        assert_eq!(tell(&mut python, &mut said, "new.test"), address);
        assert_eq!(tell(&mut python, &mut said, "NEW.test"), address);
    }
    assert_eq!(asked(&lab, "new.test"), 0);
    lab.write("etc/hosts", text);
    assert_eq!(tell(&mut python, &mut said, "new.test"), "-2");
    assert_eq!(tell(&mut python, &mut said, "hosts.test"), "203.0.113.10");
}
