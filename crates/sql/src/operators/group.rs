//! `GROUP BY` without a window: results that change with every batch of rows.
//!
//! A batch is one mini-batch: each group that it touches changes at most once, whatever number of
//! rows it has there, as one pair of `-U` and `+U`. A group whose results stay the same emits
//! nothing. A group that loses its last row is deleted; without keys there is one group, which
//! stays and exists from the end of the input on even if there was no row.

mod index;

use std::sync::Arc;
use std::time::Duration;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, BooleanArray, UInt32Array};
use datafusion::arrow::compute::kernels::cmp::distinct;
use datafusion::arrow::compute::{concat, or};
use datafusion::arrow::datatypes::{DataType, Float32Type, Float64Type, SchemaRef};
use headwater_core::{Batch, EventTime, KeyGroup, ProcessingTime, Result, RowKind};
use headwater_operators::operator::OUT;
use headwater_operators::{Operator, OperatorContext, OperatorInit, Port};
use headwater_state::{Slot, StateTable, Table};

use super::aggregate::distinct::DistinctTables;
use super::aggregate::state::{Groups, Packed};
use super::aggregate::{AggCall, Aggregates, DistinctIn};
use super::chunks::{Changes, arrow_error, coalesce, columns, record_batch, signs, take_rows};
use super::ttl::Ttl;
use crate::keys::{RowCodec, RowKey};
use crate::rows::Chunk;
pub use index::Index;

/// What a group aggregate computes.
#[derive(Clone, Debug)]
pub struct GroupAggregateSpec {
    /// Columns of the input.
    pub input: SchemaRef,
    /// Columns to group by; none: one group.
    pub keys: Vec<usize>,
    /// The aggregates; none: SELECT DISTINCT.
    pub aggregates: Vec<AggCall>,
    /// Keys, then results.
    pub output: SchemaRef,
    /// Whether the input takes rows back.
    pub input_is_changelog: bool,
    /// Whether somebody behind wants the row as it was before an update.
    pub emit_update_before: bool,
    /// Time to live of a group after its last change.
    pub ttl: Option<Duration>,
}

/// See the module.
///
/// - Time: watermarks pass.
/// - State: one row of words and blobs per group; the values of DISTINCT in tables of their own;
///   freed when the group has no row (changelog input) or after the time to live.
/// - Errors: of kind `Data`, a result does not fit its type.
pub struct GroupAggregate {
    spec: GroupAggregateSpec,
    aggregates: Aggregates,
    codec: RowCodec,
    states: Table<RowKey, (), Packed>,
    distinct: Option<DistinctTables>,
    ttl: Option<Ttl>,
    /// Whether this worker owns the only group of a query without keys.
    owns_all: bool,
    index: Index,
    groups: Groups,
    members: Vec<Member>,
}

/// A group that the batch at work touches.
struct Member {
    slot: Slot,
    hash: u64,
    key: RowKey,
    /// A row of the batch that has its keys.
    row: u32,
    /// Whether it had a state.
    known: bool,
}

impl GroupAggregate {
    /// The operator on one worker.
    ///
    /// # Errors
    /// Of kind `Plan`: a key or an aggregate is of a type that is not supported.
    pub fn new(init: &OperatorInit, spec: GroupAggregateSpec) -> Result<Self> {
        let retract = spec.input_is_changelog;
        let aggregates =
            Aggregates::new(&spec.aggregates, &spec.input, retract, DistinctIn::Tables)?;
        let range = init.key_groups;
        let all = KeyGroup::of(RowKey::default().hash(), range.max_parallelism);
        Ok(GroupAggregate {
            codec: RowCodec::of_columns(&spec.input, &spec.keys)?,
            states: Table::new("groups", range),
            distinct: DistinctTables::new(&aggregates, range),
            ttl: spec.ttl.map(|ttl| Ttl::new(ttl, range)),
            owns_all: spec.keys.is_empty() && range.contains(all),
            index: Index::default(),
            groups: Groups::new(aggregates.width(), aggregates.blob_width()),
            members: Vec::new(),
            aggregates,
            spec,
        })
    }

    /// Finds the group of each row and loads the groups' states.
    fn load(&mut self, keys: &[ArrayRef], rows: usize) -> Result<Vec<u32>> {
        let encoded = self.codec.encode(keys, rows)?;
        self.index.clear();
        self.groups.clear();
        self.members.clear();
        if let Some(distinct) = &mut self.distinct {
            distinct.start_batch();
        }
        let mut of = Vec::with_capacity(rows);
        let hashes = encoded.hashes();
        for row in 0..rows {
            self.states.warm_ahead(&hashes, row);
            let (hash, bytes) = (hashes[row], encoded.row(row));
            let members = &self.members;
            let is_group = |group: u32| members[group as usize].key.bytes() == bytes;
            let (group, is_new) = self.index.find_or_add(hash, is_group);
            of.push(group);
            if is_new {
                let key = RowKey::new(bytes);
                let (slot, state) =
                    self.states.get_or_insert_with(hash, &key, &(), Packed::default)?;
                let known = !state.words.is_empty();
                self.groups.load(state);
                if let Some(distinct) = &mut self.distinct {
                    distinct.push_group(hash, &key);
                }
                self.members.push(Member { slot, hash, key, row: row as u32, known });
            }
        }
        Ok(of)
    }

    /// Puts the states back; groups without rows are removed.
    fn store(&mut self, now: ProcessingTime) -> Result<()> {
        for (group, member) in self.members.iter().enumerate() {
            if self.spec.input_is_changelog
                && self.groups.rows_of(group) == 0
                && !self.spec.keys.is_empty()
            {
                self.states.remove_at(member.slot, &())?;
                if let Some(ttl) = &mut self.ttl {
                    ttl.forget(member.hash, &member.key)?;
                }
                continue;
            }
            if let Some(to) = self.states.get_mut_at(member.slot, &())? {
                self.groups.store(group, to);
            }
            if let Some(ttl) = &mut self.ttl {
                ttl.touch(member.hash, &member.key, now)?;
            }
        }
        Ok(())
    }

    /// The changes that a batch makes: which groups, and from what to what.
    fn changes(&self, before: &Before) -> Result<(Vec<ArrayRef>, Changes)> {
        let (groups, width) = (self.members.len(), self.aggregates.width());
        let after = self.aggregates.finish(&self.groups)?;
        let same = match &before.results {
            Some(results) => unchanged(results, &after, groups)?,
            None => None,
        };
        let exists = |rows: i64| rows > 0 || self.spec.keys.is_empty();
        let mut changes = Changes::default();
        for group in 0..groups {
            let existed = before.existed[group];
            match (existed, exists(self.groups.rows_of(group))) {
                (false, true) => changes.push(RowKind::Insert, groups + group),
                (true, false) => changes.push(RowKind::Delete, group),
                (true, true) => {
                    let is_same = match &same {
                        Some(same) => !same.value(group),
                        None => {
                            let words = &before.words[group * width + 1..(group + 1) * width];
                            !before.counts_rows && *words == self.groups.words_of(group)[1..]
                        }
                    };
                    // With a time to live, those behind must learn that the group lives.
                    if is_same && (self.ttl.is_none() || self.aggregates.is_empty()) {
                        continue;
                    }
                    if self.spec.emit_update_before {
                        changes.push(RowKind::UpdateBefore, group);
                    }
                    changes.push(RowKind::UpdateAfter, groups + group);
                }
                (false, false) => {}
            }
        }
        let columns = match &before.results {
            None => {
                // Nothing from before is emitted.
                changes.rows.iter_mut().for_each(|row| *row -= groups as u32);
                after
            }
            Some(results) => {
                let both = results.iter().zip(&after);
                let both = both.map(|(b, a)| concat(&[b.as_ref(), a.as_ref()]));
                both.collect::<Result<_, _>>().map_err(arrow_error)?
            }
        };
        Ok((columns, changes))
    }

    fn emit(&self, keys: &[ArrayRef], before: &Before, cx: &mut OperatorContext) -> Result<()> {
        let (columns, changes) = self.changes(before)?;
        if changes.is_empty() {
            return Ok(());
        }
        let groups = self.members.len() as u32;
        let key_rows = changes.rows.iter().map(|row| self.members[(row % groups) as usize].row);
        let mut output = take_rows(keys, &UInt32Array::from_iter_values(key_rows))?;
        output.extend(take_rows(&columns, &changes.indices())?);
        let rows = changes.rows.len();
        let data = record_batch(&self.spec.output, output, rows)?;
        let chunk = Chunk { data, kinds: changes.kinds(), read_at: None };
        cx.emit_batch(OUT, chunk.into());
        Ok(())
    }

    /// What the groups of the batch were before it.
    fn before(&self) -> Result<Before> {
        let groups = self.groups.len();
        // Without blobs and without anybody who wants the old row, words tell what has changed.
        let by_words = !self.spec.emit_update_before
            && !self.spec.input_is_changelog
            && self.aggregates.blob_width() == 0;
        let results = match by_words {
            true => None,
            false => Some(self.aggregates.finish(&self.groups)?),
        };
        let existed = |group: usize| match self.spec.keys.is_empty() {
            true => self.members[group].known,
            false => self.groups.rows_of(group) > 0,
        };
        Ok(Before {
            existed: (0..groups).map(existed).collect(),
            counts_rows: self.aggregates.counts_rows(),
            words: if by_words { self.groups.words.clone() } else { Vec::new() },
            results,
        })
    }
}

/// What the groups of a batch were before it.
struct Before {
    existed: Vec<bool>,
    /// The results, if they may be emitted or must be compared.
    results: Option<Vec<ArrayRef>>,
    /// Otherwise the words; and whether the number of rows is a result.
    words: Vec<i64>,
    counts_rows: bool,
}

/// For each group whether some result differs; none if that cannot be told.
fn unchanged(
    before: &[ArrayRef],
    after: &[ArrayRef],
    groups: usize,
) -> Result<Option<BooleanArray>> {
    let mut any = BooleanArray::from(vec![false; groups]);
    for (before, after) in before.iter().zip(after) {
        if before.data_type().is_nested() {
            return Ok(Some(BooleanArray::from(vec![true; groups])));
        }
        let differs = distinct(before, after).map_err(arrow_error)?;
        any = or(&any, &differs).map_err(arrow_error)?;
    }
    Ok(Some(any))
}

/// The columns with one representative for floats that are one group: `-0.0` is `0.0`. What was
/// given out is taken back as it was, whichever row of the group is at hand.
fn canonical(columns: Vec<ArrayRef>) -> Vec<ArrayRef> {
    let float = |value: f64| if value.is_nan() { f64::NAN } else { value + 0.0 };
    let one = |column: ArrayRef| -> ArrayRef {
        match column.data_type() {
            DataType::Float64 => {
                Arc::new(column.as_primitive::<Float64Type>().unary::<_, Float64Type>(float))
            }
            DataType::Float32 => {
                let single = |value: f32| float(f64::from(value)) as f32;
                Arc::new(column.as_primitive::<Float32Type>().unary::<_, Float32Type>(single))
            }
            _ => column,
        }
    };
    columns.into_iter().map(one).collect()
}

impl Operator for GroupAggregate {
    fn process(&mut self, _port: Port, batch: Batch, cx: &mut OperatorContext) -> Result<()> {
        let Some(chunk) = coalesce(batch)? else { return Ok(()) };
        let keys = canonical(columns(&chunk.data, &self.spec.keys));
        let of = self.load(&keys, chunk.len())?;
        let before = self.before()?;
        let signs = signs(&chunk);
        let distinct = self.distinct.as_mut();
        self.aggregates.update(&chunk.data, signs.as_deref(), &of, &mut self.groups, distinct)?;
        self.emit(&keys, &before, cx)?;
        self.store(cx.now())
    }

    fn on_watermark(&mut self, watermark: EventTime, cx: &mut OperatorContext) -> Result<()> {
        if watermark != EventTime::MAX || !self.owns_all {
            return Ok(());
        }
        let key = RowKey::default();
        if self.states.get(key.hash(), &key, &()).is_none() {
            self.groups.clear();
            self.groups.push(Packed::default());
            let columns = self.aggregates.finish(&self.groups)?;
            let data = record_batch(&self.spec.output, columns, 1)?;
            cx.emit_batch(OUT, Chunk::inserts(data).into());
            let state = self.groups.take(0);
            self.states.insert(key.hash(), &key, &(), state)?;
        }
        Ok(())
    }

    fn wake_at(&self) -> Option<ProcessingTime> {
        self.ttl.as_ref()?.wake_at()
    }

    fn on_processing_time(&mut self, cx: &mut OperatorContext) -> Result<()> {
        let Some(ttl) = &mut self.ttl else { return Ok(()) };
        while let Some((hash, key)) = ttl.pop_due(cx.now())? {
            self.states.remove(hash, &key, &())?;
            if let Some(distinct) = &mut self.distinct {
                distinct.clear(hash, &key)?;
            }
        }
        Ok(())
    }

    fn tables(&mut self) -> Vec<&mut dyn StateTable> {
        let mut tables: Vec<&mut dyn StateTable> = vec![&mut self.states];
        if let Some(distinct) = &mut self.distinct {
            tables.extend(distinct.tables());
        }
        if let Some(ttl) = &mut self.ttl {
            tables.push(ttl.table());
        }
        tables
    }

    fn restored(&mut self) -> Result<()> {
        if let Some(ttl) = &mut self.ttl {
            ttl.restored();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
