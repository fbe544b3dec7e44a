//! Filter and projection: rows in, fewer rows and other columns out. No state.

use std::sync::Arc;

use datafusion::arrow::array::{AsArray, TimestampMillisecondArray};
use datafusion::arrow::compute::filter_record_batch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::physical_expr::PhysicalExpr;
use headwater_core::{Batch, Error, EventTime, Result};
use headwater_operators::operator::OUT;
use headwater_operators::{Operator, OperatorContext, Port};

use super::chunks::{arrow_error, datafusion_error, record_batch};
use crate::functions::{Moment, at_moment};
use crate::rows::{Chunk, Rows};

/// `SELECT expressions … WHERE condition` for each row.
///
/// - Time: rows keep their place in time; watermarks pass.
/// - State: none.
/// - Errors: of kind `Data`, an expression fails for a row; that stops the job, as in Flink.
pub struct Calc {
    filter: Option<Arc<dyn PhysicalExpr>>,
    project: Option<Vec<Arc<dyn PhysicalExpr>>>,
    output: SchemaRef,
    /// The input with the time of processing as its last column.
    with_now: Option<SchemaRef>,
}

impl Calc {
    /// Keeps the rows for which `filter` is true and computes `project` of them (none: all
    /// columns).
    pub fn new(
        filter: Option<Arc<dyn PhysicalExpr>>,
        project: Option<Vec<Arc<dyn PhysicalExpr>>>,
        output: SchemaRef,
    ) -> Self {
        Calc { filter, project, output, with_now: None }
    }

    /// Gives the expressions the processing time: `schema` is that of the input with one more
    /// column at the end, a `TIMESTAMP_LTZ(3)`, which is when the batch is processed. Expressions
    /// name it where the query says `PROCTIME()`.
    pub fn with_processing_time(mut self, schema: SchemaRef) -> Self {
        self.with_now = Some(schema);
        self
    }

    fn evaluate(&self, chunk: Chunk, cx: &OperatorContext) -> Result<Option<Chunk>> {
        let mut chunk = chunk;
        let plain = chunk.data.schema();
        if let Some(schema) = &self.with_now {
            let now = TimestampMillisecondArray::from_value(cx.now().0, chunk.len());
            let mut columns = chunk.data.columns().to_vec();
            columns.push(Arc::new(now.with_timezone("UTC")));
            chunk = chunk.with_data(record_batch(schema, columns, chunk.len())?);
        }
        if let Some(filter) = &self.filter {
            let keep = filter.evaluate(&chunk.data).map_err(datafusion_error)?;
            let keep = keep.into_array(chunk.len()).map_err(datafusion_error)?;
            let Some(keep) = keep.as_boolean_opt() else {
                return Err(Error::internal(format!("filter {filter} is not boolean")));
            };
            match keep.true_count() {
                0 => return Ok(None),
                all if all == chunk.len() => {}
                _ if chunk.kinds.is_none() && chunk.read_at.is_none() => {
                    chunk = Chunk::inserts(
                        filter_record_batch(&chunk.data, keep).map_err(arrow_error)?,
                    );
                }
                _ => chunk = chunk.filter(keep).map_err(arrow_error)?,
            }
        }
        let Some(project) = &self.project else {
            if self.with_now.is_some() {
                let columns = chunk.data.columns()[..plain.fields().len()].to_vec();
                let data = record_batch(&self.output, columns, chunk.len())?;
                return Ok(Some(chunk.with_data(data)));
            }
            return Ok(Some(chunk));
        };
        let mut columns = Vec::with_capacity(project.len());
        for expr in project {
            let value = expr.evaluate(&chunk.data).map_err(datafusion_error)?;
            columns.push(value.into_array(chunk.len()).map_err(datafusion_error)?);
        }
        let data = record_batch(&self.output, columns, chunk.len())?;
        Ok(Some(chunk.with_data(data)))
    }
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
        at_moment(moment, || -> Result<()> {
            for chunk in Rows::of(batch) {
                if let Some(chunk) = self.evaluate(chunk, cx)? {
                    Rows::push_to(&mut out, chunk);
                }
            }
            Ok(())
        })?;
        cx.counts.filtered += rows_in - out.len() as u64;
        cx.emit_batch(OUT, out.with_split(split));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use datafusion::arrow::datatypes::{DataType, Field, Schema, TimeUnit};
    use datafusion::logical_expr::Operator as Op;
    use datafusion::physical_expr::expressions::{binary, col, lit};
    use headwater_core::{ProcessingTime, SplitTag};

    use super::*;
    use crate::operators::testing::{chunk, drain, int, schema};

    #[test]
    fn filters_projects_and_keeps_kinds_and_splits() {
        let input = schema(&[int("a"), int("b")]);
        let positive = binary(col("a", &input).unwrap(), Op::Gt, lit(0i64), &input).unwrap();
        let sum =
            binary(col("a", &input).unwrap(), Op::Plus, col("b", &input).unwrap(), &input).unwrap();
        let output = schema(&[int("sum")]);
        let mut calc = Calc::new(Some(positive), Some(vec![sum]), output);
        let mut cx = OperatorContext::new(ProcessingTime(0));
        let batch = Batch::from(chunk(&input, "+I 1 2 | -U -1 5 | +U NULL 3 | -D 7 NULL"));
        calc.process(0, batch.with_split(SplitTag(3)), &mut cx).unwrap();
        assert_eq!((cx.emitted[0].1.split(), cx.counts.filtered), (SplitTag(3), 2));
        assert_eq!(drain(&mut cx), ["+I 3", "-D NULL"]);
    }

    #[test]
    fn processing_time_is_a_column_and_errors_name_what_failed() {
        let input = schema(&[int("a")]);
        let ltz = DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into()));
        let fields = [input.field(0).clone(), Field::new("now", ltz.clone(), false)];
        let with_now: SchemaRef = Arc::new(Schema::new(fields.to_vec()));
        let output: SchemaRef = Arc::new(Schema::new(vec![Field::new("p", ltz, false)]));
        let project = vec![col("now", &with_now).unwrap()];
        let mut calc = Calc::new(None, Some(project), output).with_processing_time(with_now);
        let mut cx = OperatorContext::new(ProcessingTime(0));
        cx.enter(ProcessingTime(1_500), EventTime::MIN, SplitTag::NONE);
        calc.process(0, chunk(&input, "+I 1").into(), &mut cx).unwrap();
        assert_eq!(drain(&mut cx), ["+I 1970-01-01T00:00:01.500Z"]);

        let zero = binary(lit(1i64), Op::Divide, col("a", &input).unwrap(), &input).unwrap();
        let mut calc = Calc::new(None, Some(vec![zero]), schema(&[int("q")]));
        let e = calc.process(0, chunk(&input, "+I 0").into(), &mut cx).unwrap_err();
        assert_eq!(e.to_string(), "division by zero");
    }
}
