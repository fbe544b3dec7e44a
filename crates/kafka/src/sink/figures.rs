//! What a sink tells about itself: transactions, how long commits take, and how old records are
//! when they are acknowledged.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use headwater_connect::{Latencies, Measure, MeasureKind, SummaryName};
use headwater_core::EventTime;

const COMMIT: SummaryName = SummaryName {
    family: "kafka_commit_latency_seconds",
    sum: "kafka_commit_latency_seconds_sum",
    count: "kafka_commit_latency_seconds_count",
    help: "From the end of an epoch's output to its commit.",
};

const END_TO_END: SummaryName = SummaryName {
    family: "kafka_end_to_end_latency_seconds",
    sum: "kafka_end_to_end_latency_seconds_sum",
    count: "kafka_end_to_end_latency_seconds_count",
    help: "From a record's event time to its acknowledgement: first and last of each transaction, \
           or the last before each barrier.",
};

/// The event times of the first and last records between two acknowledgements.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    least: i64,
    greatest: i64,
}

impl Default for Span {
    fn default() -> Self {
        Span { least: i64::MAX, greatest: i64::MIN }
    }
}

impl Span {
    pub(crate) fn add(&mut self, time: EventTime) {
        if time != EventTime::MIN {
            self.least = self.least.min(time.0);
            self.greatest = self.greatest.max(time.0);
        }
    }

    /// The oldest and the newest; none if there was no record with a time.
    fn ends(self) -> Option<[i64; 2]> {
        (self.least <= self.greatest).then_some([self.least, self.greatest])
    }
}

/// How old the records of one sink are when they are acknowledged.
#[derive(Default)]
pub(crate) struct EndToEnd(Latencies);

impl EndToEnd {
    /// The records of a span are acknowledged now; the newest one alone tells if acknowledgement
    /// was looked at late.
    pub(crate) fn acknowledged(&self, span: Span, newest_only: bool) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let Some([least, greatest]) = span.ends() else { return };
        let age = |time: i64| {
            let millis = u64::try_from(time).unwrap_or(0);
            now.saturating_sub(Duration::from_millis(millis))
        };
        self.0.record(age(greatest));
        if !newest_only {
            self.0.record(age(least));
        }
    }

    pub(crate) fn measures(&self) -> Vec<Measure> {
        self.0.measures(END_TO_END)
    }
}

/// The transactions of a producer.
#[derive(Default)]
pub(crate) struct TransactionFigures {
    committed: AtomicU64,
    unknown: AtomicU64,
    latency: Latencies,
    /// Spans of the open epoch, whose writers have closed it.
    closed: Mutex<Vec<(Arc<EndToEnd>, Span)>>,
}

impl TransactionFigures {
    /// A writer has closed its epoch.
    pub(crate) fn close(&self, sink: &Arc<EndToEnd>, span: Span) {
        // Nothing of the others would ever be acknowledged: a quiet stream commits nothing.
        if span.ends().is_some() {
            let mut closed = self.closed.lock().unwrap_or_else(PoisonError::into_inner);
            closed.push((Arc::clone(sink), span));
        }
    }

    pub(crate) fn committed(&self, took: Duration) {
        self.committed.fetch_add(1, Relaxed);
        self.latency.record(took);
        let mut closed = self.closed.lock().unwrap_or_else(PoisonError::into_inner);
        for (sink, span) in closed.drain(..) {
            sink.acknowledged(span, false);
        }
    }

    /// A commit whose outcome has to be asked for.
    pub(crate) fn unknown(&self) {
        self.unknown.fetch_add(1, Relaxed);
    }

    pub(crate) fn measures(&self) -> Vec<Measure> {
        let outcome = |outcome: &str, count: &AtomicU64| {
            let labels = vec![("outcome", outcome.to_owned())];
            let help = "Transactions, by what is known of their end.";
            let (name, kind) = ("kafka_transactions_total", MeasureKind::Counter);
            Measure::new(name, help, kind, labels, count.load(Relaxed) as f64)
        };
        let mut all =
            vec![outcome("committed", &self.committed), outcome("unknown", &self.unknown)];
        all.extend(self.latency.measures(COMMIT));
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_acknowledges_what_writers_have_closed() {
        let (figures, sink) = (TransactionFigures::default(), Arc::new(EndToEnd::default()));
        let mut span = Span::default();
        figures.close(&sink, span);
        [EventTime(3), EventTime::MIN, EventTime(1)].into_iter().for_each(|time| span.add(time));
        figures.close(&sink, span);
        assert!(sink.measures().is_empty());
        figures.committed(Duration::from_millis(2));
        figures.unknown();
        assert_eq!(sink.measures().last().map(|m| m.value), Some(2.0));
        assert!(figures.closed.lock().unwrap().is_empty());
        let told: Vec<_> = figures.measures().iter().map(|m| m.value).collect();
        assert_eq!((told[0], told[1], told.last()), (1.0, 1.0, Some(&1.0)));
    }
}
