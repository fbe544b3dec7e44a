//! The published Nexmark texts, in both modes on a small number of events.

use std::path::Path;

use headwater_sql::nexmark::{self, Variables};
use headwater_sql::session::{Outcome, Session, collect};

use super::runner::{rows, session};

fn variables(dir: &Path) -> Variables {
    Variables { events: 2000, rate: 10_000, splits: 1, folder: dir.display().to_string() }
}

fn run(session: &mut Session, text: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let outcomes = session.execute(text).unwrap_or_else(|e| panic!("{}", e.render(text, false)));
    for outcome in outcomes {
        let batches = match outcome {
            Outcome::Rows(rows) => rows.batches,
            Outcome::Live(mut live) => {
                collect(&mut live).unwrap_or_else(|e| panic!("{}", e.render(text, false)))
            }
            Outcome::Job(mut job) => {
                job.wait().unwrap_or_else(|e| panic!("{}", e.render(text, false)));
                continue;
            }
            _ => continue,
        };
        lines.extend(batches.iter().flat_map(rows));
    }
    lines.sort();
    lines
}

/// Runs a query's text with its INSERT in both modes, and its SELECT in both modes; gives the
/// SELECT's answers.
fn both(query: &str) -> [Vec<String>; 2] {
    let dir = tempfile::tempdir().unwrap();
    let variables = variables(dir.path());
    let query_text = nexmark::query(query, &variables).unwrap();
    ["streaming", "batch"].map(|mode| {
        let mut session = session(2);
        run(&mut session, &nexmark::tables(&variables));
        session.settings_mut().set("execution.runtime-mode", mode).unwrap();
        run(&mut session, &query_text);
        let insert = query_text.find("INSERT INTO").unwrap();
        let select = query_text[insert..].find("SELECT").unwrap() + insert;
        let rest = query_text[select..].find(';').unwrap() + select;
        run(&mut session, &query_text[select..rest])
    })
}

fn equal(query: &str, rows: usize) {
    let [streaming, batch] = both(query);
    assert_eq!(batch.len(), rows, "{query}");
    assert!(streaming == batch, "{query}:\n{}\n\n{}", streaming.join("\n"), batch.join("\n"));
}

macro_rules! queries {
    ($($name:ident $rows:literal)*) => {
        $(#[test]
        fn $name() {
            equal(stringify!($name), $rows);
        })*
    };
}

queries! {
    q0 1840 q1 1840 q2 3 q10 1840 q11 49 q14 546 q15 1 q16 885 q17 119 q18 382 q19 737 q21 1746 q22 1840
}

/// Its windows are of processing time: what can be compared is how many bids each bidder made.
#[test]
fn q12() {
    let [streaming, batch] = both("q12").map(|rows| {
        let mut counts = std::collections::BTreeMap::<String, u64>::new();
        for row in rows {
            let mut values = row.split(" | ");
            let (bidder, count) = (values.next().unwrap(), values.next().unwrap());
            *counts.entry(bidder.to_owned()).or_default() += count.parse::<u64>().unwrap();
        }
        counts
    });
    assert_eq!(batch.values().sum::<u64>(), 1840);
    assert_eq!(streaming, batch);
}
