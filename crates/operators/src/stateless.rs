//! Operators without state: map, filter, flat map, their fallible forms, and branch.
//!
//! Each holds the user's closure, monomorphised in its loop: one dynamic call per batch. All keep
//! order, event time and lateness of the records, and forward watermarks.

use std::marker::PhantomData;
use std::sync::Arc;

use headwater_core::{BadRecordPolicy, Batch, Record, Result, Timed};

use crate::operator::{OUT, Operator, OperatorContext, Port};

/// `Stream<T> → Stream<U>`, one to one.
pub struct Map<T, U, F> {
    f: Arc<F>,
    types: PhantomData<fn(T) -> U>,
}

impl<T, U, F> Map<T, U, F> {
    /// Applies `f` to each record.
    pub fn new(f: Arc<F>) -> Self {
        Map { f, types: PhantomData }
    }
}

impl<T: Record, U: Record, F: Fn(T) -> U + Send + Sync> Operator for Map<T, U, F> {
    fn process(&mut self, _port: Port, batch: Batch, cx: &mut OperatorContext) -> Result<()> {
        let records = batch.take::<T>();
        cx.at = 0;
        let out = records.into_iter().map(|Timed { time, late_by, value }| {
            let value = (self.f)(value);
            cx.at += 1;
            Timed { time, late_by, value }
        });
        let out = out.collect();
        cx.emit(OUT, out);
        Ok(())
    }
}

/// `Stream<T> → Stream<T>`: keeps the records for which `keep` holds; counts the others.
pub struct Filter<T, F> {
    keep: Arc<F>,
    types: PhantomData<fn(T)>,
}

impl<T, F> Filter<T, F> {
    /// Keeps the records for which `keep` holds.
    pub fn new(keep: Arc<F>) -> Self {
        Filter { keep, types: PhantomData }
    }
}

impl<T: Record, F: Fn(&T) -> bool + Send + Sync> Operator for Filter<T, F> {
    fn process(&mut self, _port: Port, batch: Batch, cx: &mut OperatorContext) -> Result<()> {
        let mut records = batch.take::<T>();
        let before = records.len();
        cx.at = 0;
        records.retain(|record| {
            let keep = (self.keep)(&record.value);
            cx.at += 1;
            keep
        });
        cx.counts.filtered += (before - records.len()) as u64;
        cx.emit(OUT, records);
        Ok(())
    }
}

/// `Stream<T> → Stream<U>`: any number of outputs per record.
///
/// A record without output counts as filtered.
pub struct FlatMap<T, U, I, F> {
    f: Arc<F>,
    types: PhantomData<fn(T) -> (U, I)>,
}

impl<T, U, I, F> FlatMap<T, U, I, F> {
    /// Emits every item of `f`'s result with the time of its record.
    pub fn new(f: Arc<F>) -> Self {
        FlatMap { f, types: PhantomData }
    }
}

impl<T, U, I, F> Operator for FlatMap<T, U, I, F>
where
    T: Record,
    U: Record,
    I: IntoIterator<Item = U>,
    F: Fn(T) -> I + Send + Sync,
{
    fn process(&mut self, _port: Port, batch: Batch, cx: &mut OperatorContext) -> Result<()> {
        let records = batch.take::<T>();
        let mut out = Vec::with_capacity(records.len());
        for (at, Timed { time, late_by, value }) in records.into_iter().enumerate() {
            cx.at = at;
            let before = out.len();
            out.extend((self.f)(value).into_iter().map(|value| Timed { time, late_by, value }));
            cx.counts.filtered += u64::from(out.len() == before);
        }
        cx.emit(OUT, out);
        Ok(())
    }
}

/// Like [`FlatMap`] for a step that can fail: a failing record is refused by the declared policy.
///
/// The outputs are whatever the closure returned; an error returns none. Takes the record by
/// reference, as a refused record must still be there to be shown.
pub struct TryFlatMap<T, U, I, F> {
    name: String,
    policy: BadRecordPolicy,
    f: Arc<F>,
    types: PhantomData<fn(T) -> (U, I)>,
}

impl<T, U, I, F> TryFlatMap<T, U, I, F> {
    /// Emits every item of `f`'s result; refuses the record when `f` fails.
    pub fn new(name: impl Into<String>, policy: BadRecordPolicy, f: Arc<F>) -> Self {
        TryFlatMap { name: name.into(), policy, f, types: PhantomData }
    }
}

impl<T, U, I, F> Operator for TryFlatMap<T, U, I, F>
where
    T: Record,
    U: Record,
    I: IntoIterator<Item = U>,
    F: Fn(&T) -> Result<I> + Send + Sync,
{
    fn process(&mut self, _port: Port, batch: Batch, cx: &mut OperatorContext) -> Result<()> {
        let records = batch.take::<T>();
        let mut out = Vec::with_capacity(records.len());
        for (at, record) in records.into_iter().enumerate() {
            cx.at = at;
            match (self.f)(&record.value) {
                Ok(values) => {
                    let before = out.len();
                    out.extend(values.into_iter().map(|value| record.with(value)));
                    cx.counts.filtered += u64::from(out.len() == before);
                }
                Err(e) => cx.refuse(self.policy, &self.name, &record, e)?,
            }
        }
        cx.emit(OUT, out);
        Ok(())
    }
}

/// `Stream<T> → n × Stream<T>`: each record goes to the one output that `choose` names.
///
/// A record for which `choose` says `None` counts as filtered.
pub struct Branch<T, F> {
    choose: Arc<F>,
    outputs: usize,
    types: PhantomData<fn(T)>,
}

impl<T, F> Branch<T, F> {
    /// A branch with outputs `0..outputs`.
    pub fn new(outputs: usize, choose: Arc<F>) -> Self {
        Branch { choose, outputs, types: PhantomData }
    }
}

impl<T: Record, F: Fn(&T) -> Option<usize> + Send + Sync> Operator for Branch<T, F> {
    fn process(&mut self, _port: Port, batch: Batch, cx: &mut OperatorContext) -> Result<()> {
        let mut outputs: Vec<Vec<Timed<T>>> = (0..self.outputs).map(|_| Vec::new()).collect();
        for (at, record) in batch.take::<T>().into_iter().enumerate() {
            cx.at = at;
            let chosen = (self.choose)(&record.value).and_then(|i| outputs.get_mut(i));
            match chosen {
                Some(output) => output.push(record),
                None => cx.counts.filtered += 1,
            }
        }
        for (port, records) in outputs.into_iter().enumerate() {
            cx.emit(port as Port, records);
        }
        Ok(())
    }
}

/// `n × Stream<T> → Stream<T>`: passes everything on; the watermark is the minimum of the inputs.
pub struct Union;

impl Operator for Union {
    fn process(&mut self, _port: Port, batch: Batch, cx: &mut OperatorContext) -> Result<()> {
        cx.emit_batch(OUT, batch);
        Ok(())
    }
}
