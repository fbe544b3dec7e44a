//! Parquet files as rows, a batch at a time, without a detour through records.
//!
//! Columns are found by name and cast to the table's types; a column that a file lacks is null. A
//! position is a row within a row group. A file that cannot be read ends the attempt: its columns
//! are not text of which one line may be bad.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, RecordBatch, RecordBatchOptions, StructArray, new_null_array,
};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, FieldRef, SchemaRef};
use datafusion::arrow::error::ArrowError;
use datafusion::parquet::arrow::ProjectionMask;
use datafusion::parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
};
use headwater_connect::{Discovery, Measure, Position, ReadStatus, Source, SplitId, Wake};
use headwater_core::{Batch, Error, ProcessingTime, Result, SplitTag};
use headwater_files::{FileSource, Framing, RawRecord, SourceBuilder};
use headwater_topology::erased::{AnyReader, AnySource, Chunk as Given};
use serde::{Deserialize, Serialize};

use super::folders::Folders;
use super::text_files;
use crate::connectors::Projection;
use crate::error::SqlResult;
use crate::formats::column::Column;
use crate::rows::{Chunk, READ_ROWS};

/// Rows that are decoded at a time.
const BATCH_ROWS: usize = 8192;

/// A source of the rows in Parquet files.
pub(super) fn source(
    files: SourceBuilder,
    folders: Folders,
    record: &SchemaRef,
    projection: &Projection,
) -> SqlResult<Arc<dyn AnySource>> {
    let schema = Arc::clone(&projection.schema);
    let names = projection.metadata();
    let columns = schema.fields().iter().enumerate().map(|(place, field)| {
        match names.iter().find(|(at, _)| *at == place) {
            Some((_, key)) => Origin::Constant((*key).to_owned()),
            None if record.column_with_name(field.name()).is_some() => Origin::Column,
            None => Origin::Constant(field.name().clone()),
        }
    });
    let columns: Arc<[Origin]> = columns.collect();
    // Which files there are is the same for all formats.
    let files = files.raw(Framing::Lines);
    Ok(Arc::new(ParquetFiles { files, folders, schema, columns }))
}

/// Where a column comes from.
enum Origin {
    /// The file.
    Column,
    /// What is known of the file, by this name.
    Constant(String),
}

struct ParquetFiles {
    files: FileSource<RawRecord>,
    folders: Folders,
    schema: SchemaRef,
    columns: Arc<[Origin]>,
}

/// Where a reader stands: before this row of this row group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RowPosition {
    row_group: usize,
    row: usize,
    /// Nothing is left to read.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    end: bool,
}

impl AnySource for ParquetFiles {
    fn validate(&self) -> Result<()> {
        Source::validate(&self.files)
    }
    fn splits(&self) -> Result<Vec<SplitId>> {
        Source::splits(&self.files)
    }
    fn batch_size(&self) -> usize {
        READ_ROWS
    }
    fn discovery(&self) -> Discovery {
        Source::discovery(&self.files)
    }
    fn open(
        &self,
        split: &SplitId,
        position: Option<&Position>,
        _wake: Wake,
    ) -> Result<Box<dyn AnyReader>> {
        let path = self.files.path_of(split)?;
        let at = match position {
            None => RowPosition::default(),
            Some(position) => serde_json::from_str(&position.0).map_err(|e| {
                Error::state(format!("cannot restore file {path:?} at position {:?}", position.0))
                    .because(e)
                    .hint("the checkpoint was written by another kind of source or format")
            })?,
        };
        let mut constants = self.folders.values(&split.0);
        constants.extend(text_files::metadata(&self.files, split)?);
        let file = if at.end { None } else { Some(open_file(&path)?) };
        let (schema, columns) = (Arc::clone(&self.schema), Arc::clone(&self.columns));
        let reader = ParquetReader { path, file, at, rows: None, schema, columns, constants };
        reader.check()?;
        Ok(Box::new(reader))
    }
    fn first_position(&self) -> Option<Position> {
        None
    }
    fn checkpointed(&self, _positions: &[(SplitId, Position)]) {}
    fn measures(&self) -> Vec<Measure> {
        Vec::new()
    }
    fn transaction_domain(&self) -> Option<String> {
        None
    }
}

fn open_file(path: &Path) -> Result<(File, ArrowReaderMetadata)> {
    let failed = |what: &str| {
        Error::connector(format!("{what} file {path:?}")).hint("is it a complete Parquet file?")
    };
    let file = File::open(path).map_err(|e| failed("cannot open").because(e))?;
    let metadata = ArrowReaderMetadata::load(&file, Default::default())
        .map_err(|e| failed("cannot read the footer of").because(e))?;
    Ok((file, metadata))
}

struct ParquetReader {
    path: PathBuf,
    /// None when it had been read to its end.
    file: Option<(File, ArrowReaderMetadata)>,
    at: RowPosition,
    /// What is left of the row group, and of the batch last decoded.
    rows: Option<(ParquetRecordBatchReader, RecordBatch)>,
    schema: SchemaRef,
    columns: Arc<[Origin]>,
    constants: Vec<(String, Option<String>)>,
}

impl ParquetReader {
    fn check(&self) -> Result<()> {
        let Some((_, metadata)) = &self.file else { return Ok(()) };
        let (groups, RowPosition { row_group, row, .. }) =
            (metadata.metadata().num_row_groups(), self.at);
        let fits = match row_group < groups {
            true => row <= self.rows_of(row_group),
            false => row_group == groups && row == 0,
        };
        if fits {
            return Ok(());
        }
        Err(Error::connector(format!(
            "file {:?} was read up to row group {row_group}, row {row}, but now has {groups} row \
             groups",
            self.path
        ))
        .hint("put the original file back; a file must not change while a job reads it"))
    }

    fn rows_of(&self, row_group: usize) -> usize {
        let metadata = self.file.as_ref().map(|(_, metadata)| metadata.metadata());
        let rows = metadata.map_or(0, |metadata| metadata.row_group(row_group).num_rows());
        usize::try_from(rows).unwrap_or(0)
    }

    /// The next rows, up to `max`; none at the end.
    fn next(&mut self, max: usize) -> Result<Option<RecordBatch>, ArrowError> {
        loop {
            if let Some((reader, batch)) = &mut self.rows {
                if batch.num_rows() == 0 {
                    match reader.next().transpose()? {
                        Some(next) => *batch = next,
                        None => self.rows = None,
                    }
                    continue;
                }
                let taken = max.min(batch.num_rows());
                let rows = batch.slice(0, taken);
                *batch = batch.slice(taken, batch.num_rows() - taken);
                self.at.row += taken;
                return Ok(Some(rows));
            }
            let Some((file, metadata)) = &self.file else { return Ok(None) };
            if self.at.row_group >= metadata.metadata().num_row_groups() {
                return Ok(None);
            }
            if self.at.row >= self.rows_of(self.at.row_group) {
                self.at = RowPosition { row_group: self.at.row_group + 1, ..Default::default() };
                continue;
            }
            let wanted = metadata.schema().fields().iter().enumerate().filter(|(_, field)| {
                let place = self.schema.index_of(field.name()).ok();
                place.is_some_and(|place| matches!(self.columns[place], Origin::Column))
            });
            let roots: Vec<usize> = wanted.map(|(i, _)| i).collect();
            let mask = ProjectionMask::roots(metadata.parquet_schema(), roots);
            let file = file.try_clone()?;
            let reader = ParquetRecordBatchReaderBuilder::new_with_metadata(file, metadata.clone())
                .with_row_groups(vec![self.at.row_group])
                .with_offset(self.at.row)
                .with_projection(mask)
                .with_batch_size(BATCH_ROWS)
                .build()?;
            let nothing = RecordBatch::new_empty(
                datafusion::arrow::array::RecordBatchReader::schema(&reader),
            );
            self.rows = Some((reader, nothing));
        }
    }

    /// The rows with the table's columns.
    fn fit(&self, rows: &RecordBatch) -> Result<RecordBatch, ArrowError> {
        let len = rows.num_rows();
        let columns = self.schema.fields().iter().zip(self.columns.iter());
        let columns = columns.map(|(field, origin)| match origin {
            Origin::Column => match rows.column_by_name(field.name()) {
                Some(column) => fit(column, field),
                None => Ok(new_null_array(field.data_type(), len)),
            },
            Origin::Constant(name) => {
                let known = self.constants.iter().find(|(key, _)| key == name);
                constant(field, known.and_then(|(_, value)| value.as_deref()), len)
            }
        });
        let columns = columns.collect::<Result<Vec<ArrayRef>, _>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(len));
        RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)
    }

    fn failed(&self, e: ArrowError) -> Error {
        let RowPosition { row_group, row, .. } = self.at;
        let path = &self.path;
        Error::connector(format!("cannot read file {path:?} at row group {row_group}, row {row}"))
            .because(e)
            .hint("the file is damaged, or its columns are of other types than the table's")
    }
}

/// A column as a field wants it: cast, with the wanted fields of rows by name.
fn fit(column: &ArrayRef, field: &FieldRef) -> Result<ArrayRef, ArrowError> {
    match (column.data_type(), field.data_type()) {
        (DataType::Struct(_), DataType::Struct(wanted)) if !wanted.is_empty() => {
            let rows = column.as_struct();
            let columns = wanted.iter().map(|field| match rows.column_by_name(field.name()) {
                // A field of a null row is null.
                Some(inner) => {
                    let data = inner.to_data();
                    let nulls =
                        datafusion::arrow::buffer::NullBuffer::union(rows.nulls(), inner.nulls());
                    let data = data.into_builder().nulls(nulls).build()?;
                    fit(&datafusion::arrow::array::make_array(data), field)
                }
                None => Ok(new_null_array(field.data_type(), rows.len())),
            });
            let columns = columns.collect::<Result<Vec<ArrayRef>, _>>()?;
            Ok(Arc::new(StructArray::try_new(wanted.clone(), columns, rows.nulls().cloned())?))
        }
        (found, wanted) if found == wanted => Ok(Arc::clone(column)),
        (_, wanted) => cast(column, wanted),
    }
}

/// A column of one value.
fn constant(field: &FieldRef, value: Option<&str>, rows: usize) -> Result<ArrayRef, ArrowError> {
    let Some(value) = value else { return Ok(new_null_array(field.data_type(), rows)) };
    let wrong =
        |reason: String| ArrowError::CastError(format!("column {}: {reason}", field.name()));
    let mut column = Column::new(field).map_err(|found| wrong(format!("type {found}")))?;
    for _ in 0..rows {
        column.push_text(value).map_err(wrong)?;
    }
    column.finish()
}

impl AnyReader for ParquetReader {
    fn read(
        &mut self,
        max: usize,
        _elapsed: Duration,
        _now: ProcessingTime,
        split: SplitTag,
    ) -> Result<Given> {
        let rows = self.next(max).map_err(|e| self.failed(e))?;
        let (batch, status) = match rows {
            Some(rows) => {
                let data = self.fit(&rows).map_err(|e| self.failed(e))?;
                let batch = Batch::from(Chunk::inserts(data)).with_split(split);
                (batch, ReadStatus::Ready)
            }
            None => {
                self.at.end = true;
                (Batch::default(), ReadStatus::End)
            }
        };
        Ok(Given { batch, bad: Vec::new(), skipped: 0, status })
    }

    fn position(&self) -> Position {
        // A plain struct of integers always serializes.
        Position(serde_json::to_string(&self.at).unwrap_or_default())
    }
}
