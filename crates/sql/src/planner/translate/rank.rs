//! `ROW_NUMBER() OVER (PARTITION BY … ORDER BY …) AS rn … WHERE rn <= n`: Top-N, and for the first
//! or last row by time, deduplication.

use std::collections::HashSet;
use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, SchemaRef};
use datafusion::common::ScalarValue;
use datafusion::logical_expr::expr::WindowFunction;
use datafusion::logical_expr::utils::{conjunction, split_conjunction};
use datafusion::logical_expr::{
    BinaryExpr, Expr, Filter, LogicalPlan, Operator, Window, WindowFunctionDefinition,
};
use datafusion::physical_expr::expressions::lit;

use super::calc::identity_exprs;
use super::window::{needs_append, time_kind};
use super::{Needed, Translator};
use crate::error::{SqlError, SqlResult, codes};
use crate::planner::ranking::ROW_NUMBER;
use crate::planner::step::{Identity, Op, Ordering, Step, TimeKind, TopN, Traits, WindowColumns};

/// A filter on a row number, taken apart.
pub(crate) struct Ranked<'a> {
    /// The plan that is the window node.
    pub window: &'a LogicalPlan,
    /// The window node.
    pub node: &'a Window,
    /// Its only call.
    pub call: &'a WindowFunction,
    /// The rank's column, as seen by the filter.
    pub column: usize,
    /// First rank kept, from 1.
    pub first: u64,
    /// Last rank kept.
    pub last: u64,
    /// What else the filter asks for.
    pub rest: Vec<Expr>,
}

impl Translator {
    /// The step of a filter on a row number, if it is one.
    pub(super) fn ranked(
        &mut self,
        filter: &Filter,
        needed: Needed<'_>,
    ) -> SqlResult<Option<Arc<Step>>> {
        let Some(ranked) = recognize(filter)? else { return Ok(None) };
        let schema = filter.input.schema();
        let uses_rank = |e: &Expr| {
            let mut refs = e.column_refs().into_iter();
            refs.any(|c| schema.index_of_column(c).ok() == Some(ranked.column))
        };
        let is_shown =
            needed.is_none_or(|n| n.contains(&ranked.column)) || ranked.rest.iter().any(uses_rank);
        let top = self.top_n(&ranked, is_shown)?;
        self.replaced.insert(std::ptr::from_ref(ranked.window), top);
        let input = self.step(&filter.input, None)?;
        let rest = conjunction(ranked.rest);
        let Some(rest) = rest else { return Ok(Some(input)) };
        let predicate = self.physical(&rest, schema)?;
        self.keep(input, predicate).map(Some)
    }

    /// A step with the columns of the window node: those of its input, then the rank.
    fn top_n(&mut self, ranked: &Ranked<'_>, is_shown: bool) -> SqlResult<Arc<Step>> {
        let input = self.step(&ranked.node.input, None)?;
        let width = input.schema.fields().len();
        let params = &ranked.call.params;
        let schema = ranked.node.input.schema();
        let (input, keys) = self.with_columns(input, &params.partition_by, schema)?;
        let exprs: Vec<Expr> = params.order_by.iter().map(|o| o.expr.clone()).collect();
        let (input, order) = self.with_columns(input, &exprs, schema)?;
        let order: Vec<Ordering> = params
            .order_by
            .iter()
            .zip(order)
            .map(|(o, column)| Ordering { column, descending: !o.asc, nulls_first: o.nulls_first })
            .collect();
        if order.is_empty() {
            let message = "ROW_NUMBER() without ORDER BY has no order to number rows by";
            return Err(SqlError::new(codes::BAD_OVER, message));
        }
        let output: SchemaRef = Arc::new(ranked.node.schema.as_arrow().clone());
        let windowed = window_of(&input, &keys);
        if windowed.is_some() && !input.traits.append_only() {
            return Err(needs_append("Top-N per window"));
        }
        let only_one = ranked.first == 1 && ranked.last == 1;
        let by_time = match order.as_slice() {
            [by] => time_kind(&input, by.column).map(|kind| (*by, kind)),
            _ => None,
        };
        let step = match by_time {
            Some((by, kind)) if only_one && windowed.is_none() && input.traits.append_only() => {
                let step = self.deduplicate(input, keys, by, kind);
                let mut exprs = identity_exprs(&step.schema);
                exprs.truncate(width);
                exprs.push(lit(ScalarValue::Int64(Some(1))));
                return self.calc(step, None, exprs, output);
            }
            _ => self.ranks(input, keys, order, ranked, is_shown, windowed),
        };
        let mut exprs = identity_exprs(&step.schema);
        let rank = if is_shown { exprs.pop() } else { None };
        exprs.truncate(width);
        exprs.push(rank.unwrap_or_else(|| lit(ScalarValue::Int64(Some(0)))));
        self.calc(step, None, exprs, output)
    }

    fn ranks(
        &mut self,
        input: Arc<Step>,
        keys: Vec<usize>,
        order: Vec<Ordering>,
        ranked: &Ranked<'_>,
        rank: bool,
        windowed: Option<WindowColumns>,
    ) -> Arc<Step> {
        let width = input.schema.fields().len();
        let by = self.order_text(&input, &order);
        let held = &input.identity.columns;
        let key_texts: Vec<&str> = keys.iter().map(|k| held[*k].as_str()).collect();
        let rows = Identity::short(format!(
            "{} ranks {} to {} per {} by {by}",
            input.identity.rows,
            ranked.first,
            ranked.last,
            key_texts.join(", ")
        ));
        let mut columns = held.clone();
        let mut fields: Vec<_> = input.schema.fields().iter().cloned().collect();
        let mut unique = input.traits.keys.clone();
        let mut time = input.traits.time.clone();
        if rank {
            columns.push("rank".to_owned());
            fields.push(Arc::new(datafusion::arrow::datatypes::Field::new(
                ROW_NUMBER,
                DataType::Int64,
                false,
            )));
            time.push(None);
            unique.push(keys.iter().copied().chain([width]).collect());
        } else if ranked.first == ranked.last {
            unique.push(keys.clone());
        }
        let per_window = windowed.is_some();
        let traits = Traits {
            updates: !per_window,
            deletes: !per_window,
            upserts: false,
            keys: unique,
            // Rows of a rank come in no order of time, but for those of windows.
            time: if per_window { time } else { vec![None; fields.len()] },
            window: windowed,
            bounded: input.traits.bounded,
        };
        let windowed = windowed.and_then(|w| w.end);
        let (first, last) = (ranked.first, ranked.last);
        let op = Op::TopN(TopN { keys, order, first, last, rank, windowed });
        let schema = Arc::new(datafusion::arrow::datatypes::Schema::new(fields));
        self.make(op, vec![input], schema, traits, Identity { rows, columns })
    }

    fn deduplicate(
        &mut self,
        input: Arc<Step>,
        keys: Vec<usize>,
        by: Ordering,
        kind: TimeKind,
    ) -> Arc<Step> {
        let held = &input.identity.columns;
        let key_texts: Vec<&str> = keys.iter().map(|k| held[*k].as_str()).collect();
        let which = if by.descending { "last" } else { "first" };
        let rows = Identity::short(format!(
            "{} {which} by {} per {}",
            input.identity.rows,
            held[by.column],
            key_texts.join(", ")
        ));
        let append = !by.descending && kind == TimeKind::Proc;
        let traits = Traits {
            updates: !append,
            deletes: false,
            upserts: false,
            keys: vec![keys.clone()],
            time: if append { input.traits.time.clone() } else { vec![None; held.len()] },
            window: None,
            bounded: input.traits.bounded,
        };
        let identity = Identity { rows, columns: held.clone() };
        let schema = Arc::clone(&input.schema);
        let op = Op::Deduplicate { keys, time: by.column, kind, keep_last: by.descending };
        self.make(op, vec![input], schema, traits, identity)
    }
}

/// The window that rows carry, if the keys hold all of it.
fn window_of(input: &Step, keys: &[usize]) -> Option<WindowColumns> {
    let has = |bound: Option<usize>| bound.is_some_and(|b| keys.contains(&b));
    input.traits.window.filter(|w| has(w.start) && has(w.end))
}

/// Takes a filter apart that bounds a row number from above.
pub(crate) fn recognize(filter: &Filter) -> SqlResult<Option<Ranked<'_>>> {
    let Some((window, node)) = window_below(&filter.input) else { return Ok(None) };
    let [call] = node.window_expr.as_slice() else { return Ok(None) };
    let Some(call) = window_function(call) else { return Ok(None) };
    let WindowFunctionDefinition::WindowUDF(function) = &call.fun else { return Ok(None) };
    let width = node.input.schema().fields().len();
    let schema = filter.input.schema();
    let columns: HashSet<usize> =
        (0..schema.fields().len()).filter(|c| trace(&filter.input, *c) == Some(width)).collect();
    let (mut first, mut last) = (1u64, None);
    let mut rest = Vec::new();
    let mut column = None;
    for part in split_conjunction(&filter.predicate) {
        match bound(part, |c| schema.index_of_column(c).ok().filter(|i| columns.contains(i))) {
            Some((at, least, most)) => {
                column = Some(at);
                first = first.max(least.unwrap_or(1));
                last = match (last, most) {
                    (Some(a), Some(b)) => Some(std::cmp::min::<u64>(a, b)),
                    (a, b) => a.or(b),
                };
            }
            None => rest.push(part.clone()),
        }
    }
    let (Some(column), Some(last)) = (column, last) else { return Ok(None) };
    if !function.name().eq_ignore_ascii_case(ROW_NUMBER) {
        let name = function.name().to_ascii_uppercase();
        return Err(SqlError::unsupported(format!("{name}() in a streaming query"))
            .help("ROW_NUMBER() gives each row a rank of its own and can be kept up to date"));
    }
    Ok(Some(Ranked { window, node, call, column, first, last, rest }))
}

fn window_below(plan: &LogicalPlan) -> Option<(&LogicalPlan, &Window)> {
    match plan {
        LogicalPlan::SubqueryAlias(alias) => window_below(&alias.input),
        LogicalPlan::Projection(projection) => window_below(&projection.input),
        LogicalPlan::Window(window) => Some((plan, window)),
        _ => None,
    }
}

/// The column of the window node below that a column of a plan is.
fn trace(plan: &LogicalPlan, column: usize) -> Option<usize> {
    match plan {
        LogicalPlan::SubqueryAlias(alias) => trace(&alias.input, column),
        LogicalPlan::Projection(projection) => {
            let expr = projection.expr.get(column)?;
            let below = projection.input.schema().index_of_column(plain(expr)?).ok()?;
            trace(&projection.input, below)
        }
        _ => Some(column),
    }
}

fn plain(expr: &Expr) -> Option<&datafusion::common::Column> {
    match expr {
        Expr::Alias(alias) => plain(&alias.expr),
        Expr::Column(column) => Some(column),
        _ => None,
    }
}

fn window_function(expr: &Expr) -> Option<&WindowFunction> {
    match expr {
        Expr::Alias(alias) => window_function(&alias.expr),
        Expr::WindowFunction(call) => Some(call),
        _ => None,
    }
}

type Bounds = (usize, Option<u64>, Option<u64>);

/// The least and greatest rank that a condition allows.
fn bound(
    condition: &Expr,
    rank: impl Fn(&datafusion::common::Column) -> Option<usize>,
) -> Option<Bounds> {
    match condition {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => {
            let (column, op, value) = match (rank_column(left, &rank), rank_column(right, &rank)) {
                (Some(column), None) => (column, *op, number(right)?),
                (None, Some(column)) => (column, op.swap()?, number(left)?),
                _ => return None,
            };
            let at = |v: i128| u64::try_from(v.max(0)).ok();
            let (least, most) = match op {
                Operator::LtEq => (None, at(value)),
                Operator::Lt => (None, at(value - 1)),
                Operator::GtEq => (at(value.max(1)), None),
                Operator::Gt => (at((value + 1).max(1)), None),
                Operator::Eq => (at(value), at(value)),
                _ => return None,
            };
            Some((column, least, most))
        }
        Expr::Between(between) if !between.negated => {
            let column = rank_column(&between.expr, &rank)?;
            let least = u64::try_from(number(&between.low)?.max(1)).ok();
            Some((column, least, u64::try_from(number(&between.high)?.max(0)).ok()))
        }
        _ => None,
    }
}

fn rank_column(
    expr: &Expr,
    rank: &impl Fn(&datafusion::common::Column) -> Option<usize>,
) -> Option<usize> {
    match expr {
        Expr::Column(column) => rank(column),
        Expr::Cast(cast) => rank_column(&cast.expr, rank),
        _ => None,
    }
}

fn number(expr: &Expr) -> Option<i128> {
    match expr {
        Expr::Literal(value, _) => match value.cast_to(&DataType::Int64).ok()? {
            ScalarValue::Int64(value) => value.map(i128::from),
            _ => None,
        },
        Expr::Cast(cast) => number(&cast.expr),
        _ => None,
    }
}
