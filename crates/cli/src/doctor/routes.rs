//! Whether packets find their way: routes of bound sockets, routing rules, what comes back, and
//! networks that look alike.

use std::net::IpAddr;

use mif_host::inventory::{RouteKind, RuleAction};
use mif_policy::Prefix;

use super::patient::{Patient, family, far, ip, word};
use super::{Examined, Finding};
use crate::words::table;

/// `RT_TABLE_MAIN`.
const MAIN: u32 = 254;

/// False if nothing can be sent anywhere.
pub(super) fn check(patient: &Patient<'_>, examined: &mut Examined<'_>) -> bool {
    let mut leads = false;
    for v6 in [false, true].into_iter().filter(|&v6| patient.has(v6)) {
        match route(patient, v6) {
            Ok(router) => {
                leads = true;
                let by = router.map_or("on the link".to_owned(), |router| format!("by {router}"));
                let family = family(v6);
                examined
                    .fine
                    .push(format!("{family} has a default route, {by}"));
                examined.findings.extend(reverse_path(patient, v6));
            }
            Err(finding) => examined.findings.push(finding),
        }
    }
    examined.findings.extend(twins(patient));
    leads
}

/// The router that a bound socket's packets go to, or why they do not go.
fn route(patient: &Patient<'_>, v6: bool) -> Result<Option<IpAddr>, Finding> {
    let index = patient.interface.index;
    let name = word(&patient.interface.name);
    let what = format!("{} packets of programs on {name}", family(v6));
    let way = patient.way(far(v6).ip(), Some(index), None);
    if let Ok(Some(way)) = &way
        && way.interface == Some(index)
    {
        return match patient.connect(v6) {
            Ok(()) => Ok(way.gateway),
            Err(errno) => Err(Finding {
                check: "connect-refused",
                what: format!(
                    "the kernel does not connect an {} socket on {name}: {errno}",
                    family(v6)
                ),
                why: "There is a route, so something else is against it.".to_owned(),
                mend: Vec::new(),
                hint: Some(
                    "Look for a firewall or a container that restricts programs.".to_owned(),
                ),
            }),
        };
    }
    let home = home_table(patient, v6);
    if let Some((priority, catcher)) = caught(patient, v6) {
        let to = home.unwrap_or(MAIN);
        let before = |what: String| {
            let priority = priority.saturating_sub(1);
            format!("{} rule add priority {priority} {what} lookup {to}", ip(v6))
        };
        let mut mend = vec![before(format!("oif {name}"))];
        if !v6 {
            // The filter of the reverse path looks for the way of an answer, which has no device.
            let own = patient.addresses(v6);
            mend.extend(own.map(|own| before(format!("from {}", own.ip))));
        }
        if priority == 0 {
            mend = vec![format!("{} rule del priority 0", ip(v6))];
        }
        return Err(Finding {
            check: "rule-catches",
            what: format!("a routing rule catches {what}: priority {priority}, {catcher}"),
            why: "They are refused before they come to the route of this network.".to_owned(),
            mend,
            hint: Some("A VPN may mean to do that; ask whoever made the rule.".to_owned()),
        });
    }
    if let Some(home) = home {
        return Err(Finding {
            check: "rule-missing",
            what: format!(
                "the default route of {name} is in {}, and no rule leads there",
                table(home)
            ),
            why: format!("The kernel does not find it for {what}."),
            mend: vec![format!("{} rule add oif {name} lookup {home}", ip(v6))],
            hint: None,
        });
    }
    Err(without_route(patient, v6))
}

fn without_route(patient: &Patient<'_>, v6: bool) -> Finding {
    let name = word(&patient.interface.name);
    let router = patient.router(v6);
    let defaults = patient.inventory.routes.iter();
    let metric = defaults
        .filter(|route| route.is_default())
        .map(|route| route.metric)
        .max();
    let metric = metric.unwrap_or(0).saturating_add(100);
    let via = router.map_or(String::new(), |(router, _)| format!(" via {router}"));
    let why = if v6 {
        "IPv6 connections of programs on it fail; most then try IPv4, and some wait for it."
    } else {
        "The kernel takes every destination for a neighbour and waits for it in vain."
    };
    Finding {
        check: if v6 {
            "ipv6-without-route"
        } else {
            "no-default-route"
        },
        what: format!(
            "{name} has {} addresses and no {} default route",
            family(v6),
            family(v6)
        ),
        why: why.to_owned(),
        mend: vec![format!(
            "{} route add default{via} dev {name} metric {metric}",
            ip(v6)
        )],
        hint: match router {
            Some((router, true)) => Some(format!(
                "That {router} is the router is a guess; the large metric leaves other programs where \
                 they are."
            )),
            _ => None,
        },
    }
}

/// The table with this interface's default route, `main` before others.
fn home_table(patient: &Patient<'_>, v6: bool) -> Option<u32> {
    let routes = patient.inventory.routes.iter().filter(|route| {
        route.interface == Some(patient.interface.index)
            && route.is_default()
            && is_v6(route.destination) == v6
    });
    routes
        .map(|route| route.table)
        .max_by_key(|&table| table == MAIN)
}

/// The rule that ends the search for a route before one of this interface's is found, and how.
fn caught(patient: &Patient<'_>, v6: bool) -> Option<(u32, String)> {
    let to = far(v6).ip();
    for rule in patient.inventory.rules.iter().filter(|rule| rule.v6 == v6) {
        let of_host = |prefix: &Prefix| patient.addresses(v6).any(|own| prefix.contains(own.ip));
        let matches = rule.from.as_ref().is_none_or(of_host)
            && rule.to.is_none_or(|prefix| prefix.contains(to))
            && rule
                .output
                .as_ref()
                .is_none_or(|name| *name == patient.interface.name)
            && rule.input.as_ref().is_none_or(|name| name == "lo")
            && rule
                .mark
                .is_none_or(|(mark, mask)| patient.domain.mark.unwrap_or(0) & mask == mark);
        if rule.has_more || matches == rule.inverted {
            continue;
        }
        match rule.action {
            RuleAction::Refuse => return Some((rule.priority, "which refuses".to_owned())),
            RuleAction::Table(number) => match best(patient, number, to) {
                Some(RouteKind::Unicast) => return None,
                Some(RouteKind::Blackhole | RouteKind::Unreachable | RouteKind::Prohibit) => {
                    return Some((
                        rule.priority,
                        format!("by {}, which refuses", table(number)),
                    ));
                }
                _ => {}
            },
            _ => {}
        }
    }
    None
}

/// What a table does with packets to `to` by this interface.
fn best(patient: &Patient<'_>, number: u32, to: IpAddr) -> Option<RouteKind> {
    let routes = patient.inventory.routes.iter().filter(|route| {
        route.table == number
            && is_v6(route.destination) == to.is_ipv6()
            && route.destination.contains(to)
            && (route.kind != RouteKind::Unicast
                || route.interface == Some(patient.interface.index))
    });
    let best = routes.min_by_key(|route| (u8::MAX - route.destination.length(), route.metric));
    best.map(|route| route.kind)
}

/// Strict reverse path filtering (RFC 3704) drops what comes by an interface that the kernel would
/// not itself take to the sender.
fn reverse_path(patient: &Patient<'_>, v6: bool) -> Option<Finding> {
    if v6 {
        return None;
    }
    let interface = patient.interface;
    let settings =
        ["all", &interface.name].map(|whose| Patient::setting("ipv4", whose, "rp_filter"));
    if settings.into_iter().max()? != Some(1) {
        return None;
    }
    let own = patient.addresses(false).next()?.ip;
    let back = patient.way(far(false).ip(), None, Some(own)).ok()??;
    if back.interface == Some(interface.index) {
        return None;
    }
    let other = back.interface.and_then(|index| patient.inventory.at(index));
    let other = other.map_or("another interface", |other| &*other.name);
    // sysctl(8) takes a name with dots in this form only.
    let key = format!("net/ipv4/conf/{}/rp_filter", interface.name);
    Some(Finding {
        check: "rp-filter",
        what: format!(
            "the kernel drops answers that come by {}",
            word(&interface.name)
        ),
        why: format!(
            "Its filter is strict (rp_filter=1): it takes packets only from where it would send to, \
             and that is {other}."
        ),
        mend: vec![format!("sysctl -w {}=2", word(&key))],
        hint: Some("To keep it, write that into a file in /etc/sysctl.d.".to_owned()),
    })
}

/// Another interface with the same network.
fn twins(patient: &Patient<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let own = patient.interface;
    for v6 in [false, true] {
        for address in patient.addresses(v6) {
            let Some(prefix) = Prefix::new(address.ip, address.length) else {
                continue;
            };
            let is_host = address.length == if v6 { 128 } else { 32 };
            for other in &patient.inventory.interfaces {
                let twin = other.addresses.iter().find(|twin| {
                    other.index != own.index
                        && twin.scope == "global"
                        && Prefix::new(twin.ip, twin.length) == Some(prefix)
                });
                if let Some(twin) = twin.filter(|_| !is_host) {
                    let pair = [
                        (&*own.name, own.index, address.ip),
                        (&*other.name, other.index, twin.ip),
                    ];
                    findings.push(twin_finding(patient, prefix, pair));
                }
            }
        }
    }
    findings
}

fn twin_finding(patient: &Patient<'_>, prefix: Prefix, pair: [(&str, u32, IpAddr); 2]) -> Finding {
    let has_router = |index| {
        patient.inventory.routes.iter().any(|route| {
            route.interface == Some(index)
                && route.is_default()
                && route.gateway.is_some_and(|router| prefix.contains(router))
        })
    };
    let stray = match pair.map(|(_, index, _)| has_router(index)) {
        [true, false] => Some(pair[1]),
        [false, true] => Some(pair[0]),
        _ => None,
    };
    let mend = stray
        .map(|(name, _, ip)| format!("ip address del {ip}/{} dev {}", prefix.length(), word(name)));
    Finding {
        check: "duplicate-prefix",
        what: format!("{} and {} are both in the network {prefix}", pair[0].0, pair[1].0),
        why: "Programs without a network of their own reach its hosts by one of the two only, and may \
              be answered by the wrong host."
            .to_owned(),
        hint: Some(match mend {
            Some(_) => "That interface has no router there, so the address seems to be a slip.".to_owned(),
            None => "Two networks that really have the same numbers work for programs under mif; for \
                     others, renumber one of them."
                .to_owned(),
        }),
        mend: mend.into_iter().collect(),
    }
}

fn is_v6(prefix: Prefix) -> bool {
    let any = IpAddr::from([0; 16]);
    // Only prefixes of its own family can contain an address.
    prefix.contains(any) || !prefix.to_string().contains('.')
}
