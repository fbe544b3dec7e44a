//! Parquet parts: rows become JSON lines, Arrow decodes those into batches, batches become columns.
//!
//! Memory is bounded: lines are decoded at 1 MiB, and a row group is written out at 32 MiB.

use std::path::PathBuf;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::json::ReaderBuilder;
use arrow::json::reader::{Decoder, infer_json_schema_from_iterator};
use headwater_core::{Error, Record, Result, Timed};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression as PageCompression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;

use crate::compression::Compression;
use crate::row_schema::columns_of;
use crate::sink::Target;
use crate::sink::encoder::{Encoder, cannot_encode, write_failed};
use crate::sink::part::PartFile;

const BATCH_BYTES: usize = 1 << 20;
const BATCH_ROWS: usize = 8192;
const ROW_GROUP_BYTES: usize = 32 << 20;

/// Where the columns of a sink come from.
#[derive(Clone, Debug)]
pub(crate) enum Columns {
    Given(SchemaRef),
    Traced(SchemaRef),
    /// From the first rows of a part.
    Inferred,
    /// The type has something that is no column.
    Impossible(String),
}

impl Columns {
    pub(crate) fn of<T: Record>(given: Option<SchemaRef>) -> Columns {
        match (given, columns_of::<T>()) {
            (Some(schema), _) => Columns::Given(schema),
            (None, Some(Ok(schema))) => Columns::Traced(schema),
            (None, Some(Err(reason))) => Columns::Impossible(reason),
            (None, None) => Columns::Inferred,
        }
    }

    /// Refuses types that have no columns.
    pub(crate) fn check(&self, type_name: &str) -> Result<()> {
        match self {
            Columns::Impossible(reason) => {
                Err(Error::config(format!("cannot write `{type_name}` as Parquet: {reason}"))
                    .hint("change the type, give the columns with .schema(..), or write JSON"))
            }
            _ => Ok(()),
        }
    }
}

/// Starts a Parquet part.
pub(crate) fn start<T: Record>(target: &Target, file: PartFile) -> Result<Box<dyn Encoder<T>>> {
    let columns = target.columns.clone().unwrap_or(Columns::Inferred);
    columns.check(std::any::type_name::<T>())?;
    let limit = usize::try_from(target.options.roll_bytes).unwrap_or(usize::MAX);
    Ok(Box::new(ParquetPart {
        dir: target.options.dir.clone(),
        compression: target.options.compression,
        columns,
        batch_bytes: BATCH_BYTES.min(limit),
        lines: Vec::new(),
        rows: 0,
        state: State::New(Box::new(file)),
    }))
}

struct ParquetPart {
    dir: PathBuf,
    compression: Compression,
    columns: Columns,
    batch_bytes: usize,
    /// Rows that are not in a batch yet.
    lines: Vec<u8>,
    rows: usize,
    state: State,
}

enum State {
    /// Nothing is written, as the columns may have to be found first.
    New(Box<PartFile>),
    Open(Box<Columnar>),
    /// Starting failed; the attempt is ending.
    Failed,
}

struct Columnar {
    decoder: Decoder,
    writer: ArrowWriter<PartFile>,
}

impl<T: Record> Encoder<T> for ParquetPart {
    fn write(&mut self, rows: &[Timed<T>], limit: u64) -> Result<usize> {
        for (i, row) in rows.iter().enumerate() {
            serde_json::to_writer(&mut self.lines, &row.value)
                .map_err(|e| cannot_encode::<T>("Parquet", e))?;
            self.lines.push(b'\n');
            self.rows += 1;
            if self.lines.len() >= self.batch_bytes || self.rows >= BATCH_ROWS {
                self.encode::<T>()?;
                if self.encoded() >= limit {
                    return Ok(i + 1);
                }
            }
        }
        Ok(rows.len())
    }

    fn size(&self) -> u64 {
        self.encoded()
    }

    fn finish(mut self: Box<Self>) -> Result<PartFile> {
        self.encode::<T>()?;
        match self.state {
            State::New(file) => Ok(*file),
            State::Open(open) => open.writer.into_inner().map_err(|e| failed::<T>(&self.dir, e)),
            State::Failed => Err(Error::internal("a Parquet part was used after it failed")),
        }
    }
}

impl ParquetPart {
    fn encoded(&self) -> u64 {
        match &self.state {
            State::Open(open) => {
                (open.writer.bytes_written() + open.writer.in_progress_size()) as u64
            }
            _ => 0,
        }
    }

    /// Turns the lines into columns.
    fn encode<T: Record>(&mut self) -> Result<()> {
        if self.rows == 0 {
            return Ok(());
        }
        if let State::New(_) = self.state {
            self.open::<T>()?;
        }
        let State::Open(open) = &mut self.state else {
            return Err(Error::internal("a Parquet part was used after it failed"));
        };
        let mut rest = self.lines.as_slice();
        loop {
            let n = open.decoder.decode(rest).map_err(misfit::<T>)?;
            rest = &rest[n..];
            let Some(batch) = open.decoder.flush().map_err(misfit::<T>)? else { break };
            open.writer.write(&batch).map_err(|e| failed::<T>(&self.dir, e))?;
        }
        if open.writer.in_progress_size() >= ROW_GROUP_BYTES {
            open.writer.flush().map_err(|e| failed::<T>(&self.dir, e))?;
        }
        self.lines.clear();
        self.rows = 0;
        Ok(())
    }

    fn open<T: Record>(&mut self) -> Result<()> {
        let (schema, strict) = match &self.columns {
            Columns::Given(schema) => (Arc::clone(schema), false),
            Columns::Traced(schema) => (Arc::clone(schema), true),
            _ => (Arc::new(infer(&self.lines).map_err(misfit::<T>)?), true),
        };
        let decoder = ReaderBuilder::new(Arc::clone(&schema))
            .with_batch_size(BATCH_ROWS)
            // What has no column must not be lost in silence, unless the user chose the columns.
            .with_strict_mode(strict)
            .build_decoder()
            .map_err(misfit::<T>)?;
        let State::New(file) = std::mem::replace(&mut self.state, State::Failed) else {
            return Ok(());
        };
        let pages = match self.compression {
            Compression::Zstd => PageCompression::ZSTD(ZstdLevel::default()),
            _ => PageCompression::SNAPPY,
        };
        let properties = WriterProperties::builder().set_compression(pages).build();
        let writer = ArrowWriter::try_new(*file, schema, Some(properties))
            .map_err(|e| failed::<T>(&self.dir, e))?;
        self.state = State::Open(Box::new(Columnar { decoder, writer }));
        Ok(())
    }
}

fn infer(lines: &[u8]) -> Result<arrow::datatypes::Schema, ArrowError> {
    let rows = serde_json::Deserializer::from_slice(lines).into_iter::<serde_json::Value>();
    infer_json_schema_from_iterator(
        rows.map(|row| row.map_err(|e| ArrowError::JsonError(e.to_string()))),
    )
}

fn misfit<T>(e: ArrowError) -> Error {
    cannot_encode::<T>("Parquet", e).hint("give the columns with .schema(..), or write JSON")
}

fn failed<T>(dir: &std::path::Path, e: ParquetError) -> Error {
    match e {
        ParquetError::External(cause) => match cause.downcast::<std::io::Error>() {
            Ok(e) => write_failed(dir, *e),
            Err(other) => cannot_encode::<T>("Parquet", other),
        },
        other => cannot_encode::<T>("Parquet", other)
            .hint(format!("the part was to be written to {dir:?}")),
    }
}
