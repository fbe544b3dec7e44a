//! The coordinator of one attempt: does what [`Protocol`] decides, and tells it what happened.
//!
//! Runs on the supervisor's thread. It is the only one that talks to the checkpoint location and to
//! the sinks' committers while the attempt runs; workers never wait for it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender};
use headwater_checkpoint::{
    Decision, End, Event, JobLog, Manifest, Protocol, SegmentRef, StateInfo, crash_point,
    plan_merge, replace_segments,
};
use headwater_connect::Committer;
use headwater_core::{Epoch, Error, ErrorKind, Result, codec};
use headwater_topology::OperatorTotals;
use headwater_topology::erased::AnySource;

use crate::background;
use crate::control::Reading;
use crate::group::Shared;
use crate::handle::{Command, Outcome, StopMode};
use crate::metrics::Registry;
use crate::one_transaction::Epochs;
use crate::restoring::totals_to_counters;
use crate::source_driver::SourceDriver;
use crate::uploads::{DurablePart, Uploads};
use crate::worker_part::Report;

/// How long the coordinator waits at least, and at most, before it looks at the clock again.
const SHORTEST_WAIT: Duration = Duration::from_micros(200);
const LONGEST_WAIT: Duration = Duration::from_millis(50);

/// How an attempt ended, when it did not fail.
pub(crate) enum Ended {
    Outcome(Outcome),
    Aborted,
}

/// Where an epoch becomes durable.
pub(crate) enum Ledger {
    /// In a checkpoint.
    Checkpoints(JobLog),
    /// In a transaction with its output.
    Transactions(Box<Epochs>),
}

type MergeResult = (Vec<SegmentRef>, Result<Option<SegmentRef>>);

/// See the module documentation.
pub(crate) struct Coordinator {
    pub(crate) protocol: Protocol<DurablePart>,
    pub(crate) ledger: Ledger,
    pub(crate) committers: Vec<(String, Box<dyn Committer>)>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) registry: Arc<Registry>,
    pub(crate) reports: Receiver<Report>,
    pub(crate) commands: Receiver<Command>,
    pub(crate) workers: usize,
    pub(crate) topology: Vec<String>,
    pub(crate) states: Vec<StateInfo>,
    pub(crate) segments: Vec<SegmentRef>,
    pub(crate) finished_workers: usize,
    pub(crate) uploads: Uploads,
    /// Bytes of changes in the last transaction.
    pub(crate) changed_bytes: u64,
    /// The sources by name, and their positions in the epoch that is being completed.
    pub(crate) sources: Vec<(String, Arc<dyn AnySource>)>,
    pub(crate) positions: BTreeMap<String, Vec<Vec<u8>>>,
    /// Committables of manifests that are written, by epoch.
    pub(crate) committables: BTreeMap<Epoch, BTreeMap<String, Vec<Vec<u8>>>>,
    pub(crate) merging: Option<Receiver<MergeResult>>,
    pub(crate) epoch_opened: Instant,
    /// Checkpoints completed in this attempt.
    pub(crate) completed: u64,
}

impl Coordinator {
    /// Runs until the last checkpoint is complete, or the attempt is aborted or fails.
    pub(crate) fn run(&mut self) -> Result<Ended> {
        loop {
            if self.shared.control.is_aborted() {
                return Ok(Ended::Aborted);
            }
            let mut events = Vec::new();
            crossbeam_channel::select! {
                recv(self.reports) -> report => if let Ok(report) = report {
                    self.on_report(report, &mut events);
                },
                recv(self.commands) -> command => match command {
                    Ok(Command::Stop(StopMode::Now)) | Err(_) => {
                        self.shared.control.abort();
                        let epoch = self.protocol.durable();
                        return Ok(Ended::Outcome(Outcome::Stopped { epoch }));
                    }
                    Ok(Command::Stop(StopMode::Drain)) => {
                        self.shared.control.set_reading(Reading::Drain);
                    }
                    Ok(Command::Stop(StopMode::Checkpoint)) => {
                        self.shared.control.set_reading(Reading::Off);
                        events.push(Event::Stop);
                    }
                    Ok(Command::Checkpoint) => {
                        if let Ledger::Transactions(epochs) = &mut self.ledger {
                            epochs.base_asked = true;
                        }
                        events.push(Event::Trigger);
                    }
                },
                recv(self.uploads.receiver) -> uploaded => if let Ok(uploaded) = uploaded {
                    events.push(self.uploads.ended(uploaded));
                },
                default(self.wait()) => {}
            }
            self.uploads.retry(&mut events);
            self.take_merge();
            events.push(Event::Tick { now: self.shared.clock.now() });
            if let Some(ended) = self.handle(events)? {
                return Ok(ended);
            }
        }
    }

    /// How long nothing needs to be decided: until the next epoch is due, or a little while.
    fn wait(&self) -> Duration {
        let now = self.shared.clock.now();
        let left = self.protocol.due().map(|due| due.0.saturating_sub(now.0).max(0) as u64);
        left.map_or(LONGEST_WAIT, Duration::from_millis).clamp(SHORTEST_WAIT, LONGEST_WAIT)
    }

    fn handle(&mut self, events: Vec<Event<DurablePart>>) -> Result<Option<Ended>> {
        let mut events = VecDeque::from(events);
        while let Some(event) = events.pop_front() {
            for decision in self.protocol.on(event) {
                if let Some(ended) = self.act(decision, &mut events)? {
                    return Ok(Some(ended));
                }
            }
        }
        Ok(None)
    }

    fn act(
        &mut self,
        decision: Decision,
        events: &mut VecDeque<Event<DurablePart>>,
    ) -> Result<Option<Ended>> {
        match decision {
            Decision::OpenEpoch { barrier_of, last } => {
                self.epoch_opened = Instant::now();
                tracing::debug!(epoch = barrier_of.0, ?last, "closing epoch");
                self.shared.control.close(barrier_of, last);
            }
            Decision::WriteManifest { epoch, last } => {
                let manifest = self.manifest(epoch, last);
                let is_source = |uid: &String| self.sources.iter().any(|(name, _)| name == uid);
                let of_sources = manifest.operators.iter().filter(|(uid, _)| is_source(uid));
                self.positions = of_sources.map(|(uid, p)| (uid.clone(), p.clone())).collect();
                events.push_back(match self.write(manifest, last.is_some()) {
                    Ok(()) => Event::ManifestWritten { epoch },
                    Err(e) if e.kind() == ErrorKind::Fenced => return Err(e),
                    // Whether it was committed is for the next attempt to find out.
                    Err(e) if matches!(self.ledger, Ledger::Transactions(_)) => return Err(e),
                    Err(error) => Event::ManifestFailed { epoch, error },
                });
            }
            Decision::Commit { epoch } => events.push_back(match self.commit(epoch) {
                Ok(()) => Event::Committed { epoch },
                Err(error) => Event::CommitFailed { epoch, error },
            }),
            Decision::Retire { epoch } => self.complete(epoch)?,
            Decision::CheckpointFailed { epoch, consecutive, error } => {
                tracing::warn!(
                    epoch = epoch.0,
                    consecutive,
                    "checkpoint failed: {}",
                    error.report()
                );
                self.stats(|s| s.failed += 1);
                if epoch > self.protocol.durable() {
                    self.committers.iter_mut().for_each(|(_, c)| c.carry_over(epoch));
                }
            }
            Decision::Finished { epoch, end } => {
                let outcome = match end {
                    End::Finished => Outcome::Finished { epoch },
                    End::Stopped => Outcome::Stopped { epoch },
                };
                return Ok(Some(Ended::Outcome(outcome)));
            }
            Decision::Fail { error } => return Err(error),
        }
        Ok(None)
    }

    /// Makes an epoch durable.
    fn write(&mut self, manifest: Manifest, last: bool) -> Result<()> {
        match &mut self.ledger {
            Ledger::Checkpoints(log) => {
                let (segments, sinks) = (manifest.segments.clone(), manifest.sinks.clone());
                let epoch = manifest.epoch;
                log.write_manifest(manifest)?;
                self.segments = segments;
                self.committables.insert(epoch, sinks);
            }
            Ledger::Transactions(epochs) => {
                let parts = self.protocol.parts().map(|(_, _, part)| part.bytes.clone());
                self.changed_bytes = epochs.commit(manifest, parts, last)?;
            }
        }
        Ok(())
    }

    fn on_report(&mut self, report: Report, events: &mut Vec<Event<DurablePart>>) {
        match report {
            Report::SourcesFinished => {
                self.finished_workers += 1;
                if self.finished_workers == self.workers {
                    events.push(Event::AllSourcesFinished);
                }
            }
            Report::Part(part) => match &self.ledger {
                Ledger::Checkpoints(_) => events.extend(self.uploads.add(*part)),
                Ledger::Transactions(_) => events.push(Uploads::keep(*part)),
            },
        }
    }

    /// The manifest of all parts that are not in one yet.
    fn manifest(&self, epoch: Epoch, last: Option<End>) -> Manifest {
        let mut manifest = Manifest::empty("", 0);
        manifest.epoch = epoch;
        manifest.created = self.shared.clock.now();
        manifest.finished = last == Some(End::Finished);
        manifest.workers = self.workers;
        manifest.codec = codec::CODEC_VERSION;
        manifest.topology.clone_from(&self.topology);
        manifest.states.clone_from(&self.states);
        manifest.segments.clone_from(&self.segments);
        for (of, _worker, part) in self.protocol.parts() {
            manifest.segments.extend(part.segment.clone());
            let mut totals = BTreeMap::new();
            for snapshot in &part.snapshots {
                if !snapshot.committables.is_empty() {
                    let sink = manifest.sinks.entry(snapshot.uid.clone()).or_default();
                    sink.extend(snapshot.committables.iter().cloned());
                }
                // Non-keyed state is whole in each epoch: the newest counts.
                if of == epoch {
                    if !snapshot.parts.is_empty() {
                        let parts = manifest.operators.entry(snapshot.uid.clone()).or_default();
                        parts.extend(snapshot.parts.iter().cloned());
                    }
                    // The dead letters are in several chains of a worker.
                    let of_step: &mut OperatorTotals = totals.entry(&snapshot.uid).or_default();
                    of_step.add(&snapshot.totals);
                }
            }
            for (uid, totals) in totals {
                totals_to_counters(uid, &totals, &mut manifest.counters);
            }
        }
        manifest
    }

    fn commit(&mut self, epoch: Epoch) -> Result<()> {
        let sinks = self.committables.entry(epoch).or_default();
        for (uid, committer) in &mut self.committers {
            let committables = sinks.get(uid).map_or(&[][..], Vec::as_slice);
            crash_point("commit.before-sink");
            committer
                .commit(epoch, committables)
                .map_err(|e| e.within(format!("sink {uid:?}, epoch {epoch}")))?;
            crash_point("commit.after-sink");
        }
        Ok(())
    }

    fn complete(&mut self, epoch: Epoch) -> Result<()> {
        self.committables = self.committables.split_off(&epoch.next());
        self.completed += 1;
        let bytes = self.uploads.take_bytes() + std::mem::take(&mut self.changed_bytes);
        let duration = self.epoch_opened.elapsed();
        self.stats(|s| {
            s.completed += 1;
            s.last_epoch = epoch;
            s.last_duration = duration;
            s.last_bytes = bytes;
            s.total_bytes += bytes;
            s.last_completed = Some(Instant::now());
        });
        tracing::debug!(
            epoch = epoch.0,
            bytes,
            ms = duration.as_millis() as u64,
            "checkpoint complete"
        );
        self.tell_sources(epoch);
        let Ledger::Checkpoints(log) = &mut self.ledger else { return Ok(()) };
        match log.retire() {
            Ok(_) => {}
            Err(e) if e.kind() == ErrorKind::Fenced => return Err(e),
            // Nothing is lost: what could not be removed is tried again after the next checkpoint.
            Err(e) => tracing::warn!("cannot remove old checkpoints yet: {}", e.report()),
        }
        self.start_merge();
        Ok(())
    }

    /// Tells sources how far a completed checkpoint is.
    fn tell_sources(&mut self, epoch: Epoch) {
        for (uid, parts) in std::mem::take(&mut self.positions) {
            let Some((_, source)) = self.sources.iter().find(|(name, _)| *name == uid) else {
                continue;
            };
            let mut positions = Vec::new();
            for part in &parts {
                match SourceDriver::decode_snapshot(part) {
                    Ok(splits) => {
                        let known = splits.into_iter().filter_map(|s| Some((s.id, s.position?)));
                        positions.extend(known);
                    }
                    Err(e) => tracing::debug!(epoch = epoch.0, "positions of {uid:?}: {e}"),
                }
            }
            source.checkpointed(&positions);
        }
    }

    fn start_merge(&mut self) {
        if self.merging.is_some() {
            return;
        }
        let Some(range) = plan_merge(&self.segments) else { return };
        let from_oldest = range.start == 0;
        let run = self.segments[range].to_vec();
        let Ledger::Checkpoints(log) = &self.ledger else { return };
        let store = log.segments().clone();
        let (send, receive): (Sender<MergeResult>, _) = crossbeam_channel::bounded(1);
        let merge = move || {
            let merged = store.merge(&run, from_oldest);
            // Nobody listens when the attempt has ended: then the merged segment is an orphan.
            let _ = send.send((run, merged));
        };
        match background::spawn("headwater-merge", merge) {
            Ok(()) => self.merging = Some(receive),
            Err(e) => tracing::warn!("{}", e.report()),
        }
    }

    fn take_merge(&mut self) {
        let Some(result) = self.merging.as_ref().and_then(|m| m.try_recv().ok()) else { return };
        self.merging = None;
        match result {
            (run, Ok(merged)) => _ = replace_segments(&mut self.segments, &run, merged),
            (_, Err(e)) => tracing::warn!("cannot merge segments: {}", e.report()),
        }
    }

    fn stats(&self, f: impl FnOnce(&mut crate::metrics::CheckpointStats)) {
        f(&mut self.registry.checkpoints.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

/// An error of the attempt, or the abort it caused.
pub(crate) fn failure_of(shared: &Shared, error: Option<Error>) -> Error {
    let first = shared.control.take_failure();
    first.or(error).unwrap_or_else(|| Error::internal("the attempt ended without saying why"))
}
