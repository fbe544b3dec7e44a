//! Applying changes: the rows that are there at the end of a changelog.

use std::collections::HashMap;

use datafusion::arrow::array::{RecordBatch, UInt32Array};
use datafusion::arrow::compute::take_record_batch;
use datafusion::arrow::row::{OwnedRow, RowConverter, SortField};
use headwater_core::{Error, Result};

use crate::rows::Chunk;

/// The rows that are there after all changes, in the order in which they came.
///
/// A row that is taken back must have been given: the changelog says all of it.
///
/// # Errors
/// When a row is taken back that is not there.
pub fn fold(chunks: &[Chunk]) -> Result<Vec<RecordBatch>> {
    let wrong = |e| Error::internal("rows cannot be compared").because(e);
    let Some(first) = chunks.first() else { return Ok(Vec::new()) };
    let fields = first.data.schema();
    let fields = fields.fields().iter().map(|f| SortField::new(f.data_type().clone()));
    let converter = RowConverter::new(fields.collect()).map_err(wrong)?;
    // Where each row is that is there now: chunk and index.
    let mut there: HashMap<OwnedRow, Vec<(usize, u32)>> = HashMap::new();
    for (at, chunk) in chunks.iter().enumerate() {
        let rows = converter.convert_columns(chunk.data.columns()).map_err(wrong)?;
        for row in 0..chunk.len() {
            let places = there.entry(rows.row(row).owned()).or_default();
            if chunk.kind(row).adds() {
                places.push((at, row as u32));
            } else if places.pop().is_none() {
                let text = format!("{:?}", chunk.data.slice(row, 1).columns());
                return Err(Error::internal(format!(
                    "a row is taken back that is not there: {text}"
                )));
            }
        }
    }
    let mut places: Vec<(usize, u32)> = there.into_values().flatten().collect();
    places.sort_unstable();
    let mut batches = Vec::new();
    for (at, chunk) in chunks.iter().enumerate() {
        let rows: Vec<u32> =
            places.iter().filter(|(of, _)| *of == at).map(|(_, row)| *row).collect();
        if !rows.is_empty() {
            let rows = UInt32Array::from(rows);
            batches.push(take_record_batch(&chunk.data, &rows).map_err(wrong)?);
        }
    }
    Ok(batches)
}
