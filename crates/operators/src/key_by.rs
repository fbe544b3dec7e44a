//! Keying and partitioning: which worker a record goes to.

use std::marker::PhantomData;
use std::sync::Arc;

use headwater_core::{Batch, Key, KeyGroup, Keyed, Record, Result, Timed};

use crate::operator::{OUT, Operator, OperatorContext, Port};

/// `Stream<T> → KeyedStream<K, T>`: computes each record's key and the key's hash, once.
pub struct KeyBy<K, T, F> {
    key: Arc<F>,
    types: PhantomData<fn(T) -> K>,
}

impl<K, T, F> KeyBy<K, T, F> {
    /// Keys each record by `key`.
    pub fn new(key: Arc<F>) -> Self {
        KeyBy { key, types: PhantomData }
    }
}

impl<K: Key, T: Record, F: Fn(&T) -> K + Send + Sync> Operator for KeyBy<K, T, F> {
    fn process(&mut self, _port: Port, batch: Batch, cx: &mut OperatorContext) -> Result<()> {
        let records = batch.take::<T>();
        cx.at = 0;
        let keyed = records.into_iter().map(|Timed { time, late_by, value }| {
            let key = (self.key)(&value);
            cx.at += 1;
            Timed { time, late_by, value: Keyed::new(key, value) }
        });
        let keyed = keyed.collect();
        cx.emit(OUT, keyed);
        Ok(())
    }
}

/// Decides where the records of an edge go. One per edge and sending worker.
pub trait Partitioner: Send {
    /// Moves the records of `batch` to the end of the targets' batches, one target per worker.
    ///
    /// A target is sent, and then given back empty, when it is large enough or the input pauses.
    fn partition(&mut self, batch: Batch, targets: &mut [Batch]);
}

/// Records of one key group go to the worker that owns it.
pub struct ByKeyGroup<K, T> {
    max_parallelism: u16,
    types: PhantomData<fn(K, T)>,
}

impl<K, T> ByKeyGroup<K, T> {
    /// Partitions by `max_parallelism` key groups.
    pub fn new(max_parallelism: u16) -> Self {
        ByKeyGroup { max_parallelism, types: PhantomData }
    }
}

impl<K: Key, T: Record> Partitioner for ByKeyGroup<K, T> {
    fn partition(&mut self, batch: Batch, targets: &mut [Batch]) {
        let records = batch.take::<Keyed<K, T>>();
        let workers = targets.len();
        if let [only] = targets {
            append(only, records);
            return;
        }
        let mut into: Vec<&mut Vec<Timed<Keyed<K, T>>>> =
            targets.iter_mut().map(Batch::as_mut_vec).collect();
        let expected = records.len() / workers + records.len() / (4 * workers) + 8;
        into.iter_mut().for_each(|v| v.reserve(expected));
        for record in records {
            let group = KeyGroup::of(record.value.hash, self.max_parallelism);
            into[group.worker(workers, self.max_parallelism)].push(record);
        }
    }
}

/// Batches go to the workers in turn.
pub struct Rebalance<T> {
    next: usize,
    types: PhantomData<fn(T)>,
}

impl<T> Rebalance<T> {
    /// Starts with worker `first`.
    pub fn new(first: usize) -> Self {
        Rebalance { next: first, types: PhantomData }
    }
}

impl<T: Record> Partitioner for Rebalance<T> {
    fn partition(&mut self, batch: Batch, targets: &mut [Batch]) {
        let target = self.next % targets.len();
        self.next = target + 1;
        append(&mut targets[target], batch.take::<T>());
    }
}

/// Every worker gets every record.
pub struct Broadcast<T>(PhantomData<fn(T)>);

impl<T> Broadcast<T> {
    /// Copies each batch to all workers.
    pub fn new() -> Self {
        Broadcast(PhantomData)
    }
}

impl<T> Default for Broadcast<T> {
    fn default() -> Self {
        Broadcast::new()
    }
}

impl<T: Record> Partitioner for Broadcast<T> {
    fn partition(&mut self, batch: Batch, targets: &mut [Batch]) {
        if let Some((last, others)) = targets.split_last_mut() {
            for target in others {
                append(target, batch.clone().take::<T>());
            }
            append(last, batch.take::<T>());
        }
    }
}

fn append<T: Record>(target: &mut Batch, mut records: Vec<Timed<T>>) {
    if target.is_empty() {
        *target = Batch::new(records);
    } else {
        target.as_mut_vec::<T>().append(&mut records);
    }
}
