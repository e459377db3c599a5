//! The host's own addresses: a table of atomic words behind a sequence lock that nobody waits for.
//!
//! A reader who finds the table being written (perhaps by the very thread it interrupted) or
//! overflowing asks the kernel instead.

use std::fmt;
use std::net::IpAddr;
use std::ops::Deref;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence};

use rustix::io::Errno;

use crate::FRESH;
use crate::netlink::{Address, Netlink};

/// Addresses that are kept; with more than these each look-up asks the kernel.
const CAPACITY: usize = 1024;
/// How often a reader looks again before it asks the kernel.
const ATTEMPTS: usize = 4;
/// Words of the filter: of a hundred foreign addresses it lets one through on a host with ten.
const WORDS: usize = 16;

pub(crate) struct Addresses {
    entries: Table,
    /// Entries in use; above `CAPACITY` the table is not the whole.
    count: AtomicUsize,
    /// Odd while the table is being written.
    sequence: AtomicU32,
    /// When the table was read, 0 for never.
    read_at: AtomicU64,
    /// Stands for all that was read, in any order and beyond `CAPACITY` too; 0 for nothing.
    fingerprint: AtomicU64,
    /// A bit for each of the addresses, also beyond `CAPACITY`. Most destinations are foreign, and
    /// told from own ones here, without the table. Each word is that of a whole reading.
    filter: [AtomicU64; WORDS],
}

/// The table is being written, or is not the whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Unsure;

/// Room for the addresses, which is there before the first call needs it. Most processes never do, and
/// the first table of a process is memory that nobody has written to: it costs them nothing.
enum Table {
    First(&'static [Entry; CAPACITY]),
    Further(Box<[Entry]>),
}

static FIRST: [Entry; CAPACITY] = [const { Entry::new() }; CAPACITY];
static FIRST_IS_TAKEN: AtomicBool = AtomicBool::new(false);

struct Entry {
    high: AtomicU64,
    low: AtomicU64,
    index: AtomicU32,
}

impl Addresses {
    pub(crate) fn new() -> Self {
        Self {
            entries: Table::take(),
            count: AtomicUsize::new(0),
            sequence: AtomicU32::new(0),
            read_at: AtomicU64::new(0),
            fingerprint: AtomicU64::new(0),
            filter: [const { AtomicU64::new(0) }; WORDS],
        }
    }

    pub(crate) fn forget(&self) {
        self.read_at.store(0, Ordering::Release);
    }

    /// When the table was read, 0 for never.
    pub(crate) fn read_at(&self) -> u64 {
        self.read_at.load(Ordering::Acquire)
    }

    /// Whether the last reading certainly had no such address.
    #[inline]
    pub(crate) fn is_foreign(&self, address: IpAddr) -> bool {
        let (word, bit) = place(address);
        self.filter[word].load(Ordering::Relaxed) & bit == 0
    }

    /// The index of the interface that has `address`.
    #[inline]
    pub(crate) fn owner(&self, address: IpAddr, now: u64) -> Option<u32> {
        if now.wrapping_sub(self.read_at.load(Ordering::Acquire)) < FRESH {
            if self.is_foreign(address) {
                return None;
            }
            if let Ok(answer) = self.find(address) {
                return answer;
            }
        }
        self.ask(address, now)
    }

    #[cold]
    fn ask(&self, address: IpAddr, now: u64) -> Option<u32> {
        let mut owner = None;
        let netlink = Netlink::open().ok()?;
        let note = &mut |own: Address| {
            if own.ip == address {
                owner = Some(own.index);
            }
        };
        // An answer that broke off says no more than one that was never given.
        let _ = self.read(&netlink, now, note);
        owner
    }

    /// A word that changes with the host's addresses, the interfaces that have them, and whether
    /// they can be used; 0 where the kernel does not tell.
    pub(crate) fn fingerprint(&self, now: u64) -> u64 {
        if now.wrapping_sub(self.read_at.load(Ordering::Acquire)) >= FRESH {
            let read = Netlink::open().and_then(|netlink| self.read(&netlink, now, &mut |_| {}));
            if read.is_err() {
                return 0;
            }
        }
        self.fingerprint.load(Ordering::Acquire)
    }

    /// Reads all addresses from the kernel into the table, telling each.
    ///
    /// # Errors
    /// The kernel's; the table is then as if never read.
    pub(crate) fn read(
        &self,
        netlink: &Netlink,
        now: u64,
        tell: &mut dyn FnMut(Address),
    ) -> Result<(), Errno> {
        let sequence = self.sequence.load(Ordering::Relaxed);
        let ours = sequence & 1 == 0
            && self
                .sequence
                .compare_exchange(sequence, sequence + 1, Ordering::Acquire, Ordering::Relaxed)
                .is_ok();
        if !ours {
            return netlink.addresses(tell);
        }
        fence(Ordering::Release);
        let mut count = 0;
        let mut fingerprint: u64 = 0;
        let mut filter = [0; WORDS];
        let result = netlink.addresses(|address| {
            if let Some(entry) = self.entries.get(count) {
                entry.store(address);
            }
            count += 1;
            fingerprint = fingerprint.wrapping_add(mixed(address));
            let (word, bit) = place(address.ip);
            filter[word] |= bit;
            tell(address);
        });
        // A host without addresses is one state, too.
        let fingerprint = if result.is_ok() {
            fingerprint.max(1)
        } else {
            0
        };
        self.fingerprint.store(fingerprint, Ordering::Release);
        if result.is_ok() {
            for (word, bits) in self.filter.iter().zip(filter) {
                word.store(bits, Ordering::Relaxed);
            }
        }
        self.count.store(
            if result.is_ok() { count } else { usize::MAX },
            Ordering::Relaxed,
        );
        self.sequence
            .store(sequence.wrapping_add(2), Ordering::Release);
        self.read_at
            .store(if result.is_ok() { now } else { 0 }, Ordering::Release);
        result
    }

    /// The owner as the table has it.
    #[cold]
    fn find(&self, address: IpAddr) -> Result<Option<u32>, Unsure> {
        let (high, low) = words(address);
        for _ in 0..ATTEMPTS {
            let before = self.sequence.load(Ordering::Acquire);
            if before & 1 != 0 {
                continue;
            }
            let count = self.count.load(Ordering::Relaxed);
            let found = self
                .entries
                .iter()
                .take(count)
                .find(|entry| {
                    entry.low.load(Ordering::Relaxed) == low
                        && entry.high.load(Ordering::Relaxed) == high
                })
                .map(|entry| entry.index.load(Ordering::Relaxed));
            fence(Ordering::Acquire);
            if self.sequence.load(Ordering::Relaxed) == before {
                let whole = count <= CAPACITY;
                return if found.is_some() || whole {
                    Ok(found)
                } else {
                    Err(Unsure)
                };
            }
        }
        Err(Unsure)
    }
}

impl Table {
    fn take() -> Self {
        if FIRST_IS_TAKEN.swap(true, Ordering::Relaxed) {
            Self::Further((0..CAPACITY).map(|_| Entry::new()).collect())
        } else {
            Self::First(&FIRST)
        }
    }
}

impl Deref for Table {
    type Target = [Entry];

    #[inline]
    fn deref(&self) -> &[Entry] {
        match self {
            Self::First(entries) => *entries,
            Self::Further(entries) => entries,
        }
    }
}

impl Entry {
    const fn new() -> Self {
        Self {
            high: AtomicU64::new(0),
            low: AtomicU64::new(0),
            index: AtomicU32::new(0),
        }
    }

    fn store(&self, address: Address) {
        let (high, low) = words(address.ip);
        self.high.store(high, Ordering::Relaxed);
        self.low.store(low, Ordering::Relaxed);
        self.index.store(address.index, Ordering::Relaxed);
    }
}

/// The bits of an address well spread (the finalizer of `SplitMix64`), so that a sum of several
/// tells sets apart.
fn mixed(address: Address) -> u64 {
    let (high, low) = words(address.ip);
    let last = u64::from(address.index) << 1 | u64::from(address.preferred);
    [high, low, last].into_iter().fold(0, |sum: u64, word| {
        let mut word = (sum ^ word).wrapping_add(0x9e37_79b9_7f4a_7c15);
        word = (word ^ word >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ word >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ word >> 31
    })
}

/// Where an address is in the filter: a word, and its bit.
#[inline]
fn place(address: IpAddr) -> (usize, u64) {
    let bits = match address {
        // As it lies in memory, which costs no turning round.
        IpAddr::V4(v4) => u64::from(u32::from_ne_bytes(v4.octets())),
        IpAddr::V6(_) => {
            let (high, low) = words(address);
            high ^ low
        }
    };
    let mixed = bits.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    ((mixed >> 60) as usize % WORDS, 1 << (mixed >> 54 & 63))
}

/// An address as two words, IPv4 as its v4-mapped form.
#[inline]
fn words(address: IpAddr) -> (u64, u64) {
    // Written out: the compiler does not see through the sixteen bytes of the mapped form.
    let bits = match address {
        IpAddr::V4(v4) => 0xffff_0000_0000 | u128::from(u32::from(v4)),
        IpAddr::V6(v6) => u128::from(v6),
    };
    #[allow(clippy::cast_possible_truncation)] // The low half.
    ((bits >> 64) as u64, bits as u64)
}

impl fmt::Debug for Addresses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Addresses")
            .field("count", &self.count)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 10 * FRESH;

    #[test]
    fn loopback_is_the_hosts_own_and_a_documentation_address_is_not() {
        let addresses = Addresses::new();
        let lo = addresses.owner("127.0.0.1".parse().unwrap(), NOW);
        assert!(lo.is_some());
        assert_eq!(addresses.find("127.0.0.1".parse().unwrap()), Ok(lo));
        assert_eq!(addresses.find("192.0.2.1".parse().unwrap()), Ok(None));
    }

    #[test]
    fn the_fingerprint_is_of_the_addresses_and_not_of_the_reading() {
        let addresses = Addresses::new();
        let first = addresses.fingerprint(NOW);
        assert_ne!(first, 0);
        assert_eq!(addresses.fingerprint(NOW), first);
        assert_eq!(Addresses::new().fingerprint(NOW), first);
        let address = Address {
            ip: "192.0.2.1".parse().unwrap(),
            index: 2,
            preferred: true,
        };
        let others = [
            Address {
                ip: "192.0.2.2".parse().unwrap(),
                ..address
            },
            Address {
                index: 3,
                ..address
            },
            Address {
                preferred: false,
                ..address
            },
        ];
        for other in others {
            assert_ne!(mixed(address), mixed(other), "{other:?}");
        }
    }

    #[test]
    fn a_table_being_written_is_not_waited_for() {
        let addresses = Addresses::new();
        addresses.owner("127.0.0.1".parse().unwrap(), NOW);
        addresses.sequence.fetch_add(1, Ordering::SeqCst);
        assert_eq!(addresses.find("127.0.0.1".parse().unwrap()), Err(Unsure));
        assert!(
            addresses.owner("127.0.0.1".parse().unwrap(), NOW).is_some(),
            "asks the kernel"
        );
    }

    #[test]
    fn an_overflowing_table_answers_only_what_it_has() {
        let addresses = Addresses::new();
        addresses.owner("127.0.0.1".parse().unwrap(), NOW);
        addresses.count.store(CAPACITY + 1, Ordering::SeqCst);
        assert!(matches!(
            addresses.find("127.0.0.1".parse().unwrap()),
            Ok(Some(_))
        ));
        assert_eq!(addresses.find("192.0.2.1".parse().unwrap()), Err(Unsure));
    }
}
