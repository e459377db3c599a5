//! The server of names: what programs send to port 53 of their resolvers is put to the servers of
//! the provisioning domain that the policy has for the name, and the reply handed back as it came.

use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use mif_policy::{Looked, Server, Verdict};
use mif_resolve::frame::framed;
use mif_resolve::raw::{self, Transport};
use mif_resolve::{Patience, Plan, Way, reply, reverse};
use mif_socket::cmsg;
use rustix::io::{Errno, Result};

use super::Names;
use super::room::{DNS, Listeners};
use crate::by_bytes;
use crate::log::Level;
use crate::subject::Policed;

/// Queries and connections that are being answered; a program asks again for what is dropped.
const MOST: usize = 256;
static ANSWERING: AtomicUsize = AtomicUsize::new(0);

/// For all servers together. Programs wait for five seconds, and ask again.
const TOTAL: Duration = Duration::from_secs(20);
/// For the next query over a connection.
const IDLE: Duration = Duration::from_secs(30);

/// Answers until the process ends.
///
/// # Errors
/// `EAGAIN` where there may be no more threads.
pub(super) fn start(by: &'static Policed, names: &'static Names, at: Listeners) -> Result<()> {
    let Listeners { datagrams, streams } = at;
    let streams = TcpListener::from(streams);
    spawn(move || {
        while let Ok(query) = Query::receive(&datagrams) {
            answering(move || query.answer(by, names));
        }
    })?;
    spawn(move || {
        for connection in streams.incoming().flatten() {
            answering(move || {
                // Its end, or a message that is none, ends the connection.
                let _ = converse(by, names, &connection);
            });
        }
    })
}

fn spawn(what: impl FnOnce() + Send + 'static) -> Result<()> {
    let spawned = std::thread::Builder::new().spawn(what);
    spawned.map(drop).map_err(|_| Errno::AGAIN)
}

/// In a thread of its own, unless there are too many.
fn answering(what: impl FnOnce() + Send + 'static) {
    struct Counted;
    impl Drop for Counted {
        fn drop(&mut self) {
            ANSWERING.fetch_sub(1, Ordering::Relaxed);
        }
    }
    let before = ANSWERING.fetch_add(1, Ordering::Relaxed);
    let counted = Counted;
    if before < MOST {
        let _ = spawn(move || {
            let _counted = counted;
            what();
        });
    }
}

/// A query that came by datagram, and where the reply goes.
struct Query {
    on: OwnedFd,
    datagram: by_bytes::Datagram,
}

impl Query {
    fn receive(listener: &OwnedFd) -> Result<Self> {
        let datagram = loop {
            match by_bytes::receive_datagram(listener.as_fd()) {
                Err(Errno::INTR) => {}
                received => break received?,
            }
        };
        let on = listener.try_clone().map_err(|_| Errno::MFILE)?;
        Ok(Self { on, datagram })
    }

    fn answer(&self, by: &Policed, names: &Names) {
        let by_bytes::Datagram {
            from,
            data,
            control,
        } = &self.datagram;
        let sent_to = cmsg::pieces(control).find_map(|piece| piece.packet_info(false));
        let Some(sent_to) = sent_to.map(|info| info.source) else {
            return;
        };
        let asker = Asker {
            port: port_of(from),
            over: Transport::Datagram,
            server: sent_to,
        };
        let Some(reply) = answer(by, names, data, &asker) else {
            return;
        };
        let reply = reply::as_datagram(data, reply);
        let mut room = [0; 64];
        let mut beside = cmsg::Writer::new(&mut room);
        // The reply has to come from where the query went.
        let _ = beside.packet_info(sent_to.is_ipv4(), 0, Some(sent_to));
        let used = beside.len();
        let flags = libc::MSG_NOSIGNAL;
        let _ = by_bytes::send(self.on.as_fd(), Some(from), &reply, &room[..used], flags);
    }
}

/// Port of a socket address, as bytes.
fn port_of(address: &[u8]) -> u16 {
    let port = address.get(2..4).and_then(|port| port.first_chunk());
    port.map_or(0, |&port| u16::from_be_bytes(port))
}

/// Queries over a connection, one after the other (RFC 7766).
fn converse(by: &Policed, names: &Names, mut connection: &TcpStream) -> std::io::Result<()> {
    connection.set_read_timeout(Some(IDLE))?;
    connection.set_write_timeout(Some(IDLE))?;
    let asker = Asker {
        port: connection.peer_addr()?.port(),
        over: Transport::Stream,
        server: mif_socket::canonical(connection.local_addr()?.ip()),
    };
    loop {
        let mut length = [0; 2];
        connection.read_exact(&mut length)?;
        let mut query = vec![0; usize::from(u16::from_be_bytes(length))];
        connection.read_exact(&mut query)?;
        let reply = answer(by, names, &query, &asker);
        let Some(reply) = reply.and_then(|reply| framed(&[reply])) else {
            return Ok(());
        };
        connection.write_all(&reply)?;
    }
}

/// Who asks.
struct Asker {
    /// Of the socket that stands in.
    port: u16,
    over: Transport,
    /// The server that it means to ask.
    server: IpAddr,
}

/// The reply to a query; `None` to what is no query. Where nobody may be asked, or nobody answers, it
/// says that it failed.
fn answer(by: &Policed, names: &Names, query: &[u8], asker: &Asker) -> Option<Vec<u8>> {
    let name = raw::name_of(query)?;
    let failure = reply::failure(query)?;
    let caller = names.caller(asker.over == Transport::Stream, asker.port);
    let known = |ip| {
        let known = names.known(ip);
        (known.rules, known.origin)
    };
    let view = by.view();
    // What is in a message is the whole name: no search list has to do with it.
    let resolvers = reverse::resolvers(&by.policy, &format!("{name}."), known, &view);
    let verdict = resolvers.verdict();
    let about = Looked(&name, &resolvers);
    by.log
        .decision(&by.policy, &caller, "query", &about, &verdict);
    let is_hosts = match verdict {
        Verdict::Refuse(_) => return Some(failure),
        Verdict::Route(_) => false,
        // `system`, without servers of the policy's own.
        Verdict::Pass(_) => resolvers.servers().is_empty(),
    };
    let mut servers = if is_hosts {
        let all = by.host.resolvers().iter();
        all.map(|&ip| Server::from(SocketAddr::new(ip, DNS)))
            .collect()
    } else {
        resolvers.servers().to_vec()
    };
    // A program that has waited in vain for one of several turns to the next.
    servers.sort_by_key(|server| server.address.ip() != asker.server);
    let way = |ip: IpAddr| {
        if is_hosts {
            Way::Host
        } else {
            Way::within(&verdict, ip, &by.policy, &view)
        }
    };
    let mut plan = Plan::of(&resolvers, by.policy.families, &way, by);
    plan.servers = &servers;
    plan.patience = Patience {
        total: TOTAL,
        ..Patience::default()
    };
    match raw::exchange(query, asker.over, &plan) {
        Ok(reply) => {
            if by.policy.learns_addresses() {
                names.learn(by, &name, &raw::addresses(&reply.bytes), resolvers.origin());
            }
            Some(reply.bytes)
        }
        Err(why) => {
            by.log.line(
                Level::Decisions,
                &caller,
                format_args!("query {name}: no answer ({why:?}) from {servers:?}"),
            );
            Some(failure)
        }
    }
}
