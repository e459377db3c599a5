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

/// A command, what it is run under (`None`: without mif), and what must come of it.
struct Show<'a> {
    options: Option<&'a [&'a str]>,
    command: &'a [&'a str],
    /// Instead of the command, where that is long.
    shown: Option<&'a str>,
    /// The address that the server must see.
    peer: &'a str,
    /// The server that must be reached.
    server: &'a str,
}

const CURL4: &[&str] = &["curl", "-s4", "http://split.test/"];
const SHOWS: &[Show<'_>] = &[
    Show {
        options: None,
        command: CURL4,
        shown: None,
        peer: "10.1.0.2",
        server: "203.0.113.21",
    },
    Show {
        options: Some(&["-i", "wan1", "-d", "10.2.0.1"]),
        command: CURL4,
        shown: None,
        peer: "10.2.0.2",
        server: "203.0.113.22",
    },
    Show {
        options: Some(&["-i", "isp-b"]),
        command: &["curl", "-s6", "http://split.test/"],
        shown: None,
        peer: "2001:db8:2::2",
        server: "2001:db8:ff::22",
    },
    Show {
        options: Some(&["-i", "office"]),
        command: &["curl", "-s", "http://split.test/"],
        shown: None,
        peer: "10.3.0.2",
        server: "203.0.113.23",
    },
    Show {
        options: Some(&[]),
        command: &["/usr/bin/python3", "-c", PYTHON],
        shown: Some("python3 (UDP sendto split.test, by apps/python3.toml)"),
        peer: "10.3.0.2",
        server: "203.0.113.23",
    },
];

fn main() -> ExitCode {
    let lab = Lab::new();
    println!("{TOPOLOGY}");
    lab.pvds(
        "[pvd.isp-b]\ninterface = \"wan1\"\ndns.servers = [\"10.2.0.1\"]\n\n\
         [pvd.office]\ninterface = \"vpn0\"\ndns.servers = [\"10.3.0.1\"]\n",
    );
    lab.app_policy("python3", "use = \"office\"\n");

    println!(
        "{:<62} {:<15} server's view of peer",
        "command", "server reached"
    );
    let flows = SHOWS
        .iter()
        .map(|show| show.run(&lab))
        .filter(|well| !well)
        .count()
        == 0;
    let well = [flows, dig(&lab), refusal(&lab), explanation(&lab)];
    println!("\nTry it yourself: scripts/lab opens a shell on this host.");
    if well == [true; 4] {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

impl Show<'_> {
    /// Runs it and prints its row; whether all was as it must be.
    fn run(&self, lab: &Lab) -> bool {
        let seen = lab.arrivals().len();
        let out = match self.options {
            None => lab.run(self.command),
            Some(options) => lab.mif(options, self.command),
        };
        let command = self
            .shown
            .map_or_else(|| self.command.join(" "), str::to_owned);
        let line = match self.options {
            None => command,
            Some(options) => format!("mif-run {}", [options, &[&command]].concat().join(" ")),
        };
        let arrived = lab.arrivals().get(seen).cloned();
        let (peer, server) = arrived.map_or((String::from("nothing"), String::new()), |arrival| {
            (arrival.peer, arrival.local)
        });
        let well = out.code == Some(0) && peer == self.peer && server == self.server;
        println!(
            "{line:<62} {server:<15} {peer}{}",
            if well { "" } else { "   <- NOT AS EXPECTED" }
        );
        well
    }
}

fn dig(lab: &Lab) -> bool {
    println!("\ndig is asked to go by each network to that network's server:");
    let mut well = true;
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
        well &= out.code == Some(0) && out.stdout.starts_with("203.0.113.2");
    }
    well
}

fn refusal(lab: &Lab) -> bool {
    let packets = || ["ra", "rb", "rv"].map(|router| lab.packets(router));
    println!("\nThe link of provider B goes down. Nothing leaks to the others:");
    lab.link_down("wan1");
    let before = packets();
    let command = ["curl", "-sS", "http://203.0.113.10/"];
    let out = lab.mif(&["-v", "-i", "isp-b"], &command);
    println!("  $ mif-run -v -i isp-b {}", command.join(" "));
    for line in out.stderr.lines() {
        println!("  {line}");
    }
    let [a, b, vpn] = packets();
    println!(
        "  exit status {}; packets meanwhile at A: {}, at B: {}, in the VPN: {}",
        out.code.unwrap_or(-1),
        a - before[0],
        b - before[1],
        vpn - before[2]
    );
    out.code == Some(7) && [a, b, vpn] == before
}

fn explanation(lab: &Lab) -> bool {
    println!("\nmif says why, and where a packet would go:");
    let options = ["-i", "isp-b", "-i", "office", "--explain", "203.0.113.10"];
    let out = lab.mif(&options, &["curl"]);
    println!("  $ mif-run {} curl", options.join(" "));
    for line in out.stdout.lines().chain(out.stderr.lines()) {
        println!("  {line}");
    }
    out.code == Some(0)
}
