//! Records as lines of text: JSON, with the event time in front where it matters.

use headwater_core::{Error, EventTime, Record, Result, Timed};

use crate::moment::IntoEventTime;

/// The record as JSON.
pub(crate) fn line<T: Record>(record: &T) -> Result<String> {
    serde_json::to_string(record).map_err(|e| {
        Error::data(format!("a {} has no JSON form", std::any::type_name::<T>())).because(e)
    })
}

/// The record as JSON after `@time` and, for a late one, `late_by=…`.
///
/// A time is shown in milliseconds; a record without a time has JSON only.
pub(crate) fn timed_line<T: Record>(record: &Timed<T>) -> Result<String> {
    let json = line(&record.value)?;
    let time = match record.time {
        EventTime::MIN => String::new(),
        time => format!("@{} ", moment(time)),
    };
    let late = match record.late_by {
        0 => String::new(),
        by => format!("late_by={by} "),
    };
    Ok(format!("{time}{late}{json}"))
}

/// Milliseconds, `none` or `end`.
pub(crate) fn moment(time: EventTime) -> String {
    match time {
        EventTime::MIN => "none".into(),
        EventTime::MAX => "end".into(),
        EventTime(millis) => millis.to_string(),
    }
}

/// Reads `JSON` or `@time JSON`.
///
/// # Errors
/// Of kind `Data`, when the text is not a record of this type.
pub(crate) fn parse_line<T: Record>(text: &str) -> Result<Timed<T>> {
    let (time, json) = match text.strip_prefix('@').and_then(|t| t.split_once(' ')) {
        Some((time, json)) => (time.into_event_time()?, json),
        None => (EventTime::MIN, text),
    };
    let value = serde_json::from_str(json).map_err(|e| {
        let wanted = std::any::type_name::<T>();
        Error::data(format!("{json} is not a {wanted}: {e}"))
    })?;
    Ok(Timed::new(time, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_show_time_and_lateness_and_are_read_back() {
        let mut record = Timed::new(EventTime(10), ("a".to_owned(), 1));
        assert_eq!(timed_line(&record).unwrap(), r#"@10 ["a",1]"#);
        assert_eq!(parse_line::<(String, u8)>(r#"@10 ["a",1]"#).unwrap(), record);
        record.late_by = 3;
        assert_eq!(timed_line(&record).unwrap(), r#"@10 late_by=3 ["a",1]"#);
        record.time = EventTime::MIN;
        record.late_by = 0;
        assert_eq!(timed_line(&record).unwrap(), r#"["a",1]"#);
        assert!(parse_line::<u8>("300").is_err() && parse_line::<u8>("@soon 3").is_err());
    }
}
