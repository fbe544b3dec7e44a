//! Stopping and starting again: nothing lost, nothing twice, whatever the number of workers.
//!
//! One job for all: numbers in three splits, counted per key and per window, to exactly-once files.
//! Gates hold the source where the test wants to stop it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "test helpers")]

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::time::Duration;

use expect_test::expect;
use headwater_api::Job;
use headwater_core::{Epoch, EventTime};
use headwater_files as files;
use headwater_operators::watermarks::Watermarks;
use headwater_operators::window::WindowSpec;
use headwater_runtime::{Config, JobHandle, Outcome, RestartStrategy, StopMode, start};
use headwater_topology::Topology;

use support::files::sorted;
use support::scripted::{Gate, Scripted, scripted};
use support::{config, ms, numbered, quiet_panics, show, until, wait};

#[path = "support/support.rs"]
mod support;

const N: u64 = 5_400;
const SPLITS: u64 = 3;
/// A multiple of the number of splits: so the order within a key is fixed.
const KEYS: u64 = 12;
const SIZE: u64 = 100;

/// A number and its number within the key.
type Numbered = (u64, u64);
/// Key, start of the window, records.
type Counted = (u64, i64, u64);

struct Gates(Vec<(usize, Arc<AtomicBool>)>);

impl Gates {
    /// Closed gates after so many records of all splits.
    fn at(records: &[u64]) -> Self {
        Gates(records.iter().map(|n| ((n / SPLITS) as usize, Arc::default())).collect())
    }

    fn open(&self, gate: usize) {
        self.0[gate].1.store(true, SeqCst);
    }

    fn source(&self) -> Scripted<u64> {
        let source = scripted((0..N).collect()).splits(SPLITS as usize).step(40);
        self.0.iter().fold(source, |s, (at, open)| s.gate(*at, Gate::Open(Arc::clone(open))))
    }
}

fn job(dir: &Path, gates: &Gates, count: &str) -> Topology {
    let mut job = Job::new("numbers");
    let keyed = job
        .source("numbers", gates.source())
        .event_time(|n| EventTime(*n as i64), Watermarks::ascending())
        .key_by(|n| n % KEYS);
    keyed.process(count, numbered()).sink("numbered out", files::sink(dir.join("n")).json());
    let windows = keyed.window(WindowSpec::tumbling(ms(SIZE))).count("windows");
    let counted = windows.results().map(|w| (w.key, w.window.start.0, w.value));
    counted.sink("counted out", files::sink(dir.join("w")).json());
    job.build().unwrap()
}

fn numbers(until: u64) -> Vec<Numbered> {
    (0..until).map(|n| (n, n / KEYS + 1)).collect()
}

/// Windows of the numbers below `until` that start below `starts`.
fn windows(until: u64, starts: u64) -> Vec<Counted> {
    let mut counts = std::collections::BTreeMap::new();
    for n in (0..until).filter(|n| n / SIZE * SIZE < starts) {
        *counts.entry((n % KEYS, (n / SIZE * SIZE) as i64)).or_insert(0) += 1;
    }
    counts.into_iter().map(|((key, start), count)| (key, start, count)).collect()
}

/// The windows that are complete when the numbers below `n` have been read: the greatest time of
/// the slowest split is three less.
fn complete(n: u64) -> Vec<Counted> {
    windows(n, (n - SPLITS) / SIZE * SIZE)
}

/// Says what is different, as all of it would be too much.
fn assert_same<T: PartialEq + std::fmt::Debug>(what: &str, found: &[T], expected: &[T]) {
    let missing: Vec<&T> = expected.iter().filter(|e| !found.contains(e)).collect();
    let wrong: Vec<&T> = found.iter().filter(|f| !expected.contains(f)).collect();
    let (there, right) = (found.len(), expected.len());
    assert!(
        found == expected,
        "{what}: {there} instead of {right}, missing {missing:?}, wrong {wrong:?}"
    );
}

fn assert_visible(dir: &Path, numbered: &[Numbered], counted: &[Counted]) {
    assert_same("numbers", &sorted::<Numbered>(&dir.join("n")), numbered);
    assert_same("windows", &sorted::<Counted>(&dir.join("w")), counted);
}

/// All numbers below `n` are visible, and no window that is not complete: a worker may stop before
/// it has heard of the last watermark, but never fires for want of one.
fn assert_stopped_at(dir: &Path, n: u64) {
    assert_same("numbers", &sorted::<Numbered>(&dir.join("n")), &numbers(n));
    let (visible, complete) = (sorted::<Counted>(&dir.join("w")), complete(n));
    let early: Vec<_> = visible.iter().filter(|w| !complete.contains(w)).collect();
    assert!(early.is_empty(), "fired early: {early:?}");
}

fn checkpoints(dir: &Path) -> std::path::PathBuf {
    dir.join("checkpoints")
}

fn begin(dir: &Path, gates: &Gates, workers: usize) -> JobHandle {
    start(job(dir, gates, "count"), config(workers, Some(&checkpoints(dir)))).unwrap()
}

/// Waits until the source has given `n` numbers and stands at a gate.
fn until_read(handle: &JobHandle, n: u64) {
    let read = || handle.metrics().operator("numbers").unwrap().totals.records_in;
    until("the numbers to be read", || read() == n);
}

fn finish(mut handle: JobHandle) -> Epoch {
    match wait(&mut handle, &AtomicU64::new(0)).unwrap() {
        Outcome::Finished { epoch } => epoch,
        other => panic!("{other:?}"),
    }
}

fn stop(mut handle: JobHandle, mode: StopMode) -> Outcome {
    handle.stop(mode);
    handle.wait().unwrap()
}

/// Names and contents of all files below a directory.
fn listing(dir: &Path) -> Vec<(std::path::PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for path in std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()) {
        match path.is_dir() {
            true => found.extend(listing(&path)),
            false => found.push((path.clone(), std::fs::read(&path).unwrap())),
        }
    }
    found.sort();
    found
}

#[test]
fn a_job_stopped_with_a_checkpoint_goes_on_from_there() {
    for workers in [1, 2, 4] {
        let dir = tempfile::tempdir().unwrap();
        let (dir, gates) = (dir.path(), Gates::at(&[N / 2]));
        let handle = begin(dir, &gates, workers);
        until_read(&handle, N / 2);
        let Outcome::Stopped { epoch } = stop(handle, StopMode::Checkpoint) else { panic!() };
        assert_stopped_at(dir, N / 2);
        gates.open(0);
        assert!(finish(begin(dir, &gates, workers)) > epoch);
        assert_visible(dir, &numbers(N), &windows(N, N));
    }
}

#[test]
fn a_drained_job_fires_its_windows_and_is_over() {
    let dir = tempfile::tempdir().unwrap();
    let (dir, gates) = (dir.path(), Gates::at(&[N / 2 - 30]));
    let handle = begin(dir, &gates, 2);
    until_read(&handle, N / 2 - 30);
    let Outcome::Finished { .. } = stop(handle, StopMode::Drain) else { panic!() };
    assert_visible(dir, &numbers(N / 2 - 30), &windows(N / 2 - 30, N));
    gates.open(0);
    finish(begin(dir, &gates, 2));
    assert_visible(dir, &numbers(N / 2 - 30), &windows(N / 2 - 30, N));
}

#[test]
fn a_job_stopped_at_once_goes_on_from_its_last_checkpoint() {
    for workers in [1, 2] {
        let dir = tempfile::tempdir().unwrap();
        let (dir, gates) = (dir.path(), Gates::at(&[N / 3, N / 2]));
        let handle = begin(dir, &gates, workers);
        until_read(&handle, N / 3);
        let done = handle.metrics().checkpoints.completed;
        until("a checkpoint", || handle.metrics().checkpoints.completed >= done + 2);
        let last = handle.metrics().checkpoints.last_epoch;
        gates.open(0);
        until_read(&handle, N / 2);
        let Outcome::Stopped { epoch } = stop(handle, StopMode::Now) else { panic!() };
        assert!(epoch >= last);
        let visible = sorted::<Numbered>(&dir.join("n"));
        assert!(numbers(N / 3).iter().all(|n| visible.binary_search(n).is_ok()));
        gates.open(1);
        finish(begin(dir, &gates, workers));
        assert_visible(dir, &numbers(N), &windows(N, N));
    }
}

/// Dropping the handle is the rudest way to stop.
#[test]
fn a_dropped_job_goes_on_from_its_last_checkpoint() {
    let dir = tempfile::tempdir().unwrap();
    let (dir, gates) = (dir.path(), Gates::at(&[N / 2]));
    let handle = begin(dir, &gates, 2);
    until("a checkpoint", || handle.metrics().checkpoints.completed >= 1);
    drop(handle);
    gates.open(0);
    finish(begin(dir, &gates, 2));
    assert_visible(dir, &numbers(N), &windows(N, N));
}

#[test]
fn a_checkpoint_is_taken_when_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let (dir, gates) = (dir.path(), Gates::at(&[N / 2]));
    let mut config = config(2, Some(&checkpoints(dir)));
    config.checkpoints.interval = None;
    let handle = start(job(dir, &gates, "count"), config.clone()).unwrap();
    until_read(&handle, N / 2);
    assert_eq!(handle.metrics().checkpoints.completed, 0);
    assert_visible(dir, &[], &[]);
    for asked in 1..=3 {
        handle.checkpoint();
        until("the checkpoint", || handle.metrics().checkpoints.completed == asked);
        assert_visible(dir, &numbers(N / 2), &complete(N / 2));
    }
    assert_eq!(stop(handle, StopMode::Now), Outcome::Stopped { epoch: Epoch(3) });
    gates.open(0);
    assert_eq!(finish(start(job(dir, &gates, "count"), config).unwrap()), Epoch(4));
    assert_visible(dir, &numbers(N), &windows(N, N));
}

#[test]
fn a_finished_job_stays_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let (dir, gates) = (dir.path(), Gates::at(&[]));
    let epoch = finish(begin(dir, &gates, 2));
    let (numbered, counted) = (listing(&dir.join("n")), listing(&dir.join("w")));
    for workers in [2, 1] {
        assert_eq!(finish(begin(dir, &gates, workers)), epoch);
        assert!(listing(&dir.join("n")) == numbered && listing(&dir.join("w")) == counted);
    }
}

#[test]
fn state_survives_with_another_number_of_workers() {
    for plan in [[2, 1, 4], [4, 3, 1]] {
        let dir = tempfile::tempdir().unwrap();
        let (dir, gates) = (dir.path(), Gates::at(&[N / 3, 2 * N / 3]));
        for (part, workers) in plan.into_iter().enumerate() {
            let handle = begin(dir, &gates, workers);
            if part == 2 {
                finish(handle);
                break;
            }
            let read = (part as u64 + 1) * N / 3;
            until_read(&handle, read);
            let Outcome::Stopped { .. } = stop(handle, StopMode::Checkpoint) else { panic!() };
            assert_stopped_at(dir, read);
            gates.open(part);
        }
        assert_visible(dir, &numbers(N), &windows(N, N));
    }
}

#[test]
fn state_of_a_renamed_step_is_not_left_behind_unasked() {
    let dir = tempfile::tempdir().unwrap();
    let (dir, gates) = (dir.path(), Gates::at(&[N / 2]));
    let handle = begin(dir, &gates, 2);
    until_read(&handle, N / 2);
    stop(handle, StopMode::Checkpoint);
    gates.open(0);
    let config = config(2, Some(&checkpoints(dir)));
    let e = start(job(dir, &gates, "tally"), config.clone()).err().unwrap();
    expect![[r#"
        State: the checkpoint holds state "state" of step "count", which this job does not have
          help: name the step as before, or start with --allow-unmatched-state to leave it behind"#]].assert_eq(&show(&e, dir));
    // It was refused before anything was touched.
    assert_stopped_at(dir, N / 2);
    let config = Config { allow_unmatched_state: true, ..config };
    finish(start(job(dir, &gates, "tally"), config).unwrap());
    let half = N / 2;
    let anew = (half..N).map(|n| (n, (n - half) / KEYS + 1));
    let numbered: Vec<Numbered> = numbers(half).into_iter().chain(anew).collect();
    assert_visible(dir, &numbered, &windows(N, N));
}

#[test]
fn asking_again_and_too_late_does_no_harm() {
    let dir = tempfile::tempdir().unwrap();
    let (dir, gates) = (dir.path(), Gates::at(&[N / 2]));
    let mut handle = begin(dir, &gates, 2);
    until_read(&handle, N / 2);
    let stopper = handle.stopper();
    handle.stop(StopMode::Checkpoint);
    stopper.stop(StopMode::Checkpoint);
    handle.checkpoint();
    assert!(matches!(handle.wait().unwrap(), Outcome::Stopped { .. }));
    stopper.stop(StopMode::Now);
    handle.stop(StopMode::Drain);
    handle.checkpoint();
    assert!(handle.is_ended());
    assert!(handle.wait().unwrap_err().to_string().contains("waited for before"));
    assert_stopped_at(dir, N / 2);
}

/// A request to stop ends the pause before a restart, and says where the job can go on.
#[test]
fn a_job_can_be_stopped_while_it_waits_to_restart() {
    quiet_panics();
    let dir = tempfile::tempdir().unwrap();
    let gates = Gates::at(&[N / 2]);
    let mut job = Job::new("broken");
    job.source("numbers", gates.source())
        .inspect(|n| assert!(*n < N / 2, "planted"))
        .sink("out", files::sink(dir.path().join("n")).json());
    let config = Config {
        restart: RestartStrategy::FixedDelay { attempts: 9, delay: Duration::from_secs(3600) },
        ..config(2, Some(&checkpoints(dir.path())))
    };
    let mut handle = start(job.build().unwrap(), config).unwrap();
    until_read(&handle, N / 2);
    let done = handle.metrics().checkpoints.completed;
    until("a checkpoint", || handle.metrics().checkpoints.completed >= done + 2);
    gates.open(0);
    until("the failure", || handle.metrics().restarts == 1);
    let last = handle.metrics().checkpoints.last_epoch;
    handle.stop(StopMode::Checkpoint);
    assert_eq!(handle.wait().unwrap(), Outcome::Stopped { epoch: last });
    assert!(sorted::<u64>(&dir.path().join("n")) == (0..N / 2).collect::<Vec<_>>());
}

#[test]
fn a_job_that_had_finished_still_tells_what_it_did() {
    let dir = tempfile::tempdir().unwrap();
    let gates = Gates::at(&[]);
    finish(begin(dir.path(), &gates, 2));
    let mut again = begin(dir.path(), &gates, 2);
    again.wait().unwrap();
    let read = again.metrics().operator("numbers").unwrap().totals.records_in;
    assert_eq!(read, N);
    assert_visible(dir.path(), &numbers(N), &windows(N, u64::MAX));
}
