//! The published Nexmark texts as jobs that are killed at random moments and go on from their
//! checkpoints: their files must hold what a program without any engine computes.
//!
//! Few events as a rule; a million with `HEADWATER_SLOW_TESTS=1`.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use headwater_sql::nexmark::{self, Variables};
use serde_json::Value;

use super::nexmark_model::{rows, updates};
use super::{headwater, run, stderr};

/// One event each 10 ms: sessions end, and a night passes in a million events.
const RATE: u64 = 100;

fn slow() -> bool {
    std::env::var_os("HEADWATER_SLOW_TESTS").is_some_and(|v| !v.is_empty() && v != "0")
}

/// The job of a query: as published, but that its rows go into files.
fn script(query: &str, events: u64, folder: &Path) -> String {
    let folder = folder.display().to_string();
    // One split: rows that rank alike come in one order.
    let variables = Variables { events, rate: RATE, splits: 1, folder: folder.clone() };
    let format = if updates(query) { "debezium-json" } else { "json" };
    let sink =
        format!("'connector' = 'filesystem', 'path' = '{folder}/out', 'format' = '{format}'");
    let text = nexmark::query(query, &variables).unwrap();
    let text = text.replace("'connector' = 'blackhole'", &sink);
    // Else events that end would be a batch.
    let mode = "SET 'execution.runtime-mode' = 'streaming';";
    format!("{mode}\n{}\n{text}", nexmark::tables(&variables))
}

/// The lines of all files below a folder that are there to be read.
fn lines(folder: &Path, found: &mut Vec<String>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.map(Result::unwrap) {
        let name = entry.file_name().into_string().unwrap();
        if name.starts_with(['.', '_']) {
            continue;
        }
        if entry.path().is_dir() {
            lines(&entry.path(), found);
        } else {
            found.extend(fs::read_to_string(entry.path()).unwrap().lines().map(str::to_owned));
        }
    }
}

/// What the files say: each row, and how often. Changes are applied.
fn answer(query: &str, folder: &Path) -> BTreeMap<String, i64> {
    let mut found = Vec::new();
    lines(&folder.join(if query == "q10" { "data" } else { "out" }), &mut found);
    let mut rows = BTreeMap::new();
    let mut add = |row: &Value, by: i64| *rows.entry(row.to_string()).or_default() += by;
    for line in &found {
        if query == "q10" {
            add(&Value::String(line.clone()), 1);
            continue;
        }
        let value: Value = serde_json::from_str(line).unwrap();
        if !updates(query) {
            add(&value, 1);
            continue;
        }
        [("before", -1), ("after", 1)].into_iter().for_each(|(side, by)| {
            if value[side].is_object() {
                add(&value[side], by);
            }
        });
    }
    rows.retain(|_, times| *times != 0);
    rows
}

/// Bids per bidder, whatever the windows of the clock they fell into.
fn per_bidder(rows: BTreeMap<String, i64>) -> BTreeMap<String, i64> {
    let mut bidders = BTreeMap::new();
    for (row, times) in rows {
        let row: Value = serde_json::from_str(&row).unwrap();
        let bids = row["bid_count"].as_i64().unwrap() * times;
        *bidders.entry(row["bidder"].to_string()).or_default() += bids;
    }
    bidders
}

/// What a program without an engine computes, in the form of [`answer`].
fn expected(query: &str, events: u64) -> BTreeMap<String, i64> {
    let mut expected = BTreeMap::new();
    for row in rows(query, events, RATE) {
        *expected.entry(row.to_string()).or_default() += 1;
    }
    expected
}

fn check(query: &str) {
    let events = if slow() { 1_000_000 } else { 20_000 };
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("job.sql"), script(query, events, dir.path())).unwrap();
    let args = ["run", "job.sql", "--checkpoint-dir", "state", "--workers", "2"];
    let args = [&args[..], &["--checkpoint-interval", "20ms", "--allow-unbounded-state"]].concat();
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let longest = if slow() { 3000 } else { 400 };
    let mut kills = 0;
    for _ in 0..if slow() { 6 } else { 3 } {
        let mut child = headwater(dir.path(), &args)
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(random.u64(20..longest)));
        if child.try_wait().unwrap().is_none() {
            child.kill().unwrap();
            kills += 1;
        }
        child.wait().unwrap();
    }
    let last = run(dir.path(), &args);
    assert!(last.status.success(), "{query}, seed {seed}: {}", stderr(&last));
    println!("{query}: {kills} kills");
    let (mut found, mut expected) = (answer(query, dir.path()), expected(query, events));
    if query == "q12" {
        (found, expected) = (per_bidder(found), per_bidder(expected));
    }
    let only = |a: &BTreeMap<String, i64>, b: &BTreeMap<String, i64>| {
        let differs = a.iter().filter(|(row, n)| b.get(*row) != Some(n));
        differs.take(5).map(|(row, n)| format!("{n} × {row}")).collect::<Vec<_>>()
    };
    assert!(!expected.is_empty());
    assert!(
        found == expected,
        "{query}, seed {seed}: {} rows, not {}\nfound: {:#?}\nexpected: {:#?}",
        found.len(),
        expected.len(),
        only(&found, &expected),
        only(&expected, &found)
    );
}

macro_rules! queries {
    ($($query:ident)*) => {
        $(#[test]
        fn $query() {
            check(stringify!($query));
        })*
    };
}

queries! { q0 q1 q2 q10 q11 q12 q14 q15 q16 q17 q18 q19 q21 q22 }

#[test]
fn a_file_that_is_there_twice_or_not_at_all_is_noticed() {
    for (query, events) in [("q2", 20_000), ("q17", 20_000)] {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("job.sql"), script(query, events, dir.path())).unwrap();
        let done = run(dir.path(), &["run", "job.sql", "--allow-unbounded-state"]);
        assert!(done.status.success(), "{}", stderr(&done));
        assert_eq!(answer(query, dir.path()), expected(query, events));
        let files = fs::read_dir(dir.path().join("out")).unwrap().map(|e| e.unwrap().path());
        let part = files.filter(|p| p.is_file()).max_by_key(|p| p.metadata().unwrap().len());
        let part = part.unwrap();
        fs::copy(&part, part.with_file_name("again.jsonl")).unwrap();
        assert_ne!(answer(query, dir.path()), expected(query, events));
        fs::remove_file(part.with_file_name("again.jsonl")).unwrap();
        fs::remove_file(part).unwrap();
        assert_ne!(answer(query, dir.path()), expected(query, events));
    }
}
