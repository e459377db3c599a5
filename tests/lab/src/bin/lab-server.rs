//! The far end of the lab: tells every client which address it came from, and writes down what
//! arrived. `lab-server LOG ADDRESS...` prints `ready` once it listens, and runs until killed.
//!
//! - TCP 80: HTTP/1.1, any request is answered with one line, the peer's address.
//! - TCP 7001: says `PEER-ADDRESS LOCAL-ADDRESS`, then echoes.
//! - UDP 7001: each datagram is answered with the peer's address, from the address that was asked.
//!
//! A line of LOG is `PROTOCOL PORT PEER PEER-PORT LOCAL PAYLOAD` (the payload of datagrams only,
//! escaped), written before the answer is sent: who has the answer finds the line. IPv4 peers of
//! dual-stack sockets are written as IPv4. There is no limit on clients and no clean end: it lives
//! and dies with its lab.

use std::{
    env,
    fs::{File, OpenOptions},
    io::{self, BufRead, BufReader, Write},
    net::{IpAddr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket},
    sync::Arc,
    thread,
};

const HTTP: u16 = 80;
const RAW: u16 = 7001;

fn main() -> io::Result<()> {
    let mut args = env::args().skip(1);
    let log = args.next().expect("usage: lab-server LOG ADDRESS...");
    let log = Arc::new(OpenOptions::new().create(true).append(true).open(log)?);

    let mut servers = Vec::new();
    for (port, serve) in [
        (HTTP, http as fn(TcpStream, IpAddr, IpAddr) -> _),
        (RAW, raw),
    ] {
        let listener = TcpListener::bind((Ipv6Addr::UNSPECIFIED, port))?;
        let log = Arc::clone(&log);
        servers.push(thread::spawn(move || accept(&listener, &log, serve)));
    }
    // One socket an address, so that answers leave from the address that was asked.
    for address in args {
        let address: IpAddr = address.parse().expect("an IP address");
        let socket = UdpSocket::bind((address, RAW))?;
        let log = Arc::clone(&log);
        servers.push(thread::spawn(move || datagrams(&socket, address, &log)));
    }
    println!("ready");
    for server in servers {
        server.join().expect("a server thread runs for ever")?;
    }
    Ok(())
}

type Serve = fn(TcpStream, IpAddr, IpAddr) -> io::Result<()>;

fn accept(listener: &TcpListener, log: &Arc<File>, serve: Serve) -> io::Result<()> {
    loop {
        // A client that has gone again before it was accepted is no reason to stop.
        let Ok((stream, peer)) = listener.accept() else {
            continue;
        };
        let Ok(local) = stream.local_addr() else {
            continue;
        };
        let at = local.ip().to_canonical();
        write_down(log, "tcp", local.port(), peer, at, "")?;
        thread::spawn(move || serve(stream, peer.ip().to_canonical(), at));
    }
}

fn http(mut stream: TcpStream, peer: IpAddr, local: IpAddr) -> io::Result<()> {
    let mut request = Vec::new();
    for line in BufReader::new(&stream).lines() {
        let line = line?;
        if line.is_empty() {
            break;
        }
        request.push(line);
    }
    let body = format!("{peer}\n");
    let shown = if request
        .first()
        .is_some_and(|line| line.starts_with("HEAD "))
    {
        ""
    } else {
        &body
    };
    let length = body.len();
    stream.write_all(
        format!(
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\n\
             X-Local: {local}\r\nConnection: close\r\n\r\n{shown}"
        )
        .as_bytes(),
    )
}

fn raw(mut stream: TcpStream, peer: IpAddr, local: IpAddr) -> io::Result<()> {
    stream.write_all(format!("{peer} {local}\n").as_bytes())?;
    io::copy(&mut stream.try_clone()?, &mut stream).map(drop)
}

fn datagrams(socket: &UdpSocket, local: IpAddr, log: &File) -> io::Result<()> {
    let mut buffer = vec![0; 65_536];
    loop {
        // An error here is the ICMP answer to an earlier reply of ours.
        let Ok((length, peer)) = socket.recv_from(&mut buffer) else {
            continue;
        };
        write_down(
            log,
            "udp",
            RAW,
            peer,
            local,
            &buffer[..length].escape_ascii().to_string(),
        )?;
        let _ = socket.send_to(peer.ip().to_canonical().to_string().as_bytes(), peer);
    }
}

/// One line with one `write`, so that lines of different threads do not mix.
fn write_down(
    mut log: &File,
    protocol: &str,
    port: u16,
    peer: SocketAddr,
    local: IpAddr,
    payload: &str,
) -> io::Result<()> {
    let from = peer.ip().to_canonical();
    let line = format!(
        "{protocol} {port} {from} {} {local} {payload}\n",
        peer.port()
    );
    log.write_all(line.as_bytes())
}
