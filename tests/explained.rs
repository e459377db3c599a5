//! What `mif explain` says is what libmif.so does and what the kernel does: a thousand flows
//! under 250 random policies are explained and then tried by a program under the
//! library, and the next hops are asked of `ip route get`.

use std::fmt::Write;
use std::fs;
use std::time::Duration;

use mif_lab::Lab;
use serde_json::Value;

const POLICIES: usize = 250;
const FLOWS: usize = 4;

/// More kinds of source addresses, routes and rules than the lab has by itself.
const HOST: &str = "
ip -6 addr add fd00:77::2/64 dev wan0 nodad
ip -6 addr add 2001:db8:2::9/64 dev wan1 nodad preferred_lft 0
ip -6 addr add 2001:db8:2:5::7/64 dev wan1 nodad
ip addr add 10.2.0.22/24 dev wan1
ip route add 198.51.100.0/25 via 10.1.0.1 src 10.1.0.2
ip route add 198.51.100.128/25 via 10.2.0.1 src 10.2.0.22
ip -6 route add fd00:99::/32 via 2001:db8:2::1 src 2001:db8:2:5::7
ip route add prohibit 198.51.100.66
ip route del default dev vpn0
ip route add 203.0.113.0/28 via 10.3.0.1 dev vpn0 table 77
ip rule add oif vpn0 table 77
";

#[test]
fn explanations_are_what_the_library_and_the_kernel_do() {
    let lab = Lab::new();
    lab.as_root_in("host", &["sh", "-ec", HOST]);
    let probe = lab.probe("verdicts");
    let mut random = Random(0x6d69_6673);
    let flows: Vec<Vec<Flow>> = (0..POLICIES)
        .map(|n| prepare(&lab, n, &mut random))
        .collect();

    let (dir, mif, library) = (lab.dir(), lab.mif_run(), lab.library());
    let mif = mif.with_file_name("mif");
    let script = format!(
        "for n in $(seq 0 {}); do
            set -- $(cat {dir}/flows/$n.arguments)
            export MIF_POLICY={dir}/flows/$n.toml
            {mif} explain --json \"$@\" >>explained || exit
            LD_PRELOAD={library} {probe} <{dir}/flows/$n.flows >>done || exit
        done",
        POLICIES - 1,
        dir = dir.display(),
        mif = mif.display(),
        library = library.display(),
        probe = probe.display(),
    );
    let shell = lab.command("sh").args(["-c", &script]);
    shell.limit(Duration::from_mins(2)).run().ok();

    let read = |name: &str| fs::read_to_string(lab.home().join(name)).unwrap();
    let (explained, done) = (read("explained"), read("done"));
    let explained = serde_json::Deserializer::from_str(&explained).into_iter::<Value>();
    let mut done = done.lines();
    let mut tally = [0; 3];
    let mut hops = Vec::new();
    for (n, (report, flows)) in explained.zip(&flows).enumerate() {
        let report = report.unwrap();
        for (told, flow) in report["flows"].as_array().unwrap().iter().zip(flows) {
            let done = done.next().unwrap();
            let verdict = compare(told, done).unwrap_or_else(|why| {
                let policy = read(&format!("../flows/{n}.toml"));
                panic!("{why}: {flow:?} did {done:?}\n{told:#}\n{policy}")
            });
            tally[verdict] += 1;
            hops.extend(hop(told, flow));
        }
    }
    assert_eq!(
        (done.next(), tally.iter().sum::<usize>()),
        (None, POLICIES * FLOWS)
    );
    // Were the policies all of one kind, this would prove little.
    assert!(tally.iter().all(|&count| count > 100), "{tally:?}");
    assert!(hops.len() > 100, "{}", hops.len());
    compare_hops(&lab, &hops);
}

/// A destination with its protocol.
#[derive(Debug)]
struct Flow {
    protocol: &'static str,
    ip: &'static str,
    port: u16,
}

/// Writes policy and flows number `n`.
fn prepare(lab: &Lab, n: usize, random: &mut Random) -> Vec<Flow> {
    const PLACES: [&str; 22] = [
        "203.0.113.10",
        "203.0.113.10",
        "203.0.113.21",
        "203.0.113.40",
        "198.51.100.7",
        "198.51.100.200",
        "198.51.100.66",
        "192.0.2.1",
        "10.1.0.1",
        "10.2.0.1",
        "10.3.0.1",
        "10.2.0.2",
        "127.0.0.1",
        "::1",
        "2001:db8:ff::10",
        "2001:db8:ff::10",
        "2001:db8:ff::21",
        "2001:db8:2::1",
        "2001:db8:2:5::1",
        "fd00:77::1",
        "fd00:99::1",
        "2001:db8:1::2",
    ];
    let protocol = random.pick(&["tcp", "udp"]);
    let flow = |random: &mut Random| Flow {
        protocol,
        ip: random.pick(&PLACES),
        port: random.pick(&[53, 80, 443, 7001]),
    };
    let flows: Vec<Flow> = (0..FLOWS).map(|_| flow(random)).collect();
    let mut arguments = String::from(if protocol == "udp" {
        "--udp default"
    } else {
        "default"
    });
    let mut lines = String::new();
    for Flow { protocol, ip, port } in &flows {
        let _ = if ip.contains(':') {
            write!(arguments, " [{ip}]:{port}")
        } else {
            write!(arguments, " {ip}:{port}")
        };
        let _ = writeln!(lines, "{protocol} {ip} {port}");
    }
    lab.write(&format!("flows/{n}.toml"), &policy(random));
    lab.write(&format!("flows/{n}.arguments"), &arguments);
    lab.write(&format!("flows/{n}.flows"), &lines);
    flows
}

fn policy(random: &mut Random) -> String {
    let mut text = format!("use = {}\n", networks(random));
    if random.one_in(6) {
        let _ = writeln!(text, "family = \"{}\"", random.pick(&["ipv4", "ipv6"]));
    }
    if random.one_in(6) {
        text.push_str("local = false\n");
    }
    if random.one_in(4) {
        let guard = random.pick(&["host", "strict", "off"]);
        let _ = writeln!(text, "[dns]\nservers = \"10.2.0.1\"\nguard = \"{guard}\"");
    }
    for _ in 0..random.below(4) {
        text.push_str("[[rule]]\n");
        if random.one_in(2) {
            let to = random.pick(&[
                "203.0.113.0/24",
                "203.0.113.10",
                "198.51.100.0/24",
                "private",
                "2001:db8:ff::/48",
                "2001:db8::/32",
                "0.0.0.0/0",
                "::/0",
                "fd00::/8",
            ]);
            let _ = writeln!(text, "to = \"{to}\"");
        }
        if random.one_in(3) {
            let _ = writeln!(
                text,
                "port = {}",
                random.pick(&["80", "[53, 443]", "\"1-1000\""])
            );
        }
        if random.one_in(3) {
            let _ = writeln!(text, "protocol = \"{}\"", random.pick(&["tcp", "udp"]));
        }
        let _ = writeln!(text, "use = {}", networks(random));
    }
    text.push_str(
        "[pvd.sourced]\ninterface = \"wan1\"\nsource = [\"10.2.0.22\", \"2001:db8:2::2\"]\n",
    );
    text.push_str("[pvd.elsewhere]\ninterface = \"wan0\"\nsource = \"10.2.0.22\"\n");
    text.push_str("[pvd.four]\ninterface = \"wan0\"\nsource = \"10.1.0.2\"\n");
    text
}

fn networks(random: &mut Random) -> String {
    let some = [
        "wan0",
        "wan1",
        "wan1",
        "vpn0",
        "gone0",
        "sourced",
        "elsewhere",
        "four",
    ];
    let mut names: Vec<&str> = (0..random.below(3)).map(|_| random.pick(&some)).collect();
    if names.is_empty() || random.one_in(3) {
        names.push(random.pick(&["system", "none", "wan1"]));
    }
    format!("{names:?}")
}

/// The kind of the verdict, if the program found what was told.
fn compare(told: &Value, done: &str) -> Result<usize, String> {
    let mut words = done.split(' ');
    let (error, interface, source) = (words.next(), words.next(), words.next());
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let leads_on = told["warnings"].as_array().is_some_and(Vec::is_empty);
    let same = |what: &str, told: Option<String>, done: Option<&str>| {
        let same = told.as_deref() == done;
        same.then_some(()).ok_or_else(|| format!("another {what}"))
    };
    let verdict = told["verdict"].as_str().unwrap_or_default();
    match verdict {
        "refuse" => {
            same("error", text(&told["error"]), error)?;
            same("interface", Some("-".to_owned()), interface)?;
            return Ok(2);
        }
        "route" if error == Some("ok") => {
            same("interface", text(&told["interface"]["name"]), interface)?;
        }
        "route" => {}
        _ => same("interface", Some("-".to_owned()), interface)?,
    }
    let has_hop = !told["next_hop"].is_null();
    if has_hop && leads_on {
        same("outcome", Some("ok".to_owned()), error)?;
        same("source", text(&told["source"]["address"]), source)?;
        let reason = &told["source"]["reason"];
        let by_policy = told["source"]["chosen_by"] == "policy";
        if !by_policy && reason.is_null() {
            return Err("no reason for the source".to_owned());
        }
    } else if told["destination"]
        .as_str()
        .is_some_and(|ip| ip.contains(':'))
        && !leads_on
    {
        same("outcome", Some("ENETUNREACH".to_owned()), error)?;
    }
    Ok(usize::from(verdict == "pass"))
}

/// The question to `ip route get`, and the next hop and interface that were told.
fn hop(told: &Value, flow: &Flow) -> Option<(String, String)> {
    let next = told["next_hop"].as_object()?;
    let interface = told["interface"]["name"].as_str()?;
    let (ip, port, protocol) = (flow.ip, flow.port, flow.protocol);
    let mut question = format!("route get {ip} ipproto {protocol} dport {port}");
    if told["verdict"] == "route" {
        let _ = write!(question, " oif {interface}");
        // With a source, `ip` treats an IPv6 packet's interface as a mere wish.
        let is_v4 = !ip.contains(':');
        if let Some(source) = told["source"]["address"].as_str().filter(|_| is_v4) {
            let _ = write!(question, " from {source}");
        }
    }
    let via = next["gateway"]
        .as_str()
        .map(|gateway| format!("via {gateway} "));
    Some((
        question,
        format!("{}dev {interface} ", via.unwrap_or_default()),
    ))
}

fn compare_hops(lab: &Lab, hops: &[(String, String)]) {
    let mut all: Vec<_> = hops.to_vec();
    all.sort();
    all.dedup();
    let questions: Vec<&str> = all.iter().map(|(question, _)| &**question).collect();
    let questions = questions.join("\n") + "\n";
    let ip = lab.command("ip").args(["-oneline", "-batch", "-"]);
    let out = ip.stdin(questions).run();
    let answers: Vec<&str> = out.ok().lines().collect();
    assert_eq!(answers.len(), all.len());
    for ((question, told), answer) in all.iter().zip(answers) {
        assert!(
            answer.contains(told),
            "{question}: {answer:?} and not {told:?}"
        );
    }
}

/// xorshift64*: the same policies in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let high = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        usize::try_from(high).expect("31 bits") % limit
    }

    fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }

    fn pick<T: Copy>(&mut self, list: &[T]) -> T {
        list[self.below(list.len())]
    }
}
