//! Records that a query which runs to its end could not read, told with its result.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use headwater_connect::BadRecord;

/// How many records of each table, and the first of them with the reason.
#[derive(Default)]
pub(super) struct LeftOut(Mutex<BTreeMap<String, (u64, String)>>);

impl LeftOut {
    /// Counts records of a table.
    pub(super) fn add(&self, table: &str, records: &[BadRecord]) {
        let Some(first) = records.first() else { return };
        let mut tables = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let first = || (0, format!("{}: {}", first.position, first.reason));
        tables.entry(table.to_owned()).or_insert_with(first).0 += records.len() as u64;
    }

    /// A sentence for each table.
    pub(super) fn warnings(&self) -> Vec<String> {
        let tables = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let sentence = |(table, (count, first)): (&String, &(u64, String))| {
            let records = if *count == 1 { "record" } else { "records" };
            format!("table {table}: {count} {records} left out that cannot be read; {first}")
        };
        tables.iter().map(sentence).collect()
    }
}

#[cfg(test)]
mod tests {
    use crate::session::{Outcome, Session, SessionOptions};

    /// A session with a table of a file whose second line is no JSON.
    fn session(folder: &std::path::Path) -> Session {
        let path = folder.join("t.json");
        std::fs::write(&path, "{\"a\":1}\nbad\n{\"a\":3}\n").unwrap();
        let mut session = Session::new(SessionOptions::default()).unwrap();
        let table = format!(
            "CREATE TABLE t (a BIGINT) WITH ('connector' = 'filesystem', 'path' = '{}', \
             'format' = 'json'); CREATE TABLE hole (a BIGINT) WITH ('connector' = 'blackhole')",
            path.display()
        );
        session.execute(&table).unwrap();
        session
    }

    #[test]
    fn a_select_tells_what_it_left_out() {
        let folder = tempfile::tempdir().unwrap();
        let mut outcomes = session(folder.path()).execute("SELECT a FROM t").unwrap();
        let Some(Outcome::Rows(rows)) = outcomes.pop() else { panic!("no rows") };
        assert_eq!((rows.len(), rows.warnings.len()), (2, 1));
        let warning = &rows.warnings[0];
        assert!(
            warning.starts_with("table t: 1 record left out that cannot be read;"),
            "{warning}"
        );
        assert!(warning.contains("line 2"), "{warning}");
    }

    #[test]
    fn an_insert_that_runs_as_a_batch_counts_it() {
        let folder = tempfile::tempdir().unwrap();
        let mut outcomes =
            session(folder.path()).execute("INSERT INTO hole SELECT a FROM t").unwrap();
        let Some(Outcome::Job(mut job)) = outcomes.pop() else { panic!("no job") };
        job.wait().unwrap();
        let operators = job.handle.metrics().operators;
        let refused: u64 = operators.iter().map(|o| o.totals.dead_lettered).sum();
        let written = operators.iter().filter(|o| o.label == "sink").map(|o| o.totals.records_in);
        assert_eq!((refused, written.sum::<u64>()), (1, 2));
    }
}
