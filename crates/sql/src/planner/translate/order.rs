//! ORDER BY, LIMIT and UNION ALL.

use std::sync::Arc;

use datafusion::logical_expr::{
    Expr, FetchType, Limit, LogicalPlan, SkipType, Sort, SortExpr, Union,
};

use super::Translator;
use super::window::{needs_append, time_kind};
use crate::error::{SqlError, SqlResult, codes};
use crate::planner::step::{Identity, Op, Ordering, Step, TimeKind, TopN, Traits};

impl Translator {
    pub(super) fn sort(&mut self, sort: &Sort) -> SqlResult<Arc<Step>> {
        let input = self.step(&sort.input, None)?;
        let (input, order, width) = self.ordered(input, &sort.expr, &sort.input)?;
        if let Some(fetch) = sort.fetch {
            return self.first_rows(input, order, width, 0, fetch as u64);
        }
        let Some((first, then)) = order.split_first() else { return Ok(input) };
        let by_time = time_kind(&input, first.column) == Some(TimeKind::Row) && !first.descending;
        if !by_time {
            let message =
                "ORDER BY on rows that come one after the other, and the last never comes";
            return Err(SqlError::new(codes::UNBOUNDED_SORT, message)
                .help("order by the time column with the watermark, ascending")
                .help("or add LIMIT n, which keeps the first n rows up to date"));
        }
        if !input.traits.append_only() {
            return Err(needs_append("ORDER BY time"));
        }
        let op = Op::SortByTime { time: first.column, then: then.to_vec() };
        let (schema, traits) = (Arc::clone(&input.schema), input.traits.clone());
        let rows = Identity::short(format!("{} sorted {order:?}", input.identity.rows));
        let identity = Identity { rows, columns: input.identity.columns.clone() };
        let sorted = self.make(op, vec![input], schema, traits, identity);
        self.first_columns(sorted, width)
    }

    pub(super) fn limit(&mut self, limit: &Limit) -> SqlResult<Arc<Step>> {
        let (SkipType::Literal(skip), FetchType::Literal(fetch)) =
            (limit.get_skip_type()?, limit.get_fetch_type()?)
        else {
            return Err(SqlError::unsupported("LIMIT of something else than a number"));
        };
        let (skip, fetch) = (skip as u64, fetch.map_or(u64::MAX, |f| f as u64));
        // ORDER BY … LIMIT, perhaps with a projection between.
        if let LogicalPlan::Sort(sort) = limit.input.as_ref()
            && fetch != u64::MAX
        {
            let input = self.step(&sort.input, None)?;
            let (input, order, width) = self.ordered(input, &sort.expr, &sort.input)?;
            return self.first_rows(input, order, width, skip, fetch);
        }
        if let LogicalPlan::Projection(projection) = limit.input.as_ref()
            && let LogicalPlan::Sort(_) = projection.input.as_ref()
        {
            let below = Limit {
                skip: limit.skip.clone(),
                fetch: limit.fetch.clone(),
                input: Arc::clone(&projection.input),
            };
            let below = self.limit(&below)?;
            let schema = projection.input.schema();
            let exprs = projection.expr.iter().map(|e| self.physical(e, schema));
            let exprs = exprs.collect::<SqlResult<Vec<_>>>()?;
            return self.calc(below, None, exprs, Arc::new(projection.schema.as_arrow().clone()));
        }
        let input = self.step(&limit.input, None)?;
        if !input.traits.append_only() {
            return self.first_rows(input, Vec::new(), None, skip, fetch);
        }
        let rows = Identity::short(format!("{} limit {skip} {fetch}", input.identity.rows));
        let identity = Identity { rows, columns: input.identity.columns.clone() };
        let (schema, traits) = (Arc::clone(&input.schema), input.traits.clone());
        Ok(self.make(Op::Limit { skip, fetch }, vec![input], schema, traits, identity))
    }

    /// Columns that rows are ordered by; those that are expressions are added at the end, and then
    /// the width of the rows without them is given too.
    pub(super) fn ordered(
        &mut self,
        input: Arc<Step>,
        order: &[SortExpr],
        plan: &LogicalPlan,
    ) -> SqlResult<(Arc<Step>, Vec<Ordering>, Option<usize>)> {
        let width = input.schema.fields().len();
        let exprs: Vec<Expr> = order.iter().map(|o| o.expr.clone()).collect();
        let (input, columns) = self.with_columns(input, &exprs, plan.schema())?;
        let ordering = |(o, column): (&SortExpr, &usize)| Ordering {
            column: *column,
            descending: !o.asc,
            nulls_first: o.nulls_first,
        };
        let order = order.iter().zip(&columns).map(ordering).collect();
        let widened = input.schema.fields().len() > width;
        Ok((input, order, widened.then_some(width)))
    }

    /// The first rows of an order, kept up to date.
    fn first_rows(
        &mut self,
        input: Arc<Step>,
        order: Vec<Ordering>,
        width: Option<usize>,
        skip: u64,
        fetch: u64,
    ) -> SqlResult<Arc<Step>> {
        let rows = Identity::short(format!(
            "{} first {skip} {fetch} by {:?}",
            input.identity.rows,
            self.order_text(&input, &order)
        ));
        let identity = Identity { rows, columns: input.identity.columns.clone() };
        let traits = Traits { updates: true, deletes: true, ..input.traits.clone() };
        let schema = Arc::clone(&input.schema);
        let top = TopN {
            keys: Vec::new(),
            order,
            first: skip + 1,
            last: skip.saturating_add(fetch),
            rank: false,
            windowed: None,
        };
        let step = self.make(Op::TopN(top), vec![input], schema, traits, identity);
        self.first_columns(step, width)
    }

    /// An order in terms of what columns hold.
    pub(super) fn order_text(&self, input: &Step, order: &[Ordering]) -> String {
        let one = |o: &Ordering| {
            let column = &input.identity.columns[o.column];
            format!("{column} {} {}", o.descending, o.nulls_first)
        };
        order.iter().map(one).collect::<Vec<_>>().join(", ")
    }

    /// Takes columns off again that were added at the end.
    pub(super) fn first_columns(
        &mut self,
        step: Arc<Step>,
        width: Option<usize>,
    ) -> SqlResult<Arc<Step>> {
        let Some(width) = width else { return Ok(step) };
        let columns: Vec<usize> = (0..width).collect();
        let schema = Arc::new(step.schema.project(&columns)?);
        self.pick(step, &columns, schema)
    }

    pub(super) fn union(&mut self, union: &Union) -> SqlResult<Arc<Step>> {
        let schema = Arc::new(union.schema.as_arrow().clone());
        let mut inputs = Vec::with_capacity(union.inputs.len());
        for plan in &union.inputs {
            let input = self.step(plan, None)?;
            // All inputs have the names of the union's columns.
            let exprs = super::calc::identity_exprs(&input.schema);
            inputs.push(self.calc(input, None, exprs, Arc::clone(&schema))?);
        }
        Ok(self.union_of(inputs, schema))
    }

    /// Rows of all these steps, which have the same columns.
    pub(super) fn union_of(
        &mut self,
        inputs: Vec<Arc<Step>>,
        schema: datafusion::arrow::datatypes::SchemaRef,
    ) -> Arc<Step> {
        let width = schema.fields().len();
        let common = |column: usize| {
            let mut kinds = inputs.iter().map(|i| time_kind(i, column));
            let first = kinds.next().flatten();
            kinds.all(|k| k == first).then_some(first).flatten()
        };
        let traits = Traits {
            updates: inputs.iter().any(|i| i.traits.updates),
            deletes: inputs.iter().any(|i| i.traits.deletes),
            upserts: false,
            keys: Vec::new(),
            time: (0..width).map(common).collect(),
            window: common_window(&inputs),
            bounded: inputs.iter().all(|i| i.traits.bounded),
        };
        let all = |i: &Arc<Step>| format!("({} {:?})", i.identity.rows, i.identity.columns);
        let texts: Vec<String> = inputs.iter().map(all).collect();
        let rows = Identity::short(format!("union {}", texts.join(" ")));
        let columns = (0..width).map(|c| format!("union column {c}")).collect();
        self.make(Op::Union, inputs, schema, traits, Identity { rows, columns })
    }
}

fn common_window(inputs: &[Arc<Step>]) -> Option<crate::planner::step::WindowColumns> {
    let first = inputs.first()?.traits.window;
    inputs.iter().all(|i| i.traits.window == first).then_some(first).flatten()
}
