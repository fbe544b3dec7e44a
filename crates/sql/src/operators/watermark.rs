//! Event time enters a query here: the table's `WATERMARK FOR column AS expression`.
//!
//! The expression is evaluated for each row; the greatest value a split has given so far is the
//! split's watermark, as in Flink: no further row with time `<=` it is expected. A row is late when
//! its time is at or below its split's watermark as it stood before the row. That is written into
//! the chunk, so what is late depends on neither workers nor batches. (Flink's default,
//! `on-periodic`, judges by what was last emitted: here that is the batch, and lateness is not
//! reproducible.)
//!
//! Splits, idleness and alignment are those of [`headwater_operators::watermarks`].

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use datafusion::arrow::array::{Array, Int64Array, RecordBatch};
use datafusion::common::ScalarValue;
use datafusion::logical_expr::Operator as Op;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::{BinaryExpr, Column, Literal};
use headwater_core::codec::{decode, encode};
use headwater_core::{Batch, Epoch, Error, EventTime, ProcessingTime, Result, SplitTag, Watermark};
use headwater_operators::operator::OUT;
use headwater_operators::watermarks::Alignment;
use headwater_operators::watermarks::split::{Progress, Split};
use headwater_operators::{Operator, OperatorContext, OperatorInit, Port, SplitEvent};

use super::chunks::{datafusion_error, event_millis, millis_of};
use crate::rows::{Chunk, Rows};
use crate::splits::{SplitBoard, SplitEntry};

/// When a split's watermark moves: `scan.watermark.emit.strategy`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Emit {
    /// After each row: lateness does not depend on batches.
    #[default]
    OnEvent,
    /// After each batch that was read.
    OnPeriodic,
}

/// What a table says about its event time.
#[derive(Clone)]
pub struct AssignWatermarkSpec {
    /// Column of the event time.
    pub rowtime: usize,
    /// The watermark expression over the columns of the input: a timestamp.
    pub expr: Arc<dyn PhysicalExpr>,
    /// When it moves the watermark.
    pub emit: Emit,
    /// A split that has had nothing to give for this long does not hold the watermark.
    pub idle_after: Option<Duration>,
    /// A split that has had nothing to give for this long goes on with the wall clock.
    pub advance_when_quiet: Option<Duration>,
    /// Rows stamped further ahead of the wall clock than this do not move the watermark.
    pub max_future: Option<Duration>,
    /// Splits that are held together.
    pub alignment: Option<Alignment>,
    /// Where splits say how far they are, and the name of their table there.
    pub board: Option<(SplitBoard, String)>,
}

impl AssignWatermarkSpec {
    /// The watermark of `rowtime` is `expr`; the rest is default.
    pub fn new(rowtime: usize, expr: Arc<dyn PhysicalExpr>) -> Self {
        AssignWatermarkSpec {
            rowtime,
            expr,
            emit: Emit::default(),
            idle_after: None,
            advance_when_quiet: None,
            max_future: Some(Duration::from_secs(24 * 3600)),
            alignment: None,
            board: None,
        }
    }
}

/// The constant that the watermark expression takes off the event time, in whole milliseconds.
fn delay(spec: &AssignWatermarkSpec) -> Option<i64> {
    let is_rowtime = |expr: &Arc<dyn PhysicalExpr>| {
        expr.downcast_ref::<Column>().is_some_and(|column| column.index() == spec.rowtime)
    };
    if is_rowtime(&spec.expr) {
        return Some(0);
    }
    let less = spec.expr.downcast_ref::<BinaryExpr>()?;
    let interval = less.right().downcast_ref::<Literal>()?.value();
    let ScalarValue::IntervalMonthDayNano(Some(interval)) = interval else { return None };
    let millis = i64::from(interval.days) * 86_400_000 + interval.nanoseconds / 1_000_000;
    let whole = interval.months == 0 && interval.nanoseconds % 1_000_000 == 0 && millis >= 0;
    let is_less = *less.op() == Op::Minus && is_rowtime(less.left());
    (whole && is_less).then_some(millis)
}

struct Member {
    tag: SplitTag,
    id: String,
    aligned_as: String,
    split: Split,
    entry: Option<SplitEntry>,
}

/// Generates the watermarks of everything behind it, and marks late rows.
///
/// - Time: see the module.
/// - State: greatest time and watermark per split.
/// - Errors: of kind `Data`, the event time of a row is NULL.
pub struct AssignWatermark {
    init: OperatorInit,
    spec: AssignWatermarkSpec,
    splits: Vec<Member>,
    restored: HashMap<String, Progress>,
    now: ProcessingTime,
    /// How far the watermark is behind the time of each row, in milliseconds, where the expression
    /// says just that.
    delay: Option<i64>,
}

impl AssignWatermark {
    /// The operator on one worker.
    pub fn new(init: &OperatorInit, spec: AssignWatermarkSpec) -> Self {
        AssignWatermark {
            init: init.clone(),
            delay: delay(&spec),
            spec,
            splits: Vec::new(),
            restored: HashMap::new(),
            now: ProcessingTime::default(),
        }
    }

    fn member(&mut self, tag: SplitTag) -> usize {
        if let Some(found) = self.splits.iter().position(|m| m.tag == tag) {
            return found;
        }
        // Behind an exchange there are no splits; what arrives at this worker counts as one.
        self.add(tag, &format!("worker {}", self.init.worker));
        self.splits.len() - 1
    }

    fn add(&mut self, tag: SplitTag, id: &str) {
        self.splits.push(Member {
            tag,
            id: id.to_owned(),
            aligned_as: format!("{}/{id}", self.init.name),
            split: Split::new(self.restored.get(id).copied()),
            entry: self.spec.board.as_ref().map(|(board, table)| board.entry(table, id)),
        });
        self.publish(self.splits.len() - 1);
    }

    fn publish(&self, member: usize) {
        let member = &self.splits[member];
        let counts = member.split.counts();
        match &member.entry {
            Some(entry) if counts => entry.set_watermark(member.split.progress.watermark),
            Some(entry) => entry.gone(),
            None => {}
        }
        if let Some(alignment) = &self.spec.alignment {
            alignment
                .publish(&member.aligned_as, counts.then_some(member.split.progress.watermark));
        }
    }

    fn limit(&self, now: ProcessingTime) -> EventTime {
        match self.spec.max_future {
            Some(bound) => now.as_event_time().saturating_add(bound),
            None => EventTime(i64::MAX - 1),
        }
    }

    /// The watermark that each row asks for, in milliseconds.
    fn asked(&self, data: &RecordBatch, times: &[i64]) -> Result<Vec<i64>> {
        if let Some(delay) = self.delay {
            return Ok(times.iter().map(|time| time.saturating_sub(delay)).collect());
        }
        let value = self.spec.expr.evaluate(data).map_err(datafusion_error)?;
        let array = value.into_array(data.num_rows()).map_err(datafusion_error)?;
        let Some(asked) = millis_of(&array) else {
            let found = array.data_type();
            return Err(Error::plan(format!("the watermark is of type {found}, not a timestamp")));
        };
        let mut asked = asked.into_owned();
        if let Some(nulls) = array.nulls() {
            // A NULL asks for nothing.
            let at_null = asked.iter_mut().enumerate().filter(|(i, _)| nulls.is_null(*i));
            at_null.for_each(|(_, asked)| *asked = i64::MIN);
        }
        Ok(asked)
    }

    /// Moves the split by the rows of a chunk as a whole, if that is the same as one after the
    /// other: none is late, none is ahead of the clock.
    fn advance_at_once(&mut self, at: usize, times: &[i64], limit: EventTime) -> bool {
        let Some(delay) = self.delay else { return false };
        let (Some(least), Some(most)) = (times.iter().min(), times.iter().max()) else {
            return false;
        };
        let Split { progress, .. } = &mut self.splits[at].split;
        // What the watermark is before the last row, at most.
        let asked = EventTime(most.saturating_sub(delay));
        if EventTime(*least).is_late(progress.watermark.max(asked)) || EventTime(*most) > limit {
            return false;
        }
        progress.max_time = progress.max_time.max(EventTime(*most));
        self.splits[at].split.raise(asked, limit);
        true
    }

    /// Moves the split by the rows of a chunk and marks those that are late.
    fn advance(&mut self, at: usize, chunk: Chunk, cx: &mut OperatorContext) -> Result<Chunk> {
        let limit = self.limit(cx.now());
        let times = event_millis(&chunk.data, self.spec.rowtime)?;
        if self.advance_at_once(at, &times, limit) {
            return Ok(chunk);
        }
        let asked = self.asked(&chunk.data, &times)?;
        let split = &mut self.splits[at].split;
        let before = split.progress.watermark;
        let mut read_at: Option<Vec<i64>> = None;
        let mut highest = EventTime::MIN;
        for (row, (time, asked)) in times.iter().zip(asked).enumerate() {
            let under = match self.spec.emit {
                Emit::OnEvent => split.progress.watermark,
                Emit::OnPeriodic => before,
            };
            if EventTime(*time).is_late(under) {
                read_at.get_or_insert_with(|| vec![i64::MIN; times.len()])[row] = under.0;
            }
            if EventTime(*time) > limit {
                // One wrong clock must not close everybody's windows.
                cx.counts.future += 1;
                continue;
            }
            split.progress.max_time = split.progress.max_time.max(EventTime(*time));
            let asked = EventTime(asked);
            match self.spec.emit {
                Emit::OnEvent => _ = split.raise(asked, limit),
                Emit::OnPeriodic => highest = highest.max(asked),
            }
        }
        split.raise(highest, limit);
        let read_at = read_at.map(Int64Array::from);
        Ok(Chunk { read_at, ..chunk })
    }
}

impl Operator for AssignWatermark {
    fn process(&mut self, _port: Port, batch: Batch, cx: &mut OperatorContext) -> Result<()> {
        self.now = cx.now();
        let tag = cx.split();
        let at = self.member(tag);
        self.splits[at].split.active();
        self.splits[at].entry.iter().for_each(SplitEntry::reading);
        let mut out = Batch::default();
        for chunk in Rows::of(batch) {
            let chunk = self.advance(at, chunk, cx)?;
            Rows::push_to(&mut out, chunk);
        }
        self.publish(at);
        cx.emit_batch(OUT, out.with_split(tag));
        Ok(())
    }

    fn watermark(&self, input: Watermark) -> Watermark {
        if input == Watermark::At(EventTime::MAX) {
            return input;
        }
        let splits = self.splits.iter().map(|m| &m.split).filter(|s| s.counts());
        Watermark::min_of(splits.map(|s| Watermark::At(s.progress.watermark)))
    }

    fn wake_at(&self) -> Option<ProcessingTime> {
        let (idle, advance) = (self.spec.idle_after, self.spec.advance_when_quiet);
        self.splits.iter().filter_map(|m| m.split.wake_at(self.now, idle, advance)).min()
    }

    fn on_processing_time(&mut self, cx: &mut OperatorContext) -> Result<()> {
        self.now = cx.now();
        for at in 0..self.splits.len() {
            let (idle, advance) = (self.spec.idle_after, self.spec.advance_when_quiet);
            self.splits[at].split.tick(cx.now(), idle, advance);
            self.publish(at);
        }
        Ok(())
    }

    fn on_split(&mut self, tag: SplitTag, event: SplitEvent<'_>) {
        if let SplitEvent::Added { id } = event {
            self.add(tag, id);
            return;
        }
        let at = self.member(tag);
        let Member { split, entry, .. } = &mut self.splits[at];
        match event {
            SplitEvent::Added { .. } => {}
            SplitEvent::Quiet { since } => {
                self.now = self.now.max(since);
                split.quiet(since);
                entry.iter().for_each(|entry| entry.quiet(since));
            }
            SplitEvent::Active => {
                split.active();
                entry.iter().for_each(SplitEntry::reading);
            }
            SplitEvent::Ended => split.end(),
        }
        self.publish(at);
    }

    fn holds_back(&self, tag: SplitTag) -> bool {
        let Some(alignment) = &self.spec.alignment else { return false };
        let member = self.splits.iter().find(|m| m.tag == tag);
        member.is_some_and(|m| alignment.is_ahead(m.split.progress.watermark))
    }

    fn snapshot(&mut self, _epoch: Epoch) -> Result<Vec<Vec<u8>>> {
        let progress: Vec<(&str, Progress)> =
            self.splits.iter().map(|m| (m.id.as_str(), m.split.progress)).collect();
        Ok(vec![encode(&progress)?])
    }

    fn restore(&mut self, parts: &[Vec<u8>]) -> Result<()> {
        for part in parts {
            self.restored.extend(decode::<Vec<(String, Progress)>>(part)?);
        }
        Ok(())
    }
}

impl Drop for AssignWatermark {
    fn drop(&mut self) {
        if let Some(alignment) = &self.spec.alignment {
            self.splits.iter().for_each(|member| alignment.publish(&member.aligned_as, None));
        }
    }
}

#[cfg(test)]
mod tests;
