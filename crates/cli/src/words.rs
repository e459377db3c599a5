//! Words that several of the tool's answers share.

use std::net::SocketAddr;

use mif_host::network::Source;

/// A DNS server, with its port where that is not the usual one.
pub(crate) fn server(server: &SocketAddr) -> String {
    match server {
        SocketAddr::V6(v6) if v6.port() == 53 && v6.scope_id() != 0 => {
            format!("{}%{}", v6.ip(), v6.scope_id())
        }
        _ if server.port() == 53 => server.ip().to_string(),
        _ => server.to_string(),
    }
}

/// A routing table as ip-route(8) calls it.
pub(crate) fn table(number: u32) -> String {
    match number {
        253 => "table default".to_owned(),
        254 => "table main".to_owned(),
        255 => "table local".to_owned(),
        number => format!("table {number}"),
    }
}

/// `AGENT: FILE, FILE`.
pub(crate) fn source(source: &Source) -> String {
    let files = source.files.iter().map(|file| file.display().to_string());
    let files: Vec<String> = files.collect();
    format!("{}: {}", source.agent, files.join(", "))
}
