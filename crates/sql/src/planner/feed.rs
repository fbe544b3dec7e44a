//! A source of rows that are made beside the engine: rows in the text of a query, and the result of
//! a bounded query on its way to a table.
//!
//! Rows are made on another thread and handed over through a bounded queue, so reading never waits.

use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use datafusion::arrow::array::RecordBatch;
use headwater_connect::{Discovery, Measure, Position, ReadStatus, SplitId, Wake};
use headwater_core::{Batch, Error, ProcessingTime, Result, SplitTag};
use headwater_topology::erased::{AnyReader, AnySource, Chunk as Read};

use crate::rows::Chunk;

/// Batches that wait to be read.
const QUEUED: usize = 16;

/// Name of the only split.
const SPLIT: &str = "rows";

/// Makes rows: gives each batch to the sink until that says that nobody reads any more.
pub(crate) type Producer = Arc<dyn Fn(&mut dyn FnMut(Result<RecordBatch>) -> bool) + Send + Sync>;

/// The source of what a producer makes, always the same rows in the same order.
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
        Feed::new(Arc::new(move |sink| _ = sink(Ok(batch.clone()))))
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
    fn discovery(&self) -> Discovery {
        Discovery::Once
    }
    fn open(
        &self,
        _split: &SplitId,
        position: Option<&Position>,
        wake: Wake,
    ) -> Result<Box<dyn AnyReader>> {
        let given: usize = match position {
            None => 0,
            Some(position) => position.0.parse().map_err(|e| {
                Error::state(format!("no number of rows: {:?}", position.0)).because(e)
            })?,
        };
        let (send, receive) = sync_channel(QUEUED);
        let producer = Arc::clone(&self.producer);
        std::thread::Builder::new()
            .name("headwater-rows".into())
            .spawn(move || produce(&producer, &send, &wake))
            .map_err(|e| Error::internal("cannot start a thread for rows").because(e))?;
        Ok(Box::new(FeedReader { rows: Mutex::new(receive), rest: None, to_skip: given, given }))
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

fn produce(producer: &Producer, send: &SyncSender<Result<RecordBatch>>, wake: &Wake) {
    producer(&mut |batch| {
        let taken = send.send(batch).is_ok();
        wake.wake();
        taken
    });
}

struct FeedReader {
    /// Behind a lock for nothing but the type's sake: readers move between threads.
    rows: Mutex<Receiver<Result<RecordBatch>>>,
    rest: Option<RecordBatch>,
    to_skip: usize,
    given: usize,
}

impl FeedReader {
    fn next(&mut self) -> Result<std::result::Result<RecordBatch, ReadStatus>> {
        if let Some(rest) = self.rest.take() {
            return Ok(Ok(rest));
        }
        let rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        match rows.try_recv() {
            Ok(batch) => batch.map(Ok),
            // The end of the queue is not always announced by a wake-up.
            Err(TryRecvError::Empty) => Ok(Err(ReadStatus::After(Duration::from_millis(1)))),
            Err(TryRecvError::Disconnected) => Ok(Err(ReadStatus::End)),
        }
    }
}

impl AnyReader for FeedReader {
    fn read(
        &mut self,
        max: usize,
        _elapsed: Duration,
        _now: ProcessingTime,
        split: SplitTag,
    ) -> Result<Read> {
        let nothing =
            |status| Read { batch: Batch::default(), bad: Vec::new(), skipped: 0, status };
        let mut batch = match self.next()? {
            Ok(batch) => batch,
            Err(status) => return Ok(nothing(status)),
        };
        let skipped = self.to_skip.min(batch.num_rows());
        self.to_skip -= skipped;
        batch = batch.slice(skipped, batch.num_rows() - skipped);
        if batch.num_rows() > max.max(1) {
            let max = max.max(1);
            self.rest = Some(batch.slice(max, batch.num_rows() - max));
            batch = batch.slice(0, max);
        }
        self.given += batch.num_rows();
        let batch = Batch::from(Chunk::inserts(batch)).with_split(split);
        Ok(Read { batch, bad: Vec::new(), skipped: 0, status: ReadStatus::Ready })
    }

    fn position(&self) -> Position {
        Position(self.given.to_string())
    }
}

#[cfg(test)]
mod tests {
    use datafusion::arrow::array::{AsArray, Int64Array};
    use datafusion::arrow::datatypes::Int64Type;

    use super::*;
    use crate::rows::Rows;

    fn numbers(from: i64, to: i64) -> RecordBatch {
        let array = Arc::new(Int64Array::from_iter_values(from..to));
        RecordBatch::try_from_iter([("n", array as _)]).unwrap()
    }

    fn read_all(feed: &Feed, position: Option<Position>, most: usize) -> (Vec<i64>, Position) {
        let split = SplitId(SPLIT.to_owned());
        let mut reader = feed.open(&split, position.as_ref(), Wake::none()).unwrap();
        let mut seen = Vec::new();
        while seen.len() < most {
            let now = ProcessingTime(0);
            let read = reader.read(3, Duration::ZERO, now, SplitTag(0)).unwrap();
            if read.status == ReadStatus::End {
                break;
            }
            for chunk in Rows::of(read.batch) {
                seen.extend(chunk.data.column(0).as_primitive::<Int64Type>().values());
            }
        }
        (seen, reader.position())
    }

    #[test]
    fn goes_on_after_a_position_within_a_batch() {
        let feed = Feed::new(Arc::new(|sink| {
            let _ = sink(Ok(numbers(0, 5))) && sink(Ok(numbers(5, 10)));
        }));
        let (all, _) = read_all(&feed, None, usize::MAX);
        assert_eq!(all, (0..10).collect::<Vec<_>>());
        let (some, position) = read_all(&feed, None, 6);
        let (rest, _) = read_all(&feed, Some(position), usize::MAX);
        assert_eq!([some, rest].concat(), all);
    }
}
