//! How rows are shown: as a table, one line per column, JSON lines or CSV.
//!
//! A query gives its rows in pieces. [`Printer`] writes one piece after the other, and what all
//! share (a header) once. Where rows change rows that were printed before, each has a column `op`
//! in front: `+I`, `-U`, `+U` or `-D`.
//!
//! Invariant: what goes to a terminal as a table has no control characters but line ends, whatever
//! the data is.

use std::str::FromStr;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use headwater_sql::rows::Chunk;

mod cells;
mod growing;
mod machine;
mod table;
mod vertical;
mod width;

pub(super) use cells::Cells;
pub(super) use table::{box_table, frame_table};

/// How rows are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Mode {
    /// A table; of a live query on a terminal, updated in place
    Table,
    /// One line per column
    Vertical,
    /// One JSON object per row and line
    #[value(alias = "jsonl")]
    Json,
    /// Comma-separated values under a header
    Csv,
    /// A table to which each change is added
    Changelog,
}

impl FromStr for Mode {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        clap::ValueEnum::from_str(text, true).map_err(|_| {
            format!("there is no mode {text:?}: table, vertical, json, csv, changelog")
        })
    }
}

impl std::fmt::Display for Mode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Mode::Table => "table",
            Mode::Vertical => "vertical",
            Mode::Json => "json",
            Mode::Csv => "csv",
            Mode::Changelog => "changelog",
        })
    }
}

/// Writes the rows of one query, piece by piece.
pub(super) struct Printer {
    form: Form,
    /// Rows so far.
    rows: u64,
}

enum Form {
    Whole,
    Growing(growing::Growing),
    Vertical,
    Json,
    Csv { header: bool },
}

impl Printer {
    /// For a result that is there as a whole: `mode` table draws one box around all rows.
    pub(super) fn whole(mode: Mode) -> Printer {
        match mode {
            Mode::Table => Printer { form: Form::Whole, rows: 0 },
            other => Printer::growing(other),
        }
    }

    /// For a result that comes bit by bit.
    pub(super) fn growing(mode: Mode) -> Printer {
        let form = match mode {
            Mode::Table | Mode::Changelog => Form::Growing(growing::Growing::default()),
            Mode::Vertical => Form::Vertical,
            Mode::Json => Form::Json,
            Mode::Csv => Form::Csv { header: false },
        };
        Printer { form, rows: 0 }
    }

    /// The text of some rows.
    ///
    /// # Errors
    /// When a value has no text.
    pub(super) fn print(&mut self, rows: &RecordBatch) -> Result<String, ArrowError> {
        let before = self.rows;
        self.rows += rows.num_rows() as u64;
        match &mut self.form {
            Form::Whole => box_table(&Cells::of(rows)?, None),
            Form::Growing(growing) => Ok(growing.print(&Cells::of(rows)?)),
            Form::Vertical => Ok(vertical::print(&Cells::of(rows)?, before)),
            Form::Json => machine::json(rows),
            Form::Csv { header } => machine::csv(rows, !std::mem::replace(header, true)),
        }
    }
}

/// The rows of a chunk, with what each does in a column in front.
///
/// # Errors
/// When the kinds are not as many as the rows.
pub(super) fn with_ops(chunk: &Chunk) -> Result<RecordBatch, ArrowError> {
    let ops: StringArray = (0..chunk.len()).map(|row| Some(chunk.kind(row).to_string())).collect();
    let schema = ops_schema(&chunk.data.schema());
    let mut columns: Vec<ArrayRef> = vec![Arc::new(ops)];
    columns.extend(chunk.data.columns().iter().cloned());
    RecordBatch::try_new(schema, columns)
}

/// A query's columns with `op` in front; `_op` where the query has an `op` of its own.
fn ops_schema(schema: &Schema) -> SchemaRef {
    let taken = schema.fields().iter().any(|field| field.name() == "op");
    let name = if taken { "_op" } else { "op" };
    let op = Arc::new(Field::new(name, DataType::Utf8, false));
    Arc::new(Schema::new(
        std::iter::once(op).chain(schema.fields().iter().cloned()).collect::<Vec<_>>(),
    ))
}

#[cfg(test)]
mod tests;
