//! From the logical plans of a job to what the engine runs.

use std::sync::Arc;

use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::LogicalPlan;
use headwater_topology::erased::AnySink;

use super::build::Output;
use super::changelog::delivery;
use super::growth::{all_steps, unbounded};
use super::logical::optimize;
use super::prune::prune;
use super::step::{Op, Step};
use super::translate::Translator;
use crate::connectors::{ChangelogMode, ConnectorContext};
use crate::error::{SqlError, SqlResult};

/// A query and where its rows go.
pub(crate) struct Routed {
    /// The query, typed.
    pub plan: LogicalPlan,
    /// Name of the sink.
    pub name: String,
    /// The sink.
    pub sink: Arc<dyn AnySink>,
    /// What it takes.
    pub accepts: ChangelogMode,
}

/// Queries that run as one job.
pub(crate) struct StreamJob {
    /// The plans after optimisation, for EXPLAIN.
    pub plans: Vec<LogicalPlan>,
    /// What the engine is to run.
    pub outputs: Vec<Output>,
    /// What of its state could grow for ever.
    pub grows: Vec<String>,
}

/// Plans a job.
///
/// # Errors
/// When a query cannot run on rows that come one after the other, or a sink cannot take its
/// changes.
pub(crate) fn stream_job(
    state: &SessionState,
    routed: Vec<Routed>,
    connectors: &ConnectorContext,
) -> SqlResult<StreamJob> {
    let mut plans = Vec::with_capacity(routed.len());
    let mut sinks = Vec::with_capacity(routed.len());
    for Routed { plan, name, sink, accepts } in routed {
        plans.push(optimize(state, plan)?);
        sinks.push((name, sink, accepts));
    }
    let steps = steps_of(state, &plans, connectors)?;
    let mut outputs = Vec::with_capacity(plans.len());
    for (step, (name, sink, accepts)) in steps.into_iter().zip(sinks) {
        let delivery = delivery(&step, &accepts, &name)?;
        outputs.push(Output { step, delivery, name, sink });
    }
    let grows = unbounded(outputs.iter().map(|o| &o.step));
    Ok(StreamJob { plans, outputs, grows })
}

/// The steps of one query.
///
/// # Errors
/// When it cannot run on rows that come one after the other.
pub(crate) fn query_step(
    state: &SessionState,
    plan: LogicalPlan,
    connectors: &ConnectorContext,
) -> SqlResult<Arc<Step>> {
    let mut steps = steps_of(state, &[optimize(state, plan)?], connectors)?;
    steps.pop().ok_or_else(|| SqlError::internal("a query without a step"))
}

fn steps_of(
    state: &SessionState,
    plans: &[LogicalPlan],
    connectors: &ConnectorContext,
) -> SqlResult<Vec<Arc<Step>>> {
    let mut translator = Translator::new(state, plans, connectors.clone())?;
    let steps = plans.iter().map(|p| translator.translate(p)).collect::<SqlResult<Vec<_>>>()?;
    let early = |step: &&Arc<Step>| matches!(step.op, Op::WindowedGroup { early: Some(_), .. });
    if connectors.early_is_asked && !all_steps(steps.iter()).iter().any(early) {
        return Err(SqlError::unsupported("EMIT EVERY without a window in event time")
            .help("leave it out: queries without windows change their results as rows come"));
    }
    prune(steps, connectors)
}
