//! FLOOR and CEIL of a time to a unit.

use datafusion::arrow::array::ArrayRef;
use datafusion::common::Result;

use crate::functions::args::Call;
use crate::functions::native::Spec;
use crate::functions::params::Param::{Text, Time};
use crate::functions::returns;

use super::civil::{DAY, Date, Local};
use super::times::Times;
use super::unit::Unit;

/// The functions of this module.
pub(super) static SPECS: &[Spec] = &[
    Spec::new("floor_to", &[("unit", Text), ("time", Time)], returns::last, floor_to),
    Spec::new("ceil_to", &[("unit", Text), ("time", Time)], returns::last, ceil_to),
];

/// The start of the unit that a time is in. Weeks start on Sunday, as Flink's do here.
pub(crate) fn floor(unit: Unit, time: Local) -> Option<Local> {
    if let Some(months) = unit.months() {
        let date = time.date();
        // centuries and millennia start with the year 1
        let from = if months >= 1_200 { 12 } else { 0 };
        let month = date.year * 12 + date.month - 1 - from;
        let month = month - month.rem_euclid(months) + from;
        let date = Date { year: month.div_euclid(12), month: month.rem_euclid(12) + 1, day: 1 };
        return Some(Local::midnight(date));
    }
    if unit == Unit::Week {
        let days = time.seconds.div_euclid(DAY);
        return Some(Local { seconds: (days - (days + 4).rem_euclid(7)) * DAY, nanos: 0 });
    }
    let nanos = unit.nanos()?;
    if nanos < 1_000_000_000 {
        return Some(Local { nanos: time.nanos - time.nanos % nanos, ..time });
    }
    let seconds = nanos / 1_000_000_000;
    Some(Local { seconds: time.seconds - time.seconds.rem_euclid(seconds), nanos: 0 })
}

fn ceil(unit: Unit, time: Local) -> Option<Local> {
    let start = floor(unit, time)?;
    if start == time {
        return Some(start);
    }
    if let Some(months) = unit.months() {
        return Some(Local::midnight(start.date().add_months(months)?));
    }
    let nanos = start.nanos + unit.nanos()? % 1_000_000_000;
    let seconds = start.seconds + unit.nanos()? / 1_000_000_000 + nanos / 1_000_000_000;
    Some(Local { seconds, nanos: nanos % 1_000_000_000 })
}

fn round(call: &Call<'_>, to: fn(Unit, Local) -> Option<Local>) -> Result<ArrayRef> {
    let unit = call.unit(0)?;
    if unit.months().is_none() && unit.nanos().is_none() {
        return Err(call.error("a time is rounded to YEAR, MONTH, WEEK, DAY, HOUR and the like"));
    }
    let times = Times::of(call, 1)?;
    call.to_times(|row| to(unit, times.at(row)?))
}

fn floor_to(call: &Call<'_>) -> Result<ArrayRef> {
    round(call, floor)
}

fn ceil_to(call: &Call<'_>) -> Result<ArrayRef> {
    round(call, ceil)
}
