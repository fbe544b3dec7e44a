//! From a logical plan to [`Step`]s.
//!
//! Equal steps are made once: what several queries of one job have in common, their sources first
//! of all, is read and computed once.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{DFSchema, JoinType, NullEquality};
use datafusion::execution::context::ExecutionProps;
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion::logical_expr::{Expr, Join, LogicalPlan, Subquery};
use datafusion::physical_expr::create_physical_expr;

use super::nodes::correlate::CorrelateNode;
use super::nodes::{WatermarkNode, WindowTvf};
use super::step::{Identity, Op, PhysExpr, Step, Traits};
use super::tables::connector_table;
use crate::connectors::ConnectorContext;
use crate::error::{SqlError, SqlResult};

mod aggregate;
mod calc;
mod correlate;
mod grouping_sets;
mod order;
mod over;
mod rank;
mod scan;
mod window;

pub(crate) use calc::column_of;
pub(crate) use rank::recognize;

/// Makes steps of the plans of one job.
pub(crate) struct Translator {
    props: ExecutionProps,
    /// Steps made, by what they do and compute.
    made: HashMap<String, Arc<Step>>,
    /// Columns read of each table, by any of the job's queries.
    read: HashMap<String, BTreeSet<usize>>,
    /// Window nodes that became something else: by address, as their parents refer to them.
    replaced: HashMap<*const LogicalPlan, Arc<Step>>,
    /// What connectors need to know.
    connectors: ConnectorContext,
}

/// The columns of a plan that somebody above it uses; none: all.
type Needed<'a> = Option<&'a HashSet<usize>>;

impl Translator {
    /// A translator for these plans, which are then given to [`Translator::translate`].
    pub fn new<'p>(
        state: &SessionState,
        plans: impl IntoIterator<Item = &'p LogicalPlan>,
        connectors: ConnectorContext,
    ) -> SqlResult<Self> {
        let mut props = state.execution_props().clone();
        props.config_options = Some(Arc::clone(state.config_options()));
        let mut read: HashMap<String, BTreeSet<usize>> = HashMap::new();
        for plan in plans {
            plan.apply_with_subqueries(|node| {
                if let LogicalPlan::TableScan(scan) = node
                    && let Some(table) = connector_table(scan)
                {
                    let columns = read.entry(table.table.name.clone()).or_default();
                    match &scan.projection {
                        Some(projection) => columns.extend(projection),
                        None => columns.extend(0..table.schema.fields().len()),
                    }
                }
                Ok(TreeNodeRecursion::Continue)
            })?;
        }
        let (made, replaced) = (HashMap::new(), HashMap::new());
        Ok(Translator { props, made, read, replaced, connectors })
    }

    /// The steps of a plan.
    ///
    /// # Errors
    /// When a part of it cannot run on rows that come one after the other, naming the part.
    pub fn translate(&mut self, plan: &LogicalPlan) -> SqlResult<Arc<Step>> {
        self.step(plan, None)
    }

    fn step(&mut self, plan: &LogicalPlan, needed: Needed<'_>) -> SqlResult<Arc<Step>> {
        if let Some(step) = self.replaced.get(&std::ptr::from_ref(plan)) {
            return Ok(Arc::clone(step));
        }
        refuse_subqueries(plan)?;
        match plan {
            LogicalPlan::TableScan(scan) => self.scan(scan),
            LogicalPlan::EmptyRelation(empty) => self.empty(empty),
            LogicalPlan::Values(values) => self.values(values),
            LogicalPlan::SubqueryAlias(alias) => self.step(&alias.input, needed),
            LogicalPlan::Projection(projection) => self.projection(projection),
            LogicalPlan::Filter(filter) => self.filter(filter, needed),
            LogicalPlan::Aggregate(aggregate) => self.aggregate(aggregate),
            LogicalPlan::Window(window) => self.over(window),
            LogicalPlan::Sort(sort) => self.sort(sort),
            LogicalPlan::Limit(limit) => self.limit(limit),
            LogicalPlan::Union(union) => self.union(union),
            LogicalPlan::Extension(extension) => {
                let node = extension.node.as_any();
                if let Some(window) = node.downcast_ref::<WindowTvf>() {
                    self.window_tvf(window)
                } else if let Some(watermark) = node.downcast_ref::<WatermarkNode>() {
                    self.watermark(watermark)
                } else if let Some(node) = node.downcast_ref::<CorrelateNode>() {
                    self.correlate(node)
                } else {
                    Err(SqlError::internal(format!("no step for {}", extension.node.name())))
                }
            }
            LogicalPlan::Join(join) => {
                let clause = clause_of(join);
                Err(SqlError::unsupported(format!("{clause} in a streaming query")).help(
                    "joins come next; over bounded tables, SET 'execution.runtime-mode' = 'batch'",
                ))
            }
            LogicalPlan::Unnest(_) => {
                Err(SqlError::unsupported("UNNEST in the SELECT list of a streaming query")
                    .help("it stands in FROM: FROM t, UNNEST(t.a) AS u (x)"))
            }
            LogicalPlan::RecursiveQuery(_) => {
                Err(SqlError::unsupported("WITH RECURSIVE in a streaming query"))
            }
            LogicalPlan::Distinct(_) => {
                Err(SqlError::unsupported("DISTINCT ON in a streaming query")
                    .help("write ROW_NUMBER() OVER (PARTITION BY … ORDER BY …) and keep row 1"))
            }
            other => Err(SqlError::unsupported(format!("{} in a streaming query", name(other)))),
        }
    }

    /// An expression over the columns of `schema`.
    fn physical(&self, expr: &Expr, schema: &DFSchema) -> SqlResult<PhysExpr> {
        let planning = PhysicalPlanningContext::default();
        Ok(create_physical_expr(expr, schema, &self.props, &planning)?)
    }

    /// Makes a step, or finds the one that is equal to it.
    fn make(
        &mut self,
        op: Op,
        inputs: Vec<Arc<Step>>,
        schema: SchemaRef,
        traits: Traits,
        identity: Identity,
    ) -> Arc<Step> {
        let step = Step { op, inputs, schema, traits, identity };
        let inputs: Vec<_> = step.inputs.iter().map(Arc::as_ptr).collect();
        let key = format!("{:?} {inputs:?} {:?} {:?}", step.op, step.identity, step.schema);
        Arc::clone(self.made.entry(key).or_insert_with(|| Arc::new(step)))
    }
}

/// What the text says where the plan has a join.
fn clause_of(join: &Join) -> &'static str {
    match (join.null_equality, join.join_type) {
        (NullEquality::NullEqualsNull, JoinType::LeftSemi) => "INTERSECT",
        (NullEquality::NullEqualsNull, JoinType::LeftAnti) => "EXCEPT",
        _ => "JOIN",
    }
}

fn name(plan: &LogicalPlan) -> String {
    let line = plan.display().to_string();
    line.split([':', ' ', '(']).next().unwrap_or_default().to_owned()
}

/// Refuses subqueries in expressions: they are joins.
fn refuse_subqueries(plan: &LogicalPlan) -> SqlResult<()> {
    let mut found: Option<&'static str> = None;
    plan.apply_expressions(|expr| {
        expr.apply(|e| {
            found = match e {
                Expr::InSubquery(_) => Some("IN (SELECT …)"),
                Expr::Exists(_) => Some("EXISTS (SELECT …)"),
                Expr::ScalarSubquery(Subquery { .. }) => Some("a subquery as a value"),
                Expr::SetComparison(_) => Some("ANY or ALL (SELECT …)"),
                _ => found,
            };
            Ok(TreeNodeRecursion::Continue)
        })
    })?;
    match found {
        None => Ok(()),
        Some(what) => Err(SqlError::unsupported(format!("{what} in a streaming query"))
            .help("it is a kind of join, and joins come next")),
    }
}
