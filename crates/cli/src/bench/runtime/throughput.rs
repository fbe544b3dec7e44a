//! How many records a second: a chain without state, a keyed count, and the Nexmark generator
//! alone.

use std::hint::black_box;
use std::time::Instant;

use headwater::connectors::nexmark::NexmarkGenerator;
use headwater::prelude::*;

use super::super::measure::{Stopwatch, measure};
use super::super::process;
use super::super::report::{Figures, rounded};
use super::{CHECKPOINT_INTERVAL, RuntimeArgs};

/// Every how many records of a key the count is emitted.
const EMIT_EVERY: u64 = 1000;

/// Generator → map → filter → map → sink, fused on each worker.
pub(super) fn chain(args: &RuntimeArgs, figures: Figures) -> Result<Figures> {
    throughput(args, figures, 400_000_000, |numbers, watch| {
        numbers
            .map(|n| n.wrapping_mul(0x9E37_79B9_7F4A_7C15))
            .filter(|n| n % 4 != 0)
            .map(|n| n ^ (n >> 32))
            .sink("out", watch.sink());
    })
}

/// Generator → key by → running count, emitted now and then.
pub(super) fn count(
    args: &RuntimeArgs,
    figures: Figures,
    keys: u64,
    records: u64,
) -> Result<Figures> {
    throughput(args, figures, records, |numbers, watch| {
        numbers
            .on_error(BadRecordPolicy::Fail)
            .key_by(move |n| key_of(*n, keys))
            .process(
                "count",
                process_fn(|cx, _: u64| {
                    let count: &mut u64 = cx.state();
                    *count += 1;
                    if count.is_multiple_of(EMIT_EVERY) {
                        let row = (*cx.key(), *cx.state());
                        cx.emit(row);
                    }
                    Ok(())
                }),
            )
            .sink("out", watch.sink());
    })
}

/// The key of record `n`: all keys as often, in no order that a cache could use.
fn key_of(n: u64, keys: u64) -> u64 {
    n.wrapping_mul(0x9E37_79B9_7F4A_7C15) % keys
}

fn throughput(
    args: &RuntimeArgs,
    figures: Figures,
    default_records: u64,
    build: impl FnOnce(Stream<u64>, &Stopwatch),
) -> Result<Figures> {
    let records = args.records.unwrap_or(default_records);
    let (config, _directory) = args.run.config(args.run.interval(CHECKPOINT_INTERVAL))?;
    let (watch, mut job) = (Stopwatch::default(), Job::new("throughput"));
    let numbers = generator(|n| n).limit(records).splits(config.workers);
    build(job.source("numbers", watch.source(numbers)), &watch);
    let run = measure(job, config, &watch)?;
    Ok(run.figures(figures.add("records", Some(records)), records, "records_per_second"))
}

/// The Nexmark generator on as many threads as workers, each with its share of the numbers.
pub(super) fn generator_alone(args: &RuntimeArgs, figures: Figures) -> Result<Figures> {
    let (events, threads) = (args.records.unwrap_or(20_000_000), args.run.workers() as u64);
    let began = Instant::now();
    std::thread::scope(|scope| {
        for thread in 0..threads {
            scope.spawn(move || {
                let generator = NexmarkGenerator::default();
                let mut n = thread;
                while n < events {
                    black_box(generator.event(n));
                    n += threads;
                }
            });
        }
    });
    let seconds = began.elapsed().as_secs_f64();
    Ok(figures
        .add("records", Some(events))
        .add("seconds", Some(rounded(seconds)))
        .add("records_per_second", Some((events as f64 / seconds).round() as u64))
        .add("cpu_seconds", process::cpu_time().map(|cpu| rounded(cpu.as_secs_f64()))))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_key_comes_up() {
        let keys: HashSet<u64> = (0..1_000).map(|n| key_of(n, 10)).collect();
        assert_eq!(keys.len(), 10);
    }
}
