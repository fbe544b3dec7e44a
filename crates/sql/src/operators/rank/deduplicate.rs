//! Deduplication: ROW_NUMBER over a time attribute with rank 1, the first or the last row per key.
//!
//! Of rows with equal times the one that came first stays first, and the one that came last is
//! last. Where nobody wants the row as it was before an update, only its time is kept.

use std::time::Duration;

use datafusion::arrow::array::{ArrayRef, UInt32Array};
use datafusion::arrow::compute::concat;
use datafusion::arrow::datatypes::SchemaRef;
use headwater_core::{Batch, Error, ProcessingTime, Result, RowKind};
use headwater_operators::operator::OUT;
use headwater_operators::{Operator, OperatorContext, OperatorInit, Port};
use headwater_state::{Slot, StateTable, Table};

use super::RowBytes;
use crate::keys::{RowCodec, RowKey, words};
use crate::operators::chunks::{Changes, arrow_error, coalesce, columns, record_batch, take_rows};
use crate::operators::group::Index;
use crate::operators::ttl::Ttl;
use crate::operators::window::Clock;
use crate::rows::Chunk;

/// Which row of a key stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// ORDER BY time ASC.
    First,
    /// ORDER BY time DESC.
    Last,
}

/// What a deduplication computes.
#[derive(Clone, Debug)]
pub struct DeduplicateSpec {
    /// Columns of the input, which only adds rows; the output has the same.
    pub input: SchemaRef,
    /// PARTITION BY.
    pub keys: Vec<usize>,
    /// ORDER BY.
    pub clock: Clock,
    /// Which row stays.
    pub keep: Keep,
    /// Whether somebody behind wants the row as it was before an update.
    pub emit_update_before: bool,
    /// Time to live of a key after its last change.
    pub ttl: Option<Duration>,
}

struct Member {
    slot: Slot,
    hash: u64,
    key: RowKey,
    existed: bool,
    time: i64,
    /// The row of the batch that is kept now, if it is one of the batch.
    row: Option<u32>,
}

/// The rows that are kept, for those who want them back.
struct Rows {
    codec: RowCodec,
    kept: Table<RowKey, (), RowBytes>,
}

/// See the module.
///
/// - Time: watermarks pass.
/// - State: a time, and a row where updates are taken back, per key; freed after the time to live.
pub struct Deduplicate {
    spec: DeduplicateSpec,
    keys: RowCodec,
    times: Table<RowKey, (), i64>,
    rows: Option<Rows>,
    ttl: Option<Ttl>,
    index: Index,
    members: Vec<Member>,
}

impl Deduplicate {
    /// The operator on one worker.
    ///
    /// # Errors
    /// Of kind `Plan`: a column is of a type that is not supported.
    pub fn new(init: &OperatorInit, spec: DeduplicateSpec) -> Result<Self> {
        let with_rows = spec.emit_update_before && spec.keep_may_change();
        let rows = || -> Result<Rows> {
            let kept = Table::new("rows", init.key_groups);
            Ok(Rows { codec: RowCodec::of_schema(&spec.input)?, kept })
        };
        Ok(Deduplicate {
            keys: RowCodec::of_columns(&spec.input, &spec.keys)?,
            times: Table::new("times", init.key_groups),
            rows: with_rows.then(rows).transpose()?,
            ttl: spec.ttl.map(|ttl| Ttl::new(ttl, init.key_groups)),
            index: Index::default(),
            members: Vec::new(),
            spec,
        })
    }

    fn take(&mut self, chunk: &Chunk, cx: &mut OperatorContext) -> Result<()> {
        let keys = self.keys.encode(&columns(&chunk.data, &self.spec.keys), chunk.len())?;
        let times = match self.spec.clock {
            Clock::ProcessingTime => None,
            Clock::EventTime(column) => {
                let array = chunk.data.column(column);
                let times = words::ints(array).filter(|_| array.null_count() == 0);
                let name = || chunk.data.schema().field(column).name().clone();
                Some(times.ok_or_else(|| {
                    Error::data(format!("time attribute {:?} is NULL in a row", name()))
                })?)
            }
        };
        self.index.clear();
        self.members.clear();
        let hashes = keys.hashes();
        for row in 0..chunk.len() {
            self.times.warm_ahead(&hashes, row);
            let (hash, bytes) = (hashes[row], keys.row(row));
            let members = &self.members;
            let is_key = |at: u32| members[at as usize].key.bytes() == bytes;
            let (at, is_new) = self.index.find_or_add(hash, is_key);
            let time = times.as_ref().map_or(0, |times| times[row]);
            if is_new {
                let key = RowKey::new(bytes);
                let mut existed = true;
                let first = || {
                    existed = false;
                    time
                };
                let (slot, time) = self.times.get_or_insert_with(hash, &key, &(), first)?;
                let (time, row) = (*time, (!existed).then_some(row as u32));
                self.members.push(Member { slot, hash, key, existed, time, row });
            }
            let member = &mut self.members[at as usize];
            let replaces = match self.spec.keep {
                Keep::Last => time >= member.time,
                Keep::First => time < member.time,
            };
            if replaces {
                member.time = time;
                member.row = Some(row as u32);
            }
        }
        self.emit(chunk, cx)
    }

    /// Stores the rows that are kept now, and emits what has changed.
    fn emit(&mut self, chunk: &Chunk, cx: &mut OperatorContext) -> Result<()> {
        let new: Vec<u32> = self.members.iter().filter_map(|m| m.row).collect();
        let columns = take_rows(chunk.data.columns(), &UInt32Array::from(new.clone()))?;
        let encoded = self.rows.as_ref().map(|rows| rows.codec.encode(&columns, new.len()));
        let encoded = encoded.transpose()?;
        let mut changes = Changes::default();
        let mut before: Vec<RowBytes> = Vec::new();
        let changed = self.members.iter().filter(|m| m.row.is_some());
        for (at, member) in changed.enumerate() {
            if let Some(time) = self.times.get_mut_at(member.slot, &())? {
                *time = member.time;
            }
            if let (Some(rows), Some(encoded)) = (&mut self.rows, &encoded) {
                let row = RowBytes::new(encoded.row(at));
                if let Some(kept) = rows.kept.get_mut(member.hash, &member.key, &())? {
                    changes.push(RowKind::UpdateBefore, new.len() + before.len());
                    before.push(std::mem::replace(kept, row));
                } else {
                    rows.kept.insert(member.hash, &member.key, &(), row)?;
                }
            }
            if member.existed {
                changes.push(RowKind::UpdateAfter, at);
            } else {
                changes.push(RowKind::Insert, at);
            }
        }
        if let Some(ttl) = &mut self.ttl {
            for member in self.members.iter().filter(|m| m.row.is_some()) {
                ttl.touch(member.hash, &member.key, cx.now())?;
            }
        }
        if changes.is_empty() {
            return Ok(());
        }
        let columns: Vec<ArrayRef> = match (&self.rows, before.is_empty()) {
            (Some(rows), false) => {
                let before = rows.codec.decode(before.iter().map(|row| &*row.0))?;
                let both = columns.iter().zip(&before);
                let both = both.map(|(new, old)| concat(&[new.as_ref(), old.as_ref()]));
                both.collect::<Result<_, _>>().map_err(arrow_error)?
            }
            _ => columns,
        };
        let rows = changes.rows.len();
        let columns = take_rows(&columns, &changes.indices())?;
        let data = record_batch(&self.spec.input, columns, rows)?;
        cx.emit_batch(OUT, Chunk { data, kinds: changes.kinds(), read_at: None }.into());
        Ok(())
    }
}

impl DeduplicateSpec {
    /// Whether the row of a key may be replaced: not if the first by processing time stays.
    fn keep_may_change(&self) -> bool {
        !(self.keep == Keep::First && self.clock == Clock::ProcessingTime)
    }

    /// Whether the output has updates.
    pub fn emits_updates(&self) -> bool {
        self.keep_may_change()
    }
}

impl Operator for Deduplicate {
    fn process(&mut self, _port: Port, batch: Batch, cx: &mut OperatorContext) -> Result<()> {
        match coalesce(batch)? {
            Some(chunk) => self.take(&chunk, cx),
            None => Ok(()),
        }
    }

    fn wake_at(&self) -> Option<ProcessingTime> {
        self.ttl.as_ref()?.wake_at()
    }

    fn on_processing_time(&mut self, cx: &mut OperatorContext) -> Result<()> {
        let Some(ttl) = &mut self.ttl else { return Ok(()) };
        while let Some((hash, key)) = ttl.pop_due(cx.now())? {
            self.times.remove(hash, &key, &())?;
            if let Some(rows) = &mut self.rows {
                rows.kept.remove(hash, &key, &())?;
            }
        }
        Ok(())
    }

    fn tables(&mut self) -> Vec<&mut dyn StateTable> {
        let mut tables: Vec<&mut dyn StateTable> = vec![&mut self.times];
        tables.extend(self.rows.as_mut().map(|rows| &mut rows.kept as &mut dyn StateTable));
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
