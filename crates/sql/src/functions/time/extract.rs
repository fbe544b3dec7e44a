//! Fields of dates and times: EXTRACT, YEAR, HOUR and the like.

use datafusion::arrow::array::ArrayRef;
use datafusion::arrow::datatypes::Int64Type;
use datafusion::common::Result;

use crate::functions::args::Call;
use crate::functions::native::Spec;
use crate::functions::params::Param::{Text, TimeOrText};
use crate::functions::returns;

use super::civil::Local;
use super::times::Times;
use super::unit::Unit;

macro_rules! field {
    ($name:literal, $unit:expr) => {
        Spec::new($name, &[("time", TimeOrText)], returns::bigint, |call| fields(call, 0, $unit))
    };
}

/// The functions of this module.
pub(super) static SPECS: &[Spec] = &[
    Spec::new("extract", &[("unit", Text), ("time", TimeOrText)], returns::bigint, extract),
    field!("year", Unit::Year),
    field!("quarter", Unit::Quarter),
    field!("month", Unit::Month),
    field!("week", Unit::Week),
    field!("dayofyear", Unit::DayOfYear),
    field!("dayofmonth", Unit::Day),
    field!("dayofweek", Unit::DayOfWeek),
    field!("hour", Unit::Hour),
    field!("minute", Unit::Minute),
    field!("second", Unit::Second),
];

/// A field of a time. Weeks are those of ISO 8601; the first day of DOW is Sunday, with 1.
pub(crate) fn field(unit: Unit, time: Local) -> i64 {
    let part_of = |years: i64, year: i64| {
        // there is no year 0: a century ends with its hundredth year
        if year > 0 { (year + years - 1) / years } else { -((years - year) / years) }
    };
    match unit {
        Unit::Millennium => part_of(1_000, time.date().year),
        Unit::Century => part_of(100, time.date().year),
        Unit::Decade => time.date().year.div_euclid(10),
        Unit::Year => time.date().year,
        Unit::IsoYear => time.date().iso_week().0,
        Unit::Quarter => time.date().quarter(),
        Unit::Month => time.date().month,
        Unit::Week => time.date().iso_week().1,
        Unit::Day => time.date().day,
        Unit::DayOfWeek => time.date().iso_weekday() % 7 + 1,
        Unit::IsoDayOfWeek => time.date().iso_weekday(),
        Unit::DayOfYear => time.date().day_of_year(),
        Unit::Hour => time.hour(),
        Unit::Minute => time.minute(),
        Unit::Second => time.second(),
        Unit::Millisecond => time.nanos / 1_000_000,
        Unit::Microsecond => time.nanos / 1_000,
        Unit::Nanosecond => time.nanos,
        Unit::Epoch => time.seconds,
    }
}

fn fields(call: &Call<'_>, time: usize, unit: Unit) -> Result<ArrayRef> {
    let times = Times::of(call, time)?;
    call.to_values::<Int64Type>(|row| Some(field(unit, times.at(row)?)))
}

fn extract(call: &Call<'_>) -> Result<ArrayRef> {
    let unit = call.unit(0)?;
    fields(call, 1, unit)
}

impl Call<'_> {
    /// Argument `i` as a unit, which is a constant as the rewrite writes it.
    pub(super) fn unit(&self, i: usize) -> Result<Unit> {
        let name = self.texts(i)?.at(0).unwrap_or_default();
        name.parse().map_err(|message: String| self.error(message))
    }
}
