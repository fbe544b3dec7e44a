//! The source contract: splits, readers, positions.
//!
//! Invariants that the engine relies on and [`crate::conformance`] checks:
//! - a reader opened at a position gives exactly the records that follow it, in the same order;
//! - [`Reader::position`] covers every record given so far, and no other;
//! - [`Reader::read`] returns promptly: it never sleeps and never waits for I/O that may not come.

use std::time::Duration;

use headwater_core::{EventTime, Original, ProcessingTime, Record, Result, Timed};
use serde::{Deserialize, Serialize};

use crate::measure::Measure;

pub use headwater_core::Wake;

/// The stable name of a split: a file path, a partition, `"0"`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SplitId(pub String);

impl std::fmt::Display for SplitId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where a reader stands in its split: text that only the connector understands.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Position(pub String);

impl std::fmt::Display for Position {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether new splits can appear while the job runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Discovery {
    /// The splits known at the start are all; the source ends when they have ended.
    Once,
    /// Ask again at this interval; the source never ends by itself.
    Every(Duration),
}

/// A set of splits that can be read in parallel.
///
/// One value serves all workers and all attempts, so it holds configuration, not progress.
pub trait Source: Send + Sync + 'static {
    /// What it reads.
    type Record: Record;

    /// Checks the configuration before the job starts: the file exists, the address parses.
    ///
    /// # Errors
    /// Of kind `Config`, naming the path or option and what to do.
    fn validate(&self) -> Result<()> {
        Ok(())
    }

    /// The splits that exist now, in a stable order; new ones come last.
    fn splits(&self) -> Result<Vec<SplitId>>;

    /// Whether new splits can appear.
    fn discovery(&self) -> Discovery {
        Discovery::Once
    }

    /// Opens a split right after `position`, or at its beginning.
    ///
    /// `wake` may be called from any thread when a reader that said [`ReadStatus::Idle`] has
    /// something again.
    fn open(
        &self,
        split: &SplitId,
        position: Option<&Position>,
        wake: Wake,
    ) -> Result<Box<dyn Reader<Self::Record>>>;

    /// Where to open a split that appears after the job's first start; `None`: as any other. A
    /// source that by default begins at the end gives the beginning here, lest records be missed
    /// that came before the split was found.
    fn first_position(&self) -> Option<Position> {
        None
    }

    /// A checkpoint with these positions is durable and its output visible: for telling others how
    /// far the job is. Must not wait.
    fn checkpointed(&self, positions: &[(SplitId, Position)]) {
        let _ = positions;
    }

    /// What it tells about itself now. Must not wait.
    fn measures(&self) -> Vec<Measure> {
        Vec::new()
    }

    /// The transactional system it reads, by a name that tells systems apart, if positions in it
    /// can be part of its transactions (see [`crate::transaction`]).
    fn transaction_domain(&self) -> Option<String> {
        None
    }
}

/// Reads one split.
pub trait Reader<T>: Send {
    /// Gives up to `buffer.max` records, fewer when fewer are there, and says what comes next.
    ///
    /// # Errors
    /// An error ends the attempt. A record that cannot be read is no error: see
    /// [`ReadBuffer::refuse`].
    fn read(&mut self, buffer: &mut ReadBuffer<T>) -> Result<ReadStatus>;

    /// The position after the last record given (or refused).
    fn position(&self) -> Position;
}

/// What a reader can do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadStatus {
    /// More is there now.
    Ready,
    /// Nothing now; the reader calls its [`Wake`] when that changes.
    Idle,
    /// Nothing until this much time has passed: a rate limit, or polling.
    After(Duration),
    /// The split has ended.
    End,
}

/// A record that a reader could not make sense of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadRecord {
    /// The record as it was, or as much of it as is known.
    pub record: Original,
    /// Where it was, in the connector's words: `line 17`, `offset 4711`.
    pub position: String,
    /// Why it was refused.
    pub reason: String,
}

/// What a reader fills in one call.
pub struct ReadBuffer<T> {
    /// The most records to give in this call.
    pub max: usize,
    /// Time since the attempt started; monotonic, for rate limits.
    pub elapsed: Duration,
    /// The time on the wall.
    pub now: ProcessingTime,
    /// Records given.
    pub records: Vec<Timed<T>>,
    /// Records refused.
    pub bad: Vec<BadRecord>,
    /// Places passed over because what was there is gone, where the source is told to go on.
    pub skipped: u64,
    bad_bytes: usize,
}

/// Bytes of refused records after which a buffer counts as full.
const MAX_BAD_BYTES: usize = 16 << 20;

impl<T> ReadBuffer<T> {
    /// An empty buffer for up to `max` records.
    pub fn new(max: usize, elapsed: Duration, now: ProcessingTime) -> Self {
        ReadBuffer {
            max,
            elapsed,
            now,
            records: Vec::new(),
            bad: Vec::new(),
            skipped: 0,
            bad_bytes: 0,
        }
    }

    /// How many more records may be given.
    pub fn room(&self) -> usize {
        if self.bad_bytes >= MAX_BAD_BYTES {
            return 0;
        }
        self.max.saturating_sub(self.records.len() + self.bad.len())
    }

    /// Gives a record without a time of its own; `event_time` in the job sets it.
    pub fn push(&mut self, value: T) {
        self.records.push(Timed::new(EventTime::MIN, value));
    }

    /// Gives a record with the time that the source itself knows (a log's append time).
    pub fn push_at(&mut self, time: EventTime, value: T) {
        self.records.push(Timed::new(time, value));
    }

    /// Refuses a record; the source's policy decides what happens to it.
    pub fn refuse(
        &mut self,
        record: &[u8],
        position: impl Into<String>,
        reason: impl Into<String>,
    ) {
        self.refuse_whole(record.to_vec(), position, reason);
    }

    /// Refuses a record that has more to it than bytes.
    pub fn refuse_whole(
        &mut self,
        record: impl Into<Original>,
        position: impl Into<String>,
        reason: impl Into<String>,
    ) {
        let (record, position, reason) = (record.into(), position.into(), reason.into());
        self.bad_bytes += record.size_bytes();
        self.bad.push(BadRecord { record, position, reason });
    }
}
