//! Filter and projection: rows in, fewer rows and other columns out. No state.

mod case;
mod shared;
mod total;

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, AsArray, TimestampMillisecondArray};
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::Column;
use headwater_core::{Batch, Error, EventTime, Result};
use headwater_operators::operator::OUT;
use headwater_operators::{Operator, OperatorContext, Port};

use self::shared::{Arranged, Columns};
use super::chunks::{arrow_error, datafusion_error, record_batch};
use crate::functions::{Moment, at_moment};
use crate::rows::{Chunk, Rows};
use crate::stack::{nests_deep, with_room};

type PhysExpr = Arc<dyn PhysicalExpr>;

/// `SELECT expressions … WHERE condition` for each row.
///
/// - Time: rows keep their place in time; watermarks pass.
/// - State: none.
/// - Errors: of kind `Data`, an expression fails for a row; that stops the job, as in Flink.
pub struct Calc {
    filter: Option<PhysExpr>,
    project: Option<Vec<PhysExpr>>,
    output: SchemaRef,
    /// The input with the time of processing as its last column.
    with_now: Option<SchemaRef>,
    /// How it is done, from the first rows on.
    arranged: Option<Arranged>,
    /// Whether an expression nests so deep that a worker's stack may not do.
    deep: bool,
}

impl Calc {
    /// Keeps the rows for which `filter` is true and computes `project` of them (none: all
    /// columns).
    pub fn new(
        filter: Option<PhysExpr>,
        project: Option<Vec<PhysExpr>>,
        output: SchemaRef,
    ) -> Self {
        let deep = nests_deep(filter.iter().chain(project.iter().flatten()));
        Calc { filter, project, output, with_now: None, arranged: None, deep }
    }

    /// Gives the expressions the processing time: `schema` is that of the input with one more
    /// column at the end, a `TIMESTAMP_LTZ(3)`, which is when the batch is processed. Expressions
    /// name it where the query says `PROCTIME()`.
    pub fn with_processing_time(mut self, schema: SchemaRef) -> Self {
        self.with_now = Some(schema);
        self
    }

    fn arrange(&self, input: &SchemaRef) -> Result<Arranged> {
        let all: Vec<PhysExpr>;
        let project = match &self.project {
            Some(project) => project,
            None => {
                let column = |i: usize| Arc::new(Column::new(input.field(i).name(), i)) as PhysExpr;
                all = (0..self.output.fields().len()).map(column).collect();
                &all
            }
        };
        Arranged::new(self.filter.as_ref(), project, input).map_err(datafusion_error)
    }

    fn evaluate(&mut self, mut chunk: Chunk, cx: &OperatorContext) -> Result<Option<Chunk>> {
        if let Some(schema) = &self.with_now {
            let now = TimestampMillisecondArray::from_value(cx.now().0, chunk.len());
            let mut columns = chunk.data.columns().to_vec();
            columns.push(Arc::new(now.with_timezone("UTC")));
            chunk = chunk.with_data(record_batch(schema, columns, chunk.len())?);
        }
        if self.arranged.is_none() {
            self.arranged = Some(self.arrange(chunk.data.schema_ref())?);
        }
        let Some(arranged) = &self.arranged else { return Ok(None) };
        chunk = extended(chunk, &arranged.shared)?;
        if let (Some(filter), Some(kept)) = (&arranged.filter, &arranged.kept) {
            let keep = filter.evaluate(&chunk.data).map_err(datafusion_error)?;
            let keep = keep.into_array(chunk.len()).map_err(datafusion_error)?;
            let Some(keep) = keep.as_boolean_opt() else {
                return Err(Error::internal(format!("filter {filter} is not boolean")));
            };
            let columns = values(&kept.exprs, &chunk)?;
            chunk = chunk.with_data(record_batch(&kept.schema, columns, chunk.len())?);
            match keep.true_count() {
                0 => return Ok(None),
                all if all == chunk.len() => {}
                _ => chunk = chunk.filter(keep).map_err(arrow_error)?,
            }
        }
        chunk = extended(chunk, &arranged.later)?;
        let columns = values(&arranged.project, &chunk)?;
        let data = record_batch(&self.output, columns, chunk.len())?;
        Ok(Some(chunk.with_data(data)))
    }
}

/// The chunk with more columns.
fn extended(chunk: Chunk, more: &Columns) -> Result<Chunk> {
    if more.exprs.is_empty() {
        return Ok(chunk);
    }
    let mut columns = chunk.data.columns().to_vec();
    columns.extend(values(&more.exprs, &chunk)?);
    Ok(chunk.with_data(record_batch(&more.schema, columns, chunk.len())?))
}

fn values(exprs: &[PhysExpr], chunk: &Chunk) -> Result<Vec<ArrayRef>> {
    let value = |expr: &PhysExpr| expr.evaluate(&chunk.data)?.into_array(chunk.len());
    exprs.iter().map(value).collect::<Result<_, _>>().map_err(datafusion_error)
}

impl Operator for Calc {
    fn process(&mut self, _port: Port, batch: Batch, cx: &mut OperatorContext) -> Result<()> {
        let split = batch.split();
        let rows_in = batch.len() as u64;
        let mut out = Batch::default();
        let watermark = cx.watermark();
        let moment = Moment {
            now_ms: cx.now().0,
            watermark_ms: (watermark != EventTime::MIN).then_some(watermark.0),
        };
        let deep = self.deep;
        let evaluate = || -> Result<()> {
            for chunk in Rows::of(batch) {
                if let Some(chunk) = self.evaluate(chunk, cx)? {
                    Rows::push_to(&mut out, chunk);
                }
            }
            Ok(())
        };
        at_moment(moment, || if deep { with_room(evaluate) } else { evaluate() })?;
        cx.counts.filtered += rows_in - out.len() as u64;
        cx.emit_batch(OUT, out.with_split(split));
        Ok(())
    }
}

#[cfg(test)]
mod tests;
