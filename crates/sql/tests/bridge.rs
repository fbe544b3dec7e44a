//! Streams of Rust as tables, and rows of queries as streams, in one job.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests fail by panicking"
)]

use std::collections::BTreeMap;
use std::time::Duration;

use headwater_api::windowed::Tumbling;
use headwater_api::{Job, Stream};
use headwater_connect::collect::{Collected, collect};
use headwater_connect::collection::{collection, collection_timed};
use headwater_connect::generator::generator;
use headwater_core::{Change, EventTime, RowKind, Timed};
use headwater_operators::watermarks::Watermarks;
use headwater_runtime::{Config, Outcome, RestartStrategy, StopMode};
use headwater_sql::error::{SqlResult, codes};
use headwater_sql::session::JobSession;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Click {
    user: String,
    cents: u64,
    at: EventTime,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct PerMinute {
    user: String,
    minute: EventTime,
    n: u64,
    cents: i64,
}

const PER_MINUTE: &str = "SELECT `user`, window_start AS `minute`, COUNT(*) AS n,
        CAST(SUM(cents) AS BIGINT) AS cents, window_time
    FROM TABLE(TUMBLE(TABLE clicks, DESCRIPTOR(at), INTERVAL '1' MINUTE))
    GROUP BY window_start, window_end, window_time, `user`";

fn click(n: u64) -> Click {
    // Every 17th click is three seconds before its neighbours.
    let at = n as i64 * 100 - if n.is_multiple_of(17) { 3_000 } else { 0 };
    Click { user: format!("u{}", n % 7), cents: n % 100, at: EventTime(at.max(0)) }
}

fn expected(clicks: u64) -> Vec<PerMinute> {
    let mut counts: BTreeMap<(String, i64), (u64, i64)> = BTreeMap::new();
    for click in (0..clicks).map(click) {
        let minute = click.at.millis().div_euclid(60_000) * 60_000;
        let (n, cents) = counts.entry((click.user, minute)).or_default();
        (*n, *cents) = (*n + 1, *cents + click.cents as i64);
    }
    let row =
        |((user, minute), (n, cents))| PerMinute { user, minute: EventTime(minute), n, cents };
    let mut rows: Vec<PerMinute> = counts.into_iter().map(row).collect();
    rows.sort();
    rows
}

fn config(workers: usize) -> Config {
    let mut config = Config { workers, restart: RestartStrategy::None, ..Config::default() };
    config.checkpoints.interval = Some(Duration::from_millis(50));
    config
}

fn run(job: Job, workers: usize) {
    let mut handle = headwater_runtime::start(job.build().unwrap(), config(workers)).unwrap();
    assert!(matches!(handle.wait().unwrap(), Outcome::Finished { .. }));
}

/// Rust → SQL window → Rust map → Rust sink.
fn clicks_job(clicks: u64, rate: Option<f64>, out: &Collected<PerMinute>) -> Job {
    let mut job = Job::new("clicks");
    let mut source = generator(click).limit(clicks).splits(3);
    if let Some(rate) = rate {
        source = source.rate(rate);
    }
    let clicks = job
        .source("clicks", source)
        .event_time(|c| c.at, Watermarks::bounded(Duration::from_secs(5)));
    let mut sql = JobSession::new(&job).unwrap();
    sql.add_timed_stream("clicks", &clicks, "at").unwrap();
    let per_minute: Stream<PerMinute> = sql.query(PER_MINUTE).unwrap().to_stream().unwrap();
    per_minute
        .map(|mut row| {
            row.cents *= 2;
            row
        })
        .sink("out", out.clone());
    job
}

fn doubled(mut rows: Vec<PerMinute>) -> Vec<PerMinute> {
    rows.iter_mut().for_each(|row| row.cents *= 2);
    rows
}

#[test]
fn a_window_between_two_steps_in_rust() {
    for workers in [1, 2] {
        let out = collect();
        run(clicks_job(5_000, None, &out), workers);
        assert_eq!(out.sorted(), doubled(expected(5_000)));
        // The event time of a row is its rowtime attribute: the last moment of the window.
        for row in out.timed() {
            assert_eq!(row.time, EventTime(row.value.minute.millis() + 59_999));
        }
    }
}

#[test]
fn a_job_goes_on_from_its_checkpoint_with_the_state_of_its_queries() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = config(2);
    config.checkpoints.location = Some(dir.path().to_str().unwrap().to_owned());
    let clicks = 20_000;
    let mut all = Vec::new();
    let mut ended = 0;
    for run in 0.. {
        let out = collect();
        let topology = clicks_job(clicks, Some(20_000.0), &out).build().unwrap();
        let mut handle = headwater_runtime::start(topology, config.clone()).unwrap();
        if run < 3 {
            std::thread::sleep(Duration::from_millis(150));
            handle.stop(StopMode::Now);
        }
        let outcome = handle.wait().unwrap();
        all.extend(out.records());
        if matches!(outcome, Outcome::Finished { .. }) {
            ended = run;
            break;
        }
    }
    assert!(ended >= 2, "the job was stopped before its end, twice at least: {ended}");
    // What an unfinished epoch gave is given again; what is collected twice is equal.
    all.sort();
    all.dedup();
    assert_eq!(all, doubled(expected(clicks)));
}

#[test]
fn windows_in_rust_follow_windows_in_sql() {
    // The watermarks go on behind the query, and rows have the time of their window.
    let out = collect::<(String, u64)>();
    let mut job = Job::new("twice");
    let clicks = job
        .source("clicks", collection((0..3_000).map(click)))
        .event_time(|c| c.at, Watermarks::bounded(Duration::from_secs(5)));
    let mut sql = JobSession::new(&job).unwrap();
    sql.add_timed_stream("clicks", &clicks, "at").unwrap();
    let hours = sql
        .query(PER_MINUTE)
        .unwrap()
        .to_stream::<PerMinute>()
        .unwrap()
        .key_by(|row| row.user.clone())
        .window(Tumbling::of(Duration::from_secs(3_600)))
        .count("hours");
    hours.results().map(|w| (w.key, w.value)).sink("out", out.clone());
    run(job, 2);
    // 3,000 clicks are five minutes: each user has a row for every one of them.
    let minutes = |user: &str| expected(3_000).iter().filter(|r| r.user == user).count() as u64;
    let users: Vec<String> = (0..7).map(|n| format!("u{n}")).collect();
    let rows: Vec<(String, u64)> = users.iter().map(|u| (u.clone(), minutes(u))).collect();
    assert_eq!(out.sorted(), rows);
}

#[test]
fn late_records_are_late_in_sql() {
    let out = collect::<(EventTime, u64)>();
    let mut job = Job::new("late");
    let times = [1_000, 70_000, 2_000, 130_000].map(EventTime);
    let stream = job
        .source("times", collection(times))
        .event_time(|at| *at, Watermarks::bounded(Duration::ZERO));
    let mut sql = JobSession::new(&job).unwrap();
    sql.add_timed_stream("times", &stream, "at").unwrap();
    sql.query(
        "SELECT window_start, COUNT(*) FROM TABLE(TUMBLE(TABLE times, DESCRIPTOR(at),
         INTERVAL '1' MINUTE)) GROUP BY window_start, window_end",
    )
    .unwrap()
    .to_stream::<(EventTime, u64)>()
    .unwrap()
    .sink("out", out.clone());
    run(job, 1);
    // 2,000 came when the first minute was complete.
    assert_eq!(out.sorted(), [0, 60_000, 120_000].map(|at| (EventTime(at), 1)));
}

#[test]
fn watermarks_and_columns_may_be_declared_in_sql() {
    let out = collect::<(String, u64)>();
    let mut job = Job::new("declared");
    let clicks = job.source("clicks", collection((0..2_000).map(click)));
    let mut sql = JobSession::new(&job).unwrap();
    sql.add_stream_as(
        "clicks",
        &clicks,
        "`user` STRING, at TIMESTAMP(3), euros AS cents / 100.0, cents DECIMAL(10, 2),
         WATERMARK FOR at AS at - INTERVAL '5' SECOND",
    )
    .unwrap();
    sql.execute("CREATE VIEW dear AS SELECT `user`, at FROM clicks WHERE euros >= 0.5").unwrap();
    sql.query(
        "SELECT `user`, COUNT(*) FROM TABLE(TUMBLE(TABLE dear, DESCRIPTOR(at), INTERVAL '1' DAY))
         GROUP BY `user`, window_start, window_end",
    )
    .unwrap()
    .to_stream::<(String, u64)>()
    .unwrap()
    .sink("out", out.clone());
    run(job, 2);
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    for click in (0..2_000).map(click).filter(|c| c.cents >= 50) {
        *counts.entry(click.user).or_default() += 1;
    }
    assert_eq!(out.sorted(), counts.into_iter().collect::<Vec<_>>());
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Count {
    word: String,
    n: i64,
}

#[test]
fn a_query_that_updates_is_a_changelog() {
    let out = collect::<Change<Count>>();
    let mut job = Job::new("words");
    let words = ["a", "b", "a", "a"].map(str::to_owned);
    let words = job.source("words", collection(words));
    let mut sql = JobSession::new(&job).unwrap();
    sql.add_stream("words", &words).unwrap();
    let text = "SELECT f0 AS word, COUNT(*) AS n FROM words GROUP BY f0";
    let refused = sql.query(text).unwrap().to_changelog::<Count>().err().unwrap();
    assert_eq!(refused.code, codes::UNBOUNDED_STATE);
    sql.execute("SET 'table.exec.state.ttl' = '0'").unwrap();
    let query = sql.query(text).unwrap();
    let refused = query.to_stream::<Count>().err().unwrap();
    assert_eq!(refused.code, codes::SINK_NEEDS_APPEND);
    assert_eq!(
        refused.message,
        "the query changes rows that it gave (group-aggregate), a stream has new ones"
    );
    assert_eq!(refused.help[0], "to_changelog::<Count>() gives each change");
    query.to_changelog::<Count>().unwrap().sink("out", out.clone());
    run(job, 1);
    // Applied in order, the changes are the result; an old row is taken back before its new one.
    let mut rows: Vec<Count> = Vec::new();
    for change in out.records() {
        if change.kind.adds() {
            rows.push(change.row);
        } else {
            let at = rows.iter().position(|row| *row == change.row);
            rows.remove(at.unwrap_or_else(|| panic!("{change:?} takes back what is not there")));
        }
    }
    rows.sort();
    let count = |word: &str, n| Count { word: word.to_owned(), n };
    assert_eq!(rows, [count("a", 3), count("b", 1)]);
}

#[test]
fn a_changelog_of_rust_is_a_table_that_changes() {
    let out = collect::<Change<(i64, i64)>>();
    let mut job = Job::new("changes");
    let change = |kind, word: &str, n| Change::new(kind, Count { word: word.to_owned(), n });
    let changes = job.source(
        "changes",
        collection(vec![
            change(RowKind::Insert, "a", 5),
            change(RowKind::Insert, "b", 7),
            change(RowKind::UpdateBefore, "a", 5),
            change(RowKind::UpdateAfter, "a", 1),
            change(RowKind::Delete, "b", 7),
        ]),
    );
    let mut sql = JobSession::new(&job).unwrap();
    sql.add_changelog("counts", &changes).unwrap();
    sql.execute("SET 'table.exec.state.ttl' = '0'").unwrap();
    sql.query("SELECT COUNT(*), SUM(n) FROM counts")
        .unwrap()
        .to_changelog::<(i64, i64)>()
        .unwrap()
        .sink("out", out.clone());
    run(job, 2);
    let last = out.records().into_iter().rfind(|change| change.kind.adds()).unwrap();
    assert_eq!(last.row, (1, 1));
}

#[test]
fn inserts_are_a_part_of_the_job() {
    let dir = tempfile::tempdir().unwrap();
    let mut job = Job::new("inserts");
    let clicks = job.source("clicks", collection((0..10).map(click)));
    let mut sql = JobSession::new(&job).unwrap();
    sql.add_stream("clicks", &clicks).unwrap();
    let path = dir.path().join("out");
    sql.execute(&format!(
        "CREATE TABLE files (`user` STRING, cents BIGINT)
         WITH ('connector' = 'filesystem', 'path' = '{}', 'format' = 'json');
         INSERT INTO files SELECT `user`, cents FROM clicks WHERE cents > 5;",
        path.display()
    ))
    .unwrap();
    run(job, 1);
    let mut lines = Vec::new();
    for file in std::fs::read_dir(&path).unwrap() {
        let file = file.unwrap().path();
        if file.is_file() {
            lines.extend(std::fs::read_to_string(file).unwrap().lines().map(str::to_owned));
        }
    }
    lines.sort();
    let line = |n: u64| format!("{{\"user\":\"u{}\",\"cents\":{n}}}", n % 7);
    let mut expected: Vec<String> = (6..10).map(line).collect();
    expected.sort();
    assert_eq!(lines, expected);
}

fn refused<T>(result: SqlResult<T>) -> (&'static str, String) {
    match result {
        Ok(_) => panic!("it is not refused"),
        Err(error) => (error.code, error.message),
    }
}

#[test]
fn what_does_not_fit_is_said_when_the_job_is_built() {
    let mut job = Job::new("errors");
    let clicks = job.source("clicks", collection((0..3).map(click)));
    let mut sql = JobSession::new(&job).unwrap();
    let (code, message) = refused(sql.add_timed_stream("clicks", &clicks, "at"));
    assert_eq!(code, codes::NO_TIME_ATTRIBUTE);
    assert_eq!(message, "the stream of table `clicks` has no event time");
    sql.add_stream("clicks", &clicks).unwrap();
    assert_eq!(refused(sql.add_stream("clicks", &clicks)).0, codes::EXISTS);
    let (code, message) = refused(sql.add_stream_as("c2", &clicks, "usr STRING"));
    assert_eq!(
        (code, message.as_str()),
        (codes::UNKNOWN_COLUMN, "table `c2`: Click has no field `usr`")
    );
    let mut other = Job::new("other");
    let strange = other.source("s", collection(vec![1]));
    assert_eq!(refused(sql.add_stream("s", &strange)).0, codes::PLAN);

    assert_eq!(refused(sql.query("SELECT x FROM clicks")).0, codes::UNKNOWN_COLUMN);
    let query = sql.query("SELECT `user` AS word, cents AS n FROM clicks").unwrap();
    let (_, message) = refused(query.to_stream::<(i64, i64)>());
    assert_eq!(message, "column `word` is STRING, field `f0` of (i64, i64) is an i64");
    assert!(query.to_stream::<Count>().is_ok());
    let (code, message) = refused(sql.execute("INSERT INTO clicks SELECT * FROM clicks"));
    assert_eq!(
        (code, message.as_str()),
        (codes::NOT_A_SINK, "table `clicks` is a stream of a job in Rust")
    );
    assert_eq!(refused(sql.execute("SELECT 1")).0, codes::UNSUPPORTED);
}

#[test]
fn records_that_do_not_fit_are_dead_letters_by_the_policy_of_their_stream() {
    let (out, dead) = (collect::<(String, Option<u8>)>(), collect());
    let mut job = Job::new("dead");
    job.dead_letters(dead.clone());
    let numbers = [("a", 1), ("b", u64::MAX), ("c", 300)].map(|(a, n)| (a.to_owned(), n));
    let timed = numbers.map(|record| Timed::new(EventTime(1), record));
    let stream = job.source("numbers", collection_timed(timed));
    let mut sql = JobSession::new(&job).unwrap();
    sql.add_stream("numbers", &stream).unwrap();
    let query = sql.query("SELECT f0, f1 FROM numbers").unwrap();
    query.to_stream::<(String, Option<u8>)>().unwrap().sink("out", out.clone());
    run(job, 1);
    assert_eq!(out.sorted(), [("a".to_owned(), Some(1))]);
    let mut reasons: Vec<String> = dead.records().into_iter().map(|d| d.reason).collect();
    reasons.sort();
    assert_eq!(reasons.len(), 2, "{reasons:?}");
    assert!(reasons[0].contains("`f1`: invalid value: integer `300`"), "{reasons:?}");
    assert!(reasons[1].contains("`f1`: the number 18446744073709551615 does not fit BIGINT"));
}
