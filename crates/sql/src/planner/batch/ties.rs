//! Rows that rank alike keep the order of their arrival, as in the streaming operators.

use std::sync::Arc;

use datafusion::common::tree_node::Transformed;
use datafusion::common::{Column, Result};
use datafusion::logical_expr::expr::{Sort, WindowFunction, WindowFunctionParams};
use datafusion::logical_expr::{
    Expr, Filter, LogicalPlan, LogicalPlanBuilder, Window, WindowFrame, WindowFunctionDefinition,
};

use crate::planner::nodes::WatermarkNode;
use crate::planner::ranking::{ROW_NUMBER, row_number};
use crate::planner::translate::recognize;

/// Name of the column that numbers rows by their arrival.
const ARRIVAL: &str = "__arrival";

/// Keeps of rows of one time the one that came last where the last row by time is kept.
pub(super) fn keep_last(plan: LogicalPlan) -> Result<LogicalPlan> {
    let kept = plan.transform_down_with_subqueries(|plan| {
        let LogicalPlan::Filter(filter) = &plan else { return Ok(Transformed::no(plan)) };
        let Ok(Some(ranked)) = recognize(filter) else { return Ok(Transformed::no(plan)) };
        let [by] = ranked.call.params.order_by.as_slice() else {
            return Ok(Transformed::no(plan));
        };
        let last_by_time = ranked.first == 1
            && ranked.last == 1
            && !by.asc
            && !has_arrival(ranked.node)
            && is_rowtime(&ranked.node.input, &by.expr);
        if !last_by_time {
            return Ok(Transformed::no(plan));
        }
        let settled = ordered(ranked.node.clone(), false)?;
        let input = replaced(&filter.input, &settled)?;
        let filter = Filter::new(filter.predicate.clone(), Arc::new(input));
        Ok(Transformed::yes(LogicalPlan::Filter(filter)))
    })?;
    Ok(kept.data)
}

/// A plan with the window node below it replaced.
fn replaced(plan: &LogicalPlan, with: &LogicalPlan) -> Result<LogicalPlan> {
    if matches!(plan, LogicalPlan::Window(_)) {
        return Ok(with.clone());
    }
    let inputs = plan.inputs().into_iter().map(|i| replaced(i, with)).collect::<Result<_>>()?;
    plan.with_new_exprs(plan.expressions(), inputs)
}

/// Whether an expression is the rowtime attribute of a table, handed on.
fn is_rowtime(plan: &LogicalPlan, expr: &Expr) -> bool {
    let column = match expr {
        Expr::Column(column) => column,
        Expr::Alias(alias) => return is_rowtime(plan, &alias.expr),
        _ => return false,
    };
    let Ok(index) = plan.schema().index_of_column(column) else { return false };
    match plan {
        LogicalPlan::SubqueryAlias(alias) => {
            let below = alias.input.schema().columns();
            below.get(index).is_some_and(|c| is_rowtime(&alias.input, &Expr::Column(c.clone())))
        }
        LogicalPlan::Projection(projection) => {
            projection.expr.get(index).is_some_and(|e| is_rowtime(&projection.input, e))
        }
        LogicalPlan::Filter(filter) => is_rowtime(&filter.input, expr),
        LogicalPlan::Extension(extension) => {
            let node = extension.node.as_any().downcast_ref::<WatermarkNode>();
            node.is_some_and(|node| match &node.rowtime {
                Expr::Column(rowtime) => {
                    node.input.schema().index_of_column(rowtime).ok() == Some(index)
                }
                _ => false,
            })
        }
        _ => false,
    }
}

/// Orders the rows of `ROW_NUMBER()` by their arrival where all else is equal.
pub(super) fn settle(window: Window) -> Result<Transformed<LogicalPlan>> {
    let numbers =
        |e: &Expr| call(e).is_some_and(|c| c.params.order_by.len() < 64 && is_row_number(c));
    if !window.window_expr.iter().any(numbers) || has_arrival(&window) {
        return Ok(Transformed::no(LogicalPlan::Window(window)));
    }
    ordered(window, true).map(Transformed::yes)
}

/// The window node over rows with a number of arrival, by which those are ordered that are equal.
fn ordered(window: Window, first_wins: bool) -> Result<LogicalPlan> {
    let arrival = Expr::from(WindowFunction {
        fun: WindowFunctionDefinition::WindowUDF(Arc::new(row_number())),
        params: WindowFunctionParams {
            args: Vec::new(),
            partition_by: Vec::new(),
            order_by: Vec::new(),
            window_frame: WindowFrame::new(None),
            filter: None,
            null_treatment: None,
            distinct: false,
        },
    });
    let names = window.input.schema().columns();
    let input = LogicalPlanBuilder::from((*window.input).clone());
    let mut numbered: Vec<Expr> = names.iter().cloned().map(Expr::Column).collect();
    let inner = arrival.schema_name().to_string();
    numbered.push(Expr::Column(Column::from_name(inner)).alias(ARRIVAL));
    let input = input.window([arrival])?.project(numbered)?;
    let exprs = window.window_expr.iter().map(|e| by_arrival(e.clone(), first_wins));
    let outputs = window.schema.columns();
    let plan = input.window(exprs)?.build()?;
    // The order is in the names of the columns, so they are given their old names again.
    let inputs = names.len();
    let results = plan.schema().columns().split_off(inputs + 1);
    let mut columns: Vec<Expr> = names.into_iter().map(Expr::Column).collect();
    for (result, output) in results.into_iter().zip(&outputs[inputs..]) {
        columns.push(Expr::Column(result).alias(output.name.clone()));
    }
    LogicalPlanBuilder::from(plan).project(columns)?.build()
}

fn has_arrival(window: &Window) -> bool {
    let by_nothing =
        |c: &WindowFunction| c.params.order_by.is_empty() && c.params.partition_by.is_empty();
    window.input.schema().columns().iter().any(|c| c.name == ARRIVAL)
        || window.window_expr.iter().filter_map(call).any(by_nothing)
}

fn call(expr: &Expr) -> Option<&WindowFunction> {
    match expr {
        Expr::Alias(alias) => call(&alias.expr),
        Expr::WindowFunction(call) => Some(call),
        _ => None,
    }
}

fn is_row_number(call: &WindowFunction) -> bool {
    matches!(&call.fun, WindowFunctionDefinition::WindowUDF(f) if f.name() == ROW_NUMBER)
}

/// The same function with arrival as its last order.
fn by_arrival(expr: Expr, asc: bool) -> Expr {
    match expr {
        Expr::Alias(mut alias) => {
            alias.expr = Box::new(by_arrival(*alias.expr, asc));
            Expr::Alias(alias)
        }
        Expr::WindowFunction(mut call) if is_row_number(&call) => {
            let expr = Expr::Column(Column::from_name(ARRIVAL));
            call.params.order_by.push(Sort { expr, asc, nulls_first: false });
            Expr::WindowFunction(call)
        }
        other => other,
    }
}
