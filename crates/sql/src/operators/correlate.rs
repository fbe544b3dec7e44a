//! Rows beside what a table function makes of each: `FROM t, UNNEST(t.tags) AS u (tag)`.
//!
//! [`Correlation`] does it for chunks, however the query runs; [`Correlate`] is the streaming
//! operator of it. A row that is taken back is taken apart once more, into rows that are taken back:
//! the function gives the same for the same arguments, so nothing has to be kept.

use std::sync::Arc;

use datafusion::arrow::array::ArrayRef;
use datafusion::arrow::datatypes::{Schema, SchemaRef};
use headwater_core::{Batch, Result};
use headwater_operators::operator::OUT;
use headwater_operators::{Operator, OperatorContext, Port};

use super::chunks::{CHUNK_ROWS, arrow_error, columns, record_batch};
use crate::functions::table::{Expansion, TableFunction};
use crate::rows::{Chunk, Rows};

/// Which function is called with what of a row, and what of the row stands beside its rows.
#[derive(Clone, Debug)]
pub(crate) struct Correlation {
    /// The function.
    pub function: Arc<dyn TableFunction>,
    /// Columns of its arguments.
    pub args: Vec<usize>,
    /// Columns that stand beside its rows.
    pub keep: Vec<usize>,
    /// A row of which it makes none stays, beside NULLs.
    pub outer: bool,
}

impl Correlation {
    /// Starts on a chunk.
    ///
    /// # Errors
    /// As [`TableFunction::expand`].
    pub(crate) fn start(&self, chunk: &Chunk, output: &SchemaRef) -> Result<Correlated> {
        let args: Vec<ArrayRef> = columns(&chunk.data, &self.args);
        let rows = Arc::clone(&self.function).expand(&args, chunk.len(), self.outer)?;
        let schema = chunk.data.schema();
        let fields: Vec<_> = self.keep.iter().map(|c| Arc::clone(&schema.fields()[*c])).collect();
        let kept = columns(&chunk.data, &self.keep);
        let kept = record_batch(&Arc::new(Schema::new(fields)), kept, chunk.len())?;
        Ok(Correlated { beside: chunk.with_data(kept), rows, output: Arc::clone(output) })
    }
}

/// What is still to come of one chunk.
pub(crate) struct Correlated {
    /// The chunk, with the columns that stay.
    beside: Chunk,
    rows: Box<dyn Expansion>,
    output: SchemaRef,
}

impl Correlated {
    /// The next rows; none: that was all.
    ///
    /// # Errors
    /// As [`Expansion::next`].
    pub(crate) fn next(&mut self) -> Result<Option<Chunk>> {
        let Some(piece) = self.rows.next(CHUNK_ROWS)? else { return Ok(None) };
        let beside = self.beside.take(&piece.of).map_err(arrow_error)?;
        let mut columns = beside.data.columns().to_vec();
        columns.extend(piece.columns);
        let data = record_batch(&self.output, columns, beside.len())?;
        Ok(Some(beside.with_data(data)))
    }
}

/// See the module.
///
/// - Time: rows keep their place in time, and the time attributes of the row they are made of;
///   watermarks pass.
/// - State: none.
/// - Errors: those of the function; they stop the job.
pub(crate) struct Correlate {
    correlation: Correlation,
    output: SchemaRef,
}

impl Correlate {
    /// The operator; `output` are the columns kept, then the function's.
    pub(crate) fn new(correlation: Correlation, output: SchemaRef) -> Self {
        Correlate { correlation, output }
    }
}

impl Operator for Correlate {
    fn process(&mut self, _port: Port, batch: Batch, cx: &mut OperatorContext) -> Result<()> {
        let split = batch.split();
        let mut out = Batch::default();
        for chunk in Rows::of(batch) {
            let mut rows = self.correlation.start(&chunk, &self.output)?;
            while let Some(chunk) = rows.next()? {
                Rows::push_to(&mut out, chunk);
                if out.len() >= CHUNK_ROWS {
                    cx.emit_batch(OUT, std::mem::take(&mut out).with_split(split));
                }
            }
        }
        cx.emit_batch(OUT, out.with_split(split));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use datafusion::arrow::array::{AsArray, ListArray, RecordBatch, UInt8Array};
    use datafusion::arrow::datatypes::{DataType, Field, Int32Type, Int64Type};
    use headwater_core::{ProcessingTime, RowKind, SplitTag};

    use super::*;
    use crate::functions::table::Unnest;
    use crate::operators::testing::{drain, int};
    use crate::rows::kind_code;

    fn operator(outer: bool) -> Correlate {
        let function = Arc::new(Unnest { with_ordinality: false });
        let correlation = Correlation { function, args: vec![1], keep: vec![0], outer };
        let x = Field::new("x", DataType::Int32, true);
        Correlate::new(correlation, Arc::new(Schema::new(vec![int("a"), x])))
    }

    fn chunk(rows: Vec<Option<Vec<Option<i32>>>>, kinds: &[RowKind]) -> Chunk {
        let ids = datafusion::arrow::array::Int64Array::from_iter_values(0..rows.len() as i64);
        let lists = ListArray::from_iter_primitive::<Int32Type, _, _>(rows);
        let item = Field::new_list("l", Field::new_list_field(DataType::Int32, true), true);
        let schema = Arc::new(Schema::new(vec![int("a"), item]));
        let data = RecordBatch::try_new(schema, vec![Arc::new(ids), Arc::new(lists)]).unwrap();
        let kinds = kinds.iter().map(|kind| kind_code(*kind)).collect::<Vec<_>>();
        let kinds = (!kinds.is_empty()).then(|| UInt8Array::from(kinds));
        Chunk { data, kinds, read_at: None }
    }

    #[test]
    fn rows_keep_what_they_do_and_their_split() {
        use RowKind::{Delete, Insert, UpdateAfter, UpdateBefore};
        let lists = || {
            vec![
                Some(vec![Some(1), Some(2)]),
                Some(vec![Some(1), Some(2)]),
                Some(vec![Some(3)]),
                None,
            ]
        };
        let kinds = [Insert, UpdateBefore, UpdateAfter, Delete];
        let mut cx = OperatorContext::new(ProcessingTime(0));
        let batch = Batch::from(chunk(lists(), &kinds)).with_split(SplitTag(7));
        operator(false).process(0, batch, &mut cx).unwrap();
        assert_eq!(cx.emitted[0].1.split(), SplitTag(7));
        assert_eq!(drain(&mut cx), ["+I 0 1", "+I 0 2", "-U 1 1", "-U 1 2", "+U 2 3"]);
        operator(true).process(0, chunk(lists(), &kinds).into(), &mut cx).unwrap();
        let outer = ["+I 0 1", "+I 0 2", "-U 1 1", "-U 1 2", "+U 2 3", "-D 3 NULL"];
        assert_eq!(drain(&mut cx), outer);
    }

    #[test]
    fn many_rows_come_in_several_batches() {
        let many = 3 * CHUNK_ROWS + 5;
        let rows = vec![Some((0..many as i32).map(Some).collect())];
        let mut cx = OperatorContext::new(ProcessingTime(0));
        operator(false).process(0, chunk(rows, &[]).into(), &mut cx).unwrap();
        let sizes: Vec<usize> = cx.emitted.iter().map(|(_, batch)| batch.len()).collect();
        assert_eq!(sizes, [CHUNK_ROWS, CHUNK_ROWS, CHUNK_ROWS, 5]);
        let batches = std::mem::take(&mut cx.emitted).into_iter();
        let chunks: Vec<Chunk> = batches.flat_map(|(_, batch)| Rows::of(batch)).collect();
        let last = chunks.last().unwrap();
        assert_eq!(last.data.column(0).as_primitive::<Int64Type>().value(4), 0);
        let x = last.data.column(1).as_primitive::<Int32Type>();
        assert_eq!(x.value(4) as usize, many - 1);
    }
}
