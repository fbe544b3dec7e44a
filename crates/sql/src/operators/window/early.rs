//! Windows that give their results before they are complete: `EMIT EVERY`.
//!
//! Rows carry their windows. Every so often, by the clock on the wall, each window that has changed
//! gives its result so far, as a change of what it gave last; when the watermark completes it, its
//! last one. A window that gives the same again says nothing.
//!
//! Invariant: what was given last is kept with the state, so changes are exact after a restore too;
//! when a window gives its results on the way depends on the clock, the last ones do not.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use datafusion::arrow::array::{ArrayRef, UInt32Array};
use datafusion::arrow::compute::concat;
use headwater_core::{
    Batch, Epoch, Error, EventTime, KeyGroupRange, ProcessingTime, Result, RowKind,
};
use headwater_operators::operator::OUT;
use headwater_operators::window::Slice;
use headwater_operators::window::progress::Progress;
use headwater_operators::{Operator, OperatorContext, OperatorInit, Port};
use headwater_state::{Slot, StateTable, Table};
use serde::{Deserialize, Serialize};

use super::{WindowAggregateSpec, WindowedBy};
use crate::keys::{RowCodec, RowKey};
use crate::operators::aggregate::state::{Groups, Packed};
use crate::operators::aggregate::{Aggregates, DistinctIn};
use crate::operators::chunks::{
    CHUNK_ROWS, Changes, arrow_error, coalesce, columns, event_millis, record_batch, signs,
    take_rows, timestamps,
};
use crate::operators::group::Index;
use crate::rows::Chunk;

/// A window of a key.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Held {
    state: Packed,
    /// The result that was given last; none: none is there.
    given: Option<Vec<u8>>,
}

/// What is said beside the spec of the windows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Early {
    /// Time from a change to its result.
    pub every: Duration,
    /// Whether the old form of an updated result is given too.
    pub update_before: bool,
}

/// See the module.
///
/// - Time: results of complete windows when the watermark says so, others by the clock; late rows
///   are counted and dropped.
/// - State: one state per key and window, and what was given of it; freed with the window.
/// - Errors: of kind `Data`, a result does not fit its type, or a time is NULL.
pub struct EarlyAggregate {
    spec: WindowAggregateSpec,
    bounds: (usize, usize),
    early: Early,
    aggregates: Aggregates,
    keys: RowCodec,
    results: RowCodec,
    windows: Table<RowKey, Slice, Held>,
    /// The windows by their ends.
    ends: BTreeMap<i64, Vec<(Slot, Slice)>>,
    /// Windows that have changed since they gave a result, and when they will give one.
    changed: BTreeSet<(Slice, Slot)>,
    due: Option<ProcessingTime>,
    progress: Progress,
    index: Index,
    groups: Groups,
}

impl EarlyAggregate {
    /// The operator on one worker.
    ///
    /// # Errors
    /// Of kind `Plan`: a type is not supported.
    pub fn new(init: &OperatorInit, spec: WindowAggregateSpec, early: Early) -> Result<Self> {
        let WindowedBy::Attached { start, end } = spec.windows else {
            return Err(Error::internal("early results are of windows that rows carry"));
        };
        let retract = spec.input_is_changelog;
        let aggregates =
            Aggregates::new(&spec.aggregates, &spec.input, retract, DistinctIn::Groups)?;
        let results = (spec.keys.len()..spec.keys.len() + spec.aggregates.len())
            .map(|column| spec.output.field(column).data_type().clone());
        let range: KeyGroupRange = init.key_groups;
        Ok(EarlyAggregate {
            bounds: (start, end),
            early,
            keys: RowCodec::of_columns(&spec.input, &spec.keys)?,
            results: RowCodec::new(results.collect())?,
            windows: Table::new("windows", range),
            ends: BTreeMap::new(),
            changed: BTreeSet::new(),
            due: None,
            progress: Progress::new(range),
            index: Index::default(),
            groups: Groups::new(aggregates.width(), aggregates.blob_width()),
            aggregates,
            spec,
        })
    }

    /// The window of each row; none for late rows.
    fn parts(
        &self,
        chunk: &Chunk,
        hash: impl Fn(usize) -> u64,
        cx: &OperatorContext,
    ) -> Result<Vec<Option<Slice>>> {
        let starts = event_millis(&chunk.data, self.bounds.0)?;
        let ends = event_millis(&chunk.data, self.bounds.1)?;
        let part = |(row, (start, end)): (usize, (&i64, &i64))| {
            let end = EventTime(*end);
            let under = chunk.watermark(row, self.progress.of(hash(row), cx.watermark()));
            (!under.completes(end)).then_some(Slice { start: EventTime(*start), from: end })
        };
        Ok(starts.iter().zip(ends.iter()).enumerate().map(part).collect())
    }

    fn take(&mut self, mut chunk: Chunk, cx: &mut OperatorContext) -> Result<()> {
        let keys = columns(&chunk.data, &self.spec.keys);
        let mut encoded = self.keys.encode(&keys, chunk.len())?;
        let mut parts = self.parts(&chunk, |row| encoded.hash(row), cx)?;
        let late = parts.iter().filter(|part| part.is_none()).count();
        if late > 0 {
            cx.counts.late += late as u64;
            let live = parts.iter().enumerate().filter(|(_, part)| part.is_some());
            let live = UInt32Array::from_iter_values(live.map(|(row, _)| row as u32));
            chunk = chunk.take(&live).map_err(arrow_error)?;
            encoded = self.keys.encode(&columns(&chunk.data, &self.spec.keys), chunk.len())?;
            parts.retain(Option::is_some);
        }
        self.index.clear();
        self.groups.clear();
        let mut members: Vec<(Slot, RowKey, Slice)> = Vec::new();
        let mut of = Vec::with_capacity(chunk.len());
        for (row, part) in parts.into_iter().flatten().enumerate() {
            let (hash, bytes) = (encoded.hash(row), encoded.row(row));
            let is_group = |group: u32| {
                let (_, key, known) = &members[group as usize];
                *known == part && key.bytes() == bytes
            };
            let spread = (part.start.0 ^ part.from.0.rotate_left(32)) as u64;
            let mixed = hash ^ spread.wrapping_mul(0x9E37_79B9_7F4A_7C15);
            let (group, is_new) = self.index.find_or_add(mixed, is_group);
            of.push(group);
            if is_new {
                let key = RowKey::new(bytes);
                let is_known = self.windows.get(hash, &key, &part).is_some();
                let (slot, held) =
                    self.windows.get_or_insert_with(hash, &key, &part, Held::default)?;
                self.groups.load(&mut held.state);
                if !is_known {
                    self.ends.entry(part.from.0).or_default().push((slot, part));
                }
                self.changed.insert((part, slot));
                members.push((slot, key, part));
            }
        }
        let signs = signs(&chunk);
        self.aggregates.update(&chunk.data, signs.as_deref(), &of, &mut self.groups, None)?;
        for (group, (slot, _, part)) in members.iter().enumerate() {
            if let Some(held) = self.windows.get_mut_at(*slot, part)? {
                self.groups.store(group, &mut held.state);
            }
        }
        if self.due.is_none() && !self.changed.is_empty() {
            self.due = Some(cx.now() + self.early.every);
        }
        Ok(())
    }

    /// Gives the results of some windows, as changes of what they gave before.
    fn give(&mut self, windows: &[(Slot, Slice)], cx: &mut OperatorContext) -> Result<()> {
        for some in windows.chunks(CHUNK_ROWS) {
            self.give_some(some, cx)?;
        }
        Ok(())
    }

    fn give_some(&mut self, windows: &[(Slot, Slice)], cx: &mut OperatorContext) -> Result<()> {
        let mut groups = Groups::new(self.aggregates.width(), self.aggregates.blob_width());
        for (slot, part) in windows {
            let state = self.windows.get_at(*slot, part).map(|held| held.state.clone());
            groups.push(state.unwrap_or_default());
        }
        let new = self.aggregates.finish(&groups)?;
        let encoded = self.results.encode(&new, windows.len())?;
        // Rows of the output: of the new results first, then of those that were given.
        let (mut changes, mut old): (Changes, Vec<Vec<u8>>) = Default::default();
        let mut of: Vec<(Slot, Slice)> = Vec::new();
        for (row, (slot, part)) in windows.iter().enumerate() {
            let Some(held) = self.windows.get_mut_at(*slot, part)? else { continue };
            let is_there = groups.rows_of(row) > 0 || !self.spec.input_is_changelog;
            let result = is_there.then(|| encoded.row(row).to_vec());
            if held.given == result {
                continue;
            }
            let given = std::mem::replace(&mut held.given, result);
            let (before, after) = match (&given, is_there) {
                (Some(_), true) => (
                    self.early.update_before.then_some(RowKind::UpdateBefore),
                    Some(RowKind::UpdateAfter),
                ),
                (Some(_), false) => (Some(RowKind::Delete), None),
                (None, _) => (None, Some(RowKind::Insert)),
            };
            if let (Some(kind), Some(given)) = (before, given) {
                changes.push(kind, windows.len() + old.len());
                old.push(given);
                of.push((*slot, *part));
            }
            if let Some(kind) = after {
                changes.push(kind, row);
                of.push((*slot, *part));
            }
        }
        if changes.is_empty() {
            return Ok(());
        }
        let old = self.results.decode(old.iter().map(Vec::as_slice))?;
        let both = new.iter().zip(&old).map(|(new, old)| concat(&[new.as_ref(), old.as_ref()]));
        let both: Vec<ArrayRef> = both.collect::<Result<_, _>>().map_err(arrow_error)?;
        let no_key = RowKey::default();
        let keys = of.iter().map(|(slot, _)| self.windows.key(*slot).map_or(&no_key, |(_, k)| k));
        let mut output = self.keys.decode(keys.map(RowKey::bytes))?;
        output.extend(take_rows(&both, &changes.indices())?);
        for column in &self.spec.columns {
            let data_type = self.spec.output.field(output.len()).data_type();
            let millis = of.iter().map(|(_, part)| column.millis((part.start.0, part.from.0)));
            output.push(timestamps(data_type, millis)?);
        }
        let data = record_batch(&self.spec.output, output, of.len())?;
        cx.emit_batch(OUT, Chunk { data, kinds: changes.kinds(), read_at: None }.into());
        Ok(())
    }
}

impl Operator for EarlyAggregate {
    fn process(&mut self, _port: Port, batch: Batch, cx: &mut OperatorContext) -> Result<()> {
        match coalesce(batch)? {
            Some(chunk) => self.take(chunk, cx),
            None => Ok(()),
        }
    }

    fn on_watermark(&mut self, watermark: EventTime, cx: &mut OperatorContext) -> Result<()> {
        while let Some(first) = self.ends.first_entry()
            && watermark.completes(EventTime(*first.key()))
        {
            let windows = first.remove();
            self.give(&windows, cx)?;
            for (slot, part) in &windows {
                self.changed.remove(&(*part, *slot));
                self.windows.remove_at(*slot, part)?;
            }
        }
        self.progress.advance(watermark);
        Ok(())
    }

    fn wake_at(&self) -> Option<ProcessingTime> {
        self.due
    }

    fn on_processing_time(&mut self, cx: &mut OperatorContext) -> Result<()> {
        if self.due.is_some_and(|due| due <= cx.now()) {
            self.due = None;
            let changed = std::mem::take(&mut self.changed);
            let windows: Vec<_> = changed.into_iter().map(|(part, slot)| (slot, part)).collect();
            self.give(&windows, cx)?;
        }
        Ok(())
    }

    fn tables(&mut self) -> Vec<&mut dyn StateTable> {
        vec![&mut self.windows]
    }

    fn snapshot(&mut self, _epoch: Epoch) -> Result<Vec<Vec<u8>>> {
        self.progress.snapshot()
    }

    fn restore(&mut self, parts: &[Vec<u8>]) -> Result<()> {
        self.progress.restore(parts)
    }

    fn restored(&mut self) -> Result<()> {
        self.ends.clear();
        self.changed.clear();
        for (slot, _, part, _) in self.windows.iter() {
            self.ends.entry(part.from.0).or_default().push((slot, *part));
            // What changed after it was given is not known; what did not, says nothing.
            self.changed.insert((*part, slot));
        }
        self.due = (!self.changed.is_empty()).then_some(ProcessingTime(0));
        Ok(())
    }
}
