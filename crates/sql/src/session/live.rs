//! A running SELECT: a job whose sink hands rows to whoever looks.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use headwater_connect::{
    AttemptContext, BadRecord, Committer, Guarantee, Measure, TransactionLog, WriteStatus,
    WriterContext,
};
use headwater_core::{BadRecordPolicy, Batch, Epoch, Result};
use headwater_runtime::{JobHandle, Outcome, StopMode};
use headwater_topology::erased::{AnySink, AnyWriter};

use crate::connectors::ChangelogMode;
use crate::error::{SqlError, SqlResult};
use crate::planner::step::{Op, Step};
use crate::rows::{Chunk, Rows};
use crate::splits::SplitBoard;

/// Chunks that wait to be looked at; while there are so many, the query waits.
const WAITING: usize = 64;

/// What a running SELECT gives next.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "it is moved once per batch")]
pub enum LiveEvent {
    /// Rows, each with what it does.
    Rows(Chunk),
    /// Nothing within the time.
    Nothing,
    /// The query has ended; there are no more rows.
    Ended,
}

/// A running SELECT. Dropping it stops the query at once.
pub struct LiveQuery {
    /// The columns.
    pub schema: SchemaRef,
    /// What the rows do: only be added, replace each other by a key, or be changed.
    pub changelog: ChangelogMode,
    /// What the reader should know, such as state that grows for ever.
    pub warnings: Vec<String>,
    /// Where the splits of the query's tables stand.
    pub splits: SplitBoard,
    handle: JobHandle,
    rows: Receiver<Chunk>,
    dropped: Arc<AtomicU64>,
    /// Rows that are still to come where the query has a LIMIT over new rows.
    left: Option<u64>,
}

impl LiveQuery {
    pub(super) fn new(
        schema: SchemaRef,
        changelog: ChangelogMode,
        warnings: Vec<String>,
        splits: SplitBoard,
        handle: JobHandle,
        sink: &LiveSink,
    ) -> SqlResult<Self> {
        let rows = sink.receiver.lock().unwrap_or_else(PoisonError::into_inner).take();
        let rows = rows.ok_or_else(|| SqlError::internal("a live query has one reader"))?;
        let dropped = Arc::clone(&sink.attempts);
        Ok(LiveQuery { schema, changelog, warnings, splits, handle, rows, dropped, left: None })
    }

    /// The same as a query that ends when the rows of its LIMIT are there: its input need not.
    pub(super) fn ending_with(mut self, step: &Step) -> Self {
        self.left = row_limit(step);
        self
    }

    /// The next rows, waiting for them up to `timeout`.
    pub fn next(&mut self, timeout: Duration) -> LiveEvent {
        const STEP: Duration = Duration::from_millis(20);
        let mut left = timeout;
        if self.left == Some(0) {
            self.stop();
            return LiveEvent::Ended;
        }
        loop {
            let ended = self.handle.is_ended();
            match self.rows.recv_timeout(left.min(STEP)) {
                Ok(chunk) => {
                    let rows = chunk.len() as u64;
                    self.left = self.left.map(|left| left.saturating_sub(rows));
                    return LiveEvent::Rows(self.named(chunk));
                }
                Err(RecvTimeoutError::Disconnected) => return LiveEvent::Ended,
                Err(RecvTimeoutError::Timeout) if ended => return LiveEvent::Ended,
                Err(RecvTimeoutError::Timeout) if left <= STEP => return LiveEvent::Nothing,
                Err(RecvTimeoutError::Timeout) => left -= STEP,
            }
        }
    }

    /// The chunk with the query's names of its columns: steps that only rename hand chunks on as
    /// they are.
    fn named(&self, chunk: Chunk) -> Chunk {
        let columns = chunk.data.columns().to_vec();
        match RecordBatch::try_new(Arc::clone(&self.schema), columns) {
            Ok(data) => Chunk { data, ..chunk },
            Err(_) => chunk,
        }
    }

    /// The job that runs the query.
    pub fn job(&self) -> &JobHandle {
        &self.handle
    }

    /// How many rows are still to come before the query ends by itself, where that is known.
    pub fn rows_left(&self) -> Option<u64> {
        self.left
    }

    /// How often the query began anew after a failure: rows given before may come again then.
    pub fn restarts(&self) -> u64 {
        self.dropped.load(Relaxed).saturating_sub(1)
    }

    /// Asks the query to stop.
    pub fn stop(&self) {
        self.handle.stop(StopMode::Now);
    }

    /// Waits for the query to end, once all rows were taken.
    ///
    /// # Errors
    /// What the query failed with.
    pub fn finish(&mut self) -> SqlResult<Outcome> {
        Ok(self.handle.wait()?)
    }
}

/// How many rows a step gives at most, where those are never changed afterwards.
fn row_limit(step: &Step) -> Option<u64> {
    if !step.traits.append_only() {
        return None;
    }
    match &step.op {
        Op::Limit { fetch, .. } => Some(*fetch),
        Op::Calc { filter: None, .. } => step.input().and_then(|input| row_limit(input)),
        _ => None,
    }
}

/// The sink of a running SELECT.
pub(super) struct LiveSink {
    sender: SyncSender<Chunk>,
    receiver: Mutex<Option<Receiver<Chunk>>>,
    attempts: Arc<AtomicU64>,
}

impl LiveSink {
    pub(super) fn new() -> Self {
        let (sender, receiver) = sync_channel(WAITING);
        LiveSink { sender, receiver: Mutex::new(Some(receiver)), attempts: Arc::default() }
    }
}

impl AnySink for LiveSink {
    fn validate(&self) -> Result<()> {
        Ok(())
    }
    fn guarantee(&self) -> Guarantee {
        Guarantee::AtLeastOnce
    }
    fn writer(&self, _cx: &WriterContext) -> Result<Box<dyn AnyWriter>> {
        Ok(Box::new(LiveWriter { sender: self.sender.clone(), queue: Vec::new() }))
    }
    fn begin_attempt(&self, _cx: &AttemptContext) -> Result<()> {
        self.attempts.fetch_add(1, Relaxed);
        Ok(())
    }
    fn committer(&self) -> Result<Option<Box<dyn Committer>>> {
        Ok(None)
    }
    fn measures(&self) -> Vec<Measure> {
        Vec::new()
    }
    fn transaction_domain(&self) -> Option<String> {
        None
    }
    fn transaction_log(&self, _job: &str) -> Result<Option<Box<dyn TransactionLog>>> {
        Ok(None)
    }
}

struct LiveWriter {
    sender: SyncSender<Chunk>,
    /// Last one first.
    queue: Vec<Chunk>,
}

impl AnyWriter for LiveWriter {
    fn push(&mut self, batch: Batch) {
        let chunks = Rows::of(batch);
        self.queue.splice(0..0, chunks.into_iter().rev());
    }
    fn write(&mut self) -> Result<WriteStatus> {
        while let Some(chunk) = self.queue.pop() {
            match self.sender.try_send(chunk) {
                Ok(()) => {}
                Err(TrySendError::Full(chunk)) => {
                    self.queue.push(chunk);
                    return Ok(WriteStatus::Blocked);
                }
                // Nobody looks any more: the query is about to be stopped.
                Err(TrySendError::Disconnected(_)) => {}
            }
        }
        Ok(WriteStatus::Done)
    }
    fn queued(&self) -> usize {
        self.queue.iter().map(Chunk::len).sum()
    }
    fn flush(&mut self) -> Result<()> {
        Ok(())
    }
    fn prepare(&mut self, _epoch: Epoch) -> Result<Vec<Vec<u8>>> {
        Ok(Vec::new())
    }
    fn take_refused(&mut self) -> (BadRecordPolicy, Vec<BadRecord>) {
        (BadRecordPolicy::Fail, Vec::new())
    }
}
