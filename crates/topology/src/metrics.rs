//! Counters of one operator on one worker: written by its chain, read by anyone.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};

use headwater_core::EventTime;
use serde::{Deserialize, Serialize};

/// Live counters; updated once per batch.
#[derive(Debug)]
pub struct OperatorMetrics {
    /// Records taken in.
    pub records_in: AtomicU64,
    /// Records emitted, over all outputs.
    pub records_out: AtomicU64,
    /// Records filtered out by user code.
    pub filtered: AtomicU64,
    /// Records that came too late.
    pub late: AtomicU64,
    /// Records dead-lettered.
    pub dead_lettered: AtomicU64,
    /// Records dropped by a declared policy.
    pub dropped: AtomicU64,
    /// Records stamped too far in the future to move the watermark.
    pub future: AtomicU64,
    /// Places a source passed over because what was there is gone.
    pub skipped: AtomicU64,
    /// Entries put back from a checkpoint.
    pub restored: AtomicU64,
    /// Nanoseconds spent in the operator.
    pub busy_ns: AtomicU64,
    /// Nanoseconds a source could not read because there was no room for its records.
    pub blocked_ns: AtomicU64,
    /// Watermark reached, in event-time milliseconds.
    pub watermark: AtomicI64,
    /// Entries of keyed state.
    pub state_entries: AtomicU64,
    /// Estimated bytes of keyed state.
    pub state_bytes: AtomicU64,
    /// Records held because something downstream does not take them.
    pub backlog: AtomicU64,
}

impl Default for OperatorMetrics {
    fn default() -> Self {
        let zero = AtomicU64::default;
        OperatorMetrics {
            records_in: zero(),
            records_out: zero(),
            filtered: zero(),
            late: zero(),
            dead_lettered: zero(),
            dropped: zero(),
            future: zero(),
            skipped: zero(),
            restored: zero(),
            busy_ns: zero(),
            blocked_ns: zero(),
            watermark: AtomicI64::new(EventTime::MIN.0),
            state_entries: zero(),
            state_bytes: zero(),
            backlog: zero(),
        }
    }
}

/// What the counters of one operator add up to, at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperatorTotals {
    /// Records taken in.
    pub records_in: u64,
    /// Records emitted, over all outputs.
    pub records_out: u64,
    /// Records filtered out by user code.
    pub filtered: u64,
    /// Records that came too late.
    pub late: u64,
    /// Records dead-lettered.
    pub dead_lettered: u64,
    /// Records dropped by a declared policy.
    pub dropped: u64,
    /// Records stamped too far in the future to move the watermark.
    pub future: u64,
    /// Places a source passed over because what was there is gone.
    pub skipped: u64,
}

impl OperatorTotals {
    /// Adds another worker's, or an earlier attempt's, totals.
    pub fn add(&mut self, other: &OperatorTotals) {
        self.records_in += other.records_in;
        self.records_out += other.records_out;
        self.filtered += other.filtered;
        self.late += other.late;
        self.dead_lettered += other.dead_lettered;
        self.dropped += other.dropped;
        self.future += other.future;
        self.skipped += other.skipped;
    }
}

impl OperatorMetrics {
    /// The totals now.
    pub fn totals(&self) -> OperatorTotals {
        OperatorTotals {
            records_in: self.records_in.load(Relaxed),
            records_out: self.records_out.load(Relaxed),
            filtered: self.filtered.load(Relaxed),
            late: self.late.load(Relaxed),
            dead_lettered: self.dead_lettered.load(Relaxed),
            dropped: self.dropped.load(Relaxed),
            future: self.future.load(Relaxed),
            skipped: self.skipped.load(Relaxed),
        }
    }

    /// Starts from totals that a checkpoint kept.
    pub fn restore(&self, totals: &OperatorTotals) {
        self.records_in.store(totals.records_in, Relaxed);
        self.records_out.store(totals.records_out, Relaxed);
        self.filtered.store(totals.filtered, Relaxed);
        self.late.store(totals.late, Relaxed);
        self.dead_lettered.store(totals.dead_lettered, Relaxed);
        self.dropped.store(totals.dropped, Relaxed);
        self.future.store(totals.future, Relaxed);
        self.skipped.store(totals.skipped, Relaxed);
    }
}
