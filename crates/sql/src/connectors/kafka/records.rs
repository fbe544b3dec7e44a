//! Rows as records of a topic.

use std::sync::Arc;

use datafusion::arrow::array::{Array, AsArray, RecordBatch};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Int64Type, SchemaRef, TimeUnit};
use headwater_connect::{
    AttemptContext, BadRecord, Committer, Guarantee, Measure, Sink, TransactionLog, WriteStatus,
    Writer, WriterContext,
};
use headwater_core::{BadRecordPolicy, Batch, Epoch, Error, EventTime, Result, RowKind, Timed};
use headwater_formats::bytes;
use headwater_kafka::{Headers, KafkaRecord, KafkaSink, Timestamp};
use headwater_topology::erased::{AnySink, AnyWriter};

use super::super::options::Options;
use super::super::writing::only_inserts;
use super::reading::Bytes;
use super::{Layout, NAME, topics};
use crate::catalog::ColumnKind;
use crate::error::{SqlError, SqlResult, codes};
use crate::formats::Format;
use crate::rows::{Chunk, Rows};

/// A sink of rows with the columns `written` of the table.
pub(super) fn sink(
    options: &Options<'_>,
    layout: Layout,
    written: &[usize],
) -> SqlResult<Arc<dyn AnySink>> {
    let table = options.table();
    let topic = match topics(options)?.as_slice() {
        [topic] => (*topic).to_owned(),
        _ => return Err(options.wrong("topic", "rows are written to one topic, not to several")),
    };
    let mut sink = super::cluster(options)?.sink::<Bytes>(topic);
    if options.choice("sink.delivery-guarantee").as_deref() != Some("exactly-once") {
        sink = sink.at_least_once();
    }
    let place = |name: &str| {
        let is = |column: &&usize| table.field(**column).name() == name;
        written.iter().position(|column| is(&column))
    };
    let places = |fields: &SchemaRef, prefix: &str| {
        let of = |name: &str| place(&format!("{prefix}{name}"));
        let places = fields.fields().iter().map(|field| of(field.name()));
        places.collect::<Option<Vec<usize>>>().ok_or_else(|| {
            SqlError::internal(format!("the columns of table `{}` are not all written", table.name))
        })
    };
    let value = Part {
        places: places(&layout.value_fields, "")?,
        fields: layout.value_fields,
        format: layout.value,
    };
    let key = match layout.key {
        None => None,
        Some(key) => Some(Part {
            places: places(&key.fields, &key.prefix)?,
            fields: key.fields,
            format: key.format,
        }),
    };
    let mut shape = Shape { value, key, upsert: layout.upsert, timestamp: None, headers: None };
    for (place, column) in written.iter().enumerate() {
        if let ColumnKind::Metadata { key, .. } = &table.columns[*column] {
            let found = table.field(*column).data_type();
            match (key.as_str(), found) {
                ("timestamp", DataType::Timestamp(..)) => shape.timestamp = Some(place),
                ("headers", DataType::Map(..)) => shape.headers = Some(place),
                _ => {
                    let name = table.field(*column).name();
                    let message = format!(
                        "connector '{NAME}' can't write metadata '{key}' from column `{name}` of \
                         type {}",
                        crate::catalog::type_name(found)
                    );
                    return Err(SqlError::new(codes::BAD_OPTION, message)
                        .help("'timestamp' and 'headers' are written; declare others VIRTUAL"));
                }
            }
        }
    }
    let sink = sink.records(bytes(), bytes());
    Ok(Arc::new(Topic { sink, shape: Arc::new(shape) }))
}

/// Which columns go where.
struct Shape {
    value: Part,
    key: Option<Part>,
    upsert: bool,
    timestamp: Option<usize>,
    headers: Option<usize>,
}

struct Part {
    format: Format,
    fields: SchemaRef,
    places: Vec<usize>,
}

impl Part {
    /// The part's columns of a chunk, by the part's names.
    fn of(&self, chunk: &Chunk) -> Result<Chunk> {
        let columns = self.places.iter().map(|place| Arc::clone(chunk.data.column(*place)));
        let data = RecordBatch::try_new(Arc::clone(&self.fields), columns.collect());
        Ok(chunk.with_data(data.map_err(|e| {
            Error::internal("rows do not fit the table that they are written to").because(e)
        })?))
    }
}

impl Shape {
    /// Adds the records of a chunk.
    fn encode(&self, chunk: &Chunk, out: &mut Vec<Timed<Bytes>>) -> Result<()> {
        if !self.upsert && !self.value.format.is_changelog() {
            only_inserts(chunk, "a Kafka sink")?;
        }
        let (values, keys) =
            (self.value.of(chunk)?, self.key.as_ref().map(|key| key.of(chunk)).transpose()?);
        let value = self.value.format.encoder(&values)?;
        let key = match (&self.key, &keys) {
            (Some(part), Some(keys)) => Some(part.format.encoder(keys)?),
            _ => None,
        };
        let millis = DataType::Timestamp(TimeUnit::Millisecond, None);
        let times = self.timestamp.map(|place| {
            let times = cast(chunk.data.column(place), &millis);
            times.and_then(|times| cast(&times, &DataType::Int64))
        });
        let times = times
            .transpose()
            .map_err(|e| Error::internal("a timestamp does not fit milliseconds").because(e))?;
        let times = times.as_ref().map(|times| times.as_primitive::<Int64Type>());
        for row in 0..chunk.len() {
            let kind = chunk.kind(row);
            // The record of the row as it is now replaces this one.
            if self.upsert && kind == RowKind::UpdateBefore {
                continue;
            }
            let mut record = KafkaRecord::new(None, None);
            if let Some(key) = &key {
                let mut bytes = Vec::new();
                key.encode(row, &mut bytes)?;
                record.key = Some(bytes);
            }
            if !(self.upsert && kind == RowKind::Delete) {
                let mut bytes = Vec::new();
                value.encode(row, &mut bytes)?;
                record.value = Some(bytes);
            }
            if let Some(times) = times.filter(|times| times.is_valid(row)) {
                record.timestamp = Timestamp::Create(times.value(row));
            }
            if let Some(place) = self.headers {
                record.headers = headers(&chunk.data, place, row);
            }
            out.push(Timed::new(EventTime::MIN, record));
        }
        Ok(())
    }
}

/// The headers in a column of maps.
fn headers(data: &RecordBatch, place: usize, row: usize) -> Headers {
    let Some(map) = data.column(place).as_map_opt().filter(|map| map.is_valid(row)) else {
        return Headers::new();
    };
    let entries = map.value(row);
    let (keys, values) = (entries.column(0), entries.column(1));
    let (Some(keys), Some(values)) = (keys.as_string_opt::<i32>(), values.as_binary_opt::<i32>())
    else {
        return Headers::new();
    };
    let value = |i: usize| values.is_valid(i).then(|| values.value(i).to_vec());
    (0..entries.len()).map(|i| (keys.value(i).to_owned(), value(i))).collect()
}

struct Topic {
    sink: KafkaSink<Bytes>,
    shape: Arc<Shape>,
}

impl AnySink for Topic {
    fn validate(&self) -> Result<()> {
        Sink::validate(&self.sink)
    }
    fn guarantee(&self) -> Guarantee {
        Sink::guarantee(&self.sink)
    }
    fn writer(&self, cx: &WriterContext) -> Result<Box<dyn AnyWriter>> {
        let writer = Sink::writer(&self.sink, cx)?;
        let shape = Arc::clone(&self.shape);
        Ok(Box::new(TopicWriter { writer, shape, chunks: Vec::new(), records: Vec::new() }))
    }
    fn begin_attempt(&self, cx: &AttemptContext) -> Result<()> {
        Sink::begin_attempt(&self.sink, cx)
    }
    fn committer(&self) -> Result<Option<Box<dyn Committer>>> {
        Sink::committer(&self.sink)
    }
    fn measures(&self) -> Vec<Measure> {
        Sink::measures(&self.sink)
    }
    fn transaction_domain(&self) -> Option<String> {
        Sink::transaction_domain(&self.sink)
    }
    fn transaction_log(&self, job: &str) -> Result<Option<Box<dyn TransactionLog>>> {
        Sink::transaction_log(&self.sink, job)
    }
}

struct TopicWriter {
    writer: Box<dyn Writer<Bytes>>,
    shape: Arc<Shape>,
    chunks: Vec<Chunk>,
    records: Vec<Timed<Bytes>>,
}

impl AnyWriter for TopicWriter {
    fn push(&mut self, batch: Batch) {
        self.chunks.append(&mut Rows::of(batch));
    }
    fn write(&mut self) -> Result<WriteStatus> {
        for chunk in std::mem::take(&mut self.chunks) {
            self.shape.encode(&chunk, &mut self.records)?;
        }
        if self.records.is_empty() {
            return Ok(WriteStatus::Done);
        }
        self.writer.write(&mut self.records)
    }
    fn queued(&self) -> usize {
        self.chunks.iter().map(Chunk::len).sum::<usize>() + self.records.len()
    }
    fn flush(&mut self) -> Result<()> {
        self.writer.flush()
    }
    fn prepare(&mut self, epoch: Epoch) -> Result<Vec<Vec<u8>>> {
        self.writer.prepare(epoch)
    }
    fn take_refused(&mut self) -> (BadRecordPolicy, Vec<BadRecord>) {
        self.writer.take_refused()
    }
}
