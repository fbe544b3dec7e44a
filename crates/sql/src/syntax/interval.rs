//! Intervals: `INTERVAL '5' SECOND`, `INTERVAL '1 10:30' DAY TO MINUTE`, `INTERVAL '1-2' YEAR TO
//! MONTH`.
//!
//! DataFusion reads those with one unit; [`normalize`] turns the others into such.

use datafusion::sql::sqlparser::ast::{DateTimeField, Expr, Interval, Spanned, Value};

use crate::error::{SqlError, SqlResult, codes};

/// A length of time: months are not days, because they differ.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Length {
    /// Months.
    pub months: i64,
    /// Nanoseconds.
    pub nanos: i128,
}

const SECOND: i128 = 1_000_000_000;

/// Nanoseconds or months of one unit.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd)]
enum Unit {
    Months(i64),
    Nanos(i128),
}

fn unit_of(field: &DateTimeField) -> Option<Unit> {
    use DateTimeField as F;
    Some(match field {
        F::Year | F::Years => Unit::Months(12),
        F::Quarter => Unit::Months(3),
        F::Month | F::Months => Unit::Months(1),
        F::Week(None) | F::Weeks => Unit::Nanos(7 * 86_400 * SECOND),
        F::Day | F::Days => Unit::Nanos(86_400 * SECOND),
        F::Hour | F::Hours => Unit::Nanos(3_600 * SECOND),
        F::Minute | F::Minutes => Unit::Nanos(60 * SECOND),
        F::Second | F::Seconds => Unit::Nanos(SECOND),
        F::Millisecond | F::Milliseconds => Unit::Nanos(1_000_000),
        F::Microsecond | F::Microseconds => Unit::Nanos(1_000),
        F::Nanosecond | F::Nanoseconds => Unit::Nanos(1),
        _ => return None,
    })
}

/// A unit by its name in a text such as `10 minutes`.
fn unit_named(name: &str) -> Option<Unit> {
    let name = name.to_ascii_lowercase();
    if name == "ms" {
        return Some(Unit::Nanos(1_000_000));
    }
    Some(match name.strip_suffix('s').unwrap_or(&name) {
        "year" => Unit::Months(12),
        "month" => Unit::Months(1),
        "week" => Unit::Nanos(7 * 86_400 * SECOND),
        "day" | "d" => Unit::Nanos(86_400 * SECOND),
        "hour" | "h" => Unit::Nanos(3_600 * SECOND),
        "minute" | "min" => Unit::Nanos(60 * SECOND),
        "second" | "sec" | "" => Unit::Nanos(SECOND),
        "millisecond" => Unit::Nanos(1_000_000),
        _ => return None,
    })
}

/// The length of an interval literal.
///
/// # Errors
/// When it can't be read.
pub fn interval_length(interval: &Interval) -> SqlResult<Length> {
    let wrong = || {
        SqlError::new(codes::BAD_LITERAL, format!("`{interval}` is not an interval"))
            .at(interval.value.span())
            .help("an interval is written INTERVAL '5' SECOND or INTERVAL '1:30' MINUTE TO SECOND")
    };
    let (negative, text) = literal(&interval.value).ok_or_else(wrong)?;
    let (sign, text) = match text.trim().strip_prefix('-') {
        Some(rest) => (!negative, rest.trim_start()),
        None => (negative, text.trim().trim_start_matches('+').trim_start()),
    };
    let length = match (&interval.leading_field, &interval.last_field) {
        (Some(first), Some(last)) => between(text, first, last),
        (Some(field), None) => unit_of(field).and_then(|unit| times(text, unit)),
        (None, _) => worded(text),
    };
    let mut length = length.ok_or_else(wrong)?;
    if sign {
        length = Length { months: -length.months, nanos: -length.nanos };
    }
    Ok(length)
}

/// The text of a literal and whether there is a minus in front of it.
fn literal(expr: &Expr) -> Option<(bool, String)> {
    match expr {
        Expr::Value(value) => match &value.value {
            Value::SingleQuotedString(text) | Value::Number(text, _) => Some((false, text.clone())),
            _ => None,
        },
        Expr::UnaryOp { op: datafusion::sql::sqlparser::ast::UnaryOperator::Minus, expr } => {
            literal(expr).map(|(negative, text)| (!negative, text))
        }
        _ => None,
    }
}

/// `5`, `2.5` times a unit.
fn times(text: &str, unit: Unit) -> Option<Length> {
    match unit {
        Unit::Months(months) => {
            let n: i64 = text.parse().ok()?;
            Some(Length { months: n.checked_mul(months)?, nanos: 0 })
        }
        Unit::Nanos(nanos) => Some(Length { months: 0, nanos: decimal(text, nanos)? }),
    }
}

/// A number without sign, and perhaps with decimals, times a scale.
fn decimal(text: &str, scale: i128) -> Option<i128> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let digits = |s: &str| !s.is_empty() && s.len() <= 15 && s.bytes().all(|b| b.is_ascii_digit());
    if !digits(whole) || !part.is_empty() && !digits(part) {
        return None;
    }
    let whole: i128 = whole.parse().ok()?;
    let fraction: i128 = if part.is_empty() { 0 } else { part.parse().ok()? };
    let power = 10_i128.checked_pow(u32::try_from(part.len()).ok()?)?;
    Some(whole.checked_mul(scale)? + fraction.checked_mul(scale)? / power)
}

/// `1-2` from years to months, `1 10:30:00.5` from days to seconds.
fn between(text: &str, first: &DateTimeField, last: &DateTimeField) -> Option<Length> {
    let (first, last) = (unit_of(first)?, unit_of(last)?);
    if first == Unit::Months(12) && last == Unit::Months(1) {
        let (years, months) = text.split_once('-')?;
        let months: i64 = months.parse().ok()?;
        let years: i64 = years.parse().ok()?;
        return (0..12)
            .contains(&months)
            .then_some(Length { months: years.checked_mul(12)? + months, nanos: 0 });
    }
    const UNITS: [i128; 4] = [86_400 * SECOND, 3_600 * SECOND, 60 * SECOND, SECOND];
    let index = |unit| match unit {
        Unit::Nanos(n) => UNITS.iter().position(|&u| u == n),
        Unit::Months(_) => None,
    };
    let units = UNITS.get(index(first)?..=index(last)?)?;
    // After days a blank, between the others colons.
    let parts: Vec<&str> = match text.split_once(' ') {
        Some((days, rest)) => std::iter::once(days).chain(rest.trim().split(':')).collect(),
        None => text.split(':').collect(),
    };
    if parts.len() != units.len() {
        return None;
    }
    let mut nanos = 0_i128;
    for (part, unit) in parts.iter().zip(units) {
        if part.contains('.') && *unit != SECOND {
            return None;
        }
        nanos = nanos.checked_add(decimal(part, *unit)?)?;
    }
    Some(Length { months: 0, nanos })
}

/// `5 minutes 30 seconds`, as PostgreSQL writes it.
fn worded(text: &str) -> Option<Length> {
    let mut length = Length::default();
    let mut words = text.split_whitespace();
    while let Some(number) = words.next() {
        let part = times(number, unit_named(words.next()?)?)?;
        length.months = length.months.checked_add(part.months)?;
        length.nanos = length.nanos.checked_add(part.nanos)?;
    }
    (!text.is_empty()).then_some(length)
}

/// The milliseconds of an interval literal without months.
///
/// # Errors
/// When it is no interval literal, has months, or is finer than a millisecond.
pub fn interval_ms(expr: &Expr) -> SqlResult<i64> {
    let Expr::Interval(interval) = expr else {
        return Err(SqlError::new(
            codes::BAD_LITERAL,
            format!("expected an interval, found `{expr}`"),
        )
        .at(expr.span())
        .help("an interval is written INTERVAL '5' SECOND"));
    };
    let length = interval_length(interval)?;
    let wrong = |why: &str| {
        Err(SqlError::new(codes::BAD_LITERAL, format!("`{interval}` {why}"))
            .at(interval.value.span()))
    };
    if length.months != 0 {
        return wrong("is not of one length: months differ; use days");
    }
    if length.nanos % 1_000_000 != 0 {
        return wrong("is finer than a millisecond");
    }
    i64::try_from(length.nanos / 1_000_000).or_else(|_| wrong("is too long"))
}

/// Writes an interval of two units, with precisions or a sign in front as one that DataFusion reads.
pub(super) fn normalize(interval: &mut Interval) -> SqlResult<()> {
    let plain = interval.last_field.is_none()
        && interval.leading_precision.is_none()
        && interval.fractional_seconds_precision.is_none()
        && !matches!(interval.value.as_ref(), Expr::UnaryOp { .. });
    if plain {
        // DataFusion reads it, and would say in its own words that it can't.
        let known = interval.leading_field.as_ref().is_some_and(|f| unit_of(f).is_some());
        if known && literal(&interval.value).is_some() {
            interval_length(interval)?;
        }
        return Ok(());
    }
    let length = interval_length(interval)?;
    let (text, field) = if length.months != 0 {
        (length.months.to_string(), DateTimeField::Month)
    } else {
        let sign = if length.nanos < 0 { "-" } else { "" };
        let nanos = length.nanos.unsigned_abs();
        let second = SECOND.unsigned_abs();
        let text = match nanos % second {
            0 => format!("{sign}{}", nanos / second),
            part => format!("{sign}{}.{part:09}", nanos / second),
        };
        (text, DateTimeField::Second)
    };
    if let Expr::Value(value) = interval.value.as_mut() {
        value.value = Value::SingleQuotedString(text);
    } else {
        *interval.value = Expr::value(Value::SingleQuotedString(text));
    }
    interval.leading_field = Some(field);
    interval.leading_precision = None;
    interval.last_field = None;
    interval.fractional_seconds_precision = None;
    Ok(())
}
