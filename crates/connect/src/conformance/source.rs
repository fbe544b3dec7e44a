//! The suites for sources: a position is worth exactly the records that follow it.
//!
//! The first reading takes one record at a time and notes the position after each, so it is known
//! which records, refused ones included, belong before and after every position.

use std::fmt::Debug;
use std::sync::Arc;

use headwater_core::Timed;

use super::remote::{RemoteReader, Share};
use super::{same, same_records};
use crate::source::{BadRecord, Position, Source, SplitId};

/// How many positions of a split are resumed from.
const RESUMED: usize = 48;

/// Checks a source that can be read again: `make` gives it anew, `expected` is what it reads.
///
/// It checks that splits are stable and known by name; that all records are read, in order if there
/// is one split; that reading on from a position gives exactly the remainder, with the same times,
/// refused records included, before the first read, after batches of any size and at the end; that
/// no call gives more than was asked for or blocks; that unknown splits and positions are refused.
///
/// # Errors
/// The first difference, as a sentence.
///
/// # Examples
/// ```
/// use headwater_connect::{collection::collection, conformance::source_suite};
///
/// source_suite(|| collection([1, 2, 3]), &[1, 2, 3])?;
/// # Ok::<(), String>(())
/// ```
pub fn source_suite<S>(make: impl Fn() -> S, expected: &[S::Record]) -> Result<(), String>
where
    S: Source,
    S::Record: PartialEq + Debug,
{
    let splits = stable_splits(&make)?;
    let source = Arc::new(make());
    let mut records = Vec::new();
    for split in &splits {
        let log = Log::read(&source, split, expected.len())?;
        records.extend(log.good(0).into_iter().map(|record| record.value));
        resumed_remainders(&make, &source, split, &log)?;
        batches(&source, split, &log)?;
    }
    match splits.len() {
        1 => same("records read", &records, expected)?,
        _ => same_records("records read from all splits", &records, expected)?,
    }
    refused(&source, &splits)
}

/// Checks a source whose input cannot be read again: `make` gives it with new input each time, and
/// `expected` is what it reads from that.
///
/// It checks splits, order, batch sizes and blocking as [`source_suite`] does, that the position
/// moves with every record, and that a reader opened at a position goes on counting there.
///
/// # Errors
/// The first difference, as a sentence.
///
/// # Examples
/// ```
/// use headwater_connect::{conformance::live_source_suite, lines::read_lines};
///
/// live_source_suite(|| read_lines(&b"a\nb\n"[..]), &["a".to_owned(), "b".to_owned()])?;
/// # Ok::<(), String>(())
/// ```
pub fn live_source_suite<S>(make: impl Fn() -> S, expected: &[S::Record]) -> Result<(), String>
where
    S: Source,
    S::Record: PartialEq + Debug,
{
    let splits = stable_splits(&make)?;
    let [split] = &*splits else {
        return Err(format!("expected one split of a live source, got {}", splits.len()));
    };
    let log = Log::read(&Arc::new(make()), split, expected.len())?;
    let values = |records: Vec<Timed<S::Record>>| -> Vec<_> {
        records.into_iter().map(|record| record.value).collect()
    };
    same("records read one at a time", &values(log.good(0)), expected)?;
    for (k, pair) in log.positions.windows(2).enumerate() {
        if pair[0] == pair[1] {
            return Err(format!("position \"{}\" did not move with record {k}", pair[1]));
        }
    }
    for max in [2, 7, 1024] {
        let start = log.positions.last();
        let mut reader = RemoteReader::open(&Arc::new(make()), split, start)?;
        if Some(&reader.position) != start {
            return Err(format!("opened at \"{start:?}\", stands at \"{}\"", reader.position));
        }
        let share = reader.rest(max, log.items.len())?;
        let what = format!("records read {max} at a time after a restore");
        same(&what, &values(share.good), expected)?;
        if !log.items.is_empty() && Some(&reader.position) == start {
            return Err(format!("position \"{}\" did not move after a restore", reader.position));
        }
    }
    refused(&Arc::new(make()), &splits)
}

fn stable_splits<S: Source>(make: &impl Fn() -> S) -> Result<Vec<SplitId>, String> {
    let source = make();
    source.validate().map_err(|e| e.report())?;
    let splits = source.splits().map_err(|e| e.report())?;
    for again in [source.splits(), make().splits()] {
        same("splits, asked for again", &again.map_err(|e| e.report())?, &splits)?;
    }
    let mut names = splits.clone();
    names.sort();
    names.dedup();
    if names.len() < splits.len() {
        return Err(format!("two splits have the same name: {splits:?}"));
    }
    Ok(splits)
}

/// A record that was given, or refused.
enum Item<T> {
    Good(Timed<T>),
    Bad(BadRecord),
}

/// One split, read one record at a time.
struct Log<T> {
    items: Vec<Item<T>>,
    /// `positions[k]` is the position after `k` items.
    positions: Vec<Position>,
}

impl<T: headwater_core::Record + PartialEq + Debug> Log<T> {
    fn read<S>(source: &Arc<S>, split: &SplitId, expected: usize) -> Result<Self, String>
    where
        S: Source<Record = T>,
    {
        let mut reader = RemoteReader::open(source, split, None)?;
        let mut log = Log { items: Vec::new(), positions: vec![reader.position.clone()] };
        let mut good = 0;
        while let Some(step) = reader.next(1)? {
            good += step.good.len();
            log.items.extend(step.good.into_iter().map(Item::Good));
            log.items.extend(step.bad.into_iter().map(Item::Bad));
            log.positions.push(step.position);
            if good > expected {
                return Err(format!("split \"{split}\" gives more than the {expected} expected"));
            }
        }
        Ok(log)
    }

    fn good(&self, from: usize) -> Vec<Timed<T>> {
        let good = |item: &Item<T>| match item {
            Item::Good(record) => Some(record.clone()),
            Item::Bad(_) => None,
        };
        self.items[from..].iter().filter_map(good).collect()
    }

    fn bad(&self, from: usize) -> Vec<BadRecord> {
        let bad = |item: &Item<T>| match item {
            Item::Good(_) => None,
            Item::Bad(record) => Some(record.clone()),
        };
        self.items[from..].iter().filter_map(bad).collect()
    }

    /// Checks that `share` is all that comes after the first `from` items.
    fn is_remainder(&self, from: usize, share: &Share<T>, how: &str) -> Result<(), String> {
        let of = self.items.len();
        same(&format!("{how}, after {from} of {of} records"), &share.good, &self.good(from))?;
        let what = format!("{how}, after {from} of {of} records, refused");
        same(&what, &share.bad, &self.bad(from))
    }

    /// All numbers of items, or a good many of them with both ends.
    fn some_points(&self) -> Vec<usize> {
        let last = self.items.len();
        if last < RESUMED {
            return (0..=last).collect();
        }
        let mut points: Vec<usize> = (0..RESUMED).map(|k| k * last / (RESUMED - 1)).collect();
        points.extend([1, last - 1]);
        points
    }
}

fn resumed_remainders<S>(
    make: &impl Fn() -> S,
    source: &Arc<S>,
    split: &SplitId,
    log: &Log<S::Record>,
) -> Result<(), String>
where
    S: Source,
    S::Record: PartialEq + Debug,
{
    for from in log.some_points() {
        let position = &log.positions[from];
        let how = format!("split \"{split}\" resumed at \"{position}\"");
        // A restart in the same process has the same source, one in another process a new one.
        let fresh = Arc::new(make());
        for (source, max) in [(source, 1), (&fresh, 3), (source, 1024)] {
            let mut reader = RemoteReader::open(source, split, Some(position))?;
            let unread = reader.position.clone();
            log.is_remainder(from, &reader.rest(max, log.items.len())?, &how)?;
            // A checkpoint can come before the first read.
            let mut reader = RemoteReader::open(source, split, Some(&unread))?;
            let how = format!("{how} and at once again at \"{unread}\"");
            log.is_remainder(from, &reader.rest(1024, log.items.len())?, &how)?;
        }
    }
    Ok(())
}

fn batches<S>(source: &Arc<S>, split: &SplitId, log: &Log<S::Record>) -> Result<(), String>
where
    S: Source,
    S::Record: PartialEq + Debug,
{
    for max in [2, 7, 1024] {
        let how = format!("split \"{split}\" read {max} at a time");
        let mut reader = RemoteReader::open(source, split, None)?;
        let mut share = Share { good: Vec::new(), bad: Vec::new() };
        let mut resumed = 0;
        while let Some(mut step) = reader.next(max)? {
            share.good.append(&mut step.good);
            share.bad.append(&mut step.bad);
            let given = share.good.len() + share.bad.len();
            if given > log.items.len() {
                break;
            }
            if resumed < RESUMED {
                resumed += 1;
                let mut resumed = RemoteReader::open(source, split, Some(&step.position))?;
                let how = format!("{how} and resumed at \"{}\"", step.position);
                log.is_remainder(given, &resumed.rest(1024, log.items.len())?, &how)?;
            }
        }
        log.is_remainder(0, &share, &how)?;
    }
    Ok(())
}

/// Checks that what cannot be meant is refused, by `open` or by the first `read`.
fn refused<S: Source>(source: &Arc<S>, splits: &[SplitId]) -> Result<(), String> {
    let none = SplitId("no such split".to_owned());
    if RemoteReader::open(source, &none, None).and_then(|mut reader| reader.step(1)).is_ok() {
        return Err(format!("split \"{none}\" does not exist, but can be read"));
    }
    let Some(split) = splits.first() else { return Ok(()) };
    let wrong = Position("no such position".to_owned());
    let opened = RemoteReader::open(source, split, Some(&wrong));
    if opened.and_then(|mut reader| reader.step(1)).is_ok() {
        return Err(format!("split \"{split}\" can be read from position \"{wrong}\""));
    }
    Ok(())
}
