//! Time to live: removes a key's entries of one state some time after their last change.
//!
//! One timer per key and state. A change moves the timer; so that a busy key does not leave one
//! stale queue entry per change, expiries are rounded up to a 64th of the time to live (to a
//! millisecond below 64 ms). Expiries are merged with user timers by time, so what a timer sees
//! does not depend on how far the watermark jumps: at equal times the timer comes first.
//!
//! Does not hide entries that are due but not yet removed, and gives no expiry to entries restored
//! from a checkpoint written before the time to live was declared, until they change.

use std::time::Duration;

use headwater_core::time::millis;
use headwater_core::{EventTime, Key, KeyGroupRange, Result};
use headwater_state::{StateTable, Timers};

use crate::process::Moment;

/// By which clock something expires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeDomain {
    /// The time in the data: `ttl` after the event time of the last change, when the watermark gets
    /// there. Changes by records without a time do not count.
    EventTime,
    /// The time on the wall: `ttl` after the last change.
    ProcessingTime,
}

/// How long a state lives, as declared.
#[derive(Clone, Copy)]
pub(crate) struct Lifetime {
    pub(crate) ttl: Duration,
    pub(crate) domain: TimeDomain,
}

/// The expiries of one state.
pub(crate) struct Ttl<K> {
    lifetime: Lifetime,
    grain: i64,
    timers: Timers<K>,
}

impl<K: Key> Ttl<K> {
    pub(crate) fn new(state: &str, lifetime: Lifetime, range: KeyGroupRange) -> Self {
        let grain = (millis(lifetime.ttl) / 64).max(1);
        Ttl { lifetime, grain, timers: Timers::new(format!("{state}/ttl"), range) }
    }

    pub(crate) fn domain(&self) -> TimeDomain {
        self.lifetime.domain
    }

    /// The key's entries have changed now.
    pub(crate) fn touch(&mut self, moment: &Moment<'_, K>) -> Result<()> {
        let changed = match self.lifetime.domain {
            TimeDomain::EventTime => moment.time,
            TimeDomain::ProcessingTime => moment.now.as_event_time(),
        };
        if changed == EventTime::MIN {
            return Ok(());
        }
        let expiry = self.rounded(changed.saturating_add(self.lifetime.ttl));
        let registered = self.timers.of_key(moment.hash, moment.key).next();
        match registered {
            // A late record does not shorten a life.
            Some(at) if at >= expiry => return Ok(()),
            Some(at) => self.timers.cancel(moment.hash, moment.key, at)?,
            None => false,
        };
        self.timers.register(moment.hash, moment.key, expiry)
    }

    fn rounded(&self, time: EventTime) -> EventTime {
        match time.0.rem_euclid(self.grain) {
            0 => time,
            over => EventTime(time.0.saturating_add(self.grain - over)),
        }
    }

    /// The key's entries are gone.
    pub(crate) fn forget(&mut self, hash: u64, key: &K) -> Result<()> {
        let registered = self.timers.of_key(hash, key).next();
        if let Some(at) = registered {
            self.timers.cancel(hash, key, at)?;
        }
        Ok(())
    }

    /// The earliest expiry; may name one that was moved.
    pub(crate) fn next(&self) -> Option<EventTime> {
        self.timers.next()
    }

    /// Removes and returns a key whose entries expire by `now`.
    pub(crate) fn pop_due(&mut self, now: EventTime) -> Result<Option<(u64, K)>> {
        Ok(self.timers.pop_due(now)?.map(|(_, hash, key)| (hash, key)))
    }

    pub(crate) fn table(&mut self) -> &mut dyn StateTable {
        self.timers.table()
    }

    pub(crate) fn restored(&mut self) {
        self.timers.restored();
    }
}
