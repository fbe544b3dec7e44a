//! The coordinator of one attempt: does what [`Protocol`] decides, and tells it what happened.
//!
//! Runs on the supervisor's thread. It is the only one that talks to the checkpoint location and to
//! the sinks' committers while the attempt runs; workers never wait for it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use crossbeam_channel::{Receiver, Sender};
use headwater_checkpoint::{
    Decision, End, Event, JobLog, Manifest, Protocol, SegmentRef, StateInfo, crash_point,
    plan_merge, replace_segments,
};
use headwater_connect::Committer;
use headwater_core::{Epoch, Error, ErrorKind, Result, codec};
use headwater_topology::OperatorTotals;
use headwater_topology::chain::OperatorSnapshot;

use crate::control::Reading;
use crate::group::Shared;
use crate::handle::{Command, Outcome, StopMode};
use crate::metrics::Registry;
use crate::restoring::totals_to_counters;
use crate::worker_part::{Report, WorkerPart};

/// A worker's part whose segment is durable.
pub(crate) struct DurablePart {
    segment: Option<SegmentRef>,
    snapshots: Vec<OperatorSnapshot>,
}

/// How an attempt ended, when it did not fail.
pub(crate) enum Ended {
    Outcome(Outcome),
    Aborted,
}

type MergeResult = (Vec<SegmentRef>, Result<Option<SegmentRef>>);

/// See the module documentation.
pub(crate) struct Coordinator {
    pub(crate) protocol: Protocol<DurablePart>,
    pub(crate) log: JobLog,
    pub(crate) committers: Vec<(String, Box<dyn Committer>)>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) registry: Arc<Registry>,
    pub(crate) reports: Receiver<Report>,
    pub(crate) commands: Receiver<Command>,
    pub(crate) workers: usize,
    pub(crate) topology: Vec<String>,
    pub(crate) states: Vec<StateInfo>,
    pub(crate) segments: Vec<SegmentRef>,
    pub(crate) tick: Duration,
    pub(crate) finished_workers: usize,
    /// Parts whose upload failed and is tried again.
    pub(crate) waiting: VecDeque<(
        Instant,
        usize,
        Epoch,
        Bytes,
        headwater_checkpoint::SegmentMeta,
        Vec<OperatorSnapshot>,
    )>,
    /// Committables of manifests that are written, by epoch.
    pub(crate) committables: BTreeMap<Epoch, BTreeMap<String, Vec<Vec<u8>>>>,
    pub(crate) merging: Option<Receiver<MergeResult>>,
    pub(crate) epoch_opened: Instant,
    pub(crate) epoch_bytes: u64,
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
                    Ok(Command::Checkpoint) => events.push(Event::Trigger),
                },
                default(self.tick) => {}
            }
            self.retry_uploads(&mut events);
            self.take_merge();
            events.push(Event::Tick { now: self.shared.clock.now() });
            if let Some(ended) = self.handle(events)? {
                return Ok(ended);
            }
        }
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
                self.epoch_bytes = 0;
                tracing::debug!(epoch = barrier_of.0, ?last, "closing epoch");
                self.shared.control.close(barrier_of, last);
            }
            Decision::WriteManifest { epoch, last } => {
                let manifest = self.manifest(epoch, last);
                let (segments, sinks) = (manifest.segments.clone(), manifest.sinks.clone());
                events.push_back(match self.log.write_manifest(manifest) {
                    Ok(_) => {
                        self.segments = segments;
                        self.committables.insert(epoch, sinks);
                        Event::ManifestWritten { epoch }
                    }
                    Err(e) if e.kind() == ErrorKind::Fenced => return Err(e),
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

    fn on_report(&mut self, report: Report, events: &mut Vec<Event<DurablePart>>) {
        match report {
            Report::SourcesFinished => {
                self.finished_workers += 1;
                if self.finished_workers == self.workers {
                    events.push(Event::AllSourcesFinished);
                }
            }
            Report::Part(part) => {
                let WorkerPart { worker, epoch, snapshots, segment } = *part;
                if segment.is_empty() {
                    let part = DurablePart { segment: None, snapshots };
                    events.push(Event::Ack { worker, epoch, part });
                } else {
                    let (bytes, meta) = segment.finish();
                    self.upload(worker, epoch, Bytes::from(bytes), meta, snapshots, events);
                }
            }
        }
    }

    fn upload(
        &mut self,
        worker: usize,
        epoch: Epoch,
        bytes: Bytes,
        meta: headwater_checkpoint::SegmentMeta,
        snapshots: Vec<OperatorSnapshot>,
        events: &mut Vec<Event<DurablePart>>,
    ) {
        match self.log.segments().write(epoch, worker, 0, bytes.clone(), &meta) {
            Ok(segment) => {
                self.epoch_bytes += segment.bytes;
                let part = DurablePart { segment: Some(segment), snapshots };
                events.push(Event::Ack { worker, epoch, part });
            }
            Err(error) => {
                let again = Instant::now() + Duration::from_millis(200);
                self.waiting.push_back((again, worker, epoch, bytes, meta, snapshots));
                events.push(Event::UploadFailed { worker, epoch, error });
            }
        }
    }

    fn retry_uploads(&mut self, events: &mut Vec<Event<DurablePart>>) {
        let now = Instant::now();
        for _ in 0..self.waiting.len() {
            if self.waiting.front().is_none_or(|w| w.0 > now) {
                break;
            }
            if let Some((_, worker, epoch, bytes, meta, snapshots)) = self.waiting.pop_front() {
                self.upload(worker, epoch, bytes, meta, snapshots, events);
            }
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
        let (duration, bytes) = (self.epoch_opened.elapsed(), self.epoch_bytes);
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
        match self.log.retire() {
            Ok(_) => {}
            Err(e) if e.kind() == ErrorKind::Fenced => return Err(e),
            // Nothing is lost: what could not be removed is tried again after the next checkpoint.
            Err(e) => tracing::warn!("cannot remove old checkpoints yet: {}", e.report()),
        }
        self.start_merge();
        Ok(())
    }

    fn start_merge(&mut self) {
        if self.merging.is_some() {
            return;
        }
        let Some(range) = plan_merge(&self.segments) else { return };
        let from_oldest = range.start == 0;
        let run = self.segments[range].to_vec();
        let store = self.log.segments().clone();
        let (send, receive): (Sender<MergeResult>, _) = crossbeam_channel::bounded(1);
        let merge = move || {
            let merged = store.merge(&run, from_oldest);
            // Nobody listens when the attempt has ended: then the merged segment is an orphan.
            let _ = send.send((run, merged));
        };
        match std::thread::Builder::new().name("headwater-merge".into()).spawn(merge) {
            Ok(_) => self.merging = Some(receive),
            Err(e) => tracing::warn!("cannot start the merge of segments: {e}"),
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
