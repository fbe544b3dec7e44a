//! A sink that keeps records in memory, exactly once: for tests and small results.
//!
//! Each writer stages its records; at the end of an epoch their encoding becomes the committable,
//! and the commit decodes it into the shared vector. As the records travel in the checkpoint, a
//! restored job in a new process collects those of the restored epoch too.
//!
//! Invariant: an epoch that the handle has seen is not added again; a restore to an earlier epoch
//! makes the later ones count as unseen, what they added stays.
//!
//! What this does not do: bound its memory, or keep an order among workers.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use headwater_core::{Epoch, Record, Result, Timed, codec};

use crate::sink::{Committable, Committer, Guarantee, Sink, WriteStatus, Writer, WriterContext};

/// Collects records in memory; keep a clone of the handle to look at them.
///
/// # Examples
/// ```
/// use headwater_connect::collect::collect;
///
/// let sink = collect::<String>();
/// let collected = sink.clone();
/// // … run a job that writes to `sink` …
/// assert!(collected.records().is_empty());
/// ```
pub fn collect<T: Record>() -> Collected<T> {
    Collected::default()
}

/// The sink that [`collect`] gives, and the handle to what it has collected; clones share it.
pub struct Collected<T>(Arc<Mutex<Shared<T>>>);

struct Shared<T> {
    records: Vec<Timed<T>>,
    seen: Epoch,
}

impl<T> Default for Collected<T> {
    fn default() -> Self {
        Collected(Arc::new(Mutex::new(Shared { records: Vec::new(), seen: Epoch::NONE })))
    }
}

impl<T> Clone for Collected<T> {
    fn clone(&self) -> Self {
        Collected(Arc::clone(&self.0))
    }
}

impl<T> Collected<T> {
    fn lock(&self) -> MutexGuard<'_, Shared<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many records have been committed.
    pub fn len(&self) -> usize {
        self.lock().records.len()
    }

    /// Whether no record has been committed.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Takes all committed records out, with their event times.
    pub fn take(&self) -> Vec<Timed<T>> {
        std::mem::take(&mut self.lock().records)
    }
}

impl<T: Clone> Collected<T> {
    /// The committed records, in the order of their commits.
    pub fn records(&self) -> Vec<T> {
        self.lock().records.iter().map(|record| record.value.clone()).collect()
    }

    /// The committed records with their event times.
    pub fn timed(&self) -> Vec<Timed<T>> {
        self.lock().records.clone()
    }
}

impl<T: Ord + Clone> Collected<T> {
    /// The committed records in ascending order, for comparing the output of many workers.
    pub fn sorted(&self) -> Vec<T> {
        let mut records = self.records();
        records.sort();
        records
    }
}

impl<T: Record> Sink for Collected<T> {
    type Record = T;

    fn guarantee(&self) -> Guarantee {
        Guarantee::ExactlyOnce
    }

    fn writer(&self, _cx: &WriterContext) -> Result<Box<dyn Writer<T>>> {
        Ok(Box::new(CollectWriter { staged: Vec::new() }))
    }

    fn committer(&self) -> Result<Option<Box<dyn Committer>>> {
        Ok(Some(Box::new(CollectCommitter(self.clone()))))
    }
}

struct CollectWriter<T> {
    staged: Vec<Timed<T>>,
}

impl<T: Record> Writer<T> for CollectWriter<T> {
    fn write(&mut self, records: &mut Vec<Timed<T>>) -> Result<WriteStatus> {
        self.staged.append(records);
        Ok(WriteStatus::Done)
    }

    fn prepare(&mut self, _epoch: Epoch) -> Result<Vec<Committable>> {
        if self.staged.is_empty() {
            return Ok(Vec::new());
        }
        let committable = codec::encode(&self.staged)?;
        self.staged.clear();
        Ok(vec![committable])
    }
}

struct CollectCommitter<T>(Collected<T>);

impl<T: Record> Committer for CollectCommitter<T> {
    fn commit(&mut self, epoch: Epoch, committables: &[Committable]) -> Result<()> {
        let mut records = Vec::new();
        for committable in committables {
            records.append(&mut codec::decode::<Vec<Timed<T>>>(committable)?);
        }
        let mut shared = self.0.lock();
        if shared.seen < epoch {
            shared.records.append(&mut records);
            shared.seen = epoch;
        }
        Ok(())
    }

    fn recover(&mut self, epoch: Epoch, committables: &[Committable]) -> Result<()> {
        self.commit(epoch, committables)?;
        self.0.lock().seen = epoch;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use headwater_core::EventTime;

    use super::*;
    use crate::conformance::exactly_once_sink_suite;
    use crate::source::Wake;

    fn write(sink: &Collected<u64>, epoch: u64, records: &[u64]) -> Vec<Committable> {
        let (name, wake) = ("test".to_owned(), Wake::none());
        let cx = WriterContext { sink: name, worker: 0, workers: 1, attempt: 1, wake };
        let mut writer = sink.writer(&cx).unwrap();
        let mut records = records.iter().map(|n| Timed::new(EventTime(*n as i64), *n)).collect();
        writer.write(&mut records).unwrap();
        writer.prepare(Epoch(epoch)).unwrap()
    }

    #[test]
    fn collecting_is_exactly_once() {
        let collected = collect();
        exactly_once_sink_suite(|| collected.clone(), || collected.records(), |n| n).unwrap();
    }

    #[test]
    fn a_new_process_collects_the_restored_epoch() {
        let committables = write(&collect(), 7, &[3, 1, 2]);
        let restored = collect::<u64>();
        let mut committer = restored.committer().unwrap().unwrap();
        committer.recover(Epoch(7), &committables).unwrap();
        committer.recover(Epoch(7), &committables).unwrap();
        assert_eq!(restored.sorted(), [1, 2, 3]);
        assert_eq!(restored.timed()[0], Timed::new(EventTime(3), 3));
        assert_eq!((restored.take().len(), restored.len()), (3, 0));
    }

    #[test]
    fn a_job_that_starts_anew_is_collected_too() {
        let sink = collect();
        for _ in 0..2 {
            let mut committer = sink.committer().unwrap().unwrap();
            committer.recover(Epoch::NONE, &[]).unwrap();
            committer.commit(Epoch(1), &write(&sink, 1, &[5])).unwrap();
        }
        assert_eq!(sink.records(), [5, 5]);
    }

    #[test]
    fn a_broken_committable_is_refused_and_adds_nothing() {
        let sink = collect::<u64>();
        let mut committables = write(&sink, 1, &[5]);
        committables.push(vec![0xff; 3]);
        let mut committer = sink.committer().unwrap().unwrap();
        committer.commit(Epoch(1), &committables).unwrap_err();
        assert!(sink.is_empty());
    }
}
