//! Text and numbers as times: TO_TIMESTAMP, TO_DATE, TO_TIMESTAMP_LTZ, UNIX_TIMESTAMP.

use datafusion::arrow::array::{Array, ArrayRef, AsArray};
use datafusion::arrow::datatypes::{DataType, Float64Type, Int64Type, TimeUnit};
use datafusion::common::{Result, plan_err};

use crate::functions::args::Call;
use crate::functions::native::{Spec, Types};
use crate::functions::params::Param::{Any, Text};
use crate::functions::returns;
use crate::functions::types::sql_name;

use super::civil::{Date, Local};
use super::format::{checked, pattern};
use super::zone::Zone;

/// The functions of this module.
pub(super) static SPECS: &[Spec] = &[
    Spec::new(
        "to_timestamp",
        &[("string", Text), ("pattern", Text)],
        |types| checked(types, 1, DataType::Timestamp(TimeUnit::Millisecond, None)),
        to_timestamp,
    )
    .required(1),
    Spec::new(
        "to_date",
        &[("string", Text), ("pattern", Text)],
        |types| checked(types, 1, DataType::Date32),
        to_date,
    )
    .required(1),
    Spec::new(
        "to_timestamp_ltz",
        &[("number or string", Any), ("precision or pattern", Any), ("zone", Text)],
        ltz,
        to_timestamp_ltz,
    )
    .required(1),
    Spec::new(
        "unix_timestamp_of",
        &[("string", Text), ("pattern", Text)],
        |types| checked(types, 1, DataType::Int64),
        unix_timestamp_of,
    )
    .required(1),
];

fn digits(text: &str, most: usize) -> Option<(i64, &str)> {
    let count = text.bytes().take(most).take_while(u8::is_ascii_digit).count();
    let (digits, rest) = text.split_at(count);
    Some((digits.parse().ok()?, rest))
}

/// A time in the form `yyyy-MM-dd[ HH:mm[:ss[.SSSSSSSSS]]]`; months, days and the like may have one
/// digit. Between date and time is a space or `T`.
pub(crate) fn parse_default(text: &str) -> Option<Local> {
    let text = text.trim();
    let (negative, text) = text.strip_prefix('-').map_or((false, text), |text| (true, text));
    let (year, rest) = digits(text, 6)?;
    let (month, rest) = digits(rest.strip_prefix('-')?, 2)?;
    let (day, rest) = digits(rest.strip_prefix('-')?, 2)?;
    let date = Date::checked(if negative { -year } else { year }, month, day)?;
    let midnight = Local::midnight(date);
    if rest.is_empty() {
        return Some(midnight);
    }
    let time = parse_time(rest.strip_prefix([' ', 'T'])?)?;
    Some(Local { seconds: midnight.seconds + time.seconds, nanos: time.nanos })
}

/// A time in the form `HH:mm[:ss[.SSSSSSSSS]]`.
pub(crate) fn parse_time(text: &str) -> Option<Local> {
    let (hour, rest) = digits(text, 2)?;
    let (minute, rest) = digits(rest.strip_prefix(':')?, 2)?;
    let (second, rest) = match rest.strip_prefix(':') {
        Some(rest) => digits(rest, 2)?,
        None => (0, rest),
    };
    let nanos = match rest.strip_prefix('.') {
        Some("") => return None,
        Some(fraction) if fraction.bytes().all(|b| b.is_ascii_digit()) => {
            format!("{fraction:0<9}").get(..9)?.parse().ok()?
        }
        Some(_) => return None,
        None if rest.is_empty() => 0,
        None => return None,
    };
    let there = hour < 24 && minute < 60 && second < 60;
    there.then_some(Local { seconds: hour * 3_600 + minute * 60 + second, nanos })
}

/// What is no time in this form is NULL.
fn parsed(
    call: &Call<'_>,
    lenient: bool,
    mut of: impl FnMut(Local, Option<i64>) -> Option<i64>,
) -> Result<impl FnMut(usize) -> Option<Result<i64>>> {
    let text = call.texts(0)?;
    let form = if call.has(1) { Some(call.texts(1)?) } else { None };
    Ok(move |row| {
        let text = text.at(row)?;
        let Some(form) = &form else { return of(parse_default(text)?, None).map(Ok) };
        match pattern(call, form.at(row)?) {
            Ok(pattern) => {
                let (time, offset) = pattern.parse(text, lenient)?;
                of(time, offset).map(Ok)
            }
            Err(error) => Some(Err(error)),
        }
    })
}

fn to_timestamp(call: &Call<'_>) -> Result<ArrayRef> {
    call.try_times(parsed(call, false, |time, _| time.millis())?)
}

fn to_date(call: &Call<'_>) -> Result<ArrayRef> {
    call.try_times(parsed(call, true, |time, _| Some(time.date().days()))?)
}

/// Seconds since 1970 of a time in the session's zone; the least BIGINT where it is no time.
fn unix_timestamp_of(call: &Call<'_>) -> Result<ArrayRef> {
    let zone = Zone::session(call.config)?;
    let mut seconds = parsed(call, true, |time, offset| {
        Some(match offset {
            Some(offset) => time.seconds - offset,
            None => zone.utc(time).seconds,
        })
    })?;
    let text = call.texts(0)?;
    call.try_values::<Int64Type>(|row| {
        text.at(row)?;
        Some(seconds(row).unwrap_or(Ok(i64::MIN)))
    })
}

/// TIMESTAMP_LTZ(3), of a number or a string.
fn ltz(types: &Types<'_>) -> Result<DataType> {
    match types.args.first() {
        Some(t) if t.is_numeric() || **t == DataType::Null || **t == DataType::Utf8 => {}
        other => {
            let got = other.map_or("nothing".into(), |t| sql_name(t));
            return plan_err!("function TO_TIMESTAMP_LTZ takes a number or a STRING, got {got}");
        }
    }
    returns::timestamp_ltz(types)
}

fn to_timestamp_ltz(call: &Call<'_>) -> Result<ArrayRef> {
    let value = call.array(0)?;
    if value.data_type() == &DataType::Utf8 {
        return ltz_of_text(call);
    }
    let parts = match call.has(1) {
        false => 1_000,
        true => {
            let precision = datafusion::arrow::compute::cast(&call.array(1)?, &DataType::Int64)?;
            match precision.as_primitive::<Int64Type>().iter().next().flatten() {
                Some(0) => 1,
                Some(3) | None => 1_000,
                Some(other) => {
                    let message = "argument 2 (precision) must be 0 (seconds) or 3 (milliseconds)";
                    return Err(call.error(format!("{message}, got {other}")));
                }
            }
        }
    };
    if value.data_type().is_integer() || value.data_type().is_null() {
        let value = datafusion::arrow::compute::cast(&value, &DataType::Int64)?;
        let value = value.as_primitive::<Int64Type>();
        return call.try_times(|row| {
            let number = value.is_valid(row).then(|| value.value(row))?;
            let millis = number.checked_mul(1_000 / parts);
            Some(millis.ok_or_else(|| call.error(format!("{number} is out of range"))))
        });
    }
    let value = datafusion::arrow::compute::cast(&value, &DataType::Float64)?;
    let value = value.as_primitive::<Float64Type>();
    call.try_times(|row| {
        let number = value.is_valid(row).then(|| value.value(row))?;
        let millis = (number * (1_000 / parts) as f64).floor();
        if !millis.is_finite() || millis.abs() > 9e18 {
            return Some(Err(call.error(format!("{number} is out of range"))));
        }
        Some(Ok(millis as i64))
    })
}

fn ltz_of_text(call: &Call<'_>) -> Result<ArrayRef> {
    let zone = match call.has(2) {
        false => Zone::Fixed(0),
        true => {
            let zone = call.texts(2)?;
            let Some(name) = zone.at(0) else { return call.try_times(|_| None) };
            Zone::named(name).ok_or_else(|| call.error(format!("no time zone '{name}'")))?
        }
    };
    call.try_times(parsed(call, false, |time, offset| match offset {
        Some(offset) => Local { seconds: time.seconds - offset, ..time }.millis(),
        None => zone.utc(time).millis(),
    })?)
}
