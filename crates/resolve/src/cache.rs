//! Answers that are still good, kept in the process: a bounded table by network, name and family.
//!
//! What is kept holds as long as the servers said, positive answers by their time to live and
//! negative ones by their SOA record (RFC 2308), and never failures. An answer is only good for
//! the addresses that the host had when it was made, because they decided its order.
//!
//! No lock is ever waited for: a child of `fork` may inherit one that another thread of its parent
//! held, and then does without what it guards. Readers share the locks, so that many threads which
//! ask for one name do not send each other to the servers.
//!
//! There is deliberately no thread that clears up, no file, and nothing shared between processes.

use std::time::{Duration, Instant};

use mif_policy::{Families, Prefer, PvdId, Row, Server, Zone};
use parking_lot::RwLock;

use crate::{Answer, Ask, Failure, Plan, lookup_for};

/// Rows, each with a lock of its own; a name has its row by its hash.
const ROWS: usize = 32;
/// Answers in a row.
const ROW: usize = 8;
/// No answer is kept for longer, in seconds.
const LONGEST: u32 = 3600;
/// An answer with more addresses is not kept, to bound the memory.
const MOST: usize = 128;

/// The answers of one process. Empty, it costs nothing.
#[derive(Debug)]
pub struct Cache {
    rows: [RwLock<Vec<Entry>>; ROWS],
}

/// For what an answer was given, beside what the [`Plan`] says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scope {
    /// The provisioning domain; none where the host's own routing is used.
    pub pvd: Option<PvdId>,
    /// The index of its interface, which a name may lose to another interface.
    pub index: u32,
    /// Stands for the addresses that the host has; 0 where they are not known, and then nothing is
    /// kept.
    pub addresses: u64,
}

#[derive(Debug)]
struct Entry {
    hash: u32,
    name: Box<str>,
    scope: Scope,
    families: Families,
    ask: Ask,
    servers: Box<[Server]>,
    search: Box<[Box<str>]>,
    zones: Box<[Zone]>,
    table: Box<[Row]>,
    prefer: Option<Prefer>,
    result: Result<Answer, Failure>,
    until: Instant,
}

impl Default for Cache {
    fn default() -> Self {
        Self::new()
    }
}

impl Cache {
    /// An empty one.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            rows: [const { RwLock::new(Vec::new()) }; ROWS],
        }
    }

    /// As [`lookup`](crate::lookup), from memory where that is as good.
    ///
    /// # Errors
    /// As [`lookup`](crate::lookup).
    pub fn lookup(&self, name: &str, plan: &Plan<'_>, scope: Scope) -> Result<Answer, Failure> {
        if scope.addresses == 0 {
            return crate::lookup(name, plan);
        }
        let hash = hash(name);
        let row = &self.rows[hash as usize % ROWS];
        if let Some(entries) = row.try_read() {
            let now = Instant::now();
            let good = |entry: &&Entry| entry.answers(hash, name, plan, scope) && entry.until > now;
            if let Some(entry) = entries.iter().find(good) {
                return entry.result.clone();
            }
        }
        let mut ttl = 0;
        let result = lookup_for(name, plan, &mut ttl);
        let size = result.as_ref().map_or(0, |answer| answer.addresses.len());
        if ttl > 0 && size <= MOST {
            let entry = Entry {
                hash,
                name: name.into(),
                scope,
                families: plan.families,
                ask: plan.ask,
                servers: plan.servers.into(),
                search: plan.search.into(),
                zones: plan.zones.into(),
                table: plan.selection.table.into(),
                prefer: plan.selection.prefer,
                result: result.clone(),
                until: Instant::now() + Duration::from_secs(ttl.min(LONGEST).into()),
            };
            // Freed behind the lock.
            let _old = row.try_write().map(|mut row| store(&mut row, entry, plan));
        }
        result
    }
}

impl Entry {
    fn answers(&self, hash: u32, name: &str, plan: &Plan<'_>, scope: Scope) -> bool {
        self.hash == hash
            && self.scope == scope
            && self.ask == plan.ask
            && self.families == plan.families
            && *self.name == *name
            && *self.servers == *plan.servers
            && *self.search == *plan.search
            && *self.zones == *plan.zones
            && *self.table == *plan.selection.table
            && self.prefer == plan.selection.prefer
    }
}

/// Puts an entry into a full row in the place of what is of least use: one for the same question,
/// one that was made for other addresses of the host, or the one that ends first.
fn store(row: &mut Vec<Entry>, entry: Entry, plan: &Plan<'_>) -> Option<Entry> {
    let same = row
        .iter()
        .position(|old| old.answers(entry.hash, &entry.name, plan, entry.scope));
    let place = match same {
        None if row.len() < ROW => {
            row.reserve_exact(ROW - row.len());
            row.push(entry);
            return None;
        }
        Some(place) => place,
        None => {
            let use_of = |old: &Entry| (old.scope.addresses == entry.scope.addresses, old.until);
            let least = row.iter().enumerate().min_by_key(|(_, old)| use_of(old));
            least.map_or(0, |(place, _)| place)
        }
    };
    Some(std::mem::replace(&mut row[place], entry))
}

/// FNV-1a. Whoever makes names collide takes the places of one row, no more.
fn hash(name: &str) -> u32 {
    name.bytes().fold(0x811c_9dc5, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    })
}
