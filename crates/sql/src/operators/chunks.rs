//! What all operators do with chunks: join them, read their times, and put changes together.

use std::borrow::Cow;
use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, Int64Array, RecordBatch, UInt8Array, UInt32Array,
};
use datafusion::arrow::compute::{concat_batches, take};
use datafusion::arrow::datatypes::{
    DataType, SchemaRef, TimeUnit, TimestampMicrosecondType, TimestampMillisecondType,
    TimestampNanosecondType, TimestampSecondType,
};
use datafusion::arrow::error::ArrowError;
use datafusion::common::DataFusionError;
use headwater_core::{Batch, Error, Result, RowKind};

use crate::keys::words;
use crate::rows::{Chunk, Rows, kind_code};

/// Rows of a chunk that an operator emits at most.
pub const CHUNK_ROWS: usize = 8192;

/// An Arrow error as one of the engine: wrong data, as the types were checked when planning.
pub fn arrow_error(e: ArrowError) -> Error {
    match e {
        ArrowError::ExternalError(e) => match e.downcast::<DataFusionError>() {
            Ok(e) => datafusion_error(*e),
            Err(e) => Error::data(e.to_string()),
        },
        ArrowError::ComputeError(m)
        | ArrowError::CastError(m)
        | ArrowError::ParseError(m)
        | ArrowError::InvalidArgumentError(m)
        | ArrowError::ArithmeticOverflow(m) => Error::data(m),
        ArrowError::DivideByZero => Error::data("division by zero"),
        other => Error::data(other.to_string()),
    }
}

/// A DataFusion error while evaluating an expression, as one of the engine.
pub fn datafusion_error(e: DataFusionError) -> Error {
    match e {
        DataFusionError::ArrowError(e, _) => arrow_error(*e),
        DataFusionError::Execution(m) => Error::data(m),
        DataFusionError::Context(what, e) => datafusion_error(*e).within(what),
        DataFusionError::Diagnostic(_, e) => datafusion_error(*e),
        DataFusionError::External(e) => Error::user(e.to_string()),
        DataFusionError::NotImplemented(m) => Error::plan(format!("not supported: {m}")),
        other => Error::data(other.strip_backtrace()),
    }
}

/// The rows of a batch as one chunk; none if there is no row.
///
/// # Errors
/// Of kind `Internal`: the chunks have different columns.
pub fn coalesce(batch: Batch) -> Result<Option<Chunk>> {
    let mut chunks = Rows::of(batch);
    if chunks.len() <= 1 {
        return Ok(chunks.pop());
    }
    let schema = chunks[0].data.schema();
    let data = concat_batches(&schema, chunks.iter().map(|c| &c.data))
        .map_err(|e| Error::internal("chunks of one edge have different columns").because(e))?;
    let kinds = chunks.iter().any(|c| c.kinds.is_some()).then(|| {
        let of = |c: &Chunk| match &c.kinds {
            Some(kinds) => kinds.values().to_vec(),
            None => vec![kind_code(RowKind::Insert); c.len()],
        };
        UInt8Array::from(chunks.iter().flat_map(of).collect::<Vec<_>>())
    });
    let read_at = chunks.iter().any(|c| c.read_at.is_some()).then(|| {
        let of = |c: &Chunk| match &c.read_at {
            Some(times) => times.values().to_vec(),
            None => vec![i64::MIN; c.len()],
        };
        Int64Array::from(chunks.iter().flat_map(of).collect::<Vec<_>>())
    });
    Ok(Some(Chunk { data, kinds, read_at }))
}

/// +1 for each row that is there from now on, −1 for each that is taken back; none: all are there.
pub fn signs(chunk: &Chunk) -> Option<Vec<i8>> {
    let kinds = chunk.kinds.as_ref()?;
    let sign = |code: &u8| if crate::rows::kind_of(*code).adds() { 1 } else { -1 };
    Some(kinds.values().iter().map(sign).collect())
}

/// The values of a timestamp column in whole milliseconds, rounded down.
///
/// # Errors
/// Of kind `Data`: a value is NULL. Of kind `Internal`: the column holds no timestamps.
pub fn event_millis<'a>(batch: &'a RecordBatch, column: usize) -> Result<Cow<'a, [i64]>> {
    let array = batch.column(column);
    let name = || batch.schema().field(column).name().clone();
    if array.null_count() > 0 {
        let message = format!("time attribute {:?} is NULL in a row", name());
        let hint = "filter such rows out, or give the column a value with COALESCE";
        return Err(Error::data(message).hint(hint));
    }
    millis_of(array).ok_or_else(|| {
        let data_type = array.data_type();
        Error::internal(format!("time attribute {:?} is of type {data_type}", name()))
    })
}

/// The values of a column of timestamps in whole milliseconds, rounded down; none if it is of
/// another type. What is at a NULL is arbitrary.
pub fn millis_of(array: &ArrayRef) -> Option<Cow<'_, [i64]>> {
    let scaled = |values: &[i64], by: i64| values.iter().map(|v| v.div_euclid(by)).collect();
    Some(match array.data_type() {
        DataType::Timestamp(TimeUnit::Millisecond, _) => {
            Cow::Borrowed(array.as_primitive::<TimestampMillisecondType>().values())
        }
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            Cow::Owned(scaled(array.as_primitive::<TimestampMicrosecondType>().values(), 1_000))
        }
        DataType::Timestamp(TimeUnit::Nanosecond, _) => {
            Cow::Owned(scaled(array.as_primitive::<TimestampNanosecondType>().values(), 1_000_000))
        }
        DataType::Timestamp(TimeUnit::Second, _) => {
            let values = array.as_primitive::<TimestampSecondType>().values();
            Cow::Owned(values.iter().map(|v| v.saturating_mul(1_000)).collect())
        }
        _ => return None,
    })
}

/// A timestamp column of the given type from milliseconds.
///
/// # Errors
/// Of kind `Internal`: the type is no timestamp.
pub fn timestamps(data_type: &DataType, millis: impl Iterator<Item = i64>) -> Result<ArrayRef> {
    let DataType::Timestamp(unit, _) = data_type else {
        return Err(Error::internal(format!("a window bound cannot be of type {data_type}")));
    };
    let (mul, div) = match unit {
        TimeUnit::Second => (1, 1_000),
        TimeUnit::Millisecond => (1, 1),
        TimeUnit::Microsecond => (1_000, 1),
        TimeUnit::Nanosecond => (1_000_000, 1),
    };
    words::of_ints(data_type, millis.map(|ms| ms.saturating_mul(mul).div_euclid(div)), None)
}

/// A chunk of these columns.
///
/// # Errors
/// Of kind `Internal`: the columns do not fit the schema.
pub fn record_batch(
    schema: &SchemaRef,
    columns: Vec<ArrayRef>,
    rows: usize,
) -> Result<RecordBatch> {
    let options = datafusion::arrow::array::RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options)
        .map_err(|e| Error::internal("an operator made rows that do not fit its output").because(e))
}

/// Some columns of a batch.
pub fn columns(batch: &RecordBatch, columns: &[usize]) -> Vec<ArrayRef> {
    columns.iter().map(|column| Arc::clone(batch.column(*column))).collect()
}

/// Takes rows of columns.
///
/// # Errors
/// Of kind `Internal`: an index is out of range.
pub fn take_rows(columns: &[ArrayRef], rows: &UInt32Array) -> Result<Vec<ArrayRef>> {
    let taken = |c: &ArrayRef| take(c.as_ref(), rows, None);
    columns
        .iter()
        .map(taken)
        .collect::<Result<_, _>>()
        .map_err(|e| Error::internal("cannot take rows").because(e))
}

/// The order and kinds of changelog rows that are about to be put together.
#[derive(Default)]
pub struct Changes {
    /// What each output row does.
    pub kinds: Vec<u8>,
    /// Which row of the source columns it is.
    pub rows: Vec<u32>,
}

impl Changes {
    /// Adds a row.
    pub fn push(&mut self, kind: RowKind, row: usize) {
        self.kinds.push(kind_code(kind));
        self.rows.push(row as u32);
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The kinds as a column; none if all rows are inserted.
    pub fn kinds(&self) -> Option<UInt8Array> {
        let insert = kind_code(RowKind::Insert);
        let changes = self.kinds.iter().any(|kind| *kind != insert);
        changes.then(|| UInt8Array::from(self.kinds.clone()))
    }

    /// The rows as indices.
    pub fn indices(&self) -> UInt32Array {
        UInt32Array::from(self.rows.clone())
    }
}
