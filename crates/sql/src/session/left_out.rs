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
