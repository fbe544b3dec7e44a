//! The sink contract: writers per worker, and a committer for what becomes visible per epoch.
//!
//! Life of an exactly-once epoch: [`Writer::write`] stages records where readers of the target do
//! not see them; [`Writer::prepare`] makes what was staged durable and describes it by
//! committables, which go into the checkpoint; after the checkpoint is durable,
//! [`Committer::commit`] makes them visible. After a crash [`Committer::recover`] does that again
//! for the restored epoch (it must not matter how often) and removes what other attempts left
//! behind.

use headwater_core::{BadRecordPolicy, Epoch, Record, Result, Timed};
use serde::{Deserialize, Serialize};

use crate::measure::Measure;
use crate::source::{BadRecord, Wake};
use crate::transaction::{Transaction, TransactionLog};

/// What a reader of the target sees of each record that reached the sink.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Guarantee {
    /// Once, end to end: output becomes visible with its checkpoint.
    ExactlyOnce,
    /// Once or, after a failure, more than once.
    AtLeastOnce,
}

/// What a committer needs to make one worker's part of an epoch visible; opaque to the engine.
pub type Committable = Vec<u8>;

/// A place that records go to. One value serves all workers and all attempts.
pub trait Sink: Send + Sync + 'static {
    /// What it takes.
    type Record: Record;

    /// Checks the configuration before the job starts.
    fn validate(&self) -> Result<()> {
        Ok(())
    }

    /// What its readers may rely on.
    fn guarantee(&self) -> Guarantee;

    /// An attempt begins: called before its writers and its committer are opened.
    fn begin_attempt(&self, cx: &AttemptContext) -> Result<()> {
        let _ = cx;
        Ok(())
    }

    /// Opens the writer of one worker.
    fn writer(&self, cx: &WriterContext) -> Result<Box<dyn Writer<Self::Record>>>;

    /// Opens the committer of the job; `None` when there is nothing to make visible.
    ///
    /// A sink that says [`Guarantee::ExactlyOnce`] has one.
    fn committer(&self) -> Result<Option<Box<dyn Committer>>> {
        Ok(None)
    }

    /// What it tells about itself now. Must not wait.
    fn measures(&self) -> Vec<Measure> {
        Vec::new()
    }

    /// The transactional system it writes, by a name that tells systems apart, if it can share a
    /// transaction with others there (see [`crate::transaction`]).
    fn transaction_domain(&self) -> Option<String> {
        None
    }

    /// Opens the transactions of a job for all sinks of its domain; `None` without a domain.
    fn transaction_log(&self, job: &str) -> Result<Option<Box<dyn TransactionLog>>> {
        let _ = job;
        Ok(None)
    }
}

/// Which attempt begins.
#[derive(Clone)]
pub struct AttemptContext {
    /// Name of the job.
    pub job: String,
    /// Name of the sink step in the job.
    pub sink: String,
    /// The transactions to write in; none if the sink commits by itself.
    pub transaction: Option<Transaction>,
}

/// Who a writer is.
#[derive(Clone)]
pub struct WriterContext {
    /// Name of the sink step in the job.
    pub sink: String,
    /// Index of the worker.
    pub worker: usize,
    /// Number of workers.
    pub workers: usize,
    /// Number of the attempt; unique over all restarts of the job, so names made from it are never
    /// used twice.
    pub attempt: u64,
    /// Wakes the worker when a writer that said [`WriteStatus::Blocked`] can go on.
    pub wake: Wake,
}

/// Whether a writer took everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriteStatus {
    /// All records were taken.
    Done,
    /// Records are left in the vector; call again after a wake-up, or after a short while.
    Blocked,
}

/// Writes one worker's share.
pub trait Writer<T>: Send {
    /// Takes records from the front of `records`; what cannot be taken now stays in it.
    fn write(&mut self, records: &mut Vec<Timed<T>>) -> Result<WriteStatus>;

    /// Called when the input pauses: output that may be seen at once should be, now.
    fn flush(&mut self) -> Result<()> {
        Ok(())
    }

    /// Ends the epoch: makes what was written durable and says how to make it visible.
    ///
    /// Called at every barrier. An at-least-once sink flushes here and returns nothing.
    fn prepare(&mut self, epoch: Epoch) -> Result<Vec<Committable>>;

    /// Records that could not be encoded since the last call, and what is to happen to them.
    fn take_refused(&mut self) -> (BadRecordPolicy, Vec<BadRecord>) {
        (BadRecordPolicy::DeadLetter, Vec::new())
    }
}

/// Makes epochs visible; one per sink and attempt, called from one thread, in order of epochs.
pub trait Committer: Send {
    /// Makes the committables of `epoch` visible. Idempotent: after a crash it is called again.
    fn commit(&mut self, epoch: Epoch, committables: &[Committable]) -> Result<()>;

    /// The checkpoint of `epoch` failed: its output becomes visible with a later one, whose
    /// committables have it too. Writers are in the next epoch by now.
    fn carry_over(&mut self, epoch: Epoch) {
        let _ = epoch;
    }

    /// Called once before an attempt starts, with the committables of the restored epoch (none for
    /// a first start): commits them unless that was done, then removes what aborted attempts
    /// staged.
    fn recover(&mut self, epoch: Epoch, committables: &[Committable]) -> Result<()> {
        self.commit(epoch, committables)
    }
}
