//! Top-N of input that only adds: N rows per key are kept, whatever number there is.
//!
//! A batch changes the ranking of a key at most once: what is emitted is the difference between the
//! rankings before and after it. A row that does not make it into the ranking costs a comparison of
//! sort keys and is not even encoded.

use std::collections::BTreeMap;

use datafusion::arrow::array::UInt32Array;
use headwater_core::{Batch, Epoch, Error, EventTime, ProcessingTime, Result};
use headwater_operators::operator::OUT;
use headwater_operators::window::progress::Progress;
use headwater_operators::{Operator, OperatorContext, OperatorInit, Port};
use headwater_state::{Slot, StateTable, Table};
use serde::{Deserialize, Serialize};

use super::differences::{Differences, Ranked};
use super::{RowBytes, TopNSpec};
use crate::keys::sort::SortCodec;
use crate::keys::{RowCodec, RowKey};
use crate::operators::chunks::{CHUNK_ROWS, arrow_error, coalesce, columns, event_millis};
use crate::operators::group::Index;
use crate::operators::ttl::Ttl;
use crate::rows::Chunk;

/// The ranking of a key.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Ranking {
    /// Number of rows that ever entered it: the identity of the next.
    entered: u64,
    /// End of the window, if there is one.
    window_end: i64,
    rows: Vec<Entry>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Entry {
    sort: RowKey,
    identity: u64,
    /// None while the batch that brought it is at work.
    row: Option<RowBytes>,
    /// The row of that batch.
    #[serde(skip)]
    from: u32,
}

/// A key that the batch at work touches.
struct Member {
    slot: Slot,
    hash: u64,
    key: RowKey,
    ranking: Ranking,
    /// The ranking before the batch, once it has changed.
    before: Option<Vec<Ranked>>,
}

/// See the module.
///
/// - Time: watermarks pass; per window, emits once the window is complete, and late rows are
///   counted and dropped.
/// - State: N rows per key, freed with the window or after the time to live.
pub struct TopN {
    spec: TopNSpec,
    capacity: usize,
    keys: RowCodec,
    rows: RowCodec,
    sort: SortCodec,
    rankings: Table<RowKey, (), Ranking>,
    due: BTreeMap<i64, Vec<Slot>>,
    progress: Progress,
    ttl: Option<Ttl>,
    index: Index,
    members: Vec<Member>,
    differences: Differences,
}

impl TopN {
    /// The operator on one worker.
    ///
    /// # Errors
    /// Of kind `Plan`: the ranks are not possible, or a column is of a type that is not supported.
    pub fn new(init: &OperatorInit, spec: TopNSpec) -> Result<Self> {
        let capacity = usize::try_from(spec.to).ok().filter(|n| (1..=1_000_000).contains(n));
        let capacity = capacity.ok_or_else(|| {
            let message = format!("the last rank of a Top-N must be 1 to 1000000, got {}", spec.to);
            Error::plan(message)
        })?;
        Ok(TopN {
            capacity,
            keys: RowCodec::of_columns(&spec.input, &spec.keys)?,
            rows: RowCodec::of_schema(&spec.input)?,
            sort: SortCodec::new(&spec.input, spec.order.clone())?,
            rankings: Table::new("rankings", init.key_groups),
            due: BTreeMap::new(),
            progress: Progress::new(init.key_groups),
            ttl: spec.ttl.map(|ttl| Ttl::new(ttl, init.key_groups)),
            index: Index::default(),
            members: Vec::new(),
            differences: Differences::default(),
            spec,
        })
    }

    fn take(&mut self, chunk: &Chunk, cx: &mut OperatorContext) -> Result<()> {
        let keys = self.keys.encode(&columns(&chunk.data, &self.spec.keys), chunk.len())?;
        let sorts = self.sort.encode(chunk.data.columns(), chunk.len())?;
        let ends = self.spec.window_end.map(|c| event_millis(&chunk.data, c)).transpose()?;
        self.index.clear();
        self.members.clear();
        for row in 0..chunk.len() {
            let (hash, bytes) = (keys.hash(row), keys.row(row));
            if let Some(ends) = &ends {
                let watermark = self.progress.of(hash, cx.watermark());
                if chunk.watermark(row, watermark).completes(EventTime(ends[row])) {
                    cx.counts.late += 1;
                    continue;
                }
            }
            let members = &self.members;
            let is_key = |at: u32| members[at as usize].key.bytes() == bytes;
            let (at, is_new) = self.index.find_or_add(hash, is_key);
            if is_new {
                let key = RowKey::new(bytes);
                let mut created = false;
                let empty = || {
                    created = true;
                    let window_end = ends.as_ref().map_or(0, |ends| ends[row]);
                    Ranking { window_end, ..Ranking::default() }
                };
                let (slot, ranking) = self.rankings.get_or_insert_with(hash, &key, &(), empty)?;
                let ranking = std::mem::take(ranking);
                if created && ends.is_some() {
                    self.due.entry(ranking.window_end).or_default().push(slot);
                }
                self.members.push(Member { slot, hash, key, ranking, before: None });
            }
            self.members[at as usize].rank(sorts.row(row), row as u32, self.capacity);
        }
        self.encode_new(chunk)?;
        self.store(cx.now())?;
        if self.spec.window_end.is_none() {
            self.emit(cx)?;
        }
        Ok(())
    }

    /// Encodes the rows of the batch that are in a ranking now.
    fn encode_new(&mut self, chunk: &Chunk) -> Result<()> {
        let mut from: Vec<u32> = Vec::new();
        for entry in self.members.iter_mut().flat_map(|m| &mut m.ranking.rows) {
            if entry.row.is_none() {
                from.push(entry.from);
                entry.from = from.len() as u32 - 1;
            }
        }
        let new = chunk.take(&UInt32Array::from(from)).map_err(arrow_error)?;
        let bytes = self.rows.encode(new.data.columns(), new.len())?;
        for entry in self.members.iter_mut().flat_map(|m| &mut m.ranking.rows) {
            if entry.row.is_none() {
                entry.row = Some(RowBytes::new(bytes.row(entry.from as usize)));
            }
        }
        Ok(())
    }

    fn store(&mut self, now: ProcessingTime) -> Result<()> {
        for member in &mut self.members {
            if let Some(before) = &member.before {
                self.differences.add(&self.spec, before, &member.ranking.ranked());
            }
            if let Some(to) = self.rankings.get_mut_at(member.slot, &())? {
                *to = std::mem::take(&mut member.ranking);
            }
            if let Some(ttl) = &mut self.ttl {
                ttl.touch(member.hash, &member.key, now)?;
            }
        }
        if self.spec.window_end.is_some() {
            self.differences = Differences::default();
        }
        Ok(())
    }

    fn emit(&mut self, cx: &mut OperatorContext) -> Result<()> {
        if let Some(chunk) = self.differences.take(&self.spec, &self.rows)? {
            cx.emit_batch(OUT, chunk.into());
        }
        Ok(())
    }
}

impl Member {
    /// Puts a row where it ranks, if it does.
    fn rank(&mut self, sort: &[u8], row: u32, capacity: usize) {
        let rows = &self.ranking.rows;
        // After those that compare equal: they came first.
        let full = rows.len() >= capacity;
        if full && rows.last().is_some_and(|last| last.sort.bytes() <= sort) {
            return;
        }
        if self.before.is_none() {
            self.before = Some(self.ranking.ranked());
        }
        let Ranking { rows, entered, .. } = &mut self.ranking;
        let at = rows.partition_point(|entry| entry.sort.bytes() <= sort);
        let entry = Entry { sort: RowKey::new(sort), identity: *entered, row: None, from: row };
        *entered += 1;
        if rows.len() == rows.capacity() {
            // There are many rankings: room that stays empty adds up.
            rows.reserve_exact((rows.len() / 2).max(1));
        }
        rows.insert(at, entry);
        rows.truncate(capacity);
    }
}

impl Ranking {
    fn ranked(&self) -> Vec<Ranked> {
        let ranked =
            |e: &Entry| e.row.as_ref().map(|row| Ranked { identity: e.identity, row: row.clone() });
        self.rows.iter().filter_map(ranked).collect()
    }
}

impl Operator for TopN {
    fn process(&mut self, _port: Port, batch: Batch, cx: &mut OperatorContext) -> Result<()> {
        match coalesce(batch)? {
            Some(chunk) => self.take(&chunk, cx),
            None => Ok(()),
        }
    }

    fn on_watermark(&mut self, watermark: EventTime, cx: &mut OperatorContext) -> Result<()> {
        while let Some(first) = self.due.first_entry()
            && watermark.completes(EventTime(*first.key()))
        {
            for slot in first.remove() {
                if let Some(ranking) = self.rankings.remove_at(slot, &())? {
                    self.differences.add(&self.spec, &[], &ranking.ranked());
                }
                if self.differences.len() >= CHUNK_ROWS {
                    self.emit(cx)?;
                }
            }
        }
        self.progress.advance(watermark);
        self.emit(cx)
    }

    fn wake_at(&self) -> Option<ProcessingTime> {
        self.ttl.as_ref()?.wake_at()
    }

    fn on_processing_time(&mut self, cx: &mut OperatorContext) -> Result<()> {
        let Some(ttl) = &mut self.ttl else { return Ok(()) };
        while let Some((hash, key)) = ttl.pop_due(cx.now())? {
            self.rankings.remove(hash, &key, &())?;
        }
        Ok(())
    }

    fn tables(&mut self) -> Vec<&mut dyn StateTable> {
        let mut tables: Vec<&mut dyn StateTable> = vec![&mut self.rankings];
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
        if self.spec.window_end.is_some() {
            for (slot, _, (), ranking) in self.rankings.iter() {
                self.due.entry(ranking.window_end).or_default().push(slot);
            }
        }
        if let Some(ttl) = &mut self.ttl {
            ttl.restored();
        }
        Ok(())
    }
}
