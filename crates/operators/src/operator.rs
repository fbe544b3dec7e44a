//! The operator contract, and the context through which an operator acts.
//!
//! Invariants the chain that drives operators keeps:
//! - `on_watermark` is called with strictly increasing watermarks, after every batch that was sent
//!   before them; `EventTime::MAX` means that the input has ended;
//! - at a barrier all batches of the closing epoch have been processed, then the tables are frozen
//!   and `snapshot` is called;
//! - after a restore: tables are loaded, `restore` gets the non-keyed parts of *all* workers of the
//!   earlier attempt, then `restored` is called; only then batches come.

use headwater_core::{
    BadRecordPolicy, Batch, DeadLetter, Epoch, Error, EventTime, KeyGroupRange, ProcessingTime,
    Record, Result, SplitTag, Timed, Watermark,
};
use headwater_state::StateTable;

/// Number of an input or output of an operator.
pub type Port = u16;

/// The main output.
pub const OUT: Port = 0;
/// Late records, of operators that have them.
pub const LATE: Port = 1;

/// Number of records an operator gathers before it emits them on its own.
pub const BATCH_SIZE: usize = 1024;

/// One step of a job on one worker.
pub trait Operator: Send {
    /// Processes one batch that arrived at input `port`.
    fn process(&mut self, port: Port, batch: Batch, cx: &mut OperatorContext) -> Result<()>;

    /// The watermark of the inputs has advanced to `watermark` (the minimum over them).
    fn on_watermark(&mut self, watermark: EventTime, cx: &mut OperatorContext) -> Result<()> {
        let _ = (watermark, cx);
        Ok(())
    }

    /// What this operator tells the next ones, given what its inputs say. Never goes back.
    fn watermark(&self, input: Watermark) -> Watermark {
        input
    }

    /// When `on_processing_time` wants to be called next.
    fn wake_at(&self) -> Option<ProcessingTime> {
        None
    }

    /// Processing time has reached `wake_at`; the time is in the context.
    fn on_processing_time(&mut self, cx: &mut OperatorContext) -> Result<()> {
        let _ = cx;
        Ok(())
    }

    /// Keyed state, for checkpoints: always the same tables in the same order.
    fn tables(&mut self) -> Vec<&mut dyn StateTable> {
        Vec::new()
    }

    /// Non-keyed state at the barrier that closes `epoch`.
    fn snapshot(&mut self, epoch: Epoch) -> Result<Vec<Vec<u8>>> {
        let _ = epoch;
        Ok(Vec::new())
    }

    /// Takes back non-keyed state: the parts of all workers of the earlier attempt.
    fn restore(&mut self, parts: &[Vec<u8>]) -> Result<()> {
        let _ = parts;
        Ok(())
    }

    /// All state is loaded: rebuild what is derived from it.
    fn restored(&mut self) -> Result<()> {
        Ok(())
    }

    /// Something happened to a split of the source in front of this operator.
    fn on_split(&mut self, split: SplitTag, event: SplitEvent<'_>) {
        let _ = (split, event);
    }

    /// Whether `split` is so far ahead of others that it should not be read now.
    fn holds_back(&self, split: SplitTag) -> bool {
        let _ = split;
        false
    }

    /// The input pauses: what may be passed on at once should be.
    fn flush(&mut self, cx: &mut OperatorContext) -> Result<()> {
        let _ = cx;
        Ok(())
    }

    /// Records that are held because something downstream does not take them now.
    fn backlog(&self) -> usize {
        0
    }
}

/// What can happen to a split.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SplitEvent<'a> {
    /// It is read from now on, under this stable name.
    Added {
        /// Name of the split.
        id: &'a str,
    },
    /// Its reader has nothing to give since `since` (not: it is held back by us).
    Quiet {
        /// When that was noticed.
        since: ProcessingTime,
    },
    /// It gives records again.
    Active,
    /// It has ended.
    Ended,
}

/// What an operator is told when it is built on a worker.
#[derive(Clone, Debug)]
pub struct OperatorInit {
    /// Name of the step: its uid.
    pub name: String,
    /// Index of the worker.
    pub worker: usize,
    /// Number of workers.
    pub workers: usize,
    /// Key groups that this worker owns.
    pub key_groups: KeyGroupRange,
}

/// What happened to records that did not simply pass; added up by the chain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Records that were taken in and need no output of their own: filtered out by user code.
    pub filtered: u64,
    /// Records that came too late.
    pub late: u64,
    /// Records that were dead-lettered.
    pub dead_lettered: u64,
    /// Records that were dropped by a declared policy.
    pub dropped: u64,
    /// Records stamped so far in the future that they did not move the watermark; they passed.
    pub future: u64,
}

/// Through which an operator emits, counts and refuses; and what it may know.
pub struct OperatorContext {
    now: ProcessingTime,
    watermark: EventTime,
    split: SplitTag,
    /// What was emitted, in order, by output port; taken by the chain.
    pub emitted: Vec<(Port, Batch)>,
    /// Records refused; taken by the chain.
    pub dead_letters: Vec<DeadLetter>,
    /// What to add to the operator's counters; taken by the chain.
    pub counts: Counts,
    /// Index in its batch of the record that user code is working on, for error messages.
    pub at: usize,
}

impl OperatorContext {
    /// A context at the given time, with nothing emitted.
    pub fn new(now: ProcessingTime) -> Self {
        OperatorContext {
            now,
            watermark: EventTime::MIN,
            split: SplitTag::NONE,
            emitted: Vec::new(),
            dead_letters: Vec::new(),
            counts: Counts::default(),
            at: 0,
        }
    }

    /// Sets the scene for the next call; for those who drive operators.
    pub fn enter(&mut self, now: ProcessingTime, watermark: EventTime, split: SplitTag) {
        self.now = now;
        self.watermark = watermark;
        self.split = split;
    }

    /// Processing time, as of the start of this activation.
    pub fn now(&self) -> ProcessingTime {
        self.now
    }

    /// The watermark of the operator's inputs.
    pub fn watermark(&self) -> EventTime {
        self.watermark
    }

    /// The split that the current batch came from.
    pub fn split(&self) -> SplitTag {
        self.split
    }

    /// Emits records at output `port`; they keep the split tag of the batch being processed.
    pub fn emit<T: Record>(&mut self, port: Port, records: Vec<Timed<T>>) {
        if !records.is_empty() {
            self.emitted.push((port, Batch::new(records).with_split(self.split)));
        }
    }

    /// Emits a whole batch at output `port`.
    pub fn emit_batch(&mut self, port: Port, batch: Batch) {
        if !batch.is_empty() {
            self.emitted.push((port, batch));
        }
    }

    /// Deals with a record whose processing returned an error, by the declared policy.
    ///
    /// # Errors
    /// Returns the error itself under [`BadRecordPolicy::Fail`].
    pub fn refuse<T: serde::Serialize>(
        &mut self,
        policy: BadRecordPolicy,
        operator: &str,
        record: &Timed<T>,
        error: Error,
    ) -> Result<()> {
        match policy {
            BadRecordPolicy::Fail => return Err(error),
            BadRecordPolicy::Skip => self.counts.dropped += 1,
            BadRecordPolicy::DeadLetter => {
                let json = serde_json::to_vec(&record.value).unwrap_or_default();
                let position = format!("event time {}", record.time);
                let letter = DeadLetter::whole(operator, position, error.to_string(), json);
                self.counts.dead_lettered += 1;
                self.dead_letters.push(letter);
            }
        }
        Ok(())
    }
}
