//! Figures that a connector tells about itself; asked for when someone looks, so they cost nothing else.
//!
//! Names follow Prometheus' conventions: base units, `_total` on counters, labels with a bound.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use hdrhistogram::Histogram;

/// Which way a figure moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MeasureKind {
    /// Up only; anew with each attempt.
    Counter,
    /// Up and down.
    Gauge,
    /// A quantile, a sum or a count of a distribution.
    Summary,
}

/// One figure at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Measure {
    /// Name without the engine's prefix: `kafka_consumer_lag_records`. That of a summary's sum and
    /// count ends in `_sum` and `_count`.
    pub name: &'static str,
    /// The family it belongs to; its name but for sums and counts.
    pub family: &'static str,
    /// One sentence.
    pub help: &'static str,
    /// Which way it moves.
    pub kind: MeasureKind,
    /// Labels; the engine adds job and step.
    pub labels: Vec<(&'static str, String)>,
    /// The value.
    pub value: f64,
}

impl Measure {
    /// A gauge or counter.
    pub fn new(
        name: &'static str,
        help: &'static str,
        kind: MeasureKind,
        labels: Vec<(&'static str, String)>,
        value: f64,
    ) -> Self {
        Measure { name, family: name, help, kind, labels, value }
    }
}

/// How a summary's samples are named.
#[derive(Clone, Copy, Debug)]
pub struct SummaryName {
    /// Of its quantiles: `kafka_commit_latency_seconds`.
    pub family: &'static str,
    /// The same with `_sum`.
    pub sum: &'static str,
    /// The same with `_count`.
    pub count: &'static str,
    /// One sentence.
    pub help: &'static str,
}

/// A distribution of times since it was made, to two digits, up to an hour.
pub struct Latencies(Mutex<(Histogram<u64>, f64)>);

const QUANTILES: [(f64, &str); 3] = [(0.5, "0.5"), (0.99, "0.99"), (1.0, "1")];
const LONGEST_US: u64 = 3_600_000_000;

impl Default for Latencies {
    fn default() -> Self {
        #[expect(clippy::expect_used, reason = "the bounds are constants")]
        let histogram = Histogram::new_with_bounds(1, LONGEST_US, 2).expect("bounds in order");
        Latencies(Mutex::new((histogram, 0.0)))
    }
}

impl Latencies {
    /// Adds one.
    pub fn record(&self, latency: Duration) {
        let micros = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX).clamp(1, LONGEST_US);
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        inner.0.saturating_record(micros);
        inner.1 += latency.as_secs_f64();
    }

    /// Median, 99th percentile, maximum, sum and count; nothing before the first.
    pub fn measures(&self, name: SummaryName) -> Vec<Measure> {
        let inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (histogram, sum) = &*inner;
        if histogram.is_empty() {
            return Vec::new();
        }
        let SummaryName { family, help, .. } = name;
        let measure = |name, labels, value| Measure {
            name,
            family,
            help,
            kind: MeasureKind::Summary,
            labels,
            value,
        };
        let quantiles = QUANTILES.iter().map(|(at, label)| {
            let seconds = histogram.value_at_quantile(*at) as f64 / 1e6;
            measure(family, vec![("quantile", (*label).to_owned())], seconds)
        });
        let mut all: Vec<_> = quantiles.collect();
        all.push(measure(name.sum, Vec::new(), *sum));
        all.push(measure(name.count, Vec::new(), histogram.len() as f64));
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: SummaryName = SummaryName {
        family: "x_seconds",
        sum: "x_seconds_sum",
        count: "x_seconds_count",
        help: "X.",
    };

    #[test]
    fn a_distribution_is_told_by_quantiles_sum_and_count() {
        let latencies = Latencies::default();
        assert!(latencies.measures(NAME).is_empty());
        (1..=100).for_each(|ms| latencies.record(Duration::from_millis(ms)));
        let all = latencies.measures(NAME);
        let near = |at: usize, value: f64| (all[at].value / value - 1.0).abs() < 0.02;
        assert!(near(0, 0.05) && near(1, 0.099) && near(2, 0.1) && near(3, 5.05), "{all:?}");
        assert_eq!((all[4].name, all[4].value, all.len()), ("x_seconds_count", 100.0, 5));
    }
}
