//! Running queries: as jobs of the engine, or on DataFusion where all rows are there.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use datafusion::arrow::array::RecordBatch;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::logical_expr::LogicalPlan;
use datafusion::sql::sqlparser::ast::Query;
use futures::StreamExt;
use headwater_core::Error;
use headwater_runtime::Config;
use headwater_topology::Topology;

use super::Session;
use super::evolution::Evolution;
use super::hints::{emit_every, state_ttl};
use super::left_out::LeftOut;
use super::live::{LiveQuery, LiveSink};
use super::outcome::{Job, Outcome, RowSet};
use super::settings::{
    CHECKPOINT_DIR, CHECKPOINT_INTERVAL, EARLY_FIRE, EARLY_FIRE_DELAY, IDLE_TIMEOUT, JOB_NAME,
    MAX_PARALLELISM, PARALLELISM, RUNTIME_MODE, STATE_TTL,
};
use crate::catalog::Table;
use crate::connectors::batch::Refusals;
use crate::connectors::{self, ChangelogMode, ConnectorContext, TableSink, filesystem};
use crate::error::{SqlError, SqlResult, codes};
use crate::operators::chunks::datafusion_error;
use crate::planner::batch::BatchQuery;
use crate::planner::build::{Output, Tuning, topology};
use crate::planner::changelog::Delivery;
use crate::planner::context::Context;
use crate::planner::feed::{Feed, Made};
use crate::planner::growth::refuse_unbounded;
use crate::planner::job::{Routed, StreamJob, stream_job};
use crate::planner::step::{Identity, Op, Step, Traits};
use crate::planner::tables::connector_table;
use crate::planner::{insert, logical};
use crate::splits::SplitBoard;
use crate::stack::with_room;
use crate::syntax::Insert;

/// What names of files begin with.
const FILE_PREFIX: &str = "sink.file-prefix";

/// How often a query that runs to its end looks whether it was cancelled.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// How a query is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    Streaming,
    Batch,
}

impl Session {
    /// A query's plan with the functions of a mode.
    pub(super) fn plan(&self, query: &Query, mode: Mode) -> SqlResult<LogicalPlan> {
        emit_every([query])?;
        let state = match mode {
            Mode::Streaming => &self.streaming,
            Mode::Batch => &self.batch,
        };
        logical::query_plan(
            &Context::new(state, &self.catalog, &self.table_functions),
            query.clone(),
        )
    }

    /// How these queries are run: as set, and if that is left open, as a batch if all tables end.
    pub(super) fn mode_of<'q>(
        &self,
        queries: impl IntoIterator<Item = &'q Query>,
    ) -> SqlResult<Mode> {
        match self.settings.get(RUNTIME_MODE) {
            Some("streaming") => return Ok(Mode::Streaming),
            Some("batch") => return Ok(Mode::Batch),
            _ => {}
        }
        for query in queries {
            if !self.is_bounded(&self.plan(query, Mode::Streaming)?)? {
                return Ok(Mode::Streaming);
            }
        }
        Ok(Mode::Batch)
    }

    fn is_bounded(&self, plan: &LogicalPlan) -> SqlResult<bool> {
        let connectors = self.connectors();
        let mut bounded = Ok(true);
        plan.apply_with_subqueries(|node| {
            if let LogicalPlan::TableScan(scan) = node
                && let Some(table) = connector_table(scan)
            {
                match connectors::source(&table.table, None, &connectors) {
                    Ok(source) if source.bounded => {}
                    Ok(_) => bounded = bounded.clone().map(|_| false),
                    Err(error) => {
                        bounded = Err(error);
                        return Ok(TreeNodeRecursion::Stop);
                    }
                }
            }
            Ok(TreeNodeRecursion::Continue)
        })?;
        bounded
    }

    pub(super) fn connectors(&self) -> ConnectorContext {
        let mut cx = ConnectorContext::new(self.config().workers);
        cx.out.clone_from(&self.options.out);
        cx.streams = Arc::clone(&self.streams);
        cx
    }

    /// What the plans of streaming queries need to know.
    pub(super) fn streaming_connectors<'q>(
        &self,
        queries: impl IntoIterator<Item = &'q Query>,
    ) -> SqlResult<ConnectorContext> {
        let mut cx = self.connectors();
        let set = self.settings.get(EARLY_FIRE) == Some("true");
        let delay = self.settings.duration(EARLY_FIRE_DELAY).filter(|_| set);
        let asked = emit_every(queries)?;
        cx.early_is_asked = asked.is_some();
        cx.early = asked.or(delay);
        Ok(cx)
    }

    /// The configuration of the next job.
    pub(super) fn config(&self) -> Config {
        let mut config = self.options.config.clone();
        if let Some(workers) = self.settings.count(PARALLELISM).filter(|w| *w > 0) {
            config.workers = usize::try_from(workers).unwrap_or(config.workers);
        }
        if let Some(interval) = self.settings.duration(CHECKPOINT_INTERVAL) {
            config.checkpoints.interval = (!interval.is_zero()).then_some(interval);
        }
        if let Some(location) = self.settings.get(CHECKPOINT_DIR) {
            config.checkpoints.location = Some(location.to_owned());
        }
        config
    }

    /// What settings and hints say about the operators of these queries.
    pub(super) fn tuning<'q>(
        &self,
        queries: impl IntoIterator<Item = &'q Query>,
    ) -> SqlResult<Tuning> {
        let groups = self.settings.count(MAX_PARALLELISM).unwrap_or(1024);
        let hinted = state_ttl(queries)?;
        let ttl = hinted.or_else(|| self.settings.duration(STATE_TTL));
        Ok(Tuning {
            max_parallelism: u16::try_from(groups.max(1)).unwrap_or(u16::MAX),
            consents: self.options.allow_unbounded_state || ttl.is_some(),
            ttl: ttl.filter(|ttl| !ttl.is_zero()),
            idle_after: self.settings.duration(IDLE_TIMEOUT).filter(|idle| !idle.is_zero()),
            splits: SplitBoard::default(),
            alignments: Arc::default(),
        })
    }

    /// The rows of a query: all of them, or as they come.
    pub(super) fn select(&mut self, query: &Query) -> SqlResult<Outcome> {
        match self.mode_of([query])? {
            Mode::Batch => {
                let plan = self.plan(query, Mode::Batch)?;
                self.rows(plan).map(Outcome::Rows)
            }
            Mode::Streaming => {
                let plan = self.plan(query, Mode::Streaming)?;
                let tuning = self.tuning([query])?;
                self.live(query, plan, tuning).map(|live| Outcome::Live(Box::new(live)))
            }
        }
    }

    fn rows(&self, plan: LogicalPlan) -> SqlResult<RowSet> {
        let schema = Arc::new(plan.schema().as_arrow().clone());
        let mut batches = Vec::new();
        let (_, warnings) = self.run_batch(plan, |batch| batches.push(batch))?;
        Ok(RowSet { schema, batches, warnings })
    }

    /// Runs a bounded query to its end: the query as it ran, and what the reader should know.
    pub(super) fn run_batch(
        &self,
        plan: LogicalPlan,
        mut take: impl FnMut(RecordBatch),
    ) -> SqlResult<(BatchQuery, Vec<String>)> {
        let connectors = self.connectors();
        let left_out = Arc::new(LeftOut::default());
        let told = Arc::clone(&left_out);
        let refusals = Refusals(Box::new(move |table, _policy, records| {
            told.add(table, &records);
            true
        }));
        let query = self.runtime.block_on(async {
            let query = BatchQuery::plan(&self.batch, plan, &connectors).await?;
            let mut stream = query.stream(refusals)?;
            loop {
                match tokio::time::timeout(LOOK_EVERY, stream.next()).await {
                    Ok(Some(batch)) => take(batch?),
                    Ok(None) => return SqlResult::Ok(query),
                    Err(_elapsed) => {}
                }
                self.refuse_cancelled()?;
            }
        })?;
        Ok((query, left_out.warnings()))
    }

    fn refuse_cancelled(&self) -> SqlResult<()> {
        match &self.options.cancelled {
            Some(cancelled) if cancelled.load(Relaxed) => {
                Err(SqlError::new(codes::CANCELLED, "the query was cancelled"))
            }
            _ => Ok(()),
        }
    }

    fn live(&self, query: &Query, plan: LogicalPlan, tuning: Tuning) -> SqlResult<LiveQuery> {
        let sink = Arc::new(LiveSink::new());
        let name = "select".to_owned();
        let accepts = ChangelogMode::Retract;
        let routed = Routed { plan, name, sink: Arc::clone(&sink) as _, accepts };
        let connectors = self.streaming_connectors([query])?;
        let job = stream_job(&self.streaming, vec![routed], &connectors)?;
        let mut warnings = Vec::new();
        if !tuning.consents {
            warnings.extend(job.grows.iter().map(|grows| format!("{grows}, for ever")));
        }
        let output = job.outputs.first();
        let output = output.ok_or_else(|| SqlError::internal("a query without an output"))?;
        let schema = Arc::clone(&output.step.schema);
        let changelog = match &output.delivery {
            Delivery::Append => ChangelogMode::Append,
            _ => ChangelogMode::Retract,
        };
        let topology = topology("select", &job.outputs, &tuning)?;
        let mut config = self.config();
        // What a reader sees is not kept: there is nothing to go on from.
        config.checkpoints.location = None;
        config.checkpoints.interval = None;
        let handle = headwater_runtime::start(topology, config)?;
        let query = LiveQuery::new(schema, changelog, warnings, tuning.splits, handle, &sink)?;
        Ok(query.ending_with(&output.step))
    }

    /// Runs inserts as one job.
    pub(super) fn insert(&mut self, inserts: &[Insert]) -> SqlResult<Outcome> {
        let mode = self.mode_of(inserts.iter().map(|i| i.query.as_ref()))?;
        let sinks: Vec<String> = inserts.iter().map(|i| i.target.to_string()).collect();
        let name = self.job_name(&sinks);
        let tuning = self.tuning(inserts.iter().map(|i| i.query.as_ref()))?;
        let (topology, bounded) = match mode {
            Mode::Streaming => {
                let job = self.insert_job(inserts)?;
                if !tuning.consents {
                    refuse_unbounded(&job.grows)?;
                }
                let bounded = job.outputs.iter().all(|o| o.step.traits.bounded);
                (topology(&name, &job.outputs, &tuning)?, bounded)
            }
            Mode::Batch => (self.batch_topology(&name, inserts, &tuning)?, true),
        };
        let config = self.config();
        let evolution = Evolution::of(&topology, &config)?;
        if let Some(evolution) = &evolution
            && !config.allow_unmatched_state
        {
            evolution.refuse_loss()?;
        }
        let handle = headwater_runtime::start(topology, config)?;
        self.settings.reset(Some(JOB_NAME))?;
        let (warnings, splits) = (Vec::new(), tuning.splits);
        let job = Job { name, sinks, bounded, warnings, evolution, splits, handle };
        Ok(Outcome::Job(Box::new(job)))
    }

    fn job_name(&self, sinks: &[String]) -> String {
        let named = self.settings.get(JOB_NAME).map(str::to_owned);
        named.unwrap_or_else(|| format!("insert-into-{}", sinks.join("-")))
    }

    /// The plan of inserts that run on unbounded rows.
    pub(super) fn insert_job(&self, inserts: &[Insert]) -> SqlResult<StreamJob> {
        let mut routed: Vec<Routed> = Vec::with_capacity(inserts.len());
        for (number, insert) in inserts.iter().enumerate() {
            let table = self.target(insert)?;
            let sink = self.sink(&table, &inserts[..number])?;
            let plan = self.fitted(insert, &table, Mode::Streaming)?;
            let (name, accepts) = (table.name.clone(), sink.accepts);
            routed.push(Routed { plan, name, sink: sink.sink, accepts });
        }
        let connectors = self.streaming_connectors(inserts.iter().map(|i| i.query.as_ref()))?;
        stream_job(&self.streaming, routed, &connectors)
    }

    /// The sink of a table that the inserts before it in the job may write too.
    ///
    /// Files of several inserts, and of several runs of one that has no checkpoint to go on from,
    /// are told apart by their names.
    fn sink(&self, table: &Table, before: &[Insert]) -> SqlResult<TableSink> {
        if table.option("connector") != Some(filesystem::NAME) {
            return connectors::sink(table, &self.connectors());
        }
        let same = |i: &&Insert| i.target.0.last().is_some_and(|p| *p.to_string() == table.name);
        let before = before.iter().filter(same).count();
        let mut prefix = table.option(FILE_PREFIX).unwrap_or("part").to_owned();
        if before > 0 {
            prefix.push_str(&format!("-{}", before + 1));
        }
        if self.config().checkpoints.location.is_none() && table.option(FILE_PREFIX).is_none() {
            prefix.push_str(&format!("-{:08x}", fastrand::u32(..)));
        }
        let mut named = Table::clone(table);
        named.options.insert(FILE_PREFIX.to_owned(), prefix);
        connectors::sink(&named, &self.connectors())
    }

    fn target(&self, insert: &Insert) -> SqlResult<Arc<Table>> {
        if insert.overwrite {
            return Err(SqlError::unsupported("INSERT OVERWRITE"));
        }
        self.sink_table(&insert.target, &insert.hints)
    }

    fn fitted(&self, insert: &Insert, table: &Table, mode: Mode) -> SqlResult<LogicalPlan> {
        let plan = self.plan(&insert.query, mode)?;
        let fitted = insert::fit(plan, table, insert)?;
        let state = match mode {
            Mode::Streaming => &self.streaming,
            Mode::Batch => &self.batch,
        };
        Ok(logical::analyze(state, fitted)?)
    }

    /// A topology that writes the results of bounded queries.
    pub(super) fn batch_topology(
        &self,
        name: &str,
        inserts: &[Insert],
        tuning: &Tuning,
    ) -> SqlResult<Topology> {
        let mut outputs = Vec::with_capacity(inserts.len());
        for (number, insert) in inserts.iter().enumerate() {
            let table = self.target(insert)?;
            let sink = self.sink(&table, &inserts[..number])?;
            let plan = self.fitted(insert, &table, Mode::Batch)?;
            let step = self.fed(plan, &table.name)?;
            let delivery = Delivery::Append;
            outputs.push(Output { step, delivery, name: table.name.clone(), sink: sink.sink });
        }
        topology(name, &outputs, tuning)
    }

    /// The plans of a bounded query, as text.
    pub(super) fn batch_plans(&self, plan: LogicalPlan) -> SqlResult<(String, String)> {
        let connectors = self.connectors();
        let query = self.runtime.block_on(BatchQuery::plan(&self.batch, plan, &connectors))?;
        Ok(query.texts())
    }

    /// A step that gives the rows of a bounded query.
    fn fed(&self, plan: LogicalPlan, sink: &str) -> SqlResult<Arc<Step>> {
        let schema = Arc::new(plan.schema().as_arrow().clone());
        let connectors = self.connectors();
        let planned = BatchQuery::plan(&self.batch, plan, &connectors);
        let query = Arc::new(self.runtime.block_on(planned)?);
        let runtime = Arc::clone(&self.runtime);
        let feed = Feed::new(Arc::new(move |out| {
            let other = out.clone();
            let refusals = Refusals(Box::new(move |_table, policy, records| {
                other.give(Ok(Made::Refused(policy, records)))
            }));
            let fed = async {
                let mut stream = match query.stream(refusals) {
                    Ok(stream) => stream,
                    Err(error) => {
                        _ = out.give(Err(datafusion_error(error)));
                        return;
                    }
                };
                while let Some(rows) = stream.next().await {
                    if !out.give(rows.map(Made::Rows).map_err(datafusion_error)) {
                        return;
                    }
                }
            };
            with_room(|| runtime.block_on(fed));
        }));
        let columns = schema.fields().iter().map(|f| f.name().clone()).collect();
        let identity = Identity { rows: format!("batch of {sink}"), columns };
        let traits =
            Traits { time: vec![None; schema.fields().len()], bounded: true, ..Traits::default() };
        let op = Op::Feed { feed: Arc::new(feed), name: format!("query of {sink}") };
        Ok(Arc::new(Step { op, inputs: Vec::new(), schema, traits, identity }))
    }
}

/// Rows of a query that ends, folded: what is there when all changes are applied.
///
/// # Errors
/// What the query failed with.
pub fn collect(live: &mut LiveQuery) -> SqlResult<Vec<RecordBatch>> {
    let mut chunks = Vec::new();
    loop {
        match live.next(Duration::from_millis(200)) {
            super::live::LiveEvent::Rows(chunk) => chunks.push(chunk),
            super::live::LiveEvent::Nothing => {}
            super::live::LiveEvent::Ended => break,
        }
    }
    live.finish()?;
    super::fold::fold(&chunks).map_err(|e: Error| SqlError::new(codes::INTERNAL, e.to_string()))
}
