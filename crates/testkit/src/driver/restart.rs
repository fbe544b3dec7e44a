//! A crash, and what comes after it: restore, then replay.
//!
//! The clock of a test is part of the story that is replayed: it goes back to where it stood at the
//! checkpoint and moves again as it did, so that a crash changes nothing, timers of processing time
//! included. [`Driver::crash_and_restore_after`] lets time pass instead, as a real crash would.
//!
//! What no checkpoint holds is when a split went quiet. The driver tells it again with the time at
//! which it did, so that a split that was idle is idle; where the watermark goes on with the clock
//! (`advance_when_quiet`) that would count the silence twice, so it starts over, as in a real
//! restart.

use std::time::Duration;

use headwater_checkpoint::SegmentReader;
use headwater_checkpoint::segment::BlockFilter;
use headwater_core::{Epoch, EventTime, ProcessingTime, Result, Watermark};
use headwater_topology::DEAD_LETTERS;

use super::input::Input;
use super::{Driver, new_chain, new_metrics};

impl Driver {
    /// Drops everything since the last durable checkpoint, restores that, and replays.
    ///
    /// # Errors
    /// What a step returns; the replay did not emit again what a test had taken.
    pub fn crash_and_restore(&mut self) -> Result<()> {
        self.restart()?;
        self.replay()?;
        self.sinks.values().try_for_each(|sink| sink.drop_taken(true))
    }

    /// Like [`Driver::crash_and_restore`], but the clock goes on: the records are read again at the
    /// time of the crash plus `downtime`.
    ///
    /// # Errors
    /// What a step returns.
    pub fn crash_and_restore_after(&mut self, downtime: Duration) -> Result<()> {
        let to = self.now + downtime;
        self.restart()?;
        self.log.retain(|(_, input)| !matches!(input, Input::Advance { .. }));
        self.log.insert(0, (self.epoch, Input::Advance { to }));
        self.replay()?;
        self.sinks.values().try_for_each(|sink| sink.drop_taken(false))
    }

    fn restart(&mut self) -> Result<()> {
        self.pending = None;
        self.sinks.values().for_each(|sink| sink.rewind());
        self.start_attempt(None)?;
        let quiet = self.sources.iter().flat_map(|s| &s.splits).any(|s| s.quiet_since.is_some());
        if quiet && self.generated() != self.durable.generated {
            self.start_attempt(Some(self.durable.now))?;
        }
        Ok(())
    }

    fn replay(&mut self) -> Result<()> {
        for at in 0..self.log.len() {
            self.log[at].0 = self.epoch;
            let input = self.log[at].1.clone();
            self.apply(input)?;
        }
        Ok(())
    }

    /// Builds the chain anew and puts back what the durable checkpoint holds.
    pub(super) fn start_attempt(&mut self, quiet_since: Option<ProcessingTime>) -> Result<()> {
        self.attempt += 1;
        self.metrics = new_metrics(&self.topology);
        self.chain = new_chain(&self.topology, &self.metrics, self.attempt)?;
        self.now = self.durable.now;
        self.epoch = self.durable.epoch.next();
        self.sources.clone_from(&self.durable.sources);
        self.forced.set(self.durable.forced.clone());
        self.chain.set_now(self.now);
        self.load_tables()?;
        self.load_parts()?;
        self.chain.restored(self.durable.epoch)?;
        self.announce_splits(quiet_since);
        for source in &self.sources {
            let forced = self.durable.forced[source.node.0];
            let reached = if source.ended { EventTime::MAX } else { forced };
            self.chain.set_source_watermark(source.node.0, Watermark::At(reached));
        }
        self.settle()
    }

    fn load_tables(&mut self) -> Result<()> {
        if self.durable.epoch == Epoch::NONE {
            return Ok(());
        }
        let open = |(n, bytes): (usize, &bytes::Bytes)| {
            SegmentReader::open(format!("segment {n}"), bytes.clone())
        };
        let segments: Vec<_> = self.segments.iter().enumerate().map(open).collect::<Result<_>>()?;
        for (operator, table) in self.chain.tables() {
            let state = table.info().name;
            let filter =
                BlockFilter { operator: Some(operator), state: Some(&state), key_groups: None };
            for segment in &segments {
                for block in segment.blocks(filter) {
                    let block = block?;
                    let place = || format!("restoring state {state:?} of {operator:?}");
                    table
                        .load(block.info.key_group, &block.bytes)
                        .map_err(|e| e.within(place()))?;
                }
            }
        }
        Ok(())
    }

    fn load_parts(&mut self) -> Result<()> {
        let names = self.topology.nodes.iter().map(|n| n.name.as_str());
        for uid in names.chain([DEAD_LETTERS]) {
            let parts = self.durable.parts.get(uid).map_or(&[][..], Vec::as_slice);
            let totals = self.durable.totals.get(uid);
            if !parts.is_empty() || totals.is_some() {
                self.chain.restore(uid, parts, totals)?;
            }
        }
        Ok(())
    }
}
