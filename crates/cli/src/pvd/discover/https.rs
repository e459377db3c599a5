//! One GET by HTTPS on one network: names by its own servers, connections from its own address.

use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mif_announce::information::LONGEST;
use mif_policy::Server;
use mif_resolve::Ask;
use rustls::crypto::ring;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::doctor::names;
use crate::doctor::patient::Patient;

/// For each wait, and for everything.
const PATIENCE: Duration = Duration::from_secs(5);
const TOTAL: Duration = Duration::from_secs(15);
const REDIRECTIONS: usize = 5;
const LONGEST_HEAD: usize = 16 * 1024;
const MEDIA_TYPE: &str = "application/pvd+json";

/// The network to ask by.
pub(super) struct Way<'a> {
    pub(super) patient: Patient<'a>,
    pub(super) servers: Vec<Server>,
}

/// What came in answer.
enum Reply {
    Body(Vec<u8>),
    /// Where else it is.
    Elsewhere(String),
}

/// Fetches the additional information of a domain (RFC 8801 4.1).
///
/// # Errors
/// In words, for people.
pub(super) fn fetch(way: &Way<'_>, id: &str) -> Result<Vec<u8>, String> {
    let end = Instant::now() + TOTAL;
    let config = config()?;
    let mut host = id.to_owned();
    let mut port = 443;
    let mut path = "/.well-known/pvd".to_owned();
    for _ in 0..=REDIRECTIONS {
        let stream = connect(way, &config, &host, port)?;
        match get(stream, &host, &path, end).map_err(|why| format!("{host}: {why}"))? {
            Reply::Body(body) => return Ok(body),
            Reply::Elsewhere(place) => follow(&place, &mut host, &mut port, &mut path)
                .ok_or_else(|| format!("{host} leads to {place:?}, which is not followed"))?,
        }
    }
    Err(format!("more than {REDIRECTIONS} redirections"))
}

type Stream = StreamOwned<ClientConnection, std::net::TcpStream>;

fn connect(
    way: &Way<'_>,
    config: &Arc<ClientConfig>,
    host: &str,
    port: u16,
) -> Result<Stream, String> {
    let answer = names::ask(&way.patient, &way.servers, Ask::Both, host)
        .map_err(|why| format!("the name {host}: {why}"))?;
    let mut failure = String::new();
    for ip in answer.addresses {
        let name = ServerName::try_from(host.to_owned()).map_err(|why| format!("{host}: {why}"))?;
        let session = ClientConnection::new(Arc::clone(config), name);
        let session = session.map_err(|why| why.to_string())?;
        match way.patient.stream(SocketAddr::new(ip, port), PATIENCE) {
            Ok(stream) => return Ok(StreamOwned::new(session, stream)),
            Err(why) => failure = format!("{ip} port {port}: {why}"),
        }
    }
    Err(failure)
}

/// TLS by the system's root certificates.
fn config() -> Result<Arc<ClientConfig>, String> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        return Err("the system has no root certificates (Debian: ca-certificates)".to_owned());
    }
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|why| why.to_string())?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// Nothing of the request tells who asks (RFC 8801 7).
fn get(mut stream: Stream, host: &str, path: &str, end: Instant) -> Result<Reply, String> {
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nAccept: {MEDIA_TYPE}\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).map_err(words)?;
    let mut bytes = Vec::new();
    let mut block = [0; 4096];
    loop {
        if Instant::now() > end {
            return Err("no answer in time".to_owned());
        }
        match stream.read(&mut block) {
            Ok(0) => break,
            Ok(read) => bytes.extend_from_slice(&block[..read]),
            // Many servers leave without saying so; the length tells whether the answer is whole.
            Err(why) if why.kind() == io::ErrorKind::UnexpectedEof => break,
            Err(why) => return Err(words(why)),
        }
        if bytes.len() > LONGEST_HEAD + 2 * LONGEST {
            return Err(format!("an answer of more than {LONGEST} octets"));
        }
    }
    read(&bytes)
}

#[allow(clippy::needless_pass_by_value, reason = "for map_err")]
fn words(why: io::Error) -> String {
    match why.kind() {
        io::ErrorKind::WouldBlock => "no answer in time".to_owned(),
        _ => why.to_string(),
    }
}

fn read(bytes: &[u8]) -> Result<Reply, String> {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut head = httparse::Response::new(&mut headers);
    let status = head.parse(bytes).map_err(|why| format!("no HTTP: {why}"))?;
    let httparse::Status::Complete(length) = status else {
        return Err("the answer ends early".to_owned());
    };
    let header = |name: &str| {
        let mut all = head.headers.iter();
        let found = all.find(|header| header.name.eq_ignore_ascii_case(name))?;
        std::str::from_utf8(found.value).ok().map(str::trim)
    };
    match head.code {
        Some(200..=299) => {}
        Some(300..=399) => {
            let place = header("location").ok_or("a redirection to nowhere")?;
            return Ok(Reply::Elsewhere(place.to_owned()));
        }
        code => return Err(format!("HTTP status {}", code.unwrap_or(0))),
    }
    let kind = header("content-type").unwrap_or("");
    let bare = kind.split(';').next().unwrap_or("").trim();
    if !bare.eq_ignore_ascii_case(MEDIA_TYPE) {
        return Err(format!("the answer is {kind:?}, not {MEDIA_TYPE}"));
    }
    let body = bytes.get(length..).unwrap_or_default();
    if header("transfer-encoding").is_some_and(|coding| coding.eq_ignore_ascii_case("chunked")) {
        return Ok(Reply::Body(joined(body).ok_or("the answer ends early")?));
    }
    match header("content-length").map(str::parse) {
        Some(Ok(length)) => {
            let body = body.get(..length).ok_or("the answer ends early")?;
            Ok(Reply::Body(body.to_vec()))
        }
        Some(Err(_)) => Err("the length of the answer is no number".to_owned()),
        None => Ok(Reply::Body(body.to_vec())),
    }
}

/// The chunks of a body together (RFC 9112 7.1).
fn joined(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let httparse::Status::Complete((start, length)) = httparse::parse_chunk_size(rest).ok()?
        else {
            return None;
        };
        if length == 0 {
            return Some(body);
        }
        let end = start.checked_add(usize::try_from(length).ok()?)?;
        body.extend_from_slice(rest.get(start..end)?);
        rest = rest.get(end..)?.strip_prefix(b"\r\n")?;
    }
}

/// Goes to another place, by HTTPS only.
fn follow(place: &str, host: &mut String, port: &mut u16, path: &mut String) -> Option<()> {
    if !place.bytes().all(|octet| octet.is_ascii_graphic()) {
        return None;
    }
    let place = place.split('#').next()?;
    if place.starts_with('/') && !place.starts_with("//") {
        place.clone_into(path);
        return Some(());
    }
    let rest = place.strip_prefix("https://")?;
    let (authority, rest) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    let (name, number) = match authority.split_once(':') {
        Some((name, number)) => (name, number.parse().ok()?),
        None => (authority, 443),
    };
    *host = mif_announce::Name::new(name)?.to_string();
    *port = number;
    *path = if rest.starts_with('/') {
        rest.to_owned()
    } else {
        format!("/{rest}")
    };
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "HTTP/1.1 200 OK\r\nContent-Type: application/pvd+json; charset=utf-8\r\n";

    fn body(answer: &str) -> Result<String, String> {
        match read(answer.as_bytes())? {
            Reply::Body(body) => Ok(String::from_utf8(body).unwrap()),
            Reply::Elsewhere(place) => Ok(format!("-> {place}")),
        }
    }

    #[test]
    fn answers_are_read_to_their_end() {
        for (rest, wanted) in [
            ("\r\n{}", Ok("{}")),
            ("Content-Length: 2\r\n\r\n{} more", Ok("{}")),
            ("Content-Length: 3\r\n\r\n{}", Err("the answer ends early")),
            (
                "Content-Length: x\r\n\r\n{}",
                Err("the length of the answer is no number"),
            ),
            (
                "Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n1;x\r\n}\r\n0\r\n\r\n",
                Ok("{}"),
            ),
            (
                "Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n2\r\n}",
                Err("the answer ends early"),
            ),
            (
                "Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n{",
                Err("the answer ends early"),
            ),
        ] {
            let found = body(&format!("{HEAD}{rest}"));
            assert_eq!(found.as_deref().map_err(|why| &**why), wanted, "{rest}");
        }
        for (answer, why) in [
            ("HTTP/1.1 404 Not Found\r\n\r\n", "HTTP status 404"),
            (
                "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<",
                "the answer is \"text/html\", not application/pvd+json",
            ),
            (
                "HTTP/1.1 200 OK\r\n\r\n{}",
                "the answer is \"\", not application/pvd+json",
            ),
            ("HTTP/1.1 302 Found\r\n\r\n", "a redirection to nowhere"),
            ("HTTP/1.1 200", "the answer ends early"),
            ("SSH-2.0-x\r\n\r\n", "no HTTP: invalid HTTP version"),
        ] {
            assert_eq!(body(answer).unwrap_err(), why);
        }
        let elsewhere = body("HTTP/1.1 301 Moved\r\nLocation: /x\r\n\r\n");
        assert_eq!(elsewhere, Ok("-> /x".to_owned()));
    }

    #[test]
    fn redirections_stay_with_https() {
        let followed = |place: &str| {
            let (mut host, mut port, mut path) = ("a.example".to_owned(), 443, "/".to_owned());
            follow(place, &mut host, &mut port, &mut path)?;
            Some(format!("{host} {port} {path}"))
        };
        for (place, wanted) in [
            ("/other", Some("a.example 443 /other")),
            ("https://B.example/x?y#z", Some("b.example 443 /x?y")),
            ("https://b.example:8443", Some("b.example 8443 /")),
            ("http://b.example/x", None),
            ("//b.example/x", None),
            ("https://b.example:x/", None),
            ("https://user@b.example/", None),
            ("/x\r\nHost: c.example", None),
            ("", None),
        ] {
            assert_eq!(followed(place).as_deref(), wanted, "{place}");
        }
    }
}
