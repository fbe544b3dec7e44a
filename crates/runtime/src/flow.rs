//! Flow control: how many records may be on their way between groups and in sinks' queues.
//!
//! Sources read only while fewer than the limit are in flight. What is counted goes down as soon as
//! a record has been processed, whatever event time does; and only sources wait, never an epoch, a
//! watermark or an operator in the middle. So it cannot deadlock: held-back batches count, but what
//! releases them is the epochs of sources, which advance without credit.

use std::sync::atomic::{AtomicI64, Ordering::Relaxed};

/// Records in flight in this process.
pub(crate) struct Flow {
    in_flight: AtomicI64,
    limit: i64,
}

impl Flow {
    pub(crate) fn new(limit: usize) -> Self {
        Flow { in_flight: AtomicI64::new(0), limit: limit as i64 }
    }

    pub(crate) fn add(&self, records: usize) {
        self.in_flight.fetch_add(records as i64, Relaxed);
    }

    pub(crate) fn sub(&self, records: usize) {
        self.in_flight.fetch_sub(records as i64, Relaxed);
    }

    pub(crate) fn has_room(&self) -> bool {
        self.in_flight.load(Relaxed) < self.limit
    }

    pub(crate) fn in_flight(&self) -> u64 {
        self.in_flight.load(Relaxed).max(0) as u64
    }
}
