//! What the job must write, computed from the log of the input alone; nothing here calls the engine.

use std::collections::BTreeMap;

use super::records::{BOUND_MS, PARTITIONS, Payment, TotalRow, WINDOW_MS, WindowRow};

/// All that is expected.
#[derive(Clone, Debug, Default)]
pub struct Expected {
    /// Records of the input.
    pub records: u64,
    /// Records that came too late for their window.
    pub late: u64,
    /// Per key: the total after each of its records, in order.
    pub totals: BTreeMap<u32, Vec<TotalRow>>,
    /// Windows that have ended, by key and start.
    pub windows: BTreeMap<(u32, i64), WindowRow>,
    /// What is wrong with the input itself, which would make the run worth nothing.
    pub unfit: Vec<String>,
}

impl Expected {
    /// Rows that must be written.
    pub fn rows(&self) -> u64 {
        let totals: usize = self.totals.values().map(Vec::len).sum();
        (totals + self.windows.len()) as u64
    }

    /// Of the records of each partition, in the order of their offsets.
    pub fn of(log: &[Vec<Payment>]) -> Expected {
        let mut expected = Expected::default();
        let mut open: BTreeMap<(u32, i64), WindowRow> = BTreeMap::new();
        let mut last = i64::MAX;
        for (partition, records) in log.iter().enumerate() {
            let mut greatest = i64::MIN + BOUND_MS + 1;
            for (at, record) in records.iter().enumerate() {
                if (record.partition, record.seq) != (partition as i32, at as u64) {
                    let text = format!("place {at} of input partition {partition}: {record:?}");
                    expected.unfit.push(text);
                }
                let watermark = greatest - BOUND_MS - 1;
                expected.take(record, watermark, &mut open);
                greatest = greatest.max(record.time);
            }
            last = last.min(greatest - BOUND_MS - 1);
        }
        open.retain(|(_, start), _| start + WINDOW_MS - 1 <= last);
        expected.windows = open;
        expected
    }

    fn take(
        &mut self,
        record: &Payment,
        watermark: i64,
        open: &mut BTreeMap<(u32, i64), WindowRow>,
    ) {
        let Payment { key, amount, seq, time, .. } = *record;
        self.records += 1;
        let totals = self.totals.entry(key).or_default();
        let (count, sum) = totals.last().map_or((0, 0), |row| (row.count, row.sum));
        totals.push(TotalRow { key, count: count + 1, sum: sum + amount, seq });
        let start = time.div_euclid(WINDOW_MS) * WINDOW_MS;
        if start + WINDOW_MS - 1 <= watermark {
            self.late += 1;
            return;
        }
        let window = open.entry((key, start)).or_insert(WindowRow { key, start, count: 0, sum: 0 });
        window.count += 1;
        window.sum += amount;
    }
}

/// An empty log of each partition.
pub fn empty_log() -> Vec<Vec<Payment>> {
    vec![Vec::new(); PARTITIONS as usize]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kafka::records::{last_payment, payment};

    fn record(partition: i32, seq: u64, key: u32, time: i64) -> Payment {
        Payment { partition, seq, key, amount: seq as i64 + 1, time }
    }

    #[test]
    fn totals_run_and_windows_end_under_the_least_watermark() {
        let log = [
            vec![record(0, 0, 4, 900), record(0, 1, 4, 1_300), record(0, 2, 4, 950)],
            vec![record(1, 0, 5, 1_199)],
        ];
        let e = Expected::of(&log);
        let sums: Vec<_> = e.totals[&4].iter().map(|row| (row.count, row.sum)).collect();
        assert_eq!(sums, [(1, 1), (2, 3), (3, 6)]);
        // The third record is late for the window that the first is in; the watermark of the other
        // partition, 998, has not passed it.
        assert_eq!((e.late, e.windows.len(), e.unfit.len()), (1, 0, 0));
        let log = [log[0].clone(), vec![record(1, 0, 5, 1_200)]];
        let e = Expected::of(&log);
        let windows: Vec<_> =
            e.windows.values().map(|w| (w.key, w.start, w.count, w.sum)).collect();
        assert_eq!(windows, [(4, 0, 1, 1)]);
        assert_eq!(e.rows(), 5);
    }

    #[test]
    fn a_gap_in_the_input_is_found() {
        let log = [vec![record(0, 0, 4, 900), record(0, 2, 4, 901)]];
        assert_eq!(Expected::of(&log).unfit.len(), 1);
    }

    #[test]
    fn the_input_has_late_records_and_its_last_ones_end_all_windows() {
        let mut log = empty_log();
        for (partition, records) in log.iter_mut().enumerate() {
            let partition = partition as i32;
            records.extend((0..20_000).map(|seq| payment(3, partition, seq, 5_000.0)));
            records.push(last_payment(partition, 20_000, 20_001, 5_000.0));
        }
        let e = Expected::of(&log);
        assert!((100..4_000).contains(&e.late), "{}", e.late);
        let in_windows: u64 = e.windows.values().map(|w| w.count).sum();
        assert_eq!(in_windows + e.late + 4, e.records);
        assert_eq!(e.unfit, [""; 0]);
    }
}
