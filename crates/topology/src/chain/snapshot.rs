//! What a chain keeps in a checkpoint, and how it takes it back.

use headwater_checkpoint::SegmentBuilder;
use headwater_core::{Epoch, Error, Result};
use headwater_state::StateTable;

use super::{Body, Chain, NO_RECORD, add};
use crate::metrics::OperatorTotals;
use crate::node::DEAD_LETTERS;

/// What an operator keeps in a checkpoint besides its tables.
#[derive(Clone, Debug, Default)]
pub struct OperatorSnapshot {
    /// Name of the operator.
    pub uid: String,
    /// Non-keyed state.
    pub parts: Vec<Vec<u8>>,
    /// What a sink's committer needs.
    pub committables: Vec<Vec<u8>>,
    /// Counters at the barrier.
    pub totals: OperatorTotals,
}

impl Chain {
    /// The barrier that closes `epoch`: freezes tables, takes non-keyed state and committables.
    ///
    /// Only when `backlog() == 0` and the previous snapshot is fully encoded.
    pub fn barrier(&mut self, epoch: Epoch) -> Result<Vec<OperatorSnapshot>> {
        let mut snapshots = Vec::with_capacity(self.members.len());
        self.cx.at = NO_RECORD;
        for (member, m) in self.members.iter_mut().enumerate() {
            self.current = member;
            let mut snapshot = OperatorSnapshot { uid: m.name.clone(), ..Default::default() };
            let within = |e: Error| e.within(format!("checkpoint of {:?}", m.name));
            match &mut m.body {
                Body::Source { .. } => {}
                Body::Operator(op) => {
                    snapshot.parts = op.snapshot(epoch).map_err(within)?;
                    for table in op.tables() {
                        table.freeze(epoch).map_err(within)?;
                    }
                }
                Body::Sink(sink) => {
                    sink.prepare(epoch).map_err(within)?;
                    snapshot.committables = sink.take_committables();
                }
            }
            snapshot.totals = match self.dead_letters == Some(member) {
                true => OperatorTotals { records_in: self.letters, ..Default::default() },
                false => m.metrics.totals(),
            };
            snapshots.push(snapshot);
        }
        Ok(snapshots)
    }

    /// Encodes about `budget` bytes per table of the last barrier; true when all is handed over.
    pub fn encode(&mut self, budget: usize, segment: &mut SegmentBuilder) -> Result<bool> {
        let mut done = true;
        for m in &mut self.members {
            if let Body::Operator(op) = &mut m.body {
                for table in op.tables() {
                    segment.operator(&m.name);
                    done &= table.encode(budget, segment)?;
                }
            }
        }
        Ok(done)
    }

    /// Every keyed table with its operator's name: for restoring.
    pub fn tables(&mut self) -> Vec<(&str, &mut dyn StateTable)> {
        let mut tables = Vec::new();
        for m in &mut self.members {
            if let Body::Operator(op) = &mut m.body {
                tables.extend(op.tables().into_iter().map(|table| (m.name.as_str(), table)));
            }
        }
        tables
    }

    /// Gives an operator the non-keyed parts of all workers, and its totals.
    pub fn restore(
        &mut self,
        uid: &str,
        parts: &[Vec<u8>],
        totals: Option<&OperatorTotals>,
    ) -> Result<()> {
        if let (DEAD_LETTERS, true, Some(totals)) = (uid, self.is_first, totals) {
            self.letters = totals.records_in;
        }
        for m in self.members.iter_mut().filter(|m| m.name == uid) {
            if let Body::Operator(op) = &mut m.body {
                op.restore(parts).map_err(|e| e.within(format!("restoring {uid:?}")))?;
            }
            if let Some(totals) = totals {
                m.metrics.restore(totals);
            }
        }
        Ok(())
    }

    /// All state is loaded; `restored` was the last closed epoch.
    pub fn restored(&mut self, restored: Epoch) -> Result<()> {
        for m in &mut self.members {
            if let Body::Operator(op) = &mut m.body {
                let mut entries = 0;
                for table in op.tables() {
                    table.start_after(restored);
                    entries += table.len() as u64;
                }
                add(&m.metrics.restored, entries);
                op.restored().map_err(|e| e.within(format!("restoring {:?}", m.name)))?;
            }
        }
        Ok(())
    }
}
