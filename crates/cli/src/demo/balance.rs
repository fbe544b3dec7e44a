//! Where all events of the demo went: `in = windowed + not bids + late + dead-lettered + dropped`.

use std::fmt;

use headwater::cli::units::count;
use headwater::{MetricsSnapshot, OperatorTotals};

use super::job::{BIDS, SOURCE, STAMP, WINDOW};

/// The two sides of the account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Balance {
    input: u64,
    windowed: u64,
    not_bids: u64,
    late: u64,
    dead_lettered: u64,
    dropped: u64,
}

impl Balance {
    /// The account at the end of the job, when nothing is on its way any more.
    pub(super) fn of(metrics: &MetricsSnapshot) -> Balance {
        let totals = |name| metrics.operator(name).map(|o| o.totals).unwrap_or_default();
        let sum = |of: fn(&OperatorTotals) -> u64| {
            [SOURCE, STAMP, BIDS, WINDOW].iter().map(|name| of(&totals(*name))).sum()
        };
        let window = totals(WINDOW);
        let refused = window.late + window.filtered + window.dead_lettered + window.dropped;
        Balance {
            input: totals(SOURCE).records_in,
            windowed: window.records_in.saturating_sub(refused),
            not_bids: totals(BIDS).filtered,
            late: window.late,
            dead_lettered: sum(|t| t.dead_lettered),
            dropped: sum(|t| t.dropped),
        }
    }

    /// Events that went nowhere, or, below zero, came from nowhere.
    pub(super) fn missing(&self) -> i128 {
        let out = [self.windowed, self.not_bids, self.late, self.dead_lettered, self.dropped];
        i128::from(self.input) - out.into_iter().map(i128::from).sum::<i128>()
    }
}

impl fmt::Display for Balance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "in {} = windowed {} + not bids {} + late {} + dead-lettered {} + dropped {}",
            count(self.input),
            count(self.windowed),
            count(self.not_bids),
            count(self.late),
            count(self.dead_lettered),
            count(self.dropped)
        )
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::time::Duration;

    use headwater::{CheckpointStats, EventTime, OperatorSnapshotMetrics};

    use super::*;

    pub(in crate::demo) fn snapshot() -> MetricsSnapshot {
        let operator = |name: &str, records_in: u64| OperatorSnapshotMetrics {
            name: name.into(),
            label: "step".into(),
            totals: OperatorTotals { records_in, ..OperatorTotals::default() },
            restored: 0,
            busy: Duration::ZERO,
            blocked: Duration::ZERO,
            watermark: EventTime(1_700_000_000_250),
            state_entries: 0,
            state_bytes: 0,
            backlog: 0,
            measures: Vec::new(),
        };
        let names =
            [(SOURCE, 2_412_804), (STAMP, 2_412_804), (BIDS, 2_412_803), (WINDOW, 2_220_000)];
        let mut operators = names.map(|(name, n)| operator(name, n));
        operators[1].totals.dead_lettered = 1;
        operators[2].totals.filtered = 192_803;
        operators[3].totals.late = 4;
        MetricsSnapshot {
            job: "demo".into(),
            workers: 2,
            uptime: Duration::from_secs(12),
            operators: operators.into(),
            checkpoints: CheckpointStats::default(),
            restarts: 0,
            recovery: Duration::from_millis(1),
            in_flight: 0,
        }
    }

    #[test]
    fn both_sides_are_equal_or_it_is_told() {
        let mut metrics = snapshot();
        let balance = Balance::of(&metrics);
        assert_eq!(
            balance.to_string(),
            "in 2 412 804 = windowed 2 219 996 + not bids 192 803 + late 4 + dead-lettered 1 \
             + dropped 0"
        );
        assert_eq!(balance.missing(), 0);
        metrics.operators[0].totals.records_in += 3;
        assert_eq!(Balance::of(&metrics).missing(), 3);
    }
}
