//! Aggregate functions of the plan as those of the operators.

use std::sync::Arc;

use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::ScalarValue;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::aggregate::AggregateExprBuilder;
use datafusion::physical_expr::expressions::{Column, lit};

use crate::error::SqlResult;
use crate::operators::{AggCall, AggFunction};
use crate::planner::step::Aggregate;

/// The calls of the operators for these aggregates.
pub(crate) fn calls(aggs: &[Aggregate], input: &SchemaRef) -> SqlResult<Vec<AggCall>> {
    aggs.iter().map(|agg| call(agg, input)).collect()
}

fn call(agg: &Aggregate, input: &SchemaRef) -> SqlResult<AggCall> {
    let function = match agg.function.name().to_ascii_lowercase().as_str() {
        "count" if agg.args.is_empty() => AggFunction::CountStar,
        "count" => AggFunction::Count,
        "sum" => AggFunction::Sum,
        "avg" | "mean" => AggFunction::Avg,
        "min" => AggFunction::Min,
        "max" => AggFunction::Max,
        "first_value" => AggFunction::FirstValue,
        "last_value" => AggFunction::LastValue,
        "listagg" | "string_agg" => AggFunction::ListAgg(separator(agg)),
        "approx_count_distinct" | "approx_distinct" => AggFunction::ApproxCountDistinct,
        _ => return udaf(agg, input),
    };
    Ok(AggCall {
        function,
        args: agg.args.clone(),
        filter: agg.filter,
        distinct: agg.distinct,
        output: Arc::clone(&agg.field),
    })
}

fn separator(agg: &Aggregate) -> String {
    match agg.literals.first() {
        Some(
            ScalarValue::Utf8(Some(text))
            | ScalarValue::LargeUtf8(Some(text))
            | ScalarValue::Utf8View(Some(text)),
        ) => text.clone(),
        _ => ",".to_owned(),
    }
}

/// A function that DataFusion runs.
fn udaf(agg: &Aggregate, input: &SchemaRef) -> SqlResult<AggCall> {
    let column =
        |c: &usize| Arc::new(Column::new(input.field(*c).name(), *c)) as Arc<dyn PhysicalExpr>;
    let mut args: Vec<Arc<dyn PhysicalExpr>> = agg.args.iter().map(column).collect();
    args.extend(agg.literals.iter().cloned().map(lit));
    let mut builder = AggregateExprBuilder::new(Arc::clone(&agg.function), args)
        .schema(Arc::clone(input))
        .alias(agg.field.name().clone());
    if agg.distinct {
        builder = builder.distinct();
    }
    let function = AggFunction::Udaf(Arc::new(builder.build()?));
    Ok(AggCall {
        function,
        args: agg.args.clone(),
        filter: agg.filter,
        distinct: false,
        output: Arc::clone(&agg.field),
    })
}
