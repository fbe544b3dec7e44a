//! How far a source is behind the ends of its partitions.
//!
//! The ends are what the client last heard, so they are some seconds old; asking the brokers anew
//! would make a scrape wait for them.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use headwater_connect::{Measure, MeasureKind};

use super::client::Partition;

/// How often the client says where the partitions end, in milliseconds.
pub(crate) const STATISTICS_MS: &str = "2000";

/// How far the reader of a partition is.
#[derive(Debug)]
pub(crate) struct Progress {
    next: AtomicI64,
    /// The last record's timestamp in milliseconds since 1970; -1: none.
    time: AtomicI64,
}

impl Progress {
    pub(crate) fn at(next: i64) -> Self {
        Progress { next: AtomicI64::new(next), time: AtomicI64::new(-1) }
    }

    pub(crate) fn note(&self, next: i64, time: Option<i64>) {
        self.next.store(next, Relaxed);
        if let Some(time) = time {
            self.time.store(time, Relaxed);
        }
    }
}

/// The progress of all readers of a source in an attempt.
#[derive(Default)]
pub(crate) struct Lags(Mutex<HashMap<Partition, Arc<Progress>>>);

impl Lags {
    pub(crate) fn add(&self, topic: &str, partition: i32, progress: &Arc<Progress>) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.insert((topic.to_owned(), partition), Arc::clone(progress));
    }

    /// Whether there is or was a reader of the partition.
    pub(crate) fn has(&self, topic: &str, partition: i32) -> bool {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.contains_key(&(topic.to_owned(), partition))
    }

    /// The lags of partitions whose end is known.
    pub(crate) fn measures(&self, ends: &HashMap<Partition, i64>) -> Vec<Measure> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        measures(
            &self.0.lock().unwrap_or_else(PoisonError::into_inner),
            ends,
            now.as_millis() as i64,
        )
    }
}

fn measures(
    all: &HashMap<Partition, Arc<Progress>>,
    ends: &HashMap<Partition, i64>,
    now: i64,
) -> Vec<Measure> {
    let mut known: Vec<_> = all.iter().filter_map(|(p, at)| Some((p, at, *ends.get(p)?))).collect();
    known.sort_by_key(|(partition, ..)| *partition);
    let mut lags = Vec::new();
    for ((topic, partition), at, end) in &known {
        let records = (end - at.next.load(Relaxed)).max(0);
        let labels = vec![("topic", topic.clone()), ("partition", partition.to_string())];
        let help = "Records of a partition that are not read yet.";
        let (name, kind) = ("kafka_consumer_lag_records", MeasureKind::Gauge);
        lags.push(Measure::new(name, help, kind, labels.clone(), records as f64));
        let time = at.time.load(Relaxed);
        let seconds = match (records, time) {
            (0, _) => 0.0,
            // Nothing was read yet, so how old the next record is nobody knows.
            (_, -1) => continue,
            _ => (now - time).max(0) as f64 / 1e3,
        };
        let help = "Age of the last record read from a partition that has more.";
        lags.push(Measure::new("kafka_consumer_lag_seconds", help, kind, labels, seconds));
    }
    // The samples of a family stand together.
    lags.sort_by_key(|lag| lag.name);
    lags
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lags_are_told_by_records_and_time() {
        let (behind, done, fresh) = (Progress::at(40), Progress::at(0), Progress::at(7));
        behind.note(60, Some(9_000));
        done.note(100, Some(1));
        let place = |n| ("t".to_owned(), n);
        let all = [behind, done, fresh].into_iter().zip(0..).map(|(p, n)| (place(n), Arc::new(p)));
        let ends = [(place(0), 100), (place(1), 100), (place(2), 9), (place(3), 5)];
        let lags = measures(&all.collect(), &ends.into(), 10_500);
        let told: Vec<_> = lags.iter().map(|l| (l.labels[1].1.as_str(), l.value)).collect();
        assert_eq!(told, [("0", 40.0), ("1", 0.0), ("2", 2.0), ("0", 1.5), ("1", 0.0)]);
    }
}
