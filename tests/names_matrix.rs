//! Every way in which programs look a name up, row by row: natively the host's own server is asked,
//! at wan0's provider, and under `-i wan1 -d 10.2.0.1` that of wan1's provider alone. Each provider
//! knows split.test by other addresses, so that what a program says shows whom it believed.

mod support;

use mif_lab::{Command, Lab, Output};
use support::{BY_WAN1, only_by_wan1};

#[test]
fn clients() {
    let rows = [
        "curl -sS -w %{remote_ip} http://split.test/",
        "wget -O- http://split.test/",
        "ssh -v -F none -o BatchMode=yes split.test",
        // Nobody serves repositories there, but git says which addresses it tries.
        "git ls-remote git://split.test/repo.git",
        "env GIT_CURL_VERBOSE=1 git ls-remote http://split.test/repo.git",
        "socat -t1 - TCP:split.test:7001",
        "nc.openbsd -N split.test 7001",
        // gethostbyname.
        "nc.traditional -w 1 split.test 7001",
        // c-ares.
        "aria2c --log=- --log-level=info -o found http://split.test/",
    ];
    check(&rows.map(words));
}

#[test]
fn tools_of_libc_and_bind() {
    let rows = [
        "getent ahosts split.test",
        "getent ahostsv4 split.test",
        "getent ahostsv6 split.test",
        "getent hosts split.test",
        "host split.test",
        "dig +short split.test",
        "dig +short +tcp split.test AAAA",
        "nslookup split.test",
    ];
    check(&rows.map(words));
}

fn words(row: &str) -> Vec<&str> {
    row.split(' ').collect()
}

#[test]
fn python() {
    let asyncio = |body: &str| {
        format!(
            "import aiohttp, asyncio\n\
             async def main():\n    {body}\nasyncio.run(main())"
        )
    };
    let through = |resolver: &str| {
        asyncio(&format!(
            "connector = aiohttp.TCPConnector(resolver=aiohttp.{resolver}())\n    \
             async with aiohttp.ClientSession(connector=connector) as session:\n        \
             print((await session.get('http://split.test/')).headers['X-Local'])"
        ))
    };
    let programs = [
        "import socket; print(socket.gethostbyname('split.test'))",
        "import socket; print(socket.gethostbyname_ex('split.test'))",
        "import socket; print(socket.getaddrinfo('split.test', 80))",
        "import dns.resolver; print(*dns.resolver.resolve('split.test'))",
        &asyncio("print(await asyncio.get_running_loop().getaddrinfo('split.test', 80))"),
        // aiodns is c-ares; without it the loop asks libc in a thread.
        &through("AsyncResolver"),
        &through("ThreadedResolver"),
    ];
    check(&programs.map(|program| ["python3", "-c", program]));
}

#[test]
fn node() {
    let calls = [
        "require('dns').lookup('split.test', { all: true }",
        "require('dns').resolve('split.test'",
        "new (require('dns').Resolver)().resolve6('split.test'",
    ];
    let programs =
        calls.map(|call| format!("{call}, (error, found) => console.log(error ?? found))"));
    check(&programs.each_ref().map(|program| ["node", "-e", program]));
}

#[test]
fn java() {
    let (native, steered) = (Lab::new(), Lab::new());
    for how in ["InetAddress", "JNDI"] {
        row(&native, &steered, |lab| {
            let source = lab.write("Names.java", include_str!("probes/Names.java"));
            let java = lab
                .command("java")
                .args(["-XX:TieredStopAtLevel=1", "-Xshare:auto"]);
            java.arg(source).args([how, "split.test"])
        });
    }
}

#[test]
fn perl() {
    let net_dns = "print $_->address for Net::DNS::Resolver->new->query('split.test')->answer";
    let gethostbyname = "print inet_ntoa(scalar gethostbyname('split.test'))";
    check(&[
        ["perl", "-MSocket", "-e", gethostbyname],
        ["perl", "-MNet::DNS", "-e", net_dns],
    ]);
}

#[test]
fn ruby() {
    let programs = [
        "require 'resolv'; puts Resolv.getaddress('split.test')",
        "require 'resolv'; puts Resolv::DNS.new.getaddress('split.test')",
        "require 'socket'; p Addrinfo.getaddrinfo('split.test', 80)",
        "require 'socket'; one = TCPSocket.new('split.test', 7001); one.close_write; puts one.read",
    ];
    check(&programs.map(|program| ["ruby", "-e", program]));
}

#[test]
fn php() {
    let programs = [
        "echo gethostbyname('split.test');",
        "print_r(dns_get_record('split.test', DNS_A));",
    ];
    check(&programs.map(|program| ["php", "-r", program]));
}

/// Rows of words, all in one pair of labs.
#[track_caller]
fn check<'w, Words: AsRef<[&'w str]>>(rows: &[Words]) {
    let (native, steered) = (Lab::new(), Lab::new());
    for words in rows {
        let words = words.as_ref();
        row(&native, &steered, |lab| {
            lab.command(words[0]).args(&words[1..])
        });
    }
}

/// Runs a program in one lab as it is and in another under mif, where the providers that the
/// policy does not name never see a question, nor any other packet.
#[track_caller]
fn row<'lab>(native: &'lab Lab, steered: &'lab Lab, program: impl Fn(&'lab Lab) -> Command<'lab>) {
    let asked = asks(native, "ra", || program(native).run());
    assert!(asked.iter().all(|query| query.contains(" split.test ")));

    let asked = asks(steered, "rb", || program(steered).mif(&BY_WAN1).run());
    let by_wan1 =
        |query: &String| query.ends_with(" 10.2.0.2") || query.ends_with(" 2001:db8:2::2");
    assert!(asked.iter().all(by_wan1), "{asked:?}");
    assert_eq!([steered.queries("ra"), steered.queries("rv")], [[""; 0]; 2]);
    only_by_wan1(steered);
}

/// Asserts that the program tells the addresses that this provider has, and that it asked there;
/// returns its questions.
#[track_caller]
fn asks(lab: &Lab, router: &str, run: impl FnOnce() -> Output) -> Vec<String> {
    let asked = lab.queries(router).len();
    let out = run();
    let number = if router == "ra" { "21" } else { "22" };
    let told = [
        format!("203.0.113.{number}"),
        format!("2001:db8:ff::{number}"),
    ];
    let said = format!("{}{}", out.stdout, out.stderr);
    assert!(told.iter().any(|address| said.contains(address)), "{out}");
    let queries = lab.queries(router).split_off(asked);
    assert!(!queries.is_empty(), "nothing is proved by {out}");
    queries
}
