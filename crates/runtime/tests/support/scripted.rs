//! A source that the test controls: it reads in small steps and stops at gates.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};

use headwater_connect::{Position, ReadBuffer, ReadStatus, Reader, Source, SplitId, Wake};
use headwater_core::{Record, Result};

use crate::support::ms;

/// What has to happen before a split is read on.
#[derive(Clone)]
pub enum Gate {
    /// The test opens it.
    Open(Arc<AtomicBool>),
    /// Two checkpoints have completed since the gate was reached, so one was cut there; the number
    /// of completed checkpoints is kept by [`crate::support::wait`].
    Checkpoint(Arc<AtomicU64>),
}

/// Reads the given records and ends; record `n` comes from split `n mod splits`.
pub struct Scripted<T> {
    records: Arc<Vec<T>>,
    splits: usize,
    step: usize,
    /// By the number of records of a split that are read before.
    gates: BTreeMap<usize, Gate>,
}

pub fn scripted<T: Record + Sync>(records: Vec<T>) -> Scripted<T> {
    Scripted { records: Arc::new(records), splits: 1, step: usize::MAX, gates: BTreeMap::new() }
}

impl<T> Scripted<T> {
    pub fn splits(mut self, splits: usize) -> Self {
        self.splits = splits;
        self
    }

    /// Records per batch.
    pub fn step(mut self, step: usize) -> Self {
        self.step = step;
        self
    }

    /// Stops each split after `records` records of it.
    pub fn gate(mut self, records: usize, gate: Gate) -> Self {
        self.gates.insert(records, gate);
        self
    }

    /// How many records each split has, at least.
    pub fn share(&self) -> usize {
        self.records.len() / self.splits
    }
}

impl<T: Record + Sync> Source for Scripted<T> {
    type Record = T;

    fn splits(&self) -> Result<Vec<SplitId>> {
        Ok((0..self.splits).map(|n| SplitId(format!("split-{n}"))).collect())
    }

    fn open(
        &self,
        split: &SplitId,
        position: Option<&Position>,
        _wake: Wake,
    ) -> Result<Box<dyn Reader<T>>> {
        let index: usize = split.0["split-".len()..].parse().unwrap();
        let stride = self.splits;
        Ok(Box::new(ScriptedReader {
            end: self.records.len().saturating_sub(index).div_ceil(stride),
            next: position.map_or(0, |p| p.0.parse().unwrap()),
            records: Arc::clone(&self.records),
            index,
            stride,
            step: self.step,
            gates: self.gates.clone(),
            needed: None,
        }))
    }
}

struct ScriptedReader<T> {
    records: Arc<Vec<T>>,
    index: usize,
    stride: usize,
    step: usize,
    next: usize,
    end: usize,
    gates: BTreeMap<usize, Gate>,
    /// Checkpoints that the gate in front of us waits for.
    needed: Option<u64>,
}

impl<T> ScriptedReader<T> {
    fn is_closed(&mut self) -> bool {
        match self.gates.get(&self.next) {
            None => false,
            Some(Gate::Open(open)) => !open.load(SeqCst),
            Some(Gate::Checkpoint(completed)) => {
                let completed = completed.load(SeqCst);
                completed < *self.needed.get_or_insert(completed + 2)
            }
        }
    }
}

impl<T: Record + Sync> Reader<T> for ScriptedReader<T> {
    fn read(&mut self, buffer: &mut ReadBuffer<T>) -> Result<ReadStatus> {
        if self.is_closed() {
            return Ok(ReadStatus::After(ms(1)));
        }
        self.needed = None;
        let gate = self.gates.range(self.next + 1..).next().map_or(self.end, |(at, _)| *at);
        let (before, step) = (self.next, self.step.min(buffer.room()));
        self.next = self.end.min(gate).min(before.saturating_add(step));
        for n in before..self.next {
            buffer.push(self.records[n * self.stride + self.index].clone());
        }
        // A gate at the end holds back the end itself.
        let passed = before == self.end || !self.gates.contains_key(&self.end);
        Ok(if self.next == self.end && passed { ReadStatus::End } else { ReadStatus::Ready })
    }

    fn position(&self) -> Position {
        Position(self.next.to_string())
    }
}
