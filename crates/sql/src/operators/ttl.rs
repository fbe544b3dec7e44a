//! Time to live of SQL state: a key's state is dropped some processing time after its last change.
//!
//! One timer per key. Expiries are rounded up to a 64th of the time to live, so that a busy key
//! moves its timer now and then and not at every change. Results that were emitted stand.

use std::time::Duration;

use headwater_core::time::millis;
use headwater_core::{EventTime, KeyGroupRange, ProcessingTime, Result};
use headwater_state::{StateTable, Timers};

use crate::keys::RowKey;

/// The expiries of one operator's keys.
pub(super) struct Ttl {
    ttl: i64,
    grain: i64,
    timers: Timers<RowKey>,
}

impl Ttl {
    pub(super) fn new(ttl: Duration, range: KeyGroupRange) -> Self {
        let ttl = millis(ttl).max(1);
        Ttl { ttl, grain: (ttl / 64).max(1), timers: Timers::new("ttl", range) }
    }

    /// The key's state has changed now.
    pub(super) fn touch(&mut self, hash: u64, key: &RowKey, now: ProcessingTime) -> Result<()> {
        let expiry = now.0.saturating_add(self.ttl);
        let over = expiry.rem_euclid(self.grain);
        let expiry =
            EventTime(if over == 0 { expiry } else { expiry.saturating_add(self.grain - over) });
        let registered = self.timers.of_key(hash, key).next();
        match registered {
            Some(at) if at >= expiry => return Ok(()),
            Some(at) => {
                self.timers.cancel(hash, key, at)?;
            }
            None => {}
        }
        self.timers.register(hash, key, expiry)
    }

    /// The key's state is gone.
    pub(super) fn forget(&mut self, hash: u64, key: &RowKey) -> Result<()> {
        let registered = self.timers.of_key(hash, key).next();
        if let Some(at) = registered {
            self.timers.cancel(hash, key, at)?;
        }
        Ok(())
    }

    /// When the next key may expire.
    pub(super) fn wake_at(&self) -> Option<ProcessingTime> {
        self.timers.next().map(|at| ProcessingTime(at.0))
    }

    /// Removes and returns a key that expires by `now`.
    pub(super) fn pop_due(&mut self, now: ProcessingTime) -> Result<Option<(u64, RowKey)>> {
        let due = self.timers.pop_due(now.as_event_time())?;
        Ok(due.map(|(_, hash, key)| (hash, key)))
    }

    pub(super) fn table(&mut self) -> &mut dyn StateTable {
        self.timers.table()
    }

    pub(super) fn restored(&mut self) {
        self.timers.restored();
    }
}
