//! Top-N of input that takes rows back: all rows of a key are kept, in order.
//!
//! Rows that compare equal rank by their values, so the ranking does not depend on arrival.

use headwater_core::{Batch, Error, EventTime, ProcessingTime, Result};
use headwater_operators::operator::OUT;
use headwater_operators::{Operator, OperatorContext, OperatorInit, Port};
use headwater_state::{StateTable, Table};

use super::differences::{Differences, Ranked};
use super::{RowBytes, TopNSpec};
use crate::keys::sort::SortCodec;
use crate::keys::{RowCodec, RowKey};
use crate::operators::chunks::{coalesce, columns};
use crate::operators::group::Index;
use crate::operators::ttl::Ttl;
use crate::rows::Chunk;

/// Rows with their identities.
type Identified = Vec<(u64, RowBytes)>;

/// See the module.
///
/// - Time: watermarks pass.
/// - State: every row of every key, freed when it is taken back or after the time to live.
pub struct TopNOfChanges {
    spec: TopNSpec,
    capacity: usize,
    keys: RowCodec,
    rows: RowCodec,
    sort: SortCodec,
    /// How often each row is there, by sort key and values.
    kept: Table<RowKey, (RowKey, RowKey), i64>,
    ttl: Option<Ttl>,
    index: Index,
    differences: Differences,
}

impl TopNOfChanges {
    /// The operator on one worker.
    ///
    /// # Errors
    /// Of kind `Plan`: the ranks are not possible, or a column is of a type that is not supported.
    pub fn new(init: &OperatorInit, spec: TopNSpec) -> Result<Self> {
        if spec.to == 0 || spec.window_end.is_some() {
            let message = "a Top-N per window is not supported over rows that are taken back";
            return Err(Error::plan(message));
        }
        Ok(TopNOfChanges {
            capacity: usize::try_from(spec.to).unwrap_or(usize::MAX),
            keys: RowCodec::of_columns(&spec.input, &spec.keys)?,
            rows: RowCodec::of_schema(&spec.input)?,
            sort: SortCodec::new(&spec.input, spec.order.clone())?,
            kept: Table::new("rows", init.key_groups),
            ttl: spec.ttl.map(|ttl| Ttl::new(ttl, init.key_groups)),
            index: Index::default(),
            differences: Differences::default(),
            spec,
        })
    }

    /// The ranking of a key as it is now.
    fn ranking(&self, hash: u64, key: &RowKey) -> Identified {
        let mut ranking = Vec::new();
        for ((sort, row), count) in self.kept.of_key(hash, key) {
            for copy in 0..*count {
                if ranking.len() >= self.capacity {
                    return ranking;
                }
                // What the row is, and which of its copies.
                let identity = crate::keys::hash_row(row.bytes())
                    ^ crate::keys::hash_row(sort.bytes()).rotate_left(1)
                    ^ copy as u64;
                ranking.push((identity, RowBytes::new(row.bytes())));
            }
        }
        ranking
    }

    fn take(&mut self, chunk: &Chunk, cx: &mut OperatorContext) -> Result<()> {
        let keys = self.keys.encode(&columns(&chunk.data, &self.spec.keys), chunk.len())?;
        let sorts = self.sort.encode(chunk.data.columns(), chunk.len())?;
        let rows = self.rows.encode(chunk.data.columns(), chunk.len())?;
        let mut members: Vec<(u64, RowKey, Identified)> = Vec::new();
        self.index.clear();
        for row in 0..chunk.len() {
            let (hash, bytes) = (keys.hash(row), keys.row(row));
            let is_key = |at: u32| members[at as usize].1.bytes() == bytes;
            let (at, is_new) = self.index.find_or_add(hash, is_key);
            if is_new {
                let key = RowKey::new(bytes);
                let before = self.ranking(hash, &key);
                members.push((hash, key, before));
            }
            let key = &members[at as usize].1;
            let ns = (RowKey::new(sorts.row(row)), RowKey::new(rows.row(row)));
            let (slot, count) = self.kept.get_or_insert_with(hash, key, &ns, || 0)?;
            *count += if chunk.kind(row).adds() { 1 } else { -1 };
            if *count == 0 {
                self.kept.remove_at(slot, &ns)?;
            }
        }
        for (hash, key, before) in members {
            let after = self.ranking(hash, &key);
            self.differences.add(&self.spec, &ranked(&before), &ranked(&after));
            if let Some(ttl) = &mut self.ttl {
                ttl.touch(hash, &key, cx.now())?;
            }
        }
        if let Some(chunk) = self.differences.take(&self.spec, &self.rows)? {
            cx.emit_batch(OUT, chunk.into());
        }
        Ok(())
    }
}

fn ranked(ranking: &[(u64, RowBytes)]) -> Vec<Ranked<'_>> {
    ranking.iter().map(|(identity, row)| Ranked { identity: *identity, row: &row.0 }).collect()
}

impl Operator for TopNOfChanges {
    fn process(&mut self, _port: Port, batch: Batch, cx: &mut OperatorContext) -> Result<()> {
        match coalesce(batch)? {
            Some(chunk) => self.take(&chunk, cx),
            None => Ok(()),
        }
    }

    fn on_watermark(&mut self, _: EventTime, _: &mut OperatorContext) -> Result<()> {
        Ok(())
    }

    fn wake_at(&self) -> Option<ProcessingTime> {
        self.ttl.as_ref()?.wake_at()
    }

    fn on_processing_time(&mut self, cx: &mut OperatorContext) -> Result<()> {
        let Some(ttl) = &mut self.ttl else { return Ok(()) };
        while let Some((hash, key)) = ttl.pop_due(cx.now())? {
            let rows: Vec<_> = self.kept.of_key(hash, &key).map(|(ns, _)| ns.clone()).collect();
            for ns in rows {
                self.kept.remove(hash, &key, &ns)?;
            }
        }
        Ok(())
    }

    fn tables(&mut self) -> Vec<&mut dyn StateTable> {
        let mut tables: Vec<&mut dyn StateTable> = vec![&mut self.kept];
        tables.extend(self.ttl.as_mut().map(Ttl::table));
        tables
    }

    fn restored(&mut self) -> Result<()> {
        if let Some(ttl) = &mut self.ttl {
            ttl.restored();
        }
        Ok(())
    }
}
