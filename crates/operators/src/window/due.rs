//! Queues of what is due at which watermark.
//!
//! A queue is an index over a table, never state itself: it is rebuilt after a restore.

use std::collections::BTreeMap;

use headwater_core::EventTime;

/// Takes the first entry of a queue by watermark if it is due at `watermark`.
pub(crate) fn pop_due<D>(
    due: &mut BTreeMap<EventTime, D>,
    watermark: EventTime,
) -> Option<(EventTime, D)> {
    let first = due.first_entry()?;
    (*first.key() <= watermark).then(|| first.remove_entry())
}

/// Adds an entry, unless it is the one that was added last: the usual repetition where repetitions
/// do no harm.
pub(crate) fn push_once<E: PartialEq>(entries: &mut Vec<E>, entry: E) {
    if entries.last() != Some(&entry) {
        entries.push(entry);
    }
}
