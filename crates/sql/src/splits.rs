//! Where each split of a query's sources stands in event time: for whoever asks why no result comes.
//!
//! Operators write it as they read, without waiting; the shell looks at it now and then. It is no
//! part of the state: what counts is in the operators.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicI64;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, PoisonError};

use headwater_core::{EventTime, ProcessingTime};

/// All splits of one query, by table and split.
#[derive(Clone, Debug, Default)]
pub struct SplitBoard(Arc<Mutex<BTreeMap<(String, String), SplitEntry>>>);

/// Where one split writes how far it is.
#[derive(Clone, Debug)]
pub struct SplitEntry(Arc<Standing>);

#[derive(Debug)]
struct Standing {
    watermark: AtomicI64,
    /// Since when there has been nothing to read, in milliseconds; [`READING`] or [`GONE`].
    quiet_since: AtomicI64,
}

/// The split gives rows.
const READING: i64 = i64::MIN;
/// The split has ended, or does not hold the watermark as it has been quiet for long.
const GONE: i64 = i64::MAX;

/// A split at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SplitStanding {
    /// The table whose source it is of.
    pub table: String,
    /// Its name.
    pub split: String,
    /// Its watermark.
    pub watermark: EventTime,
    /// Since when there has been nothing to read.
    pub quiet_since: Option<ProcessingTime>,
}

impl SplitBoard {
    /// The entry of a split; a new attempt goes on with the entry of the last one.
    pub fn entry(&self, table: &str, split: &str) -> SplitEntry {
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = entries.entry((table.to_owned(), split.to_owned())).or_insert_with(|| {
            SplitEntry(Arc::new(Standing {
                watermark: AtomicI64::new(EventTime::MIN.0),
                quiet_since: AtomicI64::new(READING),
            }))
        });
        entry.clone()
    }

    /// The split that holds back the watermark: of those that take part in it the one that is least
    /// far, where several are equal one that is quiet.
    pub fn holding(&self) -> Option<SplitStanding> {
        let entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let standing = entries.iter().filter_map(|((table, split), entry)| {
            let quiet_since = match entry.0.quiet_since.load(Relaxed) {
                GONE => return None,
                READING => None,
                since => Some(ProcessingTime(since)),
            };
            let watermark = EventTime(entry.0.watermark.load(Relaxed));
            Some(SplitStanding {
                table: table.clone(),
                split: split.clone(),
                watermark,
                quiet_since,
            })
        });
        standing.min_by_key(|s| (s.watermark, s.quiet_since.is_none(), s.quiet_since))
    }
}

impl SplitEntry {
    /// Tells the watermark.
    pub fn set_watermark(&self, watermark: EventTime) {
        self.0.watermark.store(watermark.0, Relaxed);
    }

    /// There is something to read.
    pub fn reading(&self) {
        self.0.quiet_since.store(READING, Relaxed);
    }

    /// There has been nothing to read since then.
    pub fn quiet(&self, since: ProcessingTime) {
        self.0.quiet_since.store(since.0, Relaxed);
    }

    /// The split takes no part in the watermark: it has ended, or is idle.
    pub fn gone(&self) {
        self.0.quiet_since.store(GONE, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_split_that_counts_holds_the_watermark() {
        let board = SplitBoard::default();
        assert_eq!(board.holding(), None);
        let entries = ["0", "1", "2"].map(|split| board.entry("lines", split));
        for (entry, watermark) in entries.iter().zip([300, 100, 200]) {
            entry.set_watermark(EventTime(watermark));
        }
        let holding = || board.holding().map(|s| (s.split, s.watermark.0, s.quiet_since));
        assert_eq!(holding(), Some(("1".to_owned(), 100, None)));
        entries[1].gone();
        entries[2].quiet(ProcessingTime(7));
        assert_eq!(holding(), Some(("2".to_owned(), 200, Some(ProcessingTime(7)))));
        entries[2].reading();
        entries[0].set_watermark(EventTime(200));
        entries[0].quiet(ProcessingTime(9));
        assert_eq!(holding(), Some(("0".to_owned(), 200, Some(ProcessingTime(9)))));
        // A new attempt writes to the same entry.
        board.entry("lines", "0").gone();
        assert_eq!(holding(), Some(("2".to_owned(), 200, None)));
    }
}
