//! Names of programs that no preload reaches: rules by name, zones and the network of an answer hold
//! for them as they do for the others (`names_select.rs`), whichever resolver they have.

mod support;

use mif_lab::{Build, Command, Lab, Output, eventually};
use support::{WAN1, WAN1_6, nothing_leaves};

/// `lte` by default; `work` has a zone, and a rule gives a name to `vpn`.
const SPLIT: &str = r#"
    use = "lte"
    family = "ipv4"
    [[rule]]
    to = ["v4.test", "big.test"]
    use = "vpn"
    [[rule]]
    to = "198.51.100.0/24"
    use = ["work", "vpn"]
    [pvd.lte]
    interface = "wan0"
    dns = { servers = "10.1.0.1" }
    [pvd.work]
    interface = "wan1"
    dns = { servers = "10.2.0.1", zones = "split.test" }
    [pvd.vpn]
    interface = "vpn0"
    dns = { servers = "10.3.0.1" }
"#;
/// A name, and the source that a flow to it has by that policy.
const WANTED: [(&str, &str); 3] = [
    ("who.test", "10.1.0.2"),
    ("split.test", "10.2.0.2"),
    ("v4.test", "10.3.0.2"),
];

fn under(lab: &Lab, policy: &str, command: Command<'_>) -> Output {
    let policy = lab.write("names.toml", policy);
    let options = ["--reach=supervise", "-v", "-p", policy.to_str().unwrap()];
    command.mif(&options).run()
}

fn python(lab: &Lab, policy: &str, script: &str, words: &[&str]) -> Output {
    let python = lab
        .command("python3")
        .args([&["-c", script], words].concat());
    under(lab, policy, python)
}

/// Asserts that each provider's server was asked for its own name and for no other.
#[track_caller]
fn each_was_asked_its_own(lab: &Lab) {
    for (router, (name, source)) in ["ra", "rb", "rv"].into_iter().zip(WANTED) {
        let queries = lab.queries(router);
        let is_its_own = |query: &String| {
            query.contains(&format!(" {name} ")) && query.ends_with(&format!(" {source}"))
        };
        assert!(!queries.is_empty(), "{router} was not asked");
        assert!(queries.iter().all(is_its_own), "{router}: {queries:?}");
    }
}

#[test]
fn rules_by_name_and_zones_hold() {
    for build in [
        Build::Static,
        Build::Musl,
        Build::MuslStatic,
        Build::Dynamic,
    ] {
        let lab = Lab::new();
        for (name, peer) in WANTED {
            let look_up = lab.command(lab.probe_as("look_up", build));
            let out = under(&lab, SPLIT, look_up.args([name, "7001"]));
            assert!(out.ok().ends_with(&format!("seen as {peer}")), "{out}");
        }
        each_was_asked_its_own(&lab);
    }
}

#[test]
fn they_hold_for_each_way_to_ask() {
    let node = "const [, name] = process.argv;
        require('dns').resolve4(name, (error, all) => { if (error) throw error;
        require('http').get({host: all[0]}, r => r.pipe(process.stdout)); });";
    let java = "public class Fetch { public static void main(String[] a) throws Exception {
        System.out.print(new String(new java.net.URL(\"http://\" + a[0] + \"/\").openStream().readAllBytes())); } }";
    let python = "import sys, urllib.request as u
print(u.urlopen('http://' + sys.argv[1] + '/').read().decode())";
    for way in [
        "go",
        "go with C",
        "curl",
        "busybox",
        "node",
        "java",
        "python",
    ] {
        let lab = Lab::new();
        let java = lab.write("Fetch.java", java);
        for (name, peer) in WANTED {
            let url = format!("http://{name}/");
            let fetch = match way {
                "go" => lab
                    .command(lab.probe_as("flows", Build::Go))
                    .args(["fetch", &url]),
                "go with C" => {
                    let flows = lab.command(lab.probe_as("flows", Build::GoWithC));
                    flows.args(["fetch", &url])
                }
                "curl" => lab.command("curl").args(["-sS", &url]),
                "busybox" => lab.command("busybox").args(["wget", "-qO-", &url]),
                "node" => lab.command("node").args(["-e", node, name]),
                "java" => lab.command("java").arg(&java).arg(name),
                _ => lab.command("python3").args(["-c", python, name]),
            };
            let out = under(&lab, SPLIT, fetch);
            assert_eq!(out.ok(), peer, "{way}: {out}");
        }
        each_was_asked_its_own(&lab);
    }
}

#[test]
fn answers_come_as_the_server_gives_them() {
    let lab = Lab::new();
    let dig = |words: &[&str]| {
        let out = under(&lab, SPLIT, lab.command("dig").args(words));
        out.ok().to_owned()
    };
    assert_eq!(dig(&["+short", "split.test", "TXT"]), "\"told by rb\"");
    assert_eq!(dig(&["+short", "+tcp", "v4.test"]), "203.0.113.10");
    assert!(dig(&["nowhere.test"]).contains("status: NXDOMAIN"));
    // Too long for a datagram of 512 octets: it is asked for again over a connection.
    let whole = dig(&["+short", "+noedns", "big.test"]);
    assert_eq!(whole.lines().count(), 40, "{whole}");
    // Where the reply comes from is looked at.
    let said = dig(&["split.test"]);
    assert!(said.contains("SERVER: 10.1.0.1#53"), "{said}");
    let look_up = lab.command(lab.probe_as("look_up", Build::Static));
    let out = under(&lab, SPLIT, look_up.args(["nowhere.test", "7001"]));
    assert_eq!(
        (out.code, out.stdout.trim()),
        (Some(1), "Name or service not known")
    );
}

/// Answers are told apart by who asked, and nobody waits for another's.
#[test]
fn many_ask_at_once() {
    let lab = Lab::new();
    let script = "import concurrent.futures, socket
def ask(n):
    name = ['who.test', 'split.test', 'v4.test'][n % 3]
    return name, socket.gethostbyname(name)
with concurrent.futures.ThreadPoolExecutor(60) as pool:
    print(sorted(set(pool.map(ask, range(300)))))";
    assert_eq!(
        python(&lab, SPLIT, script, &[]).ok(),
        "[('split.test', '203.0.113.22'), ('v4.test', '203.0.113.10'), ('who.test', '203.0.113.10')]"
    );
    each_was_asked_its_own(&lab);
}

/// What the policy leaves to the host is asked of the host's own resolver.
#[test]
fn the_rest_is_the_hosts() {
    let lab = Lab::new();
    let policy = "use = \"system\"\n[[rule]]\nto = \"split.test\"\nuse = \"vpn\"\n\
                  [pvd.vpn]\ninterface = \"vpn0\"\ndns = { servers = \"10.3.0.1\" }\n";
    for build in [Build::Static, Build::MuslStatic] {
        for (name, peer) in [("v4.test", "10.1.0.2"), ("split.test", "10.3.0.2")] {
            let look_up = lab.command(lab.probe_as("look_up", build));
            let out = under(&lab, policy, look_up.args([name, "7001"]));
            assert!(out.ok().ends_with(&format!("seen as {peer}")), "{out}");
        }
    }
    let asked = |router: &str, name| lab.queries(router).iter().all(|one| one.contains(name));
    assert!(asked("ra", " v4.test ") && asked("rv", " split.test "));
    assert_eq!(lab.dns_packets("rb"), 0);
}

/// Nobody is asked for what stands there.
#[test]
fn rules_hold_for_names_of_the_hosts_file() {
    let lab = Lab::new();
    let file = lab.dir().join("etc/hosts");
    let before = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, before + "203.0.113.40 hosted.test v4.test\n").unwrap();
    for build in [Build::Static, Build::MuslStatic] {
        let look_up = lab.command(lab.probe_as("look_up", build));
        let out = under(&lab, SPLIT, look_up.args(["hosted.test", "7001"]));
        assert!(out.ok().ends_with("seen as 10.3.0.2"), "{out}");
    }
    assert_eq!(lab.packets("ra"), 0);
}

#[test]
fn without_the_network_nobody_is_asked() {
    let lab = Lab::new();
    let policy = SPLIT
        .replace("\"wan1\"", "\"wan9\"")
        .replace("\"vpn0\"", "\"wan8\"");
    for build in [Build::Static, Build::MuslStatic] {
        nothing_leaves(&lab, || {
            let look_up = lab.command(lab.probe_as("look_up", build));
            let out = under(&lab, &policy, look_up.args(["v4.test", "7001"]));
            assert_eq!(out.code, Some(1), "{out}");
            let said = "query v4.test: refused: vpn: no such interface";
            assert!(out.stderr.contains(said), "{out}");
        });
    }
}

/// The socket in place of the program's is like it, and leads nowhere else.
#[test]
fn a_socket_that_asks_stays_as_it_was() {
    let lab = Lab::new();
    let script = r"
import errno, fcntl, os, select, socket
query = b'\x12\x34\1\0\0\1\0\0\0\0\0\0\5split\4test\0\0\1\0\1'
def ask(one, sent):
    sent(one)
    one.setblocking(True)
    reply, where = one.recvfrom(512)
    assert reply[:2] == query[:2] and socket.inet_aton('203.0.113.22') in reply
    return where
server = ('10.1.0.1', 53)
kept = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
kept.settimeout(1.5)
os.set_inheritable(kept.fileno(), True)
kept.bind(('0.0.0.0', 5000))
kept.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, b'\7' + bytes(15))
print(ask(kept, lambda one: one.sendto(query, server)), kept.getsockname()[1],
      os.get_inheritable(kept.fileno()), kept.getsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, 16)[0])
fresh = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
fresh.connect(server)
print(fresh.getpeername(), os.get_inheritable(fresh.fileno()), bool(fcntl.fcntl(fresh, fcntl.F_GETFL) & os.O_NONBLOCK))
ask(fresh, lambda one: one.send(query))
mapped = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
print(ask(mapped, lambda one: one.sendmsg([query], [], 0, ('::ffff:10.1.0.1', 53)))[:2])
for one in kept, fresh, mapped:
    for act in (lambda: one.connect(elsewhere), lambda: one.sendto(b'x', elsewhere)):
        elsewhere = ('::ffff:203.0.113.10' if one is mapped else '203.0.113.10', 7001)
        try:
            act()
            print('sent')
        except OSError as error:
            print(errno.errorcode[error.errno], end=' ')
print()
";
    let out = python(&lab, SPLIT, script, &[]);
    assert_eq!(
        out.ok(),
        "('10.1.0.1', 53) 5000 True 7\n('10.1.0.1', 53) False True\n\
         ('::ffff:10.1.0.1', 53)\n\
         ENETUNREACH ENETUNREACH ENETUNREACH ENETUNREACH ENETUNREACH ENETUNREACH"
    );
    assert!(
        lab.queries("rb")
            .iter()
            .all(|one| one == "A split.test 10.2.0.2")
    );
    assert_eq!(
        [lab.packets("ra"), lab.packets("rv"), lab.dns_packets("rb")],
        [0, 0, 3]
    );
    assert_eq!(lab.arrivals().len(), 0);
}

/// The kernel watches a socket, and not its number.
#[test]
fn a_socket_that_is_watched_already_goes_on_to_be() {
    let lab = Lab::new();
    let script = r"
import os, select, socket
query = b'\x12\x34\1\0\0\1\0\0\0\0\0\0\5split\4test\0\0\1\0\1'
one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
watches = [select.epoll() for _ in range(2)]
for watch in watches:
    watch.register(one, select.EPOLLIN)
again = os.dup(watches[0].fileno())
one.sendto(query, ('10.1.0.1', 53))
for watch in watches:
    assert watch.poll(5) == [(one.fileno(), select.EPOLLIN)]
print(socket.inet_aton('203.0.113.22') in one.recv(512))
for watch in watches:
    assert watch.poll(0) == []
    watch.modify(one, select.EPOLLOUT)
    assert watch.poll(5) == [(one.fileno(), select.EPOLLOUT)]
    watch.unregister(one)
one.close()
assert all(watch.poll(0) == [] for watch in watches)";
    let out = python(&lab, SPLIT, script, &[]);
    assert_eq!(out.ok(), "True", "{out}");
    assert_eq!(lab.queries("rb"), ["A split.test 10.2.0.2"]);
}

#[test]
fn nothing_is_left_behind() {
    let lab = Lab::new();
    let policy = lab.write("names.toml", SPLIT);
    let look_up = lab.probe_as("look_up", Build::Static);
    let options = ["--reach=supervise", "-p", policy.to_str().unwrap()];
    let running = || lab.run(&["pgrep", "-c", "-x", "mif"]).stdout;
    let script = format!(
        "{} split.test 7001; pgrep -c -x mif; read go",
        look_up.display()
    );
    for end_by_kill in [false, true] {
        let shell = lab.command("sh").args(["-c", &script]).stdin_open();
        let mut shell = shell.mif(&options).spawn();
        // What was started, the supervisor, and who makes sockets for names.
        shell.wait_for_line("3");
        if end_by_kill {
            const SIGKILL: i32 = 9;
            shell.signal(SIGKILL);
        } else {
            shell.send("go\n");
        }
        let _ = shell.wait();
        eventually("no process of mif's is there", || running().trim() == "0");
    }
}

/// What decides by name is refused there; a list of networks alone goes on without.
#[test]
fn where_users_have_no_namespaces_no_rule_is_passed_over() {
    let lab = Lab::new();
    let list = "use = [\"wan1\", \"wan0\"]\n[dns]\nservers = \"10.2.0.1\"\n";
    let look_up = |policy: &str| {
        let script = format!(
            "echo 0 >/proc/sys/user/max_user_namespaces
             cp {} own.toml
             exec {} --reach=supervise -v -p own.toml {} split.test 7001",
            lab.write("names.toml", policy).display(),
            lab.mif_run().display(),
            lab.probe_as("look_up", Build::Static).display()
        );
        let words = ["--user", "--map-root-user", "sh", "-c", &script];
        lab.command("unshare").args(words).run()
    };
    nothing_leaves(&lab, || {
        let out = look_up(SPLIT);
        assert_eq!(out.code, Some(1), "{out}");
        let said = "10.1.0.1:53: refused: the policy decides by name, and names cannot be";
        assert!(out.stderr.contains(said), "{out}");
    });
    let out = look_up(list);
    let seen_as = [WAN1, WAN1_6].map(|peer| format!("seen as {peer}"));
    assert!(seen_as.iter().any(|said| out.ok().ends_with(said)), "{out}");
}
