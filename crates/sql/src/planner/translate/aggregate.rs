//! GROUP BY, DISTINCT and aggregate functions: per window where rows carry one, otherwise kept up
//! to date per key.

use std::sync::Arc;

use datafusion::arrow::datatypes::{Field, FieldRef, Schema, SchemaRef};
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::logical_expr::expr::{AggregateFunction, NullTreatment};
use datafusion::logical_expr::{self as logical, Expr};

use super::Translator;
use super::calc::{column_of, identity_exprs};
use super::window::Folded;
use crate::error::{SqlError, SqlResult};
use crate::planner::nodes::WindowSpec;
use crate::planner::step::{
    Aggregate, Bound, Identity, Op, PhysExpr, Step, TimeKind, Traits, WindowColumns,
};

/// What is grouped and how, over the columns of a step that has them all.
pub(super) struct Grouping {
    /// The step.
    pub input: Arc<Step>,
    /// Grouping columns in the order written.
    pub keys: Vec<usize>,
    /// The aggregates.
    pub aggs: Vec<Aggregate>,
    /// The columns that leave: keys, then aggregates.
    pub output: SchemaRef,
}

impl Translator {
    pub(super) fn aggregate(&mut self, node: &logical::Aggregate) -> SqlResult<Arc<Step>> {
        if let [Expr::GroupingSet(set)] = node.group_expr.as_slice() {
            return self.grouping_sets(node, set);
        }
        let input = self.step(&node.input, None)?;
        let groups = node.group_expr.len();
        let calls = node.aggr_expr.iter().map(call_of).collect::<SqlResult<Vec<_>>>()?;
        let mut wanted: Vec<Expr> = node.group_expr.clone();
        for (call, _) in &calls {
            wanted.extend(column_args(call)?);
            wanted.extend(call.params.filter.iter().map(|f| f.as_ref().clone()));
        }
        let (input, columns) = self.columns_only(input, &wanted, node.input.schema())?;
        let output: SchemaRef = Arc::new(node.schema.as_arrow().clone());
        let aggs = aggregates(&calls, &columns[groups..], &output.fields()[groups..])?;
        let keys = columns[..groups].to_vec();
        self.group(Grouping { input, keys, aggs, output })
    }

    /// The step for a grouping.
    pub(super) fn group(&mut self, grouping: Grouping) -> SqlResult<Arc<Step>> {
        let window = grouping.input.traits.window;
        if let Some(window) = window {
            let has = |bound: Option<usize>| bound.is_some_and(|b| grouping.keys.contains(&b));
            if has(window.start) && has(window.end) {
                return self.windowed_group(grouping, window);
            }
        }
        if let Some(spec) = session_by_group(&grouping.input) {
            return Err(SqlError::internal(format!("{spec} is not grouped by")));
        }
        self.unbounded_group(grouping)
    }

    fn windowed_group(&mut self, g: Grouping, window: WindowColumns) -> SqlResult<Arc<Step>> {
        let early = self.connectors.early.filter(|_| window.kind == TimeKind::Row);
        if early.is_none()
            && let Some(folded) = self.fold(&g.input, &g.keys)?
        {
            let place = |c: &usize| folded.places[*c];
            let keys: Vec<usize> = g.keys.iter().filter_map(|k| place(k).ok()).collect();
            let plain = |c: Option<usize>| c.is_none_or(|c| place(&c).is_ok());
            let whole =
                g.aggs.iter().all(|a| a.args.iter().all(|c| place(c).is_ok()) && plain(a.filter));
            if whole && folded.sessions_by(&keys) {
                return self.folded_group(g, folded, keys);
            }
        }
        if let Some(spec) = early.and_then(|_| session_of(&g.input)) {
            return Err(SqlError::unsupported(format!("{spec} with results before its end"))
                .help("sessions grow together: leave out EMIT EVERY"));
        }
        if let Some(spec) = session_by_group(&g.input) {
            return Err(SqlError::unsupported(format!(
                "an aggregate over the bounds of its own window ({spec})"
            )));
        }
        let bound_of = |c: usize| {
            let bounds = [(window.start, Bound::Start), (window.end, Bound::End)];
            let bounds = bounds.into_iter().chain([(window.time, Bound::Time)]);
            bounds.into_iter().find(|(at, _)| *at == Some(c)).map(|(_, bound)| bound)
        };
        let mut keys = Vec::new();
        let mut bounds: Vec<(Bound, usize)> = Vec::new();
        for key in &g.keys {
            match bound_of(*key) {
                None => keys.push(*key),
                Some(bound) if bounds.iter().any(|(b, _)| *b == bound) => {}
                Some(bound) => bounds.push((bound, *key)),
            }
        }
        bounds.sort_by_key(|(bound, _)| *bound as u8);
        let order: Vec<Bound> = bounds.iter().map(|(b, _)| *b).collect();
        let op = Op::WindowedGroup { keys: keys.clone(), bounds, aggs: g.aggs.clone(), early };
        self.per_window(op, Arc::clone(&g.input), &g, keys, &order, window.kind, bound_of)
    }

    fn folded_group(
        &mut self,
        g: Grouping,
        folded: Folded,
        keys: Vec<usize>,
    ) -> SqlResult<Arc<Step>> {
        let place = |c: usize| folded.places[c].unwrap_or(0);
        let aggs: Vec<Aggregate> = g
            .aggs
            .iter()
            .map(|a| Aggregate {
                args: a.args.iter().map(|c| place(*c)).collect(),
                filter: a.filter.map(place),
                ..a.clone()
            })
            .collect();
        let mut bounds = Vec::new();
        for key in &g.keys {
            if let Err(bound) = folded.places[*key]
                && !bounds.contains(&bound)
            {
                bounds.push(bound);
            }
        }
        bounds.sort_by_key(|bound| *bound as u8);
        let kind = folded.window.kind;
        let op = Op::WindowAggregate {
            window: folded.window.clone(),
            keys: keys.clone(),
            aggs: aggs.clone(),
            bounds: bounds.clone(),
        };
        let over = Grouping {
            input: Arc::clone(&folded.input),
            keys: g.keys.clone(),
            aggs,
            output: Arc::clone(&g.output),
        };
        let places = folded.places;
        self.per_window(op, folded.input, &over, keys, &bounds, kind, |c| places[c].err())
    }

    /// A step whose columns are keys, aggregates and bounds, then in the order of the grouping.
    #[expect(clippy::too_many_arguments, reason = "the two callers differ in all of them")]
    fn per_window(
        &mut self,
        op: Op,
        input: Arc<Step>,
        g: &Grouping,
        keys: Vec<usize>,
        bounds: &[Bound],
        kind: TimeKind,
        bound_of: impl Fn(usize) -> Option<Bound>,
    ) -> SqlResult<Arc<Step>> {
        let groups = g.keys.len();
        let mut fields: Vec<FieldRef> = Vec::new();
        let mut order = vec![0; groups + g.aggs.len()];
        let mut key = 0;
        for (at, column) in g.keys.iter().enumerate() {
            if bound_of(*column).is_none() {
                fields.push(Arc::clone(&g.output.fields()[at]));
                order[at] = key;
                key += 1;
            }
        }
        for (at, _) in g.aggs.iter().enumerate() {
            order[groups + at] = fields.len();
            fields.push(Arc::clone(&g.output.fields()[groups + at]));
        }
        let first_bound = fields.len();
        for (at, column) in g.keys.iter().enumerate() {
            if let Some(bound) = bound_of(*column) {
                let place = bounds.iter().position(|b| *b == bound).unwrap_or(0);
                order[at] = first_bound + place;
            }
        }
        for bound in bounds {
            let of = g.keys.iter().position(|c| bound_of(*c) == Some(*bound)).unwrap_or(0);
            fields.push(Arc::clone(&g.output.fields()[of]));
        }
        let at = |bound: Bound| bounds.iter().position(|b| *b == bound).map(|p| first_bound + p);
        let window = WindowColumns {
            start: at(Bound::Start),
            end: at(Bound::End),
            time: at(Bound::Time),
            kind,
        };
        let mut time = vec![None; fields.len()];
        if let Some(column) = window.time {
            time[column] = Some(kind);
        }
        let mut unique: Vec<usize> = (0..keys.len()).collect();
        unique.extend(window.start);
        let mut unique_by_end: Vec<usize> = (0..keys.len()).collect();
        unique_by_end.extend(window.end);
        let early = matches!(op, Op::WindowedGroup { early: Some(_), .. });
        let traits = Traits {
            updates: early,
            deletes: early && !input.traits.append_only(),
            keys: vec![unique, unique_by_end],
            time,
            window: Some(window),
            bounded: input.traits.bounded,
            ..Traits::default()
        };
        let held = &input.identity.columns;
        let mut columns: Vec<String> = keys.iter().map(|k| held[*k].clone()).collect();
        columns.extend(g.aggs.iter().map(|a| a.meaning(held)));
        let how = match &op {
            Op::WindowAggregate { window, .. } => {
                format!("{} on {}", window.spec, held[window.time])
            }
            Op::WindowedGroup { bounds, .. } => {
                let held: Vec<&str> = bounds.iter().map(|(_, c)| held[*c].as_str()).collect();
                format!("windows {}", held.join(", "))
            }
            _ => String::new(),
        };
        columns.extend(bounds.iter().map(|b| Identity::short(format!("{b:?} of {how}"))));
        let rows = Identity::short(format!(
            "{} per {how} and {}",
            input.identity.rows,
            columns[..keys.len()].join(", ")
        ));
        let schema = Arc::new(Schema::new(fields));
        let step = self.make(op, vec![input], schema, traits, Identity { rows, columns });
        self.pick(step, &order, Arc::clone(&g.output))
    }

    fn unbounded_group(&mut self, g: Grouping) -> SqlResult<Arc<Step>> {
        let append = g.input.traits.append_only();
        let held = &g.input.identity.columns;
        let mut columns: Vec<String> = g.keys.iter().map(|k| held[*k].clone()).collect();
        columns.extend(g.aggs.iter().map(|a| a.meaning(held)));
        let by = columns[..g.keys.len()].join(", ");
        let rows = Identity::short(format!("{} per {by}", g.input.identity.rows));
        let traits = Traits {
            updates: !g.aggs.is_empty(),
            deletes: !append,
            upserts: false,
            keys: vec![(0..g.keys.len()).collect()],
            time: vec![None; columns.len()],
            window: None,
            bounded: g.input.traits.bounded,
        };
        let op = Op::GroupAggregate { keys: g.keys, aggs: g.aggs };
        Ok(self.make(op, vec![g.input], g.output, traits, Identity { rows, columns }))
    }

    /// A step that has just these columns, each once, and where each is.
    pub(super) fn columns_only(
        &mut self,
        input: Arc<Step>,
        wanted: &[Expr],
        schema: &DFSchema,
    ) -> SqlResult<(Arc<Step>, Vec<usize>)> {
        let exprs = wanted.iter().map(|e| self.physical(e, schema));
        let exprs = exprs.collect::<SqlResult<Vec<PhysExpr>>>()?;
        let plain: Option<Vec<usize>> = exprs.iter().map(column_of).collect();
        if let Some(columns) = plain {
            return Ok((input, columns));
        }
        let mut kept: Vec<PhysExpr> = Vec::new();
        let mut fields: Vec<FieldRef> = Vec::new();
        let mut columns = Vec::with_capacity(exprs.len());
        for (expr, of) in exprs.into_iter().zip(wanted) {
            let found = kept.iter().position(|k| k.eq(&expr));
            columns.push(found.unwrap_or(kept.len()));
            if found.is_none() {
                fields.push(named(&expr, of, &input.schema)?);
                kept.push(expr);
            }
        }
        let step = self.calc(input, None, kept, Arc::new(Schema::new(fields)))?;
        Ok((step, columns))
    }

    /// A step with all its columns and these, which are added where they are expressions.
    pub(super) fn with_columns(
        &mut self,
        input: Arc<Step>,
        wanted: &[Expr],
        schema: &DFSchema,
    ) -> SqlResult<(Arc<Step>, Vec<usize>)> {
        let mut all = identity_exprs(&input.schema);
        let mut fields: Vec<FieldRef> = input.schema.fields().iter().cloned().collect();
        let width = all.len();
        let mut columns = Vec::with_capacity(wanted.len());
        for of in wanted {
            let expr = self.physical(of, schema)?;
            let found = column_of(&expr)
                .or_else(|| all[width..].iter().position(|k| k.eq(&expr)).map(|at| at + width));
            columns.push(found.unwrap_or(all.len()));
            if found.is_none() {
                fields.push(named(&expr, of, &input.schema)?);
                all.push(expr);
            }
        }
        if all.len() == width {
            return Ok((input, columns));
        }
        let step = self.calc(input, None, all, Arc::new(Schema::new(fields)))?;
        Ok((step, columns))
    }
}

fn named(expr: &PhysExpr, of: &Expr, schema: &SchemaRef) -> SqlResult<FieldRef> {
    let (data_type, nullable) = (expr.data_type(schema)?, expr.nullable(schema)?);
    Ok(Arc::new(Field::new(of.schema_name().to_string(), data_type, nullable)))
}

/// The sessions that the rows of a step carry right from below, if they do.
fn session_of(step: &Step) -> Option<WindowSpec> {
    match &step.op {
        Op::AssignWindows { window, .. } => {
            Some(window.spec).filter(|s| matches!(s, WindowSpec::Session { .. }))
        }
        Op::Calc { .. } => session_of(step.input()?),
        _ => None,
    }
}

/// The window function of sessions by what is grouped by, below a step.
fn session_by_group(step: &Step) -> Option<WindowSpec> {
    let below = match &step.op {
        Op::Calc { .. } => step.input()?,
        _ => return spec_of(step),
    };
    spec_of(below)
}

fn spec_of(step: &Step) -> Option<WindowSpec> {
    match &step.op {
        Op::AssignWindows { window, .. } => {
            Some(window.spec).filter(|s| matches!(s, WindowSpec::Session { by_group: true, .. }))
        }
        _ => None,
    }
}

/// The call that an aggregate expression is, and its name.
pub(super) fn call_of(expr: &Expr) -> SqlResult<(AggregateFunction, String)> {
    match expr {
        Expr::Alias(alias) => call_of(&alias.expr),
        Expr::AggregateFunction(call) => Ok((call.clone(), expr.schema_name().to_string())),
        other => Err(SqlError::internal(format!("{other} is no aggregate"))),
    }
}

/// The arguments of a call that are columns: not the literals that follow the first.
pub(super) fn column_args(call: &AggregateFunction) -> SqlResult<Vec<Expr>> {
    let name = call.func.name();
    if !call.params.order_by.is_empty() {
        return Err(SqlError::unsupported(format!("ORDER BY within {name} in a streaming query")));
    }
    if call.params.null_treatment == Some(NullTreatment::RespectNulls) {
        return Err(SqlError::unsupported(format!("RESPECT NULLS of {name} in a streaming query")));
    }
    if is_count_star(call) {
        return Ok(Vec::new());
    }
    let args = call.params.args.iter().enumerate();
    Ok(args
        .filter(|(at, arg)| *at == 0 || literal(arg).is_none())
        .map(|(_, a)| a.clone())
        .collect())
}

fn is_count_star(call: &AggregateFunction) -> bool {
    let constant = |args: &[Expr]| match args {
        [] => true,
        [arg] => literal(arg).is_some_and(|value| !value.is_null()),
        _ => false,
    };
    call.func.name() == "count" && !call.params.distinct && constant(&call.params.args)
}

fn literal(expr: &Expr) -> Option<&ScalarValue> {
    match expr {
        Expr::Literal(value, _) => Some(value),
        Expr::Alias(alias) => literal(&alias.expr),
        Expr::Cast(cast) => literal(&cast.expr),
        _ => None,
    }
}

/// The aggregates of these calls; `columns` are those of their arguments and filters, in order.
pub(super) fn aggregates(
    calls: &[(AggregateFunction, String)],
    columns: &[usize],
    fields: &[FieldRef],
) -> SqlResult<Vec<Aggregate>> {
    let mut columns = columns.iter().copied();
    let mut aggs = Vec::with_capacity(calls.len());
    for ((call, _), field) in calls.iter().zip(fields) {
        let args = column_args(call)?.iter().filter_map(|_| columns.next()).collect();
        let filter = call.params.filter.as_ref().and_then(|_| columns.next());
        let literals =
            if is_count_star(call) { &[] } else { call.params.args.get(1..).unwrap_or(&[]) };
        aggs.push(Aggregate {
            function: Arc::clone(&call.func),
            args,
            literals: literals.iter().filter_map(literal).cloned().collect(),
            filter,
            distinct: call.params.distinct,
            field: Arc::clone(field),
        });
    }
    Ok(aggs)
}

impl Aggregate {
    /// What it computes, in terms of what the columns of its input hold.
    pub fn meaning(&self, held: &[String]) -> String {
        let args: Vec<&str> = self.args.iter().map(|a| held[*a].as_str()).collect();
        let mut text = format!("{}({}", self.function.name(), args.join(", "));
        for literal in &self.literals {
            text.push_str(&format!(", {literal}"));
        }
        text.push(')');
        if self.distinct {
            text.push_str(" distinct");
        }
        if let Some(filter) = self.filter {
            text.push_str(&format!(" where {}", held[filter]));
        }
        Identity::short(text)
    }
}
