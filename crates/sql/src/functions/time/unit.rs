//! Units of time, as EXTRACT, FLOOR, TIMESTAMPADD and the like take them.

use std::str::FromStr;

/// A unit of time or a field of a date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    Millennium,
    Century,
    Decade,
    Year,
    IsoYear,
    Quarter,
    Month,
    Week,
    Day,
    DayOfWeek,
    IsoDayOfWeek,
    DayOfYear,
    Hour,
    Minute,
    Second,
    Millisecond,
    Microsecond,
    Nanosecond,
    Epoch,
}

/// The units' names, for errors.
pub(crate) const NAMES: &str = "YEAR, QUARTER, MONTH, WEEK, DAY, HOUR, MINUTE, SECOND, \
     MILLISECOND, MICROSECOND, NANOSECOND, DOW, ISODOW, DOY, ISOYEAR, DECADE, CENTURY, MILLENNIUM, EPOCH";

impl FromStr for Unit {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let upper = name.to_uppercase();
        let name = upper.strip_prefix("SQL_TSI_").unwrap_or(&upper);
        Ok(match name {
            "MILLENNIUM" => Unit::Millennium,
            "CENTURY" => Unit::Century,
            "DECADE" => Unit::Decade,
            "YEAR" | "YEARS" => Unit::Year,
            "ISOYEAR" => Unit::IsoYear,
            "QUARTER" | "QUARTERS" => Unit::Quarter,
            "MONTH" | "MONTHS" => Unit::Month,
            "WEEK" | "WEEKS" => Unit::Week,
            "DAY" | "DAYS" => Unit::Day,
            "DOW" | "DAYOFWEEK" => Unit::DayOfWeek,
            "ISODOW" => Unit::IsoDayOfWeek,
            "DOY" | "DAYOFYEAR" => Unit::DayOfYear,
            "HOUR" | "HOURS" => Unit::Hour,
            "MINUTE" | "MINUTES" => Unit::Minute,
            "SECOND" | "SECONDS" => Unit::Second,
            "MILLISECOND" | "MILLISECONDS" => Unit::Millisecond,
            "MICROSECOND" | "MICROSECONDS" | "FRAC_SECOND" => Unit::Microsecond,
            "NANOSECOND" | "NANOSECONDS" => Unit::Nanosecond,
            "EPOCH" => Unit::Epoch,
            _ => return Err(format!("no unit of time {name}; units are {NAMES}")),
        })
    }
}

impl Unit {
    /// How many months it is, where it is some.
    pub(crate) fn months(self) -> Option<i64> {
        Some(match self {
            Unit::Millennium => 12_000,
            Unit::Century => 1_200,
            Unit::Decade => 120,
            Unit::Year => 12,
            Unit::Quarter => 3,
            Unit::Month => 1,
            _ => return None,
        })
    }

    /// How many nanoseconds it is, where that is always the same.
    pub(crate) fn nanos(self) -> Option<i64> {
        Some(match self {
            Unit::Week => 7 * 86_400_000_000_000,
            Unit::Day => 86_400_000_000_000,
            Unit::Hour => 3_600_000_000_000,
            Unit::Minute => 60_000_000_000,
            Unit::Second => 1_000_000_000,
            Unit::Millisecond => 1_000_000,
            Unit::Microsecond => 1_000,
            Unit::Nanosecond => 1,
            _ => return None,
        })
    }

    /// Whether it is less than a day, so that a date gets a time by it.
    pub(crate) fn is_part_of_day(self) -> bool {
        self.nanos().is_some_and(|nanos| nanos < 86_400_000_000_000)
    }
}
