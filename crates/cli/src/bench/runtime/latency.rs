//! From the end of a window to its results, under load.
//!
//! Records are due at a fixed rate and have the time at which they are due as their event time.
//! They are counted by key in tumbling windows of 100 ms; for each result the sink takes the time
//! from the window's end to now. So a latency holds everything: the wait for the first record of
//! the next window, which completes this one, reading, exchange, the watermark's way through the
//! job, and the firing.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hdrhistogram::Histogram;
use headwater::prelude::*;
use headwater::{JobHandle, start};

use super::super::process;
use super::super::report::{Figures, rounded};
use super::paced::{Paced, Schedule, now_us};
use super::{CHECKPOINT_INTERVAL, RuntimeArgs};

const PER_SECOND: u64 = 1_000_000;
const KEYS: u64 = 1_000;
const WINDOW: Duration = Duration::from_millis(100);
const WARM_UP: Duration = Duration::from_secs(2);
const MEASURED: Duration = Duration::from_secs(20);
/// Latencies from 1 µs to a minute, to three digits.
const LONGEST_US: u64 = 60_000_000;

/// Sorts latencies into phases.
#[derive(Clone)]
pub(super) struct Recorder {
    phase: Arc<AtomicUsize>,
    phases: Arc<Vec<Mutex<Histogram<u64>>>>,
}

impl Recorder {
    /// For so many phases; the first one begins.
    pub(super) fn new(phases: usize) -> Result<Self> {
        let histogram = || {
            Histogram::new_with_bounds(1, LONGEST_US, 3)
                .map(Mutex::new)
                .map_err(|e| Error::internal("cannot make a histogram").because(e))
        };
        let phases = (0..phases).map(|_| histogram()).collect::<Result<_>>()?;
        Ok(Recorder { phase: Arc::default(), phases: Arc::new(phases) })
    }

    /// Begins a phase.
    pub(super) fn enter(&self, phase: usize) {
        self.phase.store(phase, Relaxed);
    }

    fn record(&self, latency_us: i64) {
        if let Some(histogram) = self.phases.get(self.phase.load(Relaxed)) {
            let mut histogram = histogram.lock().unwrap_or_else(PoisonError::into_inner);
            histogram.saturating_record(latency_us.max(1) as u64);
        }
    }

    /// How many latencies a phase has, and some of their quantiles in milliseconds.
    pub(super) fn quantiles(&self, phase: usize) -> (u64, [f64; 4]) {
        let Some(histogram) = self.phases.get(phase) else { return (0, [0.0; 4]) };
        let histogram = histogram.lock().unwrap_or_else(PoisonError::into_inner);
        let ms = |q| rounded(histogram.value_at_quantile(q) as f64 / 1000.0);
        (histogram.len(), [ms(0.5), ms(0.99), ms(0.999), ms(1.0)])
    }
}

/// Adds windowed counts under load to a job, from the moment that the schedule is started.
pub(super) fn load(job: &mut Job, schedule: &Schedule, recorder: &Recorder, splits: usize) {
    let (due, time, recorder) = (schedule.clone(), schedule.clone(), recorder.clone());
    let source = Paced {
        due: move || due.due(),
        make: Arc::new(move |n| Timed::new(time.time_of(n), n)),
        limit: u64::MAX,
        splits: splits as u64,
    };
    let time = schedule.clone();
    job.source("ticks", source)
        .on_error(BadRecordPolicy::Fail)
        .event_time(move |n| time.time_of(*n), Watermarks::ascending())
        .key_by(|n| n % KEYS)
        .window(Tumbling::of(WINDOW))
        .count("counts")
        .results()
        .sink(
            "latencies",
            callback(move |result: &Timed<WindowResult<u64, u64>>| {
                recorder.record(now_us() - result.value.window.end.0 * 1000);
                Ok(())
            }),
        );
}

/// Waits while the job runs; an error that ends it is returned soon.
pub(super) fn run_for(handle: &mut JobHandle, time: Duration) -> Result<()> {
    run_until(handle, time, |_| false).map(drop)
}

/// How often a benchmark looks at its job, which costs it some time.
const LOOK: Duration = millis(5);

/// Waits until `done`, or for `most`; whether it is done.
pub(super) fn run_until(
    handle: &mut JobHandle,
    most: Duration,
    mut done: impl FnMut(&JobHandle) -> bool,
) -> Result<bool> {
    let until = std::time::Instant::now() + most;
    loop {
        if done(handle) {
            return Ok(true);
        }
        if handle.is_ended() {
            handle.wait()?;
            return Err(Error::internal("the job ended before it was measured"));
        }
        let left = until.saturating_duration_since(std::time::Instant::now());
        if left.is_zero() {
            return Ok(false);
        }
        std::thread::sleep(left.min(LOOK));
    }
}

/// The latency case.
pub(super) fn windows(args: &RuntimeArgs, figures: Figures) -> Result<Figures> {
    let (config, _directory) = args.run.config(args.run.interval(CHECKPOINT_INTERVAL))?;
    let (schedule, recorder) = (Schedule::new(PER_SECOND), Recorder::new(2)?);
    let mut job = Job::new("latency");
    load(&mut job, &schedule, &recorder, config.workers);
    let mut handle = start(job.build()?, config)?;
    schedule.start();
    run_for(&mut handle, WARM_UP)?;
    recorder.enter(1);
    run_for(&mut handle, MEASURED)?;
    recorder.enter(2);
    let checkpoints = handle.metrics().checkpoints;
    handle.stop(StopMode::Now);
    handle.wait()?;
    let (results, [p50, p99, p999, max]) = recorder.quantiles(1);
    Ok(figures
        .add("records_per_second", Some(PER_SECOND))
        .add("seconds", Some(MEASURED.as_secs()))
        .add("results", Some(results))
        .add("p50_ms", Some(p50))
        .add("p99_ms", Some(p99))
        .add("p999_ms", Some(p999))
        .add("max_ms", Some(max))
        .add("cpu_seconds", process::cpu_time().map(|cpu| rounded(cpu.as_secs_f64())))
        .add("peak_rss_bytes", process::peak_rss_bytes())
        .add("checkpoints", Some(checkpoints.completed)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latencies_belong_to_the_phase_in_which_they_come() {
        let recorder = Recorder::new(2).unwrap();
        recorder.record(1_000);
        recorder.enter(1);
        [2_000, 4_000, -5].into_iter().for_each(|us| recorder.record(us));
        recorder.enter(2);
        recorder.record(9_000);
        let (count, [p50, _, _, max]) = recorder.quantiles(1);
        assert_eq!((recorder.quantiles(0).0, count), (1, 3));
        assert!((1.99..2.01).contains(&p50) && (3.99..4.01).contains(&max));
    }

    #[test]
    fn windows_under_load_give_latencies() {
        let (schedule, recorder) = (Schedule::new(10_000), Recorder::new(1).unwrap());
        let mut job = Job::new("latency");
        load(&mut job, &schedule, &recorder, 2);
        let config = Config { workers: 2, ..Default::default() };
        let mut handle = start(job.build().unwrap(), config).unwrap();
        schedule.start();
        let some = |_: &JobHandle| recorder.quantiles(0).0 >= 2 * KEYS;
        assert!(run_until(&mut handle, Duration::from_secs(60), some).unwrap());
        handle.stop(StopMode::Now);
        handle.wait().unwrap();
    }
}
