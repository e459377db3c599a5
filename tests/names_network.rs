//! `use = "wan1"` alone brings that network's own DNS: whose servers are asked by programs of every
//! kind, where the host's configuration agents know them, and that nobody else is.

mod support;

use mif_lab::{Lab, Running, eventually};
use support::{nothing_leaves, only_by_wan1};

const LINK: [&str; 2] = ["-i", "wan1"];

/// Leaves what systemd-networkd would say of `wan1`; its account does not exist in the lab.
fn networkd_says(lab: &Lab, said: &str) {
    let index = lab.host_ip("-json link show wan1");
    let index = index.split("\"ifindex\":").nth(1).unwrap();
    let index: String = index.chars().take_while(char::is_ascii_digit).collect();
    let script = "folder=/run/systemd/netif/links; mkdir -p $folder && \
                  printf '%s\\n' ADMIN_STATE=configured \"$2\" >$folder/new && mv $folder/new $folder/$1";
    lab.as_root_in("host", &["sh", "-c", script, "sh", &index, said]);
}

#[track_caller]
fn only_rb_was_asked(lab: &Lab) {
    assert!(!lab.queries("rb").is_empty());
    assert_eq!(["ra", "rv"].map(|router| lab.queries(router).len()), [0, 0]);
}

/// Serves DHCP on `rb`: the address that the lab's host has already, and `rb`'s servers.
fn dhcp_server(lab: &Lab) -> Running {
    let words = [
        "--conf-file=/dev/null",
        "--keep-in-foreground",
        "--user=root",
        "--group=",
        "--pid-file=",
        "--port=0",
        "--interface=host",
        "--bind-interfaces",
        "--dhcp-leasefile=/dev/null",
        "--dhcp-range=10.2.0.2,static",
        "--dhcp-host=02:00:00:00:02:02,10.2.0.2",
        "--dhcp-option=option:dns-server,10.2.0.1",
        "--dhcp-option=option:domain-search,nothing.test,corp.test",
        "--log-facility=-",
    ];
    let server = lab.command("dnsmasq").args(words).within("rb").root();
    let server = server.spawn();
    server.wait_for_error_line("DHCP, static leases only");
    server
}

/// Runs dhclient until it has a lease.
fn dhclient(lab: &Lab) {
    lab.as_root_in("host", &["mount", "-t", "tmpfs", "tmpfs", "/var/lib/dhcp"]);
    let leases = "/var/lib/dhcp/dhclient.wan1.leases";
    let client = "dhclient -4 -1 -sf /bin/true -pf /run/dhclient.pid -lf";
    let words: Vec<&str> = client.split(' ').chain([leases, "wan1"]).collect();
    lab.as_root_in("host", &words);
    lab.as_root_in("host", &["sh", "-c", "kill $(cat /run/dhclient.pid)"]);
}

/// Asserts that names are asked of `rb` alone, with the search list that DHCP gave.
#[track_caller]
fn names_are_rbs(lab: &Lab) {
    let out = lab.mif(&LINK, &["curl", "-sS4", "http://only-b.test/"]);
    assert_eq!(out.ok(), "10.2.0.2");
    let out = lab.mif(&LINK, &["getent", "ahostsv4", "host"]);
    assert!(
        out.ok().starts_with("203.0.113.30"),
        "by its search list: {out}"
    );
    let queries = lab.queries("rb");
    assert!(queries.contains(&"A only-b.test 10.2.0.2".to_owned()));
    assert!(queries.contains(&"A host.nothing.test 10.2.0.2".to_owned()));
    only_rb_was_asked(lab);
    only_by_wan1(lab);
}

#[test]
fn what_dhclient_was_given_is_asked_over_its_network_and_nobody_else() {
    let lab = Lab::new();
    let _server = dhcp_server(&lab);
    dhclient(&lab);
    names_are_rbs(&lab);

    let out = lab.mif(&["-i", "wan1", "--explain", "only-b.test:80"], &["curl"]);
    let mif = lab.mif_run().with_file_name("mif");
    let shown = lab.command(mif).args(["pvd", "show", "wan1"]).run();
    for line in [
        "  DNS server  10.2.0.1\n",
        "  DNS from    dhclient (/var/lib/dhcp/dhclient.wan1.leases)\n",
        "  search      nothing.test corp.test\n",
    ] {
        assert!(shown.stdout.contains(line), "{line:?} of {shown}");
    }

    let from = "10.2.0.1 (dhclient: /var/lib/dhcp/dhclient.wan1.leases)";
    assert!(out.ok().contains(from), "{out}");

    // The lease of an address that the interface no longer has is not its own.
    lab.host_ip("address del 10.2.0.2/24 dev wan1");
    lab.host_ip("address add 10.2.0.77/24 dev wan1");
    nothing_leaves(&lab, || {
        lab.mif(&LINK, &["getent", "ahostsv4", "split.test"])
            .fails();
    });
}

/// dhcpcd takes the interface over, and writes a `resolv.conf` of its own for the host.
#[test]
fn what_dhcpcd_was_given_is_asked_over_its_network_and_nobody_else() {
    let lab = Lab::new();
    let _server = dhcp_server(&lab);
    lab.as_root_in(
        "host",
        &["mount", "-t", "tmpfs", "tmpfs", "/var/lib/dhcpcd"],
    );
    let words = ["-B", "-4", "--noarp", "--nohook", "hostname", "wan1"];
    let _client = lab.command("dhcpcd").args(words).root().spawn();
    let record = "cat /run/dhcpcd/hook-state/resolv.conf/wan1.dhcp || :";
    eventually("dhcpcd has a lease", || {
        let text = lab.as_root_in("host", &["sh", "-c", record]);
        text.contains("nameserver")
    });
    names_are_rbs(&lab);
}

#[test]
fn every_way_of_asking_follows() {
    let lab = Lab::new();
    networkd_says(&lab, "DNS=10.2.0.1 10.2.0.9\nDOMAINS=corp.test");
    let out = lab.mif(&LINK, &["cat", "/etc/resolv.conf"]);
    let text = "nameserver 10.2.0.1\nnameserver 10.2.0.9\nsearch corp.test";
    assert!(out.ok().ends_with(text), "{out}");
    let dig = |words: &[&str]| {
        let dig = ["dig", "+short", "+tries=1", "+time=1", "split.test", "A"];
        lab.mif(&LINK, &[&dig, words].concat())
    };
    assert_eq!(dig(&[]).ok(), "203.0.113.22");
    assert_eq!(dig(&["@10.2.0.1"]).ok(), "203.0.113.22");
    let name = lab.mif(&LINK, &["getent", "hosts", "198.51.100.7"]);
    assert!(name.ok().contains("of-rb.test"), "{name}");
    let probe = lab.probe("resolver");
    let probe = probe.to_str().unwrap();
    let out = lab.mif(&LINK, &[probe, "search", "host", "1"]);
    assert!(out.ok().ends_with("\n1 203.0.113.30"), "{out}");
    only_rb_was_asked(&lab);
    only_by_wan1(&lab);
    nothing_leaves(&lab, || {
        for server in ["@10.1.0.1", "@127.0.0.53"] {
            let out = dig(&[server]);
            assert!(out.stdout.contains("network unreachable"), "{out}");
        }
    });
}

#[test]
fn a_link_local_server_is_asked_on_its_link() {
    let lab = Lab::new();
    let address = "ip addr add fe80::53/64 dev host nodad";
    lab.as_root_in("rb", &address.split(' ').collect::<Vec<_>>());
    let server = "--conf-file=/dev/null --keep-in-foreground --user=root --group= --pid-file= \
                  --bind-interfaces --listen-address=fe80::53 --no-resolv --no-hosts \
                  --address=/local.test/203.0.113.22 --log-facility=-";
    let server = lab.command("dnsmasq").args(server.split(' '));
    let server = server.within("rb").root().spawn();
    server.wait_for_error_line("started, version");
    networkd_says(&lab, "DNS=fe80::53");
    let out = lab.mif(&LINK, &["getent", "ahostsv4", "a.local.test"]);
    assert!(out.ok().starts_with("203.0.113.22"), "{out}");
    assert_eq!(["ra", "rv"].map(|router| lab.packets(router)), [0, 0]);
}

#[test]
fn a_running_program_learns_of_changes_within_a_second() {
    let lab = Lab::new();
    networkd_says(&lab, "DNS=");
    let script = "import socket, sys\nfor line in sys.stdin:\n    try:\n        \
                  print(socket.gethostbyname(line.strip()), flush=True)\n    \
                  except OSError as error:\n        print('error', error.errno, flush=True)";
    let client = lab.command("python3").args(["-c", script]).stdin_open();
    let mut client = client.mif(&LINK).spawn();
    client.send("split.test\n");
    client.wait_for_line("error -3");
    networkd_says(&lab, "DNS=10.2.0.1");
    eventually("the new server is asked", || {
        client.send("split.test\n");
        let (out, _) = client.seen();
        out.contains("203.0.113.22")
    });
    only_rb_was_asked(&lab);
}

#[test]
fn only_look_ups_that_need_it_read_what_the_agents_left() {
    let lab = Lab::new();
    networkd_says(&lab, "DNS=10.2.0.1");
    // How often the state file is opened, and how often it is looked at.
    let read = |options: &[&str], code: &str| {
        let calls = "trace=open,openat,stat,newfstatat,statx";
        let trace = [
            "strace", "-f", "-qq", "-e", calls, "-o", "trace", "python3", "-c", code,
        ];
        lab.mif(options, &trace).ok();
        let text = std::fs::read_to_string(lab.home().join("trace")).unwrap();
        let lines = text
            .lines()
            .filter(|line| line.contains("/run/systemd/netif/links/"));
        let (opened, looked): (Vec<_>, Vec<_>) = lines.partition(|line| line.contains("open"));
        (opened.len(), looked.len())
    };
    let connect = "import socket; socket.create_connection(('203.0.113.10', 7001))";
    assert_eq!(read(&LINK, connect), (0, 0));
    let look_up = "import socket; socket.gethostbyname('split.test')";
    let own = ["-i", "wan1", "-d", "10.2.0.1"];
    assert_eq!(read(&own, look_up), (0, 0));
    let often = "import socket\nfor n in range(50): socket.gethostbyname('split.test')";
    let (opened, looked) = read(&LINK, often);
    // At most once a second, for as long as they take under strace.
    assert!(opened == 1 && looked < 25, "{opened} {looked}");
}

#[test]
fn what_others_can_write_is_not_asked() {
    let lab = Lab::new();
    networkd_says(&lab, "DNS=10.1.0.1");
    let open = "chmod o+w /run/systemd/netif/links/*";
    lab.as_root_in("host", &["sh", "-c", open]);
    nothing_leaves(&lab, || {
        lab.mif(&LINK, &["getent", "hosts", "split.test"]).fails();
    });
}

#[test]
fn a_network_without_known_servers_is_warned_of_before_the_start() {
    let lab = Lab::new();
    let said = |options: &[&str]| {
        let out = lab.mif(options, &["true"]);
        out.ok();
        out.stderr
    };
    let file = |text: &str| {
        let path = lab.write("warned.toml", text);
        said(&["-p", path.to_str().unwrap()])
    };
    let warning = |names: &str, place: &str| {
        format!(
            "mif-run: warning: names will be refused: the host knows no DNS servers of {names} \
             ({place}); name some with -d, or dns.servers in pvds.toml\n"
        )
    };
    assert_eq!(said(&LINK), warning("`wan1`", "-i"));
    assert_eq!(said(&["-s", "10.2.0.2"]), warning("`10.2.0.2`", "-s"));
    assert_eq!(said(&["-i", "wan1,vpn0"]), warning("`wan1`, `vpn0`", "-i"));
    let place = format!("{}:1", lab.dir().join("warned.toml").display());
    assert_eq!(
        file("use = [\"wan1\", \"none\"]\n[[rule]]\nto = \"10.0.0.0/8\"\nuse = \"system\"\n"),
        warning("`wan1`", &place)
    );
    for options in [
        &["-i", "wan1", "-d", "10.2.0.1"][..],
        &["-i", "wan1,system"],
        &["-i", "system"],
        &["-i", "none"],
        &["-i", "lo"],
    ] {
        assert_eq!(said(options), "", "{options:?}");
    }
    for text in [
        "use = \"wan1\"\ndns = { servers = \"10.2.0.1\" }\n",
        "use = \"wan1\"\n[[rule]]\nto = \"*.test\"\nuse = \"system\"\n",
        "use = [\"a\", \"wan1\"]\n[pvd.a]\ninterface = \"wan0\"\ndns = { servers = \"10.1.0.1\" }\n",
        "use = \"wan1\"\n[[rule]]\nto = \"10.0.0.0/8\"\nuse = \"a\"\n[pvd.a]\n\
         interface = \"wan0\"\ndns = { servers = \"10.1.0.1\", zones = \"test\" }\n",
    ] {
        assert_eq!(file(text), "", "{text}");
    }
    // One that is not there is warned of as such.
    lab.link_down("vpn0");
    assert!(!said(&["-i", "vpn0"]).contains("DNS"));
    networkd_says(&lab, "DNS=10.2.0.1");
    assert_eq!(said(&LINK), "");
}
