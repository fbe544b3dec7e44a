//! The `orders` example on 20,000 orders, against a plain computation over the same lines, and
//! against the independent checker where there is a Python.

#![allow(clippy::unwrap_used, clippy::panic, reason = "test helpers")]

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use headwater::prelude::*;
use headwater::{DeadLetter, JobHandle};

#[allow(dead_code, reason = "the program around the function is not called")]
#[path = "../examples/make_orders.rs"]
mod make_orders;
#[allow(dead_code, reason = "the program around the job is not called")]
#[path = "../examples/orders.rs"]
mod orders;

use make_orders::{line, make_orders};
use orders::{CustomerWindow, Order, read_windows};

const COUNT: u64 = 20_000;
const SIZE_MS: i64 = 600_000;

struct Expected {
    windows: Vec<CustomerWindow>,
    late: Vec<u64>,
    malformed: usize,
}

/// One pass over the lines, with the watermark of the one split they are in.
fn expected() -> Expected {
    let (mut totals, mut late, mut malformed) = (BTreeMap::new(), Vec::new(), 0);
    let mut watermark = i64::MIN;
    for n in 0..COUNT {
        let Ok(order) = serde_json::from_slice::<Order>(&line(n)) else {
            malformed += 1;
            continue;
        };
        let start = order.at.0.div_euclid(SIZE_MS) * SIZE_MS;
        if watermark >= start + SIZE_MS - 1 {
            late.push(order.id);
        } else {
            let (orders, cents): &mut (u64, u64) =
                totals.entry((order.customer, EventTime(start))).or_default();
            (*orders, *cents) = (*orders + 1, *cents + order.cents);
        }
        watermark = watermark.max(order.at.0 - 30_001);
    }
    let row = |((customer, window_start), (orders, cents))| CustomerWindow {
        customer,
        window_start,
        orders,
        cents,
    };
    Expected { windows: totals.into_iter().map(row).collect(), late, malformed }
}

fn begin(input: &Path, dir: &Path, workers: usize) -> JobHandle {
    let mut job = Job::new("orders");
    orders::orders(&mut job, input, &dir.join("out")).unwrap();
    let checkpoints = CheckpointConfig {
        location: Some(dir.join("state").to_str().unwrap().to_owned()),
        interval: Some(Duration::from_millis(20)),
        ..CheckpointConfig::default()
    };
    job.start(Config { workers, checkpoints, ..Config::default() }).unwrap()
}

fn json_lines<T: Record>(path: &Path) -> Vec<T> {
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn late_ids(out: &Path) -> Vec<u64> {
    let parts = std::fs::read_dir(out.join("late")).unwrap().map(|entry| entry.unwrap().path());
    let parts = parts.filter(|path| path.extension().is_some_and(|e| e == "jsonl"));
    let mut ids: Vec<u64> = parts.flat_map(|p| json_lines::<Order>(&p)).map(|o| o.id).collect();
    ids.sort_unstable();
    ids
}

fn check(dir: &Path, input: &Path) {
    let (out, expected) = (dir.join("out"), expected());
    assert!(expected.late.len() > 20 && expected.malformed > 20, "the input has too little of it");
    let windows = read_windows(&out).unwrap();
    assert!(windows == expected.windows, "the windows differ");
    assert_eq!(late_ids(&out), expected.late);
    let letters: Vec<DeadLetter> = json_lines(&out.join("dead-letters.jsonl"));
    assert_eq!(letters.len(), expected.malformed);
    check_with_python(dir, input, &windows);
}

/// Runs the checker on the same files; says loudly where there is no Python to run it.
fn check_with_python(dir: &Path, input: &Path, windows: &[CustomerWindow]) {
    let mut csv = String::from("customer,window_start,orders,cents\n");
    for CustomerWindow { customer, window_start, orders, cents } in windows {
        csv.push_str(&format!("{customer},{},{orders},{cents}\n", window_start.millis()));
    }
    std::fs::write(dir.join("windows.csv"), csv).unwrap();
    let checker = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/check_orders.py");
    let run = || {
        let mut python = Command::new("python3");
        python.arg(&checker).arg(input).arg(dir.join("windows.csv")).arg(dir.join("out")).output()
    };
    let Ok(ran) = run() else {
        // Not by a macro: those are swallowed where a test passes.
        let text = b"\n*** not run: check_orders.py: there is no python3 ***\n\n";
        return std::io::stderr().write_all(text).unwrap();
    };
    let said = String::from_utf8_lossy(&ran.stdout);
    assert!(ran.status.success() && said.ends_with("all equal\n"), "{said}{ran:?}");
    // It would notice: one window less.
    let csv = std::fs::read_to_string(dir.join("windows.csv")).unwrap();
    let shorter = csv.trim_end().rsplit_once('\n').unwrap().0;
    std::fs::write(dir.join("windows.csv"), shorter).unwrap();
    assert!(!run().unwrap().status.success(), "the checker does not notice a missing window");
}

#[test]
fn the_totals_are_those_of_an_independent_computation() {
    for workers in [1, 2] {
        let dir = tempfile::tempdir().unwrap();
        let input = dir.path().join("orders.jsonl.gz");
        make_orders(&input, COUNT).unwrap();
        let mut handle = begin(&input, dir.path(), workers);
        assert!(matches!(handle.wait().unwrap(), Outcome::Finished { .. }));
        check(dir.path(), &input);
        let metrics = handle.metrics();
        let source = metrics.operator("orders").unwrap().totals;
        assert_eq!(source.records_in, COUNT);
        assert_eq!(source.records_in, source.records_out + source.dead_lettered);
    }
}

/// Stopped again and again, with another number of workers each time.
#[test]
fn an_interrupted_job_ends_with_the_same_totals() {
    let dir = tempfile::tempdir().unwrap();
    let input = dir.path().join("orders.jsonl.gz");
    make_orders(&input, COUNT).unwrap();
    for (run, workers) in [2, 1, 3, 2].into_iter().enumerate() {
        let mut handle = begin(&input, dir.path(), workers);
        // Somewhere in the middle, wherever that is; at once the first time.
        while run > 0 && !handle.is_ended() && handle.metrics().checkpoints.completed == 0 {
            std::thread::sleep(Duration::from_millis(1));
        }
        handle.stop(StopMode::Checkpoint);
        handle.wait().unwrap();
    }
    let mut handle = begin(&input, dir.path(), 2);
    assert!(matches!(handle.wait().unwrap(), Outcome::Finished { .. }));
    check(dir.path(), &input);
}
