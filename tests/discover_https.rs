//! The additional information of provisioning domains (RFC 8801 4), fetched by `mif pvd discover`
//! from a real HTTPS server that counts: within the domain only, as often as is allowed, and worth
//! nothing unless everything about it is right.

#[path = "support/announce.rs"]
mod announce;
mod support;

use std::fs;
use std::process::Command;

use announce::Pvd;
use mif_lab::{Lab, Output, Running};
use serde_json::Value;
use support::only_by_wan1;

/// Known to the second provider's DNS server alone.
const ID: &str = "only-b.test";
const WELL_KNOWN: &str = ".well-known_pvd";

/// A lab with an HTTPS server at the far end, whose certificate is for [`ID`] and some other names.
struct Https {
    lab: Lab,
    server: Running,
}

const CERTIFICATES: &str = "
    key='-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes'
    openssl req -x509 $key -keyout ca.key -out ca.pem -days 2 -subj '/CN=the lab'
    openssl req $key -keyout pvd.key -out pvd.csr -subj /CN=pvd
    printf 'subjectAltName=DNS:only-b.test,DNS:other.test,DNS:host.corp.test,DNS:who.test,DNS:v6.test,DNS:shared-b.test\\n' >names
    openssl x509 -req -in pvd.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 \\
        -extfile names -out pvd.pem
    chmod 644 ca.pem";

/// Answers with the file that is called as the path, or with status 404.
const SERVER: &str = "
import os, socket, ssl, sys, time
os.chdir(sys.argv[1])
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain('pvd.pem', 'pvd.key')
listener = socket.create_server(('::', 443), family=socket.AF_INET6, dualstack_ipv6=True)
print('serving', flush=True)
while True:
    client, peer = listener.accept()
    try:
        with context.wrap_socket(client, server_side=True) as client:
            head = client.recv(4000).decode().split('\\r\\n')
            path = head[0].split(' ')[1]
            headers = dict(line.split(': ') for line in head[1:] if line)
            with open('times', 'a') as times:
                print(time.monotonic(), file=times)
            print('asked', headers['Host'], path, peer[0], headers['Accept'], flush=True)
            name = 'answers/' + path[1:].replace('/', '_')
            answer = 'HTTP/1.1 404 Not Found\\r\\n\\r\\n'
            if os.path.exists(name):
                answer = open(name, newline='').read().replace('HOST', headers['Host'])
            client.sendall(answer.encode())
    except OSError:
        print('refused', flush=True)
";

impl Https {
    fn new() -> Self {
        let lab = Lab::new();
        let made = Command::new("sh")
            .args(["-euc", CERTIFICATES])
            .current_dir(lab.dir())
            .output()
            .unwrap();
        assert!(made.status.success(), "{made:?}");
        let python = lab.command("python3").args(["-c", SERVER]).arg(lab.dir());
        let server = python.within("far").root().spawn();
        server.wait_for_line("serving");
        Self { lab, server }
    }

    fn answer(&self, path: &str, answer: &str) {
        self.lab.write(&format!("answers/{path}"), answer);
    }

    /// An answer with this object.
    fn object(&self, object: &str) {
        let head = "HTTP/1.1 200 OK\r\nContent-Type: application/pvd+json\r\n\r\n";
        self.answer(WELL_KNOWN, &format!("{head}{object}"));
    }

    /// What the server was asked, and how often somebody did not like its certificate.
    fn asked(&self) -> Vec<String> {
        let (out, _) = self.server.seen();
        out.lines().skip(1).map(str::to_owned).collect()
    }

    /// When it was asked, in seconds.
    fn times(&self) -> Vec<f64> {
        let times = fs::read_to_string(self.lab.dir().join("times")).unwrap();
        times.lines().map(|time| time.parse().unwrap()).collect()
    }

    fn discover(&self) -> (Vec<Value>, Output) {
        let mif = self.lab.mif_run().with_file_name("mif");
        let words = ["pvd", "discover", "wan1", "--timeout", "9", "--json"];
        let command = self.lab.command(mif).args(words).root();
        let out = command
            .env("SSL_CERT_FILE", self.lab.dir().join("ca.pem"))
            .run();
        let found: Value = serde_json::from_str(out.ok()).unwrap();
        (found[0]["pvds"].as_array().unwrap().clone(), out)
    }

    fn forget(&self) {
        self.lab
            .as_root_in("host", &["rm", "-f", "/run/mif/pvd/wan1"]);
    }
}

fn pvd(id: &'static str, sequence: u16) -> Pvd {
    Pvd {
        id,
        has_information: true,
        sequence,
    }
}

fn announced(pvd: &Pvd) -> Vec<u8> {
    announce::advertisement(&[
        announce::prefix("2001:db8:2::/64"),
        pvd.option(&[announce::dns_server("2001:db8:2::1")]),
    ])
}

const GOOD: &str = r#"{"identifier": "HOST", "expires": "2199-01-01T00:00:00Z",
    "prefixes": ["2001:db8:2::/48"], "dnsZones": ["corp.test"], "noInternet": true}"#;

#[test]
fn it_is_fetched_within_the_domain_once_and_anew_when_it_has_changed() {
    let it = Https::new();
    it.object(GOOD);
    let router = announce::router(&it.lab, &[announced(&pvd(ID, 1))]);
    let asked = format!("asked {ID} /.well-known/pvd 2001:db8:2::2 application/pvd+json");
    let (found, out) = it.discover();
    assert_eq!(it.asked(), [&*asked], "{out}");
    assert_eq!(found[0]["information"]["no_internet"], true, "{out}");
    assert_eq!(found[0]["information"]["zones"][0], "corp.test");
    // Its name was asked of the domain's server, from the domain's address, and of nobody else.
    assert!(
        it.lab
            .queries("rb")
            .contains(&format!("AAAA {ID} 2001:db8:2::2"))
    );
    only_by_wan1(&it.lab);

    let (found, out) = it.discover();
    assert_eq!(
        (it.asked().len(), &found[0]["information"]["no_internet"]),
        (1, &true.into()),
        "{out}"
    );

    // A program has its zones where a file trusts the network.
    it.lab
        .pvds("[pvd.corp]\ninterface = \"wan1\"\ndns = { trusted = true }\n");
    let out = it
        .lab
        .mif(&["-i", "corp"], &["getent", "ahostsv4", "host.corp.test"]);
    assert!(out.ok().contains("203.0.113.30"), "{out}");
    let out = it
        .lab
        .mif(&["-i", "corp"], &["getent", "ahostsv4", "other.test"]);
    assert_ne!(out.code, Some(0), "{out}");

    drop(router);
    let router = announce::router(&it.lab, &[announced(&pvd(ID, 2))]);
    // Not within 10 seconds of the last time, wherever that lies.
    let fetched_at = |at: &str| {
        let script = format!("s/^FETCHED=1 [0-9]*/FETCHED=1 {at}/; s/^DUE=.*/DUE=1/");
        it.lab
            .as_root_in("host", &["sed", "-i", &script, "/run/mif/pvd/wan1"]);
    };
    fetched_at("4000000000");
    let (_, out) = it.discover();
    assert_eq!(it.asked().len(), 1, "{out}");
    assert!(out.stdout.contains("s are over"), "{out}");
    fetched_at("1000");
    let (_, out) = it.discover();
    assert_eq!(it.asked(), [&*asked, &*asked], "{out}");

    drop(router);
    let silent = Pvd {
        has_information: false,
        ..pvd(ID, 3)
    };
    it.forget();
    let _router = announce::router(&it.lab, &[announced(&silent)]);
    let (found, out) = it.discover();
    assert_eq!(
        (it.asked().len(), &found[0]["information"]),
        (2, &Value::Null),
        "{out}"
    );
}

#[test]
fn what_is_not_right_is_worth_nothing_and_is_not_asked_for_again() {
    let it = Https::new();
    let router = announce::router(&it.lab, &[announced(&pvd(ID, 1))]);
    let json = |from: &str, to: &str| {
        let object = GOOD.replace(from, to);
        assert_ne!(object, GOOD);
        format!("HTTP/1.1 200 OK\r\nContent-Type: application/pvd+json\r\n\r\n{object}")
    };
    for (answer, why) in [
        (json("2199", "2020"), "it has expired: 2020-01-01T00:00:00Z"),
        (
            json("2001:db8:2::/48", "2001:db8:3::/48"),
            "do not cover 2001:db8:2::/64",
        ),
        (json("true}", "true,}"), "trailing comma at line 2"),
        (
            json("HOST", "other.test"),
            "it is about other.test, not about only-b.test",
        ),
        (
            "HTTP/1.1 404 Not Found\r\n\r\n".to_owned(),
            "HTTP status 404",
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<html>".to_owned(),
            "the answer is \\\"text/html\\\"",
        ),
        (
            "HTTP/1.1 302 Found\r\nLocation: http://only-b.test/x\r\n\r\n".to_owned(),
            "which is not followed",
        ),
        (
            "HTTP/1.1 302 Found\r\nLocation: /.well-known/pvd\r\n\r\n".to_owned(),
            "more than 5 redirections",
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Type: application/pvd+json\r\nContent-Length: 9\r\n\r\n{}"
                .to_owned(),
            "the answer ends early",
        ),
    ] {
        it.answer(WELL_KNOWN, &answer);
        it.forget();
        let (found, out) = it.discover();
        assert_eq!(found[0]["information"], Value::Null, "{out}");
        assert!(out.stdout.contains(why), "{why}: {out}");
    }
    let before = it.asked().len();
    let (_, out) = it.discover();
    assert!(out.stdout.contains("the answer ends early"), "{out}");
    assert_eq!(it.asked().len(), before, "{out}");
    // Elsewhere, by HTTPS.
    it.answer(
        WELL_KNOWN,
        "HTTP/1.1 307 Moved\r\nLocation: https://other.test/x\r\n\r\n",
    );
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/pvd+json\r\n\r\n";
    it.answer("x", &format!("{head}{}", GOOD.replace("HOST", ID)));
    it.forget();
    let (found, out) = it.discover();
    assert_eq!(found[0]["information"]["no_internet"], true, "{out}");

    // A certificate for others is told, and nothing is asked then.
    drop(router);
    it.forget();
    let _router = announce::router(&it.lab, &[announced(&pvd("split.test", 1))]);
    let before = it.asked().len();
    let (found, out) = it.discover();
    assert_eq!(found[0]["information"], Value::Null);
    assert!(out.stdout.contains("not valid for name"), "{out}");
    assert_eq!(it.asked()[before..], ["refused"]);
    only_by_wan1(&it.lab);
}

#[test]
fn five_are_fetched_at_once_and_the_next_ones_later() {
    let it = Https::new();
    it.object(GOOD);
    let ids = [
        ID,
        "other.test",
        "host.corp.test",
        "who.test",
        "v6.test",
        "shared-b.test",
    ];
    // A server belongs to the domain that named it last, so each has an address of its own, behind
    // which is the router's server.
    let own = |n: usize| format!("2001:db8:dd::{n}");
    let rule = |n| {
        let (to, by) = (own(n), "dnat ip6 to [2001:db8:2::1]:53");
        format!("add rule ip6 own before ip6 daddr {to} udp dport 53 {by}\n")
    };
    let rules: String = (0..ids.len()).map(rule).collect();
    let table =
        "add table ip6 own\nadd chain ip6 own before { type nat hook prerouting priority -100; }\n";
    let nft = it.lab.command("nft").args(["-f", "-"]).within("rb").root();
    nft.stdin(format!("{table}{rules}")).run().ok();
    let messages: Vec<Vec<u8>> = (0..)
        .zip(ids)
        .map(|(n, id)| {
            let server = announce::dns_server(&own(n));
            announce::advertisement(&[pvd(id, 1).option(&[server])])
        })
        .collect();
    let _router = announce::router(&it.lab, &messages);
    let (found, out) = it.discover();
    assert_eq!(found.len(), 6, "{out}");
    let (_, out) = it.discover();
    let times = it.times();
    assert!(times.len() >= 5, "{out}");
    for six in times.windows(6) {
        assert!(six[5] - six[0] >= 10.0, "{times:?}");
    }
}
