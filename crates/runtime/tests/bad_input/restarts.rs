//! How often a job is tried again, and when it is given up.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

use expect_test::expect;
use headwater_api::Job;
use headwater_connect::collect::collect;
use headwater_connect::collection::collection;
use headwater_core::{BadRecordPolicy, Error};
use headwater_runtime::{Config, Outcome, RestartStrategy, start};
use headwater_topology::Topology;

use crate::support::scripted::{Gate, scripted};
use crate::support::{Mine, config, ms, quiet_panics, show, wait};

/// Fails at its third record, always; and counts how often it got there.
fn hopeless(kind: fn(&'static str) -> Error) -> (Topology, Arc<AtomicU64>) {
    let tries = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&tries);
    let mut job = Job::new("hopeless");
    job.source("numbers", collection(0..5u64))
        .on_error(BadRecordPolicy::Fail)
        .try_map(move |n| {
            if *n == 2 {
                counted.fetch_add(1, SeqCst);
                return Err(kind("the price service is away"));
            }
            Ok(*n)
        })
        .named("prices")
        .sink("out", collect());
    (job.build().unwrap(), tries)
}

/// No checkpoint but the last.
fn with(restart: RestartStrategy) -> Config {
    let mut config = Config { restart, ..config(2, None) };
    config.checkpoints.interval = None;
    config
}

#[test]
fn a_job_is_tried_as_often_as_the_strategy_says_and_then_fails_with_the_reason() {
    let backoff = |attempts| RestartStrategy::ExponentialBackoff {
        initial: ms(1),
        max: ms(20),
        factor: 3.0,
        attempts,
    };
    let fixed = |attempts| RestartStrategy::FixedDelay { attempts, delay: ms(1) };
    let expected = expect![[r#"
        Transient: operator "prices", record 3 of 5 in its batch: the price service is away
          help: is it running?"#]];
    for (strategy, restarts) in
        [(RestartStrategy::None, 0), (fixed(3), 3), (fixed(0), 0), (backoff(4), 4)]
    {
        let (topology, tries) = hopeless(|m| Error::transient(m).hint("is it running?"));
        let mut handle = start(topology, with(strategy.clone())).unwrap();
        let e = handle.wait().unwrap_err();
        assert_eq!(tries.load(SeqCst), restarts + 1, "{strategy:?}");
        assert_eq!(handle.metrics().restarts, restarts, "{strategy:?}");
        expected.assert_eq(&show(&e, Path::new("")));
    }
}

#[test]
fn what_a_restart_cannot_mend_is_not_tried_again() {
    for kind in [Error::config, Error::plan, Error::state, Error::fenced] {
        let (topology, tries) = hopeless(kind);
        let strategy = RestartStrategy::FixedDelay { attempts: 5, delay: ms(1) };
        start(topology, with(strategy)).unwrap().wait().unwrap_err();
        assert_eq!(tries.load(SeqCst), 1);
    }
}

/// Failures are counted since the last completed checkpoint: one now and then is no reason to end.
#[test]
fn a_completed_checkpoint_gives_the_budget_back() {
    quiet_panics();
    const FAILURES: u64 = 6;
    let checkpoints = Arc::new(AtomicU64::new(0));
    let mines: Vec<Mine> = (0..FAILURES).map(|_| Mine::default()).collect();
    let mut source = scripted((0..700u64).collect()).step(50);
    for part in 1..=FAILURES as usize {
        source = source.gate(part * 100, Gate::Checkpoint(Arc::clone(&checkpoints)));
    }
    let out = collect();
    let mut job = Job::new("now and then");
    job.source("numbers", source)
        // Each part fails once, soon behind its gate.
        .inspect(move |n| {
            if *n >= 100 && n % 100 == 10 {
                mines[(n / 100) as usize - 1].step_on();
            }
        })
        .sink("out", out.clone());
    let config = Config {
        restart: RestartStrategy::FixedDelay { attempts: 1, delay: ms(1) },
        ..config(2, None)
    };
    let mut handle = start(job.build().unwrap(), config).unwrap();
    assert!(matches!(wait(&mut handle, &checkpoints).unwrap(), Outcome::Finished { .. }));
    assert_eq!(handle.metrics().restarts, FAILURES);
    assert_eq!(out.sorted(), (0..700).collect::<Vec<u64>>());
}
