//! TIMESTAMPADD and TIMESTAMPDIFF.

use datafusion::arrow::array::ArrayRef;
use datafusion::arrow::datatypes::{DataType, Int32Type, TimeUnit};
use datafusion::common::Result;

use crate::functions::args::Call;
use crate::functions::native::{Spec, Types};
use crate::functions::params::Param::{Int, Text, TimeOrText};
use crate::functions::returns;

use super::civil::Local;
use super::times::Times;
use super::unit::Unit;

/// The functions of this module.
pub(super) static SPECS: &[Spec] = &[
    Spec::new(
        "timestampadd",
        &[("unit", Text), ("count", Int), ("time", TimeOrText)],
        added,
        timestampadd,
    ),
    Spec::new(
        "timestampdiff",
        &[("unit", Text), ("from", TimeOrText), ("to", TimeOrText)],
        returns::int,
        timestampdiff,
    ),
];

/// The type of the time; a date to which hours are added becomes a timestamp.
fn added(types: &Types<'_>) -> Result<DataType> {
    let unit = types.constant_text(0).and_then(|unit| unit.parse::<Unit>().ok());
    Ok(match types.args.get(2) {
        Some(DataType::Date32) if unit.is_some_and(Unit::is_part_of_day) => {
            DataType::Timestamp(TimeUnit::Millisecond, None)
        }
        Some(other) => (*other).clone(),
        None => DataType::Null,
    })
}

/// A time so many units later; none where it is out of range or the unit can't be added.
pub(crate) fn add(unit: Unit, count: i64, time: Local) -> Option<Local> {
    if let Some(months) = unit.months() {
        let date = time.date().add_months(count.checked_mul(months)?)?;
        let seconds = Local::midnight(date).seconds + time.second_of_day();
        return Some(Local { seconds, nanos: time.nanos });
    }
    let nanos = i128::from(unit.nanos()?) * i128::from(count) + i128::from(time.nanos);
    let seconds = i64::try_from(nanos.div_euclid(1_000_000_000)).ok()?;
    Some(Local {
        seconds: time.seconds.checked_add(seconds)?,
        nanos: nanos.rem_euclid(1_000_000_000) as i64,
    })
}

fn timestampadd(call: &Call<'_>) -> Result<ArrayRef> {
    let unit = call.unit(0)?;
    let (count, times) = (call.ints(1)?, Times::of(call, 2)?);
    let kind = super::times::Kind::of(call.returns, super::zone::Zone::session(call.config)?)?;
    call.try_times(|row| {
        let (count, time) = (count.at(row)?, times.at(row)?);
        let later = add(unit, count, time).and_then(|time| kind.store(time));
        Some(later.ok_or_else(|| call.error(format!("can't add {count} {unit:?}: out of range"))))
    })
}

/// Whole units from one time to another.
fn difference(unit: Unit, from: Local, to: Local) -> Option<i64> {
    if let Some(months) = unit.months() {
        let month = |time: Local| time.date().year * 12 + time.date().month;
        let rest = |time: Local| (time.date().day, time.second_of_day(), time.nanos);
        let mut between = month(to) - month(from);
        if between > 0 && rest(to) < rest(from) {
            between -= 1;
        } else if between < 0 && rest(to) > rest(from) {
            between += 1;
        }
        return Some(between / months);
    }
    let nanos = |time: Local| i128::from(time.seconds) * 1_000_000_000 + i128::from(time.nanos);
    i64::try_from((nanos(to) - nanos(from)) / i128::from(unit.nanos()?)).ok()
}

fn timestampdiff(call: &Call<'_>) -> Result<ArrayRef> {
    let unit = call.unit(0)?;
    let (from, to) = (Times::of(call, 1)?, Times::of(call, 2)?);
    call.try_values::<Int32Type>(|row| {
        let between = difference(unit, from.at(row)?, to.at(row)?);
        let between = between.and_then(|between| i32::try_from(between).ok());
        Some(between.ok_or_else(|| call.error(format!("the number of {unit:?}s is over INT"))))
    })
}
