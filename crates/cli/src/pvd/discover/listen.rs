//! Router solicitations and what comes of them (RFC 4861 6.3.7, 6.1.2).

use std::net::{Ipv6Addr, SocketAddrV6};
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use mif_announce::{Domain, advertisement, domain};
use mif_host::inventory::Interface;
use mif_socket::icmp6::{self, Received};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::sockopt::{set_ipv6_add_membership, set_ipv6_multicast_hops};
use rustix::net::{
    AddressFamily, SendFlags, SocketFlags, SocketType, ipproto, sendto, socket_with,
};

use super::failure;
use crate::Failure;
use crate::doctor::patient::word;

const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
const ALL_ROUTERS: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 2);
/// Without a source link-layer address: routers answer to all nodes, or ask for it.
const SOLICITATION: [u8; 8] = [133, 0, 0, 0, 0, 0, 0, 0];
/// `RTR_SOLICITATION_INTERVAL` and `MAX_RTR_SOLICITATIONS` (RFC 4861 10).
const INTERVAL: Duration = Duration::from_secs(4);
const SOLICITATIONS: u32 = 3;
/// Routers answer within half a second (`MAX_RA_DELAY_TIME`), each for itself.
const SILENCE: Duration = Duration::from_secs(1);
/// The longest IPv6 packet without jumbograms.
const LONGEST: usize = 65_535;
/// More domains, or complaints, are not taken from one link.
const MOST: usize = 64;

/// What came of one interface.
pub(super) struct Heard<'i> {
    pub(super) interface: &'i Interface,
    pub(super) domains: Vec<Domain>,
    /// When a router was heard last.
    last: Option<Instant>,
    /// What was not understood, or not believed.
    pub(super) faults: Vec<String>,
}

/// Asks the routers of all interfaces, and listens until they have been silent for a second, or for
/// as long as told.
///
/// # Errors
/// Status 1 without `CAP_NET_RAW`, or where the kernel does not do what is needed.
pub(super) fn all<'i>(
    interfaces: &[&'i Interface],
    patience: Duration,
) -> Result<Vec<Heard<'i>>, Failure> {
    let mut heard = Vec::new();
    let mut sockets = Vec::new();
    for &interface in interfaces {
        let socket = open(interface).map_err(|why| failure(unopened(interface, why)))?;
        sockets.push(socket);
        heard.push(Heard {
            interface,
            domains: Vec::new(),
            last: None,
            faults: Vec::new(),
        });
    }
    let start = Instant::now();
    let mut solicited = 0;
    loop {
        let elapsed = start.elapsed();
        if solicited < SOLICITATIONS && elapsed >= INTERVAL * solicited {
            solicited += 1;
            let all = sockets.iter().zip(&mut heard);
            let silent = all.filter(|(_, heard)| heard.last.is_none());
            silent.for_each(|(socket, heard)| heard.solicit(socket));
        }
        // All routers have spoken, as far as anybody can know, when the last one has been silent.
        let last = heard.iter().map(|heard| heard.last).min().flatten();
        let end = last.map_or(patience, |last| patience.min(last - start + SILENCE));
        let next = if solicited < SOLICITATIONS {
            end.min(INTERVAL * solicited)
        } else {
            end
        };
        if elapsed >= end {
            return Ok(heard);
        }
        for n in ready(&sockets, next.saturating_sub(elapsed)) {
            heard[n].receive(&sockets[n]);
        }
    }
}

fn open(interface: &Interface) -> Result<OwnedFd, Errno> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let (family, protocol) = (AddressFamily::INET6, Some(ipproto::ICMPV6));
    let socket = socket_with(family, SocketType::RAW, flags, protocol)?;
    icmp6::receive_only(socket.as_fd(), advertisement::TYPE)?;
    mif_socket::bind_to_index(socket.as_fd(), interface.index)?;
    set_ipv6_multicast_hops(&socket, 255)?;
    set_ipv6_add_membership(&socket, &ALL_NODES, interface.index)?;
    Ok(socket)
}

fn unopened(interface: &Interface, why: Errno) -> String {
    if why != Errno::PERM {
        return format!("{} cannot be listened to: {why}", interface.name);
    }
    let program = std::env::current_exe().ok();
    let program = program.map_or("mif".to_owned(), |path| word(&path.display().to_string()));
    format!(
        "router advertisements may be heard with CAP_NET_RAW alone: `sudo {program} pvd discover`, \
         or `sudo setcap cap_net_raw+ep {program}` once, for all users of it"
    )
}

/// The sockets that something has come to, after a while at most.
fn ready(sockets: &[OwnedFd], left: Duration) -> Vec<usize> {
    let fds = sockets
        .iter()
        .map(|socket| PollFd::new(socket, PollFlags::IN));
    let mut fds: Vec<PollFd<'_>> = fds.collect();
    let left = Timespec::try_from(left).ok();
    if poll(&mut fds, left.as_ref()).is_err() {
        return Vec::new();
    }
    let has_come = |fd: &PollFd<'_>| !fd.revents().is_empty();
    let ready = fds.iter().enumerate().filter(|(_, fd)| has_come(fd));
    ready.map(|(n, _)| n).collect()
}

impl Heard<'_> {
    fn solicit(&mut self, socket: &OwnedFd) {
        let to = SocketAddrV6::new(ALL_ROUTERS, 0, 0, self.interface.index);
        // For this scope the kernel takes the link-local address as the source, if there is one.
        if let Err(why) = sendto(socket, &SOLICITATION, SendFlags::empty(), &to) {
            self.fault(format!("routers cannot be asked: {why}"));
        }
    }

    fn receive(&mut self, socket: &OwnedFd) {
        let mut buffer = vec![0; LONGEST];
        match icmp6::receive(socket.as_fd(), &mut buffer) {
            Ok(received) => {
                let message = buffer.get(..received.length).unwrap_or_default();
                if let Err(why) = self.take(&received, message) {
                    self.fault(format!("{}: {why}", received.from.ip()));
                }
            }
            Err(Errno::AGAIN | Errno::INTR) => {}
            Err(why) => self.fault(format!("cannot be listened to: {why}")),
        }
    }

    /// Adds what a router said.
    ///
    /// # Errors
    /// Why it does not count.
    fn take(&mut self, received: &Received, message: &[u8]) -> Result<(), String> {
        let router = *received.from.ip();
        if !router.is_unicast_link_local() {
            return Err("a router advertisement that is not from a link-local address".to_owned());
        }
        if received.hop_limit != Some(255) {
            return Err("a router advertisement that has come through a router".to_owned());
        }
        let said = advertisement::parse(message).map_err(|fault| fault.to_string())?;
        for fault in &said.left_out {
            self.fault(format!("{router}: left out: {fault}"));
        }
        self.last = Some(Instant::now());
        if self.domains.len() < MOST {
            domain::merge(&mut self.domains, router, said);
        }
        Ok(())
    }

    fn fault(&mut self, why: String) {
        if self.faults.len() < MOST && !self.faults.contains(&why) {
            self.faults.push(why);
        }
    }
}
