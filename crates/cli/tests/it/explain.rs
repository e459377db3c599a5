//! `mif explain` on a host with two uplinks, in a network namespace of its own.

use std::process::Command;

use crate::{Prefix, is_root};

/// wan0 has the default routes; wan1 knows its own prefixes and one more, and vpn0 is IPv4 only.
const HOST: &str = "
ip link set lo up
for n in wan0 wan1 vpn0; do
    ip link add $n type veth peer name p-$n && ip link set $n up && ip link set p-$n up
done
ip addr add 10.1.0.2/24 dev wan0 && ip addr add 10.2.0.2/24 dev wan1
ip addr add 10.3.0.2/24 dev vpn0 && ip addr add 10.2.0.22/24 dev wan1
ip -6 addr add 2001:db8:1::2/64 dev wan0 nodad && ip -6 addr add 2001:db8:2::2/64 dev wan1 nodad
ip route add default via 10.1.0.1 dev wan0 && ip -6 route add default via 2001:db8:1::1 dev wan0
ip route add 198.51.100.0/24 via 10.2.0.1 dev wan1
ip route add prohibit 198.51.100.66
";

const POLICY: &str = "use = [\"wan1\", \"system\"]
[[rule]]
to = [\"10.0.0.0/8\", \"*.corp.test\"]
use = [\"gone0\", \"vpn0\", \"wan1\"]
[[rule]]
to = \"198.51.100.0/24\"
port = 22
use = \"work\"
[[rule]]
to = \"203.0.113.0/24\"
protocol = \"udp\"
use = \"none\"
[pvd.work]
interface = \"wan1\"
source = \"10.2.0.22\"
[pvd.work.dns]
servers = [\"10.2.0.1\", \"10.2.0.1:5353\"]
zones = \"work.test\"
";

/// Runs a script on that host; what it prints, with indexes of interfaces as `N`.
fn on_host(prefix: &Prefix, typed: &str) -> Option<String> {
    let unshare = if is_root() { "-n" } else { "-Urn" };
    if !Command::new("unshare")
        .args([unshare, "true"])
        .status()
        .is_ok_and(|ran| ran.success())
    {
        eprintln!("skipped: no network namespace can be made here");
        return None;
    }
    prefix.write("work/app.toml", POLICY);
    let script = format!("set -e\n{HOST}\nset +e\n{typed}");
    let ran = prefix.ran(
        prefix
            .command("unshare")
            .args([unshare, "sh", "-c", &script]),
    );
    assert_eq!(
        (ran.status, ran.stderr.as_str()),
        (Some(0), ""),
        "{}",
        ran.stdout
    );
    let mut text = String::new();
    for part in ran.stdout.split_inclusive("(index ") {
        let rest = if text.ends_with("(index ") {
            text.push('N');
            part.trim_start_matches(|c: char| c.is_ascii_digit())
        } else {
            part
        };
        text.push_str(rest);
    }
    Some(text)
}

#[test]
fn options_are_explained_with_the_next_hop() {
    let prefix = Prefix::new("explain-options");
    let typed = "mif-run -i gone0 -i wan1 -d 10.2.0.1 --explain 198.51.100.7 \
        --explain 203.0.113.7:80 --explain=[2001:db8:9::1]:80 --explain 10.2.0.9 \
        --explain 127.0.0.1 --explain 10.1.0.2:22";
    let Some(text) = on_host(&prefix, typed) else {
        return;
    };
    let expected = "policy of default: the options

198.51.100.7, port 443, tcp
  rule       -i (use gone0, wan1)
  verdict    by `wan1`
  interface  wan1 (index N)
  skipped    `gone0`: no such interface
  source     10.2.0.2 (the kernel's choice: the first of wan1 in the next hop's prefix)
  next hop   10.2.0.1 (route 198.51.100.0/24 of table main)
  DNS        10.2.0.1

203.0.113.7, port 80, tcp
  rule       -i (use gone0, wan1)
  verdict    by `wan1`
  interface  wan1 (index N)
  skipped    `gone0`: no such interface
  DNS        10.2.0.1
  warning    no route to 203.0.113.7 on wan1: the kernel would look for it on the link itself and \
        send it to nobody; add one (ip route add default via ROUTER dev wan1 metric 2000)

2001:db8:9::1, port 80, tcp
  rule       -i (use gone0, wan1)
  verdict    by `wan1`
  interface  wan1 (index N)
  skipped    `gone0`: no such interface
  DNS        10.2.0.1
  warning    no route to 2001:db8:9::1 on wan1: the call fails with ENETUNREACH

10.2.0.9, port 443, tcp
  rule       -i (use gone0, wan1)
  verdict    by `wan1`
  interface  wan1 (index N)
  skipped    `gone0`: no such interface
  source     10.2.0.2 (the kernel's choice: the first of wan1 in the next hop's prefix)
  next hop   the destination itself (route 10.2.0.0/24 of table main)
  DNS        10.2.0.1

127.0.0.1, port 443, tcp
  verdict    as without mif: loopback, or an address of this host

10.1.0.2, port 22, tcp
  verdict    as without mif: loopback, or an address of this host
";
    assert_eq!(text, expected);
}

#[test]
fn rules_are_explained_with_their_lines() {
    let prefix = Prefix::new("explain-rules");
    let typed = "MIF_POLICY=app.toml mif explain sh 198.51.100.7:22 10.9.9.9 && \
        ip link set wan1 down && MIF_POLICY=app.toml mif explain sh 203.0.113.7 && \
        MIF_POLICY=app.toml mif explain --udp sh 203.0.113.7:53 198.51.100.7:22";
    let Some(text) = on_host(&prefix, typed) else {
        return;
    };
    let program = text.lines().nth(1).unwrap().to_owned();
    let expected = "policy of sh: app.toml
program: SH

198.51.100.7, port 22, tcp
  rule       app.toml:5 (use work)
  verdict    by `work`
  interface  wan1 (index N)
  source     10.2.0.22 (the policy's)
  next hop   10.2.0.1 (route 198.51.100.0/24 of table main)
  DNS        10.2.0.1, 10.2.0.1:5353
  unless     a look-up of a name in app.toml:2 gave this address

10.9.9.9, port 443, tcp
  rule       app.toml:2 (use gone0, vpn0, wan1)
  verdict    by `vpn0`
  interface  vpn0 (index N)
  skipped    `gone0`: no such interface
  DNS        none: the host knows no DNS servers of it (name some with -d, or \
        dns.servers in pvds.toml)
  warning    no route to 10.9.9.9 on vpn0: the kernel would look for it on the link itself and \
        send it to nobody; add one (ip route add default via ROUTER dev vpn0 metric 2000)
policy of sh: app.toml
program: SH

203.0.113.7, port 443, tcp
  rule       app.toml:1 (use wan1, system)
  verdict    as without mif: the rule says `system`
  interface  wan0 (index N)
  skipped    `wan1`: interface is down
  source     10.1.0.2 (the kernel's choice: the first of wan0 in the next hop's prefix)
  next hop   10.1.0.1 (route default of table main)
  unless     a look-up of a name in app.toml:2 gave this address
policy of sh: app.toml
program: SH

203.0.113.7, port 53, udp
  rule       app.toml:9 (use none)
  verdict    refused (ENETUNREACH), nothing is sent: the rule says `none`
  unless     a look-up of a name in app.toml:2 gave this address

198.51.100.7, port 22, udp
  rule       app.toml:5 (use work)
  verdict    refused (ENETUNREACH), nothing is sent: no network of the rule is usable now
  skipped    `work`: interface is down (wan1)
  unless     a look-up of a name in app.toml:2 gave this address
";
    assert_eq!(text, expected.replace("program: SH", &program));
    assert!(
        program.starts_with("program: /") && program.ends_with("/sh"),
        "{program}"
    );
}

#[test]
fn names_are_explained_by_look_up_and_flow() {
    let prefix = Prefix::new("explain-names");
    let typed = "MIF_POLICY=app.toml mif explain default a.corp.test who.test:22 git.work.test localhost && \
        MIF_INTERFACE=wan1 MIF_DNS=10.2.0.1,192.0.2.53 mif explain default who.test && \
        MIF_INTERFACE=vpn0 mif explain default 2001:db8:9::1 198.51.100.66 && \
        ip link set vpn0 down && MIF_INTERFACE=vpn0 mif explain default who.test";
    let Some(text) = on_host(&prefix, typed) else {
        return;
    };
    let expected = "policy of default: app.toml

a.corp.test, port 443, tcp
  rule       app.toml:2 (use gone0, vpn0, wan1)
  verdict    refused (EAI_AGAIN), nothing is sent: no network of the rule is usable now
  skipped    `gone0`: no such interface
  skipped    `vpn0`: the host knows no DNS servers of it (name some with -d, or \
        dns.servers in pvds.toml)
  skipped    `wan1`: the host knows no DNS servers of it (name some with -d, or \
        dns.servers in pvds.toml)
  flows      to the addresses found go by the same rule

who.test, port 22, tcp
  rule       app.toml:1 (use wan1, system)
  verdict    as without mif: the rule says `system`
  skipped    `wan1`: the host knows no DNS servers of it (name some with -d, or \
        dns.servers in pvds.toml)
  DNS        libc's resolver
  flows      to the addresses found go by the same rule, unless an address lies in a prefix of \
        app.toml:2, app.toml:5

git.work.test, port 443, tcp
  rule       app.toml:1 (use wan1, system)
  verdict    by `work`
  interface  wan1 (index N)
  zone       work.test
  DNS        10.2.0.1, 10.2.0.1:5353
  flows      to the addresses found go by `work`, where they were looked up, unless an address \
        lies in a prefix of app.toml:2

localhost, port 443, tcp
  verdict    as without mif: this name means loopback (RFC 6761)
policy of default: the options

who.test, port 443, tcp
  rule       -i (use wan1)
  verdict    by `wan1`
  interface  wan1 (index N)
  DNS        10.2.0.1, 192.0.2.53
  flows      to the addresses found go by the same rule
  warning    no route to 192.0.2.53 on wan1: the kernel would look for it on the link itself and \
        send it to nobody; add one (ip route add default via ROUTER dev wan1 metric 2000)
policy of default: the options

2001:db8:9::1, port 443, tcp
  rule       -i (use vpn0)
  verdict    refused (ENETUNREACH), nothing is sent: no network of the rule is usable now
  skipped    `vpn0`: no usable address of IPv6

198.51.100.66, port 443, tcp
  rule       -i (use vpn0)
  verdict    by `vpn0`
  interface  vpn0 (index N)
  DNS        none: the host knows no DNS servers of it (name some with -d, or \
        dns.servers in pvds.toml)
  warning    no route to 198.51.100.66 on vpn0: the kernel would look for it on the link itself \
        and send it to nobody; add one (ip route add default via ROUTER dev vpn0 metric 2000)
policy of default: the options

who.test, port 443, tcp
  rule       -i (use vpn0)
  verdict    refused (EAI_AGAIN), nothing is sent: no network of the rule is usable now
  skipped    `vpn0`: interface is down
  flows      to the addresses found go by the same rule
";
    assert_eq!(text, expected);
}

#[test]
fn what_is_no_destination_is_bad_usage() {
    let prefix = Prefix::new("explain-usage");
    let ran = prefix.mif_run(&["-i", "lo", "--explain", "https://who.test/", "sh"]);
    let expected = "mif: destination `https://who.test/`: a destination is no URL: only the name \
        or address, and `:PORT`\n";
    assert_eq!(ran, crate::Ran::new(2, "", expected));
}

#[test]
fn how_a_program_is_reached_is_told() {
    let prefix = Prefix::new("explain-reach");
    let explain = |program| {
        let ran = prefix.mif_run(&["-i", "lo", "--explain", "127.0.0.1", program]);
        assert_eq!((ran.status, ran.stderr.as_str()), (Some(0), ""));
        ran.stdout
    };
    let supervised = "\nsupervised: statically linked, so no preload is loaded\n";
    assert!(explain("busybox").contains(supervised));
    let warning = explain("no-such-program");
    let warning = warning.lines().nth(1).unwrap();
    assert!(
        warning.starts_with("warning: no-such-program: command not found"),
        "{warning}"
    );
}
