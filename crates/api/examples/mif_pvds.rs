//! Lists the provisioning domains that this program may use, fetches `http://HOST/` by each of them and by
//! whichever answers first, and then tells what changes of them, until standard input ends.
//!
//! ```sh
//! cargo run -p mif-api --example mif_pvds -- example.org
//! ```

use std::env;
use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::os::fd::OwnedFd;
use std::process::ExitCode;
use std::time::Duration;

use mif_api::{Api, Event, Families, Handle, Pvd, Request, SocketType};
use rustix::event::{PollFd, PollFlags, poll};

const PATIENCE: Duration = Duration::from_secs(10);

fn main() -> ExitCode {
    let ran = Api::load().map_err(io::Error::other).and_then(|api| {
        for pvd in api.pvds(Families::Any)? {
            println!("domain {}", pvd.name());
        }
        if let Some(host) = env::args().nth(1) {
            fetch_by_each(api, &host)?;
        }
        follow(&api.open()?)
    });
    match ran {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("mif_pvds: {error}");
            ExitCode::FAILURE
        }
    }
}

fn fetch_by_each(api: Api, host: &str) -> io::Result<()> {
    for pvd in api.pvds(Families::Any)? {
        say(pvd.name(), connect_within(&api.open()?, &pvd, host), host);
    }
    // Happy Eyeballs: the first domain is preferred, and a silent one costs a quarter of a second.
    say("any", api.connect(&[], host, "http", Some(PATIENCE)), host);
    Ok(())
}

/// A connection within one domain, by messages: its servers are asked for the name, and the address is good
/// there. With [`Api::lookup`] and [`Api::put`] the same can be done at once.
fn connect_within(handle: &Handle, pvd: &Pvd, host: &str) -> io::Result<TcpStream> {
    let addresses = translate(handle, pvd.clone(), host)?;
    let mut why = io::Error::from(io::ErrorKind::NotFound);
    for address in addresses {
        match connect(handle, pvd.clone(), SocketAddr::new(address, 80)) {
            Ok(socket) => return Ok(socket.into()),
            Err(error) => why = error,
        }
    }
    Err(why)
}

fn translate(handle: &Handle, pvd: Pvd, host: &str) -> io::Result<Vec<IpAddr>> {
    handle.post(&Request::TranslateName {
        id: 1,
        pvd: Some(pvd),
        name: host.to_owned(),
        families: Families::Any,
    })?;
    let mut addresses = Vec::new();
    loop {
        match next(handle)? {
            Event::Name { address, .. } => addresses.push(address),
            Event::NameDone { result, .. } => {
                result?;
                return Ok(addresses);
            }
            _ => {}
        }
    }
}

fn connect(handle: &Handle, pvd: Pvd, destination: SocketAddr) -> io::Result<OwnedFd> {
    handle.post(&Request::Connect {
        id: 2,
        pvd: Some(pvd),
        destination,
        socket_type: SocketType::Stream,
    })?;
    loop {
        match next(handle)? {
            Event::Connected { socket, .. } => return Ok(socket),
            Event::NotConnected { error, .. } => return Err(error),
            _ => {}
        }
    }
}

/// The next event, which is waited for.
fn next(handle: &Handle) -> io::Result<Event> {
    loop {
        if let Some(event) = handle.get()? {
            return Ok(event);
        }
        handle.check(None)?;
    }
}

fn say(who: &str, connected: io::Result<TcpStream>, host: &str) {
    match connected.and_then(|stream| fetch(stream, host)) {
        Ok(body) => println!("{who}: {}", body.trim()),
        Err(error) => println!("{who}: {error}"),
    }
}

/// The body of the answer.
fn fetch(mut stream: TcpStream, host: &str) -> io::Result<String> {
    stream.set_read_timeout(Some(PATIENCE))?;
    write!(stream, "GET / HTTP/1.0\r\nHost: {host}\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let body = answer.split_once("\r\n\r\n").map(|(_, body)| body);
    Ok(body.unwrap_or("no answer").to_owned())
}

/// Tells what changes.
fn follow(handle: &Handle) -> io::Result<()> {
    handle.post(&Request::AnnounceInterfaces)?;
    handle.post(&Request::AnnouncePvds { interface: None })?;
    loop {
        while let Some(event) = handle.get()? {
            println!("{event:?}");
            for request in &consequences(event) {
                match handle.post(request) {
                    // It may have gone again, and the event of that be still to come.
                    Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                    _ => {}
                }
            }
        }
        if input_ends_before_an_event(handle)? {
            return Ok(());
        }
    }
}

/// What a domain has is asked for when it comes, and not any more when it has gone.
fn consequences(event: Event) -> Vec<Request> {
    let families = Families::Any;
    match event {
        Event::Pvd { pvd, .. } => vec![
            Request::AnnounceElements { pvd: pvd.clone() },
            Request::AnnounceAddresses { pvd, families },
        ],
        Event::NoPvd { pvd, .. } => vec![
            Request::StopElements { pvd: pvd.clone() },
            Request::StopAddresses { pvd },
        ],
        _ => vec![],
    }
}

/// Waits for standard input and for events, as any event loop would.
fn input_ends_before_an_event(handle: &Handle) -> io::Result<bool> {
    let mut input = io::stdin().lock();
    let is_ready = {
        let input = PollFd::new(&input, PollFlags::IN);
        let mut polled = [input, PollFd::new(handle, PollFlags::IN)];
        poll(&mut polled, None)?;
        !polled[0].revents().is_empty()
    };
    Ok(is_ready && input.read(&mut [0; 512])? == 0)
}
