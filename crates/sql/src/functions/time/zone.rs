//! Time zones: names of the IANA data base, offsets, and the abbreviations that Java knows.

use std::str::FromStr;

use chrono::{DateTime, NaiveDateTime, Offset, TimeZone};
use datafusion::arrow::array::timezone::Tz;
use datafusion::common::config::ConfigOptions;
use datafusion::common::{DataFusionError, Result};

use super::civil::Local;

/// A time zone.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Zone {
    /// Always so many seconds ahead of UTC.
    Fixed(i64),
    /// By the rules of a place.
    Place(Tz),
}

impl Zone {
    /// The zone of a name, as `Europe/Berlin`, `UTC`, `+02:00`, `GMT-8` or `PST`.
    pub(crate) fn named(name: &str) -> Option<Self> {
        let name = name.trim();
        let offset = ["GMT", "UTC", "UT"].iter().find_map(|prefix| name.strip_prefix(prefix));
        match offset.unwrap_or(name) {
            "" if offset.is_some() => return Some(Zone::Fixed(0)),
            "Z" => return Some(Zone::Fixed(0)),
            offset => {
                if let Some(seconds) = parse_offset(offset) {
                    return Some(Zone::Fixed(seconds));
                }
            }
        }
        let place = match name {
            "PST" => "America/Los_Angeles",
            "MST" => "America/Denver",
            "CST" => "America/Chicago",
            "EST" => "America/New_York",
            "JST" => "Asia/Tokyo",
            "IST" => "Asia/Kolkata",
            "CTT" => "Asia/Shanghai",
            "ECT" => "Europe/Paris",
            other => other,
        };
        Tz::from_str(place).ok().map(Zone::Place)
    }

    /// The session's zone.
    pub(crate) fn session(config: &ConfigOptions) -> Result<Self> {
        let Some(name) = config.execution.time_zone.as_deref() else { return Ok(Zone::Fixed(0)) };
        Zone::named(name).ok_or_else(|| {
            DataFusionError::Execution(format!(
                "no time zone '{name}': set 'table.local-time-zone' to a name such as \
                 Europe/Berlin or an offset such as +02:00"
            ))
        })
    }

    /// Seconds that the zone is ahead of UTC at a point of time.
    pub(crate) fn offset(self, utc_seconds: i64) -> i64 {
        match self {
            Zone::Fixed(seconds) => seconds,
            Zone::Place(place) => match naive(utc_seconds) {
                Some(utc) => {
                    i64::from(place.offset_from_utc_datetime(&utc).fix().local_minus_utc())
                }
                None => 0,
            },
        }
    }

    /// What the clock shows at a point of time.
    pub(crate) fn local(self, utc: Local) -> Local {
        Local { seconds: utc.seconds + self.offset(utc.seconds), ..utc }
    }

    /// The point of time at which the clock shows this: the earlier of two; in a gap, as if the
    /// clock had not been put forward yet.
    pub(crate) fn utc(self, local: Local) -> Local {
        let offset = match self {
            Zone::Fixed(seconds) => seconds,
            Zone::Place(place) => {
                let found =
                    naive(local.seconds).map(|shown| place.offset_from_local_datetime(&shown));
                match found.and_then(|offsets| offsets.earliest()) {
                    Some(offset) => i64::from(offset.fix().local_minus_utc()),
                    None => self.offset(local.seconds - self.offset(local.seconds) - 3_600),
                }
            }
        };
        Local { seconds: local.seconds - offset, ..local }
    }
}

fn naive(seconds: i64) -> Option<NaiveDateTime> {
    DateTime::from_timestamp(seconds, 0).map(|time| time.naive_utc())
}

/// Seconds of `+02:00`, `-8`, `+0530`.
pub(super) fn parse_offset(text: &str) -> Option<i64> {
    let sign = match text.chars().next()? {
        '+' => 1,
        '-' => -1,
        _ => return None,
    };
    let text = &text[1..];
    let (hours, rest) = match text.split_once(':') {
        Some((hours, rest)) => (hours, rest),
        None if text.len() > 2 => text.split_at_checked(text.len() - 2)?,
        None => (text, "0"),
    };
    let (minutes, seconds) = rest.split_once(':').unwrap_or((rest, "0"));
    let number = |digits: &str| {
        digits.parse::<i64>().ok().filter(|_| digits.bytes().all(|b| b.is_ascii_digit()))
    };
    let (hours, minutes, seconds) = (number(hours)?, number(minutes)?, number(seconds)?);
    (hours <= 18 && minutes < 60 && seconds < 60)
        .then_some(sign * (hours * 3_600 + minutes * 60 + seconds))
}

/// An offset as `+02:00`.
pub(super) fn format_offset(seconds: i64, colon: bool) -> String {
    let sign = if seconds < 0 { '-' } else { '+' };
    let colon = if colon { ":" } else { "" };
    format!("{sign}{:02}{colon}{:02}", seconds.abs() / 3_600, seconds.abs() / 60 % 60)
}
