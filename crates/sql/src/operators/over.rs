//! OVER windows: each row with aggregates over the rows before it.
//!
//! By event time rows wait for the watermark and are then worked in order of time; by processing
//! time they are worked as they arrive. Rows of equal time are peers: a RANGE frame ends with the
//! last of them, a ROWS frame with the row itself.
//!
//! Unbounded frames keep one running state per key. The rows that become due at once are worked in
//! rounds, each with the next row of every key, so that many keys cost few calls. Bounded frames
//! keep the rows that later frames need, and are aggregated afresh for each row.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use datafusion::arrow::array::{ArrayRef, BooleanArray, RecordBatch, UInt32Array};
use datafusion::arrow::compute::{concat, kernels::zip::zip};
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::ScalarValue;
use headwater_core::{Batch, Epoch, EventTime, ProcessingTime, Result};
use headwater_operators::operator::OUT;
use headwater_operators::window::progress::Progress;
use headwater_operators::{Operator, OperatorContext, OperatorInit, Port};
use headwater_state::{StateTable, Table};
use serde::{Deserialize, Serialize};

use super::aggregate::state::{Groups, Packed};
use super::aggregate::{AggCall, Aggregates, DistinctIn};
use super::chunks::{
    arrow_error, coalesce, columns, datafusion_error, event_millis, record_batch, take_rows,
};
use super::rank::RowBytes;
use super::ttl::Ttl;
use super::window::Clock;
use crate::keys::{RowCodec, RowKey};
use crate::rows::Chunk;

/// Which rows a row is aggregated over; all frames but [`Frame::Row`] end with the row, or with its
/// peers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frame {
    /// `RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW`.
    RangeUnbounded,
    /// `ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW`.
    RowsUnbounded,
    /// `RANGE BETWEEN INTERVAL … PRECEDING AND CURRENT ROW`, in milliseconds.
    Range(i64),
    /// `ROWS BETWEEN n PRECEDING AND CURRENT ROW`.
    Rows(u64),
    /// `ROWS BETWEEN n PRECEDING AND n PRECEDING`: one row, or none.
    Row(u64),
}

/// What an over aggregate computes.
#[derive(Clone, Debug)]
pub struct OverAggregateSpec {
    /// Columns of the input, which only adds rows.
    pub input: SchemaRef,
    /// PARTITION BY.
    pub keys: Vec<usize>,
    /// ORDER BY.
    pub clock: Clock,
    /// The frame.
    pub frame: Frame,
    /// The aggregates.
    pub aggregates: Vec<AggCall>,
    /// What the aggregates of a frame without a row are, if not what they are of no row.
    pub default: Option<ScalarValue>,
    /// The columns of the input, then the results.
    pub output: SchemaRef,
    /// Time to live of the state of a key after its last row.
    pub ttl: Option<Duration>,
}

/// How long the state of a key is kept after its last row; none: for good, or until the watermark
/// passes.
fn lifetime(spec: &OverAggregateSpec) -> Option<Duration> {
    let range = match (spec.frame, spec.clock) {
        (Frame::Range(ms), Clock::ProcessingTime) => {
            Some(Duration::from_millis(u64::try_from(ms).unwrap_or(0).saturating_add(1)))
        }
        _ => None,
    };
    spec.ttl.into_iter().chain(range).min()
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Kept {
    /// Whether it has been emitted.
    done: bool,
    row: RowBytes,
}

/// A row at work.
struct Row {
    key: usize,
    time: i64,
    done: bool,
    bytes: RowBytes,
}

/// See the module.
///
/// - Time: by event time a row leaves once the watermark has reached it; late rows are counted and
///   dropped. By processing time at once.
/// - State: rows that wait; of bounded frames the rows that later ones need; of unbounded ones a
///   running state per key. Both are freed after the time to live; rows of a range when it is over.
/// - Errors: of kind `Data`, a result does not fit its type, or a time is NULL.
pub struct OverAggregate {
    spec: OverAggregateSpec,
    aggregates: Aggregates,
    keys: RowCodec,
    rows: RowCodec,
    kept: Table<RowKey, (EventTime, u64), Kept>,
    states: Table<RowKey, (), Packed>,
    ttl: Option<Ttl>,
    due: BTreeMap<EventTime, Vec<(u64, RowKey)>>,
    arrived: u64,
    progress: Progress,
}

impl OverAggregate {
    /// The operator on one worker.
    ///
    /// # Errors
    /// Of kind `Plan`: a type is not supported.
    pub fn new(init: &OperatorInit, spec: OverAggregateSpec) -> Result<Self> {
        let aggregates = Aggregates::new(&spec.aggregates, &spec.input, false, DistinctIn::Groups)?;
        Ok(OverAggregate {
            aggregates,
            keys: RowCodec::of_columns(&spec.input, &spec.keys)?,
            rows: RowCodec::of_schema(&spec.input)?,
            kept: Table::new("rows", init.key_groups),
            states: Table::new("running", init.key_groups),
            ttl: lifetime(&spec).map(|ttl| Ttl::new(ttl, init.key_groups)),
            due: BTreeMap::new(),
            arrived: 0,
            progress: Progress::new(init.key_groups),
            spec,
        })
    }

    fn is_unbounded(&self) -> bool {
        matches!(self.spec.frame, Frame::RangeUnbounded | Frame::RowsUnbounded)
    }

    /// Whether a frame ends with its row, not with the row's peers.
    fn ends_with_row(&self) -> bool {
        matches!(self.spec.frame, Frame::RowsUnbounded | Frame::Rows(_) | Frame::Row(_))
            || self.spec.clock == Clock::ProcessingTime
    }

    fn take(&mut self, chunk: &Chunk, cx: &mut OperatorContext) -> Result<()> {
        let keys = self.keys.encode(&columns(&chunk.data, &self.spec.keys), chunk.len())?;
        let rows = self.rows.encode(chunk.data.columns(), chunk.len())?;
        let times = match self.spec.clock {
            Clock::EventTime(column) => event_millis(&chunk.data, column)?.into_owned(),
            Clock::ProcessingTime => vec![cx.now().0; chunk.len()],
        };
        let by_event_time = self.spec.clock != Clock::ProcessingTime;
        let mut touched: BTreeSet<(u64, RowKey)> = BTreeSet::new();
        for (row, time) in times.into_iter().enumerate() {
            let (hash, key, time) = (keys.hash(row), RowKey::new(keys.row(row)), EventTime(time));
            let watermark = chunk.watermark(row, self.progress.of(hash, cx.watermark()));
            if by_event_time && time.is_late(watermark) {
                cx.counts.late += 1;
                continue;
            }
            let kept = Kept { done: false, row: RowBytes::new(rows.row(row)) };
            self.kept.insert(hash, &key, &(time, self.arrived), kept)?;
            self.arrived += 1;
            if by_event_time {
                self.due.entry(time).or_default().push((hash, key));
            } else {
                touched.insert((hash, key));
            }
        }
        self.work(touched, EventTime::MAX, cx)
    }

    /// Emits the rows of these keys up to `until` that have not been.
    fn work(
        &mut self,
        keys: BTreeSet<(u64, RowKey)>,
        until: EventTime,
        cx: &mut OperatorContext,
    ) -> Result<()> {
        let keys: Vec<(u64, RowKey)> = keys.into_iter().collect();
        let mut rows: Vec<Row> = Vec::new();
        for (at, (hash, key)) in keys.iter().enumerate() {
            let of_key = self.kept.of_key(*hash, key).take_while(|((time, _), _)| *time <= until);
            rows.extend(of_key.map(|((time, _), kept)| Row {
                key: at,
                time: time.0,
                done: kept.done,
                bytes: kept.row.clone(),
            }));
        }
        if rows.iter().any(|row| !row.done) {
            let columns = self.rows.decode(rows.iter().map(|row| &*row.bytes.0))?;
            let data = record_batch(&self.spec.input, columns, rows.len())?;
            let (order, results) = match self.is_unbounded() {
                true => self.running(&keys, &rows, &data)?,
                false => self.framed(&rows, &data)?,
            };
            let mut output = take_rows(data.columns(), &UInt32Array::from(order.clone()))?;
            output.extend(results);
            let data = record_batch(&self.spec.output, output, order.len())?;
            cx.emit_batch(OUT, Chunk::inserts(data).into());
        }
        keys.iter().try_for_each(|(hash, key)| self.clean(*hash, key, until, cx.now()))?;
        match &mut self.ttl {
            Some(ttl) => keys.iter().try_for_each(|(hash, key)| ttl.touch(*hash, key, cx.now())),
            None => Ok(()),
        }
    }

    /// Results of unbounded frames, in rounds: which rows, and their results.
    fn running(
        &mut self,
        keys: &[(u64, RowKey)],
        rows: &[Row],
        data: &RecordBatch,
    ) -> Result<(Vec<u32>, Vec<ArrayRef>)> {
        let peers = !self.ends_with_row();
        // The steps of each key: ranges of rows that share a result.
        let mut steps: Vec<(usize, Vec<std::ops::Range<u32>>)> = Vec::new();
        for (at, row) in (0u32..).zip(rows) {
            match steps.last_mut() {
                Some((key, steps)) if *key == row.key => match steps.last_mut() {
                    Some(step) if peers && rows[step.start as usize].time == row.time => {
                        step.end = at + 1;
                    }
                    _ => steps.push(at..at + 1),
                },
                _ => steps.push((row.key, std::iter::once(at..at + 1).collect())),
            }
        }
        // Keys with the most steps first: those at work in a round are then the first ones.
        steps.sort_by_key(|(_, steps)| std::cmp::Reverse(steps.len()));
        let mut groups = Groups::new(self.aggregates.width(), self.aggregates.blob_width());
        for (key, _) in &steps {
            let (hash, key) = &keys[*key];
            groups.push(self.states.get(*hash, key, &()).cloned().unwrap_or_default());
        }
        let (mut order, mut results) = (Vec::new(), Vec::new());
        let mut round = 0;
        while !groups.is_empty() {
            while let Some((key, of_key)) = steps.get(groups.len().wrapping_sub(1))
                && of_key.len() <= round
            {
                let (hash, key) = &keys[*key];
                let state = groups.take(groups.len() - 1);
                self.states.insert(*hash, key, &(), state)?;
                groups.pop();
            }
            if groups.is_empty() {
                break;
            }
            let (mut at_work, mut of) = (Vec::new(), Vec::new());
            for (group, (_, of_key)) in (0u32..).zip(&steps[..groups.len()]) {
                at_work.extend(of_key[round].clone());
                of.extend(of_key[round].clone().map(|_| group));
            }
            let columns = take_rows(data.columns(), &UInt32Array::from(at_work.clone()))?;
            let part = record_batch(&self.spec.input, columns, at_work.len())?;
            self.aggregates.update(&part, None, &of, &mut groups, None)?;
            let finished = self.aggregates.finish(&groups)?;
            results.push(take_rows(&finished, &UInt32Array::from(of))?);
            order.extend(at_work);
            round += 1;
        }
        let column = |at: usize| {
            let parts: Vec<_> = results.iter().map(|round| round[at].as_ref()).collect();
            concat(&parts).map_err(arrow_error)
        };
        let columns = (0..self.aggregates.len()).map(column).collect::<Result<_>>()?;
        Ok((order, columns))
    }

    /// Results of bounded frames: which rows, and their results.
    fn framed(&self, rows: &[Row], data: &RecordBatch) -> Result<(Vec<u32>, Vec<ArrayRef>)> {
        let mut groups = Groups::new(self.aggregates.width(), self.aggregates.blob_width());
        let (mut order, mut inside, mut of) = (Vec::new(), Vec::new(), Vec::new());
        let mut is_empty = Vec::new();
        for (at, row) in rows.iter().enumerate().filter(|(_, row)| !row.done) {
            let frame = self.frame(rows, at);
            is_empty.push(frame.is_empty());
            let group = groups.push(Packed::default()) as u32;
            of.extend(frame.clone().map(|_| group));
            inside.extend(frame.map(|row| row as u32));
            order.push(at as u32);
            debug_assert!(row.key < rows.len());
        }
        let columns = take_rows(data.columns(), &UInt32Array::from(inside))?;
        let part = record_batch(&self.spec.input, columns, of.len())?;
        self.aggregates.update(&part, None, &of, &mut groups, None)?;
        let mut results = self.aggregates.finish(&groups)?;
        if let Some(default) = &self.spec.default {
            let default = default.to_scalar().map_err(datafusion_error)?;
            let is_empty = BooleanArray::from(is_empty);
            for result in &mut results {
                *result = zip(&is_empty, &default, result).map_err(arrow_error)?;
            }
        }
        Ok((order, results))
    }

    /// The rows in the frame of a row.
    fn frame(&self, rows: &[Row], at: usize) -> std::ops::Range<usize> {
        let row = &rows[at];
        if let Frame::Row(before) = self.spec.frame {
            let there = usize::try_from(before).ok().and_then(|before| at.checked_sub(before));
            return match there.filter(|there| rows[*there].key == row.key) {
                Some(there) => there..there + 1,
                None => at..at,
            };
        }
        let is_before = |other: &Row, count: usize| {
            other.key == row.key
                && match self.spec.frame {
                    Frame::Range(ms) => other.time >= row.time.saturating_sub(ms),
                    Frame::Rows(n) => count as u64 <= n,
                    _ => true,
                }
        };
        let mut start = at;
        while start > 0 && is_before(&rows[start - 1], at - start + 1) {
            start -= 1;
        }
        let mut end = at + 1;
        let is_peer = |other: &Row| other.key == row.key && other.time == row.time;
        while !self.ends_with_row() && rows.get(end).is_some_and(is_peer) {
            end += 1;
        }
        start..end
    }

    /// Removes the rows of a key that no frame needs any more, and marks the others.
    fn clean(
        &mut self,
        hash: u64,
        key: &RowKey,
        until: EventTime,
        now: ProcessingTime,
    ) -> Result<()> {
        let done: Vec<(EventTime, u64)> = self
            .kept
            .of_key(hash, key)
            .map(|(ns, _)| *ns)
            .take_while(|(time, _)| *time <= until)
            .collect();
        let by_event_time = self.spec.clock != Clock::ProcessingTime;
        let reached = if by_event_time { until } else { now.as_event_time() };
        let gone = match self.spec.frame {
            Frame::RangeUnbounded | Frame::RowsUnbounded => done.len(),
            // By processing time the next row may have the same time.
            Frame::Range(ms) => {
                let first = reached.0.saturating_sub(ms);
                done.partition_point(|(time, _)| time.0 < first)
            }
            Frame::Rows(n) | Frame::Row(n) => {
                done.len().saturating_sub(usize::try_from(n).unwrap_or(usize::MAX))
            }
        };
        for ns in &done[..gone] {
            self.kept.remove(hash, key, ns)?;
        }
        for ns in &done[gone..] {
            if self.kept.get(hash, key, ns).is_some_and(|kept| !kept.done)
                && let Some(kept) = self.kept.get_mut(hash, key, ns)?
            {
                kept.done = true;
            }
        }
        if let (Frame::Range(ms), Some((last, _)), true) =
            (self.spec.frame, done[gone..].last(), by_event_time && until != EventTime::MAX)
        {
            // So that the last rows of a key do not stay for good.
            let gone_at = EventTime(last.0.saturating_add(ms).saturating_add(1));
            let entries = self.due.entry(gone_at).or_default();
            let entry = (hash, key.clone());
            if entries.last() != Some(&entry) {
                entries.push(entry);
            }
        }
        Ok(())
    }
}

impl Operator for OverAggregate {
    fn process(&mut self, _port: Port, batch: Batch, cx: &mut OperatorContext) -> Result<()> {
        match coalesce(batch)? {
            Some(chunk) => self.take(&chunk, cx),
            None => Ok(()),
        }
    }

    fn on_watermark(&mut self, watermark: EventTime, cx: &mut OperatorContext) -> Result<()> {
        let mut keys = BTreeSet::new();
        while let Some(first) = self.due.first_entry()
            && first.key().is_late(watermark)
        {
            keys.extend(first.remove());
        }
        self.work(keys, watermark, cx)?;
        self.progress.advance(watermark);
        Ok(())
    }

    fn wake_at(&self) -> Option<ProcessingTime> {
        self.ttl.as_ref()?.wake_at()
    }

    fn on_processing_time(&mut self, cx: &mut OperatorContext) -> Result<()> {
        let Some(ttl) = &mut self.ttl else { return Ok(()) };
        while let Some((hash, key)) = ttl.pop_due(cx.now())? {
            self.states.remove(hash, &key, &())?;
            // Those that wait for the watermark are yet to be emitted.
            let done = self.kept.of_key(hash, &key).filter(|(_, kept)| kept.done);
            let done: Vec<(EventTime, u64)> = done.map(|(ns, _)| *ns).collect();
            for ns in &done {
                self.kept.remove(hash, &key, ns)?;
            }
        }
        Ok(())
    }

    fn tables(&mut self) -> Vec<&mut dyn StateTable> {
        let mut tables: Vec<&mut dyn StateTable> = vec![&mut self.kept, &mut self.states];
        tables.extend(self.ttl.as_mut().map(Ttl::table));
        tables
    }

    fn snapshot(&mut self, _epoch: Epoch) -> Result<Vec<Vec<u8>>> {
        self.progress.snapshot()
    }

    fn restore(&mut self, parts: &[Vec<u8>]) -> Result<()> {
        self.progress.restore(parts)
    }

    fn restored(&mut self) -> Result<()> {
        self.due.clear();
        self.arrived = 0;
        for (slot, key, (time, arrived), kept) in self.kept.iter() {
            let hash = self.kept.key(slot).map_or(0, |(hash, _)| hash);
            let at = match self.spec.frame {
                Frame::Range(ms) if kept.done => EventTime(time.0.saturating_add(ms + 1)),
                _ => *time,
            };
            self.due.entry(at).or_default().push((hash, key.clone()));
            self.arrived = self.arrived.max(arrived + 1);
        }
        if let Some(ttl) = &mut self.ttl {
            ttl.restored();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
