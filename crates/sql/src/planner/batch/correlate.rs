//! Table functions in a plan of DataFusion: the node of ours as a node that runs there.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::Session;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{DataFusionError, Result, internal_err};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{LogicalPlan, UserDefinedLogicalNode, UserDefinedLogicalNodeCore};
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, PlanProperties,
};
use datafusion::physical_planner::{ExtensionPlanner, PhysicalPlanner};
use futures::{Stream, StreamExt};
use headwater_core::{Error, ErrorKind};

use crate::operators::correlate::{Correlated, Correlation};
use crate::planner::nodes::correlate::CorrelateNode;
use crate::rows::Chunk;

/// Makes the nodes that run.
pub(super) struct CorrelatePlanner;

#[async_trait]
impl ExtensionPlanner for CorrelatePlanner {
    async fn plan_extension(
        &self,
        _planner: &dyn PhysicalPlanner,
        node: &dyn UserDefinedLogicalNode,
        _logical_inputs: &[&LogicalPlan],
        physical_inputs: &[Arc<dyn ExecutionPlan>],
        _session: &dyn Session,
        _planning: &datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext,
    ) -> Result<Option<Arc<dyn ExecutionPlan>>> {
        let Some(node) = node.as_any().downcast_ref::<CorrelateNode>() else { return Ok(None) };
        let [input] = physical_inputs else {
            return internal_err!("a table function has one input");
        };
        let schema = Arc::new(UserDefinedLogicalNodeCore::schema(node).as_arrow().clone());
        let correlation = node.correlation()?;
        Ok(Some(Arc::new(CorrelateExec::new(correlation, Arc::clone(input), schema))))
    }
}

/// A [`CorrelateNode`] that runs.
///
/// It keeps the order of rows and does not say so: DataFusion would put sorts beneath it, by columns
/// that are elsewhere there.
#[derive(Debug)]
struct CorrelateExec {
    correlation: Correlation,
    input: Arc<dyn ExecutionPlan>,
    schema: SchemaRef,
    properties: Arc<PlanProperties>,
}

impl CorrelateExec {
    fn new(correlation: Correlation, input: Arc<dyn ExecutionPlan>, schema: SchemaRef) -> Self {
        let properties = PlanProperties::new(
            EquivalenceProperties::new(Arc::clone(&schema)),
            input.output_partitioning().clone(),
            input.pipeline_behavior(),
            input.boundedness(),
        );
        CorrelateExec { correlation, input, schema, properties: Arc::new(properties) }
    }
}

impl DisplayAs for CorrelateExec {
    fn fmt_as(&self, _form: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let join = if self.correlation.outer { "LEFT" } else { "INNER" };
        write!(f, "CorrelateExec: call={}, joinType={join}", self.correlation.function.name())
    }
}

impl ExecutionPlan for CorrelateExec {
    fn name(&self) -> &str {
        "CorrelateExec"
    }
    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }
    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }
    fn apply_expressions(
        &self,
        _f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }
    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let Some(input) = children.into_iter().next() else {
            return internal_err!("a table function has one input");
        };
        Ok(Arc::new(Self::new(self.correlation.clone(), input, Arc::clone(&self.schema))))
    }
    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let input = self.input.execute(partition, context)?;
        let rows = correlated(input, self.correlation.clone(), Arc::clone(&self.schema));
        Ok(Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.schema), rows)))
    }
}

/// The rows of `input` beside what the function makes of each.
fn correlated(
    input: SendableRecordBatchStream,
    correlation: Correlation,
    schema: SchemaRef,
) -> impl Stream<Item = Result<RecordBatch>> {
    input.flat_map(move |batch| {
        let started = batch
            .and_then(|batch| correlation.start(&Chunk::inserts(batch), &schema).map_err(failed));
        let (error, rows) = match started {
            Ok(rows) => (None, Some(rows)),
            Err(error) => (Some(Err(error)), None),
        };
        let pieces = rows.into_iter().flat_map(|rows| Pieces(Some(rows)));
        futures::stream::iter(error.into_iter().chain(pieces))
    })
}

/// An error of a function, as the streaming operator's would be told.
fn failed(error: Error) -> DataFusionError {
    match error.kind() {
        ErrorKind::Data => DataFusionError::Execution(error.to_string()),
        _ => DataFusionError::External(Box::new(error)),
    }
}

/// What comes of one batch, up to the first error.
struct Pieces(Option<Correlated>);

impl Iterator for Pieces {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.0.as_mut()?.next() {
            Ok(chunk) => chunk.map(|chunk| Ok(chunk.data)),
            Err(error) => {
                self.0 = None;
                Some(Err(failed(error)))
            }
        }
    }
}
