//! Servers that misbehave: no replies, the reason in words, in bounded time, and no signal.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use mif_tls::{Request, exchange};

/// Serves one connection as `serve` has it, and returns why there are no replies over it.
fn failure(path: Option<&str>, serve: impl FnOnce(TcpStream) + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let connection = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let server = thread::spawn(move || serve(listener.accept().unwrap().0));
    let replies = exchange(Request {
        connection: connection.into(),
        name: "dns.example",
        path,
        messages: vec![vec![0; 12]],
        patience: Duration::from_millis(300),
    });
    server.join().unwrap();
    replies.unwrap_err().to_string()
}

#[test]
fn whatever_a_server_does_it_ends() {
    for path in [None, Some("/dns-query")] {
        let start = Instant::now();
        let silent = failure(path, |mut server| {
            let _ = server.read_to_end(&mut Vec::new());
        });
        assert_eq!(silent, "no answer in time");
        for (what, serve) in [
            ("closes", (|_| {}) as fn(TcpStream)),
            ("closes when it has read", |mut server| {
                let _ = server.read(&mut [0; 64]);
            }),
            ("reads no more", |server| {
                server.shutdown(Shutdown::Read).unwrap();
            }),
            ("says something else", |mut server| {
                let _ = server.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
                let _ = server.read_to_end(&mut Vec::new());
            }),
            ("sends a record that has no end", |mut server| {
                let _ = server.write_all(&[0x16, 3, 3, 0xff, 0xff]);
                let _ = server.write_all(&vec![0; 0xffff]);
                let _ = server.read_to_end(&mut Vec::new());
            }),
        ] {
            let why = failure(path, serve);
            assert!(
                !why.is_empty() && why != "no answer in time",
                "{what}: {why}"
            );
        }
        assert!(start.elapsed() < Duration::from_secs(5));
    }
}

#[test]
fn a_name_that_no_certificate_can_have_is_said() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let connection = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let why = exchange(Request {
        connection: connection.into(),
        name: "not a name",
        path: None,
        messages: Vec::new(),
        patience: Duration::from_secs(1),
    });
    assert!(why.unwrap_err().to_string().contains("dns name"));
}
