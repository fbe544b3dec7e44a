//! The clock contract: whoever needs the time on the wall is given one.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use crate::time::ProcessingTime;

/// Tells processing time. The runtime has the system's; tests have a [`ManualClock`].
pub trait Clock: Send + Sync {
    /// The time now.
    fn now(&self) -> ProcessingTime;
}

/// A clock that moves only when told to.
#[derive(Clone, Debug, Default)]
pub struct ManualClock(Arc<AtomicI64>);

impl ManualClock {
    /// A clock that stands at `now`.
    pub fn at(now: ProcessingTime) -> Self {
        ManualClock(Arc::new(AtomicI64::new(now.0)))
    }

    /// Moves the clock to `now`; it never goes back.
    pub fn advance_to(&self, now: ProcessingTime) {
        self.0.fetch_max(now.0, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> ProcessingTime {
        ProcessingTime(self.0.load(Ordering::SeqCst))
    }
}
