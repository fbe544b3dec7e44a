//! A filter and a projection, arranged so that nothing is computed twice and only what is wanted is
//! copied.
//!
//! ```text
//! input ─▶ + shared ─▶ filter ─▶ kept columns ─▶ + shared later ─▶ projection
//! ```
//! An expression that is there more than once is computed once: before the filter if that has it
//! too. It must be one that cannot fail, or whose value is asked for in every row anyway: `a` in
//! `a AND b` is, `b` is not.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::arrow::datatypes::{Field, Schema, SchemaRef};
use datafusion::common::Result;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::logical_expr::Operator;
use datafusion::physical_expr::ScalarFunctionExpr;
use datafusion::physical_expr::expressions::{BinaryExpr, CaseExpr, Column, Literal};

use super::PhysExpr;
use super::case::eager;
use super::total::{is_field, is_immutable, is_place, is_total};

/// The largest expressions that are arranged.
const MOST_NODES: usize = 500;

/// What to compute, in this order.
#[derive(Debug)]
pub(super) struct Arranged {
    /// Over the input: put behind its columns.
    pub shared: Columns,
    /// Over the input and `shared`.
    pub filter: Option<PhysExpr>,
    /// Over the input and `shared`: the columns that are filtered. None: without a filter.
    pub kept: Option<Columns>,
    /// Over what is kept: put behind it.
    pub later: Columns,
    /// Over what is kept and `later`.
    pub project: Vec<PhysExpr>,
}

/// Expressions, and the schema of what they are computed from and they themselves.
#[derive(Debug)]
pub(super) struct Columns {
    pub exprs: Vec<PhysExpr>,
    pub schema: SchemaRef,
}

impl Arranged {
    /// The filter and projection of `input`.
    pub(super) fn new(
        filter: Option<&PhysExpr>,
        project: &[PhysExpr],
        input: &SchemaRef,
    ) -> Result<Arranged> {
        let mut filter = filter.cloned();
        let mut project = project.to_vec();
        if is_large(filter.iter().chain(&project)) {
            let shared = Columns::behind(input, Vec::new())?;
            let later = Columns::behind(input, Vec::new())?;
            let all =
                || (0..input.fields().len()).map(|i| Arc::new(Column::new("", i)) as PhysExpr);
            let kept = filter.is_some().then(|| Columns::of(input, all().collect())).transpose()?;
            return Ok(Arranged { shared, filter, kept, later, project });
        }
        let mut uses = Uses::default();
        filter.iter().for_each(|f| uses.count(f, true));
        let in_filter: Vec<PhysExpr> = uses.0.keys().cloned().collect();
        project.iter().for_each(|e| uses.count(e, false));

        let early = |e: &PhysExpr| uses.is_worth_sharing(e, input) && in_filter.contains(e);
        let mut shared = Pick::new(input.fields().len());
        filter = filter.map(|f| shared.replace(f, &early)).transpose()?;
        for expr in &mut project {
            *expr = shared.replace(Arc::clone(expr), &early)?;
        }
        let shared = Columns::behind(input, shared.picked)?;

        let mut kept = None;
        if filter.is_some() {
            let mut pick = Pick::new(0);
            let wanted = |e: &PhysExpr| e.downcast_ref::<Column>().is_some() || is_field(e);
            for expr in &mut project {
                *expr = pick.replace(Arc::clone(expr), &wanted)?;
            }
            kept = Some(Columns::of(&shared.schema, pick.picked)?);
        }
        let below = kept.as_ref().map_or(&shared.schema, |kept| &kept.schema);

        let mut uses = Uses::default();
        project.iter().for_each(|e| uses.count(e, true));
        let mut later = Pick::new(below.fields().len());
        for expr in &mut project {
            let wanted = |e: &PhysExpr| uses.is_worth_sharing(e, below);
            *expr = later.replace(Arc::clone(expr), &wanted)?;
        }
        let later = Columns::behind(below, later.picked)?;
        let filter = filter.map(eager).transpose()?;
        let project = project.into_iter().map(eager).collect::<Result<_>>()?;
        Ok(Arranged { shared, filter, kept, later, project })
    }
}

/// Whether looking for what expressions have in common, which compares all with all, is too much.
fn is_large<'e>(exprs: impl Iterator<Item = &'e PhysExpr>) -> bool {
    let mut left: Vec<&PhysExpr> = exprs.collect();
    let mut seen = 0;
    while let Some(expr) = left.pop() {
        seen += 1;
        if seen > MOST_NODES {
            return true;
        }
        left.extend(expr.children());
    }
    false
}

impl Columns {
    fn of(input: &SchemaRef, exprs: Vec<PhysExpr>) -> Result<Columns> {
        let fields = exprs.iter().map(|e| Ok(Field::new("", e.data_type(input)?, true)));
        let schema = Arc::new(Schema::new(fields.collect::<Result<Vec<_>>>()?));
        let exprs = exprs.into_iter().map(eager).collect::<Result<_>>()?;
        Ok(Columns { exprs, schema })
    }

    fn behind(input: &SchemaRef, exprs: Vec<PhysExpr>) -> Result<Columns> {
        let Columns { exprs, schema } = Columns::of(input, exprs)?;
        if exprs.is_empty() {
            return Ok(Columns { exprs, schema: Arc::clone(input) });
        }
        let fields: Vec<_> = input.fields().iter().chain(schema.fields()).cloned().collect();
        Ok(Columns { exprs, schema: Arc::new(Schema::new(fields)) })
    }
}

/// How often expressions are used.
#[derive(Default)]
struct Uses(HashMap<PhysExpr, Use>);

#[derive(Default)]
struct Use {
    count: usize,
    /// Whether one of the uses that were counted as certain asks for the value in every row.
    certain: bool,
}

impl Uses {
    fn is_worth_sharing(&self, expr: &PhysExpr, input: &Schema) -> bool {
        let uses = self.0.get(expr).filter(|uses| uses.count > 1);
        uses.is_some_and(|uses| uses.certain || is_total(expr, input))
    }

    fn count(&mut self, expr: &PhysExpr, certain: bool) {
        if is_place(expr) {
            return;
        }
        if is_immutable(expr) {
            let uses = self.0.entry(Arc::clone(expr)).or_default();
            uses.count += 1;
            uses.certain |= certain;
        }
        let first_only = expr.downcast_ref::<CaseExpr>().is_some()
            || expr
                .downcast_ref::<BinaryExpr>()
                .is_some_and(|b| matches!(b.op(), Operator::And | Operator::Or))
            || is_lazy_function(expr);
        for (number, child) in expr.children().into_iter().enumerate() {
            self.count(child, certain && (number == 0 || !first_only));
        }
    }
}

/// Whether a function may leave out arguments behind the first.
fn is_lazy_function(expr: &PhysExpr) -> bool {
    let call = expr.downcast_ref::<ScalarFunctionExpr>();
    call.is_some_and(|call| call.fun().short_circuits())
}

/// Expressions that became columns.
struct Pick {
    first: usize,
    picked: Vec<PhysExpr>,
}

impl Pick {
    fn new(first: usize) -> Self {
        Pick { first, picked: Vec::new() }
    }

    /// The expression with those that are wanted as columns, the outermost first.
    fn replace(&mut self, expr: PhysExpr, wanted: &dyn Fn(&PhysExpr) -> bool) -> Result<PhysExpr> {
        let replace = |e: PhysExpr| {
            if e.downcast_ref::<Literal>().is_some() || !wanted(&e) {
                return Ok(Transformed::no(e));
            }
            let known = self.picked.iter().position(|p| p.eq(&e));
            let at = known.unwrap_or_else(|| {
                self.picked.push(e);
                self.picked.len() - 1
            });
            let column = Arc::new(Column::new("", self.first + at)) as PhysExpr;
            Ok(Transformed::new(column, true, TreeNodeRecursion::Jump))
        };
        expr.transform_down(replace).data()
    }
}
