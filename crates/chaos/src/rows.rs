//! What the job writes: one type of row per sink.
//!
//! Each row has an identity, under which it must appear once, and the rest, which must be right.

use serde::{Deserialize, Serialize};

/// A record that could be read: a row of the echo, and of the late records.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reading {
    /// Number of the record.
    pub n: u64,
    /// Split it came from.
    pub lane: u8,
    /// Key.
    pub key: u32,
    /// Event time in milliseconds.
    pub time: i64,
    /// Something to add up.
    pub amount: i64,
}

/// A tumbling window of a key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WindowRow {
    /// Key.
    pub key: u32,
    /// First millisecond.
    pub start: i64,
    /// First millisecond after.
    pub end: i64,
    /// Records in it.
    pub count: u64,
    /// Sum of their amounts.
    pub sum: i64,
}

/// A session of a key within a lane.
///
/// Within one lane records come in order, so what happens to a late record that may or may not join
/// a session is determined too.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SessionRow {
    /// Lane.
    pub lane: u8,
    /// Key.
    pub key: u32,
    /// Time of the first record.
    pub start: i64,
    /// Time of the last record, and the gap.
    pub end: i64,
    /// Records in it.
    pub count: u64,
}

/// Running totals of a key, emitted by a timer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TotalRow {
    /// Key.
    pub key: u32,
    /// Time of the timer: the last millisecond of a bucket, or `i64::MAX` at the end of the input.
    pub at: i64,
    /// Records in the bucket.
    pub count: u64,
    /// Records up to here.
    pub total: u64,
    /// Sum of their amounts.
    pub sum: i64,
    /// Late records, of all times; known at the end of the input, 0 before.
    pub late: u64,
}
