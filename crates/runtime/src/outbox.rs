//! Records on their way out of a group: gathered per edge and addressee, sent when large or when
//! the activation ends. So a record never waits for others while the input is idle, and batches
//! grow under load.

use headwater_core::Batch;
use headwater_operators::key_by::Partitioner;
use headwater_operators::operator::BATCH_SIZE;

use crate::parcel::Parcel;

/// The outgoing side of one edge on one worker.
pub(crate) struct Outbox {
    /// `None`: records stay on this worker.
    partitioner: Option<Box<dyn Partitioner>>,
    worker: usize,
    targets: Vec<Batch>,
    ready: Vec<Parcel>,
}

impl Outbox {
    pub(crate) fn new(
        partitioner: Option<Box<dyn Partitioner>>,
        worker: usize,
        workers: usize,
    ) -> Self {
        let targets = (0..workers).map(|_| Batch::default()).collect();
        Outbox { partitioner, worker, targets, ready: Vec::new() }
    }

    /// Takes in a batch; returns by how many records the edge grew (a broadcast multiplies).
    pub(crate) fn push(&mut self, batch: Batch) -> usize {
        let Some(partitioner) = &mut self.partitioner else {
            let records = batch.len();
            self.ready.push(Parcel { target: self.worker, batch });
            return records;
        };
        let before: usize = self.targets.iter().map(Batch::len).sum();
        partitioner.partition(batch, &mut self.targets);
        let after: usize = self.targets.iter().map(Batch::len).sum();
        for (target, batch) in self.targets.iter_mut().enumerate() {
            if batch.len() >= BATCH_SIZE {
                self.ready.push(Parcel { target, batch: std::mem::take(batch) });
            }
        }
        after - before
    }

    /// Everything that is to be sent now.
    pub(crate) fn drain(&mut self) -> std::vec::Drain<'_, Parcel> {
        for (target, batch) in self.targets.iter_mut().enumerate() {
            if !batch.is_empty() {
                self.ready.push(Parcel { target, batch: std::mem::take(batch) });
            }
        }
        self.ready.drain(..)
    }
}
