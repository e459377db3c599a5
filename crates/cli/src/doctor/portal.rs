//! `--probe URL`: whether the network leads to the internet, or to a page that wants something of
//! its user first (captive portal, RFC 8952).

use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::patient::{Patient, word};
use super::{Examined, Finding, names};

const PATIENCE: Duration = Duration::from_secs(5);

pub(super) fn check(patient: &Patient<'_>, url: &str, examined: &mut Examined<'_>) {
    let rest = url.strip_prefix("http://").unwrap_or(url);
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if !host.ends_with(']') => (name, port.parse().unwrap_or(80)),
        _ => (host, 80),
    };
    let name = name.trim_matches(['[', ']']);
    let addresses = match name.parse::<IpAddr>() {
        Ok(ip) => vec![ip],
        Err(_) => names::addresses(patient, name),
    };
    let request = format!("GET /{path} HTTP/1.0\r\nHost: {host}\r\nUser-Agent: mif\r\n\r\n");
    let mut failure = "its name has no address".to_owned();
    for ip in addresses {
        match fetch(patient, SocketAddr::new(ip, port), &request) {
            Ok(head) => return judge(patient, url, &head, examined),
            Err(why) => failure = why.to_string(),
        }
    }
    examined.findings.push(Finding {
        check: "no-internet",
        what: format!("{url} cannot be fetched over this network: {failure}"),
        why: "The network may lead nowhere beyond its router.".to_owned(),
        mend: Vec::new(),
        hint: Some("Ask whoever runs the network, or try another URL.".to_owned()),
    });
}

fn judge(patient: &Patient<'_>, url: &str, head: &str, examined: &mut Examined<'_>) {
    let status = head.split_whitespace().nth(1).unwrap_or("");
    if status.starts_with('2') {
        return examined
            .fine
            .push(format!("{url} answers with status {status}"));
    }
    let place = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("location")
            .then(|| value.trim().to_owned())
    });
    let place = place.unwrap_or_else(|| url.to_owned());
    let pvd = word(&patient.domain.name);
    examined.findings.push(Finding {
        check: "captive-portal",
        what: format!("{url} answers with status {status}, which leads to {place}"),
        why: "The network wants something of its user first, such as a login.".to_owned(),
        mend: vec![format!("mif-run -i {pvd} xdg-open {}", word(&place))],
        hint: Some(
            "Or the URL is one that moved; take one that answers with status 204.".to_owned(),
        ),
    });
}

/// The head of the answer.
fn fetch(patient: &Patient<'_>, to: SocketAddr, request: &str) -> io::Result<String> {
    let mut stream = patient.stream(to, PATIENCE)?;
    stream.write_all(request.as_bytes())?;
    let mut head = Vec::new();
    stream.take(4096).read_to_end(&mut head)?;
    Ok(String::from_utf8_lossy(&head).into_owned())
}
