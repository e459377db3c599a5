//! A DNS server on 127.0.0.1, over UDP and TCP on one port, that says what a test wants it to.
#![allow(dead_code, reason = "each test binary uses its own part of it")]

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use hickory_proto::op::{Message, MessageType, ResponseCode};
use hickory_proto::rr::rdata::{A, AAAA, CNAME, PTR, SOA};
use hickory_proto::rr::{Name, RData, Record, RecordType};
use mif_policy::Families;
use mif_resolve::order::Selection;
use mif_resolve::{Ask, InTheClear, Patience, Plan, Way};

/// Asks these servers for IPv4 addresses and orders nothing.
pub(crate) fn plan(servers: &[mif_policy::Server]) -> Plan<'_> {
    Plan {
        servers,
        secure: &InTheClear,
        search: &[],
        zones: &[],
        way: &|_| Way::Closed,
        selection: Selection::default(),
        families: Families::Any,
        ask: Ask::V4,
        patience: Patience::default(),
        stop: None,
    }
}

/// One question as the server saw it.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// The whole query.
    pub(crate) query: Message,
    /// It came over TCP.
    pub(crate) tcp: bool,
    /// The port it came from.
    pub(crate) port: u16,
}

impl Asked {
    /// `who.test. A`, with `edns` and `tcp` behind it where it had them.
    pub(crate) fn text(&self) -> String {
        let question = &self.query.queries[0];
        let edns = if self.query.edns.is_some() {
            " edns"
        } else {
            ""
        };
        let tcp = if self.tcp { " tcp" } else { "" };
        format!("{} {}{edns}{tcp}", question.name(), question.query_type())
    }

    pub(crate) fn wants(&self, name: &str, kind: RecordType) -> bool {
        let question = &self.query.queries[0];
        *question.name() == Name::from_ascii(name).unwrap() && question.query_type() == kind
    }

    /// A reply with the records of `zone`, lines such as `who.test. A 192.0.2.1`, that the name
    /// and type asked for lead to; an alias stands before its target.
    pub(crate) fn by_zone(&self, zone: &[&str]) -> Vec<Vec<u8>> {
        let mut reply = self.reply(ResponseCode::NXDomain);
        let mut name = self.query.queries[0].name().clone();
        let wanted = self.query.queries[0].query_type().to_string();
        for line in zone {
            let mut words = line.split(' ');
            let (owner, kind) = (words.next().unwrap(), words.next().unwrap());
            if Name::from_ascii(owner).unwrap() != name {
                continue;
            }
            reply.metadata.response_code = ResponseCode::NoError;
            if kind == wanted || kind == "CNAME" {
                let record = record(owner, kind, words.next().unwrap());
                if let RData::CNAME(target) = &record.data {
                    name = target.0.clone();
                }
                reply.add_answer(record);
            }
        }
        vec![reply.to_vec().unwrap()]
    }

    /// A reply with this code and nothing else.
    pub(crate) fn code(&self, code: ResponseCode) -> Vec<Vec<u8>> {
        vec![self.reply(code).to_vec().unwrap()]
    }

    /// The same with the question repeated, to be filled.
    pub(crate) fn reply(&self, code: ResponseCode) -> Message {
        let id = self.query.metadata.id;
        let mut reply = Message::new(id, MessageType::Response, self.query.metadata.op_code);
        reply.metadata.response_code = code;
        reply.metadata.recursion_available = true;
        reply.add_query(self.query.queries[0].clone());
        reply
    }
}

/// A record from words.
pub(crate) fn record(owner: &str, kind: &str, data: &str) -> Record {
    let data = match kind {
        "A" => RData::A(A(data.parse().unwrap())),
        "AAAA" => RData::AAAA(AAAA(data.parse().unwrap())),
        "PTR" => RData::PTR(PTR(Name::from_ascii(data).unwrap())),
        "CNAME" => RData::CNAME(CNAME(Name::from_ascii(data).unwrap())),
        "SOA" => RData::SOA(SOA::new(
            Name::from_ascii(data).unwrap(),
            Name::from_ascii(data).unwrap(),
            1,
            60,
            60,
            60,
            60,
        )),
        _ => panic!("{kind}"),
    };
    Record::from_rdata(Name::from_ascii(owner).unwrap(), 60, data)
}

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Server {
    /// A server that sends what `answer` returns, messages as they are on the wire without the
    /// length in front.
    pub(crate) fn start(answer: impl Fn(&Asked) -> Vec<Vec<u8>> + Send + Sync + 'static) -> Self {
        let (udp, tcp) = one_port();
        let address = udp.local_addr().unwrap();
        let (asked, stop) = (
            Arc::new(Mutex::new(Vec::new())),
            Arc::new(AtomicBool::new(false)),
        );
        let answer = Arc::new(answer);
        let hear = {
            let (asked, answer) = (asked.clone(), answer.clone());
            move |bytes: &[u8], tcp, port| {
                let query = Message::from_vec(bytes).unwrap();
                let one = Asked { query, tcp, port };
                asked.lock().unwrap().push(one.clone());
                answer(&one)
            }
        };
        let by_udp = {
            let (stop, hear) = (stop.clone(), hear.clone());
            std::thread::spawn(move || {
                let mut buffer = [0; 4096];
                while let Ok((length, from)) = udp.recv_from(&mut buffer) {
                    if stop.load(Ordering::SeqCst) {
                        break;
                    }
                    for reply in hear(&buffer[..length], false, from.port()) {
                        let _ = udp.send_to(&reply, from);
                    }
                }
            })
        };
        let by_tcp = {
            let stop = stop.clone();
            std::thread::spawn(move || {
                while let Ok((mut stream, from)) = tcp.accept() {
                    if stop.load(Ordering::SeqCst) {
                        break;
                    }
                    let _ = serve(&mut stream, |query| hear(query, true, from.port()));
                }
            })
        };
        Self {
            address,
            asked,
            stop,
            threads: vec![by_udp, by_tcp],
        }
    }

    /// A server with a zone; names that are not in it do not exist.
    pub(crate) fn with_zone(zone: &'static [&'static str]) -> Self {
        Self::start(move |asked| asked.by_zone(zone))
    }

    /// What it was asked, in order.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// The same as text.
    pub(crate) fn texts(&self) -> Vec<String> {
        self.asked().iter().map(Asked::text).collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        let here = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        here.send_to(b"stop", self.address).unwrap();
        drop(TcpStream::connect(self.address));
        for thread in self.threads.drain(..) {
            let ended = thread.join();
            assert!(
                ended.is_ok() || std::thread::panicking(),
                "the fake server panicked"
            );
        }
    }
}

/// UDP and TCP have their own ports, so a free one of UDP may be taken in TCP.
fn one_port() -> (UdpSocket, TcpListener) {
    for _ in 0..100 {
        let udp = UdpSocket::bind((IpAddr::V4(Ipv4Addr::LOCALHOST), 0)).unwrap();
        if let Ok(tcp) = TcpListener::bind(udp.local_addr().unwrap()) {
            return (udp, tcp);
        }
    }
    panic!("no port is free in both UDP and TCP");
}

fn serve(stream: &mut TcpStream, hear: impl Fn(&[u8]) -> Vec<Vec<u8>>) -> io::Result<()> {
    let mut length = [0; 2];
    stream.read_exact(&mut length)?;
    let mut query = vec![0; usize::from(u16::from_be_bytes(length))];
    stream.read_exact(&mut query)?;
    for reply in hear(&query) {
        stream.write_all(&u16::try_from(reply.len()).unwrap().to_be_bytes())?;
        stream.write_all(&reply)?;
    }
    Ok(())
}
