//! `ROW_NUMBER()` as a BIGINT, in plans and in bounded queries.

use std::ops::Range;
use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, Int64Array};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::function::{PartitionEvaluatorArgs, WindowUDFFieldArgs};
use datafusion::logical_expr::{
    PartitionEvaluator, Signature, Volatility, WindowUDF, WindowUDFImpl,
};

/// Name of the function.
pub(crate) const ROW_NUMBER: &str = "row_number";

/// The number of a row within its partition, from 1; a BIGINT, as it is elsewhere in SQL.
#[derive(Debug, PartialEq, Eq, Hash)]
struct RowNumber {
    signature: Signature,
}

/// The function.
pub(crate) fn row_number() -> WindowUDF {
    WindowUDF::new_from_impl(RowNumber { signature: Signature::nullary(Volatility::Immutable) })
}

impl WindowUDFImpl for RowNumber {
    fn name(&self) -> &str {
        ROW_NUMBER
    }
    fn signature(&self) -> &Signature {
        &self.signature
    }
    fn partition_evaluator(
        &self,
        _args: PartitionEvaluatorArgs<'_>,
    ) -> Result<Box<dyn PartitionEvaluator>> {
        Ok(Box::new(Counter(0)))
    }
    fn field(&self, args: WindowUDFFieldArgs<'_>) -> Result<FieldRef> {
        Ok(Arc::new(Field::new(args.name(), DataType::Int64, false)))
    }
}

#[derive(Debug)]
struct Counter(i64);

impl PartitionEvaluator for Counter {
    fn evaluate_all(&mut self, _values: &[ArrayRef], rows: usize) -> Result<ArrayRef> {
        Ok(Arc::new(Int64Array::from_iter_values(1..=rows as i64)))
    }
    fn evaluate(&mut self, _values: &[ArrayRef], _range: &Range<usize>) -> Result<ScalarValue> {
        self.0 += 1;
        Ok(ScalarValue::Int64(Some(self.0)))
    }
    fn is_causal(&self) -> bool {
        true
    }
    fn supports_bounded_execution(&self) -> bool {
        true
    }
}
