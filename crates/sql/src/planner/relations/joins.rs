//! Calls beside the rows that they are joined to.
//!
//! `FROM t, UNNEST(t.a) AS u (x)` is planned as a join of `t` with a call over one row, whose
//! arguments are columns of an outer query. Here the call is put over the rows of `t`.

use datafusion::common::tree_node::{Transformed, TreeNodeRecursion};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::{Expr, Join, JoinType, LogicalPlan, LogicalPlanBuilder};

use crate::error::SqlError;
use crate::planner::nodes::correlate::{CorrelateNode, correlated};

/// Puts calls beside the rows that they are joined to.
///
/// # Errors
/// When a call refers to what is not joined to it.
pub(crate) fn in_place(plan: LogicalPlan) -> Result<LogicalPlan> {
    let plan = plan.transform_up_with_subqueries(|plan| match plan {
        LogicalPlan::Join(join) => beside(join),
        other => Ok(Transformed::no(other)),
    })?;
    plan.data.apply_with_subqueries(|node| match correlated(node) {
        Some(call) if call.refers_out() => Err(out_of_reach(call).into()),
        _ => Ok(TreeNodeRecursion::Continue),
    })?;
    Ok(plan.data)
}

fn beside(join: Join) -> Result<Transformed<LogicalPlan>> {
    let Some(call) = correlated(&join.right) else {
        let moved = match is_cross(&join) {
            true => chained(&join.left, &join.right)?,
            false => None,
        };
        return Ok(moved.map_or(Transformed::no(LogicalPlan::Join(join)), Transformed::yes));
    };
    let outer = join.join_type == JoinType::Left;
    let depends = !join.right.all_out_ref_exprs().is_empty()
        || matches!(*join.right, LogicalPlan::Subquery(_));
    let always = is_always(&join);
    if !outer && join.join_type != JoinType::Inner || outer && !always {
        if !depends {
            // A call of constants is a table like others.
            return Ok(Transformed::no(LogicalPlan::Join(join)));
        }
        let what = format!("LEFT JOIN {} ON a condition", call.function.name());
        return Err(SqlError::unsupported(what).help("write ON TRUE").into());
    }
    if !join.on.is_empty() {
        let what = format!("USING or NATURAL JOIN with {}", call.function.name());
        return Err(SqlError::unsupported(what).help("write ON a = b").into());
    }
    let Some(moved) = call.moved_beside(join.left.as_ref().clone(), outer)? else {
        return Ok(Transformed::no(LogicalPlan::Join(join)));
    };
    Ok(Transformed::yes(match join.filter {
        Some(filter) if !always => LogicalPlanBuilder::from(moved).filter(filter)?.build()?,
        _ => moved,
    }))
}

/// `t, UNNEST(t.a) AS u (x) CROSS JOIN UNNEST(t.b) AS v (y)`: the second call is joined to the
/// first, and sees the table all the same.
fn chained(left: &LogicalPlan, right: &LogicalPlan) -> Result<Option<LogicalPlan>> {
    let (of, outer, call) = match right {
        LogicalPlan::Join(join) => match correlated(&join.right) {
            Some(call) if is_cross(join) => (&join.left, false, call),
            Some(call) if join.join_type == JoinType::Left && is_always(join) => {
                (&join.left, true, call)
            }
            _ => return Ok(None),
        },
        _ => return Ok(None),
    };
    let left = match correlated(of) {
        Some(first) => first.moved_beside(left.clone(), false)?,
        None => chained(left, of)?,
    };
    left.map_or(Ok(None), |left| call.moved_beside(left, outer))
}

fn is_cross(join: &Join) -> bool {
    join.join_type == JoinType::Inner && is_always(join)
}

/// Whether each row is joined to each.
fn is_always(join: &Join) -> bool {
    let is_true =
        |filter: &Expr| matches!(filter, Expr::Literal(ScalarValue::Boolean(Some(true)), _));
    join.on.is_empty() && join.filter.as_ref().is_none_or(is_true)
}

fn out_of_reach(call: &CorrelateNode) -> SqlError {
    let what = format!("{} of columns of an outer query", call.function.name());
    SqlError::unsupported(what)
        .help("write it into the FROM clause of its table: FROM t, UNNEST(t.a) AS u (x)")
}
