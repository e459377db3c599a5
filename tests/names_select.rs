//! Which network's servers are asked for which name, that answers are used only on the network
//! they came from, and in which order addresses are handed out: by real programs.

use std::sync::atomic::{AtomicU32, Ordering};

use mif_lab::{Lab, Running, eventually};

const WAN0: &str = "10.1.0.2";
const WAN1: &str = "10.2.0.2";
const VPN0: &str = "10.3.0.2";
const REFUSED: &str = "ENETUNREACH";

/// `lte` by default; `work` and `vpn` have zones, and a rule makes the application know them.
const SPLIT: &str = r#"
    use = "lte"
    family = "ipv4"
    [[rule]]
    to = "10.0.0.0/8"
    use = ["work", "vpn"]
    [pvd.lte]
    interface = "wan0"
    dns = { servers = "10.1.0.1" }
    [pvd.work]
    interface = "wan1"
    dns = { servers = "10.2.0.1", zones = ["corp.test", "only-b.test", "shared-b.test"], search = "corp.test" }
    [pvd.vpn]
    interface = "vpn0"
    dns = { servers = "10.3.0.1", zones = "split.test" }
"#;

/// Looks names up and connects as it is told on standard input, all in one process.
const CLIENT: &str = r"
import errno, socket, sys
kinds = {'tcp': socket.SOCK_STREAM, 'udp': socket.SOCK_DGRAM}
for line in sys.stdin:
    what, where = line.split()
    try:
        if what == 'look':
            said = socket.getaddrinfo(where, 7001, socket.AF_INET, socket.SOCK_STREAM)[0][4][0]
        else:
            with socket.socket(socket.AF_INET, kinds.get(what, socket.SOCK_DGRAM)) as one:
                one.settimeout(5)
                if what == 'datagram':
                    one.sendto(b'x', (where, 7001))
                else:
                    one.connect((where, 7001))
                    if what == 'udp':
                        one.send(b'x')
                said = one.recv(99).decode().split()[0]
    except socket.gaierror as error:
        said = next(name for name in dir(socket) if name.startswith('EAI_') and getattr(socket, name) == error.errno)
    except OSError as error:
        said = errno.errorcode.get(error.errno, str(error))
    print(said, flush=True)
";

struct Client {
    python: Running,
    asked: usize,
}

impl Client {
    fn start(lab: &Lab, policy: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let policy = lab.write(&format!("{number}.toml"), policy);
        let python = lab.command("python3").args(["-c", CLIENT]).stdin_open();
        let options = ["-v", "-p", policy.to_str().unwrap()];
        Self {
            python: python.mif(&options).spawn(),
            asked: 0,
        }
    }

    #[track_caller]
    fn ask(&mut self, what: &str, of: &str) -> String {
        self.python.send(&format!("{what} {of}\n"));
        self.asked += 1;
        let mut answer = None;
        eventually("the client answers", || {
            let said = self.python.seen().0;
            let whole = said.rsplit_once('\n').map_or("", |(lines, _)| lines);
            answer = whole.lines().nth(self.asked - 1).map(str::to_owned);
            answer.is_some()
        });
        answer.expect("just seen")
    }

    fn was_told(&self, text: &str) -> bool {
        self.python.seen().1.contains(text)
    }
}

/// The names that a provider's server was asked, each once, in order of name.
fn names(lab: &Lab, router: &str) -> Vec<String> {
    let queries = lab.queries(router);
    let name = |query: &String| query.split(' ').nth(1).unwrap().to_lowercase();
    let mut names: Vec<_> = queries.iter().map(name).collect();
    names.sort_unstable();
    names.dedup();
    names
}

fn curl(lab: &Lab, policy: &str, name: &str) -> String {
    let policy = lab.write("curl.toml", policy);
    let options = ["-p", policy.to_str().unwrap()];
    let url = format!("http://{name}/");
    lab.mif(&options, &["curl", "-sS", &url]).ok().to_owned()
}

#[test]
fn each_name_is_asked_of_the_network_whose_zone_has_it() {
    let lab = Lab::new();
    for (name, peer) in [
        ("host.corp.test", WAN1),
        ("HOST.Corp.test.", WAN1),
        ("only-b.test", WAN1),
        ("split.test", VPN0),
        ("who.test", WAN0),
        ("203.0.113.30", WAN0),
    ] {
        assert_eq!(curl(&lab, SPLIT, name), peer, "{name}");
    }
    assert_eq!(names(&lab, "ra"), ["who.test"]);
    assert_eq!(names(&lab, "rb"), ["host.corp.test", "only-b.test"]);
    assert_eq!(names(&lab, "rv"), ["split.test"]);
    // Each provider knows split.test by another address.
    assert_eq!(lab.arrivals()[3].local, "203.0.113.23");
}

#[test]
fn nobody_is_asked_for_a_name_outside_its_zones() {
    let lab = Lab::new();
    let only = SPLIT.replace("use = \"lte\"", "use = \"work\"");
    let mut client = Client::start(&lab, &only);
    assert_eq!(client.ask("look", "who.test."), "EAI_FAIL");
    // Standard error comes by a pipe of its own, perhaps after the answer.
    eventually("the reason is told", || {
        client.was_told("its zones exclude the name")
    });
    assert_eq!(client.ask("look", "host.corp.test"), "203.0.113.30");
    // The search list makes a name of its zone of this one; as it is it is not asked.
    assert_eq!(client.ask("look", "host"), "203.0.113.30");
    assert_eq!(client.ask("look", "nosuch"), "EAI_NONAME");
    assert_eq!(names(&lab, "rb"), ["host.corp.test", "nosuch.corp.test"]);
    assert_eq!(["ra", "rv"].map(|router| lab.dns_packets(router)), [0, 0]);

    let list = SPLIT.replace("use = \"lte\"", "use = [\"work\", \"lte\"]");
    assert_eq!(curl(&lab, &list, "who.test"), WAN0);
    assert_eq!(names(&lab, "ra"), ["who.test"]);
}

#[test]
fn the_word_of_one_network_is_its_own() {
    let lab = Lab::new();
    // rb knows only-b.test and rv only-v.test; ra, which decides, knows neither.
    let list = "use = [\"lte\", \"work\", \"vpn\"]\n";
    let plain = SPLIT.replace("use = \"lte\"\n", list);
    let mut client = Client::start(&lab, &plain);
    assert_eq!(client.ask("look", "only-v.test"), "EAI_NONAME");
    assert_eq!(names(&lab, "ra"), ["only-v.test"]);
    assert_eq!(["rb", "rv"].map(|router| lab.dns_packets(router)), [0, 0]);
    // What work says of a name in its zone is the last word, too.
    assert_eq!(client.ask("look", "nosuch.corp.test"), "EAI_NONAME");
    assert_eq!(names(&lab, "ra"), ["only-v.test"]);
}

#[test]
fn one_address_of_two_networks_is_two_hosts() {
    let lab = Lab::new();
    let policy = SPLIT.replace("\"10.1.0.1\"", "\"10.1.0.1\", zones = \"shared-a.test\"");
    let policy = policy
        .replace(
            "use = \"lte\"",
            "use = \"vpn0\"\ndns = { servers = \"10.3.0.1\" }",
        )
        .replace("[\"work\", \"vpn\"]", "[\"lte\", \"work\"]");
    let shared = "203.0.113.40";
    let mut client = Client::start(&lab, &policy);
    // Before it was looked up, it goes as any other.
    assert_eq!(client.ask("tcp", shared), VPN0);
    for (name, peer) in [
        ("shared-a.test", WAN0),
        ("shared-b.test", WAN1),
        ("shared-a.test", WAN0),
        ("other.test", VPN0),
        ("shared-b.test", WAN1),
    ] {
        assert_eq!(client.ask("look", name), shared);
        for what in ["tcp", "udp", "datagram"] {
            assert_eq!(client.ask(what, shared), peer, "{name} by {what}");
        }
        assert_eq!(client.ask("tcp", "203.0.113.10"), VPN0);
    }
    assert_eq!(names(&lab, "ra"), ["shared-a.test"]);
    assert_eq!(names(&lab, "rb"), ["shared-b.test"]);
    assert_eq!(names(&lab, "rv"), ["other.test"]);

    // What one process looked up is nothing to another one.
    let mut other = Client::start(&lab, &policy);
    assert_eq!(other.ask("look", "shared-a.test"), shared);
    for _ in 0..3 {
        assert_eq!(client.ask("tcp", shared), WAN1);
        assert_eq!(other.ask("tcp", shared), WAN0);
    }
}

#[test]
fn two_programs_reach_the_right_server_by_one_name_at_once() {
    let lab = Lab::new();
    let by = |network: &str| {
        SPLIT
            .replace("use = \"lte\"", &format!("use = \"{network}\""))
            .replace("[\"work\", \"vpn\"]", "\"none\"")
            .replace("\"only-b.test\"", "\".\"")
    };
    let mut clients = ["lte", "work"].map(|network| Client::start(&lab, &by(network)));
    let mut looked = Vec::new();
    for client in &mut clients {
        looked.push(client.ask("look", "split.test"));
    }
    assert_eq!(looked, ["203.0.113.21", "203.0.113.22"]);
    let reached = [0, 1].map(|n| clients[n].ask("tcp", &looked[n]));
    assert_eq!(reached, [WAN0, WAN1]);
    assert_eq!(lab.dns_packets("rv"), 0);
}

#[test]
fn a_list_does_not_change_network_between_look_up_and_flow() {
    let lab = Lab::new();
    for end in ["vpn", "system"] {
        let policy = SPLIT
            .replace("use = \"lte\"", &format!("use = [\"work\", \"{end}\"]"))
            .replace("\"only-b.test\"", "\".\"")
            .replace("zones = \"split.test\"", "zones = \".\"");
        let mut client = Client::start(&lab, &policy);
        let looked = client.ask("look", "who.test");
        let literal = "203.0.113.23";
        assert_eq!(client.ask("tcp", &looked), WAN1);
        let before = ["ra", "rv"].map(|router| lab.packets(router));
        lab.link_down("wan1");
        eventually("the policy knows", || {
            assert_eq!(client.ask("tcp", &looked), REFUSED);
            client.was_told("it was looked up on work, and ")
        });
        assert_eq!(client.ask("datagram", &looked), REFUSED);
        assert_eq!(["ra", "rv"].map(|router| lab.packets(router)), before);

        // Never looked up: the list falls through, as does the next look-up.
        let next = if end == "vpn" { VPN0 } else { WAN0 };
        assert_eq!(client.ask("tcp", literal), next);
        assert_eq!(client.ask("look", "who.test"), looked);
        assert_eq!(client.ask("tcp", &looked), next);
        lab.link_up("wan1");
        eventually("the better entry is used again", || {
            client.ask("tcp", literal) == WAN1
        });
        if end == "vpn" {
            assert_eq!(client.ask("tcp", &looked), VPN0);
            assert_eq!(client.ask("look", "who.test"), looked);
            assert_eq!(client.ask("tcp", &looked), WAN1);
        }
    }
}

#[test]
fn the_policy_says_which_addresses_come_first() {
    let lab = Lab::new();
    let first = |name: &str, text: &str| {
        let policy = lab.write("order.toml", &format!("use = \"work\"\n{text}"));
        let options = ["-p", policy.to_str().unwrap()];
        let out = lab.mif(&options, &["getent", "ahosts", name]);
        out.ok().split_whitespace().next().unwrap().to_owned()
    };
    let pvd = "[pvd.work]\ninterface = \"wan1\"\ndns = { servers = \"10.2.0.1\" }\n";
    let (v4, v6) = ("203.0.113.10", "2001:db8:ff::10");
    for (said, expected) in [
        ("", v6),
        ("[addrsel]\nprefer = \"ipv4\"\n", v4),
        (
            "[addrsel]\ntable = { prefix = \"0.0.0.0/0\", precedence = 90, label = 4 }\n",
            v4,
        ),
        (
            "[addrsel]\ntable = { prefix = \"::/0\", precedence = 9, label = 1 }\n",
            v4,
        ),
    ] {
        assert_eq!(
            first("who.test", &format!("{said}{pvd}")),
            expected,
            "{said}"
        );
        // The network's own word, and the application's before it.
        let network = said.replace("[addrsel]", "[pvd.work.addrsel]");
        assert_eq!(
            first("who.test", &format!("{pvd}{network}")),
            expected,
            "{network}"
        );
        let both = format!("[addrsel]\nprefer = \"ipv6\"\n{pvd}{network}");
        assert_eq!(first("who.test", &both), v6, "{network}");
    }
    assert_eq!(["ra", "rv"].map(|router| lab.dns_packets(router)), [0, 0]);
}
