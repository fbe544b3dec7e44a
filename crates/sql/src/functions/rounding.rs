//! ROUND and TRUNCATE: digits behind the first ones after the point become 0; a negative number of
//! digits counts to the left of the point.
//!
//! DataFusion's `round` tells another type when it is planned than when it is evaluated, and rounds
//! 2.675 down, as the number is a little less in binary. Flink rounds what is printed.

use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, Decimal128Array, Float32Array, Int64Array,
};
use datafusion::arrow::compute::{CastOptions, cast, cast_with_options};
use datafusion::arrow::datatypes::{DataType, Decimal128Type, Float32Type, Float64Type, Int64Type};
use datafusion::common::{Result, ScalarValue, plan_err};

use super::args::Call;
use super::native::{Spec, Types};
use super::numeric::is_other_decimal;
use super::params::Param::{Int, Number};
use super::returns;
use super::types::sql_name;

static SPECS: &[Spec] = &[
    Spec::new("round", &[("number", Number), ("digits", Int)], rounded, |call| {
        cut_off(call, Kept::Nearest)
    })
    .required(1),
    Spec::new("truncate", &[("number", Number), ("digits", Int)], truncated, |call| {
        cut_off(call, Kept::TowardsZero)
    })
    .required(1),
];

/// The functions of this module.
pub(crate) fn specs() -> impl Iterator<Item = &'static Spec> {
    SPECS.iter()
}

/// Which number with fewer digits stands for one.
#[derive(Clone, Copy, PartialEq)]
enum Kept {
    /// The nearest; of two the one farther from zero.
    Nearest,
    /// The next one towards zero.
    TowardsZero,
}

fn truncated(types: &Types<'_>) -> Result<DataType> {
    shortened(types, "TRUNCATE", 0)
}

fn rounded(types: &Types<'_>) -> Result<DataType> {
    shortened(types, "ROUND", 1)
}

/// The number's type; of a decimal with a constant number of digits one with as many, and with a
/// digit more before the point. Where the number of digits is no constant, `carry` more.
fn shortened(types: &Types<'_>, function: &str, carry: u8) -> Result<DataType> {
    let digits = match types.constants.get(1) {
        None => Some(0),
        Some(Some(ScalarValue::Int64(Some(digits)))) => Some(*digits),
        Some(_) => None,
    };
    match (types.args.first(), digits) {
        (Some(DataType::Decimal128(precision, scale)), Some(digits))
            if digits < i64::from(*scale) =>
        {
            let left = digits.max(0) as i8;
            let precision = i16::from(*precision) - i16::from(*scale) + i16::from(left) + 1;
            Ok(DataType::Decimal128(precision.clamp(1, 38) as u8, left))
        }
        (Some(DataType::Decimal128(precision, scale)), None) => {
            Ok(DataType::Decimal128((precision + carry).min(38), *scale))
        }
        (Some(other), _) if is_other_decimal(other) => {
            plan_err!("function {function} takes no {}", sql_name(other))
        }
        _ => returns::first(types),
    }
}

fn cut_off(call: &Call<'_>, kept: Kept) -> Result<ArrayRef> {
    let number = call.array(0)?;
    let digits = if call.has(1) { Some(call.ints(1)?) } else { None };
    let digits = |row| digits.as_ref().map_or(Some(0), |digits| digits.at(row));
    match number.data_type() {
        DataType::Float64 => {
            let number = number.as_primitive::<Float64Type>();
            call.to_values::<Float64Type>(|row| {
                Some(real(number.is_valid(row).then(|| number.value(row))?, digits(row)?, kept))
            })
        }
        DataType::Float32 => {
            let number = number.as_primitive::<Float32Type>();
            let of = |row| {
                let x = number.is_valid(row).then(|| number.value(row))?;
                Some(single(x, digits(row)?, kept))
            };
            Ok(Arc::new((0..call.rows).map(of).collect::<Float32Array>()))
        }
        DataType::Decimal128(_, scale) => {
            let number = number.as_primitive::<Decimal128Type>();
            let DataType::Decimal128(precision, left) = *call.returns else {
                return Err(call.error("the result is no DECIMAL"));
            };
            let dropped = 10_i128.pow((i32::from(*scale) - i32::from(left)).max(0) as u32);
            let of = |row| {
                let x = number.is_valid(row).then(|| number.value(row))?;
                // 38 digits and a carry are within the type
                let whole = i64::from(*scale).saturating_sub(digits(row)?);
                Some(integer(x, whole, kept).map(|x| x / dropped).ok_or(()))
            };
            let values: Result<Decimal128Array, ()> =
                (0..call.rows).map(|row| of(row).transpose()).collect();
            let values = values.map_err(|()| call.error("the result is out of range"))?;
            let values = values.with_precision_and_scale(precision, left)?;
            values.validate_decimal_precision(precision)?;
            Ok(Arc::new(values))
        }
        other => {
            let wide = cast(&number, &DataType::Int64)?;
            let wide = wide.as_primitive::<Int64Type>();
            let of = |row| {
                let x = wide.is_valid(row).then(|| wide.value(row))?;
                let x = integer(x.into(), 0_i64.saturating_sub(digits(row)?), kept);
                Some(x.and_then(|x| i64::try_from(x).ok()).ok_or(()))
            };
            let values: Result<Int64Array, ()> =
                (0..call.rows).map(|row| of(row).transpose()).collect();
            let values = values.map_err(|()| call.error("the result is out of range"))?;
            let checked = CastOptions { safe: false, ..Default::default() };
            Ok(cast_with_options(&values, other, &checked)?)
        }
    }
}

/// A number whose last `digits` digits are 0; none if it does not fit.
fn integer(number: i128, digits: i64, kept: Kept) -> Option<i128> {
    match digits {
        ..=0 => Some(number),
        39.. => Some(0),
        _ => {
            let unit = 10_i128.pow(digits as u32);
            let rest = number % unit;
            // 5 * 10^37 is within the type, twice the rest of 10^38 need not be
            let carry = kept == Kept::Nearest && rest.abs() >= unit / 2;
            (number - rest).checked_add(if carry { unit * number.signum() } else { 0 })
        }
    }
}

fn real(x: f64, digits: i64, kept: Kept) -> f64 {
    printed(&format!("{x:e}"), digits, kept).and_then(|text| text.parse().ok()).unwrap_or(x)
}

fn single(x: f32, digits: i64, kept: Kept) -> f32 {
    printed(&format!("{x:e}"), digits, kept).and_then(|text| text.parse().ok()).unwrap_or(x)
}

/// Cuts a number that is printed as `-1.234e5`; none if nothing is to be cut.
fn printed(number: &str, digits: i64, kept: Kept) -> Option<String> {
    // inf and NaN have no exponent
    let (mantissa, exponent) = number.split_once('e')?;
    let (sign, mantissa) = match mantissa.strip_prefix('-') {
        Some(mantissa) => ("-", mantissa),
        None => ("", mantissa),
    };
    let exponent: i64 = exponent.parse().ok()?;
    let mantissa = mantissa.replace('.', "");
    let left = exponent.saturating_add(1).saturating_add(digits);
    if left >= mantissa.len() as i64 {
        return None;
    }
    let Ok(left) = usize::try_from(left) else { return Some("0".to_owned()) };
    // at most 17 digits
    let head: i64 = mantissa[..left].parse().unwrap_or(0);
    let carry = kept == Kept::Nearest && mantissa.as_bytes()[left] >= b'5';
    match head + i64::from(carry) {
        // no negative zero
        0 => Some("0".to_owned()),
        head => Some(format!("{sign}{head}e{}", digits.saturating_neg())),
    }
}
