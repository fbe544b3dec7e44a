//! Event time, processing time and epochs; and the one place where "complete" and "late" are
//! decided.
//!
//! A watermark `W` says: no further record with time `<= W` is expected. Hence a window
//! `[start, end)` is complete when `W >= end - 1 ms` ([`EventTime::completes`]), and a record is
//! late when its time is `<= W` ([`EventTime::is_late`]). No other code compares times with
//! watermarks.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A point in event time: the time in the data, in milliseconds since 1970-01-01 UTC.
///
/// [`EventTime::MIN`] means "not known yet" (no watermark, no timestamp) and [`EventTime::MAX`]
/// means "no more records": the watermark at the end of a bounded input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EventTime(pub i64);

impl Default for EventTime {
    fn default() -> Self {
        EventTime::MIN
    }
}

impl EventTime {
    /// Before all time: no watermark yet, or a record without a timestamp.
    pub const MIN: EventTime = EventTime(i64::MIN);
    /// After all time: the watermark of an input that has ended.
    pub const MAX: EventTime = EventTime(i64::MAX);

    /// Creates an event time from milliseconds since 1970-01-01 UTC.
    pub const fn from_millis(millis: i64) -> Self {
        EventTime(millis)
    }

    /// Milliseconds since 1970-01-01 UTC.
    pub const fn millis(self) -> i64 {
        self.0
    }

    /// Whether this watermark completes a window that ends (exclusively) at `end`.
    pub fn completes(self, end: EventTime) -> bool {
        self.0 >= end.0.saturating_sub(1)
    }

    /// The least watermark that completes a window that ends (exclusively) at `end`.
    pub fn completing(end: EventTime) -> EventTime {
        EventTime(end.0.saturating_sub(1))
    }

    /// Whether a record of this time is late under `watermark`.
    pub fn is_late(self, watermark: EventTime) -> bool {
        self <= watermark
    }

    /// This time plus a duration, saturating at [`EventTime::MAX`].
    pub fn saturating_add(self, duration: Duration) -> EventTime {
        EventTime(self.0.saturating_add(millis(duration)))
    }

    /// This time minus a duration, saturating at [`EventTime::MIN`].
    pub fn saturating_sub(self, duration: Duration) -> EventTime {
        EventTime(self.0.saturating_sub(millis(duration)))
    }
}

/// What a stream says about its event time: how far it has come, or that it has nothing to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Watermark {
    /// No further record with time `<=` this is expected.
    At(EventTime),
    /// No input at present; whoever takes a minimum leaves this stream out.
    Idle,
}

impl Watermark {
    /// The minimum of several inputs; idle when all are idle.
    pub fn min_of(inputs: impl IntoIterator<Item = Watermark>) -> Watermark {
        let times = inputs.into_iter().filter_map(|w| match w {
            Watermark::At(time) => Some(time),
            Watermark::Idle => None,
        });
        times.min().map_or(Watermark::Idle, Watermark::At)
    }
}

/// A duration in whole milliseconds, saturating.
pub fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

impl std::ops::Add<Duration> for EventTime {
    type Output = EventTime;
    fn add(self, duration: Duration) -> EventTime {
        self.saturating_add(duration)
    }
}

impl std::ops::Sub<Duration> for EventTime {
    type Output = EventTime;
    fn sub(self, duration: Duration) -> EventTime {
        self.saturating_sub(duration)
    }
}

impl fmt::Display for EventTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            EventTime::MIN => f.write_str("none"),
            EventTime::MAX => f.write_str("end"),
            EventTime(ms) => match jiff::Timestamp::from_millisecond(ms) {
                Ok(t) => write!(f, "{t:.3}"),
                Err(_) => write!(f, "{ms} ms"),
            },
        }
    }
}

/// A point in processing time: the time on the wall, in milliseconds since 1970-01-01 UTC.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct ProcessingTime(pub i64);

impl ProcessingTime {
    /// The same instant as an event time, for windows by processing time.
    pub const fn as_event_time(self) -> EventTime {
        EventTime(self.0)
    }
}

impl std::ops::Add<Duration> for ProcessingTime {
    type Output = ProcessingTime;
    fn add(self, duration: Duration) -> ProcessingTime {
        ProcessingTime(self.0.saturating_add(millis(duration)))
    }
}

/// The number of the span between two checkpoint barriers; the first epoch of a job is 1.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Epoch(pub u64);

impl Epoch {
    /// The epoch before a job's first one: nothing has been processed.
    pub const NONE: Epoch = Epoch(0);

    /// The epoch after this one.
    pub const fn next(self) -> Epoch {
        Epoch(self.0 + 1)
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_completes_one_tick_before_its_exclusive_end() {
        let end = EventTime(60_000);
        assert!(!EventTime(59_998).completes(end));
        assert!(EventTime(59_999).completes(end));
        assert!(EventTime::completing(end).completes(end));
        assert!(EventTime(60_000).is_late(EventTime(60_000)));
        assert!(!EventTime(60_001).is_late(EventTime(60_000)));
    }

    #[test]
    fn arithmetic_saturates() {
        assert_eq!(EventTime::MAX + Duration::from_secs(1), EventTime::MAX);
        assert_eq!(EventTime::MIN - Duration::from_secs(1), EventTime::MIN);
        assert_eq!(EventTime(0).to_string(), "1970-01-01T00:00:00.000Z");
    }
}
