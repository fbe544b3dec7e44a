//! What the tests of connectors share.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::compute::concat_batches;
use datafusion::arrow::datatypes::{DataType, Field, Fields, Schema, TimeUnit};
use headwater_connect::{
    AttemptContext, BadRecord, Position, ReadStatus, SplitId, Wake, WriterContext,
};
use headwater_core::{Batch, Epoch, ProcessingTime, SplitTag};

use super::print::PrintedRows;
use super::*;
use crate::catalog::ColumnKind;
use crate::rows::{Chunk, Rows};

/// TIMESTAMP(3).
pub(crate) const MILLIS: DataType = DataType::Timestamp(TimeUnit::Millisecond, None);

/// A table with physical columns.
pub(crate) fn table(columns: &[(&str, DataType)], options: &[(&str, &str)]) -> Table {
    let fields = columns.iter().map(|(name, data_type)| Field::new(*name, data_type.clone(), true));
    let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    let options = options.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    Table {
        name: "t".into(),
        columns: vec![ColumnKind::Physical; schema.fields().len()],
        schema,
        primary_key: Vec::new(),
        watermark: None,
        options: options.collect(),
        option_spans: BTreeMap::new(),
        partitioned_by: Vec::new(),
        comment: None,
        column_comments: BTreeMap::new(),
        temporary: false,
    }
}

/// A row of such fields.
pub(crate) fn row(fields: &[(&str, DataType)]) -> DataType {
    let fields = fields.iter().map(|(name, of)| Field::new(*name, of.clone(), true));
    DataType::Struct(fields.collect::<Fields>())
}

/// A Nexmark table with the columns of the published DDL.
pub(crate) fn published(options: &[(&str, &str)]) -> Table {
    let (number, text) = (DataType::Int64, DataType::Utf8);
    let person = row(&[
        ("id", number.clone()),
        ("name", text.clone()),
        ("emailAddress", text.clone()),
        ("creditCard", text.clone()),
        ("city", text.clone()),
        ("state", text.clone()),
        ("dateTime", MILLIS),
        ("extra", text.clone()),
    ]);
    let auction = row(&[
        ("id", number.clone()),
        ("itemName", text.clone()),
        ("description", text.clone()),
        ("initialBid", number.clone()),
        ("reserve", number.clone()),
        ("dateTime", MILLIS),
        ("expires", MILLIS),
        ("seller", number.clone()),
        ("category", number.clone()),
        ("extra", text.clone()),
    ]);
    let bid = row(&[
        ("auction", number.clone()),
        ("bidder", number.clone()),
        ("price", number),
        ("channel", text.clone()),
        ("url", text.clone()),
        ("dateTime", MILLIS),
        ("extra", text),
    ]);
    let columns =
        [("event_type", DataType::Int32), ("person", person), ("auction", auction), ("bid", bid)];
    table(&columns, &[&[("connector", "nexmark")], options].concat())
}

/// The same with a metadata column.
pub(crate) fn with_metadata(mut table: Table, name: &str, key: &str, of: DataType) -> Table {
    let mut fields = table.schema.fields().to_vec();
    fields.push(Arc::new(Field::new(name, of, true)));
    table.schema = Arc::new(Schema::new(fields));
    table.columns.push(ColumnKind::Metadata { key: key.into(), is_virtual: true });
    table
}

pub(crate) fn cx() -> ConnectorContext {
    ConnectorContext::new(1)
}

/// What a source gave.
#[derive(Default)]
pub(crate) struct Read {
    pub(crate) chunks: Vec<Chunk>,
    pub(crate) bad: Vec<BadRecord>,
}

impl Read {
    /// The rows as they are printed.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.chunks.iter().flat_map(lines).collect()
    }

    pub(crate) fn data(&self) -> RecordBatch {
        let batches: Vec<_> = self.chunks.iter().map(|chunk| chunk.data.clone()).collect();
        concat_batches(&batches[0].schema(), &batches).unwrap()
    }
}

pub(crate) fn lines(chunk: &Chunk) -> Vec<String> {
    let rows = PrintedRows::new(chunk).unwrap();
    let line = |row| {
        let mut out = Vec::new();
        rows.write(chunk, row, &mut out);
        String::from_utf8(out).unwrap()
    };
    (0..chunk.len()).map(line).collect()
}

/// Reads up to `max` rows at a time until `calls` calls were made or the split ends.
pub(crate) fn read_split(
    source: &dyn AnySource,
    split: &SplitId,
    position: Option<&Position>,
    max: usize,
    calls: usize,
    read: &mut Read,
) -> (Position, bool) {
    let mut reader = source.open(split, position, Wake::none()).unwrap();
    let mut ended = false;
    for _ in 0..calls {
        let elapsed = Duration::from_secs(1_000_000);
        let now = ProcessingTime(1_600_000_000_000);
        let given = reader.read(max, elapsed, now, SplitTag(3)).unwrap();
        assert!(given.batch.is_empty() || given.batch.split() == SplitTag(3));
        read.chunks.extend(Rows::of(given.batch));
        read.bad.extend(given.bad);
        ended = given.status == ReadStatus::End;
        if ended {
            break;
        }
    }
    (reader.position(), ended)
}

/// Reads all splits, each in one go.
pub(crate) fn read_all(source: &dyn AnySource) -> Read {
    source.validate().unwrap();
    let mut read = Read::default();
    for split in source.splits().unwrap() {
        assert!(read_split(source, &split, None, 1000, usize::MAX, &mut read).1);
    }
    read
}

/// Reads all splits, opened anew at the position after every call.
pub(crate) fn read_in_pieces(source: &dyn AnySource, max: usize) -> Read {
    let mut read = Read::default();
    for split in source.splits().unwrap() {
        let mut position = None;
        loop {
            let (at, ended) = read_split(source, &split, position.as_ref(), max, 1, &mut read);
            position = Some(at);
            if ended {
                break;
            }
        }
    }
    read
}

/// Writes chunks as one epoch and makes them visible.
pub(crate) fn write(sink: &TableSink, chunks: Vec<Chunk>) {
    let sink = &sink.sink;
    sink.validate().unwrap();
    let job = "job".to_owned();
    sink.begin_attempt(&AttemptContext { job, sink: "s".into(), transaction: None }).unwrap();
    let mut committer = sink.committer().unwrap();
    if let Some(committer) = &mut committer {
        committer.recover(Epoch::NONE, &[]).unwrap();
    }
    let (wake, name) = (Wake::none(), "s".to_owned());
    let cx = WriterContext { sink: name, worker: 0, workers: 1, attempt: 1, wake };
    let mut writer = sink.writer(&cx).unwrap();
    for chunk in chunks {
        writer.push(Batch::from(chunk));
        writer.write().unwrap();
    }
    assert_eq!(writer.queued(), 0);
    let committables = writer.prepare(Epoch(1)).unwrap();
    if let Some(committer) = &mut committer {
        committer.commit(Epoch(1), &committables).unwrap();
    }
}

/// The report of an error: message, label and help.
pub(crate) fn message<T>(result: SqlResult<T>) -> String {
    match result {
        Ok(_) => "no error".into(),
        Err(error) => {
            let label = error.label.map(|label| format!(" ({label})")).unwrap_or_default();
            let help = error.help.iter().map(|help| format!("\n  help: {help}"));
            format!("{}: {}{label}{}", error.code, error.message, help.collect::<String>())
        }
    }
}
