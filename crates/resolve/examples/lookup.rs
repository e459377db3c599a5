//! `lookup COUNT SERVER NAME…`: resolves the names COUNT times, for `strace -c` and callgrind.
//! The difference between two counts is the price of the look-ups without start-up.

use std::net::SocketAddr;

use mif_policy::Families;
use mif_resolve::order::Selection;
use mif_resolve::{Ask, InTheClear, Patience, Plan, Way, lookup};

fn main() {
    let mut words = std::env::args().skip(1);
    let mut word = || words.next().expect("usage: lookup COUNT SERVER NAME…");
    let count: usize = word().parse().expect("COUNT is a number");
    let server: SocketAddr = word().parse().expect("SERVER is ADDRESS:PORT");
    let servers = [server.into()];
    let names: Vec<_> = words.collect();
    let plan = Plan {
        servers: &servers,
        secure: &InTheClear,
        search: &[],
        zones: &[],
        way: &|_| Way::Host,
        families: Families::Any,
        ask: Ask::Both,
        selection: Selection::default(),
        patience: Patience::default(),
        stop: None,
    };
    for name in &names {
        let mut last = None;
        for _ in 0..count {
            last = Some(lookup(name, &plan));
        }
        println!("{name}: {last:?}");
    }
}
