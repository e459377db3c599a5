//! DNS servers that want TLS: unbound, a real one, on the second provider's router. Whoever the
//! certificate is not for is told nothing, and nothing goes by port 53 in its place.

mod support;

use std::process::Command;

use mif_lab::{Build, Lab, Output, Running};
use support::{WAN1, WAN1_6, only_by_wan1};

/// A lab with unbound on `rb` by TLS and by HTTPS, over both families, which asks that router's own
/// server in turn. Its certificate is for `dns.lab` and for the IPv4 address.
struct Encrypted {
    lab: Lab,
    _unbound: Running,
}

impl Encrypted {
    fn new() -> Self {
        let lab = Lab::new();
        let dir = lab.dir().to_owned();
        let made = Command::new("sh")
            .args(["-euc", CERTIFICATES])
            .current_dir(&dir)
            .output()
            .unwrap();
        assert!(made.status.success(), "{made:?}");
        let config = lab.write(
            "unbound.conf",
            &UNBOUND.replace("LAB", dir.to_str().unwrap()),
        );
        let unbound = lab
            .command("unbound")
            .args(["-d", "-p", "-c", config.to_str().unwrap()])
            .within("rb")
            .root()
            .spawn();
        unbound.wait_for_error_line("start of service");
        Self {
            lab,
            _unbound: unbound,
        }
    }

    /// Runs a program on wan1 with these servers.
    fn by(&self, servers: &[&str], words: &[&str]) -> Output {
        self.reached_by("preload", servers, words)
    }

    /// The same, reached in this way.
    fn reached_by(&self, reach: &str, servers: &[&str], words: &[&str]) -> Output {
        let reach = format!("--reach={reach}");
        let mut options = vec![&*reach, "-v", "-i", "wan1"];
        options.extend(servers.iter().flat_map(|server| ["-d", *server]));
        let command = self.lab.command(words[0]).args(&words[1..]);
        let authority = self.lab.dir().join("ca.pem");
        command.env("SSL_CERT_FILE", authority).mif(&options).run()
    }

    /// What of names went over wan0 and vpn0, and in the clear.
    fn in_the_clear(&self) -> [u64; 3] {
        ["ra", "rb", "rv"].map(|router| self.lab.dns_packets(router))
    }
}

const CERTIFICATES: &str = "
    key='-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes'
    openssl req -x509 $key -keyout ca.key -out ca.pem -days 2 -subj '/CN=the lab'
    openssl req $key -keyout dns.key -out dns.csr -subj /CN=dns.lab
    printf 'subjectAltName=DNS:dns.lab,IP:10.2.0.1\\n' >names
    openssl x509 -req -in dns.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 \\
        -extfile names -out dns.pem
    chmod 644 ca.pem";

const UNBOUND: &str = "
server:
    interface: 10.2.0.1@853
    interface: 10.2.0.1@443
    interface: 2001:db8:2::1@853
    interface: 2001:db8:2::1@443
    tls-service-key: LAB/dns.key
    tls-service-pem: LAB/dns.pem
    access-control: 0.0.0.0/0 allow
    access-control: ::/0 allow
    module-config: iterator
    local-zone: test. nodefault
    local-zone: 198.in-addr.arpa. nodefault
    local-zone: 100.51.198.in-addr.arpa. nodefault
    chroot: ''
    username: ''
    directory: LAB
    pidfile: ''
    use-syslog: no
forward-zone:
    name: .
    forward-addr: 10.2.0.1
remote-control:
    control-enable: no
";

const TLS: &str = "tls://10.2.0.1#dns.lab";
const HTTPS: &str = "https://10.2.0.1/dns-query#dns.lab";

#[test]
fn names_are_asked_by_tls_and_by_https_and_never_in_the_clear() {
    for server in [
        TLS,
        HTTPS,
        // The certificate is for this address, too.
        "tls://10.2.0.1",
        "https://10.2.0.1",
        "tls://[2001:db8:2::1]#dns.lab",
        "https://[2001:db8:2::1]:443/dns-query#dns.lab",
    ] {
        let it = Encrypted::new();
        let out = it.by(&[server], &["curl", "-sS4", "http://split.test/"]);
        assert_eq!(out.ok(), WAN1, "{server}");
        let out = it.by(&[server], &["getent", "ahostsv6", "split.test"]);
        assert!(out.ok().contains("2001:db8:ff::22"), "{server} {out}");
        let out = it.by(&[server], &["getent", "hosts", "nothing.test"]);
        assert!(out.fails().contains("(NoName)"), "{server} {out}");
        assert!(
            it.lab
                .queries("rb")
                .contains(&"A split.test 10.2.0.1".to_owned())
        );
        assert_eq!(it.in_the_clear(), [0, 0, 0], "{server}");
        only_by_wan1(&it.lab);
    }
}

#[test]
fn the_companion_is_found_from_where_a_link_of_the_library_leads() {
    let it = Encrypted::new();
    let curl = it.lab.command("curl").args(["-sS4", "http://split.test/"]);
    let curl = curl.env("SSL_CERT_FILE", it.lab.dir().join("ca.pem"));
    // The loader's name is a link to the file, and the compiler's one to that.
    let link = it.lab.dir().join("lib/libmif.so");
    let curl = curl.env("LD_PRELOAD", link).env("MIF_INTERFACE", "wan1");
    let out = curl.env("MIF_DNS", TLS).env("MIF_LOG", "refused").run();
    assert_eq!((out.ok(), &*out.stderr), (WAN1, ""));
}

#[test]
fn every_function_of_libc_asks_so() {
    let it = Encrypted::new();
    for server in [TLS, HTTPS] {
        let php = "echo gethostbyname('split.test'), ' ', gethostbyaddr('198.51.100.7'), ' ';\n\
                   echo dns_get_record('split.test', DNS_TXT)[0]['txt'];";
        let out = it.by(&[server], &["php", "-r", php]);
        assert_eq!(out.ok(), "203.0.113.22 of-rb.test told by rb", "{server}");
        // Longer than any datagram that clients offer to take.
        let out = it.by(&[server], &["getent", "ahostsv4", "huge.test"]);
        assert_eq!(out.ok().matches("STREAM").count(), 120, "{server}");
    }
    assert_eq!(it.in_the_clear(), [0, 0, 0]);
}

#[test]
fn programs_that_no_preload_reaches_ask_so() {
    for build in [Build::Static, Build::MuslStatic] {
        let it = Encrypted::new();
        let look_up = it.lab.probe_as("look_up", build).display().to_string();
        for server in [TLS, HTTPS] {
            let out = it.reached_by("auto", &[server], &[&look_up, "only-b.test", "7001"]);
            let seen_as = [WAN1, WAN1_6].map(|peer| format!("seen as {peer}"));
            assert!(seen_as.iter().any(|said| out.ok().ends_with(said)), "{out}");
        }
        // More than clients take in a datagram.
        let out = it.reached_by("supervise", &[TLS], &["dig", "+short", "huge.test"]);
        assert_eq!(out.ok().lines().count(), 120, "{out}");
        let other = "tls://10.2.0.1#other.lab";
        let out = it.reached_by("auto", &[other], &[&look_up, "split.test", "7001"]);
        assert!(out.stderr.contains("not valid for name"), "{out}");
        assert_eq!(out.code, Some(1), "{out}");
        assert!(!it.lab.queries("rb").iter().any(|one| one.contains("split")));
        assert_eq!(it.in_the_clear(), [0, 0, 0]);
    }
}

#[test]
fn without_the_right_certificate_nothing_is_asked() {
    let it = Encrypted::new();
    let asked = |servers: &[&str]| {
        let out = it.by(servers, &["getent", "ahosts", "split.test"]);
        (out.stdout.contains("203.0.113.22"), out.stderr)
    };
    for (server, why) in [
        (
            "tls://10.2.0.1#other.lab",
            "not valid for name \"other.lab\"",
        ),
        (
            "https://10.2.0.1/dns-query#other.lab",
            "not valid for name \"other.lab\"",
        ),
        // The certificate does not have the IPv6 address.
        ("tls://[2001:db8:2::1]", "not valid for name"),
        ("https://10.2.0.1/other#dns.lab", "404"),
        ("tls://10.2.0.1:854#dns.lab", "no answer (again)"),
    ] {
        let (found, said) = asked(&[server]);
        assert!(!found, "{server}");
        assert!(said.to_lowercase().contains(why), "{server}: {said}");
    }
    // An authority that the system does not know.
    let command = it.lab.command("getent").args(["ahosts", "split.test"]);
    let out = command.mif(&["-v", "-i", "wan1", "-d", TLS]).run();
    assert!(out.fails().contains("UnknownIssuer"), "{out}");
    assert_eq!(it.lab.queries("rb"), [""; 0]);
    assert_eq!(it.in_the_clear(), [0, 0, 0]);

    // What the list says besides is another matter.
    let (found, _) = asked(&["tls://10.2.0.1#other.lab", HTTPS]);
    assert!(found);
    assert_eq!(it.in_the_clear(), [0, 0, 0]);
    let (found, _) = asked(&["tls://10.2.0.1#other.lab", "10.2.0.1"]);
    assert!(found);
    let [ra, rb, rv] = it.in_the_clear();
    assert!(rb > 0 && [ra, rv] == [0, 0], "{rb}");
}

#[test]
fn a_connection_that_is_gone_ends_no_program() {
    let it = Encrypted::new();
    let companion = it.lab.dir().join("lib/mif/libmif_tls.so");
    let probe = it.lab.command(it.lab.probe("companion")).arg(companion);
    let out = probe
        .env("SSL_CERT_FILE", it.lab.dir().join("ca.pem"))
        .run();
    let gone = "Broken pipe (os error 32), closed";
    assert_eq!(out.ok(), format!("1 {gone}\n1 io error: {gone}"));
}

#[test]
fn a_thread_that_waits_for_an_answer_can_be_cancelled() {
    let it = Encrypted::new();
    let serve = "import socket, time\nlistener = socket.create_server(('10.2.0.1', 8853))\n\
         print('serving', flush=True)\nwhile True:\n    client, _ = listener.accept()\n    \
         print('asked', flush=True)\n    time.sleep(0.3)\n    client.close()";
    let python = it.lab.command("python3").args(["-c", serve]);
    let server = python.within("rb").root().spawn();
    server.wait_for_line("serving");
    let program = it.lab.probe("cancel_look_up");
    for server in [
        "tls://10.2.0.1:8853#dns.lab",
        "https://10.2.0.1:8853#dns.lab",
    ] {
        let out = it.by(&[server], &[program.to_str().unwrap(), "split.test"]);
        assert_eq!(out.ok(), "cancelled", "{out}");
    }
    server.wait_for_line("asked");
}

#[test]
fn without_the_companion_the_program_does_not_start() {
    let it = Encrypted::new();
    let companion = it.lab.dir().join("lib/mif/libmif_tls.so");
    std::fs::rename(&companion, it.lab.dir().join("elsewhere.so")).unwrap();
    let out = it.by(&[TLS], &["echo", "started"]);
    assert!(
        out.fails()
            .contains("libmif_tls.so cannot be loaded: No such file"),
        "{out}"
    );
    assert_eq!(out.stdout, "");
    // A bare preload says so when the name is asked for.
    let getent = it.lab.command("getent").args(["ahosts", "split.test"]);
    let bare = getent
        .preload()
        .env("MIF_INTERFACE", "wan1")
        .env("MIF_DNS", TLS);
    let out = bare.env("MIF_LOG", "refused").run();
    assert!(out.fails().contains("libmif_tls.so: cannot open"), "{out}");
    assert_eq!(it.in_the_clear(), [0, 0, 0]);
}

#[test]
fn programs_with_a_resolver_of_their_own_are_not_shown_it() {
    let it = Encrypted::new();
    let out = it.by(&[TLS], &["dig", "+tries=1", "+time=1", "split.test"]);
    assert_ne!(out.code, Some(0), "{out}");
    // Neither may they ask the server in the clear what the network asks it encrypted.
    assert_eq!(it.in_the_clear(), [0, 0, 0]);
}

#[test]
fn many_threads_and_their_children_leave_nothing() {
    let it = Encrypted::new();
    let program = it.lab.probe("name_storm");
    for server in [TLS, HTTPS] {
        let out = it.by(&[server], &[program.to_str().unwrap(), "150", "20"]);
        assert_eq!(
            out.ok(),
            "0 wrong, 2 children, +0 descriptors, +0 threads, no more memory",
            "{out}"
        );
    }
    assert_eq!(it.in_the_clear(), [0, 0, 0]);
}
