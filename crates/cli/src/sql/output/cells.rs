//! The texts of rows, as people read them.

use arrow::array::{Array, ArrayRef, RecordBatch};
use arrow::datatypes::DataType;
use arrow::error::ArrowError;
use arrow::util::display::{ArrayFormatter, FormatOptions};

const TIMESTAMP: &str = "%Y-%m-%d %H:%M:%S%.f";
const TIMESTAMP_LTZ: &str = "%Y-%m-%d %H:%M:%S%.fZ";

/// How values become texts: SQL's way, not ISO 8601's.
fn options() -> FormatOptions<'static> {
    FormatOptions::new()
        .with_null("NULL")
        .with_timestamp_format(Some(TIMESTAMP))
        .with_timestamp_tz_format(Some(TIMESTAMP_LTZ))
}

/// Rows as texts.
pub(crate) struct Cells {
    /// The names of the columns.
    pub(crate) names: Vec<String>,
    /// Whether a column's values are read from the right: numbers.
    pub(crate) numbers: Vec<bool>,
    /// A text per row and column.
    pub(crate) rows: Vec<Vec<String>>,
}

impl Cells {
    /// The texts of all values.
    ///
    /// # Errors
    /// When a value has no text.
    pub(crate) fn of(batch: &RecordBatch) -> Result<Cells, ArrowError> {
        let schema = batch.schema();
        let mut rows = vec![Vec::with_capacity(batch.num_columns()); batch.num_rows()];
        for column in batch.columns() {
            for (cells, text) in rows.iter_mut().zip(texts(column)?) {
                cells.push(printable(&text));
            }
        }
        Ok(Cells {
            names: schema.fields().iter().map(|f| printable(f.name())).collect(),
            numbers: schema.fields().iter().map(|f| is_number(f.data_type())).collect(),
            rows,
        })
    }
}

/// The texts of the values of a column.
pub(super) fn texts(column: &ArrayRef) -> Result<Vec<String>, ArrowError> {
    let options = options();
    let texts = ArrayFormatter::try_new(column.as_ref(), &options)?;
    (0..column.len()).map(|row| texts.value(row).try_to_string()).collect()
}

fn is_number(data_type: &DataType) -> bool {
    data_type.is_numeric()
}

/// The text with control characters escaped: data must not steer the terminal.
fn printable(text: &str) -> String {
    if !text.contains(char::is_control) {
        return text.to_owned();
    }
    let mut printable = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() {
            printable.extend(character.escape_default());
        } else {
            printable.push(character);
        }
    }
    printable
}
