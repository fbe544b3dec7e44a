//! Functions in Rust: registered, named by CREATE FUNCTION, called in both modes.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests fail by panicking"
)]

use datafusion::arrow::array::{ArrayRef, AsArray, RecordBatch};
use datafusion::arrow::datatypes::Int64Type;
use headwater_runtime::{Config, RestartStrategy};
use headwater_sql::error::codes;
use headwater_sql::functions::AggregateFunction;
use headwater_sql::session::{Outcome, Session, SessionOptions, collect};

#[path = "functions/tables.rs"]
mod tables;

/// The difference of the greatest and the least value; can take rows back.
struct Spread;

impl AggregateFunction for Spread {
    type In = i64;
    type Acc = Vec<i64>;
    type Out = Option<i64>;

    fn create(&self) -> Vec<i64> {
        Vec::new()
    }
    fn accumulate(&self, acc: &mut Vec<i64>, row: i64) {
        acc.push(row);
    }
    fn merge(&self, acc: &mut Vec<i64>, other: Vec<i64>) {
        acc.extend(other);
    }
    fn finish(&self, acc: &Vec<i64>) -> Option<i64> {
        Some(acc.iter().max()? - acc.iter().min()?)
    }
    fn retracts(&self) -> bool {
        true
    }
    fn retract(&self, acc: &mut Vec<i64>, row: i64) {
        if let Some(at) = acc.iter().position(|known| *known == row) {
            acc.swap_remove(at);
        }
    }
}

/// The sum of products, which takes nothing back.
struct Dot;

impl AggregateFunction for Dot {
    type In = (i64, i64);
    type Acc = i64;
    type Out = i64;

    fn create(&self) -> i64 {
        0
    }
    fn accumulate(&self, acc: &mut i64, (a, b): (i64, i64)) {
        *acc += a * b;
    }
    fn merge(&self, acc: &mut i64, other: i64) {
        *acc += other;
    }
    fn finish(&self, acc: &i64) -> i64 {
        *acc
    }
}

fn session() -> Session {
    let config = Config { workers: 2, restart: RestartStrategy::None, ..Config::default() };
    let mut session = Session::new(SessionOptions { config, ..SessionOptions::default() }).unwrap();
    session
        .register_scalar("shout", |(text, times): (String, i32)| {
            text.to_uppercase() + &"!".repeat(usize::try_from(times).unwrap_or(0))
        })
        .unwrap();
    session.register_scalar("or_zero", |n: Option<i64>| n.unwrap_or(0)).unwrap();
    session.register_aggregate("spread", Spread).unwrap();
    session.register_aggregate("dot", Dot).unwrap();
    session
        .execute(
            "SET 'table.exec.state.ttl' = '0';
             CREATE VIEW t AS SELECT * FROM (VALUES (1, CAST(5 AS BIGINT), 'a'), (1, 9, NULL),
                 (2, NULL, 'c'), (2, 7, 'd'), (1, 6, 'e')) AS t(k, n, s)",
        )
        .unwrap();
    session
}

/// Sorted rows as text, which must be the same in both modes.
fn rows(session: &mut Session, text: &str) -> Vec<String> {
    let mut answers = ["batch", "streaming"].map(|mode| {
        session.execute(&format!("SET 'execution.runtime-mode' = '{mode}'")).unwrap();
        let outcome = session.execute(text).unwrap_or_else(|e| panic!("{}", e.render(text, false)));
        let batches = match outcome.into_iter().next_back() {
            Some(Outcome::Rows(rows)) => rows.batches,
            Some(Outcome::Live(mut live)) => collect(&mut live).unwrap(),
            _ => panic!("no rows: {text}"),
        };
        let mut lines: Vec<String> = batches.iter().flat_map(lines).collect();
        lines.sort();
        lines
    });
    let streaming = std::mem::take(&mut answers[1]);
    assert_eq!(answers[0], streaming, "{text}");
    streaming
}

fn lines(batch: &RecordBatch) -> Vec<String> {
    use datafusion::arrow::util::display::array_value_to_string;
    let cell = |column: &ArrayRef, row| match column.is_null(row) {
        true => "NULL".to_owned(),
        false => array_value_to_string(column, row).unwrap(),
    };
    let line = |row| batch.columns().iter().map(|c| cell(c, row)).collect::<Vec<_>>().join(" ");
    (0..batch.num_rows()).map(line).collect()
}

#[test]
fn scalar_functions_are_called_in_both_modes() {
    let mut session = session();
    let shouted = rows(&mut session, "SELECT SHOUT(s, k), or_zero(n) FROM t");
    assert_eq!(shouted, ["A! 5", "C!! 0", "D!! 7", "E! 6", "NULL 9"]);
    assert_eq!(rows(&mut session, "SELECT shout('x', 3), shout(NULL, 1)"), ["X!!! NULL"]);
}

#[test]
fn aggregate_functions_are_called_in_both_modes() {
    let mut session = session();
    let spread = rows(&mut session, "SELECT k, spread(n), dot(k, n) FROM t GROUP BY k");
    assert_eq!(spread, ["1 4 20", "2 0 14"]);
    // Counts change, so what is aggregated of them is taken back.
    let counts = "(SELECT k, COUNT(*) AS c FROM t GROUP BY k)";
    assert_eq!(rows(&mut session, &format!("SELECT spread(c) FROM {counts}")), ["1"]);
    let error = session.execute(&format!("SELECT dot(c, c) FROM {counts}"));
    let message = match error {
        Err(error) => error.message,
        Ok(mut outcomes) => match outcomes.pop() {
            Some(Outcome::Live(mut live)) => collect(&mut live).unwrap_err().message,
            _ => panic!("it is refused"),
        },
    };
    assert!(message.contains("dot is not supported over rows that are taken back"), "{message}");
}

#[test]
fn functions_get_other_names_and_lose_them() {
    let mut session = session();
    session.execute("CREATE FUNCTION yell AS 'shout' LANGUAGE RUST").unwrap();
    session.execute("CREATE TEMPORARY FUNCTION breadth AS 'spread'").unwrap();
    assert_eq!(rows(&mut session, "SELECT YELL('a', 1)"), ["A!"]);
    assert_eq!(rows(&mut session, "SELECT breadth(n) FROM t"), ["4"]);
    let listed = |session: &mut Session| match session.execute("SHOW USER FUNCTIONS").unwrap().pop()
    {
        Some(Outcome::Rows(rows)) => rows.batches.iter().flat_map(lines).collect::<Vec<_>>(),
        _ => panic!("no rows"),
    };
    assert_eq!(listed(&mut session), ["breadth", "dot", "or_zero", "shout", "spread", "yell"]);
    session.execute("DROP FUNCTION yell").unwrap();
    assert_eq!(listed(&mut session).len(), 5);
    let error = session.execute("SELECT yell('a', 1)").err().unwrap();
    assert_eq!(error.code, codes::UNKNOWN_FUNCTION);
    let error = session.execute("CREATE FUNCTION f AS 'shuot'").err().unwrap();
    assert_eq!(
        (error.code, error.label.as_deref()),
        (codes::UNKNOWN_CLASS, Some("did you mean `shout`?"))
    );
    assert_eq!(session.register_scalar("Upper", |s: String| s).err().unwrap().code, codes::EXISTS);
    let _ = session.execute("SELECT 1").unwrap();
}

#[test]
fn arguments_that_do_not_fit_are_refused() {
    let mut session = session();
    for text in
        ["SELECT shout('a')", "SELECT spread('x') FROM t", "SELECT shout(1, DATE '2020-01-01')"]
    {
        let refused = session.execute(text).err();
        assert!(refused.is_some(), "{text}");
    }
    let batch = match session.execute("SELECT or_zero(3)").unwrap().pop() {
        Some(Outcome::Rows(rows)) => rows.batches.into_iter().next().unwrap(),
        _ => panic!("no rows"),
    };
    assert_eq!(batch.column(0).as_primitive::<Int64Type>().value(0), 3);
}
