//! One attempt after the other: restore, start workers, coordinate, and restart after failures.
//!
//! Each attempt is a *generation*: one incarnation of the timely dataflow, from the epoch of the
//! restored checkpoint on. The process, the handle and the checkpoint location live on.

use std::collections::{BTreeMap, HashMap};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Barrier, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use crossbeam_channel::{Receiver, Sender};
use headwater_checkpoint::{
    AttemptStart, JobLog, Location, Manifest, Protocol, ProtocolOptions, ProtocolStart, Restored,
    StateInfo, restore,
};
use headwater_connect::{AttemptContext, Committer, Guarantee, Transaction};
use headwater_core::{Clock, Epoch, Error, ErrorKind, ProcessingTime, Result};
use headwater_topology::{NodeKind, Topology};

use crate::config::Config;
use crate::control::Control;
use crate::coordinator::{Coordinator, Ended, Ledger, failure_of};
use crate::dataflow::{Blueprint, build};
use crate::flow::Flow;
use crate::group::{Shared, panic_message};
use crate::handle::{Command, JobHandle, Outcome};
use crate::idle_board::IdleBoard;
use crate::metrics::Registry;
use crate::one_transaction::{self, Choice, Epochs, choose};
use crate::plan::plan;
use crate::restoring::{check_states, states_of, totals_from_counters};
use crate::source_driver::SourceDriver;
use crate::splits::Splits;
use crate::uploads::Uploads;

/// Starts a job and returns its handle.
///
/// The configuration of every source and sink is checked, the checkpoint location is opened, the
/// checkpoint is compared with the job, and the first attempt has begun in every sink before this
/// returns; so what is wrong with them is said here.
///
/// # Errors
/// Kinds `Config`, `Plan` and `State`, naming what does not fit and what to do.
pub fn start(topology: Topology, config: Config) -> Result<JobHandle> {
    if config.workers == 0 {
        return Err(Error::config("workers must be at least 1, got 0"));
    }
    topology.validate_connectors()?;
    let states = states_of(&topology)?;
    let location = match &config.checkpoints.location {
        Some(url) => Location::open(url)?,
        None => Location::memory()?,
    };
    let restored = restore(&location)?;
    if let (Some(job), true) = (&restored.job, restored.newest > 0)
        && job.name != topology.job
    {
        return Err(another_job(&config, &job.name, &topology.job));
    }
    if let Some(manifest) = &restored.manifest {
        check_states(&topology, &states, manifest, config.allow_unmatched_state)?;
    }
    let registry = Arc::new(Registry::new(&topology, config.workers));
    let (send, commands) = crossbeam_channel::unbounded();
    let (begun, has_begun) = crossbeam_channel::bounded(1);
    let supervisor = Supervisor {
        topology,
        config,
        location,
        states,
        registry: Arc::clone(&registry),
        commands,
        begun,
        clock: Arc::new(SystemClock),
    };
    let thread = std::thread::Builder::new()
        .name("headwater-job".into())
        .spawn(move || supervisor.run(restored))
        .map_err(|e| Error::internal("cannot start the supervisor thread").because(e))?;
    let mut handle = JobHandle { commands: send, registry, supervisor: Some(thread) };
    // Nothing is sent when the job is over before it has begun.
    if has_begun.recv().is_err() {
        handle.wait()?;
    }
    Ok(handle)
}

fn another_job(config: &Config, theirs: &str, ours: &str) -> Error {
    let directory = config.checkpoints.location.as_deref().unwrap_or("memory");
    Error::state(format!(
        "checkpoint directory {directory:?} belongs to job {theirs:?}, not {ours:?}"
    ))
    .hint("give this job a directory of its own, or the name it had")
}

struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> ProcessingTime {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        ProcessingTime(headwater_core::time::millis(since))
    }
}

struct Supervisor {
    topology: Topology,
    config: Config,
    location: Location,
    states: Vec<StateInfo>,
    registry: Arc<Registry>,
    commands: Receiver<Command>,
    /// Told when the first attempt has begun in all sinks, or failed in a way that may pass.
    begun: Sender<()>,
    clock: Arc<dyn Clock>,
}

impl Supervisor {
    fn run(self, restored: Restored) -> Result<Outcome> {
        let mut restored = Some(restored);
        let mut failures = 0;
        let mut known = Epoch::NONE;
        loop {
            let began = Instant::now();
            let from = match restored.take() {
                Some(restored) => Ok(restored),
                None => restore(&self.location),
            };
            let manifest = from.as_ref().ok().and_then(|r| r.manifest.as_ref());
            known = known.max(manifest.map_or(Epoch::NONE, |m| m.epoch));
            let mut completed = 0;
            let error = match from.and_then(|r| self.attempt(r, began, &mut completed)) {
                Ok(outcome) => return Ok(outcome),
                Err(error) => error,
            };
            if completed > 0 {
                failures = 0;
            }
            failures += 1;
            // A wrong record would come again, as all others.
            let hopeless = matches!(
                error.kind(),
                ErrorKind::Config
                    | ErrorKind::Plan
                    | ErrorKind::Data
                    | ErrorKind::State
                    | ErrorKind::Fenced
            );
            let pause = self.config.restart.pause(failures).filter(|_| !hopeless);
            let Some(pause) = pause else { return Err(error) };
            let _ = self.begun.try_send(());
            tracing::error!(
                failures,
                pause_ms = pause.as_millis() as u64,
                "attempt failed, restarting: {}",
                error.report()
            );
            self.registry.attempts.lock().unwrap_or_else(PoisonError::into_inner).0 += 1;
            if self.pause(pause) {
                let stats =
                    self.registry.checkpoints.lock().unwrap_or_else(PoisonError::into_inner);
                return Ok(Outcome::Stopped { epoch: known.max(stats.last_epoch) });
            }
        }
    }

    /// Waits before a restart; true if the job is to stop instead.
    fn pause(&self, pause: Duration) -> bool {
        let until = Instant::now() + pause;
        loop {
            match self.commands.recv_deadline(until) {
                Ok(Command::Checkpoint) => {}
                Err(crossbeam_channel::RecvTimeoutError::Timeout) => return false,
                Ok(Command::Stop(_)) | Err(_) => return true,
            }
        }
    }

    fn attempt(
        &self,
        mut restored: Restored,
        began: Instant,
        completed: &mut u64,
    ) -> Result<Outcome> {
        for warning in &restored.warnings {
            tracing::warn!("{warning}");
        }
        let log = self.start_log(&restored)?;
        let attempt = log.attempt();
        let mut committers = Vec::new();
        let ledger = match choose(&self.topology, &self.config) {
            Choice::OneTransaction { domain } => {
                tracing::info!("exactly once in one transaction: all is in {domain:?}");
                // Output of an earlier run that committed per sink, if it was left half done.
                if let Some(manifest) = restored.manifest.clone().filter(Manifest::has_committables)
                {
                    self.recover_sinks(manifest.epoch, Some(&manifest), None)?;
                }
                let transactions = one_transaction::recover(&self.topology, &mut restored)?;
                if let Some(manifest) = &restored.manifest {
                    let allow = self.config.allow_unmatched_state;
                    check_states(&self.topology, &self.states, manifest, allow)?;
                }
                let interval = self.config.checkpoints.interval;
                let epochs = Epochs::start(&self.topology, transactions, log, &restored, interval)?;
                self.begin_sinks(Some(&epochs.transaction()))?;
                Ledger::Transactions(Box::new(epochs))
            }
            Choice::PerSink { why } => {
                tracing::debug!("exactly once per sink: {why}");
                let manifest = restored.manifest.as_ref();
                if manifest.is_some_and(|m| m.log_position.is_some()) {
                    return Err(Error::state(format!(
                        "this job has committed its epochs in one transaction, now it cannot: {why}"
                    ))
                    .hint("run it as before, or start it from an empty checkpoint directory"));
                }
                let epoch = manifest.map_or(Epoch::NONE, |m| m.epoch);
                committers = self.recover_sinks(epoch, manifest, None)?;
                Ledger::Checkpoints(log)
            }
        };
        let _ = self.begun.try_send(());
        let manifest = restored.manifest.as_ref();
        let epoch = manifest.map_or(Epoch::NONE, |m| m.epoch);
        if let Some(manifest) = manifest.filter(|m| m.finished) {
            self.registry.show(&totals_from_counters(manifest));
            tracing::info!("the job had finished before; nothing is left to do");
            return Ok(Outcome::Finished { epoch });
        }
        let groups = plan(&self.topology, self.config.workers);
        let sources = groups.iter().filter(|group| group.is_source(&self.topology));
        let published: Vec<usize> = sources.flat_map(|group| group.leaving.clone()).collect();
        let shared = Arc::new(Shared {
            control: Control::new(epoch),
            flow: Flow::new(self.config.max_in_flight_records),
            idle_board: IdleBoard::new(&self.topology, &published, self.config.workers),
            clock: Arc::clone(&self.clock),
            started: Instant::now(),
        });
        let (reports_in, reports) = crossbeam_channel::unbounded();
        let in_flight = {
            let shared = Arc::clone(&shared);
            Arc::new(move || shared.flow.in_flight())
        };
        let mut coordinator =
            self.coordinator(ledger, committers, &shared, reports, epoch, manifest)?;
        let blueprint = Arc::new(Blueprint {
            splits: self.splits(manifest)?,
            topology: self.topology.clone(),
            groups,
            workers: self.config.workers,
            attempt,
            shared: Arc::clone(&shared),
            metrics: self.registry.reset(in_flight),
            totals: manifest.map(totals_from_counters).unwrap_or_default(),
            parts: manifest.map(|m| m.operators.clone().into_iter().collect()).unwrap_or_default(),
            restored: Some(Arc::new(restored)),
            restored_epoch: epoch,
            reports: reports_in,
            large_parts: coordinator.uploads.large_parts(),
        });
        let workers = run_workers(&blueprint)?;
        self.registry.attempts.lock().unwrap_or_else(PoisonError::into_inner).1 = began.elapsed();
        let ended = coordinator.run();
        *completed = coordinator.completed;
        // After the last barrier the dataflows end by themselves; after a failure they are told to.
        if ended.is_err() {
            shared.control.abort();
        }
        drop(workers);
        match ended {
            Ok(Ended::Outcome(outcome)) => Ok(outcome),
            Ok(Ended::Aborted) => Err(failure_of(&shared, None)),
            Err(error) => Err(failure_of(&shared, Some(error))),
        }
    }

    fn start_log(&self, restored: &Restored) -> Result<JobLog> {
        let transactional = |g: Guarantee| g == Guarantee::ExactlyOnce;
        let visible = self.topology.sinks().any(|(_, sink)| transactional(sink.guarantee()));
        JobLog::start_attempt(
            &self.location,
            restored,
            AttemptStart {
                job: self.topology.job.clone(),
                max_parallelism: self.topology.max_parallelism,
                visible,
                incarnation: incarnation(),
                now: self.clock.now(),
                retained: self.config.checkpoints.retained.max(1),
            },
        )
    }

    /// Tells sinks that an attempt begins.
    fn begin_sinks(&self, transaction: Option<&Transaction>) -> Result<()> {
        for (name, sink) in self.topology.sinks() {
            let cx = AttemptContext {
                job: self.topology.job.clone(),
                sink: name.to_owned(),
                transaction: transaction.filter(|_| sink.transaction_domain().is_some()).cloned(),
            };
            sink.begin_attempt(&cx).map_err(|e| e.within(format!("sink {name:?}")))?;
        }
        Ok(())
    }

    /// Makes the restored epoch's output visible, if that was not done, and cleans up.
    fn recover_sinks(
        &self,
        epoch: Epoch,
        manifest: Option<&Manifest>,
        transaction: Option<&Transaction>,
    ) -> Result<Vec<(String, Box<dyn Committer>)>> {
        self.begin_sinks(transaction)?;
        let mut committers = Vec::new();
        for (name, sink) in self.topology.sinks() {
            let within = |e: Error| e.within(format!("sink {name:?}"));
            if let Some(mut committer) = sink.committer().map_err(within)? {
                let committables = manifest.and_then(|m| m.sinks.get(name));
                let committables = committables.map_or(&[][..], Vec::as_slice);
                headwater_checkpoint::crash_point("recover.before-sink");
                committer.recover(epoch, committables).map_err(within)?;
                headwater_checkpoint::crash_point("recover.after-sink");
                committers.push((name.to_owned(), committer));
            }
        }
        Ok(committers)
    }

    fn splits(&self, manifest: Option<&Manifest>) -> Result<HashMap<usize, Arc<Splits>>> {
        let mut all = HashMap::new();
        for (id, node) in self.topology.nodes.iter().enumerate() {
            let NodeKind::Source { source, .. } = &node.kind else { continue };
            let mut known = Vec::new();
            for part in manifest.and_then(|m| m.operators.get(&node.name)).into_iter().flatten() {
                known.extend(SourceDriver::decode_snapshot(part)?);
            }
            let splits = Splits::new(&node.name, source.as_ref(), self.config.workers, known)?;
            all.insert(id, Arc::new(splits));
        }
        Ok(all)
    }

    fn coordinator(
        &self,
        ledger: Ledger,
        committers: Vec<(String, Box<dyn Committer>)>,
        shared: &Arc<Shared>,
        reports: Receiver<crate::worker_part::Report>,
        epoch: Epoch,
        manifest: Option<&Manifest>,
    ) -> Result<Coordinator> {
        let checkpoints = &self.config.checkpoints;
        let interval = match &ledger {
            Ledger::Checkpoints(_) => checkpoints.interval,
            Ledger::Transactions(_) => Some(self.config.exactly_once.commit_interval),
        };
        let options = ProtocolOptions {
            interval,
            tolerable_failures: checkpoints.tolerable_failures,
            ..ProtocolOptions::default()
        };
        let start = ProtocolStart { epoch, recommit: false, end: None };
        let store = match &ledger {
            Ledger::Checkpoints(log) => Some(log.segments().clone()),
            // What goes into a transaction is built in memory as it is.
            Ledger::Transactions(_) => None,
        };
        let uploads = Uploads::start(store, self.config.workers)?;
        let sources = self.topology.nodes.iter().filter_map(|node| match &node.kind {
            NodeKind::Source { source, .. } => Some((node.name.clone(), Arc::clone(source))),
            _ => None,
        });
        Ok(Coordinator {
            protocol: Protocol::new(options, self.config.workers, start),
            ledger,
            committers,
            shared: Arc::clone(shared),
            registry: Arc::clone(&self.registry),
            reports,
            commands: self.commands.clone(),
            workers: self.config.workers,
            topology: self.topology.nodes.iter().map(|n| n.name.clone()).collect(),
            states: self.states.clone(),
            segments: manifest.map(|m| m.segments.clone()).unwrap_or_default(),
            finished_workers: 0,
            uploads,
            changed_bytes: 0,
            sources: sources.collect(),
            positions: BTreeMap::new(),
            committables: BTreeMap::new(),
            merging: None,
            epoch_opened: Instant::now(),
            completed: 0,
        })
    }
}

/// A name that no other attempt ever has.
fn incarnation() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    format!("{}-{}-{}", std::process::id(), now.as_nanos(), COUNT.fetch_add(1, Relaxed))
}

/// Starts the worker threads. Dropping the guards waits for them.
fn run_workers(blueprint: &Arc<Blueprint>) -> Result<timely::communication::WorkerGuards<()>> {
    let config = match blueprint.workers {
        1 => timely::Config::thread(),
        n => timely::Config::process(n),
    };
    let blueprint = Arc::clone(blueprint);
    // Nobody reads before all splits are known everywhere: alignment compares them.
    let all_built = Barrier::new(blueprint.workers);
    timely::execute(config, move |worker| {
        let control = &blueprint.shared.control;
        let built = catch_unwind(AssertUnwindSafe(|| build(&blueprint, worker)));
        all_built.wait();
        match built {
            Ok(Ok(())) => {}
            Ok(Err(error)) => control.fail(error),
            Err(panic) => {
                let message = panic_message(panic.as_ref());
                control.fail(Error::user(format!("a step panicked while it was built: {message}")));
            }
        }
        while worker.has_dataflows() && !control.is_aborted() {
            worker.step_or_park(Some(Duration::from_millis(500)));
        }
        for dataflow in worker.installed_dataflows() {
            worker.drop_dataflow(dataflow);
        }
    })
    .map_err(|e| Error::internal(format!("cannot start the workers: {e}")))
}
