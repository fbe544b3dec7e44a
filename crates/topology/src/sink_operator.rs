//! The operator that drives a sink's writer: queues what the writer does not take, prepares epochs.

use headwater_connect::{BadRecord, WriteStatus};
use headwater_core::{BadRecordPolicy, Batch, DeadLetter, Epoch, Error, ProcessingTime, Result};
use headwater_operators::{Operator, OperatorContext, Port};

use crate::erased::AnyWriter;

/// Milliseconds after which a blocked writer is tried again, should its wake-up not come.
const RETRY_MS: i64 = 20;

/// `Stream<T> → nothing`: writes to one sink.
///
/// - State: records the writer did not take yet; they count as in flight, so sources stop.
/// - Guarantee: at a barrier everything has been written, and the committables go to the
///   checkpoint.
pub struct SinkOperator {
    name: String,
    writer: Box<dyn AnyWriter>,
    committables: Vec<Vec<u8>>,
    retry_at: Option<ProcessingTime>,
}

impl SinkOperator {
    /// Drives the writer of the sink `name`.
    pub fn new(name: &str, writer: Box<dyn AnyWriter>) -> Self {
        let name = name.to_owned();
        SinkOperator { name, writer, committables: Vec::new(), retry_at: None }
    }

    /// What the last barrier's `prepare` gave.
    pub fn take_committables(&mut self) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.committables)
    }

    fn write(&mut self, cx: &mut OperatorContext) -> Result<()> {
        let (status, now) = (self.writer.write()?, cx.now());
        let (policy, refused) = self.writer.take_refused();
        for bad in refused {
            match policy {
                BadRecordPolicy::Skip => cx.counts.dropped += 1,
                _ => {
                    cx.counts.dead_lettered += 1;
                    let BadRecord { record, position, reason } = bad;
                    cx.dead_letters.push(DeadLetter::whole(&self.name, position, reason, record));
                }
            }
        }
        let blocked = status == WriteStatus::Blocked && self.writer.queued() > 0;
        self.retry_at = blocked.then_some(ProcessingTime(now.0 + RETRY_MS));
        Ok(())
    }

    /// Whether records wait for the writer.
    pub fn is_blocked(&self) -> bool {
        self.retry_at.is_some()
    }

    /// Ends the epoch in the writer.
    ///
    /// # Errors
    /// When records are still queued: the caller waits for `backlog() == 0` before a barrier.
    pub fn prepare(&mut self, epoch: Epoch) -> Result<()> {
        if self.writer.queued() > 0 {
            return Err(Error::internal("a barrier reached a sink that still holds records"));
        }
        self.committables = self.writer.prepare(epoch)?;
        Ok(())
    }
}

impl Operator for SinkOperator {
    fn process(&mut self, _port: Port, batch: Batch, cx: &mut OperatorContext) -> Result<()> {
        self.writer.push(batch);
        self.write(cx)
    }

    fn wake_at(&self) -> Option<ProcessingTime> {
        self.retry_at
    }

    fn on_processing_time(&mut self, cx: &mut OperatorContext) -> Result<()> {
        self.write(cx)
    }

    fn flush(&mut self, cx: &mut OperatorContext) -> Result<()> {
        self.write(cx)?;
        self.writer.flush()
    }

    fn backlog(&self) -> usize {
        self.writer.queued()
    }
}
