//! The suites that every connector runs: what the engine relies on, checked from outside.
//!
//! - [`source_suite`]: for a source that can be read again.
//! - [`live_source_suite`]: for one that cannot: a socket, the standard input.
//! - [`exactly_once_sink_suite`], [`at_least_once_sink_suite`]: for sinks, by their guarantee.
//!
//! A suite makes the connector over and over, as a restarted process would, drives it as the engine
//! does, crashes included, and compares what is read or visible with what ought to be. It returns
//! the first difference as a sentence with the step that led to it; `unwrap` it in a test.
//!
//! Invariant: a suite does not hang on a connector that does; a call that takes longer than
//! [`PATIENCE`] is a finding.
//!
//! What this does not do: measure, or crash in the middle of a call; a connector that writes in
//! more than one step tests that itself.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use headwater_core::{Record, codec};

use crate::source::Source;

mod at_least_once;
mod exactly_once;
mod remote;
mod sinks;
mod source;
#[cfg(test)]
mod tests;

pub use at_least_once::at_least_once_sink_suite;
pub use exactly_once::exactly_once_sink_suite;
pub use source::{live_source_suite, source_suite};

/// How long a suite waits for a call, a wake-up or a connection before it gives up.
pub const PATIENCE: Duration = Duration::from_secs(5);

/// Reads a source to its end, split by split; for tests of anything that writes what a source
/// reads.
///
/// # Errors
/// When the source fails, does not end, or refuses a record.
///
/// # Examples
/// ```
/// use headwater_connect::{collection::collection, conformance::read_to_end};
///
/// assert_eq!(read_to_end(collection([1, 2, 3]))?, [1, 2, 3]);
/// # Ok::<(), String>(())
/// ```
pub fn read_to_end<S: Source>(source: S) -> Result<Vec<S::Record>, String> {
    let source = Arc::new(source);
    let mut records = Vec::new();
    for split in source.splits().map_err(|e| e.report())? {
        let mut reader = remote::RemoteReader::open(&source, &split, None)?;
        let share = reader.rest(1024, usize::MAX)?;
        if let Some(bad) = share.bad.first() {
            return Err(format!("split \"{split}\" refused {}: {}", bad.position, bad.reason));
        }
        records.extend(share.good.into_iter().map(|record| record.value));
    }
    Ok(records)
}

/// The first difference of two lists, as a sentence; nothing when they are the same.
fn same<T: PartialEq + Debug>(what: &str, found: &[T], expected: &[T]) -> Result<(), String> {
    let at = found.iter().zip(expected).take_while(|(a, b)| a == b).count();
    match (found.get(at), expected.get(at)) {
        (None, None) => Ok(()),
        (Some(found), None) => Err(format!("{what}: expected {at}, but then came {found:?}")),
        (None, Some(missing)) => Err(format!(
            "{what}: got {at} of {}, the first that is missing is {missing:?}",
            expected.len()
        )),
        (Some(found), Some(expected)) => {
            Err(format!("{what}: number {at} is {found:?}, expected {expected:?}"))
        }
    }
}

/// Each record with how often it was found and how often it is expected.
fn tally<T: Record>(found: &[T], expected: &[T]) -> Result<Vec<(T, usize, usize)>, String> {
    let mut counts = BTreeMap::<Vec<u8>, (T, usize, usize)>::new();
    let mut count = |record: &T, found: usize, expected: usize| {
        let bytes = codec::encode(record).map_err(|e| e.report())?;
        let counts = counts.entry(bytes).or_insert_with(|| (record.clone(), 0, 0));
        counts.1 += found;
        counts.2 += expected;
        Ok::<(), String>(())
    };
    found.iter().try_for_each(|record| count(record, 1, 0))?;
    expected.iter().try_for_each(|record| count(record, 0, 1))?;
    Ok(counts.into_values().collect())
}

/// As [`same`], for lists whose order means nothing.
fn same_records<T: Record + Debug>(what: &str, found: &[T], expected: &[T]) -> Result<(), String> {
    match tally(found, expected)?.into_iter().find(|(_, found, expected)| found != expected) {
        None => Ok(()),
        Some((record, found, expected)) => {
            Err(format!("{what}: {record:?} is there {found} times, expected {expected}"))
        }
    }
}
