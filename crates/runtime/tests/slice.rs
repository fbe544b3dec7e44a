//! The thinnest true path: source, exchange, keyed state, checkpoint, restart, exactly-once sink.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::time::Duration;

use headwater_api::Job;
use headwater_connect::collect::collect;
use headwater_connect::generator::generator;
use headwater_runtime::{CheckpointConfig, Config, Outcome, RestartStrategy, start};

fn config(workers: usize, dir: Option<&std::path::Path>) -> Config {
    Config {
        workers,
        checkpoints: CheckpointConfig {
            location: dir.map(|d| d.to_string_lossy().into_owned()),
            interval: Some(Duration::from_millis(20)),
            ..CheckpointConfig::default()
        },
        restart: RestartStrategy::FixedDelay { attempts: 3, delay: Duration::from_millis(5) },
        ..Config::default()
    }
}

#[test]
fn map_filter_reaches_the_sink_on_any_number_of_workers() {
    for workers in [1, 2, 4] {
        let out = collect::<u64>();
        let mut job = Job::new("evens");
        job.source("numbers", generator(|n| n).limit(100_000).splits(3))
            .rebalance()
            .filter(|n| n % 2 == 0)
            .map(|n| n * 10)
            .sink("out", out.clone());
        let mut handle = start(job.build().unwrap(), config(workers, None)).unwrap();
        assert!(matches!(handle.wait().unwrap(), Outcome::Finished { .. }));
        let mut got = out.records();
        got.sort_unstable();
        let want: Vec<u64> = (0..100_000).filter(|n| n % 2 == 0).map(|n| n * 10).collect();
        assert_eq!(got.len(), want.len(), "{workers} workers");
        assert_eq!(got, want);
        let metrics = handle.metrics();
        let filter = metrics.operator("filter-1").unwrap().totals;
        assert_eq!(
            (filter.records_in, filter.records_out, filter.filtered),
            (100_000, 50_000, 50_000)
        );
    }
}

#[test]
fn a_panic_in_user_code_restarts_from_the_checkpoint_and_loses_nothing() {
    let out = collect::<u64>();
    let (fired, seen) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let mut job = Job::new("poison");
    let (f, s) = (Arc::clone(&fired), Arc::clone(&seen));
    job.source("numbers", generator(|n| n).limit(200_000).rate(1_000_000.0))
        .rebalance()
        .map(move |n| {
            s.fetch_add(1, SeqCst);
            assert!(n != 120_000 || f.swap(true, SeqCst), "poison");
            n
        })
        .sink("out", out.clone());
    let mut handle = start(job.build().unwrap(), config(2, None)).unwrap();
    handle.wait().unwrap();
    let mut counts = BTreeMap::new();
    out.records().into_iter().for_each(|n| *counts.entry(n).or_insert(0) += 1);
    assert!(fired.load(SeqCst));
    assert_eq!(counts.len(), 200_000);
    assert!(counts.values().all(|n| *n == 1));
    assert_eq!(handle.metrics().restarts, 1);
}
