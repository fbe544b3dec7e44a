//! CASE over columns at hand: each row picks one of them.
//!
//! DataFusion evaluates a branch for the rows that take it only, for which it copies them. Where
//! conditions and results are there already, picking is all that is left to do.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, RecordBatch, new_null_array};
use datafusion::arrow::compute::interleave;
use datafusion::arrow::datatypes::{FieldRef, Schema};
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::common::{Result, internal_err};
use datafusion::logical_expr::ColumnarValue;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::CaseExpr;

use super::PhysExpr;
use super::total::is_light;

/// `CASE WHEN condition THEN result … END` whose parts cannot fail and cost nothing.
#[derive(Debug)]
pub(super) struct EagerCase {
    /// As DataFusion has it.
    case: PhysExpr,
    conditions: Vec<PhysExpr>,
    /// One more than conditions if there is an ELSE.
    results: Vec<PhysExpr>,
}

/// The expression with each CASE evaluated the quick way where that is possible.
pub(super) fn eager(expr: PhysExpr) -> Result<PhysExpr> {
    let replace = |expr: PhysExpr| {
        Ok(match EagerCase::of(&expr) {
            Some(case) => Transformed::yes(Arc::new(case) as PhysExpr),
            None => Transformed::no(expr),
        })
    };
    expr.transform_up(replace).data()
}

impl EagerCase {
    fn of(expr: &PhysExpr) -> Option<EagerCase> {
        let case = expr.downcast_ref::<CaseExpr>()?;
        if case.expr().is_some() || !expr.children().into_iter().all(is_light) {
            return None;
        }
        let (conditions, mut results): (Vec<_>, Vec<_>) =
            case.when_then_expr().iter().cloned().unzip();
        results.extend(case.else_expr().cloned());
        Some(EagerCase { case: Arc::clone(expr), conditions, results })
    }

    /// The result that each row takes; as many as there are results stands for none.
    fn choices(&self, batch: &RecordBatch) -> Result<Vec<usize>> {
        // Without an ELSE this is the place behind the last result.
        let mut choices = vec![self.conditions.len(); batch.num_rows()];
        for (number, condition) in self.conditions.iter().enumerate().rev() {
            let holds = condition.evaluate(batch)?.into_array(batch.num_rows())?;
            let Some(holds) = holds.as_boolean_opt() else {
                return internal_err!("condition {condition} is of type {}", holds.data_type());
            };
            let holds = match holds.nulls() {
                Some(nulls) => holds.values() & nulls.inner(),
                None => holds.values().clone(),
            };
            holds.set_indices().for_each(|row| choices[row] = number);
        }
        Ok(choices)
    }
}

impl PhysicalExpr for EagerCase {
    fn return_field(&self, schema: &Schema) -> Result<FieldRef> {
        self.case.return_field(schema)
    }

    fn evaluate(&self, batch: &RecordBatch) -> Result<ColumnarValue> {
        let choices = self.choices(batch)?;
        let first = choices.first().copied().unwrap_or(self.conditions.len());
        if let Some(result) = self.results.get(first)
            && choices.iter().all(|choice| *choice == first)
        {
            return result.evaluate(batch);
        }
        let mut columns: Vec<ArrayRef> = Vec::with_capacity(self.results.len() + 1);
        let mut is_constant = Vec::with_capacity(self.results.len() + 1);
        for result in &self.results {
            let value = result.evaluate(batch)?;
            is_constant.push(matches!(value, ColumnarValue::Scalar(_)));
            columns.push(match value {
                ColumnarValue::Array(array) => array,
                ColumnarValue::Scalar(scalar) => scalar.to_array()?,
            });
        }
        if self.results.len() == self.conditions.len() {
            let data_type = self.case.data_type(batch.schema_ref())?;
            columns.push(new_null_array(&data_type, 1));
            is_constant.push(true);
        }
        let place = |(row, choice): (usize, usize)| {
            if is_constant[choice] { (choice, 0) } else { (choice, row) }
        };
        let places: Vec<(usize, usize)> = choices.into_iter().enumerate().map(place).collect();
        let columns: Vec<&dyn Array> = columns.iter().map(|column| column.as_ref()).collect();
        Ok(ColumnarValue::Array(interleave(&columns, &places)?))
    }

    fn children(&self) -> Vec<&PhysExpr> {
        self.case.children()
    }

    fn with_new_children(self: Arc<Self>, children: Vec<PhysExpr>) -> Result<PhysExpr> {
        let case = Arc::clone(&self.case).with_new_children(children)?;
        Ok(EagerCase::of(&case).map_or(case, |eager| Arc::new(eager)))
    }

    fn fmt_sql(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.case.fmt_sql(f)
    }
}

impl fmt::Display for EagerCase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.case.fmt(f)
    }
}

impl PartialEq for EagerCase {
    fn eq(&self, other: &Self) -> bool {
        self.case.eq(&other.case)
    }
}

impl Eq for EagerCase {}

impl Hash for EagerCase {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.case.hash(state);
    }
}
