//! Addresses in the order of RFC 6724, with the source addresses that the way to them gives.

use std::net::{IpAddr, SocketAddr};

use crate::Ways;
use crate::order::{Candidate, Selection};
use crate::socket::Datagram;

/// Puts addresses in the order an application should try them. Each one's source address is
/// found as glibc does it, by connecting a UDP socket, which sends nothing; `way` says how each
/// is reached and `selection` what the policy says. One address alone costs nothing.
pub fn arrange(addresses: &mut [IpAddr], way: &Ways<'_>, selection: &Selection<'_>) {
    arrange_by(None, addresses, way, selection);
}

/// The same by a socket that is there already, as long as it serves.
pub(crate) fn arrange_by<'w>(
    mut socket: Option<Datagram<'w>>,
    addresses: &mut [IpAddr],
    way: &Ways<'w>,
    selection: &Selection<'_>,
) {
    if addresses.len() < 2 {
        return;
    }
    let mut source = |ip| {
        let destination = SocketAddr::new(ip, 0);
        let connected = match socket.take() {
            Some(last) => last.connect_anew(destination, way),
            None => Datagram::open(destination, way),
        };
        let source = connected.as_ref().ok()?.source();
        socket = connected.ok();
        source.map(|source| source.ip())
    };
    let candidate = |&ip: &IpAddr| Candidate::new(ip, source(ip));
    let mut candidates: Vec<_> = addresses.iter().map(candidate).collect();
    selection.sort(&mut candidates);
    for (address, candidate) in addresses.iter_mut().zip(&candidates) {
        *address = candidate.destination;
    }
}
