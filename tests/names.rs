//! Names asked of the servers of the policy's network, by real programs: which server is asked,
//! over which network, and what the program is told. Every way that programs have to ask is in
//! `names_matrix.rs`, the C interface itself, node by node, in `names_api.rs`.

use std::time::{Duration, Instant};

use mif_lab::{Lab, Output};

const BY_WAN1: [&str; 4] = ["-i", "wan1", "-d", "10.2.0.1"];

/// Asserts that only `rb`'s server was asked, and no other provider has seen a question.
#[track_caller]
fn only_rb_was_asked(lab: &Lab) {
    assert!(!lab.queries("rb").is_empty(), "nobody was asked");
    let client = |query: &String| query.ends_with(" 10.2.0.2") || query.ends_with(" 2001:db8:2::2");
    assert!(lab.queries("rb").iter().all(client));
    for router in ["ra", "rv"] {
        assert_eq!(lab.queries(router), [""; 0]);
        assert_eq!(lab.dns_packets(router), 0);
    }
}

fn getent(lab: &Lab, options: &[&str], words: &[&str]) -> Output {
    lab.mif(options, &[&["getent"], words].concat())
}

/// The addresses that `getent ahosts` tells, in order.
fn ahosts(out: &Output) -> Vec<&str> {
    let streams = out.ok().lines().filter(|line| line.contains("STREAM"));
    streams
        .filter_map(|line| line.split_whitespace().next())
        .collect()
}

#[test]
fn a_provisioning_domain_has_its_own_servers() {
    let lab = Lab::new();
    lab.pvds(
        "[pvd.work]\ninterface = \"wan1\"\n[pvd.work.dns]\nservers = \"2001:db8:2::1\"\n\
         search = [\"nothing.test\", \"corp.test\"]\n",
    );
    let out = getent(&lab, &["-i", "work"], &["ahosts", "split.test"]);
    assert_eq!(ahosts(&out), ["2001:db8:ff::22", "203.0.113.22"]);
    assert!(
        lab.queries("rb")
            .contains(&"A split.test 2001:db8:2::2".to_owned())
    );

    // A name without a dot goes through the search list, one with a dot is asked as it is first.
    let out = getent(&lab, &["-i", "work"], &["ahostsv4", "host"]);
    assert_eq!(ahosts(&out), ["203.0.113.30"]);
    assert!(out.ok().contains("host.corp.test"), "{out}");
    let asked = |name: &str| {
        lab.queries("rb")
            .iter()
            .filter(|one| one.contains(name))
            .count()
    };
    assert_eq!([asked(" host.nothing.test "), asked(" host ")], [1, 0]);
    let out = getent(&lab, &["-i", "work"], &["ahostsv4", "who.test."]);
    assert_eq!(ahosts(&out), ["203.0.113.10"]);
    assert_eq!(asked("who.test.corp.test"), 0);
    only_rb_was_asked(&lab);
}

#[test]
fn two_programs_at_once_are_told_different_addresses() {
    let lab = Lab::new();
    let start = |link: &str, server: &str| {
        let script = "import socket, sys\nsys.stdin.readline()\n\
                      print(socket.gethostbyname('split.test'), flush=True)\nsys.stdin.readline()";
        let command = lab.command("python3").args(["-c", script]).stdin_open();
        command.mif(&["-i", link, "-d", server]).spawn()
    };
    let mut both = [start("wan1", "10.2.0.1"), start("vpn0", "10.3.0.1")];
    for program in &mut both {
        program.send("go\n");
    }
    both[0].wait_for_line("203.0.113.22");
    both[1].wait_for_line("203.0.113.23");
    assert_eq!(lab.queries("rb"), ["A split.test 10.2.0.2"]);
    assert_eq!(lab.queries("rv"), ["A split.test 10.3.0.2"]);
    assert_eq!(lab.dns_packets("ra"), 0);
}

#[test]
fn aliases_and_answers_of_any_size_are_followed() {
    let lab = Lab::new();
    let out = getent(&lab, &BY_WAN1, &["ahostsv4", "alias.test"]);
    assert_eq!(ahosts(&out), ["203.0.113.10"]);
    assert!(out.ok().contains("STREAM who.test"), "{out}");
    for (name, count) in [("big.test", 40), ("huge.test", 120)] {
        let out = getent(&lab, &BY_WAN1, &["ahostsv4", name]);
        let mut found = ahosts(&out);
        found.sort_unstable();
        found.dedup();
        assert_eq!(found.len(), count, "{name}");
    }
    only_rb_was_asked(&lab);
}

#[test]
fn the_hosts_file_and_local_names_ask_nobody() {
    let lab = Lab::new();
    for (name, address) in [
        ("hosts.test", "203.0.113.10"),
        ("HOSTS.test", "203.0.113.10"),
        ("localhost", "127.0.0.1"),
        ("203.0.113.77", "203.0.113.77"),
        ("127.1", "127.0.0.1"),
    ] {
        let out = getent(&lab, &BY_WAN1, &["ahostsv4", name]);
        let mut found = ahosts(&out);
        // localhost has a line for each family in the hosts file, which are both 127.0.0.1.
        found.dedup();
        assert_eq!(found, [address], "{name}");
    }
    let out = getent(&lab, &BY_WAN1, &["ahostsv6", "2001:db8::77"]);
    assert_eq!(ahosts(&out), ["2001:db8::77"]);
    let out = getent(&lab, &BY_WAN1, &["hosts", "localhost"]);
    assert!(out.ok().starts_with("::1"), "{out}");
    assert_eq!(
        ["ra", "rb", "rv"].map(|router| lab.packets(router)),
        [0, 0, 0]
    );
}

#[test]
fn a_dead_server_is_passed_over() {
    let lab = Lab::new();
    // Nobody listens on port 54, and rb says so; nobody has the other address at all.
    for dead in ["10.2.0.1:54", "10.2.0.99"] {
        let options = ["-i", "wan1", "-d", dead, "-d", "10.2.0.1"];
        let start = Instant::now();
        let out = getent(&lab, &options, &["ahostsv4", "who.test"]);
        assert_eq!(ahosts(&out), ["203.0.113.10"]);
        assert!(start.elapsed() < Duration::from_secs(8), "{dead}");
    }
    only_rb_was_asked(&lab);
}

#[test]
fn without_an_answer_the_end_comes_in_time() {
    let lab = Lab::new();
    let script = "import socket\ntry:\n    socket.getaddrinfo('who.test', 80)\n\
                  except socket.gaierror as error:\n    print(error.errno == socket.EAI_AGAIN)";
    let options = ["-i", "wan1", "-d", "10.2.0.99", "-d", "10.2.0.1:54"];
    let start = Instant::now();
    let out = lab.mif(&options, &["python3", "-c", script]);
    assert_eq!(out.ok(), "True");
    assert!(start.elapsed() < Duration::from_secs(15));
    assert!(lab.packets("rb") >= 2, "the server at rb was asked");
    assert_eq!(["ra", "rv"].map(|router| lab.packets(router)), [0, 0]);
}

#[test]
fn a_rule_by_name_steers_the_look_up_and_the_flows() {
    let lab = Lab::new();
    let policy = lab.app_policy(
        "names",
        "use = \"wan0\"\n[pvd.work]\ninterface = \"wan1\"\n[pvd.work.dns]\n\
         servers = \"10.2.0.1\"\n[pvd.wan0]\ninterface = \"wan0\"\n[pvd.wan0.dns]\n\
         servers = \"10.1.0.1\"\n[[rule]]\nto = [\"*.corp.test\", \"only-b.test\"]\nuse = \"work\"\n",
    );
    let options = ["-p", policy.to_str().unwrap()];
    for (name, peer) in [
        ("host.corp.test", "10.2.0.2"),
        ("only-b.test", "10.2.0.2"),
        ("other.test", "10.1.0.2"),
        ("split.test", "10.1.0.2"),
        // Nobody looked a name up for this one.
        ("203.0.113.30", "10.1.0.2"),
    ] {
        let url = format!("http://{name}/");
        assert_eq!(
            lab.mif(&options, &["curl", "-sS4", &url]).ok(),
            peer,
            "{name}"
        );
    }
    let names = |router: &str| -> Vec<String> {
        let queries = lab.queries(router);
        let mut names: Vec<_> = queries
            .iter()
            .filter_map(|query| Some(query.split(' ').nth(1)?.to_owned()))
            .collect();
        names.dedup();
        names
    };
    assert_eq!(names("rb"), ["host.corp.test", "only-b.test"]);
    assert_eq!(names("ra"), ["other.test", "split.test"]);
    assert_eq!(lab.arrivals()[3].local, "203.0.113.21");

    // One process: the address is remembered with the name that it was found by, also where it is
    // libc that finds it.
    let script = "import socket\nfor name in 'host.corp.test', 'other.test', '203.0.113.30', '203.0.113.10':\n    \
                  print(socket.create_connection((name, 7001)).recv(99).decode().split()[0])";
    let python = lab.command("python3").args(["-c", script]);
    let policy = "use = [\"wan0\", \"system\"]\n[[rule]]\nto = \"*.corp.test\"\n\
                  use = [\"wan1\", \"system\"]\n";
    let v4 = format!("family = \"ipv4\"\n{policy}");
    let policy = lab.write("v4.toml", &v4);
    let out = python.mif(&["-p", policy.to_str().unwrap()]).run();
    assert_eq!(
        out.ok().lines().collect::<Vec<_>>(),
        ["10.2.0.2", "10.1.0.2", "10.2.0.2", "10.1.0.2"]
    );
}

#[test]
fn without_servers_a_requirement_is_refused_and_a_preference_is_the_hosts() {
    let lab = Lab::new();
    let policy = lab.write("prefer.toml", "use = [\"wan1\", \"system\"]\n");
    let out = getent(
        &lab,
        &["-p", policy.to_str().unwrap()],
        &["ahostsv4", "split.test"],
    );
    assert_eq!(ahosts(&out), ["203.0.113.21"]);
    let before = lab.dns_packets("ra");

    let script = "import socket\ntry:\n    socket.getaddrinfo('split.test', 80)\n\
                  except socket.gaierror as error:\n    print(error.errno == socket.EAI_AGAIN)";
    let out = lab.mif(&["-v", "-i", "wan1"], &["python3", "-c", script]);
    assert_eq!(out.ok(), "True");
    let line = "getaddrinfo split.test: refused: wan1: the host knows no DNS servers of it (name some \
                with -d, or dns.servers in pvds.toml), by -i";
    assert!(out.stderr.contains(line), "{out}");

    lab.link_down("wan1");
    for options in [
        &["-v", "-i", "wan1"][..],
        &["-v", "-i", "wan1", "-d", "10.2.0.1"],
    ] {
        let out = lab.mif(options, &["python3", "-c", script]);
        assert_eq!(out.ok(), "True");
        assert!(
            out.stderr
                .contains("getaddrinfo split.test: refused: wan1: "),
            "{out}"
        );
        let out = getent(&lab, options, &["hosts", "split.test"]);
        assert_eq!(out.code, Some(2), "getent's status for no such key: {out}");
    }
    assert_eq!(lab.dns_packets("ra"), before);
    assert_eq!(["rb", "rv"].map(|router| lab.packets(router)), [0, 0]);
}
