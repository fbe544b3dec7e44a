//! A sound job survives: random kills, every crash point, a restart when all was done.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use headwater_chaos::crash_points::{crash_at, finish, points, run_all};
use headwater_chaos::harness::Chaos;
use headwater_chaos::process::JobCommand;

use crate::support::{RATE, command, slow};

#[test]
fn kills_at_random_moments_lose_and_double_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let kills = if slow() { 30 } else { 4 };
    let command = command(dir.path(), kills * 20_000, None);
    let chaos = Chaos { command, kills, seed: 5, rate: RATE };
    let outcome = chaos.run(&mut |_| {}).unwrap();
    assert_eq!(outcome.verdict.faults(), 0, "{outcome}");
    assert_eq!(outcome.kills, kills);
    assert!(!outcome.to_output.is_empty(), "{outcome}");
}

#[test]
fn every_crash_point_is_hit_and_survived() {
    let dir = tempfile::tempdir().unwrap();
    let points = points();
    let (survived, faulty) = (AtomicUsize::new(0), Mutex::new(String::new()));
    // Two at a time: mostly they wait for the disk.
    std::thread::scope(|scope| {
        for half in points.chunks(points.len().div_ceil(2)) {
            let command = command(dir.path(), if slow() { 100_000 } else { 30_000 }, None);
            let (survived, faulty) = (&survived, &faulty);
            scope.spawn(move || {
                let dir = command.dir.clone();
                run_all(&command, half, &dir, RATE, &mut |point, verdict| {
                    survived.fetch_add(1, SeqCst);
                    if verdict.faults() > 0 {
                        let text = format!("after a crash at {}:\n{verdict}\n", point.name);
                        faulty.lock().unwrap().push_str(&text);
                    }
                })
                .unwrap();
            });
        }
    });
    assert_eq!(faulty.into_inner().unwrap(), "");
    assert_eq!(survived.into_inner(), points.len());
}

#[test]
fn a_job_that_had_finished_has_nothing_left_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let command = command(dir.path(), 5_000, None);
    assert_eq!(finish(&command).unwrap().faults(), 0);
    let again = finish(&command).unwrap();
    assert_eq!(again.faults(), 0, "{again}");
}

#[test]
fn the_answer_does_not_depend_on_the_number_of_workers() {
    for workers in [1, 3] {
        let dir = tempfile::tempdir().unwrap();
        let command = JobCommand { workers, ..command(dir.path(), 20_000, None) };
        crash_at(&command, "manifest.after-write:2", RATE).unwrap();
        // Another number of workers takes over.
        let verdict = finish(&JobCommand { workers: 4 - workers, ..command }).unwrap();
        assert_eq!(verdict.faults(), 0, "{workers} workers, then {}:\n{verdict}", 4 - workers);
    }
}
