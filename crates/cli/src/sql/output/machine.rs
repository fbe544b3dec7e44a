//! Rows for programs: JSON lines and CSV.

use std::sync::Arc;

use arrow::array::{Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, FieldRef, Schema};
use arrow::error::ArrowError;

use super::cells::texts;

/// One object per row and line; NULL is `null`, times are in ISO 8601.
pub(super) fn json(rows: &RecordBatch) -> Result<String, ArrowError> {
    let mut text = Vec::new();
    let builder = arrow::json::WriterBuilder::new().with_explicit_nulls(true);
    let mut writer = builder.build::<_, arrow::json::writer::LineDelimited>(&mut text);
    writer.write(rows)?;
    writer.finish()?;
    utf8(text)
}

/// Lines of comma-separated values; NULL is empty.
pub(super) fn csv(rows: &RecordBatch, header: bool) -> Result<String, ArrowError> {
    let mut text = Vec::new();
    let builder = arrow::csv::WriterBuilder::new()
        .with_header(header)
        .with_timestamp_format("%Y-%m-%d %H:%M:%S%.f".to_owned())
        .with_timestamp_tz_format("%Y-%m-%d %H:%M:%S%.fZ".to_owned());
    builder.build(&mut text).write(&flat(rows)?)?;
    utf8(text)
}

/// The rows with texts for what has no place in a field of CSV: arrays, maps and rows.
fn flat(rows: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    let mut fields: Vec<FieldRef> = rows.schema().fields().iter().cloned().collect();
    let mut columns = rows.columns().to_vec();
    for (field, column) in fields.iter_mut().zip(&mut columns) {
        if !column.data_type().is_nested() {
            continue;
        }
        let texts = texts(column)?.into_iter().enumerate();
        let texts = texts.map(|(row, text)| column.is_valid(row).then_some(text));
        *column = Arc::new(texts.collect::<StringArray>());
        *field = Arc::new(Field::new(field.name(), DataType::Utf8, true));
    }
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)
}

fn utf8(text: Vec<u8>) -> Result<String, ArrowError> {
    String::from_utf8(text).map_err(|e| ArrowError::ExternalError(Box::new(e)))
}
