//! Where source groups say how far their event time is, so that an idle one can follow the others.
//!
//! An idle group has no watermark of its own, but timely's frontier is a minimum over capabilities,
//! and it must keep one. So it lets its capability follow the least watermark of the active ones.

use std::sync::atomic::{AtomicI64, Ordering::Relaxed};

use headwater_core::{EventTime, Watermark};

const IDLE: i64 = i64::MAX - 1;

/// One slot per source group and worker.
pub(crate) struct IdleBoard {
    slots: Vec<AtomicI64>,
}

impl IdleBoard {
    pub(crate) fn new(slots: usize) -> Self {
        IdleBoard { slots: (0..slots).map(|_| AtomicI64::new(EventTime::MIN.0)).collect() }
    }

    pub(crate) fn publish(&self, slot: usize, watermark: Watermark) {
        let value = match watermark {
            Watermark::At(time) => time.0,
            Watermark::Idle => IDLE,
        };
        self.slots[slot].store(value, Relaxed);
    }

    /// The least watermark of the active groups; `None` when all are idle or have ended.
    pub(crate) fn floor(&self) -> Option<EventTime> {
        let active = |v: i64| (v < IDLE).then_some(EventTime(v));
        self.slots.iter().filter_map(|slot| active(slot.load(Relaxed))).min()
    }
}
