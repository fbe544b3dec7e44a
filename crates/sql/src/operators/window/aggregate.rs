//! Aggregation over TUMBLE, HOP and CUMULATE windows, and over windows that rows carry.
//!
//! One state per key and slice, so a row costs one update however many windows it is in; when a
//! window is complete, the slices in it are merged. A row that has lost the first of its windows
//! goes to a part of its slice that counts for the later ones only (see [`Slice`]).
//!
//! `pending` is an index over the table: the parts by slice, and the ends of windows that will
//! emit. Which windows have emitted follows from the watermark alone; what that was before a
//! restore is kept per key group by [`Progress`].

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use datafusion::arrow::array::UInt32Array;
use datafusion::arrow::datatypes::SchemaRef;
use headwater_core::{Batch, Epoch, EventTime, ProcessingTime, Result};
use headwater_operators::window::progress::Progress;
use headwater_operators::window::{Slice, Slicing};
use headwater_operators::{Operator, OperatorContext, OperatorInit, Port};
use headwater_state::{Slot, StateTable, Table};

use super::emit::Emitter;
use super::{Clock, Window, WindowColumn};
use crate::keys::{RowCodec, RowKey};
use crate::operators::aggregate::state::{Groups, Packed};
use crate::operators::aggregate::{AggCall, Aggregates, DistinctIn};
use crate::operators::chunks::{arrow_error, coalesce, columns, event_millis, signs};
use crate::operators::group::Index;
use crate::rows::Chunk;

/// How rows come by their windows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WindowedBy {
    /// By their time.
    Time(Window, Clock),
    /// They carry the bounds in these columns.
    Attached {
        /// Column of the start.
        start: usize,
        /// Column of the end.
        end: usize,
    },
}

/// What a window aggregate computes.
#[derive(Clone, Debug)]
pub struct WindowAggregateSpec {
    /// Columns of the input.
    pub input: SchemaRef,
    /// Columns to group by, besides the window.
    pub keys: Vec<usize>,
    /// The windows.
    pub windows: WindowedBy,
    /// The aggregates.
    pub aggregates: Vec<AggCall>,
    /// Columns of the window that are wanted behind keys and results.
    pub columns: Vec<WindowColumn>,
    /// Keys, results, columns of the window.
    pub output: SchemaRef,
    /// Whether the input takes rows back.
    pub input_is_changelog: bool,
}

/// See the module.
///
/// - Time: emits a window once it is complete; late rows are counted and dropped.
/// - State: one state per key and slice, freed with the last window that has it.
/// - Errors: of kind `Data`, a result does not fit its type, or a time is NULL.
pub struct WindowAggregate {
    spec: WindowAggregateSpec,
    slicing: Option<Slicing>,
    aggregates: Aggregates,
    codec: RowCodec,
    slices: Table<RowKey, Slice, Packed>,
    pending: Pending,
    progress: Progress,
    /// Over processing time: the time that has passed.
    clock: EventTime,
    index: Index,
    groups: Groups,
    members: Vec<(Slot, RowKey, Slice)>,
    emitter: Emitter,
}

/// An index of the parts, and of the windows that are to emit.
#[derive(Default)]
struct Pending {
    /// By slice, or by end where rows carry their windows.
    parts: BTreeMap<i64, Vec<(Slot, Slice)>>,
    ends: BTreeSet<i64>,
}

impl WindowAggregate {
    /// The operator on one worker.
    ///
    /// # Errors
    /// Of kind `Plan`: the windows are not possible, or a type is not supported.
    pub fn new(init: &OperatorInit, spec: WindowAggregateSpec) -> Result<Self> {
        let retract = spec.input_is_changelog;
        let aggregates =
            Aggregates::new(&spec.aggregates, &spec.input, retract, DistinctIn::Groups)?;
        let slicing = match &spec.windows {
            WindowedBy::Time(window, _) => Some(window.slicing()?),
            WindowedBy::Attached { .. } => None,
        };
        let codec = RowCodec::of_columns(&spec.input, &spec.keys)?;
        let (wanted, output) = (spec.columns.clone(), Arc::clone(&spec.output));
        Ok(WindowAggregate {
            emitter: Emitter::new(codec.clone(), &aggregates, wanted, output),
            slicing,
            codec,
            slices: Table::new("slices", init.key_groups),
            pending: Pending::default(),
            progress: Progress::new(init.key_groups),
            clock: EventTime::MIN,
            index: Index::default(),
            groups: Groups::new(aggregates.width(), aggregates.blob_width()),
            members: Vec::new(),
            aggregates,
            spec,
        })
    }

    fn is_by_clock(&self) -> bool {
        matches!(self.spec.windows, WindowedBy::Time(_, Clock::ProcessingTime))
    }

    /// The part that each row belongs to; none for late rows.
    fn parts(
        &self,
        chunk: &Chunk,
        hash: impl Fn(usize) -> u64,
        cx: &OperatorContext,
    ) -> Result<Vec<Option<Slice>>> {
        let current = if self.is_by_clock() { self.clock } else { cx.watermark() };
        let read_under = |row: usize| chunk.watermark(row, self.progress.of(hash(row), current));
        let (slicing, times) = match (&self.spec.windows, &self.slicing) {
            (WindowedBy::Time(_, Clock::ProcessingTime), Some(slicing)) => {
                let now = cx.now().as_event_time().max(EventTime(self.clock.0.saturating_add(1)));
                let slice = slicing.slice(now.0);
                let part = Slice { start: slice, from: slicing.first_end(slice) };
                return Ok(vec![Some(part); chunk.len()]);
            }
            (WindowedBy::Time(_, Clock::EventTime(column)), Some(slicing)) => {
                (slicing, event_millis(&chunk.data, *column)?)
            }
            (WindowedBy::Attached { start, end }, _) => {
                let starts = event_millis(&chunk.data, *start)?;
                let ends = event_millis(&chunk.data, *end)?;
                let bounds = starts.iter().zip(ends.iter()).enumerate();
                let part = |(row, (start, end)): (usize, (&i64, &i64))| {
                    let end = EventTime(*end);
                    let late = read_under(row).completes(end);
                    (!late).then_some(Slice { start: EventTime(*start), from: end })
                };
                return Ok(bounds.map(part).collect());
            }
            _ => return Ok(vec![None; chunk.len()]),
        };
        let same_watermark = chunk.read_at.is_none() && self.progress.is_even();
        let mut last: Option<(EventTime, Option<Slice>)> = None;
        let part = |(row, time): (usize, &i64)| {
            let start = slicing.slice(*time);
            match last {
                Some((known, part)) if known == start && same_watermark => part,
                _ => {
                    let whole = Slice { start, from: EventTime::MIN };
                    let from = slicing.first_live_end(whole, read_under(row), Duration::ZERO);
                    let part = from.map(|from| Slice { start, from });
                    last = Some((start, part));
                    part
                }
            }
        };
        Ok(times.iter().enumerate().map(part).collect())
    }

    fn take(&mut self, chunk: Chunk, cx: &mut OperatorContext) -> Result<()> {
        let keys = columns(&chunk.data, &self.spec.keys);
        let mut encoded = self.codec.encode(&keys, chunk.len())?;
        let mut parts = self.parts(&chunk, |row| encoded.hash(row), cx)?;
        let mut chunk = chunk;
        let late = parts.iter().filter(|part| part.is_none()).count();
        if late > 0 {
            cx.counts.late += late as u64;
            let live = parts.iter().enumerate().filter(|(_, part)| part.is_some());
            let live = UInt32Array::from_iter_values(live.map(|(row, _)| row as u32));
            chunk = chunk.take(&live).map_err(arrow_error)?;
            encoded = self.codec.encode(&columns(&chunk.data, &self.spec.keys), chunk.len())?;
            parts.retain(Option::is_some);
        }
        self.index.clear();
        self.groups.clear();
        self.members.clear();
        let mut of = Vec::with_capacity(chunk.len());
        let hashes = encoded.hashes();
        for (row, part) in parts.into_iter().flatten().enumerate() {
            self.slices.warm_ahead(&hashes, row);
            let (hash, bytes) = (hashes[row], encoded.row(row));
            let members = &self.members;
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
                let (slot, state) =
                    self.slices.get_or_insert_with(hash, &key, &part, Packed::default)?;
                if state.words.is_empty() {
                    self.pending.add(self.slicing.as_ref(), slot, part, part.from.0);
                }
                self.groups.load(state);
                self.members.push((slot, key, part));
            }
        }
        let signs = signs(&chunk);
        self.aggregates.update(&chunk.data, signs.as_deref(), &of, &mut self.groups, None)?;
        for (group, (slot, _, part)) in self.members.iter().enumerate() {
            if let Some(to) = self.slices.get_mut_at(*slot, part)? {
                self.groups.store(group, to);
            }
        }
        Ok(())
    }

    /// Emits what is complete at `watermark`, and frees what is gone.
    fn advance(&mut self, watermark: EventTime, cx: &mut OperatorContext) -> Result<()> {
        while let Some(end) = self.pending.ends.first().copied()
            && watermark.completes(EventTime(end))
        {
            self.pending.ends.pop_first();
            self.emit(end, cx)?;
            self.free(end)?;
        }
        self.emitter.flush(&self.aggregates, cx)
    }

    fn emit(&mut self, end: i64, cx: &mut OperatorContext) -> Result<()> {
        let window = self.slicing.as_ref().map(|s| s.window(EventTime(end)));
        let places = window.map_or(end..=end, |w| w.start.0..=end - 1);
        let mut parts: Vec<(Slot, Slice)> = Vec::new();
        for (_, some) in self.pending.parts.range(places) {
            parts.extend(some.iter().filter(|(_, part)| part.from.0 <= end));
        }
        // Slices of a key come together, in order of time.
        let one_each = self.slicing.as_ref().is_none_or(|s| s.slices() == 1);
        if !one_each {
            parts.sort_unstable();
        }
        let mut at = 0;
        while let Some((slot, first)) = parts.get(at).copied() {
            let same = |(other, _): &&(Slot, Slice)| *other == slot;
            let count = if one_each { 1 } else { parts[at..].iter().take_while(same).count() };
            let of_key = &parts[at..at + count];
            at += count;
            let Some((hash, key)) = self.slices.key(slot) else { continue };
            if self.progress.of(hash, EventTime::MIN).completes(EventTime(end)) {
                // Emitted before a restore.
                continue;
            }
            let key = key.clone();
            let group = match of_key {
                [(_, part)] => {
                    let state = match one_each {
                        true => self.slices.remove_at(slot, part)?,
                        false => self.slices.get_at(slot, part).cloned(),
                    };
                    let Some(state) = state else { continue };
                    self.emitter.groups.push(state)
                }
                parts => {
                    let group = self.emitter.groups.push(Packed::default());
                    for (_, part) in parts {
                        if let Some(state) = self.slices.get_at(slot, part) {
                            self.aggregates.merge(&mut self.emitter.groups, group, state)?;
                        }
                    }
                    group
                }
            };
            if self.emitter.groups.rows_of(group) == 0 && self.spec.input_is_changelog {
                self.emitter.groups.pop();
                continue;
            }
            let start = window.map_or(first.start.0, |w| w.start.0);
            self.emitter.push(key, (start, end), &self.aggregates, cx)?;
        }
        Ok(())
    }

    /// Frees slices whose last window ended at `end`, and sees to the next window of the others.
    fn free(&mut self, end: i64) -> Result<()> {
        let Some(slicing) = &self.slicing else {
            for (slot, part) in self.pending.parts.remove(&end).unwrap_or_default() {
                self.slices.remove_at(slot, &part)?;
            }
            return Ok(());
        };
        while let Some(first) = self.pending.parts.first_entry()
            && slicing.last_end(EventTime(*first.key())).0 <= end
        {
            for (slot, part) in first.remove() {
                self.slices.remove_at(slot, &part)?;
            }
        }
        let next = slicing.window(EventTime(end + slicing.hop()));
        if self.pending.parts.range(next.start.0..next.end.0).next().is_some() {
            self.pending.ends.insert(next.end.0);
        }
        Ok(())
    }
}

impl Pending {
    /// Adds a part, whose first window that will emit ends at `end`.
    fn add(&mut self, slicing: Option<&Slicing>, slot: Slot, part: Slice, end: i64) {
        let place = if slicing.is_some() { part.start.0 } else { part.from.0 };
        self.parts.entry(place).or_default().push((slot, part));
        self.ends.insert(end);
    }
}

impl Operator for WindowAggregate {
    fn process(&mut self, _port: Port, batch: Batch, cx: &mut OperatorContext) -> Result<()> {
        match coalesce(batch)? {
            Some(chunk) => self.take(chunk, cx),
            None => Ok(()),
        }
    }

    fn on_watermark(&mut self, watermark: EventTime, cx: &mut OperatorContext) -> Result<()> {
        if self.is_by_clock() {
            return match watermark {
                EventTime::MAX => self.advance(EventTime::MAX, cx),
                _ => Ok(()),
            };
        }
        self.advance(watermark, cx)?;
        self.progress.advance(watermark);
        Ok(())
    }

    fn wake_at(&self) -> Option<ProcessingTime> {
        let next = self.pending.ends.first().filter(|_| self.is_by_clock())?;
        Some(ProcessingTime(*next))
    }

    fn on_processing_time(&mut self, cx: &mut OperatorContext) -> Result<()> {
        let passed = EventTime(cx.now().0.saturating_sub(1));
        if self.is_by_clock() && passed > self.clock {
            self.clock = passed;
            self.advance(passed, cx)?;
            self.progress.advance(passed);
        }
        Ok(())
    }

    fn tables(&mut self) -> Vec<&mut dyn StateTable> {
        vec![&mut self.slices]
    }

    fn snapshot(&mut self, _epoch: Epoch) -> Result<Vec<Vec<u8>>> {
        self.progress.snapshot()
    }

    fn restore(&mut self, parts: &[Vec<u8>]) -> Result<()> {
        self.progress.restore(parts)
    }

    fn restored(&mut self) -> Result<()> {
        self.pending = Pending::default();
        // The clock does not go back, whatever the wall says.
        self.clock = self.progress.furthest();
        for (slot, _, part, _) in self.slices.iter() {
            let hash = self.slices.key(slot).map_or(0, |(hash, _)| hash);
            let floor = self.progress.of(hash, EventTime::MIN);
            let end = match &self.slicing {
                Some(slicing) => slicing.first_live_end(*part, floor, Duration::ZERO),
                None => Some(part.from),
            };
            let end = end.unwrap_or(part.from);
            self.pending.add(self.slicing.as_ref(), slot, *part, end.0);
        }
        Ok(())
    }
}
