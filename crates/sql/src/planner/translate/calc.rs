//! Projection and filter: one step computes both, and neighbours become one.

use std::collections::HashSet;
use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, SchemaRef};
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::logical_expr::{Filter, Operator, Projection};
use datafusion::physical_expr::ScalarFunctionExpr;
use datafusion::physical_expr::expressions::{CastExpr, Column, Literal, binary};

use super::{Needed, Translator};
use crate::error::SqlResult;
use crate::planner::step::{Identity, Op, PhysExpr, Step, TimeKind, Traits, WindowColumns};

/// Name of the function that gives processing time.
const PROCTIME: &str = "proctime";

impl Translator {
    pub(super) fn projection(&mut self, projection: &Projection) -> SqlResult<Arc<Step>> {
        let schema = projection.input.schema();
        let exprs: Vec<PhysExpr> =
            projection.expr.iter().map(|e| self.physical(e, schema)).collect::<SqlResult<_>>()?;
        let needed: HashSet<usize> = exprs.iter().flat_map(columns_of).collect();
        let input = self.step(&projection.input, Some(&needed))?;
        let output = Arc::new(projection.schema.as_arrow().clone());
        self.calc(input, None, exprs, output)
    }

    pub(super) fn filter(&mut self, filter: &Filter, needed: Needed<'_>) -> SqlResult<Arc<Step>> {
        if let Some(ranked) = self.ranked(filter, needed)? {
            return Ok(ranked);
        }
        let predicate = self.physical(&filter.predicate, filter.input.schema())?;
        let needed = needed.map(|needed| {
            needed.iter().copied().chain(columns_of(&predicate)).collect::<HashSet<_>>()
        });
        let input = self.step(&filter.input, needed.as_ref())?;
        self.keep(input, predicate)
    }

    /// The rows of a step for which a predicate holds.
    pub(super) fn keep(&mut self, input: Arc<Step>, predicate: PhysExpr) -> SqlResult<Arc<Step>> {
        let (schema, all) = (Arc::clone(&input.schema), identity_exprs(&input.schema));
        self.calc(input, Some(predicate), all, schema)
    }

    /// Columns of a step computed from its rows; merged with the step if that computes too.
    pub(super) fn calc(
        &mut self,
        input: Arc<Step>,
        filter: Option<PhysExpr>,
        project: Vec<PhysExpr>,
        schema: SchemaRef,
    ) -> SqlResult<Arc<Step>> {
        if let Op::Calc { filter: first, project: inner } = &input.op
            && let Some(below) = input.input()
            && may_merge(inner, filter.iter().chain(&project))
        {
            let filter = filter.map(|f| compose(&f, inner)).transpose()?;
            let filter = match (first.clone(), filter) {
                (Some(a), Some(b)) => Some(binary(a, Operator::And, b, &below.schema)?),
                (a, b) => a.or(b),
            };
            let project =
                project.iter().map(|e| compose(e, inner)).collect::<SqlResult<Vec<_>>>()?;
            return self.calc(Arc::clone(below), filter, project, schema);
        }
        if filter.is_none() && is_identity(&project, &input.schema) && same(&schema, &input.schema)
        {
            return Ok(input);
        }
        let (traits, identity) = describe(&input, filter.as_ref(), &project)?;
        Ok(self.make(Op::Calc { filter, project }, vec![input], schema, traits, identity))
    }

    /// Some columns of a step, in that order.
    pub(super) fn pick(
        &mut self,
        input: Arc<Step>,
        columns: &[usize],
        schema: SchemaRef,
    ) -> SqlResult<Arc<Step>> {
        let project = columns.iter().map(|c| column(&input.schema, *c)).collect();
        self.calc(input, None, project, schema)
    }
}

fn same(a: &SchemaRef, b: &SchemaRef) -> bool {
    a.fields().len() == b.fields().len()
        && a.fields()
            .iter()
            .zip(b.fields())
            .all(|(a, b)| a.name() == b.name() && a.data_type() == b.data_type())
}

/// The expression that is a column of a schema.
pub(super) fn column(schema: &SchemaRef, index: usize) -> PhysExpr {
    Arc::new(Column::new(schema.field(index).name(), index))
}

/// All columns of a schema.
pub(super) fn identity_exprs(schema: &SchemaRef) -> Vec<PhysExpr> {
    (0..schema.fields().len()).map(|c| column(schema, c)).collect()
}

fn is_identity(project: &[PhysExpr], schema: &SchemaRef) -> bool {
    project.len() == schema.fields().len()
        && project.iter().enumerate().all(|(i, e)| column_of(e) == Some(i))
}

/// The index of the column that an expression is.
pub(crate) fn column_of(expr: &PhysExpr) -> Option<usize> {
    expr.downcast_ref::<Column>().map(Column::index)
}

/// The columns that an expression reads.
pub(super) fn columns_of(expr: &PhysExpr) -> Vec<usize> {
    let mut columns = Vec::new();
    // The closure never fails.
    let _ = expr.apply(|e| {
        columns.extend(column_of(e));
        Ok(TreeNodeRecursion::Continue)
    });
    columns
}

/// `outer` over what `inner` computes, as one expression.
pub(super) fn compose(outer: &PhysExpr, inner: &[PhysExpr]) -> SqlResult<PhysExpr> {
    let composed = Arc::clone(outer).transform_up(|e| {
        Ok(match column_of(&e).and_then(|c| inner.get(c)) {
            Some(replacement) => Transformed::yes(Arc::clone(replacement)),
            None => Transformed::no(e),
        })
    });
    Ok(composed.data()?)
}

/// Whether merging evaluates no costly expression more often than before.
fn may_merge<'a>(inner: &[PhysExpr], outer: impl Iterator<Item = &'a PhysExpr>) -> bool {
    let mut uses = vec![0usize; inner.len()];
    for column in outer.flat_map(columns_of) {
        if let Some(count) = uses.get_mut(column) {
            *count += 1;
        }
    }
    inner.iter().zip(uses).all(|(expr, uses)| uses <= 1 || is_cheap(expr))
}

fn is_cheap(expr: &PhysExpr) -> bool {
    let field = |f: &ScalarFunctionExpr| f.name() == "get_field" && f.args().iter().all(is_cheap);
    expr.downcast_ref::<Column>().is_some()
        || expr.downcast_ref::<Literal>().is_some()
        || expr.downcast_ref::<ScalarFunctionExpr>().is_some_and(field)
}

/// What an expression computes, in terms of what the columns hold.
pub(super) fn meaning(expr: &PhysExpr, columns: &[String]) -> SqlResult<String> {
    let named = Arc::clone(expr).transform_up(|e| {
        Ok(match column_of(&e).and_then(|c| columns.get(c)) {
            Some(text) => Transformed::yes(Arc::new(Column::new(text, 0)) as PhysExpr),
            None => Transformed::no(e),
        })
    });
    let text = match column_of(expr).and_then(|c| columns.get(c)) {
        Some(text) => text.clone(),
        None => named.data()?.to_string(),
    };
    Ok(Identity::short(text))
}

fn describe(
    input: &Step,
    filter: Option<&PhysExpr>,
    project: &[PhysExpr],
) -> SqlResult<(Traits, Identity)> {
    let columns = &input.identity.columns;
    let meanings = project.iter().map(|e| meaning(e, columns)).collect::<SqlResult<_>>()?;
    let rows = match filter {
        None => input.identity.rows.clone(),
        Some(filter) => {
            let filter = meaning(filter, columns)?;
            Identity::short(format!("{} where {filter}", input.identity.rows))
        }
    };
    let traits = through(&input.traits, &input.schema, project);
    Ok((traits, Identity { rows, columns: meanings }))
}

/// What is known of rows after columns are computed from them.
fn through(traits: &Traits, schema: &SchemaRef, project: &[PhysExpr]) -> Traits {
    let place = |column: usize| project.iter().position(|e| column_of(e) == Some(column));
    let unique_place = |column: usize| {
        project.iter().position(|e| column_of(&without_lossless_casts(e, schema)) == Some(column))
    };
    let keys = traits.keys.iter().filter_map(|key| {
        key.iter().map(|column| unique_place(*column)).collect::<Option<Vec<_>>>()
    });
    let time = |e: &PhysExpr| match column_of(e) {
        Some(column) => traits.time.get(column).copied().flatten(),
        None => is_proctime(e).then_some(TimeKind::Proc),
    };
    let window = traits.window.map(|w| WindowColumns {
        start: w.start.and_then(place),
        end: w.end.and_then(place),
        time: w.time.and_then(place),
        kind: w.kind,
    });
    Traits {
        keys: keys.collect(),
        time: project.iter().map(time).collect(),
        window: window.filter(|w| w.start.is_some() || w.end.is_some() || w.time.is_some()),
        ..traits.clone()
    }
}

fn is_proctime(expr: &PhysExpr) -> bool {
    let call = expr.downcast_ref::<ScalarFunctionExpr>();
    call.is_some_and(|call| call.name().eq_ignore_ascii_case(PROCTIME))
}

/// What is cast, if the cast keeps different values different.
fn without_lossless_casts(expr: &PhysExpr, schema: &SchemaRef) -> PhysExpr {
    let Some(cast) = expr.downcast_ref::<CastExpr>() else { return Arc::clone(expr) };
    let Some(column) = column_of(cast.expr()) else { return Arc::clone(expr) };
    let lossless = match (schema.field(column).data_type(), cast.cast_type()) {
        (DataType::Timestamp(from, _), DataType::Timestamp(to, _)) => from <= to,
        (from, to) if from.is_signed_integer() && to.is_signed_integer() => {
            from.primitive_width() <= to.primitive_width()
        }
        (from, to) => from == to,
    };
    if lossless { Arc::clone(cast.expr()) } else { Arc::clone(expr) }
}
