//! Key groups: the unit in which keyed state is owned, moved and stored.
//!
//! A key hashes to 64 bits and from there to one of `max_parallelism` key groups, which is fixed
//! for the life of a job. **The hash is xxh3-64 (seed 0) of the key's postcard encoding**:
//! specified, portable, and pinned by test vectors below, as checkpoints depend on it. Bits 20..52
//! choose the key group; hash tables use the others, so that the keys of one group still spread.

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use crate::record::Key;

/// The default number of key groups of a job.
pub const DEFAULT_MAX_PARALLELISM: u16 = 1024;

/// The number of one key group, `0..max_parallelism`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct KeyGroup(pub u16);

impl KeyGroup {
    /// The key group that a key hash belongs to.
    pub fn of(hash: u64, max_parallelism: u16) -> KeyGroup {
        let bits = (hash >> 20) & 0xffff_ffff;
        KeyGroup(((bits * u64::from(max_parallelism)) >> 32) as u16)
    }

    /// The worker that owns this key group when `workers` share all groups in equal ranges.
    pub fn worker(self, workers: usize, max_parallelism: u16) -> usize {
        usize::from(self.0) * workers / usize::from(max_parallelism)
    }
}

/// A contiguous range of key groups, `start..end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyGroupRange {
    /// First group.
    pub start: u16,
    /// One past the last group.
    pub end: u16,
    /// Number of groups of the job.
    pub max_parallelism: u16,
}

impl KeyGroupRange {
    /// All key groups.
    pub const fn all(max_parallelism: u16) -> Self {
        KeyGroupRange { start: 0, end: max_parallelism, max_parallelism }
    }

    /// The range that worker `index` of `workers` owns.
    pub fn of_worker(index: usize, workers: usize, max_parallelism: u16) -> Self {
        let bound = |i: usize| (i * usize::from(max_parallelism)).div_ceil(workers) as u16;
        KeyGroupRange { start: bound(index), end: bound(index + 1), max_parallelism }
    }

    /// Whether the group lies in this range.
    pub fn contains(&self, group: KeyGroup) -> bool {
        (self.start..self.end).contains(&group.0)
    }

    /// Number of groups in this range.
    pub fn len(&self) -> usize {
        usize::from(self.end - self.start)
    }

    /// Whether the range holds no group.
    pub fn is_empty(&self) -> bool {
        self.start == self.end
    }
}

/// The specified, portable hash of a key.
pub fn hash_key<K: Serialize>(key: &K) -> u64 {
    let mut stack = [0u8; 64];
    match postcard::to_slice(key, &mut stack) {
        Ok(bytes) => xxh3_64(bytes),
        Err(_) => hash_long_key(key),
    }
}

#[cold]
#[expect(
    clippy::panic,
    reason = "a key whose Serialize fails cannot be placed; the caller reports"
)]
fn hash_long_key<K: Serialize>(key: &K) -> u64 {
    match postcard::to_allocvec(key) {
        Ok(bytes) => xxh3_64(&bytes),
        Err(e) => panic!("key cannot be serialized: {e}"),
    }
}

/// A record with its key and the key's hash, which is computed once, before the exchange.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Keyed<K, T> {
    /// [`hash_key`] of the key.
    pub hash: u64,
    /// The key.
    pub key: K,
    /// The record.
    pub value: T,
}

impl<K: Key, T> Keyed<K, T> {
    /// Pairs a record with its key.
    pub fn new(key: K, value: T) -> Self {
        Keyed { hash: hash_key(&key), key, value }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hash_is_pinned() {
        // Changing any of these breaks every checkpoint in the world.
        assert_eq!(hash_key(&0u64), xxh3_64(&[0]));
        assert_eq!(hash_key(&300u64), xxh3_64(&[0xac, 0x02]));
        assert_eq!(hash_key(&"abc".to_string()), xxh3_64(b"\x03abc"));
        assert_eq!(hash_key(&("a".repeat(100), 7u8)), {
            let mut bytes = vec![100u8];
            bytes.extend([b'a'; 100]);
            bytes.push(7);
            xxh3_64(&bytes)
        });
        assert_eq!(xxh3_64(b"headwater"), 12_101_969_290_544_522_905);
        assert_eq!(KeyGroup::of(12_101_969_290_544_522_905, 1024), KeyGroup(PIN));
    }
    const PIN: u16 = 181;

    #[test]
    fn every_group_has_exactly_one_owner() {
        for max in [1u16, 7, 128, 1024] {
            for workers in 1..=9usize {
                let mut owned = 0;
                for w in 0..workers {
                    let range = KeyGroupRange::of_worker(w, workers, max);
                    owned += range.len();
                    for g in range.start..range.end {
                        assert_eq!(
                            KeyGroup(g).worker(workers, max),
                            w,
                            "{g} of {max} on {workers}"
                        );
                    }
                }
                assert_eq!(owned, usize::from(max));
            }
        }
    }

    #[test]
    fn keys_spread_over_groups() {
        let mut seen = vec![0u32; 1024];
        for k in 0..100_000u64 {
            seen[usize::from(KeyGroup::of(hash_key(&k), 1024).0)] += 1;
        }
        assert!(seen.iter().all(|&n| (50..160).contains(&n)), "{:?}", seen.iter().minmax());
    }

    trait MinMax {
        fn minmax(self) -> (u32, u32);
    }
    impl<'a, I: Iterator<Item = &'a u32> + Clone> MinMax for I {
        fn minmax(self) -> (u32, u32) {
            (self.clone().copied().min().unwrap_or(0), self.copied().max().unwrap_or(0))
        }
    }
}
