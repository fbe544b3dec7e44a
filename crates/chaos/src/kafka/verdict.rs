//! Compares what is in the output topics with what was expected, and with what the observer saw.
//!
//! Every row is looked at in the order of its partition. A row that was expected and comes again is
//! duplicated; one that differs from what was expected is wrong; one that comes after a later one of
//! its key is out of order; what has not come is lost.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io;

use super::expected::Expected;
use super::job::Topics;
use super::observer::{Hash, Seen};
use super::records::{TotalRow, WindowRow};
use super::topics::read_committed;

/// Examples that are kept.
const EXAMPLES: usize = 8;

/// What was found.
#[derive(Clone, Debug, Default)]
pub struct Verdict {
    /// Records of the input.
    pub records: u64,
    /// Rows expected.
    pub expected: u64,
    /// Rows found.
    pub found: u64,
    /// Rows that are not there.
    pub lost: u64,
    /// Rows that are there once more than they should.
    pub duplicated: u64,
    /// Rows that should not be there, or should be different.
    pub wrong: u64,
    /// Rows after a later one of their key.
    pub disordered: u64,
    /// Records that the observer saw and that are not there, or not there in this order.
    pub unlike_seen: u64,
    /// Transactions that are open after the end, and partitions that are unstable.
    pub open: Vec<String>,
    /// Counters of the job that are wrong.
    pub counters: Vec<String>,
    /// Other things that must not happen.
    pub other: Vec<String>,
    /// Some of the faults.
    pub examples: Vec<String>,
}

impl Verdict {
    /// Number of faults.
    pub fn faults(&self) -> u64 {
        let told = self.open.len() + self.counters.len() + self.other.len();
        let rows = self.lost + self.duplicated + self.wrong + self.disordered;
        rows + self.unlike_seen + told as u64
    }

    fn example(&mut self, text: impl FnOnce() -> String) {
        if self.examples.len() < EXAMPLES {
            self.examples.push(text());
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Verdict { records, expected, found, lost, duplicated, wrong, disordered, .. } = self;
        writeln!(f, "{records} records, {expected} rows expected, {found} found")?;
        write!(
            f,
            "lost {lost}, duplicated {duplicated}, wrong {wrong}, out of order {disordered}"
        )?;
        let (unlike, open) = (self.unlike_seen, self.open.len());
        writeln!(f, ", seen and not kept {unlike}, open transactions {open}")?;
        let told = self.open.iter().chain(&self.counters).chain(&self.other).chain(&self.examples);
        for line in told {
            writeln!(f, "  {line}")?;
        }
        write!(f, "{} faults", self.faults())
    }
}

/// Reads the output topics and compares.
///
/// # Errors
/// The broker does not answer.
pub fn verify(
    bootstrap: &str,
    topics: &Topics,
    expected: &Expected,
    seen: &Seen,
    hash: &Hash,
) -> io::Result<Verdict> {
    let mut verdict = Verdict {
        records: expected.records,
        expected: expected.rows(),
        other: expected.unfit.iter().take(EXAMPLES).cloned().collect(),
        ..Verdict::default()
    };
    let mut kept = Seen::new();
    let mut totals = Totals::new(expected);
    read_committed(bootstrap, &topics.totals, |partition, offset, value| {
        verdict.found += 1;
        let place = (topics.totals.clone(), partition);
        kept.entry(place).or_default().push((offset, hash.of(value)));
        match serde_json::from_slice(value) {
            Ok(row) => totals.take(partition, offset, row, &mut verdict),
            Err(e) => verdict.other.push(format!("totals {partition}, offset {offset}: {e}")),
        }
    })?;
    totals.finish(&mut verdict);
    let mut windows = BTreeSet::new();
    let mut last_start = BTreeMap::new();
    read_committed(bootstrap, &topics.windows, |partition, offset, value| {
        verdict.found += 1;
        let place = (topics.windows.clone(), partition);
        kept.entry(place).or_default().push((offset, hash.of(value)));
        match serde_json::from_slice::<WindowRow>(value) {
            Ok(row) => {
                let ordered = last_start.insert(row.key, row.start).is_none_or(|s| s <= row.start);
                let place = || format!("{row:?} in windows {partition}, offset {offset}");
                match expected.windows.get(&(row.key, row.start)) {
                    Some(right) if *right != row => {
                        verdict.wrong += 1;
                        verdict.example(|| format!("wrong: {}, expected {right:?}", place()));
                        windows.insert((row.key, row.start));
                    }
                    Some(_) if !windows.insert((row.key, row.start)) => {
                        verdict.duplicated += 1;
                        verdict.example(|| format!("duplicated: {}", place()));
                    }
                    Some(_) if !ordered => {
                        verdict.disordered += 1;
                        verdict.example(|| format!("out of order: {}", place()));
                    }
                    Some(_) => {}
                    None => {
                        verdict.wrong += 1;
                        verdict.example(|| format!("wrong: {}, nothing expected", place()));
                    }
                }
            }
            Err(e) => verdict.other.push(format!("windows {partition}, offset {offset}: {e}")),
        }
    })?;
    for (key, row) in &expected.windows {
        if !windows.contains(key) {
            verdict.lost += 1;
            verdict.example(|| format!("lost: {row:?}"));
        }
    }
    compare_with_seen(&kept, seen, &mut verdict);
    Ok(verdict)
}

/// What was found of the totals so far.
struct Totals<'e> {
    expected: &'e Expected,
    /// Per key: which rows were found, and the place of the furthest.
    found: BTreeMap<u32, (Vec<bool>, u64, i32)>,
}

impl<'e> Totals<'e> {
    fn new(expected: &'e Expected) -> Self {
        Totals { expected, found: BTreeMap::new() }
    }

    fn take(&mut self, partition: i32, offset: i64, row: TotalRow, verdict: &mut Verdict) {
        let place = || format!("{row:?} in totals {partition}, offset {offset}");
        let rows = self.expected.totals.get(&row.key).map_or(&[][..], Vec::as_slice);
        let at = row.count.wrapping_sub(1) as usize;
        let Some(right) = rows.get(at) else {
            verdict.wrong += 1;
            verdict.example(|| format!("wrong: {}, nothing expected", place()));
            return;
        };
        let new = || (vec![false; rows.len()], 0, partition);
        let (found, furthest, of) = self.found.entry(row.key).or_insert_with(new);
        let again = std::mem::replace(&mut found[at], true);
        let ordered = *furthest < row.count && *of == partition;
        *furthest = (*furthest).max(row.count);
        let count = match (right == &row, again, ordered) {
            (false, _, _) => (&mut verdict.wrong, "wrong"),
            (true, true, _) => (&mut verdict.duplicated, "duplicated"),
            (true, false, false) => (&mut verdict.disordered, "out of order"),
            (true, false, true) => return,
        };
        *count.0 += 1;
        let what = count.1;
        verdict.example(|| format!("{what}: {}, expected {right:?}", place()));
    }

    fn finish(self, verdict: &mut Verdict) {
        for (key, rows) in &self.expected.totals {
            let found = self.found.get(key).map(|(found, ..)| found.as_slice());
            for (at, row) in rows.iter().enumerate() {
                if !found.is_some_and(|found| found[at]) {
                    verdict.lost += 1;
                    verdict.example(|| format!("lost: {row:?}"));
                }
            }
        }
    }
}

/// What a reader saw of a partition while the job ran must be what is there, from the beginning on.
fn compare_with_seen(kept: &Seen, seen: &Seen, verdict: &mut Verdict) {
    let places: BTreeSet<_> = kept.keys().chain(seen.keys()).collect();
    for place in places {
        let nothing = Vec::new();
        let (kept, seen) =
            (kept.get(place).unwrap_or(&nothing), seen.get(place).unwrap_or(&nothing));
        let alike = kept.iter().zip(seen).take_while(|(kept, seen)| kept == seen).count();
        // A reader may be behind, but not elsewhere.
        let unlike = seen.len() - alike;
        if unlike > 0 {
            verdict.unlike_seen += unlike as u64;
            verdict.example(|| {
                let (a, b) = (kept.get(alike).map(|k| k.0), seen.get(alike).map(|s| s.0));
                format!("{place:?}: record {alike} is at offset {a:?}, was seen at {b:?}")
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expected() -> Expected {
        let rows = |key| (1..=3).map(move |n| TotalRow { key, count: n, sum: n as i64, seq: n });
        let totals = [(7, rows(7).collect()), (8, rows(8).collect())].into_iter().collect();
        Expected { totals, ..Expected::default() }
    }

    /// (lost, duplicated, wrong, out of order) for rows (key, count, sum, partition).
    fn of(rows: &[(u32, u64, i64, i32)]) -> (u64, u64, u64, u64) {
        let (expected, mut v) = (expected(), Verdict::default());
        let mut totals = Totals::new(&expected);
        for &(key, count, sum, partition) in rows {
            totals.take(partition, 0, TotalRow { key, count, sum, seq: count }, &mut v);
        }
        totals.finish(&mut v);
        (v.lost, v.duplicated, v.wrong, v.disordered)
    }

    #[test]
    fn each_fault_of_totals_is_told_from_the_others() {
        let sound = [(7, 1, 1, 0), (8, 1, 1, 1), (7, 2, 2, 0), (7, 3, 3, 0), (8, 2, 2, 1)];
        let with = |more: &[(u32, u64, i64, i32)]| of(&[&sound[..], more].concat());
        assert_eq!(with(&[(8, 3, 3, 1)]), (0, 0, 0, 0));
        assert_eq!(with(&[]), (1, 0, 0, 0));
        assert_eq!(with(&[(8, 3, 3, 1), (7, 2, 2, 0)]), (0, 1, 0, 0));
        assert_eq!(with(&[(8, 3, 4, 1)]), (0, 0, 1, 0));
        assert_eq!(with(&[(8, 3, 3, 1), (8, 4, 4, 1)]), (0, 0, 1, 0));
        assert_eq!(with(&[(8, 3, 3, 2)]), (0, 0, 0, 1));
        assert_eq!(of(&[(7, 2, 2, 0), (7, 1, 1, 0)]), (4, 0, 0, 1));
    }

    #[test]
    fn what_was_seen_must_be_what_is_kept() {
        let seen = |rows: &[(i64, u64)]| Seen::from([(("t".to_owned(), 0), rows.to_vec())]);
        let unlike = |kept: &[(i64, u64)], saw: &[(i64, u64)]| {
            let mut verdict = Verdict::default();
            compare_with_seen(&seen(kept), &seen(saw), &mut verdict);
            verdict.unlike_seen
        };
        assert_eq!(unlike(&[(0, 5), (2, 6)], &[(0, 5), (2, 6)]), 0);
        assert_eq!(unlike(&[(0, 5), (2, 6)], &[(0, 5), (1, 9), (2, 6)]), 2);
        assert_eq!(unlike(&[(0, 5), (2, 6)], &[(0, 5)]), 0);
        assert_eq!(unlike(&[(0, 5)], &[(0, 6)]), 1);
    }
}
