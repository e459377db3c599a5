//! Temporary addresses beside public ones on the host's links: which of them flows come from, and
//! the functions of RFC 5014.

use mif_lab::{Lab, eventually};

/// The IPv6 preferences of linux/in6.h.
const TMP: &str = "1";
const PUBLIC: &str = "2";

/// Has the kernel prefer a link's temporary addresses, or have them without preferring them.
fn use_temporary(lab: &Lab, link: &str, preferred: bool) {
    let value = if preferred { 2 } else { 1 };
    let setting = format!("net.ipv6.conf.{link}.use_tempaddr={value}");
    lab.as_root_in("host", &["sysctl", "-q", "-w", &setting]);
}

/// Gives a link a temporary address of its prefix, and returns it.
fn temporary(lab: &Lab, link: &str, public: &str) -> String {
    use_temporary(lab, link, true);
    let lifetimes = "valid_lft 3600 preferred_lft 3600";
    lab.host_ip(&format!(
        "address change {public}/64 dev {link} {lifetimes} mngtmpaddr nodad"
    ));
    let mut found = None;
    eventually("the temporary address can be used", || {
        let text = lab.host_ip(&format!(
            "-6 -oneline address show dev {link} temporary -tentative"
        ));
        let address = text.split_whitespace().nth(3);
        found = address.and_then(|word| Some(word.split_once('/')?.0.to_owned()));
        found.is_some()
    });
    found.expect("just found")
}

#[test]
fn a_socket_is_bound_to_what_selection_takes_on_the_policys_network() {
    let lab = Lab::new();
    let on_wan0 = temporary(&lab, "wan0", "2001:db8:1::2");
    let on_wan1 = temporary(&lab, "wan1", "2001:db8:2::2");
    let probe = || lab.command(lab.probe("addrsel"));
    for (flags, wan0, wan1) in [
        (TMP, &*on_wan0, &*on_wan1),
        (PUBLIC, "2001:db8:1::2", "2001:db8:2::2"),
    ] {
        let bind = || probe().args(["bind", flags, "2001:db8:ff::10"]);
        assert_eq!(bind().preload().run().ok(), format!("0\n{wan0}"));
        let out = bind().mif(&["-i", "wan1"]).run();
        assert_eq!(out.ok(), format!("0\n{wan1}"));
    }
    let out = probe().args(["bind", "0", "2001:db8:ff::10"]);
    assert_eq!(out.mif(&["-i", "vpn0"]).run().ok(), "-1 ENETUNREACH");
    assert_eq!(["ra", "rb", "rv"].map(|router| lab.packets(router)), [0; 3]);
}

#[test]
fn an_address_is_told_by_its_kind() {
    let lab = Lab::new();
    let temporary = temporary(&lab, "wan1", "2001:db8:2::2");
    for (address, flags, said) in [
        (&*temporary, TMP, "1"),
        (&temporary, PUBLIC, "0"),
        (&temporary, "0", "1"),
        ("2001:db8:2::2", PUBLIC, "1"),
        ("2001:db8:2::2", TMP, "0"),
        // Not care-of, home; not cryptographically generated.
        ("2001:db8:2::2", "4", "0"),
        ("2001:db8:2::2", "400", "1"),
        ("2001:db8:2::2", "8", "0"),
        ("::1", PUBLIC, "1"),
        ("::ffff:10.2.0.2", PUBLIC, "1"),
        ("::ffff:10.2.0.2", TMP, "0"),
        ("::ffff:10.2.0.99", "0", "-1 EADDRNOTAVAIL"),
        ("2001:db8:2::99", PUBLIC, "-1 EADDRNOTAVAIL"),
        // Temporary and public, home and care-of, both of CGA.
        (&temporary, "3", "-1 EINVAL"),
        (&temporary, "404", "-1 EINVAL"),
        (&temporary, "808", "-1 EINVAL"),
    ] {
        let probe = || {
            lab.command(lab.probe("addrsel"))
                .args(["is", address, flags])
        };
        for out in [probe().preload().run(), probe().mif(&["-i", "wan1"]).run()] {
            assert_eq!(out.ok(), said, "{address} {flags}");
        }
    }
}

/// For the Python scripts of these tests: the address that the far end saw.
const PRELUDE: &str = r#"
import socket
FAR, OTHER = ("2001:db8:ff::10", 7001), ("2001:db8:ff::21", 7001)
def made(kind):
    made = socket.socket(socket.AF_INET6, kind)
    made.settimeout(5)
    return made
def seen(made, send):
    send(made)
    return made.recv(99).decode().split()[0]
def connected(made, far=FAR):
    return seen(made, lambda made: made.connect(far) or made.send(b"x"))
def sent(made, far=FAR):
    return seen(made, lambda made: made.sendto(b"x", far))
def every(change=lambda made: None):
    "By each way to send."
    stream, *datagrams = (made(kind) for kind in [socket.SOCK_STREAM] + 3 * [socket.SOCK_DGRAM])
    for one in (stream, *datagrams):
        change(one)
    message = lambda made: made.sendmsg([b"x"], [], 0, FAR)
    return {connected(stream), connected(datagrams[0]), sent(datagrams[1]), seen(datagrams[2], message)}
"#;

/// What a script prints under a policy.
fn python(lab: &Lab, policy: &str, script: &str) -> String {
    let policy = lab.write("policy.toml", policy);
    let script = format!("{PRELUDE}{script}");
    let out = lab.mif(
        &["-p", policy.to_str().unwrap()],
        &["python3", "-c", &script],
    );
    out.ok().to_owned()
}

/// A policy for `wan1`, with more of the application's and of the network's.
fn by_work(own: &str, network: &str) -> String {
    let work = "[pvd.work]\ninterface = \"wan1\"\ndns = { servers = \"10.2.0.1\" }";
    format!("use = \"work\"\n{own}\n{work}\n{network}\n")
}

const PUBLIC_ON_WAN1: &str = "2001:db8:2::2";

#[test]
fn flows_come_from_the_kind_of_address_that_the_policy_prefers() {
    let lab = Lab::new();
    let temporary = temporary(&lab, "wan1", PUBLIC_ON_WAN1);
    let kinds = [("temporary", &*temporary), ("public", PUBLIC_ON_WAN1)];
    let word = |kind| format!("addrsel = {{ prefer-source = \"{kind}\" }}");
    for [(default, by_default), (other, by_other)] in [kinds, [kinds[1], kinds[0]]] {
        use_temporary(&lab, "wan1", default == "temporary");
        for (own, network, expected) in [
            (String::new(), String::new(), by_default),
            (String::new(), word(other), by_other),
            (word(other), String::new(), by_other),
            (word(other), word(default), by_other),
            (word(default), word(other), by_default),
            (
                word(other),
                format!("source = \"{by_default}\""),
                by_default,
            ),
        ] {
            let policy = by_work(&own, &network);
            let seen = python(&lab, &policy, "print(*every())");
            assert_eq!(seen, expected, "{policy}");
        }
    }
    assert_eq!(["ra", "rv"].map(|router| lab.packets(router)), [0; 2]);
}

#[test]
fn what_the_application_says_of_a_socket_stands() {
    let lab = Lab::new();
    let temporary = temporary(&lab, "wan1", PUBLIC_ON_WAN1);
    let policy = by_work("addrsel = { prefer-source = \"public\" }", "");
    let script = format!(
        r#"
print(*every())
print(*every(lambda made: made.bind(("{temporary}", 0))))
print(*every(lambda made: made.setsockopt(socket.IPPROTO_IPV6, 72, {TMP})))
# Of these it has said nothing.
print(*every())
"#
    );
    let expected = [PUBLIC_ON_WAN1, &temporary, &temporary, PUBLIC_ON_WAN1];
    assert_eq!(python(&lab, &policy, &script), expected.join("\n"));
}

#[test]
fn one_datagram_socket_follows_the_word_of_each_network() {
    let lab = Lab::new();
    temporary(&lab, "wan0", "2001:db8:1::2");
    let on_wan1 = &*temporary(&lab, "wan1", PUBLIC_ON_WAN1);
    use_temporary(&lab, "wan1", false);
    let policy = r#"
use = "home"
[[rule]]
to = "2001:db8:ff::21"
use = "work"
[pvd.home]
interface = "wan0"
addrsel = { prefer-source = "public" }
[pvd.work]
interface = "wan1"
addrsel = { prefer-source = "temporary" }
"#;
    let script = "
for act in sent, connected:
    one = made(socket.SOCK_DGRAM)
    for far in OTHER, FAR, OTHER:
        print(act(one, far))
";
    let seen = [on_wan1, "2001:db8:1::2", on_wan1].join("\n");
    assert_eq!(python(&lab, policy, script), format!("{seen}\n{seen}"));
}

#[test]
fn answers_are_ordered_for_the_source_that_is_preferred() {
    let lab = Lab::new();
    temporary(&lab, "wan1", PUBLIC_ON_WAN1);
    let row = format!("{{ prefix = \"{PUBLIC_ON_WAN1}/128\", precedence = 40, label = 20 }}");
    for (kind, first) in [
        ("temporary", "2001:db8:ff::10"),
        // Its label is not that of the destination.
        ("public", "203.0.113.10"),
    ] {
        let own = format!("addrsel = {{ table = {row}, prefer-source = \"{kind}\" }}");
        let script = "print(socket.getaddrinfo('who.test', 80)[0][4][0])";
        assert_eq!(python(&lab, &by_work(&own, ""), script), first);
    }
}
