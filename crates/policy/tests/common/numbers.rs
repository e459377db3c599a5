//! Numbers for tests that try many cases.

use std::fmt::Debug;

/// The same numbers in every run: xorshift64 (Marsaglia 2003).
pub(crate) struct Numbers(pub(crate) u64);

impl Numbers {
    /// A number below `end`.
    pub(crate) fn below<T: TryFrom<u32, Error: Debug>>(&mut self, end: u32) -> T {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        let number = u32::try_from(self.0 >> 33).unwrap();
        T::try_from(number % end).unwrap()
    }
}
