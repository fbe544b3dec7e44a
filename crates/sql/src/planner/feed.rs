//! A source of rows that are made beside the engine: rows in the text of a query, and the result of
//! a bounded query on its way to a table.
//!
//! Rows are made on another thread and handed over through a bounded queue, so reading never waits.
//!
//! A producer has no positions: after a restart it makes everything again, and what was read before
//! is passed over. So it must make the same rows, which a digest of those passed over tells; when
//! a file behind them has changed, the job stops instead of losing rows or writing them twice.

use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use datafusion::arrow::array::RecordBatch;
use headwater_connect::{BadRecord, Discovery, Measure, Position, ReadStatus, SplitId, Wake};
use headwater_core::{BadRecordPolicy, Batch, Error, ProcessingTime, Result, SplitTag};
use headwater_topology::erased::{AnyReader, AnySource, Chunk as Read};

use crate::keys::RowCodec;
use crate::rows::{Chunk, READ_ROWS};

/// What waits to be read.
const QUEUED: usize = 16;

/// Name of the only split.
const SPLIT: &str = "rows";

/// What a producer makes.
pub(crate) enum Made {
    /// Rows.
    Rows(RecordBatch),
    /// Records that could not be read on the way, and what is to become of them.
    Refused(BadRecordPolicy, Vec<BadRecord>),
}

/// Where a producer puts what it makes.
#[derive(Clone)]
pub(crate) struct Outlet {
    queue: SyncSender<Result<Made>>,
    wake: Wake,
}

impl Outlet {
    /// Gives something away, once there is room; false when nobody reads any more.
    pub(crate) fn give(&self, made: Result<Made>) -> bool {
        let taken = self.queue.send(made).is_ok();
        self.wake.wake();
        taken
    }
}

/// Makes rows until all are made or nobody reads any more.
pub(crate) type Producer = Arc<dyn Fn(&Outlet) + Send + Sync>;

/// The source of what a producer makes, always the same in the same order.
pub struct Feed {
    producer: Producer,
}

impl Feed {
    /// The source of what `producer` makes.
    pub(crate) fn new(producer: Producer) -> Self {
        Feed { producer }
    }

    /// The source of given rows.
    pub(crate) fn of(batch: RecordBatch) -> Self {
        Feed::new(Arc::new(move |out| _ = out.give(Ok(Made::Rows(batch.clone())))))
    }
}

impl std::fmt::Debug for Feed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Feed")
    }
}

impl AnySource for Feed {
    fn validate(&self) -> Result<()> {
        Ok(())
    }
    fn splits(&self) -> Result<Vec<SplitId>> {
        Ok(vec![SplitId(SPLIT.to_owned())])
    }
    fn batch_size(&self) -> usize {
        READ_ROWS
    }
    fn discovery(&self) -> Discovery {
        Discovery::Once
    }
    fn open(
        &self,
        _split: &SplitId,
        position: Option<&Position>,
        wake: Wake,
    ) -> Result<Box<dyn AnyReader>> {
        let before = match position {
            None => Progress::default(),
            Some(position) => Progress::parse(&position.0)?,
        };
        let (queue, made) = sync_channel(QUEUED);
        let (producer, out) = (Arc::clone(&self.producer), Outlet { queue, wake });
        std::thread::Builder::new()
            .name("headwater-rows".into())
            .spawn(move || producer(&out))
            .map_err(|e| Error::internal("cannot start a thread for rows").because(e))?;
        let (made, now) = (Mutex::new(made), Progress::default());
        Ok(Box::new(FeedReader { made, rest: None, before, now, codec: None }))
    }
    fn first_position(&self) -> Option<Position> {
        None
    }
    fn checkpointed(&self, _positions: &[(SplitId, Position)]) {}
    fn measures(&self) -> Vec<Measure> {
        Vec::new()
    }
    fn transaction_domain(&self) -> Option<String> {
        None
    }
}

/// How far a feed was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Progress {
    rows: u64,
    /// Of the rows, in their order.
    digest: u64,
    /// Records that could not be read.
    refused: u64,
}

impl Progress {
    fn parse(text: &str) -> Result<Self> {
        let wrong = || Error::state(format!("no position in the rows of a query: {text:?}"));
        let mut parts = text.split(' ');
        let mut next = |radix| {
            let part = parts.next().ok_or_else(wrong)?;
            u64::from_str_radix(part, radix).map_err(|e| wrong().because(e))
        };
        Ok(Progress { rows: next(10)?, digest: next(16)?, refused: next(10)? })
    }

    fn add(&mut self, codec: &RowCodec, rows: &RecordBatch) -> Result<()> {
        let encoded = codec.encode(rows.columns(), rows.num_rows())?;
        for row in 0..rows.num_rows() {
            let mixed = self.digest.rotate_left(23) ^ encoded.hash(row);
            self.digest = mixed.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        }
        self.rows += rows.num_rows() as u64;
        Ok(())
    }
}

struct FeedReader {
    /// Behind a lock for nothing but the type's sake: readers move between threads.
    made: Mutex<Receiver<Result<Made>>>,
    rest: Option<RecordBatch>,
    /// What was read before a restart.
    before: Progress,
    /// What was made since, first of all what was read before.
    now: Progress,
    codec: Option<RowCodec>,
}

impl FeedReader {
    fn next(&mut self) -> Result<std::result::Result<Made, ReadStatus>> {
        if let Some(rest) = self.rest.take() {
            return Ok(Ok(Made::Rows(rest)));
        }
        let made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        match made.try_recv() {
            Ok(made) => made.map(Ok),
            // The end of the queue is not always announced by a wake-up.
            Err(TryRecvError::Empty) => Ok(Err(ReadStatus::After(Duration::from_millis(1)))),
            Err(TryRecvError::Disconnected) if self.now.rows < self.before.rows => {
                Err(other_rows())
            }
            Err(TryRecvError::Disconnected) => Ok(Err(ReadStatus::End)),
        }
    }

    /// Some of the rows: those that were read before are passed over, those behind `max` wait.
    fn rows(&mut self, rows: RecordBatch, max: usize) -> Result<RecordBatch> {
        let codec = match &mut self.codec {
            Some(codec) => codec,
            none => none.insert(RowCodec::of_schema(&rows.schema())?),
        };
        let known = left(self.before.rows, self.now.rows, rows.num_rows());
        if known > 0 {
            self.now.add(codec, &rows.slice(0, known))?;
            if self.now.rows == self.before.rows && self.now.digest != self.before.digest {
                return Err(other_rows());
            }
        }
        let given = (rows.num_rows() - known).min(max.max(1));
        let end = known + given;
        if end < rows.num_rows() {
            self.rest = Some(rows.slice(end, rows.num_rows() - end));
        }
        let rows = rows.slice(known, given);
        self.now.add(codec, &rows)?;
        Ok(rows)
    }

    /// The records that were not told of before.
    fn refused(&mut self, mut records: Vec<BadRecord>) -> Vec<BadRecord> {
        let known = left(self.before.refused, self.now.refused, records.len());
        self.now.refused += records.len() as u64;
        records.split_off(known)
    }
}

/// How many of `most` are missing at `now` to what was there `before`.
fn left(before: u64, now: u64, most: usize) -> usize {
    usize::try_from(before.saturating_sub(now)).map_or(most, |left| left.min(most))
}

fn other_rows() -> Error {
    let message = "the query does not give the rows again that it gave before the checkpoint, so \
                   it cannot go on behind them";
    Error::state(message).hint(
        "its tables have changed, or it reads the clock: remove what it wrote and its checkpoints, \
         and run it again from the beginning",
    )
}

impl AnyReader for FeedReader {
    fn read(
        &mut self,
        max: usize,
        _elapsed: Duration,
        _now: ProcessingTime,
        split: SplitTag,
    ) -> Result<Read> {
        let batch = Batch::default();
        let mut read = Read { batch, bad: Vec::new(), skipped: 0, status: ReadStatus::Ready };
        match self.next()? {
            Err(status) => read.status = status,
            Ok(Made::Rows(rows)) => {
                let rows = self.rows(rows, max)?;
                if rows.num_rows() > 0 {
                    read.batch = Batch::from(Chunk::inserts(rows)).with_split(split);
                }
            }
            Ok(Made::Refused(policy, records)) => {
                let records = self.refused(records);
                match policy {
                    BadRecordPolicy::Skip => read.skipped = records.len() as u64,
                    _ => read.bad = records,
                }
            }
        }
        Ok(read)
    }

    fn position(&self) -> Position {
        let Progress { rows, digest, .. } = match self.now.rows < self.before.rows {
            true => self.before,
            false => self.now,
        };
        let refused = self.now.refused.max(self.before.refused);
        Position(format!("{rows} {digest:x} {refused}"))
    }
}

#[cfg(test)]
mod tests {
    use datafusion::arrow::array::{AsArray, Int64Array};
    use datafusion::arrow::datatypes::Int64Type;
    use headwater_core::Original;

    use super::*;
    use crate::rows::Rows;

    fn numbers(from: i64, to: i64) -> Result<Made> {
        let array = Arc::new(Int64Array::from_iter_values(from..to));
        Ok(Made::Rows(RecordBatch::try_from_iter([("n", array as _)]).unwrap()))
    }

    fn refused(line: u64) -> Result<Made> {
        let (position, reason) = (format!("line {line}"), "no number".to_owned());
        let bad = BadRecord { record: Original::default(), position, reason };
        Ok(Made::Refused(BadRecordPolicy::DeadLetter, vec![bad]))
    }

    fn feed(to: i64) -> Feed {
        Feed::new(Arc::new(move |out| {
            _ = out.give(numbers(0, 5)) && out.give(refused(6)) && out.give(numbers(5, to));
        }))
    }

    fn read_all(
        feed: &Feed,
        position: Option<&Position>,
        most: usize,
    ) -> Result<(Vec<String>, Position)> {
        let split = SplitId(SPLIT.to_owned());
        let mut reader = feed.open(&split, position, Wake::none())?;
        let mut seen = Vec::new();
        while seen.len() < most {
            let now = ProcessingTime(0);
            let read = reader.read(3, Duration::ZERO, now, SplitTag(0))?;
            if read.status == ReadStatus::End {
                break;
            }
            for chunk in Rows::of(read.batch) {
                let values = chunk.data.column(0).as_primitive::<Int64Type>().values();
                seen.extend(values.iter().map(i64::to_string));
            }
            seen.extend(read.bad.into_iter().map(|bad| bad.position));
        }
        Ok((seen, reader.position()))
    }

    #[test]
    fn goes_on_after_a_position_within_a_batch() {
        let (all, _) = read_all(&feed(10), None, usize::MAX).unwrap();
        assert_eq!(all, ["0", "1", "2", "3", "4", "line 6", "5", "6", "7", "8", "9"]);
        for most in 1..all.len() {
            let (some, position) = read_all(&feed(10), None, most).unwrap();
            let (rest, end) = read_all(&feed(10), Some(&position), usize::MAX).unwrap();
            assert_eq!([some, rest].concat(), all);
            assert_eq!(read_all(&feed(10), Some(&end), usize::MAX).unwrap().0, [""; 0]);
        }
    }

    #[test]
    fn stops_when_the_rows_before_the_position_are_others() {
        let (_, position) = read_all(&feed(10), None, usize::MAX).unwrap();
        let error = read_all(&feed(8), Some(&position), usize::MAX).unwrap_err();
        assert!(error.to_string().contains("does not give the rows again"), "{error}");
        let other = Feed::new(Arc::new(|out| _ = out.give(numbers(1, 20))));
        let error = read_all(&other, Some(&position), usize::MAX).unwrap_err();
        assert!(error.to_string().contains("does not give the rows again"), "{error}");
    }
}
