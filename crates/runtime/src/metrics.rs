//! What a running job tells about itself.

use std::collections::HashMap;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use headwater_connect::Measure;
use headwater_core::{Epoch, EventTime};
use headwater_topology::erased::AnySink;
use headwater_topology::{DEAD_LETTERS, Node, NodeKind, OperatorMetrics, OperatorTotals, Topology};

/// One operator at one moment, over all workers.
#[derive(Clone, Debug)]
pub struct OperatorSnapshotMetrics {
    /// Name of the step.
    pub name: String,
    /// Kind of step: `source`, `map`, `window`, `sink` …
    pub label: String,
    /// Record counts.
    pub totals: OperatorTotals,
    /// State entries put back from the checkpoint.
    pub restored: u64,
    /// Time at work, summed over workers.
    pub busy: Duration,
    /// Time a source could not read because there was no room.
    pub blocked: Duration,
    /// Least watermark over the workers.
    pub watermark: EventTime,
    /// Entries of keyed state.
    pub state_entries: u64,
    /// Estimated bytes of keyed state.
    pub state_bytes: u64,
    /// Records held for a sink that does not take them.
    pub backlog: u64,
    /// What the connector of a source or sink tells about itself.
    pub measures: Vec<Measure>,
}

/// Checkpoints so far.
#[derive(Clone, Debug, Default)]
pub struct CheckpointStats {
    /// Checkpoints completed.
    pub completed: u64,
    /// Checkpoints failed.
    pub failed: u64,
    /// The last complete one.
    pub last_epoch: Epoch,
    /// From barrier to commit, of the last one.
    pub last_duration: Duration,
    /// Bytes written for the last one.
    pub last_bytes: u64,
    /// Bytes written for all.
    pub total_bytes: u64,
    /// When the last one completed.
    pub last_completed: Option<Instant>,
}

/// A job at one moment.
#[derive(Clone, Debug)]
pub struct MetricsSnapshot {
    /// Name of the job.
    pub job: String,
    /// Number of workers.
    pub workers: usize,
    /// Time since the first attempt started.
    pub uptime: Duration,
    /// The steps, in topological order, then the dead letters.
    pub operators: Vec<OperatorSnapshotMetrics>,
    /// Checkpoints so far.
    pub checkpoints: CheckpointStats,
    /// Restarts so far.
    pub restarts: u64,
    /// How long the last recovery took: from failure, or start, to records being read again.
    pub recovery: Duration,
    /// Records between groups and in sinks' queues.
    pub in_flight: u64,
}

impl MetricsSnapshot {
    /// The step of that name.
    pub fn operator(&self, name: &str) -> Option<&OperatorSnapshotMetrics> {
        self.operators.iter().find(|o| o.name == name)
    }
}

/// A step, and how to ask its connector.
struct Step {
    name: String,
    label: String,
    measures: Box<dyn Fn() -> Vec<Measure> + Send + Sync>,
}

impl Step {
    fn of(node: &Node) -> Self {
        let (name, label) = (node.name.clone(), node.label.clone());
        let measures: Box<dyn Fn() -> Vec<Measure> + Send + Sync> = match &node.kind {
            NodeKind::Source { source, .. } => {
                let source = Arc::clone(source);
                Box::new(move || source.measures())
            }
            NodeKind::Sink(sink) => {
                let sink = Arc::clone(sink);
                Box::new(move || sink.measures())
            }
            _ => Box::new(Vec::new),
        };
        Step { name, label, measures }
    }

    fn of_dead_letters(sink: &Arc<dyn AnySink>) -> Self {
        let sink = Arc::clone(sink);
        let measures = Box::new(move || sink.measures());
        Step { name: DEAD_LETTERS.into(), label: "sink".into(), measures }
    }
}

/// Where the counters live; shared by the handle, the supervisor and the workers.
pub(crate) struct Registry {
    job: String,
    steps: Vec<Step>,
    started: Instant,
    workers: usize,
    counters: RwLock<Vec<Vec<Arc<OperatorMetrics>>>>,
    pub(crate) checkpoints: Mutex<CheckpointStats>,
    pub(crate) attempts: Mutex<(u64, Duration)>,
    in_flight: Mutex<Arc<dyn Fn() -> u64 + Send + Sync>>,
}

impl Registry {
    pub(crate) fn new(topology: &Topology, workers: usize) -> Self {
        let steps = topology.nodes.iter().map(Step::of);
        let letters = topology.dead_letters.iter().map(Step::of_dead_letters);
        Registry {
            job: topology.job.clone(),
            steps: steps.chain(letters).collect(),
            started: Instant::now(),
            workers,
            counters: RwLock::default(),
            checkpoints: Mutex::default(),
            attempts: Mutex::default(),
            in_flight: Mutex::new(Arc::new(|| 0)),
        }
    }

    /// Fresh counters for an attempt: per worker and step.
    pub(crate) fn reset(
        &self,
        in_flight: Arc<dyn Fn() -> u64 + Send + Sync>,
    ) -> Vec<Vec<Arc<OperatorMetrics>>> {
        // The dead letters have counters even when they have no sink.
        let steps = self.steps.len() + 1;
        let fresh: Vec<Vec<Arc<OperatorMetrics>>> =
            (0..self.workers).map(|_| (0..steps).map(|_| Arc::default()).collect()).collect();
        *self.counters.write().unwrap_or_else(PoisonError::into_inner) = fresh.clone();
        *self.in_flight.lock().unwrap_or_else(PoisonError::into_inner) = in_flight;
        fresh
    }

    /// Shows totals that a checkpoint kept, of a job that does not run again.
    pub(crate) fn show(&self, totals: &HashMap<String, OperatorTotals>) {
        let counters = self.reset(Arc::new(|| 0));
        for (at, step) in self.steps.iter().enumerate() {
            if let (Some(of_step), Some(first)) = (totals.get(&step.name), counters.first()) {
                first[at].restore(of_step);
            }
        }
    }

    pub(crate) fn snapshot(&self) -> MetricsSnapshot {
        let counters = self.counters.read().unwrap_or_else(PoisonError::into_inner).clone();
        let operators = self.steps.iter().enumerate().map(|(at, step)| {
            let workers = counters.iter().filter_map(|w| w.get(at));
            operator_snapshot(step, workers)
        });
        let attempts = *self.attempts.lock().unwrap_or_else(PoisonError::into_inner);
        let in_flight = Arc::clone(&self.in_flight.lock().unwrap_or_else(PoisonError::into_inner));
        MetricsSnapshot {
            job: self.job.clone(),
            workers: self.workers,
            uptime: self.started.elapsed(),
            operators: operators.collect(),
            checkpoints: self.checkpoints.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            restarts: attempts.0,
            recovery: attempts.1,
            in_flight: in_flight(),
        }
    }
}

fn operator_snapshot<'a>(
    step: &Step,
    workers: impl Iterator<Item = &'a Arc<OperatorMetrics>> + Clone,
) -> OperatorSnapshotMetrics {
    let sum = |f: fn(&OperatorMetrics) -> u64| workers.clone().map(|m| f(m)).sum::<u64>();
    let mut totals = OperatorTotals::default();
    for metrics in workers.clone() {
        totals.add(&metrics.totals());
    }
    let watermark = workers.clone().map(|m| m.watermark.load(Relaxed)).min();
    OperatorSnapshotMetrics {
        name: step.name.clone(),
        label: step.label.clone(),
        totals,
        restored: sum(|m| m.restored.load(Relaxed)),
        busy: Duration::from_nanos(sum(|m| m.busy_ns.load(Relaxed))),
        blocked: Duration::from_nanos(sum(|m| m.blocked_ns.load(Relaxed))),
        watermark: watermark.map_or(EventTime::MIN, EventTime),
        state_entries: sum(|m| m.state_entries.load(Relaxed)),
        state_bytes: sum(|m| m.state_bytes.load(Relaxed)),
        backlog: sum(|m| m.backlog.load(Relaxed)),
        measures: (step.measures)(),
    }
}
