//! Top-N of input that only adds: N rows per key are kept, whatever number there is.
//!
//! A batch changes the ranking of a key at most once: what is emitted is the difference between the
//! rankings before and after it. A row that does not make it into the ranking costs a comparison of
//! sort keys and is not even encoded.

use std::borrow::Cow;
use std::collections::BTreeMap;

use headwater_core::{Batch, Epoch, Error, EventTime, ProcessingTime, Result};
use headwater_operators::operator::OUT;
use headwater_operators::window::progress::Progress;
use headwater_operators::{Operator, OperatorContext, OperatorInit, Port};
use headwater_state::{Slot, StateTable, Table};

use super::TopNSpec;
use super::differences::Differences;
use super::ranking::{Change, Ranking};
use crate::keys::sort::SortCodec;
use crate::keys::{RowCodec, RowKey};
use crate::operators::chunks::{CHUNK_ROWS, coalesce, columns, event_millis};
use crate::operators::group::Index;
use crate::operators::ttl::Ttl;
use crate::rows::Chunk;

/// A key that the batch at work touches, with what becomes of its ranking.
struct Member<T> {
    /// None before it has a ranking.
    slot: Option<Slot>,
    hash: u64,
    key: RowKey,
    ranking: T,
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
    scratch: Vec<u8>,
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
            scratch: Vec::new(),
            differences: Differences::default(),
            spec,
        })
    }

    fn take(&mut self, chunk: &Chunk, cx: &mut OperatorContext) -> Result<()> {
        let keys = self.keys.encode(&columns(&chunk.data, &self.spec.keys), chunk.len())?;
        let sorts = self.sort.encode(chunk.data.columns(), chunk.len())?;
        let ends = self.spec.window_end.map(|c| event_millis(&chunk.data, c)).transpose()?;
        self.index.clear();
        let mut members: Vec<Member<Change<'_>>> = Vec::new();
        let hashes = keys.hashes();
        for row in 0..chunk.len() {
            self.rankings.warm_ahead(&hashes, row);
            let (hash, bytes) = (hashes[row], keys.row(row));
            if let Some(ends) = &ends {
                let watermark = self.progress.of(hash, cx.watermark());
                if chunk.watermark(row, watermark).completes(EventTime(ends[row])) {
                    cx.counts.late += 1;
                    continue;
                }
            }
            let is_key = |at: u32| members[at as usize].key.bytes() == bytes;
            let (at, is_new) = self.index.find_or_add(hash, is_key);
            if is_new {
                let key = RowKey::new(bytes);
                let slot = self.rankings.find(hash, &key);
                let known = slot.and_then(|slot| self.rankings.get_at(slot, &()));
                let ranking = known.map(Cow::Borrowed).unwrap_or_else(|| {
                    Cow::Owned(Ranking::of_window(ends.as_ref().map_or(0, |ends| ends[row])))
                });
                members.push(Member { slot, hash, key, ranking: Change::of(ranking)? });
            }
            members[at as usize].ranking.rank(&sorts, row, self.capacity);
        }
        // Only the rows that are in a ranking now.
        let new: Vec<u32> = members.iter().flat_map(|member| member.ranking.new_rows()).collect();
        let rows = self.rows.encode_rows(chunk.data.columns(), &new)?;
        let mut number = 0..;
        let mut next_row = || number.next().map_or(&[][..], |number| rows.row(number));
        let mut changed = Vec::with_capacity(members.len());
        for Member { slot, hash, key, ranking: change } in members {
            let ranking = change.after(&sorts, &mut next_row, &mut self.scratch);
            if let (Some(after), None) = (&ranking, self.spec.window_end) {
                let (before, after) = (change.before().ranked()?, after.ranked()?);
                self.differences.add(&self.spec, &before, &after);
            }
            changed.push(Member { slot, hash, key, ranking });
        }
        self.store(changed, cx.now())?;
        self.emit(cx)
    }

    fn store(&mut self, changed: Vec<Member<Option<Ranking>>>, now: ProcessingTime) -> Result<()> {
        for Member { slot, hash, key, ranking } in changed {
            if let Some(after) = ranking {
                let window_end = after.window_end;
                match slot {
                    Some(slot) => {
                        if let Some(ranking) = self.rankings.get_mut_at(slot, &())? {
                            *ranking = after;
                        }
                    }
                    None => {
                        let slot = self.rankings.insert(hash, &key, &(), after)?;
                        if self.spec.window_end.is_some() {
                            self.due.entry(window_end).or_default().push(slot);
                        }
                    }
                }
            }
            if let Some(ttl) = &mut self.ttl {
                ttl.touch(hash, &key, now)?;
            }
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
                    self.differences.add(&self.spec, &[], &ranking.ranked()?);
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
