//! One group as a timely operator: receives, reads, advances, cuts barriers, sends.
//!
//! An activation does, in this order: (1) processes what arrived, holding back batches of later
//! epochs; (2) lets its source read one batch, if there is one and flow control permits; (3)
//! advances watermarks, passes barriers that are complete, and releases what was held back; (4)
//! sends what left the chain; (5) lets its capabilities follow; (6) encodes a slice of a running
//! snapshot.
//!
//! Invariants: everything is sent at the moment of the capability held, before that advances; the
//! barrier of epoch e is passed when the frontiers of all inputs are beyond e, the coordinator has
//! asked for it, no sink holds records, and the previous snapshot is encoded; a failure, also a
//! panic of user code, never unwinds into timely.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use headwater_core::{Clock, Epoch, Error, EventTime, Result, Watermark};
use headwater_topology::Chain;
use timely::dataflow::operators::Capability;
use timely::progress::frontier::MutableAntichain;

use crate::control::{Control, Reading};
use crate::flow::Flow;
use crate::held_back::HeldBack;
use crate::idle_board::IdleBoard;
use crate::moment::{Moment, frontier};
use crate::outbox::Outbox;
use crate::parcel::Parcel;
use crate::source_driver::{Next, SourceDriver};
use crate::worker_part::Gatherer;

/// How long an activation encodes while a snapshot runs.
const ENCODE_TIME: Duration = Duration::from_micros(100);
/// Bytes encoded between two looks at the clock.
const ENCODE_BYTES: usize = 16 << 10;
/// How soon a group looks again when there is no room for its records, or for what it encodes.
const NO_ROOM_POLL: Duration = Duration::from_micros(100);
/// How often an idle source group follows the others' watermark.
const IDLE_POLL: Duration = Duration::from_millis(1);
/// How often it looks when all are idle.
const ALL_IDLE_POLL: Duration = Duration::from_millis(20);

/// What groups of all workers share.
pub(crate) struct Shared {
    pub(crate) control: Control,
    pub(crate) flow: Flow,
    pub(crate) idle_board: IdleBoard,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) started: Instant,
}

/// State of one group on one worker.
pub(crate) struct GroupState {
    pub(crate) chain: Chain,
    /// Edges that arrive, by input.
    pub(crate) arriving: Vec<usize>,
    /// Edges that leave, by output.
    pub(crate) leaving: Vec<usize>,
    pub(crate) outboxes: Vec<Outbox>,
    pub(crate) sources: Vec<SourceDriver>,
    pub(crate) reported: Vec<bool>,
    pub(crate) held: HeldBack,
    /// The running epoch: barriers below it have been passed.
    pub(crate) epoch: Epoch,
    pub(crate) encoding: bool,
    pub(crate) backlog: usize,
    /// Set if the group says on the idle board how far it is: as which worker.
    pub(crate) publishes: Option<usize>,
    pub(crate) gatherer: Gatherer,
    pub(crate) shared: Arc<Shared>,
    pub(crate) quiet: bool,
    pub(crate) done: bool,
    pub(crate) state_sizes_at: Duration,
    pub(crate) blocked_since: Option<Instant>,
}

/// When the group wants to be activated again.
pub(crate) type Again = Next;

impl GroupState {
    /// Runs `f`, turning an error or panic into the failure of the attempt.
    pub(crate) fn guard<R>(&mut self, f: impl FnOnce(&mut Self) -> Result<R>) -> Option<R> {
        let outcome = catch_unwind(AssertUnwindSafe(|| f(self)));
        let error = match outcome {
            Ok(Ok(value)) => return Some(value),
            Ok(Err(error)) => error,
            Err(panic) => {
                let (operator, at) = self.chain.at_work();
                let message = panic_message(panic.as_ref());
                let place = at.map(|at| format!(" at record {} of its batch", at + 1));
                let place = place.unwrap_or_default();
                Error::user(format!("operator {operator:?} panicked{place}: {message}"))
                .hint("the attempt is restarted from the last checkpoint, if the restart strategy allows")
            }
        };
        self.shared.control.fail(error);
        None
    }

    /// (1) A batch arrived at `input`.
    pub(crate) fn receive(&mut self, input: usize, moment: Moment, parcel: Parcel) -> Result<()> {
        if moment.epoch > self.epoch {
            self.held.hold(input, moment, parcel.batch);
            return Ok(());
        }
        self.process(input, parcel.batch)
    }

    fn process(&mut self, input: usize, batch: headwater_core::Batch) -> Result<()> {
        let records = batch.len();
        self.quiet = false;
        self.chain.push_edge(self.arriving[input], batch)?;
        self.collect();
        // What a sink holds now is added before what arrived is taken off, lest sources see room.
        self.account_backlog();
        self.shared.flow.sub(records);
        Ok(())
    }

    /// Moves what left the chain to the outboxes.
    fn collect(&mut self) {
        for (edge, batch) in self.chain.take_departed() {
            if let Some(output) = self.leaving.iter().position(|e| *e == edge) {
                let grown = self.outboxes[output].push(batch);
                self.shared.flow.add(grown);
            }
        }
    }

    /// Accounts for records that sinks of this group hold.
    fn account_backlog(&mut self) {
        let backlog = self.chain.backlog();
        self.shared.flow.add(backlog.saturating_sub(self.backlog));
        self.shared.flow.sub(self.backlog.saturating_sub(backlog));
        self.backlog = backlog;
    }

    /// (2) Lets sources read, unless a barrier is due, there is no room or the job stops.
    fn read(&mut self) -> Result<Next> {
        let control = &self.shared.control;
        let reading = control.reading();
        let barrier_due = control.closing() >= self.epoch;
        if self.sources.is_empty() || reading == Reading::Off || barrier_due || self.done {
            return Ok(Next::Woken);
        }
        if reading == Reading::On && (self.backlog > 0 || !self.shared.flow.has_room()) {
            self.blocked_since.get_or_insert_with(Instant::now);
            return Ok(Next::After(NO_ROOM_POLL));
        }
        if let Some(since) = self.blocked_since.take() {
            self.chain.note_blocked(since.elapsed());
        }
        let mut next = Next::Woken;
        for at in 0..self.sources.len() {
            let (elapsed, now) = (self.shared.started.elapsed(), self.shared.clock.now());
            let source = &mut self.sources[at];
            let n = source.read(&mut self.chain, reading, source.batch_size(), elapsed, now)?;
            if source.is_finished() && !self.reported[at] {
                self.reported[at] = true;
                self.gatherer.source_finished();
            }
            next = next.sooner(n);
            self.collect();
        }
        Ok(next)
    }

    /// (3) Watermarks and barriers, until nothing moves.
    fn advance(&mut self, frontiers: &[MutableAntichain<Moment>]) -> Result<()> {
        loop {
            // A job that is stopped goes on later. Groups that are done with it no longer hold the
            // frontier, so from here on it says nothing of event time.
            let stopping = self.shared.control.is_stopping();
            for (input, edge) in self.arriving.iter().enumerate().filter(|_| !stopping) {
                let reached = frontier(&frontiers[input]).map_or(EventTime::MAX, |m| m.watermark);
                let held = self.held.watermark(input).unwrap_or(EventTime::MAX);
                self.chain.set_edge_watermark(*edge, reached.min(held));
            }
            self.chain.advance_watermarks()?;
            self.collect();
            self.account_backlog();
            if !self.barrier_is_complete(frontiers) {
                return Ok(());
            }
            self.pass_barrier()?;
            for (input, batch) in self.held.release(self.epoch) {
                self.process(input, batch)?;
            }
        }
    }

    fn barrier_is_complete(&self, frontiers: &[MutableAntichain<Moment>]) -> bool {
        let asked = self.shared.control.closing() >= self.epoch;
        let beyond =
            |f: &MutableAntichain<Moment>| frontier(f).is_none_or(|m| m.epoch > self.epoch);
        asked && !self.done && !self.encoding && self.backlog == 0 && frontiers.iter().all(beyond)
    }

    fn pass_barrier(&mut self) -> Result<()> {
        let closing = self.epoch;
        let mut snapshots = self.chain.barrier(closing)?;
        for source in &self.sources {
            if let Some(of_source) = snapshots.iter_mut().find(|s| s.uid == source.name) {
                of_source.parts = vec![source.snapshot()?];
            }
        }
        self.gatherer.barrier(closing, snapshots)?;
        self.encoding = true;
        self.epoch = closing.next();
        self.done = self.shared.control.is_last(closing);
        self.encode()
    }

    /// (6) Encodes a slice of the running snapshot.
    fn encode(&mut self) -> Result<()> {
        let began = Instant::now();
        while self.encoding && self.gatherer.has_room() {
            let chain = &mut self.chain;
            if self.gatherer.encode(|segment| chain.encode(ENCODE_BYTES, segment))? {
                self.encoding = false;
                self.gatherer.group_done();
            } else if began.elapsed() >= ENCODE_TIME {
                break;
            }
        }
        Ok(())
    }

    /// Everything but receiving and sending; returns when to come again.
    pub(crate) fn activate(&mut self, frontiers: &[MutableAntichain<Moment>]) -> Result<Again> {
        let now = self.shared.clock.now();
        self.chain.set_now(now);
        if self.chain.wake_at().is_some_and(|at| at <= now) {
            self.chain.on_processing_time()?;
            self.collect();
        }
        if self.backlog > 0 {
            // A writer may have woken us because it can go on.
            self.chain.resume_sinks()?;
            self.collect();
        }
        self.account_backlog();
        self.encode()?;
        let mut next = self.read()?;
        if next == Next::Now {
            self.quiet = false;
        } else if !self.quiet {
            // The input pauses: sinks that show their output at once shall.
            self.quiet = true;
            self.chain.flush()?;
            self.collect();
        }
        let before = self.epoch;
        self.advance(frontiers)?;
        if self.epoch != before || (self.encoding && self.gatherer.has_room()) {
            // A source that stood still for the barrier goes on.
            next = Next::Now;
        } else if self.encoding {
            next = next.sooner(Next::After(NO_ROOM_POLL));
        }
        if let Some(at) = self.chain.wake_at() {
            let wait = Duration::from_millis((at.0 - now.0).max(0) as u64);
            next = next.sooner(Next::After(wait.max(NO_ROOM_POLL)));
        }
        self.publish_state_sizes();
        Ok(next)
    }

    fn publish_state_sizes(&mut self) {
        let elapsed = self.shared.started.elapsed();
        if elapsed >= self.state_sizes_at {
            self.state_sizes_at = elapsed + Duration::from_millis(500);
            self.chain.publish_state_sizes();
        }
    }

    /// (5) Where the capabilities may go: the moment per output, and when to look again.
    pub(crate) fn downgrade(&mut self, capabilities: &mut Vec<Capability<Moment>>) -> Again {
        if self.done {
            capabilities.clear();
            self.leaving.iter().for_each(|edge| self.publish(*edge, Watermark::Idle));
            return Next::Woken;
        }
        let mut again = Next::Woken;
        for (output, capability) in capabilities.iter_mut().enumerate() {
            let edge = self.leaving[output];
            let said = self.chain.edge_watermark(edge);
            self.publish(edge, said);
            let held = capability.time().watermark;
            let watermark = match said {
                Watermark::At(time) => time,
                Watermark::Idle => {
                    let floor = self.shared.idle_board.floor(edge);
                    let poll = if floor.is_some() { IDLE_POLL } else { ALL_IDLE_POLL };
                    again = again.sooner(Next::After(poll));
                    floor.unwrap_or(held)
                }
            };
            let moment = Moment { epoch: self.epoch, watermark: watermark.max(held) };
            if moment != *capability.time() {
                capability.downgrade(&moment);
            }
        }
        again
    }

    fn publish(&self, edge: usize, watermark: Watermark) {
        if let Some(worker) = self.publishes {
            self.shared.idle_board.publish(edge, worker, watermark);
        }
    }
}

/// The text of a panic.
pub(crate) fn panic_message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|s| (*s).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no message".into())
}
