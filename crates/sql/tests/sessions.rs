//! Sessions: live queries, jobs that go on from their checkpoint, changed queries, consent.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests fail by panicking"
)]

use std::time::{Duration, Instant};

use headwater_runtime::{Config, RestartStrategy, StopMode};
use headwater_sql::error::codes;
use headwater_sql::session::{Job, LiveEvent, LiveQuery, Outcome, Session, SessionOptions};

fn options() -> SessionOptions {
    let mut config = Config { workers: 2, restart: RestartStrategy::None, ..Config::default() };
    config.checkpoints.interval = Some(Duration::from_millis(50));
    SessionOptions { config, ..SessionOptions::default() }
}

const EVENTS: &str =
    "CREATE TABLE events (id BIGINT, k INT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts) WITH (
  'connector' = 'datagen', 'rows-per-second' = '2000', 'fields.k.min' = '1', 'fields.k.max' = '5')";

fn job(session: &mut Session, text: &str) -> Job {
    match session.execute(text).unwrap_or_else(|e| panic!("{}", e.render(text, false))).pop() {
        Some(Outcome::Job(job)) => *job,
        _ => panic!("no job: {text}"),
    }
}

fn live(session: &mut Session, text: &str) -> LiveQuery {
    match session.execute(text).unwrap_or_else(|e| panic!("{}", e.render(text, false))).pop() {
        Some(Outcome::Live(live)) => *live,
        _ => panic!("no live query: {text}"),
    }
}

fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !done() {
        assert!(begin.elapsed() < Duration::from_secs(60), "{what} did not come");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_live_query_gives_rows_warns_and_stops() {
    let mut session = Session::new(options()).unwrap();
    session.execute(EVENTS).unwrap();
    let mut live = live(&mut session, "SELECT k, COUNT(*) AS n FROM events GROUP BY k");
    assert_eq!(live.warnings.len(), 1, "{:?}", live.warnings);
    let mut rows = 0;
    wait_until("rows", || {
        if let LiveEvent::Rows(chunk) = live.next(Duration::from_millis(50)) {
            rows += chunk.len();
        }
        rows > 10
    });
    live.stop();
    wait_until("the end", || matches!(live.next(Duration::from_millis(10)), LiveEvent::Ended));
    live.finish().unwrap();
    // The session goes on.
    session.execute("SHOW TABLES").unwrap();
}

#[test]
fn unbounded_state_needs_consent_in_a_job() {
    let mut session = Session::new(options()).unwrap();
    session.execute(EVENTS).unwrap();
    session
        .execute("CREATE TABLE hole (k INT, n BIGINT) WITH ('connector' = 'blackhole')")
        .unwrap();
    let text = "INSERT INTO hole SELECT k, COUNT(*) FROM events GROUP BY k";
    let error = session.execute(text).err().unwrap();
    assert_eq!(error.code, codes::UNBOUNDED_STATE);
    assert_eq!(
        error.message,
        "state that could never be freed: group-aggregate keeps a row per (k)"
    );
    assert!(error.help[0].contains("table.exec.state.ttl"), "{:?}", error.help);
    for consent in ["1 d", "0"] {
        session.execute(&format!("SET 'table.exec.state.ttl' = '{consent}'")).unwrap();
        let mut job = job(&mut session, text);
        job.handle.stop(StopMode::Now);
        job.wait().unwrap();
    }
    session.execute("RESET 'table.exec.state.ttl'").unwrap();
    let windowed = "INSERT INTO hole SELECT k, COUNT(*) FROM TABLE(TUMBLE(TABLE events, DESCRIPTOR(ts), \
                    INTERVAL '1' SECOND)) GROUP BY k, window_start, window_end";
    let mut job = job(&mut session, windowed);
    job.handle.stop(StopMode::Now);
    job.wait().unwrap();
}

#[test]
fn a_job_goes_on_from_its_checkpoint_and_a_changed_one_says_what_it_would_lose() {
    let dir = tempfile::tempdir().unwrap();
    let mut options = options();
    options.allow_unbounded_state = true;
    options.config.checkpoints.location = Some(dir.path().join("state").display().to_string());
    let mut session = Session::new(options).unwrap();
    session.execute(EVENTS).unwrap();
    session
        .execute("CREATE TABLE hole (k INT, n BIGINT) WITH ('connector' = 'blackhole')")
        .unwrap();
    let text = "INSERT INTO hole SELECT k, COUNT(*) FROM events WHERE k > 1 GROUP BY k";
    let mut first = job(&mut session, text);
    assert_eq!(first.evolution, None);
    wait_until("rows", || {
        first.handle.metrics().operators.iter().any(|o| o.totals.records_out > 0)
    });
    first.handle.stop(StopMode::Checkpoint);
    first.wait().unwrap();

    // The same query with another name for a column and in another form.
    let same = "INSERT INTO hole SELECT key, n FROM \
                (SELECT COUNT(*) AS n, k AS key FROM events WHERE k > 1 GROUP BY k)";
    let mut second = job(&mut session, same);
    let evolution = second.evolution.clone().unwrap();
    assert!(evolution.lost.is_empty() && evolution.new.is_empty(), "{evolution:?}");
    assert!(evolution.kept.iter().any(|k| k.starts_with("group-aggregate-")), "{evolution:?}");
    second.handle.stop(StopMode::Checkpoint);
    second.wait().unwrap();

    let changed = "INSERT INTO hole SELECT k, COUNT(*) FROM events WHERE k > 2 GROUP BY k";
    let error = session.execute(changed).err().unwrap();
    assert_eq!(error.code, codes::PLAN_CHANGED, "{error:?}");
    let lost = error.help.iter().find(|h| h.starts_with("lost: ")).unwrap();
    let new = error.help.iter().find(|h| h.starts_with("new: ")).unwrap();
    assert!(lost.contains("group-aggregate-") && new.contains("group-aggregate-"), "{error:?}");
    assert_ne!(lost.trim_start_matches("lost: "), new.trim_start_matches("new: "));
}

#[test]
fn all_inserts_of_a_file_can_be_one_job() {
    let dir = tempfile::tempdir().unwrap();
    let mut session = Session::new(SessionOptions { one_job: true, ..options() }).unwrap();
    let text = format!(
        "CREATE TABLE n (id BIGINT) WITH ('connector' = 'datagen', 'number-of-rows' = '10', \
           'fields.id.kind' = 'sequence', 'fields.id.start' = '1', 'fields.id.end' = '10'); \
         CREATE TABLE a (id BIGINT) WITH ('connector' = 'filesystem', 'path' = '{0}/a', 'format' = 'csv'); \
         CREATE TABLE b (id BIGINT) WITH ('connector' = 'filesystem', 'path' = '{0}/b', 'format' = 'csv'); \
         INSERT INTO a SELECT id FROM n WHERE id <= 5; INSERT INTO b SELECT id FROM n WHERE id > 5;",
        dir.path().display()
    );
    let mut job = job(&mut session, &text);
    assert_eq!(job.sinks, ["a", "b"]);
    job.wait().unwrap();
    let lines = |folder: &str| {
        let mut lines = Vec::new();
        for entry in std::fs::read_dir(dir.path().join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() {
                let text = std::fs::read_to_string(path).unwrap();
                lines.extend(text.lines().map(str::to_owned));
            }
        }
        lines.sort();
        lines
    };
    assert_eq!(lines("a"), ["1", "2", "3", "4", "5"]);
    assert_eq!(lines("b"), ["10", "6", "7", "8", "9"]);
}

#[test]
fn explain_analyze_runs_the_query() {
    let mut session = Session::new(options()).unwrap();
    let text = "EXPLAIN ANALYZE SELECT k, SUM(v) FROM (VALUES (1, 2), (1, 3), (2, 4)) AS t (k, v)
                GROUP BY k HAVING SUM(v) > 1";
    let Some(Outcome::Text(plan)) = session.execute(text).unwrap().pop() else { panic!("no text") };
    assert!(plan.contains("AggregateExec") && plan.contains("output_rows=2"), "{plan}");
    assert!(plan.contains("\nrows: 2\n"), "{plan}");
}
