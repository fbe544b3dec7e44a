//! Statements made to break planners: an answer soon, and no stack overflow. Tests run on threads
//! with 2 MB of stack.

use std::time::{Duration, Instant};

use headwater_sql::error::SqlResult;
use headwater_sql::session::{Outcome, collect};

use super::runner::{rows, session};

/// Far more than it takes, as other tests run at the same time and builds are not optimised.
const SOON: Duration = Duration::from_secs(20);

/// Runs a query over the numbers 1 to 3 in a mode: its rows, or its error's code.
fn answer(mode: &str, text: &str) -> Result<Vec<String>, &'static str> {
    let mut session = session(1);
    session.settings_mut().set("execution.runtime-mode", mode).unwrap();
    session.execute("CREATE VIEW t (a) AS SELECT * FROM (VALUES (1), (2), (3)) AS v (n)").unwrap();
    let began = Instant::now();
    let mut run = || -> SqlResult<Vec<String>> {
        let mut found = Vec::new();
        for outcome in session.execute(text)? {
            match outcome {
                Outcome::Rows(set) => found.extend(set.batches.iter().flat_map(rows)),
                Outcome::Live(mut live) => {
                    found.extend(collect(&mut live)?.iter().flat_map(rows));
                }
                _ => {}
            }
        }
        found.sort();
        Ok(found)
    };
    // Drawing an error takes no longer.
    let answer = run().map_err(|e| {
        let _ = e.render(text, true);
        e.code
    });
    assert!(began.elapsed() < SOON, "{mode}: {:.60} took {:?}", text, began.elapsed());
    answer
}

fn both(text: &str, expected: Result<&[&str], &'static str>) {
    for mode in ["streaming", "batch"] {
        let found = answer(mode, text);
        let wanted = expected.map(|rows| rows.iter().map(|r| (*r).to_owned()).collect());
        assert_eq!(found, wanted, "{mode}: {text:.60}");
    }
}

#[test]
fn nested_parentheses() {
    let nested = |n: usize| format!("SELECT {}a{} FROM t", "(".repeat(n), ")".repeat(n));
    both(&nested(100), Ok(&["1", "2", "3"]));
    both(&nested(10_000), Err("HW-S004"));
    let calls = format!("SELECT {}a{} FROM t", "ABS(".repeat(10_000), ")".repeat(10_000));
    both(&calls, Err("HW-S004"));
    let queries =
        format!("SELECT * FROM {}t{}", "(SELECT * FROM ".repeat(10_000), ")".repeat(10_000));
    both(&queries, Err("HW-S004"));
}

#[test]
fn a_statement_of_a_megabyte() {
    let long = "x".repeat(1_000_000);
    both(&format!("SELECT a FROM t WHERE '{long}' = 'y' OR a = 1"), Ok(&["1"]));
    both(&format!("SELECT a FROM t WHERE a = 2 /* {long} */"), Ok(&["2"]));
    let columns: Vec<String> = (0..2_000).map(|n| format!("a + {n} AS c{n}")).collect();
    let text = format!("SELECT c7 FROM (SELECT {} FROM t)", columns.join(", "));
    both(&text, Ok(&["10", "8", "9"]));
    both(&format!("SELECT {long} FROM t"), Err("HW-P004"));
    let chain = vec!["a"; 200_000].join(" + ");
    both(&format!("SELECT {chain} FROM t"), Err("HW-S004"));
}

#[test]
fn a_huge_list() {
    let list: Vec<String> = (3..100_003).map(|n| n.to_string()).collect();
    both(&format!("SELECT a FROM t WHERE a IN ({})", list.join(", ")), Ok(&["3"]));
    both(&format!("SELECT a FROM t WHERE a NOT IN ({})", list.join(", ")), Ok(&["1", "2"]));
    let texts: Vec<String> = (0..100_000).map(|n| format!("'{n}'")).collect();
    let text = format!("SELECT a FROM t WHERE CAST(a AS STRING) IN ({})", texts.join(", "));
    both(&text, Ok(&["1", "2", "3"]));
}

#[test]
fn long_chains_of_conditions() {
    let chain = |op: &str, n: usize| {
        let parts: Vec<String> = (2..n + 2).map(|n| format!("a <> {n}")).collect();
        format!("SELECT a FROM t WHERE {}", parts.join(op))
    };
    both(&chain(" AND ", 900), Ok(&["1"]));
    both(&chain(" OR ", 900), Ok(&["1", "2", "3"]));
    both(&chain(" AND ", 20_000), Err("HW-S004"));
    both(&chain(" OR ", 20_000), Err("HW-S004"));
}

#[test]
fn many_rows_and_unions() {
    let rows: Vec<String> = (0..20_000).map(|n| format!("({n})")).collect();
    let text = format!("SELECT COUNT(*) FROM (VALUES {}) AS v (n)", rows.join(", "));
    both(&text, Ok(&["20000"]));
    let all = vec!["SELECT a FROM t WHERE a = 1"; 60].join(" UNION ALL ");
    both(&format!("SELECT COUNT(*) FROM ({all})"), Ok(&["60"]));
}
