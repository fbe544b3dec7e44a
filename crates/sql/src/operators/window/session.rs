//! SESSION windows: runs of rows of a key with at most a gap between neighbours.
//!
//! A session of rows from `first` to `last` is the window `[first, last + gap)`. As in Flink,
//! sessions that touch are one: a row exactly one gap after the last still belongs to it. So that
//! this does not depend on whether the session was emitted a millisecond before, a session is
//! complete when the watermark reaches its end, 1 ms later than other windows.
//!
//! A row joins the sessions that it overlaps itself, but for those that are complete under the
//! watermark it was read under; it is late when what then is its session is complete.
//!
//! Rows that are on time by themselves commute, so they are made into sessions among themselves
//! first, batch by batch, and these are then joined with those of the table; the others are taken
//! one by one, in their place.

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::arrow::array::UInt32Array;
use datafusion::arrow::datatypes::SchemaRef;
use headwater_core::{Batch, Epoch, Error, EventTime, ProcessingTime, Result};
use headwater_operators::window::progress::Progress;
use headwater_operators::{Operator, OperatorContext, OperatorInit, Port};
use headwater_state::{Slot, StateTable, Table};
use serde::{Deserialize, Serialize};

use super::emit::Emitter;
use super::{Clock, WindowColumn};
use crate::keys::{Encoded, RowCodec, RowKey};
use crate::operators::aggregate::state::{Groups, Packed};
use crate::operators::aggregate::{AggCall, Aggregates, DistinctIn};
use crate::operators::chunks::{arrow_error, coalesce, columns, event_millis, signs};
use crate::rows::Chunk;

/// What a session aggregate computes.
#[derive(Clone, Debug)]
pub struct SessionAggregateSpec {
    /// Columns of the input.
    pub input: SchemaRef,
    /// Columns to group by: each key has sessions of its own.
    pub keys: Vec<usize>,
    /// By which clock.
    pub clock: Clock,
    /// The gap, in milliseconds.
    pub gap: i64,
    /// The aggregates.
    pub aggregates: Vec<AggCall>,
    /// Columns of the window that are wanted behind keys and results.
    pub columns: Vec<WindowColumn>,
    /// Keys, results, columns of the window.
    pub output: SchemaRef,
    /// Whether the input takes rows back.
    pub input_is_changelog: bool,
}

/// Names a session of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct SessionId {
    start: i64,
    /// 0; or more when the one before is complete for the rows here but has yet to be emitted.
    twin: u32,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Session {
    /// Time of its last row.
    last: i64,
    state: Packed,
}

/// Rows of a key that are one session among themselves.
struct Run {
    key: u32,
    first: i64,
    last: i64,
    /// The watermark under which they count.
    read_under: EventTime,
}

/// See the module.
///
/// - Time: emits a session once it is complete; late rows are counted and dropped.
/// - State: one state per session, freed when it is emitted.
/// - Errors: of kind `Data`, a result does not fit its type, or a time is NULL.
pub struct SessionAggregate {
    spec: SessionAggregateSpec,
    aggregates: Aggregates,
    codec: RowCodec,
    sessions: Table<RowKey, SessionId, Session>,
    /// An index whose entries may be stale: every session has one at or before its completion.
    due: BTreeMap<i64, Vec<(Slot, SessionId)>>,
    progress: Progress,
    clock: EventTime,
    emitter: Emitter,
    runs: Groups,
    joined: Groups,
}

impl SessionAggregate {
    /// The operator on one worker.
    ///
    /// # Errors
    /// Of kind `Plan`: the gap is not positive, or a type is not supported.
    pub fn new(init: &OperatorInit, spec: SessionAggregateSpec) -> Result<Self> {
        if spec.gap <= 0 {
            let message = format!("the gap of a session must be positive, got {} ms", spec.gap);
            return Err(Error::plan(message));
        }
        let retract = spec.input_is_changelog;
        let aggregates =
            Aggregates::new(&spec.aggregates, &spec.input, retract, DistinctIn::Groups)?;
        let codec = RowCodec::of_columns(&spec.input, &spec.keys)?;
        let (wanted, output) = (spec.columns.clone(), Arc::clone(&spec.output));
        let groups = || Groups::new(aggregates.width(), aggregates.blob_width());
        Ok(SessionAggregate {
            emitter: Emitter::new(codec.clone(), &aggregates, wanted, output),
            sessions: Table::new("sessions", init.key_groups),
            due: BTreeMap::new(),
            progress: Progress::new(init.key_groups),
            clock: EventTime::MIN,
            runs: groups(),
            joined: groups(),
            codec,
            aggregates,
            spec,
        })
    }

    fn is_by_clock(&self) -> bool {
        self.spec.clock == Clock::ProcessingTime
    }

    /// Whether a session with this last row is complete.
    fn is_complete(&self, last: i64, watermark: EventTime) -> bool {
        watermark.0 >= last.saturating_add(self.spec.gap)
    }

    fn take(&mut self, chunk: Chunk, cx: &mut OperatorContext) -> Result<()> {
        let (current, times) = match self.spec.clock {
            Clock::EventTime(column) => {
                (cx.watermark(), event_millis(&chunk.data, column)?.into_owned())
            }
            Clock::ProcessingTime => {
                let now = cx.now().0.max(self.clock.0.saturating_add(1));
                (self.clock, vec![now; chunk.len()])
            }
        };
        let keys = self.codec.encode(&columns(&chunk.data, &self.spec.keys), chunk.len())?;
        let hashes = keys.hashes();
        let read_under =
            |this: &Self, row: usize| chunk.watermark(row, this.progress.of(hashes[row], current));
        let mut on_time: Vec<u32> = Vec::with_capacity(chunk.len());
        for row in 0..chunk.len() {
            let under = read_under(self, row);
            let as_others = under == self.progress.of(hashes[row], current);
            if as_others && !self.is_complete(times[row], under) {
                on_time.push(row as u32);
                continue;
            }
            let before = std::mem::take(&mut on_time);
            self.add(&chunk, &keys, &hashes, &times, before, &|_| None, cx)?;
            self.add(&chunk, &keys, &hashes, &times, vec![row as u32], &|_| Some(under), cx)?;
        }
        self.add(&chunk, &keys, &hashes, &times, on_time, &|_| None, cx)
    }

    /// Makes runs of some rows and joins them with the sessions that are there. `under` says by
    /// which watermark a row counts, if not by that of the operator.
    #[expect(clippy::too_many_arguments, reason = "the parts of one batch")]
    fn add(
        &mut self,
        chunk: &Chunk,
        keys: &Encoded,
        hashes: &[u64],
        times: &[i64],
        mut rows: Vec<u32>,
        under: &dyn Fn(u32) -> Option<EventTime>,
        cx: &mut OperatorContext,
    ) -> Result<()> {
        if rows.is_empty() {
            return Ok(());
        }
        let current = if self.is_by_clock() { self.clock } else { cx.watermark() };
        let key = |row: u32| (hashes[row as usize], keys.row(row as usize));
        let whole = rows.len() == chunk.len();
        // Where each row is among those that are added.
        let mut order: Vec<(u32, u32)> =
            (0..).zip(rows.iter().copied()).map(|(i, r)| (r, i)).collect();
        order.sort_unstable_by(|(a, _), (b, _)| {
            key(*a).cmp(&key(*b)).then(times[*a as usize].cmp(&times[*b as usize])).then(a.cmp(b))
        });
        let mut runs: Vec<Run> = Vec::new();
        let mut of = vec![0u32; rows.len()];
        for (row, at) in order {
            let time = times[row as usize];
            let joins = runs.last().is_some_and(|run| {
                time <= run.last.saturating_add(self.spec.gap) && key(run.key) == key(row)
            });
            match runs.last_mut() {
                Some(run) if joins => run.last = time,
                _ => {
                    let floor = self.progress.of(hashes[row as usize], current);
                    let read_under = under(row).unwrap_or(floor);
                    runs.push(Run { key: row, first: time, last: time, read_under });
                }
            }
            of[at as usize] = runs.len() as u32 - 1;
        }
        self.runs.clear();
        runs.iter().for_each(|_| _ = self.runs.push(Packed::default()));
        let part;
        let chunk = if whole {
            chunk
        } else {
            part =
                chunk.take(&UInt32Array::from(std::mem::take(&mut rows))).map_err(arrow_error)?;
            &part
        };
        let signs = signs(chunk);
        self.aggregates.update(&chunk.data, signs.as_deref(), &of, &mut self.runs, None)?;
        for (group, run) in runs.iter().enumerate() {
            let state = self.runs.take(group);
            let (hash, bytes) = key(run.key);
            self.join(hash, &RowKey::new(bytes), run, state, cx)?;
        }
        Ok(())
    }

    /// Joins a run with the sessions of its key.
    fn join(
        &mut self,
        hash: u64,
        key: &RowKey,
        run: &Run,
        state: Packed,
        cx: &mut OperatorContext,
    ) -> Result<()> {
        let gap = self.spec.gap;
        let (mut first, mut last) = (run.first, run.last);
        let mut overlapped: Vec<SessionId> = Vec::new();
        for (id, session) in self.sessions.of_key(hash, key) {
            if id.start > run.last.saturating_add(gap) {
                break;
            }
            let touches = run.first <= session.last.saturating_add(gap);
            if touches && !self.is_complete(session.last, run.read_under) {
                overlapped.push(*id);
                first = first.min(id.start);
                last = last.max(session.last);
            }
        }
        if self.is_complete(last, run.read_under) {
            // Only a row that is taken alone can be late.
            cx.counts.late += 1;
            return Ok(());
        }
        if let [id] = overlapped[..]
            && id.start == first
            && let Some(slot) = self.sessions.find(hash, key)
            && let Some(session) = self.sessions.get_mut_at(slot, &id)?
        {
            self.joined.clear();
            self.joined.push(std::mem::take(&mut session.state));
            self.aggregates.merge(&mut self.joined, 0, &state)?;
            session.state = self.joined.take(0);
            session.last = last;
            return Ok(());
        }
        let state = if overlapped.is_empty() {
            state
        } else {
            self.joined.clear();
            self.joined.push(Packed::default());
            for id in &overlapped {
                if let Some(session) = self.sessions.get(hash, key, id) {
                    self.aggregates.merge(&mut self.joined, 0, &session.state)?;
                }
            }
            self.aggregates.merge(&mut self.joined, 0, &state)?;
            self.joined.take(0)
        };
        for id in &overlapped {
            self.sessions.remove(hash, key, id)?;
        }
        let mut id = SessionId { start: first, twin: 0 };
        while self.sessions.get(hash, key, &id).is_some() {
            id.twin += 1;
        }
        let slot = self.sessions.insert(hash, key, &id, Session { last, state })?;
        self.due.entry(last.saturating_add(gap)).or_default().push((slot, id));
        Ok(())
    }

    fn advance(&mut self, watermark: EventTime, cx: &mut OperatorContext) -> Result<()> {
        while let Some(first) = self.due.first_entry()
            && *first.key() <= watermark.0
        {
            let at = *first.key();
            for (slot, id) in first.remove() {
                let Some(session) = self.sessions.get_at(slot, &id) else { continue };
                let end = session.last.saturating_add(self.spec.gap);
                if end > at {
                    // It has grown; sessions that merged meet at the end of what became of them.
                    let entries = self.due.entry(end).or_default();
                    if entries.last() != Some(&(slot, id)) {
                        entries.push((slot, id));
                    }
                    continue;
                }
                let Some((_, key)) = self.sessions.key(slot) else { continue };
                let key = key.clone();
                let Some(session) = self.sessions.remove_at(slot, &id)? else { continue };
                let group = self.emitter.groups.push(session.state);
                if self.emitter.groups.rows_of(group) == 0 && self.spec.input_is_changelog {
                    self.emitter.groups.pop();
                    continue;
                }
                self.emitter.push(key, (id.start, end), &self.aggregates, cx)?;
            }
        }
        self.emitter.flush(&self.aggregates, cx)
    }
}

impl Operator for SessionAggregate {
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
        let (next, _) = self.due.first_key_value().filter(|_| self.is_by_clock())?;
        Some(ProcessingTime(next.saturating_add(1)))
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
        vec![&mut self.sessions]
    }

    fn snapshot(&mut self, _epoch: Epoch) -> Result<Vec<Vec<u8>>> {
        self.progress.snapshot()
    }

    fn restore(&mut self, parts: &[Vec<u8>]) -> Result<()> {
        self.progress.restore(parts)
    }

    fn restored(&mut self) -> Result<()> {
        self.due.clear();
        // The clock does not go back, whatever the wall says.
        self.clock = self.progress.furthest();
        for (slot, _, id, session) in self.sessions.iter() {
            let end = session.last.saturating_add(self.spec.gap);
            self.due.entry(end).or_default().push((slot, *id));
        }
        Ok(())
    }
}
