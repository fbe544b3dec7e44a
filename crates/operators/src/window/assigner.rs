//! Which windows a record belongs to, for windows that do not depend on other records; and how
//! times and durations of windows are checked.
//!
//! Invariant: event times beyond ±2^61 ms (among them "no event time") are refused before any
//! arithmetic, and durations are below 2^60 ms, so nothing here overflows.

use std::sync::Arc;
use std::time::Duration;

use headwater_core::time::millis;
use headwater_core::{Error, EventTime, Result, Timed};

use crate::window::result::Window;

/// Assigns windows of your own making to records.
///
/// Windows of one key are kept apart by start and end; they are never merged. A record without a
/// window counts as filtered.
///
/// # Examples
/// ```
/// use headwater_core::{EventTime, Timed};
/// use headwater_operators::window::{Window, WindowAssigner};
///
/// /// Night (before 06:00 UTC) and day.
/// struct NightAndDay;
/// impl<T> WindowAssigner<T> for NightAndDay {
///     fn assign(&self, record: &Timed<T>, windows: &mut Vec<Window>) {
///         const HOUR: i64 = 3_600_000;
///         let midnight = record.time.millis().div_euclid(24 * HOUR) * 24 * HOUR;
///         let at = |hour: i64| EventTime::from_millis(midnight + hour * HOUR);
///         let night = Window::new(at(0), at(6));
///         let day = Window::new(at(6), at(24));
///         windows.push(if night.contains(record.time) { night } else { day });
///     }
/// }
/// ```
pub trait WindowAssigner<T>: Send + Sync + 'static {
    /// Appends the windows of `record`, each once; `windows` comes empty.
    fn assign(&self, record: &Timed<T>, windows: &mut Vec<Window>);
}

/// The greatest distance of an event time from 1970 that time windows take.
const MOST: u64 = 1 << 61;

/// The event time of a record in milliseconds, if a window can hold it.
///
/// # Errors
/// The record has no event time, or one that is hundreds of millions of years away.
#[inline]
pub(crate) fn time_of<T>(record: &Timed<T>) -> Result<i64> {
    if record.time.0.unsigned_abs() <= MOST {
        return Ok(record.time.0);
    }
    Err(out_of_range(record.time))
}

#[cold]
fn out_of_range(time: EventTime) -> Error {
    if time == EventTime::MIN {
        return Error::data("record without event time in a window over event time")
            .hint("declare the event time at the source, or use windows over processing time");
    }
    Error::data(format!("event time {} ms is out of the range of windows", time.0))
        .hint("event times are milliseconds since 1970, not microseconds or nanoseconds")
}

/// The greatest `offset + n * step` that is `<= time`.
#[inline]
pub(crate) fn align(time: i64, step: i64, offset: i64) -> i64 {
    time - (time - offset).rem_euclid(step)
}

/// Checks a duration of a window: whole milliseconds, positive, not absurd.
///
/// # Errors
/// Names `what` and the operator.
pub(crate) fn positive(what: &str, duration: Duration, operator: &str) -> Result<i64> {
    let ms = millis(duration);
    if ms == 0 {
        let text = format!("{what} must be positive, got 0 ms (operator {operator:?})");
        return Err(Error::plan(text).hint("event time is counted in whole milliseconds"));
    }
    whole(what, duration, operator)
}

/// Checks a duration that may be zero.
///
/// # Errors
/// Names `what` and the operator.
pub(crate) fn whole(what: &str, duration: Duration, operator: &str) -> Result<i64> {
    let ms = millis(duration);
    if !duration.subsec_nanos().is_multiple_of(1_000_000) {
        let text = format!("{what} must be whole milliseconds, got {duration:?}");
        return Err(Error::plan(format!("{text} (operator {operator:?})")));
    }
    if ms >= 1 << 60 {
        let text = format!("{what} of {ms} ms is too long (operator {operator:?})");
        return Err(Error::plan(text));
    }
    Ok(ms)
}

/// Windows that are known from the record alone. Durations are milliseconds.
pub(crate) enum FixedWindows<T> {
    Tumbling { size: i64, offset: i64 },
    Hopping { size: i64, slide: i64, offset: i64 },
    Cumulative { size: i64, step: i64, offset: i64 },
    Global,
    Custom(Arc<dyn WindowAssigner<T>>),
}

impl<T: 'static> FixedWindows<T> {
    /// Replaces `windows` by those of `record`, by ascending end.
    ///
    /// # Errors
    /// The record cannot be in a window.
    #[inline]
    pub(crate) fn assign(&self, record: &Timed<T>, windows: &mut Vec<Window>) -> Result<()> {
        windows.clear();
        match self {
            FixedWindows::Tumbling { size, offset } => {
                let start = align(time_of(record)?, *size, *offset);
                windows.push(Window::at(start, *size));
            }
            FixedWindows::Hopping { size, slide, offset } => {
                let time = time_of(record)?;
                let last = align(time, *slide, *offset);
                let mut start = align(time - size, *slide, *offset) + slide;
                while start <= last {
                    windows.push(Window::at(start, *size));
                    start += slide;
                }
            }
            FixedWindows::Cumulative { size, step, offset } => {
                let time = time_of(record)?;
                let start = align(time, *size, *offset);
                let mut len = align(time - start, *step, 0) + step;
                while len <= *size {
                    windows.push(Window::at(start, len));
                    len += step;
                }
            }
            FixedWindows::Global => windows.push(Window::GLOBAL),
            FixedWindows::Custom(assigner) => {
                assigner.assign(record, windows);
                if let Some(empty) = windows.iter().find(|w| w.start >= w.end) {
                    let (start, end) = (empty.start, empty.end);
                    return Err(Error::user(format!("window assigner made [{start}, {end})")));
                }
            }
        }
        Ok(())
    }
}

/// The gap after which a session ends.
pub(crate) enum Gap<T> {
    /// The same for all records, in milliseconds.
    Fixed(i64),
    /// What the record says.
    Of(Arc<dyn Fn(&T) -> Duration + Send + Sync>),
}

impl<T> Gap<T> {
    /// The gap after `record`, in milliseconds.
    ///
    /// # Errors
    /// The record says zero, or an absurd time.
    pub(crate) fn of(&self, record: &T) -> Result<i64> {
        match self {
            Gap::Fixed(ms) => Ok(*ms),
            Gap::Of(gap) => match millis(gap(record)) {
                0 => Err(Error::data("session gap of a record must be positive, got 0 ms")),
                ms if ms >= 1 << 60 => {
                    Err(Error::data(format!("session gap of a record is too long: {ms} ms")))
                }
                ms => Ok(ms),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn windows(of: &FixedWindows<()>, time: i64) -> Vec<(i64, i64)> {
        let mut found = vec![Window::GLOBAL];
        of.assign(&Timed::new(EventTime(time), ()), &mut found).unwrap();
        found.into_iter().map(|w| (w.start.0, w.end.0)).collect()
    }

    #[test]
    fn a_record_is_in_the_windows_that_contain_it() {
        let tumbling = FixedWindows::Tumbling { size: 10, offset: 3 };
        assert_eq!(windows(&tumbling, 2), [(-7, 3)]);
        assert_eq!(windows(&tumbling, 3), [(3, 13)]);
        let hopping = FixedWindows::Hopping { size: 10, slide: 4, offset: 0 };
        assert_eq!(windows(&hopping, -1), [(-8, 2), (-4, 6)]);
        assert_eq!(windows(&hopping, 10), [(4, 14), (8, 18)]);
        assert_eq!(windows(&hopping, 8), [(0, 10), (4, 14), (8, 18)]);
        let cumulative = FixedWindows::Cumulative { size: 9, step: 3, offset: 0 };
        assert_eq!(windows(&cumulative, 2), [(0, 3), (0, 6), (0, 9)]);
        assert_eq!(windows(&cumulative, 3), [(0, 6), (0, 9)]);
        assert_eq!(windows(&cumulative, 17), [(9, 18)]);
    }

    #[test]
    fn times_that_no_window_holds_are_refused() {
        let tumbling = FixedWindows::<()>::Tumbling { size: 10, offset: 0 };
        let error = |time| {
            let record = Timed::new(EventTime(time), ());
            tumbling.assign(&record, &mut Vec::new()).unwrap_err().to_string()
        };
        assert!(error(i64::MIN).starts_with("record without event time"));
        assert!(error(i64::MAX).starts_with("event time 9223372036854775807 ms is out of"));
        struct Backwards;
        impl<T> WindowAssigner<T> for Backwards {
            fn assign(&self, record: &Timed<T>, windows: &mut Vec<Window>) {
                windows.push(Window::new(record.time, record.time));
            }
        }
        let custom = FixedWindows::Custom(Arc::new(Backwards));
        let refused = custom.assign(&Timed::new(EventTime(0), ()), &mut Vec::new());
        assert!(refused.unwrap_err().to_string().starts_with("window assigner made ["));
    }

    #[test]
    fn durations_are_checked() {
        let error = |d| positive("window size", d, "clicks per minute").unwrap_err();
        let zero = "window size must be positive, got 0 ms (operator \"clicks per minute\")";
        assert_eq!(error(Duration::ZERO).to_string(), zero);
        let odd =
            "window size must be whole milliseconds, got 1.5ms (operator \"clicks per minute\")";
        assert_eq!(error(Duration::from_micros(1500)).to_string(), odd);
        assert!(error(Duration::MAX).to_string().contains("whole milliseconds"));
        assert!(error(Duration::from_secs(u64::MAX)).to_string().contains("is too long"));
        assert_eq!(whole("offset", Duration::ZERO, "x").unwrap(), 0);
    }
}
