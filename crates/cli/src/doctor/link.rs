//! The interface itself: link, carrier, packet size, addresses.

use mif_host::inventory::{Address, Flag};

use super::patient::{Patient, family, word};
use super::{Examined, Finding};
use crate::pvd::domain::Domain;

/// The least MTU that IPv6 works with (RFC 8200 section 5).
const LEAST_FOR_IPV6: u32 = 1280;
/// What Ethernet has.
const USUAL: u32 = 1500;

/// There is no such interface.
pub(super) fn missing(domain: &Domain) -> Finding {
    let file = domain.defined_in.as_deref().unwrap_or("pvds.toml");
    Finding {
        check: "interface-missing",
        what: format!("there is no interface `{}` now", domain.interface),
        why: "Programs on this network are refused until it comes.".to_owned(),
        mend: Vec::new(),
        hint: Some(format!(
            "Plug the device in or start the VPN; if it has another name now, write that in {file}. \
             `mif pvd list` shows which there are."
        )),
    }
}

/// False if there is no point in looking further.
pub(super) fn check(patient: &Patient<'_>, examined: &mut Examined<'_>) -> bool {
    let interface = patient.interface;
    let name = word(&interface.name);
    let refused = "Programs on this network are refused as long as it is so.";
    if !interface.up {
        examined.findings.push(Finding {
            check: "link-down",
            what: format!("{name} is switched off"),
            why: refused.to_owned(),
            mend: vec![format!("ip link set dev {name} up")],
            hint: Some(
                "Whatever manages the network has to agree: NetworkManager, networkd.".to_owned(),
            ),
        });
        return false;
    }
    if !interface.carrier {
        examined.findings.push(Finding {
            check: "no-carrier",
            what: format!("{name} has no carrier: there is no link at the other end"),
            why: refused.to_owned(),
            mend: Vec::new(),
            hint: Some("Look at the cable, the access point or the modem.".to_owned()),
        });
        return false;
    }
    let is_sized = mtu(patient, examined);
    if is_sized {
        let mtu = interface.mtu;
        examined
            .fine
            .push(format!("{name} is up, packets of {mtu} bytes"));
    }
    addresses(patient, examined)
}

fn mtu(patient: &Patient<'_>, examined: &mut Examined<'_>) -> bool {
    let interface = patient.interface;
    let name = word(&interface.name);
    let wants_v6 = Patient::setting("ipv6", &interface.name, "disable_ipv6") != Some(1);
    if interface.mtu >= LEAST_FOR_IPV6 || !wants_v6 {
        return true;
    }
    examined.findings.push(Finding {
        check: "mtu",
        what: format!(
            "{name} takes packets of {} bytes at most, and IPv6 needs {LEAST_FOR_IPV6}",
            interface.mtu
        ),
        why: "The kernel has switched IPv6 off on it, and IPv4 may stall with large answers."
            .to_owned(),
        mend: vec![format!("ip link set dev {name} mtu {USUAL}")],
        hint: Some(
            "Inside a tunnel take 1280. IPv6 addresses that were there have to be given anew."
                .to_owned(),
        ),
    });
    false
}

fn addresses(patient: &Patient<'_>, examined: &mut Examined<'_>) -> bool {
    let interface = patient.interface;
    for address in &interface.addresses {
        examined.findings.extend(trouble(patient, address));
    }
    for v6 in [false, true] {
        let all: Vec<&Address> = patient.addresses(v6).collect();
        if !all.is_empty() && all.iter().all(|address| address.is(Flag::Deprecated)) {
            examined.findings.push(deprecated(patient, v6, all[0]));
        }
    }
    let usable = [false, true].map(|v6| patient.has(v6));
    if usable == [false; 2] {
        examined.findings.push(without_address(patient));
        return false;
    }
    let good = [false, true]
        .into_iter()
        .flat_map(|v6| patient.addresses(v6));
    let good = good.filter(|address| address.is_preferred());
    let good: Vec<String> = good.map(|address| address.ip.to_string()).collect();
    if !good.is_empty() {
        examined
            .fine
            .push(format!("it has the addresses {}", good.join(", ")));
    }
    true
}

fn trouble(patient: &Patient<'_>, address: &Address) -> Option<Finding> {
    let name = word(&patient.interface.name);
    let Address { ip, length, .. } = address;
    if address.is(Flag::DadFailed) {
        return Some(Finding {
            check: "address-duplicate",
            what: format!("another host on the link has {ip}, too"),
            why: "The kernel does not use the address (duplicate address detection).".to_owned(),
            mend: vec![format!("ip address del {ip}/{length} dev {name}")],
            hint: Some("Give this host another address, or find the other one.".to_owned()),
        });
    }
    if address.is(Flag::Tentative) && !address.is(Flag::Optimistic) {
        return Some(Finding {
            check: "address-tentative",
            what: format!(
                "{ip} is not to be used yet: the kernel still asks whether others have it"
            ),
            why: "Flows that need it are refused until then; it takes a second or two.".to_owned(),
            mend: Vec::new(),
            hint: Some("Wait, and ask again.".to_owned()),
        });
    }
    None
}

fn deprecated(patient: &Patient<'_>, v6: bool, address: &Address) -> Finding {
    let name = word(&patient.interface.name);
    let Address { ip, length, .. } = address;
    Finding {
        check: "address-deprecated",
        what: format!(
            "all {} addresses of {name} have run out (deprecated)",
            family(v6)
        ),
        why: "Others on the network may already think of them as gone; new flows should not begin."
            .to_owned(),
        mend: vec![format!(
            "ip address change {ip}/{length} dev {name} preferred_lft forever"
        )],
        hint: Some(
            "If a router or DHCP server gave them, it has stopped: look there first.".to_owned(),
        ),
    }
}

fn without_address(patient: &Patient<'_>) -> Finding {
    let name = word(&patient.interface.name);
    let sources = &patient.domain.sources;
    if patient
        .interface
        .addresses
        .iter()
        .any(Address::is_preferred)
        && !sources.is_empty()
    {
        let sources: Vec<String> = sources.iter().map(ToString::to_string).collect();
        return Finding {
            check: "source-missing",
            what: format!(
                "{name} does not have the source address {}",
                sources.join(", ")
            ),
            why: "Programs on this network are refused: they may use no other.".to_owned(),
            mend: vec![format!("ip address add {}/32 dev {name}", sources[0])],
            hint: Some(format!(
                "Or write another `source` in {}, or none.",
                patient.domain.defined_in.as_deref().unwrap_or("pvds.toml")
            )),
        };
    }
    let agent = patient.domain.dns.agent.as_deref();
    Finding {
        check: "no-address",
        what: format!("{name} has no address that reaches beyond the link"),
        why: "Programs on this network are refused.".to_owned(),
        mend: vec![match agent {
            Some("systemd-networkd" | "systemd-resolved") => format!("networkctl renew {name}"),
            Some("NetworkManager") => format!("nmcli device connect {name}"),
            Some("dhcpcd") => format!("dhcpcd --rebind {name}"),
            _ => format!("dhclient {name}"),
        }],
        hint: Some("Or give it one: `ip address add ADDRESS/LENGTH dev …`.".to_owned()),
    }
}
