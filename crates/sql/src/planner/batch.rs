//! Bounded queries on DataFusion itself: our nodes become plain ones, tables become providers.
//!
//! Invariant: the answer is the streaming one's, folded. Where SQL leaves an order open (rows that
//! rank alike), the order of arrival decides here too.

use std::sync::Arc;

use datafusion::catalog::default_table_source::provider_as_source;
use datafusion::common::tree_node::Transformed;
use datafusion::common::{DataFusionError, Result};
use datafusion::execution::session_state::SessionState;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{LogicalPlan, TableScan};
use datafusion::physical_plan::display::DisplayableExecutionPlan;
use datafusion::physical_plan::{ExecutionPlan, displayable, execute_stream};
use datafusion::physical_planner::{DefaultPhysicalPlanner, PhysicalPlanner};

use correlate::CorrelatePlanner;

use super::nodes::{WatermarkNode, WindowTvf};
use super::tables::connector_table;
use crate::connectors::batch::Refusals;
use crate::connectors::{self, ConnectorContext};
use crate::error::{SqlError, SqlResult, codes};

mod correlate;
mod floats;
mod sums;
mod ties;
mod windows;

/// A query that DataFusion runs.
pub(crate) struct BatchQuery {
    optimized: LogicalPlan,
    plan: Arc<dyn ExecutionPlan>,
    state: SessionState,
}

impl BatchQuery {
    /// The plan of a bounded query for DataFusion.
    ///
    /// # Errors
    /// When a table does not end, or the plan cannot be made.
    pub(crate) async fn plan(
        state: &SessionState,
        plan: LogicalPlan,
        cx: &ConnectorContext,
    ) -> SqlResult<BatchQuery> {
        let mut refused = None;
        let plain =
            ties::keep_last(plan)?.transform_up_with_subqueries(|node| match in_batch(node, cx) {
                Ok(node) => Ok(node),
                Err(error) => {
                    let message = error.message.clone();
                    refused.get_or_insert(error);
                    Err(DataFusionError::Plan(message))
                }
            });
        let plain = match (plain, refused) {
            (_, Some(error)) => return Err(error),
            (plain, None) => plain?.data,
        };
        let mut state = state.clone();
        // What reads the clock gives the time at which the query started.
        state.mark_start_execution();
        let optimized = state.optimize(&plain)?;
        let planner =
            DefaultPhysicalPlanner::with_extension_planners(vec![Arc::new(CorrelatePlanner)]);
        let plan = planner.create_physical_plan(&optimized, &state).await?;
        Ok(BatchQuery { optimized, plan, state })
    }

    /// The logical plan after optimisation and the physical one, as text.
    pub(crate) fn texts(&self) -> (String, String) {
        let physical = displayable(self.plan.as_ref()).indent(false).to_string();
        (self.optimized.display_indent().to_string(), physical)
    }

    /// The physical plan with the figures of its run, as text.
    pub(crate) fn measured(&self) -> String {
        DisplayableExecutionPlan::with_metrics(self.plan.as_ref()).indent(false).to_string()
    }

    /// Starts the query; `refusals` is told of the records that it cannot read.
    pub(crate) fn stream(&self, refusals: Refusals) -> Result<SendableRecordBatchStream> {
        let config = self.state.config().clone().with_extension(Arc::new(refusals));
        let context = TaskContext::from(&self.state).with_session_config(config);
        execute_stream(Arc::clone(&self.plan), Arc::new(context))
    }
}

/// A node of ours, or that needs something of us, as DataFusion runs it.
fn in_batch(plan: LogicalPlan, cx: &ConnectorContext) -> SqlResult<Transformed<LogicalPlan>> {
    match plan {
        LogicalPlan::TableScan(scan) => provided(scan, cx),
        LogicalPlan::Window(window) => {
            let settled = ties::settle(window)?;
            match settled.data {
                LogicalPlan::Window(window) => Ok(sums::widen_over(window)?),
                data => Ok(Transformed { data, ..settled }),
            }
        }
        LogicalPlan::Extension(extension) => {
            let node = extension.node.as_any();
            if let Some(watermark) = node.downcast_ref::<WatermarkNode>() {
                return Ok(Transformed::yes(watermark.input.clone()));
            }
            if let Some(window) = node.downcast_ref::<WindowTvf>() {
                return Ok(Transformed::yes(windows::plain(window)?));
            }
            Ok(Transformed::no(LogicalPlan::Extension(extension)))
        }
        LogicalPlan::Aggregate(aggregate) => {
            sums::widen(windows::sessions_by_group(aggregate)?).map_err(SqlError::from)
        }
        other => Ok(Transformed::no(other)),
    }
}

fn provided(scan: TableScan, cx: &ConnectorContext) -> SqlResult<Transformed<LogicalPlan>> {
    let Some(table) = connector_table(&scan) else {
        return Ok(Transformed::no(LogicalPlan::TableScan(scan)));
    };
    let Some(provider) = connectors::provider(&table.table, cx)? else {
        let message =
            format!("table {} does not end, and batch mode runs to the end", scan.table_name);
        return Err(SqlError::new(codes::NOT_BOUNDED, message)
            .help("SET 'execution.runtime-mode' = 'streaming'"));
    };
    let source = provider_as_source(provider);
    Ok(Transformed::yes(LogicalPlan::TableScan(TableScan { source, ..scan })))
}
