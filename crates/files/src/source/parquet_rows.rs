//! Parquet rows, a batch at a time, through their JSON form.
//!
//! The file is read one row group after the other, in batches whose size is chosen from the row
//! group's average row so that a batch is about 1 MiB. Arrow's JSON writer turns a batch into lines
//! and serde reads those; that is slower than a column-wise decoder, but it accepts every `T` that
//! JSON accepts, and each row can be refused by itself.

use std::fs::File;
use std::marker::PhantomData;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use arrow::error::ArrowError;
use headwater_connect::{Position, ReadBuffer, ReadStatus, Reader};
use headwater_core::{Error, Record, Result};
use memchr::memchr;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
};
use serde::{Deserialize, Serialize};

use crate::row_schema::columns_of;
use crate::source::ended::Ended;
use crate::source::{READ_BYTES, SourceOptions, input, parse_position, show_position, shrank};

const MAX_BATCH_ROWS: usize = 4096;

/// Where a Parquet reader stands: before this row of this row group.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RowPosition {
    row_group: usize,
    row: usize,
    /// Nothing is left to read.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    end: bool,
}

/// Opens a Parquet file.
pub(crate) fn open<T: Record>(
    _options: &SourceOptions,
    path: &Path,
    position: Option<&Position>,
) -> Result<Box<dyn Reader<T>>> {
    let mut at = RowPosition::default();
    if let Some(position) = position {
        at = parse_position(path, position)?;
        if at.end {
            return Ok(Box::new(Ended(position.clone())));
        }
    }
    let (file, size) = input::open(path)?;
    let metadata = ArrowReaderMetadata::load(&file, Default::default()).map_err(|e| {
        Error::connector(format!("cannot read the footer of file {path:?} ({size} bytes)"))
            .because(e)
            .hint("is it a complete Parquet file?")
    })?;
    let reader = ParquetRows::<T> {
        path: path.to_owned(),
        file,
        metadata,
        columns: columns_of::<T>().and_then(|columns| columns.ok()),
        at,
        batches: None,
        lines: Vec::new(),
        next: 0,
        record: PhantomData,
    };
    reader.check_position()?;
    Ok(Box::new(reader))
}

struct ParquetRows<T> {
    path: PathBuf,
    file: File,
    metadata: ArrowReaderMetadata,
    /// What `T` has, to tell which columns need another form.
    columns: Option<SchemaRef>,
    at: RowPosition,
    batches: Option<ParquetRecordBatchReader>,
    /// The current batch, one JSON line per row.
    lines: Vec<u8>,
    next: usize,
    record: PhantomData<fn() -> T>,
}

impl<T: Record> ParquetRows<T> {
    fn row_groups(&self) -> usize {
        self.metadata.metadata().num_row_groups()
    }

    fn rows(&self, row_group: usize) -> usize {
        let rows = self.metadata.metadata().row_group(row_group).num_rows();
        usize::try_from(rows).unwrap_or(0)
    }

    fn check_position(&self) -> Result<()> {
        let RowPosition { row_group, row, .. } = self.at;
        let position = format!("row group {row_group}, row {row}");
        let groups = self.row_groups();
        if row_group > groups || (row_group == groups && row > 0) {
            return Err(shrank(&self.path, &position, &format!("{groups} row groups")));
        }
        if row_group < groups && row > self.rows(row_group) {
            let has = format!("{} rows in that row group", self.rows(row_group));
            return Err(shrank(&self.path, &position, &has));
        }
        Ok(())
    }

    /// Loads the next batch; `false` at the end of the file.
    fn next_batch(&mut self) -> Result<bool> {
        while self.at.row_group < self.row_groups() {
            if self.at.row >= self.rows(self.at.row_group) {
                self.at = RowPosition { row_group: self.at.row_group + 1, row: 0, end: false };
                self.batches = None;
                continue;
            }
            let mut batches = match self.batches.take() {
                Some(batches) => batches,
                None => self.open_row_group()?,
            };
            let Some(batch) = batches.next() else {
                let rows = self.rows(self.at.row_group);
                let fewer = format!("the row group ends before its {rows} rows");
                return Err(self.failed(ArrowError::ParquetError(fewer)));
            };
            self.batches = Some(batches);
            let lines = batch.and_then(|batch| self.to_lines(batch));
            self.lines = lines.map_err(|e| self.failed(e))?;
            self.next = 0;
            return Ok(true);
        }
        Ok(false)
    }

    fn open_row_group(&self) -> Result<ParquetRecordBatchReader> {
        let group = self.metadata.metadata().row_group(self.at.row_group);
        let bytes = usize::try_from(group.total_byte_size()).unwrap_or(0);
        let row_bytes = (bytes / self.rows(self.at.row_group).max(1)).max(1);
        let batch_rows = (READ_BYTES / row_bytes).clamp(1, MAX_BATCH_ROWS);
        let file = self.file.try_clone().map_err(|e| self.failed(e.into()))?;
        ParquetRecordBatchReaderBuilder::new_with_metadata(file, self.metadata.clone())
            .with_row_groups(vec![self.at.row_group])
            .with_offset(self.at.row)
            .with_batch_size(batch_rows)
            .build()
            .map_err(|e| self.failed(e.into()))
    }

    fn to_lines(&self, batch: RecordBatch) -> Result<Vec<u8>, ArrowError> {
        let batch = self.with_readable_times(batch)?;
        let mut writer = arrow::json::LineDelimitedWriter::new(Vec::new());
        writer.write(&batch)?;
        writer.finish()?;
        Ok(writer.into_inner())
    }

    /// Makes timestamps milliseconds where `T` has an integer. In text, a time zone becomes UTC,
    /// which alone can be written without a time zone database; the instant is the same.
    fn with_readable_times(&self, batch: RecordBatch) -> Result<RecordBatch, ArrowError> {
        let schema = batch.schema();
        let mut fields: Vec<Arc<Field>> = Vec::new();
        let mut columns: Vec<ArrayRef> = Vec::new();
        for (field, column) in schema.fields().iter().zip(batch.columns()) {
            let column = match field.data_type() {
                DataType::Timestamp(_, zone) if self.wants_integer(field.name()) => {
                    let millis = DataType::Timestamp(TimeUnit::Millisecond, zone.clone());
                    cast(&cast(column, &millis)?, &DataType::Int64)?
                }
                DataType::Timestamp(unit, Some(_)) => {
                    cast(column, &DataType::Timestamp(*unit, Some("+00:00".into())))?
                }
                _ => Arc::clone(column),
            };
            let field = Field::new(field.name(), column.data_type().clone(), field.is_nullable());
            fields.push(Arc::new(field));
            columns.push(column);
        }
        RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)
    }

    fn wants_integer(&self, name: &str) -> bool {
        let field = self.columns.as_ref().and_then(|columns| columns.field_with_name(name).ok());
        field.is_some_and(|field| field.data_type().is_integer())
    }

    fn failed(&self, e: ArrowError) -> Error {
        let RowPosition { row_group, row, .. } = self.at;
        let columns = self.metadata.metadata().row_group(row_group).columns();
        let offset = columns.first().map_or(0, |column| column.byte_range().0);
        Error::connector(format!(
            "cannot read file {:?} at row group {row_group} (offset {offset}), row {row}",
            self.path
        ))
        .because(e)
        .hint("the file is damaged; replace it by an intact one")
    }
}

impl<T: Record> Reader<T> for ParquetRows<T> {
    fn read(&mut self, buffer: &mut ReadBuffer<T>) -> Result<ReadStatus> {
        let mut bytes = 0;
        while buffer.room() > 0 {
            if self.next >= self.lines.len() {
                if bytes >= READ_BYTES {
                    return Ok(ReadStatus::Ready);
                }
                if !self.next_batch()? {
                    self.at.end = true;
                    return Ok(ReadStatus::End);
                }
                bytes += self.lines.len();
            }
            let rest = &self.lines[self.next..];
            let end = memchr(b'\n', rest).unwrap_or(rest.len());
            let line = &rest[..end];
            match serde_json::from_slice(line) {
                Ok(value) => buffer.push(value),
                Err(e) => {
                    let RowPosition { row_group, row, .. } = self.at;
                    let reason = e.to_string().replace(" at line 1 column ", " at column ");
                    buffer.refuse(line, format!("row group {row_group}, row {row}"), reason);
                }
            }
            self.next += end + 1;
            self.at.row += 1;
        }
        Ok(ReadStatus::Ready)
    }

    fn position(&self) -> Position {
        show_position(&self.at)
    }
}
