//! Aggregates of numbers that answer as the streaming operators do. Sums do not wrap: they are
//! added up in a wider type, and a result that does not fit its own is an error. Floating-point
//! numbers are compared by [`floats`](super::floats).

use std::sync::Arc;

use datafusion::arrow::datatypes::DataType;
use datafusion::common::tree_node::Transformed;
use datafusion::common::{Column, DFSchema, Result};
use datafusion::logical_expr::{
    Aggregate, Expr, ExprSchemable, LogicalPlan, LogicalPlanBuilder, Window,
    WindowFunctionDefinition, cast,
};

use super::floats;

/// What a result becomes again.
enum Back {
    Narrow,
    Number,
}

/// The node with aggregates of numbers done in other types.
pub(super) fn widen(aggregate: Aggregate) -> Result<Transformed<LogicalPlan>> {
    let schema = Arc::clone(aggregate.input.schema());
    let (wide, backs) = all_wider(&aggregate.aggr_expr, &schema);
    if backs.iter().all(Option::is_none) {
        return Ok(Transformed::no(LogicalPlan::Aggregate(aggregate)));
    }
    let types = types_of(&aggregate.schema);
    let outputs = aggregate.schema.columns();
    let plan = Aggregate::try_new(aggregate.input, aggregate.group_expr, wide)?;
    narrow(LogicalPlan::Aggregate(plan), outputs, &types, &backs).map(Transformed::yes)
}

/// The same for OVER.
pub(super) fn widen_over(window: Window) -> Result<Transformed<LogicalPlan>> {
    let schema = Arc::clone(window.input.schema());
    let (wide, backs) = all_wider(&window.window_expr, &schema);
    if backs.iter().all(Option::is_none) {
        return Ok(Transformed::no(LogicalPlan::Window(window)));
    }
    let types = types_of(&window.schema);
    let outputs = window.schema.columns();
    let plan = Window::try_new(wide, window.input)?;
    narrow(LogicalPlan::Window(plan), outputs, &types, &backs).map(Transformed::yes)
}

fn types_of(schema: &DFSchema) -> Vec<DataType> {
    schema.fields().iter().map(|f| f.data_type().clone()).collect()
}

fn all_wider(exprs: &[Expr], schema: &DFSchema) -> (Vec<Expr>, Vec<Option<Back>>) {
    exprs.iter().map(|expr| wider(expr.clone(), schema)).unzip()
}

/// A plan whose last columns are aggregates, with names and types as they were.
fn narrow(
    plan: LogicalPlan,
    outputs: Vec<Column>,
    types: &[DataType],
    backs: &[Option<Back>],
) -> Result<LogicalPlan> {
    let first = outputs.len() - backs.len();
    let columns = plan.schema().columns().into_iter().zip(outputs).enumerate();
    let columns: Vec<Expr> = columns
        .map(|(at, (column, output))| {
            let value = Expr::Column(column);
            let back = at.checked_sub(first).and_then(|at| backs[at].as_ref());
            let value = match back {
                None => return value,
                Some(Back::Narrow) => cast(value, types[at].clone()),
                Some(Back::Number) => floats::at_place(value, types[at].clone()),
            };
            value.alias_qualified(output.relation, output.name)
        })
        .collect();
    LogicalPlanBuilder::from(plan).project(columns)?.build()
}

fn wider(expr: Expr, schema: &DFSchema) -> (Expr, Option<Back>) {
    match expr {
        Expr::Alias(mut alias) => {
            let (wide, back) = wider(*alias.expr, schema);
            alias.expr = Box::new(wide);
            (Expr::Alias(alias), back)
        }
        Expr::AggregateFunction(mut call) => {
            let params = &mut call.params;
            let back = widen_call(call.func.name(), params.distinct, &mut params.args, schema);
            (Expr::AggregateFunction(call), back)
        }
        Expr::WindowFunction(mut call) => {
            let params = &mut call.params;
            let back = match &call.fun {
                WindowFunctionDefinition::AggregateUDF(function) => {
                    widen_call(function.name(), params.distinct, &mut params.args, schema)
                }
                WindowFunctionDefinition::WindowUDF(_) => None,
            };
            (Expr::WindowFunction(call), back)
        }
        other => (other, None),
    }
}

/// Gives a call another argument, if its result would be another than the streaming operators'.
fn widen_call(name: &str, distinct: bool, args: &mut Vec<Expr>, schema: &DFSchema) -> Option<Back> {
    let [arg] = args.as_slice() else { return None };
    let data_type = arg.get_type(schema).ok()?;
    let (arg, back) = match (name, data_type) {
        ("sum", data_type) => {
            let wide = wide(&data_type)?;
            (cast(arg.clone(), wide), Back::Narrow)
        }
        ("min" | "max", DataType::Float32 | DataType::Float64) => {
            (floats::place(arg.clone(), false), Back::Number)
        }
        ("count", DataType::Float32 | DataType::Float64) if distinct => {
            (floats::place(arg.clone(), true), Back::Narrow)
        }
        _ => return None,
    };
    *args = vec![arg];
    Some(back)
}

/// A type wide enough for the sum of as many rows as there can be; none: its own is.
fn wide(data_type: &DataType) -> Option<DataType> {
    match data_type {
        _ if data_type.is_integer() => Some(DataType::Decimal128(38, 0)),
        // A sum has ten more digits than its argument, up to 38.
        DataType::Decimal128(precision, scale) if *precision > 28 => {
            Some(DataType::Decimal256(76, *scale))
        }
        _ => None,
    }
}
