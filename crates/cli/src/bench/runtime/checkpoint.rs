//! What checkpoints cost: a small change to a large state, and a large checkpoint under load.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use headwater::prelude::*;
use headwater::{CheckpointStats, JobHandle, start};

use super::super::process;
use super::super::report::{Figures, rounded};
use super::RuntimeArgs;
use super::latency::{Recorder, load, run_for, run_until};
use super::paced::{Paced, Schedule};

const KEYS: u64 = 10_000_000;
const CHANGED_KEYS: u64 = 1_000;
/// 500 MB of state, by its values.
const LARGE_VALUES: u64 = 500_000;
const LARGE_VALUE_BYTES: usize = 1_000;
/// How long anything may take before the benchmark gives up.
const PATIENCE: Duration = Duration::from_secs(600);
const UNDISTURBED: Duration = Duration::from_secs(10);

/// A stream of numbers that are read once they are released.
fn released(job: &mut Job, splits: usize) -> (Stream<u64>, Arc<AtomicU64>) {
    let due = Arc::new(AtomicU64::new(0));
    let released = Arc::clone(&due);
    let source = Paced {
        due: move || released.load(Relaxed),
        make: Arc::new(|n| Timed::new(EventTime::MIN, n)),
        limit: u64::MAX,
        splits: splits as u64,
    };
    (job.source("numbers", source).on_error(BadRecordPolicy::Fail), due)
}

/// Loads 10 million keys and takes a checkpoint; changes 1,000 of them and takes another one.
pub(super) fn few_of_many(args: &RuntimeArgs, figures: Figures) -> Result<Figures> {
    let keys = args.records.unwrap_or(KEYS);
    let (config, _directory) = args.run.config(None)?;
    let mut job = Job::new("checkpoint");
    let (numbers, due) = released(&mut job, config.workers);
    let count = process_fn(|cx, _: u64| -> Result<()> {
        let count: &mut u64 = cx.state();
        *count += 1;
        if *count > u64::from(u32::MAX) {
            cx.emit(());
        }
        Ok(())
    });
    numbers.key_by(move |n| n % keys).process("state", count).sink("out", blackhole());
    let mut handle = start(job.build()?, config)?;
    due.store(keys, Relaxed);
    arrived(&mut handle, keys)?;
    let all = checkpoint(&mut handle)?;
    due.store(keys + CHANGED_KEYS.min(keys), Relaxed);
    arrived(&mut handle, keys + CHANGED_KEYS.min(keys))?;
    let changed = checkpoint(&mut handle)?;
    handle.stop(StopMode::Now);
    handle.wait()?;
    Ok(figures
        .add("keys", Some(keys))
        .add("all_keys_ms", Some(ms(all.last_duration)))
        .add("all_keys_bytes", Some(all.last_bytes))
        .add("changed_keys", Some(CHANGED_KEYS.min(keys)))
        .add("changed_keys_ms", Some(ms(changed.last_duration)))
        .add("changed_keys_bytes", Some(changed.last_bytes))
        .add("peak_rss_bytes", process::peak_rss_bytes()))
}

/// Window latencies before and while a checkpoint of 500 MB is taken.
pub(super) fn under_load(args: &RuntimeArgs, figures: Figures) -> Result<Figures> {
    let values = args.records.unwrap_or(LARGE_VALUES);
    let (config, _directory) = args.run.config(None)?;
    let (schedule, recorder) = (Schedule::new(1_000_000), Recorder::new(3)?);
    let mut job = Job::new("checkpoint under load");
    load(&mut job, &schedule, &recorder, config.workers);
    let (numbers, due) = released(&mut job, config.workers);
    let keep = process_fn(|cx, n: u64| -> Result<()> {
        let value: &mut String = cx.state();
        *value = text(n);
        if value.is_empty() {
            cx.emit(());
        }
        Ok(())
    });
    numbers.key_by(|n| *n).process("state", keep).sink("out", blackhole());
    let mut handle = start(job.build()?, config)?;
    due.store(values, Relaxed);
    arrived(&mut handle, values)?;
    schedule.start();
    run_for(&mut handle, Duration::from_secs(2))?;
    recorder.enter(1);
    run_for(&mut handle, UNDISTURBED)?;
    recorder.enter(2);
    let large = checkpoint(&mut handle)?;
    recorder.enter(3);
    handle.stop(StopMode::Now);
    handle.wait()?;
    let (results, [_, p99_before, _, max_before]) = recorder.quantiles(1);
    let (results_during, [_, p99_during, _, max_during]) = recorder.quantiles(2);
    Ok(figures
        .add("checkpoint_bytes", Some(large.last_bytes))
        .add("checkpoint_ms", Some(ms(large.last_duration)))
        .add("results_before", Some(results))
        .add("p99_ms_before", Some(p99_before))
        .add("max_ms_before", Some(max_before))
        .add("results_during", Some(results_during))
        .add("p99_ms_during", Some(p99_during))
        .add("max_ms_during", Some(max_during))
        .add("peak_rss_bytes", process::peak_rss_bytes()))
}

/// Text that does not compress to nothing.
fn text(seed: u64) -> String {
    let mut rng = generator::SplitMix64::of_record(7, seed);
    let mut text = String::with_capacity(LARGE_VALUE_BYTES + 16);
    while text.len() < LARGE_VALUE_BYTES {
        let mut bits = rng.next_u64();
        for _ in 0..10 {
            text.push(char::from(b'0' + (bits & 63) as u8));
            bits >>= 6;
        }
    }
    text
}

/// Waits until the step "state" has processed so many records.
fn arrived(handle: &mut JobHandle, records: u64) -> Result<()> {
    let there = |handle: &JobHandle| {
        let metrics = handle.metrics();
        metrics.operator("state").is_some_and(|o| o.totals.records_in >= records)
    };
    patiently(run_until(handle, PATIENCE, there)?, "the records")
}

/// Takes a checkpoint and returns what it took.
fn checkpoint(handle: &mut JobHandle) -> Result<CheckpointStats> {
    let before = handle.metrics().checkpoints.completed;
    handle.checkpoint();
    let done = |handle: &JobHandle| handle.metrics().checkpoints.completed > before;
    patiently(run_until(handle, PATIENCE, done)?, "the checkpoint")?;
    Ok(handle.metrics().checkpoints)
}

fn patiently(done: bool, what: &str) -> Result<()> {
    if done { Ok(()) } else { Err(Error::internal(format!("{what} took more than 10 minutes"))) }
}

fn ms(duration: Duration) -> f64 {
    rounded(duration.as_secs_f64() * 1000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn released_numbers_are_checkpointed_when_asked() {
        let mut job = Job::new("released");
        let (numbers, due) = released(&mut job, 2);
        let keep = process_fn(|cx, n: u64| {
            let value: &mut String = cx.state();
            *value = text(n);
            cx.emit(());
            Ok(())
        });
        numbers.key_by(|n| *n).process("state", keep).sink("out", blackhole());
        let checkpoints = CheckpointConfig { interval: None, ..Default::default() };
        let config = Config { workers: 2, checkpoints, ..Default::default() };
        let mut handle = start(job.build().unwrap(), config).unwrap();
        due.store(100, Relaxed);
        arrived(&mut handle, 100).unwrap();
        let first = checkpoint(&mut handle).unwrap();
        assert!(first.last_bytes > 50_000, "{first:?}");
        let second = checkpoint(&mut handle).unwrap();
        assert!(second.last_bytes < first.last_bytes / 10, "{second:?}");
        handle.stop(StopMode::Now);
        handle.wait().unwrap();
    }
}
