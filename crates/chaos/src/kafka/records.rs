//! What is in the topics.
//!
//! A key belongs to one partition of the input, so the order of its records is that of the
//! partition, and each running total is determined. Event times rise by disorder of up to
//! [`BOUND_MS`]; some records are later than that, by their own partition's watermark.

use headwater_connect::generator::SplitMix64;
use serde::{Deserialize, Serialize};

/// Partitions of each topic.
pub const PARTITIONS: i32 = 4;
/// Number of keys.
pub const KEYS: u32 = 400;
/// Out-of-orderness that the watermarks allow for.
pub const BOUND_MS: i64 = 200;
/// Size of the windows.
pub const WINDOW_MS: i64 = 1_000;
/// Event time of the first records: a multiple of the window size.
const START_MS: i64 = 1_700_000_000_000;
/// How far ahead the last record of each partition is: all windows before it end.
const LAST_MS: i64 = 3_600_000;

/// A record of the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Payment {
    /// Partition that it is in.
    pub partition: i32,
    /// Number within the partition.
    pub seq: u64,
    /// Key.
    pub key: u32,
    /// Something to add up.
    pub amount: i64,
    /// Event time in milliseconds.
    pub time: i64,
}

/// The running total of a key after one of its records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TotalRow {
    /// Key.
    pub key: u32,
    /// How many records of the key there are so far.
    pub count: u64,
    /// Sum of their amounts.
    pub sum: i64,
    /// Number of the last of them within its partition.
    pub seq: u64,
}

/// A window of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WindowRow {
    /// Key.
    pub key: u32,
    /// First millisecond.
    pub start: i64,
    /// Records in it.
    pub count: u64,
    /// Sum of their amounts.
    pub sum: i64,
}

/// The record of that number in a partition that gets `per_second` of them.
pub fn payment(seed: u64, partition: i32, seq: u64, per_second: f64) -> Payment {
    let mut rng = SplitMix64::of_record(seed, seq * PARTITIONS as u64 + partition as u64);
    let disorder = match rng.below(100) {
        0 => BOUND_MS + rng.below(1_500) as i64,
        1 => BOUND_MS + rng.below(3) as i64,
        _ => rng.below(BOUND_MS as u64) as i64,
    };
    let on_time = START_MS + (seq as f64 * 1_000.0 / per_second) as i64;
    let key = rng.below(u64::from(KEYS) / PARTITIONS as u64) as u32 * PARTITIONS as u32;
    Payment {
        partition,
        seq,
        key: key + partition as u32,
        amount: rng.below(1_000) as i64 - 200,
        time: on_time - disorder,
    }
}

/// The last record of a partition, after which all windows of others have ended.
pub fn last_payment(partition: i32, seq: u64, longest: u64, per_second: f64) -> Payment {
    let time = START_MS + LAST_MS + (longest as f64 * 1_000.0 / per_second) as i64;
    Payment { partition, seq, key: KEYS + partition as u32, amount: 0, time }
}
