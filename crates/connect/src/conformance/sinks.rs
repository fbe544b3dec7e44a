//! What both suites for sinks share: making writers and writing to them.

use std::time::Instant;

use headwater_core::{EventTime, Record, Timed};

use super::PATIENCE;
use crate::sink::{AttemptContext, Sink, WriteStatus, Writer, WriterContext};
use crate::source::Wake;

/// Tells a sink that an attempt of a job of its own begins.
pub(super) fn begin(sink: &impl Sink) -> Result<(), String> {
    let (job, name) = ("conformance".to_owned(), "conformance".to_owned());
    let cx = AttemptContext { job, sink: name, transaction: None };
    sink.begin_attempt(&cx).map_err(|e| format!("cannot begin an attempt: {}", e.report()))
}

/// The writers of all workers of one attempt.
pub(super) struct Writers<T>(Vec<Box<dyn Writer<T>>>);

impl<T: Record> Writers<T> {
    pub(super) fn open<S>(sink: &S, workers: usize, attempt: u64) -> Result<Self, String>
    where
        S: Sink<Record = T>,
    {
        let writer = |worker| {
            let (sink_name, wake) = ("conformance".to_owned(), Wake::none());
            let cx = WriterContext { sink: sink_name, worker, workers, attempt, wake };
            sink.writer(&cx).map_err(|e| format!("cannot open a writer: {}", e.report()))
        };
        (0..workers).map(writer).collect::<Result<_, _>>().map(Writers)
    }

    /// Hands `records` to the writer of `worker` until it has taken them all.
    pub(super) fn write(&mut self, worker: usize, records: &[T]) -> Result<(), String> {
        let stamped = |record: &T| Timed::new(EventTime(0), record.clone());
        let mut left: Vec<Timed<T>> = records.iter().map(stamped).collect();
        let since = Instant::now();
        loop {
            let status = self.0[worker].write(&mut left).map_err(|e| e.report())?;
            match (status, left.is_empty()) {
                (WriteStatus::Done, true) => return Ok(()),
                (WriteStatus::Done, false) => {
                    return Err(format!("write says done and leaves {} records", left.len()));
                }
                (WriteStatus::Blocked, _) if since.elapsed() > PATIENCE => {
                    return Err(format!("write says blocked for {PATIENCE:?}"));
                }
                (WriteStatus::Blocked, _) => std::thread::yield_now(),
            }
        }
    }

    pub(super) fn flush(&mut self) -> Result<(), String> {
        self.0.iter_mut().try_for_each(|writer| writer.flush().map_err(|e| e.report()))
    }

    /// Ends the epoch on all workers.
    pub(super) fn prepare(&mut self, epoch: u64) -> Result<Vec<Vec<u8>>, String> {
        let mut committables = Vec::new();
        for writer in &mut self.0 {
            let prepared = writer.prepare(headwater_core::Epoch(epoch));
            committables.extend(prepared.map_err(|e| format!("prepare failed: {}", e.report()))?);
        }
        Ok(committables)
    }
}
