//! Rows as parts of a directory, through the exactly-once machinery of [`headwater_files`].

use std::io::Write;
use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::parquet::arrow::ArrowWriter;
use datafusion::parquet::basic::{Compression as Pages, ZstdLevel};
use datafusion::parquet::errors::ParquetError;
use datafusion::parquet::file::properties::WriterProperties;
use headwater_connect::{
    AttemptContext, BadRecord, Committer, Guarantee, Measure, TransactionLog, WriteStatus,
    WriterContext,
};
use headwater_core::{BadRecordPolicy, Batch, Epoch, Error, Result};
use headwater_files::sink::BlockWriter;
use headwater_files::{Block, BlockEncoder, BlockSink, Compression, PartOutput, SinkBuilder};
use headwater_topology::erased::{AnySink, AnyWriter};

use super::folders::Folders;
use crate::connectors::writing::{Queue, lines, only_inserts};
use crate::formats::{Format, csv};
use crate::rows::Chunk;

/// A row group is written out at this size in memory.
const ROW_GROUP_BYTES: usize = 32 << 20;

/// A sink of text files.
pub(super) fn text(
    files: SinkBuilder,
    folders: Folders,
    format: Format,
    written: &SchemaRef,
    record: SchemaRef,
) -> Arc<dyn AnySink> {
    let extension = match &format {
        Format::Csv(_) => "csv",
        Format::Raw(_) => "txt",
        _ => "jsonl",
    };
    let mut header = Vec::new();
    if let Format::Csv(csv) = &format
        && csv.header
    {
        csv::Rows::header(csv, &record, &mut header);
        header.push(b'\n');
    }
    let sink = files.blocks(extension, move |mut out: PartOutput| {
        out.write_all(&header).map_err(failed)?;
        Ok(Box::new(TextPart(out)) as Box<dyn BlockEncoder<Vec<u8>>>)
    });
    let append = !format.is_changelog();
    let encode = move |chunk: &Chunk| {
        if append {
            only_inserts(chunk, "a file sink")?;
        }
        let mut out = Vec::with_capacity(chunk.len() * 64);
        lines(&format, chunk, &mut out)?;
        Ok(out)
    };
    let schema = Arc::clone(written);
    Arc::new(Parts { sink, folders, record, schema, encode: Arc::new(encode) })
}

/// A sink of Parquet files.
pub(super) fn parquet(
    files: SinkBuilder,
    folders: Folders,
    compression: Compression,
    written: &SchemaRef,
    record: SchemaRef,
) -> Arc<dyn AnySink> {
    let pages = match compression {
        Compression::Zstd => Pages::ZSTD(ZstdLevel::default()),
        _ => Pages::SNAPPY,
    };
    let columns = Arc::clone(&record);
    let sink = files.blocks("parquet", move |out: PartOutput| {
        let properties = WriterProperties::builder().set_compression(pages).build();
        let writer = ArrowWriter::try_new(out, Arc::clone(&columns), Some(properties));
        let part = ParquetPart(writer.map_err(parquet_failed)?);
        Ok(Box::new(part) as Box<dyn BlockEncoder<RecordBatch>>)
    });
    let encode = |chunk: &Chunk| {
        only_inserts(chunk, "a file sink")?;
        Ok(chunk.data.clone())
    };
    let schema = Arc::clone(written);
    Arc::new(Parts { sink, folders, record, schema, encode: Arc::new(encode) })
}

/// Makes what goes into a part of the rows of a chunk.
type Encode<B> = Arc<dyn Fn(&Chunk) -> Result<B> + Send + Sync>;

struct Parts<B> {
    sink: BlockSink<B>,
    folders: Folders,
    /// The columns within files.
    record: SchemaRef,
    /// All columns.
    schema: SchemaRef,
    encode: Encode<B>,
}

impl<B: Send + 'static> AnySink for Parts<B> {
    fn validate(&self) -> Result<()> {
        self.sink.validate()
    }
    fn guarantee(&self) -> Guarantee {
        Guarantee::ExactlyOnce
    }
    fn writer(&self, cx: &WriterContext) -> Result<Box<dyn AnyWriter>> {
        Ok(Box::new(PartsWriter {
            writer: self.sink.writer(cx)?,
            queue: Queue::default(),
            folders: self.folders.clone(),
            record: Arc::clone(&self.record),
            schema: Arc::clone(&self.schema),
            encode: Arc::clone(&self.encode),
        }))
    }
    fn begin_attempt(&self, _cx: &AttemptContext) -> Result<()> {
        Ok(())
    }
    fn committer(&self) -> Result<Option<Box<dyn Committer>>> {
        Ok(Some(self.sink.committer()?))
    }
    fn measures(&self) -> Vec<Measure> {
        Vec::new()
    }
    fn transaction_domain(&self) -> Option<String> {
        None
    }
    fn transaction_log(&self, _job: &str) -> Result<Option<Box<dyn TransactionLog>>> {
        Ok(None)
    }
}

struct PartsWriter<B> {
    writer: BlockWriter<B>,
    queue: Queue,
    folders: Folders,
    record: SchemaRef,
    schema: SchemaRef,
    encode: Encode<B>,
}

impl<B: Send + 'static> AnyWriter for PartsWriter<B> {
    fn push(&mut self, batch: Batch) {
        self.queue.push(batch);
    }
    fn write(&mut self) -> Result<WriteStatus> {
        for chunk in self.queue.take() {
            // The query's columns fit by position; their names are the table's.
            let data = chunk.data.clone().with_schema(Arc::clone(&self.schema)).or_else(|_| {
                RecordBatch::try_new(Arc::clone(&self.schema), chunk.data.columns().to_vec())
            });
            let data = data.map_err(|e| {
                Error::internal("rows do not fit the table that they are written to").because(e)
            })?;
            for (folder, chunk) in self.folders.split(chunk.with_data(data), &self.record)? {
                let data = (self.encode)(&chunk)?;
                self.writer.write(Block { folder, rows: chunk.len() as u64, data })?;
            }
        }
        Ok(WriteStatus::Done)
    }
    fn queued(&self) -> usize {
        self.queue.rows()
    }
    fn flush(&mut self) -> Result<()> {
        Ok(())
    }
    fn prepare(&mut self, epoch: Epoch) -> Result<Vec<Vec<u8>>> {
        self.writer.prepare(epoch)
    }
    fn take_refused(&mut self) -> (BadRecordPolicy, Vec<BadRecord>) {
        (BadRecordPolicy::default(), Vec::new())
    }
}

struct TextPart(PartOutput);

impl BlockEncoder<Vec<u8>> for TextPart {
    fn write(&mut self, data: Vec<u8>) -> Result<()> {
        self.0.write_all(&data).map_err(failed)
    }
    fn size(&self) -> u64 {
        self.0.bytes()
    }
    fn finish(self: Box<Self>) -> Result<PartOutput> {
        Ok(self.0)
    }
}

struct ParquetPart(ArrowWriter<PartOutput>);

impl BlockEncoder<RecordBatch> for ParquetPart {
    fn write(&mut self, data: RecordBatch) -> Result<()> {
        self.0.write(&data).map_err(parquet_failed)?;
        if self.0.in_progress_size() >= ROW_GROUP_BYTES {
            self.0.flush().map_err(parquet_failed)?;
        }
        Ok(())
    }
    fn size(&self) -> u64 {
        (self.0.bytes_written() + self.0.in_progress_size()) as u64
    }
    fn finish(self: Box<Self>) -> Result<PartOutput> {
        self.0.into_inner().map_err(parquet_failed)
    }
}

fn failed(e: std::io::Error) -> Error {
    headwater_files::sink::write_error(e)
}

fn parquet_failed(e: ParquetError) -> Error {
    match e {
        ParquetError::External(cause) => match cause.downcast::<std::io::Error>() {
            Ok(e) => failed(*e),
            Err(other) => Error::data("cannot write Parquet").because(other),
        },
        other => Error::data("cannot write Parquet").because(other),
    }
}
