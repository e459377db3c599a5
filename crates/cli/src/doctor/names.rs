//! Whether the network's DNS servers answer, asked over the network as a program's look-up would.

use std::net::IpAddr;
use std::time::Duration;

use mif_host::config::Environment;
use mif_policy::{Families, Server, Text};
use mif_resolve::order::Selection;
use mif_resolve::{Answer, Ask, Failure, InTheClear, Patience, Plan, Way};

use super::patient::{Patient, word};
use super::{Examined, Finding};

/// For each server, which is asked once.
const PATIENCE: Duration = Duration::from_secs(2);

pub(super) fn check(patient: &Patient<'_>, name: &str, examined: &mut Examined<'_>) {
    let dns = &patient.domain.dns;
    // Servers with zones of their own need not know other names.
    let zone = dns.zones.first().filter(|zone| *zone != ".");
    let name = zone.map_or(name, |zone| zone);
    let mut dead = Vec::new();
    let mut alive = Vec::new();
    for text in &dns.servers {
        let server = parse(text);
        // One of a family that the network does not have now is passed over by look-ups, too.
        let Some(server) = server.filter(|server| can_ask(patient, server.address.ip())) else {
            continue;
        };
        if !server.is_plain() {
            examined.fine.push(format!(
                "DNS server {text} is not asked: this tool does not speak TLS"
            ));
            continue;
        }
        if answers(patient, &server, name) {
            examined
                .fine
                .push(format!("DNS server {text} answers for {name}"));
            alive.push(text.clone());
        } else {
            dead.push(text);
        }
    }
    if dead.is_empty() && !dns.servers.is_empty() {
        return;
    }
    let routers = patient.domain.gateways.iter().map(ToString::to_string);
    let instead = alive.into_iter().next().or_else(|| {
        let mut routers = routers.filter(|router| !dns.servers.contains(router));
        routers.find(|router| {
            let server = parse(router).filter(|server| can_ask(patient, server.address.ip()));
            server.is_some_and(|server| answers(patient, &server, name))
        })
    });
    for text in dead {
        examined
            .findings
            .push(silent(patient, text, name, instead.as_deref()));
    }
    if dns.servers.is_empty() {
        examined.findings.push(none(patient, instead.as_deref()));
    }
}

/// A server that no packet comes to is no finding of its own: that there is no route is one.
pub(super) fn can_ask(patient: &Patient<'_>, ip: IpAddr) -> bool {
    let leads = || patient.way(ip, Some(patient.interface.index), None);
    patient.is_own(ip) || (patient.route(ip).is_some() && matches!(leads(), Ok(Some(_))))
}

/// Whether a server says anything of use: that there is no such name, too.
fn answers(patient: &Patient<'_>, server: &Server, name: &str) -> bool {
    let answer = ask(patient, std::slice::from_ref(server), Ask::V4, name);
    matches!(answer, Ok(_) | Err(Failure::NoName | Failure::NoData))
}

/// The addresses of a name, by this network's servers.
pub(super) fn addresses(patient: &Patient<'_>, name: &str) -> Vec<IpAddr> {
    let servers = patient.domain.dns.servers.iter();
    let servers: Vec<Server> = servers.filter_map(|text| parse(text)).collect();
    let answer = ask(patient, &servers, Ask::Both, name);
    answer.map_or(Vec::new(), |answer| answer.addresses)
}

/// Asks servers over this network for a name as it is.
///
/// # Errors
/// Those of a look-up.
pub(crate) fn ask(
    patient: &Patient<'_>,
    servers: &[Server],
    ask: Ask,
    name: &str,
) -> Result<Answer, Failure> {
    let way = |ip: IpAddr| match patient.route(ip) {
        _ if patient.is_own(ip) => Way::Host,
        Some(route) => Way::Route(route),
        None => Way::Closed,
    };
    let plan = Plan {
        servers,
        search: &[],
        zones: &[],
        way: &way,
        families: Families::Any,
        ask,
        selection: Selection::default(),
        patience: Patience {
            timeout: PATIENCE,
            attempts: 1,
            total: PATIENCE,
        },
        secure: &InTheClear,
        stop: None,
    };
    // As it is, without the host's habits for names with few dots.
    mif_resolve::lookup(&format!("{}.", name.trim_end_matches('.')), &plan)
}

fn silent(patient: &Patient<'_>, text: &str, name: &str, instead: Option<&str>) -> Finding {
    let interface = word(&patient.interface.name);
    let dns = &patient.domain.dns;
    let file = dns.files.first().map(|file| word(file)).unwrap_or_default();
    let mend = instead.map(|instead| match dns.agent.as_deref() {
        Some("pvds.toml" | "resolv.conf") => {
            format!("sed -i 's#{}#{instead}#' {file}", text.replace('.', r"\."))
        }
        Some("systemd-networkd" | "systemd-resolved") => {
            format!("resolvectl dns {interface} {instead}")
        }
        Some("NetworkManager") => format!("nmcli device modify {interface} ipv4.dns {instead}"),
        Some("dhcpcd") => format!("dhcpcd --rebind {interface}"),
        Some("resolvconf") => format!("echo nameserver {instead} | resolvconf -a {interface}"),
        _ => format!("dhclient -r {interface} && dhclient {interface}"),
    });
    Finding {
        check: "dns-server-silent",
        what: format!("the DNS server {text} gives no answer for {name} over {interface}"),
        why: "Look-ups of programs on this network wait for it, or fail.".to_owned(),
        hint: Some(match instead {
            Some(instead) => format!("{instead} does answer."),
            None => "Nor does the network's router; ask whoever runs the network.".to_owned(),
        }),
        mend: mend.into_iter().collect(),
    }
}

fn none(patient: &Patient<'_>, instead: Option<&str>) -> Finding {
    let (name, domain) = (&patient.interface.name, &patient.domain.name);
    let folders = Environment::from_process().folders();
    let folder = folders.first().map(|folder| folder.display().to_string());
    let folder = word(&folder.unwrap_or_else(|| "/etc/mif".to_owned()));
    let mend = instead
        .filter(|_| patient.domain.defined_in.is_none())
        .map(|server| {
            let table = format!(
                r#"\n[pvd."{domain}"]\ninterface = "{name}"\ndns = {{ servers = "{server}" }}\n"#
            );
            format!(
                "mkdir -p {folder} && printf {} >>{folder}/pvds.toml",
                word(&table)
            )
        });
    Finding {
        check: "no-dns-servers",
        what: format!("no DNS servers are known for {domain}"),
        why: "Names that programs on it look up are refused, unless their list ends in `system`."
            .to_owned(),
        hint: Some(match instead {
            Some(instead) => {
                format!("The router {instead} answers names; `servers` in pvds.toml says so.")
            }
            None => "Write those of the network as `servers` into pvds.toml.".to_owned(),
        }),
        mend: mend.into_iter().collect(),
    }
}

/// A server as it is listed, by the parser of policies. Its interface is the network's, so a scope
/// id says nothing.
fn parse(text: &str) -> Option<Server> {
    let text = text.split('%').next()?;
    let file = format!("[pvd.x]\ninterface = \"x\"\ndns = {{ servers = \"{text}\" }}\n");
    let file = Text {
        path: "".into(),
        text: file,
    };
    let pvds = mif_policy::domains(&file).ok()?;
    pvds.first()?.dns.servers.first().cloned()
}
