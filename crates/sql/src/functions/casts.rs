//! Casts and typed literals whose meaning differs from DataFusion's: to STRING, to dates and
//! times, to DECIMAL without a scale, to BYTES.

use datafusion::sql::sqlparser::ast::{
    CastKind, CharacterLength, DataType, ExactNumberInfo, Expr, TimezoneInfo, Value,
};

use crate::error::{SqlError, SqlResult, codes};

use super::syntax::{call, text};
use super::time::parse_default;

/// The length of a VARCHAR or CHAR; none where it is not bounded.
enum Length {
    Any,
    AtMost(u64),
    Exactly(u64),
}

/// Longest string that a bound is worth a look for: Flink's STRING is VARCHAR(2147483647).
const UNBOUNDED: u64 = i32::MAX as u64;

fn string_length(data_type: &DataType) -> Option<Length> {
    let of = |length: &Option<CharacterLength>, exact: bool| match length {
        None if exact => Length::Exactly(1),
        Some(CharacterLength::IntegerLength { length, .. }) if *length < UNBOUNDED => {
            if exact {
                Length::Exactly(*length)
            } else {
                Length::AtMost(*length)
            }
        }
        _ => Length::Any,
    };
    Some(match data_type {
        DataType::String(_) | DataType::Text => Length::Any,
        DataType::Varchar(length)
        | DataType::Nvarchar(length)
        | DataType::CharVarying(length)
        | DataType::CharacterVarying(length) => of(length, false),
        DataType::Char(length) | DataType::Character(length) => of(length, true),
        _ => return None,
    })
}

/// Whether a type is STRING by one of its names.
pub(super) fn is_string(data_type: &DataType) -> bool {
    matches!(string_length(data_type), Some(Length::Any))
}

/// The name of a type of times: `TIMESTAMP(3)`, `TIMESTAMP_LTZ(6)`, `TIME(0)`, `DATE`.
fn time_type(data_type: &DataType) -> Option<String> {
    let local = |zone: &TimezoneInfo| matches!(zone, TimezoneInfo::WithTimeZone | TimezoneInfo::Tz);
    match data_type {
        DataType::Timestamp(precision, zone) => {
            let name = if local(zone) { "TIMESTAMP_LTZ" } else { "TIMESTAMP" };
            Some(format!("{name}({})", precision.unwrap_or(6)))
        }
        DataType::TimestampNtz(precision) => Some(format!("TIMESTAMP({})", precision.unwrap_or(6))),
        DataType::Custom(name, args) if name.to_string().eq_ignore_ascii_case("TIMESTAMP_LTZ") => {
            Some(format!("TIMESTAMP_LTZ({})", args.first().map_or("6", String::as_str)))
        }
        DataType::Time(precision, _) => Some(format!("TIME({})", precision.unwrap_or(0))),
        DataType::Date => Some("DATE".into()),
        _ => None,
    }
}

/// What a cast becomes; none where DataFusion's is right.
pub(super) fn cast(kind: &CastKind, expr: &Expr, data_type: &DataType) -> Option<Expr> {
    let fails = matches!(kind, CastKind::Cast | CastKind::DoubleColon);
    if let Some(length) = string_length(data_type) {
        let mut args = vec![expr.clone()];
        match length {
            Length::Any => {}
            Length::AtMost(length) => args.push(number(length)),
            Length::Exactly(length) => args.extend([number(length), number(1)]),
        }
        return Some(call("to_string", args));
    }
    if let Some(name) = time_type(data_type) {
        let behaviour = if fails { "ERROR" } else { "NULL" };
        return Some(call("cast_to_time", vec![expr.clone(), text(name), text(behaviour)]));
    }
    match data_type {
        DataType::Bytes(_)
        | DataType::Bytea
        | DataType::Binary(_)
        | DataType::Varbinary(_)
        | DataType::Blob(_) => {
            let cast = if fails { "arrow_cast" } else { "arrow_try_cast" };
            Some(call(cast, vec![expr.clone(), text("Binary")]))
        }
        DataType::Decimal(info) | DataType::Dec(info) | DataType::Numeric(info) => {
            let (precision, scale) = match info {
                ExactNumberInfo::None => (10, 0),
                ExactNumberInfo::Precision(precision) => (*precision, 0),
                ExactNumberInfo::PrecisionAndScale(precision, scale) => (*precision, *scale),
            };
            let data_type = DataType::Decimal(ExactNumberInfo::PrecisionAndScale(precision, scale));
            Some(Expr::Cast {
                kind: kind.clone(),
                expr: Box::new(expr.clone()),
                data_type,
                array: false,
                format: None,
            })
        }
        _ => None,
    }
}

fn number(value: u64) -> Expr {
    Expr::value(Value::Number(value.to_string(), false))
}

/// What `TIMESTAMP '…'` and the like become: a timestamp has as many digits behind the second as
/// were written, in steps of three.
pub(super) fn literal(data_type: &DataType, value: &str) -> SqlResult<Option<Expr>> {
    let Some(name) = time_type(data_type) else { return Ok(None) };
    let wrong = |form: &str| {
        let kind = name.split('(').next().unwrap_or_default();
        SqlError::new(codes::BAD_LITERAL, format!("'{value}' is no {kind}"))
            .help(format!("write {kind} '{form}'"))
    };
    let name = if name.starts_with("TIMESTAMP") {
        parse_default(value).ok_or_else(|| wrong("2024-01-31 12:00:00.000"))?;
        let digits = value.rsplit_once('.').map_or(0, |(_, fraction)| fraction.trim().len());
        let precision = digits.div_ceil(3).clamp(1, 3) * 3;
        format!("{}({precision})", name.split('(').next().unwrap_or("TIMESTAMP"))
    } else {
        if name == "DATE" && parse_default(value).is_none_or(|time| time.second_of_day() != 0) {
            return Err(wrong("2024-01-31"));
        }
        if name.starts_with("TIME(") && super::time::parse_time(value).is_none() {
            return Err(wrong("12:00:00"));
        }
        name
    };
    Ok(Some(call("cast_to_time", vec![text(value), text(name), text("ERROR")])))
}
