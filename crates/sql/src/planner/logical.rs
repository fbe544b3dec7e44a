//! From a query's text tree to a logical plan that is typed and in the form that both ways of
//! running it start from.

use std::ops::ControlFlow;

use datafusion::common::tree_node::Transformed;
use datafusion::common::{DataFusionError, Result, ScalarValue, plan_err};
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, Projection};
use datafusion::sql::planner::SqlToRel;
use datafusion::sql::sqlparser::ast::{ObjectName, Query, Spanned, Statement, visit_relations};

use super::context::Context;
use super::engine::{parser_options, streaming_optimizer};
use super::markers::{MARKERS, spec_of};
use super::nodes::WindowTvf;
use super::prepare::prepare;
use super::{float_casts, relations, row_casts};
use crate::error::{SqlError, SqlResult, codes};

/// Plans a query: names and functions are resolved, types not yet made equal.
pub(crate) fn raw_plan(cx: &Context<'_>, query: Query) -> SqlResult<LogicalPlan> {
    let query = prepare(query)?;
    cx.plan_ahead(&query);
    let planner = SqlToRel::new_with_options(cx, parser_options(cx.state));
    let plan = planner.sql_statement_to_plan(Statement::Query(Box::new(query.clone())));
    plan.and_then(relations::in_place)
        .and_then(windows_in_place)
        .map_err(|e| table_function(cx, placed(e.into(), &query)))
}

/// An error about a table with the place where the query names it.
fn placed(error: SqlError, query: &Query) -> SqlError {
    if error.code != codes::UNKNOWN_TABLE || error.span.is_some() {
        return error;
    }
    let mut at = None;
    let _ = visit_relations(query, |name| {
        if error.message.ends_with(&format!("`{}`", last(name))) {
            at = Some(name.span());
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    });
    at.map_or(error.clone(), |span| error.at(span))
}

/// An error about a function that there is, but for FROM.
fn table_function(cx: &Context<'_>, error: SqlError) -> SqlError {
    let name = error.message.strip_prefix("no function `").and_then(|rest| rest.strip_suffix('`'));
    match name.filter(|name| cx.is_table_function(name)) {
        Some(name) => SqlError {
            message: format!("`{name}` is a table function: it stands in FROM"),
            label: None,
            help: vec![format!("write FROM t, LATERAL TABLE({name}(…)) AS r (…)")],
            ..error
        },
        None => error,
    }
}

fn last(name: &ObjectName) -> &str {
    let last = name.0.last().and_then(|part| part.as_ident());
    last.map_or("", |ident| ident.value.as_str())
}

/// Plans a query, with types made equal by casts where operators and functions want them equal.
pub(crate) fn query_plan(cx: &Context<'_>, query: Query) -> SqlResult<LogicalPlan> {
    let plan = raw_plan(cx, query)?;
    Ok(analyze(cx.state, plan)?)
}

/// Makes types equal, by the casts of this dialect first.
pub(crate) fn analyze(state: &SessionState, plan: LogicalPlan) -> Result<LogicalPlan> {
    let plan = float_casts::compared(row_casts::by_position(plan)?)?;
    state.analyzer().execute_and_check(plan, state.config_options(), |_, _| {})
}

/// Applies the rules that are right for streams.
pub(crate) fn optimize(state: &SessionState, plan: LogicalPlan) -> SqlResult<LogicalPlan> {
    streaming_optimizer().optimize(plan, state, |_, _| {}).map_err(SqlError::from)
}

/// Gives the columns of a plan other names, the first ones if there are fewer names.
pub(crate) fn rename<'a>(
    plan: LogicalPlan,
    names: impl Iterator<Item = &'a str>,
) -> SqlResult<LogicalPlan> {
    let names: Vec<&str> = names.collect();
    if names.is_empty() {
        return Ok(plan);
    }
    let columns = plan.schema().columns();
    if names.len() != columns.len() {
        let (named, given) = (names.len(), columns.len());
        let message = format!("{named} columns are named, the query has {given}");
        return Err(SqlError::new(codes::INSERT_MISMATCH, message));
    }
    let exprs = columns.into_iter().zip(names).map(|(column, name)| {
        if column.name == name { Expr::Column(column) } else { Expr::Column(column).alias(name) }
    });
    let renamed = LogicalPlanBuilder::from(plan).project(exprs.collect::<Vec<_>>());
    renamed.and_then(LogicalPlanBuilder::build).map_err(SqlError::from)
}

/// Turns projections with markers into [`WindowTvf`] nodes.
fn windows_in_place(plan: LogicalPlan) -> Result<LogicalPlan> {
    let result = plan.transform_up_with_subqueries(|plan| match plan {
        LogicalPlan::Projection(projection) => windowed(projection),
        other => Ok(Transformed::no(other)),
    })?;
    Ok(result.data)
}

fn windowed(projection: Projection) -> Result<Transformed<LogicalPlan>> {
    let Some(rows) = projection.expr.len().checked_sub(MARKERS.len()) else {
        return Ok(Transformed::no(LogicalPlan::Projection(projection)));
    };
    let Some(call) = marker(&projection.expr[rows]) else {
        return Ok(Transformed::no(LogicalPlan::Projection(projection)));
    };
    let (Some(time), Some(Expr::Literal(ScalarValue::Utf8(Some(text)), _))) =
        (call.args.first(), call.args.get(1))
    else {
        return plan_err!("a window table function needs a time column");
    };
    if !matches!(time, Expr::Column(_)) {
        return plan_err!("the time of a window must be a column, not {time}");
    }
    let spec = spec_of(text)
        .ok_or_else(|| DataFusionError::Internal(format!("no window specification: {text}")))?;
    let keys = call.args[2..].to_vec();
    let columns = &projection.expr[..rows];
    let input = (*projection.input).clone();
    let whole = columns.len() == input.schema().fields().len()
        && columns.iter().zip(input.schema().columns()).all(|(e, c)| *e == Expr::Column(c));
    let input = if whole {
        input
    } else {
        LogicalPlanBuilder::from(input).project(columns.to_vec())?.build()?
    };
    let time = time.clone();
    Ok(Transformed::yes(WindowTvf::try_new(input, time, spec, keys)?.into_plan()))
}

/// The call of the first marker, if that is what the expression is.
fn marker(expr: &Expr) -> Option<&ScalarFunction> {
    match expr {
        Expr::Alias(alias) => marker(&alias.expr),
        Expr::ScalarFunction(call) if call.name() == MARKERS[0] => Some(call),
        _ => None,
    }
}
