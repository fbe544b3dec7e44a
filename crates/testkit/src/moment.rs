//! Points in event time as tests like to write them.

use std::str::FromStr;

use headwater_core::{Error, EventTime, Result};
use jiff::civil;

/// What may be given where a test names a point in event time.
///
/// An [`EventTime`]; milliseconds since 1970; or text: `"12:01:00"` (on 1970-01-01),
/// `"2026-03-01"`, `"2026-03-01T12:00:00Z"`, `"90"` (milliseconds), `"1m 30s"` (since 1970),
/// `"none"` and `"end"`. All times are UTC.
pub trait IntoEventTime {
    /// The point in event time.
    ///
    /// # Errors
    /// Of kind `Config`, when the text is none of the above.
    fn into_event_time(self) -> Result<EventTime>;
}

impl IntoEventTime for EventTime {
    fn into_event_time(self) -> Result<EventTime> {
        Ok(self)
    }
}

impl IntoEventTime for i64 {
    fn into_event_time(self) -> Result<EventTime> {
        Ok(EventTime(self))
    }
}

impl IntoEventTime for &str {
    fn into_event_time(self) -> Result<EventTime> {
        let text = self.trim();
        parse(text).ok_or_else(|| {
            Error::config(format!("{text:?} is not a point in time"))
                .hint("write 12:01:00, 2026-03-01T12:00:00Z, 90 (ms), 1m 30s, none or end")
        })
    }
}

fn parse(text: &str) -> Option<EventTime> {
    match text {
        "none" => return Some(EventTime::MIN),
        "end" => return Some(EventTime::MAX),
        _ => {}
    }
    if let Ok(millis) = i64::from_str(text) {
        return Some(EventTime(millis));
    }
    if let Ok(instant) = jiff::Timestamp::from_str(text) {
        return Some(EventTime(instant.as_millisecond()));
    }
    let day = civil::date(1970, 1, 1);
    let in_utc = if let Ok(time) = civil::Time::from_str(text) {
        Some(day.to_datetime(time))
    } else if let Ok(date) = civil::Date::from_str(text) {
        Some(date.to_datetime(civil::Time::midnight()))
    } else {
        None
    };
    if let Some(in_utc) = in_utc {
        let offset = jiff::tz::Offset::UTC;
        return Some(EventTime(offset.to_timestamp(in_utc).ok()?.as_millisecond()));
    }
    let since = jiff::SignedDuration::from_str(text).ok()?;
    Some(EventTime(i64::try_from(since.as_millis()).ok()?))
}

/// The point in event time that `text` names, as [`IntoEventTime`] reads it.
///
/// # Panics
/// When the text names none.
///
/// ```
/// use headwater_testkit::at;
/// assert_eq!(at("00:00:10").millis(), 10_000);
/// assert_eq!(at("1970-01-02").millis(), 86_400_000);
/// assert_eq!(at("1m 30s").millis(), 90_000);
/// ```
#[track_caller]
pub fn at(text: &str) -> EventTime {
    crate::test_job::or_fail(text.into_event_time())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_read_in_every_form() {
        let read = |text: &str| text.into_event_time().map(EventTime::millis);
        for (text, millis) in [
            ("90", 90),
            ("-5", -5),
            ("12:01:00", 43_260_000),
            ("12:01", 43_260_000),
            ("00:00:00.250", 250),
            ("1970-01-01T00:00:01Z", 1_000),
            ("1970-01-01T01:00:01+01:00", 1_000),
            ("1970-01-02", 86_400_000),
            ("20s", 20_000),
            ("none", i64::MIN),
            ("end", i64::MAX),
        ] {
            assert_eq!(read(text).unwrap(), millis, "{text}");
        }
        assert!(read("soon").unwrap_err().to_string().contains("\"soon\""));
    }
}
