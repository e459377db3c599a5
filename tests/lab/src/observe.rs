//! What the lab saw: arrivals at the far end, and packets and DNS queries at each provider.

use std::{fmt, fs};

use crate::{Lab, eventually};

/// The providers' routers.
const ROUTERS: [&str; 3] = ["ra", "rb", "rv"];

/// One connection or datagram that reached a server of the far end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// `tcp` or `udp`.
    pub protocol: String,
    /// The server's port: 80 or 7001.
    pub port: u16,
    /// The source address that it came with; IPv4 as such, never mapped.
    pub peer: String,
    /// The source port.
    pub peer_port: u16,
    /// The address of the far end that it was sent to.
    pub local: String,
    /// What a datagram held, escaped as by [`u8::escape_ascii`]; empty for TCP.
    pub payload: String,
}

impl fmt::Display for Arrival {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            protocol,
            port,
            peer,
            local,
            payload,
            ..
        } = self;
        write!(f, "{protocol} {port} from {peer} to {local} {payload}")
    }
}

impl Lab {
    /// What the servers of the far end have seen, in order. What has been answered is in it; for
    /// datagrams that nobody waits for, see [`Lab::wait_for_arrival`].
    pub fn arrivals(&self) -> Vec<Arrival> {
        let log = fs::read_to_string(self.dir().join("arrivals")).expect("the lab keeps this log");
        log.lines().map(arrival).collect()
    }

    /// The source addresses of all arrivals, in order.
    pub fn peers(&self) -> Vec<String> {
        self.arrivals()
            .into_iter()
            .map(|arrival| arrival.peer)
            .collect()
    }

    /// Waits for an arrival at the far end that `which` accepts.
    pub fn wait_for_arrival(&self, which: impl Fn(&Arrival) -> bool) -> Arrival {
        let mut found = None;
        eventually("something arrives at the far end", || {
            found = self.arrivals().into_iter().find(&which);
            found.is_some()
        });
        found.expect("just found")
    }

    /// How many IP packets of the host the router has seen, neighbour discovery and multicast
    /// membership aside.
    pub fn packets(&self, router: &str) -> u64 {
        self.counter(router, "sent")
    }

    /// How many of them were for port 53.
    pub fn dns_packets(&self, router: &str) -> u64 {
        self.counter(router, "dns")
    }

    /// How many of them were dropped because their source is not the provider's.
    pub fn spoofed_packets(&self, router: &str) -> u64 {
        self.counter(router, "spoofed")
    }

    /// The DNS queries that a provider's server was asked, in order, as `TYPE NAME CLIENT`:
    /// `A who.test 10.1.0.2`.
    pub fn queries(&self, router: &str) -> Vec<String> {
        let path = self.dir().join("dns").join(format!("{router}.log"));
        let log = fs::read_to_string(path).expect("each router keeps this log");
        log.lines().filter_map(query).collect()
    }

    /// Everything that was seen, for a person who reads a failed test.
    pub(crate) fn report(&self) -> String {
        let far = self
            .arrivals()
            .into_iter()
            .map(|arrival| format!("far: {arrival}"));
        let routers = ROUTERS.map(|router| {
            format!(
                "{router}: {} packets, {} to port 53, {} with a foreign source, queries {:?}",
                self.packets(router),
                self.dns_packets(router),
                self.spoofed_packets(router),
                self.queries(router)
            )
        });
        let lines: Vec<String> = far.chain(routers).collect();
        format!("--- what the lab saw\n{}\n---", lines.join("\n"))
    }

    fn counter(&self, router: &str, name: &str) -> u64 {
        let list = self.as_root_in(router, &["nft", "list", "counter", "inet", "lab", name]);
        list.split_whitespace()
            .skip_while(|word| *word != "packets")
            .nth(1)
            .and_then(|word| word.parse().ok())
            .unwrap_or_else(|| panic!("nft shows no counter: {list}"))
    }
}

fn arrival(line: &str) -> Arrival {
    let mut words = line.splitn(6, ' ').map(str::to_owned);
    let mut word = || {
        words
            .next()
            .unwrap_or_else(|| panic!("lab-server wrote {line:?}"))
    };
    Arrival {
        protocol: word(),
        port: word().parse().expect("a port"),
        peer: word(),
        peer_port: word().parse().expect("a port"),
        local: word(),
        payload: word(),
    }
}

/// Reads `… query[A] who.test from 10.1.0.2` of dnsmasq's log.
fn query(line: &str) -> Option<String> {
    let (_, rest) = line.split_once(" query[")?;
    let (kind, rest) = rest.split_once("] ")?;
    let (name, client) = rest.split_once(" from ")?;
    Some(format!("{kind} {name} {client}"))
}
