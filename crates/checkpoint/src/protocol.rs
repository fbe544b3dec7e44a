//! When a checkpoint happens: the state machine of one attempt of a job, events in, decisions out.
//!
//! ```text
//!            due / asked / end                all parts of all open epochs
//!   Idle ───────OpenEpoch──────▶ Collecting ───────WriteManifest──────▶ Writing
//!    ▲                               │ timeout, failed upload              │
//!    │◀──────CheckpointFailed────────┘◀──────────failed────────────────────┤
//!    │                                                                     │ durable
//!    └────────Retire (Finished)──────────── Committing ◀──────Commit───────┘
//! ```
//! It does no I/O, has no clock and no thread; the coordinator's thread feeds it and does what it
//! says. Invariants, each asserted by the tests:
//!
//! - At most one checkpoint is between `OpenEpoch` and its completion. A tick that falls due
//!   meanwhile opens the next one right after it; several due ticks are one.
//! - `Commit(e)` follows `WriteManifest(e)` that succeeded, and the manifest of a later epoch is
//!   written only once the commit of `e` is done: no manifest carries the uncommitted output of an
//!   older manifest.
//! - A failed checkpoint loses nothing: the parts of its epoch (segments, operator state and the
//!   sinks' committables) stay in [`Protocol::parts`] and go into the next manifest, which waits
//!   for every worker's part of every epoch since the last durable manifest. So parts accumulate
//!   until a manifest succeeds.
//! - A worker that could not upload keeps its part and acks later; the ack of a failed epoch
//!   counts.
//! - After `tolerable_failures` consecutive failures the next one is `Fail`.
//!
//! It does not know what a part is, and does not write, commit or delete anything itself.

use std::collections::BTreeMap;
use std::time::Duration;

use headwater_core::{Epoch, Error, ErrorKind, ProcessingTime};

mod messages;
#[cfg(test)]
mod tests;

pub use self::messages::{Decision, End, Event, ProtocolOptions, ProtocolStart};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Idle,
    Collecting {
        deadline: Option<ProcessingTime>,
    },
    /// The last epoch's manifest failed; written again once the pause is over.
    WriteAgain,
    Writing,
    /// The commit is outstanding; asked for once the pause is over.
    CommitAgain,
    Committing,
    Over,
}

/// The state machine; `P` is what a worker contributes to a manifest.
///
/// # Examples
/// ```
/// use headwater_checkpoint::{Decision, Event, Protocol, ProtocolOptions, ProtocolStart};
/// use headwater_core::Epoch;
///
/// let mut p = Protocol::new(ProtocolOptions::default(), 1, ProtocolStart::default());
/// assert!(matches!(p.on(Event::Trigger)[..], [Decision::OpenEpoch { barrier_of: Epoch(1), .. }]));
/// let ack = Event::Ack { worker: 0, epoch: Epoch(1), part: "segment of worker 0" };
/// assert!(matches!(p.on(ack)[..], [Decision::WriteManifest { epoch: Epoch(1), .. }]));
/// let written = Event::ManifestWritten { epoch: Epoch(1) };
/// assert!(matches!(p.on(written)[..], [Decision::Commit { epoch: Epoch(1) }]));
/// let committed = Event::Committed { epoch: Epoch(1) };
/// assert!(matches!(p.on(committed)[..], [Decision::Retire { epoch: Epoch(1) }]));
/// ```
#[derive(Debug)]
pub struct Protocol<P> {
    options: ProtocolOptions,
    workers: usize,
    phase: Phase,
    now: Option<ProcessingTime>,
    /// The newest epoch that workers were told to close.
    closed: Epoch,
    /// The newest epoch that a durable manifest has.
    durable: Epoch,
    parts: BTreeMap<(Epoch, usize), P>,
    /// When the next scheduled checkpoint is due.
    due: Option<ProcessingTime>,
    /// No scheduled checkpoint before this.
    pause_until: ProcessingTime,
    /// After a failure nothing starts before this.
    retry_at: ProcessingTime,
    asked: bool,
    /// An end was asked for; it becomes `last` when its epoch is closed.
    end: Option<End>,
    last: Option<End>,
    failures: u32,
}

impl<P> Protocol<P> {
    /// Starts an attempt of `workers` workers.
    ///
    /// If the restored checkpoint may have output that is not visible yet, or was the last one, the
    /// first decision is to commit it (again).
    pub fn new(options: ProtocolOptions, workers: usize, start: ProtocolStart) -> Self {
        let commit = start.recommit || start.end.is_some();
        Protocol {
            options,
            workers,
            phase: if commit { Phase::CommitAgain } else { Phase::Idle },
            now: None,
            closed: start.epoch,
            durable: start.epoch,
            parts: BTreeMap::new(),
            due: None,
            pause_until: ProcessingTime(i64::MIN),
            retry_at: ProcessingTime(i64::MIN),
            asked: false,
            end: None,
            last: start.end,
            failures: 0,
        }
    }

    /// The parts that the next manifest carries, by epoch and worker: more than one epoch if
    /// checkpoints have failed since the last durable manifest.
    pub fn parts(&self) -> impl Iterator<Item = (Epoch, usize, &P)> {
        self.parts.iter().map(|(&(epoch, worker), part)| (epoch, worker, part))
    }

    /// The newest epoch that has a durable manifest.
    pub fn durable(&self) -> Epoch {
        self.durable
    }

    /// The newest epoch that workers were told to close; they work in the one after it.
    pub fn closed(&self) -> Epoch {
        self.closed
    }

    /// When a tick will decide something, as far as is known now; before that none is needed.
    pub fn due(&self) -> Option<ProcessingTime> {
        if self.now.is_none() {
            return Some(ProcessingTime(i64::MIN));
        }
        match self.phase {
            Phase::Idle => {
                let due = self.due.map(|due| due.max(self.pause_until));
                let asked = self.asked || self.end.is_some();
                let due = if asked { Some(self.retry_at) } else { due };
                due.map(|due| due.max(self.retry_at))
            }
            Phase::Collecting { deadline } => deadline,
            Phase::WriteAgain | Phase::CommitAgain => Some(self.retry_at),
            Phase::Writing | Phase::Committing | Phase::Over => None,
        }
    }

    /// How many checkpoints in a row have failed.
    pub fn consecutive_failures(&self) -> u32 {
        self.failures
    }

    /// Whether the attempt is over: `Finished` or `Fail` was decided.
    pub fn is_over(&self) -> bool {
        self.phase == Phase::Over
    }

    /// Takes an event and decides; repeated and outdated events decide nothing.
    pub fn on(&mut self, event: Event<P>) -> Vec<Decision> {
        let mut out = Vec::new();
        if self.phase == Phase::Over {
            return out;
        }
        match event {
            Event::Tick { now } => self.tick(now, &mut out),
            Event::Trigger => {
                self.asked = true;
                self.open_if_wanted(&mut out);
            }
            Event::Stop => self.end_with(End::Stopped, &mut out),
            Event::AllSourcesFinished => self.end_with(End::Finished, &mut out),
            Event::Ack { worker, epoch, part } => self.ack(worker, epoch, part, &mut out),
            Event::UploadFailed { worker, epoch, error } => {
                self.upload_failed(worker, epoch, error, &mut out);
            }
            Event::ManifestWritten { epoch } => self.manifest_written(epoch, &mut out),
            Event::ManifestFailed { epoch, error } => self.manifest_failed(epoch, error, &mut out),
            Event::Committed { epoch } => self.committed(epoch, &mut out),
            Event::CommitFailed { epoch, error } => self.commit_failed(epoch, error, &mut out),
        }
        out
    }

    fn tick(&mut self, now: ProcessingTime, out: &mut Vec<Decision>) {
        // The wall clock may be set back; our time does not follow it.
        let now = self.now.map_or(now, |before| before.max(now));
        self.now = Some(now);
        if self.due.is_none() {
            self.due = self.options.interval.map(|interval| now + interval);
        }
        match self.phase {
            Phase::Idle => self.open_if_wanted(out),
            Phase::Collecting { deadline: Some(deadline) } if now >= deadline => {
                let late = self.missing();
                let error = Error::transient(format!(
                    "checkpoint of epoch {} timed out: no part from worker {late}",
                    self.closed
                ));
                self.checkpoint_failed(error, out);
            }
            Phase::WriteAgain if now >= self.retry_at => {
                self.phase = Phase::Writing;
                out.push(Decision::WriteManifest { epoch: self.closed, last: self.last });
            }
            Phase::CommitAgain if now >= self.retry_at => {
                self.phase = Phase::Committing;
                out.push(Decision::Commit { epoch: self.durable });
            }
            _ => {}
        }
    }

    fn end_with(&mut self, end: End, out: &mut Vec<Decision>) {
        // Finished wins over Stopped: there is nothing to come back for.
        if self.end != Some(End::Finished) {
            self.end = Some(end);
        }
        self.open_if_wanted(out);
    }

    fn open_if_wanted(&mut self, out: &mut Vec<Decision>) {
        let now = self.now.unwrap_or(ProcessingTime(i64::MIN));
        let due = self.due.is_some_and(|due| now >= due) && now >= self.pause_until;
        let wanted = self.end.is_some() || self.asked || due;
        if self.phase != Phase::Idle || self.last.is_some() || !wanted || now < self.retry_at {
            return;
        }
        self.asked = false;
        self.last = self.end;
        self.closed = self.closed.next();
        self.due = self.options.interval.map(|interval| now + interval);
        self.collect();
        out.push(Decision::OpenEpoch { barrier_of: self.closed, last: self.last });
    }

    fn collect(&mut self) {
        let deadline = self.now.zip(self.options.timeout).map(|(now, timeout)| now + timeout);
        self.phase = Phase::Collecting { deadline };
    }

    fn ack(&mut self, worker: usize, epoch: Epoch, part: P, out: &mut Vec<Decision>) {
        if worker >= self.workers || epoch > self.closed {
            let text = format!("worker {worker} acked epoch {epoch}, which was not closed");
            return self.fail(Error::internal(text), out);
        }
        if epoch <= self.durable {
            return;
        }
        self.parts.entry((epoch, worker)).or_insert(part);
        let collecting = matches!(self.phase, Phase::Collecting { .. });
        if collecting && self.parts.len() as u64 == self.expected() {
            self.phase = Phase::Writing;
            out.push(Decision::WriteManifest { epoch: self.closed, last: self.last });
        }
    }

    /// Number of parts that the next manifest has to have.
    fn expected(&self) -> u64 {
        (self.closed.0 - self.durable.0) * self.workers as u64
    }

    /// The first worker whose part is missing.
    fn missing(&self) -> usize {
        let missing = |worker: &usize| {
            let mut epochs = self.durable.0 + 1..=self.closed.0;
            !epochs.all(|epoch| self.parts.contains_key(&(Epoch(epoch), *worker)))
        };
        (0..self.workers).find(missing).unwrap_or(self.workers)
    }

    fn upload_failed(
        &mut self,
        worker: usize,
        epoch: Epoch,
        error: Error,
        out: &mut Vec<Decision>,
    ) {
        let counts = matches!(self.phase, Phase::Collecting { .. })
            && epoch > self.durable
            && !self.parts.contains_key(&(epoch, worker));
        if counts {
            let context = format!("worker {worker} cannot upload its part of epoch {epoch}");
            self.checkpoint_failed(error.within(context), out);
        }
    }

    fn manifest_written(&mut self, epoch: Epoch, out: &mut Vec<Decision>) {
        if self.phase != Phase::Writing || epoch != self.closed {
            return self.unexpected(epoch, "manifest written", out);
        }
        self.durable = epoch;
        self.parts.clear();
        self.phase = Phase::Committing;
        out.push(Decision::Commit { epoch });
    }

    fn manifest_failed(&mut self, epoch: Epoch, error: Error, out: &mut Vec<Decision>) {
        if self.phase != Phase::Writing || epoch != self.closed {
            return self.unexpected(epoch, "manifest failed", out);
        }
        if error.kind() == ErrorKind::Fenced {
            return self.fail(error, out);
        }
        self.checkpoint_failed(error, out);
    }

    fn committed(&mut self, epoch: Epoch, out: &mut Vec<Decision>) {
        if self.phase != Phase::Committing || epoch != self.durable {
            return self.unexpected(epoch, "output committed", out);
        }
        self.failures = 0;
        self.phase = Phase::Idle;
        self.pause_until = self.after(self.options.min_pause);
        out.push(Decision::Retire { epoch });
        match self.last {
            Some(end) => {
                self.phase = Phase::Over;
                out.push(Decision::Finished { epoch, end });
            }
            None => self.open_if_wanted(out),
        }
    }

    fn commit_failed(&mut self, epoch: Epoch, error: Error, out: &mut Vec<Decision>) {
        if self.phase != Phase::Committing || epoch != self.durable {
            return self.unexpected(epoch, "commit failed", out);
        }
        if error.kind() != ErrorKind::Transient {
            return self.fail(error, out);
        }
        self.phase = Phase::CommitAgain;
        self.count_failure(epoch, error, out);
    }

    fn checkpoint_failed(&mut self, error: Error, out: &mut Vec<Decision>) {
        let written = self.phase == Phase::Writing;
        match self.last {
            // No further epoch can carry the parts of the last one: go on with this one.
            Some(_) if written => self.phase = Phase::WriteAgain,
            Some(_) => self.collect(),
            None => {
                self.phase = Phase::Idle;
                self.pause_until = self.after(self.options.min_pause);
            }
        }
        self.count_failure(self.closed, error, out);
    }

    fn count_failure(&mut self, epoch: Epoch, error: Error, out: &mut Vec<Decision>) {
        self.failures += 1;
        if self.failures > self.options.tolerable_failures {
            let context = format!("{} checkpoints in a row have failed, the last", self.failures);
            return self.fail(error.within(context), out);
        }
        let doubled = 1 << (self.failures - 1).min(7);
        self.retry_at = self.after(self.options.failure_pause * doubled);
        out.push(Decision::CheckpointFailed { epoch, consecutive: self.failures, error });
    }

    /// A stale report is ignored; one from the future is a bug of the caller.
    fn unexpected(&mut self, epoch: Epoch, what: &str, out: &mut Vec<Decision>) {
        if epoch > self.closed || (epoch > self.durable && self.phase == Phase::Committing) {
            let text = format!("\"{what}\" was reported for epoch {epoch} in {:?}", self.phase);
            self.fail(Error::internal(text), out);
        }
    }

    fn fail(&mut self, error: Error, out: &mut Vec<Decision>) {
        self.phase = Phase::Over;
        out.push(Decision::Fail { error });
    }

    fn after(&self, pause: Duration) -> ProcessingTime {
        self.now.map_or(ProcessingTime(i64::MIN), |now| now + pause)
    }
}
