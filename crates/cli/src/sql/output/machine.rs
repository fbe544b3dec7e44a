//! Rows for programs: JSON lines and CSV.

use arrow::array::RecordBatch;
use arrow::error::ArrowError;

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
    builder.build(&mut text).write(rows)?;
    utf8(text)
}

fn utf8(text: Vec<u8>) -> Result<String, ArrowError> {
    String::from_utf8(text).map_err(|e| ArrowError::ExternalError(Box::new(e)))
}
