//! Sources and sinks with their record type erased, so that a topology can hold them.

use headwater_connect::{
    AttemptContext, BadRecord, Committer, Discovery, Guarantee, Measure, Position, ReadBuffer,
    ReadStatus, Reader, Sink, Source, SplitId, TransactionLog, Wake, WriteStatus, Writer,
    WriterContext,
};
use headwater_core::{BadRecordPolicy, Batch, Epoch, ProcessingTime, Result, SplitTag};
use headwater_operators::operator::BATCH_SIZE;

/// A [`Source`] whose record type is erased.
pub trait AnySource: Send + Sync {
    /// See [`Source::validate`].
    fn validate(&self) -> Result<()>;
    /// See [`Source::splits`].
    fn splits(&self) -> Result<Vec<SplitId>>;
    /// See [`Source::discovery`].
    fn discovery(&self) -> Discovery;
    /// The most records to read at a time: more where a record is a row of columns.
    fn batch_size(&self) -> usize {
        BATCH_SIZE
    }
    /// See [`Source::open`].
    fn open(
        &self,
        split: &SplitId,
        position: Option<&Position>,
        wake: Wake,
    ) -> Result<Box<dyn AnyReader>>;
    /// See [`Source::first_position`].
    fn first_position(&self) -> Option<Position>;
    /// See [`Source::checkpointed`].
    fn checkpointed(&self, positions: &[(SplitId, Position)]);
    /// See [`Source::measures`].
    fn measures(&self) -> Vec<Measure>;
    /// See [`Source::transaction_domain`].
    fn transaction_domain(&self) -> Option<String>;
}

/// What one call of a reader gave.
pub struct Chunk {
    /// Records given.
    pub batch: Batch,
    /// Records refused.
    pub bad: Vec<BadRecord>,
    /// Places passed over.
    pub skipped: u64,
    /// What comes next.
    pub status: ReadStatus,
}

/// A [`Reader`] whose record type is erased.
pub trait AnyReader: Send {
    /// Reads up to `max` records, tagged with `split`.
    fn read(
        &mut self,
        max: usize,
        elapsed: std::time::Duration,
        now: ProcessingTime,
        split: SplitTag,
    ) -> Result<Chunk>;
    /// See [`Reader::position`].
    fn position(&self) -> Position;
}

impl<S: Source> AnySource for S {
    fn validate(&self) -> Result<()> {
        Source::validate(self)
    }
    fn splits(&self) -> Result<Vec<SplitId>> {
        Source::splits(self)
    }
    fn discovery(&self) -> Discovery {
        Source::discovery(self)
    }
    fn open(
        &self,
        split: &SplitId,
        position: Option<&Position>,
        wake: Wake,
    ) -> Result<Box<dyn AnyReader>> {
        Ok(Box::new(ErasedReader(Source::open(self, split, position, wake)?)))
    }
    fn first_position(&self) -> Option<Position> {
        Source::first_position(self)
    }
    fn checkpointed(&self, positions: &[(SplitId, Position)]) {
        Source::checkpointed(self, positions);
    }
    fn measures(&self) -> Vec<Measure> {
        Source::measures(self)
    }
    fn transaction_domain(&self) -> Option<String> {
        Source::transaction_domain(self)
    }
}

struct ErasedReader<T>(Box<dyn Reader<T>>);

impl<T: headwater_core::Record> AnyReader for ErasedReader<T> {
    fn read(
        &mut self,
        max: usize,
        elapsed: std::time::Duration,
        now: ProcessingTime,
        split: SplitTag,
    ) -> Result<Chunk> {
        let mut buffer = ReadBuffer::new(max, elapsed, now);
        let status = self.0.read(&mut buffer)?;
        let batch = if buffer.records.is_empty() {
            Batch::default()
        } else {
            Batch::new(buffer.records).with_split(split)
        };
        Ok(Chunk { batch, bad: buffer.bad, skipped: buffer.skipped, status })
    }
    fn position(&self) -> Position {
        self.0.position()
    }
}

/// A [`Sink`] whose record type is erased.
pub trait AnySink: Send + Sync {
    /// See [`Sink::validate`].
    fn validate(&self) -> Result<()>;
    /// See [`Sink::guarantee`].
    fn guarantee(&self) -> Guarantee;
    /// See [`Sink::writer`].
    fn writer(&self, cx: &WriterContext) -> Result<Box<dyn AnyWriter>>;
    /// See [`Sink::begin_attempt`].
    fn begin_attempt(&self, cx: &AttemptContext) -> Result<()>;
    /// See [`Sink::committer`].
    fn committer(&self) -> Result<Option<Box<dyn Committer>>>;
    /// See [`Sink::measures`].
    fn measures(&self) -> Vec<Measure>;
    /// See [`Sink::transaction_domain`].
    fn transaction_domain(&self) -> Option<String>;
    /// See [`Sink::transaction_log`].
    fn transaction_log(&self, job: &str) -> Result<Option<Box<dyn TransactionLog>>>;
}

/// A [`Writer`] whose record type is erased; it queues what the writer does not take.
pub trait AnyWriter: Send {
    /// Queues a batch.
    fn push(&mut self, batch: Batch);
    /// Writes what is queued.
    fn write(&mut self) -> Result<WriteStatus>;
    /// Number of records queued.
    fn queued(&self) -> usize;
    /// See [`Writer::flush`].
    fn flush(&mut self) -> Result<()>;
    /// See [`Writer::prepare`]; only when nothing is queued.
    fn prepare(&mut self, epoch: Epoch) -> Result<Vec<Vec<u8>>>;
    /// See [`Writer::take_refused`].
    fn take_refused(&mut self) -> (BadRecordPolicy, Vec<BadRecord>);
}

impl<S: Sink> AnySink for S {
    fn validate(&self) -> Result<()> {
        Sink::validate(self)
    }
    fn guarantee(&self) -> Guarantee {
        Sink::guarantee(self)
    }
    fn writer(&self, cx: &WriterContext) -> Result<Box<dyn AnyWriter>> {
        Ok(Box::new(ErasedWriter { writer: Sink::writer(self, cx)?, queue: Vec::new() }))
    }
    fn committer(&self) -> Result<Option<Box<dyn Committer>>> {
        Sink::committer(self)
    }
    fn begin_attempt(&self, cx: &AttemptContext) -> Result<()> {
        Sink::begin_attempt(self, cx)
    }
    fn measures(&self) -> Vec<Measure> {
        Sink::measures(self)
    }
    fn transaction_domain(&self) -> Option<String> {
        Sink::transaction_domain(self)
    }
    fn transaction_log(&self, job: &str) -> Result<Option<Box<dyn TransactionLog>>> {
        Sink::transaction_log(self, job)
    }
}

struct ErasedWriter<T> {
    writer: Box<dyn Writer<T>>,
    queue: Vec<headwater_core::Timed<T>>,
}

impl<T: headwater_core::Record> AnyWriter for ErasedWriter<T> {
    fn push(&mut self, batch: Batch) {
        if self.queue.is_empty() {
            self.queue = batch.take();
        } else {
            self.queue.append(&mut batch.take());
        }
    }
    fn write(&mut self) -> Result<WriteStatus> {
        if self.queue.is_empty() {
            return Ok(WriteStatus::Done);
        }
        self.writer.write(&mut self.queue)
    }
    fn queued(&self) -> usize {
        self.queue.len()
    }
    fn flush(&mut self) -> Result<()> {
        self.writer.flush()
    }
    fn prepare(&mut self, epoch: Epoch) -> Result<Vec<Vec<u8>>> {
        self.writer.prepare(epoch)
    }
    fn take_refused(&mut self) -> (BadRecordPolicy, Vec<BadRecord>) {
        self.writer.take_refused()
    }
}
