//! Builds the timely dataflow of one worker: one timely operator per group, one stream per edge.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use crossbeam_channel::Sender;
use headwater_checkpoint::Restored;
use headwater_connect::Wake;
use headwater_core::{Epoch, Error, KeyGroupRange, Result};
use headwater_topology::{
    Chain, ChainInit, NodeKind, OperatorMetrics, OperatorTotals, Partitioning, Topology,
};
use timely::container::NoopBuilder;
use timely::dataflow::operators::generic::OutputBuilder;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;
use timely::dataflow::{Scope, Stream};
use timely::scheduling::{Activator, SyncActivator};
use timely::worker::Worker;

use crate::group::{GroupState, Shared, panic_message};
use crate::held_back::HeldBack;
use crate::moment::Moment;
use crate::outbox::Outbox;
use crate::parcel::{Parcel, pact};
use crate::plan::Group;
use crate::source_driver::{Next, SourceDriver};
use crate::splits::Splits;
use crate::worker_part::{Gatherer, LargeParts, Report};

/// Everything a worker needs to build its dataflow.
pub(crate) struct Blueprint {
    pub(crate) topology: Topology,
    pub(crate) groups: Vec<Group>,
    pub(crate) workers: usize,
    pub(crate) attempt: u64,
    pub(crate) shared: Arc<Shared>,
    /// Splits per source node.
    pub(crate) splits: HashMap<usize, Arc<Splits>>,
    /// Counters per worker and node.
    pub(crate) metrics: Vec<Vec<Arc<OperatorMetrics>>>,
    pub(crate) restored: Option<Arc<Restored>>,
    pub(crate) restored_epoch: Epoch,
    /// Totals per step as of the restored checkpoint; the first worker goes on from them.
    pub(crate) totals: HashMap<String, OperatorTotals>,
    /// Non-keyed parts per step.
    pub(crate) parts: HashMap<String, Vec<Vec<u8>>>,
    pub(crate) reports: Sender<Report>,
    /// None where nothing is uploaded.
    pub(crate) large_parts: Option<LargeParts>,
}

/// Builds the dataflow on `worker`.
///
/// Everything that can fail (user factories, connectors, restoring) happens before timely is asked
/// to build, as a half-built dataflow cannot be taken back.
pub(crate) fn build(blueprint: &Blueprint, worker: &mut Worker) -> Result<()> {
    let index = worker.index();
    let is_source = |n: &&headwater_topology::Node| matches!(n.kind, NodeKind::Source { .. });
    let sources = blueprint.topology.nodes.iter().filter(is_source).count();
    let groups = blueprint.groups.len();
    let (reports, large) = (blueprint.reports.clone(), blueprint.large_parts.clone());
    let gatherer = Gatherer::new(index, groups, sources, reports, large);
    let mut states = Vec::with_capacity(groups);
    for at in 0..groups {
        let doorbell = Doorbell::default();
        let state = group_state(blueprint, at, index, gatherer.clone(), doorbell.wake())?;
        states.push((state, doorbell));
    }
    worker.dataflow_core::<Moment, _, _, _>("headwater", None, Box::new(()), |_, scope| {
        let mut streams = HashMap::new();
        for (at, (state, doorbell)) in states.into_iter().enumerate() {
            add_group(&blueprint.groups[at], at, state, &doorbell, scope, &mut streams);
        }
    });
    Ok(())
}

/// A wake-up for a group that exists before its timely operator does.
#[derive(Clone, Default)]
struct Doorbell(Arc<OnceLock<SyncActivator>>);

impl Doorbell {
    fn wake(&self) -> Wake {
        let this = self.clone();
        Wake::new(move || {
            if let Some(activator) = this.0.get() {
                // A worker that is gone needs no waking.
                let _ = activator.activate();
            }
        })
    }
}

fn add_group<'scope>(
    group: &Group,
    at: usize,
    mut state: GroupState,
    doorbell: &Doorbell,
    scope: Scope<'scope, Moment>,
    streams: &mut HashMap<usize, Stream<'scope, Moment, Parcel>>,
) {
    let mut builder = OperatorBuilder::new(format!("group-{at}"), scope);
    let address = builder.operator_info().address;
    state.shared.control.register(scope.worker().sync_activator_for(address.to_vec()));
    let _ = doorbell.0.set(scope.worker().sync_activator_for(address.to_vec()));
    let mut alarm = Alarm { activator: scope.activator_for(address), due: None };

    let mut inputs = Vec::new();
    for edge in &group.arriving {
        if let Some(stream) = streams.remove(edge) {
            inputs.push(builder.new_input(stream, pact()));
        }
    }
    let mut outputs = Vec::new();
    for edge in &group.leaving {
        let (output, stream) = builder.new_output::<Parcel>();
        outputs.push(OutputBuilder::<Moment, NoopBuilder<Parcel>>::from(output));
        streams.insert(*edge, stream);
    }
    builder.build_reschedule(move |mut capabilities| {
        for capability in &mut capabilities {
            let start = Moment { epoch: state.epoch, watermark: capability.time().watermark };
            capability.downgrade(&start);
        }
        alarm.set(Next::Now);
        move |frontiers| {
            if state.shared.control.is_aborted() {
                capabilities.clear();
                return false;
            }
            let next = state.guard(|state| {
                for (number, input) in inputs.iter_mut().enumerate() {
                    let mut outcome = Ok(());
                    input.for_each(|time, parcel| {
                        let parcel = std::mem::take(parcel);
                        if outcome.is_ok() {
                            outcome = state.receive(number, *time.time(), parcel);
                        }
                    });
                    outcome?;
                }
                state.activate(frontiers)
            });
            let Some(next) = next else {
                capabilities.clear();
                return false;
            };
            for (number, output) in outputs.iter_mut().enumerate() {
                let mut output = output.activate();
                if let Some(capability) = capabilities.get(number) {
                    let mut session = output.session_with_builder(capability);
                    for mut parcel in state.outboxes[number].drain() {
                        session.give_container(&mut parcel);
                    }
                }
            }
            alarm.set(next.sooner(state.downgrade(&mut capabilities)));
            // Keep the operator while it has work that timely does not see.
            !state.done || state.encoding
        }
    });
}

/// Asks timely for the next activation; one request at a time, as timely keeps them all.
struct Alarm {
    activator: Activator,
    due: Option<Instant>,
}

impl Alarm {
    fn set(&mut self, next: Next) {
        match next {
            Next::Now => self.activator.activate(),
            Next::After(pause) => {
                let now = Instant::now();
                let at = now + pause;
                if self.due.is_none_or(|due| due <= now || at < due) {
                    self.activator.activate_after(pause);
                    self.due = Some(at);
                }
            }
            Next::Woken => {}
        }
    }
}

fn group_state(
    blueprint: &Blueprint,
    at: usize,
    worker: usize,
    gatherer: Gatherer,
    wake: Wake,
) -> Result<GroupState> {
    let (group, topology) = (&blueprint.groups[at], &blueprint.topology);
    let mut chain = Chain::new(&ChainInit {
        topology,
        nodes: &group.nodes,
        chain: (at, blueprint.groups.len()),
        worker,
        workers: blueprint.workers,
        attempt: blueprint.attempt,
        fuse_exchanges: blueprint.workers == 1,
        metrics: &blueprint.metrics[worker],
        wake: wake.clone(),
    })?;
    chain.set_now(blueprint.shared.clock.now());
    let opened = catch_unwind(AssertUnwindSafe(|| {
        restore(blueprint, &mut chain, worker)?;
        open_sources(blueprint, group, &mut chain, worker, &wake)
    }));
    let sources = opened.unwrap_or_else(|panic| {
        let (step, message) = (chain.at_work().0, panic_message(panic.as_ref()));
        Err(Error::user(format!("step {step:?} panicked before it ran: {message}")))
    })?;
    let outboxes = group.leaving.iter().map(|edge| {
        let partitioner = match &topology.edges[*edge].partitioning {
            Partitioning::Forward => None,
            Partitioning::Exchange { partitioner, .. } => Some(partitioner(worker)),
        };
        Outbox::new(partitioner, worker, blueprint.workers)
    });
    Ok(GroupState {
        arriving: group.arriving.clone(),
        leaving: group.leaving.clone(),
        outboxes: outboxes.collect(),
        reported: vec![false; sources.len()],
        sources,
        held: HeldBack::default(),
        epoch: blueprint.restored_epoch.next(),
        encoding: false,
        backlog: 0,
        publishes: group.is_source(topology).then_some(worker),
        gatherer,
        shared: Arc::clone(&blueprint.shared),
        quiet: false,
        done: false,
        state_sizes_at: std::time::Duration::ZERO,
        blocked_since: None,
        chain,
    })
}

/// Opens the splits of this worker and tells the steps behind them.
fn open_sources(
    blueprint: &Blueprint,
    group: &Group,
    chain: &mut Chain,
    worker: usize,
    wake: &Wake,
) -> Result<Vec<SourceDriver>> {
    let mut sources = Vec::new();
    for id in &group.nodes {
        let node = blueprint.topology.node(*id);
        if let (NodeKind::Source { source, .. }, Some(splits), Some(member)) =
            (&node.kind, blueprint.splits.get(&id.0), chain.member(&node.name))
        {
            let (source, splits) = (Arc::clone(source), Arc::clone(splits));
            let mut driver =
                SourceDriver::new(node.name.clone(), source, splits, worker, wake.clone(), member);
            driver.take_splits(chain, std::time::Duration::ZERO)?;
            sources.push(driver);
        }
    }
    Ok(sources)
}

/// Puts back what the checkpoint holds for this worker's key groups.
fn restore(blueprint: &Blueprint, chain: &mut Chain, worker: usize) -> Result<()> {
    let topology = &blueprint.topology;
    let range = KeyGroupRange::of_worker(worker, blueprint.workers, topology.max_parallelism);
    if let Some(restored) = &blueprint.restored {
        for (operator, table) in chain.tables() {
            let state = table.info().name;
            let mut outcome = Ok(());
            restored.load(range, operator, &state, &mut |group, block| {
                if outcome.is_ok() {
                    outcome = table.load(group, block);
                }
                Ok(())
            })?;
            outcome.map_err(|e| e.within(format!("restoring state {state:?} of {operator:?}")))?;
        }
    }
    let names = topology.nodes.iter().map(|n| n.name.as_str());
    for uid in names.chain([headwater_topology::DEAD_LETTERS]) {
        let parts = blueprint.parts.get(uid).map_or(&[][..], Vec::as_slice);
        let totals = if worker == 0 { blueprint.totals.get(uid) } else { None };
        if !parts.is_empty() || totals.is_some() {
            chain.restore(uid, parts, totals)?;
        }
    }
    chain.restored(blueprint.restored_epoch)
}
