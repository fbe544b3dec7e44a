//! What the counters say at the end is what happened, whatever crashed in between.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use headwater_api::Job;
use headwater_connect::collect::collect;
use headwater_core::{DeadLetter, Error};
use headwater_runtime::start;
use headwater_topology::DEAD_LETTERS;

use crate::support::scripted::{Gate, scripted};
use crate::support::{Mine, config, numbered, quiet_panics, wait};

const N: u64 = 120_000;

/// Refuses every third number.
fn not_by_three(n: &u64) -> Result<u64, Error> {
    match n % 3 {
        0 => Err(Error::user("divisible by three")),
        _ => Ok(*n),
    }
}

#[test]
fn the_balance_is_right_after_crashes() {
    quiet_panics();
    for workers in [1, 2, 4] {
        let (out, letters) = (collect(), collect::<DeadLetter>());
        let checkpoints = Arc::new(AtomicU64::new(0));
        let mines = [Mine::default(), Mine::default()];
        let gate = || Gate::Checkpoint(Arc::clone(&checkpoints));
        let source = scripted((0..N).collect()).splits(3).step(200);
        let source = source.gate(100, gate()).gate(20_000, gate());
        let mut job = Job::new("counters");
        job.dead_letters(letters.clone());
        job.source("numbers", source)
            .inspect(move |n| match n {
                50_001 => mines[0].step_on(),
                100_002 => mines[1].step_on(),
                _ => {}
            })
            .try_map(not_by_three)
            .named("refuse")
            .filter(|n| n % 5 > 0)
            .named("filter")
            .key_by(|n| n % 30)
            .process("numbered", numbered())
            .sink("out", out.clone());
        let mut handle = start(job.build().unwrap(), config(workers, None)).unwrap();
        wait(&mut handle, &checkpoints).unwrap();
        let metrics = handle.metrics();
        assert_eq!(metrics.restarts, 2);
        let of = |name: &str| metrics.operator(name).unwrap().totals;
        let (refused, kept) = (N / 3, N - N / 3);
        let passed = (0..N).filter(|n| n % 3 > 0 && n % 5 > 0).count() as u64;
        assert_eq!(of("numbers").records_out, N, "{workers} workers");
        assert_eq!((of("refuse").records_in, of("refuse").records_out), (N, kept));
        assert_eq!(of("refuse").dead_lettered, refused);
        assert_eq!((of("filter").filtered, of("filter").records_out), (kept - passed, passed));
        assert_eq!((of("numbered").records_in, of("out").records_in), (passed, passed));
        assert_eq!(of(DEAD_LETTERS).records_in, refused, "{workers} workers");
        assert_eq!((out.len() as u64, letters.len() as u64), (passed, refused));
    }
}
