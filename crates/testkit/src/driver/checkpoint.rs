//! Checkpoints of the test driver: cut like the runtime's, kept in memory.
//!
//! The barrier freezes the tables; entries are then encoded into a segment in one go or, under
//! chaos, bit by bit between inputs. Only when all is encoded the checkpoint is durable: the
//! outputs of its epochs can no longer be lost, and their inputs are forgotten.

use std::collections::HashMap;

use bytes::Bytes;
use headwater_checkpoint::SegmentBuilder;
use headwater_core::{Epoch, EventTime, ProcessingTime, Result, Watermark};
use headwater_topology::OperatorTotals;

use super::Driver;
use super::splits::SourceState;
use crate::event_time_step::steps;

/// What a checkpoint holds besides its segments.
pub(super) struct Checkpoint {
    pub(super) epoch: Epoch,
    pub(super) parts: HashMap<String, Vec<Vec<u8>>>,
    pub(super) totals: HashMap<String, OperatorTotals>,
    pub(super) sources: Vec<SourceState>,
    pub(super) now: ProcessingTime,
    pub(super) forced: Vec<EventTime>,
    /// What each `event_time` step said, to see whether a restored one says the same.
    pub(super) generated: Vec<Watermark>,
}

impl Checkpoint {
    /// What an attempt starts from when there is no checkpoint.
    pub(super) fn of_nothing(
        sources: Vec<SourceState>,
        now: ProcessingTime,
        forced: Vec<EventTime>,
    ) -> Self {
        Checkpoint {
            epoch: Epoch::NONE,
            parts: HashMap::new(),
            totals: HashMap::new(),
            sources,
            now,
            forced,
            generated: Vec::new(),
        }
    }
}

/// A checkpoint whose entries are still being encoded.
pub(super) struct Pending {
    checkpoint: Checkpoint,
    segment: SegmentBuilder,
}

impl Driver {
    /// Cuts a checkpoint and makes it durable.
    ///
    /// # Errors
    /// What a step returns.
    pub fn checkpoint(&mut self) -> Result<()> {
        self.between()?;
        self.barrier()?;
        self.encode(usize::MAX)
    }

    /// Closes the running epoch; its checkpoint is durable once [`Driver::encode`] has run.
    pub(super) fn barrier(&mut self) -> Result<()> {
        self.encode(usize::MAX)?;
        let closing = self.epoch;
        let generated = self.generated();
        let mut checkpoint =
            Checkpoint::of_nothing(self.sources.clone(), self.now, self.forced.get());
        checkpoint.epoch = closing;
        checkpoint.generated = generated;
        for snapshot in self.chain.barrier(closing)? {
            checkpoint.totals.insert(snapshot.uid.clone(), snapshot.totals);
            if !snapshot.parts.is_empty() {
                checkpoint.parts.insert(snapshot.uid, snapshot.parts);
            }
        }
        self.pending = Some(Pending { checkpoint, segment: SegmentBuilder::new() });
        self.epoch = closing.next();
        Ok(())
    }

    /// Encodes about `budget` bytes per table of a pending checkpoint; the last ones make it
    /// durable.
    pub(super) fn encode(&mut self, budget: usize) -> Result<()> {
        let Some(pending) = &mut self.pending else { return Ok(()) };
        if !self.chain.encode(budget, &mut pending.segment)? {
            return Ok(());
        }
        let Some(Pending { checkpoint, segment }) = self.pending.take() else { return Ok(()) };
        if !segment.is_empty() {
            self.segments.push(Bytes::from(segment.finish().0));
        }
        let epoch = checkpoint.epoch;
        self.durable = checkpoint;
        self.log.retain(|(of, _)| *of > epoch);
        self.sinks.values().for_each(|sink| sink.commit(epoch));
        Ok(())
    }

    /// What the `event_time` steps say now, edge by edge.
    pub(super) fn generated(&self) -> Vec<Watermark> {
        let steps = steps(&self.topology);
        let edges = self.topology.edges.iter().enumerate();
        let theirs = edges.filter(|(_, edge)| steps.contains(&edge.from));
        theirs.map(|(number, _)| self.chain.edge_watermark(number)).collect()
    }

    /// The keyed state of a step as text, one line per entry: table, key, namespace, value.
    ///
    /// Cuts a checkpoint, as that is how state is read.
    ///
    /// # Errors
    /// There is no such step; or what a step returns.
    pub fn state(&mut self, step: &str) -> Result<Vec<String>> {
        self.dump(step, &|_| true)
    }

    /// The timers of a step, like [`Driver::state`]: table, key, time.
    ///
    /// # Errors
    /// As [`Driver::state`].
    pub fn timers(&mut self, step: &str) -> Result<Vec<String>> {
        self.dump(step, &|table| matches!(table, "timers" | "processing-timers"))
    }

    fn dump(&mut self, step: &str, wanted: &dyn Fn(&str) -> bool) -> Result<Vec<String>> {
        self.step_at(step)?;
        self.barrier()?;
        self.encode(usize::MAX)?;
        let tables = self.chain.tables();
        let own = tables.iter().filter(|(name, _)| *name == step).map(|(_, table)| table.info());
        let infos: Vec<_> = own.filter(|info| wanted(&info.name)).collect();
        crate::state_dump::dump(&self.segments, step, &infos)
    }
}
