//! The same inputs in other batches, with barriers and crashes anywhere: the same result.

use std::fmt::Debug;

use headwater_api::Job;
use headwater_core::Result;

use crate::TestJob;

/// How many disturbed runs are compared with the undisturbed one.
const RUNS: u64 = 8;
/// Environment variable that repeats one run.
const SEED: &str = "HEADWATER_SEED";

/// Runs `drive` on the job undisturbed and then again and again with batches cut anywhere, and with
/// barriers, slow snapshots and crashes between any two inputs; all must give the same result.
///
/// `drive` sends the inputs and returns what is to be the same, usually
/// [`TestJob::sorted_lines`] of the sinks at the end and the totals of steps. What depends on the
/// moment at which a watermark arrives (whether a late pane comes apart from the one before it,
/// what a timer sees of records that are newer than it) may differ by batching in any engine, and
/// is not to be compared.
///
/// # Panics
/// When a result differs, with the seed of the run; `HEADWATER_SEED=n` runs that one alone.
///
/// # Examples
/// ```
/// use headwater_connect::{blackhole::blackhole, collection::collection};
/// use headwater_testkit::assert_same_for_any_batching;
///
/// assert_same_for_any_batching(
///     |job| {
///         let numbers = job.source("numbers", collection(Vec::<u32>::new()));
///         numbers.filter(|n| n % 3 == 0).sink("out", blackhole());
///         Ok(())
///     },
///     |t| {
///         t.send("numbers", 0..100u32).end_all();
///         (t.sorted_lines::<u32>("out"), t.totals("filter-1"))
///     },
/// );
/// ```
#[track_caller]
pub fn assert_same_for_any_batching<R: PartialEq + Debug>(
    build: impl Fn(&mut Job) -> Result<()>,
    drive: impl Fn(&mut TestJob) -> R,
) {
    let only = std::env::var(SEED).ok().and_then(|seed| seed.parse().ok());
    let seeds = only.map_or(1..=RUNS, |seed| seed..=seed);
    for seed in seeds {
        assert_same_with_seed(seed, &build, &drive);
    }
}

/// One comparison of [`assert_same_for_any_batching`], for a seed from a property test.
///
/// # Panics
/// When the results differ.
#[track_caller]
pub fn assert_same_with_seed<R: PartialEq + Debug>(
    seed: u64,
    build: impl Fn(&mut Job) -> Result<()>,
    drive: impl Fn(&mut TestJob) -> R,
) {
    compare(build, drive, |t| t.driver().set_chaos(seed), seed);
}

/// Like [`assert_same_with_seed`], with batches left as they are sent: for jobs whose result
/// depends on them, but may not depend on barriers, slow snapshots and crashes.
///
/// # Panics
/// When the results differ.
#[track_caller]
pub fn assert_same_with_crashes<R: PartialEq + Debug>(
    seed: u64,
    build: impl Fn(&mut Job) -> Result<()>,
    drive: impl Fn(&mut TestJob) -> R,
) {
    compare(build, drive, |t| t.driver().set_crashes(seed), seed);
}

#[track_caller]
fn compare<R: PartialEq + Debug>(
    build: impl Fn(&mut Job) -> Result<()>,
    drive: impl Fn(&mut TestJob) -> R,
    disturb: impl Fn(&mut TestJob),
    seed: u64,
) {
    let expected = drive(&mut TestJob::new(&build));
    let mut disturbed = TestJob::new(&build);
    disturb(&mut disturbed);
    let found = drive(&mut disturbed);
    assert!(
        expected == found,
        "other batches, barriers or crashes give another result ({SEED}={seed} repeats this)\n\
         undisturbed: {expected:#?}\ndisturbed: {found:#?}"
    );
}
