//! Casts to DATE, TIME, TIMESTAMP and TIMESTAMP_LTZ, which go by the session's time zone where one
//! side has none.

use datafusion::arrow::array::{Array, ArrayRef, AsArray, new_null_array};
use datafusion::arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::{Result, plan_err};

use crate::functions::args::Call;
use crate::functions::native::{Spec, Types};
use crate::functions::params::Param::{Any, Text};
use crate::functions::types::sql_name;

use super::civil::{DAY, Local};
use super::parse::{parse_default, parse_time};
use super::times::{Kind, Times};
use super::zone::Zone;

/// The functions of this module: `on error` is `NULL` for TRY_CAST.
pub(super) static SPECS: &[Spec] = &[Spec::new(
    "cast_to_time",
    &[("value", Any), ("type", Text), ("on error", Text)],
    target,
    cast_to_time,
)];

/// The type of a name such as `TIMESTAMP(3)`.
fn target(types: &Types<'_>) -> Result<DataType> {
    // the arguments are not known where only their types are asked for: the name then is a column
    let name = types.constant_text(1).unwrap_or_default();
    let (kind, precision) = name.split_once('(').unwrap_or((name, "0"));
    let unit = match precision.trim_end_matches(')').trim().parse() {
        Ok(0..=3) => TimeUnit::Millisecond,
        Ok(4..=6) => TimeUnit::Microsecond,
        Ok(7..=9) => TimeUnit::Nanosecond,
        _ => return plan_err!("a precision of {name} is from 0 to 9"),
    };
    let target = match kind {
        "DATE" => DataType::Date32,
        "TIME" if unit == TimeUnit::Millisecond => DataType::Time32(unit),
        "TIME" => DataType::Time64(unit),
        "TIMESTAMP_LTZ" => DataType::Timestamp(unit, Some("UTC".into())),
        _ => DataType::Timestamp(unit, None),
    };
    let castable = |given: &DataType| match given {
        DataType::Utf8 | DataType::Null => true,
        DataType::Date32 => !matches!(target, DataType::Time32(_) | DataType::Time64(_)),
        DataType::Time32(_) | DataType::Time64(_) => target != DataType::Date32,
        DataType::Timestamp(..) => true,
        _ => false,
    };
    match types.args.first() {
        Some(given) if !castable(given) => {
            let hint = if given.is_numeric() {
                "; TO_TIMESTAMP_LTZ(number, 3) makes a time of milliseconds"
            } else {
                ""
            };
            plan_err!("can't cast {} to {name}{hint}", sql_name(given))
        }
        _ => Ok(target),
    }
}

fn cast_to_time(call: &Call<'_>) -> Result<ArrayRef> {
    let value = call.array(0)?;
    if value.data_type() == call.returns {
        return Ok(value);
    }
    if value.data_type().is_null() {
        return Ok(new_null_array(call.returns, call.rows));
    }
    let zone = Zone::session(call.config)?;
    let kind = Kind::of(call.returns, zone)?;
    let fails = call.texts(2)?.at(0) != Some("NULL");
    let store = |local: Option<Local>, shown: &dyn Fn() -> String| {
        let stored = local.and_then(|local| kind.store(local));
        match stored {
            Some(stored) => Some(Ok(stored)),
            None if fails => {
                let target = sql_name(call.returns);
                Some(Err(datafusion::common::DataFusionError::Execution(format!(
                    "can't cast {} to {target}; TRY_CAST makes NULL of it",
                    shown()
                ))))
            }
            None => None,
        }
    };
    if let Some(texts) = value.as_string_opt::<i32>() {
        return call.try_times(|row| {
            let text = texts.is_valid(row).then(|| texts.value(row))?;
            let local = match kind {
                Kind::Time(_) => parse_time(text.trim()).or_else(|| parse_default(text)),
                Kind::Timestamp(_, Some(_)) => parse_zoned(text, zone),
                _ => parse_default(text),
            };
            store(local, &|| format!("'{text}'"))
        });
    }
    let times = Times::of_array(&value, zone)?;
    call.try_times(|row| {
        let time = times.at(row)?;
        let time = match (times.kind, kind) {
            (_, Kind::Date) => Local { seconds: time.seconds - time.second_of_day(), nanos: 0 },
            (_, Kind::Time(_)) => Local { seconds: time.seconds.rem_euclid(DAY), ..time },
            _ => time,
        };
        store(Some(time), &|| "a time out of range".into())
    })
}

/// As [`parse_default`]; an offset or `Z` at the end is a zone of its own.
fn parse_zoned(text: &str, zone: Zone) -> Option<Local> {
    let text = text.trim();
    if let Some(local) = parse_default(text) {
        return Some(local);
    }
    let time = text.find(':')?;
    let at = time + text[time..].find(['Z', '+', '-'])?;
    let offset = match &text[at..] {
        "Z" => 0,
        offset => super::zone::parse_offset(offset)?,
    };
    let utc = parse_default(&text[..at])?;
    Some(zone.local(Local { seconds: utc.seconds - offset, ..utc }))
}
