//! `lab-demo`: what mif does, shown with real programs on the host of a fresh lab. `scripts/demo`
//! builds and calls it.

use std::process::ExitCode;

use mif_lab::Lab;

const TOPOLOGY: &str = "\
A host with two providers and a VPN, in network namespaces of their own:

  host -- wan0 10.1.0.2, 2001:db8:1::2 (default route) -- provider A, DNS 10.1.0.1 --.
       -- wan1 10.2.0.2, 2001:db8:2::2 ---------------- provider B, DNS 10.2.0.1 --+-- servers
       -- vpn0 10.3.0.2 (no IPv6) --------------------- VPN,        DNS 10.3.0.1 --'

Each provider drops what does not carry its own addresses. split.test has another address at
each DNS server: 203.0.113.21 at A, .22 at B, .23 in the VPN. Nobody here is root.
";

/// Answers with the address it sees, as the server on UDP port 7001 does for datagrams.
const PYTHON: &str = "\
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(3)
s.sendto(b'hello', ('split.test', 7001)); print(s.recvfrom(99)[0].decode())";

fn main() -> ExitCode {
    let lab = Lab::new();
    println!("{TOPOLOGY}");
    lab.pvds(
        "[pvd.isp-b]\ninterface = \"wan1\"\ndns.servers = [\"10.2.0.1\"]\n\n\
         [pvd.office]\ninterface = \"vpn0\"\ndns.servers = [\"10.3.0.1\"]\n",
    );
    lab.app_policy("python3", "use = \"office\"\n");

    let mut all_well = true;
    println!(
        "{:<62} {:<15} server's view of peer",
        "command", "server reached"
    );
    let python = ["/usr/bin/python3", "-c", PYTHON];
    let shown = "python3 (UDP sendto split.test, by apps/python3.toml)";
    for (options, command, shown, peer, server) in [
        (
            None,
            vec!["curl", "-s4", "http://split.test/"],
            "",
            "10.1.0.2",
            "203.0.113.21",
        ),
        (
            Some(vec!["-i", "wan1", "-d", "10.2.0.1"]),
            vec!["curl", "-s4", "http://split.test/"],
            "",
            "10.2.0.2",
            "203.0.113.22",
        ),
        (
            Some(vec!["-i", "isp-b"]),
            vec!["curl", "-s6", "http://split.test/"],
            "",
            "2001:db8:2::2",
            "2001:db8:ff::22",
        ),
        (
            Some(vec!["-i", "office"]),
            vec!["curl", "-s", "http://split.test/"],
            "",
            "10.3.0.2",
            "203.0.113.23",
        ),
        (
            Some(vec![]),
            python.to_vec(),
            shown,
            "10.3.0.2",
            "203.0.113.23",
        ),
    ] {
        let seen = lab.arrivals().len();
        let out = match &options {
            None => lab.run(&command),
            Some(options) => lab.mif(options, &command),
        };
        let shown = if shown.is_empty() {
            command.join(" ")
        } else {
            shown.to_owned()
        };
        let line = match &options {
            None => shown,
            Some(options) => format!("mif-run {}", [&options[..], &[&shown]].concat().join(" ")),
        };
        let arrived = lab.arrivals().get(seen).cloned();
        let (saw, by) = arrived.map_or((String::from("nothing"), String::new()), |arrival| {
            (arrival.peer, arrival.local)
        });
        let well = out.code == Some(0) && saw == peer && by == server;
        all_well &= well;
        println!(
            "{line:<62} {by:<15} {saw}{}",
            if well { "" } else { "   <- NOT AS EXPECTED" }
        );
    }

    println!("\ndig is asked to go by each network to that network's server:");
    for (link, server) in [
        ("wan0", "@10.1.0.1"),
        ("wan1", "@10.2.0.1"),
        ("vpn0", "@10.3.0.1"),
    ] {
        let out = lab.mif(
            &["-i", link],
            &["dig", "+short", "+time=2", server, "split.test"],
        );
        println!(
            "  mif-run -i {link} dig +short {server} split.test   {}",
            out.stdout.trim()
        );
        all_well &= out.code == Some(0) && out.stdout.starts_with("203.0.113.2");
    }

    println!("\nThe link of provider B goes down. Nothing leaks to the others:");
    lab.link_down("wan1");
    let before: Vec<u64> = ["ra", "rb", "rv"].map(|router| lab.packets(router)).into();
    let command = ["curl", "-sS", "http://203.0.113.10/"];
    let out = lab.mif(&["-v", "-i", "isp-b"], &command);
    println!("  $ mif-run -v -i isp-b {}", command.join(" "));
    for line in out.stderr.lines() {
        println!("  {line}");
    }
    let after: Vec<u64> = ["ra", "rb", "rv"].map(|router| lab.packets(router)).into();
    println!(
        "  exit status {}; packets at A, B and the VPN meanwhile: {:?}",
        out.code.unwrap_or(-1),
        after
            .iter()
            .zip(&before)
            .map(|(a, b)| a - b)
            .collect::<Vec<_>>()
    );
    all_well &= out.code == Some(7) && after == before;

    println!("\nmif says why, and where a packet would go:");
    let out = lab.mif(
        &["-i", "isp-b", "-i", "office", "--explain", "203.0.113.10"],
        &["curl"],
    );
    for line in out.stdout.lines().chain(out.stderr.lines()) {
        println!("  {line}");
    }
    all_well &= out.code == Some(0);

    println!("\nTry it yourself: scripts/lab opens a shell on this host.");
    if all_well {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
