//! A source that makes its records: record `n` from the number `n`.
//!
//! As a record depends on its number only, a position is a number, a restart makes the very same
//! records again, and many splits share the work: record `n` comes from split `n mod splits`.
//!
//! Invariants: no call, lock or allocation per record other than the closure's own; positions and
//! records do not depend on the rate.
//!
//! What this does not do: stamp processing time into records (they would differ after a restart).

use std::sync::Arc;
use std::time::Duration;

use headwater_core::{EventTime, Record, Result, Timed};

use crate::source::{Position, ReadBuffer, ReadStatus, Reader, Source, SplitId, Wake};

pub(crate) mod deal;
mod random;

use deal::{Deal, Pace, start_at};
pub use random::SplitMix64;

/// Generates record `n` by `make(n)`: endless and as fast as possible until told otherwise.
///
/// `make` must depend on `n` only, or records differ after a restart.
///
/// # Examples
/// ```
/// use headwater_connect::generator::generator;
///
/// let squares = generator(|n| n * n).limit(1_000_000).rate(50_000.0);
/// # headwater_connect::Source::validate(&squares).unwrap();
/// ```
pub fn generator<T: Record>(
    make: impl Fn(u64) -> T + Send + Sync + 'static,
) -> Generator<impl Fn(u64) -> Timed<T> + Send + Sync + 'static> {
    generator_timed(move |n| Timed::new(EventTime::MIN, make(n)))
}

/// Generates stamped record `n` by `make(n)`, as [`generator`] does.
///
/// # Examples
/// ```
/// use headwater_connect::generator::generator_timed;
/// use headwater_core::{EventTime, Timed};
///
/// let ticks = generator_timed(|n| Timed::new(EventTime(n as i64 * 10), n)).limit(100);
/// # headwater_connect::Source::validate(&ticks).unwrap();
/// ```
pub fn generator_timed<T: Record, F>(make: F) -> Generator<F>
where
    F: Fn(u64) -> Timed<T> + Send + Sync + 'static,
{
    Generator { make: Arc::new(make), numbers: Numbers::new() }
}

/// Generates record `n` by `make(n, rng)`, where the random numbers depend on `seed` and `n` only.
///
/// # Examples
/// ```
/// use headwater_connect::generator::seeded;
///
/// let dice = seeded(42, |_, rng| rng.below(6) + 1).limit(1_000);
/// # headwater_connect::Source::validate(&dice).unwrap();
/// ```
pub fn seeded<T: Record>(
    seed: u64,
    make: impl Fn(u64, &mut SplitMix64) -> T + Send + Sync + 'static,
) -> Generator<impl Fn(u64) -> Timed<T> + Send + Sync + 'static> {
    generator(move |n| make(n, &mut SplitMix64::of_record(seed, n)))
}

/// The source that [`generator`], [`generator_timed`] and [`seeded`] give.
pub struct Generator<F> {
    make: Arc<F>,
    numbers: Numbers,
}

impl<F> Generator<F> {
    /// Ends after `records` records, counted over all splits.
    pub fn limit(mut self, records: u64) -> Self {
        self.numbers.limit = Some(records);
        self
    }

    /// Gives `records_per_second` records per second, counted over all splits.
    ///
    /// Time: record `n` is due `n / rate` seconds after the start of the attempt, or after a
    /// restore the same counted from the restored record; a reader that falls behind catches
    /// up.
    pub fn rate(mut self, records_per_second: f64) -> Self {
        self.numbers.rate = Some(records_per_second);
        self
    }

    /// Shares the records among this many splits, round robin; 1 by default.
    pub fn splits(mut self, splits: usize) -> Self {
        self.numbers.deal.splits = splits;
        self
    }

    /// The least time between two batches when there is a rate; 200 µs by default, 100 µs at least.
    pub fn batch_every(mut self, pause: Duration) -> Self {
        self.numbers.batch_every = pause;
        self
    }
}

impl<T: Record, F> Source for Generator<F>
where
    F: Fn(u64) -> Timed<T> + Send + Sync + 'static,
{
    type Record = T;

    fn validate(&self) -> Result<()> {
        self.numbers.validate("generator")
    }

    fn splits(&self) -> Result<Vec<SplitId>> {
        self.numbers.ids("generator")
    }

    fn open(
        &self,
        split: &SplitId,
        position: Option<&Position>,
        _wake: Wake,
    ) -> Result<Box<dyn Reader<T>>> {
        let make = Arc::clone(&self.make);
        self.numbers.reader("generator", split, position, move |n| make(n))
    }
}

/// Which numbers a source of numbered records gives, to whom and when: for sources that make their
/// records in bulk.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use headwater_connect::generator::{Numbers, Stride};
/// use headwater_connect::{ReadStatus, SplitId};
///
/// let numbers = Numbers::new().limit(10).splits(2);
/// let mut split = numbers.open("demo", &SplitId("1-of-2".into()), None)?;
/// let (stride, status) = split.take(3, Duration::ZERO);
/// assert_eq!(stride.collect::<Vec<_>>(), [1, 3, 5]);
/// assert_eq!(status, ReadStatus::Ready);
/// # Ok::<(), headwater_core::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Numbers {
    pub(crate) deal: Deal,
    pub(crate) limit: Option<u64>,
    pub(crate) rate: Option<f64>,
    pub(crate) batch_every: Duration,
}

impl Default for Numbers {
    fn default() -> Self {
        Numbers::new()
    }
}

impl Numbers {
    /// All numbers, in one split, at once.
    pub fn new() -> Self {
        Numbers {
            deal: Deal { splits: 1 },
            limit: None,
            rate: None,
            batch_every: Duration::from_micros(200),
        }
    }

    /// Ends after this many numbers, counted over all splits.
    pub fn limit(mut self, limit: impl Into<Option<u64>>) -> Self {
        self.limit = limit.into();
        self
    }

    /// Gives this many numbers per second of the clock, counted over all splits.
    pub fn rate(mut self, per_second: impl Into<Option<f64>>) -> Self {
        self.rate = per_second.into();
        self
    }

    /// Shares the numbers among this many splits, round robin.
    pub fn splits(mut self, splits: usize) -> Self {
        self.deal.splits = splits;
        self
    }

    fn pace(&self) -> Option<Pace> {
        self.rate.map(|per_second| Pace { per_second, batch_every: self.batch_every })
    }

    /// Checks the options of `source`.
    ///
    /// # Errors
    /// `Config` when there is no split, or the rate is none.
    pub fn validate(&self, source: &str) -> Result<()> {
        self.deal.validate(source)?;
        self.pace().map_or(Ok(()), |pace| pace.validate(source))
    }

    /// The splits of `source`.
    ///
    /// # Errors
    /// `Config` when there is none.
    pub fn ids(&self, source: &str) -> Result<Vec<SplitId>> {
        self.deal.validate(source)?;
        Ok(self.deal.ids())
    }

    /// The numbers of one split, from a position on.
    ///
    /// # Errors
    /// `State` when the split or the position is none of this source.
    pub fn open(
        &self,
        source: &str,
        split: &SplitId,
        position: Option<&Position>,
    ) -> Result<NumberedSplit> {
        self.validate(source)?;
        let index = self.deal.index(source, split)?;
        let end = self.deal.share(self.limit.unwrap_or(u64::MAX), index);
        let next = start_at(source, split, position, end)?;
        let (deal, pace) = (self.deal, self.pace());
        Ok(NumberedSplit { deal, index, pace, opened: next, next, end })
    }

    /// A reader that makes the numbered records of one split.
    pub(crate) fn reader<T: Record>(
        &self,
        source: &str,
        split: &SplitId,
        position: Option<&Position>,
        make: impl Fn(u64) -> Timed<T> + Send + 'static,
    ) -> Result<Box<dyn Reader<T>>> {
        Ok(Box::new(NumberReader { make, numbers: self.open(source, split, position)? }))
    }
}

/// The numbers of one split; `opened`, `next` and `end` count within the split.
#[derive(Clone, Debug)]
pub struct NumberedSplit {
    deal: Deal,
    index: u64,
    pace: Option<Pace>,
    opened: u64,
    next: u64,
    end: u64,
}

/// Some numbers of one split, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stride {
    next: u64,
    step: u64,
    left: usize,
}

impl Iterator for Stride {
    type Item = u64;

    #[inline]
    fn next(&mut self) -> Option<u64> {
        self.left = self.left.checked_sub(1)?;
        let n = self.next;
        self.next = n.wrapping_add(self.step);
        Some(n)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for Stride {}

impl NumberedSplit {
    /// Takes up to `max` numbers that are due after `elapsed`, and says what comes next.
    pub fn take(&mut self, max: usize, elapsed: Duration) -> (Stride, ReadStatus) {
        let due = match self.pace {
            None => self.end,
            Some(pace) => {
                let due = pace.due(elapsed, self.deal, self.index);
                // A clock that stands still or goes back takes no record back.
                self.opened.saturating_add(due).clamp(self.next, self.end)
            }
        };
        let step = self.deal.splits as u64;
        let until = self.next.saturating_add(max as u64).min(due);
        let next = self.next.wrapping_mul(step).wrapping_add(self.index);
        let stride = Stride { next, step, left: (until - self.next) as usize };
        self.next = until;
        let status = match self.pace {
            _ if self.next == self.end => ReadStatus::End,
            Some(pace) if self.next == due => {
                let given = self.next - self.opened;
                ReadStatus::After(pace.pause(elapsed, self.deal, self.index, given))
            }
            _ => ReadStatus::Ready,
        };
        (stride, status)
    }

    /// The position after the numbers taken.
    pub fn position(&self) -> Position {
        Position(self.next.to_string())
    }
}

/// Reads one split of numbered records.
struct NumberReader<F> {
    make: F,
    numbers: NumberedSplit,
}

impl<T: Record, F: Fn(u64) -> Timed<T> + Send> Reader<T> for NumberReader<F> {
    fn read(&mut self, buffer: &mut ReadBuffer<T>) -> Result<ReadStatus> {
        let (stride, status) = self.numbers.take(buffer.room(), buffer.elapsed);
        buffer.records.extend(stride.map(&self.make));
        Ok(status)
    }

    fn position(&self) -> Position {
        self.numbers.position()
    }
}

#[cfg(test)]
mod tests {
    use headwater_core::ProcessingTime;

    use super::*;
    use crate::conformance::source_suite;

    fn read_at(reader: &mut dyn Reader<u64>, ms: u64) -> (Vec<u64>, ReadStatus) {
        let elapsed = Duration::from_millis(ms);
        let mut buffer = ReadBuffer::new(1000, elapsed, ProcessingTime(0));
        let status = reader.read(&mut buffer).unwrap();
        (buffer.records.into_iter().map(|r| r.value).collect(), status)
    }

    #[test]
    fn a_generator_is_a_source() {
        let expected: Vec<u64> = (0..100).map(|n| n * 3).collect();
        for splits in [1, 2, 7, 101] {
            source_suite(|| generator(|n| n * 3).limit(100).splits(splits), &expected).unwrap();
        }
        source_suite(|| generator(|n| n).limit(0), &[]).unwrap();
        let make = || generator(|n| n * 3).limit(100).splits(2).rate(1000.0);
        source_suite(make, &expected).unwrap();
    }

    #[test]
    fn seeded_records_depend_on_seed_and_number_only() {
        let draw = |n, rng: &mut SplitMix64| (n, rng.below(1_000_000));
        let expected: Vec<(u64, u64)> =
            (0..50).map(|n| (n, SplitMix64::of_record(5, n).below(1_000_000))).collect();
        source_suite(|| seeded(5, draw).limit(50).splits(3), &expected).unwrap();
        let other = || seeded(6, draw).limit(50);
        source_suite(other, &expected).unwrap_err();
    }

    #[test]
    fn a_rate_gives_what_is_due_and_says_when_more_is() {
        let source = generator(|n| n).rate(100.0).splits(2);
        let split = &Source::splits(&source).unwrap()[1];
        let mut reader = source.open(split, None, Wake::none()).unwrap();
        let after = |ms| ReadStatus::After(Duration::from_millis(ms));
        assert_eq!(read_at(&mut *reader, 5), (vec![], after(5)));
        assert_eq!(read_at(&mut *reader, 15), (vec![1], after(15)));
        assert_eq!(read_at(&mut *reader, 75), (vec![3, 5, 7], after(15)));
        assert_eq!(read_at(&mut *reader, 70), (vec![], after(20)));

        let position = reader.position();
        let mut restored = source.open(split, Some(&position), Wake::none()).unwrap();
        assert_eq!(read_at(&mut *restored, 35), (vec![9, 11], after(15)));
    }

    #[test]
    fn more_due_than_room_is_ready() {
        let source = generator(|n| n).rate(1e6);
        let mut reader = source.open(&SplitId("0".into()), None, Wake::none()).unwrap();
        let (records, status) = read_at(&mut *reader, 2);
        assert_eq!((records.len(), status), (1000, ReadStatus::Ready));
        let (records, status) = read_at(&mut *reader, 2);
        assert_eq!(records.len(), 1000);
        assert_eq!(status, ReadStatus::Ready);
        let (records, status) = read_at(&mut *reader, 2);
        assert_eq!((records, status), (vec![2000], ReadStatus::After(Duration::from_micros(200))));
    }

    #[test]
    fn wrong_options_and_positions_are_refused() {
        assert!(generator(|n| n).splits(0).validate().is_err());
        for rate in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(generator(|n| n).rate(rate).validate().is_err());
        }
        let source = generator(|n| n).limit(10);
        let open = |at: &str| {
            source.open(&SplitId("0".into()), Some(&Position(at.into())), Wake::none()).map(|_| ())
        };
        assert!(open("10").is_ok());
        assert!(open("11").unwrap_err().to_string().contains("it has 10 records"));
        assert!(open("-1").unwrap_err().to_string().contains("is no record number"));
    }
}
