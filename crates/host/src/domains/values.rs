//! The configuration of provisioning domains in words, and where each is from.

use std::net::{IpAddr, SocketAddr};

use mif_domains::{Element, Info, Value};
use mif_policy::{Dns, Prefix, Server};

use super::dump::{Address, Dump, Link};
use crate::announced::{Announced, Domain, Timed};
use crate::network::{Agent, Network};

/// `RTPROT_RA` and `RTPROT_DHCP` of `linux/rtnetlink.h`: who made a route.
const ROUTE_OF_RA: u8 = 9;
const ROUTE_OF_DHCP: u8 = 16;
/// `IFAPROT_KERNEL_RA` of `linux/if_addr.h`: who made an address.
const ADDRESS_OF_RA: u8 = 2;
/// `IFA_F_PERMANENT`, and `IFA_F_TEMPORARY | IFA_F_MANAGETEMPADDR`, which only addresses of router
/// advertisements have.
const PERMANENT: u32 = 0x80;
const PRIVACY: u32 = 0x101;

/// All that is known of an interface.
pub(super) struct Known<'a> {
    pub(super) dump: &'a Dump,
    pub(super) link: &'a Link,
    pub(super) network: &'a Network,
    pub(super) announced: &'a Announced,
    /// Seconds since 1970.
    pub(super) now: u64,
}

impl Known<'_> {
    /// The configuration of the interface itself.
    pub(super) fn of_interface(&self, addresses: &[Address]) -> Vec<Value> {
        let mut values = self.of_network(true);
        values.extend(self.of_link(addresses));
        values
    }

    /// That of a `[[pvd]]`: what it says for names itself, else what the network does; never a mix
    /// (RFC 7556 5.1).
    pub(super) fn of_defined(&self, said: &Dns, addresses: &[Address]) -> Vec<Value> {
        let mut values = if said.servers.is_empty() {
            // What a network claims counts only where the file trusts it (RFC 6731 4.5).
            self.of_network(said.trusted)
        } else {
            Vec::new()
        };
        let servers = said.servers.iter().map(Server::to_string);
        let search = said.search.iter().map(ToString::to_string);
        let zones = said.zones.iter().map(ToString::to_string);
        replace(&mut values, Info::DnsServers, servers);
        replace(&mut values, Info::DnsSearch, search);
        replace(&mut values, Info::DnsZones, zones);
        values.extend(self.of_link(addresses));
        values
    }

    /// That of a domain that a network announces.
    pub(super) fn of_announced(&self, domain: &Domain) -> Vec<Value> {
        let mut values = Vec::new();
        let mut add = |info, texts: Vec<String>| {
            values.extend(texts.iter().map(|text| value(Element::Ra, info, text)));
        };
        add(Info::DnsServers, self.holding(&domain.servers));
        add(Info::DnsSearch, self.holding(&domain.search));
        let routers = domain.routers.iter().filter(|one| one.holds(self.now));
        let routers = routers.filter(|one| one.value.1 > 0);
        add(
            Info::Gateways,
            routers.map(|one| one.value.0.to_string()).collect(),
        );
        add(Info::Prefixes, self.holding(&domain.prefixes));
        values.extend(self.of_options(domain));
        let information = domain.information.iter().filter(|one| one.holds(self.now));
        let zones = information.flat_map(|one| &one.value.zones);
        values.extend(zones.map(|zone| value(Element::Pvd, Info::DnsZones, &zone.to_string())));
        values
    }

    /// What the network gave for names.
    fn of_network(&self, with_zones: bool) -> Vec<Value> {
        let network = self.network;
        let has_v4 = network.servers.iter().any(SocketAddr::is_ipv4);
        let servers = network.servers.iter().map(|server| {
            let element = self.element(server.is_ipv4());
            value(element, Info::DnsServers, &self.server(*server))
        });
        let element = self.element(has_v4);
        let search = network.search.iter();
        let search = search.map(|suffix| value(element, Info::DnsSearch, suffix));
        let zones = network.zones.iter().filter(|_| with_zones);
        let zones = zones.map(|zone| value(element, Info::DnsZones, &zone.to_string()));
        servers.chain(search).chain(zones).collect()
    }

    /// Where an agent has its servers of a family from, as far as it tells.
    fn element(&self, is_v4: bool) -> Element {
        let source = self.network.source.as_ref();
        match (source.map(|source| source.agent), is_v4) {
            (Some(Agent::Announced), _) => Element::Ra,
            // What dhcpcd has of IPv6 may be from advertisements.
            (Some(Agent::NetworkManager | Agent::Dhclient | Agent::Dhcpcd), true) => {
                Element::Dhcpv4
            }
            (Some(Agent::NetworkManager | Agent::Dhclient), false) => Element::Dhcpv6,
            _ => Element::Static,
        }
    }

    /// A server as policies write it, and a link-local one with the interface.
    fn server(&self, server: SocketAddr) -> String {
        let text = Server::from(SocketAddr::new(server.ip(), server.port())).to_string();
        match server.ip() {
            IpAddr::V6(ip) if ip.is_unicast_link_local() && server.port() == 53 => {
                format!("{text}%{}", self.link.name)
            }
            _ => text,
        }
    }

    /// What the kernel knows.
    fn of_link(&self, addresses: &[Address]) -> Vec<Value> {
        let mut values: Vec<Value> = Vec::new();
        let mut add = |one: Value| {
            if !values.contains(&one) {
                values.push(one);
            }
        };
        let mut routers = self.dump.routers.clone();
        routers.retain(|one| one.index == self.link.index);
        routers.sort_by_key(|one| one.metric);
        for router in routers {
            if let Some(ip) = router.gateway {
                let element = match router.author {
                    ROUTE_OF_RA => Element::Ra,
                    ROUTE_OF_DHCP if ip.is_ipv4() => Element::Dhcpv4,
                    ROUTE_OF_DHCP => Element::Dhcpv6,
                    _ => Element::Static,
                };
                add(value(element, Info::Gateways, &ip.to_string()));
            }
        }
        for address in addresses {
            if let Some(prefix) = Prefix::new(address.ip, address.length) {
                add(value(
                    source_of(address),
                    Info::Prefixes,
                    &prefix.to_string(),
                ));
            }
        }
        let mtu = self.link.mtu.to_string();
        add(value(Element::Static, Info::Mtu, &mtu));
        let implicit = self.announced.domains.iter().filter(|one| one.id.is_none());
        for domain in implicit {
            self.of_options(domain).into_iter().for_each(&mut add);
        }
        values
    }

    /// Options of advertisements that only people and programs look at.
    fn of_options(&self, domain: &Domain) -> Vec<Value> {
        let option = |(key, text): &(String, String)| match &**key {
            "MTU" => Some(value(Element::Ra, Info::Mtu, text)),
            "PORTAL" => Some(value(Element::Ra, Info::CaptivePortal, text)),
            "NAT64" => {
                let (prefix, until) = text.split_once(' ')?;
                let holds = until == "-" || until.parse().is_ok_and(|end: u64| self.now < end);
                holds.then(|| value(Element::Ra, Info::Pref64, prefix))
            }
            _ => None,
        };
        domain.more.iter().filter_map(option).collect()
    }

    fn holding<T: ToString>(&self, list: &[Timed<T>]) -> Vec<String> {
        let list = list.iter().filter(|one| one.holds(self.now));
        list.map(|one| one.value.to_string()).collect()
    }
}

fn value(element: Element, info: Info, text: &str) -> Value {
    Value {
        element,
        info,
        text: text.into(),
    }
}

/// What a file says takes the place of what the network says.
fn replace(values: &mut Vec<Value>, info: Info, said: impl Iterator<Item = String>) {
    let said: Vec<Value> = said
        .map(|text| value(Element::Static, info, &text))
        .collect();
    if !said.is_empty() {
        values.retain(|value| value.info != info);
        values.extend(said);
    }
}

/// Where an address is from, as far as its flags tell.
fn source_of(address: &Address) -> Element {
    match address.ip {
        _ if address.flags & PERMANENT != 0 => Element::Static,
        IpAddr::V4(_) => Element::Dhcpv4,
        IpAddr::V6(_) if address.author == ADDRESS_OF_RA || address.flags & PRIVACY != 0 => {
            Element::Ra
        }
        // DHCP gives an address alone, and advertisements a prefix (RFC 8415, RFC 4862).
        IpAddr::V6(_) if address.length == 128 => Element::Dhcpv6,
        IpAddr::V6(_) => Element::Ra,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::Source;

    fn address(ip: &str, length: u8, flags: u32, author: u8) -> Address {
        Address {
            index: 3,
            ip: ip.parse().unwrap(),
            length,
            flags,
            lifetimes: [u32::MAX; 2],
            made: 1,
            author,
        }
    }

    #[test]
    fn addresses_tell_where_they_are_from() {
        for (ip, length, flags, author, wanted) in [
            ("10.2.0.2", 24, PERMANENT, 0, Element::Static),
            ("10.2.0.2", 24, 0, 0, Element::Dhcpv4),
            ("2001:db8::2", 64, PERMANENT, 0, Element::Static),
            ("2001:db8::2", 64, 0, 0, Element::Ra),
            ("2001:db8::2", 128, 0, 0, Element::Dhcpv6),
            ("2001:db8::2", 128, 0, ADDRESS_OF_RA, Element::Ra),
            ("2001:db8::2", 128, 0x100, 0, Element::Ra),
        ] {
            let address = address(ip, length, flags, author);
            assert_eq!(source_of(&address), wanted, "{address:?}");
        }
    }

    /// What is said of a link with these servers, by this agent.
    fn known(agent: Agent, say: impl FnOnce(&Known<'_>) -> Vec<Value>) -> Vec<String> {
        let link = Link {
            index: 3,
            name: "wan1".to_owned(),
            up: true,
            running: true,
            loopback: false,
            mtu: 1400,
            carrier_changes: [0; 2],
        };
        let network = Network {
            servers: vec![
                "10.2.0.1:53".parse().unwrap(),
                "[fe80::1%3]:53".parse().unwrap(),
            ],
            search: vec!["lan".into()],
            zones: vec!["corp.test".parse().unwrap()],
            source: Some(Source {
                agent,
                files: Vec::new(),
            }),
            trouble: Vec::new(),
        };
        let known = Known {
            dump: &Dump::default(),
            link: &link,
            network: &network,
            announced: &Announced::default(),
            now: 0,
        };
        let values = say(&known);
        let words = values.iter().map(|value| {
            let Value {
                element,
                info,
                text,
            } = value;
            format!("{element:?} {info:?} {text}")
        });
        words.collect()
    }

    #[test]
    fn agents_tell_where_servers_are_from_as_far_as_they_know() {
        for (agent, v4, v6) in [
            (Agent::Dhclient, "Dhcpv4", "Dhcpv6"),
            (Agent::NetworkManager, "Dhcpv4", "Dhcpv6"),
            (Agent::Dhcpcd, "Dhcpv4", "Static"),
            (Agent::Announced, "Ra", "Ra"),
            (Agent::Networkd, "Static", "Static"),
        ] {
            let said = known(agent, |known| known.of_network(true));
            let wanted = [
                format!("{v4} DnsServers 10.2.0.1"),
                format!("{v6} DnsServers fe80::1%wan1"),
                format!("{v4} DnsSearch lan"),
                format!("{v4} DnsZones corp.test"),
            ];
            assert_eq!(said, wanted);
        }
    }

    #[test]
    fn whoever_names_servers_takes_nothing_from_the_network() {
        let addresses = [address("10.2.0.2", 24, 0, 0)];
        let mut said = Dns {
            servers: vec![Server::from(
                "10.2.0.53:5353".parse::<SocketAddr>().unwrap(),
            )],
            ..Dns::default()
        };
        let of = |said: &Dns| known(Agent::Dhclient, |known| known.of_defined(said, &addresses));
        let wanted = [
            "Static DnsServers 10.2.0.53:5353",
            "Dhcpv4 Prefixes 10.2.0.0/24",
            "Static Mtu 1400",
        ];
        assert_eq!(of(&said), wanted);
        // And its zones only if they are believed.
        said.servers.clear();
        said.search = vec!["mine".into()];
        let wanted = [
            "Dhcpv4 DnsServers 10.2.0.1",
            "Dhcpv6 DnsServers fe80::1%wan1",
            "Static DnsSearch mine",
        ];
        assert_eq!(of(&said)[..3], wanted);
        said.trusted = true;
        assert_eq!(of(&said)[2], "Dhcpv4 DnsZones corp.test");
    }
}
