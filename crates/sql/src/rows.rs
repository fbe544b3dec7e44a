//! Rows as columns: what flows between the steps of a query.
//!
//! Invariants: all chunks of an edge have the edge's schema; `kinds` and `read_at` have one entry
//! per row where they are there at all.

use std::any::{Any, type_name};

use datafusion::arrow::array::{BooleanArray, RecordBatch, RecordBatchOptions, UInt32Array};
use datafusion::arrow::compute::{filter, filter_record_batch, take};
use datafusion::arrow::error::ArrowError;
use headwater_core::batch::AnyBatch;
use headwater_core::{Batch, EventTime, RowKind};

use datafusion::arrow::array::{Array, ArrayRef, AsArray, Int64Array, UInt8Array};
use datafusion::arrow::datatypes::{Int64Type, UInt8Type};

/// Rows that a source gives at a time: enough that the work per chunk does not count, few enough
/// that a chunk stays in the cache.
pub const READ_ROWS: usize = 4096;

/// Some rows of one schema.
#[derive(Clone, Debug)]
pub struct Chunk {
    /// The columns.
    pub data: RecordBatch,
    /// What each row does to the table (see [`kind_code`]); none: all are inserted.
    pub kinds: Option<UInt8Array>,
    /// The watermark (ms) under which each row was read from its split, where it was late under
    /// it; `i64::MIN` for a row that was not. None: no row is late.
    pub read_at: Option<Int64Array>,
}

/// The code of a row kind in [`Chunk::kinds`].
pub const fn kind_code(kind: RowKind) -> u8 {
    match kind {
        RowKind::Insert => 0,
        RowKind::UpdateBefore => 1,
        RowKind::UpdateAfter => 2,
        RowKind::Delete => 3,
    }
}

/// The row kind of a code; what is none is an insert.
pub const fn kind_of(code: u8) -> RowKind {
    match code {
        1 => RowKind::UpdateBefore,
        2 => RowKind::UpdateAfter,
        3 => RowKind::Delete,
        _ => RowKind::Insert,
    }
}

impl Chunk {
    /// Rows that are inserted and not late.
    pub fn inserts(data: RecordBatch) -> Self {
        Chunk { data, kinds: None, read_at: None }
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.data.num_rows()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What a row does.
    pub fn kind(&self, row: usize) -> RowKind {
        self.kinds.as_ref().map_or(RowKind::Insert, |kinds| kind_of(kinds.value(row)))
    }

    /// The watermark under which a row counts: that of its split if it was late there, or `current`
    /// if that is further.
    pub fn watermark(&self, row: usize, current: EventTime) -> EventTime {
        self.read_at.as_ref().map_or(current, |at| current.max(EventTime(at.value(row))))
    }

    /// The same rows with other columns.
    pub fn with_data(&self, data: RecordBatch) -> Self {
        Chunk { data, kinds: self.kinds.clone(), read_at: self.read_at.clone() }
    }

    /// The rows for which `keep` is true.
    ///
    /// # Errors
    /// When `keep` is not as long as the chunk.
    pub fn filter(&self, keep: &BooleanArray) -> Result<Self, ArrowError> {
        Ok(Chunk {
            data: filter_record_batch(&self.data, keep)?,
            kinds: rest(self.kinds.as_ref(), |a| filter(a, keep))?.map(as_kinds),
            read_at: rest(self.read_at.as_ref(), |a| filter(a, keep))?.map(as_times),
        })
    }

    /// The rows at these indices, in their order.
    ///
    /// # Errors
    /// When an index is out of range.
    pub fn take(&self, rows: &UInt32Array) -> Result<Self, ArrowError> {
        let columns = self.data.columns().iter().map(|column| take(column, rows, None));
        let columns = columns.collect::<Result<Vec<_>, _>>()?;
        // Rows without columns are rows too.
        let options = RecordBatchOptions::new().with_row_count(Some(rows.len()));
        Ok(Chunk {
            data: RecordBatch::try_new_with_options(self.data.schema(), columns, &options)?,
            kinds: rest(self.kinds.as_ref(), |a| take(a, rows, None))?.map(as_kinds),
            read_at: rest(self.read_at.as_ref(), |a| take(a, rows, None))?.map(as_times),
        })
    }
}

fn rest<A: Array>(
    array: Option<&A>,
    f: impl FnOnce(&dyn Array) -> Result<ArrayRef, ArrowError>,
) -> Result<Option<ArrayRef>, ArrowError> {
    array.map(|a| f(a)).transpose()
}

fn as_kinds(array: ArrayRef) -> UInt8Array {
    array.as_primitive::<UInt8Type>().clone()
}

fn as_times(array: ArrayRef) -> Int64Array {
    array.as_primitive::<Int64Type>().clone()
}

/// Chunks that travel together: the form of a [`Batch`] between the steps of a query.
#[derive(Clone, Debug, Default)]
pub struct Rows {
    chunks: Vec<Chunk>,
    len: usize,
}

impl Rows {
    /// Adds a chunk at the end.
    pub fn push(&mut self, chunk: Chunk) {
        if !chunk.is_empty() {
            self.len += chunk.len();
            self.chunks.push(chunk);
        }
    }

    /// The chunks of a batch.
    ///
    /// # Panics
    /// When the batch holds something else: the planner connects steps of rows only.
    #[expect(clippy::panic, reason = "a batch of another type is a broken invariant of the engine")]
    pub fn of(batch: Batch) -> Vec<Chunk> {
        let Some(records) = batch.into_records() else { return Vec::new() };
        let found = records.record_type();
        match records.into_any().downcast::<Rows>() {
            Ok(rows) => rows.chunks,
            Err(_) => panic!("batch holds {found}, a step of a query expects rows"),
        }
    }

    /// Adds a chunk to the end of a batch of rows.
    ///
    /// # Panics
    /// When the batch holds something else.
    #[expect(clippy::panic, reason = "a batch of another type is a broken invariant of the engine")]
    pub fn push_to(batch: &mut Batch, chunk: Chunk) {
        if batch.is_empty() {
            *batch = chunk.into();
            return;
        }
        let records = batch.records_mut().map(AnyBatch::as_any_mut);
        match records.and_then(|r| r.downcast_mut::<Rows>()) {
            Some(rows) => rows.push(chunk),
            None => panic!("a batch of rows holds something else"),
        }
    }
}

impl From<Chunk> for Batch {
    fn from(chunk: Chunk) -> Self {
        let mut rows = Rows::default();
        rows.push(chunk);
        if rows.len == 0 { Batch::default() } else { Batch::of(Box::new(rows)) }
    }
}

impl AnyBatch for Rows {
    fn len(&self) -> usize {
        self.len
    }
    fn clone_box(&self) -> Box<dyn AnyBatch> {
        Box::new(self.clone())
    }
    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }
    fn record_type(&self) -> &'static str {
        type_name::<Rows>()
    }
}
