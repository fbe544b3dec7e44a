//! The calendar: days since 1970 and years, months, days (proleptic Gregorian).

/// A date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Date {
    /// Year; 0 is 1 BC.
    pub year: i64,
    /// 1 to 12.
    pub month: i64,
    /// 1 to 31.
    pub day: i64,
}

/// Seconds of a day.
pub(crate) const DAY: i64 = 86_400;

/// A time on a wall clock: seconds since 1970 and the part of a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Local {
    /// Whole seconds, rounded down.
    pub seconds: i64,
    /// 0 to 999,999,999.
    pub nanos: i64,
}

impl Date {
    /// The date that is `days` after 1970-01-01.
    pub(crate) fn of_days(days: i64) -> Self {
        // years that start in March, in eras of 400 of them
        let z = days + 719_468;
        let era = z.div_euclid(146_097);
        let day_of_era = z.rem_euclid(146_097);
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted = (5 * day_of_year + 2) / 153;
        let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
        let day = day_of_year - (153 * shifted + 2) / 5 + 1;
        Date { year: year_of_era + era * 400 + i64::from(month <= 2), month, day }
    }

    /// Days since 1970-01-01.
    pub(crate) fn days(self) -> i64 {
        let year = if self.month <= 2 { self.year - 1 } else { self.year };
        let era = year.div_euclid(400);
        let year_of_era = year.rem_euclid(400);
        let shifted = (self.month + 9) % 12;
        let day_of_year = (153 * shifted + 2) / 5 + self.day - 1;
        era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year
            - 719_468
    }

    /// The date, if there is such a day.
    pub(crate) fn checked(year: i64, month: i64, day: i64) -> Option<Self> {
        let there = (1..=12).contains(&month) && (1..=month_days(year, month)).contains(&day);
        (there && year.abs() < 300_000).then_some(Date { year, month, day })
    }

    /// The date `months` later; a day that month has not becomes its last.
    pub(crate) fn add_months(self, months: i64) -> Option<Self> {
        let month = (self.year * 12 + self.month - 1).checked_add(months)?;
        let (year, month) = (month.div_euclid(12), month.rem_euclid(12) + 1);
        Self::checked(year, month, self.day.min(month_days(year, month)))
    }

    /// 1 (Monday) to 7 (Sunday).
    pub(crate) fn iso_weekday(self) -> i64 {
        (self.days() + 3).rem_euclid(7) + 1
    }

    /// 1 to 366.
    pub(crate) fn day_of_year(self) -> i64 {
        self.days() - Date { year: self.year, month: 1, day: 1 }.days() + 1
    }

    /// The year and week (1 to 53) of ISO 8601: a week belongs to the year of its Thursday.
    pub(crate) fn iso_week(self) -> (i64, i64) {
        let thursday = Date::of_days(self.days() + 4 - self.iso_weekday());
        (thursday.year, (thursday.day_of_year() - 1) / 7 + 1)
    }

    /// 1 to 4.
    pub(crate) fn quarter(self) -> i64 {
        (self.month + 2) / 3
    }
}

fn month_days(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

impl Local {
    /// A date at midnight.
    pub(crate) fn midnight(date: Date) -> Self {
        Local { seconds: date.days() * DAY, nanos: 0 }
    }

    /// The date.
    pub(crate) fn date(self) -> Date {
        Date::of_days(self.seconds.div_euclid(DAY))
    }

    /// Seconds since midnight.
    pub(crate) fn second_of_day(self) -> i64 {
        self.seconds.rem_euclid(DAY)
    }

    /// 0 to 23.
    pub(crate) fn hour(self) -> i64 {
        self.second_of_day() / 3_600
    }

    /// 0 to 59.
    pub(crate) fn minute(self) -> i64 {
        self.second_of_day() / 60 % 60
    }

    /// 0 to 59.
    pub(crate) fn second(self) -> i64 {
        self.second_of_day() % 60
    }

    /// Milliseconds since 1970.
    pub(crate) fn millis(self) -> Option<i64> {
        self.seconds.checked_mul(1_000)?.checked_add(self.nanos / 1_000_000)
    }

    /// The time of milliseconds since 1970.
    pub(crate) fn of_millis(millis: i64) -> Self {
        Local { seconds: millis.div_euclid(1_000), nanos: millis.rem_euclid(1_000) * 1_000_000 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_dates_are_each_others_inverse() {
        for days in (-800_000..800_000).step_by(37) {
            let date = Date::of_days(days);
            assert_eq!(date.days(), days, "{date:?}");
            assert!(Date::checked(date.year, date.month, date.day).is_some(), "{date:?}");
        }
        assert_eq!(Date::of_days(0), Date { year: 1970, month: 1, day: 1 });
        assert_eq!(Date::of_days(-1), Date { year: 1969, month: 12, day: 31 });
        assert_eq!(Date { year: 2000, month: 2, day: 29 }.days(), 11_016);
    }

    #[test]
    fn weeks_belong_to_the_year_of_their_thursday() {
        let week = |year, month, day| Date { year, month, day }.iso_week();
        assert_eq!(week(2021, 1, 3), (2020, 53));
        assert_eq!(week(2021, 1, 4), (2021, 1));
        assert_eq!(week(2018, 12, 31), (2019, 1));
        assert_eq!(Date { year: 2024, month: 12, day: 31 }.day_of_year(), 366);
    }
}
