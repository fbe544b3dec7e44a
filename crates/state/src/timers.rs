//! Timers per key: at most one for a `(key, time)`, checkpointed like any state.
//!
//! The queue by time is an index over the table and is rebuilt after a restore. Cancelled timers
//! leave a stale entry in the queue, which is skipped when its time comes.

use std::collections::BTreeMap;

use headwater_core::{EventTime, Key, KeyGroupRange, Result};

use crate::table::{Slot, StateTable, Table};

/// The timers of one operator in one time domain.
///
/// - State: one entry per registered `(key, time)`, freed when it fires or is cancelled.
/// - Time: fires in order of time; timers of the same time in no particular order.
pub struct Timers<K> {
    table: Table<K, EventTime, ()>,
    queue: BTreeMap<EventTime, Vec<Slot>>,
}

impl<K: Key> Timers<K> {
    /// No timers yet, for the key groups of `range`.
    pub fn new(name: impl Into<String>, range: KeyGroupRange) -> Self {
        Timers { table: Table::new(name, range), queue: BTreeMap::new() }
    }

    /// Registers a timer; registering the same one again changes nothing.
    pub fn register(&mut self, hash: u64, key: &K, time: EventTime) -> Result<()> {
        if self.table.get(hash, key, &time).is_none() {
            let slot = self.table.insert(hash, key, &time, ())?;
            self.queue.entry(time).or_default().push(slot);
        }
        Ok(())
    }

    /// Cancels a timer; true when there was one.
    pub fn cancel(&mut self, hash: u64, key: &K, time: EventTime) -> Result<bool> {
        Ok(self.table.remove(hash, key, &time)?.is_some())
    }

    /// Removes and returns the earliest timer that is due at `now`, with the key's hash.
    pub fn pop_due(&mut self, now: EventTime) -> Result<Option<(EventTime, u64, K)>> {
        while let Some(mut due) = self.queue.first_entry() {
            let time = *due.key();
            if time > now {
                break;
            }
            let Some(slot) = due.get_mut().pop() else {
                due.remove();
                continue;
            };
            if self.table.get_at(slot, &time).is_none() {
                continue;
            }
            let found = self.table.key(slot).map(|(hash, key)| (time, hash, key.clone()));
            self.table.remove_at(slot, &time)?;
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    /// The time of the earliest timer; may name one that was cancelled.
    pub fn next(&self) -> Option<EventTime> {
        self.queue.first_key_value().map(|(time, _)| *time)
    }

    /// The registered times of one key, in order.
    pub fn of_key(&self, hash: u64, key: &K) -> impl Iterator<Item = EventTime> {
        self.table.of_key(hash, key).map(|(time, ())| *time)
    }

    /// The table below, for checkpoints.
    pub fn table(&mut self) -> &mut dyn StateTable {
        &mut self.table
    }

    /// Rebuilds the queue after the table was restored.
    pub fn restored(&mut self) {
        self.queue.clear();
        let mut all: Vec<_> = self.table.iter().map(|(slot, _, time, ())| (*time, slot)).collect();
        all.sort_unstable();
        for (time, slot) in all {
            self.queue.entry(time).or_default().push(slot);
        }
    }
}
