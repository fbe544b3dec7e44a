//! Prints rows for people: `+I[1, apple, 2020-12-30 12:13:14]`, a line each.
//!
//! Lines of different workers do not mix. Nothing that was printed can be unprinted: at least once.

use std::sync::{Arc, Mutex, PoisonError};

use datafusion::arrow::datatypes::{DataType, Schema};
use headwater_connect::{
    AttemptContext, BadRecord, Committer, Guarantee, Measure, TransactionLog, WriteStatus,
    WriterContext,
};
use headwater_core::{BadRecordPolicy, Batch, Epoch, Error, Result};
use headwater_topology::erased::{AnySink, AnyWriter};

use super::options::{OptionKind, OptionSpec, Options};
use super::writing::Queue;
use super::{ChangelogMode, Connector, ConnectorContext, SharedOutput, TableSink};
use crate::error::SqlResult;
use crate::formats::cells::{Cells, Values};
use crate::formats::json::encode::{put, range};
use crate::rows::Chunk;

/// The connector's name.
pub const NAME: &str = "print";

/// The connector.
pub const CONNECTOR: Connector = Connector {
    name: NAME,
    help: "prints rows with what they do, for looking at them",
    reads: false,
    writes: true,
    options: OPTIONS,
    formats: &[],
};

/// Bytes that are gathered before they are printed.
const MAX_BYTES: usize = 64 << 10;

const OPTIONS: &[OptionSpec] = &[
    OptionSpec::new("print-identifier", OptionKind::Text, "is printed in front of every row"),
    OptionSpec::new("standard-error", OptionKind::Boolean, "prints to the standard error output")
        .or("false"),
];

/// The sink of a table.
pub fn sink(options: &Options<'_>, cx: &ConnectorContext) -> SqlResult<TableSink> {
    super::writing::no_metadata(options, NAME)?;
    let out: SharedOutput = match &cx.out {
        Some(out) => Arc::clone(out),
        None if options.is_true("standard-error") => Arc::new(Mutex::new(std::io::stderr())),
        None => Arc::new(Mutex::new(std::io::stdout())),
    };
    let prefix = match options.text("print-identifier") {
        Some(identifier) => format!("{identifier}> "),
        None => String::new(),
    };
    let table = options.table();
    let schema: Schema = table.schema.project(&table.written_columns())?;
    let sink = Arc::new(Print { out, prefix: prefix.into() });
    Ok(TableSink { sink, schema: Arc::new(schema), accepts: ChangelogMode::Retract })
}

struct Print {
    out: SharedOutput,
    prefix: Arc<str>,
}

impl AnySink for Print {
    fn validate(&self) -> Result<()> {
        Ok(())
    }
    fn guarantee(&self) -> Guarantee {
        Guarantee::AtLeastOnce
    }
    fn writer(&self, cx: &WriterContext) -> Result<Box<dyn AnyWriter>> {
        Ok(Box::new(Printer {
            out: Arc::clone(&self.out),
            prefix: Arc::clone(&self.prefix),
            sink: cx.sink.clone(),
            queue: Queue::default(),
            lines: Vec::new(),
        }))
    }
    fn begin_attempt(&self, _cx: &AttemptContext) -> Result<()> {
        Ok(())
    }
    fn committer(&self) -> Result<Option<Box<dyn Committer>>> {
        Ok(None)
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

struct Printer {
    out: SharedOutput,
    prefix: Arc<str>,
    sink: String,
    queue: Queue,
    lines: Vec<u8>,
}

impl Printer {
    fn print(&mut self) -> Result<()> {
        if self.lines.is_empty() {
            return Ok(());
        }
        let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        out.write_all(&self.lines).and_then(|()| out.flush()).map_err(|e| {
            Error::connector(format!("cannot print the rows of sink \"{}\"", self.sink)).because(e)
        })?;
        self.lines.clear();
        Ok(())
    }
}

impl AnyWriter for Printer {
    fn push(&mut self, batch: Batch) {
        self.queue.push(batch);
    }
    fn write(&mut self) -> Result<WriteStatus> {
        for chunk in self.queue.take() {
            let rows = PrintedRows::new(&chunk)
                .map_err(|found| Error::data(format!("cannot print a column of type {found}")))?;
            for row in 0..chunk.len() {
                self.lines.extend_from_slice(self.prefix.as_bytes());
                rows.write(&chunk, row, &mut self.lines);
                self.lines.push(b'\n');
                if self.lines.len() >= MAX_BYTES {
                    self.print()?;
                }
            }
        }
        Ok(WriteStatus::Done)
    }
    fn queued(&self) -> usize {
        self.queue.rows()
    }
    fn flush(&mut self) -> Result<()> {
        self.print()
    }
    fn prepare(&mut self, _epoch: Epoch) -> Result<Vec<Vec<u8>>> {
        self.print()?;
        Ok(Vec::new())
    }
    fn take_refused(&mut self) -> (BadRecordPolicy, Vec<BadRecord>) {
        (BadRecordPolicy::default(), Vec::new())
    }
}

/// The rows of a chunk as they are printed.
pub struct PrintedRows<'a>(Vec<Cells<'a>>);

impl<'a> PrintedRows<'a> {
    /// The rows of a chunk.
    ///
    /// # Errors
    /// The type of a column that has no text.
    pub fn new(chunk: &'a Chunk) -> Result<Self, DataType> {
        Ok(PrintedRows(chunk.data.columns().iter().map(Cells::new).collect::<Result<_, _>>()?))
    }

    /// Writes `+I[1, apple]`.
    pub fn write(&self, chunk: &Chunk, row: usize, out: &mut Vec<u8>) {
        put(out, format_args!("{}[", chunk.kind(row)));
        for (i, cells) in self.0.iter().enumerate() {
            if i > 0 {
                out.extend_from_slice(b", ");
            }
            cell(cells, row, out);
        }
        out.push(b']');
    }
}

/// A value as people read it; none if it is null.
pub(super) fn text_of(cells: &Cells<'_>, row: usize) -> Option<String> {
    if cells.is_null(row) {
        return None;
    }
    if let Values::Text(values) = &cells.values {
        return Some(values.value(row).to_owned());
    }
    let mut out = Vec::new();
    cell(cells, row, &mut out);
    Some(String::from_utf8_lossy(&out).into_owned())
}

/// Writes a value as people read it.
fn cell(cells: &Cells<'_>, row: usize, out: &mut Vec<u8>) {
    if cells.is_null(row) {
        out.extend_from_slice(b"null");
        return;
    }
    match &cells.values {
        // Data must not steer the terminal.
        Values::Text(values) => {
            for character in values.value(row).chars() {
                if character.is_control() {
                    put(out, format_args!("{}", character.escape_default()));
                } else {
                    put(out, format_args!("{character}"));
                }
            }
        }
        Values::Bytes(values) => {
            out.extend_from_slice(b"x'");
            for byte in values.value(row) {
                put(out, format_args!("{byte:02x}"));
            }
            out.push(b'\'');
        }
        Values::List(offsets, items) => {
            out.push(b'[');
            for (i, item) in range(offsets, row).enumerate() {
                separate(i, out);
                cell(items, item, out);
            }
            out.push(b']');
        }
        Values::Map(offsets, keys, values) => {
            out.push(b'{');
            for (i, entry) in range(offsets, row).enumerate() {
                separate(i, out);
                cell(keys, entry, out);
                out.push(b'=');
                cell(values, entry, out);
            }
            out.push(b'}');
        }
        Values::Row(columns) => {
            out.push(b'(');
            for (i, (_, cells)) in columns.iter().enumerate() {
                separate(i, out);
                cell(cells, row, out);
            }
            out.push(b')');
        }
        _ => cells.write_scalar(row, out),
    }
}

fn separate(item: usize, out: &mut Vec<u8>) {
    if item > 0 {
        out.extend_from_slice(b", ");
    }
}
