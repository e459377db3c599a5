//! What is remembered of things that come and go without a word: the newest, in a bounded map of two
//! generations.

use std::collections::HashMap;
use std::hash::Hash;

/// Things of one generation; two are kept.
const GENERATION: usize = 32 * 1024;

/// A map that forgets the oldest.
#[derive(Debug)]
pub(crate) struct Recent<K, V> {
    young: HashMap<K, V>,
    old: HashMap<K, V>,
}

impl<K: Eq + Hash, V> Recent<K, V> {
    pub(crate) fn get(&self, key: &K) -> Option<&V> {
        self.young.get(key).or_else(|| self.old.get(key))
    }

    pub(crate) fn set(&mut self, key: K, value: V) {
        if self.young.len() >= GENERATION {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key, value);
    }

    pub(crate) fn remove(&mut self, key: &K) {
        self.young.remove(key);
        self.old.remove(key);
    }
}

impl<K, V> Default for Recent<K, V> {
    fn default() -> Self {
        Self {
            young: HashMap::new(),
            old: HashMap::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_generation_is_remembered() {
        let mut recent = Recent::default();
        let count = 3 * GENERATION;
        for key in 1..=count {
            recent.set(key, key);
        }
        for kept in [count, count - GENERATION + 1] {
            assert_eq!(recent.get(&kept), Some(&kept));
        }
        assert_eq!(recent.get(&1), None);
        assert!(recent.young.len() + recent.old.len() <= 2 * GENERATION);
        recent.remove(&count);
        assert_eq!(recent.get(&count), None);
    }
}
