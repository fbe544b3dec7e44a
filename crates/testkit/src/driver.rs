//! Drives the real topology by direct calls: one thread, one chain, a manual clock.
//!
//! The job's sources are never opened: the test takes their place and pushes records. Its sinks are
//! replaced by collectors. Everything between is what the runtime runs. Each thing a test does to
//! the job is an `Input`; inputs are kept until a durable checkpoint covers them, as a real source
//! would keep its records, so a crash at any moment can be answered by restoring and replaying.
//!
//! Invariants: an input is in the log before it is applied; when a method returns, everything that
//! follows from it has happened (batches worked off, due processing-time work done, watermarks
//! passed on).
//!
//! [`Driver`] returns errors; [`TestJob`](crate::TestJob) is the same for tests, which panics.
//!
//! Reading order: `input` → `splits` → `checkpoint` → `restart` → `chaos`; `look` is what a test
//! sees of the job.

mod chaos;
mod checkpoint;
mod input;
mod look;
mod restart;
mod splits;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use headwater_api::Job;
use headwater_connect::{BadRecord, Wake};
use headwater_core::{Batch, Epoch, Error, EventTime, ProcessingTime, Record, Result, Timed};
use headwater_topology::{
    Chain, ChainInit, DEAD_LETTERS, NodeId, NodeKind, OperatorMetrics, Topology,
};

use crate::event_time_step::{Forced, wrap_steps};
use crate::sink_log::SinkLog;
use chaos::Chaos;
use checkpoint::{Checkpoint, Pending};
use input::Input;
use splits::SourceState;

/// Where the clock of a test stands at the start unless it says otherwise: 2100-01-01 UTC.
///
/// Records stamped far ahead of the clock do not move the watermark; with this start none is.
pub const DEFAULT_START: ProcessingTime = ProcessingTime(4_102_444_800_000);

/// The split that a source has unless a test names others.
pub const DEFAULT_SPLIT: &str = "0";

/// How often processing-time work may be due again at the same instant.
const MOST_TURNS: usize = 10_000;

/// Drives a topology; see the module documentation.
pub struct Driver {
    topology: Topology,
    chain: Chain,
    metrics: Vec<Arc<OperatorMetrics>>,
    sources: Vec<SourceState>,
    sinks: BTreeMap<String, SinkLog>,
    forced: Arc<Forced>,
    now: ProcessingTime,
    /// The running epoch.
    epoch: Epoch,
    attempt: u64,
    /// What has happened since the durable checkpoint, with its epoch.
    log: Vec<(Epoch, Input)>,
    durable: Checkpoint,
    /// The segments of all durable checkpoints, oldest first.
    segments: Vec<Bytes>,
    pending: Option<Pending>,
    chaos: Option<Chaos>,
}

impl Driver {
    /// Builds the job and starts it at `start`.
    ///
    /// # Errors
    /// What `build` or the job's steps return.
    pub fn new(
        build: impl FnOnce(&mut Job) -> Result<()>,
        start: ProcessingTime,
    ) -> Result<Driver> {
        let mut job = Job::new("test");
        build(&mut job)?;
        Driver::of(job.build()?, start)
    }

    /// Starts a topology at `start`.
    ///
    /// # Errors
    /// What the job's steps return when they are built.
    pub fn of(mut topology: Topology, start: ProcessingTime) -> Result<Driver> {
        let sinks = replace_sinks(&mut topology);
        let forced = Arc::new(Forced::new(topology.nodes.len()));
        wrap_steps(&mut topology, &forced);
        let metrics = new_metrics(&topology);
        let chain = new_chain(&topology, &metrics, 1)?;
        let is_source = |id: &NodeId| matches!(topology.node(*id).kind, NodeKind::Source { .. });
        let ids = (0..topology.nodes.len()).map(NodeId).filter(is_source);
        let sources: Vec<SourceState> =
            ids.map(|id| SourceState::new(id, &topology.node(id).name)).collect();
        let mut driver = Driver {
            durable: Checkpoint::of_nothing(sources.clone(), start, forced.get()),
            topology,
            chain,
            metrics,
            sources,
            sinks,
            forced,
            now: start,
            epoch: Epoch::NONE.next(),
            attempt: 0,
            log: Vec::new(),
            segments: Vec::new(),
            pending: None,
            chaos: None,
        };
        driver.start_attempt(None)?;
        driver.durable.generated = driver.generated();
        Ok(driver)
    }

    /// Pushes records into a source, in one batch, from `split` or the only one.
    ///
    /// # Errors
    /// There is no such source or it has ended; or what a step returns.
    pub fn send<T: Record>(
        &mut self,
        source: &str,
        split: Option<&str>,
        records: Vec<Timed<T>>,
    ) -> Result<()> {
        let (source, split) = self.place(source, split)?;
        let mut rest = records;
        loop {
            self.between()?;
            let (size, advance) = self.cut(rest.len());
            let tail = rest.split_off(size);
            let batch = if rest.is_empty() { Batch::default() } else { Batch::new(rest) };
            let advance = advance || tail.is_empty();
            let split = split.clone();
            self.perform(Input::Records { source, split, batch, bad: Vec::new(), advance })?;
            if tail.is_empty() {
                return Ok(());
            }
            rest = tail;
        }
    }

    /// Pushes a record that the source could not read.
    ///
    /// # Errors
    /// There is no such source or it has ended; its policy is to fail.
    pub fn send_bad(&mut self, source: &str, split: Option<&str>, bad: BadRecord) -> Result<()> {
        let (source, split) = self.place(source, split)?;
        let batch = Batch::default();
        self.step(Input::Records { source, split, batch, bad: vec![bad], advance: true })
    }

    /// Declares splits of a source, which hold its watermark until they have records.
    ///
    /// # Errors
    /// There is no such source or it has ended.
    pub fn add_splits(&mut self, source: &str, splits: &[&str]) -> Result<()> {
        for split in splits {
            let (source, split) = self.place(source, Some(split))?;
            self.step(Input::Split { source, split })?;
        }
        Ok(())
    }

    /// Forces the event time of one source, or all, up to `at`.
    ///
    /// # Errors
    /// There is no such source; or what a step returns.
    pub fn watermark(&mut self, source: Option<&str>, at: EventTime) -> Result<()> {
        let source = source.map(|name| self.source_at(name)).transpose()?;
        self.step(Input::Watermark { source, at })
    }

    /// The reader of the split has nothing to give from now on, until records are sent again.
    ///
    /// # Errors
    /// There is no such source or it has ended; or what a step returns.
    pub fn quiet(&mut self, source: &str, split: Option<&str>) -> Result<()> {
        let (source, split) = self.place(source, split)?;
        self.step(Input::Quiet { source, split })
    }

    /// Ends one split.
    ///
    /// # Errors
    /// There is no such source or it has ended; or what a step returns.
    pub fn end_split(&mut self, source: &str, split: &str) -> Result<()> {
        let (source, split) = self.place(source, Some(split))?;
        self.step(Input::EndSplit { source, split })
    }

    /// Ends a source: its watermark goes to the end of time. Ending it again changes nothing.
    ///
    /// # Errors
    /// There is no such source; or what a step returns.
    pub fn end(&mut self, source: &str) -> Result<()> {
        let source = self.source_at(source)?;
        if self.sources[source].ended {
            return Ok(());
        }
        self.step(Input::End { source })
    }

    /// Ends all sources.
    ///
    /// # Errors
    /// What a step returns.
    pub fn end_all(&mut self) -> Result<()> {
        for name in self.source_names() {
            self.end(&name)?;
        }
        Ok(())
    }

    /// Moves the clock, and does the processing-time work that becomes due, in order of time.
    ///
    /// # Errors
    /// What a step returns.
    pub fn advance(&mut self, duration: Duration) -> Result<()> {
        let to = self.now + duration;
        self.step(Input::Advance { to })
    }
}

pub(crate) fn no_such(what: &str, name: &str, names: &[&str]) -> Error {
    let names: Vec<String> = names.iter().map(|name| format!("{name:?}")).collect();
    let message = format!("no {what} {name:?}");
    Error::config(message).hint(format!("the job has: {}", names.join(", ")))
}

fn replace_sinks(topology: &mut Topology) -> BTreeMap<String, SinkLog> {
    let mut sinks = BTreeMap::new();
    for node in &mut topology.nodes {
        if let NodeKind::Sink(sink) = &mut node.kind {
            let log = SinkLog::new(&node.name);
            *sink = Arc::new(log.clone());
            sinks.insert(node.name.clone(), log);
        }
    }
    let letters = SinkLog::new(DEAD_LETTERS);
    topology.dead_letters = Some(Arc::new(letters.clone()));
    sinks.insert(DEAD_LETTERS.to_owned(), letters);
    sinks
}

/// The counters of each node, then of the dead letters.
fn new_metrics(topology: &Topology) -> Vec<Arc<OperatorMetrics>> {
    (0..=topology.nodes.len()).map(|_| Arc::default()).collect()
}

/// One chain of the whole topology.
fn new_chain(topology: &Topology, metrics: &[Arc<OperatorMetrics>], attempt: u64) -> Result<Chain> {
    let nodes: Vec<NodeId> = (0..topology.nodes.len()).map(NodeId).collect();
    Chain::new(&ChainInit {
        topology,
        nodes: &nodes,
        chain: (0, 1),
        worker: 0,
        workers: 1,
        attempt,
        fuse_exchanges: true,
        metrics,
        wake: Wake::none(),
    })
}
