//! Groups and broadcast: sent by the policy's network, joined and received as without mif.

use mif_lab::{Lab, Output, Running};

/// Tells who sends to port 7003 of the groups, or to all, on the link of `rb` to the host.
const LISTENER: &str = r#"
import select, socket, struct, sys
index = socket.if_nametoindex(sys.argv[1])
v4 = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
v4.bind(("", 7003))
v4.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP,
              struct.pack("4s4si", socket.inet_aton("239.1.2.3"), bytes(4), index))
v6 = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
v6.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
v6.bind(("::", 7003))
for group in "ff02::1:7003", "ff05::1:7003":
    v6.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP,
                  struct.pack("16si", socket.inet_pton(socket.AF_INET6, group), index))
print("ready", flush=True)
while True:
    for made in select.select([v4, v6], [], [])[0]:
        text, peer = made.recvfrom(99)
        print(text.decode(), peer[0], flush=True)
"#;

const PRELUDE: &str = r#"
import errno, socket, struct, sys
def send(host, text, *options):
    made = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
    try:
        for level, name, value in options:
            made.setsockopt(level, name, value)
        made.sendto(text.encode(), (host, 7003))
        return "sent"
    except OSError as error:
        return errno.errorcode[error.errno]
"#;

fn listener(lab: &Lab, router: &str) -> Running {
    let words = ["-c", LISTENER, "host"];
    let running = lab.command("python3").args(words).within(router).spawn();
    running.wait_for_line("ready");
    running
}

fn python(lab: &Lab, options: &[&str], script: &str) -> Output {
    let script = format!("{PRELUDE}{script}");
    lab.mif(options, &["python3", "-c", &script])
}

#[test]
fn groups_are_reached_by_the_network() {
    let lab = Lab::new();
    let listener = listener(&lab, "rb");
    let script = r#"
print(send("239.1.2.3", "four"), send("ff05::1:7003", "site"), send("ff02::1:7003", "link"))
made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
made.connect(("239.1.2.3", 7003))
made.send(b"connected")
made = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
made.connect(("ff05::1:7003", 7003))
made.send(b"connected6")
"#;
    let out = python(&lab, &["-i", "wan1"], script);
    assert_eq!(out.ok(), "sent sent sent");
    let own_link_local = "fe80::ff:fe00:202";
    for (text, peers) in [
        ("four ", ["10.2.0.2", "10.2.0.2"]),
        ("connected ", ["10.2.0.2", "10.2.0.2"]),
        ("site ", ["2001:db8:2::2", own_link_local]),
        ("connected6 ", ["2001:db8:2::2", own_link_local]),
        ("link ", ["2001:db8:2::2", own_link_local]),
    ] {
        let line = listener.wait_for_line(text);
        let peer = line.split_once(' ').unwrap().1;
        assert!(peers.contains(&peer), "{line}");
    }
    assert_eq!(["ra", "rv"].map(|router| lab.packets(router)), [0, 0]);
}

#[test]
fn broadcast_goes_by_the_network() {
    let lab = Lab::new();
    let listener = listener(&lab, "rb");
    let script = r#"
allowed = socket.SOL_SOCKET, socket.SO_BROADCAST, 1
print(send("255.255.255.255", "all", allowed), send("10.2.0.255", "subnet", allowed),
      send("255.255.255.255", "forbidden"))
"#;
    // Without SO_BROADCAST the kernel refuses, with its own errno.
    let out = python(&lab, &["-i", "wan1"], script);
    assert_eq!(out.ok(), "sent sent EACCES");
    assert_eq!(listener.wait_for_line("all "), "all 10.2.0.2");
    assert_eq!(listener.wait_for_line("subnet "), "subnet 10.2.0.2");
    assert_eq!(["ra", "rv"].map(|router| lab.packets(router)), [0, 0]);
}

#[test]
fn an_interface_of_the_applications_own_choice_is_judged() {
    let lab = Lab::new();
    let listener = listener(&lab, "rb");
    let script = r#"
IP_MULTICAST_IF, IPV6_MULTICAST_IF = socket.IP_MULTICAST_IF, socket.IPV6_MULTICAST_IF
def by(link, host):
    index = socket.if_nametoindex(link)
    address = {"wan0": "10.1.0.2", "wan1": "10.2.0.2"}[link]
    four = socket.IPPROTO_IP, IP_MULTICAST_IF
    six = socket.IPPROTO_IPV6, IPV6_MULTICAST_IF, index
    forms = [six] if ":" in host else [
        (*four, socket.inet_aton(address)),
        (*four, struct.pack("4s4si", bytes(4), socket.inet_aton(address), index)),
    ]
    return [send(host, "chosen", form) for form in forms]
for link in "wan1", "wan0":
    print(*by(link, "239.1.2.3"), *by(link, "ff05::1:7003"))
"#;
    let out = python(&lab, &["-i", "wan1"], script);
    let lines: Vec<_> = out.ok().lines().collect();
    assert_eq!(
        lines,
        ["sent sent sent", "ENETUNREACH ENETUNREACH ENETUNREACH"]
    );
    listener.wait_for_line("chosen 10.2.0.2");
    assert_eq!(lab.packets("rb"), 3);
    assert_eq!(["ra", "rv"].map(|router| lab.packets(router)), [0, 0]);
}

#[test]
fn without_a_usable_network_no_group_is_reached() {
    let lab = Lab::new();
    lab.link_down("wan1");
    let script = r#"
allowed = socket.SOL_SOCKET, socket.SO_BROADCAST, 1
print(send("239.1.2.3", "x"), send("ff05::1:7003", "x"), send("ff02::1:7003", "x"),
      send("255.255.255.255", "x", allowed))
"#;
    let out = python(&lab, &["-i", "wan1"], script);
    assert_eq!(out.ok(), ["ENETUNREACH"; 4].join(" "));
    let packets = ["ra", "rb", "rv"].map(|router| lab.packets(router));
    assert_eq!(packets, [0, 0, 0]);
}

#[test]
fn groups_can_be_joined_and_heard() {
    let lab = Lab::new();
    let words = ["-c", LISTENER, "wan1"];
    let host = lab.command("python3").args(words).mif(&["-i", "wan1"]);
    let host = host.spawn();
    host.wait_for_line("ready");
    let script = r#"
index = socket.if_nametoindex("host")
four = socket.IPPROTO_IP, socket.IP_MULTICAST_IF, struct.pack("4s4si", bytes(4), bytes(4), index)
six = socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, index
print(send("239.1.2.3", "four", four), send("ff05::1:7003", "site", six), send("ff02::1:7003", "link", six))
"#;
    let script = format!("{PRELUDE}{script}");
    let out = lab
        .command("python3")
        .args(["-c", &script])
        .within("rb")
        .run();
    assert_eq!(out.ok(), "sent sent sent");
    for text in ["four ", "site ", "link "] {
        host.wait_for_line(text);
    }

    // A socket may also be bound to the group itself.
    let script = r#"
made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
made.bind(("239.1.2.3", 7004))
made.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, struct.pack(
    "4s4si", socket.inet_aton("239.1.2.3"), bytes(4), socket.if_nametoindex("wan1")))
print("bound", flush=True)
print(made.recv(99).decode())
made.sendto(b"answer", ("239.1.2.3", 7003))
"#;
    let script = format!("{PRELUDE}{script}");
    let command = lab.command("python3").args(["-c", &script]);
    let bound = command.mif(&["-i", "wan1"]).spawn();
    bound.wait_for_line("bound");
    let to_group = "UDP-SENDTO:239.1.2.3:7004,ip-multicast-if=10.2.0.1";
    let socat = lab.command("socat").args(["-u", "-", to_group]);
    socat.within("rb").stdin("heard").run().ok();
    assert_eq!(bound.wait().ok(), "bound\nheard");
    assert_eq!(["ra", "rv"].map(|router| lab.packets(router)), [0, 0]);
}
