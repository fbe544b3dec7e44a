//! What the job must write, computed from the definition of the input alone.
//!
//! One pass over the record numbers. Lateness is a matter of a record's own lane: before record `n`
//! the lane's watermark is the greatest time of its readable records before, minus the bound, minus
//! 1 ms; a record at or below it is late. Everything else follows:
//!
//! - echo: every readable record;
//! - windows: all records but those whose window had ended (`end - 1 ms`) under their watermark;
//! - totals: buckets of the records that are not late;
//! - sessions: per lane and key in order of arrival; a late record joins sessions that it overlaps
//!   and that its watermark has not passed, and is dropped when what comes of that has ended.
//!
//! Nothing here calls the engine; a mistake would have to be made twice to go unnoticed.

use std::collections::BTreeMap;

use crate::rows::{Reading, SessionRow, TotalRow, WindowRow};
use crate::workload::{BOUND_MS, GAP_MS, WINDOW_MS, Workload};

/// All that is expected.
#[derive(Clone, Debug, Default)]
pub struct Expected {
    /// Rows of the echo.
    pub echo: Vec<Reading>,
    /// Rows of the tumbling windows.
    pub windows: Vec<WindowRow>,
    /// Records that came too late for their window.
    pub late: Vec<Reading>,
    /// Rows of the running totals.
    pub totals: Vec<TotalRow>,
    /// Rows of the sessions.
    pub sessions: Vec<SessionRow>,
    /// Records that came too late for a session.
    pub late_for_session: u64,
    /// Records that are late by their own split's watermark.
    pub late_by_watermark: u64,
    /// Numbers of malformed records.
    pub malformed: Vec<u64>,
}

impl Expected {
    /// Computes it.
    pub fn of(workload: &Workload) -> Expected {
        let mut pass = Pass { greatest: vec![None; workload.splits as usize], ..Pass::default() };
        for n in 0..workload.records {
            match workload.drawn(n) {
                None => pass.expected.malformed.push(n),
                Some(d) => {
                    let (lane, key, time) = (d.lane, d.key, d.time);
                    pass.take(Reading { n, lane, key, time, amount: d.amount });
                }
            }
        }
        pass.finish()
    }
}

/// Records and amounts.
type Sums = (u64, i64);
/// A session: start, end, number of records.
type Span = (i64, i64, u64);

#[derive(Default)]
struct Pass {
    expected: Expected,
    /// Greatest time so far, per lane.
    greatest: Vec<Option<i64>>,
    windows: BTreeMap<(u32, i64), Sums>,
    buckets: BTreeMap<(u32, i64), Sums>,
    late_of_key: BTreeMap<u32, u64>,
    /// Sessions that can still grow, per lane and key.
    open: BTreeMap<(u8, u32), Vec<Span>>,
}

impl Pass {
    fn take(&mut self, r: Reading) {
        let greatest = &mut self.greatest[usize::from(r.lane)];
        let watermark = greatest.map_or(i64::MIN, |greatest| greatest - BOUND_MS - 1);
        *greatest = Some(greatest.map_or(r.time, |greatest| greatest.max(r.time)));
        let late = r.time <= watermark;
        self.expected.late_by_watermark += u64::from(late);
        self.window(&r, watermark);
        self.bucket(&r, late);
        self.session(&r, watermark);
        self.expected.echo.push(r);
    }

    fn window(&mut self, r: &Reading, watermark: i64) {
        let start = r.time.div_euclid(WINDOW_MS) * WINDOW_MS;
        if watermark >= start + WINDOW_MS - 1 {
            self.expected.late.push(r.clone());
            return;
        }
        let sums = self.windows.entry((r.key, start)).or_default();
        *sums = (sums.0 + 1, sums.1 + r.amount);
    }

    fn bucket(&mut self, r: &Reading, late: bool) {
        *self.late_of_key.entry(r.key).or_default() += u64::from(late);
        if !late {
            let end = r.time.div_euclid(WINDOW_MS) * WINDOW_MS + WINDOW_MS - 1;
            let sums = self.buckets.entry((r.key, end)).or_default();
            *sums = (sums.0 + 1, sums.1 + r.amount);
        }
    }

    fn session(&mut self, r: &Reading, watermark: i64) {
        let open = self.open.entry((r.lane, r.key)).or_default();
        let row = |(start, end, count)| SessionRow { lane: r.lane, key: r.key, start, end, count };
        // What has ended under this watermark has so under all later ones of the lane.
        let (ended, live): (Vec<_>, Vec<_>) = open.iter().partition(|s| s.1 - 1 <= watermark);
        self.expected.sessions.extend(ended.into_iter().map(row));
        let (from, to) = (r.time, r.time + GAP_MS);
        let (joined, mut kept): (Vec<_>, Vec<_>) =
            live.into_iter().partition(|s| s.0 < to && from < s.1);
        let start = joined.iter().map(|s| s.0).fold(from, i64::min);
        let end = joined.iter().map(|s| s.1).fold(to, i64::max);
        if end - 1 <= watermark {
            self.expected.late_for_session += 1;
        } else {
            kept.push((start, end, 1 + joined.iter().map(|s| s.2).sum::<u64>()));
        }
        *open = kept;
    }

    fn finish(mut self) -> Expected {
        for ((lane, key), open) in std::mem::take(&mut self.open) {
            let row = |(start, end, count)| SessionRow { lane, key, start, end, count };
            self.expected.sessions.extend(open.into_iter().map(row));
        }
        let window = |((key, start), (count, sum))| WindowRow {
            key,
            start,
            end: start + WINDOW_MS,
            count,
            sum,
        };
        self.expected.windows = self.windows.into_iter().map(window).collect();
        let mut of_key: BTreeMap<u32, Sums> = BTreeMap::new();
        for ((key, at), (count, amount)) in self.buckets {
            let (total, sum) = of_key.entry(key).or_default();
            (*total, *sum) = (*total + count, *sum + amount);
            let row = TotalRow { key, at, count, total: *total, sum: *sum, late: 0 };
            self.expected.totals.push(row);
        }
        for (key, late) in self.late_of_key {
            let (total, sum) = of_key.get(&key).copied().unwrap_or_default();
            let row = TotalRow { key, at: i64::MAX, count: 0, total, sum, late };
            self.expected.totals.push(row);
        }
        self.expected
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(n: u64, time: i64) -> Reading {
        Reading { n, lane: 0, key: 1, time, amount: n as i64 }
    }

    fn expected(times: &[i64]) -> Expected {
        let mut pass = Pass { greatest: vec![None], ..Pass::default() };
        for (n, time) in times.iter().enumerate() {
            pass.take(reading(n as u64, *time));
        }
        pass.finish()
    }

    #[test]
    fn lateness_begins_at_the_watermark_and_costs_the_window_only_at_its_end() {
        // The watermark is 1000 after the second record.
        let e = expected(&[900, 1_201, 1_001, 1_000, 999]);
        assert_eq!(e.late_by_watermark, 2);
        assert_eq!(e.late, [reading(4, 999)]);
        let windows: Vec<_> = e.windows.iter().map(|w| (w.start, w.end, w.count, w.sum)).collect();
        assert_eq!(windows, [(0, 1_000, 1, 0), (1_000, 2_000, 3, 1 + 2 + 3)]);
        // One millisecond before, the window had not ended yet.
        let e = expected(&[900, 1_199, 999]);
        assert_eq!((e.late_by_watermark, e.late.len(), e.windows[0].count), (0, 0, 2));
    }

    #[test]
    fn totals_run_in_order_of_time() {
        let e = expected(&[1_100, 900, 2_500, 100]);
        let rows: Vec<_> = e.totals.iter().map(|t| (t.at, t.count, t.total, t.late)).collect();
        assert_eq!(rows, [(999, 1, 1, 0), (1_999, 1, 2, 0), (2_999, 1, 3, 0), (i64::MAX, 0, 3, 1)]);
    }

    #[test]
    fn sessions_join_what_overlaps_and_is_not_over() {
        let rows = |times: &[i64]| {
            let e = expected(times);
            let mut rows: Vec<_> = e.sessions.iter().map(|s| (s.start, s.end, s.count)).collect();
            rows.sort_unstable();
            (rows, e.late_for_session)
        };
        // Exactly a gap apart: two. In between: one.
        assert_eq!(rows(&[0, 400]), (vec![(0, 400, 1), (400, 800, 1)], 0));
        assert_eq!(rows(&[0, 400, 399]), (vec![(0, 800, 3)], 0));
        // The watermark is 799 after 1000, and so the first session, [0, 800), is over. A late
        // record goes on without it: alone, or joined to one that lives.
        let alone = vec![(0, 800, 3), (500, 900, 1), (1_000, 1_400, 1)];
        assert_eq!(rows(&[0, 400, 399, 1_000, 500]), (alone, 0));
        assert_eq!(rows(&[0, 400, 399, 1_000, 650]), (vec![(0, 800, 3), (650, 1_400, 2)], 0));
        // A late record that overlaps only what is over is dropped.
        assert_eq!(rows(&[0, 1_000, 10]), (vec![(0, 400, 1), (1_000, 1_400, 1)], 1));
    }

    #[test]
    fn the_workload_exercises_every_rule() {
        let e = Expected::of(&Workload { records: 20_000, splits: 4, seed: 3 });
        assert!(e.late.len() > 50 && e.late_by_watermark > e.late.len() as u64);
        assert!(e.late_for_session > 50 && e.late_for_session < e.late_by_watermark);
        assert!(e.sessions.iter().any(|s| s.count > 3) && e.malformed.len() > 50);
        assert_eq!(e.echo.len() + e.malformed.len(), 20_000);
        let windowed: u64 = e.windows.iter().map(|w| w.count).sum();
        assert_eq!(windowed as usize + e.late.len(), e.echo.len());
    }
}
