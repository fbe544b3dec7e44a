//! Runs a job and measures it, from its first record to its end.
//!
//! The clock starts when a reader is first asked for records ([`Stopwatch::source`]) and stops when
//! the last writer has been told that the last epoch is over ([`Stopwatch::sink`]): then every
//! record has been processed and every result has been written. What follows (the upload of the
//! last checkpoint) is in the total time. Engines that end without a last checkpoint are compared
//! by the former.

use std::marker::PhantomData;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use headwater::connectors::{
    Committable, Discovery, Guarantee, Position, ReadBuffer, ReadStatus, Reader, Sink, Source,
    SplitId, Wake, WriteStatus, Writer, WriterContext,
};
use headwater::prelude::*;
use headwater::{Epoch, MetricsSnapshot, start};

use super::process;
use super::report::{Figures, rounded};

/// Sees the first record come in and the last result go out; clones share what they saw.
#[derive(Clone, Default)]
pub(super) struct Stopwatch(Arc<Seen>);

#[derive(Default)]
struct Seen {
    first_read: OnceLock<Instant>,
    last_epoch: Mutex<Option<Instant>>,
    written: AtomicU64,
}

impl Stopwatch {
    /// The same source; its first read starts the clock.
    pub(super) fn source<S: Source>(&self, inner: S) -> Watched<S> {
        Watched { inner, seen: Arc::clone(&self.0) }
    }

    /// Time since the first read.
    pub(super) fn since_first_read(&self) -> Option<Duration> {
        self.0.first_read.get().map(Instant::elapsed)
    }

    /// A sink that counts records and drops them; the end of its last epoch stops the clock.
    pub(super) fn sink<T: Record>(&self) -> Counting<T> {
        Counting { seen: Arc::clone(&self.0), record: PhantomData }
    }
}

/// What a run took.
#[derive(Clone, Debug)]
pub(super) struct Measurement {
    /// From the first record to the last result.
    pub(super) elapsed: Duration,
    /// From the first record until the job was over, its last checkpoint included.
    pub(super) total: Duration,
    /// Records that reached the sinks.
    pub(super) written: u64,
    /// What the job told at its end.
    pub(super) metrics: MetricsSnapshot,
}

impl Measurement {
    /// Units a second, for `count` of them.
    pub(super) fn per_second(&self, count: u64) -> u64 {
        (count as f64 / self.elapsed.as_secs_f64()).round() as u64
    }

    /// Adds what every run has: times, cost, output and checkpoints.
    pub(super) fn figures(&self, figures: Figures, count: u64, rate: &'static str) -> Figures {
        let checkpoints = &self.metrics.checkpoints;
        let cpu = process::cpu_time().map(|cpu| rounded(cpu.as_secs_f64()));
        figures
            .add("seconds", Some(rounded(self.elapsed.as_secs_f64())))
            .add(rate, Some(self.per_second(count)))
            .add("total_seconds", Some(rounded(self.total.as_secs_f64())))
            .add("cpu_seconds", cpu)
            .add("peak_rss_bytes", process::peak_rss_bytes())
            .add("output_records", Some(self.written))
            .add("checkpoints", Some(checkpoints.completed))
            .add("checkpoint_bytes", Some(checkpoints.total_bytes))
    }
}

/// Runs a job to its end; its sources and sinks carry the stopwatch.
///
/// # Errors
/// Those of the job; it is not restarted.
pub(super) fn measure(job: Job, config: Config, watch: &Stopwatch) -> Result<Measurement> {
    let called = Instant::now();
    let mut handle = start(job.build()?, config)?;
    handle.wait()?;
    let ended = Instant::now();
    let first = watch.0.first_read.get().copied().unwrap_or(called);
    let last = *watch.0.last_epoch.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(Measurement {
        elapsed: last.unwrap_or(ended).saturating_duration_since(first),
        total: ended.saturating_duration_since(first),
        written: watch.0.written.load(Relaxed),
        metrics: handle.metrics(),
    })
}

/// See [`Stopwatch::source`].
pub(super) struct Watched<S> {
    inner: S,
    seen: Arc<Seen>,
}

impl<S: Source> Source for Watched<S> {
    type Record = S::Record;

    fn validate(&self) -> Result<()> {
        self.inner.validate()
    }

    fn splits(&self) -> Result<Vec<SplitId>> {
        self.inner.splits()
    }

    fn discovery(&self) -> Discovery {
        self.inner.discovery()
    }

    fn open(
        &self,
        split: &SplitId,
        position: Option<&Position>,
        wake: Wake,
    ) -> Result<Box<dyn Reader<S::Record>>> {
        let inner = self.inner.open(split, position, wake)?;
        Ok(Box::new(WatchedReader { inner, seen: Arc::clone(&self.seen) }))
    }

    fn first_position(&self) -> Option<Position> {
        self.inner.first_position()
    }

    fn checkpointed(&self, positions: &[(SplitId, Position)]) {
        self.inner.checkpointed(positions);
    }

    fn measures(&self) -> Vec<headwater_connect::Measure> {
        self.inner.measures()
    }

    fn transaction_domain(&self) -> Option<String> {
        self.inner.transaction_domain()
    }
}

struct WatchedReader<T> {
    inner: Box<dyn Reader<T>>,
    seen: Arc<Seen>,
}

impl<T: Record> Reader<T> for WatchedReader<T> {
    fn read(&mut self, buffer: &mut ReadBuffer<T>) -> Result<ReadStatus> {
        self.seen.first_read.get_or_init(Instant::now);
        self.inner.read(buffer)
    }

    fn position(&self) -> Position {
        self.inner.position()
    }
}

/// See [`Stopwatch::sink`].
pub(super) struct Counting<T> {
    seen: Arc<Seen>,
    record: PhantomData<fn(T)>,
}

impl<T> Clone for Counting<T> {
    fn clone(&self) -> Self {
        Counting { seen: Arc::clone(&self.seen), record: PhantomData }
    }
}

impl<T: Record> Sink for Counting<T> {
    type Record = T;

    fn guarantee(&self) -> Guarantee {
        Guarantee::AtLeastOnce
    }

    fn writer(&self, _cx: &WriterContext) -> Result<Box<dyn Writer<T>>> {
        Ok(Box::new(self.clone()))
    }
}

impl<T: Record> Writer<T> for Counting<T> {
    fn write(&mut self, records: &mut Vec<Timed<T>>) -> Result<WriteStatus> {
        self.seen.written.fetch_add(records.len() as u64, Relaxed);
        records.clear();
        Ok(WriteStatus::Done)
    }

    fn prepare(&mut self, _epoch: Epoch) -> Result<Vec<Committable>> {
        // Epochs end in order, so the latest call is of the last epoch.
        *self.seen.last_epoch.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        Ok(Vec::new())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_measured_from_first_record_to_last_result() {
        let (watch, mut job) = (Stopwatch::default(), Job::new("measured"));
        job.source("numbers", watch.source(generator(|n| n).limit(10_000).splits(2)))
            .filter(|n| n % 2 == 0)
            .sink("out", watch.sink());
        let run = measure(job, Config { workers: 2, ..Config::default() }, &watch).unwrap();
        assert_eq!(run.written, 5_000);
        assert!(run.elapsed > Duration::ZERO && run.elapsed <= run.total);
        assert!(run.metrics.checkpoints.completed >= 1);
        let figures = run.figures(Figures::default(), 10_000, "records_per_second");
        let names: Vec<_> = figures.0.iter().map(|f| f.name).collect();
        assert!(names.contains(&"output_records") && names.contains(&"records_per_second"));
    }
}
