//! `EMIT EVERY`: windows that give results before they are complete.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests fail by panicking"
)]

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use headwater_runtime::{Config, RestartStrategy};
use headwater_sql::error::codes;
use headwater_sql::session::{LiveEvent, LiveQuery, Outcome, Session, SessionOptions, collect};

use datafusion::arrow::array::AsArray;
use datafusion::arrow::datatypes::Int64Type;
use datafusion::arrow::util::pretty::pretty_format_batches;

fn session() -> Session {
    let config = Config { workers: 2, restart: RestartStrategy::None, ..Config::default() };
    Session::new(SessionOptions { config, ..SessionOptions::default() }).unwrap()
}

fn live(session: &mut Session, text: &str) -> LiveQuery {
    match session.execute(text).unwrap_or_else(|e| panic!("{}", e.render(text, false))).pop() {
        Some(Outcome::Live(live)) => *live,
        _ => panic!("no live query: {text}"),
    }
}

const PER_HOUR: &str = "SELECT k, window_start, COUNT(*) AS n
    FROM TABLE(TUMBLE(TABLE events, DESCRIPTOR(ts), INTERVAL '1' HOUR))
    GROUP BY k, window_start, window_end";

#[test]
fn an_open_window_gives_results_that_grow() {
    let mut session = session();
    session
        .execute(
            "CREATE TABLE events (k INT, ts AS CURRENT_ROW_TIMESTAMP(), WATERMARK FOR ts AS ts)
             WITH ('connector' = 'datagen', 'rows-per-second' = '2000', 'fields.k.min' = '1',
                   'fields.k.max' = '3')",
        )
        .unwrap();
    let text = format!("{PER_HOUR} EMIT EVERY INTERVAL '0.2' SECOND");
    let mut live = live(&mut session, &text);
    let (mut results, mut rounds) = (BTreeMap::<(i64, i64), i64>::new(), 0);
    let begin = Instant::now();
    while rounds < 6 {
        assert!(begin.elapsed() < Duration::from_secs(60), "no results");
        let LiveEvent::Rows(chunk) = live.next(Duration::from_millis(100)) else { continue };
        rounds += 1;
        let key = chunk.data.column(0).as_primitive::<datafusion::arrow::datatypes::Int32Type>();
        let start = datafusion::arrow::compute::cast(
            chunk.data.column(1),
            &datafusion::arrow::datatypes::DataType::Int64,
        )
        .unwrap();
        let start = start.as_primitive::<Int64Type>();
        let n = chunk.data.column(2).as_primitive::<Int64Type>();
        for row in 0..chunk.len() {
            let at = (i64::from(key.value(row)), start.value(row));
            if chunk.kind(row).adds() {
                // What was there was taken back before.
                assert_eq!(results.insert(at, n.value(row)), None, "{at:?}");
            } else {
                assert_eq!(results.remove(&at), Some(n.value(row)), "{at:?}");
            }
        }
    }
    live.stop();
    assert!(results.len() >= 3 && results.values().all(|n| *n > 0), "{results:?}");
}

#[test]
fn the_last_results_are_those_without_it() {
    let mut session = session();
    session.execute("SET 'execution.runtime-mode' = 'streaming'").unwrap();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("events.csv");
    std::fs::write(
        &path,
        "1,2020-01-01 00:00:10\n2,2020-01-01 00:00:20\n1,2020-01-01 00:30:00\n1,2020-01-01 01:10:00\n\
         2,2020-01-01 03:00:00\n1,2020-01-01 00:59:00\n",
    )
    .unwrap();
    session
        .execute(&format!(
            "CREATE TABLE events (k INT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts)
             WITH ('connector' = 'filesystem', 'path' = '{}', 'format' = 'csv')",
            path.display()
        ))
        .unwrap();
    let mut rows = |text: &str| {
        let batches = collect(&mut live(&mut session, text)).unwrap();
        let text = pretty_format_batches(&batches).unwrap().to_string();
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    for (window, group) in [
        ("TUMBLE(TABLE events, DESCRIPTOR(ts), INTERVAL '1' HOUR)", "k, "),
        ("HOP(TABLE events, DESCRIPTOR(ts), INTERVAL '30' MINUTE, INTERVAL '1' HOUR)", ""),
        ("CUMULATE(TABLE events, DESCRIPTOR(ts), INTERVAL '20' MINUTE, INTERVAL '1' HOUR)", "k, "),
    ] {
        let text = format!(
            "SELECT {group}window_start, window_end, COUNT(*) AS n, MAX(k) AS top
             FROM TABLE({window}) GROUP BY {group}window_start, window_end"
        );
        let plain = rows(&text);
        assert!(plain.len() > 6, "{plain:?}");
        assert_eq!(rows(&format!("{text} EMIT EVERY INTERVAL '0.001' SECOND")), plain);
    }
}

#[test]
fn what_cannot_give_results_early_is_refused() {
    let mut session = session();
    session
        .execute(
            "CREATE TABLE events (k INT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts)
             WITH ('connector' = 'datagen');
             CREATE TABLE lines (k INT, t TIMESTAMP(3), n BIGINT)
             WITH ('connector' = 'filesystem', 'path' = '/nowhere', 'format' = 'json');",
        )
        .unwrap();
    let mut refused =
        |text: &str| session.execute(text).err().map(|e| (e.code, e.message)).unwrap();
    let every = "EMIT EVERY INTERVAL '1' SECOND";
    let (code, message) = refused(&format!("SELECT k FROM events {every}"));
    assert_eq!(code, codes::UNSUPPORTED);
    assert_eq!(message, "EMIT EVERY without a window in event time is not supported");
    let sessions = "SELECT k, COUNT(*) FROM TABLE(SESSION(TABLE events PARTITION BY k,
        DESCRIPTOR(ts), INTERVAL '1' MINUTE)) GROUP BY k, window_start, window_end";
    assert_eq!(refused(&format!("{sessions} {every}")).0, codes::UNSUPPORTED);
    // Results that are updated are no lines of JSON.
    let insert = format!("INSERT INTO lines {PER_HOUR} {every}");
    assert_eq!(refused(&insert).0, codes::SINK_NEEDS_APPEND);
}
