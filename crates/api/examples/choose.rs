//! Says hello to a server by domains that it chooses: for a socket, for a thread, within that for a while
//! another one, for the process, and for a handle. The server answers with the address that it sees.
//!
//! ```sh
//! mif-run cargo run -p mif-api --example choose -- server.example 7001 office lte
//! ```

use std::error::Error;
use std::io::{BufRead, BufReader};
use std::net::{TcpStream, UdpSocket};
use std::thread;
use std::time::Duration;
use std::{env, io};

use mif_api::{Api, Event, Pvd, Request, Strength};

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = env::args().skip(1).collect();
    let [host, port, first, second] = &words[..] else {
        return Err("usage: choose HOST PORT DOMAIN DOMAIN".into());
    };
    let api = Api::load()?;
    let (first, second) = (api.find(first)?, api.find(second)?);
    println!("socket: {}", by_a_socket(api, &first, host, port)?);

    let hello = || hello(api, host, port);
    let outer = api.choose_for_thread(&first, Strength::Require)?;
    println!("thread: {}", hello()?);
    let inner = api.choose_for_thread(&second, Strength::Require)?;
    println!("within: {}", hello()?);
    drop(inner);
    println!("again: {}", hello()?);
    drop(outer);

    // What a thread has chosen is its own; what the process has chosen is for all that have not.
    api.choose_for_process(Some(&second), Strength::Require)?;
    let of_another_thread = thread::scope(|scope| scope.spawn(hello).join());
    println!(
        "process: {}",
        of_another_thread.expect("it does not panic")?
    );
    api.choose_for_process(None, Strength::Require)?;
    println!("before: {}", hello()?);
    println!("handle: {}", by_a_handle(api, &first)?);
    Ok(())
}

/// A program that knows nothing of domains would do the same, but for the last line.
fn hello(api: Api, host: &str, port: &str) -> io::Result<String> {
    let stream = TcpStream::connect((host, port.parse().map_err(io::Error::other)?))?;
    let mut line = String::new();
    BufReader::new(&stream).read_line(&mut line)?;
    let peer = line.split(' ').next().unwrap_or_default();
    let pvd = api.pvd_of(&stream)?;
    Ok(format!(
        "{peer} {}",
        pvd.map_or("-".into(), |pvd| pvd.to_string())
    ))
}

/// The same choice for all that is posted to a handle.
fn by_a_handle(api: Api, pvd: &Pvd) -> Result<String, Box<dyn Error>> {
    let handle = api.open()?;
    let pvd = Some(pvd.clone());
    handle.post(&Request::ConnectPvd { id: 1, pvd })?;
    while handle.check(Some(Duration::from_secs(10)))? {
        match handle.get()? {
            Some(Event::PvdConnected { pvd, .. }) => return Ok(pvd.to_string()),
            Some(Event::NotConnected { error, .. }) => return Err(error.into()),
            _ => {}
        }
    }
    Err("no answer".into())
}

/// The server by UDP: its address is asked of the domain's servers, and good there.
fn by_a_socket(api: Api, pvd: &Pvd, host: &str, port: &str) -> io::Result<String> {
    let addresses = api.lookup(Some(pvd), host, port)?;
    let address = addresses.first().ok_or(io::ErrorKind::NotFound)?;
    let any = if address.is_ipv4() {
        "0.0.0.0:0"
    } else {
        "[::]:0"
    };
    let socket = UdpSocket::bind(any)?;
    api.put(&socket, pvd, Strength::Require)?;
    socket.set_read_timeout(Some(Duration::from_secs(10)))?;
    socket.send_to(b"hello", address)?;
    let mut answer = [0; 64];
    let (length, _) = socket.recv_from(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer[..length]).into_owned())
}
