//! Table functions in Rust: each form of FROM, what is refused, errors, and a job that goes on.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use headwater_runtime::StopMode;
use headwater_sql::error::SqlError;
use headwater_sql::session::Job;
use serde::{Deserialize, Serialize};

use super::*;

#[derive(Serialize, Deserialize)]
struct Word {
    word: String,
    len: Option<i32>,
}

fn words(text: String) -> Vec<Word> {
    let word = |word: &str| Word { word: word.to_owned(), len: i32::try_from(word.len()).ok() };
    text.split_whitespace().map(word).collect()
}

fn tables() -> Session {
    let mut session = session();
    session.register_table_function("words", words).unwrap();
    session.register_table_function("up_to", |n: i64| 1..=n).unwrap();
    session
        .register_table_function("pairs", |(a, b): (i64, Option<String>)| {
            (0..a).map(move |n| (n, b.clone()))
        })
        .unwrap();
    session
        .register_fallible_table_function("digits", |text: String| {
            let digit = |c: char| c.to_digit(10).ok_or_else(|| format!("{c:?} is no digit"));
            text.chars().map(digit).collect::<Result<Vec<u32>, String>>()
        })
        .unwrap();
    session
        .execute(
            "CREATE VIEW lines AS SELECT * FROM (VALUES (1, 'to be'), (2, ''),
                 (3, CAST(NULL AS STRING)), (4, 'or not to be')) AS t (id, line)",
        )
        .unwrap();
    session
}

fn refused(session: &mut Session, text: &str) -> SqlError {
    let outcome = session.execute(text).and_then(|mut outcomes| match outcomes.pop() {
        Some(Outcome::Live(mut live)) => collect(&mut live).map(|_| ()),
        _ => Ok(()),
    });
    outcome.expect_err(text)
}

#[test]
fn every_form_of_from_is_read() {
    let mut session = tables();
    let inner = ["1 be 2", "1 to 2", "4 be 2", "4 not 3", "4 or 2", "4 to 2"];
    for from in [
        "lines, LATERAL TABLE(words(line)) AS w",
        "lines AS l, LATERAL TABLE(WORDS(l.line)) AS w (word, len)",
        "lines CROSS JOIN LATERAL TABLE(words(line)) AS w (word, len)",
        "lines JOIN LATERAL TABLE(words(line)) AS w ON TRUE",
        "lines CROSS JOIN LATERAL TABLE(words(line))",
    ] {
        assert_eq!(rows(&mut session, &format!("SELECT id, word, len FROM {from}")), inner);
    }
    let left = "SELECT id, w, n FROM lines LEFT JOIN LATERAL TABLE(words(line)) AS t (w, n) ON TRUE \
                WHERE id < 4";
    assert_eq!(rows(&mut session, left), ["1 be 2", "1 to 2", "2 NULL NULL", "3 NULL NULL"]);
    let on = "SELECT id, word FROM lines JOIN LATERAL TABLE(words(line)) AS t ON t.len > 2";
    assert_eq!(rows(&mut session, on), ["4 not"]);
    for constant in ["TABLE(up_to(2 + 1)) AS t (n)", "up_to(3) AS t (n)"] {
        assert_eq!(rows(&mut session, &format!("SELECT n FROM {constant}")), ["1", "2", "3"]);
    }
    assert_eq!(rows(&mut session, "SELECT n.f0 FROM TABLE(up_to(2)) AS n"), ["1", "2"]);
    // One function on another's rows, beside an array's elements.
    let nested = "SELECT id, word, i, x FROM lines, LATERAL TABLE(words(line)) AS w, \
                  LATERAL TABLE(up_to(w.len - 2)) AS u (i), UNNEST(ARRAY[id, i]) AS t (x)";
    assert_eq!(rows(&mut session, nested), ["4 not 1 1", "4 not 1 4"]);
    let grouped = "SELECT word, COUNT(*) FROM lines, LATERAL TABLE(words(line)) AS w GROUP BY word";
    assert_eq!(rows(&mut session, grouped), ["be 2", "not 1", "or 1", "to 2"]);
    // NULL for an Option is an argument like others; of no rows columns are left out as well.
    let optional = "SELECT f0, f1 FROM TABLE(pairs(2, CAST(NULL AS STRING)))";
    assert_eq!(rows(&mut session, optional), ["0 NULL", "1 NULL"]);
    let counted = "SELECT COUNT(*) FROM lines, LATERAL TABLE(pairs(id, line)) AS t";
    assert_eq!(rows(&mut session, counted), ["10"]);
}

#[test]
fn changes_are_taken_apart_as_rows_are() {
    let mut session = tables();
    // A count changes: the rows made of the last one are taken back.
    let text = "SELECT k, n FROM (SELECT k, COUNT(*) AS c FROM t GROUP BY k) AS g, \
                LATERAL TABLE(up_to(g.c)) AS u (n)";
    assert_eq!(rows(&mut session, text), ["1 1", "1 2", "1 3", "2 1", "2 2"]);
    let left = "SELECT k, n FROM (SELECT k, COUNT(*) AS c FROM t GROUP BY k) AS g \
                LEFT JOIN LATERAL TABLE(up_to(g.c - 2)) AS u (n) ON TRUE";
    assert_eq!(rows(&mut session, left), ["1 1", "2 NULL"]);
    let sum = format!("SELECT SUM(n), COUNT(*) FROM ({text})");
    assert_eq!(rows(&mut session, &sum), ["9 5"]);
}

#[test]
fn functions_have_other_names_and_are_listed() {
    let mut session = tables();
    session.execute("CREATE FUNCTION tokens AS 'words' LANGUAGE RUST").unwrap();
    let text = "SELECT word FROM LATERAL TABLE(Tokens('a b')) AS t";
    assert_eq!(rows(&mut session, text), ["a", "b"]);
    assert!(session.function_names().contains(&"words".to_owned()));
    session.execute("DROP FUNCTION tokens").unwrap();
    let error = refused(&mut session, text);
    assert_eq!(error.code, codes::UNKNOWN_FUNCTION);
    for name in ["Words", "upper"] {
        let again = session.register_table_function(name, |n: i64| [n]);
        assert_eq!(again.err().unwrap().code, codes::EXISTS);
    }
    assert_eq!(session.register_scalar("words", |n: i64| n).err().unwrap().code, codes::EXISTS);
}

#[test]
fn wrong_calls_are_refused_with_what_is_right() {
    let mut session = tables();
    let mut says = |text: &str| {
        let error = refused(&mut session, text);
        let label = error.label.map(|label| format!(" [{label}]")).unwrap_or_default();
        let help: Vec<String> = error.help.iter().map(|help| format!("\n  {help}")).collect();
        format!("{} {}{label}{}", error.code, error.message, help.concat())
    };
    let functions =
        "table functions are TUMBLE, HOP, CUMULATE, SESSION, UNNEST, digits, pairs, up_to, words";
    for (from, expected) in [
        (
            "lines, LATERAL TABLE(word(line)) AS w",
            format!("HW-P005 no table function `word` [did you mean `words`?]\n  {functions}"),
        ),
        (
            "lines, LATERAL TABLE(words(line, 1)) AS w",
            "HW-P017 table function `words` takes 1 argument, got 2\n  it is called words(STRING)"
                .into(),
        ),
        (
            "lines, LATERAL TABLE(pairs(line, id)) AS w",
            "HW-P007 table function `pairs` does not take (STRING, BIGINT)\n  \
             it is called pairs(BIGINT, STRING)"
                .into(),
        ),
        (
            "lines, LATERAL TABLE(words(line)) AS w (a)",
            "HW-P001 `w` names 1 column, and words gives 2\n  columns are word, len".into(),
        ),
        (
            "lines, TABLE(words(line)) AS w",
            "HW-P004 no column `line`\n  arguments see the columns of what stands before: \
             FROM t, LATERAL TABLE(f(t.a))"
                .into(),
        ),
        (
            "lines, LATERAL TABLE(upper(line)) AS w",
            format!("HW-P005 no table function `upper`\n  {functions}"),
        ),
        (
            "lines LEFT JOIN LATERAL TABLE(words(line)) AS w ON w.len > 1",
            "HW-S006 LEFT JOIN words ON a condition is not supported\n  write ON TRUE".into(),
        ),
        (
            "lines, LATERAL TABLE(words(MAX(line))) AS w",
            "HW-S006 an aggregate as an argument of a table function is not supported\n  \
             compute it in a subquery of FROM first"
                .into(),
        ),
        (
            "lines, LATERAL TABLE(words(line)) WITH ORDINALITY AS w",
            "HW-S006 WITH ORDINALITY of anything but UNNEST is not supported".into(),
        ),
    ] {
        assert_eq!(says(&format!("SELECT * FROM {from}")), expected, "{from}");
    }
    assert_eq!(
        says("SELECT words(line) FROM lines"),
        "HW-P005 `words` is a table function: it stands in FROM\n  \
         write FROM t, LATERAL TABLE(words(…)) AS r (…)"
    );
}

#[test]
fn a_function_that_fails_says_for_which_row() {
    let mut session = tables();
    session
        .register_table_function("broken", |n: i64| {
            assert!(n < 3, "three is too much");
            [n]
        })
        .unwrap();
    session.register_table_function("small", |n: i64| [u64::MAX - n.unsigned_abs()]).unwrap();
    for mode in ["batch", "streaming"] {
        session.execute(&format!("SET 'execution.runtime-mode' = '{mode}'")).unwrap();
        for (from, code, expected) in [
            (
                "lines, LATERAL TABLE(digits(CAST(id AS STRING) || line)) AS d",
                codes::USER_CODE,
                "table function digits('1to be'): 't' is no digit",
            ),
            (
                "lines, LATERAL TABLE(broken(id)) AS b",
                codes::USER_CODE,
                "table function broken(3): panicked: three is too much",
            ),
            (
                "lines, LATERAL TABLE(small(id)) AS s",
                codes::EVALUATION,
                "table function small(1): field `f0`: ",
            ),
        ] {
            let error = refused(&mut session, &format!("SELECT * FROM {from}"));
            assert!(error.message.contains(expected), "{mode}: {}", error.message);
            assert_eq!(error.code, code, "{mode}: {}", error.message);
        }
    }
}

#[test]
fn rows_without_end_are_cut_off() {
    let mut session = tables();
    let made = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&made);
    session
        .register_table_function("for_ever", move |n: i64| {
            let count = Arc::clone(&count);
            (n..).inspect(move |_| _ = count.fetch_add(1, Relaxed))
        })
        .unwrap();
    for mode in ["batch", "streaming"] {
        session.execute(&format!("SET 'execution.runtime-mode' = '{mode}'")).unwrap();
        made.store(0, Relaxed);
        let text = "SELECT COUNT(*) FROM TABLE(for_ever(5)) AS t (n)";
        let error = refused(&mut session, text);
        let expected = "table function for_ever(5): it makes more than 1000000 rows";
        assert!(error.message.contains(expected), "{}", error.message);
        assert_eq!((error.code, made.load(Relaxed)), (codes::USER_CODE, 1_000_001));
        let text = "SELECT COUNT(*), MAX(n) FROM TABLE(up_to(1000000)) AS t (n)";
        assert_eq!(rows(&mut session, text), ["1000000 1000000"]);
    }
}

/// A job that takes numbers apart into files, with the state of an earlier one if there is some.
fn start(dir: &Path, rows_per_second: usize) -> Job {
    let mut config = Config { workers: 2, restart: RestartStrategy::None, ..Config::default() };
    config.checkpoints.interval = Some(Duration::from_millis(50));
    config.checkpoints.location = Some(dir.join("state").display().to_string());
    let mut session = Session::new(SessionOptions { config, ..SessionOptions::default() }).unwrap();
    session.register_table_function("up_to", |n: i64| 1..=n).unwrap();
    let text = format!(
        "SET 'execution.runtime-mode' = 'streaming';
         SET 'pipeline.name' = 'apart';
         CREATE TABLE ids (id BIGINT) WITH ('connector' = 'datagen', 'number-of-rows' = '2000',
             'rows-per-second' = '{rows_per_second}', 'fields.id.kind' = 'sequence',
             'fields.id.start' = '1', 'fields.id.end' = '2000');
         CREATE TABLE parts (id BIGINT, n BIGINT) WITH ('connector' = 'filesystem',
             'path' = '{}/parts', 'format' = 'csv');
         INSERT INTO parts SELECT id, n FROM ids
             LEFT JOIN LATERAL TABLE(up_to(MOD(id, 4))) AS t (n) ON TRUE",
        dir.display()
    );
    match session.execute(&text).unwrap_or_else(|e| panic!("{}", e.render(&text, false))).pop() {
        Some(Outcome::Job(job)) => *job,
        _ => panic!("no job"),
    }
}

#[test]
fn a_job_goes_on_with_each_row_taken_apart_once() {
    let dir = tempfile::tempdir().unwrap();
    let mut first = start(dir.path(), 1_000);
    let begin = Instant::now();
    while !first.handle.metrics().operators.iter().any(|o| o.totals.records_out > 300) {
        assert!(begin.elapsed() < Duration::from_secs(60), "no rows came");
        std::thread::sleep(Duration::from_millis(10));
    }
    first.handle.stop(StopMode::Checkpoint);
    first.wait().unwrap();
    let mut second = start(dir.path(), 1_000_000);
    second.wait().unwrap();
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir.path().join("parts")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_file() && !name.starts_with(['.', '_']) {
            let text = std::fs::read_to_string(path).unwrap();
            found.extend(text.lines().map(str::to_owned));
        }
    }
    let apart = |id: i64| match id % 4 {
        0 => vec![format!("{id},")],
        n => (1..=n).map(|n| format!("{id},{n}")).collect(),
    };
    let mut expected: Vec<String> = (1..=2_000).flat_map(apart).collect();
    expected.sort();
    found.sort();
    assert_eq!(found.len(), expected.len());
    assert!(found == expected, "rows differ");
}
