//! A bounded source over records in memory: for tests, examples and small inputs.
//!
//! Record `n` comes from split `n mod splits`; a position is the number of records read in the
//! split.
//!
//! Invariant: the records are shared by all readers and attempts and cloned as they are read.
//!
//! What this does not do: end late, wait, or fail.

use std::sync::{Arc, Mutex, PoisonError};

use headwater_core::{EventTime, Record, Result, Timed};

use crate::generator::deal::{Deal, start_at};
use crate::source::{Position, ReadBuffer, ReadStatus, Reader, Source, SplitId, Wake};

/// Reads the given records, in order, and ends.
///
/// # Examples
/// ```
/// use headwater_connect::collection::collection;
/// use headwater_connect::conformance::read_to_end;
///
/// let words = collection(vec!["to".to_owned(), "be".to_owned()]);
/// assert_eq!(read_to_end(words)?, ["to", "be"]);
/// # Ok::<(), String>(())
/// ```
pub fn collection<T: Record>(records: impl IntoIterator<Item = T>) -> Collection<T> {
    collection_timed(records.into_iter().map(|record| Timed::new(EventTime::MIN, record)))
}

/// Reads the given records with the event times that they are given with.
///
/// # Examples
/// ```
/// use headwater_connect::collection::collection_timed;
/// use headwater_core::{EventTime, Timed};
///
/// let readings = collection_timed([20.5, 21.0].map(|celsius| Timed::new(EventTime(7), celsius)));
/// # headwater_connect::Source::validate(&readings).unwrap();
/// ```
pub fn collection_timed<T: Record>(records: impl IntoIterator<Item = Timed<T>>) -> Collection<T> {
    let records = Arc::new(Mutex::new(records.into_iter().collect()));
    Collection { records, deal: Deal { splits: 1 } }
}

/// The source that [`collection`] gives.
pub struct Collection<T> {
    // A record need not be `Sync`, a source must be.
    records: Arc<Mutex<Vec<Timed<T>>>>,
    deal: Deal,
}

impl<T> Collection<T> {
    /// Shares the records among this many splits, round robin; 1 by default.
    pub fn splits(mut self, splits: usize) -> Self {
        self.deal.splits = splits;
        self
    }
}

impl<T: Record> Source for Collection<T> {
    type Record = T;

    fn validate(&self) -> Result<()> {
        self.deal.validate("collection")
    }

    fn splits(&self) -> Result<Vec<SplitId>> {
        self.validate()?;
        Ok(self.deal.ids())
    }

    fn open(
        &self,
        split: &SplitId,
        position: Option<&Position>,
        _wake: Wake,
    ) -> Result<Box<dyn Reader<T>>> {
        let index = self.deal.index("collection", split)?;
        let len = self.records.lock().unwrap_or_else(PoisonError::into_inner).len();
        let end = self.deal.share(len as u64, index);
        let next = start_at("collection", split, position, end)?;
        let records = Arc::clone(&self.records);
        let (index, stride) = (index as usize, self.deal.splits);
        Ok(Box::new(CollectionReader { records, index, stride, next: next as usize, end }))
    }
}

struct CollectionReader<T> {
    records: Arc<Mutex<Vec<Timed<T>>>>,
    index: usize,
    stride: usize,
    next: usize,
    end: u64,
}

impl<T: Record> Reader<T> for CollectionReader<T> {
    fn read(&mut self, buffer: &mut ReadBuffer<T>) -> Result<ReadStatus> {
        let records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
        let before = buffer.records.len();
        let first = self.index + self.next * self.stride;
        let share = records.iter().skip(first).step_by(self.stride);
        let room = buffer.room();
        buffer.records.extend(share.take(room).cloned());
        self.next += buffer.records.len() - before;
        Ok(if self.next as u64 == self.end { ReadStatus::End } else { ReadStatus::Ready })
    }

    fn position(&self) -> Position {
        Position(self.next.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conformance::source_suite;

    #[test]
    fn a_collection_is_a_source() {
        let words: Vec<String> = (0..30).map(|n| format!("word {n}")).collect();
        for splits in [1, 2, 4, 31] {
            source_suite(|| collection(words.clone()).splits(splits), &words).unwrap();
        }
        source_suite(|| collection(Vec::<u8>::new()).splits(2), &[]).unwrap();
    }

    #[test]
    fn times_are_kept() {
        let records = [3, 1, 2].map(|ms| Timed::new(EventTime(ms), ms));
        let source = collection_timed(records);
        let mut buffer = ReadBuffer::new(9, Default::default(), Default::default());
        let split = &Source::splits(&source).unwrap()[0];
        source.open(split, None, Wake::none()).unwrap().read(&mut buffer).unwrap();
        assert_eq!(buffer.records, records);
    }

    #[test]
    fn no_splits_and_a_position_past_the_end_are_refused() {
        assert!(Source::splits(&collection([1]).splits(0)).is_err());
        let past = Position("2".into());
        let open = collection([1]).open(&SplitId("0".into()), Some(&past), Wake::none());
        assert!(open.map(|_| ()).unwrap_err().to_string().contains("it has 1 records"));
    }
}
