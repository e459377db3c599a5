//! Addresses in the order of RFC 6724, with the source addresses that the way to them gives.

use std::net::{IpAddr, SocketAddr};

use mif_socket::Kind;
use rustix::net::getsockname;

use crate::order::{Candidate, Selection};
use crate::{Ways, socket};

/// Puts addresses in the order an application should try them. Each one's source address is
/// found as glibc does it, by connecting a UDP socket, which sends nothing; `way` says how each
/// is reached and `selection` what the policy says. One address alone costs nothing.
pub fn arrange(addresses: &mut [IpAddr], way: &Ways<'_>, selection: &Selection<'_>) {
    if addresses.len() < 2 {
        return;
    }
    let candidate = |&ip: &IpAddr| Candidate::new(ip, source(ip, way));
    let mut candidates: Vec<_> = addresses.iter().map(candidate).collect();
    selection.sort(&mut candidates);
    for (address, candidate) in addresses.iter_mut().zip(&candidates) {
        *address = candidate.destination;
    }
}

fn source(destination: IpAddr, way: &Ways<'_>) -> Option<IpAddr> {
    let fd = socket::open(Kind::Datagram, SocketAddr::new(destination, 0), way).ok()?;
    SocketAddr::try_from(getsockname(&fd).ok()?)
        .ok()
        .map(|local| local.ip())
}
